package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A watchedLocker counts what it is asked for, and fails as it is told.
type watchedLocker struct {
	licensing.Locker
	fails func(ctx context.Context) (context.Context, licensing.Lock, error) // unless nil

	mu       sync.Mutex
	keys     []string
	unlocked int
	notes    [][]byte
	at       []time.Time // when unlocked
}

type watchedLock struct {
	licensing.Lock
	of *watchedLocker
}

func (l *watchedLocker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	l.mu.Lock()
	l.keys = append(l.keys, key)
	l.mu.Unlock()
	if l.fails != nil {
		return l.fails(ctx)
	}
	held, lock, err := l.Locker.Lock(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	return held, watchedLock{lock, l}, nil
}

func (l watchedLock) Unlock(ctx context.Context, note []byte) error {
	l.of.mu.Lock()
	l.of.unlocked++
	l.of.notes = append(l.of.notes, note)
	l.of.at = append(l.of.at, time.Now())
	l.of.mu.Unlock()
	return errors.Join(ctx.Err(), l.Lock.Unlock(ctx, note))
}

// A lock is asked for once, by the object's id, for each write and each edit.
func TestLockerIsAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 1)}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		g := tenant.AddGroup(licensingtest.Group{Members: []string{u.ID}})
		tenant.SignIn(u.ID)
		locker := &watchedLocker{Locker: licensingtest.NewLocker()}
		c := tenant.Client(licensing.WithLocker(locker))
		ctx, name := t.Context(), strings.ToUpper(u.UserPrincipalName)
		swap := licensing.LicenseSwap{From: a.ID, To: b.ID}
		for text, call := range map[string]func() error{
			"reads": func() error {
				_, err := c.User(ctx, name)
				return err
			},
		} {
			if err := call(); err != nil || len(locker.keys) != 0 {
				t.Errorf("%s: %v, and locks of %q", text, err, locker.keys)
			}
		}
		calls := []func() error{
			func() error { return c.SetUsageLocation(ctx, name, "DE") },
			func() error { _, err := c.AssignUserLicense(ctx, name, add(a.ID)); return err },
			func() error { _, err := c.AssignMyLicense(ctx, add(a.ID)); return err },
			func() error { _, err := c.ReprocessUserLicense(ctx, u.ID); return err },
			func() error { _, err := c.ReprocessMyLicense(ctx); return err },
			func() error { _, err := c.UpdateUserServicePlans(ctx, name, a.ID, disable(a.Plans[0].ID)); return err },
			func() error { _, err := c.SwapUserLicense(ctx, name, swap); return err },
			func() error { _, err := c.RemoveUserLicenses(ctx, name, []uuid.UUID{a.ID, b.ID}); return err },
			func() error { _, err := c.RemoveAllUserLicenses(ctx, name); return err },
			func() error {
				return bulkErrors(ctx, c, []licensing.Operation{{Kind: licensing.OperationAssignUser, Target: name, Request: add(a.ID)}})
			},
			func() error { _, err := c.AssignGroupLicense(ctx, strings.ToUpper(g.ID), add(a.ID)); return err },
			func() error { _, err := c.UpdateGroupServicePlans(ctx, g.ID, a.ID, disable(a.Plans[0].ID)); return err },
			func() error { _, err := c.SwapGroupLicense(ctx, g.ID, swap); return err },
			func() error {
				return bulkErrors(ctx, c, []licensing.Operation{{Kind: licensing.OperationAssignGroup, Target: strings.ToUpper(g.ID), Request: add(a.ID)}})
			},
		}
		for i, call := range calls {
			if err := call(); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
			want := u.ID
			if i >= 10 {
				want = g.ID
			}
			if n := len(locker.keys); n != i+1 || locker.unlocked != n || locker.keys[i] != want {
				t.Fatalf("after call %d %d locks were asked for and %d given back: %q", i, n, locker.unlocked, locker.keys)
			}
		}
	})
}

// The id of somebody whom the client does not know is read first, in a run by
// batches.
func TestLockerReadsWhoItIs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 100})
		var ids []string
		var operations []licensing.Operation
		for range 40 {
			u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
			ids = append(ids, u.ID)
			operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: u.UserPrincipalName, Request: add(sku.ID)})
		}
		operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: "nobody@contoso.example", Request: add(sku.ID)})
		locker := &watchedLocker{Locker: licensingtest.NewLocker()}
		c := tenant.Client(licensing.WithLocker(locker))
		done := 0
		for r := range c.Bulk(t.Context(), slices.Values(operations), licensing.BulkOptions{}) {
			switch {
			case r.Done():
				done++
			case r.Index != 40 || !errors.Is(r.Err, licensing.ErrNotFound) || errors.Is(r.Err, licensing.ErrOutcomeUnknown) ||
				!strings.Contains(r.Err.Error(), "the user's id, which is the key of the lock, could not be read"):
				t.Error(r.Index, r.Err)
			}
		}
		slices.Sort(locker.keys)
		if done != 40 || !slices.Equal(locker.keys, ids) {
			t.Errorf("%d were done, and locked %q", done, locker.keys)
		}
		if n := len(tenant.Requests()); n > 8 {
			t.Errorf("%d requests", n)
		}
	})
}

