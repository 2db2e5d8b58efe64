package licensing_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The tests whose names start with TestF and a number are the cases of one list
// of faults. Those here need no network; each makes sure that what is reported
// agrees with what came to pass, and that nothing happens twice.

const userUPN = "adele@contoso.example"

// newTenant returns a tenant with three SKUs of two seats, a user who holds
// some of them, and a group of that user. The step is the tenant's own answer.
func newTenant(held ...uuid.UUID) (*licensingtest.Tenant, step) {
	tenant := licensingtest.NewTenant()
	for _, sku := range []uuid.UUID{skuA, skuB, skuC} {
		tenant.AddSKU(licensingtest.SKU{ID: sku, Seats: 2})
	}
	user := licensingtest.User{ID: userID, UserPrincipalName: userUPN, UsageLocation: "US"}
	for _, sku := range held {
		user.Licenses = append(user.Licenses, licensingtest.License{SKUID: sku})
	}
	tenant.AddUser(user)
	tenant.AddGroup(licensingtest.Group{ID: groupID}, userID)
	return tenant, tenant.RoundTripper().RoundTrip
}

// answerLost has next carry out the request, and loses its answer.
func answerLost(next step) step {
	return func(req *http.Request) (*http.Response, error) {
		if resp, err := next(req); err == nil {
			resp.Body.Close()
		}
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
}

// answered has next carry out the request, and gives another answer.
func answered(next, by step) step {
	return func(req *http.Request) (*http.Response, error) {
		if resp, err := next(req); err == nil {
			resp.Body.Close()
		}
		return by(req)
	}
}

// silent never answers.
func silent(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func times(n int, s step) []step { return slices.Repeat([]step{s}, n) }

// wantState fails the test unless so many requests had an effect, and the user
// holds exactly these SKUs now.
func wantState(t testing.TB, tenant *licensingtest.Tenant, effects int, held ...uuid.UUID) {
	t.Helper()
	n := 0
	for _, w := range tenant.Writes() {
		if w.Changed {
			n++
		}
	}
	if n != effects {
		t.Errorf("%d requests had an effect, want %d", n, effects)
	}
	user, _ := tenant.User(userID)
	var got []uuid.UUID
	for _, l := range user.Licenses {
		got = append(got, l.SKUID)
	}
	byText := func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) }
	slices.SortFunc(got, byText)
	slices.SortFunc(held, byText)
	if !slices.Equal(got, held) {
		t.Errorf("the user holds %v, want %v", got, held)
	}
}

// wantDone fails the test unless a call had success with its own user.
func wantDone(t testing.TB, user *licensing.User, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got %v, want success", err)
	}
	if user.ID != userID {
		t.Errorf("the result is of user %q", user.ID)
	}
}

// wantFailed fails the test unless err has the status and attempts, is of these
// kinds and no others, and names neither the user nor the token.
func wantFailed(t testing.TB, err error, status, attempts int, kinds ...error) *licensing.Error {
	t.Helper()
	e := asError(t, err)
	if e.StatusCode != status || e.Attempts != attempts {
		t.Errorf("got status %d after %d attempts, want %d after %d: %v", e.StatusCode, e.Attempts, status, attempts, err)
	}
	for _, s := range sentinels {
		if got, want := errors.Is(err, s.err), slices.Contains(kinds, s.err); got != want {
			t.Errorf("errors.Is(err, Err%s) is %v, want %v: %v", s.name, got, want, err)
		}
	}
	for _, secret := range []string{userID, userUPN, "secret-token"} {
		if text := fmt.Sprintf("%v %+v", err, e.Unwrap()); strings.Contains(text, secret) {
			t.Errorf("the error has %q: %s", secret, text)
		}
	}
	return e
}

func policy(p licensing.RetryPolicy) licensing.Option { return licensing.WithRetryPolicy(p) }

// bubble runs a parallel test with a clock of its own. Goroutines that go on
// after it are a failure.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestF02_DNSTemporary(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		failing := fails(&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: "graph.test", IsTemporary: true}})
		s := newScript(t, failing, failing, graph)
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)
	})
}

