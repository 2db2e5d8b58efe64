package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// How a run begins, goes on and ends. A goroutine that outlives one makes its
// bubble fail.

func TestBulkCanceledBeforeItStarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for r := range newClient(t, newScript(t)).Bulk(ctx, slices.Values(addsFor(3, skuA)), licensing.BulkOptions{}) {
			t.Errorf("something was taken in: %+v", r)
		}
	})
}

// What was sent is answered for, what was queued was not made.
func TestBulkCanceledInFlight(t *testing.T) {
	stop := errors.New("stop")
	for name, size := range map[string]int{"batches": 20, "single requests": 1} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(200)
				tenant.Fail(licensingtest.Fault{DelayAnswer: 10 * time.Second, Times: -1})
				defer time.Sleep(10 * time.Second) // for answers that nobody waits for
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(7*time.Second, func() { cancel(stop) }) // the first request is a probe for 5 seconds
				taken := 0
				input := func(yield func(licensing.Operation) bool) {
					for _, op := range addsFor(200, skuA) {
						taken++
						if !yield(op) {
							return
						}
					}
				}
				start, counts := time.Now(), make(map[string]int)
				seen := make(map[int]bool)
				for r := range newClient(t, &front{rest: graph}).Bulk(ctx, input, licensing.BulkOptions{Concurrency: 2, BatchSize: size}) {
					if seen[r.Index] || r.Done() || !errors.Is(r.Err, context.Canceled) || !errors.Is(r.Err, stop) {
						t.Errorf("unexpected result %+v", r)
					}
					seen[r.Index] = true
					counts[fmt.Sprint(kinds(r.Err), r.Attempts)]++
				}
				if took := time.Since(start); took != 7*time.Second {
					t.Errorf("took %v", took)
				}
				same(t, "kinds and attempts", counts, map[string]int{"OutcomeUnknown1": 2 * size, "Stopped0": 8*size - 2*size})
				if taken != 8*size || len(seen) != taken {
					t.Errorf("%d were taken in, %d answered for", taken, len(seen))
				}
			})
		})
	}
}

// An answer that arrives as the context ends counts.
func TestF45_CanceledAsTheBatchIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(3)
		ctx, cancel := context.WithCancel(t.Context())
		s := newScript(t, func(req *http.Request) (*http.Response, error) {
			resp, err := graph(req)
			cancel()
			return resp, err
		})
		ops := append(addsFor(2, skuA), assign(user(2), remove(skuA)), assign(user(0), remove(skuA)))
		results := bulk(t, ctx, newClient(t, s), licensing.BulkOptions{}, ops...)
		wantAllDone(t, results[:2])
		wantFailed(t, results[2].Err, 400, 1, licensing.ErrNotAssigned)
		wantFailed(t, results[3].Err, 0, 0, licensing.ErrStopped)
		if !errors.Is(results[3].Err, context.Canceled) {
			t.Errorf("got %v", results[3].Err)
		}
		wantEffects(t, tenant, 2)
	})
}

// What was throttled and is not sent again was not made, and says both.
func TestF44_CanceledWhileThrottled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		s := newScript(t, items(tooManyItem(1, "Retry-After", `60`), okItem(2, user(1)), tooManyItem(3, "Retry-After", `60`)))
		start := time.Now()
		results := bulk(t, ctx, newClient(t, s), licensing.BulkOptions{}, append(addsFor(3, skuA), assign(user(0), remove(skuA)))...)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		for _, i := range []int{0, 2} {
			e := wantFailed(t, results[i].Err, 429, 1, licensing.ErrThrottled)
			if !errors.Is(e, context.Canceled) || e.RetryAfter != time.Minute {
				t.Errorf("operation %d: %v, after %v", i, e, e.RetryAfter)
			}
		}
		wantDone(t, &licensing.User{ID: userID}, results[1].Err)
		wantFailed(t, results[3].Err, 0, 0, licensing.ErrStopped)
	})
}

// A deadline ends what waits for the rate, too.
func TestBulkDeadlineWhileItIsPaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(100)
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 20, Rate: 1}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		c := newClient(t, &front{rest: graph}, licensing.WithWriteQuota(1, 1000))
		done := 0
		start := time.Now()
		for _, r := range bulk(t, ctx, c, licensing.BulkOptions{}, addsFor(80, skuA)...) {
			switch {
			case r.Done():
				done++
			case !errors.Is(r.Err, context.DeadlineExceeded) && !errors.Is(r.Err, licensing.ErrThrottled) || errors.Is(r.Err, licensing.ErrOutcomeUnknown):
				t.Errorf("%v", r.Err)
			}
		}
		if took := time.Since(start); done < 20 || done > 50 || took > 30*time.Second || len(tenant.Writes()) != done {
			t.Errorf("%d done in %v", done, took)
		}
	})
}

