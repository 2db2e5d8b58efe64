package licensing_test

import (
	"context"
	"errors"
	"flag"
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
)

// A had is what an object has directly of each SKU of a session: absent, or a bit
// for each plan that is off.
type had [2]int

const gone = -1

// A session is a random sequence of calls by several clients on one object, beside
// a model that knows what the object may have.
type session struct {
	*rand.Rand
	t       *testing.T
	tenant  *licensingtest.Tenant
	clients []*licensing.Client
	skus    []licensingtest.SKU
	names   []string
	group   bool
	alone   bool // one client is all that writes, so that its reads show all

	may    []had  // what the object may have
	writer [2]int // who was the last to write each SKU, as far as is known; -1 is nobody
	log    []string
}

// newSession returns a session. Kind is whether there are several clients, and by
// what they keep out of each other's way.
func newSession(t *testing.T, seed uint64, kind string) *session {
	s := &session{Rand: rand.New(rand.NewPCG(seed, 12)), t: t, tenant: licensingtest.NewTenant(), writer: [2]int{-1, -1}}
	for range 2 {
		plans := make([]licensingtest.Plan, 4)
		s.skus = append(s.skus, s.tenant.AddSKU(licensingtest.SKU{Seats: 100, Plans: plans}))
	}
	start := had{s.IntN(17) - 1, s.IntN(17) - 1}
	var licenses []licensingtest.License
	for i, off := range start {
		if off >= 0 {
			licenses = append(licenses, licensingtest.License{SKUID: s.skus[i].ID, DisabledPlans: s.off(i, off)})
		}
	}
	s.may = []had{start}
	if s.group = s.IntN(3) == 0; s.group {
		id := s.tenant.AddGroup(licensingtest.Group{Licenses: licenses}).ID
		s.names = []string{id, strings.ToUpper(id)}
		s.tenant.ProcessAfter(time.Duration(s.IntN(60)) * time.Second)
	} else {
		u := s.tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: licenses})
		s.names = []string{u.ID, u.UserPrincipalName, strings.ToUpper(u.UserPrincipalName)}
	}
	time.Sleep(time.Hour)
	if kind != "no notes" {
		s.tenant.SetReadLag([]time.Duration{0, 3 * time.Second, time.Minute, 299 * time.Second}[s.IntN(4)])
	}
	var opts []licensing.Option
	n := 1
	switch kind {
	case "notes":
		n = 2 + s.IntN(2)
		opts = []licensing.Option{licensing.WithLocker(licensingtest.NewLocker())}
	case "no notes":
		n = 2 + s.IntN(2)
		opts = []licensing.Option{licensing.WithLocker(licensingtest.NewAdvisoryLocker())}
	}
	s.alone = n == 1
	share := []float64{0, 0.1, 0.3}[s.IntN(3)] // of the requests that meet trouble
	for range n {
		way := &chaos{tenant: s.tenant.RoundTripper(), meet: func(bool, string) trouble {
			if s.Float64() >= share {
				return ""
			}
			return requestTroubles[s.IntN(len(requestTroubles)-2)] // no tokens
		}}
		c := newClient(t, way, opts...)
		if !s.group { // who is who has to be told once
			for err := error(licensing.ErrUnavailable); err != nil; {
				_, err = c.User(t.Context(), s.names[1])
			}
		}
		s.clients = append(s.clients, c)
	}
	return s
}

