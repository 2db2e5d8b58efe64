package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// lateFaults are the ways in which a request is given up that is carried out all
// the same, later, and how much later that may be.
func lateFaults() map[string]struct {
	fault licensingtest.Fault
	fence time.Duration
} {
	type late = struct {
		fault licensingtest.Fault
		fence time.Duration
	}
	all := map[string]late{
		"reset":   {licensingtest.Fault{Drop: true}, 30 * time.Second},
		"silence": {licensingtest.Fault{Hang: true}, time.Minute + 2*time.Minute},
	}
	for _, status := range []int{408, 504} {
		all[fmt.Sprint(status)] = late{licensingtest.Fault{Status: status}, 2 * time.Minute}
	}
	for _, status := range []int{302, 425, 500, 502, 503, 507, 599} {
		all[fmt.Sprint(status)] = late{licensingtest.Fault{Status: status}, 30 * time.Second}
	}
	all["a portal"] = late{licensingtest.Fault{Status: 200, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, 30 * time.Second}
	all["a stranger"] = late{licensingtest.Fault{Status: 200, Body: `{"id":"77777777-7777-4777-8777-777777777777"}`}, 30 * time.Second}
	return all
}

// Whatever leaves a doubt keeps different writes back for as long as it may still
// be carried out: it lands last in that time, and undoes nothing.
func TestLateLandingsUndoNothing(t *testing.T) {
	for name, late := range lateFaults() {
		for by, twice := range map[string]func(context.Context, *licensing.Client, string, ...licensing.AssignLicenseRequest) []error{
			"calls": func(ctx context.Context, c *licensing.Client, id string, changes ...licensing.AssignLicenseRequest) (errs []error) {
				for _, change := range changes {
					_, err := c.AssignUserLicense(ctx, id, change)
					errs = append(errs, err)
				}
				return errs
			},
			"a run": func(ctx context.Context, c *licensing.Client, id string, changes ...licensing.AssignLicenseRequest) (errs []error) {
				var ops []licensing.Operation
				for _, change := range changes {
					ops = append(ops, assign(id, change))
				}
				for r := range c.Bulk(ctx, slices.Values(ops), licensing.BulkOptions{}) {
					errs = append(errs, r.Err)
				}
				return errs
			},
		} {
			t.Run(name+", "+by, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					tenant, graph := crowd(1)
					fault := late.fault
					fault.Late = late.fence - time.Second
					tenant.Fail(fault)
					start := time.Now()
					for _, err := range twice(t.Context(), newClient(t, graph), user(0), add(skuA), remove(skuA)) {
						if err != nil {
							t.Error(err)
						}
					}
					if took := time.Since(start); took < late.fence || took > late.fence+10*time.Second {
						t.Errorf("the second write was made after %v, want %v", took, late.fence)
					}
					time.Sleep(10 * time.Minute)
					if u, _ := tenant.User(user(0)); len(u.Licenses) != 0 {
						t.Error("added, removed, and there again")
					}
				})
			})
		}
	}
}

