package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A slow way to a tenant counts how many writes to a person are under way.
type slow struct {
	tenant http.RoundTripper
	mu     sync.Mutex
	under  int
	most   int
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return s.tenant.RoundTrip(req)
	}
	s.mu.Lock()
	s.under++
	s.most = max(s.most, s.under)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.under--
	s.mu.Unlock()
	return s.tenant.RoundTrip(req)
}

// Each of these answers teaches a client that two names are one person, and then
// writes by both take turns.
func TestTwoNamesAreOnePerson(t *testing.T) {
	t.Parallel()
	type teach func(context.Context, *licensing.Client, licensingtest.User, uuid.UUID) error
	for name, learn := range map[string]teach{
		"read by id": func(ctx context.Context, c *licensing.Client, u licensingtest.User, _ uuid.UUID) error {
			_, err := c.User(ctx, u.ID)
			return err
		},
		"read by name": func(ctx context.Context, c *licensing.Client, u licensingtest.User, _ uuid.UUID) error {
			_, err := c.User(ctx, u.UserPrincipalName)
			return err
		},
		"me": func(ctx context.Context, c *licensing.Client, _ licensingtest.User, _ uuid.UUID) error {
			_, err := c.Me(ctx)
			return err
		},
		"listing": func(ctx context.Context, c *licensing.Client, _ licensingtest.User, _ uuid.UUID) error {
			for _, err := range c.Users(ctx, licensing.UserQuery{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"write": func(ctx context.Context, c *licensing.Client, u licensingtest.User, sku uuid.UUID) error {
			_, err := c.AssignUserLicense(ctx, u.ID, add(sku))
			return err
		},
		"edit": func(ctx context.Context, c *licensing.Client, u licensingtest.User, sku uuid.UUID) error {
			_, err := c.UpdateUserServicePlans(ctx, u.UserPrincipalName, sku, disable(planA))
			if errors.Is(err, licensing.ErrNotAssigned) {
				return nil
			}
			return err
		},
		"run": func(ctx context.Context, c *licensing.Client, u licensingtest.User, sku uuid.UUID) error {
			return bulkErrors(ctx, c, []licensing.Operation{{Kind: licensing.OperationAssignUser, Target: u.UserPrincipalName, Request: add(sku)}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
				tenant.SignIn(u.ID)
				way := &slow{tenant: tenant.RoundTripper()}
				c := newClient(t, way)
				if err := learn(t.Context(), c, u, sku.ID); err != nil {
					t.Fatal(err)
				}
				way.most = 0
				var calls sync.WaitGroup
				for _, user := range []string{u.ID, strings.ToUpper(u.UserPrincipalName), u.UserPrincipalName, strings.ToUpper(u.ID)} {
					calls.Go(func() {
						if _, err := c.AssignUserLicense(t.Context(), user, add(sku.ID)); err != nil {
							t.Error(err)
						}
					})
				}
				if name == "me" {
					calls.Go(func() {
						if _, err := c.AssignMyLicense(t.Context(), add(sku.ID)); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				if way.most != 1 {
					t.Errorf("%d writes to one person were under way at once", way.most)
				}
			})
		})
	}
}

// bulkErrors makes operations, and returns the errors.
func bulkErrors(ctx context.Context, c *licensing.Client, operations []licensing.Operation) error {
	var errs []error
	for r := range c.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{}) {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}

// Two edits of somebody whom the client does not know yet, one by each name: the
// read of the one tells, and no edit is lost.
func TestEditsByTwoNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for range 20 {
			tenant := licensingtest.NewTenant()
			sku := tenant.AddSKU(licensingtest.SKU{Seats: 1, Plans: make([]licensingtest.Plan, 2)})
			u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}})
			time.Sleep(time.Hour)
			way := &slow{tenant: tenant.RoundTripper()}
			c := newClient(t, way)
			var calls sync.WaitGroup
			for i, user := range []string{u.ID, u.UserPrincipalName} {
				calls.Go(func() {
					if _, err := c.UpdateUserServicePlans(t.Context(), user, sku.ID, disable(sku.Plans[i].ID)); err != nil {
						t.Error(err)
					}
				})
			}
			calls.Wait()
			if got, _ := tenant.User(u.ID); len(got.Licenses[0].DisabledPlans) != 2 || way.most != 1 {
				t.Errorf("off are %v, and %d writes were under way at once", got.Licenses[0].DisabledPlans, way.most)
			}
		}
	})
}

