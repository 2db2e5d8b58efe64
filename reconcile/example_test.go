package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// contoso is a tenant with two products, E3 and E5, which have Exchange and Teams in
// common. Adele has E3 without Teams, Ben E3 directly and by the group Sales, and
// Chris nothing.
func contoso() (tenant *licensingtest.Tenant, e3, e5 licensingtest.SKU) {
	exchange := licensingtest.Plan{ID: uuid.MustParse("efb87545-963c-4e0d-99df-69c6916d9eb0"), Name: "EXCHANGE_S_ENTERPRISE"}
	teams := licensingtest.Plan{ID: uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929"), Name: "TEAMS1"}
	tenant = licensingtest.NewTenant()
	e3 = tenant.AddSKU(licensingtest.SKU{PartNumber: "SPE_E3", Seats: 10, Plans: []licensingtest.Plan{exchange, teams}})
	e5 = tenant.AddSKU(licensingtest.SKU{PartNumber: "SPE_E5", Seats: 10, Plans: []licensingtest.Plan{exchange, teams, {Name: "THREAT_INTELLIGENCE"}}})
	for name, licenses := range map[string][]licensingtest.License{
		"adele": {{SKUID: e3.ID, DisabledPlans: []uuid.UUID{teams.ID}}},
		"ben":   {{SKUID: e3.ID}},
		"chris": nil,
	} {
		tenant.AddUser(licensingtest.User{UserPrincipalName: name + "@contoso.example", UsageLocation: "DE", Licenses: licenses})
	}
	tenant.AddGroup(licensingtest.Group{DisplayName: "Sales", Licenses: []licensingtest.License{{SKUID: e3.ID}}}, "ben@contoso.example")
	return tenant, e3, e5
}

// show prints a set for people.
func show(set *reconcile.ChangeSet) {
	for _, c := range set.Changes {
		fmt.Println(c.Name)
		for _, p := range c.Enabled {
			fmt.Println("  gains", p.ServicePlanName)
		}
		for _, p := range c.Disabled {
			fmt.Println("  loses", p.ServicePlanName)
		}
		for _, w := range c.Warnings {
			fmt.Println("  warning:", w)
		}
	}
	for _, p := range set.Problems {
		fmt.Println(p.Target, "cannot be reached:", p.Kind)
	}
}

// read reads a user, or ends the program.
func read(client *licensing.Client, name string) *licensing.User {
	user, err := client.User(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	return user
}

func Example() {
	tenant, e3, _ := contoso()
	client, ctx := tenant.Client(), context.Background()

	goals := []reconcile.Goal{
		{Target: "adele@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID, DisabledPlans: []uuid.UUID{}}}},
		{Target: "chris@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID}}},
		{Target: "nobody@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID}}},
	}
	set, err := reconcile.Plan(ctx, client, slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	show(set)
	done := 0
	for result := range reconcile.Apply(ctx, client, set, reconcile.ApplyOptions{}) {
		if !result.Done() {
			log.Fatal(result.Operation.Target, ": ", result.Err)
		}
		done++
	}
	fmt.Println(done, "done")
	// Output:
	// adele@contoso.example
	//   gains TEAMS1
	// chris@contoso.example
	//   gains EXCHANGE_S_ENTERPRISE
	//   gains TEAMS1
	// nobody@contoso.example cannot be reached: notFound
	// 2 done
}

// The set goes through a file, in which people look at it, to another process.
func ExamplePlan() {
	tenant, e3, _ := contoso()
	goals := []reconcile.Goal{{Target: "chris@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID}}, Ref: "TICKET-7"}}
	set, err := reconcile.Plan(context.Background(), tenant.Client(), slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	file, err := json.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}

	var reviewed reconcile.ChangeSet
	if err := json.Unmarshal(file, &reviewed); err != nil {
		log.Fatal(err)
	}
	for result := range reconcile.Apply(context.Background(), tenant.Client(), &reviewed, reconcile.ApplyOptions{}) {
		fmt.Println(result.Change.Operation.Ref, result.Outcome())
	}
	for _, seats := range set.Seats {
		fmt.Println(seats.SKUPartNumber, "needs", seats.Needed, "of", seats.Free)
	}
	// Output:
	// TICKET-7 done
	// SPE_E3 needs 1 of 8
}

// Nobody loses anything unless MaxRemovals says so.
func ExampleApply() {
	tenant, _, _ := contoso()
	client, ctx := tenant.Client(), context.Background()
	goals := []reconcile.Goal{reconcile.Leaver("adele@contoso.example")}
	set, err := reconcile.Plan(ctx, client, slices.Values(goals), reconcile.PlanOptions{ManageAll: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, most := range []int{0, set.Removals()} {
		for result := range reconcile.Apply(ctx, client, set, reconcile.ApplyOptions{MaxRemovals: most}) {
			if errors.Is(result.Err, reconcile.ErrTooManyRemovals) {
				fmt.Println(result.Err)
				continue
			}
			fmt.Println(result.Operation.Target, result.Outcome())
		}
	}
	// Output:
	// apply: more removals than are allowed: 1 of 1 changes take something away, and MaxRemovals is 0
	// adele@contoso.example done
}

func ExampleChangeSet_Removals() {
	tenant, e3, _ := contoso()
	goals := []reconcile.Goal{
		{Target: "adele@contoso.example", Remove: []uuid.UUID{e3.ID}},
		{Target: "chris@contoso.example", Licenses: []reconcile.License{{SKUID: e3.ID}}},
	}
	set, err := reconcile.Plan(context.Background(), tenant.Client(), slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Removals(), "of", len(set.Changes), "lose something")
	// Output: 1 of 2 lose something
}

func ExampleChange_Removes() {
	tenant, e3, _ := contoso()
	goals := []reconcile.Goal{{Target: "adele@contoso.example", Remove: []uuid.UUID{e3.ID}}}
	set, err := reconcile.Plan(context.Background(), tenant.Client(), slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range set.Changes {
		if c.Removes() {
			fmt.Println(c.Operation.Target, "loses something")
		}
	}
	// Output: adele@contoso.example loses something
}

// The plans of an Exactly goal by a change of what is there.
func ExampleGoal() {
	var goal reconcile.Goal
	err := json.Unmarshal([]byte(`{
		"target": "adele@contoso.example",
		"licenses": [{"skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965", "plans": {"disable": ["57ff2da0-773e-42df-b2af-ffb7a2317929"]}}],
		"mode": "exactly",
		"reff": "TICKET-7"
	}`), &goal)
	fmt.Println(err)
	// Output: goal: json: unknown field "reff"
}

// What users had is given back to them.
func ExampleSnapshot() {
	tenant, _, e5 := contoso()
	client := tenant.Client()
	saved := reconcile.Snapshot(slices.Values([]*licensing.User{read(client, "adele@contoso.example")}))

	// Somebody makes a change that turns out to be wrong.
	tenant.SetUserLicenses("adele@contoso.example", licensingtest.License{SKUID: e5.ID})

	opts := reconcile.PlanOptions{ManageAll: true, IgnoreInherited: true}
	set, err := reconcile.Plan(context.Background(), client, slices.Values(saved), opts)
	if err != nil {
		log.Fatal(err)
	}
	show(set)
	// Output:
	// adele@contoso.example
	//   loses TEAMS1
	//   loses THREAT_INTELLIGENCE
}

// A new colleague is to have what Adele has.
func ExampleCopy() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	goal := reconcile.Copy(read(client, "adele@contoso.example"), "chris@contoso.example")
	set, err := reconcile.Plan(context.Background(), client, slices.Values([]reconcile.Goal{goal}), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	show(set)
	// Output:
	// chris@contoso.example
	//   gains EXCHANGE_S_ENTERPRISE
}

func ExampleLeaver() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	goals := []reconcile.Goal{reconcile.Leaver("adele@contoso.example"), reconcile.Leaver("ben@contoso.example")}
	set, err := reconcile.Plan(context.Background(), client, slices.Values(goals), reconcile.PlanOptions{ManageAll: true})
	if err != nil {
		log.Fatal(err)
	}
	show(set)
	// Output:
	// adele@contoso.example
	//   loses EXCHANGE_S_ENTERPRISE
	//   warning: mailbox
	// ben@contoso.example
	//   warning: keptByGroup
}

// Ben has E3 by Sales as well, Adele has not.
func ExampleCovered() {
	tenant, e3, _ := contoso()
	client := tenant.Client()

	var goals []reconcile.Goal
	for _, name := range []string{"adele@contoso.example", "ben@contoso.example"} {
		goals = append(goals, reconcile.Covered(read(client, name), []uuid.UUID{e3.ID}))
	}
	set, err := reconcile.Plan(context.Background(), client, slices.Values(goals), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range set.Changes {
		fmt.Println(c.Name, "loses", len(c.Disabled), "plans:", c.Warnings)
	}
	// Output: ben@contoso.example loses 0 plans: [keptByGroup]
}

// Adele moves from E3 to E5, still without Teams.
func ExampleSwap() {
	tenant, e3, e5 := contoso()
	client := tenant.Client()
	skus, err := client.SubscribedSKUs(context.Background())
	if err != nil {
		log.Fatal(err)
	}

	goal, err := reconcile.Swap(read(client, "adele@contoso.example"), licensing.LicenseSwap{From: e3.ID, To: e5.ID}, skus[0], skus[1])
	if err != nil {
		log.Fatal(err)
	}
	set, err := reconcile.Plan(context.Background(), client, slices.Values([]reconcile.Goal{goal}), reconcile.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	show(set)
	// Output:
	// adele@contoso.example
	//   gains THREAT_INTELLIGENCE
}
