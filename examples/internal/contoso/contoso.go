// Package contoso has what the fake tenants of the examples are made of.
package contoso

import (
	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// Notice is what a tool says before it works on a fake tenant.
const Notice = "No credentials in the environment: this is a fake tenant."

// Sales is the id of a group.
const Sales = "1132b215-826f-42a9-8cfe-1643d19d17fd"

// The plans of the SKUs below.
var (
	Exchange   = plan("efb87545-963c-4e0d-99df-69c6916d9eb0", "EXCHANGE_S_ENTERPRISE")
	SharePoint = plan("5dbe027f-2339-4123-9542-606e4d348a72", "SHAREPOINTENTERPRISE")
	Yammer     = plan("7547a3fe-08ee-4ccb-b430-5077c5041653", "YAMMER_ENTERPRISE")
	Teams      = plan("57ff2da0-773e-42df-b2af-ffb7a2317929", "TEAMS1")
)

func plan(id, name string) licensingtest.Plan {
	return licensingtest.Plan{ID: uuid.MustParse(id), Name: name}
}

// E3 returns Office 365 E3, as far as the examples need it.
func E3(seats int) licensingtest.SKU {
	return licensingtest.SKU{
		ID: uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"), PartNumber: "ENTERPRISEPACK", Seats: seats,
		Plans: []licensingtest.Plan{Exchange, SharePoint, Yammer},
	}
}

// F1 returns Microsoft 365 F1, as far as the examples need it.
func F1(seats int) licensingtest.SKU {
	return licensingtest.SKU{
		ID: uuid.MustParse("50f60901-3181-4b75-8a2c-4c8e4c1d5a72"), PartNumber: "M365_F1", Seats: seats,
		Plans: []licensingtest.Plan{Teams},
	}
}

// SKU returns a SKU whose ids, and those of its plans, follow from the names, so that
// they are the same in each process.
func SKU(partNumber string, seats int, plans ...string) licensingtest.SKU {
	sku := licensingtest.SKU{ID: idOf(partNumber), PartNumber: partNumber, Seats: seats}
	for _, name := range plans {
		sku.Plans = append(sku.Plans, licensingtest.Plan{ID: idOf(partNumber + name), Name: name})
	}
	return sku
}

func idOf(name string) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte(name)) }

// License returns a license of a SKU without some of its plans.
func License(sku licensingtest.SKU, without ...licensingtest.Plan) licensingtest.License {
	license := licensingtest.License{SKUID: sku.ID}
	for _, plan := range without {
		license.DisabledPlans = append(license.DisabledPlans, plan.ID)
	}
	return license
}