// A lock that is not to be had ends a write before anything is sent.
func TestLockerThatRefuses(t *testing.T) {
	t.Parallel()
	inUse := errors.New("in use")
	for name, test := range map[string]struct {
		fails  func(ctx context.Context) (context.Context, licensing.Lock, error)
		cancel time.Duration
		is     error
		text   string
	}{
		"an error": {func(context.Context) (context.Context, licensing.Lock, error) { return nil, nil, inUse }, 0, inUse, "in use"},
		"an error of the package's": {func(context.Context) (context.Context, licensing.Lock, error) {
			return nil, nil, fmt.Errorf("store: %w", licensing.ErrThrottled)
		}, 0, licensing.ErrLocked, "store: throttled"},
		"neither lock nor error": {func(context.Context) (context.Context, licensing.Lock, error) { return nil, nil, nil }, 0, licensing.ErrLocked, "the locker returned neither a lock nor an error"},
		"too late": {func(ctx context.Context) (context.Context, licensing.Lock, error) {
			<-ctx.Done()
			return nil, nil, context.Cause(ctx)
		}, 0, licensing.ErrLocked, "another write to the same object is still under way"},
		"canceled": {func(ctx context.Context) (context.Context, licensing.Lock, error) {
			<-ctx.Done()
			return nil, nil, context.Cause(ctx)
		}, time.Second, context.Canceled, "context canceled"},
		"lost at once": {func(ctx context.Context) (context.Context, licensing.Lock, error) {
			held, cancel := context.WithCancel(ctx)
			cancel()
			_, lock, _ := licensingtest.NewLocker().Lock(ctx, "x")
			return held, lock, nil
		}, 0, licensing.ErrLocked, "the lock was lost"},
		"a strange note": {func(ctx context.Context) (context.Context, licensing.Lock, error) {
			return ctx, strangeLock{}, nil
		}, 0, licensing.ErrLocked, "the note of the last holder cannot be read: invalid character 'h' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t)
				c := newClient(t, s, licensing.WithLocker(&watchedLocker{fails: test.fails}))
				for _, call := range []func(context.Context) error{
					func(ctx context.Context) error { _, err := c.AssignUserLicense(ctx, userID, add(skuA)); return err },
					func(ctx context.Context) error {
						_, err := c.UpdateUserServicePlans(ctx, userID, skuA, disable(planA))
						return err
					},
				} {
					ctx, cancel := context.WithCancel(t.Context())
					if test.cancel > 0 {
						time.AfterFunc(test.cancel, cancel)
					}
					err := call(ctx)
					cancel()
					if !errors.Is(err, licensing.ErrLocked) || !errors.Is(err, test.is) || errors.Is(err, licensing.ErrThrottled) || errors.Is(err, licensing.ErrOutcomeUnknown) ||
						!strings.HasSuffix(err.Error(), test.text) {
						t.Errorf("got %v", err)
					}
				}
				if n := len(s.requests()); n != 0 {
					t.Errorf("%d requests", n)
				}
				if n := licensing.ObjectsKept(c); n != 0 {
					t.Errorf("%d objects are kept", n)
				}
			})
		})
	}
}

type strangeLock struct{}

func (strangeLock) Note() []byte                         { return []byte("hello") }
func (strangeLock) Unlock(context.Context, []byte) error { return nil }

// A lock that is lost while a request is under way leaves that in doubt, and the
// client itself waits for what may land; one that is lost while the write waits to be
// sent again ends it.
func TestLockThatIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		locker := licensingtest.NewLocker()
		c := tenant.Client(licensing.WithLocker(locker))
		tenant.Fail(licensingtest.Fault{Delay: 50 * time.Second})
		time.AfterFunc(10*time.Second, func() { locker.Lose(u.ID) })
		start := time.Now()
		_, err := c.AssignUserLicense(t.Context(), u.ID, add(sku.ID))
		if !errors.Is(err, licensing.ErrOutcomeUnknown) || errors.Is(err, licensing.ErrLocked) || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the lock was lost") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		if _, err := c.AssignUserLicense(t.Context(), u.ID, remove(sku.ID)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 50*time.Second {
			t.Errorf("the next write went out after %v", took)
		}
		if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 {
			t.Errorf("the user has %v", got.Licenses)
		}

		time.Sleep(time.Hour)
		tenant.Fail(licensingtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"20"}}})
		time.AfterFunc(10*time.Second, func() { locker.Lose(u.ID) })
		n := len(tenant.Requests())
		_, err = c.AssignUserLicense(t.Context(), u.ID, add(sku.ID))
		if errors.Is(err, licensing.ErrOutcomeUnknown) || !errors.Is(err, licensing.ErrLocked) || len(tenant.Requests()) != n+1 {
			t.Errorf("got %v after %d requests", err, len(tenant.Requests())-n)
		}
	})
}

