package licensingtest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// The times for 10,000 writes that clients are measured against each include a
// second for the way there and back.
func TestThrottleIdeal(t *testing.T) {
	t.Parallel()
	want := []struct {
		name    string
		seconds int
	}{
		{"Burst", 351}, {"Empty", 501}, {"BurstCostly", 351}, {"EmptyCostly", 501},
		{"FixedAdvice", 491}, {"NoAdvice", 491}, {"FixedWindow", 451}, {"Halved", 566},
		{"DocumentedCostly", 351}, {"TakenAway", 661},
	}
	models := licensingtest.ThrottleModels()
	if len(models) != len(want) {
		t.Fatalf("%d models, want %d", len(models), len(want))
	}
	for i, m := range models {
		const latency = time.Second
		got, time := (m.Throttle.Ideal(10_000) + latency).Round(time.Second), time.Duration(want[i].seconds)*time.Second
		if m.Name != want[i].name || got != time {
			t.Errorf("%s takes %v, want %s and %v", m.Name, got, want[i].name, time)
		}
	}

	if !licensingtest.ThrottleDocumented.Percentage {
		t.Error("the documented throttle does not tell how much of it is used")
	}
	for _, test := range []struct {
		name     string
		throttle licensingtest.Throttle
		writes   int
		want     time.Duration
	}{
		{"none", licensingtest.Throttle{}, 1_000_000, 0},
		{"no writes", licensingtest.ThrottleEmpty, 0, 0},
		{"one write", licensingtest.ThrottleEmpty, 1, 50 * time.Millisecond},
		{"documented", licensingtest.ThrottleDocumented, 10_000, 350 * time.Second},
		{"a window that is over", licensingtest.ThrottleFixedWindow, 3000, 0},
		{"the next window", licensingtest.ThrottleFixedWindow, 3001, 150 * time.Second},
		{"the narrowest of several", licensingtest.Throttle{
			Writes: licensingtest.Bucket{Size: 5, Rate: 1}, TenantWrites: licensingtest.Bucket{Size: 10, Rate: 10}, Units: licensingtest.Bucket{Size: 2, Rate: 2},
		}, 12, 7 * time.Second},
		{"an odd rate", licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1, Rate: 3, Empty: true}}, 1, 333_333_334},
	} {
		if got := test.throttle.Ideal(test.writes); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A throttled tenant is asked for many writes at once, at certain times after
// the start. Wanted are the time in seconds, how many writes are served and
// refused, and what the last refusal advises.
func TestThrottleTimes(t *testing.T) {
	t.Parallel()
	type bucket = licensingtest.Bucket
	tests := []struct {
		name     string
		throttle licensingtest.Throttle
		want     string
	}{
		{"none", licensingtest.Throttle{}, "0:40+0"},
		{"documented", licensingtest.ThrottleDocumented, "0:3000+1=1 0.05:1+1=1 10.05:200+1=1"},
		{"burst", licensingtest.ThrottleBurst, "0:3000+1=1 0.5:10+1=1"},
		{"empty", licensingtest.ThrottleEmpty, "0:0+1=1 0.04:0+1=1 0.05:1+1=1 60:200+1=1"},
		{"slow", licensingtest.Throttle{Writes: bucket{Size: 2, Rate: 1}}, "0:2+2=1 1.9:1+1=1 2:1+1=1 9:2+1=1"},
		{"costly burst", licensingtest.ThrottleBurstCostly, "0:3000+40=3 2.04:0+1=1 2.2:3+1=1"},
		{"costly empty", licensingtest.ThrottleEmptyCostly, "0:0+300=11 10:0+1=1 10.1:1+1=1"}, // owes 200, not 300
		{"fixed advice", licensingtest.ThrottleFixedAdvice, "0:200+1=10 9.95:199+1=10"},
		{"fixed advice, rounded up", licensingtest.Throttle{Writes: bucket{Size: 1, Rate: 1}, RetryAfter: 1100 * time.Millisecond}, "0:1+1=2"},
		{"no advice", licensingtest.ThrottleNoAdvice, "0:200+1= 1:20+1="},
		{"fixed window", licensingtest.ThrottleFixedWindow, "0:3000+1=150 149.5:0+1=1 150:30+0"},
		{"costly window", licensingtest.Throttle{Writes: bucket{Size: 2, Window: time.Minute}, RefusalsCost: true}, "10:2+3=50 60:2+1=60"},
		{"an empty window", licensingtest.Throttle{Writes: bucket{Size: 2, Window: time.Minute, Empty: true}}, "10:0+1=50 60:2+1=60"},
		{"taken away", licensingtest.ThrottleTakenAway, "0:200+1=5 100:200+1=5 150:0+1=5 190:0+1=5 191:20+1=5 300:200+1=5 390:0+1=5 400:200+1=5"},
		{"documented, costly", licensingtest.ThrottleDocumentedCostly, "0:3000+40=3 2.04:0+1=1 2.2:3+1=1"},
		{"halved", licensingtest.ThrottleHalved, "0:200+1=1 150:200+1=1 151:10+1=1 299:200+1=1 301:30+1=1 302:20+1=1"},
		{"others forever", licensingtest.Throttle{Writes: bucket{Size: 9, Rate: 4, Others: 3, OthersFrom: time.Second}}, "0:9+1=1 2:5+1=1 5:3+1=1"},
		{"others drain it", licensingtest.Throttle{Writes: bucket{Size: 8, Rate: 1, Others: 3, OthersFrom: 5 * time.Second, OthersUntil: 20 * time.Second}}, "5:8+1=16 15:0+1=6 21:1+1=1"},
		{"others leave something", licensingtest.Throttle{Writes: bucket{Size: 8, Rate: 1, Others: 3, OthersFrom: 5 * time.Second, OthersUntil: 20 * time.Second}}, "7:4+1=14"},
		{"others in a window", licensingtest.Throttle{Writes: bucket{Size: 8, Window: time.Minute, Others: 1}}, "5:3+1=55 65:3+1=55 118:0+1=2"},
		{"a debt that others do not add to", licensingtest.Throttle{Writes: bucket{Size: 4, Rate: 1, Others: 2, OthersUntil: 8 * time.Second}, RefusalsCost: true}, "2:2+1=8 7:0+1=4 12:2+1=2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tenant := newTenant()
				tenant.SetThrottle(test.throttle)
				start := time.Now()
				var got []string
				for line := range strings.SplitSeq(test.want, " ") {
					var at float64
					var served, refused int
					if _, err := fmt.Sscanf(line, "%g:%d+%d", &at, &served, &refused); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Until(start.Add(time.Duration(at * 1e9))))
					got = append(got, fmt.Sprint(at, ":", writes(t, tenant, served+refused)))
				}
				if got := strings.Join(got, " "); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
			})
		})
	}
}

