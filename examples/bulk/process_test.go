//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
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
		cli.MainDraining("bulk", func(ctx, draining context.Context, args []string, out, notes io.Writer) error {
			cmd, err := parse(args, notes)
			if err != nil {
				return err
			}
			input, err := readInput(cmd.in, os.Stdin)
			if err != nil {
				return err
			}
			client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(url))
			if err != nil {
				return err
			}
			j := job{command: cmd, input: input, out: out, notes: notes}
			j.use(client)
			return j.do(ctx, draining)
		})
	}
	os.Exit(m.Run())
}

// A scene is a tenant with users, behind a socket, and a plan for them.
type scene struct {
	*clitest.Server
	plan, results string
	operations    []licensing.Operation
	want          map[string]string // what users have in the end
}

// newScene plans an assignment, a swap, a removal, a usage location, and a swap
// that is undone, for every five users.
func newScene(t *testing.T, users int) *scene {
	s := &scene{Server: clitest.NewServer(t), want: map[string]string{}}
	e3, f1 := s.AddSKU(contoso.E3(users)).ID, s.AddSKU(contoso.F1(users)).ID
	for i := range users {
		name := userName(i)
		user := licensingtest.User{UserPrincipalName: name, UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: f1}}}
		switch i % 5 {
		case 0:
			s.operations = append(s.operations, operation(name, nil, e3))
			s.want[name] = "DE" + f1.String() + e3.String()
		case 1:
			s.operations = append(s.operations, operation(name, []uuid.UUID{f1}, e3))
			s.want[name] = "DE" + e3.String()
		case 2:
			s.operations = append(s.operations, operation(name, []uuid.UUID{f1}))
			s.want[name] = "DE"
		case 3:
			s.operations = append(s.operations, licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: name, UsageLocation: "FR"})
			s.want[name] = "FR" + f1.String()
		case 4:
			s.operations = append(s.operations, operation(name, []uuid.UUID{f1}, e3), operation(name, []uuid.UUID{e3}))
			s.want[name] = "DE"
		}
		s.AddUser(user)
	}
	plan := ""
	for _, op := range s.operations {
		plan += line(t, op)
	}
	s.plan, s.results = clitest.File(t, "plan.jsonl", plan), clitest.File(t, "results.jsonl", "")
	return s
}

// start runs the tool with some further arguments.
func (s *scene) start(args ...string) *clitest.Process {
	return clitest.NewProcess(s.URL, append([]string{"-in", s.plan}, args...)...)
}

// outcomes returns how many results of each outcome lines have, and the operations
// that are known to have been made, each as often as it says.
func outcomes(t *testing.T, lines string) (counts map[licensing.Outcome]int, made map[string]int) {
	t.Helper()
	counts, made = map[licensing.Outcome]int{}, map[string]int{}
	for text := range strings.Lines(lines) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		var r licensing.OperationResult
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			continue // torn
		}
		counts[r.Outcome()]++
		if r.Done() {
			made[identity(r.Operation)]++
		}
	}
	return counts, made
}

func (s *scene) effects() int { return (&stage{Tenant: s.Tenant}).changes() }