func TestBulkBreak(t *testing.T) {
	for name, wrong := range map[string]licensingtest.Fault{
		"in flight": {Skip: 1, DelayAnswer: 30 * time.Second, Times: -1},
		"throttled": {Skip: 1, Status: 429, Header: http.Header{"Retry-After": {"60"}}, Times: -1},
		"in doubt":  {Skip: 1, Drop: true, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(200)
				tenant.Fail(wrong)
				f := &front{rest: graph}
				c := newClient(t, f)
				start := time.Now()
				seq := c.Bulk(t.Context(), slices.Values(addsFor(200, skuA)), licensing.BulkOptions{Concurrency: 2, BatchSize: 5})
				more := false
				for r := range seq {
					if r.Index < 0 {
						t.Errorf("got %+v", r)
					}
					time.Sleep(time.Second) // in which others are sent, if they were taken in before
					more = len(f.requests()) > 1
					break
				}
				took, waits := time.Since(start), name == "in flight" && more
				if waits && took.Truncate(time.Second) != 30*time.Second || !waits && took != time.Second {
					t.Errorf("took %v", took)
				}
				n := len(f.sent)
				time.Sleep(time.Hour)
				if len(f.sent) != n || licensing.ObjectsKept(c) != 0 {
					t.Errorf("%d requests after the end, %d objects are kept", len(f.sent)-n, licensing.ObjectsKept(c))
				}
			})
		})
	}
}

// A run ends after its input.
func TestBulkWaitsForItsInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := false
		input := func(yield func(licensing.Operation) bool) {
			for yield(licensing.Operation{}) {
				continue
			}
			time.Sleep(time.Minute)
			ended = true
		}
		for range newClient(t, newScript(t)).Bulk(t.Context(), input, licensing.BulkOptions{}) {
			break
		}
		if !ended {
			t.Error("the input was still running")
		}
	})
}

// What is queued is given up at once.
func TestBulkBreakWhileSomethingIsQueued(t *testing.T) {
	bubble(t, func(t *testing.T) {
		input := func(yield func(licensing.Operation) bool) {
			for more := yield(assign(userID, add(skuA))); more; more = yield(licensing.Operation{}) {
				continue
			}
		}
		start := time.Now()
		for range newClient(t, newScript(t)).Bulk(t.Context(), input, licensing.BulkOptions{}) {
			break
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Ranging again runs again, also at the same time.
func TestBulkRangeAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(30)
		seq := newClient(t, &front{rest: graph}).Bulk(t.Context(), slices.Values(addsFor(30, skuA)), licensing.BulkOptions{})
		for range seq {
			break
		}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				var seen []int
				for r := range seq {
					if r.Err != nil {
						t.Error(r.Err)
					}
					seen = append(seen, r.Index)
				}
				slices.Sort(seen)
				if len(slices.Compact(seen)) != 30 {
					t.Errorf("results of %v", seen)
				}
			})
		}
		both.Wait()
		wantEffects(t, tenant, 30)
	})
}

// The body of the loop may use the client, on the same object, too.
func TestBulkCallsInTheLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(60)
		c := newClient(t, &front{rest: graph})
		var ops []licensing.Operation
		for i := range 60 {
			ops = append(ops, assign(user(i), add(skuA)), assign(user(i), add(skuB)))
		}
		for r := range c.Bulk(t.Context(), slices.Values(ops), licensing.BulkOptions{Concurrency: 1}) {
			for _, u := range []string{r.Operation.Target, user((r.Index + 7) % 60)} {
				if _, err := c.AssignUserLicense(t.Context(), u, add(skuC)); err != nil || r.Err != nil {
					t.Fatal(err, r.Err)
				}
			}
			if r.Index%20 == 0 {
				for inner := range c.Bulk(t.Context(), slices.Values(ops[:40]), licensing.BulkOptions{Concurrency: 1}) {
					if inner.Err != nil {
						t.Fatal(inner.Err)
					}
				}
			}
		}
	})
}