// A refusal of the change says nothing about an earlier request that may still be
// carried out. A call cannot wait for that; a run can, and says what became of it.
func TestARefusalSettlesNothingBeforeTheFence(t *testing.T) {
	for name, landsAt := range map[string]time.Duration{"lands": 20 * time.Second, "never lands": 0} {
		prepare := func(t *testing.T) (*licensingtest.Tenant, *licensing.Client) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 0})
			tenant.AddUser(licensingtest.User{ID: user(0), UsageLocation: "US"})
			fault := licensingtest.Fault{Status: 503}
			if landsAt > 0 {
				fault.Late = landsAt
				time.AfterFunc(landsAt/2, func() { tenant.SetSeats(skuA, 1) })
			}
			tenant.Fail(fault)
			return tenant, newClient(t, tenant.RoundTripper())
		}
		t.Run(name+", call", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, client := prepare(t)
				_, err := client.AssignUserLicense(t.Context(), user(0), add(skuA))
				wantFailed(t, err, 400, 2, licensing.ErrNoAvailableLicenses, licensing.ErrOutcomeUnknown)
				time.Sleep(time.Minute)
				if u, _ := tenant.User(user(0)); len(u.Licenses) != int(min(landsAt, 1)) {
					t.Errorf("the user has %v", u.Licenses)
				}
			})
		})
		t.Run(name+", run", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, client := prepare(t)
				results := bulk(t, t.Context(), client, licensing.BulkOptions{}, assign(user(0), add(skuA)))
				u, _ := tenant.User(user(0))
				if landsAt > 0 {
					wantAllDone(t, results)
				} else {
					wantFailed(t, results[0].Err, 400, 3, licensing.ErrNoAvailableLicenses)
				}
				if len(u.Licenses) != int(min(landsAt, 1)) {
					t.Errorf("the user has %v", u.Licenses)
				}
			})
		})
	}
}

// What is at rest for a fence holds no place in the window of a run.
func TestFencesHoldNobodyElseBack(t *testing.T) {
	const users, share = 3000, 50 // two operations each, one request of 50 in doubt
	took := make(map[bool]time.Duration)
	for _, fenced := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			tenant, graph := crowd(users)
			tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 200, Rate: 20}})
			met := make(map[string]bool)
			tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Status: 504, Apply: true, Match: func(req *http.Request) bool {
				var n int
				fmt.Sscanf(strings.TrimSuffix(req.URL.Path, "/assignLicense")[len(req.URL.Path)-len("/assignLicense")-12:], "%d", &n)
				first := !met[req.URL.Path]
				met[req.URL.Path] = true
				return first && n%(share/2) == 0 // the first operation of one user of 25
			}})
			p := licensing.RetryPolicy{}
			if !fenced {
				p.Fence = -1
			}
			var ops []licensing.Operation
			for i := range users {
				ops = append(ops, assign(user(i), add(skuA)), assign(user(i), add(skuB)))
			}
			start := time.Now()
			client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
				time.Sleep(300 * time.Millisecond)
				return graph(req)
			}), policy(p))
			wantAllDone(t, bulk(t, t.Context(), client, licensing.BulkOptions{Concurrency: 1, BatchSize: 10}, ops...)) // a small window
			took[fenced] = time.Since(start)
		})
	}
	t.Logf("%v with fences, %v without", took[true], took[false])
	// The last fence of all is waited for.
	if longer := took[true] - 2*time.Minute; longer > took[false]*103/100 {
		t.Errorf("%v with fences, %v without", took[true], took[false])
	}
}

