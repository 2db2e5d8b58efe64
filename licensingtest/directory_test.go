package licensingtest_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestMadeUp(t *testing.T) {
	t.Parallel()
	for range 2 {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Plans: []licensingtest.Plan{{}, {Name: "EXCHANGE"}}})
		wantSKU := licensingtest.SKU{ID: uuid.MustParse("00000001-0000-4000-8000-000000000001"), PartNumber: "SKU_1", AppliesTo: "User", SubscriptionIDs: []string{"00000007-0000-4000-8000-000000000001"}, Plans: []licensingtest.Plan{
			{ID: uuid.MustParse("00000002-0000-4000-8000-000000000001"), Name: "SKU_1_PLAN_1", Service: "sku_1_plan_1", AppliesTo: "User", ProvisioningStatus: "Success"},
			{ID: uuid.MustParse("00000002-0000-4000-8000-000000000002"), Name: "EXCHANGE", Service: "exchange", AppliesTo: "User", ProvisioningStatus: "Success"},
		}}
		if !reflect.DeepEqual(sku, wantSKU) {
			t.Errorf("SKU %+v, want %+v", sku, wantSKU)
		}
		tenant.AddUser(licensingtest.User{})
		user := tenant.AddUser(licensingtest.User{})
		wantUser := licensingtest.User{ID: "00000003-0000-4000-8000-000000000002", UserPrincipalName: "user2@contoso.example", DisplayName: "user2@contoso.example", UserType: "Member"}
		if !reflect.DeepEqual(user, wantUser) {
			t.Errorf("user %+v, want %+v", user, wantUser)
		}
		group := tenant.AddGroup(licensingtest.Group{Members: []string{user.UserPrincipalName}}, user.ID)
		wantGroup := licensingtest.Group{ID: "00000004-0000-4000-8000-000000000001", DisplayName: "Group 1", Members: []string{user.ID}}
		if !reflect.DeepEqual(group, wantGroup) {
			t.Errorf("group %+v, want %+v", group, wantGroup)
		}
	}
}

// What is made up gives way to what was there before.
func TestMadeUpNamesThatAreTaken(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "User2@contoso.example"})
	tenant.AddSKU(licensingtest.SKU{PartNumber: "SKU_2"})
	for _, want := range []string{"3", "4"} {
		if u := tenant.AddUser(licensingtest.User{}); u.UserPrincipalName != "user"+want+"@contoso.example" {
			t.Errorf("user %s, want %s", u.UserPrincipalName, want)
		}
		if s := tenant.AddSKU(licensingtest.SKU{}); s.PartNumber != "SKU_"+want {
			t.Errorf("SKU %s, want %s", s.PartNumber, want)
		}
	}
}

