package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

type writer func([]byte) (int, error)

func (w writer) Write(text []byte) (int, error) { return w(text) }

// TestPartOfALine has a disk that is full in the middle of a line. Lines that are
// added by hand must not follow on that part.
func TestPartOfALine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	f, err := Open(name, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Begin(), f.Write("a long result")); err != nil {
		t.Fatal(err)
	}
	f.to = writer(func(text []byte) (int, error) {
		n, _ := f.file.Write(text[:10])
		return n, syscall.ENOSPC
	})
	drained := 0
	r := NewRecorder(f, func() { drained++ })
	r.Record("a long result")
	r.Record("another one")
	var notes bytes.Buffer
	r.Print(&notes)
	text, _ := os.ReadFile(name)
	if !errors.Is(r.Err(), syscall.ENOSPC) || drained != 1 || string(text) != "\n\"a long result\"\n" {
		t.Errorf("got %v, drained %d times, and %q", r.Err(), drained, text)
	}
	if want := "2 results could not be written to " + name + ":\n\"a long result\"\n\"another one\"\n"; notes.String() != want {
		t.Errorf("noted %q, want %q", notes.String(), want)
	}
}
