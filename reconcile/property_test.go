package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// A world is a random tenant. SKUs are 1 to 4, plans from 11 up, some in two SKUs,
// users from 100 and groups from 200 up.
type world struct {
	*rand.Rand
	*licensingtest.Tenant
	users, groups []string
	skus          []licensingtest.SKU
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 1)), Tenant: licensingtest.NewTenant()}
	for n := byte(1); n <= 4; n++ {
		w.skus = append(w.skus, w.AddSKU(product(n, 100, 10*n, 10*n+1, 10*n+2, 5+n, 6+n)))
	}
	for n := byte(100); n < 106; n++ {
		w.users = append(w.users, w.AddUser(user(n, w.licenses()...)).ID)
	}
	for n := byte(200); n < 203; n++ {
		var members []string
		for _, u := range w.users {
			if w.IntN(3) == 0 {
				members = append(members, u)
			}
		}
		w.groups = append(w.groups, w.AddGroup(licensingtest.Group{ID: id(n).String(), Licenses: w.licenses()}, members...).ID)
	}
	return w
}

func (w *world) licenses() []licensingtest.License {
	var list []licensingtest.License
	for _, sku := range w.skus {
		if w.IntN(3) == 0 {
			list = append(list, licensingtest.License{SKUID: sku.ID, DisabledPlans: w.some(sku)})
		}
	}
	return list
}

// some returns some plans of a SKU.
func (w *world) some(sku licensingtest.SKU) []uuid.UUID {
	list := []uuid.UUID{}
	for _, p := range sku.Plans {
		if w.IntN(3) == 0 {
			list = append(list, p.ID)
		}
	}
	return list
}

func (w *world) goal(kind reconcile.Kind, target string) reconcile.Goal {
	g := reconcile.Goal{Kind: kind, Target: target, Mode: []reconcile.Mode{"", reconcile.AtLeast, reconcile.Exactly}[w.IntN(3)]}
	for _, sku := range w.skus {
		l := reconcile.License{SKUID: sku.ID}
		switch w.IntN(3) {
		case 0:
			l.DisabledPlans = w.some(sku)
		case 1:
			l.Plans = &licensing.ServicePlanChange{Disable: []uuid.UUID{sku.Plans[0].ID}, Enable: []uuid.UUID{sku.Plans[1].ID}}
		}
		switch w.IntN(4) {
		case 0:
			g.Licenses = append(g.Licenses, l)
		case 1:
			g.Remove = append(g.Remove, sku.ID)
		}
	}
	return g
}

func (w *world) goals() []reconcile.Goal {
	var goals []reconcile.Goal
	for _, u := range w.users {
		goals = append(goals, w.goal(reconcile.KindUser, u))
	}
	for _, g := range w.groups {
		goals = append(goals, w.goal(reconcile.KindGroup, g))
	}
	return goals
}

// state is what everybody has directly.
func (w *world) state() (all []string) {
	for _, key := range w.users {
		u, _ := w.User(key)
		all = append(all, key+licensesText(u.Licenses))
	}
	for _, key := range w.groups {
		g, _ := w.Group(key)
		all = append(all, key+licensesText(g.Licenses))
	}
	return all
}

// on returns the plans that a user has in effect.
func (w *world) on(key string) map[uuid.UUID]bool {
	on := map[uuid.UUID]bool{}
	u, _ := w.User(key)
	for _, row := range u.States {
		for _, sku := range w.skus {
			for _, p := range sku.Plans {
				if row.SKUID == sku.ID && row.State != "Error" && !slices.Contains(row.DisabledPlans, p.ID) {
					on[p.ID] = true
				}
			}
		}
	}
	return on
}

