package reconcile_test

import (
	"context"
	"fmt"
	"log"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// Adele leaves, Ben moves to E5, and Dora cannot get E3 yet.
func Example_review() {
	tenant, e3, e5 := contoso()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "dora@contoso.example"})
	client, ctx := tenant.Client(), context.Background()

	goals := []reconcile.Goal{
		{Target: "adele@contoso.example", Remove: []uuid.UUID{e3.ID}},
		{Target: "ben@contoso.example", Licenses: []reconcile.License{{SKUID: e5.ID}}, Remove: []uuid.UUID{e3.ID}},
		{Target: "dora@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID}}},
	}
	set, err := reconcile.Plan(ctx, client, slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, change := range set.Changes {
		for _, plan := range change.Enabled {
			fmt.Println(change.Name, "gains", plan.ServicePlanName)
		}
		for _, plan := range change.Disabled {
			fmt.Println(change.Name, "loses", plan.ServicePlanName)
		}
		fmt.Println(change.Name, "warnings:", change.Warnings)
	}
	for _, problem := range set.Problems {
		fmt.Println(problem.Target, "is left alone:", problem.Kind)
	}
	for _, seats := range set.Seats {
		fmt.Println(seats.SKUPartNumber, "needs", seats.Needed, "frees", seats.Freed, "has", seats.Free, "lacks", seats.Short)
	}
	fmt.Println(set.Removals(), "people lose a license or a plan")

	opts := reconcile.ApplyOptions{MaxRemovals: 2} // what the reviewer agreed to
	for result := range reconcile.Apply(ctx, client, set, opts) {
		if !result.Done() {
			log.Fatal(result.Operation.Target, ": ", result.Err)
		}
	}
	// Output:
	// adele@contoso.example loses EXCHANGE_S_ENTERPRISE
	// adele@contoso.example warnings: [mailbox]
	// ben@contoso.example gains THREAT_INTELLIGENCE
	// ben@contoso.example warnings: [keptByGroup]
	// dora@contoso.example is left alone: noUsageLocation
	// SPE_E3 needs 0 frees 1 has 8 lacks 0
	// SPE_E5 needs 1 frees 0 has 10 lacks 0
	// 2 people lose a license or a plan
}
