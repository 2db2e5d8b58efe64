package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
)

// What is left of a batch that was refused as a whole goes through the queue
// like everything else.

// withoutBatches answers slowly, and knows no $batch.
func withoutBatches(rest step) step {
	return func(req *http.Request) (*http.Response, error) {
		time.Sleep(time.Second)
		if isBatch(req) {
			return graphError(404, "NotFound", "no such path")(req)
		}
		return rest(req)
	}
}

func TestBulkSplitStops(t *testing.T) {
	seatless := graphError(400, "Request_BadRequest", "Subscription with SKU "+skuA.String()+" does not have any available licenses.")
	for name, test := range map[string]struct {
		opts licensing.BulkOptions
		rest step
		kind string // of those that are not sent
	}{
		"after failures": {licensing.BulkOptions{StopAfterFailures: 1}, seatless, "Stopped"},
		"without seats":  {licensing.BulkOptions{StopAddingWithoutSeats: true}, seatless, "NoAvailableLicenses"},
		"at a gate":      {licensing.BulkOptions{}, tooMany("Retry-After", "600"), "Throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				test.opts.Concurrency = 1
				f := &front{rest: withoutBatches(test.rest)}
				results := bulk(t, t.Context(), newClient(t, f), test.opts, addsFor(20, skuA)...)
				if len(f.sent) != 2 {
					t.Errorf("%d requests were made, want 2", len(f.sent))
				}
				for _, r := range results[1:] {
					if kinds(r.Err) != test.kind || r.Attempts != 0 {
						t.Errorf("operation %d: %v", r.Index, r.Err)
					}
				}
			})
		})
	}
	t.Run("on a break", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &front{rest: withoutBatches(okUser)}
			at := 0
			for range newClient(t, f).Bulk(t.Context(), slices.Values(addsFor(20, skuA)), licensing.BulkOptions{}) {
				at = len(f.requests())
				break
			}
			if len(f.sent) > at+4 { // those under way
				t.Errorf("%d requests were made after the break", len(f.sent)-at)
			}
		})
	})
	t.Run("with the context", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := newScript(t, func(req *http.Request) (*http.Response, error) {
				defer cancel()
				return graphError(400, "BadRequest", "Invalid batch")(req)
			})
			for _, r := range bulk(t, ctx, newClient(t, s), licensing.BulkOptions{}, addsFor(2, skuA)...) {
				wantFailed(t, r.Err, 0, 0, licensing.ErrStopped)
			}
		})
	})
}

// An error of the whole batch that breaks off is in doubt, for each operation.
func TestBulkBrokenError(t *testing.T) {
	for _, status := range []int{400, 403, 404, 409} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(2)
				broken := func(req *http.Request) (*http.Response, error) {
					if _, err := graph(req); err != nil {
						return nil, err
					}
					resp, err := reply(status, "")(req)
					resp.Body = http.MaxBytesReader(nil, never{}, 0) // fails at the first byte
					return resp, err
				}
				wantAllDone(t, bulk(t, t.Context(), newClient(t, &front{steps: []step{broken}, rest: graph}), licensing.BulkOptions{}, addsFor(2, skuA)...))
				wantEffects(t, tenant, 2)
			})
		})
	}
}

type never struct{}

func (never) Read(p []byte) (int, error) { return len(p), nil }
func (never) Close() error               { return nil }

// MaxElapsed is no limit in a run, not for a batch either.
func TestBulkMaxElapsedDoesNotCutBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(5)
		slow := step(func(req *http.Request) (*http.Response, error) {
			time.Sleep(8 * time.Second)
			return graph(req)
		})
		c := newClient(t, slow, policy(licensing.RetryPolicy{MaxElapsed: 5 * time.Second, MaxAttempts: 1}))
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(5, skuA)...))
		wantEffects(t, tenant, 5)
	})
}

