package licensingtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// exchange sends a request of adele's for office and returns the whole of what
// a client sees.
func exchange(t *testing.T, hc *http.Client, base string) (status int, header http.Header, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // reached only if something hangs that should not
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/v1.0/users/"+adele+"/assignLicense", strings.NewReader(add(officeID)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	req.Header.Set("Content-Type", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   licensingtest.Fault
		status  int    // zero for no answer
		logged  int    // what the log says
		body    string // how the body begins
		broken  bool   // the body breaks off
		applied bool
	}{
		{"nothing", licensingtest.Fault{}, 200, 200, `{"@odata.context"`, false, true},
		{"refused", licensingtest.Fault{Status: 429, Code: "TooManyRequests", Message: "Please retry again later."}, 429, 429, `{"error":{"code":"TooManyRequests","message":"Please retry again later."`, false, false},
		{"gateway", licensingtest.Fault{Status: 502, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}}}, 502, 502, "<html>", false, false},
		{"gateway after the effect", licensingtest.Fault{Status: 504, Apply: true}, 504, 504, "", false, true},
		{"no content", licensingtest.Fault{Status: 204}, 204, 204, "", false, false},
		{"dropped before the effect", licensingtest.Fault{Drop: true}, 0, 0, "", false, false},
		{"dropped after the effect", licensingtest.Fault{Drop: true, Apply: true}, 0, 0, "", false, true},
		{"odd status", licensingtest.Fault{Status: 999}, 999, 999, "", false, false},
		{"cut", licensingtest.Fault{Truncate: 10}, 200, 200, `{"@odata.c`, true, true},
		{"cut before the first byte", licensingtest.Fault{Truncate: -1}, 200, 200, "", true, true},
		{"cut after its end", licensingtest.Fault{Truncate: 1 << 20}, 200, 200, `{"@odata.context"`, false, true},
		{"halted after its end", licensingtest.Fault{Status: 503, Body: "unavailable", Truncate: 11, Hang: true}, 503, 503, "unavailable", false, false},
		{"cut without a body", licensingtest.Fault{Status: 503, Truncate: -1}, 503, 503, "", false, false},
		{"cut error", licensingtest.Fault{Status: 503, Body: "unavailable", Truncate: 2}, 503, 503, "un", true, false},
	}
	for _, test := range tests {
		for _, transport := range []string{"in memory", "over a socket"} {
			t.Run(test.name+" "+transport, func(t *testing.T) {
				t.Parallel()
				tenant := newTenant()
				tenant.Fail(test.fault)
				base, hc := "https://graph.microsoft.com", &http.Client{Transport: tenant.RoundTripper()}
				if transport == "over a socket" {
					server := httptest.NewServer(tenant)
					defer server.Close()
					base, hc = server.URL, server.Client()
				}
				status, header, body, err := exchange(t, hc, base)
				if status != test.status || (err != nil) != (test.broken || test.status == 0) {
					t.Fatalf("status %d, error %v; want status %d", status, err, test.status)
				}
				if !strings.HasPrefix(body, test.body) || test.broken && body != test.body {
					t.Errorf("body %q, want %q", body, test.body)
				}
				if test.broken && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("body breaks off with %v", err)
				}
				if status != 0 && header.Get("request-id") == "" {
					t.Errorf("headers %v", header)
				}
				if got := len(tenant.Writes()) == 1; got != test.applied {
					t.Errorf("applied: %t, want %t", got, test.applied)
				}
				if got := tenant.Requests(); len(got) != 1 || got[0].Status != test.logged {
					t.Errorf("log: %+v, want status %d", got, test.logged)
				}
				if status, _, body, err := exchange(t, hc, base); status != 200 || err != nil {
					t.Errorf("after the fault: %d %s, %v", status, body, err)
				}
			})
		}
	}
}

func TestDropInMemory(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{Drop: true, Hang: true})
	if _, err := tenant.RoundTripper().RoundTrip(newRequest(t, "GET", "/me", "")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a connection reset", err)
	}
}

