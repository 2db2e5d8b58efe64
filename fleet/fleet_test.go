package fleet_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// newStream returns JetStream of a server with files in a directory of the test.
func newStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	s, err := fleet.NewServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// people returns a tenant with so many users, and operations that give each the SKU.
func people(n int) (*licensingtest.Tenant, uuid.UUID, []licensing.Operation) {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: n})
	var operations []licensing.Operation
	for range n {
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, assign(u.ID, sku.ID))
	}
	return tenant, sku.ID, operations
}

func assign(user string, sku uuid.UUID) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku}},
	}}
}

func remove(user string, sku uuid.UUID) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: licensing.AssignLicenseRequest{
		RemoveLicenses: []uuid.UUID{sku},
	}}
}

// publish publishes a run, all of which is new.
func publish(t testing.TB, js jetstream.JetStream, run string, operations []licensing.Operation) {
	t.Helper()
	if n, err := fleet.Publish(t.Context(), js, run, slices.Values(operations)); err != nil || n != len(operations) {
		t.Fatalf("%d published, %v", n, err)
	}
}

// collect returns the results by their index, of which each must be there once.
func collect(t testing.TB, results iter.Seq2[licensing.OperationResult, error], n int) []licensing.OperationResult {
	t.Helper()
	all := make([]licensing.OperationResult, n)
	seen := 0
	for r, err := range results {
		if err != nil {
			t.Fatal(err)
		}
		if all[r.Index].Operation.Kind != "" {
			t.Errorf("two results of operation %d", r.Index)
		}
		all[r.Index] = r
		seen++
	}
	if seen != n {
		t.Errorf("%d results of %d", seen, n)
	}
	return all
}