func TestProperties(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(seed)
			goals := w.goals()
			managed := []uuid.UUID{id(1), id(2), id(3)}
			opts := reconcile.PlanOptions{Managed: managed, IgnoreInherited: w.IntN(2) == 0}
			client := w.Client()
			if seed%2 == 0 {
				time.Sleep(time.Hour)
				w.SetReadLag(5 * time.Minute)
			}
			before := map[string]licensingtest.User{}
			on := map[string]map[uuid.UUID]bool{}
			for _, key := range w.users {
				before[key], _ = w.User(key)
				on[key] = w.on(key)
			}
			snapshot := reconcile.Snapshot(readAll(t, w, client))

			set := plan(t, client, opts, goals...)
			if again := plan(t, w.Client(), opts, goals...); marshal(t, set) != marshal(t, again) {
				t.Errorf("seed %d: two plans of one state differ", seed)
			}
			var read reconcile.ChangeSet
			if err := read.UnmarshalJSON([]byte(marshal(t, set))); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			results := apply(w.Client(), &read, reconcile.ApplyOptions{MaxRemovals: read.Removals()})
			for _, r := range results {
				if !r.Done() {
					t.Errorf("seed %d: %v", seed, r.Err)
				}
			}
			state := w.state()

			for _, c := range set.Changes {
				if c.Operation.Kind != licensing.OperationAssignUser {
					continue
				}
				want := fmt.Sprint(len(c.Enabled), len(c.Disabled))
				now, gained, lost := w.on(c.ID), 0, 0
				for _, ref := range c.Enabled {
					if on[c.ID][ref.ServicePlanID] || !now[ref.ServicePlanID] {
						t.Errorf("seed %d: %s was not gained", seed, ref.ServicePlanName)
					}
				}
				for plan := range now {
					if !on[c.ID][plan] {
						gained++
					}
				}
				for plan := range on[c.ID] {
					if !now[plan] {
						lost++
					}
				}
				if got := fmt.Sprint(gained, lost); got != want {
					t.Errorf("seed %d: gained and lost %s, announced %s: %s", seed, got, want, marshal(t, c))
				}
			}
			for i, key := range w.users {
				now, _ := w.User(key)
				checkModes(t, seed, &goals[i], before[key], now, managed)
			}

			// Again: by a client that does not know of it, and plans by one that does.
			apply(w.Client(), &read, reconcile.ApplyOptions{MaxRemovals: -1})
			if got := w.state(); !slices.Equal(got, state) {
				t.Errorf("seed %d: applied twice is\n%s\nand once\n%s", seed, got, state)
			}
			time.Sleep(5 * time.Minute)
			if rest := plan(t, w.Client(), opts, goals...); len(rest.Changes) > 0 {
				t.Errorf("seed %d: left to do after all was done: %s", seed, marshal(t, rest.Changes))
			}

			all := reconcile.PlanOptions{ManageAll: true, IgnoreInherited: true}
			back := plan(t, client, all, snapshot...)
			applied(t, w.Client(), back)
			for key, u := range before {
				if now, _ := w.User(key); licensesText(now.Licenses) != licensesText(u.Licenses) {
					t.Errorf("seed %d: restored %s, want %s", seed, licensesText(now.Licenses), licensesText(u.Licenses))
				}
			}

			time.Sleep(5 * time.Minute)
			var clean []reconcile.Goal
			w.Process()
			for _, key := range w.users {
				on[key] = w.on(key)
			}
			time.Sleep(5 * time.Minute)
			for u := range readAll(t, w, client) {
				clean = append(clean, reconcile.Covered(u, ids(1, 2, 3, 4)))
			}
			applied(t, client, plan(t, client, reconcile.PlanOptions{}, clean...))
			for _, key := range w.users {
				now := w.on(key)
				for p := range on[key] {
					if !now[p] {
						t.Errorf("seed %d: Covered has taken a plan away", seed)
					}
				}
			}
		})
	}
}

func readAll(t *testing.T, w *world, c *licensing.Client) func(func(*licensing.User) bool) {
	return func(yield func(*licensing.User) bool) {
		for _, key := range w.users {
			u, err := c.User(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(u) {
				return
			}
		}
	}
}

// checkModes holds what a mode promises for the direct licenses of a user.
func checkModes(t *testing.T, seed uint64, goal *reconcile.Goal, before, now licensingtest.User, managed []uuid.UUID) {
	t.Helper()
	for _, l := range before.Licenses {
		i := slices.IndexFunc(now.Licenses, func(n licensingtest.License) bool { return n.SKUID == l.SKUID })
		free := slices.Contains(goal.Remove, l.SKUID) || goal.Mode == reconcile.Exactly && slices.Contains(managed, l.SKUID)
		switch {
		case free:
		case i < 0:
			t.Errorf("seed %d: SKU %s was taken away", seed, l.SKUID)
		case slices.ContainsFunc(now.Licenses[i].DisabledPlans, func(p uuid.UUID) bool { return !slices.Contains(l.DisabledPlans, p) }):
			t.Errorf("seed %d: a plan of SKU %s was switched off", seed, l.SKUID)
		}
	}
}