func TestFaultHeader(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"in memory", "over a socket"} {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Times: 2, Header: http.Header{"content-type": nil, "Date": nil, "x-ms-throttle-limit-percentage": {"0.9"}}})
		base, hc := "https://graph.microsoft.com", &http.Client{Transport: tenant.RoundTripper()}
		if transport == "over a socket" {
			server := httptest.NewServer(tenant)
			defer server.Close()
			base, hc = server.URL, server.Client()
		}
		status, header, _, err := exchange(t, hc, base)
		if status != 200 || err != nil {
			t.Fatalf("%s: %d, %v", transport, status, err)
		}
		if got := header.Get("X-Ms-Throttle-Limit-Percentage"); got != "0.9" {
			t.Errorf("%s: added header %q", transport, got)
		}
		if header["Content-Type"] != nil || header["Date"] != nil {
			t.Errorf("%s: headers %v, want no Content-Type and no Date", transport, header)
		}
	}
}

// A gateway quotes the token of the request, of a batch for its items.
func TestFaultQuotesTheToken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		fault         licensingtest.Fault
		authorization string
		body, header  string
	}{
		{"in the body", licensingtest.Fault{Status: 401, Body: `{"a":"{token}","b":"{token}"}`}, "bearer a.b-c", `{"a":"a.b-c","b":"a.b-c"}`, ""},
		{"in the message", licensingtest.Fault{Status: 401, Code: "Bad", Message: "{token} has expired."}, "Bearer a.b-c", `"message":"a.b-c has expired."`, ""},
		{"in a header", licensingtest.Fault{Header: http.Header{"X-Token": {"{token}", "<{token}>"}}}, "Bearer a.b-c", "@odata.context", "a.b-c, <a.b-c>"},
		{"in a header of another's answer", licensingtest.Fault{Swap: true, Header: http.Header{"X-Token": {"{token}"}}}, "Bearer a.b-c", "@odata.context", "a.b-c"},
	}
	for _, test := range tests {
		for _, items := range []bool{false, true} {
			tenant := newTenant()
			test.fault.Items = items
			tenant.Fail(test.fault)
			var body, header string
			if items {
				item := strings.Replace(getItem("2", adele), "{", `{"headers":{"Authorization":"Bearer another"},`, 1)
				a := call(t, tenant, "POST", "/$batch", batch(item, getItem("1", adele)), "Authorization: "+test.authorization)
				var got struct{ Responses []itemAnswer }
				if err := json.Unmarshal([]byte(a.body), &got); err != nil {
					t.Fatalf("%s: %s", test.name, a.body)
				}
				body, header = string(got.Responses[1].Body), got.Responses[1].Headers["X-Token"]
			} else {
				a := call(t, tenant, "GET", "/users/"+adele, "", "Authorization: "+test.authorization)
				body, header = a.body, strings.Join(a.header["X-Token"], ", ")
			}
			if !strings.Contains(body, test.body) || header != test.header {
				t.Errorf("%s, items: %t: %q %s, want %q and %s", test.name, items, header, body, test.header, test.body)
			}
		}
	}

	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{Status: 401, Body: "<{token}>"})
	if a := call(t, tenant, "GET", "/users/"+adele, "", "Authorization: Basic YTpi"); a.body != "<>" {
		t.Errorf("%q for a request without a bearer token", a.body)
	}
}