// In a run an operation that loses its lock while it waits is not sent, and the others
// are.
func TestLockThatIsLostInARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 100})
		var operations []licensing.Operation
		for range 60 {
			u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
			operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: u.ID, Request: add(sku.ID)})
		}
		locker := licensingtest.NewLocker()
		way := &slow{tenant: tenant.RoundTripper()}
		c := newClient(t, way, licensing.WithLocker(locker))
		time.AfterFunc(1500*time.Millisecond, func() { locker.Lose(operations[59].Target) })
		done := 0
		for r := range c.Bulk(t.Context(), slices.Values(operations), licensing.BulkOptions{Concurrency: 1}) {
			switch {
			case r.Done():
				done++
			case r.Index != 59 || !errors.Is(r.Err, licensing.ErrLocked) || errors.Is(r.Err, licensing.ErrStopped) || r.Attempts != 0:
				t.Error(r.Index, r.Err)
			}
		}
		if got, _ := tenant.User(operations[59].Target); done != 59 || len(got.Licenses) != 0 {
			t.Errorf("%d done, and the one has %v", done, got.Licenses)
		}
	})
}

// An unlock that fails, and a panic on the way.
func TestUnlockAlways(t *testing.T) {
	bubble(t, func(t *testing.T) {
		locker := &watchedLocker{Locker: licensingtest.NewLocker()}
		s := newScript(t, step(func(*http.Request) (*http.Response, error) { panic("transport") }))
		c := newClient(t, s, licensing.WithLocker(locker))
		func() {
			defer func() { recover() }()
			c.AssignUserLicense(t.Context(), userID, add(skuA))
		}()
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.AssignUserLicense(ctx, userID, add(skuA))
		if locker.unlocked != len(locker.keys) {
			t.Errorf("%d of %d were unlocked", locker.unlocked, len(locker.keys))
		}
		failing := newClient(t, newScript(t, okUser), licensing.WithLocker(&watchedLocker{fails: func(ctx context.Context) (context.Context, licensing.Lock, error) {
			return ctx, failingLock{}, nil
		}}))
		if _, err := failing.AssignUserLicense(t.Context(), userID, add(skuA)); err != nil {
			t.Errorf("what was made is reported as %v", err)
		}
	})
}

type failingLock struct{}

func (failingLock) Note() []byte                         { return nil }
func (failingLock) Unlock(context.Context, []byte) error { return errors.New("store is gone") }

// A note has no name and no token, and says what was written and until when something
// may land. Without notes the lock is kept until then.
func TestNotes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		locker := &watchedLocker{Locker: licensingtest.NewLocker()}
		s := newScript(t, reply(200, `{"id":"`+userID+`","userPrincipalName":"`+userUPN+`"}`, "Date", "Sat, 01 Jan 2000 00:00:01 GMT"), lost, lost, lost, lost, lost)
		c := newClient(t, s, licensing.WithLocker(locker))
		if _, err := c.AssignUserLicense(t.Context(), userID, licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}}}); err != nil {
			t.Fatal(err)
		}
		const first = `{"change":{"addLicenses":[{"disabledPlans":["a0000000-0000-4000-8000-000000000001"],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":[]},"fate":"made","at":"2000-01-01T00:00:01Z","noted":"2000-01-01T00:00:00Z"}`
		ids := regexp.MustCompile(`"id":\{"client":[1-9][0-9]*,"number":([0-9]+)\},`)
		text := ids.ReplaceAllString(string(locker.notes[0]), "")
		if want := `{"version":1,"writes":[` + first + `]}`; text != want {
			t.Errorf("the note is %s, want %s", text, want)
		}
		if _, err := c.AssignUserLicense(t.Context(), userID, add(skuB)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		end := time.Now()
		wants := []string{`{"version":1,"fence":"` + end.Add(30*time.Second).UTC().Format(time.RFC3339Nano) + `","writes":[` + first + `,`, `"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}],"removeLicenses":[]},"fate":"doubtful",`}
		for _, want := range wants {
			if text := ids.ReplaceAllString(string(locker.notes[1]), ""); !strings.Contains(text, want) || !locker.at[1].Equal(end) {
				t.Errorf("the note is %s, want %s", text, want)
			}
		}

		advisory := &watchedLocker{Locker: licensingtest.NewAdvisoryLocker()}
		c = newClient(t, newScript(t, lost, lost, lost, lost, lost), licensing.WithLocker(advisory))
		if _, err := c.AssignUserLicense(t.Context(), userID, add(skuB)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		end = time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(advisory.at) != 1 || !advisory.at[0].Equal(end.Add(30*time.Second)) {
			t.Errorf("unlocked at %v, want 30 s after %v", advisory.at, end)
		}
	})
}

