package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func TestResume(t *testing.T) {
	whole := newStage()
	whole.play(t, changes, "-out "+file(t, "results.jsonl", ""))
	for results := 1; results <= 4; results++ {
		s := newStage()
		path := file(t, "results.jsonl", "")
		oneByOne := func(j *job) { j.options.Concurrency, j.options.BatchSize = 1, 1 }
		first := s.play(t, changes, "-out "+path, oneByOne, s.interruptAfter(results))
		written := read(t, path)
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
		if now := read(t, path); !strings.HasPrefix(now, written) || strings.Count(now, "\n") < 5 {
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
	path := file(t, "results.jsonl", "")
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
	before := read(t, path)
	if err := stale.play(t, input, "-dry-run -resume -out "+path); err != nil || read(t, path) != before ||
		!strings.Contains(stale.out, "\nadele@contoso.example           nothing, an earlier run has made it\n") {
		t.Errorf("a dry run: got %v and\n%s\nand the file is changed: %t", err, stale.out, read(t, path) != before)
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
	failed := result(add, errors.Join(licensing.ErrOutcomeUnknown, errors.New("x")))
	for _, test := range []struct {
		name, file string
		operations []licensing.Operation
		want       string // + for what is done
	}{
		{"nothing", "", []licensing.Operation{add}, "-"},
		{"done", result(add, nil), []licensing.Operation{add}, "+"},
		{"written otherwise", result(add, nil) + result(remove, nil) + result(location, nil), []licensing.Operation{removed, located, same}, "+++"},
		{"in another order", result(other, nil), []licensing.Operation{operation("a", nil, id(2), id(1))}, "+"},
		{"another country", result(location, nil), []licensing.Operation{{Kind: location.Kind, Target: "a", UsageLocation: "FR"}}, "-"},
		{"another", result(add, nil), []licensing.Operation{other, remove, location}, "---"},
		{"twice in the input", result(add, nil), []licensing.Operation{add, remove, add}, "+--"},
		{"twice in both", result(add, nil) + result(remove, nil) + result(add, nil), []licensing.Operation{add, remove, add}, "+++"},
		{"failed", failed, []licensing.Operation{add}, "-"},
		{"failed, then done", failed + result(add, nil), []licensing.Operation{add, add}, "+-"},
		{"done, then failed", result(add, nil) + failed, []licensing.Operation{add, add}, "+-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := command{out: file(t, "results.jsonl", test.file), resume: true}
			r, err := c.openResults()
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			got := ""
			for _, op := range test.operations {
				if r.take(op) {
					got += "+"
				} else {
					got += "-"
				}
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
		{"torn in the middle", "{\n" + one, "{\n" + one, ", line 1 is not a result: "},
		{"something else", one + "userPrincipalName", one + "userPrincipalName", ", line 2 is not a result: "},
		{"other JSON", `{"a":1}`, `{"a":1}`, ", line 1 is not a result: record has neither "},
		{"no operation", `{"index":-1,"error":{}}`, `{"index":-1,"error":{}}`, ", line 1 is not a result: it has no operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := file(t, "results.jsonl", test.file)
			c := command{out: path, resume: true}
			r, err := c.openResults()
			if err == nil {
				err = r.write(licensing.OperationResult{Index: 1, Operation: operation("b", nil, id(1))})
				r.close()
			}
			if got := read(t, path); got != test.want || !strings.HasPrefix(errText(err), either(test.err != "", path+test.err)) || (err != nil) != (test.err != "") {
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
	path := file(t, "results.jsonl", "")
	var sizes []int
	err := s.play(t, changes, "-out "+path, func(j *job) {
		j.bulk = each(j.bulk, func() { sizes = append(sizes, strings.Count(read(t, path), "\n")) })
	})
	if !slices.Equal(sizes, []int{0, 1, 2, 3, 4}) {
		t.Errorf("got %v, with %v lines before each result", err, sizes)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestResultsThatCannotBeWritten(t *testing.T) {
	path := file(t, "results.jsonl", "x")
	full, err := os.Open(path) // for reading
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var cmd command
	j := job{command: &cmd, out: io.Discard, notes: io.Discard}
	j.bulk = func(ctx context.Context, operations iter.Seq[licensing.Operation], _ licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
		return func(yield func(licensing.OperationResult) bool) {
			for op := range operations {
				yield(licensing.OperationResult{Operation: op, Err: ctx.Err()})
			}
		}
	}
	var round []numbered
	for i, name := range []string{adele, ben, cleo, dan} {
		round = append(round, numbered{i, operation(name, nil, id(1))})
	}
	tally := j.send(t.Context(), [][]numbered{round}, &results{file: full})
	if err := tally.verdict(t.Context(), &cmd); !strings.HasPrefix(errText(err), "the results cannot be written: ") || tally.done != 1 || tally.left() != 3 {
		t.Errorf("got %v and %+v", err, tally)
	}
}

func TestDryRunWithoutResultsYet(t *testing.T) {
	s := newStage()
	path := file(t, "results.jsonl", "")
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
	path := file(t, "results.jsonl", line(t, licensing.OperationResult{Operation: licensing.Operation{
		Kind: licensing.OperationSetUsageLocation, Target: eva, UsageLocation: "FR",
	}}))
	if err := s.play(t, header4+eva+",M365_F1,,FR\n", "-dry-run -resume -out "+path); err != nil || !strings.Contains(s.out, "\neva@contoso.example           add M365_F1\n") {
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
	path := file(t, "results.jsonl", line(t, licensing.OperationResult{Operation: op, Err: licensing.ErrOutcomeUnknown}))
	if err := s.play(t, line(t, op)+line(t, operation(adele, []uuid.UUID{s.f1.ID})), "-resume -out "+path); err != nil || !strings.HasPrefix(s.out, "users and groups: 1\noperations: 0\nso already: 2\n") {
		t.Errorf("got %v and\n%s", err, s.out)
	}
}

// TestResumeOfTheDemo has results of an earlier process, whose tenant is gone.
func TestResumeOfTheDemo(t *testing.T) {
	leaver := operation(userName(9), []uuid.UUID{contoso.E3(1).ID})
	path := file(t, "results.jsonl", line(t, licensing.OperationResult{Operation: leaver})+"torn")
	out, _, err := clitest.Run(t, run, "-dry-run", "-resume", "-out", path)
	if err == nil || !strings.Contains(err.Error(), "line 2 is not a result") {
		t.Errorf("torn: got %v and\n%s", err, out)
	}
	path = file(t, "results.jsonl", line(t, licensing.OperationResult{Operation: leaver}))
	out, _, err = clitest.Run(t, run, "-dry-run", "-resume", "-out", path)
	if err != nil || !strings.HasPrefix(out, "users and groups: 3601\noperations: 3276\nso already: 361\n") || !strings.Contains(out, "\nENTERPRISEPACK  2134    2081  71 ") {
		t.Errorf("got %v and\n%.400s", err, out)
	}
	if _, _, err := clitest.Run(t, run, "-dry-run", "-resume", "-out", filepath.Join(t.TempDir(), "none")); err != nil {
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