func TestFaultsInTurn(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{Skip: 1, Times: 2, Status: 503, Match: func(r *http.Request) bool { return r.Method == "POST" }})
	tenant.Fail(licensingtest.Fault{Status: 429})
	tenant.Fail(licensingtest.Fault{Times: -1, Status: 500, Match: func(r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		return strings.Contains(string(body), basicID.String())
	}})
	var got []int
	for _, step := range []struct{ method, path, body string }{
		{"GET", "/users/" + adele, ""},                                // second
		{"POST", "/users/" + adele + "/assignLicense", add(officeID)}, // skipped by the first
		{"POST", "/users/" + adele + "/assignLicense", add(basicID)},  // first
		{"GET", "/users/" + adele, ""},
		{"POST", "/users/" + adele + "/assignLicense", add(basicID)}, // first
		{"POST", "/users/" + adele + "/assignLicense", add(basicID)}, // third
		{"POST", "/users/" + adele + "/assignLicense", add(basicID)}, // third
	} {
		got = append(got, call(t, tenant, step.method, step.path, step.body).status)
	}
	want := []int{429, 200, 503, 200, 503, 500, 500}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("statuses %v, want %v", got, want)
		}
	}
}

// An outage begins and ends by the time, for items as for whole requests.
func TestOutage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault licensingtest.Fault
		want  string // a mark for each half second from the call of Fail: F for the fault
	}{
		{"all its time", licensingtest.Fault{After: time.Second, For: 2 * time.Second}, "..FFFF.."},
		{"from now on", licensingtest.Fault{For: time.Second}, "FF......"},
		{"without end", licensingtest.Fault{After: 3 * time.Second, Times: -1}, "......FF"},
		{"once, without end", licensingtest.Fault{After: 3 * time.Second}, "......F."},
		{"some of its time", licensingtest.Fault{After: time.Second, For: 2 * time.Second, Skip: 1, Times: 2}, "...FF..."},
		{"less than its number", licensingtest.Fault{For: time.Second, Skip: 1, Times: 5}, ".F......"},
	}
	for _, test := range tests {
		for _, items := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				tenant := newTenant()
				start := time.Now()
				test.fault.Items, test.fault.Status = items, 503
				test.fault.Match = func(*http.Request) bool {
					if at := time.Since(start); at < test.fault.After || test.fault.For > 0 && at >= test.fault.After+test.fault.For {
						t.Errorf("%s: asked about a request after %v", test.name, at)
					}
					return true
				}
				tenant.Fail(test.fault)
				var got string
				for range test.want {
					status := 0
					if items {
						status = sendBatch(t, tenant, getItem("1", adele))[0].Status
					} else {
						status = call(t, tenant, "GET", "/users/"+adele, "").status
					}
					if status == 503 {
						got += "F"
					} else {
						got += "."
					}
					time.Sleep(500 * time.Millisecond)
				}
				if got != test.want {
					t.Errorf("%s, items: %t: got %s, want %s", test.name, items, got, test.want)
				}
			})
		}
	}
}

// A Match function may make requests of its own.
func TestMatchAsks(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // reached only if it may not
	defer cancel()
	tenant.Fail(licensingtest.Fault{Status: 503, Match: func(r *http.Request) bool {
		if r.Method != "POST" {
			return false
		}
		tenant.Fail(licensingtest.Fault{Status: 429, Match: func(r *http.Request) bool { return r.Method == "GET" }})
		resp, err := tenant.RoundTripper().RoundTrip(newRequest(t, "GET", "/users/"+adele, "").WithContext(ctx))
		return err == nil && resp.StatusCode == 429
	}})
	if a := call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID)); a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// However many are matched at once, no more are skipped and no more meet the
// fault than it says.
func TestMatchWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Skip: 3, Times: 2, Status: 503, Match: func(*http.Request) bool {
			time.Sleep(time.Second)
			return true
		}})
		start := time.Now()
		statuses := make(chan int, 8)
		for range cap(statuses) {
			go func() { statuses <- call(t, tenant, "GET", "/users/"+adele, "").status }()
		}
		count := make(map[int]int)
		for range cap(statuses) {
			count[<-statuses]++
		}
		if took := time.Since(start); took != time.Second || count[503] != 2 || count[200] != 6 {
			t.Errorf("after %v: %v, want 2 of 503 and 6 of 200", took, count)
		}
		if a := call(t, tenant, "GET", "/users/"+adele, ""); a.status != 200 || time.Since(start) != time.Second {
			t.Errorf("the fault is still there after %v: %d", time.Since(start), a.status)
		}
	})
}

