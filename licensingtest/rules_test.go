package licensingtest_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	// Observed, of these two plans as of others: the refusal of an add-on alone.
	phoneNeedsTeams = "License assignment failed because service plan 4828c8ec-dc2e-4779-b502-87ac9ce28ab7 depends on the service plan(s) 57ff2da0-773e-42df-b2af-ffb7a2317929"
	clash           = "Another object with the same value for property proxyAddresses already exists."
)

// both is the body of assignLicense that adds office and calling.
var both = strings.Replace(add(officeID), "[{", `[{"skuId":"`+callingID.String()+`","disabledPlans":[]},{`, 1)

// A group is refused an add-on without its prerequisite at once, since both have
// to be in the same group (observed in two deployed scripts, and documented by
// "Resolve group license assignment problems"), also where what is there is taken
// away or disabled ("before adding or removing a dependent service").
func TestGroupCompleteInItself(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before, body string
		refused            bool
	}{
		{"add-on alone", "", add(callingID), true},
		{"add-on alone, disabled", "", add(callingID, phoneID), false},
		{"both at once", "", both, false},
		{"one after the other", add(officeID), add(callingID), false},
		{"prerequisite disabled", add(officeID, teamsID), add(callingID), true},
		{"prerequisite taken away", both, remove(officeID), true},
		{"prerequisite disabled later", both, add(officeID, teamsID), true},
		{"add-on taken away", both, remove(callingID), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			// A member who has the prerequisite directly does not help the group.
			tenant.SetUserLicenses(adele, licensingtest.License{SKUID: officeID})
			tenant.AddMember(salesID, adele)
			if test.before != "" {
				assign(t, tenant, "/groups/"+salesID, test.before)
			}
			writes := len(tenant.Writes())
			a := call(t, tenant, "POST", "/groups/"+salesID+"/assignLicense", test.body)
			if !test.refused {
				if a.status != 202 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			wantError(t, a, 400, "Request_BadRequest", phoneNeedsTeams)
			if got := len(tenant.Writes()); got != writes {
				t.Errorf("%d writes, want %d", got, writes)
			}
		})
	}
}

// One of several prerequisites is enough: "when one of the following prerequisites
// is also assigned".
func TestOneOfThePrerequisites(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	analytics := tenant.AddSKU(licensingtest.SKU{PartNumber: "WORKPLACE_ANALYTICS", Seats: 3, Plans: []licensingtest.Plan{
		{ID: uuid.MustParse("f477b0f0-3bb1-4890-940c-40fcee6ce05f"), DependsOn: []uuid.UUID{exchangeID, liteID}},
	}})
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(analytics.ID)), 400, "Request_BadRequest",
		"License assignment failed because service plan f477b0f0-3bb1-4890-940c-40fcee6ce05f depends on the service plan(s) efb87545-963c-4e0d-99df-69c6916d9eb0,9aaf7827-d63c-4b61-89c3-182f06f82e5c")
	assign(t, tenant, "/users/"+adele, add(basicID))
	assign(t, tenant, "/users/"+adele, add(analytics.ID))

	// One for another, in one call.
	assign(t, tenant, "/users/"+adele, strings.Replace(add(officeID), `"removeLicenses":[]`, `"removeLicenses":["`+basicID.String()+`"]`, 1))
	wantRows(t, tenant, adele, "WORKPLACE_ANALYTICS direct Active; ENTERPRISEPACK direct Active")

	assign(t, tenant, "/groups/"+salesID, add(officeID, teamsID, yammerID))
	assign(t, tenant, "/groups/"+salesID, add(analytics.ID))
}

