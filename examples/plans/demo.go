package main

import (
	"time"

	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// adele has the product directly and through a group, and ben through the
// group alone.
const (
	adele = "adele@contoso.example"
	ben   = "ben@contoso.example"
)

// offAndOn is what the tool does when it is not told.
var offAndOn = []edit{{disable: []string{"YAMMER_ENTERPRISE"}}, {enable: []string{"YAMMER_ENTERPRISE"}}}

// newTenant returns the fake tenant to try the tool on.
func newTenant() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	e3, f1 := tenant.AddSKU(contoso.E3(10)), tenant.AddSKU(contoso.F1(10))
	for _, user := range []licensingtest.User{
		{UserPrincipalName: adele, Licenses: []licensingtest.License{contoso.License(e3, contoso.SharePoint)}},
		{UserPrincipalName: ben, Licenses: []licensingtest.License{contoso.License(f1)}},
	} {
		user.UsageLocation = "DE"
		tenant.AddUser(user)
	}
	tenant.AddGroup(licensingtest.Group{
		ID: contoso.Sales, DisplayName: "Sales",
		Licenses: []licensingtest.License{contoso.License(e3, contoso.SharePoint, contoso.Yammer)},
	}, adele, ben)
	tenant.ProcessAfter(time.Second)
	return tenant
}