func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Delay: 3 * time.Second, DelayAnswer: 4 * time.Second})
		start := time.Now()
		assign(t, tenant, "/users/"+adele, add(officeID))
		if got := time.Since(start); got != 7*time.Second {
			t.Errorf("answered after %s, want 7s", got)
		}
		if got := tenant.Writes()[0].Time.Sub(start); got != 3*time.Second {
			t.Errorf("applied after %s, want 3s", got)
		}
	})
}

func TestEffectAfterTheClientGaveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Delay: 40 * time.Second})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req := newRequest(t, "POST", "/users/"+adele+"/assignLicense", add(officeID)).WithContext(ctx)
		if _, err := tenant.RoundTripper().RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline", err)
		}
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("gave up after %s, want 30s", got)
		}
		wantRows(t, tenant, adele, "")
		time.Sleep(20 * time.Second)
		wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active")
		if got := tenant.Writes()[0].Time.Sub(start); got != 40*time.Second {
			t.Errorf("applied after %s, want 40s", got)
		}
	})
}

// What is late is carried out when it is due, whatever became of its answer and
// however late the tenant is asked.
func TestLate(t *testing.T) {
	t.Parallel()
	faults := []licensingtest.Fault{
		{Status: 500}, {Status: 503}, {Status: 408}, {Status: 200}, {Drop: true}, {Hang: true}, {Status: 503, Truncate: -1},
		{Items: true, Status: 503}, {Items: true, Drop: true},
	}
	for _, fault := range faults {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			item := ""
			req := newRequest(t, "POST", "/users/"+adele+"/assignLicense", add(officeID))
			if fault.Items {
				item = "1"
				req = newRequest(t, "POST", "/$batch", batch(assignItem(item, adele)))
			}
			fault.Delay, fault.DelayAnswer, fault.Late = 2*time.Second, time.Second, 10*time.Second
			tenant.Fail(fault)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
			defer cancel()
			resp, err := tenant.RoundTripper().RoundTrip(req.WithContext(ctx))
			if err == nil {
				resp.Body.Close()
			}
			if lost := !fault.Items && fault.Status == 0; lost != (err != nil) || !fault.Items && err == nil && resp.StatusCode != fault.Status {
				t.Errorf("%+v: %v, %v", fault, resp, err)
			}
			if took := time.Since(start); !fault.Hang && took != 3*time.Second {
				t.Errorf("%+v: took %v, want 3s", fault, took)
			}
			time.Sleep(time.Until(start.Add(12*time.Second - 1)))
			wantRows(t, tenant, adele, "")
			time.Sleep(time.Hour)
			wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active")
			if u, _ := tenant.User(adele); u.States[0].Updated.Sub(start) != 12*time.Second {
				t.Errorf("%+v: updated after %v, want 12s", fault, u.States[0].Updated.Sub(start))
			}
			writes := tenant.Writes()
			if len(writes) != 1 || writes[0].Time.Sub(start) != 12*time.Second || writes[0].Item != item || writes[0].RequestID != tenant.Requests()[0].RequestID {
				t.Errorf("%+v: writes %+v", fault, writes)
			}
		})
	}
}