// A host that drops packets holds a dial up for as long as the dialer waits.
func TestF04_DialBlackHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		transport := graph.NewTransport()
		transport.Proxy = nil
		var dialed atomic.Int32
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			dialed.Add(1)
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		_, err := newClient(t, transport).AssignUserLicense(ctx, userID, add(skuA))
		dials := int(dialed.Load())
		wantFailed(t, err, 0, dials)
		if dials < 3 || dials > 4 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d dials, then %v", dials, err)
		}

		_, err = newClient(t, transport, policy(licensing.RetryPolicy{MaxAttempts: 1})).AssignUserLicense(t.Context(), userID, add(skuA))
		wantFailed(t, err, 0, 1, licensing.ErrUnavailable)
	})
}

// What is no answer of Graph's is doubt, and never a success.
func TestF14_HTMLPage(t *testing.T) {
	notGraph(t, reply(200, "<html>Sign in</html>", "Content-Type", "text/html"))
}
func TestF15_AnotherUser(t *testing.T) { notGraph(t, reply(200, `{"id":"`+groupID+`"}`)) }
func TestF16_EmptyBody(t *testing.T)   { notGraph(t, reply(200, "")) }

func notGraph(t *testing.T, wrong step) {
	t.Parallel()
	tests := map[string]func(graph step) (held []uuid.UUID, steps []step){
		"once, before Graph": func(graph step) ([]uuid.UUID, []step) { return []uuid.UUID{skuA}, []step{wrong, graph} },
		"once, after the effect": func(graph step) ([]uuid.UUID, []step) {
			return []uuid.UUID{skuA}, []step{answered(graph, wrong), graph}
		},
		"forever": func(step) ([]uuid.UUID, []step) { return nil, times(5, wrong) },
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := newTenant()
				held, steps := test(graph)
				user, err := newClient(t, newScript(t, steps...)).AssignUserLicense(t.Context(), userID, add(skuA))
				wantState(t, tenant, len(held), held...)
				if held != nil {
					wantDone(t, user, err)
					return
				}
				wantFailed(t, err, 200, 5, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
				if text := err.Error(); !strings.Contains(text, "not an answer from Microsoft Graph") && !strings.Contains(text, "answer is for another object") {
					t.Errorf("the error does not say what is wrong: %s", text)
				}
			})
		})
	}
}

// Answers that decide, sent once, and nothing done.
func TestF19_BadRequest(t *testing.T) {
	permanent(t, []verdict{{400, "Request_BadRequest", "Some new reason.", nil}})
}

func TestF27_PermanentStatus(t *testing.T) {
	permanent(t, []verdict{
		{403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", licensing.ErrForbidden},
		{404, "Request_ResourceNotFound", "Resource does not exist.", licensing.ErrNotFound},
		{405, "Request_BadRequest", "Specified HTTP method is not allowed.", nil},
		{410, "Gone", "Gone.", nil},
		{413, "RequestEntityTooLarge", "Too large.", nil},
		{415, "UnsupportedMediaType", "Not supported.", nil},
		{422, "UnprocessableEntity", "Not processable.", nil},
		{501, "NotImplemented", "Not implemented.", nil},
		{505, "VersionNotSupported", "Not supported.", nil},
		{511, "NetworkAuthenticationRequired", "Sign in.", nil},
	})
}

func TestF30_OtherConflict(t *testing.T) {
	permanent(t, []verdict{
		{409, "Request_MultipleObjectsWithSameKeyValue", "Conflict.", nil},
		{412, "PreconditionFailed", "Precondition failed.", nil},
		{423, "Locked", "Locked.", nil},
	})
}

type verdict struct {
	status        int
	code, message string
	kind          error
}

func permanent(t *testing.T, verdicts []verdict) {
	t.Parallel()
	for _, v := range verdicts {
		t.Run(strconv.Itoa(v.status), func(t *testing.T) {
			t.Parallel()
			s := newScript(t, graphError(v.status, v.code, v.message))
			_, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
			var kinds []error
			if v.kind != nil {
				kinds = append(kinds, v.kind)
			}
			e := wantFailed(t, err, v.status, 1, kinds...)
			if e.Code != v.code || e.Message != v.message {
				t.Errorf("got code %q and message %q", e.Code, e.Message)
			}
		})
	}
}

func TestF20_RemovalAppliedAnswerLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant(skuA, skuB)
		s := newScript(t, answerLost(graph), graph, graph)
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, remove(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuB)
		if len(user.AssignedLicenses) != 1 || user.AssignedLicenses[0].SKUID != skuB {
			t.Errorf("the user read back has %v", user.AssignedLicenses)
		}
	})
}