// An answer about somebody else is doubt. Asked for by name, a person may have
// another one: two answers with one id are about that person.
func TestAnswersAboutSomebodyElse(t *testing.T) {
	const adele, bob, other = "adele@contoso.example", `{"id":"22222222-2222-4222-8222-222222222222","userPrincipalName":"bob@contoso.example"}`,
		`{"id":"33333333-3333-4333-8333-333333333333","userPrincipalName":"carol@contoso.example"}`
	own := `{"id":"` + userID + `","userPrincipalName":"ADELE@contoso.example"}`
	for name, test := range map[string]struct {
		answers []step
		id      string // "" is a failure
	}{
		"her own":              {[]step{reply(200, own)}, userID},
		"without a name":       {[]step{reply(200, `{"id":"`+userID+`"}`)}, userID},
		"swapped once":         {[]step{reply(200, bob), reply(200, own)}, userID},
		"renamed":              {[]step{reply(200, bob), reply(200, bob)}, "22222222-2222-4222-8222-222222222222"},
		"always another":       {[]step{reply(200, bob), reply(200, other), reply(200, bob), reply(200, other), reply(200, bob)}, ""},
		"a name without an id": {times(5, reply(200, `{"@odata.context":"x","userPrincipalName":"bob@contoso.example"}`)), ""},
	} {
		for asked, ask := range map[string]func(context.Context, *licensing.Client) (*licensing.User, error){
			"write": func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
				return c.AssignUserLicense(ctx, adele, add(skuA))
			},
			"read": func(ctx context.Context, c *licensing.Client) (*licensing.User, error) { return c.User(ctx, adele) },
		} {
			t.Run(name+", "+asked, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					got, err := ask(t.Context(), newClient(t, newScript(t, test.answers...)))
					switch {
					case test.id != "" && (err != nil || got.ID != test.id):
						t.Errorf("got %+v, %v", got, err)
					case test.id == "" && err == nil:
						t.Errorf("got %+v", got)
					case test.id == "" && (!errors.Is(err, licensing.ErrUnavailable) || errors.Is(err, licensing.ErrOutcomeUnknown) != (asked == "write")):
						t.Error(err)
					}
				})
			})
		}
	}
	t.Run("in a batch", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 10})
			var ops []licensing.Operation
			for _, name := range []string{adele, "bob@contoso.example", "carol@contoso.example"} {
				tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "US"})
				ops = append(ops, assign(name, add(skuA)))
			}
			tenant.Fail(licensingtest.Fault{Items: true, Swap: true})
			for _, r := range bulk(t, t.Context(), newClient(t, tenant.RoundTripper()), licensing.BulkOptions{}, ops...) {
				if !r.Done() || r.User.UserPrincipalName != r.Operation.Target {
					t.Errorf("%s is answered with %+v, %v", r.Operation.Target, r.User, r.Err)
				}
			}
		})
	})
}

// A success needs a sign that it is Graph's. What was missing is in the error.
func TestAnythingInJSONIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		header []string
	}{
		{200, `{"status":"blocked","message":"sign in at http://portal/"}`, []string{"request-id", "r"}},
		{200, `{"success":true}`, nil},
		{200, `{}`, []string{"request-id", "r"}},
		{200, `{"id":null}`, nil},
		{200, `{"displayName":"Guest"}`, nil},
		{200, `{"value":[]}`, nil},
		{203, `{}`, nil}, {205, `{}`, nil}, {204, "", []string{"request-id", "r"}}, {204, "", nil},
	} {
		for asked, ask := range map[string]func(*licensing.Client) error{
			"write": waysTo("a write"), "read": waysTo("a read"),
			"me": func(c *licensing.Client) error { _, err := c.ReprocessMyLicense(t.Context()); return err },
			"group": func(c *licensing.Client) error {
				_, err := c.AssignGroupLicense(t.Context(), groupID, add(skuA))
				return err
			},
		} {
			err := ask(newClient(t, reply(test.status, test.body, test.header...), once))
			if err == nil || !strings.Contains(err.Error(), "not an answer from Microsoft Graph: no ") || !errors.Is(err, licensing.ErrUnavailable) {
				t.Errorf("%s: %d %s: %v", asked, test.status, test.body, err)
			}
		}
	}
}

