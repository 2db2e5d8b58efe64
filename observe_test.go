package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// An audience keeps what an observer is told, and checks what always holds.
type audience struct {
	mu       sync.Mutex
	attempts []licensing.Attempt
	contexts []context.Context
}

func (a *audience) hear(ctx context.Context, attempt licensing.Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts, a.contexts = append(a.attempts, attempt), append(a.contexts, ctx)
}

func (a *audience) option() licensing.Option { return licensing.WithObserver(a.hear) }

// told returns what the audience was told, a line for each attempt: number, method,
// route, status, code, kinds, throttled of all operations.
func (a *audience) told() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for _, t := range a.attempts {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s %d %d/%d %s %s", t.Number, t.Method, t.Route, t.Status, t.Throttled, t.Operations, t.Code, kinds(errors.Join(t.Kinds...)))))
	}
	return lines
}

func TestAnObserverIsToldOfEachAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const upn = "adele@contoso.com"
		id := uuid.MustParse("dddddddd-0000-4000-8000-000000000001")
		var heard audience
		client := newClient(t, newScript(t,
			slowly(time.Second, graphError(429, "TooManyRequests", "Slow down, "+upn, "request-id", "r1", "client-request-id", "theirs", "Retry-After", "5")),
			slowly(2*time.Second, lost),
			slowly(3*time.Second, reply(200, `{"id":"`+userID+`"}`, "request-id", "r3")),
			graphError(404, "Request_ResourceNotFound", "Resource '"+upn+"' does not exist", "request-id", "r4"),
		), heard.option())
		ctx := licensing.ContextWithClientRequestID(t.Context(), id)
		start := time.Now()
		if _, err := client.AssignUserLicense(ctx, upn, add(skuA)); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		if _, err := client.User(ctx, upn); !errors.Is(err, licensing.ErrNotFound) {
			t.Fatal(err)
		}
		got := heard.attempts
		if len(got) != 4 || got[0].Wait < 5*time.Second || got[0].Wait > 7*time.Second || got[1].Wait <= 0 || took != 6*time.Second+got[0].Wait+got[1].Wait {
			t.Fatalf("after %v: %+v", took, got)
		}
		first, second := got[0].Wait, got[1].Wait
		want := licensing.Attempt{Op: "assign user license", Method: "POST", Route: "/users/{id}/assignLicense", Operations: 1}
		throttled, unanswered, good := want, want, want
		throttled.Status, throttled.Code, throttled.Kinds, throttled.Throttled = 429, "TooManyRequests", []error{licensing.ErrThrottled}, 1
		throttled.Number, throttled.Start, throttled.Duration, throttled.Wait = 1, start, time.Second, first
		throttled.RequestID, throttled.ClientRequestID = "r1", "theirs"
		unanswered.Kinds = []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}
		unanswered.Number, unanswered.Start, unanswered.Duration, unanswered.Wait = 2, start.Add(time.Second+first), 2*time.Second, second
		unanswered.ClientRequestID = id.String()
		good.Status, good.Number, good.Start, good.Duration = 200, 3, start.Add(3*time.Second+first+second), 3*time.Second
		good.RequestID, good.ClientRequestID = "r3", id.String()
		missing := licensing.Attempt{
			Op: "read user licenses", Method: "GET", Route: "/users/{id}", Status: 404, Code: "Request_ResourceNotFound", Kinds: []error{licensing.ErrNotFound},
			Start: start.Add(took), Number: 1, Operations: 1, RequestID: "r4", ClientRequestID: id.String(),
		}
		for i, want := range []licensing.Attempt{throttled, unanswered, good, missing} {
			if !got[i].Start.Equal(want.Start) {
				t.Errorf("attempt %d started at %v, want %v", i, got[i].Start, want.Start)
			}
			want.Start = got[i].Start
			same(t, fmt.Sprintf("attempt %d", i), got[i], want)
		}
	})
}

