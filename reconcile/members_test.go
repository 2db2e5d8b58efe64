package reconcile_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// A group that somebody changes while it is waited for has drifted; meanwhile the
// progress is told.
func TestGroupThatDriftsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Licenses: []reconcile.License{want(2)}})
		tenant.ProcessAfter(10 * time.Minute)
		time.AfterFunc(time.Minute, func() { tenant.SetGroupLicenses(id(201).String(), held(1, 12)) })
		drain := make(chan struct{})
		time.AfterFunc(48*time.Hour, func() { close(drain) })
		start, calls := time.Now(), 0
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true, Bulk: licensing.BulkOptions{Drain: drain, Progress: func(licensing.BulkProgress) { calls++ }}})
		took := time.Since(start)
		if len(results) != 1 || !results[0].Done() || !errors.Is(results[0].MembersErr, reconcile.ErrDrifted) || took < 5*time.Minute || took > 12*time.Minute {
			t.Errorf("after %v: %s", took, marshal(t, results))
		}
		if calls < int(took/time.Second) {
			t.Errorf("%d calls of Progress in %v", calls, took)
		}
	})
}

// Few groups are polled at a time, and those that take long do not keep the others
// from being found done.
func TestManyGroupsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 9, 11))
		var goals []reconcile.Goal
		for n := range byte(12) {
			group := tenant.AddGroup(licensingtest.Group{ID: uuid.UUID{0: 9, 6: 0x40, 8: 0x80, 15: n}.String()})
			goals = append(goals, reconcile.Goal{Kind: reconcile.KindGroup, Target: group.ID, Licenses: []reconcile.License{want(1)}})
		}
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
		tenant.ProcessAfter(10 * time.Minute)
		var mu sync.Mutex
		stuck := make(map[string]bool) // the four that are polled first
		tenant.Fail(licensingtest.Fault{Status: 503, After: time.Second, For: 3 * time.Hour, Match: func(r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if isRead(r) && len(stuck) < 4 {
				stuck[r.URL.Path] = true
			}
			return stuck[r.URL.Path]
		}})
		start := time.Now()
		results, soon := 0, 0
		for r := range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true}) {
			if !r.Done() || r.MembersErr != nil {
				t.Errorf("got %v, %v", r.Err, r.MembersErr)
			}
			if time.Since(start) < time.Hour {
				soon++
			}
			results++
		}
		early, all := make(map[string]bool), make(map[string]bool)
		for _, r := range tenant.Requests() {
			if since := r.Time.Sub(start); since > time.Second && r.Method == "GET" && strings.Contains(r.Path, "/groups/") {
				all[r.Path] = true
				if since < 4*time.Minute {
					early[r.Path] = true
				}
			}
		}
		if took := time.Since(start); results != 12 || soon != 8 || len(early) != 4 || len(all) < 12 || took < 3*time.Hour {
			t.Errorf("%d results, %d of them soon, %d groups polled at first and %d later, after %v", results, soon, len(early), len(all), took)
		}
	})
}
