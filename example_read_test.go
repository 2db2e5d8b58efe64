package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// contoso is a tenant with 25 seats of E3, which Adele has directly without
// Sway, and Ben through the group Sales.
func contoso() (tenant *licensingtest.Tenant, e3 licensingtest.SKU, sales licensingtest.Group) {
	tenant = licensingtest.NewTenant()
	e3 = tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25, Plans: []licensingtest.Plan{{Name: "EXCHANGE"}, {Name: "TEAMS1"}, {Name: "SWAY"}}})
	tenant.AddUser(licensingtest.User{
		UserPrincipalName: "adele@contoso.example",
		UsageLocation:     "DE",
		Licenses:          []licensingtest.License{{SKUID: e3.ID, DisabledPlans: []uuid.UUID{e3.Plans[2].ID}}},
	})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "ben@contoso.example", UsageLocation: "DE"})
	sales = tenant.AddGroup(licensingtest.Group{DisplayName: "Sales", Licenses: []licensingtest.License{{SKUID: e3.ID}}}, "ben@contoso.example")
	return tenant, e3, sales
}

func ExampleClient_User() {
	tenant, e3, sales := contoso()
	client := tenant.Client()

	user, err := client.User(context.Background(), "ben@contoso.example")
	if err != nil {
		log.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	fmt.Println("directly:", len(direct))
	inherited, _ := user.InheritedLicenses()
	for _, license := range inherited {
		fmt.Println("E3 from Sales:", license.SKUID == e3.ID && license.GroupID == sales.ID)
	}
	// Output:
	// directly: 0
	// E3 from Sales: true
}

func ExampleClient_Me() {
	tenant, _, _ := contoso()
	tenant.SignIn("adele@contoso.example")
	client := tenant.Client()

	user, err := client.Me(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	for _, license := range direct {
		fmt.Println(user.UserPrincipalName, "has a license; plans that are off:", len(license.DisabledPlans))
	}
	// Output: adele@contoso.example has a license; plans that are off: 1
}

func ExampleClient_Group() {
	tenant, e3, sales := contoso()
	client := tenant.Client()

	group, err := client.Group(context.Background(), sales.ID)
	if err != nil {
		log.Fatal(err)
	}
	for _, license := range group.AssignedLicenses {
		fmt.Println(group.DisplayName, "has E3:", license.SKUID == e3.ID)
	}
	if state := group.LicenseProcessingState; state != nil { // nil: never had a license
		fmt.Println(state.State)
	}
	// Output:
	// Sales has E3: true
	// ProcessingComplete
}

func ExampleClient_UserLicenseDetails() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	details, err := client.UserLicenseDetails(context.Background(), "adele@contoso.example")
	if err != nil {
		log.Fatal(err)
	}
	for _, sku := range details {
		fmt.Println(sku.SKUPartNumber)
		for _, plan := range sku.ServicePlans {
			fmt.Println("-", plan.ServicePlanName, plan.ProvisioningStatus)
		}
	}
	// Output:
	// ENTERPRISEPACK
	// - EXCHANGE Success
	// - TEAMS1 Success
	// - SWAY Disabled
}

func ExampleClient_MyLicenseDetails() {
	tenant, _, _ := contoso()
	client := tenant.Client() // has the token of an application

	_, err := client.MyLicenseDetails(context.Background())
	fmt.Println("only for a signed-in user:", errors.Is(err, licensing.ErrDelegatedOnly))

	tenant.SignIn("ben@contoso.example")
	details, err := client.MyLicenseDetails(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, sku := range details {
		fmt.Println(sku.SKUPartNumber)
	}
	// Output:
	// only for a signed-in user: true
	// ENTERPRISEPACK
}

func ExampleClient_SubscribedSKUs() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	skus, err := client.SubscribedSKUs(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, sku := range skus {
		fmt.Println(sku.SKUPartNumber, "in use:", sku.ConsumedUnits, "plans:", len(sku.ServicePlans))
	}
	// Output: ENTERPRISEPACK in use: 2 plans: 3
}

func ExampleSubscribedSKU_Available() {
	sku := licensing.SubscribedSKU{
		PrepaidUnits:  licensing.LicenseUnits{Enabled: 25, Warning: 5, Suspended: 10},
		ConsumedUnits: 28,
	}
	fmt.Println(sku.Available(), "seats are free")
	// Output: 2 seats are free
}

func ExampleClient_Users() {
	tenant, e3, _ := contoso()
	client := tenant.Client()

	for user, err := range client.Users(context.Background(), licensing.UserQuery{SKUID: e3.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		direct, _ := user.DirectLicenses()
		fmt.Println(user.UserPrincipalName, "has E3, directly:", len(direct) > 0)
	}
	// Output:
	// adele@contoso.example has E3, directly: true
	// ben@contoso.example has E3, directly: false
}

// Repair: find the users whose group licenses are in error, and why. With the
// cause out of the way, process them again.
func ExampleClient_GroupMembersWithErrors() {
	ctx := context.Background()
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "ben@contoso.example", UsageLocation: "DE"})
	tenant.AddGroup(licensingtest.Group{DisplayName: "Sales", Licenses: []licensingtest.License{{SKUID: e3.ID}}}, "adele@contoso.example", "ben@contoso.example")
	client := tenant.Client()

	skus, err := client.SubscribedSKUs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	catalog := licensing.NewCatalog(skus)
	var failed []string
	for group, err := range client.Groups(ctx, licensing.GroupQuery{OnlyErrors: true}) {
		if err != nil {
			log.Fatal(err)
		}
		for user, err := range client.GroupMembersWithErrors(ctx, group.ID) {
			if err != nil {
				log.Fatal(err)
			}
			for _, state := range user.LicenseAssignmentStates {
				if state.Err() != nil && state.AssignedByGroup == group.ID {
					fmt.Println(user.UserPrincipalName, "lacks", catalog.DisplayName(state.SKUID), "from", group.DisplayName+":", state.Error)
					fmt.Println("seats are missing:", errors.Is(state.Err(), licensing.ErrNoAvailableLicenses))
				}
			}
			failed = append(failed, user.ID)
		}
	}

	tenant.SetSeats(e3.ID, 2) // seats were bought
	for _, id := range failed {
		if _, err := client.ReprocessUserLicense(ctx, id); err != nil {
			log.Fatal(err) // tells the true cause
		}
		user, err := client.User(ctx, id) // the answer to the write has no licenses
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(user.UserPrincipalName, "has", len(user.AssignedLicenses), "license")
	}
	// Output:
	// ben@contoso.example lacks ENTERPRISEPACK from Sales: CountViolation
	// seats are missing: true
	// ben@contoso.example has 1 license
}

// Leavers: which groups give licenses, and which of them can a person not simply be
// taken out of?
func ExampleClient_Groups() {
	tenant, e3, _ := contoso()
	tenant.AddGroup(licensingtest.Group{DisplayName: "Visitors"})
	client := tenant.Client()

	query := licensing.GroupQuery{SKUID: e3.ID, Select: []string{"membershipRule", "isAssignableToRole", "onPremisesSyncEnabled"}}
	for group, err := range client.Groups(context.Background(), query) {
		if err != nil {
			log.Fatal(err)
		}
		byHand := group.MembershipRule == "" && group.OnPremisesSyncEnabled == nil
		fmt.Println(group.DisplayName, len(group.AssignedLicenses), "license, members by hand:", byHand)
	}
	// Output: Sales 1 license, members by hand: true
}

// What ends, and when?
func ExampleClient_Subscriptions() {
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25, Subscriptions: []licensingtest.Subscription{
		{TotalLicenses: 20},
		{TotalLicenses: 5, IsTrial: true, NextLifecycleDateTime: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
	}})

	subscriptions, err := tenant.Client().Subscriptions(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range subscriptions {
		if s.IsTrial != nil && *s.IsTrial {
			fmt.Println("the trial of", s.SKUPartNumber, "with", s.TotalLicenses, "seats ends on", s.NextLifecycleDateTime.Format(time.DateOnly))
		}
	}
	// Output: the trial of ENTERPRISEPACK with 5 seats ends on 2027-01-31
}

func ExampleClient_Groups_inError() {
	tenant, e3, sales := contoso()
	tenant.SetSeats(e3.ID, 2) // those in use
	tenant.AddUser(licensingtest.User{UserPrincipalName: "cleo@contoso.example", UsageLocation: "DE"})
	tenant.AddMember(sales.ID, "cleo@contoso.example")
	tenant.Process()
	client := tenant.Client()

	for group, err := range client.Groups(context.Background(), licensing.GroupQuery{OnlyErrors: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(group.DisplayName)
	}
	// Output: Sales
}

// A listing of everybody: how long will it be?
func ExampleClient_CountUsers() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	n, err := client.CountUsers(context.Background(), "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "users")
	// Output: 2 users
}

// A list from HR: what do these people have?
func ExampleClient_ReadUsers() {
	tenant, _, _ := contoso()
	client := tenant.Client()

	names := slices.Values([]string{"adele@contoso.example", "nobody@contoso.example"})
	lines := make([]string, 2)
	for read := range client.ReadUsers(context.Background(), names, licensing.ReadUsersOptions{}) {
		switch {
		case errors.Is(read.Err, licensing.ErrNotFound):
			lines[read.Index] = read.Target + " is not there"
		case read.Err != nil:
			log.Fatal(read.Err)
		default:
			direct, _ := read.User.DirectLicenses()
			lines[read.Index] = fmt.Sprint(read.Target, " has ", len(direct), " directly")
		}
	}
	fmt.Println(strings.Join(lines, "\n"))
	// Output:
	// adele@contoso.example has 1 directly
	// nobody@contoso.example is not there
}

func ExampleClient_SetUsageLocation() {
	ctx := context.Background()
	tenant, e3, _ := contoso()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "cleo@contoso.example"})
	client := tenant.Client()

	fmt.Println(client.SetUsageLocation(ctx, "cleo@contoso.example", "UK")) // which is GB
	if err := client.SetUsageLocation(ctx, "cleo@contoso.example", "gb"); err != nil {
		log.Fatal(err)
	}
	if _, err := client.AssignUserLicense(ctx, "cleo@contoso.example", licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}},
	}); err != nil {
		log.Fatal(err)
	}
	user, err := client.User(ctx, "cleo@contoso.example")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.UsageLocation, len(user.AssignedLicenses))
	// Output:
	// set usage location: invalid argument: countryCode is "UK", not an ISO 3166 alpha-2 code: the United Kingdom is GB
	// GB 1
}

func ExampleClient_UpdateUserServicePlans() {
	ctx := context.Background()
	tenant, e3, _ := contoso()
	teams, sway := e3.Plans[1].ID, e3.Plans[2].ID
	client := tenant.Client()

	// Teams off and Sway on; Exchange stays as it is.
	if _, err := client.UpdateUserServicePlans(ctx, "adele@contoso.example", e3.ID, licensing.ServicePlanChange{
		Enable:  []uuid.UUID{sway},
		Disable: []uuid.UUID{teams},
	}); err != nil {
		log.Fatal(err)
	}

	// It was written, so what came back has no licenses. This is what is true.
	adele, _ := tenant.User("adele@contoso.example")
	for _, license := range adele.Licenses {
		fmt.Println("only Teams is off:", slices.Equal(license.DisabledPlans, []uuid.UUID{teams}))
	}

	// What comes from a group is changed there.
	_, err := client.UpdateUserServicePlans(ctx, "ben@contoso.example", e3.ID, licensing.ServicePlanChange{Disable: []uuid.UUID{teams}})
	fmt.Println("inherited:", errors.Is(err, licensing.ErrInherited))
	// Output:
	// only Teams is off: true
	// inherited: true
}

func ExampleClient_UpdateGroupServicePlans() {
	ctx := context.Background()
	tenant, e3, sales := contoso()
	exchange, teams := e3.Plans[0].ID, e3.Plans[1].ID
	client := tenant.Client()

	// Called again, this also finds the plans that came to E3 since.
	change := licensing.ServicePlanChange{EnableOnly: []uuid.UUID{exchange, teams}}
	if _, err := client.UpdateGroupServicePlans(ctx, sales.ID, e3.ID, change); err != nil {
		log.Fatal(err)
	}
	group, err := client.Group(ctx, sales.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("plans that are off:", len(group.AssignedLicenses[0].DisabledPlans))
	fmt.Println("the members follow:", group.LicenseProcessingState.State)
	// Output:
	// plans that are off: 1
	// the members follow: QueuedForProcessing
}

func ExampleClient_SwapUserLicense() {
	ctx := context.Background()
	tenant, e3, _ := contoso()
	e5 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPREMIUM", Seats: 5, Plans: []licensingtest.Plan{e3.Plans[0], {Name: "SWAY_PREMIUM"}}})
	client := tenant.Client()

	swap := licensing.LicenseSwap{From: e3.ID, To: e5.ID, Plans: map[uuid.UUID]uuid.UUID{
		e3.Plans[2].ID: e5.Plans[1].ID, // who has no Sway shall not have the new one
	}}
	for range 2 { // the second time it finds that all is done
		result, err := client.SwapUserLicense(ctx, "adele@contoso.example", swap)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("changed:", result.Changed, "off:", len(result.License.DisabledPlans))
		for _, plan := range result.Plans {
			fmt.Println("stayed off by", plan.By)
		}
	}
	// Output:
	// changed: true off: 1
	// stayed off by mapping
	// changed: false off: 1
}

func ExampleClient_SwapGroupLicense() {
	tenant, e3, sales := contoso()
	e5 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPREMIUM", Seats: 5})
	client := tenant.Client()

	result, err := client.SwapGroupLicense(context.Background(), sales.ID, licensing.LicenseSwap{From: e3.ID, To: e5.ID})
	if err != nil {
		log.Fatal(err)
	}
	tenant.Process() // Graph takes its time; see Client.WaitForGroup
	ben, _ := tenant.User("ben@contoso.example")
	fmt.Println("changed:", result.Changed)
	fmt.Println("Ben has E5:", len(ben.States) == 1 && ben.States[0].SKUID == e5.ID)
	// Output:
	// changed: true
	// Ben has E5: true
}

func ExampleClient_WaitForGroup() {
	tenant, e3, _ := contoso()
	support := tenant.AddGroup(licensingtest.Group{DisplayName: "Support"}, "adele@contoso.example", "ben@contoso.example")
	tenant.ProcessAfter(time.Second)
	client := tenant.Client()

	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}}}
	if _, err := client.AssignGroupLicense(ctx, support.ID, change); err != nil {
		log.Fatal(err)
	}
	group, err := client.WaitForGroup(ctx, support.ID, change)
	if err != nil {
		log.Fatal(err) // the hour is over, for one
	}
	fmt.Println(group.DisplayName, group.LicenseProcessingState.State)
	for user, err := range client.GroupMembersWithErrors(ctx, group.ID) {
		fmt.Println(user, err) // nobody
	}
	// Output: Support ProcessingComplete
}

func ExampleClient_WaitForUser() {
	tenant, e3, _ := contoso()
	client := tenant.Client()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}}}
	if _, err := client.AssignUserLicense(ctx, "ben@contoso.example", change); err != nil {
		log.Fatal(err)
	}
	// Whoever reads the user now may not see it yet.
	user, err := client.WaitForUser(ctx, "ben@contoso.example", change)
	if err != nil {
		log.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	fmt.Println("directly:", len(direct))
	// Output: directly: 1
}

func ExampleIgnoreServicePlans() {
	tenant, e3, _ := contoso()
	client := tenant.Client()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID, DisabledPlans: []uuid.UUID{e3.Plans[0].ID}}}}
	if _, err := client.AssignUserLicense(ctx, "ben@contoso.example", change); err != nil {
		log.Fatal(err)
	}
	change.AddLicenses[0].DisabledPlans = nil // which plans are off does not matter here
	user, err := client.WaitForUser(ctx, "ben@contoso.example", change, licensing.IgnoreServicePlans())
	if err != nil {
		log.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	fmt.Println("directly:", len(direct))
	// Output: directly: 1
}

func ExampleClient_RemoveAllUserLicenses() {
	tenant, e3, _ := contoso()
	client := tenant.Client()

	user, err := client.RemoveAllUserLicenses(context.Background(), "adele@contoso.example")
	if err != nil {
		log.Fatal(err)
	}
	inherited, _ := user.InheritedLicenses()
	sku, _ := tenant.SKU(e3.ID)
	fmt.Println("left, from groups:", len(inherited), "- seats still taken, by Ben:", sku.Consumed)
	// Output: left, from groups: 0 - seats still taken, by Ben: 1
}

