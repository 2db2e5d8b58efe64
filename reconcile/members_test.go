package reconcile_test

import (
	"errors"
	"strings"
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
		tenant.ProcessAfter(time.Hour)
		start := time.Now()
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true})
		for _, r := range results {
			if !r.Done() || r.MembersErr != nil {
				t.Errorf("got %v, %v", r.Err, r.MembersErr)
			}
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
		if took := time.Since(start); len(results) != 12 || len(early) != 4 || len(all) < 12 || took > 70*time.Minute {
			t.Errorf("%d results, %d groups polled at first and %d later, after %v", len(results), len(early), len(all), took)
		}
	})
}
