package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/journal"
)

// Results are the file in which they are written down, and what it shows of
// earlier runs.
type results struct {
	*journal.File
	runs int // that the file shows
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

// openResults opens the file of -out.
func (c *command) openResults(stdout io.Writer) (*results, error) {
	r := &results{past: map[string]*past{}}
	var err error
	r.File, err = journal.Open(c.out, stdout, journal.Options{Resume: c.resume, ReadOnly: c.dryRun, Line: r.line})
	return r, err
}

// line takes in a line of the file. An empty one begins the part of a run.
func (r *results) line(text []byte) error {
	if text == nil {
		r.runs++
		return nil
	}
	var result licensing.OperationResult
	if err := json.Unmarshal(text, &result); err != nil {
		return err
	}
	if result.Operation.Kind == "" {
		return errors.New("it has no operation")
	}
	r.note(result)
	return nil
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
	if r.runs == 0 {
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