// Every kind of write has the time at which it was due.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	for _, w := range []struct{ method, path, body string }{
		{"POST", "/users/" + adele + "/assignLicense", add(officeID)},
		{"POST", "/groups/" + salesID + "/assignLicense", add(officeID)},
		{"POST", "/users/" + adele + "/reprocessLicenseAssignment", ""},
		{"PATCH", "/users/" + adele, `{"usageLocation":"DE"}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			tenant.Fail(licensingtest.Fault{Status: 503, Late: time.Minute})
			start := time.Now()
			call(t, tenant, w.method, w.path, w.body)
			time.Sleep(time.Hour)
			if got := tenant.Writes(); len(got) != 1 || got[0].Time.Sub(start) != time.Minute {
				t.Errorf("%s: writes %+v, want one after 1m", w.path, got)
			}
		})
	}
}

// What is due is made up for in the order in which it was due, the processing of
// groups as well: of three who need the last seat, the first gets it.
func TestLateInOrder(t *testing.T) {
	t.Parallel()
	const alex, chris = "alex@contoso.example", "chris@contoso.example"
	for _, test := range []struct {
		adele, alex time.Duration // of writes
		chris       time.Duration // of processing
		seated      string
	}{
		{30 * time.Second, 40 * time.Second, 35 * time.Second, adele},
		{30 * time.Second, 20 * time.Second, 25 * time.Second, alex},
		{30 * time.Second, 40 * time.Second, 20 * time.Second, chris},
		{30 * time.Second, 30 * time.Second, 40 * time.Second, adele},
	} {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			tenant.SetSeats(officeID, 1)
			for _, name := range []string{alex, chris} {
				tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "US"})
			}
			tenant.AddMember(salesID, chris)
			tenant.ProcessAfter(test.chris)
			assign(t, tenant, "/groups/"+salesID, add(officeID))
			tenant.Fail(licensingtest.Fault{Status: 503, Late: test.adele})
			tenant.Fail(licensingtest.Fault{Status: 503, Late: test.alex})
			call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID))
			call(t, tenant, "POST", "/users/"+alex+"/assignLicense", add(officeID))
			time.Sleep(time.Hour)
			for name, want := range map[string]string{
				adele: "ENTERPRISEPACK direct Active", alex: "ENTERPRISEPACK direct Active", chris: "ENTERPRISEPACK Sales Active",
			} {
				if got := rows(t, tenant, name); (got == want) != (name == test.seated) {
					t.Errorf("%+v: %s has %q", test, name, got)
				}
			}
		})
	}
}

// What is late finds the tenant as it is then, and pays nothing.
func TestLateFindsTheTenantAsItIs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before func(*licensingtest.Tenant)
		after  func(*licensingtest.Tenant)
		writes int
	}{
		{"a seat is bought", func(tn *licensingtest.Tenant) { tn.SetSeats(officeID, 0) }, func(tn *licensingtest.Tenant) { tn.SetSeats(officeID, 1) }, 1},
		{"the seats are gone", func(*licensingtest.Tenant) {}, func(tn *licensingtest.Tenant) { tn.SetSeats(officeID, 0) }, 0},
		{"the token is old", func(*licensingtest.Tenant) {}, func(tn *licensingtest.Tenant) { tn.RequireToken("another") }, 0},
		{"nothing may be written", func(tn *licensingtest.Tenant) {
			tn.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1, Empty: true, Window: time.Hour}})
		}, func(*licensingtest.Tenant) {}, 1},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			test.before(tenant)
			tenant.Fail(licensingtest.Fault{Status: 503, Late: time.Minute})
			call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID))
			time.Sleep(time.Minute - 1)
			test.after(tenant)
			time.Sleep(time.Minute)
			if got := tenant.Writes(); len(got) != test.writes {
				t.Errorf("%s: writes %+v, want %d", test.name, got, test.writes)
			}
		})
	}
}

// The items of a batch that is late depend on each other as always, and meet no
// faults.
func TestLateBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Status: 500})
		item := func(id, user, dependsOn string) string {
			return strings.Replace(assignItem(id, user), `{`, `{"dependsOn":[`+dependsOn+`],`, 1)
		}
		start := time.Now()
		for _, body := range []string{
			batch(item("1", "nobody", ""), item("2", adele, `"1"`)),
			batch(item("3", adele, ""), item("4", adele, `"3"`)),
			batch(assignItem("5", adele), `{"id":"6"}`),
		} {
			tenant.Fail(licensingtest.Fault{Status: 503, Late: time.Minute})
			if a := call(t, tenant, "POST", "/$batch", body); a.status != 503 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		time.Sleep(time.Hour)
		var got string
		for _, w := range tenant.Writes() {
			got += w.Item
			if w.Time.Sub(start) != time.Minute || w.Request != 1 {
				t.Errorf("write %+v", w)
			}
		}
		if got != "34" {
			t.Errorf("writes of the items %q, want 34", got)
		}
	})
}

func TestSwap(t *testing.T) {
	t.Parallel()
	const alex = "alex@contoso.example"
	get := func(user string) []string {
		return []string{"GET", "/users/" + user + "?$select=userPrincipalName", ""}
	}
	assignment := []string{"POST", "/users/" + adele + "/assignLicense", add(officeID)}
	batched := []string{"POST", "/$batch", batch(getItem("1", adele))}
	tests := []struct {
		name   string
		before [][]string
		swap   []string
		status int
		body   string // a part of it
	}{
		{"nothing before", nil, get(alex), 200, alex},
		{"a read", [][]string{get(adele)}, get(alex), 200, adele},
		{"the last of two", [][]string{get(adele), get("nobody")}, get(alex), 404, "nobody"},
		{"the same path", [][]string{get(alex)}, []string{"GET", "/users/" + alex, ""}, 200, `"jobTitle"`},
		{"the same path last", [][]string{get("nobody"), get(adele), get(alex), get(alex)}, get(alex), 200, adele},
		{"a batch before", [][]string{get(adele), batched}, get(alex), 200, adele},
		{"only a batch before", [][]string{batched}, get(alex), 200, alex},
		{"a batch", [][]string{get(adele)}, batched, 200, adele},
		{"a write", [][]string{get("nobody")}, assignment, 404, "nobody"},
		{"after a write", [][]string{assignment}, get("nobody"), 200, adeleID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			tenant.AddUser(licensingtest.User{UserPrincipalName: alex})
			for _, r := range test.before {
				call(t, tenant, r[0], r[1], r[2])
			}
			tenant.Fail(licensingtest.Fault{Swap: true, Header: http.Header{"X-Via": {"gateway"}}})
			a := call(t, tenant, test.swap[0], test.swap[1], test.swap[2])
			if a.status != test.status || !strings.Contains(a.body, test.body) || a.header.Get("X-Via") != "gateway" {
				t.Errorf("got %d %s, want %d with %s", a.status, a.body, test.status, test.body)
			}
			requests := tenant.Requests()
			if got := requests[len(requests)-1].Status; got != test.status {
				t.Errorf("log: status %d, want %d", got, test.status)
			}
			if got := len(tenant.Writes()) == 1; got != strings.Contains(test.name, "write") {
				t.Errorf("applied: %t", got)
			}
		})
	}
}

// What is sent to a request by mistake is the other's answer as it was, and is
// not taken for an answer to that request.
func TestSwapTwice(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	first := call(t, tenant, "GET", "/users/"+adele, "")
	want := first.header.Get("request-id")
	first.header.Set("request-id", "changed by the client")
	for range 2 {
		tenant.Fail(licensingtest.Fault{Swap: true})
		a := call(t, tenant, "GET", "/users/nobody", "")
		if got := a.header.Get("request-id"); a.status != 200 || got != want {
			t.Errorf("%d of request %q, want that of %q", a.status, got, want)
		}
		a.header.Set("request-id", "changed by the client")
	}
	tenant.Fail(licensingtest.Fault{Drop: true})
	tenant.RoundTripper().RoundTrip(newRequest(t, "GET", "/me", ""))
	tenant.Fail(licensingtest.Fault{Swap: true})
	if a := call(t, tenant, "GET", "/users/"+adele, ""); a.status != 404 {
		t.Errorf("%d %s, want the answer to the request for nobody", a.status, a.body)
	}
}

func TestSwapItems(t *testing.T) {
	t.Parallel()
	items := []string{
		getItem("1", adele),
		getItem("2", "nobody"),
		`{"id":"3","method":"GET","url":"/me"}`,
		`{"id":"4","method":"get","url":"/users"}`,
	}
	tests := []struct {
		name   string
		faults []licensingtest.Fault
		items  []string
		want   string
	}{
		{"none", nil, items, "4:405 3:400 2:404 1:200"},
		{"of requests only", []licensingtest.Fault{{Swap: true}}, items, "4:405 3:400 2:404 1:200"},
		{"the first", []licensingtest.Fault{{Items: true, Swap: true}}, items, "4:405 3:400 2:200 1:404"},
		{"the second", []licensingtest.Fault{{Items: true, Swap: true, Skip: 1}}, items, "4:405 3:404 2:400 1:200"},
		{"the last", []licensingtest.Fault{{Items: true, Swap: true, Skip: 3}}, items, "4:400 3:405 2:404 1:200"},
		{"all", []licensingtest.Fault{{Items: true, Swap: true, Times: -1}}, items, "4:400 3:405 2:200 1:404"},
		{"all of three", []licensingtest.Fault{{Items: true, Swap: true, Times: -1}}, items[:3], "3:200 2:400 1:404"},
		{"both of two", []licensingtest.Fault{{Items: true, Swap: true, Times: -1}}, items[:2], "2:200 1:404"},
		{"the only one", []licensingtest.Fault{{Items: true, Swap: true}}, items[:1], "1:200"},
		{"the next is dropped", []licensingtest.Fault{{Items: true, Swap: true}, {Items: true, Drop: true}}, items[:3], "3:400 2:200"},
		{"the next is refused", []licensingtest.Fault{{Items: true, Swap: true}, {Items: true, Status: 503}}, items[:3], "3:400 2:200 1:503"},
		{"what others depend on", []licensingtest.Fault{{Items: true, Swap: true}}, []string{getItem("1", "nobody"), getItem("2", adele), getItem("3", adele, "1")}, "3:424 2:404 1:200"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			for _, f := range test.faults {
				tenant.Fail(f)
			}
			if got := statuses(sendBatch(t, tenant, test.items...)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// The whole of an answer goes to the other item, and the fault's own headers to
// the item that meets it.
func TestSwapItemsWhole(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{Items: true, Swap: true, Header: http.Header{"X-Via": {"gateway"}}})
	tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Body: `{"n":2}`, Header: http.Header{"Retry-After": {"7"}}})
	a := sendBatch(t, tenant, `{"id":"1","method":"PATCH","url":"/users/`+adele+`","headers":{"Content-Type":"application/json"},"body":{"usageLocation":"DE"}}`, getItem("2", adele))
	if one := a[1]; one.Status != 429 || string(one.Body) != `{"n":2}` || one.Headers["Retry-After"] != "7" || one.Headers["X-Via"] != "gateway" {
		t.Errorf("item 1: %+v", one)
	}
	if two := a[0]; two.Status != 204 || two.Body != nil || two.Headers["Retry-After"] != "" || two.Headers["X-Via"] != "" {
		t.Errorf("item 2: %+v", two)
	}
	if got := tenant.Writes(); len(got) != 1 || got[0].Item != "1" {
		t.Errorf("writes %+v, want that of item 1", got)
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("tired")
		for _, fault := range []licensingtest.Fault{
			{Hang: true},
			{Hang: true, Apply: true},
			{Hang: true, Truncate: 5},
			{Hang: true, Truncate: -1},
		} {
			tenant := newTenant()
			tenant.Fail(fault)
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, cause)
			start := time.Now()
			resp, err := tenant.RoundTripper().RoundTrip(newRequest(t, "POST", "/users/"+adele+"/assignLicense", add(officeID)).WithContext(ctx))
			if fault.Truncate != 0 {
				if err != nil {
					t.Fatal(err)
				}
				var body []byte
				if body, err = io.ReadAll(resp.Body); len(body) != max(0, fault.Truncate) {
					t.Errorf("%+v: body %q", fault, body)
				}
			}
			if !errors.Is(err, cause) || time.Since(start) != time.Minute {
				t.Errorf("%+v: %v after %s", fault, err, time.Since(start))
			}
			if got, want := len(tenant.Writes()) == 1, fault.Apply || fault.Truncate != 0; got != want {
				t.Errorf("%+v: applied: %t", fault, got)
			}
			cancel()
		}
	})
}

func TestHangingBodyIsClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Hang: true, Truncate: -1})
		resp, err := tenant.RoundTripper().RoundTrip(newRequest(t, "GET", "/users/"+adele, ""))
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() { _, err := resp.Body.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		resp.Body.Close()
		resp.Body.Close()
		if err := <-read; err == nil {
			t.Error("read from a closed body")
		}
	})
}

func TestHangOverSocket(t *testing.T) {
	t.Parallel()
	for _, truncate := range []int{0, 5} {
		tenant := newTenant()
		arrived := make(chan struct{})
		tenant.Fail(licensingtest.Fault{Hang: true, Truncate: truncate, Match: func(*http.Request) bool {
			close(arrived)
			return true
		}})
		server := httptest.NewServer(tenant)
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1.0/users/"+adele, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer secret")
		if truncate == 0 {
			go func() {
				<-arrived
				cancel()
			}()
			if _, err := server.Client().Do(req); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want cancellation", err)
			}
		} else {
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			head := make([]byte, 5)
			if _, err := io.ReadFull(resp.Body, head); err != nil || string(head) != `{"@od` {
				t.Errorf("%q, %v", head, err)
			}
			cancel()
			resp.Body.Close()
		}
		cancel()
		server.Close()
	}
}