// The kinds are those of the attempt, not those of what came before it.
func TestKindsOfAttempts(t *testing.T) {
	broken := errors.New("no credential")
	for name, test := range map[string]struct {
		tokens licensing.TokenSource
		steps  []step
		call   func(context.Context, *licensing.Client) error
		want   []string
	}{
		"a doubt is not handed on": {nil, []step{reply(503, ""), graphError(429, "", "", "Retry-After", "1"), graphError(403, "x", "")}, waysToAsk["a write"], []string{
			"1 POST /users/{id}/assignLicense 503 0/1  Unavailable OutcomeUnknown",
			"2 POST /users/{id}/assignLicense 429 1/1  Throttled",
			"3 POST /users/{id}/assignLicense 403 0/1 x Forbidden",
		}},
		"of a read nothing is in doubt": {nil, []step{lost, reply(503, ""), reply(200, `{"id":"`+userID+`"}`)}, waysToAsk["a read"], []string{
			"1 GET /users/{id} 0 0/1  Unavailable",
			"2 GET /users/{id} 503 0/1  Unavailable",
			"3 GET /users/{id} 200 0/1",
		}},
		"a judgment": {nil, []step{graphError(400, "Request_BadRequest", "Subscription with SKU x does not have any available licenses.")}, waysToAsk["a write"], []string{
			"1 POST /users/{id}/assignLicense 400 0/1 Request_BadRequest NoAvailableLicenses",
		}},
		"not Graph's": {nil, []step{reply(200, "<html>", "Content-Type", "text/html"), okUser}, waysToAsk["a read"], []string{
			"1 GET /users/{id} 200 0/1  Unavailable",
			"2 GET /users/{id} 200 0/1",
		}},
		"a property that cannot be read": {nil, []step{reply(200, `{"id":"`+userID+`","displayName":1}`)}, waysToAsk["a read"], []string{
			"1 GET /users/{id} 200 0/1",
		}},
		"no token": {func(context.Context) (string, error) { time.Sleep(time.Second); return "", broken }, nil, waysToAsk["a read"], []string{
			"1 GET /users/{id} 0 0/1  Unauthorized",
		}},
		"no other token": {nil, []step{graphError(401, "InvalidAuthenticationToken", "")}, waysToAsk["a read"], []string{ // for which no request is made
			"1 GET /users/{id} 401 0/1 InvalidAuthenticationToken Unauthorized",
		}},
		"pages": {nil, []step{
			reply(200, `{"@odata.context":"c","value":[{"id":"`+userID+`"}],"@odata.nextLink":"https://graph.test/base/v1.0/users?$skiptoken=secret"}`),
			reply(200, `{"@odata.context":"c","value":[]}`),
		}, waysToAsk["a listing"], []string{
			"1 GET /users 200 0/1",
			"1 GET /users 200 0/1",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var heard audience
				tokens := test.tokens
				if tokens == nil {
					tokens = licensing.StaticToken("secret-token")
				}
				client, err := licensing.NewClient(tokens, licensing.WithBaseURL("https://graph.test/base"), heard.option(),
					licensing.WithHTTPClient(&http.Client{Transport: newScript(t, test.steps...)}))
				if err != nil {
					t.Fatal(err)
				}
				test.call(t.Context(), client)
				same(t, "told", heard.told(), test.want)
				for _, a := range heard.attempts {
					if took := a.Duration; test.tokens != nil && took != time.Second || test.tokens == nil && took != 0 {
						t.Errorf("it took %v", took)
					}
				}
			})
		})
	}
}