func TestF21_RemovalOfAbsentSKU(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant(skuB)
		_, err := newClient(t, newScript(t, graph)).AssignUserLicense(t.Context(), userID, remove(skuA))
		wantFailed(t, err, 400, 1, licensing.ErrNotAssigned)
		wantState(t, tenant, 0, skuB)
	})
}

func TestF22_SwapAppliedAnswerLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant(skuA)
		s := newScript(t, answerLost(graph), graph, graph)
		swap := add(skuB)
		swap.RemoveLicenses = []uuid.UUID{skuA}
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, swap)
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuB)
		same(t, "bodies", s.bodies(), []string{wire(swap), wire(swap), wire(add(skuB))})
	})
}

// rotating returns a source of the tokens in turn, the last one forever.
func rotating(asked *int, tokens ...string) licensing.TokenSource {
	return func(context.Context) (string, error) {
		*asked++
		return tokens[min(*asked, len(tokens))-1], nil
	}
}

// tokenClient is newClient with a token source.
func tokenClient(t testing.TB, tokens licensing.TokenSource, transport http.RoundTripper, opts ...licensing.Option) *licensing.Client {
	t.Helper()
	client, err := licensing.NewClient(tokens, append([]licensing.Option{
		licensing.WithBaseURL("https://graph.test/base"),
		licensing.WithHTTPClient(&http.Client{Transport: transport}),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestF23_UnauthorizedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		tenant.RequireToken("fresh")
		asked := 0
		start := time.Now()
		user, err := tokenClient(t, rotating(&asked, "stale", "fresh"), newScript(t, graph, graph)).AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)
		if took := time.Since(start); asked != 2 || took != 0 {
			t.Errorf("the token source was asked %d times, in %v", asked, took)
		}
	})
}

func TestF24_UnauthorizedForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		tenant.RequireToken("fresh")
		asked := 0
		_, err := tokenClient(t, rotating(&asked, "one", "two", "three"), newScript(t, graph, graph)).AssignUserLicense(t.Context(), userID, add(skuA))
		wantFailed(t, err, 401, 2, licensing.ErrUnauthorized)
		wantState(t, tenant, 0)
	})
}

func TestF26_TokenSourceFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("sign-in service at https://login.test/?secret=1 is down")
	canceled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Second)
	}
	hangs := func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	tests := map[string]struct {
		tokens licensing.TokenSource
		limit  func(context.Context) (context.Context, context.CancelFunc)
		cause  error
		takes  time.Duration
		kinds  []error
	}{
		"an error":                        {func(context.Context) (string, error) { return "secret-token", broken }, context.WithCancel, broken, 0, []error{licensing.ErrUnauthorized}},
		"empty":                           {licensing.StaticToken(" \n"), context.WithCancel, nil, 0, []error{licensing.ErrUnauthorized}},
		"a newline inside":                {licensing.StaticToken("secret-token\r\nX: y"), context.WithCancel, nil, 0, []error{licensing.ErrUnauthorized}},
		"a space inside":                  {licensing.StaticToken("Bearer secret-token"), context.WithCancel, nil, 0, []error{licensing.ErrUnauthorized}},
		"hangs":                           {hangs, context.WithCancel, nil, time.Minute, []error{licensing.ErrUnauthorized}},
		"hangs until the context's end":   {hangs, canceled, context.DeadlineExceeded, time.Second, nil},
		"times out by a clock of its own": {func(context.Context) (string, error) { return "", context.DeadlineExceeded }, context.WithCancel, nil, 0, []error{licensing.ErrUnauthorized}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := test.limit(t.Context())
				defer cancel()
				start := time.Now()
				_, err := tokenClient(t, test.tokens, newScript(t)).AssignUserLicense(ctx, userID, add(skuA))
				wantFailed(t, err, 0, 1, test.kinds...)
				if test.cause != nil && !errors.Is(err, test.cause) {
					t.Errorf("%v is not %v", err, test.cause)
				}
				if errors.Is(err, context.DeadlineExceeded) && test.cause != context.DeadlineExceeded {
					t.Errorf("%v passes for the end of the caller's context", err)
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error has a secret: %v", err)
				}
			})
		})
	}
}

