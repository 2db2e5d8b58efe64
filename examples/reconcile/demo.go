package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A part is what some of the 2,000 users of the fake tenant play.
type part struct {
	name  string
	users int
	has   []string // SKUs, directly
	goal  string   // of each, in YAML
}

// parts are the users. Thousands go by a few roles, and nobody writes these out for
// each.
var parts = []part{
	{"staff", 1560, []string{"ENTERPRISEPACK", "EMS"}, `
    mode: exactly
    licenses: [ENTERPRISEPACK, EMS]`},
	{"joiner", 90, nil, `
    mode: exactly
    licenses:
      - sku: ENTERPRISEPACK
        without: [YAMMER_ENTERPRISE]
      - EMS`},
	{"mover", 60, []string{"M365_F1"}, `
    mode: exactly
    licenses: [ENTERPRISEPACK]`},
	{"leaver", 50, []string{"ENTERPRISEPACK", "EMS"}, `
    mode: exactly`},
	{"drawer", 40, []string{"ENTERPRISEPACK", "EMS", "VISIOCLIENT"}, `
    licenses: [ENTERPRISEPACK]
    remove: [VISIOCLIENT]`},
	{"sales", 160, nil, `
    licenses: [ENTERPRISEPACK]`}, // which the group gives
	{"oldsales", 40, []string{"ENTERPRISEPACK"}, `
    licenses: [ENTERPRISEPACK]`}, // which the group covers
}

func userName(part string, i int) string {
	return fmt.Sprintf("%s%04d@contoso.example", part, i)
}

// demoFile returns the YAML that the tool works on when it is not told.
func demoFile() []byte {
	var file bytes.Buffer
	fmt.Fprint(&file, `# What people at Contoso are to have.
managed: [ENTERPRISEPACK, EMS, M365_F1, VISIOCLIENT]
groups:
  Sales:
    licenses: [ENTERPRISEPACK, FLOW_FREE]
users:
`)
	for _, p := range parts {
		fmt.Fprintf(&file, "  %s: &%s%s\n", userName(p.name, 1), p.name, p.goal)
		for i := 2; i <= p.users; i++ {
			fmt.Fprintf(&file, "  %s: *%s\n", userName(p.name, i), p.name)
		}
	}
	fmt.Fprintln(&file, "  gone@contoso.example: *joiner")
	return file.Bytes()
}

// newDemo returns the fake tenant. Seats of EMS are missing, and those of E3 are
// enough only with those that leavers give back. Some joiners have no usage location.
func newDemo() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	skus := map[string]licensingtest.SKU{}
	for _, sku := range []licensingtest.SKU{
		contoso.E3(1960), contoso.F1(100), contoso.SKU("EMS", 1670, "AAD_PREMIUM", "INTUNE_A"),
		contoso.SKU("VISIOCLIENT", 50, "VISIO_CLIENT_SUBSCRIPTION"), contoso.SKU("FLOW_FREE", 10000, "FLOW_P2_VIRAL"),
	} {
		skus[sku.PartNumber] = tenant.AddSKU(sku)
	}
	var sales []string
	for _, p := range parts {
		for i := 1; i <= p.users; i++ {
			user := licensingtest.User{UserPrincipalName: userName(p.name, i), UsageLocation: "DE"}
			for _, name := range p.has {
				user.Licenses = append(user.Licenses, contoso.License(skus[name]))
			}
			switch p.name {
			case "joiner":
				if i%30 == 0 {
					user.UsageLocation = ""
				}
			case "sales", "oldsales":
				sales = append(sales, user.UserPrincipalName)
			}
			tenant.AddUser(user)
		}
	}
	tenant.AddGroup(licensingtest.Group{
		ID: contoso.Sales, DisplayName: "Sales", Licenses: []licensingtest.License{contoso.License(skus["ENTERPRISEPACK"])},
	}, sales...)
	tenant.ProcessAfter(2 * time.Second) // for -wait
	return tenant
}

// useDemo has the job work on the fake tenant, with what an earlier run has made.
func (j *job) useDemo() error {
	tenant := newDemo()
	if err := contoso.Remember(j.draining, tenant, j.results); err != nil {
		return err
	}
	tenant.SetThrottle(licensingtest.ThrottleDocumented)
	j.client, j.demo = tenant.Client(), demoFile()
	return nil
}