// After the context has ended nothing more is taken in.
func TestBulkTakesNothingMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(9)
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			taken := 0
			input := func(yield func(licensing.Operation) bool) {
				for {
					taken++
					if !yield(assign(user((taken-1)%9), add(skuA))) {
						return
					}
				}
			}
			at := 0
			for r := range newClient(t, &front{rest: graph}).Bulk(ctx, input, licensing.BulkOptions{Concurrency: 1, BatchSize: 5}) {
				if at == 0 {
					synctest.Wait()
					at = taken
					cancel()
				}
				if r.Index >= at {
					t.Errorf("operation %d was taken in after %d", r.Index, at)
				}
			}
			cancel()
			if taken != at {
				t.Errorf("%d were taken in after the end", taken-at)
			}
		}
	})
}

func TestBulkTwoRunsInOppositeOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(100)
		tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: http.Header{"Retry-After": {"1"}}, Skip: 20, Times: 20})
		tenant.Fail(licensingtest.Fault{Drop: true, Apply: true, Skip: 3})
		c := newClient(t, &front{rest: graph})
		ops := addsFor(100, skuA)
		back := slices.Clone(ops)
		slices.Reverse(back)
		var both sync.WaitGroup
		for _, ops := range [][]licensing.Operation{ops, back} {
			both.Go(func() {
				n := 0
				for r := range c.Bulk(t.Context(), slices.Values(ops), licensing.BulkOptions{}) {
					n++
					if r.Err != nil {
						t.Error(r.Err)
					}
				}
				if n != len(ops) {
					t.Errorf("%d results", n)
				}
			})
		}
		both.Wait()
		wantEffects(t, tenant, 100)
	})
}

// A slow consumer holds up what is taken in, not what is under way.
func TestBulkSlowConsumer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(300)
		var taken atomic.Int32
		delivered := 0
		input := func(yield func(licensing.Operation) bool) {
			for _, op := range addsFor(300, skuA) {
				if !yield(op) {
					return
				}
				taken.Add(1)
			}
		}
		for r := range newClient(t, &front{rest: graph}).Bulk(t.Context(), input, licensing.BulkOptions{Concurrency: 1, BatchSize: 5}) {
			time.Sleep(time.Second)
			delivered++
			if n := int(taken.Load()); r.Err != nil || n-delivered > 4*5+1 {
				t.Fatalf("%d are taken in and %d delivered: %v", n, delivered, r.Err)
			}
		}
		if delivered != 300 {
			t.Errorf("%d results", delivered)
		}
	})
}

// Results come while the input has nothing more to say.
func TestBulkSlowInput(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(10)
		f := &front{rest: graph}
		start := time.Now()
		input := func(yield func(licensing.Operation) bool) {
			for i, op := range addsFor(10, skuA) {
				if i == 3 || i == 7 {
					time.Sleep(time.Hour)
				}
				if !yield(op) {
					return
				}
			}
		}
		for r := range newClient(t, f).Bulk(t.Context(), input, licensing.BulkOptions{}) {
			want := map[bool]time.Duration{true: time.Hour}[r.Index >= 3] + map[bool]time.Duration{true: time.Hour}[r.Index >= 7]
			if r.Index < 7 {
				want += 20 * time.Millisecond // for others to come, which they no longer can at the end
			}
			if late := time.Since(start); r.Err != nil || late != want {
				t.Errorf("operation %d came after %v: %v", r.Index, late, r.Err)
			}
		}
		if got := shape(f.sent); !slices.Equal(got[:2], []int{3, 4}) {
			t.Errorf("requests in batches: %v", got)
		}
	})
}

func TestBulkPanics(t *testing.T) {
	t.Run("input", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := crowd(30)
			input := func(yield func(licensing.Operation) bool) {
				for _, op := range addsFor(25, skuA) {
					yield(op)
				}
				panic("input")
			}
			n := 0
			defer func() {
				if p := recover(); p != "input" || n != 25 {
					t.Errorf("%d results, then %v", n, p)
				}
				wantEffects(t, tenant, 25)
			}()
			for range newClient(t, &front{rest: graph}).Bulk(t.Context(), input, licensing.BulkOptions{}) {
				n++
			}
		})
	})
	t.Run("consumer", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, graph := crowd(200)
			c := newClient(t, &front{rest: graph})
			defer func() {
				if p := recover(); p != "consumer" || licensing.ObjectsKept(c) != 0 {
					t.Errorf("%v, and %d objects are kept", p, licensing.ObjectsKept(c))
				}
			}()
			for range c.Bulk(t.Context(), slices.Values(addsFor(200, skuA)), licensing.BulkOptions{Concurrency: 1, BatchSize: 5}) {
				panic("consumer")
			}
		})
	})
	t.Run("progress", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, graph := crowd(9)
			defer func() {
				if p := recover(); p != "progress" {
					t.Errorf("%v", p)
				}
			}()
			opts := licensing.BulkOptions{Progress: func(licensing.BulkProgress) { panic("progress") }}
			for range newClient(t, &front{rest: graph}).Bulk(t.Context(), slices.Values(addsFor(9, skuA)), opts) {
				t.Error("a result without its progress")
			}
		})
	})
}

