package licensing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func assign(user string, change licensing.AssignLicenseRequest) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: change}
}

func locate(user, country string) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: user, UsageLocation: country}
}

// inOrder is an input whose operations reach the queue one after the other, so
// that a batch has them in this order. It is for bubbles.
func inOrder(ops ...licensing.Operation) iter.Seq[licensing.Operation] {
	return func(yield func(licensing.Operation) bool) {
		for _, op := range ops {
			if !yield(op) {
				return
			}
			synctest.Wait()
		}
	}
}

// bulk makes operations and returns their results in the order of the input,
// each of which must be there once.
func bulk(t testing.TB, ctx context.Context, c *licensing.Client, opts licensing.BulkOptions, ops ...licensing.Operation) []licensing.OperationResult {
	t.Helper()
	results := make([]licensing.OperationResult, len(ops))
	seen := make([]bool, len(ops))
	for r := range c.Bulk(ctx, inOrder(ops...), opts) {
		if r.Index < 0 || r.Index >= len(ops) || seen[r.Index] {
			t.Fatalf("unexpected result %+v", r)
		}
		seen[r.Index] = true
		results[r.Index] = r
		same(t, "operation of a result", r.Operation, ops[r.Index])
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Fatalf("operation %d has no result", i)
	}
	return results
}

// wantAllDone fails the test for each operation that was not made.
func wantAllDone(t testing.TB, results []licensing.OperationResult) {
	t.Helper()
	for _, r := range results {
		if !r.Done() || r.Err != nil || r.User == nil && r.Group == nil {
			t.Errorf("operation %d: done %v, %v", r.Index, r.Done(), r.Err)
		}
	}
}

// A front answers the first requests by its steps, and the others by rest.
type front struct {
	mu    sync.Mutex
	steps []step
	rest  step
	sent  []sent
	at    []time.Time
}

// requests returns what has been sent so far.
func (f *front) requests() []sent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

func (f *front) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
		req = req.WithContext(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	f.mu.Lock()
	f.sent = append(f.sent, sent{req.Method, req.URL.String(), req.Header.Clone(), string(body)})
	f.at = append(f.at, time.Now())
	next := f.rest
	if len(f.steps) > 0 {
		next, f.steps = f.steps[0], f.steps[1:]
	}
	f.mu.Unlock()
	return next(req)
}

// A wireRequest is a request of a batch as it went over the wire.
type wireRequest struct {
	ID, Method, URL string
	Headers         map[string]string
	Body            json.RawMessage
}

// requestsIn returns the requests of a batch, and nil for any other request.
func requestsIn(s sent) []wireRequest {
	if !strings.HasSuffix(s.URL, "/v1.0/$batch") {
		return nil
	}
	var batch struct{ Requests []wireRequest }
	if err := json.Unmarshal([]byte(s.Body), &batch); err != nil {
		panic(err)
	}
	return batch.Requests
}

// shape says how many requests each of those sent stood for: 0 is one that was
// no batch.
func shape(all []sent) []int {
	var n []int
	for _, s := range all {
		n = append(n, len(requestsIn(s)))
	}
	return n
}

// item is the answer to one request of a batch.
func item(id, status int, body string, headers ...string) string {
	pairs := []string{}
	for i := 0; i < len(headers); i += 2 {
		pairs = append(pairs, fmt.Sprintf("%q:%s", headers[i], headers[i+1]))
	}
	return fmt.Sprintf(`{"id":"%d","status":%d,"headers":{%s},"body":%s}`, id, status, strings.Join(pairs, ","), body)
}

// items answers a batch with these items.
func items(list ...string) step {
	return reply(200, `{"responses":[`+strings.Join(list, ",")+`]}`, "request-id", "R")
}

func okItem(id int, user string) string { return item(id, 200, `{"id":"`+user+`"}`) }

// user returns the id of the n-th of many users.
func user(n int) string { return fmt.Sprintf("33333333-3333-4333-8333-%012d", n) }

// crowd returns a tenant with n users, and with SKUs of as many seats.
func crowd(n int) (*licensingtest.Tenant, step) {
	tenant := licensingtest.NewTenant()
	for _, sku := range []uuid.UUID{skuA, skuB, skuC} {
		tenant.AddSKU(licensingtest.SKU{ID: sku, Seats: n})
	}
	for i := range n {
		tenant.AddUser(licensingtest.User{ID: user(i), UsageLocation: "US"})
	}
	tenant.AddGroup(licensingtest.Group{ID: groupID})
	return tenant, tenant.RoundTripper().RoundTrip
}