func TestF29_ConcurrencyViolation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		violation := graphError(409, "Directory_ConcurrencyViolation", "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.")
		client := newClient(t, newScript(t, violation, violation, violation, graph))
		start := time.Now()
		user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)
		if took := time.Since(start); took < 300*time.Millisecond || took > 7*time.Second {
			t.Errorf("took %v, want waits of 100 ms to 1 s, 2 s and 4 s", took)
		}
	})
}

// wantWait fails the test unless the first wait of a call is within bounds.
func wantWait(t *testing.T, first step, least, most time.Duration) {
	t.Helper()
	tenant, graph := newTenant()
	var at []time.Time
	noted := func(s step) step {
		return func(req *http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return s(req)
		}
	}
	user, err := newClient(t, newScript(t, noted(first), noted(graph))).AssignUserLicense(t.Context(), userID, add(skuA))
	wantDone(t, user, err)
	wantState(t, tenant, 1, skuA)
	if wait := at[1].Sub(at[0]); wait < least || wait > most {
		t.Errorf("waited %v, want %v to %v", wait, least, most)
	}
}

func tooMany(headers ...string) step {
	return graphError(429, "TooManyRequests", "Too many requests.", headers...)
}

func TestF31_RetryAfterDecimal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for range 20 {
			wantWait(t, tooMany("Retry-After", "2.128"), 2128*time.Millisecond, 3128*time.Millisecond)
		}
	})
}

func TestF32_RetryAfterDate(t *testing.T) {
	t.Parallel()
	for _, layout := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		for name, skew := range map[string]time.Duration{"": 0, ", clock ahead": time.Hour, ", clock behind": -time.Hour} {
			t.Run(layout+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					server := time.Now().UTC().Add(skew)
					first := tooMany("Date", server.Format(http.TimeFormat), "Retry-After", server.Add(20*time.Second).Format(layout))
					wantWait(t, first, 20*time.Second, 21*time.Second)
				})
			})
		}
	}
	t.Run("without Date", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			wantWait(t, tooMany("Retry-After", time.Now().UTC().Add(20*time.Second).Format(http.TimeFormat)), 20*time.Second, 21*time.Second)
		})
	})
}

// waits makes a call against an endless first answer, and returns the waits
// between its requests.
func waits(t *testing.T, n int, answer step) []time.Duration {
	t.Helper()
	var at []time.Time
	steps := times(n, func(req *http.Request) (*http.Response, error) {
		at = append(at, time.Now())
		return answer(req)
	})
	client := newClient(t, newScript(t, append(steps, okUser)...), policy(licensing.RetryPolicy{MaxElapsed: -1}))
	user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
	wantDone(t, user, err)
	var between []time.Duration
	for i := range at[1:] {
		between = append(between, at[i+1].Sub(at[i]))
	}
	return between
}

func TestF33_ThrottledWithoutRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const shortest, longest = 100 * time.Millisecond, 30 * time.Second
		sum := make([]time.Duration, 9)
		for range 30 {
			for i, wait := range waits(t, 10, tooMany()) {
				sum[i] += wait
				if most := min(longest, time.Second<<i); wait < shortest || wait > most {
					t.Errorf("wait %d is %v, want %v to %v", i, wait, shortest, most)
				}
			}
		}
		// With full jitter the mean is half of the most: far from either end
		// over 30 calls.
		for i := range sum {
			mean, most := sum[i]/30, min(longest, time.Second<<i)
			if mean < most/5 || mean > most*4/5 {
				t.Errorf("wait %d is %v on average of at most %v: no full jitter", i, mean, most)
			}
		}
	})
}