// A null is no error, and a name in another case is the same name: neither is a
// reason to send a change again, by itself or in a batch.
func TestNullsAndCasesAreNoDoubt(t *testing.T) {
	var fixture struct{ Body json.RawMessage }
	if err := json.Unmarshal([]byte(readFile(t, "testdata/answer-error-null.json")), &fixture); err != nil {
		t.Fatal(err)
	}
	var user struct{ ID string }
	if err := json.Unmarshal(fixture.Body, &user); err != nil {
		t.Fatal(err)
	}
	id := `"` + user.ID + `"`
	long := `,"displayName":"` + strings.Repeat("x", 100_000) + `"`
	for _, body := range []string{
		string(fixture.Body),
		`{"Error":null,"id":` + id + `}`,
		`{"id":` + id + `,"ID":` + id + `}`,
		`{"id":null,"ID":` + id + `}`,
		`{"ID":` + id + `,"id":null,"error":null}`,
		`{"ID":` + id + `,"id":null` + long + `}`,
		`{"id":` + id + `,"Id":null` + long + `}`,
		`{"AssignedLicenses":[],"error":null}`,
		`{"@OData.Context":"x","error":null}`,
	} {
		t.Run(body[:min(len(body), 80)], func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, reply(200, body))
				if got, err := newClient(t, s).AssignUserLicense(t.Context(), user.ID, add(skuA)); err != nil || got.ID != user.ID {
					t.Errorf("got %+v, %v", got, err)
				}
				for _, responses := range []string{"responses", "Responses"} {
					one := `"status":200,"body":` + body + `}`
					other := strings.ReplaceAll(one, user.ID, userID)
					s = newScript(t, reply(200, `{"`+responses+`":[{"id":"1",`+one+`,{"id":"2",`+other+`]}`))
					ops := []licensing.Operation{assign(user.ID, add(skuA)), assign(userID, add(skuA))}
					for _, r := range bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{}, ops...) {
						if !r.Done() || r.User.ID != r.Operation.Target {
							t.Errorf("in a batch: got %+v, %v", r.User, r.Err)
						}
					}
				}
			})
		})
	}
	s := newScript(t, reply(200, `{"Value":[`+strings.Repeat(`{"ID":"a"},`, 999)+`{"Id":"a"}]}`))
	if ids, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{})); err != nil || len(ids) != 1000 {
		t.Errorf("got %d users, %v", len(ids), err)
	}
}

func waysTo(way string) func(*licensing.Client) error {
	return func(c *licensing.Client) error { return waysToAsk[way](context.Background(), c) }
}

// A 204 answers a PATCH if a header says that it is Graph's. Else the location is
// read.
func TestABare204(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		done  bool
	}{
		"Graph's":             {[]step{okLocation}, true},
		"Graph's, by another": {[]step{reply(204, "", "x-ms-ags-diagnostic", "{}")}, true},
		"anybody's, and set":  {[]step{reply(204, ""), reply(200, `{"id":"`+userID+`","usageLocation":"DE"}`)}, true},
		"anybody's, not set":  {[]step{reply(204, ""), reply(200, `{"id":"`+userID+`","usageLocation":"US"}`)}, false},
		"anybody's, no read":  {[]step{reply(204, ""), forbidden}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				err := newClient(t, newScript(t, test.steps...)).SetUsageLocation(t.Context(), userID, "DE")
				if (err == nil) != test.done || err != nil && !errors.Is(err, licensing.ErrOutcomeUnknown) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// A mark of the byte order is no part of the JSON behind it.
func TestAMarkBeforeJSON(t *testing.T) {
	t.Parallel()
	const mark = "\xef\xbb\xbf"
	body := mark + `{"error":{"code":"Request_BadRequest","message":"Subscription with SKU x does not have any available licenses."}}`
	_, err := newClient(t, reply(400, body)).AssignUserLicense(t.Context(), userID, add(skuA))
	if e := asError(t, err); !errors.Is(err, licensing.ErrNoAvailableLicenses) || string(e.Body) != body {
		t.Errorf("got %v, %q", err, e.Body)
	}
	if user, err := newClient(t, reply(200, mark+`{"id":"`+userID+`","displayName":"Adele"}`)).User(t.Context(), userID); err != nil || user.DisplayName != "Adele" {
		t.Errorf("got %+v, %v", user, err)
	}
}

// Edits go by what the client wrote, whatever the clocks of Graph say.
func TestEditsGoByWhatWasWritten(t *testing.T) {
	for name, behind := range map[string]time.Duration{"right": 0, "behind": -10 * time.Second, "ahead": 10 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				s := tenant.AddSKU(licensingtest.SKU{Seats: 1, Plans: make([]licensingtest.Plan, 8)})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: s.ID}}})
				tenant.SetReadLag(3 * time.Second)
				graph := tenant.RoundTripper()
				client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
					resp, err := graph.RoundTrip(req)
					if err == nil {
						resp.Header.Set("Date", time.Now().Add(behind).UTC().Format(http.TimeFormat))
					}
					return resp, err
				}))
				for _, p := range s.Plans {
					if _, err := client.UpdateUserServicePlans(t.Context(), u.ID, s.ID, licensing.ServicePlanChange{Disable: []uuid.UUID{p.ID}}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				if got, _ := tenant.User(u.ID); len(got.Licenses[0].DisabledPlans) != 8 {
					t.Errorf("8 plans were switched off one after the other; %d are", len(got.Licenses[0].DisabledPlans))
				}
			})
		})
	}
}