// addsFor returns operations that add a SKU to the first n users of a crowd.
func addsFor(n int, sku uuid.UUID) []licensing.Operation {
	var ops []licensing.Operation
	for i := range n {
		ops = append(ops, assign(user(i), add(sku)))
	}
	return ops
}

// wantEffects fails the test unless each of the first n users had one effect.
func wantEffects(t testing.TB, tenant *licensingtest.Tenant, n int) {
	t.Helper()
	effects := make(map[string]int)
	for _, w := range tenant.Writes() {
		if w.Changed {
			effects[w.Target]++
		}
	}
	for i := range n {
		if effects[user(i)] != 1 {
			t.Errorf("user %d had %d effects, want 1", i, effects[user(i)])
		}
	}
}

func TestBulkSendsOneBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const guest, odd = "adele_x.example#EXT#@contoso.example", "$o'brien@contoso.example"
		change := remove(skuB)
		change.AddLicenses = []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}}
		s := newScript(t, items(
			item(4, 204, "null"),
			item(3, 200, `{"id":"`+userID+`","displayName":"Adele"}`),
			item(2, 202, `{"id":"`+groupID+`"}`),
			item(1, 200, `{"id":"`+userID+`"}`),
		))
		results := bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{},
			assign(userID, change),
			licensing.Operation{Kind: licensing.OperationAssignGroup, Target: groupID, Request: remove(skuC)},
			licensing.Operation{Kind: licensing.OperationReprocessUser, Target: guest},
			locate(odd, "de"),
		)
		wantSent(t, s.requests()[0], "POST", "/$batch", `{"requests":[`+
			`{"id":"1","method":"POST","url":"/users/11111111-1111-4111-8111-111111111111/assignLicense","headers":{"Content-Type":"application/json"},`+
			`"body":{"addLicenses":[{"disabledPlans":["a0000000-0000-4000-8000-000000000001"],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":["bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"]}},`+
			`{"id":"2","method":"POST","url":"/groups/22222222-2222-4222-8222-222222222222/assignLicense","headers":{"Content-Type":"application/json"},`+
			`"body":{"addLicenses":[],"removeLicenses":["cccccccc-cccc-4ccc-8ccc-cccccccccccc"]}},`+
			`{"id":"3","method":"POST","url":"/users/adele_x.example%23EXT%23@contoso.example/reprocessLicenseAssignment","headers":{"Content-Type":"application/json"},"body":{}},`+
			`{"id":"4","method":"PATCH","url":"/users('$o%27%27brien@contoso.example')","headers":{"Content-Type":"application/json"},"body":{"usageLocation":"DE"}}`+
			`]}`)
		wantAllDone(t, results)
		same(t, "users", []*licensing.User{results[0].User, results[2].User, results[3].User}, []*licensing.User{
			{ID: userID}, {ID: userID, DisplayName: "Adele", UserPrincipalName: guest}, {UserPrincipalName: odd},
		})
		same(t, "group", results[1].Group, &licensing.Group{ID: groupID})
		for _, r := range results {
			if r.Attempts != 1 {
				t.Errorf("operation %d was in %d requests", r.Index, r.Attempts)
			}
		}
	})
}

// A batch of one is the plain request, whether it is one by its size or by
// what there is.
func TestBulkSendsSingleRequests(t *testing.T) {
	for name, opts := range map[string]licensing.BulkOptions{"batch of one": {}, "BatchSize 1": {BatchSize: 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, okUser, okGroup, okLocation, reply(200, `{"id":"`+user(1)+`"}`))
				c := newClient(t, s)
				var results []licensing.OperationResult
				for _, op := range []licensing.Operation{
					assign(userID, add(skuA)),
					{Kind: licensing.OperationAssignGroup, Target: groupID, Request: add(skuA)},
					locate(userID, "DE"),
					{Kind: licensing.OperationReprocessUser, Target: user(1)},
				} {
					results = append(results, bulk(t, t.Context(), c, opts, op)...)
				}
				wantAllDone(t, results)
				all := s.requests()
				wantSent(t, all[0], "POST", "/users/"+userID+"/assignLicense", addsA)
				wantSent(t, all[1], "POST", "/groups/"+groupID+"/assignLicense", addsA)
				wantSent(t, all[2], "PATCH", "/users/"+userID, `{"usageLocation":"DE"}`)
				wantSent(t, all[3], "POST", "/users/"+user(1)+"/reprocessLicenseAssignment", "")
			})
		})
	}
}