// Two clients edit the same 50 users 200 times, by either name, and no edit is lost:
// with notes under lag, lost answers and faults, without where reads do not lag.
func TestTwoClientsLoseNoEdit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		locker licensing.Locker
		lag    time.Duration
	}{
		"notes":    {licensingtest.NewLocker(), 90 * time.Second},
		"no notes": {licensingtest.NewAdvisoryLocker(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const users, plans = 50, 12
				edits := 40 // of each user
				if *full {
					edits = 200
				}
				random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
				tenant := licensingtest.NewTenant()
				sku := tenant.AddSKU(licensingtest.SKU{Seats: users, Plans: make([]licensingtest.Plan, plans)})
				var people []licensingtest.User
				for range users {
					people = append(people, tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}}))
				}
				time.Sleep(time.Hour)
				tenant.SetReadLag(test.lag)
				var mu sync.Mutex
				meet := func(bool, string) trouble {
					mu.Lock()
					defer mu.Unlock()
					if random.IntN(10) > 0 {
						return ""
					}
					return requestTroubles[random.IntN(len(requestTroubles)-2)]
				}
				// Each client has its own half of the plans, so that the order of the clients
				// does not matter. Unknown counts as either.
				off, unsure := make([][plans]bool, users), make([][plans]bool, users)
				var calls sync.WaitGroup
				for half := range 2 {
					c := newClient(t, &chaos{tenant: tenant.RoundTripper(), meet: meet}, licensing.WithLocker(test.locker))
					for own := range 5 { // editors, each of whom has every fifth user
						calls.Go(func() {
							for n := own; n < edits*users/2; n += 5 {
								u, plan := n%users, half*plans/2+n/users%(plans/2)
								change, to := disable(sku.Plans[plan].ID), true
								if off[u][plan] {
									change, to = enable(sku.Plans[plan].ID), false
								}
								_, err := c.UpdateUserServicePlans(t.Context(), []string{people[u].ID, people[u].UserPrincipalName}[n/users%2], sku.ID, change)
								switch {
								case err == nil:
									off[u][plan], unsure[u][plan] = to, false
								case errors.Is(err, licensing.ErrOutcomeUnknown):
									unsure[u][plan] = true
								}
							}
						})
					}
				}
				calls.Wait()
				time.Sleep(10 * time.Minute)
				for u, p := range people {
					got, _ := tenant.User(p.ID)
					for i, plan := range sku.Plans {
						if is := slices.Contains(got.Licenses[0].DisabledPlans, plan.ID); is != off[u][i] && !unsure[u][i] {
							t.Errorf("of user %d plan %d is off: %t", u, i, is)
						}
					}
				}
			})
		})
	}
}

// What another client took away is not assigned again by an edit that does not see
// it yet, and a stalled addition does not undo another's removal.
func TestOthersAreNotUndone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 9, Plans: make([]licensingtest.Plan, 1)})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		time.Sleep(time.Hour)
		tenant.SetReadLag(4 * time.Minute)
		locker, ctx := licensingtest.NewLocker(), t.Context()
		one, two := tenant.Client(licensing.WithLocker(locker)), tenant.Client(licensing.WithLocker(locker))
		if _, err := one.AssignUserLicense(ctx, u.ID, add(sku.ID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := two.AssignUserLicense(ctx, u.UserPrincipalName, remove(sku.ID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := one.UpdateUserServicePlans(ctx, u.ID, sku.ID, disable(sku.Plans[0].ID)); !errors.Is(err, licensing.ErrNotAssigned) {
			t.Errorf("got %v", err)
		}
		tenant.Fail(licensingtest.Fault{Delay: 100 * time.Second}) // given up, and carried out later
		if _, err := one.AssignUserLicense(ctx, u.ID, add(sku.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := two.AssignUserLicense(ctx, u.ID, remove(sku.ID)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 {
			t.Errorf("the user has %v", got.Licenses)
		}
	})
}
