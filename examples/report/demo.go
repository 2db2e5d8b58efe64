package main

import (
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// newTenant returns the fake tenant to try the tool on: two seats of one
// product for three users, and a country where the other is not sold.
func newTenant() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(contoso.E3(2))
	f1 := contoso.F1(8)
	f1.Warning, f1.BarredIn = 2, []string{"CU"}
	f1 = tenant.AddSKU(f1)
	for _, user := range []licensingtest.User{
		{UserPrincipalName: "adele@contoso.example", DisplayName: "Adele Vance", UsageLocation: "DE",
			Licenses: []licensingtest.License{contoso.License(e3, contoso.SharePoint, contoso.Yammer)}},
		{UserPrincipalName: "ben@contoso.example", DisplayName: "Ben Walters", UsageLocation: "DE"},
		{UserPrincipalName: "cleo@contoso.example", DisplayName: "Cleo Díaz", UsageLocation: "DE",
			Licenses: []licensingtest.License{contoso.License(f1)}},
		{UserPrincipalName: "dan@contoso.example", DisplayName: "Dan Jump", UsageLocation: "CU"},
		{UserPrincipalName: "eva@contoso.example", DisplayName: "Eva Macek", UsageLocation: "DE"},
	} {
		tenant.AddUser(user)
	}
	tenant.AddGroup(licensingtest.Group{
		ID: contoso.Sales, DisplayName: "Sales",
		Licenses: []licensingtest.License{contoso.License(e3, contoso.Yammer)},
	}, "adele@contoso.example", "ben@contoso.example", "cleo@contoso.example")
	tenant.AddGroup(licensingtest.Group{
		ID: "2132b215-826f-42a9-8cfe-1643d19d17fd", DisplayName: "Frontline, all shifts",
		Licenses: []licensingtest.License{contoso.License(f1)},
	}, "ben@contoso.example", "dan@contoso.example")
	return tenant
}