func TestBulkRequestID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		id := uuid.New()
		s := newScript(t, items(okItem(1, userID), okItem(2, user(1))))
		bulk(t, licensing.ContextWithClientRequestID(t.Context(), id), newClient(t, s), licensing.BulkOptions{}, assign(userID, add(skuA)), assign(user(1), add(skuA)))
		if got := s.requests()[0].Header.Get("Client-Request-Id"); got != id.String() {
			t.Errorf("client-request-id is %q, want %v", got, id)
		}
	})
}

// The ids in an error are those that Graph's log has.
func TestBulkErrorHasTheIDsOfItsBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newScript(t, lost, items(item(1, 403, `{}`, "client-request-id", `"C"`, "REQUEST-id", `"I"`), item(2, 403, `{}`)))
		c := newClient(t, s, once, licensing.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		ops := []licensing.Operation{assign(userID, add(skuA)), assign(user(1), add(skuA))}
		results := append(bulk(t, t.Context(), c, licensing.BulkOptions{}, ops...), bulk(t, t.Context(), c, licensing.BulkOptions{}, ops...)...)
		first, second := s.requests()[0].Header.Get("Client-Request-Id"), s.requests()[1].Header.Get("Client-Request-Id")
		for i, want := range [][2]string{{"", first}, {"", first}, {"I", "C"}, {"R", second}} {
			e := asError(t, results[i].Err)
			if e.RequestID != want[0] || e.ClientRequestID != want[1] {
				t.Errorf("result %d has the ids %q and %q, want %q", i, e.RequestID, e.ClientRequestID, want)
			}
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		for i, line := range lines { // the batch, and its two operations
			if id := []string{first, second}[i/3%2]; !strings.Contains(line, "client-request-id="+id) {
				t.Errorf("line without the id %s: %s", id, line)
			}
		}
		if text := log.String(); len(lines) != 5 && len(lines) != 6 || strings.Contains(text, "secret-token") || strings.Contains(text, userID) || strings.Contains(text, user(1)) {
			t.Errorf("log:\n%s", text)
		}
	})
}

// The lines of a run's requests are told apart by the operation that each is for.
func TestBulkLogLinesHaveTheirOperation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		logger, out := lines(slog.LevelDebug)
		s := newScript(t,
			slowly(time.Second, items(okItem(2, user(1)), item(1, 503, `{}`), item(3, 404, `{}`))),
			slowly(2*time.Second, okUser),
			reply(204, ""), reply(200, `{"id":"`+user(3)+`","usageLocation":"DE"}`)) // a bare 204 is looked into
		c := newClient(t, s, licensing.WithLogger(logger))
		bulk(t, t.Context(), c, licensing.BulkOptions{Concurrency: 1}, assign(userID, add(skuA)), assign("nobody", licensing.AssignLicenseRequest{}), assign(user(1), add(skuA)), assign(user(2), add(skuA)))
		bulk(t, t.Context(), c, licensing.BulkOptions{}, locate(user(3), "DE"))
		var got []string
		for line := range strings.Lines(out.String()) {
			var told []string
			for _, part := range strings.Fields(line) {
				if name, _, _ := strings.Cut(part, "="); slices.Contains([]string{"method", "status", "attempt", "duration", "operation"}, name) {
					told = append(told, part)
				}
			}
			got = append(got, strings.Join(told, " "))
		}
		slices.Sort(got[1:4]) // who is heard first is chance
		same(t, "lines", got, []string{
			"method=POST status=200 attempt=1 duration=1s",
			"method=POST status=200 attempt=1 duration=1s operation=2",
			"method=POST status=404 attempt=1 duration=1s operation=3",
			"method=POST status=503 attempt=1 duration=1s operation=0",
			"method=POST status=200 attempt=2 duration=2s operation=0",
			"method=PATCH status=204 attempt=1 duration=0s operation=0",
			"method=GET status=200 attempt=1 duration=0s operation=0",
		})
	})
}

