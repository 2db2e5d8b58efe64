package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func TestResume(t *testing.T) {
	whole := newStage()
	whole.play(t, changes, "-out "+clitest.File(t, "results.jsonl", ""))
	for results := 1; results <= 4; results++ {
		s := newStage()
		path := clitest.File(t, "results.jsonl", "")
		oneByOne := func(j *job) { j.options.Concurrency, j.options.BatchSize = 1, 1 }
		first := s.play(t, changes, "-out "+path, oneByOne, s.interruptAfter(results))
		written := clitest.Read(t, path)
		second := s.play(t, changes, "-resume -out "+path)
		s.wants(t, changed)
		want := " were not done; -out " + path + " -resume goes on with them"
		if text := errText(first); !strings.HasPrefix(text, "interrupted: ") || !strings.HasSuffix(text, want) {
			t.Errorf("after %d results got %s", results, text)
		}
		if text := errText(second); text != "1 of "+s.operations()+want {
			t.Errorf("%d results and -resume: got %s", results, text)
		}
		if got, want := s.changes(), whole.changes(); got != want {
			t.Errorf("after %d results %d changes were made, in one run %d", results, got, want)
		}
		if now := clitest.Read(t, path); !strings.HasPrefix(now, written) || strings.Count(now, "\n") < 5 {
			t.Errorf("after %d results the file had %d lines, and now has %d", results, strings.Count(written, "\n"), strings.Count(now, "\n"))
		}
	}
}

// operations returns how many the last run had.
func (s *stage) operations() string {
	_, after, _ := strings.Cut(s.out, "operations: ")
	count, _, _ := strings.Cut(after, "\n")
	return count
}

// changes returns how many writes changed anything.
func (s *stage) changes() int {
	n := 0
	for _, w := range s.Writes() {
		if w.Changed {
			n++
		}
	}
	return n
}

// TestResumeTrustsTheFile has a run whose changes do not show yet.
func TestResumeTrustsTheFile(t *testing.T) {
	s := newStage()
	path := clitest.File(t, "results.jsonl", "")
	input := header4 + adele + ",ENTERPRISEPACK,,\n" + cleo + ",M365_F1,,\n"
	if err := s.play(t, header4+adele+",ENTERPRISEPACK,,\n", "-out "+path); err != nil {
		t.Fatal(err)
	}
	stale := newStage()
	if err := stale.play(t, input, "-resume -out "+path); err != nil {
		t.Fatal(err)
	}
	stale.wants(t, map[string]string{adele: "M365_F1, DE", cleo: "ENTERPRISEPACK-SHAREPOINTENTERPRISE, M365_F1, DE"})
	if !strings.HasPrefix(stale.out, "users and groups: 2\noperations: 1\nmade by an earlier run, and left out: 1\n\n") || strings.Contains(stale.out, "\nENTERPRISEPACK ") {
		t.Errorf("got\n%s", stale.out)
	}
	before := clitest.Read(t, path)
	if err := stale.play(t, input, "-dry-run -resume -out "+path); err != nil || clitest.Read(t, path) != before ||
		!strings.Contains(stale.out, "\nadele@contoso.example  nothing, an earlier run has made it\n") {
		t.Errorf("a dry run: got %v and\n%s\nand the file is changed: %t", err, stale.out, clitest.Read(t, path) != before)
	}
}

