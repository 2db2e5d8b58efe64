package licensingtest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

func TestSetUserLicenses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: basicID, DisabledPlans: []uuid.UUID{liteID}}}}, adele)
		tenant.SetUserLicenses(adele, licensingtest.License{SKUID: officeID}, licensingtest.License{SKUID: basicID})
		wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active; EXCHANGESTANDARD direct Active; EXCHANGESTANDARD Staff Active -1") // although they conflict
		time.Sleep(time.Minute)
		tenant.SetReadLag(time.Minute)
		plans := []uuid.UUID{yammerID}
		tenant.SetUserLicenses(adeleID, licensingtest.License{SKUID: officeID, DisabledPlans: plans}, licensingtest.License{SKUID: basicID})
		plans[0] = teamsID
		const read = "/users/" + adele + "?$select=licenseAssignmentStates,assignedPlans"
		before := call(t, tenant, "GET", read, "")
		if strings.Contains(before.body, "00:01:00") {
			t.Errorf("read at once: %s", before.body)
		}
		time.Sleep(time.Minute)
		wantJSON(t, call(t, tenant, "GET", read, ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(licenseAssignmentStates,assignedPlans)/$entity",
			"licenseAssignmentStates":[
				{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"],"assignedByGroup":null,"state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:01:00Z"},
				{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":[],"assignedByGroup":null,"state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:00:00Z"},
				{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":["9aaf7827-d63c-4b61-89c3-182f06f82e5c"],"assignedByGroup":"00000004-0000-4000-8000-000000000001","state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:00:00Z"}],
			"assignedPlans":[
				{"assignedDateTime":"2000-01-01T00:00:00Z","capabilityStatus":"Enabled","service":"exchange","servicePlanId":"efb87545-963c-4e0d-99df-69c6916d9eb0"},
				{"assignedDateTime":"2000-01-01T00:00:00Z","capabilityStatus":"Enabled","service":"TeamspaceAPI","servicePlanId":"57ff2da0-773e-42df-b2af-ffb7a2317929"},
				{"assignedDateTime":"2000-01-01T00:01:00Z","capabilityStatus":"Deleted","service":"yammer_enterprise","servicePlanId":"7547a3fe-08ee-4ccb-b430-5077c5041653"},
				{"assignedDateTime":"2000-01-01T00:00:00Z","capabilityStatus":"Enabled","service":"exchange_s_standard","servicePlanId":"9aaf7827-d63c-4b61-89c3-182f06f82e5c"}]}`)
		wantConsumed(t, tenant, officeID, 1)

		tenant.SetUserLicenses(adele)
		wantRows(t, tenant, adele, "EXCHANGESTANDARD Staff Active -1")
		wantConsumed(t, tenant, officeID, 0)
		wantConsumed(t, tenant, basicID, 1)
		if got := tenant.Writes(); got != nil {
			t.Errorf("writes %v, want none", got)
		}
	})
}

func TestSetGroupLicenses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddMember(salesID, adele)
		tenant.SetReadLag(5 * time.Second)
		tenant.ProcessAfter(20 * time.Second)
		plans := []uuid.UUID{yammerID}
		tenant.SetGroupLicenses(salesID, licensingtest.License{SKUID: officeID, DisabledPlans: plans})
		plans[0] = teamsID
		const read = "/groups/" + "1132b215-826f-42a9-8cfe-1643d19d17fd?$select=assignedLicenses,licenseProcessingState"
		const context = `"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(assignedLicenses,licenseProcessingState)/$entity"`
		wantJSON(t, call(t, tenant, "GET", read, ""), 200, `{`+context+`,"assignedLicenses":[],"licenseProcessingState":null}`)
		time.Sleep(5 * time.Second)
		wantJSON(t, call(t, tenant, "GET", read, ""), 200, `{`+context+`,
			"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"]}],
			"licenseProcessingState":{"state":"QueuedForProcessing"}}`)
		wantRows(t, tenant, adele, "")
		time.Sleep(15 * time.Second)
		wantRows(t, tenant, adele, "ENTERPRISEPACK Sales Active -1")

		// What assignLicense refuses ends in the members' rows.
		tenant.SetGroupLicenses(salesID, licensingtest.License{SKUID: callingID})
		time.Sleep(20 * time.Second)
		wantRows(t, tenant, adele, "MCOEV Sales Error DependencyViolation; ENTERPRISEPACK Sales ActiveWithError Other -1")
		if got := tenant.Writes(); got != nil {
			t.Errorf("writes %v, want none", got)
		}
	})
}

func TestRemoveUser(t *testing.T) {
	t.Parallel()
	const notHere = "' does not exist or one of its queried reference-property objects are not present."
	tests := []struct{ method, path, body string }{
		{"GET", "/users/{}", ""},
		{"GET", "/users/{}/licenseDetails", ""},
		{"GET", "/users/{}/memberOf", ""},
		{"PATCH", "/users/{}", `{"usageLocation":"DE"}`},
		{"POST", "/users/{}/assignLicense", add(officeID)},
		{"POST", "/users/{}/reprocessLicenseAssignment", ""},
	}
	tenant := newTenant()
	tenant.SignIn(adele)
	tenant.SetUserLicenses(adele, licensingtest.License{SKUID: officeID})
	tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}, {SKUID: basicID}}}, adele) // in conflict
	tenant.AddMember(salesID, adele)
	tenant.RemoveUser("Adele@Contoso.Example")

	for _, test := range tests {
		for _, key := range []string{adele, adeleID} {
			wantError(t, call(t, tenant, test.method, strings.Replace(test.path, "{}", key, 1), test.body), 404, "Request_ResourceNotFound", "Resource '"+key+notHere)
		}
		wantError(t, call(t, tenant, test.method, strings.Replace(test.path, "users/{}", "me", 1), test.body), 404, "Request_ResourceNotFound", "Resource '"+adeleID+notHere)
	}
	wantConsumed(t, tenant, officeID, 0)
	const staff = "00000004-0000-4000-8000-000000000001"
	for _, path := range []string{
		"/users?$select=userPrincipalName",
		"/groups/" + staff + "/members",
		"/groups/" + staff + "/membersWithLicenseErrors",
		"/groups?$select=displayName&$filter=hasMembersWithLicenseErrors%20eq%20true",
	} {
		if a := call(t, tenant, "GET", path, ""); !strings.Contains(a.body, `"value":[]`) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	for _, id := range []string{staff, salesID} {
		if g, _ := tenant.Group(id); len(g.Members) > 0 {
			t.Errorf("members %v", g.Members)
		}
	}
	if _, ok := tenant.User(adeleID); ok {
		t.Error("the user is still there")
	}
	tenant.Process()
	if got := tenant.Writes(); got != nil {
		t.Errorf("writes %v, want none", got)
	}

	// Somebody new of the same name.
	tenant.AddUser(licensingtest.User{UserPrincipalName: adele, UsageLocation: "US"})
	assign(t, tenant, "/users/"+adele, add(officeID))
	wantConsumed(t, tenant, officeID, 1)
	if a := call(t, tenant, "GET", "/users/"+adele, ""); a.status != 200 {
		t.Errorf("somebody new: %d %s", a.status, a.body)
	}
	wantError(t, call(t, tenant, "GET", "/users/"+adeleID, ""), 404, "Request_ResourceNotFound", "Resource '"+adeleID+notHere)
}

// Reads see who was removed for as long as they lag; writes do not, and a listing
// keeps its places.
func TestReadLagOfRemoval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetUserLicenses(adele, licensingtest.License{SKUID: officeID})
		for _, name := range []string{"b@contoso.example", "c@contoso.example"} {
			tenant.AddUser(licensingtest.User{UserPrincipalName: name})
		}
		tenant.SignIn(adele)
		tenant.SetReadLag(time.Minute)
		time.Sleep(time.Minute)
		tenant.RemoveUser(adele)
		wantConsumed(t, tenant, officeID, 0)
		const users = "/users?$select=userPrincipalName&$top=1"
		for _, want := range []struct {
			read   int
			listed string
			next   string
		}{{200, "adele", "b"}, {404, "b", "c"}} {
			for _, path := range []string{"/users/" + adele, "/users/" + adeleID, "/users/" + adeleID + "/licenseDetails", "/me"} {
				if a := call(t, tenant, "GET", path, ""); a.status != want.read || a.status == 200 && !strings.Contains(a.body, "ENTERPRISEPACK") && !strings.Contains(a.body, "Adele Vance") {
					t.Errorf("%s: %d %s, want %d", path, a.status, a.body, want.read)
				}
			}
			if a := call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID)); a.status != 404 {
				t.Errorf("write: %d %s, want 404", a.status, a.body)
			}
			p := getPage(t, tenant, users)
			if got := p.names(); got != want.listed {
				t.Errorf("listed %q, want %q", got, want.listed)
			}
			if got := getPage(t, tenant, strings.TrimPrefix(p.Next, "https://graph.microsoft.com/v1.0")).names(); got != want.next {
				t.Errorf("listed next %q, want %q", got, want.next)
			}
			time.Sleep(time.Minute)
		}
	})
}

// Somebody who was never seen is never seen.
func TestReadLagOfAdditionAndRemoval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetReadLag(time.Minute)
		u := tenant.AddUser(licensingtest.User{UserPrincipalName: "b@contoso.example"})
		time.Sleep(time.Second)
		tenant.RemoveUser(u.ID)
		for at := time.Second; at < 3*time.Minute; at += 59 * time.Second {
			want := 404
			if at == time.Minute { // for the second in which the replica had the user
				want = 200
			}
			if a := call(t, tenant, "GET", "/users/"+u.ID, ""); a.status != want {
				t.Errorf("after %s: %d, want %d", at, a.status, want)
			}
			time.Sleep(59 * time.Second)
		}
	})
}