// A direct add-on over a prerequisite from a group, which Microsoft describes
// ("a few members of the group have Audio Conferencing licenses assigned
// directly"), and what becomes of it when the group's license goes: all licenses
// from the group stay, in error, until the dependency is resolved.
func TestPrerequisiteFromAGroup(t *testing.T) {
	t.Parallel()
	goes := map[string]func(*testing.T, *licensingtest.Tenant){
		"license taken from the group": func(t *testing.T, tenant *licensingtest.Tenant) {
			assign(t, tenant, "/groups/"+salesID, `{"addLicenses":[],"removeLicenses":["`+officeID.String()+`","`+basicID.String()+`"]}`)
		},
		"member leaves": func(t *testing.T, tenant *licensingtest.Tenant) { tenant.RemoveMember(salesID, adele) },
	}
	resolved := map[string]func(*testing.T, *licensingtest.Tenant) string{
		"add-on given up": func(t *testing.T, tenant *licensingtest.Tenant) string {
			assign(t, tenant, "/users/"+adele, remove(callingID))
			return ""
		},
		"add-on disabled": func(t *testing.T, tenant *licensingtest.Tenant) string {
			assign(t, tenant, "/users/"+adele, add(callingID, phoneID))
			return "MCOEV direct Active -1"
		},
		"prerequisite from elsewhere": func(t *testing.T, tenant *licensingtest.Tenant) string {
			assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
			return "MCOEV direct Active; ENTERPRISEPACK direct Active -1"
		},
		"prerequisite from another group": func(t *testing.T, tenant *licensingtest.Tenant) string {
			tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}}}, adele)
			return "MCOEV direct Active; ENTERPRISEPACK Staff Active"
		},
	}
	for how, goes := range goes {
		for resolution, resolve := range resolved {
			for _, again := range []string{"reprocessed", "processed"} {
				t.Run(how+", "+resolution+", "+again, func(t *testing.T) {
					t.Parallel()
					tenant := newTenant()
					tenant.AddMember(salesID, adele)
					assign(t, tenant, "/groups/"+salesID, strings.Replace(add(officeID), "[{", `[{"skuId":"`+basicID.String()+`","disabledPlans":["`+liteID.String()+`"]},{`, 1))
					tenant.Process()
					assign(t, tenant, "/users/"+adele, add(callingID))
					wantRows(t, tenant, adele, "MCOEV direct Active; EXCHANGESTANDARD Sales Active -1; ENTERPRISEPACK Sales Active")

					goes(t, tenant)
					tenant.Process()
					wantRows(t, tenant, adele, "MCOEV direct Active; EXCHANGESTANDARD Sales ActiveWithError Other -1; ENTERPRISEPACK Sales ActiveWithError DependencyViolation")
					wantConsumed(t, tenant, officeID, 1)
					wantError(t, call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""), 400, "Request_BadRequest", phoneNeedsTeams)
					wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", remove(officeID)), 400, "Request_BadRequest",
						"User license is inherited from a group membership and it cannot be removed directly from the user.")

					want := resolve(t, tenant)
					if again == "reprocessed" {
						call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", "")
					} else {
						assign(t, tenant, "/groups/"+salesID, add(basicID)) // of whatever kind
						tenant.RemoveMember(salesID, adele)
						tenant.Process()
					}
					wantRows(t, tenant, adele, want)
				})
			}
		}
	}
}

// A plan of the group's license that is disabled is taken away as well, and what
// others depend on it for stays as it was.
func TestPrerequisiteDisabledInAGroup(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddMember(salesID, adele)
	assign(t, tenant, "/groups/"+salesID, add(officeID))
	tenant.Process()
	assign(t, tenant, "/users/"+adele, add(callingID))
	assign(t, tenant, "/groups/"+salesID, add(officeID, teamsID))
	tenant.Process()
	wantRows(t, tenant, adele, "MCOEV direct Active; ENTERPRISEPACK Sales ActiveWithError DependencyViolation")
	assign(t, tenant, "/groups/"+salesID, add(officeID, yammerID)) // which nothing depends on
	tenant.Process()
	wantRows(t, tenant, adele, "MCOEV direct Active; ENTERPRISEPACK Sales Active -1")
}

// What a group lacks no other source makes up for.
func TestAddOnFromAGroupAlone(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddMember(salesID, adele)
	tenant.SetUserLicenses(adele, licensingtest.License{SKUID: officeID})
	tenant.SetGroupLicenses(salesID, licensingtest.License{SKUID: callingID})
	tenant.Process()
	wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active; MCOEV Sales Error DependencyViolation")
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""), 400, "Request_BadRequest", phoneNeedsTeams)
}

