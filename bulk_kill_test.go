package licensing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/graphlicensing/licensing"
)

// The process that is killed is this test binary, started again for
// TestBulkInChild alone. It is told by its environment what to do.
const (
	childURL = "LICENSING_TEST_BULK_URL"
	childDir = "LICENSING_TEST_BULK_DIR" // of the plan and the results
)

// TestBulkInChild makes what is left of a plan, and writes down each result
// when it is known: what a program does that wants to be resumed.
func TestBulkInChild(t *testing.T) {
	if os.Getenv(childURL) == "" {
		t.Skip("this is for TestBulkKilled")
	}
	plan := readLines[licensing.Operation](t, filepath.Join(os.Getenv(childDir), "plan"))
	path := filepath.Join(os.Getenv(childDir), "results")
	done := make(map[int]bool)
	for _, r := range readLines[licensing.OperationResult](t, path) {
		done[r.Index] = done[r.Index] || r.Done()
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	var left []int // indexes in the plan
	for i := range plan {
		if !done[i] {
			left = append(left, i)
		}
	}
	operations := func(yield func(licensing.Operation) bool) {
		for _, i := range left {
			if !yield(plan[i]) {
				return
			}
		}
	}
	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(os.Getenv(childURL)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	for r := range client.Bulk(t.Context(), operations, licensing.BulkOptions{Concurrency: 2, BatchSize: 6}) {
		r.Index = left[r.Index]
		if _, err := out.WriteString(jsonOf(t, r) + "\n"); err != nil {
			t.Fatal(err)
		}
	}
}

// readLines reads a file of JSON lines, and cuts off a last one that was not
// written to its end.
func readLines[T any](t *testing.T, path string) (all []T) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole < len(data) {
		if err := os.Truncate(path, int64(whole)); err != nil {
			t.Fatal(err)
		}
	}
	for line := range bytes.Lines(data[:whole]) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// A process that is killed in the middle of a run has done what it did. A
// second one, which is given what the results of the first do not show as done,
// does the rest, and nothing twice.
func TestBulkKilled(t *testing.T) {
	for _, after := range []int{1, 40, 75} {
		t.Run(fmt.Sprintf("after %d writes", after), func(t *testing.T) {
			t.Parallel()
			killedAfter(t, after)
		})
	}
}

func killedAfter(t *testing.T, after int) {
	tenant, ids := people(30)
	plan := slices.Collect(threeChanges(ids))
	dir := t.TempDir()
	var lines bytes.Buffer
	for _, op := range plan {
		lines.WriteString(jsonOf(t, op) + "\n")
	}
	results := filepath.Join(dir, "results")
	for path, data := range map[string][]byte{filepath.Join(dir, "plan"): lines.Bytes(), results: nil} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// The answer that would tell of the last effect is kept back until the
	// process is gone. Close waits for what else it has under way.
	enough, gone := make(chan struct{}), make(chan struct{})
	var reached atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept := httptest.NewRecorder()
		tenant.ServeHTTP(kept, r)
		if len(tenant.Writes()) >= after && reached.CompareAndSwap(false, true) {
			close(enough)
		}
		if reached.Load() {
			<-gone
			return
		}
		for name, values := range kept.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(kept.Code)
		w.Write(kept.Body.Bytes())
	}))
	child, output := startChild(t, server.URL, dir)
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	select {
	case <-enough:
	case err := <-ended:
		close(gone)
		server.Close()
		t.Fatalf("the process ended too soon: %v\n%s", err, output)
	}
	child.Process.Kill()
	<-ended
	close(gone)
	server.Close()

	first := readLines[licensing.OperationResult](t, results)
	early := happenings(tenant)
	tear(t, results)

	server = httptest.NewServer(tenant)
	defer server.Close()
	child, output = startChild(t, server.URL, dir)
	if err := child.Wait(); err != nil {
		t.Fatalf("the second process: %v\n%s", err, output)
	}

	all := readLines[licensing.OperationResult](t, results)
	t.Logf("%d effects when the process was killed, which knew of %d of %d operations; the second one had %d results", len(early), len(first), len(plan), len(all)-len(first))
	if len(early) == 0 || len(first) >= len(plan) {
		t.Error("that was not in the middle")
	}
	happened := happenings(tenant)
	for e, n := range happened {
		if n != 1 {
			t.Errorf("%v happened %d times", e, n)
		}
	}
	settled := make(map[int]bool)
	for i, r := range all {
		if jsonOf(t, r.Operation) != jsonOf(t, plan[r.Index]) {
			t.Errorf("a result of operation %d is of another one", r.Index)
		}
		if settled[r.Index] {
			t.Errorf("operation %d was done, and made again", r.Index)
		}
		settled[r.Index] = r.Done()
		for _, e := range effects(r.Operation) {
			switch {
			case r.Done():
				if happened[e] == 0 {
					t.Errorf("%v is reported as done, and did not happen", e)
				}
			case errors.Is(r.Err, licensing.ErrOutcomeUnknown):
			// A removal that the first process made and did not know of cannot
			// be made again. Nothing is left to be done.
			case i >= len(first) && errors.Is(r.Err, licensing.ErrNotAssigned) && early[e] == 1:
				settled[r.Index] = true
			default:
				t.Errorf("%v: %v", e, r.Err)
			}
		}
	}
	for i := range plan {
		if !settled[i] {
			t.Errorf("operation %d has no result", i)
		}
	}

	whole, _ := people(len(ids))
	for r := range whole.Client().Bulk(t.Context(), slices.Values(plan), licensing.BulkOptions{}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for _, id := range ids {
		got, _ := tenant.User(id)
		want, _ := whole.User(id)
		same(t, "licenses of "+id, got.Licenses, want.Licenses)
	}
	if got, want := len(happened), len(happenings(whole)); got != want {
		t.Errorf("%d effects, want %d", got, want)
	}
}

func startChild(t *testing.T, url, dir string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	output := new(bytes.Buffer)
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestBulkInChild$")
	child.Env = append(os.Environ(), childURL+"="+url, childDir+"="+dir)
	child.Stdout, child.Stderr = output, output
	if err := child.Start(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return child, output
}

// tear appends the beginning of a line, as if the process had died while it
// wrote.
func tear(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = file.WriteString(`{"index":0,"operation":{"kind":"assignUser","tar`)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}
