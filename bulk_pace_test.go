package licensing_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// How a run is paced by what Graph refuses.

func TestWithWriteQuotaIsChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perSecond float64
		burst     int
		ok        bool
	}{
		{20, 3000, true}, {0.1, 0, true}, {0, 10, false}, {-1, 10, false}, {20, -1, false},
		{math.NaN(), 10, false}, {math.Inf(1), 10, false}, {math.Inf(-1), 10, false},
	} {
		_, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithWriteQuota(test.perSecond, test.burst))
		if (err == nil) != test.ok {
			t.Errorf("WithWriteQuota(%v, %d): %v", test.perSecond, test.burst, err)
		}
	}
}

// A wait that is too long is not waited for, neither by what was refused nor by
// anything else.
func TestBulkWaitsThatAreTooLong(t *testing.T) {
	var (
		long     = `"7200"`
		deadline = func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}
		none = context.WithCancel
	)
	for name, test := range map[string]struct {
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		policy licensing.RetryPolicy
	}{
		"MaxWait":  {none, licensing.RetryPolicy{}},
		"deadline": {deadline, licensing.RetryPolicy{MaxWait: -1}},
	} {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, envelope %v", name, whole), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					ctx, cancel := test.ctx(t.Context())
					defer cancel()
					first := items(tooManyItem(1, "Retry-After", long), okItem(2, user(1)), tooManyItem(3, "Retry-After", long))
					if whole {
						first = tooMany("Retry-After", "7200")
					}
					s := newScript(t, first)
					start := time.Now()
					n := 0
					for r := range newClient(t, s, policy(test.policy)).Bulk(ctx, inOrder(addsFor(30, skuA)...), licensing.BulkOptions{Concurrency: 1, BatchSize: 3}) {
						n++
						i, status, attempts := r.Index, 0, 0
						switch {
						case i == 1 && !whole:
							wantDone(t, &licensing.User{ID: userID}, r.Err)
							continue
						case i < 3:
							status, attempts = 429, 1
						}
						e := wantFailed(t, r.Err, status, attempts, licensing.ErrThrottled)
						if e.RetryAfter != 2*time.Hour || r.Attempts != attempts {
							t.Errorf("operation %d asks for %v after %d attempts", i, e.RetryAfter, r.Attempts)
						}
					}
					if took := time.Since(start); took != 0 || n < 3 || n > 12 {
						t.Errorf("%d operations were taken in, for %v", n, took)
					}
				})
			})
		}
	}
}

// MaxWait bounds what the server asks for. Our own waits just get shorter.
func TestBulkOwnWaitsWithinMaxWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(20)
		f := &front{steps: []step{tooMany(), tooMany(), tooMany()}, rest: graph}
		c := newClient(t, f, licensing.WithRetryPolicy(licensing.RetryPolicy{MaxWait: time.Second / 2}))
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(20, skuA)...))
		wantEffects(t, tenant, 20)
	})
}

// MaxElapsed is for single calls: what waits for the gate in a run may take
// longer.
func TestBulkMaxElapsedDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(10)
		tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: http.Header{"Retry-After": {"60"}}, Times: 20})
		tenant.Fail(licensingtest.Fault{Items: true, Status: 503, Header: http.Header{"Retry-After": {"60"}}, Times: 2})
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, &front{rest: graph}, policy(licensing.RetryPolicy{MaxElapsed: 10 * time.Second, MaxAttempts: 2})), licensing.BulkOptions{}, addsFor(10, skuA)...))
		if took := time.Since(start); took < 2*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// Throttling is not an attempt, however often.
func TestBulkThrottledForLong(t *testing.T) {
	for name, header := range map[string]http.Header{"with advice": {"Retry-After": {"2"}}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(5)
				tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: header, Times: 100})
				results := bulk(t, t.Context(), newClient(t, &front{rest: graph}, policy(licensing.RetryPolicy{MaxAttempts: 2})), licensing.BulkOptions{}, addsFor(5, skuA)...)
				wantAllDone(t, results)
				n := 0
				for _, r := range results {
					n += r.Attempts
				}
				if n != 105 {
					t.Errorf("%d attempts, want 105", n)
				}
				wantEffects(t, tenant, 5)
			})
		})
	}
}

