// Package journal keeps a file of results: each is a line of JSON that is written
// whole and at once, an empty line begins the part of a run, and a lock sees to it
// that one run at a time writes.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/gofrs/flock"
)

// A File is one with results. A nil File has none, and takes none.
type File struct {
	name string
	to   io.Writer
	file *os.File     // nil for the standard output
	lock *flock.Flock // nil where there is no file to be read again
	end  int64        // of what is written in whole lines
}

// Options say how a file is opened.
type Options struct {
	Resume   bool // it may have results already
	ReadOnly bool // nothing will be written, and the file need not be there
	// Line takes in what the file has: a result, or nil where a run begins.
	Line func(result []byte) error
}

// Open opens a file of results; "-" is stdout, and "" is none. To start anew in one
// with results would lose them, so it takes a new file, or Resume.
func Open(name string, stdout io.Writer, opts Options) (*File, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return &File{name: "the standard output", to: stdout}, nil
	}
	mode, regular := os.O_RDWR|os.O_CREATE|os.O_APPEND, true
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // a pipe, or a device
		mode, regular = os.O_WRONLY, false
	}
	switch {
	case opts.Resume && !regular:
		return nil, fmt.Errorf("%s is not a file, so there are no results to go on from", name)
	case opts.ReadOnly:
		mode = os.O_RDONLY
	}
	file, err := os.OpenFile(name, mode, 0o600)
	switch {
	case opts.ReadOnly && errors.Is(err, os.ErrNotExist):
		return nil, nil // the first run is still to come
	case err != nil:
		return nil, err
	}
	f := &File{name: name, to: file, file: file}
	if regular {
		err = f.open(opts)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// open reads the results so far, and gets ready for more.
func (f *File) open(opts Options) error {
	if !opts.ReadOnly {
		if err := f.hold(); err != nil {
			return err
		}
	}
	info, err := f.file.Stat()
	switch {
	case err != nil:
		return err
	case info.Size() > 0 && !opts.Resume:
		return fmt.Errorf("%s has results already: go on with it by -resume, or name another file", f.name)
	}
	end, whole, err := f.read(opts.Line)
	if err != nil || opts.ReadOnly {
		return err
	}
	// What a kill has left of a line goes.
	f.end = end
	if err := f.cut(); err != nil {
		return err
	}
	if !whole {
		err = f.append([]byte("\n"))
	}
	return err
}

// read returns where the last result ends, and whether its line does.
func (f *File) read(take func([]byte) error) (end int64, whole bool, err error) {
	in := bufio.NewReader(f.file)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return 0, false, err
		}
		last := err == io.EOF
		switch trimmed := bytes.TrimSpace(text); {
		case len(trimmed) > 0:
			if bad := take(trimmed); bad != nil && last && trimmed[0] == '{' && !json.Valid(trimmed) {
				return end, true, nil // torn
			} else if bad != nil {
				return 0, false, fmt.Errorf("%s:%d: this is not a result: %w", f.name, line, bad)
			}
		case !last:
			if err := take(nil); err != nil {
				return 0, false, err
			}
		}
		end += int64(len(text))
		if last {
			return end, len(text) == 0, nil
		}
	}
}

// hold keeps other runs from writing to the file until this process ends.
func (f *File) hold() error {
	name := f.name
	if runtime.GOOS == "windows" {
		name += ".lock" // there a lock keeps the process itself from the file
	}
	lock := flock.New(name)
	switch held, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("%s cannot be locked: %w", f.name, err)
	case !held:
		return fmt.Errorf("another run is writing to %s; wait until it has ended", f.name)
	}
	f.lock = lock
	return nil
}

// Begin begins the part of a run. It fails where nothing can be written.
func (f *File) Begin() error {
	if f == nil {
		return nil
	}
	return f.append([]byte("\n"))
}

// Write adds a result, in one piece and at once: a kill loses what is in flight, and
// nothing that was written.
func (f *File) Write(result any) error {
	if f == nil {
		return nil
	}
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return f.append(append(line, '\n'))
}

func (f *File) append(text []byte) error {
	if _, err := f.to.Write(text); err != nil {
		if f.lock != nil {
			f.cut() // a part of a line; if it stays, the next run cuts it off
		}
		return err
	}
	f.end += int64(len(text))
	return nil
}

// cut cuts off what is behind the last whole line. Windows lets nobody do so who
// has the file open for appending.
func (f *File) cut() error { return os.Truncate(f.name, f.end) }

// Close gives the lock back.
func (f *File) Close() error {
	if f == nil || f.file == nil {
		return nil
	}
	err := f.file.Close()
	if f.lock != nil {
		f.lock.Close()
	}
	return err
}
