package licensing_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The faults that only batches have, and those of single requests as they look
// in a batch.

// targets says how often each user is in the requests sent.
func targets(all []sent) map[string]int {
	n := make(map[string]int)
	for _, s := range all {
		urls := []string{s.URL}
		for _, r := range requestsIn(s) {
			urls = append(urls, r.URL)
		}
		for _, u := range urls {
			if _, rest, ok := strings.Cut(u, "/users/"); ok {
				id, _, _ := strings.Cut(rest, "/")
				n[id]++
			}
		}
	}
	return n
}

func tooManyItem(id int, headers ...string) string {
	return item(id, 429, `{"error":{"code":"TooManyRequests","message":"Too many."}}`, headers...)
}

func TestF52_ThrottledItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(4)
		f := &front{steps: []step{
			items(tooManyItem(4, "retry-after", `7`), okItem(1, user(0)), tooManyItem(2, "Retry-After", `"3"`), okItem(3, user(2))),
			graphError(429, "TooManyRequests", "", "RETRY-AFTER", "2.0"), // of a probe
		}, rest: graph}
		c := newClient(t, f, policy(licensing.RetryPolicy{MaxAttempts: 2}))
		var last licensing.BulkProgress
		results := bulk(t, t.Context(), c, licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { last = p }}, addsFor(4, skuA)...)
		wantAllDone(t, results)
		sent := targets(f.sent)
		if sent[user(0)] != 1 || sent[user(2)] != 1 || sent[user(1)]+sent[user(3)] != 5 {
			t.Errorf("times that users were sent: %v", sent)
		}
		// After the longest wait, and a random part of up to two seconds, and of four
		// when the probe was refused as well.
		for i, wait := range []time.Duration{7 * time.Second, 2 * time.Second} {
			if took := f.at[i+1].Sub(f.at[i]); took < wait || took > wait+time.Duration(i+1)*2*time.Second {
				t.Errorf("request %d came after %v, want %v", i+1, took, wait)
			}
		}
		if last.Throttled != 3 || results[1].Attempts+results[3].Attempts != 5 {
			t.Errorf("throttled %d times, %d and %d attempts", last.Throttled, results[1].Attempts, results[3].Attempts)
		}
	})
}

// mixedOperations are operations of which an answer that is lost leaves
// something to settle, and a tenant for them.
func mixedOperations() (*licensingtest.Tenant, step, []licensing.Operation) {
	tenant, graph := crowd(3)
	for i, held := range [][]uuid.UUID{{skuA}, {skuA, skuB}, {skuA}, {skuA, skuB}} {
		u := licensingtest.User{ID: user(3 + i), UsageLocation: "US"}
		for _, sku := range held {
			u.Licenses = append(u.Licenses, licensingtest.License{SKUID: sku})
		}
		tenant.AddUser(u)
	}
	both := remove(skuA, skuB)
	both.AddLicenses = add(skuC).AddLicenses
	swap := remove(skuA)
	swap.AddLicenses = add(skuC).AddLicenses
	return tenant, graph, []licensing.Operation{
		assign(user(0), add(skuA)),
		locate(user(1), "DE"),
		assign(user(2), add(skuB, skuC)),
		assign(user(3), remove(skuA)),
		assign(user(4), remove(skuA, skuB)),
		assign(user(5), swap),
		assign(user(6), both),
		{Kind: licensing.OperationAssignGroup, Target: groupID, Request: add(skuA)},
		{Kind: licensing.OperationReprocessUser, Target: user(0)},
	}
}