// A run is done by several workers, and each operation has one result.
func TestRun(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, _, operations := people(2000)
	publish(t, js, "joiners", operations)
	errs := make(chan error)
	for range 3 {
		w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "joiners"}
		go func() { errs <- w.Work(t.Context()) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i, r := range collect(t, fleet.Results(t.Context(), js, "joiners"), len(operations)) {
		if r.Err != nil || r.Operation.Target != operations[i].Target || r.User == nil || r.User.ID != r.Operation.Target {
			t.Errorf("result %d is %+v", i, r)
		}
	}
	if n := len(tenant.Writes()); n != len(operations) {
		t.Errorf("%d effects", n)
	}
	status, err := fleet.Look(t.Context(), js, "joiners")
	if err != nil || !status.Complete() || status.Outcomes[licensing.OutcomeDone] != 2000 || len(status.Workers) != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}

// Publishing again stores nothing, and completes what was interrupted.
func TestPublishTwice(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	_, _, operations := people(3000)
	ctx, cancel := context.WithCancelCause(t.Context())
	mistake := errors.New("a mistake in line 1001")
	n, err := fleet.Publish(ctx, js, "r", func(yield func(licensing.Operation) bool) {
		for _, op := range operations[:1000] {
			yield(op)
		}
		cancel(mistake)
	})
	if err != mistake || n > 1000 {
		t.Errorf("%d published, %v", n, err)
	}
	if s, err := fleet.Look(t.Context(), js, "r"); err != nil || s.Whole || s.Published > 1000 {
		t.Errorf("%+v, %v", s, err)
	}
	s, _ := fleet.Look(t.Context(), js, "r")
	for _, want := range []int{len(operations) - s.Published, 0} {
		if n, err := fleet.Publish(t.Context(), js, "r", slices.Values(operations)); err != nil || n != want {
			t.Errorf("%d published of %d, %v", n, want, err)
		}
	}
	for _, other := range [][]licensing.Operation{operations[1:], append(operations[:2999:2999], operations[0]), append(operations[:3000:3000], operations[0]), nil} {
		if n, err := fleet.Publish(t.Context(), js, "r", slices.Values(other)); !errors.Is(err, fleet.ErrPublished) || n != 0 {
			t.Errorf("%d others: %d published, %v", len(other), n, err)
		}
	}
	if s, err := fleet.Look(t.Context(), js, "r"); err != nil || !s.Whole || s.Published != 3000 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Two publishers of the same run make it once.
func TestPublishersTogether(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	_, _, operations := people(5000)
	news := make(chan int)
	for range 2 {
		go func() {
			n, err := fleet.Publish(t.Context(), js, "r", slices.Values(operations))
			if err != nil {
				t.Error(err)
			}
			news <- n
		}()
	}
	if n := <-news + <-news; n != len(operations) {
		t.Errorf("%d operations are new", n)
	}
	if s, err := fleet.Look(t.Context(), js, "r"); err != nil || !s.Whole || s.Published != len(operations) {
		t.Errorf("%+v, %v", s, err)
	}
}

// An empty run is complete.
func TestEmptyRun(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	publish(t, js, "r", nil)
	w := &fleet.Worker{Client: licensingtest.NewTenant().Client(), JetStream: js, Run: "r"}
	if err := w.Work(t.Context()); err != nil {
		t.Error(err)
	}
	collect(t, fleet.Results(t.Context(), js, "r"), 0)
}

// Operations on one user are made in their order, by whatever number of workers.
func TestOrder(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, sku, adds := people(40)
	var operations []licensing.Operation
	for i := range 10 {
		for _, add := range adds {
			if i%2 == 1 {
				add = remove(add.Target, sku)
			}
			operations = append(operations, add)
		}
	}
	publish(t, js, "r", operations)
	errs := make(chan error)
	for range 3 {
		w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "r"}
		go func() { errs <- w.Work(t.Context()) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i, r := range collect(t, fleet.Results(t.Context(), js, "r"), len(operations)) {
		if !r.Done() {
			t.Errorf("operation %d: %v", i, r.Err)
		}
	}
	for _, w := range tenant.Writes() {
		if !w.Changed {
			t.Errorf("a write changed nothing: %+v", w)
		}
	}

	// Whoever took over from here would find one operation on each object at most that
	// may have been made.
	log, err := js.Stream(t.Context(), "fleet-r-log")
	if err != nil {
		t.Fatal(err)
	}
	for i := range log.CachedInfo().State.LastSeq {
		m, err := log.GetMsg(t.Context(), i+1)
		if err != nil {
			t.Fatal(err)
		}
		var entry struct{ Begun []int }
		if err := json.Unmarshal(m.Data, &entry); err != nil {
			t.Fatal(err)
		}
		begun := make(map[string]bool)
		for _, i := range entry.Begun {
			if target := operations[i].Target; begun[target] {
				t.Fatalf("two operations on %s are begun: %s", target, m.Data)
			} else {
				begun[target] = true
			}
		}
	}
}

// What stays unknown has a result in the end, and nothing more is sent about its
// object. Failures are results at once.
func TestUnknown(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, sku, operations := people(50)
	bad := operations[3].Target
	operations = append(operations, remove(bad, sku), assign("nobody@contoso.example", sku))
	tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Status: 503, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, bad) }})
	tenant.Fail(licensingtest.Fault{Times: -1, Status: 503, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, bad) }})
	publish(t, js, "r", operations)
	policy := licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 2, MinWait: -1, Fence: -1})
	w := &fleet.Worker{Client: tenant.Client(policy), JetStream: js, Run: "r"}
	if err := w.Work(t.Context()); err != nil {
		t.Error(err)
	}
	for i, r := range collect(t, fleet.Results(t.Context(), js, "r"), len(operations)) {
		want := map[int]licensing.Outcome{3: licensing.OutcomeUnknown, 50: licensing.OutcomeNotSent, 51: licensing.OutcomeFailed}[i]
		if got := r.Outcome(); got != cmp.Or(want, licensing.OutcomeDone) {
			t.Errorf("operation %d is %s: %v", i, got, r.Err)
		}
	}
	if s, err := fleet.Look(t.Context(), js, "r"); err != nil || s.Outcomes[licensing.OutcomeUnknown] != 1 || s.Outcomes[licensing.OutcomeNotSent] != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A worker whose context ends settles what it sent, and the next one does the rest,