// Of a chain of prerequisites, what goes is only what nothing depends on, and a
// group's licenses go together.
func TestChainOfPrerequisites(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	video := tenant.AddSKU(licensingtest.SKU{PartNumber: "VIDEO", Seats: 3, Plans: []licensingtest.Plan{{Name: "VIDEO", DependsOn: []uuid.UUID{phoneID}}}})
	tenant.AddMember(salesID, adele)
	assign(t, tenant, "/groups/"+salesID, both)
	tenant.Process()
	assign(t, tenant, "/users/"+adele, add(video.ID))
	assign(t, tenant, "/groups/"+salesID, remove(callingID))
	tenant.Process()
	wantRows(t, tenant, adele, "VIDEO direct Active; ENTERPRISEPACK Sales Active; MCOEV Sales ActiveWithError DependencyViolation")
	tenant.RemoveMember(salesID, adele)
	tenant.Process()
	wantRows(t, tenant, adele, "VIDEO direct Active; ENTERPRISEPACK Sales ActiveWithError Other; MCOEV Sales ActiveWithError DependencyViolation")
	assign(t, tenant, "/users/"+adele, remove(video.ID))
	call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", "")
	wantRows(t, tenant, adele, "")
}

// What one group gives may be what another one waits for, whatever their order.
func TestReprocessFromGroupToGroup(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"former group first", "new group first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			former, next := salesID, tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}}}).ID
			name := "Staff"
			if order == "new group first" {
				former, next, name = next, former, "Sales"
			}
			tenant.SetGroupLicenses(salesID, licensingtest.License{SKUID: officeID})
			tenant.AddMember(former, adele)
			tenant.Process()
			assign(t, tenant, "/users/"+adele, add(callingID))
			tenant.RemoveMember(former, adele)
			tenant.AddMember(next, adele)
			if a := call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
			wantRows(t, tenant, adele, "MCOEV direct Active; ENTERPRISEPACK "+name+" Active")
		})
	}
}

// A clash of proxy addresses stops removals, too: "if there is a proxy address
// conflict issue which prohibits the license removal".
func TestProxyAddressConflictStopsRemoval(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddMember(salesID, adele)
	assign(t, tenant, "/groups/"+salesID, add(basicID, liteID))
	tenant.Process()
	assign(t, tenant, "/users/"+adele, add(officeID))
	tenant.SetProxyAddressConflict(adele, true)

	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", remove(officeID)), 400, "Request_BadRequest", clash)
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID, yammerID)), 400, "Request_BadRequest", clash)
	assign(t, tenant, "/users/"+adele, add(officeID)) // which changes nothing
	tenant.RemoveMember(salesID, adele)
	tenant.Process()
	wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active; EXCHANGESTANDARD Sales ActiveWithError UniquenessViolation -1")
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""), 400, "Request_BadRequest", clash)

	tenant.SetProxyAddressConflict(adele, false)
	call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", "")
	assign(t, tenant, "/users/"+adele, remove(officeID))
	wantRows(t, tenant, adele, "")
}

// The wording of the service that processes groups, seen in the audit record of a
// failed reprocessing. That to assignLicense is another one (TestMoreRefusals).
func TestConflictOnReprocessing(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	assign(t, tenant, "/users/"+adele, add(officeID))
	tenant.AddGroup(licensingtest.Group{DisplayName: "Mail", Licenses: []licensingtest.License{{SKUID: basicID}}}, adele)
	wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active; EXCHANGESTANDARD Mail Error MutuallyExclusiveViolation")
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""), 400, "Request_BadRequest",
		"The license can't be assigned because the user has licensed service plans that conflict with plans in the new license. "+
			"Resolve these conflicting service plan pairs to solve this problem: [9aaf7827-d63c-4b61-89c3-182f06f82e5c, efb87545-963c-4e0d-99df-69c6916d9eb0]. "+
			"Licenses being added: [3b555118-da6a-4418-894f-7df1e2096870]")
}