// In a run the operations on a known person are made in the order of the input, by
// whatever names.
func TestBulkOrderByTwoNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 100})
		c := tenant.Client()
		var operations []licensing.Operation
		var users []licensingtest.User
		for range 40 {
			u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
			users = append(users, u)
			if _, err := c.User(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			for i, change := range []licensing.AssignLicenseRequest{add(sku.ID), remove(sku.ID), add(sku.ID), remove(sku.ID)} {
				operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: []string{u.ID, u.UserPrincipalName}[i%2], Request: change})
			}
		}
		if err := bulkErrors(t.Context(), c, operations); err != nil {
			t.Error(err)
		}
		for _, u := range users {
			if got, _ := tenant.User(u.ID); len(got.Licenses) > 0 {
				t.Errorf("%s has %v", u.ID, got.Licenses)
			}
		}
	})
}

// Also where the run itself is what tells that two names are one.
func TestBulkLearnsNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 100})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		way := &slow{tenant: tenant.RoundTripper()}
		c := newClient(t, way)
		input := func(yield func(licensing.Operation) bool) {
			for i, change := range []licensing.AssignLicenseRequest{add(sku.ID), remove(sku.ID), add(sku.ID), remove(sku.ID), add(sku.ID), remove(sku.ID)} {
				if i == 3 {
					time.Sleep(1500 * time.Millisecond) // the first has been answered, the second is under way
				}
				user := u.UserPrincipalName
				if i >= 3 {
					user = u.ID
				}
				if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: change}) {
					return
				}
			}
		}
		for r := range c.Bulk(t.Context(), input, licensing.BulkOptions{}) {
			if !r.Done() {
				t.Error(r.Index, r.Err)
			}
		}
		if way.most != 1 {
			t.Errorf("%d writes to one person were under way at once", way.most)
		}
	})
}

// Reads show what the client wrote, for five minutes, unless they show something
// later; what is in doubt is not shown as made.
func TestReadsShowOwnWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 3)}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
		g := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[0].ID, a.Plans[1].ID}}}, Members: []string{u.ID}})
		tenant.SignIn(u.ID)
		time.Sleep(time.Hour)
		tenant.SetReadLag(4 * time.Minute)
		c, ctx := tenant.Client(), t.Context()
		change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{
			{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[1].ID, a.Plans[2].ID}}, {SKUID: b.ID}}}
		if _, err := c.AssignUserLicense(ctx, u.UserPrincipalName, change); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AssignGroupLicense(ctx, strings.ToUpper(g.ID), licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: b.ID}}, RemoveLicenses: []uuid.UUID{a.ID}}); err != nil {
			t.Fatal(err)
		}
		views := map[string]func() (*licensing.User, error){
			"by id":   func() (*licensing.User, error) { return c.User(ctx, u.ID) },
			"by name": func() (*licensing.User, error) { return c.User(ctx, u.UserPrincipalName) },
			"me":      func() (*licensing.User, error) { return c.Me(ctx) },
			"listed": func() (*licensing.User, error) {
				for u, err := range c.Users(ctx, licensing.UserQuery{}) {
					return u, err
				}
				return nil, errors.New("nobody")
			},
		}
		for name, view := range views {
			user, err := view()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := licensesOf(user.AssignedLicenses), licensesOf([]licensing.AssignedLicense{{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[1].ID}}, {SKUID: b.ID}}); got != want {
				t.Errorf("%s: merged are %s, want %s", name, got, want) // of the group's row, too
			}
			direct, _ := user.DirectLicenses()
			if got, want := licensesOf(direct), licensesOf(change.AddLicenses); got != want {
				t.Errorf("%s: direct are %s, want %s", name, got, want)
			}
		}
		group, err := c.Group(ctx, g.ID)
		if err != nil || licensesOf(group.AssignedLicenses) != licensesOf([]licensing.AssignedLicense{{SKUID: b.ID}}) {
			t.Errorf("the group has %v, %v", group.AssignedLicenses, err)
		}
		raw, err := c.User(licensing.ContextWithRawReads(ctx), u.ID)
		if err != nil || len(raw.LicenseAssignmentStates) != 2 || len(raw.AssignedLicenses) != 1 {
			t.Errorf("raw: %+v, %v", raw, err)
		}

		// A removal, and then one in doubt.
		if _, err := c.AssignUserLicense(ctx, u.ID, remove(a.ID)); err != nil {
			t.Fatal(err)
		}
		tenant.Fail(licensingtest.Fault{Times: 5, Drop: true})
		if _, err := c.AssignUserLicense(ctx, u.ID, remove(b.ID)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		user, err := c.User(ctx, u.ID)
		if direct, _ := user.DirectLicenses(); err != nil || licensesOf(direct) != "" {
			// the read is of before b was added, which is also what the change in doubt makes
			t.Errorf("direct are %v, %v", licensesOf(direct), err)
		}
		if inherited, _ := user.InheritedLicenses(); len(inherited) != 1 || len(user.AssignedLicenses) != 1 {
			t.Errorf("inherited are %v of %v", inherited, user.AssignedLicenses)
		}

		// Later than the lag the truth is shown, and what another made later at once.
		time.Sleep(6 * time.Minute)
		tenant.SetReadLag(0)
		user, err = c.User(ctx, u.ID)
		if direct, _ := user.DirectLicenses(); err != nil || licensesOf(direct) != licensesOf([]licensing.AssignedLicense{{SKUID: b.ID}}) {
			t.Errorf("direct are %v, %v", licensesOf(direct), err)
		}
		if _, err := c.AssignUserLicense(ctx, u.ID, add(a.ID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		later := []licensing.AssignedLicense{{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[0].ID}}}
		if _, err := tenant.Client().AssignUserLicense(ctx, u.ID, licensing.AssignLicenseRequest{AddLicenses: later}); err != nil {
			t.Fatal(err)
		}
		user, err = c.User(ctx, u.ID)
		if direct, _ := user.DirectLicenses(); err != nil || !strings.Contains(licensesOf(direct), licensesOf(later)) {
			t.Errorf("direct are %v, %v", licensesOf(direct), err)
		}
	})
}

