package reconcile_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

var (
	full = flag.Bool("full", false, "run long forms of tests")
	// worldSeed runs one world alone: -args -seed 123.
	worldSeed = flag.Uint64("seed", 0, "the seed of a world of TestProperties to run alone")
	worlds    = 200 // in a run of TestProperties
)

// Whatever the tenant and the goals: what is planned is what happens, nothing else
// does, and all of it can be done again and taken back.
func TestProperties(t *testing.T) {
	first, worlds := uint64(time.Now().UnixNano()), worlds
	switch {
	case *worldSeed != 0:
		first, worlds = *worldSeed, 1
	case *full:
		worlds = 5000
	case testing.Short():
		worlds = 60
	}
	census := make(census)
	for i := range worlds {
		seed := first + uint64(i)
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed, census).live() })
		})
		if !ok {
			t.Fatalf("run it again: go test -run '^TestProperties$' ./reconcile -args -seed %d", seed)
		}
	}
	t.Logf("seeds %d to %d: %v", first, first+uint64(worlds)-1, census)
	if worlds < 200 { // too few for all of it
		return
	}
	for _, word := range []string{
		"done", "covered", "restored", "Active, inherited: false", "Active, inherited: true", "Error, inherited: true", "ActiveWithError, inherited: true",
		licensing.ErrNoAvailableLicenses.Error(), licensing.ErrUsageLocation.Error(), licensing.ErrPlanDependency.Error(),
		string(reconcile.ProblemNoUsageLocation), string(reconcile.ProblemInherited), string(reconcile.ProblemNotManaged),
		string(reconcile.ProblemInvalidPlans), string(reconcile.ProblemUnknownSKU), string(reconcile.WarnMailbox),
		string(reconcile.WarnKeptByGroup), string(reconcile.WarnSeats), string(reconcile.WarnUnknownPlan), string(reconcile.WarnNoUsageLocation),
	} {
		if census[word] == 0 {
			t.Errorf("in no world there was: %s", word)
		}
	}
}

// live checks all properties of a world, one after the other.
func (w *world) live() {
	client := w.Client()
	snapshot := w.travel(reconcile.Snapshot(w.read(client)))
	before, goals := w.look(), w.wish()
	set := w.plan(client, goals)
	if a, b := marshal(w.t, set), marshal(w.t, w.plan(w.Client(), goals)); a != b {
		w.t.Errorf("two plans of one state are\n%s\nand\n%s", a, b)
	}
	for _, p := range set.Problems {
		w.census[string(p.Kind)]++
	}

	applier := w.Client()
	done := w.apply(applier, set)
	now := w.look()
	w.checkEffects(set, done, before, now)
	for _, key := range w.objects() {
		w.checkGoal(key, w.reached(key, set, done), before, now)
	}
	// The client that has written knows of it, whatever reads show.
	w.checkRest("at once", set, done, w.plan(applier, goals))
	w.checkTwice(set, done, now)
	time.Sleep(5 * time.Minute)
	rest := w.plan(w.Client(), goals)
	w.checkRest("later", set, done, rest)
	rest.Changes = nil
	w.checkNothing(rest)

	w.disturb()
	time.Sleep(5 * time.Minute)
	w.checkRestored(snapshot, before)
	w.Process()
	time.Sleep(5 * time.Minute)
	w.checkCovered()
}

// travel takes goals through JSON.
func (w *world) travel(goals []reconcile.Goal) (read []reconcile.Goal) {
	for _, g := range goals {
		var goal reconcile.Goal
		if err := goal.UnmarshalJSON([]byte(marshal(w.t, g))); err != nil {
			w.t.Fatal(err)
		}
		read = append(read, goal)
	}
	return read
}

// plan plans goals: that writes nothing, and survives JSON.
func (w *world) plan(c *licensing.Client, goals []reconcile.Goal) *reconcile.ChangeSet {
	w.t.Helper()
	writes := len(w.Writes())
	text := marshal(w.t, plan(w.t, c, w.opts, goals...))
	if n := len(w.Writes()); n != writes {
		w.t.Errorf("a plan has written %d times", n-writes)
	}
	var set reconcile.ChangeSet
	if err := set.UnmarshalJSON([]byte(text)); err != nil {
		w.t.Fatal(err)
	}
	return &set
}

// The reasons for which Graph refuses a change in a rough world.
var refusals = []error{
	licensing.ErrNoAvailableLicenses, licensing.ErrUsageLocation, licensing.ErrPlanDependency,
	licensing.ErrPlanConflict, licensing.ErrProxyAddressConflict,
}

