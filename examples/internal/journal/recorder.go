package journal

import (
	"encoding/json"
	"fmt"
	"io"
)

// A Recorder writes the results of a run. Where that fails the run is to be drained,
// for what is made once results cannot be written could not be told to the next run.
type Recorder struct {
	file      *File
	drain     func()
	err       error
	unwritten []any
}

// NewRecorder returns a recorder that calls drain when a result cannot be written.
func NewRecorder(file *File, drain func()) *Recorder { return &Recorder{file: file, drain: drain} }

// Record writes a result, or keeps it for Print.
func (r *Recorder) Record(result any) {
	if r.err == nil {
		err := r.file.Write(result)
		if err == nil {
			return
		}
		r.err = fmt.Errorf("the results cannot be written: %w", err)
		r.drain()
	}
	r.unwritten = append(r.unwritten, result)
}

// Err says why results cannot be written, if so.
func (r *Recorder) Err() error { return r.err }

// Print prints the results that are not in the file.
func (r *Recorder) Print(notes io.Writer) {
	if len(r.unwritten) == 0 {
		return
	}
	fmt.Fprintf(notes, "%d results could not be written to %s:\n", len(r.unwritten), r.file.name)
	lines := json.NewEncoder(notes)
	for _, result := range r.unwritten {
		if err := lines.Encode(result); err != nil {
			return // to nobody who would hear of it
		}
	}
}