func TestBulkBatchSizes(t *testing.T) {
	for _, test := range []struct{ size, n, most int }{{0, 45, 20}, {20, 20, 20}, {7, 15, 7}, {1, 3, 0}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(test.n)
				f := &front{rest: graph}
				wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{BatchSize: test.size}, addsFor(test.n, skuA)...))
				sizes := shape(f.sent)
				if slices.Max(sizes) != test.most {
					t.Errorf("the batches have %v requests, want %d at the most", sizes, test.most)
				}
				if want := (test.n + max(test.most, 1) - 1) / max(test.most, 1); len(sizes) != want {
					t.Errorf("the batches have %v requests, want %d batches", sizes, want)
				}
				wantEffects(t, tenant, test.n)
			})
		})
	}
}

func TestBulkOptionsAreChecked(t *testing.T) {
	t.Parallel()
	none := func(func(licensing.Operation) bool) {}
	good := newClient(t, newScript(t))
	for want, run := range map[string]iter.Seq[licensing.OperationResult]{
		"Concurrency is -1, which is not between 0 and 100": good.Bulk(t.Context(), none, licensing.BulkOptions{Concurrency: -1}),
		"BatchSize is 21, which is not between 0 and 20":    good.Bulk(t.Context(), none, licensing.BulkOptions{BatchSize: 21}),
		"BatchSize is -1, which is not between 0 and 20":    good.Bulk(t.Context(), none, licensing.BulkOptions{BatchSize: -1}),
		"Total is negative":             good.Bulk(t.Context(), none, licensing.BulkOptions{Total: -1}),
		"StopAfterFailures is negative": good.Bulk(t.Context(), none, licensing.BulkOptions{StopAfterFailures: -1}),
		"operations is nil":             good.Bulk(t.Context(), nil, licensing.BulkOptions{}),
		"context is nil":                good.Bulk(nil, none, licensing.BulkOptions{}), //lint:ignore SA1012 this is what is tested
		"NewClient":                     (*licensing.Client)(nil).Bulk(t.Context(), none, licensing.BulkOptions{}),
		"newclient":                     new(licensing.Client).Bulk(t.Context(), none, licensing.BulkOptions{}),
	} {
		results := slices.Collect(run)
		if len(results) != 1 {
			t.Errorf("%s: got %v", want, results)
			continue
		}
		r := results[0]
		if r.Index != -1 || r.Done() || kinds(r.Err) != "InvalidArgument" || !strings.Contains(strings.ToLower(r.Err.Error()), strings.ToLower(want)) {
			t.Errorf("got %+v, want one that says %q", r, want)
		}
	}
	for range good.Bulk(t.Context(), none, licensing.BulkOptions{}) {
		t.Error("there is a result of nothing")
	}
}

func TestBulkInvalidOperations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, okUser)
		results := bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{},
			licensing.Operation{Kind: "assign"},
			assign("", add(skuA)),
			assign(userID, licensing.AssignLicenseRequest{}),
			locate(userID, "Germany"),
			licensing.Operation{Kind: licensing.OperationAssignGroup, Target: "a group", Request: add(skuA)},
			assign(userID, add(skuA)),
			licensing.Operation{Kind: licensing.OperationReprocessUser, Target: ".."},
			licensing.Operation{},
		)
		for i, want := range []string{"operation kind", "user", "AddLicenses", "countryCode", "groupID", "", "user", "operation kind"} {
			r := results[i]
			switch {
			case want == "":
				wantDone(t, r.User, r.Err)
			case !errors.Is(r.Err, licensing.ErrInvalidArgument) || !strings.Contains(r.Err.Error(), want) || r.Attempts != 0 || r.Done():
				t.Errorf("operation %d: %+v, want one that names %s", i, r, want)
			}
		}
		if kinds(results[2].Err) != "InvalidArgument NoChanges" {
			t.Errorf("an empty change is %v", results[2].Err)
		}
	})
}