// A batch is one attempt. What is sent by itself is one, too.
func TestAttemptsOfARun(t *testing.T) {
	batch := "POST /$batch"
	for name, test := range map[string]struct {
		opts  licensing.BulkOptions
		steps []step // and then the tenant
		want  []string
	}{
		"a batch, and the rest": {licensing.BulkOptions{}, []step{
			items(item(1, 404, `{}`), item(2, 429, `{}`), item(3, 503, `{"error":{"code":"TooManyRequests"}}`), item(4, 403, `{}`)),
			graphError(403, "x", ""),
		}, []string{
			"1 " + batch + " 200 2/4",
			"2 POST /users/{id}/assignLicense 403 0/1 x Forbidden", // one by one after a refusal, and of the operation's
			"2 POST /users/{id}/assignLicense 200 0/1",
		}},
		"one at a time": {licensing.BulkOptions{BatchSize: 1, Concurrency: 1}, []step{graphError(404, "x", "")}, []string{
			"1 POST /users/{id}/assignLicense 404 0/1 x NotFound",
			"1 POST /users/{id}/assignLicense 200 0/1",
			"1 POST /users/{id}/assignLicense 200 0/1",
			"1 POST /users/{id}/assignLicense 200 0/1",
		}},
		"refused as a whole": {licensing.BulkOptions{}, []step{graphError(429, "", "", "Retry-After", "1")}, []string{
			"1 " + batch + " 429 4/4  Throttled",
			"2 POST /users/{id}/assignLicense 200 0/1",
			"2 POST /users/{id}/assignLicense 200 0/1",
			"2 POST /users/{id}/assignLicense 200 0/1",
			"2 POST /users/{id}/assignLicense 200 0/1",
		}},
		"two answers are none": {licensing.BulkOptions{}, []step{
			items(item(1, 429, `{}`), item(1, 429, `{}`), item(2, 404, `{}`), item(3, 404, `{}`), item(4, 403, `{}`), item(9, 429, `{}`)),
		}, []string{
			"1 " + batch + " 200 0/4",
			"2 POST /users/{id}/assignLicense 200 0/1",
		}},
		"a batch that is not known": {licensing.BulkOptions{Concurrency: 1}, []step{graphError(404, "x", "")}, []string{
			"1 " + batch + " 404 0/4 x NotFound",
			"1 POST /users/{id}/assignLicense 200 0/1",
			"1 POST /users/{id}/assignLicense 200 0/1",
			"1 POST /users/{id}/assignLicense 200 0/1",
			"1 POST /users/{id}/assignLicense 200 0/1",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, graph := crowd(4)
				var heard audience
				client := newClient(t, &front{steps: test.steps, rest: graph}, heard.option())
				bulk(t, t.Context(), client, test.opts, addsFor(4, skuA)...)
				same(t, "told", heard.told(), test.want)
			})
		})
	}
}

// A token that is refused for a batch is renewed, by a request of its own.
func TestAttemptsOfABatchWithTwoTokens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var heard audience
		asked := 0
		tokens := func(context.Context) (string, error) { asked++; return fmt.Sprint("secret-token-", asked), nil }
		s := newScript(t, graphError(401, "x", ""), items(okItem(1, user(0)), item(2, 404, `{}`)))
		client, err := licensing.NewClient(tokens, licensing.WithHTTPClient(&http.Client{Transport: s}), heard.option())
		if err != nil {
			t.Fatal(err)
		}
		bulk(t, t.Context(), client, licensing.BulkOptions{}, addsFor(2, skuA)...)
		same(t, "told", heard.told(), []string{"1 POST /$batch 401 0/2 x Unauthorized", "2 POST /$batch 200 0/2"})
	})
}

// Nothing is told twice, and nothing left out: there are as many attempts as
// requests, and as many refusals.
func TestAttemptsAreTheRequests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(300)
		tenant.SetThrottle(licensingtest.ThrottleEmpty)
		f := &front{rest: graph}
		var heard audience
		var progress licensing.BulkProgress
		client := newClient(t, f, heard.option())
		wantAllDone(t, bulk(t, t.Context(), client, licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { progress = p }}, addsFor(300, skuA)...))
		operations, throttled := 0, 0
		for _, a := range heard.attempts {
			operations, throttled = operations+a.Operations, throttled+a.Throttled
		}
		if len(heard.attempts) != len(f.sent) || throttled != progress.Throttled || operations != 300+throttled || throttled == 0 {
			t.Errorf("%d attempts of %d requests, %d operations, %d throttled of %d", len(heard.attempts), len(f.sent), operations, throttled, progress.Throttled)
		}
	})
}

func TestAttemptsNameNobody(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		var heard audience
		client := newClient(t, newScript(t, graphError(400, "Request_BadRequest", userID+groupID), reply(o.status, `{"@odata.context":"x"}`)), heard.option())
		for range 2 {
			o.call(t.Context(), client)
		}
		if len(heard.attempts) != 2 {
			t.Fatalf("%s: %d attempts", o.op, len(heard.attempts))
		}
		for _, a := range heard.attempts {
			if a.Op != o.op || a.Method != "POST" || a.Route != o.route {
				t.Errorf("got %s %s %s, want those of %s", a.Op, a.Method, a.Route, o.op)
			}
			if text := fmt.Sprintf("%+v", a); strings.Contains(text, userID) || strings.Contains(text, groupID) {
				t.Errorf("it names the object: %s", text)
			}
		}
	}
}