// off returns the plans of a SKU that are off.
func (s *session) off(sku, mask int) (ids []uuid.UUID) {
	for i, p := range s.skus[sku].Plans {
		if mask>>i&1 == 1 {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// mask is the reverse of off.
func (s *session) mask(sku int, off []uuid.UUID) (mask int) {
	for i, p := range s.skus[sku].Plans {
		if slices.Contains(off, p.ID) {
			mask |= 1 << i
		}
	}
	return mask
}

// truth returns what the object has.
func (s *session) truth() had {
	var licenses []licensingtest.License
	if s.group {
		g, _ := s.tenant.Group(s.names[0])
		licenses = g.Licenses
	} else {
		u, _ := s.tenant.User(s.names[0])
		licenses = u.Licenses
	}
	h := had{gone, gone}
	for i, sku := range s.skus {
		for _, l := range licenses {
			if l.SKUID == sku.ID {
				h[i] = s.mask(i, l.DisabledPlans)
			}
		}
	}
	return h
}

// fail ends the session with all that was done.
func (s *session) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\t%s", fmt.Sprintf(format, args...), strings.Join(s.log, "\n\t"))
}

// step does something.
func (s *session) step() {
	who, name := s.IntN(len(s.clients)), s.names[s.IntN(len(s.names))]
	switch what := s.IntN(10); {
	case what < 2:
		s.read(who, name)
	case what == 2:
		s.wait(who, name)
	default:
		s.write(who, name, what)
	}
	if s.IntN(3) == 0 {
		time.Sleep(time.Duration(s.IntN(120)) * time.Second)
	}
}

// write makes a change, and compares what is told of it with what it did.
func (s *session) write(who int, name string, what int) {
	c := s.clients[who]
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Hour) // which no call needs
	defer cancel()
	i := s.IntN(2)
	j, mask := 1-i, s.IntN(16)
	var err error
	var text string
	var apply func(had) (had, bool) // false: it is refused
	var about []int
	if s.group && what == 6 {
		what = 8
	}
	switch {
	case what == 3: // assign
		about = []int{i}
		req := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: s.skus[i].ID, DisabledPlans: s.off(i, mask)}}}
		text = fmt.Sprintf("assign %d=%04b", i, mask)
		apply = func(h had) (had, bool) { h[i] = mask; return h, true }
		if s.group {
			_, err = c.AssignGroupLicense(ctx, name, req)
		} else {
			_, err = c.AssignUserLicense(ctx, name, req)
		}
	case what == 4: // remove
		about = []int{i}
		text = fmt.Sprintf("remove %d", i)
		apply = func(h had) (had, bool) {
			there := h[i] != gone
			h[i] = gone
			return h, there
		}
		req := remove(s.skus[i].ID)
		if s.group {
			_, err = c.AssignGroupLicense(ctx, name, req)
		} else {
			_, err = c.AssignUserLicense(ctx, name, req)
		}
	case what == 5: // swap
		about = []int{0, 1}
		text = fmt.Sprintf("swap %d for %d", i, j)
		apply = func(h had) (had, bool) {
			if h[i] == gone {
				return h, h[j] != gone
			}
			h[i], h[j] = gone, max(h[j], 0)
			return h, true
		}
		swap := licensing.LicenseSwap{From: s.skus[i].ID, To: s.skus[j].ID}
		if s.group {
			_, err = c.SwapGroupLicense(ctx, name, swap)
		} else {
			_, err = c.SwapUserLicense(ctx, name, swap)
		}
	case what == 6: // remove for good
		about = []int{0, 1}
		skus := []uuid.UUID{s.skus[i].ID, s.skus[j].ID}
		text = "remove both"
		apply = func(had) (had, bool) { return had{gone, gone}, true }
		var u *licensing.User
		if mask < 4 {
			text = fmt.Sprintf("remove %d for good", i)
			skus = skus[:1]
			about = []int{i}
			apply = func(h had) (had, bool) { h[i] = gone; return h, true }
		}
		if mask%2 == 0 || mask < 4 {
			u, err = c.RemoveUserLicenses(ctx, name, skus)
		} else {
			text = "remove all"
			u, err = c.RemoveAllUserLicenses(ctx, name)
		}
		if err == nil {
			direct, _ := u.DirectLicenses()
			for _, l := range direct {
				if slices.Contains(skus, l.SKUID) {
					s.fail("%s returned a user that has %s", text, l.SKUID)
				}
			}
		}
	default: // edit
		about = []int{i}
		text = fmt.Sprintf("edit %d: off %04b", i, mask)
		change := licensing.ServicePlanChange{Disable: s.off(i, mask)}
		apply = func(h had) (had, bool) {
			if h[i] == gone {
				return h, false
			}
			h[i] |= mask
			return h, true
		}
		if what%2 == 0 {
			text = fmt.Sprintf("edit %d: on %04b", i, mask)
			change = licensing.ServicePlanChange{Enable: s.off(i, mask)}
			apply = func(h had) (had, bool) {
				if h[i] == gone {
					return h, false
				}
				h[i] &^= mask
				return h, true
			}
		}
		if mask == 0 {
			return // it would change nothing, which is refused
		}
		if s.group {
			_, err = c.UpdateGroupServicePlans(ctx, name, s.skus[i].ID, change)
		} else {
			_, err = c.UpdateUserServicePlans(ctx, name, s.skus[i].ID, change)
		}
	}
	s.log = append(s.log, fmt.Sprintf("%s client %d by %s: %s: %v", time.Now().Format(time.TimeOnly), who, name, text, err))
	if errors.Is(err, context.DeadlineExceeded) {
		s.fail("the call never ended")
	}
	var next []had
	note := func(h had) {
		if !slices.Contains(next, h) {
			next = append(next, h)
		}
	}
	unknown, refused := errors.Is(err, licensing.ErrOutcomeUnknown), errors.Is(err, licensing.ErrNotAssigned)
	for _, h := range s.may {
		made, ok := apply(h)
		switch {
		case err == nil && (ok || what == 4), unknown && ok: // after a lost answer what is not there counts as removed
			note(made)
		case refused && (!ok || what == 5 && h[i] == gone), err != nil && !refused && !unknown:
			note(h)
		}
		if unknown {
			note(h)
		}
		if what >= 7 && err == nil && ok { // it makes so what reads showed, where it was in doubt
			for _, h := range s.may {
				h[i] = made[i]
				note(h)
			}
		}
		if what == 6 && err != nil && len(about) == 2 { // one by one, perhaps
			note(had{gone, h[1]})
			note(had{h[0], gone})
		}
	}
	for _, i := range about {
		switch {
		case err == nil:
			s.writer[i] = who
		case unknown:
			s.writer[i] = -1
		}
	}
	truth := s.truth()
	switch {
	case len(next) == 0:
		s.fail("what was told cannot be; it may have had %v", s.may)
	case !slices.Contains(next, truth):
		s.fail("it has %v, and may have %v", truth, next)
	case err == nil: // nothing that came before can land any more, but for the same once more
		next = slices.DeleteFunc(next, func(h had) bool {
			return slices.ContainsFunc(about, func(i int) bool { return h[i] != truth[i] })
		})
	}
	s.may = next
}