func TestWhatIsDoneAlready(t *testing.T) {
	add := operation("a", nil, id(1), id(2))
	add.Request.AddLicenses[0].DisabledPlans = []uuid.UUID{id(11), id(12)}
	same := operation("A", []uuid.UUID{}, id(2), id(1))
	same.Request.AddLicenses[1].DisabledPlans = []uuid.UUID{id(12), id(11), id(12)}
	other := operation("a", nil, id(1), id(2))
	remove := operation("a", []uuid.UUID{id(1), id(2)})
	removed := operation("a", []uuid.UUID{id(2), id(1), id(1)})
	location := licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: "a", UsageLocation: "de"}
	located := location
	located.UsageLocation = "DE"
	result := func(op licensing.Operation, err error) string {
		return line(t, licensing.OperationResult{Operation: op, Err: err})
	}
	doubted := result(add, errors.Join(licensing.ErrOutcomeUnknown, errors.New("x")))
	failed := result(add, licensing.ErrInvalidArgument)
	unsent := result(add, licensing.ErrStopped)
	again := add
	again.Resumed = true
	still := result(again, licensing.ErrStopped)
	for _, test := range []struct {
		name, file string
		operations []licensing.Operation
		want       string // + for what is done, ? for what may be
	}{
		{"nothing", "", []licensing.Operation{add}, "-"},
		{"done", result(add, nil), []licensing.Operation{add}, "+"},
		{"written otherwise", result(add, nil) + result(remove, nil) + result(location, nil), []licensing.Operation{removed, located, same}, "+++"},
		{"in another order", result(other, nil), []licensing.Operation{operation("a", nil, id(2), id(1))}, "+"},
		{"another country", result(location, nil), []licensing.Operation{{Kind: location.Kind, Target: "a", UsageLocation: "FR"}}, "?"},
		{"another", result(add, nil), []licensing.Operation{other, remove, location}, "???"},
		{"twice in the input", result(add, nil), []licensing.Operation{add, remove, add}, "+??"},
		{"twice in both", result(add, nil) + result(remove, nil) + result(add, nil), []licensing.Operation{add, remove, add}, "+++"},
		{"in doubt", doubted, []licensing.Operation{add}, "?"},
		{"in doubt, then done", doubted + result(add, nil), []licensing.Operation{add, add}, "+?"},
		{"in doubt, and kept back", doubted + unsent, []licensing.Operation{add, add}, "?-"},
		{"failed", failed, []licensing.Operation{add}, "-"},
		{"done, then failed", result(add, nil) + failed, []licensing.Operation{add, add}, "+-"},
		{"not sent", unsent, []licensing.Operation{add}, "-"},
		{"begun", "\n", []licensing.Operation{add}, "?"},
		{"not sent, and begun again", unsent + "\n", []licensing.Operation{add}, "?"},
		{"done, and begun again", result(add, nil) + "\n", []licensing.Operation{add, add}, "+?"},
		{"not sent in the last run", "\n" + unsent + unsent + "\n" + unsent, []licensing.Operation{add, add}, "-?"},
		{"in doubt, then not sent", "\n" + doubted + "\n" + still, []licensing.Operation{add}, "?"},
		{"blank lines", "\n" + unsent + "  ", []licensing.Operation{add}, "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := command{out: clitest.File(t, "results.jsonl", test.file), resume: true}
			r, err := c.openResults(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got := ""
			for _, op := range test.operations {
				got += [...]string{notMade: "-", isMade: "+", mayBeMade: "?"}[r.take(op)]
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTornResults(t *testing.T) {
	one := line(t, licensing.OperationResult{Operation: operation("a", nil, id(1))})
	two := line(t, licensing.OperationResult{Index: 1, Operation: operation("b", nil, id(1))})
	end := strings.TrimSuffix(two, "\n")
	for _, test := range []struct{ name, file, want, err string }{
		{"whole", one, one + two, ""},
		{"empty", "", two, ""},
		{"torn", one + end[:len(end)-1], one + two, ""},
		{"torn at the start", "{", two, ""},
		{"torn and long", "{" + strings.Repeat(" ", 2*len(two)), two, ""},
		{"no end of line", one + end, one + two + two, ""},
		{"blank line", one + "\n", one + "\n" + two, ""},
		{"torn in the middle", "{\n" + one, "{\n" + one, ":1: this is not a result: "},
		{"something else", one + "userPrincipalName", one + "userPrincipalName", ":2: this is not a result: "},
		{"other JSON", `{"a":1}`, `{"a":1}`, ":1: this is not a result: record has neither "},
		{"no operation", `{"index":-1,"error":{}}`, `{"index":-1,"error":{}}`, ":1: this is not a result: it has no operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := clitest.File(t, "results.jsonl", test.file)
			c := command{out: path, resume: true}
			r, err := c.openResults(nil)
			if err == nil {
				err = r.Write(licensing.OperationResult{Index: 1, Operation: operation("b", nil, id(1))})
				r.Close()
			}
			if got := clitest.Read(t, path); got != test.want || !strings.HasPrefix(errText(err), either(test.err != "", path+test.err)) || (err != nil) != (test.err != "") {
				t.Errorf("got %v and\n%s\nwant\n%s", err, got, test.want)
			}
		})
	}
}

func either(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func TestResultsAreWrittenAsTheyCome(t *testing.T) {
	s := newStage()
	path := clitest.File(t, "results.jsonl", "")
	var sizes []int
	err := s.play(t, changes, "-out "+path, func(j *job) {
		j.bulk = each(j.bulk, func() { sizes = append(sizes, strings.Count(clitest.Read(t, path), "\n")) })
	})
	if !slices.Equal(sizes, []int{1, 2, 3, 4, 5}) {
		t.Errorf("got %v, with %v lines before each result", err, sizes)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

// room is a disk on which there is no more than so much.
type room struct {
	bytes.Buffer
	left int
}

func (r *room) Write(text []byte) (int, error) {
	n, err := r.Buffer.Write(text[:min(len(text), r.left)])
	if r.left -= n; n < len(text) {
		err = syscall.ENOSPC
	}
	return n, err
}

// TestResultsThatCannotBeWritten has no room from some byte on. What is not in the
// file is noted, and nothing else is begun.
func TestResultsThatCannotBeWritten(t *testing.T) {
	for left, unwritten := range map[int]int{1: 1, 20: 1, 1000: 1} {
		s := newStage()
		disk := room{left: left}
		err := s.play(t, changes, "-out -", func(j *job) {
			j.options.Concurrency, j.options.BatchSize = 1, 1
			j.out = &disk
		})
		if text := errText(err); text != "the results cannot be written: no space left on device" || cli.Status(err) != 1 {
			t.Errorf("room for %d: got %v", left, err)
		}
		_, noted, _ := strings.Cut(s.notes, " results could not be written to the standard output:\n")
		noted, _, _ = strings.Cut(noted, "\n\n")
		made := 0
		for text := range strings.Lines(disk.String() + "\n" + noted) {
			var r licensing.OperationResult
			if json.Unmarshal([]byte(text), &r) == nil && r.Done() {
				made++
			}
		}
		if made != s.changes() || made == 0 || strings.Count(noted, "{\"index\"") < unwritten || !strings.Contains(s.notes, "0 in doubt, ") {
			t.Errorf("room for %d: %d changes were made, and %d told in\n%s\nand\n%s", left, s.changes(), made, disk.String(), s.notes)
		}
	}
}

func TestNoRoomAtAll(t *testing.T) {
	s := newStage()
	err := s.play(t, changes, "-out -", func(j *job) { j.out = &room{} })
	if text := errText(err); text != "the results cannot be written, and nothing was sent: no space left on device" || cli.Status(err) != 2 || len(s.Writes()) > 0 {
		t.Errorf("got %v, and %d changes", err, len(s.Writes()))
	}
}

func TestResultsInUse(t *testing.T) {
	path := clitest.File(t, "results.jsonl", "")
	c := command{out: path}
	first, err := c.openResults(nil)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.jsonl")
	if err := os.Symlink(path, link); err != nil {
		link = path
	}
	s := newStage()
	for _, name := range []string{path, link} {
		err := s.play(t, changes, "-resume -out "+name)
		if errText(err) != "another run is writing to "+name+"; wait until it has ended" || cli.Status(err) != 2 || len(s.Requests()) > 0 {
			t.Errorf("got %v, and %d requests", err, len(s.Requests()))
		}
	}
	if err := s.play(t, changes, "-dry-run -resume -out "+path); err != nil {
		t.Errorf("a dry run: got %v", err)
	}
	first.Close()
	if err := s.play(t, changes, "-resume -out "+path); errText(err) == "" || len(s.Writes()) != 4 {
		t.Errorf("afterwards: got %v, and %d changes", err, len(s.Writes()))
	}
}

func TestResultsThatAreNoFile(t *testing.T) {
	s := newStage()
	if _, err := os.Stat("/dev/full"); err == nil {
		err := s.play(t, changes, "-out /dev/full")
		if text := errText(err); text != "the results cannot be written, and nothing was sent: write /dev/full: no space left on device" || len(s.Writes()) > 0 {
			t.Errorf("/dev/full: got %v, and %d changes", err, len(s.Writes()))
		}
		if err := s.play(t, changes, "-resume -out /dev/full"); errText(err) != "/dev/full is not a file, so there are no results to go on from" {
			t.Errorf("got %v", err)
		}
	}
	if err := s.play(t, changes, "-out "+t.TempDir()); err == nil || len(s.Writes()) > 0 {
		t.Errorf("a folder: got %v", err)
	}
	locked := clitest.File(t, "results.jsonl", "")
	if os.WriteFile(locked, nil, 0o400); os.Geteuid() == 0 {
		locked = "/proc/sys/kernel/ostype" // which even root cannot write
	}
	if err := s.play(t, changes, "-out "+locked); !errors.Is(err, os.ErrPermission) || cli.Status(err) != 2 || len(s.Writes()) > 0 {
		t.Errorf("a file that may not be written: got %v", err)
	}
}

// TestResultsOnTheStandardOutput has everything else on the other one.
func TestResultsOnTheStandardOutput(t *testing.T) {
	s := newStage()
	err := s.play(t, changes, "-out -")
	lines := strings.Split(strings.TrimSpace(s.out), "\n")
	for _, text := range lines {
		if bad := json.Unmarshal([]byte(text), new(licensing.OperationResult)); bad != nil {
			t.Errorf("%v: %s", bad, text)
		}
	}
	if len(lines) != 5 || errText(err) != "1 of 5 were not done" || !strings.HasPrefix(s.notes, "users and groups: 5\n") || !strings.Contains(s.notes, "\n4 of 5 operations done, ") {
		t.Errorf("got %v and %d lines, and\n%s", err, len(lines), s.notes)
	}
}

func TestDryRunWithoutResultsYet(t *testing.T) {
	s := newStage()
	path := clitest.File(t, "results.jsonl", "")
	if err := s.play(t, changes, "-dry-run -resume -out "+path); err != nil || !strings.HasPrefix(s.out, "users and groups: 5\noperations: 5\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestForeseesWhatIsDoneAlready has a location that does not show yet.
func TestForeseesWhatIsDoneAlready(t *testing.T) {
	s := newStage()
	path := clitest.File(t, "results.jsonl", line(t, licensing.OperationResult{Operation: licensing.Operation{
		Kind: licensing.OperationSetUsageLocation, Target: eva, UsageLocation: "FR",
	}}))
	if err := s.play(t, header4+eva+",M365_F1,,FR\n", "-dry-run -resume -out "+path); err != nil || !strings.Contains(s.out, "\neva@contoso.example  add M365_F1\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
}

// TestResumeOfWhatWasInDoubt has an operation that was made after all. Graph
// would refuse to remove again what is gone.
func TestResumeOfWhatWasInDoubt(t *testing.T) {
	s := newStage()
	op := operation(adele, []uuid.UUID{s.f1.ID}, s.e3.ID)
	if err := s.play(t, line(t, op), ""); err != nil {
		t.Fatal(err)
	}
	path := clitest.File(t, "results.jsonl", line(t, licensing.OperationResult{Operation: op, Err: licensing.ErrOutcomeUnknown}))
	if err := s.play(t, line(t, op)+line(t, operation(adele, []uuid.UUID{s.f1.ID})), "-resume -out "+path); err != nil || !strings.HasPrefix(s.out, "users and groups: 1\noperations: 0\nso already: 2\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
}

// TestResumeKeepsTheOrder has an operation that failed, and one after it on the same
// user that was made. The last one has the last word again.
func TestResumeKeepsTheOrder(t *testing.T) {
	s := newStage()
	remove, add := operation(cleo, []uuid.UUID{s.e3.ID}), operation(cleo, nil, s.e3.ID)
	path := clitest.File(t, "results.jsonl", "\n"+line(t, licensing.OperationResult{Operation: remove, Attempts: 1, Err: licensing.ErrPlanDependency})+line(t, licensing.OperationResult{Index: 1, Operation: add}))
	if err := s.play(t, line(t, remove)+line(t, add), "-resume -out "+path); err != nil || !strings.HasPrefix(s.out, "users and groups: 1\noperations: 2\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
	s.wants(t, map[string]string{cleo: "ENTERPRISEPACK, DE"})
}

// TestResumeOfTheDemo has results of an earlier process, whose tenant is gone.
func TestResumeOfTheDemo(t *testing.T) {
	leaver := operation(userName(9), []uuid.UUID{contoso.E3(1).ID})
	path := clitest.File(t, "results.jsonl", line(t, licensing.OperationResult{Operation: leaver})+"torn")
	out, _, err := clitest.Run(t, tool, "-dry-run", "-resume", "-out", path)
	if err == nil || !strings.Contains(err.Error(), ":2: this is not a result") {
		t.Errorf("torn: got %v and\n%s", err, out)
	}
	path = clitest.File(t, "results.jsonl", line(t, licensing.OperationResult{Operation: leaver}))
	out, _, err = clitest.Run(t, tool, "-dry-run", "-resume", "-out", path)
	if err != nil || !strings.HasPrefix(out, "users and groups: 3601\noperations: 3276\nso already: 361\n") || !strings.Contains(out, "\nENTERPRISEPACK  2134    2081  71 ") {
		t.Errorf("got %v and\n%.400s", err, out)
	}
	if _, _, err := clitest.Run(t, tool, "-dry-run", "-resume", "-out", filepath.Join(t.TempDir(), "none")); err != nil {
		t.Errorf("without results: got %v", err)
	}
}

func TestNoFolderForResults(t *testing.T) {
	s := newStage()
	path := filepath.Join(t.TempDir(), "none", "results.jsonl")
	if err := s.play(t, changes, "-out "+path); !errors.Is(err, os.ErrNotExist) || len(s.Requests()) > 0 {
		t.Errorf("got %v and %d requests", err, len(s.Requests()))
	}
}
