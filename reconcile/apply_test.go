package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

func TestApplyTakesNothingAwayUnlessTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		client := tenant.Client()
		set := plan(t, client, reconcile.PlanOptions{ManageAll: true},
			removing(goal(101, ""), 1), goal(104, reconcile.Exactly, without(1, 11, 12)), goal(102, "", want(1)))
		if n := set.Removals(); n != 2 || len(set.Changes) != 3 {
			t.Fatalf("%d removals: %s", n, said(set))
		}
		before := len(tenant.Requests())
		for _, most := range []int{0, 1} {
			results := apply(client, set, reconcile.ApplyOptions{MaxRemovals: most})
			if len(results) != 1 || results[0].Index != -1 || !errors.Is(results[0].Err, reconcile.ErrTooManyRemovals) {
				t.Fatalf("got %v", results)
			}
			want := fmt.Sprintf(`{"index":-1,"outcome":"notSent","error":{"text":"apply: more removals than are allowed: 2 of 3 changes take something away, and MaxRemovals is %d"},"written":false,"reason":"tooManyRemovals"}`, most)
			if got := marshal(t, results[0]); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if n := len(tenant.Requests()); n != before {
			t.Errorf("%d requests were sent", n-before)
		}
		if results := apply(client, set, reconcile.ApplyOptions{MaxRemovals: 2}); len(results) != 3 || len(tenant.Writes()) != 3 {
			t.Errorf("got %v", results)
		}
	})
}

// outcomes tells the results in the order of the changes: outcome, and whether it
// was written.
func outcomes(results []reconcile.Result) string {
	results = slices.Clone(results)
	slices.SortFunc(results, func(a, b reconcile.Result) int { return a.Index - b.Index })
	var texts []string
	for _, r := range results {
		text := string(r.Outcome())
		if r.Written {
			text += " written"
		}
		if errors.Is(r.Err, reconcile.ErrDrifted) {
			text += " drifted"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// Only one order of these finds seats: 101 and 102 hold all seats of 1, 103 the only
// one of 2.
func TestWaves(t *testing.T) {
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(product(1, 2, 11))
			tenant.AddSKU(product(2, 1, 21))
			tenant.AddSKU(product(3, 1, 31))
			tenant.AddUser(user(101, held(1)))
			tenant.AddUser(user(102, held(1)))
			tenant.AddUser(user(103, held(2)))
			for n := byte(104); n < 107; n++ {
				tenant.AddUser(user(n))
			}
			set := plan(t, tenant.Client(), reconcile.PlanOptions{},
				goal(104, "", want(2)),              // fourth
				removing(goal(103, "", want(1)), 2), // third
				removing(goal(102, "", want(3)), 1), // first
				goal(105, "", want(1)),              // third
				removing(goal(101, ""), 1),          // first
			)
			results := applied(t, tenant.Client(), set)
			var order []int
			for _, r := range results {
				order = append(order, r.Index)
			}
			slices.Sort(order[:2])
			slices.Sort(order[2:4])
			if fmt.Sprint(order) != "[2 4 1 3 0]" {
				t.Errorf("in the order %v", order)
			}
		})
	}
}

// What finds no seat is tried all the same, and says so.
func TestTooFewSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 1, 11))
		tenant.AddUser(user(101, held(1)))
		tenant.AddUser(user(102))
		tenant.AddUser(user(103))
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)), goal(103, "", want(1)), removing(goal(101, ""), 1))
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1})
		if got := outcomes(results); got != "done written, failed, done written" {
			t.Error(got)
		}
		if err := results[2].Err; !errors.Is(err, licensing.ErrNoAvailableLicenses) {
			t.Error(err)
		}
	})
}

// crowd is a tenant with many users, and goals that add for some, remove for some and
// swap for some.
func crowd(n int) (*licensingtest.Tenant, []reconcile.Goal) {
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(product(1, n, 11, 12))
	tenant.AddSKU(product(2, n, 21))
	var goals []reconcile.Goal
	for i := range n {
		u := licensingtest.User{ID: uuid.UUID{0: 1, 6: 0x40, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}.String(), UsageLocation: "DE"}
		g := reconcile.Goal{Target: u.ID}
		switch i % 3 {
		case 0:
			g.Licenses = []reconcile.License{without(1, 12)}
		case 1:
			u.Licenses, g.Remove = []licensingtest.License{held(1)}, ids(1)
		case 2:
			u.Licenses, g.Remove, g.Licenses = []licensingtest.License{held(1)}, ids(1), []reconcile.License{want(2)}
		}
		tenant.AddUser(u)
		goals = append(goals, g)
	}
	return tenant, goals
}