func TestBulkStopsAfterFailures(t *testing.T) {
	failing := func(n int) []licensing.Operation { // the first n of users that are not there
		ops := addsFor(100, skuA)
		for i := range n {
			ops[i].Target = fmt.Sprint("nobody", i, "@contoso.example")
		}
		return ops
	}
	t.Run("off", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := crowd(100)
			bulk(t, t.Context(), newClient(t, &front{rest: graph}), licensing.BulkOptions{}, failing(50)...)
			if n := len(tenant.Writes()); n != 50 {
				t.Errorf("%d writes", n)
			}
		})
	})
	t.Run("on", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := crowd(100)
			f := &front{rest: graph}
			counts, taken := make(map[string]int), 0
			input := func(yield func(licensing.Operation) bool) {
				for _, op := range failing(3) {
					taken++
					if !yield(op) {
						return
					}
				}
			}
			for r := range newClient(t, f).Bulk(t.Context(), input, licensing.BulkOptions{StopAfterFailures: 3, Concurrency: 1, BatchSize: 5}) {
				counts[kinds(r.Err)]++
				if errors.Is(r.Err, licensing.ErrStopped) && (r.Attempts != 0 || r.Done() || !strings.Contains(r.Err.Error(), "StopAfterFailures is 3")) {
					t.Errorf("got %+v", r)
				}
			}
			if counts["NotFound"] != 3 || counts[""]+counts["Stopped"]+3 != taken || counts["Stopped"] == 0 || taken > 30 {
				t.Errorf("%d were taken in, %v", taken, counts)
			}
			if n := len(tenant.Writes()); n != counts[""] {
				t.Errorf("%d writes, %v", n, counts)
			}
		})
	})
	// What was sent goes on, what was not is stopped without waiting for the gate.
	t.Run("behind a gate", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := crowd(20)
			f := &front{steps: []step{later(items(tooManyItem(1, "Retry-After", `60`), item(2, 404, `{}`), item(3, 404, `{}`)))}, rest: graph}
			ops := append(addsFor(9, skuA), assign(user(0), add(skuB)))
			start, n := time.Now(), 0
			for r := range newClient(t, f).Bulk(t.Context(), inOrder(ops...), licensing.BulkOptions{StopAfterFailures: 2, Concurrency: 1, BatchSize: 3}) {
				late := time.Since(start)
				n++
				switch r.Index {
				case 0:
					if r.Err != nil || late < time.Minute {
						t.Errorf("what was sent: %v after %v", r.Err, late)
					}
				case 1, 2:
				case 9: // behind the first
					if kinds(r.Err) != "Stopped" || late < time.Minute {
						t.Errorf("the next on its object: %v after %v", r.Err, late)
					}
				default:
					if kinds(r.Err) != "Stopped" || late > 2*time.Second {
						t.Errorf("operation %d: %v after %v", r.Index, r.Err, late)
					}
				}
			}
			if writes := len(tenant.Writes()); writes != 1 || n != 10 {
				t.Errorf("%d writes, %d results", writes, n)
			}
		})
	})
	t.Run("behind a fence", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &front{rest: silent}
			start := time.Now()
			results := bulk(t, t.Context(), newClient(t, f, once), licensing.BulkOptions{StopAfterFailures: 1}, assign(user(0), add(skuA)), assign(user(0), remove(skuA)))
			wantFailed(t, results[0].Err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			wantFailed(t, results[1].Err, 0, 0, licensing.ErrStopped)
			if took := time.Since(start); took != time.Minute {
				t.Errorf("took %v", took)
			}
			time.Sleep(time.Hour) // for the fence
		})
	})
}

