package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/reconcile"
)

// status returns that with which an error ends the tool.
func status(err error) int {
	if err == nil {
		return 0
	}
	return cli.Status(err)
}

// TestMainJob has the fake tenant planned, changed, and looked at once more.
func TestMainJob(t *testing.T) {
	out, notes, err := clitest.Run(t, tool(""), "plan")
	if status(err) != statusChanges || notes != contoso.Notice+"\nreading what everybody has now\n" {
		t.Errorf("plan: got %v and\n%s", err, notes)
	}
	golden(t, "demo.txt", out)
	if out, _, _ := clitest.Run(t, tool(""), "plan", "-all"); strings.Count(out, "@contoso.example ") < 237 || !strings.Contains(out, "\njoiner0002@") {
		t.Errorf("-all: got\n%s", out)
	}
	results := clitest.File(t, "results.jsonl", "")
	out, notes, err = clitest.Run(t, tool("y\n"), "apply", "-out", results)
	if status(err) != statusFailed || err.Error() != "21 of 242 were not done" ||
		!strings.Contains(out, "\n221 of 238 changes done, 17 failed, 0 in doubt, 0 not sent\n") ||
		!strings.Contains(notes, "\n150 of 238 changes take something away. Make them? [y/N] ") {
		t.Errorf("apply: got %v and\n%s\n%s", err, out, notes)
	}
	out, _, err = clitest.Run(t, tool(""), "apply", "-out", results)
	if status(err) != statusFailed || !strings.Contains(out, "\n0 of 17 changes done, 17 failed, ") || strings.Contains(out, " lose ") {
		t.Errorf("apply again: got %v and\n%s", err, out)
	}
}

// wanted is what the tests below bring about.
const wanted = `managed: [ENTERPRISEPACK, M365_F1]
users:
  adele@contoso.example: &worker
    mode: exactly
    licenses:
      - sku: ENTERPRISEPACK
        without: [YAMMER_ENTERPRISE]
  ben@contoso.example: *worker
  cleo@contoso.example:
    licenses:
      - sku: ENTERPRISEPACK
        enable: [YAMMER_ENTERPRISE]
    remove: [VISIOCLIENT]
    ref: TICKET-7
  dan@contoso.example: {mode: atLeast, licenses: [ENTERPRISEPACK]}
  eva@contoso.example: {licenses: [M365_F1]}
groups:
  Sales: {licenses: [{sku: ENTERPRISEPACK}, {sku: M365_F1}]}
`

var done = map[string]string{
	adele:         "ENTERPRISEPACK-YAMMER_ENTERPRISE",
	ben:           "ENTERPRISEPACK-YAMMER_ENTERPRISE",
	cleo:          "ENTERPRISEPACK",
	dan:           "ENTERPRISEPACK, ENTERPRISEPACK by group",
	eva:           "",
	contoso.Sales: "ENTERPRISEPACK, M365_F1",
}

func TestPlan(t *testing.T) {
	s := newStage()
	if status := s.play(t, wanted, "plan", "-", "-all"); status != statusChanges || s.notes != "error: status 2\n" {
		t.Errorf("got status %d and\n%s", status, s.notes)
	}
	golden(t, "plan.txt", s.out)
	changes := clitest.File(t, "changes.json", "")
	if status := s.play(t, wanted, "plan", "-json", "-o", changes, "-"); status != statusChanges {
		t.Errorf("got status %d and\n%s", status, s.notes)
	}
	golden(t, "plan.json", s.out)
	if clitest.Read(t, changes) != s.out {
		t.Error("-o and -json do not write the same")
	}
	if len(s.Writes()) > 0 {
		t.Errorf("wrote %v", s.Writes())
	}
}