// writes makes writes in batches, and tells how many were served and how many
// refused, with the last advice.
func writes(t *testing.T, tenant *licensingtest.Tenant, n int) string {
	t.Helper()
	served, refused, advice := 0, 0, ""
	for n > 0 {
		var items []string
		for range min(n, 20) {
			items = append(items, fmt.Sprintf(`{"id":"%d","method":"PATCH","url":"/users/%s","headers":{"Content-Type":"application/json"},"body":{"usageLocation":"DE"}}`, len(items), adele))
		}
		n -= len(items)
		for i, a := range sendBatch(t, tenant, items...) {
			switch a.Status {
			case 204:
				served++
			case 429:
				refused++
				if value, ok := a.Headers["Retry-After"]; ok && value == "" {
					t.Error("Retry-After is empty")
				}
				if i == 0 {
					advice = "=" + a.Headers["Retry-After"]
				}
			default:
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
	}
	return fmt.Sprint(served, "+", refused, advice)
}

func TestThrottleRefusal(t *testing.T) {
	t.Parallel()
	const (
		app    = "00000008-0000-4000-8000-000000000001"
		tenant = "00000000-0000-4000-8000-000000000001"
	)
	one := licensingtest.Bucket{Size: 1, Window: time.Minute}
	// The category and a body without ids: jsa2/AADAppAudit issue 9.
	tests := []struct {
		name                        string
		throttle                    licensingtest.Throttle
		identifier, category, scope string
		information                 string
	}{
		{"writes", licensingtest.Throttle{Writes: one}, app + "+" + tenant, "aadgraph.app.tenant_large", "Tenant_Application/Write", "WriteLimitExceeded"},
		{"writes of the tenant", licensingtest.Throttle{TenantWrites: one}, tenant, "aadgraph.tenant_large", "Tenant/Write", "WriteLimitExceeded"},
		{"resource units", licensingtest.Throttle{Units: one}, app + "+" + tenant, "aadgraph.app.tenant_large", "Tenant_Application/ReadWrite", "ResourceUnitLimitExceeded"},
		{"the longest wait", licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1, Rate: 1}, Units: one}, app + "+" + tenant, "aadgraph.app.tenant_large", "Tenant_Application/ReadWrite", "ResourceUnitLimitExceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tn := newTenant()
				tn.SetThrottle(test.throttle)
				assign(t, tn, "/users/"+adele, add(officeID))
				time.Sleep(500 * time.Millisecond)
				a := call(t, tn, "POST", "/users/"+adele+"/assignLicense", remove(officeID), "client-request-id: mine")
				wantJSON(t, a, 429, `{"error":{"code":"TooManyRequests",
					"message":"Too many requests from Identifier:`+test.identifier+` under category:`+test.category+`. Please try again later.",
					"innerError":{"date":"2000-01-01T00:00:00","request-id":"00000005-0000-4000-8000-000000000002","client-request-id":"mine"}}}`)
				for name, want := range map[string]string{
					"Retry-After":                    "60",
					"x-ms-throttle-scope":            test.scope + "/" + app + "/" + tenant,
					"x-ms-throttle-information":      test.information,
					"x-ms-throttle-limit-percentage": "",
					"x-ms-resource-unit":             "1",
				} {
					if got := a.header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				wantJSON(t, call(t, tn, "POST", "/users/"+adele+"/assignLicense", remove(officeID)), 429, `{"error":{"code":"TooManyRequests",
					"message":"Too many requests from Identifier:`+test.identifier+` under category:`+test.category+`. Please try again later.",
					"innerError":{"date":"2000-01-01T00:00:00"}}}`)
				if writes := tn.Writes(); len(writes) != 1 {
					t.Errorf("writes %+v", writes)
				}
			})
		})
	}
}