// Killed at any point and run again by others, under lag, lost answers and
// throttling, a set ends in the same state with true results.
func TestApplyIsKilled(t *testing.T) {
	step := 3
	if *full {
		step = 1
	}
	for seed := 0; seed < 12; seed += step {
		synctest.Test(t, func(t *testing.T) {
			tenant, goals := crowd(150)
			time.Sleep(time.Hour)
			tenant.SetReadLag(5 * time.Minute)
			tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 50, Rate: 20}, RefusalsCost: true})
			for range 4 {
				tenant.Fail(licensingtest.Fault{Items: true, Drop: false, Status: 503, Apply: true, Skip: 7*seed + 3, Times: 3})
				tenant.Fail(licensingtest.Fault{Drop: true, Apply: true, Skip: 5 + seed})
			}
			text := marshal(t, plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...))
			for life := range 4 {
				var set reconcile.ChangeSet
				if err := set.UnmarshalJSON([]byte(text)); err != nil {
					t.Fatal(err)
				}
				ctx, kill := context.WithTimeout(t.Context(), time.Duration(1+seed)*time.Second)
				if life == 3 {
					ctx, kill = t.Context(), func() {}
				}
				seen := make(map[int]bool)
				for r := range reconcile.Apply(ctx, tenant.Client(), &set, reconcile.ApplyOptions{MaxRemovals: -1}) {
					if r.Index < 0 || seen[r.Index] {
						t.Fatalf("index %d: %v", r.Index, r.Err)
					}
					seen[r.Index] = true
					u, _ := tenant.User(r.Change.ID)
					is := fmt.Sprint(licensesText(u.Licenses)) == fmt.Sprint(licensesText(toLicenses(r.Change.After)))
					if r.Done() != is && r.Outcome() != licensing.OutcomeUnknown && (life == 3 || r.Done()) {
						t.Errorf("seed %d, life %d: change %d is %s, and %v", seed, life, r.Index, r.Outcome(), is)
					}
					if life == 3 && !r.Done() {
						t.Errorf("seed %d: change %d: %v", seed, r.Index, r.Err)
					}
				}
				if len(seen) != len(set.Changes) {
					t.Errorf("%d results for %d changes", len(seen), len(set.Changes))
				}
				kill()
			}
			time.Sleep(5 * time.Minute)
			if set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...); len(set.Changes) > 0 {
				t.Errorf("seed %d: left to do: %s", seed, said(set))
			}
		})
	}
}

func toLicenses(licenses []licensing.AssignedLicense) (list []licensingtest.License) {
	for _, l := range licenses {
		list = append(list, licensingtest.License(l))
	}
	return list
}

func TestApplyIsDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant, goals := crowd(600)
		tenant.SetThrottle(licensingtest.ThrottleEmpty)
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
		drain := make(chan struct{})
		counts := map[licensing.Outcome]int{}
		for r := range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1, Bulk: licensing.BulkOptions{Drain: drain}}) {
			counts[r.Outcome()]++
			if r.Done() && counts[licensing.OutcomeDone] == 100 {
				close(drain)
			}
			if r.Outcome() == licensing.OutcomeNotSent && !errors.Is(r.Err, licensing.ErrStopped) {
				t.Errorf("got %v", r.Err)
			}
		}
		done := counts[licensing.OutcomeDone]
		if done < 100 || done > 500 || done+counts[licensing.OutcomeNotSent] != 600 || len(tenant.Writes()) != done {
			t.Errorf("%v, %d writes", counts, len(tenant.Writes()))
		}
		for r := range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1}) {
			if !r.Done() {
				t.Errorf("got %v", r.Err)
			}
		}
		if n := len(tenant.Writes()); n != 600 {
			t.Errorf("%d writes", n)
		}
	})
}

// A drain ends the wait for what may have drifted.
func TestApplyIsDrainedInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)))
		tenant.SetUserLicenses(name(102), held(1, 11))
		drain := make(chan struct{})
		time.AfterFunc(10*time.Second, func() { close(drain) })
		start := time.Now()
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{Bulk: licensing.BulkOptions{Drain: drain}})
		if got := outcomes(results); got != "notSent" || !errors.Is(results[0].Err, licensing.ErrStopped) || time.Since(start) > 11*time.Second {
			t.Errorf("%s after %v: %v", got, time.Since(start), results[0].Err)
		}
	})
}

