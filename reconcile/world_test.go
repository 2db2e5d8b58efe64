package reconcile_test

import (
	"fmt"
	"math/rand/v2"
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

// mailboxPlans are the plans with a mailbox, each in two SKUs.
var mailboxPlans = ids(7, 9)

// A world is a random tenant. SKUs are 1 to 4, plans from 6 up, some in two SKUs,
// users from 100 and groups from 200 up.
type world struct {
	*rand.Rand
	*licensingtest.Tenant
	t             *testing.T
	seed          uint64
	smooth        bool // no change is refused
	lag           time.Duration
	users, groups []string
	skus          []licensingtest.SKU // that can be assigned
	opts          reconcile.PlanOptions
	goals         map[string]reconcile.Goal // by the id of the object
	census        census
}

// A census counts what occurred in all worlds, so that no property holds for want
// of cases.
type census map[string]int

func newWorld(t *testing.T, seed uint64, census census) *world {
	w := &world{
		Rand: rand.New(rand.NewPCG(seed, 1)), Tenant: licensingtest.NewTenant(), t: t, seed: seed,
		goals: make(map[string]reconcile.Goal), census: census,
	}
	w.smooth = w.IntN(3) == 0
	for n := byte(1); n <= 4; n++ {
		w.addSKU(n)
	}
	for n := byte(100); n < 106; n++ {
		w.users = append(w.users, w.AddUser(w.user(n)).ID)
	}
	for n := byte(200); n < 203; n++ {
		w.addGroup(n)
	}
	for w.rough(2) {
		w.disturb()
	}
	time.Sleep(time.Hour)
	w.lag = []time.Duration{0, 0, time.Minute, 5 * time.Minute}[w.IntN(4)]
	w.SetReadLag(w.lag)
	w.opts = reconcile.PlanOptions{IgnoreInherited: w.one(3), ManageAll: w.one(4), Managed: []uuid.UUID{id(1)}}
	for n := byte(2); n <= 4; n++ {
		if w.one(2) {
			w.opts.Managed = append(w.opts.Managed, id(n))
		}
	}
	return w
}

// one reports true once in n times.
func (w *world) one(n int) bool { return w.IntN(n) == 0 }

// rough reports true once in n times, in a world where changes may be refused.
func (w *world) rough(n int) bool { return !w.smooth && w.one(n) }

// addSKU adds a SKU: two of its plans are also those of its neighbors, and one may
// be for the company. In a rough world seats are short, plans depend on others, in
// other SKUs too, and exclude each other.
func (w *world) addSKU(n byte) {
	sku := product(n, 100, 10*n, 10*n+1, 10*n+2, 5+n, 6+n)
	for i := range sku.Plans {
		p := &sku.Plans[i]
		if slices.Contains(mailboxPlans, p.ID) {
			p.Name = "EXCHANGE_" + p.Name
		}
		if i == 2 && w.one(3) {
			p.AppliesTo = "Company"
		}
		if w.rough(8) {
			p.DependsOn = []uuid.UUID{id(10*n + byte(w.IntN(2))), id(5 + byte(w.IntN(6)))}
		}
		if w.rough(24) {
			p.ConflictsWith = []uuid.UUID{id(10 * (1 + byte(w.IntN(4))))}
		}
	}
	if w.rough(2) {
		sku.Seats = w.IntN(7)
	}
	if w.rough(4) {
		sku.BarredIn = []string{"CN"}
	}
	if n == 4 && w.one(8) {
		sku.AppliesTo = "Company"
		w.AddSKU(sku)
		return
	}
	w.skus = append(w.skus, w.AddSKU(sku))
}

func (w *world) user(n byte) licensingtest.User {
	u := user(n, w.licenses()...)
	switch {
	case w.rough(6):
		u.UsageLocation = ""
	case w.rough(6):
		u.UsageLocation = "CN"
	}
	u.ProxyAddressConflict = w.rough(12)
	return u
}

// addGroup adds a group. Its licenses are with its members, or in error there, and
// may have been changed since.
func (w *world) addGroup(n byte) {
	var members []string
	for _, u := range w.users {
		if w.one(3) {
			members = append(members, u)
		}
	}
	g := w.AddGroup(licensingtest.Group{ID: id(n).String(), Licenses: w.licenses()}, members...)
	w.groups = append(w.groups, g.ID)
	if w.one(2) {
		w.SetGroupLicenses(g.ID, w.licenses()...)
	}
	if w.one(2) {
		w.Process()
	}
}

func (w *world) licenses() []licensingtest.License {
	var list []licensingtest.License
	for _, sku := range w.skus {
		switch w.IntN(6) {
		case 0:
			list = append(list, licensingtest.License{SKUID: sku.ID})
		case 1:
			list = append(list, licensingtest.License{SKUID: sku.ID, DisabledPlans: w.some(sku, "User")})
		}
	}
	return list
}

// some returns some plans of a SKU, which are for users or for all.
func (w *world) some(sku licensingtest.SKU, appliesTo string) []uuid.UUID {
	list := []uuid.UUID{}
	for _, p := range sku.Plans {
		if w.one(3) && strings.HasPrefix(p.AppliesTo, appliesTo) {
			list = append(list, p.ID)
		}
	}
	return list
}

// goal returns a goal for an object, by a name of it.
func (w *world) goal(kind reconcile.Kind, target string) reconcile.Goal {
	g := reconcile.Goal{Kind: kind, Target: target, Mode: []reconcile.Mode{"", reconcile.AtLeast, reconcile.Exactly}[w.IntN(3)]}
	for n := byte(1); n <= 4; n++ {
		switch w.IntN(4) {
		case 0:
			g.Licenses = append(g.Licenses, w.license(n))
		case 1:
			g.Remove = append(g.Remove, id(n))
		}
	}
	if w.one(30) {
		g.Licenses = append(g.Licenses, want(99)) // which nobody has
	}
	return g
}

func (w *world) license(n byte) reconcile.License {
	l := reconcile.License{SKUID: id(n)}
	sku, _ := w.SKU(l.SKUID)
	if w.one(4) { // plans for the company, and those of no SKU, in lists
		switch {
		case w.one(2):
			l.DisabledPlans = append(w.some(sku, ""), id(99))
		default:
			l.Plans = &licensing.ServicePlanChange{Disable: []uuid.UUID{sku.Plans[2].ID}}
		}
		return l
	}
	switch w.IntN(5) {
	case 0, 1:
		l.DisabledPlans = w.some(sku, "User")
	case 2:
		l.Plans = &licensing.ServicePlanChange{Disable: []uuid.UUID{sku.Plans[0].ID}, Enable: []uuid.UUID{sku.Plans[1].ID}}
	case 3:
		l.Plans = &licensing.ServicePlanChange{EnableOnly: []uuid.UUID{sku.Plans[1].ID, sku.Plans[3].ID}}
	}
	return l
}

// wish returns goals for most objects, and keeps them.
func (w *world) wish() (goals []reconcile.Goal) {
	for _, u := range w.users {
		name := u
		if w.one(2) {
			named, _ := w.User(u)
			name = strings.ToUpper(named.UserPrincipalName)
		}
		w.goals[u] = w.goal(reconcile.KindUser, name)
	}
	for _, g := range w.groups {
		w.goals[g] = w.goal(reconcile.KindGroup, g)
	}
	for _, key := range w.objects() {
		if w.one(10) {
			delete(w.goals, key)
			continue
		}
		goals = append(goals, w.goals[key])
	}
	w.Shuffle(len(goals), func(i, j int) { goals[i], goals[j] = goals[j], goals[i] })
	return goals
}

func (w *world) objects() []string { return slices.Concat(w.users, w.groups) }

// disturb is what others do meanwhile.
func (w *world) disturb() {
	for _, key := range w.users {
		if w.one(3) {
			w.SetUserLicenses(key, w.licenses()...)
		}
	}
	for _, key := range w.groups {
		if w.one(3) {
			w.SetGroupLicenses(key, w.licenses()...)
		}
		if user := w.users[w.IntN(len(w.users))]; w.one(2) {
			w.AddMember(key, user)
		} else {
			w.RemoveMember(key, user)
		}
	}
	w.Process()
}

// A look is what all have at a time, by the id of the object.
type look struct {
	direct map[string][]licensingtest.License
	on     map[string]map[uuid.UUID]bool // the plans in effect; of a group, what it gives
	used   map[uuid.UUID]int             // seats
}

func (w *world) look() look {
	l := look{make(map[string][]licensingtest.License), make(map[string]map[uuid.UUID]bool), make(map[uuid.UUID]int)}
	for _, key := range w.users {
		u, _ := w.User(key)
		l.direct[key], l.on[key] = u.Licenses, make(map[uuid.UUID]bool)
		for _, row := range u.States {
			w.census[fmt.Sprint(row.State, ", inherited: ", row.Group != "")]++
			if row.State != "Error" {
				w.switchOn(l.on[key], row.License)
			}
		}
	}
	for _, key := range w.groups {
		g, _ := w.Group(key)
		l.direct[key], l.on[key] = g.Licenses, make(map[uuid.UUID]bool)
		for _, license := range g.Licenses {
			w.switchOn(l.on[key], license)
		}
	}
	for _, sku := range w.skus {
		now, _ := w.SKU(sku.ID)
		l.used[sku.ID] = now.Consumed
	}
	return l
}

func (w *world) switchOn(on map[uuid.UUID]bool, license licensingtest.License) {
	sku, _ := w.SKU(license.SKUID)
	for _, p := range sku.Plans {
		if !slices.Contains(license.DisabledPlans, p.ID) {
			on[p.ID] = true
		}
	}
}

// inherited returns the plans of a SKU that groups have on for a user, without an
// error.
func (w *world) inherited(key string, sku uuid.UUID) map[uuid.UUID]bool {
	on := make(map[uuid.UUID]bool)
	u, _ := w.User(key)
	for _, row := range u.States {
		if row.Group != "" && row.SKUID == sku && row.State == "Active" {
			w.switchOn(on, row.License)
		}
	}
	return on
}

// license returns what an object has directly of a SKU.
func (l look) license(key string, sku uuid.UUID) (license licensingtest.License, has bool) {
	i := slices.IndexFunc(l.direct[key], func(d licensingtest.License) bool { return d.SKUID == sku })
	if i < 0 {
		return license, false
	}
	return l.direct[key][i], true
}

// text is what an object has directly.
func (l look) text(key string) string { return licensesText(l.direct[key]) }

// lost returns the plans that are on for an object here and are not in another look.
func (l look) lost(key string, now look) map[uuid.UUID]bool {
	lost := make(map[uuid.UUID]bool)
	for plan := range l.on[key] {
		if !now.on[key][plan] {
			lost[plan] = true
		}
	}
	return lost
}

// read reads all users.
func (w *world) read(c *licensing.Client) func(func(*licensing.User) bool) {
	return func(yield func(*licensing.User) bool) {
		for r := range c.ReadUsers(w.t.Context(), slices.Values(w.users), licensing.ReadUsersOptions{}) {
			if r.Err != nil {
				w.t.Fatal(r.Err)
			}
			if !yield(r.User) {
				return
			}
		}
	}
}

// In rough and in smooth worlds alike, a seed is one world.
func TestWorldOfASeed(t *testing.T) {
	text := func() (text string) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 7, make(census))
			text = marshal(t, w.wish()) + fmt.Sprint(w.look().direct, w.lag, w.opts)
		})
		return text
	}
	if a, b := text(), text(); a != b {
		t.Errorf("got %s\nand %s", a, b)
	}
}
