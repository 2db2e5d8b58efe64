package licensing_test

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// subscribed stands for what Client.SubscribedSKUs returns.
var subscribed = []licensing.SubscribedSKU{{
	SKUID:         uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"),
	SKUPartNumber: "ENTERPRISEPACK",
	ServicePlans: []licensing.ServicePlan{
		{ServicePlanID: uuid.MustParse("efb87545-963c-4e0d-99df-69c6916d9eb0"), ServicePlanName: "EXCHANGE_S_ENTERPRISE", AppliesTo: "User"},
		{ServicePlanID: uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929"), ServicePlanName: "TEAMS1", AppliesTo: "User"},
		{ServicePlanID: uuid.MustParse("a23b959c-7ce8-4e57-9140-b90eb88a9e97"), ServicePlanName: "SWAY", AppliesTo: "User"},
	},
}, {
	SKUID:         uuid.MustParse("84a661c4-e949-4bd2-a560-ed7766fcaf2b"),
	SKUPartNumber: "AAD_PREMIUM_P2",
}}

// published stands for the file that Microsoft publishes.
const published = `Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names
Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929,Microsoft Teams
`

func ExampleNewCatalog() {
	catalog := licensing.NewCatalog(subscribed)
	sku, err := catalog.SKU("EnterprisePack")
	if err != nil {
		log.Fatal(err)
	}
	teams, err := catalog.ServicePlan(sku.SKUID, "TEAMS1")
	if err != nil {
		log.Fatal(err)
	}
	request := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{
		{SKUID: sku.SKUID, DisabledPlans: []uuid.UUID{teams.ServicePlanID}},
	}}
	fmt.Println(request.AddLicenses)
	// Output: [{6fd2c87f-b296-42f0-b197-1e91e994b900 [57ff2da0-773e-42df-b2af-ffb7a2317929]}]
}

func ExampleCatalog_SKU() {
	catalog := licensing.NewCatalog(subscribed)
	for _, name := range []string{"enterprisepack", "84A661C4-E949-4BD2-A560-ED7766FCAF2B", "ENTERPRISEPAK"} {
		sku, err := catalog.SKU(name)
		if errors.Is(err, licensing.ErrUnknownSKU) {
			fmt.Println(err)
			continue
		}
		fmt.Println(sku.SKUPartNumber, sku.SKUID)
	}
	// Output:
	// ENTERPRISEPACK 6fd2c87f-b296-42f0-b197-1e91e994b900
	// AAD_PREMIUM_P2 84a661c4-e949-4bd2-a560-ed7766fcaf2b
	// find SKU: "ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?
}

func ExampleCatalog_ServicePlan() {
	catalog := licensing.NewCatalog(subscribed)
	e3 := uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")
	for _, name := range []string{"teams1", "EXCHANGE"} {
		plan, err := catalog.ServicePlan(e3, name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(plan.ServicePlanName, plan.ServicePlanID)
	}
	// Output:
	// TEAMS1 57ff2da0-773e-42df-b2af-ffb7a2317929
	// find service plan: invalid argument: "EXCHANGE" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); did you mean EXCHANGE_S_ENTERPRISE?
}

func ExampleCatalog_SKUs() {
	catalog := licensing.NewCatalog(subscribed)
	for _, sku := range catalog.SKUs() {
		fmt.Println(sku.SKUPartNumber, len(sku.ServicePlans))
	}
	// Output:
	// ENTERPRISEPACK 3
	// AAD_PREMIUM_P2 0
}

func ExampleCatalog_WithNames() {
	names, err := licensing.ReadProductNames(strings.NewReader(published))
	if err != nil {
		log.Fatal(err)
	}
	catalog := licensing.NewCatalog(subscribed).WithNames(names)
	sku, err := catalog.SKU("Office 365 E3")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sku.SKUPartNumber)
	// Output: ENTERPRISEPACK
}

func ExampleCatalog_DisplayName() {
	names, err := licensing.ReadProductNames(strings.NewReader(published))
	if err != nil {
		log.Fatal(err)
	}
	catalog := licensing.NewCatalog(subscribed).WithNames(names)
	for _, sku := range catalog.SKUs() {
		fmt.Println(catalog.DisplayName(sku.SKUID))
	}
	// Output:
	// Office 365 E3
	// AAD_PREMIUM_P2
}