// One that waits for a call outside of the run is stopped when it has its turn.
func TestBulkStopsWhatWaitsForAnotherCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(1)
		tenant.Fail(licensingtest.Fault{DelayAnswer: 10 * time.Second})
		c := newClient(t, &front{rest: graph})
		var single sync.WaitGroup
		single.Go(func() {
			if _, err := c.AssignUserLicense(t.Context(), user(0), add(skuA)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		results := bulk(t, t.Context(), c, licensing.BulkOptions{StopAfterFailures: 1}, assign(user(0), add(skuB)), assign("nobody@contoso.example", add(skuB)))
		wantFailed(t, results[0].Err, 0, 0, licensing.ErrStopped)
		wantFailed(t, results[1].Err, 404, 1, licensing.ErrNotFound)
		single.Wait()
		wantEffects(t, tenant, 1)
	})
}

func TestBulkStopsAddingWithoutSeats(t *testing.T) {
	swap := add(skuA)
	swap.RemoveLicenses = remove(skuB).RemoveLicenses
	noSeat := badRequest("Subscription with SKU " + skuA.String() + " does not have any available licenses.")
	ops := []licensing.Operation{
		assign(user(0), add(skuA)),
		assign(user(1), add(skuA)),
		assign(user(2), add(skuB)),
		assign(user(3), remove(skuA)),
		assign(user(4), swap),
		{Kind: licensing.OperationAssignGroup, Target: groupID, Request: add(skuA)},
		{Kind: licensing.OperationReprocessUser, Target: user(5)},
		locate(user(6), "DE"),
		assign(user(7), add(skuC, skuA)),
	}
	rest := reply(200, `{"@odata.context":"x"}`)
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &front{steps: []step{noSeat}, rest: rest}
				results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{Concurrency: 1, BatchSize: 1, StopAddingWithoutSeats: on}, ops...)
				wantFailed(t, results[0].Err, 400, 1, licensing.ErrNoAvailableLicenses)
				for _, i := range []int{1, 4, 5, 7 + 1} {
					if !on {
						continue
					}
					e := wantFailed(t, results[i].Err, 0, 0, licensing.ErrNoAvailableLicenses)
					if !slices.Equal(e.SKUIDs, []uuid.UUID{skuA}) || results[i].Attempts != 0 || !strings.Contains(e.Error(), skuA.String()) {
						t.Errorf("%v of %v", e, e.SKUIDs)
					}
				}
				rest := results[1:]
				if on {
					rest = []licensing.OperationResult{results[2], results[3], results[6], results[7]}
				}
				wantAllDone(t, rest)
				if want := len(rest) + 1; len(f.sent) != want {
					t.Errorf("%d requests, want %d", len(f.sent), want)
				}
			})
		})
	}
	// Of several SKUs the message tells which has no seats.
	t.Run("one of several", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &front{steps: []step{noSeat}, rest: rest}
			results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{Concurrency: 1, BatchSize: 1, StopAddingWithoutSeats: true},
				assign(user(0), add(skuB, skuA)), assign(user(1), add(skuB)), assign(user(2), add(skuA)))
			wantFailed(t, results[0].Err, 400, 1, licensing.ErrNoAvailableLicenses)
			wantDone(t, &licensing.User{ID: userID}, results[1].Err)
			wantFailed(t, results[2].Err, 0, 0, licensing.ErrNoAvailableLicenses)
		})
	})
	// What waits in the queue is taken out of it, also while nothing is sent.
	t.Run("queued", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &front{steps: []step{later(items(
				tooManyItem(1, "Retry-After", `60`),
				item(2, 400, `{"error":{"code":"Request_BadRequest","message":"Subscription with SKU `+skuA.String()+` does not have any available licenses."}}`),
			))}, rest: rest}
			start, n := time.Now(), 0
			for r := range newClient(t, f).Bulk(t.Context(), inOrder(addsFor(5, skuA)...), licensing.BulkOptions{Concurrency: 1, BatchSize: 2, StopAddingWithoutSeats: true}) {
				n++
				if late := time.Since(start); r.Index > 0 && (late > 2*time.Second || kinds(r.Err) != "NoAvailableLicenses") {
					t.Errorf("operation %d: %v after %v", r.Index, r.Err, late)
				}
			}
			if n != 5 {
				t.Errorf("%d results", n)
			}
		})
	})
	// Where there is but one SKU, it need not be told.
	t.Run("unnamed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newScript(t, badRequest("Subscription does not have any available licenses."))
			results := bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{Concurrency: 1, BatchSize: 1, StopAddingWithoutSeats: true}, addsFor(3, skuA)...)
			wantFailed(t, results[0].Err, 400, 1, licensing.ErrNoAvailableLicenses)
			wantFailed(t, results[1].Err, 0, 0, licensing.ErrNoAvailableLicenses)
			wantFailed(t, results[2].Err, 0, 0, licensing.ErrNoAvailableLicenses)
		})
	})
}

