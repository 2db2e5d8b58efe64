package licensingtest_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// seen is what reads show of adele's location and number of licenses, and of
// the group's state and number of licenses.
func seen(t *testing.T, tenant *licensingtest.Tenant) string {
	t.Helper()
	var user struct {
		UsageLocation    string
		AssignedLicenses []any
	}
	var group struct {
		AssignedLicenses       []any
		LicenseProcessingState *struct{ State string }
	}
	for path, into := range map[string]any{
		"/users/" + adele + "?$select=usageLocation,assignedLicenses":             &user,
		"/groups/" + salesID + "?$select=assignedLicenses,licenseProcessingState": &group,
	} {
		if err := json.Unmarshal([]byte(call(t, tenant, "GET", path, "").body), into); err != nil {
			t.Fatal(err)
		}
	}
	digits := "0123456789"
	text := user.UsageLocation + digits[len(user.AssignedLicenses):][:1] + " " + digits[len(group.AssignedLicenses):][:1]
	if group.LicenseProcessingState != nil {
		text += group.LicenseProcessingState.State
	}
	return text
}

func TestReadLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.AddMember(salesID, adele)
		tenant.Process()
		tenant.SetReadLag(10 * time.Second)
		tenant.ProcessAfter(8 * time.Second)
		start := time.Now()
		at := func(second int, want string) {
			t.Helper()
			time.Sleep(time.Until(start.Add(time.Duration(second) * time.Second)))
			if got := seen(t, tenant); got != want {
				t.Errorf("after %d s: reads show %s, want %s", second, got, want)
			}
		}
		a := assign(t, tenant, "/users/"+adele, add(officeID))
		call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"DE"}`)
		if a.status != 200 || !json.Valid([]byte(a.body)) {
			t.Errorf("write: %d %s", a.status, a.body)
		}
		at(1, "US0 0")
		call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"AT"}`)
		at(4, "US0 0")
		assign(t, tenant, "/groups/"+salesID, add(basicID, liteID))
		wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active") // true: processed at 12 s
		at(9, "US0 0")
		at(10, "DE1 0")
		at(11, "AT1 0")
		at(13, "AT1 0")
		wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active; EXCHANGESTANDARD Sales Active -1")
		at(14, "AT1 1QueuedForProcessing")
		at(18, "AT1 1ProcessingInProgress")
		at(21, "AT1 1ProcessingInProgress")

		// The next change is not seen for a while: complete, and not what was asked.
		at(22, "AT2 1ProcessingComplete")
		assign(t, tenant, "/groups/"+salesID, remove(basicID))
		at(31, "AT2 1ProcessingComplete")
		at(32, "AT2 0QueuedForProcessing")
		at(40, "AT1 0ProcessingComplete")

		tenant.SetUsageLocation(adele, "FR")
		at(41, "AT1 0ProcessingComplete")
		tenant.SetReadLag(0)
		at(42, "FR1 0ProcessingComplete")
	})
}

