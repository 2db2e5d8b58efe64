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

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Results are the file in which they are written down, and what it shows of
// earlier runs. A nil one has neither.
type results struct {
	file *os.File
	name string
	done map[string]int // how often an operation was made
}

// openResults opens the file of -out. To start anew in one with results would
// lose what -resume needs, so it takes a new file, or -resume.
func (c *command) openResults() (*results, error) {
	if c.out == "" {
		return nil, nil
	}
	mode := os.O_RDWR | os.O_CREATE
	if c.dryRun {
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(c.out, mode, 0o600)
	switch {
	case c.dryRun && errors.Is(err, os.ErrNotExist):
		return nil, nil // the first run is still to come
	case err != nil:
		return nil, err
	}
	r := &results{file: file, name: c.out, done: map[string]int{}}
	if err := r.open(c.resume, c.dryRun); err != nil {
		file.Close()
		return nil, err
	}
	return r, nil
}

// open reads the results so far, and gets ready for more.
func (r *results) open(resume, readOnly bool) error {
	size, err := r.file.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
		return err
	case size > 0 && !resume:
		return fmt.Errorf("%s has results already: go on with it by -resume, or name another file", r.name)
	}
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	end, whole, err := r.read(r.file)
	if err != nil || readOnly {
		return err
	}
	// What a kill has left of a line goes.
	if err := r.file.Truncate(end); err != nil {
		return err
	}
	if _, err := r.file.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if !whole {
		_, err = r.file.Write([]byte("\n"))
	}
	return err
}

// read notes which operations were made. It returns where the last result
// ends, and whether its line does.
func (r *results) read(file io.Reader) (end int64, whole bool, err error) {
	in := bufio.NewReader(file)
	whole = true
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return 0, false, err
		}
		last := err == io.EOF
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			var result licensing.OperationResult
			bad := json.Unmarshal(trimmed, &result)
			switch {
			case bad != nil && last && trimmed[0] == '{' && !json.Valid(trimmed):
				return end, true, nil // torn
			case bad == nil && result.Operation.Kind == "":
				bad = errors.New("it has no operation")
			}
			if bad != nil {
				return 0, false, fmt.Errorf("%s, line %d is not a result: %w", r.name, line, bad)
			}
			if result.Done() {
				r.done[identity(result.Operation)]++
			}
		}
		end += int64(len(text))
		if last {
			return end, len(text) == 0, nil
		}
	}
}

// take reports whether an earlier run has made an operation. Where the input
// has the same one several times, each that was made is taken once.
func (r *results) take(op licensing.Operation) bool {
	if r == nil {
		return false
	}
	key := identity(op)
	if r.done[key] == 0 {
		return false
	}
	r.done[key]--
	return true
}

// write adds a result, in one piece and at once: a kill loses what is in
// flight, and nothing that was written.
func (r *results) write(result licensing.OperationResult) error {
	if r == nil {
		return nil
	}
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = r.file.Write(append(line, '\n'))
	return err
}

func (r *results) close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
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