func TestF53_EnvelopeLostAfterTheEffect(t *testing.T) {
	for name, wrong := range map[string]func(graph step) step{
		"lost": answerLost,
		"timed out": func(graph step) step {
			return func(req *http.Request) (*http.Response, error) {
				if resp, err := graph(req); err == nil {
					resp.Body.Close()
				}
				return silent(req)
			}
		},
		"502":        func(graph step) step { return answered(graph, graphError(502, "BadGateway", "")) },
		"a page":     func(graph step) step { return answered(graph, reply(200, "<p>Sign in", "Content-Type", "text/html")) },
		"empty":      func(graph step) step { return answered(graph, reply(200, "")) },
		"broken off": func(graph step) step { return answered(graph, reply(200, `{"responses":[{"id":"1"`)) },
		"broken off at the end": func(graph step) step {
			return answered(graph, func(req *http.Request) (*http.Response, error) {
				resp, err := reply(200, "")(req)
				resp.Header.Set("Content-Type", "application/json")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"responses":[]}`), iotest.ErrReader(io.ErrUnexpectedEOF)))
				return resp, err
			})
		},
		"a redirect":   func(graph step) step { return answered(graph, reply(302, "", "Location", "https://login.test/")) },
		"bad redirect": func(graph step) step { return answered(graph, reply(302, "", "Location", "https://%zz/")) },
		"none":         func(graph step) step { return answered(graph, items()) },
		"no content":   func(graph step) step { return answered(graph, reply(204, "")) },
		"an error":     func(graph step) step { return answered(graph, reply(200, `{"error":{},"responses":[]}`)) },
		"null":         func(graph step) step { return answered(graph, reply(200, `{"responses":null}`)) },
		"no responses": func(graph step) step { return answered(graph, reply(200, `{}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph, ops := mixedOperations()
				f := &front{steps: []step{wrong(graph)}, rest: graph}
				start := time.Now()
				wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, ops...))
				wantEffects(t, tenant, 7)
				if took := time.Since(start); name != "timed out" && took > 35*time.Second {
					t.Errorf("took %v", took)
				}
				for i, want := range [][]uuid.UUID{{skuA}, nil, {skuB, skuC}, nil, nil, {skuC}, {skuC}} {
					u, _ := tenant.User(user(i))
					for _, sku := range want {
						if !slices.ContainsFunc(u.Licenses, func(l licensingtest.License) bool { return l.SKUID == sku }) || len(u.Licenses) != len(want) {
							t.Errorf("user %d holds %v, want %v", i, u.Licenses, want)
						}
					}
				}
			})
		})
	}
}

// A timeout of the caller's own transport leaves as much open as one of ours.
func TestF53_TransportTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(2)
		f := &front{steps: []step{fails(&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded})}, rest: graph}
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, append(addsFor(2, skuA), assign(user(0), remove(skuA)))...))
		if took := time.Since(start); took < 2*time.Minute {
			t.Errorf("the removal came after %v, within the fence", took)
		}
		_ = tenant
	})
}

// While a batch that timed out may still be carried out, other writes to its
// objects wait. The tenant carries it out late.
func TestF53_EnvelopeCarriedOutLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(2)
		tenant.Fail(licensingtest.Fault{Delay: 100 * time.Second})
		results := bulk(t, t.Context(), newClient(t, &front{rest: graph}), licensing.BulkOptions{},
			assign(user(0), add(skuA)), assign(user(1), add(skuA)), assign(user(0), remove(skuA)))
		wantAllDone(t, results)
		if u, _ := tenant.User(user(0)); len(u.Licenses) != 0 {
			t.Errorf("the user holds %v", u.Licenses)
		}
	})
}