func TestF34_RetryAfterNonsense(t *testing.T) {
	t.Parallel()
	const forever = time.Duration(1<<63 - 1)
	for _, test := range []struct {
		value string
		most  time.Duration // of the wait
		asked time.Duration // what is reported at once, if anything
	}{
		{"0", time.Second, 0},
		{"-5", time.Second, 0},
		{"-1e300", time.Second, 0},
		{"Mon, 01 Jan 1990 00:00:00 GMT", time.Second, 0},
		{"abc", time.Second, 0},
		{"7s", time.Second, 0},
		{"NaN", time.Second, 0},
		{"Inf", time.Second, 0},
		{"-infinity", time.Second, 0},
		{"", time.Second, 0},
		{"9223372037", 0, forever},
		{"18446744074", 0, forever},
		{"1e300", 0, forever},
		{"1e999", 0, forever},
		{"181", 0, 181 * time.Second},
	} {
		t.Run(test.value, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				if test.asked == 0 {
					for range 10 {
						wantWait(t, tooMany("Retry-After", test.value), 100*time.Millisecond, test.most)
					}
					return
				}
				start := time.Now()
				_, err := newClient(t, newScript(t, tooMany("Retry-After", test.value))).AssignUserLicense(t.Context(), userID, add(skuA))
				e := wantFailed(t, err, 429, 1, licensing.ErrThrottled)
				if took := time.Since(start); took != 0 || e.RetryAfter != test.asked {
					t.Errorf("took %v and asks for %v, want %v", took, e.RetryAfter, test.asked)
				}
			})
		})
	}
}

func TestF35_RetryAfterOneDay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, _ := newTenant()
		start := time.Now()
		_, err := newClient(t, newScript(t, tooMany("Retry-After", "86400", "request-id", "R"))).AssignUserLicense(t.Context(), userID, add(skuA))
		e := wantFailed(t, err, 429, 1, licensing.ErrThrottled)
		if took := time.Since(start); took != 0 || e.RetryAfter != 24*time.Hour || e.RequestID != "R" {
			t.Errorf("took %v, asks for %v, request-id %q", took, e.RetryAfter, e.RequestID)
		}
		wantState(t, tenant, 0)
	})
}

func TestF36_RetryAfterBeyondDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		_, err := newClient(t, newScript(t, tooMany("Retry-After", "20"))).AssignUserLicense(ctx, userID, add(skuA))
		e := wantFailed(t, err, 429, 1, licensing.ErrThrottled)
		if took := time.Since(start); took != 0 || e.RetryAfter != 20*time.Second || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("took %v: %v", took, err)
		}
	})
}

func TestF37_ThrottledForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n := 0
		transport := step(func(req *http.Request) (*http.Response, error) {
			n++
			return tooMany("Retry-After", "7")(req)
		})
		start := time.Now()
		_, err := newClient(t, transport).AssignUserLicense(ctx, userID, add(skuA))
		wantFailed(t, err, 429, n, licensing.ErrThrottled)
		if took := time.Since(start); n < 8 || n > 9 || took <= 53*time.Second || took >= time.Minute {
			t.Errorf("%d requests in %v", n, took)
		}
	})
}

// RoundTrip makes a step a transport that always answers alike.
func (s step) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

func TestF38_ServerError(t *testing.T) {
	t.Parallel()
	for _, status := range []int{408, 425, 500, 502, 503, 504, 507, 599} {
		broken := reply(status, "<html>Gateway</html>", "Content-Type", "text/html")
		t.Run(fmt.Sprint(status, " before the effect"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := newTenant()
				user, err := newClient(t, newScript(t, broken, graph)).AssignUserLicense(t.Context(), userID, add(skuA))
				wantDone(t, user, err)
				wantState(t, tenant, 1, skuA)
			})
		})
		t.Run(fmt.Sprint(status, " after the effect"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := newTenant(skuA)
				s := newScript(t, answered(graph, broken), graph, graph)
				user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, remove(skuA))
				wantDone(t, user, err)
				wantState(t, tenant, 1)
			})
		})
		t.Run(fmt.Sprint(status, " forever"), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, err := newClient(t, newScript(t, times(5, broken)...)).AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, status, 5, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			})
		})
	}
}

func TestF39_UnavailableWithRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		wantWait(t, graphError(503, "ServiceUnavailable", "Busy.", "Retry-After", "12"), 12*time.Second, 13*time.Second)
	})
}

