package plans

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// full has the tests measure all of it, and print the tables:
//
//	go test -v ./plans -args -full   # two minutes
var full = flag.Bool("full", false, "measure plans of all sizes, under all quotas")

const (
	latency = 100 * time.Millisecond // of a request
	plans   = 60                     // of the SKU that everybody is to get
)

// A slow tenant takes its time with each request, and counts them.
type slow struct {
	http.RoundTripper
	requests atomic.Int64
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	s.requests.Add(1)
	time.Sleep(latency / 2) // and as long for the way back
	defer time.Sleep(latency / 2)
	return s.RoundTripper.RoundTrip(req)
}

// newTenant returns a tenant with people without licenses, and a large SKU.
func newTenant(people int) (*licensingtest.Tenant, uuid.UUID) {
	tenant := licensingtest.NewTenant()
	sku := licensingtest.SKU{PartNumber: "LARGE", Seats: people}
	for i := range plans {
		sku.Plans = append(sku.Plans, licensingtest.Plan{Name: fmt.Sprintf("SERVICE_PLAN_OF_SOME_LENGTH_%d", i)})
	}
	for i := range people {
		tenant.AddUser(licensingtest.User{UserPrincipalName: name(i), UsageLocation: "DE"})
	}
	return tenant, tenant.AddSKU(sku).ID
}

func name(i int) string { return fmt.Sprintf("u%d@contoso.example", i) }

// goals are for every so many-th of some people.
func goals(people, every int, sku uuid.UUID) func(yield func(reconcile.Goal) bool) {
	return func(yield func(reconcile.Goal) bool) {
		for i := 0; i < people; i += every {
			if !yield(reconcile.Goal{Target: name(i), Licenses: []reconcile.License{{SKUID: sku}}, Ref: fmt.Sprint("line ", i)}) {
				return
			}
		}
	}
}

// A cost is what a plan takes.
type cost struct {
	requests, refused int64
	took              time.Duration
}

// String is a cell of the table.
func (c cost) String() string {
	s := fmt.Sprintf("%d requests, %.1f s", c.requests, c.took.Seconds())
	if c.refused > 0 {
		s += fmt.Sprintf(", %d reads refused", c.refused)
	}
	return s
}

// measure plans for some of a tenant's people, and checks that each has a change.
func measure(t *testing.T, people, wanted int, throttle licensingtest.Throttle) (c cost) {
	synctest.Test(t, func(t *testing.T) {
		tenant, sku := newTenant(people)
		tenant.SetThrottle(throttle)
		transport := &slow{RoundTripper: tenant.RoundTripper()}
		var refused atomic.Int64
		client := tenant.Client(licensing.WithHTTPClient(&http.Client{Transport: transport}),
			licensing.WithObserver(func(_ context.Context, a licensing.Attempt) { refused.Add(int64(a.Throttled)) }))
		start := time.Now()
		set, err := reconcile.Plan(t.Context(), client, goals(people, people/wanted, sku), reconcile.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c = cost{transport.requests.Load(), refused.Load(), time.Since(start)}
		if len(set.Changes) != wanted || set.Unchanged+len(set.Problems) != 0 {
			t.Errorf("%d changes, %d unchanged, problems %v", len(set.Changes), set.Unchanged, set.Problems)
		}
	})
	return c
}

// fewest is how many requests a plan needs at least: one for the SKUs, and batches of
// 20 people or pages of 999, whichever are fewer.
func fewest(people, wanted int) int {
	return 1 + min((wanted+19)/20, (people+998)/999)
}

// The quotas that the table has.
var quotas = []struct {
	name     string
	throttle licensingtest.Throttle
}{
	{"documented quota, unused", licensingtest.ThrottleDocumented},
	{"documented quota, used up at the start", usedUp(licensingtest.ThrottleDocumented)},
	{"no quota", licensingtest.Throttle{}},
}

func usedUp(throttle licensingtest.Throttle) licensingtest.Throttle {
	throttle.Units.Empty = true
	return throttle
}

// TestRequests measures plans in tenants of several sizes, and in its short form the
// first under the documented quota. A plan for 10,000 may make a tenth more requests
// than it needs, and a smaller one as well unless the quota is used up, which makes
// batches smaller. With few requests, the one for the number of users and a last batch
// in two parts are more than a tenth.
func TestRequests(t *testing.T) {
	sizes := []struct{ people, goals int }{{10_000, 10_000}, {100_000, 10_000}, {100_000, 1_000}, {100_000, 100}}
	quotas := quotas
	if !*full {
		sizes, quotas = sizes[:1], quotas[:1]
	}
	table := "\n| people | goals | fewest requests |"
	for _, quota := range quotas {
		table += " " + quota.name + " |"
	}
	table += "\n|--:|--:|--:|" + strings.Repeat("---|", len(quotas)) + "\n"
	for _, size := range sizes {
		least := fewest(size.people, size.goals)
		table += fmt.Sprintf("| %d | %d | %d |", size.people, size.goals, least)
		for _, quota := range quotas {
			c := measure(t, size.people, size.goals, quota.throttle)
			most := max(1.1*float64(least), float64(least+2))
			if bound := size.goals == 10_000 || !quota.throttle.Units.Empty; bound && float64(c.requests) > most || c.refused > 0 {
				t.Errorf("%d people, %d goals, %s: %v, and %d are enough", size.people, size.goals, quota.name, c, least)
			}
			table += fmt.Sprintf(" %v |", c)
		}
		table += "\n"
	}
	t.Log(table)
}

// TestMemory measures the heap that a plan for everybody takes, its goals and its
// result included: 200 MiB are enough for 100,000. In its short form it has 2,000.
func TestMemory(t *testing.T) {
	people, limit := 2_000, uint64(4)
	if *full {
		people, limit = 100_000, 200
	}
	tenant, sku := newTenant(people)
	client := tenant.Client()
	start := heap()
	most := start
	set, err := reconcile.Plan(t.Context(), client, goals(people, 1, sku), reconcile.PlanOptions{Progress: func(done int) {
		if done%(people/4) == 0 && done > 0 {
			most = max(most, heap())
		}
	}})
	if err != nil || len(set.Changes) != people {
		t.Fatalf("%v", err)
	}
	end := heap()
	most = max(most, end)
	runtime.KeepAlive(set)
	runtime.KeepAlive(tenant)
	const mib = 1 << 20
	if most-start > limit*mib {
		t.Errorf("more than %d MiB", limit)
	}
	t.Logf("\n| goals | MiB at most | MiB of the result |\n|--:|--:|--:|\n| %d | %.1f | %.1f |", people, float64(most-start)/mib, float64(end-start)/mib)
}

// heap returns the bytes that are in use.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