func TestF54_OddAnswers(t *testing.T) {
	page := base64.StdEncoding.EncodeToString([]byte("<p>Bad gateway"))
	ok0, ok1 := okItem(1, user(0)), okItem(2, user(1))
	tests := map[string]struct {
		answer string
		again  []int // users that are sent again
		logged bool
	}{
		"in another order":        {`[` + ok1 + `,` + ok0 + `]`, nil, false},
		"an error beside them":    {`[` + ok1 + `,` + ok0 + `],"error":{}`, []int{0, 1}, false},
		"one missing":             {`[` + ok1 + `]`, []int{0}, false},
		"all missing":             {`[]`, []int{0, 1}, false},
		"null":                    {`null`, []int{0, 1}, false},
		"an object":               {`{}`, []int{0, 1}, false},
		"a foreign id":            {`[` + ok1 + `,` + ok0 + `,` + okItem(3, user(0)) + `]`, nil, true},
		"id 0":                    {`[` + okItem(0, user(0)) + `,` + ok1 + `]`, []int{0}, true},
		"id 01":                   {`[{"id":"01","status":200,"body":{}},` + ok1 + `]`, []int{0}, true},
		"a word for an id":        {`[{"id":"x","status":200,"body":{}},` + ok1 + `]`, []int{0}, true},
		"a number for an id":      {`[{"id":1,"status":200,"body":{}},` + ok1 + `]`, []int{0}, false},
		"no id":                   {`[{"status":200,"body":{}},` + ok1 + `]`, []int{0}, true},
		"twice":                   {`[` + ok0 + `,` + ok1 + `,` + ok0 + `]`, []int{0}, false},
		"three times":             {`[` + ok0 + `,` + ok0 + `,` + ok1 + `,` + ok0 + `]`, []int{0}, false},
		"twice, once unreadable":  {`[{"id":"1","status":1000},` + ok0 + `,` + ok1 + `]`, []int{0}, false},
		"null for an item":        {`[null,` + ok1 + `]`, []int{0}, false},
		"a text for an item":      {`["1",` + ok1 + `]`, []int{0}, false},
		"a text for a status":     {`[{"id":"1","status":"200","body":{}},` + ok1 + `]`, []int{0}, false},
		"no status":               {`[{"id":"1","body":{}},` + ok1 + `]`, []int{0}, false},
		"status 99":               {`[` + item(1, 99, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"status 1000":             {`[` + item(1, 1000, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"status 100":              {`[` + item(1, 100, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"a redirect":              {`[` + item(1, 302, `null`, "Location", `"/x"`) + `,` + ok1 + `]`, []int{0}, false},
		"an odd redirect":         {`[` + item(1, 307, `null`, "location", `"http://%zz/"`) + `,` + ok1 + `]`, []int{0}, false},
		"headers of a wrong type": {`[{"id":"1","status":200,"headers":[],"body":{}},` + ok1 + `]`, []int{0}, false},
		"another user":            {`[` + okItem(1, user(1)) + `,` + ok1 + `]`, []int{0}, false},
		"a page":                  {`[` + item(1, 200, `"`+page+`"`, "content-type", `"text/html"`) + `,` + ok1 + `]`, []int{0}, false},
		"a page for a failure":    {`[` + item(1, 502, `"`+page+`"`, "CONTENT-TYPE", `"text/html"`) + `,` + ok1 + `]`, []int{0}, false},
		"no body":                 {`[{"id":"1","status":200},` + ok1 + `]`, []int{0}, false},
		"null for a body":         {`[` + item(1, 200, `null`) + `,` + ok1 + `]`, []int{0}, false},
		"an array for a body":     {`[` + item(1, 200, `[]`) + `,` + ok1 + `]`, []int{0}, false},
		"an error with 200":       {`[` + item(1, 200, `{"error":{"code":"x"}}`) + `,` + ok1 + `]`, []int{0}, false},
		"another content type":    {`[` + item(1, 200, `{}`, "conTent-tyPe", `"text/plain"`) + `,` + ok1 + `]`, []int{0}, false},
		"204":                     {`[{"id":"1","status":204},` + ok1 + `]`, []int{0}, false},
		"204 with a body":         {`[` + item(1, 204, `"x"`) + `,` + ok1 + `]`, []int{0}, false},
		"a body in base64":        {`[` + item(1, 200, `"eyJAb2RhdGEuY29udGV4dCI6IngifQ=="`) + `,` + ok1 + `]`, nil, false},
		"numbers in headers":      {`[` + item(1, 200, `{"@odata.context":"x"}`, "x-ms-resource-unit", `1`, "x", `null`) + `,` + ok1 + `]`, nil, false},
		"nothing of Graph's":      {`[` + item(1, 200, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"a property, and an id":   {`[` + item(1, 200, `{"userPrincipalName":"x@contoso.com"}`, "request-id", `"r"`) + `,` + ok1 + `]`, nil, false},
		"a property, without one": {`[` + item(1, 200, `{"userPrincipalName":"x@contoso.com"}`) + `,` + ok1 + `]`, []int{0}, false},
		"500":                     {`[` + item(1, 500, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"504":                     {`[` + item(1, 504, `{}`) + `,` + ok1 + `]`, []int{0}, false},
		"409":                     {`[` + item(1, 409, `{"error":{"code":"Directory_ConcurrencyViolation"}}`) + `,` + ok1 + `]`, []int{0}, false},
	}
	for name, test := range tests {
		for _, applied := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, applied %v", name, applied), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					tenant, graph := crowd(2)
					first := reply(200, `{"responses":`+test.answer+`}`)
					if applied {
						first = answered(graph, first)
					}
					var log bytes.Buffer
					f := &front{steps: []step{first}, rest: graph}
					c := newClient(t, f, licensing.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
					results := bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(2, skuA)...)
					wantAllDone(t, results)
					want := map[string]int{user(0): 1, user(1): 1}
					for _, i := range test.again {
						want[user(i)]++
					}
					same(t, "times that users were sent", targets(f.sent), want)
					if applied {
						wantEffects(t, tenant, 2)
					}
					if got := strings.Contains(log.String(), "answers to operations that were not in it"); got != test.logged {
						t.Errorf("the log has foreign answers: %v\n%s", got, &log)
					}
				})
			})
		}
	}
}

// What stays odd ends in doubt.
func TestF54_OddAnswersForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(3)
		nothing := func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "$batch") {
				return items(item(9, 200, "{}"))(req)
			}
			return answered(graph, okGroup)(req)
		}
		results := bulk(t, t.Context(), newClient(t, &front{rest: nothing}), licensing.BulkOptions{}, addsFor(3, skuA)...)
		for _, r := range results {
			wantFailed(t, r.Err, asError(t, r.Err).StatusCode, 5, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			if r.Attempts != 5 || r.Done() {
				t.Errorf("%+v", r)
			}
		}
		_ = tenant
	})
}

// The text of an item that is no JSON is kept, be it base64 or not.
func TestF54_TextBodies(t *testing.T) {
	for body, want := range map[string]string{
		base64.StdEncoding.EncodeToString([]byte("<p>Bad gateway")): "<p>Bad gateway",
		"Some gateway failed.": "Some gateway failed.",
		"":                     "",
	} {
		bulkOnce := func(t *testing.T) {
			s := newScript(t, items(item(1, 403, fmt.Sprintf("%q", body)), okItem(2, user(1))))
			results := bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{}, addsFor(2, skuA)...)
			if e := asError(t, results[0].Err); string(e.Body) != want {
				t.Errorf("the body is %q, want %q", e.Body, want)
			}
		}
		t.Run(want, func(t *testing.T) { bubble(t, bulkOnce) })
	}
}