// pipes returns a default transport whose n-th connection, from 1, is served by
// handle over a pipe.
func pipes(t *testing.T, handle func(n int, conn net.Conn)) *http.Transport {
	transport := graph.NewTransport()
	transport.Proxy = nil
	var mu sync.Mutex
	n := 0
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		n++
		client, server := net.Pipe()
		out := make(chan []byte, 1024)
		go func(n int) {
			defer close(out)
			handle(n, buffered{server, out})
		}(n)
		go func() {
			defer server.Close()
			for p := range out {
				server.Write(p)
			}
		}()
		return client, nil
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// A buffered connection does not wait for what it writes to be read, no more
// than a socket does.
type buffered struct {
	net.Conn
	out chan<- []byte
}

func (b buffered) Write(p []byte) (int, error) {
	b.out <- bytes.Clone(p)
	return len(p), nil
}

// serveHTTP1 answers the requests of a connection, one after the other, by
// what respond writes. It ends when respond says so, or the connection does.
func serveHTTP1(conn net.Conn, respond func(req *http.Request, w io.Writer) (more bool)) {
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		if !respond(req, conn) {
			return
		}
	}
}

// by writes what s answers.
func by(s step) func(*http.Request, io.Writer) bool {
	return func(req *http.Request, w io.Writer) bool {
		resp, err := s(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.Write(w) == nil
	}
}

// onPipes makes a call whose first connection behaves as first does, and later
// ones as a good server, and returns how long it took. First is given a
// channel that is closed at the end.
func onPipes(t *testing.T, attempts int, first func(req *http.Request, graph step, w io.Writer, end <-chan struct{})) time.Duration {
	t.Helper()
	tenant, graph := newTenant()
	end := make(chan struct{})
	defer close(end)
	transport := pipes(t, func(n int, conn net.Conn) {
		serveHTTP1(conn, func(req *http.Request, w io.Writer) bool {
			if n == 1 {
				first(req, graph, w, end)
				return false
			}
			return by(graph)(req, w)
		})
	})
	defer transport.CloseIdleConnections()
	client := newClient(t, transport, licensing.WithBaseURL("http://127.0.0.1/base"))
	start := time.Now()
	user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
	took := time.Since(start)
	wantDone(t, user, err)
	wantState(t, tenant, 1, skuA)
	if n := len(tenant.Requests()); n != attempts {
		t.Errorf("Graph saw %d requests, want %d", n, attempts)
	}
	return took
}

func wantOneTimeout(t *testing.T, took time.Duration) {
	t.Helper()
	if took <= time.Minute || took > 61*time.Second {
		t.Errorf("took %v, want one attempt of a minute and one wait of at most a second", took)
	}
}

func TestF40_StalledBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		took := onPipes(t, 1, func(_ *http.Request, _ step, w io.Writer, end <-chan struct{}) {
			io.WriteString(w, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\n{")
			<-end
		})
		wantOneTimeout(t, took)
	})
}

func TestF41_SilentServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		took := onPipes(t, 2, func(req *http.Request, graph step, _ io.Writer, end <-chan struct{}) {
			if resp, err := graph(req); err == nil {
				resp.Body.Close()
			}
			<-end
		})
		wantOneTimeout(t, took)
	})
}

func TestF51_SlowDrip(t *testing.T) {
	bubble(t, func(t *testing.T) {
		took := onPipes(t, 1, func(_ *http.Request, _ step, w io.Writer, end <-chan struct{}) {
			io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
			for {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
				select {
				case <-time.After(time.Second):
				case <-end:
					return
				}
			}
		})
		wantOneTimeout(t, took)
	})
}