func TestReadLagOfListings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetSeats(officeID, 0)
		alex := tenant.AddUser(licensingtest.User{UserPrincipalName: "alex@contoso.example", UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: callingID}}})
		tenant.SetReadLag(time.Minute)
		details := func(want string) {
			t.Helper()
			wantJSON(t, call(t, tenant, "GET", "/users/"+alex.ID+"/licenseDetails?$select=skuPartNumber", ""), 200,
				`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('`+alex.ID+`')/licenseDetails(skuPartNumber)","value":[`+want+`]}`)
		}
		details(`{"skuPartNumber":"MCOEV"}`) // a user who was added before is seen at once
		assign(t, tenant, "/users/"+alex.ID, remove(callingID))
		details(`{"skuPartNumber":"MCOEV"}`)
		wantJSON(t, call(t, tenant, "GET", "/users/"+alex.ID+"?$select=assignedPlans", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(assignedPlans)/$entity","assignedPlans":[
			{"assignedDateTime":"2000-01-01T00:00:00Z","capabilityStatus":"Enabled","service":"mcoev","servicePlanId":"4828c8ec-dc2e-4779-b502-87ac9ce28ab7"}]}`)
		tenant.AddMember(salesID, alex.ID)
		assign(t, tenant, "/groups/"+salesID, add(officeID))
		tenant.Process()

		const (
			holders = "/users?$select=userPrincipalName&$filter=assignedLicenses/any(x:x/skuId%20eq%20e43b5b99-8dfb-405f-9987-dc307f34bcbd)"
			groups  = "/groups?$select=displayName&$filter=hasMembersWithLicenseErrors%20eq%20true"
			members = "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd/membersWithLicenseErrors?$select=userPrincipalName"
		)
		for _, want := range []map[string]string{
			{holders: "alex", groups: "", members: ""},
			{holders: "", groups: "Sales", members: "alex"},
		} {
			for path, names := range want {
				if got := getPage(t, tenant, path).names(); got != names {
					t.Errorf("%s: %q, want %q", path, got, names)
				}
			}
			time.Sleep(time.Minute)
		}
		details("")

		tenant.RemoveMember(salesID, alex.ID)
		if got := getPage(t, tenant, members).names(); got != "alex" {
			t.Errorf("members with errors %q, want alex still", got)
		}
		time.Sleep(time.Minute)
		if got := getPage(t, tenant, members).names(); got != "" {
			t.Errorf("members with errors %q, want none", got)
		}
	})
}

// What is added while reads lag is not there for them yet, and there for writes.
func TestReadLagOfNewObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetSeats(officeID, 0)
		assign(t, tenant, "/groups/"+salesID, add(officeID))
		tenant.Process()
		tenant.SetReadLag(time.Minute)
		start := time.Now()
		const (
			cleo    = "/users/cleo@contoso.example"
			staff   = "/groups/66666666-2222-4333-8444-555555555555"
			staffID = "66666666-2222-4333-8444-555555555555"
			cleoID  = "77777777-2222-4333-8444-555555555555"
			reads   = "https://graph.microsoft.com/v1.0/$metadata"
			has     = "hasMembersWithLicenseErrors%20eq%20true"
		)
		tenant.AddUser(licensingtest.User{ID: cleoID, UserPrincipalName: "cleo@contoso.example", DisplayName: "Cleo", UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: basicID}}})
		tenant.AddGroup(licensingtest.Group{ID: staffID, DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}}}, cleoID)
		tenant.AddMember(salesID, cleoID)
		tenant.Process()
		tenant.SignIn(cleoID)

		absent := func() {
			t.Helper()
			for path, key := range map[string]string{
				cleo:                                "cleo@contoso.example",
				"/users/" + cleoID:                  cleoID,
				"/me":                               cleoID,
				cleo + "/licenseDetails":            "cleo@contoso.example",
				"/me/licenseDetails":                cleoID,
				staff:                               staffID,
				staff + "/membersWithLicenseErrors": staffID,
			} {
				wantError(t, call(t, tenant, "GET", path, ""), 404, "Request_ResourceNotFound",
					"Resource '"+key+"' does not exist or one of its queried reference-property objects are not present.")
			}
			wantJSON(t, call(t, tenant, "GET", "/users?$select=displayName&$count=true", "", eventual), 200,
				`{"@odata.context":"`+reads+`#users(displayName)","@odata.count":1,"value":[{"displayName":"Adele Vance"}]}`)
			wantJSON(t, call(t, tenant, "GET", "/users?$select=displayName&$filter=displayName%20eq%20'Cleo'", ""), 200,
				`{"@odata.context":"`+reads+`#users(displayName)","value":[]}`)
			wantJSON(t, call(t, tenant, "GET", "/groups?$select=displayName&$count=true", "", eventual), 200,
				`{"@odata.context":"`+reads+`#groups(displayName)","@odata.count":1,"value":[{"displayName":"Sales"}]}`)
			wantJSON(t, call(t, tenant, "GET", "/groups?$select=displayName&$filter="+has, ""), 200,
				`{"@odata.context":"`+reads+`#groups(displayName)","value":[]}`)
			wantJSON(t, call(t, tenant, "GET", "/groups/"+salesID+"/membersWithLicenseErrors?$select=displayName", ""), 200,
				`{"@odata.context":"`+reads+`#directoryObjects(displayName)","value":[]}`)
			if a := call(t, tenant, "GET", "/users/"+adele, ""); a.status != 200 {
				t.Errorf("a user who was there before: %d %s", a.status, a.body)
			}
		}
		absent()

		// Writes find them.
		time.Sleep(10 * time.Second)
		for _, w := range []struct {
			method, path, body string
			status             int
		}{
			{"PATCH", cleo, `{"usageLocation":"DE"}`, 204},
			{"POST", cleo + "/assignLicense", remove(basicID), 200},
			{"POST", staff + "/assignLicense", remove(officeID), 202},
			{"POST", cleo + "/reprocessLicenseAssignment", "", 400}, // no seats, as ever
		} {
			if a := call(t, tenant, w.method, w.path, w.body); a.status != w.status {
				t.Errorf("%s %s: %d %s, want %d", w.method, w.path, a.status, a.body, w.status)
			}
		}
		wantRows(t, tenant, cleoID, "ENTERPRISEPACK Sales Error CountViolation")
		time.Sleep(time.Until(start.Add(59 * time.Second)))
		absent()

		// They appear as they were added, and change as they did.
		time.Sleep(time.Second)
		wantJSON(t, call(t, tenant, "GET", cleo+"?$select=id,usageLocation,assignedLicenses", ""), 200,
			`{"@odata.context":"`+reads+`#users(id,usageLocation,assignedLicenses)/$entity","id":"`+cleoID+`","usageLocation":"US",
			"assignedLicenses":[{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":[]}]}`)
		wantJSON(t, call(t, tenant, "GET", "/users?$select=displayName&$count=true", "", eventual), 200,
			`{"@odata.context":"`+reads+`#users(displayName)","@odata.count":2,"value":[{"displayName":"Adele Vance"},{"displayName":"Cleo"}]}`)
		wantJSON(t, call(t, tenant, "GET", "/me/licenseDetails?$select=skuPartNumber", ""), 200,
			`{"@odata.context":"`+reads+`#users('`+cleoID+`')/licenseDetails(skuPartNumber)","value":[{"skuPartNumber":"EXCHANGESTANDARD"}]}`)
		wantJSON(t, call(t, tenant, "GET", staff+"?$select=displayName,assignedLicenses", ""), 200,
			`{"@odata.context":"`+reads+`#groups(displayName,assignedLicenses)/$entity","displayName":"Staff",
			"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":[]}]}`)
		wantJSON(t, call(t, tenant, "GET", "/groups?$select=displayName&$filter="+has, ""), 200,
			`{"@odata.context":"`+reads+`#groups(displayName)","value":[{"displayName":"Sales"},{"displayName":"Staff"}]}`)
		wantJSON(t, call(t, tenant, "GET", staff+"/membersWithLicenseErrors?$select=displayName", ""), 200,
			`{"@odata.context":"`+reads+`#directoryObjects(displayName)","value":[{"@odata.type":"#microsoft.graph.user","displayName":"Cleo"}]}`)
		time.Sleep(10 * time.Second)
		wantJSON(t, call(t, tenant, "GET", cleo+"?$select=id,usageLocation,assignedLicenses", ""), 200,
			`{"@odata.context":"`+reads+`#users(id,usageLocation,assignedLicenses)/$entity","id":"`+cleoID+`","usageLocation":"DE","assignedLicenses":[]}`)

		// Without a lag all is there at once.
		dan := tenant.AddUser(licensingtest.User{}).ID
		tenant.SetReadLag(0)
		if a := call(t, tenant, "GET", "/users/"+dan, ""); a.status != 200 {
			t.Errorf("without a lag: %d %s", a.status, a.body)
		}
		erin := tenant.AddUser(licensingtest.User{}).ID
		tenant.SetReadLag(time.Hour)
		if a := call(t, tenant, "GET", "/users/"+erin, ""); a.status != 200 {
			t.Errorf("added before the lag was set: %d %s", a.status, a.body)
		}
	})
}

