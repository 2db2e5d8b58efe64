package clitest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// Served is the variable of the environment that says where the tenant is that a
// tool works on in a process of its own.
const Served = "TOOL_TEST_TENANT"

// A Process is a tool in a process of its own, which is the test's own program: its
// TestMain runs the tool where Served is set.
type Process struct {
	*exec.Cmd
	Notes          Said
	started, Ended chan struct{}
}

// NewProcess returns a process, not yet begun, for the tenant at a URL.
func NewProcess(url string, args ...string) *Process {
	p := &Process{Cmd: exec.Command(os.Args[0], args...), started: make(chan struct{}), Ended: make(chan struct{})}
	p.Notes.more = make(chan struct{}, 1)
	for _, name := range connect.Variables {
		p.Env = append(p.Env, name+"=")
	}
	p.Env = append(append(os.Environ(), p.Env...), Served+"="+url)
	p.Stderr = &p.Notes
	return p
}

// Begin starts the tool.
func (p *Process) Begin(t *testing.T) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	close(p.started)
}

// Started returns the process, once there is one.
func (p *Process) Started() *os.Process {
	<-p.started
	return p.Process
}

// Run waits until the tool has ended, and returns its status, -1 if it was killed.
func (p *Process) Run(t *testing.T) int {
	t.Helper()
	p.Begin(t)
	return p.End(t)
}

// End does so for one that has begun.
func (p *Process) End(t *testing.T) int {
	t.Helper()
	defer close(p.Ended)
	if err := p.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return p.ProcessState.ExitCode()
}

// WaitFor waits until a process has noted something, or has ended.
func (p *Process) WaitFor(text string) {
	for !strings.Contains(p.Notes.String(), text) {
		select {
		case <-p.Ended:
			return
		case <-p.Notes.more:
		}
	}
}

// Said is what a process has noted so far.
type Said struct {
	more chan struct{} // there is
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *Said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(text)
}

func (s *Said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