func TestF56_FailedDependency(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failed := `{"error":{"code":"FailedDependency","message":"Failed."}}`
		s := newScript(t, items(item(1, 424, failed), okItem(2, user(1))), reply(200, `{"id":"`+user(0)+`"}`))
		wantAllDone(t, bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{}, addsFor(2, skuA)...))

		s = newScript(t, items(item(1, 424, failed), okItem(2, user(1))))
		results := bulk(t, t.Context(), newClient(t, s, once), licensing.BulkOptions{}, addsFor(2, skuA)...)
		wantFailed(t, results[0].Err, 424, 1, licensing.ErrUnavailable)
	})
}

// isBatch reports whether a request is a batch.
func isBatch(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/$batch") }

func TestF55_EnvelopeRefused(t *testing.T) {
	tests := map[string]struct {
		steps []step
		shape []int // of the requests; nil: does not matter
		sent  map[int]int
		wait  time.Duration // before the second request
	}{
		"429":        {[]step{graphError(429, "TooManyRequests", "", "Retry-After", "5")}, nil, nil, 5 * time.Second}, // and then one of them
		"503":        {[]step{unavailable}, nil, nil, 100 * time.Millisecond},
		"503, later": {[]step{graphError(503, "", "", "Retry-After", "20")}, nil, nil, 20 * time.Second},
		"413":        {times(3, graphError(413, "", "")), []int{8, 4, 2, 0, 0, 2, 4}, nil, 0},
		"404":        {[]step{missing}, []int{8, 0, 0, 0, 0, 0, 0, 0, 0}, nil, 0},
		"405":        {[]step{graphError(405, "", "")}, []int{8, 0, 0, 0, 0, 0, 0, 0, 0}, nil, 0},
		"501":        {[]step{graphError(501, "", "")}, []int{8, 0, 0, 0, 0, 0, 0, 0, 0}, nil, 0},
		"409":        {[]step{concurrent}, nil, nil, 100 * time.Millisecond},
		"401 once":   {[]step{unauthorized}, []int{8, 8}, nil, 0},
		"not dialed": {[]step{notDialed}, nil, nil, 100 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(8)
				f := &front{steps: test.steps, rest: graph}
				tokens := 0
				c, err := licensing.NewClient(func(context.Context) (string, error) {
					tokens++
					return fmt.Sprint("secret-token-", tokens), nil
				}, licensing.WithBaseURL("https://graph.test/base"), licensing.WithHTTPClient(&http.Client{Transport: f}))
				if err != nil {
					t.Fatal(err)
				}
				results := bulk(t, t.Context(), c, licensing.BulkOptions{Concurrency: 1}, addsFor(8, skuA)...)
				wantAllDone(t, results)
				wantEffects(t, tenant, 8)
				if got := shape(f.sent); test.shape != nil && !slices.Equal(got, test.shape) {
					t.Errorf("the requests have %v operations, want %v", got, test.shape)
				}
				if wait := f.at[1].Sub(f.at[0]); wait < test.wait || wait > test.wait+2*time.Second {
					t.Errorf("the second request came after %v, want %v", wait, test.wait)
				}
			})
		})
	}
}

