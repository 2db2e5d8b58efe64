package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A skewLocker makes its client's clock seem to be behind.
type skewLocker struct {
	licensing.Locker
	behind time.Duration
}

type skewLock struct {
	licensing.Lock
	behind time.Duration
}

func (l skewLocker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	h, k, err := l.Locker.Lock(ctx, key)
	if err != nil {
		return h, k, err
	}
	return h, skewLock{k, l.behind}, nil
}

// shift returns a note with its times later by d.
func shift(note []byte, d time.Duration) []byte {
	if len(note) == 0 {
		return note
	}
	var m map[string]any
	json.Unmarshal(note, &m)
	f := func(m map[string]any, k string) {
		if s, ok := m[k].(string); ok {
			tm, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				panic(err)
			}
			m[k] = tm.Add(d).Format(time.RFC3339Nano)
		}
	}
	f(m, "fence")
	ws, _ := m["writes"].([]any)
	for _, w := range ws {
		f(w.(map[string]any), "noted")
	}
	out, _ := json.Marshal(m)
	return out
}
func (l skewLock) Note() []byte { return shift(l.Lock.Note(), l.behind) }
func (l skewLock) Unlock(ctx context.Context, note []byte) error {
	return l.Lock.Unlock(ctx, shift(note, -l.behind))
}

// With notes no edit is lost where the clocks of the machines are some seconds apart.
func TestLockersWhoseClocksDiffer(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Minute} {
		for _, skew := range []time.Duration{0, time.Second, 3 * time.Second} {
			for _, gap := range []time.Duration{500 * time.Millisecond, 2 * time.Second} {
				t.Run(fmt.Sprint(lag, skew, gap), func(t *testing.T) {
					bubble(t, func(t *testing.T) {
						tenant := licensingtest.NewTenant()
						sku := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)})
						u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}})
						time.Sleep(time.Hour)
						tenant.SetReadLag(lag)
						locker := licensingtest.NewLocker()
						p := tenant.Client(licensing.WithLocker(locker))
						q := tenant.Client(licensing.WithLocker(skewLocker{locker, skew}))
						ctx := t.Context()
						for i, c := range []*licensing.Client{p, q, p} {
							if _, err := c.UpdateUserServicePlans(ctx, u.ID, sku.ID, disable(sku.Plans[i].ID)); err != nil {
								t.Fatal(err)
							}
							time.Sleep(gap)
						}
						got, _ := tenant.User(u.ID)
						if n := len(got.Licenses[0].DisabledPlans); n != 3 {
							t.Errorf("lost update: %d plans off, want 3", n)
						}
					})
				})
			}
		}
	}
}

// Where the locker keeps no notes, an edit waits some seconds for reads to show what its own
// client wrote.
func TestAdvisoryLockerWaitsForOwnWrites(t *testing.T) {
	for _, advisory := range []bool{false, true} {
		t.Run(fmt.Sprint(advisory), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				sku := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
				u2 := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}})
				g := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: sku.ID}}})
				time.Sleep(time.Hour)
				tenant.SetReadLag(8 * time.Second)
				var opts []licensing.Option
				if advisory {
					opts = append(opts, licensing.WithLocker(licensingtest.NewAdvisoryLocker()))
				}
				c := tenant.Client(opts...)
				ctx := t.Context()
				for i := range 2 {
					if _, err := c.UpdateGroupServicePlans(ctx, g.ID, sku.ID, disable(sku.Plans[i].ID)); err != nil {
						t.Error("group", err)
					}
					if _, err := c.UpdateUserServicePlans(ctx, u2.ID, sku.ID, disable(sku.Plans[i].ID)); err != nil {
						t.Error("user", err)
					}
				}
				gg, _ := tenant.Group(g.ID)
				uu, _ := tenant.User(u2.ID)
				if n, m := len(gg.Licenses[0].DisabledPlans), len(uu.Licenses[0].DisabledPlans); n != 2 || m != 2 {
					t.Errorf("of the group %d plans are off, of the user %d", n, m)
				}
				if _, err := c.AssignUserLicense(ctx, u.ID, add(sku.ID)); err != nil {
					t.Fatal(err)
				}
				_, err := c.UpdateUserServicePlans(ctx, u.ID, sku.ID, disable(sku.Plans[0].ID))
				user, _ := c.User(ctx, u.ID)
				if err != nil || len(user.AssignedLicenses) != 1 {
					t.Errorf("%v, and shown are %v", err, user.AssignedLicenses)
				}
			})
		})
	}
}

// A leaseLocker gives leases of ten seconds, which are renewed until held ends.
type leaseLocker struct{ in *licensingtest.Locker }

