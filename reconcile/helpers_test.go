package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// id returns a GUID that is easy to read.
func id(n byte) uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 15: n} }

func ids(numbers ...byte) []uuid.UUID {
	list := []uuid.UUID{}
	for _, n := range numbers {
		list = append(list, id(n))
	}
	return list
}

// product returns a SKU with plans that are named PLAN and their number.
func product(n byte, seats int, plans ...byte) licensingtest.SKU {
	sku := licensingtest.SKU{ID: id(n), PartNumber: fmt.Sprintf("SKU%d", n), Seats: seats}
	for _, p := range plans {
		sku.Plans = append(sku.Plans, licensingtest.Plan{ID: id(p), Name: fmt.Sprintf("PLAN%d", p)})
	}
	return sku
}

func held(sku byte, off ...byte) licensingtest.License {
	return licensingtest.License{SKUID: id(sku), DisabledPlans: ids(off...)}
}

// user returns a user with an id that is easy to read.
func user(n byte, licenses ...licensingtest.License) licensingtest.User {
	return licensingtest.User{
		ID: id(n).String(), UserPrincipalName: fmt.Sprintf("user%d@contoso.example", n), UsageLocation: "DE", Licenses: licenses,
	}
}

func assigned(sku byte, off ...byte) licensing.AssignedLicense {
	return licensing.AssignedLicense{SKUID: id(sku), DisabledPlans: ids(off...)}
}

// direct returns what a user of the tenant has directly, as text.
func direct(t testing.TB, tenant *licensingtest.Tenant, key string) string {
	t.Helper()
	u, ok := tenant.User(key)
	if !ok {
		t.Fatalf("there is no user %s", key)
	}
	return licensesText(u.Licenses)
}

func licensesText(licenses []licensingtest.License) string {
	var texts []string
	for _, l := range licenses {
		texts = append(texts, licenseText(l.SKUID, l.DisabledPlans))
	}
	slices.Sort(texts)
	return fmt.Sprint(texts)
}

// licenseText is a SKU and its plans that are off, by their numbers: 1 [11 12].
func licenseText(sku uuid.UUID, disabled []uuid.UUID) string {
	off := []string{}
	for _, p := range disabled {
		off = append(off, fmt.Sprint(p[15]))
	}
	slices.Sort(off)
	return fmt.Sprint(sku[15], " ", off)
}

func plan(t testing.TB, c *licensing.Client, opts reconcile.PlanOptions, goals ...reconcile.Goal) *reconcile.ChangeSet {
	t.Helper()
	set, err := reconcile.Plan(context.Background(), c, slices.Values(goals), opts)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func apply(c *licensing.Client, set *reconcile.ChangeSet, opts reconcile.ApplyOptions) []reconcile.Result {
	return slices.Collect(reconcile.Apply(context.Background(), c, set, opts))
}

// applied applies a set, and fails unless all of it is done.
func applied(t testing.TB, c *licensing.Client, set *reconcile.ChangeSet) []reconcile.Result {
	t.Helper()
	results := apply(c, set, reconcile.ApplyOptions{MaxRemovals: -1})
	if len(results) != len(set.Changes) {
		t.Fatalf("%d results for %d changes", len(results), len(set.Changes))
	}
	for _, r := range results {
		if !r.Done() {
			t.Fatalf("change %d: %v", r.Index, r.Err)
		}
	}
	return results
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