// What was in one batch waits for as long, and so is in few batches again.
func TestF55_BatchesStayTogether(t *testing.T) {
	for name, answer := range map[string]step{
		"503":        unavailable,
		"503, later": graphError(503, "", "", "Retry-After", "20"),
		"lost":       lost,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(40)
				f := &front{steps: []step{answer, answer, answer}, rest: graph}
				wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(40, skuA)...))
				if got := shape(f.sent); len(got) > 12 || slices.Max(got) != 20 { // after a failure in halves, since it may be for one of them
					t.Errorf("batches of %v", got)
				}
				wantEffects(t, tenant, 40)
			})
		})
	}
}

// A batch is refused as a whole for one request in it. The others are made.
func TestF55_EnvelopeRefusedForOneItem(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(16)
		picky := func(req *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(req.Body)
			if bytes.Contains(body, []byte(user(5))) || strings.Contains(req.URL.Path, user(5)) {
				return badRequest("Something is wrong with it.")(req)
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			return graph(req)
		}
		f := &front{rest: picky}
		results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{Concurrency: 1}, addsFor(16, skuA)...)
		wantFailed(t, results[5].Err, 400, 1)
		wantAllDone(t, slices.Delete(results, 5, 6))
		same(t, "requests in batches", shape(f.sent), []int{16, 8, 4, 4, 2, 0, 0, 2, 8})
		if n := len(tenant.Writes()); n != 15 {
			t.Errorf("%d writes", n)
		}
	})
}

// Where there are no batches, it is found out by two in a row.
func TestF55_NoBatchesThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(50)
		var batches atomic.Int32
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			if isBatch(req) {
				batches.Add(1)
				return missing(req)
			}
			return graph(req)
		}}
		wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{Concurrency: 1}, addsFor(50, skuA)...))
		wantEffects(t, tenant, 50)
		if n := batches.Load(); n != 2 { // a stray refusal is none
			t.Errorf("%d batches were sent", n)
		}
	})
}

