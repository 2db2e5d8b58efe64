package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// TestLocks has two clients, each with a connection of its own, edit one user. Reads
// lag, so that the second knows by the note alone what the first wrote.
func TestLocks(t *testing.T) {
	server, err := fleet.NewServer(t.TempDir(), fleet.Listen("127.0.0.1", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1, Plans: []licensingtest.Plan{{Name: "SWAY"}, {Name: "TEAMS1"}}})
	adele := tenant.AddUser(licensingtest.User{
		UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}},
	}).ID

	tenant.SetReadLag(time.Minute)
	var off []uuid.UUID
	for _, plan := range sku.Plans {
		conn, err := nats.Connect(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		locks, err := locks(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		change := licensing.ServicePlanChange{Disable: []uuid.UUID{plan.ID}}
		if _, err := tenant.Client(locks).UpdateUserServicePlans(t.Context(), adele, sku.ID, change); err != nil {
			t.Fatal(err)
		}
		off = append(off, plan.ID)
	}
	user, _ := tenant.User(adele)
	if got := user.Licenses[0].DisabledPlans; len(got) != 2 || !slices.Contains(got, off[0]) || !slices.Contains(got, off[1]) {
		t.Errorf("off are %v, want %v", got, off)
	}
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := locks(t.Context(), conn); err == nil {
		t.Error("a closed connection is no error")
	}
}
