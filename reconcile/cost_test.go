package reconcile_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// A plan for many costs hardly more requests than the fewest possible, and stays
// within the documented quota of reads.
func TestCostOfAPlan(t *testing.T) {
	for _, tt := range []struct {
		users, goals int
		fewest       int
	}{
		{10_000, 10_000, 1 + 11},
		{4_000, 500, 1 + 5},
		{4_000, 60, 1 + 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(product(1, tt.users, 11))
			for i := range tt.users {
				tenant.AddUser(licensingtest.User{UserPrincipalName: fmt.Sprintf("u%d@contoso.example", i), UsageLocation: "DE"})
			}
			tenant.SetThrottle(licensingtest.ThrottleDocumented)
			start := time.Now()
			set, err := reconcile.Plan(t.Context(), tenant.Client(), func(yield func(reconcile.Goal) bool) {
				for i := range tt.goals {
					if !yield(reconcile.Goal{Target: fmt.Sprintf("u%d@contoso.example", tt.users-1-i), Licenses: []reconcile.License{want(1)}}) {
						return
					}
				}
			}, reconcile.PlanOptions{})
			if err != nil || len(set.Changes) != tt.goals {
				t.Fatalf("%v", err)
			}
			// With few requests the one for the number of users is more than a tenth, and
			// the last batch may go in two parts.
			if n := len(tenant.Requests()); float64(n) > max(1.1*float64(tt.fewest), float64(tt.fewest+2)) {
				t.Errorf("%d users, %d goals: %d requests, at least %d are needed", tt.users, tt.goals, n, tt.fewest)
			}
			t.Logf("%d requests, %v", len(tenant.Requests()), time.Since(start))
		})
	}
}

// A plan for many people, each with sixty plans to gain, takes little memory: 200 MiB
// would be enough for a hundred thousand, which benchmarks/plans has.
func TestMemoryOfAPlan(t *testing.T) {
	const people, limit = 5_000, 10
	sku := licensingtest.SKU{ID: id(1), PartNumber: "LARGE", Seats: people}
	for i := range 60 {
		sku.Plans = append(sku.Plans, licensingtest.Plan{ID: uuid.UUID{1, byte(i), 6: 0x40, 8: 0x80}, Name: fmt.Sprint(strings.Repeat("X", 20), i)})
	}
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(sku)
	for i := range people {
		tenant.AddUser(licensingtest.User{UserPrincipalName: fmt.Sprintf("u%d@contoso.example", i), UsageLocation: "DE"})
	}
	client := tenant.Client()
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapAlloc, uint64(0)
	set, err := reconcile.Plan(t.Context(), client, func(yield func(reconcile.Goal) bool) {
		for i := range people {
			if !yield(reconcile.Goal{Target: fmt.Sprintf("u%d@contoso.example", i), Licenses: []reconcile.License{want(1)}, Ref: fmt.Sprint("line ", i)}) {
				return
			}
		}
	}, reconcile.PlanOptions{Progress: func(n int) {
		if n%1_000 == 0 && n > 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
	}})
	if err != nil || len(set.Changes) != people {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&stats)
	most = max(most, stats.HeapAlloc)
	runtime.KeepAlive(set)
	if used := (most - before) >> 20; used > limit {
		t.Errorf("%d MiB", used)
	} else {
		t.Logf("%d MiB", used)
	}
	runtime.KeepAlive(tenant)
}
