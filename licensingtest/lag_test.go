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
		tenant.SetReadLag(time.Minute)
		alex := tenant.AddUser(licensingtest.User{UserPrincipalName: "alex@contoso.example", UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: callingID}}})
		details := func(want string) {
			t.Helper()
			wantJSON(t, call(t, tenant, "GET", "/users/"+alex.ID+"/licenseDetails?$select=skuPartNumber", ""), 200,
				`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('`+alex.ID+`')/licenseDetails(skuPartNumber)","value":[`+want+`]}`)
		}
		details(`{"skuPartNumber":"MCOEV"}`) // a user who is added is seen at once
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