func ExampleClient_RemoveUserLicenses() {
	tenant, e3, sales := contoso()
	client := tenant.Client()

	user, err := client.RemoveUserLicenses(context.Background(), "ben@contoso.example", []uuid.UUID{e3.ID})
	if err != nil {
		log.Fatal(err) // that Ben does not have it directly is no error
	}
	inherited, _ := user.InheritedLicenses()
	for _, license := range inherited {
		fmt.Println("E3 is still there, from Sales:", license.GroupID == sales.ID)
	}
	// Output: E3 is still there, from Sales: true
}

// A client sees what it wrote, though reads lag behind.
func ExampleContextWithRawReads() {
	tenant, e3, _ := contoso()
	tenant.SetReadLag(time.Minute)
	client := tenant.Client()

	ctx := context.Background()
	if _, err := client.AssignUserLicense(ctx, "ben@contoso.example", licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}},
	}); err != nil {
		log.Fatal(err)
	}
	for _, ctx := range []context.Context{ctx, licensing.ContextWithRawReads(ctx)} {
		user, err := client.User(ctx, "ben@contoso.example")
		if err != nil {
			log.Fatal(err)
		}
		direct, _ := user.DirectLicenses()
		fmt.Println(len(direct))
	}
	// Output:
	// 1
	// 0
}

// Two processes edit one user by turns. Reads lag behind, and the lock hands on
// what was written.
func ExampleWithLocker() {
	tenant, e3, _ := contoso()
	tenant.SetReadLag(time.Minute)
	locker := licensingtest.NewLocker() // in production, of a lock service
	for _, plan := range e3.Plans[:2] {
		client := tenant.Client(licensing.WithLocker(locker)) // of another process
		change := licensing.ServicePlanChange{Disable: []uuid.UUID{plan.ID}}
		if _, err := client.UpdateUserServicePlans(context.Background(), "adele@contoso.example", e3.ID, change); err != nil {
			log.Fatal(err)
		}
	}
	user, _ := tenant.User("adele@contoso.example")
	fmt.Println("plans that are off:", len(user.Licenses[0].DisabledPlans))
	// Output: plans that are off: 3
}