// none of it as resumed.
func TestDrain(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, _, operations := people(3000)
	publish(t, js, "r", operations)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("that is enough")
	w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "r", Options: licensing.BulkOptions{
		Progress: func(p licensing.BulkProgress) {
			if p.Done == 100 {
				cancel(why)
			}
		},
	}}
	if err := w.Work(ctx); err != why {
		t.Error(err)
	}
	s, err := fleet.Look(t.Context(), js, "r")
	if err != nil || s.Results() < 100 || s.Results() == len(operations) || s.Results() != len(tenant.Writes()) || len(s.Workers) != 0 {
		t.Errorf("%+v, %v, %d effects", s, err, len(tenant.Writes()))
	}
	w.Options.Progress = nil
	if err := w.Work(t.Context()); err != nil {
		t.Error(err)
	}
	for i, r := range collect(t, fleet.Results(t.Context(), js, "r"), len(operations)) {
		if !r.Done() || r.Operation.Resumed {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	if n := len(tenant.Writes()); n != len(operations) {
		t.Errorf("%d effects", n)
	}
}

// What may still land of a worker that has left is waited for by the next.
func TestFencesAreHandedOn(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, sku, operations := people(1)
	operations = append(operations, remove(operations[0].Target, sku))
	tenant.Fail(licensingtest.Fault{Status: 504, Late: 1500 * time.Millisecond})
	publish(t, js, "r", operations)
	ctx, cancel := context.WithCancel(t.Context())
	policy := licensing.WithRetryPolicy(licensing.RetryPolicy{MinWait: -1, Fence: 2 * time.Second})
	first := &fleet.Worker{Client: tenant.Client(policy), JetStream: js, Run: "r", Options: licensing.BulkOptions{
		Progress: func(p licensing.BulkProgress) {
			if p.Done == 1 {
				cancel()
			}
		},
	}}
	if err := first.Work(ctx); err != context.Canceled {
		t.Error(err)
	}
	next := &fleet.Worker{Client: tenant.Client(policy), JetStream: js, Run: "r"}
	if err := next.Work(t.Context()); err != nil {
		t.Error(err)
	}
	// The one that was late came before the removal.
	if writes := tenant.Writes(); len(writes) != 3 || len(writes[2].Removed) != 1 {
		t.Errorf("%+v", writes)
	}
}

// A run ends after so many failures.
func TestStopAfterFailures(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, sku, operations := people(2000)
	for i := range 20 {
		operations[i] = assign("nobody@contoso.example", sku)
	}
	publish(t, js, "r", operations)
	w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "r", Options: licensing.BulkOptions{StopAfterFailures: 3}}
	if err := w.Work(t.Context()); !errors.Is(err, licensing.ErrStopped) {
		t.Error(err)
	}
	if s, err := fleet.Look(t.Context(), js, "r"); err != nil || s.Results() == len(operations) || len(s.Workers) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A worker ends when Graph cannot be had, and says why.
func TestNothingCanBeSent(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, _, operations := people(10)
	tenant.Fail(licensingtest.Fault{Times: -1, Status: 429, Header: http.Header{"Retry-After": {"3600"}}})
	publish(t, js, "r", operations)
	w := &fleet.Worker{Client: tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxWait: time.Second})), JetStream: js, Run: "r"}
	if err := w.Work(t.Context()); !errors.Is(err, licensing.ErrThrottled) {
		t.Error(err)
	}
}

// Bad arguments are refused.
func TestMistakes(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	if _, err := fleet.Publish(t.Context(), js, "a.b", slices.Values([]licensing.Operation(nil))); err == nil {
		t.Error("a run with a dot")
	}
	if _, err := fleet.Publish(t.Context(), nil, "a", slices.Values([]licensing.Operation(nil))); err == nil {
		t.Error("no JetStream")
	}
	if _, err := fleet.Publish(t.Context(), js, "a", nil); err == nil {
		t.Error("no operations")
	}
	w := &fleet.Worker{Client: licensingtest.NewTenant().Client(), JetStream: js, Run: "nowhere"}
	if err := w.Work(t.Context()); !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, jetstream.ErrBucketNotFound) {
		t.Error(err)
	}
	for _, err := range fleet.Results(t.Context(), js, "nowhere") {
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Error(err)
		}
	}
	if _, err := fleet.Look(t.Context(), js, "nowhere"); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Error(err)
	}
	publish(t, js, "r", nil)
	w.Run, w.Options.Concurrency = "r", -1
	if err := w.Work(t.Context()); err != nil && !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Error(err)
	}
	for range 2 {
		if err := fleet.Delete(t.Context(), js, "r"); err != nil {
			t.Error(err)
		}
	}
	if _, err := fleet.NewServer(""); err == nil {
		t.Error("a server without files")
	}
}

// What a later version stored is not guessed at.
func TestLaterVersion(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, _, operations := people(1)
	publish(t, js, "r", operations)
	if _, err := js.Publish(t.Context(), "fleet.r.log.3", []byte(`{"version":2}`)); err != nil {
		t.Fatal(err)
	}
	w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "r"}
	if err := w.Work(t.Context()); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Error(err)
	}
	for _, err := range fleet.Results(t.Context(), js, "r") {
		if err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Error(err)
		}
	}
}

// What is stored has its version, and its partition from the name in lower case.
func TestStored(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	publish(t, js, "r", []licensing.Operation{{Kind: licensing.OperationReprocessUser, Target: "Adele@contoso.example", Ref: "7"}})
	stream, err := js.Stream(t.Context(), "fleet-r-operations")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(m.Data), `{"version":1,"operation":{"kind":"reprocessUser","target":"Adele@contoso.example","ref":"7"}}`; got != want || m.Subject != "fleet.r.operation.14" {
		t.Errorf("%s is %s", m.Subject, got)
	}
}