// apply applies a set for the first time, and returns which objects were changed. All
// others are as they were.
func (w *world) apply(c *licensing.Client, set *reconcile.ChangeSet) map[string]bool {
	w.t.Helper()
	before, writes := w.look(), len(w.Writes())
	results := apply(c, set, reconcile.ApplyOptions{MaxRemovals: set.Removals()})
	done, told := make(map[string]bool), make(map[int]bool)
	for _, r := range results {
		told[r.Index] = true
		switch i := slices.IndexFunc(refusals, func(reason error) bool { return errors.Is(r.Err, reason) }); {
		case r.Done() && r.Written:
			done[r.Change.ID] = true
			w.census["done"]++
		case w.smooth || r.Done() || i < 0:
			w.t.Errorf("%s, written %v: %v", marshal(w.t, r.Change), r.Written, r.Err)
		case !w.foreseen(&r):
			w.t.Errorf("nothing of %s tells of %v", marshal(w.t, r.Change), r.Err)
		default:
			w.census[refusals[i].Error()]++
		}
	}
	if len(told) != len(set.Changes) || len(results) != len(set.Changes) {
		w.t.Errorf("%d results for %d changes", len(results), len(set.Changes))
	}
	if n := len(w.Writes()) - writes; n != len(done) {
		w.t.Errorf("%d changes were made by %d writes", len(done), n)
	}
	now := w.look()
	for _, key := range w.objects() {
		if !done[key] && now.text(key) != before.text(key) {
			w.t.Errorf("%s was not to be changed: %s is now %s", key, before.text(key), now.text(key))
		}
	}
	return done
}

// foreseen reports whether a plan may have a change that is refused: for want of a
// seat only one that takes one, and for want of a usage location none that adds a
// license.
func (w *world) foreseen(r *reconcile.Result) bool {
	u, _ := w.User(r.Change.ID)
	switch {
	case errors.Is(r.Err, licensing.ErrNoAvailableLicenses):
		return len(r.Change.Takes) > 0
	case errors.Is(r.Err, licensing.ErrUsageLocation) && u.UsageLocation == "":
		return len(r.Change.After) <= len(r.Change.Before) && slices.Contains(r.Change.Warnings, reconcile.WarnNoUsageLocation)
	}
	return true
}

// reached reports whether an object is now as its goal says.
func (w *world) reached(key string, set *reconcile.ChangeSet, done map[string]bool) bool {
	goal, ok := w.goals[key]
	if !ok || slices.ContainsFunc(set.Problems, func(p reconcile.Problem) bool { return p.Target == goal.Target }) {
		return false
	}
	return done[key] || !slices.ContainsFunc(set.Changes, func(c reconcile.Change) bool { return c.ID == key })
}

// checkEffects compares what changes announce with what they have brought.
func (w *world) checkEffects(set *reconcile.ChangeSet, done map[string]bool, before, now look) {
	w.t.Helper()
	used := maps.Clone(before.used)
	for i := range set.Changes {
		c := &set.Changes[i]
		for _, warning := range c.Warnings {
			w.census[string(warning)]++
		}
		w.checkAdded(c, before)
		if !done[c.ID] {
			continue
		}
		gained, lost := now.lost(c.ID, before), before.lost(c.ID, now)
		if got := plansOf(c.Enabled); !maps.Equal(got, gained) {
			w.t.Errorf("announced as gained %v, and it was %v: %s", got, gained, marshal(w.t, c))
		}
		if got := plansOf(c.Disabled); !maps.Equal(got, lost) {
			w.t.Errorf("announced as lost %v, and it was %v: %s", got, lost, marshal(w.t, c))
		}
		if gone := mailbox(lost) && !mailbox(now.on[c.ID]); slices.Contains(c.Warnings, reconcile.WarnMailbox) != gone {
			w.t.Errorf("the mailbox is lost: %v, and the warnings: %v", gone, c.Warnings)
		}
		for _, sku := range c.Takes {
			used[sku]++
		}
		for _, sku := range c.Frees {
			used[sku]--
		}
	}
	if !maps.Equal(used, now.used) {
		w.t.Errorf("seats announced %v, and in use %v", used, now.used)
	}
	for _, key := range w.users { // what groups give is with their members later only
		if goal, ok := w.goals[key]; ok && goal.Mode != reconcile.Exactly && len(goal.Remove) == 0 && len(before.lost(key, now)) > 0 {
			w.t.Errorf("%s has lost %v by a goal of mode AtLeast", key, before.lost(key, now))
		}
	}
}

