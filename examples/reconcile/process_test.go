//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(clitest.Served); url != "" {
		cli.MainDraining("reconcile", func(ctx, draining context.Context, args []string, out, notes io.Writer) error {
			client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(url))
			if err != nil {
				return err
			}
			return run(ctx, draining, args, streams{os.Stdin, out, notes}, client)
		})
	}
	os.Exit(m.Run())
}

// A scene is a tenant with users, behind a socket, and a file for them.
type scene struct {
	*clitest.Server
	file, results string
	want          map[string]string // what users have in the end
	changes       int               // that takes
}

// newScene has an assignment, a swap, a removal, and somebody who has all already, for
// every four users.
func newScene(t *testing.T, users int) *scene {
	s := &scene{Server: clitest.NewServer(t), want: map[string]string{}}
	e3, f1 := s.AddSKU(contoso.E3(users)).ID, s.AddSKU(contoso.F1(users)).ID
	text := "managed: all\nusers:\n"
	for i := range users {
		name := userName("user", i)
		user := licensingtest.User{UserPrincipalName: name, UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: f1}}}
		goal := []string{"licenses: [ENTERPRISEPACK]", "mode: exactly, licenses: [ENTERPRISEPACK]", "remove: [M365_F1]", "licenses: [M365_F1]"}[i%4]
		s.want[name] = []string{f1.String() + e3.String(), e3.String(), "", f1.String()}[i%4]
		if i%4 < 3 {
			s.changes++
		}
		text += fmt.Sprintf("  %s: {%s}\n", name, goal)
		s.AddUser(user)
	}
	s.file, s.results = clitest.File(t, "licenses.yaml", text), clitest.File(t, "results.jsonl", "")
	return s
}

func (s *scene) apply(input string) *clitest.Process {
	return clitest.NewProcess(s.URL, "apply", "-yes", input, "-out", s.results)
}

// isOver checks that everybody has what is wanted, and that everything was made once.
func (s *scene) isOver(t *testing.T) {
	t.Helper()
	for name, want := range s.want {
		user, _ := s.User(name)
		got := ""
		for _, license := range user.Licenses {
			got += license.SKUID.String()
		}
		if got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	changed := 0
	for _, w := range s.Writes() {
		if w.Changed {
			changed++
		}
	}
	if changed != s.changes {
		t.Errorf("%d writes changed anything, want %d", changed, s.changes)
	}
}

// TestKillAndRunAgain kills the process when a batch has come to the tenant, which is
// carried out before that, after it, or not at all. By the YAML the next run plans
// again; the changes of a plan it compares again. With a lag it reads nothing of what
// was made.
func TestKillAndRunAgain(t *testing.T) {
	for at := range int32(9) {
		for how, carriedOut := range []string{"before", "after", "never"} {
			for _, lag := range []time.Duration{0, time.Hour} {
				t.Run(fmt.Sprintf("batch %d, carried out %s, read lag %s", at+1, carriedOut, lag), func(t *testing.T) {
					t.Parallel()
					s := newScene(t, 160)
					s.SetReadLag(lag)
					killed := s.apply(s.file)
					s.Meet = func(carryOut func(w http.ResponseWriter)) bool {
						if how == 0 {
							carryOut(httptest.NewRecorder())
						}
						killed.Started().Kill()
						<-killed.Ended
						if how == 1 {
							carryOut(httptest.NewRecorder())
						}
						return false
					}
					s.At.Store(at + 1)
					if status := killed.Run(t); status != -1 {
						t.Fatalf("got status %d and\n%s", status, &killed.Notes)
					}
					again := s.apply(s.file)
					if status := again.Run(t); status != 0 {
						t.Errorf("again: got status %d and\n%s", status, &again.Notes)
					}
					s.isOver(t)
				})
			}
		}
	}
}

// TestSignals has a process drained with a batch under way, and run again.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, 400)
			p := s.apply(s.file)
			s.Meet = func(func(w http.ResponseWriter)) bool {
				p.Started().Signal(signal)
				p.WaitFor("draining: requests under way are being settled; press again to stop\n")
				return true
			}
			s.At.Store(20) // of which 15 look
			if status := p.Run(t); status != statusFailed || !strings.Contains(p.Notes.String(), "reconcile: interrupted: ") {
				t.Errorf("got status %d and\n%s", status, &p.Notes)
			}
			if text := clitest.Read(t, s.results); !strings.Contains(text, "\"written\":true") || strings.Count(text, "\n") != 1+s.changes {
				t.Errorf("got %d results, want %d, some of them written", strings.Count(text, "\n"), 1+s.changes)
			}
			again := s.apply(s.file)
			if status := again.Run(t); status != 0 {
				t.Errorf("again: got status %d and\n%s", status, &again.Notes)
			}
			s.isOver(t)
		})
	}
}

// TestOneAtATime has a second run started while one is under way.
func TestOneAtATime(t *testing.T) {
	s := newScene(t, 80)
	s.Meet = func(func(w http.ResponseWriter)) bool {
		p := s.apply(s.file)
		if status := p.Run(t); status != statusMisuse || !strings.HasPrefix(p.Notes.String(), "reconcile: another run is writing to "+s.results) {
			t.Errorf("got status %d and\n%s", status, &p.Notes)
		}
		return true
	}
	s.At.Store(2)
	if p := s.apply(s.file); p.Run(t) != 0 {
		t.Errorf("got\n%s", &p.Notes)
	}
	s.isOver(t)
}

// TestStatuses has the statuses that a pipeline sees.
func TestStatuses(t *testing.T) {
	s := newScene(t, 8)
	for _, step := range []struct {
		args   []string
		status int
	}{
		{[]string{"plan", s.file}, 2},
		{[]string{"plan"}, 3},
		{[]string{"apply", s.file}, 1}, // nobody answers
		{[]string{"apply", s.file, "-yes"}, 0},
		{[]string{"apply", s.file}, 0},
		{[]string{"plan", s.file}, 0},
		{[]string{"plan", clitest.File(t, "in.yaml", "users: {"+uuid.NewString()+": {}}")}, 1},
		{[]string{"-h"}, 0},
	} {
		if p := clitest.NewProcess(s.URL, step.args...); p.Run(t) != step.status {
			t.Errorf("%v: got status %d and\n%s", step.args, p.ProcessState.ExitCode(), &p.Notes)
		}
	}
	s.isOver(t)
}