// What each operation costs, in writes of the application, writes of the
// tenant, and resource units.
func TestThrottleCosts(t *testing.T) {
	t.Parallel()
	post := func(path string) []string { return []string{"POST", path, add(officeID)} }
	get := func(path string) []string { return []string{"GET", path, ""} }
	tests := []struct {
		name    string
		request []string // method, path, body, headers
		fault   licensingtest.Fault
		status  int
		want    string
	}{
		{name: "assignLicense", request: post("/users/" + adele + "/assignLicense"), status: 200, want: "1 1 1"},
		{name: "of a group", request: post("/groups/" + salesID + "/assignLicense"), status: 202, want: "1 1 1"},
		{name: "reprocess", request: []string{"POST", "/users/" + adele + "/reprocessLicenseAssignment", ""}, status: 200, want: "1 1 1"},
		{name: "update", request: []string{"PATCH", "/users/" + adele, `{"usageLocation":"DE"}`}, status: 204, want: "1 1 1"},
		{name: "SKUs", request: get("/subscribedSkus"), status: 200, want: "0 0 3"},
		{name: "SKUs with $select", request: get("/subscribedSkus?$select=skuId"), status: 200, want: "0 0 2"},
		{name: "users", request: get("/users"), status: 200, want: "0 0 2"},
		{name: "few users with $select", request: get("/users?$top=19&$select=id"), status: 200, want: "0 0 1"},
		{name: "user", request: get("/users/" + adele), status: 200, want: "0 0 1"},
		{name: "refused write", request: post("/users/nobody/assignLicense"), status: 404, want: "1 1 1"},
		{name: "refused read", request: get("/subscribedSkus?$filter=x"), status: 400, want: "0 0 3"},
		{name: "bad query", request: get("/subscribedSkus?$top=x"), status: 400, want: "0 0 3"},
		{name: "bad path", request: get("/nothing"), status: 400, want: "0 0 1"},
		{name: "bad method", request: []string{"DELETE", "/subscribedSkus", ""}, status: 405, want: "1 1 1"},
		{name: "bad token", request: append(post("/users/"+adele+"/assignLicense"), "Authorization:"), status: 401, want: "0 0 0"},
		{name: "fault", request: post("/users/" + adele + "/assignLicense"), fault: licensingtest.Fault{Status: 503}, status: 503, want: "0 0 0"},
		{name: "fault after the effect", request: post("/users/" + adele + "/assignLicense"), fault: licensingtest.Fault{Status: 503, Apply: true}, status: 503, want: "1 1 1"},
		{name: "bad batch", request: post("/$batch"), status: 400, want: "0 0 0"},
		{name: "batch", request: []string{"POST", "/$batch", batch(getItem("1", "nobody"), getItem("2", adele, "1"))}, status: 200, want: "0 0 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// Each bucket fills up by one each second, so that the advice
				// tells what is missing for all of it.
				var got []string
				for i := range 3 {
					const size = 3
					var th licensingtest.Throttle
					*[]*licensingtest.Bucket{&th.Writes, &th.TenantWrites, &th.Units}[i] = licensingtest.Bucket{Size: size, Rate: 1}
					tenant := newTenant()
					tenant.SetThrottle(th)
					if test.fault.Status != 0 {
						tenant.Fail(test.fault)
					}
					if a := call(t, tenant, test.request[0], test.request[1], test.request[2], test.request[3:]...); a.status != test.status {
						t.Fatalf("%d %s", a.status, a.body)
					}
					left := 0
					for left <= size && call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"DE"}`).status != 429 {
						left++
					}
					got = append(got, fmt.Sprint(size-left))
				}
				if got := strings.Join(got, " "); got != test.want {
					t.Errorf("cost %s, want %s", got, test.want)
				}
			})
		})
	}
}

// A call that costs more than its bucket holds is served by a full one, which
// then owes the rest.
func TestThrottleSmallBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetThrottle(licensingtest.Throttle{Units: licensingtest.Bucket{Size: 2, Rate: 1}})
		if a := call(t, tenant, "GET", "/subscribedSkus", ""); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := call(t, tenant, "GET", "/subscribedSkus", ""); a.status != 429 || a.header.Get("Retry-After") != "3" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
}

func TestThrottlePercentage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetThrottle(licensingtest.Throttle{
			Writes:       licensingtest.Bucket{Size: 10, Window: time.Minute},
			TenantWrites: licensingtest.Bucket{Size: 100, Window: time.Minute},
			RefusalsCost: true,
			Percentage:   true,
		})
		var got []string
		for range 22 {
			a := call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"DE"}`)
			got = append(got, fmt.Sprint(a.status, " ", a.header.Get("x-ms-throttle-limit-percentage")))
		}
		want := "204 ,204 ,204 ,204 ,204 ,204 ,204 ,204 ,204 0.90,204 1.00," +
			"429 1.10,429 1.20,429 1.30,429 1.40,429 1.50,429 1.60,429 1.70,429 1.80,429 1.80,429 1.80,429 1.80,429 1.80"
		if got := strings.Join(got, ","); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if a := call(t, tenant, "GET", "/users/"+adele, ""); a.header["X-Ms-Throttle-Limit-Percentage"] != nil {
			t.Errorf("a read, which is not limited, has %v", a.header)
		}
		if a := call(t, tenant, "POST", "/users/nobody/assignLicense", add(officeID)); a.status != 429 || a.header.Get("x-ms-throttle-limit-percentage") == "" {
			t.Errorf("%d %v", a.status, a.header)
		}
	})
}

