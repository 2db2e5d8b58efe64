package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A demo is the fake tenant to try the tool on. Dan has one of the three seats,
// so that one is missing for a member of Sales.
type demo struct {
	client *licensing.Client
	e3     licensingtest.SKU
	dan    licensingtest.User
	out    io.Writer
}

func newDemo(out io.Writer) *demo {
	tenant := licensingtest.NewTenant()
	d := &demo{client: tenant.Client(), e3: tenant.AddSKU(contoso.E3(3)), out: out}
	f1 := tenant.AddSKU(contoso.F1(10))
	members := []string{"adele@contoso.example", "ben@contoso.example", "cleo@contoso.example"}
	for _, name := range members {
		tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "DE"})
	}
	d.dan = tenant.AddUser(licensingtest.User{
		UserPrincipalName: "dan@contoso.example", UsageLocation: "DE",
		Licenses: []licensingtest.License{contoso.License(d.e3)},
	})
	tenant.AddGroup(licensingtest.Group{
		ID: contoso.Sales, DisplayName: "Sales",
		Licenses: []licensingtest.License{contoso.License(f1)},
	}, members...)
	tenant.ProcessAfter(2 * time.Second) // as soon as that only for a fake
	return d
}

// freeSeat takes Dan's seat, which makes room for a member of Sales.
func (d *demo) freeSeat(ctx context.Context) error {
	_, err := d.client.AssignUserLicense(ctx, d.dan.ID, licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{d.e3.ID}})
	if err == nil {
		fmt.Fprintf(d.out, "%s has left, and the seat is free\n", d.dan.UserPrincipalName)
	}
	return err
}