// The request of the first attempt lands long after the client has given it up.
func TestF42_Zombie(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, _ := newTenant()
		tenant.Fail(licensingtest.Fault{Delay: 40 * time.Second})
		defer time.Sleep(time.Minute) // for what is still on its way
		client := newClient(t, tenant.RoundTripper(), policy(licensing.RetryPolicy{AttemptTimeout: 10 * time.Second}))
		start := time.Now()
		user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)

		user, err = client.AssignUserLicense(t.Context(), userID, remove(skuA))
		wantDone(t, user, err)
		if took := time.Since(start); took != 130*time.Second {
			t.Errorf("the removal came after %v, want the fence of 2 min after the first attempt's end", took)
		}
		time.Sleep(time.Minute)
		wantState(t, tenant, 2)
		if n := len(tenant.Requests()); n != 3 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestF43_CanceledInFlight(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, _ := newTenant()
				tenant.Fail(licensingtest.Fault{Hang: true, Apply: applied})
				stop := errors.New("the operator pressed a key")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(stop) })
				start := time.Now()
				_, err := newClient(t, tenant.RoundTripper()).AssignUserLicense(ctx, userID, add(skuA))
				wantFailed(t, err, 0, 1, licensing.ErrOutcomeUnknown)
				if took := time.Since(start); took != 5*time.Second || !errors.Is(err, context.Canceled) || !errors.Is(err, stop) {
					t.Errorf("took %v: %v", took, err)
				}
				if applied {
					wantState(t, tenant, 1, skuA)
				} else {
					wantState(t, tenant, 0)
				}
			})
		})
	}
}

func TestF44_CanceledWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stop := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(stop) })
		start := time.Now()
		_, err := newClient(t, newScript(t, tooMany("Retry-After", "30", "request-id", "R"))).AssignUserLicense(ctx, userID, add(skuA))
		e := wantFailed(t, err, 429, 1, licensing.ErrThrottled)
		if took := time.Since(start); took != 5*time.Second || e.RequestID != "R" || e.RetryAfter != 30*time.Second {
			t.Errorf("took %v, request-id %q, asks for %v", took, e.RequestID, e.RetryAfter)
		}
		if !errors.Is(err, context.Canceled) || !errors.Is(err, stop) {
			t.Errorf("the cause is lost: %v", err)
		}
	})
}

func TestF45_CanceledAsTheAnswerArrives(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change licensing.AssignLicenseRequest
		kind   error
	}{
		"200": {add(skuA), nil},
		"400": {remove(skuA), licensing.ErrNotAssigned},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, graph := newTenant()
				ctx, cancel := context.WithCancel(t.Context())
				s := newScript(t, func(req *http.Request) (*http.Response, error) {
					resp, err := graph(req)
					cancel()
					return resp, err
				})
				user, err := newClient(t, s).AssignUserLicense(ctx, userID, test.change)
				if test.kind == nil {
					wantDone(t, user, err)
					return
				}
				wantFailed(t, err, 400, 1, test.kind)
				if errors.Is(err, context.Canceled) {
					t.Errorf("a definite answer counts as canceled: %v", err)
				}
			})
		})
	}
}

// Reads lag behind: what one says has no part in the verdict.
func TestF61_StaleReplica(t *testing.T) {
	t.Parallel()
	stale := reply(200, `{"id":"`+userID+`","assignedLicenses":[{"skuId":"`+skuA.String()+`","disabledPlans":[]}]}`)
	t.Run("goal not reached", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := newTenant(skuA)
			s := newScript(t, answerLost(graph), graph, stale)
			user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, remove(skuA))
			wantDone(t, user, err)
			wantState(t, tenant, 1)
		})
	})
	t.Run("goal reached", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, _ := newTenant()
			noSeat := badRequest("Subscription with SKU " + skuA.String() + " does not have any available licenses.")
			s := newScript(t, lost, func(req *http.Request) (*http.Response, error) {
				if req.Method == http.MethodGet {
					return stale(req)
				}
				return noSeat(req)
			})
			_, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 400, 2, licensing.ErrNoAvailableLicenses, licensing.ErrOutcomeUnknown)
			wantState(t, tenant, 0)
		})
	})
}