// The answer to a write that cannot be read is no failure of the write.
func TestBulkUnreadableAnswerIsDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const odd = `{"id":"` + userID + `","assignedLicenses":[{"skuId":"skuId-value"}]}`
		s := newScript(t, items(item(1, 200, odd), item(2, 200, `{"assignedLicenses":5}`), item(3, 202, `{"assignedLicenses":5}`)))
		var last licensing.BulkProgress
		results := bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { last = p }, StopAfterFailures: 1},
			assign(userID, add(skuA)), assign(userUPN, add(skuA)), licensing.Operation{Kind: licensing.OperationAssignGroup, Target: groupID, Request: add(skuA)})
		for _, r := range results {
			if _, ok := errors.AsType[*licensing.DecodeError](r.Err); !ok || !r.Done() {
				t.Errorf("operation %d: done %v, %v", r.Index, r.Done(), r.Err)
			}
		}
		same(t, "users", []*licensing.User{results[0].User, results[1].User}, []*licensing.User{{ID: userID}, {UserPrincipalName: userUPN}})
		same(t, "group", results[2].Group, &licensing.Group{ID: groupID})
		if last.Done != 3 || last.Failed != 0 {
			t.Errorf("the progress ends with %+v", last)
		}
	})
}

// Two operations on one object never share a batch, and are made in order.
func TestF57_TwoOperationsOnOneObject(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 9})
		tenant.AddUser(licensingtest.User{ID: userID, UserPrincipalName: userUPN})
		tenant.AddUser(licensingtest.User{ID: user(1), UsageLocation: "US"})
		f := &front{rest: tenant.RoundTripper().RoundTrip}
		results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{},
			locate(userUPN, "DE"),
			assign("ADELE@contoso.EXAMPLE", add(skuA)),
			assign(user(1), add(skuA)),
			assign(userUPN, remove(skuA)),
			licensing.Operation{Kind: licensing.OperationReprocessUser, Target: "Adele@contoso.example"},
		)
		wantAllDone(t, results)
		same(t, "requests in batches", shape(f.sent), []int{2, 0, 0, 0})
		var effects []string
		for _, w := range tenant.Writes() {
			if w.Target == userID {
				effects = append(effects, fmt.Sprint(w.Action, len(w.Added), len(w.Removed)))
			}
		}
		same(t, "writes", effects, []string{"update0 0", "assignLicense1 0", "assignLicense0 1", "reprocessLicenseAssignment0 0"})
	})
}

// What holds one operation up does not change the order on its object, and
// holds up no other object.
func TestBulkKeepsTheOrderOnAnObject(t *testing.T) {
	tests := map[string]struct {
		first  step
		fenced bool
	}{
		"throttled":   {graphError(429, "TooManyRequests", "", "Retry-After", "9"), false},
		"in doubt":    {lost, false},
		"unavailable": {graphError(503, "", "", "Retry-After", "9"), false},
		"concurrent":  {concurrent, false},
		"stalled":     {silent, true},
		"504":         {gatewayTimeout, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(2)
				f := &front{steps: []step{test.first}, rest: graph}
				start := time.Now()
				results := bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{BatchSize: 1, Concurrency: 2},
					assign(user(0), add(skuA)), assign(user(0), remove(skuA)), assign(user(1), add(skuA)), assign(user(0), add(skuB)))
				wantAllDone(t, results)
				var order []string
				for _, w := range tenant.Writes() {
					if w.Target == user(0) {
						order = append(order, fmt.Sprint(len(w.Added), len(w.Removed)))
						if late := w.Time.Sub(start); test.fenced && len(order) == 2 && late < 2*time.Minute {
							t.Errorf("a different write came after %v, within the fence", late)
						}
					} else if late := w.Time.Sub(start); late > 15*time.Second {
						t.Errorf("the other user waited %v", late)
					}
				}
				same(t, "writes", order, []string{"1 0", "0 1", "1 0"})
			})
		})
	}
}

// The usage location counts some time after it was set. Assignments after it
// wait for that.
func TestBulkAwaitsUsageLocations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 9})
		tenant.SetUsageLocationLag(20 * time.Second)
		var ops []licensing.Operation
		for i := range 5 {
			tenant.AddUser(licensingtest.User{ID: user(i)})
			ops = append(ops, locate(user(i), "DE"), assign(user(i), add(skuA)))
		}
		wantAllDone(t, bulk(t, t.Context(), tenant.Client(), licensing.BulkOptions{}, ops...))
	})
}