// A single call that is refused closes the gate for a run of the same client,
// and a run that is refused for a single call that is.
func TestBulkSharesTheGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(200)
		single := func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/"+user(199)) }
		tenant.Fail(licensingtest.Fault{Match: single, Status: 429, Header: http.Header{"Retry-After": {"30"}}})
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return graph(req)
		}}
		c := newClient(t, f)
		start := time.Now()
		time.AfterFunc(1500*time.Millisecond, func() {
			if _, err := c.AssignUserLicense(t.Context(), user(199), add(skuA)); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took < 32*time.Second || took > 37*time.Second {
				t.Errorf("the single call took %v", took)
			}
		})
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{Concurrency: 1}, addsFor(199, skuA)...))
		for i, at := range f.at {
			if at := at.Sub(start); at > 2500*time.Millisecond && at < 32500*time.Millisecond {
				t.Errorf("request %d was sent after %v, behind the gate", i, at)
			}
		}
		wantEffects(t, tenant, 200)
	})
}

// A single call that is sent again waits for the gate that another one closed.
func TestSingleCallsShareTheGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(2)
		f := &front{steps: []step{tooMany("Retry-After", "2"), tooMany("Retry-After", "30")}, rest: graph}
		c := newClient(t, f)
		start := time.Now()
		var both sync.WaitGroup
		for i := range 2 {
			both.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if _, err := c.AssignUserLicense(t.Context(), user(i), add(skuA)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for _, at := range f.at[2:] {
			if late := at.Sub(start); late < 31*time.Second || late > 35*time.Second {
				t.Errorf("a request was sent after %v", late)
			}
		}
	})
}

// After the gate one batch goes, and the others follow its answer.
func TestBulkProbes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(200)
		tenant.Fail(licensingtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"20"}}, Times: 4, Skip: 1})
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return graph(req)
		}}
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(200, skuA)...))
		var at []time.Duration
		for _, a := range f.at {
			at = append(at, a.Sub(start).Truncate(time.Second))
		}
		s := time.Second
		if want := []time.Duration{0, s, s, s, s, 22 * s, 23 * s}; !slices.Equal(at[:7], want) {
			t.Errorf("sent at %v, want %v and later ones", at, want)
		}
		wantEffects(t, tenant, 200)
	})
}

// A probe that hangs holds the others up for five seconds.
func TestBulkProbeHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(60)
		tenant.Fail(licensingtest.Fault{Hang: true})
		f := &front{rest: graph}
		start := time.Now()
		late := 0
		for _, r := range bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(60, skuA)...) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		for _, at := range f.at[1:] {
			if at := at.Sub(start); at > 5*time.Second {
				late++
			} else if at < 5*time.Second {
				t.Errorf("a batch was sent after %v", at)
			}
		}
		if late == 0 || late == len(f.at)-1 {
			t.Errorf("%d of %d were late", late, len(f.at)-1)
		}
		wantEffects(t, tenant, 60)
	})
}

// With a limit as Graph documents it, few are refused and none is lost.
func TestBulkUnderAThrottle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	bubble(t, func(t *testing.T) {
		const n = 800
		tenant, graph := crowd(n)
		tenant.SetThrottle(licensingtest.ThrottleEmptyCostly)
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return graph(req)
		}}
		var last licensing.BulkProgress
		start := time.Now()
		for r := range newClient(t, f).Bulk(t.Context(), slices.Values(addsFor(n, skuA)), licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { last = p }}) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		wantEffects(t, tenant, n)
		ideal := licensingtest.ThrottleEmptyCostly.Ideal(n)
		if took := time.Since(start); took > ideal*105/100+5*time.Second || last.Throttled > n/20 {
			t.Errorf("took %v of %v, %d were refused", took, ideal, last.Throttled)
		}
	})
}
