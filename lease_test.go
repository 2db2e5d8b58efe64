package licensing_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A lapsing context has ended by its Err, and its Done does not tell: so it is in a
// process that was stopped and has just woken.
type lapsing struct {
	context.Context
	over *atomic.Bool
}

func (c lapsing) Err() error {
	if c.over.Load() {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}

// lapse returns a tenant, an option for its clients by which over is set when a
// token is asked for, the last thing that happens before a request, and operations.
func lapse(t *testing.T, over *atomic.Bool) (*licensingtest.Tenant, func(...licensing.Option) *licensing.Client, []licensing.Operation) {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 9})
	var operations []licensing.Operation
	for range 3 {
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, licensing.Operation{
			Kind: licensing.OperationAssignUser, Target: u.ID,
			Request: licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}},
		})
	}
	return tenant, func(options ...licensing.Option) *licensing.Client {
		source := func(context.Context) (string, error) {
			over.Store(true)
			return "licensingtest", nil
		}
		c, err := licensing.NewClient(source, append(options, licensing.WithHTTPClient(&http.Client{Transport: tenant.RoundTripper()}))...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}, operations
}

// What Err of the context knows last before an attempt keeps it from being sent.
func TestErrIsAskedBeforeEachAttempt(t *testing.T) {
	for _, size := range []int{1, 20} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var over atomic.Bool
				tenant, newClient, operations := lapse(t, &over)
				results := 0
				for r := range newClient().Bulk(lapsing{t.Context(), &over}, slices.Values(operations), licensing.BulkOptions{BatchSize: size}) {
					if results++; r.Done() || errors.Is(r.Err, licensing.ErrOutcomeUnknown) {
						t.Error(r.Err)
					}
				}
				if results == 0 || results > 3 || len(tenant.Requests()) != 0 { // what was not taken in by then has none
					t.Errorf("%d results, %d requests", results, len(tenant.Requests()))
				}
			})
		})
	}
}

// A lapsingLocker gives leases whose Done does not tell that they are over.
type lapsingLocker struct {
	licensing.Locker
	over *atomic.Bool
}

func (l lapsingLocker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	held, lock, err := l.Locker.Lock(ctx, key)
	return lapsing{held, l.over}, lock, err
}

func TestErrOfALockIsAskedBeforeEachAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var over atomic.Bool
		tenant, newClient, operations := lapse(t, &over)
		client := newClient(licensing.WithLocker(lapsingLocker{licensingtest.NewLocker(), &over}))
		_, err := client.AssignUserLicense(t.Context(), operations[0].Target, operations[0].Request)
		if !errors.Is(err, licensing.ErrLocked) || errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Errorf("error %v is not ErrLocked alone", err)
		}
		if n := len(tenant.Requests()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// A result says until when a request of its operation may still land.
func TestMayLand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		add := func() licensing.Operation {
			return licensing.Operation{
				Kind: licensing.OperationAssignUser, Target: tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID,
				Request: licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}},
			}
		}
		tenant.Fail(licensingtest.Fault{Status: 504})
		start := time.Now()
		for r := range tenant.Client().Bulk(t.Context(), slices.Values([]licensing.Operation{add()}), licensing.BulkOptions{}) {
			if lands := r.MayLand.Sub(start).Round(time.Second); !r.Done() || r.Attempts != 2 || lands != 2*time.Minute {
				t.Errorf("%d attempts, lands within %v: %v", r.Attempts, lands, r.Err)
			}
		}
		for r := range tenant.Client().Bulk(t.Context(), slices.Values([]licensing.Operation{add()}), licensing.BulkOptions{}) {
			if !r.Done() || !r.MayLand.IsZero() {
				t.Errorf("lands until %v: %v", r.MayLand, r.Err)
			}
		}
	})
}
