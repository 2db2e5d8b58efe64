package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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

// Three sick people stop nobody else, and use up their attempts.
func TestTheSickStopNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 400
		tenant, graph := crowd(n)
		sick := func(req *http.Request) bool {
			return slices.ContainsFunc([]string{user(3), user(4), user(5)}, func(id string) bool { return strings.Contains(req.URL.Path, id) })
		}
		tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Status: 503, Code: "x", Match: sick})
		start := time.Now()
		results := bulk(t, t.Context(), newClient(t, step(func(req *http.Request) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond)
			return graph(req)
		})), licensing.BulkOptions{}, addsFor(n, skuA)...)
		done := 0
		for _, r := range results {
			if r.Done() {
				done++
			}
		}
		if done < n-3 {
			t.Errorf("%d done", done)
		}
		t.Logf("took %v", time.Since(start))
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