func TestNonsensePanics(t *testing.T) {
	t.Parallel()
	unknown := []licensingtest.License{{SKUID: uuid.MustParse("00000000-1111-2222-3333-444444444444")}}
	twice := []licensingtest.License{{SKUID: officeID}, {SKUID: officeID}}
	tests := []struct {
		want string
		do   func(*licensingtest.Tenant)
	}{
		{"AddSKU: there is a SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 already", func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{ID: officeID}) }},
		{"AddSKU: SKU X has -1 seats", func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{PartNumber: "X", Seats: -1}) }},
		{"AddSKU: SKU X has -2 seats", func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{PartNumber: "X", Warning: -2}) }},
		{`AddSKU: X applies to "Group", want User or Company`, func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{PartNumber: "X", AppliesTo: "Group"}) }},
		{"AddSKU: SKU X has plan 57ff2da0-773e-42df-b2af-ffb7a2317929 twice", func(tn *licensingtest.Tenant) {
			tn.AddSKU(licensingtest.SKU{PartNumber: "X", Plans: []licensingtest.Plan{{ID: teamsID}, {ID: teamsID}}})
		}},
		{"AddSKU: there is a SKU MCOEV already", func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{PartNumber: "MCOEV"}) }},
		{`AddSKU: "India" is not a two-letter country code`, func(tn *licensingtest.Tenant) { tn.AddSKU(licensingtest.SKU{BarredIn: []string{"CN", "India"}}) }},
		{`AddUser: "Germany" is not a two-letter country code`, func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{UsageLocation: "Germany"}) }},
		{`AddUser: user type "guest", want Member or Guest`, func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{UserType: "guest"}) }},
		{`SetUsageLocation: "DEU" is not a two-letter country code`, func(tn *licensingtest.Tenant) { tn.SetUsageLocation(adele, "DEU") }},
		{`SetLocation: "" is not a two-letter country code`, func(tn *licensingtest.Tenant) { tn.SetLocation("") }},
		{`AddUser: id "adele" is not a GUID`, func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{ID: "adele"}) }},
		{`AddUser: there is a user "87d349ed-44d7-43e1-9a83-5f2406dee5bd" already`, func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{ID: strings.ToUpper(adeleID)}) }},
		{`AddUser: there is a user "adele@contoso.example" already`, func(tn *licensingtest.Tenant) {
			tn.AddUser(licensingtest.User{UserPrincipalName: "Adele@contoso.example"})
		}},
		{"AddUser: License 00000000-1111-2222-3333-444444444444 does not correspond to a valid company License.", func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{Licenses: unknown}) }},
		{"AddUser: SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 is there twice", func(tn *licensingtest.Tenant) { tn.AddUser(licensingtest.User{Licenses: twice}) }},
		{"AddGroup: there is a group 1132b215-826f-42a9-8cfe-1643d19d17fd already", func(tn *licensingtest.Tenant) { tn.AddGroup(licensingtest.Group{ID: salesID}) }},
		{`AddGroup: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.AddGroup(licensingtest.Group{}, adele, "nobody") }},
		{"AddGroup: License 00000000-1111-2222-3333-444444444444 does not correspond to a valid company License.", func(tn *licensingtest.Tenant) { tn.AddGroup(licensingtest.Group{Licenses: unknown}) }},
		{`AddMember: no group "sales"`, func(tn *licensingtest.Tenant) { tn.AddMember("sales", adele) }},
		{`RemoveUser: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.RemoveUser("nobody") }},
		{`SetUserLicenses: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.SetUserLicenses("nobody") }},
		{`SetUserLicenses: SKU ` + officeID.String() + ` is there twice`, func(tn *licensingtest.Tenant) {
			tn.SetUserLicenses(adele, licensingtest.License{SKUID: officeID}, licensingtest.License{SKUID: officeID})
		}},
		{`SetGroupLicenses: no group "sales"`, func(tn *licensingtest.Tenant) { tn.SetGroupLicenses("sales") }},
		{`SetGroupLicenses: License ` + companyID.String() + ` cannot be assigned to a user.`, func(tn *licensingtest.Tenant) {
			tn.SetGroupLicenses(salesID, licensingtest.License{SKUID: companyID})
		}},
		{`RemoveMember: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.RemoveMember(salesID, "nobody") }},
		{"SetSeats: no SKU 57ff2da0-773e-42df-b2af-ffb7a2317929", func(tn *licensingtest.Tenant) { tn.SetSeats(teamsID, 1) }},
		{"SetSeats: SKU ENTERPRISEPACK has -1 seats", func(tn *licensingtest.Tenant) { tn.SetSeats(officeID, -1) }},
		{`SetUsageLocation: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.SetUsageLocation("nobody", "US") }},
		{`SetProxyAddressConflict: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.SetProxyAddressConflict("nobody", false) }},
		{`SignIn: no user "nobody"`, func(tn *licensingtest.Tenant) { tn.SignIn("nobody") }},
		{"Fail: a fault with a Body or Code needs a Status", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Body: "x"}) }},
		{"Fail: a fault with a Message needs a Code", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Status: 500, Message: "x"}) }},
		{"Fail: a fault with the Skip -1", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Skip: -1}) }},
		{"Fail: a fault with the Status 199", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Status: 199}) }},
		{"Fail: a fault with the Status 1000", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Status: 1000}) }},
		{"Fail: a fault of items can have neither Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Items: true, Hang: true}) }},
		{"Fail: a fault of items can have neither Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Items: true, Truncate: -1}) }},
		{"Fail: a fault with a negative After, For or Late", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{After: -1}) }},
		{"Fail: a fault with a negative After, For or Late", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{For: -1}) }},
		{"Fail: a fault with a negative After, For or Late", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Status: 503, Late: -1}) }},
		{"Fail: a fault with both Apply and Late", func(tn *licensingtest.Tenant) {
			tn.Fail(licensingtest.Fault{Drop: true, Apply: true, Late: time.Second})
		}},
		{"Fail: a fault with Late needs a Status, a Drop, or a Hang without Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Late: time.Second}) }},
		{"Fail: a fault with Late needs a Status, a Drop, or a Hang without Truncate", func(tn *licensingtest.Tenant) {
			tn.Fail(licensingtest.Fault{Hang: true, Truncate: 1, Late: time.Second})
		}},
		{"Fail: a fault with Swap can have neither Status, Drop, Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Swap: true, Status: 503}) }},
		{"Fail: a fault with Swap can have neither Status, Drop, Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Swap: true, Drop: true}) }},
		{"Fail: a fault with Swap can have neither Status, Drop, Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Swap: true, Hang: true}) }},
		{"Fail: a fault with Swap can have neither Status, Drop, Hang nor Truncate", func(tn *licensingtest.Tenant) { tn.Fail(licensingtest.Fault{Swap: true, Truncate: 1}) }},
		{"Fail: a fault with Late needs a Status, a Drop, or a Hang without Truncate", func(tn *licensingtest.Tenant) {
			tn.Fail(licensingtest.Fault{Swap: true, Late: time.Second})
		}},
		{"Client: bad option", func(tn *licensingtest.Tenant) {
			tn.Client(licensing.WithHTTPClient(nil), licensing.WithBaseURL("ftp://x"))
		}},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			defer func() {
				got := fmt.Sprint(recover())
				if strings.HasPrefix(test.want, "Client:") && strings.HasPrefix(got, "licensingtest: Client: ") {
					return
				}
				if got != "licensingtest: "+test.want {
					t.Errorf("panic %q, want %q", got, test.want)
				}
				if _, ok := tenant.User(adele); !ok {
					t.Error("the tenant is no longer usable")
				}
			}()
			test.do(tenant)
		})
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	if _, ok := tenant.User("nobody"); ok {
		t.Error("found a user that is not there")
	}
	if _, ok := tenant.Group(adeleID); ok {
		t.Error("found a group that is not there")
	}
	if _, ok := tenant.SKU(teamsID); ok {
		t.Error("found a SKU that is not there")
	}

	// What is handed out is the caller's to change.
	assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
	user, _ := tenant.User(adele)
	user.Licenses[0].DisabledPlans[0] = teamsID
	user.States[0].DisabledPlans[0] = teamsID
	sku, _ := tenant.SKU(callingID)
	sku.Plans[0].DependsOn[0] = yammerID
	request, write := tenant.Requests()[0], tenant.Writes()[0]
	request.Body[0], write.Added[0].DisabledPlans[0] = 'x', teamsID
	request.Header.Set("Authorization", "changed")
	if user, _ := tenant.User(adele); user.Licenses[0].DisabledPlans[0] != yammerID || user.States[0].DisabledPlans[0] != yammerID {
		t.Errorf("user %+v", user)
	}
	if sku, _ := tenant.SKU(callingID); sku.Plans[0].DependsOn[0] != teamsID {
		t.Errorf("SKU %+v", sku)
	}
	if r, w := tenant.Requests()[0], tenant.Writes()[0]; r.Body[0] != '{' || r.Header.Get("Authorization") != "Bearer secret" || w.Added[0].DisabledPlans[0] != yammerID {
		t.Errorf("request %+v, write %+v", r, w)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		wantJSON(t, call(t, tenant, "GET", "/users/"+adele, ""), 200, adeleBare)
		tenant.SignIn(adeleID)
		wantJSON(t, call(t, tenant, "GET", "/me", ""), 200, adeleBare)
		wantJSON(t, call(t, tenant, "GET", "/me?$select=id,accountEnabled,usageLocation,assignedLicenses,assignedPlans,provisionedPlans,licenseAssignmentStates,onPremisesSyncEnabled", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id,accountEnabled,usageLocation,assignedLicenses,assignedPlans,provisionedPlans,licenseAssignmentStates,onPremisesSyncEnabled)/$entity",
			"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd","accountEnabled":true,"usageLocation":"US","assignedLicenses":[],"assignedPlans":[],"provisionedPlans":[],
			"licenseAssignmentStates":[],"onPremisesSyncEnabled":null}`)
		tenant.SignIn("")
		if a := call(t, tenant, "GET", "/me", ""); a.status != 400 {
			t.Errorf("signed out: %d %s", a.status, a.body)
		}

		// The properties of a recorded group, in their order: Azure/azure-cli,
		// src/azure-cli/azure/cli/command_modules/role/tests/latest/recordings/test_user_scenario.yaml.
		group := call(t, tenant, "GET", "/groups/"+strings.ToUpper(salesID), "")
		const want = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups/$entity","id":"1132b215-826f-42a9-8cfe-1643d19d17fd","deletedDateTime":null,` +
			`"classification":null,"createdDateTime":"2000-01-01T00:00:00Z","creationOptions":[],"description":null,"displayName":"Sales","expirationDateTime":null,` +
			`"groupTypes":[],"isAssignableToRole":null,"mail":null,"mailEnabled":false,"mailNickname":null,"membershipRule":null,"membershipRuleProcessingState":null,` +
			`"onPremisesDomainName":null,"onPremisesLastSyncDateTime":null,"onPremisesNetBiosName":null,"onPremisesSamAccountName":null,` +
			`"onPremisesSecurityIdentifier":null,"onPremisesSyncEnabled":null,"preferredDataLocation":null,"preferredLanguage":null,"proxyAddresses":[],` +
			`"renewedDateTime":"2000-01-01T00:00:00Z","resourceBehaviorOptions":[],"resourceProvisioningOptions":[],"securityEnabled":true,` +
			`"securityIdentifier":"S-1-12-1-288535061-1118405231-1125580428-4246183377","theme":null,"visibility":null,"onPremisesProvisioningErrors":[],"serviceProvisioningErrors":[]}`
		if group.status != 200 || group.body != want {
			t.Errorf("got  %d %s\nwant 200 %s", group.status, group.body, want)
		}

		guest := tenant.AddUser(licensingtest.User{UserType: "Guest", AccountDisabled: true})
		wantJSON(t, call(t, tenant, "GET", "/users/"+guest.ID+"?$select=userType,accountEnabled,usageLocation", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(userType,accountEnabled,usageLocation)/$entity","userType":"Guest","accountEnabled":false,"usageLocation":null}`)
	})
}

func TestPlansThatComeBack(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	for _, step := range []struct{ body, want string }{
		{add(officeID, teamsID, yammerID), "Enabled"},
		{add(officeID, exchangeID, teamsID), "Deleted"},
		{add(officeID, teamsID, yammerID), "Enabled"},
	} {
		assign(t, tenant, "/users/"+adele, step.body)
		a := call(t, tenant, "GET", "/users/"+adele+"?$select=assignedPlans", "")
		if !strings.Contains(a.body, `"capabilityStatus":"`+step.want+`","service":"exchange"`) {
			t.Errorf("%s: %s, want exchange %s", step.body, a.body, step.want)
		}
	}
}