// TestApply goes by the YAML, or by the changes that were planned. Eva cannot be helped.
func TestApply(t *testing.T) {
	for _, planned := range []bool{false, true} {
		s := newStage()
		input := clitest.File(t, "wanted.yaml", wanted)
		if planned {
			changes := clitest.File(t, "changes.json", "")
			if status := s.play(t, "", "plan", input, "-o", changes); status != statusChanges {
				t.Fatalf("got status %d and\n%s", status, s.notes)
			}
			input = changes
		}
		results := clitest.File(t, "results.jsonl", "")
		if status := s.play(t, "", "apply", "-yes", input, "-out", results); status != statusFailed || !strings.HasSuffix(s.notes, "\nerror: 1 of 5 were not done\n") ||
			!strings.HasSuffix(s.out, "\n4 of 4 changes done, 0 failed, 0 in doubt, 0 not sent\n") {
			t.Errorf("got status %d and\n%s\n%s", status, s.out, s.notes)
		}
		s.wants(t, done)
		lines := strings.Split(strings.TrimSpace(clitest.Read(t, results)), "\n")
		var last reconcile.Result
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); len(lines) != 4 || err != nil || !last.Written {
			t.Errorf("got %v and %d lines", err, len(lines))
		}
		writes := len(s.Writes())
		if status := s.play(t, "", "plan", input); planned != (status == statusChanges) {
			t.Errorf("plan again: got status %d and\n%s", status, s.out) // a plan that was made stays what it is
		}
		if status := s.play(t, "", "apply", "-yes", input, "-out", results); status != statusFailed || len(s.Writes()) != writes {
			t.Errorf("apply again: got status %d, %d writes more and\n%s", status, len(s.Writes())-writes, s.out)
		}
		if err := os.WriteFile(results, []byte("something else\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if status := s.play(t, "", "apply", "-yes", input, "-out", results); status != statusMisuse || !strings.Contains(s.notes, ":1: this is not a result: ") {
			t.Errorf("another file: got status %d and\n%s", status, s.notes)
		}
	}
}

func TestQuestion(t *testing.T) {
	const question = "2 of 4 changes take something away. Make them? [y/N] "
	const some = "1 of 1 changes take something away"
	for _, test := range []struct {
		name, answer, flags string
		status, writes      int
		asks                bool
		notes               string
	}{
		{"yes", "y\n", "", statusFailed, 4, true, ""},
		{"yes in full", " YES \n", "", statusFailed, 4, true, ""},
		{"no", "n\n", "", statusFailed, 0, true, "error: nothing was sent, as nobody said yes; -yes does so\n"},
		{"nothing", "\n", "", statusFailed, 0, true, "error: nothing was sent, "},
		{"nobody there", "", "", statusFailed, 0, true, "error: nothing was sent, "},
		{"-yes", "", "-yes", statusFailed, 4, false, ""},
		{"as many as may be", "", "-max-removals 2", statusFailed, 4, false, ""},
		{"too many", "y\n", "-max-removals 1", statusFailed, 0, false, "error: nothing was sent: more removals than are allowed: 2 lose something, and -max-removals is 1\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage()
			args := append([]string{"apply", clitest.File(t, "wanted.yaml", wanted)}, strings.Fields(test.flags)...)
			if status := s.play(t, test.answer, args...); status != test.status || len(s.Writes()) != test.writes ||
				strings.Contains(s.notes, question) != test.asks || !strings.Contains(s.notes, test.notes) {
				t.Errorf("got status %d, %d writes and\n%s", status, len(s.Writes()), s.notes)
			}
		})
	}
	s := newStage() // who only gains is not asked about
	if status := s.play(t, "", "apply", clitest.File(t, "in.yaml", "users: {"+ben+": {licenses: [M365_F1]}}")); status != 0 || strings.Contains(s.notes, "?") || len(s.Writes()) != 1 {
		t.Errorf("got status %d and\n%s", status, s.notes)
	}
	if status := s.play(t, "y\n", "leaver", ben); status != 0 || !strings.Contains(s.notes, some) {
		t.Errorf("got status %d and\n%s", status, s.notes)
	}
	s.wants(t, map[string]string{ben: ""})
}

