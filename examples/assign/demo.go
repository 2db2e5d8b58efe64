package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
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
	d.e3, d.f1 = d.add(contoso.E3(10)), d.add(contoso.F1(10))
	for _, name := range []string{"adele@contoso.example", "ben@contoso.example"} {
		d.tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(d.f1)}})
		d.users = append(d.users, name)
	}
	d.user = d.users[0]
	d.tenant.SignIn(d.user)
	d.tenant.AddGroup(licensingtest.Group{ID: contoso.Sales, DisplayName: "Sales"}, d.users...)
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
// By name it would take a request for the names.
func (d *demo) change() (add [][]string, remove []string) {
	return [][]string{{d.e3.ID.String(), contoso.Yammer.ID.String()}}, []string{d.f1.ID.String()}
}

// print shows who has what.
func (d *demo) print(out io.Writer, when string) {
	fmt.Fprintln(out)
	table := cli.NewTable(out)
	table.Write([]string{when, "SKU", "from", "without", "state"})
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
			table.Write([]string{name, d.names[row.SKUID], from, without, row.State})
		}
	}
	table.Flush()
}

// printRequests shows what went over the wire.
func (d *demo) printRequests(out io.Writer) {
	fmt.Fprintln(out)
	for _, r := range d.tenant.Requests() {
		fmt.Fprintf(out, "%s %s -> %d\n", r.Method, r.Path, r.Status)
		if len(r.Body) > 0 {
			fmt.Fprintf(out, "  %s\n", r.Body)
		}
	}
}
