package main

import (
	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	fakeToken  = "anytokenwilldo"
	fakeTester = "tester@contoso.example"
	fakeGroup  = "2132b215-826f-42a9-8cfe-1643d19d17fd"
)

// newTenant returns the fake tenant to try the tool on, which has something to
// show for as many facts as it can: one seat too few for a group, a SKU that
// ran out, and a user to write to.
func newTenant() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(contoso.E3(2))
	f1 := contoso.F1(8)
	f1.BarredIn = []string{"KP"}
	f1 = tenant.AddSKU(f1)
	tenant.AddSKU(licensingtest.SKU{ID: uuid.MustParse("c42b9cae-ea4f-4ab7-9717-81576235ccac"), PartNumber: "DEVELOPERPACK"})
	for _, name := range []string{"adele", "ben", "cleo"} {
		tenant.AddUser(licensingtest.User{
			UserPrincipalName: name + "@contoso.example", DisplayName: name, UsageLocation: "DE",
			Licenses: []licensingtest.License{contoso.License(f1)},
		})
	}
	tenant.AddUser(licensingtest.User{UserPrincipalName: fakeTester, DisplayName: "Tester", UsageLocation: "DE"})
	tenant.AddGroup(licensingtest.Group{ID: contoso.Sales, DisplayName: "Sales", Licenses: []licensingtest.License{contoso.License(e3)}},
		"adele@contoso.example", "ben@contoso.example", "cleo@contoso.example")
	tenant.AddGroup(licensingtest.Group{ID: fakeGroup, DisplayName: "Frontline"}, "ben@contoso.example")
	return tenant
}