func TestF55_EnvelopeFailsForEver(t *testing.T) {
	var (
		both     = []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}
		dialSlow = fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded})
		quit     = errors.New("vault is sealed")
	)
	tests := map[string]struct {
		rest     step
		token    func(n int) (string, error)
		status   int
		attempts int
		requests int // -1: does not matter
		kinds    []error
		text     string
	}{
		"401":            {unauthorized, nil, 401, 1, 2, []error{licensing.ErrUnauthorized}, ""},
		"401, one token": {unauthorized, func(int) (string, error) { return "secret-token", nil }, 401, 1, 1, []error{licensing.ErrUnauthorized}, ""},
		"403":            {forbidden, nil, 403, 1, 1, []error{licensing.ErrForbidden}, ""},
		"503":            {unavailable, nil, 503, 5, -1, both, ""},
		"a page":         {reply(200, "<p>Sign in", "Content-Type", "text/html"), nil, -1, 5, -1, both, "not an answer from Microsoft Graph"},
		"a redirect":     {reply(302, "", "Location", "https://login.test/"), nil, 302, 5, -1, both, "a redirect"},
		"lost":           {lost, nil, 0, 5, -1, both, "connection reset"},
		"silent":         {silent, nil, 0, 5, -1, both, "no complete answer within 1m0s"},
		"not dialed":     {notDialed, nil, 0, 5, -1, []error{licensing.ErrUnavailable}, "refused"},
		"slow dial":      {dialSlow, nil, 0, 5, -1, []error{licensing.ErrUnavailable}, "dial tcp"},
		"no token":       {nil, func(int) (string, error) { return "", quit }, 0, 1, 0, []error{licensing.ErrUnauthorized}, "vault is sealed"},
		"no other token": {unauthorized, func(n int) (string, error) {
			if n > 1 {
				return "", quit
			}
			return "secret-token", nil
		}, 401, 1, 1, []error{licensing.ErrUnauthorized}, "vault is sealed"},
	}
	for name, test := range tests {
		for _, size := range []int{1, 20} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := &front{rest: test.rest}
					var asked atomic.Int32
					c, err := licensing.NewClient(func(context.Context) (string, error) {
						n := int(asked.Add(1))
						if test.token == nil {
							return fmt.Sprint("secret-token-", n), nil
						}
						return test.token(n)
					}, licensing.WithBaseURL("https://graph.test/base"), licensing.WithHTTPClient(&http.Client{Transport: f}))
					if err != nil {
						t.Fatal(err)
					}
					n := 3
					if size == 1 {
						n = 1
					}
					for _, r := range bulk(t, t.Context(), c, licensing.BulkOptions{BatchSize: size, MaxOutage: time.Minute}, addsFor(n, skuA)...) {
						status, attempts := test.status, test.attempts
						if status < 0 {
							status = asError(t, r.Err).StatusCode
						}
						if size == 1 && test.requests == 2 {
							attempts = 2 // here the second is the operation's own
						}
						kinds := test.kinds
						if size > 1 && attempts == 5 { // it was an outage, in which attempts do not count
							attempts = r.Attempts
							if !slices.Contains(kinds, licensing.ErrOutcomeUnknown) {
								kinds = append(slices.Clone(kinds), licensing.ErrStopped)
							}
						}
						wantFailed(t, r.Err, status, attempts, kinds...)
						text := test.text
						if status == 401 && size > 1 { // what became of the batch's second request is not told
							text = ""
						}
						if !strings.Contains(r.Err.Error(), text) || r.Attempts != attempts {
							t.Errorf("%d attempts, %v; want %q", r.Attempts, r.Err, text)
						}
						if strings.Contains(r.Err.Error(), "https:") {
							t.Errorf("the error has a URL: %v", r.Err)
						}
						if errors.Is(r.Err, context.DeadlineExceeded) || errors.Is(r.Err, context.Canceled) {
							t.Errorf("no context has ended: %v", r.Err)
						}
					}
					if test.requests >= 0 && len(f.sent) != test.requests {
						t.Errorf("%d requests, want %d", len(f.sent), test.requests)
					}
				})
			})
		}
	}
}

// What was in a batch before has another token of its own when it is sent alone.
func TestBulkRenewsTheTokenAfterABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &front{steps: []step{items(item(1, 503, "{}"), okItem(2, user(1))), unauthorized}, rest: reply(200, `{"id":"`+user(0)+`"}`)}
		n := 0
		c, err := licensing.NewClient(func(context.Context) (string, error) {
			n++
			return fmt.Sprint("secret-token-", n), nil
		}, licensing.WithHTTPClient(&http.Client{Transport: f}))
		if err != nil {
			t.Fatal(err)
		}
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(2, skuA)...))
		same(t, "requests in batches", shape(f.sent), []int{2, 0, 0})

		// With one attempt there is none.
		f = &front{rest: unauthorized}
		c, err = licensing.NewClient(func(context.Context) (string, error) {
			n++
			return fmt.Sprint("secret-token-", n), nil
		}, licensing.WithHTTPClient(&http.Client{Transport: f}), once)
		if err != nil {
			t.Fatal(err)
		}
		bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(2, skuA)...)
		same(t, "requests in batches", shape(f.sent), []int{2})
	})
}

// One attempt is one, whatever comes of it.
func TestBulkWithOneAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		first step
		kinds []error
	}{
		"slow": {fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}), []error{licensing.ErrUnavailable}},
		"429":  {tooMany("Retry-After", "1"), []error{licensing.ErrThrottled}},
		"503":  {unavailable, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"401":  {unauthorized, []error{licensing.ErrUnauthorized}},
		"lost": {lost, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var last licensing.BulkProgress
				results := bulk(t, t.Context(), newClient(t, newScript(t, test.first), once), licensing.BulkOptions{
					Progress: func(p licensing.BulkProgress) { last = p },
				}, addsFor(3, skuA)...)
				for _, r := range results {
					wantFailed(t, r.Err, asError(t, r.Err).StatusCode, 1, test.kinds...)
					if strings.Contains(r.Err.Error(), "no complete answer") { // it was the dialer's limit, not ours
						t.Error(r.Err)
					}
				}
				if last.Throttled != 0 || last.Failed+last.Unknown+last.NotSent != 3 {
					t.Errorf("the progress ends with %+v", last)
				}
			})
		})
	}
}