// What one option keeps back is no failure for the other.
func TestBulkKeptBackIsNoFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(60)
		tenant.SetSeats(skuA, 30)
		var ops []licensing.Operation
		for n := range 60 {
			ops = append(ops, assign(user(n), add(skuA)))
		}
		for n := range 30 {
			ops = append(ops, assign(user(n), remove(skuA)))
		}
		opts := licensing.BulkOptions{StopAddingWithoutSeats: true, StopAfterFailures: 25, Concurrency: 1}
		counts := make(map[string]int)
		for _, r := range bulk(t, t.Context(), newClient(t, &front{rest: graph}), opts, ops...) {
			counts[kinds(r.Err)]++
		}
		if counts[""] < 50 || counts["Stopped"] != 0 {
			t.Errorf("got %v", counts)
		}
	})
}

// Of an operation that was settled without an answer the id alone is known: in
// a run nothing is read back.
func TestBulkReadsNothingBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(20)
		c := newClient(t, &front{rest: graph})
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(20, skuA)...))
		var ops []licensing.Operation
		for n := range 20 {
			ops = append(ops, assign(user(n), remove(skuA)))
		}
		lostAfter := step(func(req *http.Request) (*http.Response, error) {
			graph(req)
			return lost(req)
		})
		f := &front{steps: []step{lostAfter}, rest: graph}
		for n, r := range bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, ops...) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			same(t, "user", *r.User, licensing.User{ID: user(n)})
		}
		for _, s := range f.sent {
			if s.Method != http.MethodPost {
				t.Errorf("%s %s", s.Method, s.URL)
			}
		}
		if n := len(tenant.Writes()); n != 40 {
			t.Errorf("%d effects, want 40", n)
		}
	})
}

// A single call waits for a gate no longer than MaxWait, and says how long it
// would have had to. One that is served opens a gate that is closed for longer.
func TestSingleCallsAndALongGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(40)
		f := &front{steps: []step{tooMany("Retry-After", "1"), tooMany("Retry-After", "300"), okUser}, rest: graph}
		c := newClient(t, f)
		long := make(chan error)
		time.AfterFunc(time.Second/2, func() {
			_, err := c.AssignUserLicense(t.Context(), user(1), add(skuA))
			long <- err
		})
		start := time.Now()
		_, err := c.AssignUserLicense(t.Context(), user(0), add(skuA))
		e := wantFailed(t, err, 429, 1, licensing.ErrThrottled)
		if e.RetryAfter < 290*time.Second || time.Since(start) > 2*time.Second {
			t.Errorf("after %v told to come back in %v", time.Since(start), e.RetryAfter)
		}
		wantFailed(t, <-long, 429, 1, licensing.ErrThrottled)
		for _, r := range bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(2, skuA)...) {
			wantFailed(t, r.Err, 0, 0, licensing.ErrThrottled)
		}
		if _, err := c.AssignUserLicense(t.Context(), userID, add(skuA)); err != nil {
			t.Fatal(err)
		}
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(40, skuA)...))
	})
}

// The share of the limit that is used may stand on the batch alone.
func TestBulkHeedsTheBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(400)
		full := step(func(req *http.Request) (*http.Response, error) {
			resp, err := graph(req)
			if isBatch(req) && err == nil {
				resp.Header.Set("x-ms-throttle-limit-percentage", "1.0")
			}
			return resp, err
		})
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, full), licensing.BulkOptions{}, addsFor(400, skuA)...))
		if took := time.Since(start); took < 15*time.Second || took > 20*time.Second {
			t.Errorf("took %v, want about 19 s at the rate of the hint", took)
		}
		wantEffects(t, tenant, 400)
	})
}

// What waits for a fence when its time is over was not sent for that reason.
func TestTheDeadlineBeforeTheFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClient(t, step(silent), once)
		if _, err := c.AssignUserLicense(t.Context(), userID, add(skuA)); kinds(err) != "Unavailable OutcomeUnknown" {
			t.Fatal(err)
		}
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		_, err := c.AssignUserLicense(ctx, userID, remove(skuA))
		wantFailed(t, err, 0, 0)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Hour) // for the fence
	})
}