// TestInterruptedQuestion has the question asked of somebody who presses Ctrl-C.
func TestInterruptedQuestion(t *testing.T) {
	s := newStage()
	in, silent := io.Pipe()
	defer silent.Close()
	draining, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	notes := writer(func(text []byte) (int, error) {
		if bytes.Contains(text, []byte("[y/N]")) {
			interrupt()
		}
		return len(text), nil
	})
	err := run(t.Context(), draining, []string{"leaver", adele}, streams{in, &out, notes}, s.Client())
	if err == nil || err.Error() != "interrupted, and nothing was sent" || len(s.Writes()) > 0 {
		t.Errorf("got %v", err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(text []byte) (int, error) { return w(text) }

// TestSnapshot restores what was, in both forms, after other things have happened.
func TestSnapshot(t *testing.T) {
	for _, form := range []string{"", "-json"} {
		s := newStage()
		saved := clitest.File(t, "snapshot", "")
		args := []string{"snapshot", "-o", saved}
		if form != "" {
			args = append(args, form)
		}
		if status := s.play(t, "", args...); status != 0 || s.out != "" {
			t.Fatalf("got status %d and\n%s", status, s.notes)
		}
		if form == "" {
			golden(t, "snapshot.yaml", clitest.Read(t, saved))
		}
		if status := s.play(t, "", "plan", saved); status != 0 {
			t.Errorf("right away: got status %d and\n%s", status, s.out)
		}
		before := map[string]string{}
		for _, user := range []string{adele, ben, cleo, dan, eva} {
			before[user] = s.holds(t, user)
		}
		s.play(t, "", "apply", "-yes", clitest.File(t, "wanted.yaml", wanted))
		if s.play(t, "", "apply", "-yes", saved) != 0 {
			t.Errorf("restored: got\n%s\n%s", s.out, s.notes)
		}
		before[dan] = "ENTERPRISEPACK, ENTERPRISEPACK by group"
		s.wants(t, before)
	}
	s := newStage()
	if status := s.play(t, "", "snapshot", adele); status != 0 || !strings.HasPrefix(s.out, "managed: all\nusers:\n  "+adele+":\n") || strings.Contains(s.out, ben) {
		t.Errorf("one user: got status %d and\n%s", status, s.out)
	}
	if status := s.play(t, "", "snapshot", "gone@contoso.example"); status != statusFailed || !strings.Contains(s.notes, "error: there is no such user or group: ") {
		t.Errorf("nobody: got status %d and\n%s", status, s.notes)
	}
}

func TestLeaverAndCovered(t *testing.T) {
	s := newStage()
	changes := clitest.File(t, "changes.json", "")
	if status := s.play(t, "", "covered", "-dry-run", "-o", changes); status != statusChanges || !strings.Contains(s.out, "\n"+dan+"  remove ENTERPRISEPACK ") ||
		!strings.Contains(s.out, "to change: 1\n") || len(s.Writes()) > 0 {
		t.Errorf("covered: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	if status := s.play(t, "", "covered", "M365_F1"); status != 0 || s.out != "to change: 0\n" {
		t.Errorf("covered by nothing: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	if status := s.play(t, "", "covered", "M365"); status != statusMisuse {
		t.Errorf("covered, unknown: got status %d", status)
	}
	if status := s.play(t, "", "apply", "-max-removals", "1", changes); status != 0 {
		t.Errorf("apply: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	s.wants(t, map[string]string{dan: "ENTERPRISEPACK by group"})
	if status := s.play(t, "", "leaver", "-yes", adele, cleo, "gone@contoso.example"); status != statusFailed || !strings.Contains(s.notes, "error: 1 of 3 were not done\n") {
		t.Errorf("leaver: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	s.wants(t, map[string]string{adele: "", cleo: ""})
	if status := s.play(t, "", "leaver", "-dry-run", adele, ben); status != 0 {
		t.Errorf("leaver again: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	if status := s.play(t, "", "leaver", "gone@contoso.example"); status != statusFailed || !strings.Contains(s.notes, "error: 1 cannot be reached\n") {
		t.Errorf("nobody: got status %d and\n%s\n%s", status, s.out, s.notes)
	}
}

func TestMisuses(t *testing.T) {
	csv := clitest.File(t, "in.csv", "a,b\n")
	folder := t.TempDir()
	for args, want := range map[string]string{
		"":                             "name a command: plan, apply, snapshot, leaver, covered, demo",
		"look":                         `there is no command "look"; there are plan, `,
		"plan":                         "name a file",
		"plan a b":                     `unexpected argument "b"`,
		"plan -x":                      "flag provided but not defined: -x",
		"plan a -cloud mars":           `invalid value "mars" for flag -cloud: `,
		"plan " + folder + "/none":     "open ",
		"plan " + csv:                  "the file cannot be used, and nothing was sent",
		"plan a -yes":                  "plan changes nothing, so ",
		"plan a -out x":                "plan changes nothing, so ",
		"apply a -json":                "-json and -o go with plan, snapshot and -dry-run",
		"apply a -dry-run":             "plan is the dry run of apply",
		"apply a -yes -max-removals 1": "-yes has no limit, and -max-removals is one",
		"apply a -max-removals -2":     "a number cannot be negative",
		"leaver":                       "name users",
		"demo":                         "demo is of the fake tenant",
		"snapshot -o " + folder:        "open ",
	} {
		s := newStage()
		if status := s.play(t, "", strings.Fields(args)...); status != statusMisuse || !strings.Contains(s.notes, "error: "+want) || s.out != "" || len(s.Writes()) > 0 {
			t.Errorf("%s: got status %d and\n%s", args, status, s.notes)
		}
	}
}

func TestHelp(t *testing.T) {
	out, notes, err := clitest.Run(t, tool(""), "plan", "-h")
	_, flags, _ := strings.Cut(notes, help)
	flags, rest, _ := strings.Cut(flags, statuses)
	if !errors.Is(err, flag.ErrHelp) || out != "" || rest != "" || strings.Count(flags, "\n") != 10 {
		t.Errorf("got %v, %q and\n%s", err, out, notes)
	}
}

func TestStandardInput(t *testing.T) {
	s := newStage()
	if status := s.play(t, wanted, "plan", "-"); status != statusChanges || !strings.Contains(s.out, "\n"+eva+"  stdin:") {
		t.Errorf("got status %d and\n%s\n%s", status, s.out, s.notes)
	}
}

func TestDemoPrintsItsFile(t *testing.T) {
	out, _, err := clitest.Run(t, tool(""), "demo")
	if _, bad := readDocument([]byte(out)); err != nil || !bad.None() || strings.Count(out, "\n") < 2000 {
		t.Errorf("got %v and\n%.200s", err, out)
	}
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) {
	clitest.Real(t, tool(""), "plan", clitest.File(t, "in.yaml", wanted))
}

// TestRefusals has Graph refuse what the tool reads, and a set that is no set.
func TestRefusals(t *testing.T) {
	s := newStage()
	s.Fail(refusal("/groups"))
	if status := s.play(t, "", "plan", clitest.File(t, "in.yaml", wanted)); status != statusFailed || !strings.Contains(s.notes, "error: the permission or the role is missing: group Sales: ") {
		t.Errorf("groups: got status %d and\n%s", status, s.notes)
	}
	s = newStage()
	s.Fail(refusal("/subscribedSkus"))
	if status := s.play(t, "", "plan", clitest.File(t, "in.yaml", wanted)); status != statusFailed || !strings.Contains(s.notes, "error: the permission or the role is missing: ") {
		t.Errorf("SKUs: got status %d and\n%s", status, s.notes)
	}
	if status := newStage().play(t, "", "apply", clitest.File(t, "in.json", `{"created":"2026-01-01T00:00:00Z","changes":[{"name":"x"}]}`)); status != statusMisuse {
		t.Errorf("a bad set: got status %d", status)
	}
}