// Setting a throttle begins anew, and the zero one ends it.
func TestSetThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		th := licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 2, Window: time.Minute}}
		for i, want := range []string{"2+2=60", "2+2=60"} {
			tenant.SetThrottle(th)
			if got := writes(t, tenant, 4); got != want {
				t.Errorf("%d: %s, want %s", i, got, want)
			}
			time.Sleep(59 * time.Second)
		}
		tenant.SetThrottle(licensingtest.Throttle{})
		if got := writes(t, tenant, 4); got != "4+0" {
			t.Errorf("without a throttle: %s", got)
		}
	})
}

// However many ask at once, no more are served than there is.
func TestThrottleConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 50, Rate: 10}})
		var group sync.WaitGroup
		var mu sync.Mutex
		served := make(map[int]int)
		for range 8 {
			group.Go(func() {
				for range 10 {
					status := call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"DE"}`).status
					mu.Lock()
					served[status]++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if served[204] != 50 || served[429] != 30 {
			t.Errorf("served %v", served)
		}
	})
}

// A client that goes by the advice gets through.
func TestThrottleClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1, Window: time.Minute}})
		start := time.Now()
		for range 2 {
			if _, err := tenant.Client().ReprocessUserLicense(context.Background(), adele); err != nil {
				t.Error(err)
			}
		}
		var statuses []int
		for _, r := range tenant.Requests() {
			statuses = append(statuses, r.Status)
		}
		if took := time.Since(start); took < time.Minute || took > 2*time.Minute || fmt.Sprint(statuses) != "[200 429 200]" {
			t.Errorf("took %v, answers %v", took, statuses)
		}
	})
}

func BenchmarkIdeal(b *testing.B) {
	for b.Loop() {
		licensingtest.ThrottleDocumented.Ideal(10_000)
	}
}

func TestThrottleNonsense(t *testing.T) {
	t.Parallel()
	tests := []struct {
		bucket licensingtest.Bucket
		want   string
	}{
		{licensingtest.Bucket{Size: -1}, "with the number -1"},
		{licensingtest.Bucket{Size: 1, Rate: 1e9 + 1}, "with the number 1000000001"},
		{licensingtest.Bucket{Size: 1, Rate: 1, Others: -2}, "with the number -2"},
		{licensingtest.Bucket{Size: 1, Window: -1}, "with a negative time"},
		{licensingtest.Bucket{Size: 1, Rate: 1, OthersFrom: -1}, "with a negative time"},
		{licensingtest.Bucket{Size: 1, Rate: 1, OthersUntil: -1}, "with a negative time"},
		{licensingtest.Bucket{Rate: 1}, "without a Size"},
		{licensingtest.Bucket{Size: 1, Rate: 1, Window: 1}, "with both a Window and a Rate"},
		{licensingtest.Bucket{Size: 1}, "that runs dry forever"},
		{licensingtest.Bucket{Size: 1, Rate: 2, Others: 2}, "that runs dry forever"},
	}
	for _, test := range tests {
		for _, th := range []licensingtest.Throttle{{Writes: test.bucket}, {TenantWrites: test.bucket}, {Units: test.bucket}} {
			for caller, do := range map[string]func(){
				"SetThrottle": func() { newTenant().SetThrottle(th) },
				"Ideal":       func() { th.Ideal(0) },
			} {
				func() {
					defer func() {
						if got, want := recover(), "licensingtest: "+caller+": a bucket "+test.want; got != want {
							t.Errorf("%+v: panic %v, want %s", test.bucket, got, want)
						}
					}()
					do()
				}()
			}
		}
	}
}