// What a run has written is known to the methods that edit what they read.
func TestBulkWritesAreRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 9, Plans: []licensingtest.Plan{{ID: planA}, {ID: planB}}})
		tenant.AddUser(licensingtest.User{ID: userID, UsageLocation: "US"})
		tenant.SetReadLag(time.Minute)
		time.Sleep(time.Hour)
		c := tenant.Client()
		change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}}}
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, assign(userID, change)))
		if _, err := c.UpdateUserServicePlans(t.Context(), userID, sku.ID, licensing.ServicePlanChange{Disable: []uuid.UUID{planB}}); err != nil {
			t.Fatal(err)
		}
		u, _ := tenant.User(userID)
		if plans := u.Licenses[0].DisabledPlans; len(plans) != 2 {
			t.Errorf("the disabled plans are %v, want both", plans)
		}
	})
}

// An input may use its slices again for the next operation.
func TestBulkCopiesOperations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(3)
		skus := []uuid.UUID{skuA, skuB, skuC}
		input := func(yield func(licensing.Operation) bool) {
			change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{DisabledPlans: []uuid.UUID{}}}}
			for i, sku := range skus {
				change.AddLicenses[0].SKUID = sku
				if !yield(assign(user(i), change)) {
					return
				}
				change.AddLicenses[0].SKUID = uuid.Nil
			}
		}
		for r := range newClient(t, &front{rest: graph}).Bulk(t.Context(), input, licensing.BulkOptions{}) {
			if got := r.Operation.Request.AddLicenses[0].SKUID; r.Err != nil || got != skus[r.Index] {
				t.Errorf("result %d adds %v: %v", r.Index, got, r.Err)
			}
		}
		for i, sku := range skus {
			if u, _ := tenant.User(user(i)); len(u.Licenses) != 1 || u.Licenses[0].SKUID != sku {
				t.Errorf("user %d has %v", i, u.Licenses)
			}
		}
	})
}

// Results travel as JSON, and the kinds of their errors with them.
func TestBulkResultsTravel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, items(item(1, 400, `{"error":{"code":"Request_BadRequest","message":"`+notAssigned+`"}}`), item(2, 200, `{"id":"`+userID+`"}`)))
		for _, r := range bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{}, assign(user(1), remove(skuA)), assign(userID, add(skuA))) {
			line, err := json.Marshal(r)
			var back licensing.OperationResult
			if err != nil || json.Unmarshal(line, &back) != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if kinds(back.Err) != kinds(r.Err) || back.Done() != r.Done() || back.Attempts != 1 || r.Index == 0 && kinds(r.Err) != "NotAssigned" {
				t.Errorf("got %+v back from %+v", back, r)
			}
		}
	})
}

// An answer that cannot be read is one; what a token source could not read is
// none.
func TestDone(t *testing.T) {
	t.Parallel()
	unread := &licensing.DecodeError{Op: "assign user license"}
	failing := func(context.Context) (string, error) { return "", unread }
	_, err := tokenClient(t, failing, newScript(t)).AssignUserLicense(t.Context(), userID, add(skuA))
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, true}, {unread, true}, {fmt.Errorf("of a bot: %w", unread), true}, {err, false}, {errors.New("anything"), false},
	} {
		if got := (licensing.OperationResult{Err: test.err}).Done(); got != test.want {
			t.Errorf("with error %v done is %v", test.err, got)
		}
	}
}

// A sameAnswer answers batches with the same bytes, and nothing else at all.
type sameAnswer struct {
	status int
	body   []byte

	mu      sync.Mutex
	batches int
	alone   int
}

func (f *sameAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasSuffix(req.URL.Path, "/$batch") {
		f.alone++
		return nil, io.ErrUnexpectedEOF
	}
	f.batches++
	req.Body.Close()
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: f.status, Header: h, Body: io.NopCloser(bytes.NewReader(f.body)), ContentLength: int64(len(f.body))}, nil
}