func (l leaseLocker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	held, lock, err := l.in.Lock(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	go func() { // renews until held ends, then the lease of 10 s runs out
		<-held.Done()
		time.Sleep(10 * time.Second)
		l.in.Lose(key) // if it is still had
	}()
	return held, lock, nil
}

// A lock is had until a request in doubt can no longer land, also when the caller has gone.
func TestALeaseLastsThroughTheFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		time.Sleep(time.Hour)
		locker := leaseLocker{licensingtest.NewAdvisoryLocker()}
		p, q := tenant.Client(licensing.WithLocker(locker)), tenant.Client(licensing.WithLocker(locker))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		tenant.Fail(licensingtest.Fault{Delay: 50 * time.Second})
		if _, err := p.AssignUserLicense(ctx, u.ID, add(sku.ID)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Error(err)
		}
		if _, err := q.AssignUserLicense(t.Context(), u.ID, add(sku.ID)); err != nil {
			t.Error(err)
		}
		if _, err := q.AssignUserLicense(t.Context(), u.ID, remove(sku.ID)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 {
			t.Errorf("the stalled write landed on top of the later one")
		}
	})
}

// A direct assignment that failed later than the own write is shown as it is.
func TestALaterErrorIsShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		// own write at 2000-01-01T00:00:01, later Graph puts the direct row into Error
		row := `{"id":"` + userID + `","userPrincipalName":"` + userUPN + `","assignedLicenses":[],"licenseAssignmentStates":[{"skuId":"` + skuA.String() + `","disabledPlans":[],"assignedByGroup":null,"state":"Error","error":"MutuallyExclusiveViolation","lastUpdatedDateTime":"2000-01-01T00:02:00Z"}]}`
		list := `{"value":[` + row + `]}`
		s := newScript(t, reply(200, `{"id":"`+userID+`"}`, "Date", "Sat, 01 Jan 2000 00:00:01 GMT"), reply(200, row), reply(200, list))
		c := newClient(t, s)
		if _, err := c.AssignUserLicense(t.Context(), userID, add(skuA)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		u, err := c.User(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		if state := u.LicenseAssignmentStates[0]; len(u.LicenseAssignmentStates) != 1 || !errors.Is(state.Err(), licensing.ErrPlanConflict) {
			t.Errorf("shown are %+v", u.LicenseAssignmentStates)
		}
		n := 0
		for range c.Users(t.Context(), licensing.UserQuery{OnlyErrors: true}) {
			n++
		}
		if n == 0 {
			t.Error("the error is hidden")
		}
	})
}

// However often one SKU of an object is written, what was written of others is known.
func TestManyWritesOfOneSKUForgetNoOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)})
		b := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)})
		g := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: a.ID}, {SKUID: b.ID}}})
		time.Sleep(time.Hour)
		tenant.SetReadLag(5 * time.Minute)
		c := tenant.Client()
		ctx := t.Context()
		if _, err := c.UpdateGroupServicePlans(ctx, g.ID, a.ID, disable(a.Plans[0].ID)); err != nil {
			t.Fatal(err)
		}
		for i := range 32 {
			ch := disable(b.Plans[0].ID)
			if i%2 == 1 {
				ch = enable(b.Plans[0].ID)
			}
			if _, err := c.UpdateGroupServicePlans(ctx, g.ID, b.ID, ch); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.UpdateGroupServicePlans(ctx, g.ID, a.ID, disable(a.Plans[1].ID)); err != nil {
			t.Fatal(err)
		}
		got, _ := tenant.Group(g.ID)
		for _, l := range got.Licenses {
			if l.SKUID == a.ID && len(l.DisabledPlans) != 2 {
				t.Errorf("lost own edit: %d off", len(l.DisabledPlans))
			}
		}
	})
}

// Notes that go back and forth do not count as new ones.
func TestAdoptedNotesPushNothingOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)})
		x := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		y := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		time.Sleep(time.Hour)
		tenant.SetReadLag(5 * time.Minute)
		locker := licensingtest.NewLocker()
		p, q := tenant.Client(licensing.WithLocker(locker)), tenant.Client(licensing.WithLocker(locker))
		ctx := t.Context()
		start := time.Now()
		if _, err := p.AssignUserLicense(ctx, x.ID, add(a.ID)); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			for _, c := range []*licensing.Client{p, q} {
				if _, err := c.AssignUserLicense(ctx, y.ID, add(a.ID)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			if i%200 == 0 {
				u, _ := p.User(ctx, x.ID)
				if len(u.AssignedLicenses) == 0 {
					t.Fatalf("own write forgotten after %d further writes of the client, and %v", i, time.Since(start))
				}
			}
		}
	})
}

// What the client itself assigns again is no license that is still there.
func TestRemovalThenAssignment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
		time.Sleep(time.Hour)
		c := tenant.Client()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		time.AfterFunc(1*time.Second, func() {
			if _, err := c.AssignUserLicense(context.Background(), u.ID, add(a.ID)); err != nil {
				t.Error(err)
			}
		})
		if _, err := c.RemoveUserLicenses(ctx, u.ID, []uuid.UUID{a.ID}); err != nil {
			t.Error(err)
		}
	})
}

