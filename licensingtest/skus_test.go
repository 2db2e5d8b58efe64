package licensingtest_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

func TestSubscribedSKUs(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(licensingtest.SKU{ID: officeID, PartNumber: "ENTERPRISEPACK", Seats: 25, Suspended: 1, Warning: 2, LockedOut: 3,
		SubscriptionIDs: []string{"d1a2b3c4-0000-4000-8000-000000000001", "d1a2b3c4-0000-4000-8000-000000000002"}, Plans: []licensingtest.Plan{
			{ID: exchangeID, Name: "EXCHANGE_S_ENTERPRISE"},
			{ID: yammerID, Name: "INTUNE_O365", AppliesTo: "Company", ProvisioningStatus: "PendingActivation"},
		}})
	tenant.AddSKU(licensingtest.SKU{ID: companyID, PartNumber: "WINDOWS_STORE", AppliesTo: "Company", CapabilityStatus: "Suspended"})
	tenant.AddUser(licensingtest.User{Licenses: []licensingtest.License{{SKUID: officeID}}})
	const office = `"accountId":"00000006-0000-4000-8000-000000000001","accountName":"Contoso","appliesTo":"User","capabilityStatus":"Enabled","consumedUnits":1,
		"id":"00000000-0000-4000-8000-000000000001_6fd2c87f-b296-42f0-b197-1e91e994b900","prepaidUnits":{"enabled":25,"suspended":1,"warning":2,"lockedOut":3},
		"servicePlans":[
			{"servicePlanId":"efb87545-963c-4e0d-99df-69c6916d9eb0","servicePlanName":"EXCHANGE_S_ENTERPRISE","provisioningStatus":"Success","appliesTo":"User"},
			{"servicePlanId":"7547a3fe-08ee-4ccb-b430-5077c5041653","servicePlanName":"INTUNE_O365","provisioningStatus":"PendingActivation","appliesTo":"Company"}],
		"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","skuPartNumber":"ENTERPRISEPACK",
		"subscriptionIds":["d1a2b3c4-0000-4000-8000-000000000001","d1a2b3c4-0000-4000-8000-000000000002"]`
	wantJSON(t, call(t, tenant, "GET", "/subscribedSkus", ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus","value":[
		{`+office+`},
		{"accountId":"00000006-0000-4000-8000-000000000001","accountName":"Contoso","appliesTo":"Company","capabilityStatus":"Suspended","consumedUnits":0,
		"id":"00000000-0000-4000-8000-000000000001_47794cd0-f0e5-45c5-9033-2eb6b5fc84e0","prepaidUnits":{"enabled":0,"suspended":0,"warning":0,"lockedOut":0},
		"servicePlans":[],"skuId":"47794cd0-f0e5-45c5-9033-2eb6b5fc84e0","skuPartNumber":"WINDOWS_STORE","subscriptionIds":["00000007-0000-4000-8000-000000000001"]}]}`)
	wantJSON(t, call(t, tenant, "GET", "/subscribedSkus?$select=skuPartNumber,consumedUnits", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus(skuPartNumber,consumedUnits)","value":[
		{"skuPartNumber":"ENTERPRISEPACK","consumedUnits":1},{"skuPartNumber":"WINDOWS_STORE","consumedUnits":0}]}`)
	const key = "00000000-0000-4000-8000-000000000001_6FD2C87F-B296-42F0-B197-1E91E994B900"
	wantJSON(t, call(t, tenant, "GET", "/subscribedSkus/"+key, ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus/$entity",`+office+`}`)
	wantJSON(t, call(t, tenant, "GET", "/subscribedSkus('"+key+"')?$select=skuPartNumber", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus(skuPartNumber)/$entity","skuPartNumber":"ENTERPRISEPACK"}`)

	wantJSON(t, call(t, licensingtest.NewTenant(), "GET", "/subscribedSkus", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus","value":[]}`)
}

func TestSeats(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sku    licensingtest.SKU
		status string
		usable int
	}{
		{licensingtest.SKU{Seats: 1}, "Enabled", 1},
		{licensingtest.SKU{Seats: 1, Warning: 1, Suspended: 1}, "Enabled", 2},
		{licensingtest.SKU{Warning: 1, Suspended: 2}, "Warning", 1},
		{licensingtest.SKU{Suspended: 2, LockedOut: 1}, "Suspended", 0},
		{licensingtest.SKU{LockedOut: 1}, "LockedOut", 0},
		{licensingtest.SKU{}, "Deleted", 0},
		{licensingtest.SKU{Seats: 1, CapabilityStatus: "Warning"}, "Warning", 1},
	}
	for _, test := range tests {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(test.sku)
		if a := call(t, tenant, "GET", "/subscribedSkus?$select=capabilityStatus", ""); !strings.Contains(a.body, `"capabilityStatus":"`+test.status+`"`) {
			t.Errorf("%+v: %s, want %s", test.sku, a.body, test.status)
		}
		usable := 0
		for range 3 {
			u := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
			if call(t, tenant, "POST", "/users/"+u.ID+"/assignLicense", add(sku.ID)).status == 200 {
				usable++
			}
		}
		if usable != test.usable {
			t.Errorf("%+v: %d seats to be had, want %d", test.sku, usable, test.usable)
		}
	}
}

func TestSetSeats(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	assign(t, tenant, "/users/"+adele, add(officeID))
	tenant.SetSeats(officeID, 0)
	wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active")
	assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
	u := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	wantError(t, call(t, tenant, "POST", "/users/"+u.ID+"/assignLicense", add(officeID)), 400, "Request_BadRequest",
		"Subscription with SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 does not have any available licenses.")
	tenant.SetSeats(officeID, 2)
	assign(t, tenant, "/users/"+u.ID, add(officeID))
	wantConsumed(t, tenant, officeID, 2)
}

func TestLicenseDetails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SignIn(adele)
		wantJSON(t, call(t, tenant, "GET", "/me/licenseDetails", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/licenseDetails","value":[]}`)

		tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: officeID, DisabledPlans: []uuid.UUID{yammerID, teamsID}}}}, adele)
		tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: basicID}}}, adele) // fails: it excludes exchange
		assign(t, tenant, "/users/"+adele, add(officeID, yammerID, exchangeID))
		// The id is made of the tenant's and the SKU's, not of the user's: decoded from
		// the samples of microsoftgraph/microsoft-graph-docs, api-reference/v1.0/api/user-list-licensedetails.md.
		const office = `{"id":"AAAAAAAAAECAAAAAAAAAAX_I0m-WsvBCsZcekemUuQA","skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","skuPartNumber":"ENTERPRISEPACK","servicePlans":[
			{"servicePlanId":"efb87545-963c-4e0d-99df-69c6916d9eb0","servicePlanName":"EXCHANGE_S_ENTERPRISE","provisioningStatus":"Success","appliesTo":"User"},
			{"servicePlanId":"57ff2da0-773e-42df-b2af-ffb7a2317929","servicePlanName":"TEAMS1","provisioningStatus":"Success","appliesTo":"User"},
			{"servicePlanId":"7547a3fe-08ee-4ccb-b430-5077c5041653","servicePlanName":"YAMMER_ENTERPRISE","provisioningStatus":"Disabled","appliesTo":"User"}]}`
		for _, path := range []string{"/me/licenseDetails", "/users/" + adele + "/licenseDetails"} {
			wantJSON(t, call(t, tenant, "GET", path, ""), 200,
				`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/licenseDetails","value":[`+office+`]}`)
		}
		wantJSON(t, call(t, tenant, "GET", "/me/licenseDetails?$select=skuId,skuPartNumber", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/licenseDetails(skuId,skuPartNumber)",
			"value":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","skuPartNumber":"ENTERPRISEPACK"}]}`)
	})
}

// All who have a SKU have the same id in their details, as was observed.
func TestLicenseDetailsID(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	alex := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	for _, user := range []string{adele, alex.ID} {
		assign(t, tenant, "/users/"+user, add(officeID))
		if a := call(t, tenant, "GET", "/users/"+user+"/licenseDetails?$select=id", ""); !strings.Contains(a.body, `"value":[{"id":"AAAAAAAAAECAAAAAAAAAAX_I0m-WsvBCsZcekemUuQA"}]`) {
			t.Errorf("%s: %d %s", user, a.status, a.body)
		}
	}
}

// Countries have no case.
func TestBarred(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	lower := tenant.AddSKU(licensingtest.SKU{Seats: 1, BarredIn: []string{"ch", "de"}})
	tenant.SetUsageLocation(adele, "De")
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(lower.ID)), 400, "Request_BadRequest",
		"License assignment cannot be done for user with invalid usage location.")
	tenant.SetUsageLocation(adele, "DK")
	assign(t, tenant, "/users/"+adele, add(lower.ID))
}