// licensesOf is a text of licenses, whatever their order.
func licensesOf(licenses []licensing.AssignedLicense) string {
	var texts []string
	for _, l := range licenses {
		var plans []string
		for _, p := range l.DisabledPlans {
			plans = append(plans, p.String())
		}
		slices.Sort(plans)
		texts = append(texts, fmt.Sprint(l.SKUID, plans))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// A wait for a state that comes again is not over on the state as it was before.
func TestWaitsForAStateThatComesAgain(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, time.Minute, 299 * time.Second} {
		for _, gap := range []time.Duration{0, 3 * time.Second, 40 * time.Second} {
			t.Run(fmt.Sprint(lag, " ", gap), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					tenant := licensingtest.NewTenant()
					a := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 1)})
					u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
					g := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: a.ID}}})
					tenant.ProcessAfter(0)
					time.Sleep(time.Hour)
					tenant.SetReadLag(lag)
					c, ctx := tenant.Client(), t.Context()
					off := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[0].ID}}}}
					graph := licensing.ContextWithRawReads(ctx)
					for _, changes := range [][]licensing.AssignLicenseRequest{{off, add(a.ID)}, {remove(a.ID), add(a.ID)}, {add(a.ID), remove(a.ID)}} {
						for _, change := range changes {
							if _, err := c.AssignUserLicense(ctx, u.ID, change); err != nil {
								t.Fatal(err)
							}
							time.Sleep(gap)
						}
						want, start := changes[1], time.Now()
						if _, err := c.WaitForUser(ctx, u.UserPrincipalName, want); err != nil {
							t.Fatal(err)
						}
						if took := time.Since(start); took > 7*time.Minute {
							t.Errorf("took %v", took)
						}
						for range 40 { // from now on no read shows anything else
							user, _ := tenant.Client().User(graph, u.ID)
							if direct, _ := user.DirectLicenses(); licensesOf(direct) != licensesOf(want.AddLicenses) {
								t.Fatalf("%v after the start of the wait the user has %v", time.Since(start), direct)
							}
							time.Sleep(10 * time.Second)
						}
						for _, change := range changes {
							if _, err := c.AssignGroupLicense(ctx, g.ID, change); err != nil {
								t.Fatal(err)
							}
							time.Sleep(gap)
						}
						start = time.Now()
						if _, err := c.WaitForGroup(ctx, g.ID, want); err != nil {
							t.Fatal(err)
						}
						if took := time.Since(start); took > 7*time.Minute {
							t.Errorf("took %v", took)
						}
						for range 40 {
							group, _ := tenant.Client().Group(graph, g.ID)
							if licensesOf(group.AssignedLicenses) != licensesOf(want.AddLicenses) {
								t.Fatalf("%v after the start of the wait the group has %v", time.Since(start), group.AssignedLicenses)
							}
							time.Sleep(10 * time.Second)
						}
					}
				})
			})
		}
	}
}