func ExampleReadProductNames() {
	// A program opens its copy of the file here.
	names, err := licensing.ReadProductNames(strings.NewReader(published))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names.SKU(uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")))
	fmt.Println(names.ServicePlan(uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929")))
	// Output:
	// Office 365 E3
	// Microsoft Teams
}

func ExampleProductNames_SKU() {
	names, err := licensing.ReadProductNames(strings.NewReader(published))
	if err != nil {
		log.Fatal(err)
	}
	for _, sku := range subscribed {
		fmt.Printf("%s: %q\n", sku.SKUPartNumber, names.SKU(sku.SKUID))
	}
	// Output:
	// ENTERPRISEPACK: "Office 365 E3"
	// AAD_PREMIUM_P2: ""
}

func ExampleProductNames_ServicePlan() {
	names, err := licensing.ReadProductNames(strings.NewReader(published))
	if err != nil {
		log.Fatal(err)
	}
	for _, plan := range subscribed[0].ServicePlans {
		fmt.Printf("%s: %q\n", plan.ServicePlanName, names.ServicePlan(plan.ServicePlanID))
	}
	// Output:
	// EXCHANGE_S_ENTERPRISE: ""
	// TEAMS1: "Microsoft Teams"
	// SWAY: ""
}

func ExampleServicePlanChange_Apply() {
	e3 := subscribed[0]
	exchange, teams, sway := e3.ServicePlans[0], e3.ServicePlans[1], e3.ServicePlans[2]
	current := licensing.AssignedLicense{SKUID: e3.SKUID, DisabledPlans: []uuid.UUID{sway.ServicePlanID}}

	for _, change := range []licensing.ServicePlanChange{
		{Enable: []uuid.UUID{sway.ServicePlanID}, Disable: []uuid.UUID{teams.ServicePlanID}},
		{EnableOnly: []uuid.UUID{exchange.ServicePlanID}},
	} {
		license, err := change.Apply(current, e3)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(license.DisabledPlans)
	}
	// Output:
	// [57ff2da0-773e-42df-b2af-ffb7a2317929]
	// [a23b959c-7ce8-4e57-9140-b90eb88a9e97 57ff2da0-773e-42df-b2af-ffb7a2317929]
}

func ExampleLicenseSwap_Apply() {
	e3 := subscribed[0]
	e5 := licensing.SubscribedSKU{
		SKUID:        uuid.MustParse("06ebc4ee-1bb5-47dd-8120-11324bc54e06"),
		ServicePlans: e3.ServicePlans[:2], // it has no Sway
	}
	teams, sway := e3.ServicePlans[1], e3.ServicePlans[2]
	current := licensing.AssignedLicense{SKUID: e3.SKUID, DisabledPlans: []uuid.UUID{sway.ServicePlanID, teams.ServicePlanID}}

	license, plans, err := licensing.LicenseSwap{From: e3.SKUID, To: e5.SKUID}.Apply(current, e3, e5)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(license.DisabledPlans)
	for _, plan := range plans {
		fmt.Println(plan.From, plan.By)
	}
	// Output:
	// [57ff2da0-773e-42df-b2af-ffb7a2317929]
	// a23b959c-7ce8-4e57-9140-b90eb88a9e97 none
	// 57ff2da0-773e-42df-b2af-ffb7a2317929 same id
}

// grace has E3 directly, without Teams and Sway, and through a group without
// Sway.
var grace = &licensing.User{LicenseAssignmentStates: []licensing.LicenseAssignmentState{{
	SKUID:         uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"),
	DisabledPlans: []uuid.UUID{uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929"), uuid.MustParse("a23b959c-7ce8-4e57-9140-b90eb88a9e97")},
	State:         licensing.AssignmentStateActive,
}, {
	SKUID:           uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"),
	DisabledPlans:   []uuid.UUID{uuid.MustParse("a23b959c-7ce8-4e57-9140-b90eb88a9e97")},
	AssignedByGroup: "33333333-3333-4333-8333-333333333333",
	State:           licensing.AssignmentStateActive,
}}}

func ExampleUser_DirectLicenses() {
	licenses, known := grace.DirectLicenses()
	if !known {
		log.Fatal("read the user with Client.User")
	}
	for _, license := range licenses {
		fmt.Println(license.SKUID, "without", len(license.DisabledPlans), "plans")
	}
	// Output: 6fd2c87f-b296-42f0-b197-1e91e994b900 without 2 plans
}

func ExampleUser_InheritedLicenses() {
	licenses, known := grace.InheritedLicenses()
	if !known {
		log.Fatal("read the user with Client.User")
	}
	for _, license := range licenses {
		fmt.Println(license.SKUID, "from", license.GroupID)
	}
	// Output: 6fd2c87f-b296-42f0-b197-1e91e994b900 from 33333333-3333-4333-8333-333333333333
}

func ExampleUser_EffectivePlans() {
	plans, known := grace.EffectivePlans(subscribed[0])
	if !known {
		log.Fatal("read the user with Client.User")
	}
	for _, plan := range plans {
		fmt.Println(plan.ServicePlanName, plan.Enabled, plan.Direct, plan.GroupIDs)
	}
	// Output:
	// EXCHANGE_S_ENTERPRISE true true [33333333-3333-4333-8333-333333333333]
	// TEAMS1 true false [33333333-3333-4333-8333-333333333333]
	// SWAY false false []
}
