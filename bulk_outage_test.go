package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// An outageCase is a time in which nothing gets through.
type outageCase struct {
	name   string
	length time.Duration
	advice string                                            // Retry-After of a 503
	fails  func(*http.Request) (*http.Response, error, bool) // in place of a 503; false: it gets through
	token  bool                                              // the token source fails
	policy licensing.RetryPolicy
	opts   licensing.BulkOptions
	stops  bool // the run does not wait for its end
}

// An outageResult is how a run fared.
type outageResult struct {
	done, failed, unknown, stopped int
	requests                       int           // while it lasted
	most                           int           // of them within a minute
	after                          time.Duration // that the run went on, after its end and after the last advice
}

// throughOutage makes 6,000 changes, 20 a second, with an outage from the 30th
// second on.
func throughOutage(t *testing.T, o outageCase) (got outageResult) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		const n = 6000
		tenant, graph := crowd(n)
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 200, Rate: 20}})
		start := time.Now()
		begin, end := start.Add(30*time.Second), start.Add(30*time.Second+o.length)
		out := func() bool { now := time.Now(); return !now.Before(begin) && now.Before(end) }
		var mu sync.Mutex
		var at []time.Time
		advised := end
		way := step(func(req *http.Request) (*http.Response, error) {
			sent := out()
			if sent {
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
			}
			time.Sleep(700 * time.Millisecond)
			if sent && !o.token {
				if o.fails != nil {
					if resp, err, failed := o.fails(req); failed {
						return resp, err
					}
				} else {
					var headers []string
					if o.advice != "" {
						headers = []string{"Retry-After", o.advice}
						seconds, _ := time.ParseDuration(o.advice + "s")
						mu.Lock()
						if until := time.Now().Add(seconds); until.After(advised) {
							advised = until
						}
						mu.Unlock()
					}
					return graphError(503, "serviceNotAvailable", "x", headers...)(req)
				}
			}
			return graph(req)
		})
		asked := 0
		client, err := licensing.NewClient(func(context.Context) (string, error) {
			if mu.Lock(); o.token && out() {
				at, asked = append(at, time.Now()), asked+1
				mu.Unlock()
				return "", errors.New("identity endpoint: 503")
			}
			mu.Unlock()
			return "secret-token", nil
		}, licensing.WithHTTPClient(&http.Client{Transport: way}), policy(o.policy))
		if err != nil {
			t.Fatal(err)
		}
		var resumed time.Time
		for r := range client.Bulk(t.Context(), slices.Values(addsFor(n, skuA)), o.opts) {
			switch {
			case r.Done():
				got.done++
				if resumed.IsZero() && time.Now().After(end) {
					resumed = time.Now()
				}
			case errors.Is(r.Err, licensing.ErrOutcomeUnknown):
				got.unknown++
			case errors.Is(r.Err, licensing.ErrStopped):
				if r.Attempts > 0 && !errors.Is(r.Err, licensing.ErrUnavailable) {
					t.Errorf("sent and said to be stopped: %v", r.Err)
				}
				got.stopped++
			case o.stops && errors.Is(r.Err, licensing.ErrThrottled): // and was not sent again
				got.stopped++
			default:
				got.failed++
				t.Log(r.Err)
			}
		}
		got.requests = len(at)
		for i, first := range at {
			within := 0
			for _, other := range at[i:] {
				if other.Sub(first) < time.Minute {
					within++
				}
			}
			got.most = max(got.most, within)
		}
		if !resumed.IsZero() {
			got.after = resumed.Sub(advised)
		}
	})
	return got
}