// After a wait for what came before, the next one need not wait for longer than
// reads lag.
func TestAWaitAfterAWaitIsShort(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		time.Sleep(time.Hour)
		tenant.SetReadLag(10 * time.Second)
		c := tenant.Client()
		start := time.Now()
		for _, change := range []licensing.AssignLicenseRequest{add(a.ID), remove(a.ID), add(a.ID)} {
			if _, err := c.AssignUserLicense(t.Context(), u.ID, change); err != nil {
				t.Fatal(err)
			}
			if _, err := c.WaitForUser(t.Context(), u.UserPrincipalName, change); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// A group that never had a license has no processing state, and need not get one
// for a removal.
func TestWaitForGroupWithoutAState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		g := tenant.AddGroup(licensingtest.Group{})
		if _, err := tenant.Client().WaitForGroup(t.Context(), g.ID, remove(skuA)); err != nil {
			t.Error(err)
		}
	})
}

// What is in doubt is not shown as made, and what was certain before is shown.
func TestADoubtIsNotShownAsMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 2)}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		time.Sleep(time.Hour)
		tenant.SetReadLag(4 * time.Minute)
		c, ctx := tenant.Client(), t.Context()
		if _, err := c.AssignUserLicense(ctx, u.ID, add(a.ID)); err != nil {
			t.Fatal(err)
		}
		change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: a.ID, DisabledPlans: []uuid.UUID{a.Plans[0].ID}}, {SKUID: b.ID}}}
		tenant.Fail(licensingtest.Fault{Times: 5, Drop: true})
		if _, err := c.AssignUserLicense(ctx, u.ID, change); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		user, err := c.User(ctx, u.ID)
		if direct, _ := user.DirectLicenses(); err != nil || licensesOf(direct) != licensesOf([]licensing.AssignedLicense{{SKUID: a.ID}}) {
			t.Errorf("direct are %v, %v", licensesOf(direct), err)
		}
	})
}

// After a change in doubt an edit makes so what it says it is, whatever reads show.
func TestEditsAfterADoubt(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{false, true} {
		t.Run(fmt.Sprint("made ", made), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 2)}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
				time.Sleep(time.Hour)
				tenant.SetReadLag(4 * time.Minute)
				c, ctx := tenant.Client(), t.Context()
				lose := licensingtest.Fault{Times: 5, Apply: made, Drop: true, Match: func(r *http.Request) bool { return r.Method == http.MethodPost }}
				tenant.Fail(lose)
				if _, err := c.UpdateUserServicePlans(ctx, u.ID, a.ID, disable(a.Plans[0].ID)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
					t.Fatal(err)
				}
				if _, err := c.UpdateUserServicePlans(ctx, u.ID, a.ID, enable(a.Plans[0].ID)); err != nil {
					t.Fatal(err)
				}
				if got, _ := tenant.User(u.ID); len(got.Licenses[0].DisabledPlans) != 0 {
					t.Errorf("off are %v", got.Licenses[0].DisabledPlans)
				}
				tenant.Fail(lose)
				swap := licensing.LicenseSwap{From: a.ID, To: b.ID}
				if _, err := c.SwapUserLicense(ctx, u.ID, swap); !errors.Is(err, licensing.ErrOutcomeUnknown) {
					t.Fatal(err)
				}
				if _, err := c.SwapUserLicense(ctx, u.ID, swap); err != nil {
					t.Error(err)
				}
				if got, _ := tenant.User(u.ID); len(got.Licenses) != 1 || got.Licenses[0].SKUID != b.ID {
					t.Errorf("the user has %v", got.Licenses)
				}
			})
		})
	}
}