// isOver checks that everything was made once, and says so.
func (s *scene) isOver(t *testing.T) {
	t.Helper()
	counts, made := outcomes(t, clitest.Read(t, s.results))
	for _, op := range s.operations {
		if n := made[identity(op)]; n != 1 {
			t.Errorf("%d results say that it was made: %s", n, line(t, op))
		}
	}
	if counts[licensing.OutcomeFailed] > 0 {
		t.Errorf("got %v", counts)
	}
	for name, want := range s.want {
		user, _ := s.User(name)
		got := user.UsageLocation
		for _, license := range user.Licenses {
			got += license.SKUID.String()
		}
		if got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
	if got := s.effects(); got != len(s.operations) {
		t.Errorf("%d writes changed anything, want %d", got, len(s.operations))
	}
}

// TestKillAndResume kills the process when a batch has come to the tenant, which is
// carried out before that, after it, or not at all. The reads of the next one show
// nothing of what was made.
func TestKillAndResume(t *testing.T) {
	for at := range int32(7) {
		for how, carriedOut := range []string{"before", "after", "never"} {
			t.Run(fmt.Sprintf("batch %d, carried out %s", at+1, carriedOut), func(t *testing.T) {
				t.Parallel()
				s := newScene(t, 120)
				s.SetReadLag(time.Hour)
				killed := s.start("-out", s.results)
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
				resumed := s.start("-out", s.results, "-resume")
				if status := resumed.Run(t); status != 0 {
					t.Errorf("resumed: got status %d and\n%s", status, &resumed.Notes)
				}
				s.isOver(t)
			})
		}
	}
}

// TestSignals has a process that is drained with a batch under way, or stopped.
func TestSignals(t *testing.T) {
	for _, test := range []struct {
		name  string
		first os.Signal
		again bool
	}{
		{"SIGINT", os.Interrupt, false},
		{"SIGTERM", syscall.SIGTERM, false},
		{"SIGINT twice", os.Interrupt, true},
		{"SIGTERM twice", syscall.SIGTERM, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, 1000)
			s.SetReadLag(time.Hour)
			p := s.start("-out", s.results)
			s.Meet = func(carryOut func(w http.ResponseWriter)) bool {
				p.Started().Signal(test.first)
				p.WaitFor("draining: requests under way are being settled; press again to stop\n")
				if test.again {
					carryOut(httptest.NewRecorder())
					p.Started().Signal(test.first)
					<-p.Ended
				}
				return !test.again
			}
			s.At.Store(5)
			if status := p.Run(t); status != 1 || !strings.Contains(p.Notes.String(), "bulk: interrupted: ") {
				t.Errorf("got status %d and\n%s", status, &p.Notes)
			}
			counts, made := outcomes(t, clitest.Read(t, s.results))
			if got := counts["done"] + counts["notSent"] + counts["unknown"]; got != len(s.operations) || counts["done"] != len(made) || (counts["unknown"] > 0) != test.again || counts["notSent"] == 0 {
				t.Errorf("got %v of %d", counts, len(s.operations))
			}
			if got := s.effects(); !test.again && got != counts["done"] {
				t.Errorf("got %v, and %d were made", counts, got)
			}
			resumed := s.start("-out", s.results, "-resume")
			if status := resumed.Run(t); status != 0 {
				t.Errorf("resumed: got status %d and\n%s", status, &resumed.Notes)
			}
			s.isOver(t)
		})
	}
}

// TestSeveralResumes has others started while one is under way.
func TestSeveralResumes(t *testing.T) {
	s := newScene(t, 100)
	s.Meet = func(func(w http.ResponseWriter)) bool {
		for range 2 {
			p := s.start("-out", s.results, "-resume")
			if status, want := p.Run(t), "bulk: another run is writing to "+s.results+"; wait until it has ended\n"; status != 2 || !strings.HasPrefix(p.Notes.String(), want) {
				t.Errorf("got status %d and\n%s", status, &p.Notes)
			}
		}
		return true
	}
	s.At.Store(2)
	if p := s.start("-out", s.results, "-resume"); p.Run(t) != 0 {
		t.Errorf("got\n%s", &p.Notes)
	}
	s.isOver(t)
}

// TestNobodyReadsTheResults has the reader of a pipe go away in the middle.
func TestNobodyReadsTheResults(t *testing.T) {
	s := newScene(t, 1000)
	p := s.start("-out", "-")
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var before bytes.Buffer
	s.Meet = func(func(w http.ResponseWriter)) bool {
		out.Close()
		return true
	}
	s.At.Store(5)
	p.Begin(t)
	io.Copy(&before, out) // until it is closed
	if status := p.End(t); status != 1 || !strings.Contains(p.Notes.String(), "bulk: the results cannot be written: write ") {
		t.Errorf("got status %d and\n%s", status, &p.Notes)
	}
	_, noted, _ := strings.Cut(p.Notes.String(), " results could not be written to the standard output:\n")
	counts, made := outcomes(t, noted)
	if counts["done"] == 0 || counts["unknown"] > 0 || counts["failed"] > 0 || len(made) > s.effects() || s.effects() == len(s.operations) {
		t.Errorf("got %v, and %d were made", counts, s.effects())
	}
}
