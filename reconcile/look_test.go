package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

func TestApplyLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		set := plan(t, tenant.Client(), reconcile.PlanOptions{},
			goal(101, "", without(1)), goal(102, "", want(1)), removing(goal(104, ""), 1), goal(103, "", want(2)))
		time.Sleep(time.Hour)
		tenant.SetUserLicenses(name(101), held(1))              // made by somebody else
		tenant.SetUserLicenses(name(102), held(1, 11))          // something else
		tenant.SetUserLicenses(name(103), held(1), held(2, 13)) // something else
		start := time.Now()
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1})
		if got := outcomes(results); got != "done, notSent drifted, done written, notSent drifted" {
			t.Error(got)
		}
		if took := time.Since(start); took < time.Minute {
			t.Errorf("the second look came after %v", took)
		}
		for _, r := range tenant.Requests() { // a name may be somebody else's by now
			if text := r.Path + string(r.Body); strings.Contains(text, "assignLicense") && !strings.Contains(text, id(104).String()) {
				t.Errorf("got %s", text)
			}
		}
		if writes := tenant.Writes(); len(writes) != 1 || writes[0].Target != id(104).String() {
			t.Errorf("%d writes", len(writes))
		}
	})
}

// A license that is not one of the change's may be as it likes.
func TestWhatIsNotConcernedIsNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)))
		tenant.SetUserLicenses(name(102), held(2, 13))
		applied(t, tenant.Client(), set)
		if got := direct(t, tenant, name(102)); got != "[1 [] 2 [13]]" {
			t.Error(got)
		}
	})
}

// What reads show for a while is no drift.
func TestLagIsNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		time.Sleep(time.Hour)
		tenant.SetReadLag(5 * time.Minute)
		planner := tenant.Client()
		first := plan(t, planner, reconcile.PlanOptions{}, goal(102, "", without(1, 11)))
		applied(t, planner, first)
		set := plan(t, planner, reconcile.PlanOptions{}, goal(102, "", without(1), want(2))) // sees its own write
		if len(set.Changes[0].Before) != 1 {
			t.Fatal(said(set))
		}
		start := time.Now()
		results := applied(t, tenant.Client(), set) // does not see it for five minutes
		if took := time.Since(start); took < 4*time.Minute || took > 7*time.Minute {
			t.Errorf("it took %v", took)
		}
		if got := direct(t, tenant, name(102)); got != "[1 [] 2 []]" || !results[0].Written {
			t.Error(got)
		}
	})
}

// A read that shows how it is to be may show how it was before.
func TestAfterThatIsOlderThanThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		time.Sleep(time.Hour)
		tenant.SetReadLag(5 * time.Minute)
		planner := tenant.Client()
		applied(t, planner, plan(t, planner, reconcile.PlanOptions{}, goal(102, "", want(1)), removing(goal(101, ""), 1)))
		back := plan(t, planner, reconcile.PlanOptions{ManageAll: true}, goal(102, reconcile.Exactly), goal(101, reconcile.Exactly, without(1, 12)))
		if got := outcomes(apply(tenant.Client(), back, reconcile.ApplyOptions{MaxRemovals: -1})); got != "done written, done written" {
			t.Error(got)
		}
		if got := direct(t, tenant, name(102)) + direct(t, tenant, name(101)); got != "[][1 [12]]" {
			t.Error(got)
		}
	})
}

// When a read at After is believed: as soon as it cannot be older than the plan.
func TestHowLongAfterIsDoubted(t *testing.T) {
	for _, tt := range []struct {
		name          string
		goal          reconcile.Goal
		then          []licensingtest.License // of somebody else, at once
		wait, between time.Duration           // between the plan and the change, and Apply after that
		early         time.Duration           // of the plan
		lag, want     time.Duration
	}{
		{"a later row", goal(102, "", want(1)), []licensingtest.License{held(1)}, time.Minute, 0, 0, 0, 0},
		{"a row of the same second", goal(102, "", want(1)), []licensingtest.License{held(1)}, 0, time.Minute, 0, 0, 4 * time.Minute},
		{"no row", removing(goal(101, ""), 1), nil, 0, 270 * time.Second, 0, 0, 30 * time.Second},
		{"no row, and time has passed", removing(goal(101, ""), 1), nil, 0, 5 * time.Minute, 0, 0, 0},
		{"no lag", removing(goal(101, ""), 1), nil, 0, 0, 0, -1, 0},
		{"a short lag", removing(goal(101, ""), 1), nil, 0, 0, 0, 10 * time.Second, 10 * time.Second},
		{"a clock that is ahead", removing(goal(101, ""), 1), nil, 0, 0, 24 * time.Hour, 0, 5 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant := small()
				set := plan(t, tenant.Client(), reconcile.PlanOptions{}, tt.goal)
				set.Created = set.Created.Add(tt.early)
				time.Sleep(tt.wait)
				tenant.SetUserLicenses(tt.goal.Target, tt.then...)
				time.Sleep(tt.between)
				start := time.Now()
				results := apply(tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1, ReadLag: tt.lag})
				if took := time.Since(start).Truncate(time.Second); outcomes(results) != "done" || took != tt.want && took != tt.want+time.Second {
					t.Errorf("%s after %v, want %v", outcomes(results), took, tt.want)
				}
			})
		})
	}
}

// Who cannot be found may only be new. After the lag it is known.
func TestWhoIsNotFoundIsDoubted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		wait     time.Duration
		once     bool
		outcomes string
		took     time.Duration
	}{
		{"once", 0, true, "done written", time.Minute},
		{"for good", 0, false, "failed", 5 * time.Minute},
		{"after the lag", time.Hour, false, "failed", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant := small()
				set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)))
				time.Sleep(tt.wait)
				if tt.once {
					tenant.Fail(licensingtest.Fault{Match: isRead, Status: 404, Code: "Request_ResourceNotFound"})
					tenant.Fail(licensingtest.Fault{Items: true, Match: isRead, Status: 404, Code: "Request_ResourceNotFound"})
				} else {
					tenant.RemoveUser(name(102))
				}
				start := time.Now()
				results := apply(tenant.Client(), set, reconcile.ApplyOptions{})
				took := time.Since(start)
				if got := outcomes(results); got != tt.outcomes || took < tt.took || took > tt.took+2*time.Minute {
					t.Errorf("%s after %v: %v", got, took, results[0].Err)
				}
				if !tt.once && !errors.Is(results[0].Err, licensing.ErrNotFound) {
					t.Error(results[0].Err)
				}
			})
		})
	}
}
