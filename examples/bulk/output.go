package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/gofrs/flock"

	"github.com/graphlicensing/licensing"
)

// openResults opens the file of -out. To start anew in one with results would
// lose what -resume needs, so it takes a new file, or -resume.
func (c *command) openResults(stdout io.Writer) (*results, error) {
	r := &results{name: c.out, past: map[string]*past{}}
	switch c.out {
	case "":
		return nil, nil
	case "-":
		r.name, r.to = "the standard output", stdout
		return r, nil
	}
	mode, regular := os.O_RDWR|os.O_CREATE|os.O_APPEND, true
	if info, err := os.Stat(c.out); err == nil && !info.Mode().IsRegular() { // a pipe, or a device
		mode, regular = os.O_WRONLY, false
	}
	switch {
	case c.resume && !regular:
		return nil, fmt.Errorf("%s is not a file, so there are no results to go on from", c.out)
	case c.dryRun:
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(c.out, mode, 0o600)
	switch {
	case c.dryRun && errors.Is(err, os.ErrNotExist):
		return nil, nil // the first run is still to come
	case err != nil:
		return nil, err
	}
	r.file, r.to = file, file
	if regular {
		err = r.open(c.resume, c.dryRun)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// open reads the results so far, and gets ready for more.
func (r *results) open(resume, readOnly bool) error {
	if !readOnly {
		if err := r.hold(); err != nil {
			return err
		}
	}
	info, err := r.file.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() > 0 && !resume:
		return fmt.Errorf("%s has results already: go on with it by -resume, or name another file", r.name)
	}
	end, whole, err := r.read(r.file)
	if err != nil || readOnly {
		return err
	}
	// What a kill has left of a line goes.
	r.end = end
	if err := r.cut(); err != nil {
		return err
	}
	if !whole {
		err = r.append([]byte("\n"))
	}
	return err
}

// hold keeps other runs from writing to the file until this process ends.
func (r *results) hold() error {
	name := r.name
	if runtime.GOOS == "windows" {
		name += ".lock" // there a lock keeps the process itself from the file
	}
	lock := flock.New(name)
	switch held, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("%s cannot be locked: %w", r.name, err)
	case !held:
		return fmt.Errorf("another run is writing to %s; wait until it has ended", r.name)
	}
	r.lock = lock
	return nil
}

// begin begins the part of a run, which is an empty line. It fails where nothing
// can be written.
func (r *results) begin() error {
	if r == nil {
		return nil
	}
	return r.append([]byte("\n"))
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
	return r.append(append(line, '\n'))
}

func (r *results) append(text []byte) error {
	if _, err := r.to.Write(text); err != nil {
		if r.lock != nil {
			r.cut() // a part of a line; if it stays, the next run cuts it off
		}
		return err
	}
	r.end += int64(len(text))
	return nil
}

// cut cuts off what is behind the last whole line. Windows lets nobody do so who
// has the file open for appending.
func (r *results) cut() error { return os.Truncate(r.name, r.end) }

func (r *results) close() error {
	if r == nil || r.file == nil {
		return nil
	}
	err := r.file.Close()
	if r.lock != nil {
		r.lock.Close()
	}
	return err
}