// One advice, however long, does not stop a client for good.
func TestNoAdviceIsForEver(t *testing.T) {
	for name, header := range map[string]http.Header{
		"a year":       {"Retry-After": {"31536000"}},
		"without end":  {"Retry-After": {"1e300"}},
		"an old clock": {"Retry-After": {"Fri, 02 Jan 2099 03:04:05 GMT"}, "Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}},
	} {
		for status, code := range map[int]string{429: "TooManyRequests", 503: "serviceNotAvailable"} {
			t.Run(fmt.Sprint(name, ", ", status), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					tenant, graph := crowd(500)
					tenant.Fail(licensingtest.Fault{Items: true, Status: status, Code: code, Message: "x", Header: header, Times: 20})
					client := newClient(t, graph)
					for range client.Bulk(t.Context(), slices.Values(addsFor(100, skuA)), licensing.BulkOptions{}) {
					}
					time.Sleep(time.Hour)
					wantAllDone(t, bulk(t, t.Context(), client, licensing.BulkOptions{}, slices.Collect(func(yield func(licensing.Operation) bool) {
						for i := range 400 {
							if !yield(assign(user(100+i), add(skuA))) {
								return
							}
						}
					})...))
				})
			})
		}
	}
}

// Runs of one client take turns: a small one beside large ones is soon through, and
// of equal ones none is far ahead.
func TestRunsTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const large, each, small = 4, 1500, 20
		tenant, graph := crowd(large*each + 5*small)
		tenant.SetThrottle(licensingtest.ThrottleEmpty)
		client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
			time.Sleep(700 * time.Millisecond)
			return graph(req)
		}))
		ops := addsFor(large*each+5*small, skuA)
		ended := make(chan time.Time, large)
		for k := range large {
			go func() {
				for r := range client.Bulk(t.Context(), slices.Values(ops[k*each:(k+1)*each]), licensing.BulkOptions{}) {
					if !r.Done() {
						t.Error(r.Err)
					}
				}
				ended <- time.Now()
			}()
		}
		var took []time.Duration
		for i := range small {
			time.Sleep(10 * time.Second)
			start := time.Now()
			wantAllDone(t, bulk(t, t.Context(), client, licensing.BulkOptions{}, ops[large*each+5*i:large*each+5*i+5]...))
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		t.Logf("5 operations took %v to %v", took[0], took[small-1])
		if p90 := took[small*9/10-1]; p90 > 10*time.Second {
			t.Errorf("5 operations took %v (p90)", p90)
		}
		first := <-ended
		for range large - 2 {
			<-ended
		}
		if last := <-ended; last.Sub(first) > 30*time.Second {
			t.Errorf("the last was through %v after the first", last.Sub(first))
		}
	})
}