// Reads go through the states of processing even if nobody looked meanwhile.
func TestReadLagOfProcessing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetReadLag(10 * time.Second)
		tenant.ProcessAfter(8 * time.Second)
		tenant.AddMember(salesID, adele)
		assign(t, tenant, "/groups/"+salesID, add(officeID))
		time.Sleep(15 * time.Second)
		for _, want := range []string{"US0 1ProcessingInProgress", "US1 1ProcessingComplete"} {
			if got := seen(t, tenant); got != want {
				t.Errorf("reads show %s, want %s", got, want)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

// However processing is set back and forth, reads go through the states in
// their order.
func TestReadLagWithoutOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetReadLag(10 * time.Second)
		tenant.AddMember(salesID, adele)
		assign(t, tenant, "/groups/"+salesID, add(basicID, liteID))
		time.Sleep(5 * time.Second)
		call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"DE"}`)
		time.Sleep(5 * time.Second)
		tenant.ProcessAfter(time.Second) // 9 s ago, that is
		for i, want := range []string{"US0 1QueuedForProcessing", "US0 1ProcessingComplete", "US0 1ProcessingComplete", "DE1 1ProcessingComplete"} {
			if got := seen(t, tenant); got != want {
				t.Errorf("step %d: reads show %s, want %s", i, got, want)
			}
			time.Sleep([]time.Duration{1, 3, 1, 0}[i] * time.Second)
		}
	})
}

// The index is late by itself, and never less than reads are. Advanced queries
// are eventually consistent: microsoftgraph/microsoft-graph-docs-contrib,
// concepts/aad-advanced-queries.md.
func TestIndexLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetIndexLag(time.Minute)
		assign(t, tenant, "/users/"+adele, add(officeID))
		tenant.AddUser(licensingtest.User{UserPrincipalName: "bob@contoso.example"})
		const list = "/users?$select=userPrincipalName"
		found := func(path string, headers ...string) string {
			t.Helper()
			return getPage(t, tenant, path, headers...).names()
		}
		check := func(holders, users, count string) {
			t.Helper()
			if got := found(list+"&$count=true&$filter=assignedLicenses/$count+ne+0", eventual); got != holders {
				t.Errorf("holders by the index: %q, want %q", got, holders)
			}
			if got := found(list+"&$count=true", eventual); got != users {
				t.Errorf("users by the index: %q, want %q", got, users)
			}
			if a := call(t, tenant, "GET", "/users/$count", "", eventual); a.body != count {
				t.Errorf("count %s, want %s", a.body, count)
			}
		}
		plain := func(want string) {
			t.Helper()
			for path, headers := range map[string][]string{list: {eventual}, list + "&$count=true": nil} {
				if got := found(path, headers...); got != want {
					t.Errorf("%s: %q, want %q", path, got, want)
				}
			}
		}
		check("", "adele", "1")
		plain("adele bob")
		time.Sleep(time.Minute)
		check("adele", "adele bob", "2")

		tenant.SetReadLag(2 * time.Minute)
		tenant.AddUser(licensingtest.User{UserPrincipalName: "cy@contoso.example"})
		time.Sleep(time.Minute)
		check("adele", "adele bob", "2")
		plain("adele bob")
		tenant.SetReadLag(0)
		check("adele", "adele bob cy", "3")
	})
}