// checkAdded holds that a change adds no license that groups give, unless it is to,
// and switches no plan that users cannot switch.
func (w *world) checkAdded(c *reconcile.Change, before look) {
	w.t.Helper()
	for _, l := range c.After {
		sku, _ := w.SKU(l.SKUID)
		was, had := before.license(c.ID, l.SKUID)
		needed := had || w.opts.IgnoreInherited || len(w.inherited(c.ID, l.SKUID)) == 0
		for _, p := range sku.Plans {
			off := slices.Contains(l.DisabledPlans, p.ID)
			if off && p.AppliesTo != "User" && !slices.Contains(was.DisabledPlans, p.ID) {
				w.t.Errorf("%s is not for users to switch: %s", p.Name, marshal(w.t, c))
			}
			needed = needed || !off && !w.inherited(c.ID, l.SKUID)[p.ID]
		}
		if !needed {
			w.t.Errorf("groups give all of SKU %d: %s", l.SKUID[15], marshal(w.t, c))
		}
	}
}

// mailbox reports whether one of some plans has a mailbox.
func mailbox(plans map[uuid.UUID]bool) bool {
	return slices.ContainsFunc(mailboxPlans, func(p uuid.UUID) bool { return plans[p] })
}

func plansOf(refs []reconcile.ServicePlanRef) map[uuid.UUID]bool {
	plans := make(map[uuid.UUID]bool)
	for _, ref := range refs {
		plans[ref.ServicePlanID] = true
	}
	return plans
}

// checkGoal holds what a goal promises for what its object has directly, reached or not.
func (w *world) checkGoal(key string, reached bool, before, now look) {
	w.t.Helper()
	goal := w.goals[key]
	exactly := goal.Mode == reconcile.Exactly
	for n := byte(1); n <= 4; n++ {
		sku := id(n)
		was, had := before.license(key, sku)
		is, has := now.license(key, sku)
		same := had == has && licenseText(sku, was.DisabledPlans) == licenseText(sku, is.DisabledPlans)
		at := slices.IndexFunc(goal.Licenses, func(l reconcile.License) bool { return l.SKUID == sku })
		named := at >= 0
		managed := w.opts.ManageAll || slices.Contains(w.opts.Managed, sku)
		switch {
		case slices.Contains(goal.Remove, sku):
			if reached && has || has && !same {
				w.t.Errorf("%s: SKU %d was to go, and is there: %v", key, n, is)
			}
		case exactly && !managed, !exactly && !named:
			if !same {
				w.t.Errorf("%s: SKU %d was not to be touched: %v, now %v", key, n, was, is)
			}
		case exactly && !named:
			if reached && has {
				w.t.Errorf("%s: SKU %d is managed and not in the goal: %v", key, n, is)
			}
		case exactly && named: // what is on, reads of a second plan tell
			if had && !has {
				w.t.Errorf("%s: SKU %d is in the goal and was taken away", key, n)
			}
		case had && !has, had && slices.ContainsFunc(is.DisabledPlans, func(p uuid.UUID) bool { return !slices.Contains(was.DisabledPlans, p) }):
			w.t.Errorf("%s: something of SKU %d was taken away by a goal of mode AtLeast: %v, now %v", key, n, was, is)
		}
		if reached && named && !has {
			w.checkInherited(key, &goal.Licenses[at])
		}
	}
}

// checkInherited holds that groups give a license that a goal asks for and that is
// not there directly.
func (w *world) checkInherited(key string, l *reconcile.License) {
	w.t.Helper()
	sku, _ := w.SKU(l.SKUID)
	on := w.inherited(key, l.SKUID)
	for _, p := range sku.Plans {
		switch {
		case w.opts.IgnoreInherited || len(on) == 0,
			l.Plans == nil && !slices.Contains(l.DisabledPlans, p.ID) && !on[p.ID],
			w.goals[key].Mode == reconcile.Exactly && slices.Contains(l.DisabledPlans, p.ID) && p.AppliesTo == "User" && on[p.ID]:
			w.t.Errorf("%s: SKU %d is in the goal and not there, and groups give %v of it", key, l.SKUID[15], on)
			return
		}
	}
}