// FuzzBatchAnswer has any bytes for the answer to a batch. Each operation gets
// one verdict, and is done only where there is a success with its id.
func FuzzBatchAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"responses":[{"id":"1","status":200,"body":{}},{"id":"2","status":204},{"id":"3","status":404,"body":{"error":{"code":"x"}}}]}`,
		`{"responses":null}`,
		`{"responses":[{"id":"2","status":200,"headers":{"RETRY-after":3,"x":[1]},"body":"e30="},{"id":"2","status":200},{"id":"01"},null,7]}`,
		`{"responses":[{"id":"1","status":302,"headers":{"location":"http://%zz"}},{"id":"2","status":429,"headers":{"Retry-After":1e9}},{"id":"4","status":1000}]}`,
		`{"error":{},"responses":[{"id":"1","status":200,"body":{}}]}`,
		`<html>`,
		``,
	} {
		f.Add([]byte(seed), 200, 3)
	}
	f.Add([]byte(`{"error":{"code":"BadRequest"}}`), 400, 5)
	f.Add([]byte(`{"error":{"code":"TooManyRequests"}}`), 429, 2)
	f.Fuzz(func(t *testing.T, body []byte, status, n int) {
		if n < 2 || n > 20 || status < 100 || status > 999 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			server := &sameAnswer{status: status, body: body}
			c, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithHTTPClient(&http.Client{Transport: server}), licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1}))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			input := func(yield func(licensing.Operation) bool) {
				for i := range n {
					yield(licensing.Operation{Kind: licensing.OperationReprocessUser, Target: "user" + strconv.Itoa(i)})
					synctest.Wait() // so that they are in order
				}
			}
			verdicts := make([]int, n)
			for r := range c.Bulk(ctx, input, licensing.BulkOptions{}) {
				verdicts[r.Index]++
				if r.Done() && (status/100 != 2 || !succeeds(body, r.Index+1)) {
					t.Errorf("operation %d is done by %q", r.Index, body)
				}
				if r.Done() != (r.User != nil) {
					t.Errorf("operation %d: done %v, user %v", r.Index, r.Done(), r.User)
				}
				if r.Err == nil && !r.Done() {
					t.Errorf("operation %d failed without an error", r.Index)
				}
			}
			if slices.ContainsFunc(verdicts, func(n int) bool { return n != 1 }) {
				t.Errorf("the operations have %v verdicts", verdicts)
			}
		})
	})
}

// succeeds reports whether an answer has a success with this id, as read in
// another way than by the package.
func succeeds(body []byte, id int) bool {
	var any struct {
		Responses []json.RawMessage
	}
	var loose struct{ Responses json.RawMessage }
	if json.Unmarshal(body, &any) != nil && json.Unmarshal(body, &loose) != nil {
		return false
	}
	for _, raw := range any.Responses {
		var item struct {
			ID     json.RawMessage
			Status json.Number
		}
		if json.Unmarshal(raw, &item) != nil {
			continue
		}
		var text string
		if status, err := item.Status.Int64(); err == nil && status/100 == 2 && json.Unmarshal(item.ID, &text) == nil && text == strconv.Itoa(id) {
			return true
		}
	}
	return false
}

// sixChanges takes each user through all that there is: a change that adds, one
// that exchanges, one that removes two, and others between them. Their effects
// have nothing in common.
func sixChanges(ids []string) iter.Seq[licensing.Operation] {
	changes := []licensing.Operation{
		{Kind: licensing.OperationAssignUser, Request: changes[0]},
		{Kind: licensing.OperationSetUsageLocation, UsageLocation: "DE"},
		{Kind: licensing.OperationAssignUser, Request: changes[1]},
		{Kind: licensing.OperationReprocessUser},
		{Kind: licensing.OperationAssignUser, Request: add(skuC)},
		{Kind: licensing.OperationAssignUser, Request: remove(skuB, skuC)},
	}
	return func(yield func(licensing.Operation) bool) {
		for _, op := range changes {
			for _, id := range ids {
				op.Target = id
				if !yield(op) {
					return
				}
			}
		}
	}
}

// The troubles that a byte of a script stands for, the first being none. New
// ones go to the end, or the corpus means something else.
var (
	scriptRequests = slices.Concat([]trouble{""}, requestTroubles, requestRefusals)
	scriptItems    = slices.Concat([]trouble{""}, itemTroubles, itemRefusals)
)

// writeScript is the script of a run by default options in which requests and
// items meet these troubles, in this order. Items are written with a dash.
func writeScript(troubles ...string) []byte {
	script := []byte{0, 0}
	for _, name := range troubles {
		list := scriptRequests
		if item, ok := strings.CutPrefix(name, "- "); ok {
			list, name = scriptItems, item
		}
		i := slices.Index(list, trouble(name))
		if i < 0 {
			panic("no such trouble: " + name)
		}
		script = append(script, byte(i))
	}
	return script
}

// obey makes a run that meets what a script says: a byte for the options, one
// for the moment at which the context ends, and then one for each request and
// each item, until all goes well.
func obey(t *testing.T, script []byte) (y tally) {
	byteAt := func(i int) int {
		if i < len(script) {
			return int(script[i])
		}
		return 0
	}
	options, end := byteAt(0), byteAt(1)
	opts := licensing.BulkOptions{Concurrency: 1 + options%3, BatchSize: []int{20, 1, 2, 3}[options/3%4]}
	attempts := []int{0, 1, 2, 3}[options/12%4]
	script = script[min(2, len(script)):]

	synctest.Test(t, func(t *testing.T) {
		tenant, ids := people(3)
		tenant.SetReadLag(time.Duration(options/48) * time.Second)
		way := &chaos{tenant: tenant.RoundTripper(), meet: func(item bool, _ string) trouble {
			if len(script) == 0 {
				return ""
			}
			list, n := scriptRequests, int(script[0])
			if item {
				list = scriptItems
			}
			script = script[1:]
			return list[n%len(list)]
		}}
		ctx := t.Context()
		if after := time.Duration(end*end) * 10 * time.Millisecond; end > 0 {
			var cancel context.CancelFunc
			if end%2 == 0 {
				ctx, cancel = context.WithTimeout(ctx, after) // which Bulk knows of beforehand
			} else {
				ctx, cancel = context.WithCancel(ctx)
				time.AfterFunc(after, cancel)
			}
			defer cancel()
		}
		q := newInquiry(tenant, way)
		client := newClient(t, way, policy(licensing.RetryPolicy{MaxAttempts: attempts}))
		seen := make(map[int]bool)
		for r := range client.Bulk(ctx, sixChanges(ids), opts) {
			if r.Index < 0 || seen[r.Index] {
				t.Errorf("a result of nothing, or a second one: %+v", r)
			}
			seen[r.Index] = true
			q.see(r)
		}
		if end == 0 && len(seen) != 6*len(ids) {
			t.Errorf("%d results for %d operations", len(seen), 6*len(ids))
		}
		time.Sleep(5 * time.Minute) // until all that was late has come
		y = q.conclude(ids)
		for e := range happenings(tenant) {
			if !q.took(e) {
				t.Errorf("%v happened, and there is no result of it", e)
			}
		}
	})
	return y
}

// took reports whether there is a report on the operation with an effect.
func (q *inquiry) took(e effect) bool {
	return slices.ContainsFunc(q.reports[e.user], func(r report) bool { return slices.Contains(effects(r.Operation), e) })
}

// Whatever the troubles are and in whatever order they come, no report is
// false, nothing happens twice, and nothing late undoes what came after it.
func FuzzFaultScript(f *testing.F) {
	for _, whole := range requestTroubles { // of the first batch, then of single requests
		f.Add(writeScript(string(whole)))
		f.Add(writeScript("500 after", string(whole), "silence, done late"))
	}
	for first := range slices.Chunk(itemTroubles, 3) { // one for each item of the first batch
		script := []string{""}
		for _, item := range first {
			script = append(script, "- "+string(item))
		}
		f.Add(writeScript(script...))
		f.Add(writeScript(append(script, "504, done late", "reset after", "409")...))
	}
	for _, refusal := range requestRefusals {
		f.Add(writeScript(string(refusal)))
		f.Add(writeScript("502 after", string(refusal)))
	}
	for _, refusal := range itemRefusals {
		f.Add(writeScript("", "- "+string(refusal), "- 503 after", "- missing after", string(refusal)))
	}
	f.Add(append([]byte{24, 12}, writeScript("silence", "", "- 500 after")[2:]...))                       // given up by the caller
	f.Add(append([]byte{15, 0}, writeScript("reset after", "504, done late", "500 after", "400")[2:]...)) // single requests, each once
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			t.Skip() // it says no more
		}
		if y := obey(t, script); y.wrong() {
			t.Errorf("%s\nscript: %v", strings.Join(y.why, "\n"), script)
		}
	})
}