// SKUs that could not be read for a moment are read later.
func TestWaitAsksForTheSKUsAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ok := `{"id":"` + userID + `","assignedLicenses":[{"skuId":"` + skuA.String() + `","disabledPlans":["` + planA.String() + `"]}],"licenseAssignmentStates":[{"skuId":"` + skuA.String() + `","disabledPlans":["` + planA.String() + `"],"assignedByGroup":null,"state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:02:00Z"}]}`
		w := &wayFunc{before: make(map[string]int), answer: func(path string, n int) step {
			if path == "/base/v1.0/subscribedSkus" {
				if n < 6 { // a short outage, just as it asks
					return graphError(503, "serviceNotAvailable", "x")
				}
				return reply(200, `{"value":[{"skuId":"`+skuA.String()+`","servicePlans":[]}]}`)
			}
			return reply(200, ok)
		}}
		c := newClient(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		if _, err := c.WaitForUser(ctx, userID, add(skuA)); err != nil {
			t.Error(err)
		}
	})
}

// Who has lost a SKU by the client's own write is not among those who have it.
func TestListingBySKULeavesOutWhatWasTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
		time.Sleep(time.Hour)
		tenant.SetReadLag(time.Minute)
		c := tenant.Client()
		if _, err := c.AssignUserLicense(t.Context(), u.ID, remove(a.ID)); err != nil {
			t.Fatal(err)
		}
		for user, err := range c.Users(t.Context(), licensing.UserQuery{SKUID: a.ID}) {
			t.Errorf("%v, %v", user, err)
		}
	})
}

// A rootLocker gives a context of its own.
type rootLocker struct{ licensing.Locker }

func (l rootLocker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	_, k, err := l.Locker.Lock(ctx, key)
	return context.Background(), k, err
}

// A call ends with its context whatever a locker makes of it.
func TestHeldNeedNotBeMadeFromTheContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		c := tenant.Client(licensing.WithLocker(rootLocker{licensingtest.NewLocker()}))
		tenant.Fail(licensingtest.Fault{Delay: 50 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.AssignUserLicense(ctx, u.ID, add(a.ID))
		if took := time.Since(start); took != time.Second || !errors.Is(err, licensing.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, took)
		}
		time.Sleep(5 * time.Minute)
	})
}

// After a doubt the same call may be made again at once, with a locker as without.
func TestTheSameAgainPassesItsOwnFence(t *testing.T) {
	for _, with := range []bool{false, true} {
		s := newScript(t, lost, okUser)
		opts := []licensing.Option{licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1})}
		if with {
			opts = append(opts, licensing.WithLocker(licensingtest.NewLocker()))
		}
		c := newClient(t, s, opts...)
		_, err := c.AssignUserLicense(t.Context(), userID, add(skuA))
		if !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		if _, err = c.AssignUserLicense(ctx, userID, add(skuA)); err != nil {
			t.Errorf("with a locker: %t: %v", with, err)
		}
		cancel()
	}
}

// What was written to whoever has a name now is no note about whoever had it.
func TestNotesOfANameThatWasGivenAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		id2 := "33333333-3333-4333-8333-333333333333"
		locker := &watchedLocker{Locker: licensingtest.NewLocker()}
		none := `,"assignedLicenses":[],"licenseAssignmentStates":[]}`
		s := newScript(t,
			reply(200, `{"id":"`+userID+`","userPrincipalName":"`+userUPN+`"`+none),   // the name is one's
			reply(200, `{"id":"`+id2+`","userPrincipalName":"`+userUPN+`"}`),          // and now the other's
			reply(200, `{"id":"`+userID+`","userPrincipalName":"old@x.example"}`),     // a write to the first by another client
			reply(200, `{"id":"`+userID+`","userPrincipalName":"old@x.example"`+none), // which never had skuA
		)
		c := newClient(t, s, licensing.WithLocker(locker))
		d := newClient(t, s, licensing.WithLocker(locker))
		if _, err := c.User(t.Context(), userUPN); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AssignUserLicense(t.Context(), userUPN, add(skuA)); err != nil {
			t.Fatal(err)
		}
		if _, err := d.AssignUserLicense(t.Context(), userID, add(skuB)); err != nil {
			t.Fatal(err)
		}
		u, err := d.User(t.Context(), userID)
		if err != nil || len(u.AssignedLicenses) != 1 || u.AssignedLicenses[0].SKUID != skuB {
			t.Errorf("%v, and shown are %v", err, u.AssignedLicenses)
		}
	})
}

// A wayFunc answers the requests to each path, by how many there were before.
type wayFunc struct {
	answer func(path string, n int) step
	mu     sync.Mutex
	before map[string]int
}

func (w *wayFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	n := w.before[r.URL.Path]
	w.before[r.URL.Path]++
	w.mu.Unlock()
	return w.answer(r.URL.Path, n)(r)
}