// checkRest holds that a plan after all was done has nothing left but what was
// refused, and the problems of before.
func (w *world) checkRest(when string, set *reconcile.ChangeSet, done map[string]bool, rest *reconcile.ChangeSet) {
	w.t.Helper()
	for _, c := range rest.Changes {
		tried := slices.ContainsFunc(set.Changes, func(first reconcile.Change) bool { return first.ID == c.ID })
		if w.smooth || done[c.ID] || !tried {
			w.t.Errorf("left to do %s: %s", when, marshal(w.t, c))
		}
	}
	if got, want := marshal(w.t, rest.Problems), marshal(w.t, set.Problems); got != want {
		w.t.Errorf("problems %s are %s, and were %s", when, got, want)
	}
}

// checkTwice applies a set again, by a client that does not know of the first time:
// what was made then stays, and is not made again.
func (w *world) checkTwice(set *reconcile.ChangeSet, done map[string]bool, once look) {
	w.t.Helper()
	writes := len(w.Writes())
	results := apply(w.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1})
	for _, r := range results {
		if done[r.Change.ID] && (!r.Done() || r.Written && w.lag == 0) {
			w.t.Errorf("again, written %v: %v", r.Written, r.Err)
		}
	}
	for _, write := range w.Writes()[writes:] {
		if done[write.Target] && write.Changed {
			w.t.Errorf("%s was changed once more", write.Target)
		}
	}
	twice := w.look()
	for _, key := range w.objects() {
		if done[key] && once.text(key) != twice.text(key) {
			w.t.Errorf("applied once is %s, and twice %s", once.text(key), twice.text(key))
		}
	}
}

// checkNothing holds that a set without changes sends nothing.
func (w *world) checkNothing(set *reconcile.ChangeSet) {
	w.t.Helper()
	requests := len(w.Requests())
	if results := slices.Collect(reconcile.Apply(context.Background(), w.Client(), set, reconcile.ApplyOptions{})); len(results) > 0 {
		w.t.Errorf("results of nothing: %s", marshal(w.t, results))
	}
	if sent := w.Requests()[requests:]; len(sent) > 0 {
		w.t.Errorf("sent for nothing: %v", sent)
	}
}

// checkRestored plans and applies a snapshot: each user is as before, unless Graph
// refuses that in a rough world.
func (w *world) checkRestored(snapshot []reconcile.Goal, before look) {
	w.t.Helper()
	w.opts = reconcile.PlanOptions{ManageAll: true, IgnoreInherited: true}
	clear(w.goals)
	for _, goal := range snapshot {
		w.goals[goal.Target] = goal
	}
	set := w.plan(w.Client(), snapshot)
	if w.smooth && len(set.Problems) > 0 {
		w.t.Errorf("problems of a snapshot: %s", marshal(w.t, set.Problems))
	}
	done := w.apply(w.Client(), set)
	now := w.look()
	for _, key := range w.users {
		if _, told := w.goals[key]; !told {
			w.t.Errorf("%s is not in the snapshot", key)
		}
		if !w.reached(key, set, done) {
			continue
		}
		if w.census["restored"]++; now.text(key) != before.text(key) {
			w.t.Errorf("restored is %s, want %s", now.text(key), before.text(key))
		}
	}
}

// checkCovered takes away what groups make needless, from which nobody loses a plan.
func (w *world) checkCovered() {
	w.t.Helper()
	var goals []reconcile.Goal
	client := w.Client()
	for u := range w.read(client) {
		goals = append(goals, reconcile.Covered(u, ids(1, 2, 3, 4)))
	}
	before := w.look()
	set := w.plan(client, goals)
	w.census["covered"] += len(w.apply(client, set))
	now := w.look()
	for _, key := range w.users {
		if lost := before.lost(key, now); len(lost) > 0 {
			w.t.Errorf("%s has lost %v, which Covered takes for needless: had %v", key, lost, before.direct[key])
		}
		for _, l := range before.direct[key] {
			if _, has := now.license(key, l.SKUID); has && w.smooth && w.needless(key, l) {
				w.t.Errorf("%s keeps SKU %d, of which groups give the same", key, l.SKUID[15])
			}
		}
	}
}

// needless reports whether groups have all plans of a direct license on.
func (w *world) needless(key string, l licensingtest.License) bool {
	on := w.inherited(key, l.SKUID)
	sku, _ := w.SKU(l.SKUID)
	return len(on) > 0 && !slices.ContainsFunc(sku.Plans, func(p licensingtest.Plan) bool {
		return !slices.Contains(l.DisabledPlans, p.ID) && !on[p.ID]
	})
}
