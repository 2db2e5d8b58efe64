package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A demo is the fake tenant to try the tool on.
type demo struct {
	tenant *licensingtest.Tenant
	names  map[uuid.UUID]string // of SKUs and service plans
	users  []string
	user   string
	e3, f1 licensingtest.SKU
}

func newDemo() *demo {
	d := &demo{tenant: licensingtest.NewTenant(), names: map[uuid.UUID]string{}}
	plan := func(id, name string) licensingtest.Plan {
		return licensingtest.Plan{ID: uuid.MustParse(id), Name: name}
	}
	d.e3 = d.add(licensingtest.SKU{
		ID: uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"), PartNumber: "ENTERPRISEPACK", Seats: 10,
		Plans: []licensingtest.Plan{
			plan("efb87545-963c-4e0d-99df-69c6916d9eb0", "EXCHANGE_S_ENTERPRISE"),
			plan("5dbe027f-2339-4123-9542-606e4d348a72", "SHAREPOINTENTERPRISE"),
			plan("7547a3fe-08ee-4ccb-b430-5077c5041653", "YAMMER_ENTERPRISE"),
		},
	})
	d.f1 = d.add(licensingtest.SKU{
		ID: uuid.MustParse("50f60901-3181-4b75-8a2c-4c8e4c1d5a72"), PartNumber: "M365_F1", Seats: 10,
		Plans: []licensingtest.Plan{plan("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1")},
	})
	for _, name := range []string{"adele@contoso.example", "ben@contoso.example"} {
		d.tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: d.f1.ID}}})
		d.users = append(d.users, name)
	}
	d.user = d.users[0]
	d.tenant.SignIn(d.user)
	d.tenant.AddGroup(licensingtest.Group{ID: "1132b215-826f-42a9-8cfe-1643d19d17fd", DisplayName: "Sales"}, d.users...)
	return d
}

func (d *demo) add(sku licensingtest.SKU) licensingtest.SKU {
	sku = d.tenant.AddSKU(sku)
	d.names[sku.ID] = sku.PartNumber
	for _, plan := range sku.Plans {
		d.names[plan.ID] = plan.Name
	}
	return sku
}

// change is what the tool does when it is not told: E3 without Yammer for F1.
func (d *demo) change() licensing.AssignLicenseRequest {
	return licensing.AssignLicenseRequest{
		AddLicenses:    []licensing.AssignedLicense{{SKUID: d.e3.ID, DisabledPlans: []uuid.UUID{d.e3.Plans[2].ID}}},
		RemoveLicenses: []uuid.UUID{d.f1.ID},
	}
}

// print shows who has what.
func (d *demo) print(out io.Writer, when string) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n%s\tSKU\tfrom\twithout\tstate\n", when)
	for _, name := range d.users {
		user, _ := d.tenant.User(name)
		for _, row := range user.States {
			from, without := "direct", "-"
			if row.Group != "" {
				group, _ := d.tenant.Group(row.Group)
				from = "group " + group.DisplayName
			}
			var off []string
			for _, id := range row.DisabledPlans {
				off = append(off, d.names[id])
			}
			if len(off) > 0 {
				without = strings.Join(off, ", ")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", name, d.names[row.SKUID], from, without, row.State)
		}
	}
	table.Flush()
}

// printRequests shows what went over the wire.
func (d *demo) printRequests(out io.Writer) {
	fmt.Fprintln(out)
	for _, r := range d.tenant.Requests() {
		fmt.Fprintf(out, "%s %s -> %d\n  %s\n", r.Method, r.Path, r.Status, r.Body)
	}
}