func TestF64_SeatsRunOutInARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const seats, n = 25, 60
		tenant, graph := crowd(n)
		tenant.SetSeats(skuA, seats)
		f := &front{rest: graph}
		tenant.Fail(licensingtest.Fault{Drop: true, Apply: true})
		tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: http.Header{"Retry-After": {"1"}}, Skip: 3, Times: 5})
		tenant.Fail(licensingtest.Fault{Items: true, Drop: true, Apply: true, Times: 5})
		done := 0
		for _, r := range bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(n, skuA)...) {
			switch {
			case r.Done():
				done++
			case kinds(r.Err) != "NoAvailableLicenses":
				t.Errorf("operation %d: %v", r.Index, r.Err)
			}
		}
		if sku, _ := tenant.SKU(skuA); done != seats || sku.Consumed != seats {
			t.Errorf("%d operations are done and %d seats taken, want %d", done, sku.Consumed, seats)
		}
	})
}

// What net/http does with a batch's connections says as much about its
// operations as about a single request.
func TestBulkSeesConnections(t *testing.T) {
	t.Run("sent twice", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			answer := items(item(1, 400, `{"error":{"code":"Request_BadRequest","message":"`+notAssigned+`"}}`), okItem(2, user(1)))
			for times, want := range map[int]string{1: "NotAssigned", 2: ""} {
				f := &front{steps: []step{func(req *http.Request) (*http.Response, error) {
					for range times {
						httptrace.ContextClientTrace(req.Context()).WroteHeaderField("client-request-id", req.Header["Client-Request-Id"])
					}
					return answer(req)
				}}, rest: reply(200, `{"id":"`+user(0)+`"}`)}
				results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, assign(user(0), remove(skuA)), assign(user(1), add(skuA)))
				if got := kinds(results[0].Err); got != want || results[0].Done() != (want == "") {
					t.Errorf("sent %d times: %v", times, results[0].Err)
				}
			}
		})
	})
	t.Run("never connected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			f := &front{rest: func(req *http.Request) (*http.Response, error) {
				httptrace.ContextClientTrace(req.Context()).GetConn("graph.test:443")
				return nil, errors.New("no connection can be had")
			}}
			for _, r := range bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(3, skuA)...) {
				wantFailed(t, r.Err, 0, r.Attempts, licensing.ErrUnavailable, licensing.ErrStopped)
			}
		})
	})
}

// A removal that is settled in parts is not done when a part of it could not be
// sent.
func TestBulkPartKeptBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first := func(status int, id string) step {
			return func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return reply(status, `{"id":"`+id+`"}`)(req)
			}
		}
		var parts atomic.Int32
		rest := func(req *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(req.Body)
			switch {
			case strings.Contains(req.URL.Path, user(1)): // while the first part is on its way
				return tooMany("Retry-After", "7200")(req)
			case strings.Contains(string(body), skuA.String()+`","`+skuB.String()):
				if parts.Add(1) == 1 {
					return lost(req)
				}
				return absent(req)
			}
			return first(200, user(0))(req)
		}
		input := func(yield func(licensing.Operation) bool) {
			if !yield(assign(user(0), remove(skuA, skuB))) {
				return
			}
			for parts.Load() < 2 {
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(500 * time.Millisecond)
			yield(assign(user(1), add(skuC)))
		}
		f := &front{rest: rest}
		for r := range newClient(t, f).Bulk(t.Context(), input, licensing.BulkOptions{BatchSize: 1}) {
			if r.Index == 1 {
				wantFailed(t, r.Err, 429, 1, licensing.ErrThrottled)
				continue
			}
			e := wantFailed(t, r.Err, 0, 3, licensing.ErrThrottled, licensing.ErrOutcomeUnknown)
			if r.Done() || e.RetryAfter < time.Hour {
				t.Errorf("%+v", r)
			}
		}
		var bodies []json.RawMessage
		for _, s := range f.sent {
			bodies = append(bodies, json.RawMessage(s.Body))
		}
		if len(bodies) != 4 {
			t.Errorf("sent %s", bodies)
		}
	})
}

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