func TestF62_AnotherAdminBetweenAttempts(t *testing.T) {
	t.Parallel()
	direct := func(t *testing.T, tenant *licensingtest.Tenant, user string, change licensing.AssignLicenseRequest) {
		t.Helper()
		if _, err := tenant.Client().AssignUserLicense(t.Context(), user, change); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("takes the last seat", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := newTenant()
			others := []string{tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID, tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID}
			s := newScript(t, func(req *http.Request) (*http.Response, error) {
				for _, other := range others {
					direct(t, tenant, other, add(skuA))
				}
				return lost(req)
			}, graph)
			_, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 400, 2, licensing.ErrNoAvailableLicenses, licensing.ErrOutcomeUnknown)
			wantState(t, tenant, 2)
		})
	})
	t.Run("removes what was added", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := newTenant()
			s := newScript(t, func(req *http.Request) (*http.Response, error) {
				resp, err := answerLost(graph)(req)
				direct(t, tenant, userID, remove(skuA))
				return resp, err
			}, graph)
			user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
			wantDone(t, user, err)
			wantState(t, tenant, 3, skuA) // added, removed, and added as the caller was told
		})
	})
	t.Run("deletes the user", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			_, graph := newTenant()
			gone := graphError(404, "Request_ResourceNotFound", "Resource does not exist.")
			_, err := newClient(t, newScript(t, answerLost(graph), gone)).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 404, 2, licensing.ErrNotFound, licensing.ErrOutcomeUnknown)
		})
	})
}

func TestF63_GroupAcceptedThenFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		noSeats := tenant.AddSKU(licensingtest.SKU{}).ID
		group, err := newClient(t, newScript(t, answerLost(graph), graph)).AssignGroupLicense(t.Context(), groupID, add(noSeats))
		if err != nil || group.ID != groupID {
			t.Fatalf("got %v, %v", group, err)
		}
		wantState(t, tenant, 1)
		tenant.Process()
		user, _ := tenant.User(userID)
		if len(user.States) != 1 || user.States[0].State != "Error" || user.States[0].Error != "CountViolation" {
			t.Errorf("the member has %+v", user.States)
		}
	})
}

func TestF64_SeatsRunOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const seats, n = 4, 9
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: seats})
		tenant.Fail(licensingtest.Fault{Drop: true, Apply: true, Times: 3})
		tenant.Fail(licensingtest.Fault{Status: 503, Times: 3, Skip: 2})
		client := newClient(t, tenant.RoundTripper())
		for i := range n {
			user := tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID
			_, err := client.AssignUserLicense(t.Context(), user, add(skuA))
			if i < seats && err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			if i >= seats && (!errors.Is(err, licensing.ErrNoAvailableLicenses) || errors.Is(err, licensing.ErrOutcomeUnknown)) {
				t.Errorf("call %d: got %v, want a definite lack of seats", i, err)
			}
		}
		if sku, _ := tenant.SKU(skuA); sku.Consumed != seats {
			t.Errorf("%d seats are taken of %d", sku.Consumed, seats)
		}
	})
}

func TestF65_RunAgainAfterACrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 10})
		var users []string
		for range 6 {
			users = append(users, tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID)
		}
		run := func(ctx context.Context) (done int, last error) {
			client := newClient(t, tenant.RoundTripper())
			for _, user := range users {
				if _, last = client.AssignUserLicense(ctx, user, add(skuA)); last != nil {
					return done, last
				}
				done++
			}
			return done, nil
		}
		crash, cancel := context.WithCancel(t.Context())
		tenant.Fail(licensingtest.Fault{Skip: 3, DelayAnswer: time.Second})
		defer time.Sleep(time.Second) // for the answer that nobody waits for
		time.AfterFunc(500*time.Millisecond, cancel)
		if done, err := run(crash); done != 3 || !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatalf("%d done, then %v", done, err)
		}
		if done, err := run(t.Context()); done != len(users) || err != nil {
			t.Fatalf("%d done, then %v", done, err)
		}
		if sku, _ := tenant.SKU(skuA); sku.Consumed != len(users) {
			t.Errorf("%d users have the license, want %d", sku.Consumed, len(users))
		}
	})
}

func TestF67_CallerChangesItsRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant(skuC)
		change := licensing.AssignLicenseRequest{
			AddLicenses:    []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}},
			RemoveLicenses: []uuid.UUID{skuC},
		}
		s := newScript(t, func(req *http.Request) (*http.Response, error) {
			change.AddLicenses[0].SKUID = skuB
			change.RemoveLicenses[0] = skuA
			return lost(req)
		}, answerLost(graph), graph, graph)
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, change)
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)
		if got := s.bodies(); got[1] != got[0] || got[2] != got[0] || strings.Contains(got[3], skuB.String()) {
			t.Errorf("sent %q", got)
		}
	})
}