func TestRoundTripper(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	body := &trackedBody{Reader: strings.NewReader(add(officeID))}
	req := newRequest(t, "POST", "/users/"+adele+"/assignLicense", add(officeID))
	req.Body = body
	resp, err := tenant.RoundTripper().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if !body.closed {
		t.Error("the request's body is not closed")
	}
	if resp.Request != req || resp.Status != "200 OK" || resp.Proto != "HTTP/1.1" || resp.ProtoMajor != 1 || resp.ProtoMinor != 1 || resp.ContentLength != int64(len(text)) {
		t.Errorf("response %+v with a body of %d bytes", resp, len(text))
	}

	broken := &trackedBody{Reader: io.MultiReader(strings.NewReader("{"), errReader{})}
	req.Body = broken
	if _, err := tenant.RoundTripper().RoundTrip(req); !errors.Is(err, errBroken) || !broken.closed {
		t.Errorf("error %v, body closed: %t", err, broken.closed)
	}

	if got := len(tenant.Requests()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	req = newRequest(t, "GET", "/users/"+adele, "")
	req.Body = nil
	if resp, err := tenant.RoundTripper().RoundTrip(req); err != nil || resp.StatusCode != 200 {
		t.Errorf("without a body: %v, %v", resp, err)
	}
}

// A request that was given up before it is sent never comes in.
func TestRoundTripAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := tenant.RoundTripper().RoundTrip(newRequest(t, "GET", "/users/"+adele, "").WithContext(ctx)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want cancellation", err)
		}
		synctest.Wait()
		if got := len(tenant.Requests()); got != 0 {
			t.Errorf("%d requests, want none", got)
		}
	})
}

func TestBrokenRequestBody(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("panic %v, want http.ErrAbortHandler", got)
		}
		if got := len(tenant.Requests()); got != 0 {
			t.Errorf("%d requests, want none", got)
		}
	}()
	req := newRequest(t, "POST", "/users/"+adele+"/assignLicense", "")
	req.Body = io.NopCloser(errReader{})
	tenant.ServeHTTP(httptest.NewRecorder(), req)
}

type trackedBody struct {
	io.Reader
	closed bool
}

func (b *trackedBody) Close() error {
	b.closed = true
	return nil
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }
