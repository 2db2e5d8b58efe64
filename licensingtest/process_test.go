package licensingtest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

func TestAssignGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddMember(salesID, adele)
		const read = "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd?$select=assignedLicenses,licenseProcessingState"
		const context = `"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(assignedLicenses,licenseProcessingState)/$entity"`
		wantJSON(t, call(t, tenant, "GET", read, ""), 200, `{`+context+`,"assignedLicenses":[],"licenseProcessingState":null}`)

		a := assign(t, tenant, "/groups/"+salesID, add(officeID, yammerID))
		wantJSON(t, a, 202, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups/$entity",
			"id":"1132b215-826f-42a9-8cfe-1643d19d17fd","createdDateTime":"2000-01-01T00:00:00Z","groupTypes":[],"securityEnabled":true}`)
		if got, want := a.header.Get("Location"), "https://graph.microsoft.com/v2/00000000-0000-4000-8000-000000000001/directoryObjects/1132b215-826f-42a9-8cfe-1643d19d17fd/Microsoft.DirectoryServices.Group"; got != want {
			t.Errorf("Location %q, want %q", got, want)
		}
		wantJSON(t, call(t, tenant, "GET", read, ""), 200, `{`+context+`,
			"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"]}],
			"licenseProcessingState":{"state":"QueuedForProcessing"}}`)
		wantRows(t, tenant, adele, "")

		tenant.Process()
		wantJSON(t, call(t, tenant, "GET", "/groups/"+salesID+"?$select=licenseProcessingState,hasMembersWithLicenseErrors", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(licenseProcessingState,hasMembersWithLicenseErrors)/$entity","licenseProcessingState":{"state":"ProcessingComplete"}}`)
		wantRows(t, tenant, adele, "ENTERPRISEPACK Sales Active -1")
		wantConsumed(t, tenant, officeID, 1)

		assign(t, tenant, "/groups/"+salesID, remove(officeID))
		wantRows(t, tenant, adele, "ENTERPRISEPACK Sales Active -1")
		tenant.Process()
		wantRows(t, tenant, adele, "")
		wantConsumed(t, tenant, officeID, 0)
		if g, _ := tenant.Group(salesID); g.State != "ProcessingComplete" || len(g.Licenses) != 0 || len(g.Members) != 1 {
			t.Errorf("group %+v", g)
		}
	})
}

func TestProcessAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddMember(salesID, adele)
		tenant.ProcessAfter(10 * time.Second)
		start := time.Now()
		assign(t, tenant, "/groups/"+salesID, add(officeID))
		for _, step := range []struct {
			at    time.Duration
			state string
			rows  string
		}{
			{4 * time.Second, "QueuedForProcessing", ""},
			{5 * time.Second, "ProcessingInProgress", ""},
			{9 * time.Second, "ProcessingInProgress", ""},
			{15 * time.Second, "ProcessingComplete", "ENTERPRISEPACK Sales Active"},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			if g, _ := tenant.Group(salesID); g.State != step.state {
				t.Errorf("after %s: %s, want %s", step.at, g.State, step.state)
			}
			wantRows(t, tenant, adele, step.rows)
		}
		if u, _ := tenant.User(adele); !u.States[0].Updated.Equal(start.Add(10 * time.Second)) {
			t.Errorf("updated at %s, want 10s", u.States[0].Updated.Sub(start))
		}

		tenant.RemoveMember(salesID, adele)
		time.Sleep(10 * time.Second)
		wantRows(t, tenant, adele, "")

		tenant.ProcessAfter(-1)
		tenant.AddMember(salesID, adele)
		time.Sleep(time.Hour)
		wantRows(t, tenant, adele, "")

		tenant.ProcessAfter(0)
		wantRows(t, tenant, adele, "ENTERPRISEPACK Sales Active")
	})
}

// Of two groups that need the last seat, the one that was changed first gets it.
func TestProcessingInOrder(t *testing.T) {
	t.Parallel()
	for _, automatic := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			tenant.SetSeats(officeID, 1)
			late := tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID
			tenant.AddMember(salesID, late)
			staff := tenant.AddGroup(licensingtest.Group{DisplayName: "Staff"}, adele).ID
			if automatic {
				tenant.ProcessAfter(time.Minute)
			}
			assign(t, tenant, "/groups/"+staff, add(officeID))
			time.Sleep(time.Second)
			assign(t, tenant, "/groups/"+salesID, add(officeID))
			if automatic {
				time.Sleep(time.Hour)
			} else {
				tenant.Process()
			}
			wantRows(t, tenant, adele, "ENTERPRISEPACK Staff Active")
			wantRows(t, tenant, late, "ENTERPRISEPACK Sales Error CountViolation")
		})
	}
}

// A group that has never had a license has no processing state, though its
// members change.
func TestNothingToProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.ProcessAfter(10 * time.Second)
		tenant.AddMember(salesID, adele)
		for range 3 {
			if g, _ := tenant.Group(salesID); g.State != "" {
				t.Errorf("state %s, want none", g.State)
			}
			time.Sleep(6 * time.Second)
		}
	})
}

func TestMemberFailures(t *testing.T) {
	t.Parallel()
	other := licensingtest.User{UserPrincipalName: "other@contoso.example", UsageLocation: "US"}
	tests := []struct {
		name   string
		user   licensingtest.User
		before string // a license of the group that the member has already
		body   string
		want   string
	}{
		{"no seat", other, "", strings.Replace(add(officeID), "[{", `[{"skuId":"`+basicID.String()+`","disabledPlans":["`+liteID.String()+`"]},{`, 1),
			"EXCHANGESTANDARD Sales Error Other -1; ENTERPRISEPACK Sales Error CountViolation"},
		{"conflict within the group", licensingtest.User{UserPrincipalName: "other@contoso.example", Licenses: []licensingtest.License{{SKUID: officeID}}}, "",
			add(basicID), "ENTERPRISEPACK direct Active; EXCHANGESTANDARD Sales Error MutuallyExclusiveViolation"},
		{"barred", licensingtest.User{UserPrincipalName: "other@contoso.example", UsageLocation: "IN"}, "", add(callingID, phoneID), "MCOEV Sales Error ProhibitedInUsageLocationViolation -1"},
		{"proxy addresses", licensingtest.User{UserPrincipalName: "other@contoso.example", ProxyAddressConflict: true}, "", add(basicID), "EXCHANGESTANDARD Sales Error UniquenessViolation"},
		{"location of the tenant", licensingtest.User{UserPrincipalName: "other@contoso.example"}, "", add(basicID), "EXCHANGESTANDARD Sales Active"},
		{"addition beside a license", licensingtest.User{UserPrincipalName: "other@contoso.example", UsageLocation: "IN"}, add(basicID), add(callingID, phoneID),
			"EXCHANGESTANDARD Sales Active; MCOEV Sales Error ProhibitedInUsageLocationViolation -1"},
		{"change of a license", licensingtest.User{UserPrincipalName: "other@contoso.example", Licenses: []licensingtest.License{{SKUID: officeID}}}, add(basicID, liteID),
			add(basicID), "ENTERPRISEPACK direct Active; EXCHANGESTANDARD Sales ActiveWithError MutuallyExclusiveViolation -1"},
		{"swap", other, add(basicID), strings.Replace(add(officeID), `"removeLicenses":[]`, `"removeLicenses":["`+basicID.String()+`"]`, 1),
			"ENTERPRISEPACK Sales Error CountViolation; EXCHANGESTANDARD Sales ActiveWithError Other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			for range 3 - len(test.user.Licenses) {
				tenant.AddUser(licensingtest.User{Licenses: []licensingtest.License{{SKUID: officeID}}})
			}
			tenant.AddUser(test.user)
			tenant.AddMember(salesID, "other@contoso.example")
			if test.before != "" {
				assign(t, tenant, "/groups/"+salesID, test.before)
				tenant.Process()
			}
			assign(t, tenant, "/groups/"+salesID, test.body)
			tenant.Process()
			wantRows(t, tenant, "other@contoso.example", test.want)
		})
	}
}

// A member who leaves makes room for one who joins, whoever was added first.
func TestSeatOfAFormerMember(t *testing.T) {
	t.Parallel()
	for _, from := range []int{0, 1} {
		tenant := newTenant()
		tenant.SetSeats(officeID, 1)
		users := []string{adele, tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID}
		tenant.AddMember(salesID, users[from])
		assign(t, tenant, "/groups/"+salesID, add(officeID))
		tenant.Process()
		tenant.RemoveMember(salesID, users[from])
		tenant.AddMember(salesID, users[1-from])
		tenant.Process()
		wantRows(t, tenant, users[from], "")
		wantRows(t, tenant, users[1-from], "ENTERPRISEPACK Sales Active")
	}
}