// read reads the object: a client's own writes are shown.
func (s *session) read(who int, name string) {
	var licenses []licensing.AssignedLicense
	if s.group {
		g, err := s.clients[who].Group(s.t.Context(), name)
		if err != nil {
			return
		}
		licenses = g.AssignedLicenses
	} else {
		u, err := s.clients[who].User(s.t.Context(), name)
		if err != nil {
			return
		}
		direct, known := u.DirectLicenses()
		if !known {
			s.fail("nothing is known")
		}
		same(s.t, "merged licenses", len(u.AssignedLicenses), len(direct))
		licenses = direct
	}
	got := s.seen(licenses)
	s.log = append(s.log, fmt.Sprintf("%s client %d by %s: reads %v", time.Now().Format(time.TimeOnly), who, name, got))
	for i := range got {
		if s.writer[i] != who {
			continue
		}
		if !slices.ContainsFunc(s.may, func(h had) bool { return h[i] == got[i] }) {
			s.fail("of SKU %d client %d reads %d, and wrote what makes it one of %v", i, who, got[i], s.may)
		}
	}
}

func (s *session) seen(licenses []licensing.AssignedLicense) had {
	got := had{gone, gone}
	for i, sku := range s.skus {
		for _, l := range licenses {
			if l.SKUID == sku.ID {
				got[i] = s.mask(i, l.DisabledPlans)
			}
		}
	}
	return got
}

// wait waits for what the object has: then no read shows anything else.
func (s *session) wait(who int, name string) {
	i := s.IntN(2)
	if len(s.may) != 1 || s.writer[i] != who {
		return
	}
	want := licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{s.skus[i].ID}}
	if off := s.may[0][i]; off != gone {
		want = licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: s.skus[i].ID, DisabledPlans: s.off(i, off)}}}
	}
	ctx, cancel := context.WithTimeout(licensing.ContextWithRawReads(s.t.Context()), 2*time.Hour)
	defer cancel()
	start := time.Now()
	var err error
	for range 2 {
		var licenses []licensing.AssignedLicense
		if s.group {
			var g *licensing.Group
			if g, err = s.clients[who].WaitForGroup(ctx, name, want); err == nil {
				licenses = g.AssignedLicenses
			}
		} else {
			var u *licensing.User
			if u, err = s.clients[who].WaitForUser(ctx, name, want); err == nil {
				licenses, _ = u.DirectLicenses()
			}
		}
		if err != nil {
			continue
		}
		if got := s.seen(licenses); got[i] != s.may[0][i] {
			s.fail("client %d waited for SKU %d, and it is %d in place of %d", who, i, got[i], s.may[0][i])
		}
		break
	}
	s.log = append(s.log, fmt.Sprintf("%s client %d by %s: waited %v: %v", time.Now().Format(time.TimeOnly), who, name, time.Since(start), err))
	if errors.Is(err, context.DeadlineExceeded) {
		s.fail("the wait never ended")
	}
	if err != nil {
		return
	}
	graph := s.tenant.Client()
	for range 1 + s.IntN(40) { // from now on no read shows anything else
		var licenses []licensing.AssignedLicense
		if s.group {
			g, _ := graph.Group(ctx, s.names[0])
			licenses = g.AssignedLicenses
		} else {
			u, _ := graph.User(ctx, s.names[0])
			licenses, _ = u.DirectLicenses()
		}
		if got := s.seen(licenses); got[i] != s.may[0][i] {
			s.fail("after the wait SKU %d is %d in place of %d", i, got[i], s.may[0][i])
		}
		time.Sleep(7 * time.Second)
	}
}

// sessionSeed runs one session alone: -args -session 123.
var sessionSeed = flag.Uint64("session", 0, "the seed of a session to run alone")

// Whatever several clients do with one object, by whatever names and however late
// reads are and answers get lost: no change is lost, each client reads what it
// wrote, and what is reported is true.
func TestSessions(t *testing.T) {
	t.Parallel()
	sequences := 60 // of each kind
	if *full {
		sequences = 5000
	}
	for _, kind := range []string{"one client", "notes", "no notes"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			first := uint64(time.Now().UnixNano())
			if *sessionSeed != 0 {
				first, sequences = *sessionSeed, 1
			}
			for i := range sequences {
				seed := first + uint64(i)
				ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newSession(t, seed, kind)
						for range 5 + s.IntN(20) {
							s.step()
						}
						time.Sleep(10 * time.Minute)
						if truth := s.truth(); !slices.Contains(s.may, truth) {
							s.fail("in the end it has %v, and may have %v", truth, s.may)
						}
					})
				})
				if !ok {
					return
				}
			}
		})
	}
}
