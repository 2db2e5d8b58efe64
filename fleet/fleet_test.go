package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// newStream returns JetStream of a server with files in a directory of the test.
func newStream(t testing.TB) jetstream.JetStream {
	t.Helper()
	s, err := fleet.NewServer(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	js, err := jetstream.New(s.Conn())
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// people returns a tenant with so many users, and operations that give each the SKU.
func people(n int) (*licensingtest.Tenant, uuid.UUID, []licensing.Operation) {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: n})
	var operations []licensing.Operation
	for range n {
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, assign(u.ID, sku.ID))
	}
	return tenant, sku.ID, operations
}

func assign(user string, sku uuid.UUID) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku}},
	}}
}

func remove(user string, sku uuid.UUID) licensing.Operation {
	return licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: licensing.AssignLicenseRequest{
		RemoveLicenses: []uuid.UUID{sku},
	}}
}

// publish publishes a run, all of which is new.
func publish(t testing.TB, js jetstream.JetStream, run string, operations []licensing.Operation) {
	t.Helper()
	if n, err := fleet.Publish(t.Context(), js, run, slices.Values(operations)); err != nil || n != len(operations) {
		t.Fatalf("%d published, %v", n, err)
	}
}

// collect returns the results by their index, of which each must be there once.
func collect(t testing.TB, results iter.Seq2[licensing.OperationResult, error], n int) []licensing.OperationResult {
	t.Helper()
	all := make([]licensing.OperationResult, n)
	seen := 0
	for r, err := range results {
		if err != nil {
			t.Fatal(err)
		}
		if all[r.Index].Operation.Kind != "" {
			t.Errorf("two results of operation %d", r.Index)
		}
		all[r.Index] = r
		seen++
	}
	if seen != n {
		t.Errorf("%d results of %d", seen, n)
	}
	return all
}

// A run is done by several workers, and each operation has one result.
func TestRun(t *testing.T) {
	t.Parallel()
	js := newStream(t)
	tenant, _, operations := people(2000)
	publish(t, js, "joiners", operations)
	errs := make(chan error)
	for range 3 {
		w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "joiners"}
		go func() { errs <- w.Work(t.Context()) }()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	for i, r := range collect(t, fleet.Results(t.Context(), js, "joiners"), len(operations)) {
		if r.Err != nil || r.Operation.Target != operations[i].Target || r.User == nil || r.User.ID != r.Operation.Target {
			t.Errorf("result %d is %+v", i, r)
		}
	}
	if n := len(tenant.Writes()); n != len(operations) {
		t.Errorf("%d effects", n)
	}
	status, err := fleet.Look(t.Context(), js, "joiners")
	if err != nil || !status.Complete() || status.Outcomes[licensing.OutcomeDone] != 2000 || len(status.Workers) != 0 {
		t.Errorf("%+v, %v", status, err)
	}
}

var _ = context.Background
var _ = errors.Is
var _ = fmt.Sprint
var _ = strings.Cut
var _ = time.Now