func TestDirectAndInherited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID, DisabledPlans: []uuid.UUID{yammerID, teamsID}}}}, adele)
		assign(t, tenant, "/users/"+adele, add(officeID, yammerID, exchangeID))
		wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active -2; ENTERPRISEPACK Staff Active -2")
		wantConsumed(t, tenant, officeID, 1)

		staff := "00000004-0000-4000-8000-000000000001"
		wantJSON(t, call(t, tenant, "GET", "/users/"+adele+"?$select=assignedLicenses,%20licenseAssignmentStates", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(assignedLicenses,licenseAssignmentStates)/$entity",
			"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"]}],
			"licenseAssignmentStates":[
				{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653","efb87545-963c-4e0d-99df-69c6916d9eb0"],
				"assignedByGroup":null,"state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:00:00Z"},
				{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653","57ff2da0-773e-42df-b2af-ffb7a2317929"],
				"assignedByGroup":"`+staff+`","state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:00:00Z"}]}`)

		time.Sleep(time.Minute)
		assign(t, tenant, "/users/"+adele, remove(officeID))
		wantRows(t, tenant, adele, "ENTERPRISEPACK Staff Active -2")
		wantConsumed(t, tenant, officeID, 1)
		wantJSON(t, call(t, tenant, "GET", "/users/"+adele+"?$select=assignedLicenses,assignedPlans,provisionedPlans", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(assignedLicenses,assignedPlans,provisionedPlans)/$entity",
			"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653","57ff2da0-773e-42df-b2af-ffb7a2317929"]}],
			"assignedPlans":[
				{"assignedDateTime":"2000-01-01T00:00:00Z","capabilityStatus":"Enabled","service":"exchange","servicePlanId":"efb87545-963c-4e0d-99df-69c6916d9eb0"},
				{"assignedDateTime":"2000-01-01T00:01:00Z","capabilityStatus":"Deleted","service":"TeamspaceAPI","servicePlanId":"57ff2da0-773e-42df-b2af-ffb7a2317929"}],
			"provisionedPlans":[
				{"capabilityStatus":"Enabled","provisioningStatus":"Success","service":"exchange"},
				{"capabilityStatus":"Deleted","provisioningStatus":"Success","service":"TeamspaceAPI"}]}`)
	})
}

func TestReprocess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SignIn(adele)
		var holders []licensingtest.User
		for range 3 {
			holders = append(holders, tenant.AddUser(licensingtest.User{Licenses: []licensingtest.License{{SKUID: officeID}}}))
		}
		tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}}}, adele)
		tenant.AddGroup(licensingtest.Group{DisplayName: "Mail", Licenses: []licensingtest.License{{SKUID: basicID, DisabledPlans: []uuid.UUID{liteID}}}})
		wantRows(t, tenant, adele, "ENTERPRISEPACK Staff Error CountViolation")
		wantError(t, call(t, tenant, "POST", "/users/"+adele+"/reprocessLicenseAssignment", ""), 400, "Request_BadRequest",
			"Subscription with SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 does not have any available licenses.")
		if got := tenant.Writes(); len(got) != 0 {
			t.Errorf("writes %v, want none", got)
		}

		tenant.AddMember("00000004-0000-4000-8000-000000000002", adele)
		call(t, tenant, "POST", "/me/reprocessLicenseAssignment", "")
		wantRows(t, tenant, adele, "ENTERPRISEPACK Staff Error CountViolation; EXCHANGESTANDARD Mail Active -1")
		if got := tenant.Writes(); len(got) != 1 || got[0].Target != adeleID || !got[0].Changed {
			t.Errorf("writes %v, want one", got)
		}

		assign(t, tenant, "/users/"+holders[0].ID, remove(officeID))
		a := call(t, tenant, "POST", "/users/"+adeleID+"/microsoft.graph.reprocessLicenseAssignment", "")
		if a.status != 200 || !strings.Contains(a.body, `"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"`) {
			t.Errorf("reprocess: %d %s", a.status, a.body)
		}
		wantRows(t, tenant, adele, "ENTERPRISEPACK Staff Active; EXCHANGESTANDARD Mail Active -1")
	})
}

func TestLocation(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SetLocation("IN")
	u := tenant.AddUser(licensingtest.User{})
	tenant.AddGroup(licensingtest.Group{DisplayName: "India", Licenses: []licensingtest.License{{SKUID: callingID, DisabledPlans: []uuid.UUID{phoneID}}}}, u.ID)
	wantRows(t, tenant, u.ID, "MCOEV India Error ProhibitedInUsageLocationViolation -1")
}