// Of a batch whose answers were exchanged no refusal counts: it may be another's.
func TestARefusalInAMixedBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 9})
		tenant.AddSKU(licensingtest.SKU{ID: skuB, Seats: 0})
		for i := range 3 {
			tenant.AddUser(licensingtest.User{ID: user(i), UsageLocation: "US"})
		}
		tenant.Fail(licensingtest.Fault{Items: true, Swap: true})
		results := bulk(t, t.Context(), newClient(t, tenant.RoundTripper()), licensing.BulkOptions{},
			assign(user(0), add(skuA)), assign(user(1), add(skuB)), assign(user(2), add(skuA)))
		for _, i := range []int{0, 2} {
			if !results[i].Done() || results[i].User.ID != user(i) {
				t.Errorf("got %+v, %v", results[i].User, results[i].Err)
			}
		}
		if e := asError(t, results[1].Err); !errors.Is(e, licensing.ErrNoAvailableLicenses) || errors.Is(e, licensing.ErrOutcomeUnknown) {
			t.Error(e)
		}
	})
}

// What is settled stays settled: a doubt does not get lost while a run waits for the
// fence, and is not waited for without an end.
func TestDoubtOverAFence(t *testing.T) {
	noSeat := badRequest("Subscription with SKU x does not have any available licenses.")
	t.Run("a swap that was made", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			swap := licensing.AssignLicenseRequest{AddLicenses: add(skuB).AddLicenses, RemoveLicenses: []uuid.UUID{skuA}}
			s := newScript(t, unavailable, noSeat, badRequest(notAssigned), reply(200, `{"id":"`+user(0)+`"}`))
			wantAllDone(t, bulk(t, t.Context(), newClient(t, s), licensing.BulkOptions{}, assign(user(0), swap)))
		})
	})
	t.Run("without an end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			n := 0
			results := bulk(t, t.Context(), newClient(t, step(func(req *http.Request) (*http.Response, error) {
				if n++; n%2 == 1 {
					return graphError(500, "", "")(req)
				}
				return noSeat(req)
			})), licensing.BulkOptions{}, assign(user(0), add(skuA)))
			wantFailed(t, results[0].Err, 400, 10, licensing.ErrNoAvailableLicenses, licensing.ErrOutcomeUnknown)
		})
	})
	t.Run("a panic on the way", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newScript(t, unavailable, func(*http.Request) (*http.Response, error) { panic("broken") }, okUser)
			client := newClient(t, s)
			func() {
				defer func() { recover() }()
				client.AssignUserLicense(t.Context(), userID, add(skuA))
			}()
			start := time.Now()
			user, err := client.AssignUserLicense(t.Context(), userID, remove(skuA))
			wantDone(t, user, err)
			if took := time.Since(start); took != 2*time.Minute {
				t.Errorf("the next write was made after %v", took)
			}
		})
	})
}

// The same change asked for again, while a request of the call before may still land:
// a refusal is no proof that it will not be made.
func TestTheSameAgainWhileItMayLand(t *testing.T) {
	for name, test := range map[string]struct {
		pause time.Duration
		kinds string
	}{
		"at once":          {0, "OutcomeUnknown NoAvailableLicenses"},
		"after the fence":  {3 * time.Minute, "NoAvailableLicenses"},
		"by Bulk, at once": {-1, "NoAvailableLicenses"}, // which asks again when it can no longer land
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				sku := tenant.AddSKU(licensingtest.SKU{Seats: 0})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
				tenant.Fail(licensingtest.Fault{Drop: true, Late: time.Hour})
				client := tenant.Client()
				change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}}
				if _, err := client.AssignUserLicense(t.Context(), u.ID, change); kinds(err) != "OutcomeUnknown NoAvailableLicenses" {
					t.Fatalf("got %v", err)
				}
				start := time.Now()
				var err error
				if test.pause < 0 {
					op := licensing.Operation{Kind: licensing.OperationAssignUser, Target: u.ID, Request: change}
					for r := range client.Bulk(t.Context(), slices.Values([]licensing.Operation{op}), licensing.BulkOptions{}) {
						err = r.Err
					}
					if time.Since(start) < 20*time.Second {
						t.Errorf("it took %v", time.Since(start))
					}
				} else {
					time.Sleep(test.pause)
					_, err = client.AssignUserLicense(t.Context(), u.ID, change)
				}
				if kinds(err) != test.kinds {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