// An outage is the channel's: it is waited out, hardly anything is sent, and no
// operation fails for it.
func TestBulkWaitsOutOutages(t *testing.T) {
	failing := func(err error) func(*http.Request) (*http.Response, error, bool) {
		return func(*http.Request) (*http.Response, error, bool) { return nil, err, true }
	}
	answering := func(s step) func(*http.Request) (*http.Response, error, bool) {
		return func(req *http.Request) (*http.Response, error, bool) { resp, err := s(req); return resp, err, true }
	}
	dns := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "graph.microsoft.com", IsNotFound: true}}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	hanging := func(req *http.Request) (*http.Response, error, bool) {
		<-req.Context().Done()
		return nil, context.Cause(req.Context()), true
	}
	long := licensing.RetryPolicy{MaxWait: time.Hour}
	short := licensing.BulkOptions{MaxOutage: 5 * time.Minute}
	for _, o := range []outageCase{
		{name: "503 for 1 min", length: time.Minute},
		{name: "503 for 10 min", length: 10 * time.Minute},
		{name: "503 for 1 min, Retry-After 300", length: time.Minute, advice: "300"},
		{name: "503 for 1 min, Retry-After 300, MaxWait 1 h", length: time.Minute, advice: "300", policy: long},
		{name: "503 for 10 min, Retry-After 30", length: 10 * time.Minute, advice: "30"},
		{name: "503 for 10 min, Retry-After 120", length: 10 * time.Minute, advice: "120"},
		{name: "502 for 10 min", length: 10 * time.Minute, fails: answering(graphError(502, "", ""))},
		{name: "504 for 1 min", length: time.Minute, fails: answering(graphError(504, "", ""))},
		{name: "a portal for 1 min", length: time.Minute, fails: answering(reply(200, "<html>", "Content-Type", "text/html"))},
		{name: "401 for 20 s", length: 20 * time.Second, fails: answering(unauthorized)},
		{name: "resets for 1 min", length: time.Minute, fails: failing(reset)},
		{name: "connections refused for 10 min", length: 10 * time.Minute, fails: failing(refused)},
		{name: "no such host for 20 s", length: 20 * time.Second, fails: failing(dns)},
		{name: "silence for 10 min", length: 10 * time.Minute, fails: hanging},
		{name: "no token for 20 s", length: 20 * time.Second, token: true},
		{name: "no token for 10 min", length: 10 * time.Minute, token: true},
		{name: "503 for 10 min, MaxOutage 5 min", length: 10 * time.Minute, opts: short, stops: true},
		{name: "503 for 10 min, Retry-After 120, MaxWait 1 min", length: 10 * time.Minute, advice: "120", policy: licensing.RetryPolicy{MaxWait: time.Minute}, stops: true},
		{name: "refused for 10 min, MaxOutage 5 min", length: 10 * time.Minute, fails: failing(refused), opts: short, stops: true},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			got := throughOutage(t, o)
			t.Logf("| %s | %d | %d | %d | %d | %d | %d | %v |", o.name, got.requests, got.most, got.done, got.failed, got.unknown, got.stopped, got.after.Round(time.Second))
			if got.most > 40 {
				t.Errorf("%d requests within a minute", got.most)
			}
			if got.failed > 0 {
				t.Errorf("%d failed", got.failed)
			}
			if o.stops {
				// What had been sent when it began is in doubt.
				if got.stopped == 0 || got.unknown > 80 || got.done+got.unknown+got.stopped == 0 {
					t.Errorf("got %+v", got)
				}
				return
			}
			if got.done != 6000 || got.unknown+got.stopped > 0 {
				t.Errorf("got %+v", got)
			}
			if got.after > time.Minute {
				t.Errorf("it went on %v after", got.after)
			}
		})
	}
}

// The sick stop nobody else, wherever in a run they are, and use up their attempts.
// So do those for whom all of a batch fails.
func TestTheSickStopNobody(t *testing.T) {
	const n = 400
	for name, sick := range map[string][]string{
		"at the head":  {user(0), user(1), user(2), user(3)},
		"in the midst": {user(200), user(210), user(220)},
		"at the tail":  {user(n - 3), user(n - 2), user(n - 1)},
		"one":          {user(203)},
	} {
		for _, whole := range []bool{true, false} {
			for _, size := range []int{1, 20} {
				t.Run(fmt.Sprintf("%s, whole batches %v, of %d", name, whole, size), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						tenant, graph := crowd(n)
						has := func(text string) bool {
							return slices.ContainsFunc(sick, func(id string) bool { return strings.Contains(text, id) })
						}
						tenant.Fail(licensingtest.Fault{Items: !whole, Times: -1, Status: 503, Code: "x", Match: func(req *http.Request) bool {
							body, _ := io.ReadAll(req.Body)
							return has(req.URL.Path) || has(string(body))
						}})
						tenant.Fail(licensingtest.Fault{Times: -1, Status: 503, Code: "x", Match: func(req *http.Request) bool { return has(req.URL.Path) }})
						start := time.Now()
						results := bulk(t, t.Context(), newClient(t, step(func(req *http.Request) (*http.Response, error) {
							time.Sleep(100 * time.Millisecond)
							return graph(req)
						})), licensing.BulkOptions{BatchSize: size}, addsFor(n, skuA)...)
						for _, r := range results {
							if r.Done() == slices.Contains(sick, r.Operation.Target) {
								t.Errorf("operation %d: %v", r.Index, r.Err)
							}
						}
						// Where nobody comes after them it could be an outage, which is waited out.
						if took := time.Since(start); took > 2*time.Minute && !(size == 1 && name == "at the tail") {
							t.Errorf("took %v", took)
						}
					})
				})
			}
		}
	}
}

// Reads may go another way than writes: that they work ends no outage.
func TestReadsEndNoOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(3000)
		tenant.Fail(licensingtest.Fault{After: 5 * time.Second, For: time.Hour, Status: 503, Match: func(req *http.Request) bool { return req.Method != http.MethodGet }})
		client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
			time.Sleep(300 * time.Millisecond)
			return graph(req)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		var reader sync.WaitGroup
		reader.Go(func() {
			for ctx.Err() == nil {
				client.User(ctx, user(0))
				time.Sleep(time.Second)
			}
		})
		start, unknown := time.Now(), 0
		for r := range client.Bulk(t.Context(), slices.Values(addsFor(3000, skuA)), licensing.BulkOptions{MaxOutage: 5 * time.Minute}) {
			if errors.Is(r.Err, licensing.ErrOutcomeUnknown) {
				unknown++
			}
		}
		if took := time.Since(start); took > 6*time.Minute || unknown > 120 {
			t.Errorf("%d unknown after %v", unknown, took)
		}
		cancel()
		reader.Wait()
	})
}