type spanKey struct{}

// The context is the caller's, on whichever way a request is made.
func TestObserversGetTheCallersContext(t *testing.T) {
	t.Parallel()
	for asked, ask := range waysToAsk {
		for name, opts := range map[string][]licensing.Option{"alone": nil, "with a locker": {licensing.WithLocker(licensingtest.NewLocker())}} {
			t.Run(asked+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, graph := crowd(5)
					var heard audience
					client := newClient(t, graph, append(opts, heard.option(), once)...)
					ask(context.WithValue(t.Context(), spanKey{}, asked), client)
					for i, ctx := range heard.contexts {
						if ctx.Value(spanKey{}) != asked {
							t.Errorf("attempt %d has another context", i)
						}
					}
					if len(heard.contexts) == 0 {
						t.Error("there were no attempts")
					}
				})
			})
		}
	}
	t.Run("a run of single requests", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, graph := crowd(3)
			var heard audience
			bulk(t, context.WithValue(t.Context(), spanKey{}, "run"), newClient(t, graph, heard.option()), licensing.BulkOptions{BatchSize: 1}, addsFor(3, skuA)...)
			for i, ctx := range heard.contexts {
				if ctx.Value(spanKey{}) != "run" {
					t.Errorf("attempt %d has another context", i)
				}
			}
		})
	})
}

func TestAllObserversAreCalled(t *testing.T) {
	t.Parallel()
	var order []string
	observer := func(name string) licensing.Option {
		return licensing.WithObserver(func(_ context.Context, a licensing.Attempt) {
			order = append(order, name+" "+kinds(errors.Join(a.Kinds...)))
			clear(a.Kinds) // it is each one's own
		})
	}
	client := newClient(t, newScript(t, graphError(403, "", "")), observer("one"), once, observer("two"))
	client.AssignUserLicense(t.Context(), userID, add(skuA))
	same(t, "called", order, []string{"one Forbidden", "two Forbidden"})
}

// A panic ends a run also where an operation is sent by itself, and leaves that one
// in doubt.
func TestAnObserverThatPanicsInARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(10)
		client := newClient(t, graph, licensing.WithObserver(func(context.Context, licensing.Attempt) { panic("observer") }))
		unknown, results := 0, 0
		defer func() {
			if got := recover(); got != "observer" || unknown == 0 {
				t.Errorf("recovered %v after %d results, %d unknown", got, results, unknown)
			}
		}()
		for r := range client.Bulk(t.Context(), slices.Values(addsFor(10, skuA)), licensing.BulkOptions{BatchSize: 1, Concurrency: 1}) {
			if results++; errors.Is(r.Err, licensing.ErrOutcomeUnknown) {
				unknown++
			} else if !errors.Is(r.Err, licensing.ErrStopped) {
				t.Errorf("operation %d: %v", r.Index, r.Err)
			}
		}
	})
}

// No observer waits for another one's.
func TestObserversAreCalledAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(80)
		var under, most int
		var mu sync.Mutex
		client := newClient(t, graph, licensing.WithObserver(func(context.Context, licensing.Attempt) {
			mu.Lock()
			under++
			most = max(most, under)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			under--
			mu.Unlock()
		}))
		var calls sync.WaitGroup
		for i := range 8 {
			calls.Go(func() {
				if _, err := client.AssignUserLicense(t.Context(), user(i), add(skuA)); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if most < 2 {
			t.Errorf("%d were called at once", most)
		}
	})
}

func TestNewTransport(t *testing.T) {
	t.Parallel()
	one, two := licensing.NewTransport(), licensing.NewTransport()
	if one == two || one.TLSClientConfig == two.TLSClientConfig || one.HTTP2 == two.HTTP2 {
		t.Error("two transports share something")
	}
	if h := one.HTTP2; h == nil || h.SendPingTimeout <= 0 || h.PingTimeout <= 0 || one.Proxy == nil {
		t.Errorf("a transport without pings or proxy: %+v", h)
	}
}
