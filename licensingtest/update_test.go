package licensingtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

const wrongLocation = "License assignment cannot be done for user with invalid usage location."

func TestUpdateUser(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SignIn(adele)
	for _, step := range []struct{ path, body, want string }{
		{"/users/" + adele, `{"usageLocation":"DE"}`, "DE"},
		{"/users/" + adele, `{"usageLocation":"DE"}`, "DE"},
		{"/me", `{"usageLocation":"ch"}`, "CH"},
		{"/users('" + adeleID + "')", `{"@odata.type":"#microsoft.graph.user","usageLocation":"AT"}`, "AT"},
	} {
		a := call(t, tenant, "PATCH", step.path, step.body)
		if a.status != 204 || a.body != "" || a.header.Get("Content-Type") != "" || a.header.Get("request-id") == "" {
			t.Errorf("PATCH %s %s: %d %q %v", step.path, step.body, a.status, a.body, a.header)
		}
		if u, _ := tenant.User(adele); u.UsageLocation != step.want {
			t.Errorf("PATCH %s: usage location %q, want %q", step.body, u.UsageLocation, step.want)
		}
	}
	writes := tenant.Writes()
	if len(writes) != 4 {
		t.Fatalf("%d writes, want 4", len(writes))
	}
	for i, want := range []struct {
		country string
		changed bool
	}{{"DE", true}, {"DE", false}, {"CH", true}, {"AT", true}} {
		w := writes[i]
		if w.Action != "update" || w.Target != adeleID || w.Request != i || w.UsageLocation != want.country || w.Changed != want.changed || w.Time.IsZero() {
			t.Errorf("write %d: %+v, want %+v", i, w, want)
		}
	}
}

func TestUpdateRefusals(t *testing.T) {
	t.Parallel()
	const (
		value      = "Invalid value specified for property 'usageLocation' of resource 'User'."
		unreadable = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
	)
	for _, test := range []struct {
		path, body    string
		status        int
		code, message string
	}{
		{"/users/" + adele, "", 400, "BadRequest", "Empty Payload. JSON content expected."},
		{"/users/" + adele, "US", 400, "BadRequest", unreadable},
		{"/users/" + adele, "null", 400, "BadRequest", unreadable},
		{"/users/" + adele, `{"usageLocation":{"value":"US"}}`, 400, "BadRequest", unreadable},
		{"/users/" + adele, `{"usageLocation":1}`, 400, "BadRequest", unreadable},
		{"/users/" + adele, `{"usageLocation":null}`, 400, "Request_BadRequest", value},
		{"/users/" + adele, `{"usageLocation":""}`, 400, "Request_BadRequest", value},
		{"/users/" + adele, `{"usageLocation":"USA"}`, 400, "Request_BadRequest", value},
		{"/users/" + adele, `{"usageLocation":"U1"}`, 400, "Request_BadRequest", value},
		{"/users/nobody", `{"usageLocation":"US"}`, 404, "Request_ResourceNotFound", "Resource 'nobody' does not exist or one of its queried reference-property objects are not present."},
		{"/users/clash@contoso.example", `{"usageLocation":"US"}`, 400, "Request_BadRequest", "Another object with the same value for property proxyAddresses already exists."},
		{"/users/" + adele, `{"usageLocation":"US","city":"Bern"}`, 501, "NotImplemented", "licensingtest does not serve an update of anything but the usage location."},
		{"/users/" + adele, `{"@odata.type":"#microsoft.graph.user"}`, 501, "NotImplemented", "licensingtest does not serve an update of anything but the usage location."},
		{"/users/" + adele, `{}`, 501, "NotImplemented", "licensingtest does not serve an update of anything but the usage location."},
		{"/groups/" + salesID + "/membersWithLicenseErrors", `{"usageLocation":"US"}`, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
	} {
		t.Run(test.path+" "+test.body, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			tenant.AddUser(licensingtest.User{UserPrincipalName: "clash@contoso.example", ProxyAddressConflict: true})
			wantError(t, call(t, tenant, "PATCH", test.path, test.body), test.status, test.code, test.message)
			if u, _ := tenant.User(adele); u.UsageLocation != "US" || tenant.Writes() != nil {
				t.Errorf("usage location %q, writes %v", u.UsageLocation, tenant.Writes())
			}
		})
	}
}

func TestUsageLocationLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetUsageLocationLag(30 * time.Second)
		u := tenant.AddUser(licensingtest.User{}).ID
		action := "/users/" + u + "/assignLicense"
		call(t, tenant, "PATCH", "/users/"+u, `{"usageLocation":"US"}`)
		wantJSON(t, call(t, tenant, "GET", "/users/"+u+"?$select=usageLocation", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(usageLocation)/$entity","usageLocation":"US"}`)
		wantError(t, call(t, tenant, "POST", action, add(officeID)), 400, "Request_BadRequest", wrongLocation)
		time.Sleep(20 * time.Second)
		call(t, tenant, "PATCH", "/users/"+u, `{"usageLocation":"US"}`) // again, which changes nothing
		time.Sleep(10*time.Second - time.Nanosecond)
		wantError(t, call(t, tenant, "POST", action, add(officeID)), 400, "Request_BadRequest", wrongLocation)
		time.Sleep(time.Nanosecond)
		assign(t, tenant, "/users/"+u, add(officeID))

		// From one country to another the old one holds meanwhile.
		call(t, tenant, "PATCH", "/users/"+u, `{"usageLocation":"IN"}`)
		assign(t, tenant, "/users/"+u, add(callingID))
		assign(t, tenant, "/users/"+u, remove(callingID))
		time.Sleep(30 * time.Second)
		wantError(t, call(t, tenant, "POST", action, add(callingID)), 400, "Request_BadRequest", wrongLocation)

		// What is set from behind holds at once.
		tenant.SetUsageLocation(u, "US")
		assign(t, tenant, "/users/"+u, add(callingID))
	})
}

func TestRepairs(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	u := tenant.AddUser(licensingtest.User{ProxyAddressConflict: true})
	for _, step := range []struct {
		repair  func()
		message string
	}{
		{func() {}, wrongLocation},
		{func() { tenant.SetUsageLocation(u.ID, "US") }, "Another object with the same value for property proxyAddresses already exists."},
		{func() { tenant.SetProxyAddressConflict(u.ID, false); tenant.SetUsageLocation(u.ID, "") }, wrongLocation},
	} {
		step.repair()
		wantError(t, call(t, tenant, "POST", "/users/"+u.ID+"/assignLicense", add(officeID)), 400, "Request_BadRequest", step.message)
	}
	tenant.SetUsageLocation(u.UserPrincipalName, "DE")
	assign(t, tenant, "/users/"+u.ID, add(officeID))
}