// Whoever breaks off, or panics, gets away, and nothing more is looked at.
func TestApplyIsBrokenOff(t *testing.T) {
	for _, panics := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(product(1, 1, 11))
			tenant.AddUser(user(101, held(1)))
			tenant.AddUser(user(102))
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)), removing(goal(101, ""), 1))
			defer func() {
				if got := recover(); (got != nil) != panics {
					t.Errorf("panic: %v", got)
				}
				if n := len(tenant.Writes()); n != 1 {
					t.Errorf("%d writes", n)
				}
			}()
			for range reconcile.Apply(t.Context(), tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1}) {
				if panics {
					panic("enough")
				}
				break
			}
		})
	}
}

func TestApplyOfNonsense(t *testing.T) {
	t.Parallel()
	client := small().Client()
	set := plan(t, client, reconcile.PlanOptions{}, goal(102, "", want(1)))
	twice := *set
	twice.Changes = append(slices.Clone(set.Changes), set.Changes...)
	other := *set
	other.Changes = slices.Clone(set.Changes)
	other.Changes[0].After = nil
	for want, r := range map[string][]reconcile.Result{
		"apply: invalid argument: set is nil": apply(client, nil, reconcile.ApplyOptions{}),
		"apply: invalid argument: Changes[1]: ID 00000000-0000-4000-8000-000000000066 is there twice": apply(client, &twice, reconcile.ApplyOptions{}),
		"apply: invalid argument: Changes[0]: After is not what Operation.Request makes":              apply(client, &other, reconcile.ApplyOptions{}),
		"bulk: invalid argument: Concurrency is -1, which is not between 0 and 100":                   apply(client, set, reconcile.ApplyOptions{Bulk: licensing.BulkOptions{Concurrency: -1}}),
	} {
		if len(r) != 1 || r[0].Index != -1 || !errors.Is(r[0].Err, licensing.ErrInvalidArgument) || r[0].Err.Error() != want {
			t.Errorf("got %v, want %s", r, want)
		}
	}
}

func TestApplyWaitsForGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 1, 11))
		tenant.AddUser(user(101))
		tenant.AddUser(user(102))
		group := tenant.AddGroup(licensingtest.Group{ID: id(201).String()}, name(101), name(102))
		tenant.ProcessAfter(10 * time.Minute)
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, reconcile.Goal{Kind: reconcile.KindGroup, Target: group.ID, Licenses: []reconcile.License{want(1)}})
		start := time.Now()
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true})
		if len(results) != 1 || !results[0].Done() || !results[0].Written || len(results[0].Members) != 1 || results[0].MembersErr != nil {
			t.Fatalf("got %s", marshal(t, results))
		}
		if took := time.Since(start); took < 10*time.Minute {
			t.Errorf("it took %v", took)
		}
		if err := results[0].Members[0].LicenseAssignmentStates[0].Err(); !errors.Is(err, licensing.ErrNoAvailableLicenses) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		again := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true})
		if len(again) != 1 || !again[0].Done() || again[0].Written || len(again[0].Members) != 1 {
			t.Errorf("got %s", marshal(t, again))
		}
	})
}

// A run that ends before the members have it tells what is known.
func TestWaitingForGroupsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Licenses: []reconcile.License{want(2)}})
		drain := make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(drain) })
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true, Bulk: licensing.BulkOptions{Drain: drain}})
		if len(results) != 1 || !results[0].Done() || !results[0].Written || !errors.Is(results[0].MembersErr, context.Canceled) {
			t.Errorf("got %s", marshal(t, results))
		}
	})
}

// What needs no write counts in the progress, and is delivered while others go on.
func TestProgressOfApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant, goals := crowd(300)
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
		half := *set
		half.Changes = set.Changes[:150]
		applied(t, tenant.Client(), &half)
		time.Sleep(time.Hour)
		var last licensing.BulkProgress
		n := 0
		opts := reconcile.ApplyOptions{MaxRemovals: -1, Bulk: licensing.BulkOptions{
			Drain: make(chan struct{}), Progress: func(p licensing.BulkProgress) { last = p },
		}}
		for range reconcile.Apply(t.Context(), tenant.Client(), set, opts) {
			n++
		}
		if n != 300 || last.Done != 300 || last.Total != 300 || last.Failed+last.Unknown+last.NotSent != 0 {
			t.Errorf("%d results, %+v", n, last)
		}
		if n := len(tenant.Writes()); n != 300 {
			t.Errorf("%d writes", n)
		}
	})
}