// An advice that was longer than anybody believes is followed by waits all the same,
// and does not shut a client out that gets through.
func TestAfterALongAdvice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(40)
		var requests atomic.Int32
		client := newClient(t, step(func(req *http.Request) (*http.Response, error) { requests.Add(1); return graph(req) }))
		run := func(first int) (done int) {
			for r := range client.Bulk(t.Context(), slices.Values(addsFor(40, skuA)[first:first+10]), licensing.BulkOptions{BatchSize: 1, MaxOutage: 5 * time.Minute}) {
				if r.Done() {
					done++
				}
			}
			return done
		}
		run(0)
		tenant.Fail(licensingtest.Fault{For: time.Minute, Status: 503, Header: http.Header{"Retry-After": {"31536000"}}})
		run(10)
		time.Sleep(5 * time.Minute)
		if _, err := client.AssignUserLicense(t.Context(), user(39), add(skuB)); err != nil {
			t.Error(err)
		}
		if done := run(20); done != 10 {
			t.Errorf("%d done, although a call got through", done)
		}
		tenant.Fail(licensingtest.Fault{For: time.Hour, Status: 503})
		requests.Store(0)
		run(30)
		if n := requests.Load(); n > 40 {
			t.Errorf("%d requests in an outage of 5 minutes", n)
		}
	})
}

// Before anything ever got through, it may be the host's name that is wrong, or the
// credentials. What needs them fails at once, and the run soon after.
func TestNoOutageOfWhatNeverWorked(t *testing.T) {
	dns := &net.DNSError{Err: "no such host", Name: "graph.microsoft.com", IsNotFound: true}
	for name, test := range map[string]struct {
		way   step
		token error
		kind  error
	}{
		"unknown host":    {fails(&net.OpError{Op: "dial", Net: "tcp", Err: dns}), nil, dns},
		"no token":        {okUser, errors.New("no credentials"), licensing.ErrUnauthorized},
		"a wrong token":   {unauthorized, nil, licensing.ErrUnauthorized},
		"a wrong license": {forbidden, nil, licensing.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client, err := licensing.NewClient(func(context.Context) (string, error) { return "secret-token", test.token },
					licensing.WithHTTPClient(&http.Client{Transport: test.way}))
				if err != nil {
					t.Fatal(err)
				}
				start, of := time.Now(), make(map[string]int)
				for r := range client.Bulk(t.Context(), slices.Values(addsFor(1000, skuA)), licensing.BulkOptions{}) {
					switch {
					case errors.Is(r.Err, test.kind) && !errors.Is(r.Err, licensing.ErrStopped):
						of["failed"]++
					case errors.Is(r.Err, licensing.ErrStopped):
						of["stopped"]++
					default:
						t.Fatal(r.Err)
					}
				}
				if took := time.Since(start); took > 40*time.Second || of["failed"] == 0 || of["failed"] > 300 && test.kind != licensing.ErrForbidden {
					t.Errorf("%v after %v", of, took)
				}
			})
		})
	}
}

// A token that runs out in the middle of a batch is renewed once for all of it.
func TestATokenRunsOutInABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(200)
		tenant.Fail(licensingtest.Fault{Items: true, Skip: 30, Times: 10, Status: 401, Code: "InvalidAuthenticationToken", Message: "Lifetime validation failed, the token is expired."})
		asked := 0
		var requests int
		client, err := licensing.NewClient(func(context.Context) (string, error) { asked++; return fmt.Sprint("secret-token-", asked), nil },
			licensing.WithHTTPClient(&http.Client{Transport: step(func(req *http.Request) (*http.Response, error) { requests++; return graph(req) })}))
		if err != nil {
			t.Fatal(err)
		}
		results := bulk(t, t.Context(), client, licensing.BulkOptions{Concurrency: 1}, addsFor(200, skuA)...)
		wantAllDone(t, results)
		if requests > 11 || asked != requests {
			t.Errorf("%d requests, %d tokens", requests, asked)
		}
	})
}

// Where the token source has no other token, what was refused is refused.
func TestNoOtherTokenForABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(40)
		tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Status: 401, Code: "InvalidAuthenticationToken", Message: "Expired."})
		for _, r := range bulk(t, t.Context(), newClient(t, graph), licensing.BulkOptions{}, addsFor(40, skuA)...) {
			if !errors.Is(r.Err, licensing.ErrUnauthorized) && !errors.Is(r.Err, licensing.ErrStopped) || errors.Is(r.Err, licensing.ErrOutcomeUnknown) {
				t.Errorf("got %v", r.Err)
			}
		}
	})
}