// later gives an answer a second late.
func later(next step) step {
	return func(req *http.Request) (*http.Response, error) {
		time.Sleep(time.Second)
		return next(req)
	}
}

func TestBulkProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(100)
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(2500 * time.Millisecond)
			return graph(req)
		}}
		ops := addsFor(100, skuA)
		ops[3].Target = "nobody@contoso.example"
		var seen []licensing.BulkProgress
		delivered, ticks := 0, 0
		opts := licensing.BulkOptions{Total: 100, Concurrency: 1, Progress: func(p licensing.BulkProgress) {
			if n := p.Done + p.Failed; n == delivered {
				ticks++
			} else if n != delivered+1 {
				t.Errorf("after %d results the progress is %+v", delivered, p)
			}
			seen = append(seen, p)
		}}
		for range newClient(t, f).Bulk(t.Context(), slices.Values(ops), opts) {
			delivered++
			if p := seen[len(seen)-1]; p.Done+p.Failed != delivered {
				t.Errorf("result %d came before its progress", delivered)
			}
		}
		if ticks < 10 || ticks > 12 { // one a second for 12.5 seconds
			t.Errorf("%d ticks", ticks)
		}
		first, last := seen[0], seen[len(seen)-1]
		if first.Left >= 0 || first.Elapsed != time.Second || first.Rate != 0 {
			t.Errorf("the first is %+v", first)
		}
		want := licensing.BulkProgress{Total: 100, Done: 99, Failed: 1, Rate: 10, Elapsed: 12500 * time.Millisecond}
		same(t, "last progress", last, want)
		if half := seen[len(seen)/2]; half.Left < 4*time.Second || half.Left > 9*time.Second || half.Rate < 6 || half.Rate > 12 {
			t.Errorf("in the middle it is %+v", half)
		}
	})
}

func TestBulkProgressWithoutTotal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(30)
		opts := licensing.BulkOptions{Progress: func(p licensing.BulkProgress) {
			if p.Left >= 0 || p.Total != 0 {
				t.Errorf("the progress is %+v", p)
			}
		}}
		wantAllDone(t, bulk(t, t.Context(), newClient(t, &front{rest: graph}), opts, addsFor(30, skuA)...))

		// More than there were to be.
		last := licensing.BulkProgress{}
		opts = licensing.BulkOptions{Total: 10, Progress: func(p licensing.BulkProgress) { last = p }}
		bulk(t, t.Context(), newClient(t, &front{rest: graph}), opts, addsFor(30, skuA)...)
		if last.Left != 0 || last.Done != 30 {
			t.Errorf("the last progress is %+v", last)
		}
	})
}

// An input that does not end until it is told to does not keep a run from
// ending.
func TestBulkInputThatListens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(5)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var input iter.Seq[licensing.Operation] = func(yield func(licensing.Operation) bool) {
			for _, op := range addsFor(5, skuA) {
				if !yield(op) {
					return
				}
			}
			<-ctx.Done()
		}
		n := 0
		for r := range newClient(t, &front{rest: graph}).Bulk(ctx, input, licensing.BulkOptions{}) {
			if n++; n == 5 {
				cancel()
			}
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		if n != 5 {
			t.Errorf("%d results", n)
		}
		synctest.Wait()
	})
}

// The next operation on an object waits until the result of the one before was
// delivered: who notes it down and is killed then would make that one again.
func TestBulkNextWaitsForDelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(1)
		ops := []licensing.Operation{assign(user(0), add(skuA)), assign(user(0), remove(skuA)), assign(user(0), add(skuA))}
		for r := range newClient(t, &front{rest: graph}).Bulk(t.Context(), slices.Values(ops), licensing.BulkOptions{}) {
			time.Sleep(time.Minute) // writes it down
			if n := len(tenant.Writes()); n != r.Index+1 {
				t.Errorf("%d operations were made while result %d was delivered", n, r.Index)
			}
		}
	})
}

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
		// It says so all the time, so that it is not believed for long.
		if took := time.Since(start); took < 15*time.Second || took > 2*time.Minute {
			t.Errorf("took %v", took)
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
