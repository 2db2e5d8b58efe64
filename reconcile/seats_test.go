package reconcile_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// A seat that was given back is taken at once, whatever else is in doubt.
func TestSeatIsTakenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 2, 11, 12))
		tenant.AddUser(user(101, held(1)))
		tenant.AddUser(user(102, held(1)))
		tenant.AddUser(user(103))
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(103, "", want(1)), removing(goal(101, ""), 1), removing(goal(102, ""), 1))
		tenant.SetUserLicenses(name(102), held(1, 11)) // has drifted, which is known after a minute
		start := time.Now()
		for r := range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1}) {
			if took := time.Since(start); r.Index == 0 && (!r.Done() || took > time.Second) {
				t.Errorf("%v after %v", r.Err, took)
			}
		}
	})
}

// A seat that a change had, and turned out not to need, is another one's.
func TestSeatThatIsNotNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 2, 11, 12))
		tenant.AddUser(user(101, held(1)))
		tenant.AddUser(user(102))
		tenant.AddUser(user(103))
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)), goal(103, "", want(1)), removing(goal(101, ""), 1))
		time.Sleep(time.Hour)
		tenant.RemoveUser(name(102))
		tenant.SetUserLicenses(name(101), held(1, 11)) // has drifted, which is known after a minute
		start := time.Now()
		for r := range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1}) {
			if took := time.Since(start); r.Index == 1 && (!r.Done() || took > time.Second) {
				t.Errorf("%v after %v", r.Err, took)
			}
		}
	})
}

// With one seat to spare, everybody can change places, one after the other.
func TestCrosswiseSwaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 60
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, n/2, 11))
		tenant.AddSKU(product(2, n/2+1, 21))
		var goals []reconcile.Goal
		for i := range byte(n) {
			from, to := 1+i/(n/2), 2-i/(n/2)
			u := tenant.AddUser(licensingtest.User{ID: uuid.UUID{0: 1, 6: 0x40, 8: 0x80, 15: i}.String(), UsageLocation: "DE", Licenses: []licensingtest.License{held(from)}})
			goals = append(goals, reconcile.Goal{Target: u.ID, Remove: ids(from), Licenses: []reconcile.License{want(to)}})
		}
		applied(t, tenant.Client(), plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...))
	})
}

// Who needs two seats takes neither until both are there.
func TestTwoSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 2, 11))
		tenant.AddSKU(product(2, 1, 21))
		tenant.AddUser(user(101, held(1)))
		tenant.AddUser(user(102, held(2)))
		tenant.AddUser(user(103))
		set := plan(t, tenant.Client(), reconcile.PlanOptions{},
			goal(103, "", want(1), want(2)), removing(goal(102, "", want(1)), 2), removing(goal(101, ""), 1))
		applied(t, tenant.Client(), set)
	})
}
