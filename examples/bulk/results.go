package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Results are the file in which they are written down, and what it shows of
// earlier runs. A nil one has neither.
type results struct {
	name string
	to   io.Writer
	file *os.File     // nil for the standard output
	lock *flock.Flock // nil where there is no file to be read again
	end  int64        // of what is written in whole lines
	runs int          // that the file shows
	past map[string]*past
}

// A past is what a file shows of an operation that may be in the input several
// times.
type past struct {
	made int    // so often
	run  int    // the last that ended without making it
	last []fate // in that run
}

// A fate is what earlier runs have done about an operation.
type fate int

const (
	notMade fate = iota // for sure
	isMade
	mayBeMade
)

// read notes what became of operations. An empty line begins the part of a run.
// It returns where the last result ends, and whether its line does.
func (r *results) read(file io.Reader) (end int64, whole bool, err error) {
	in := bufio.NewReader(file)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return 0, false, err
		}
		last := err == io.EOF
		switch trimmed := bytes.TrimSpace(text); {
		case len(trimmed) > 0:
			var result licensing.OperationResult
			bad := json.Unmarshal(trimmed, &result)
			switch {
			case bad != nil && last && trimmed[0] == '{' && !json.Valid(trimmed):
				return end, true, nil // torn
			case bad == nil && result.Operation.Kind == "":
				bad = errors.New("it has no operation")
			}
			if bad != nil {
				return 0, false, fmt.Errorf("%s:%d: this is not a result: %w", r.name, line, bad)
			}
			r.note(result)
		case !last:
			r.runs++
		}
		end += int64(len(text))
		if last {
			return end, len(text) == 0, nil
		}
	}
}

func (r *results) note(result licensing.OperationResult) {
	r.runs = max(r.runs, 1)
	key := identity(result.Operation)
	p := r.past[key]
	if p == nil {
		p = &past{}
		r.past[key] = p
	}
	if result.Done() {
		p.made++
		return
	}
	if p.run < r.runs {
		p.run, p.last = r.runs, nil
	}
	// A run that looked at a doubt, and did not make the operation, may have been
	// kept from it: the doubt stays.
	now := notMade
	if result.Outcome() == licensing.OutcomeUnknown || result.Operation.Resumed {
		now = mayBeMade
	}
	p.last = append(p.last, now)
}

// take returns what earlier runs have done about an operation. One that has a
// result in the last run is known not to have been made if that says so. One that
// has none there may have been under way when the run was killed. Where the input
// has the same operation several times, each result is taken once.
func (r *results) take(op licensing.Operation) fate {
	if r == nil || r.runs == 0 {
		return notMade
	}
	p := r.past[identity(op)]
	switch {
	case p == nil:
		return mayBeMade
	case p.made > 0:
		p.made--
		return isMade
	case p.run < r.runs || len(p.last) == 0:
		return mayBeMade
	}
	first := p.last[0]
	p.last = p.last[1:]
	return first
}

// identity returns what an operation is, however it was written. Its place in
// the input does not count, for the input can change between two runs.
func identity(op licensing.Operation) string {
	order := func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
	plain := func(ids []uuid.UUID) []uuid.UUID { return slices.Compact(slices.SortedFunc(slices.Values(ids), order)) }
	op.Target, op.UsageLocation = strings.ToLower(op.Target), strings.ToUpper(op.UsageLocation)
	op.Request.RemoveLicenses = plain(op.Request.RemoveLicenses)
	op.Request.AddLicenses = slices.Clone(op.Request.AddLicenses)
	for i := range op.Request.AddLicenses {
		op.Request.AddLicenses[i].DisabledPlans = plain(op.Request.AddLicenses[i].DisabledPlans)
	}
	slices.SortFunc(op.Request.AddLicenses, func(a, b licensing.AssignedLicense) int {
		return cmp.Or(order(a.SKUID, b.SKUID), slices.CompareFunc(a.DisabledPlans, b.DisabledPlans, order))
	})
	return fmt.Sprintf("%+q", []string{string(op.Kind), op.Target, op.UsageLocation, fmt.Sprint(op.Request)})
}
