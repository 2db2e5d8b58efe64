package licensingtest_test

import (
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/licensingtest"
)

// What v1.0 has and the tenant does not is not answered as if v1.0 lacked it.
// The names are in microsoftgraph/msgraph-metadata, schemas/v1.0-Prod.csdl.
func TestUnserved(t *testing.T) {
	t.Parallel()
	const user, sales = "/users/" + adele, "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd"
	for _, test := range []struct{ method, path, what string }{
		{"GET", "/devices/1", "GET of devices/1"},
		{"POST", "/directoryObjects/getByIds", "POST of directoryObjects/getByIds"},
		{"GET", "/subscriptions", "GET of subscriptions"},
		{"GET", "/$metadata", "GET of $metadata"},
		{"GET", "/directory", "GET of directory"},
		{"GET", "/directory/deletedItems/microsoft.graph.user", "GET of directory/deletedItems/microsoft.graph.user"},
		{"GET", "/reports/getOffice365ActiveUserDetail(period='D7')", "GET of reports/getOffice365ActiveUserDetail(period='D7')"},
		{"GET", "/users/delta", "GET of users/delta"},
		{"GET", "/users/microsoft.graph.delta()", "GET of users/delta"},
		{"GET", "/users/delta/$count", "GET of users/delta/$count"},
		{"GET", "/users(userPrincipalName='x')", "GET of users(...)"},
		{"POST", "/groups/validateProperties", "POST of groups/validateProperties"},
		{"GET", "/subscribedSkus/$count", "GET of subscribedSkus/$count"},
		{"GET", "/subscribedSkus/x/skuPartNumber", "GET of subscribedSkus/{id}/skuPartNumber"},
		{"GET", "/directory/subscriptions(commerceSubscriptionId='x')", "GET of directory/subscriptions(...)"},
		{"PATCH", "/organization/x", "PATCH of organization/{id}"},
		{"GET", "/organization?$select=verifiedDomains", "the property verifiedDomains of organization"},
		{"GET", "/organization/x/branding", "GET of organization/{id}/branding"},
		{"GET", "/me/licenseDetails/x/servicePlans", "GET of users/{id}/licenseDetails/{id}/servicePlans"},
		{"POST", sales + "/members/$ref", "POST of groups/{id}/members/$ref"},
		{"GET", user + "/memberOf/microsoft.graph.group", "GET of users/{id}/memberOf/microsoft.graph.group"},
		{"GET", sales + "/members?$filter=accountEnabled+eq+true", "filters of directoryObjects"},
		{"GET", user + "/manager", "GET of users/{id}/manager"},
		{"GET", "/me/mailFolders/inbox", "GET of users/{id}/mailFolders/inbox"},
		{"GET", user + "/calendars('x')/events", "GET of users/{id}/calendars(...)/events"},
		{"GET", user + "/displayName", "GET of users/{id}/displayName"},
		{"PUT", user + "/photo/$value", "PUT of users/{id}/photo/$value"},
		{"POST", user + "/retryServiceProvisioning", "POST of users/{id}/retryServiceProvisioning"},
		{"POST", user + "/microsoft.graph.getMemberGroups", "POST of users/{id}/getMemberGroups"},
		{"POST", user + "/revokeSignInSessions", "POST of users/{id}/revokeSignInSessions"},
		{"GET", user + "/licenseDetails/getTeamsLicensingDetails()", "GET of users/{id}/licenseDetails/getTeamsLicensingDetails"},
		{"GET", sales + "/owners", "GET of groups/{id}/owners"},
		{"GET", sales + "/membersWithLicenseErrors/$count", "GET of groups/{id}/membersWithLicenseErrors/$count"},
		{"GET", sales + "/membersWithLicenseErrors/microsoft.graph.user", "GET of groups/{id}/membersWithLicenseErrors/microsoft.graph.user"},
		{"GET", user + "?$select=id,employeeType", "the property employeeType of user"},
		{"GET", user + "?$select=manager", "the property manager of user"},
		{"GET", "/users?$select=extension_b7d8e648520f41d3b9c0fdeb91768a0a_jobGroup", "the property extension_b7d8e648520f41d3b9c0fdeb91768a0a_jobGroup of user"},
		{"GET", "/groups?$select=uniqueName", "the property uniqueName of group"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			t.Parallel()
			wantError(t, call(t, newTenant(), test.method, test.path, ""), 501, "NotImplemented", "licensingtest does not serve "+test.what+".")
		})
	}

	for path, segment := range map[string]string{
		"/gadgets":                                      "gadgets",
		"/groups('x')/memberz":                          "memberz",
		user + "/members":                               "members",
		user + "/displayName('x')":                      "displayName('x')",
		user + "/revokeSignInSessions/x":                "x",
		"/subscribedSkus/x/users":                       "users",
		"/users/$count/x":                               "x",
		"/directory/members":                            "members",
		"/11111111-2222-3333-4444-555555555555/gadgets": "gadgets",
		"/myorganization":                               "myorganization",
	} {
		wantError(t, call(t, newTenant(), "GET", path, ""), 400, "BadRequest", "Resource not found for the segment '"+segment+"'.")
	}
}

// Names in paths and queries have no case:
// microsoftgraph/microsoft-graph-docs-contrib, concepts/traverse-the-graph.md.
func TestCase(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SignIn(adele)
	tenant.AddMember(salesID, adele)
	for _, path := range []string{
		"/Users", "/USERS('" + adele + "')", "/Me", "/subscribedskus", "/me/licensedetails", "/Groups/" + salesID + "/memberswithlicenseerrors", "/users?$SELECT=id&$Top=1",
	} {
		if a := call(t, tenant, "GET", path, ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := call(t, tenant, "POST", "/ME/Microsoft.Graph.AssignLicense", add(officeID)); a.status != 200 {
		t.Errorf("assignLicense: %d %s", a.status, a.body)
	}
	if a := call(t, tenant, "PATCH", "/me", `{"UsageLOCATION":"DE"}`); a.status != 204 || a.body != "" {
		t.Errorf("update: %d %s", a.status, a.body)
	}
	wantJSON(t, call(t, tenant, "GET", "/me?$select=USAGELOCATION,ID,id", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(usageLocation,id)/$entity","usageLocation":"DE","id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"}`)
}

// A path may name the tenant after the version, as manicminer/hamilton
// v0.44.0 does, and many scripts do.
func TestTenantInPath(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	for _, prefix := range []string{"/myorganization", "/MyOrganization", "/11111111-2222-3333-4444-555555555555"} {
		if a := call(t, tenant, "GET", prefix+"/users/"+adele, ""); a.status != 200 {
			t.Errorf("%s: %d %s", prefix, a.status, a.body)
		}
	}
	tenant = newListed()
	want := "https://graph.microsoft.com/v1.0/myorganization/users?$top=3&$select=userPrincipalName&$skiptoken="
	p := getPage(t, tenant, "/myorganization/users?$top=3&$select=userPrincipalName")
	if !strings.HasPrefix(p.Next, want) {
		t.Errorf("next link %q", p.Next)
	}
	if p = getPage(t, tenant, strings.TrimPrefix(p.Next, "https://graph.microsoft.com/v1.0")); p.names() != "o'dea" {
		t.Errorf("second page %q", p.names())
	}
}

// Observed on 20 December 2022: a path without version.
func TestNoVersion(t *testing.T) {
	t.Parallel()
	req := newRequest(t, "GET", "", "")
	req.URL.Path = "/users/" + adele
	resp, err := newTenant().RoundTripper().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, read(t, resp), 404, "ResourceNotFound", "Invalid version: users")
}

// The headers are those of recorded answers: Azure/azure-cli,
// src/azure-cli/azure/cli/command_modules/role/tests/latest/recordings.
func TestHeaders(t *testing.T) {
	t.Parallel()
	const (
		minimal = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
		user    = "/users/" + adele
	)
	for _, test := range []struct {
		name, method, path, body string
		want                     map[string]string // "" is for none
	}{
		{"read", "GET", user, "", map[string]string{"Content-Type": minimal, "OData-Version": "4.0", "Vary": "Accept-Encoding", "Location": ""}},
		{"action of a user", "POST", user + "/assignLicense", add(officeID), map[string]string{"Content-Type": minimal, "OData-Version": "4.0", "Vary": "Accept-Encoding", "Location": "https://graph.microsoft.com"}},
		{"action of a group", "POST", "/groups/" + salesID + "/assignLicense", add(officeID), map[string]string{"Content-Type": minimal, "OData-Version": "4.0", "Vary": "Accept-Encoding",
			"Location": "https://graph.microsoft.com/v2/00000000-0000-4000-8000-000000000001/directoryObjects/1132b215-826f-42a9-8cfe-1643d19d17fd/Microsoft.DirectoryServices.Group"}},
		{"no content", "PATCH", user, `{"usageLocation":"DE"}`, map[string]string{"Content-Type": "", "OData-Version": "", "Vary": "", "Location": ""}},
		{"refusal", "POST", user + "/assignLicense", remove(officeID), map[string]string{"Content-Type": "application/json", "OData-Version": "", "Vary": "Accept-Encoding", "Location": ""}},
		{"count", "GET", "/users/$count", "", map[string]string{"Content-Type": "text/plain", "OData-Version": "4.0", "Vary": "Accept-Encoding", "Location": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := call(t, newTenant(), test.method, test.path, test.body, eventual)
			test.want["Cache-Control"], test.want["Strict-Transport-Security"] = "no-cache", "max-age=31536000"
			for name, want := range test.want {
				if got := strings.Join(a.header.Values(name), "|"); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			for _, name := range []string{"Date", "request-id", "client-request-id", "x-ms-ags-diagnostic", "x-ms-resource-unit"} {
				if a.header.Get(name) == "" {
					t.Errorf("no %s in %v", name, a.header)
				}
			}
		})
	}
}

// Without metadata there is no context and no type, as in the answers that the
// documentation of pnp/cli-microsoft365 shows. Links and counts stay.
func TestNoMetadata(t *testing.T) {
	t.Parallel()
	const none = "Accept: application/json;odata.metadata=none"
	tenant := newListed()
	a := call(t, tenant, "GET", "/users?$select=usageLocation&$top=1&$count=true", "", none, eventual)
	next := getPage(t, tenant, "/users?$select=usageLocation&$top=1&$count=true", none, eventual).Next
	wantJSON(t, a, 200, `{"@odata.count":4,"@odata.nextLink":"`+next+`","value":[{"usageLocation":"US"}]}`)
	if got := a.header.Get("Content-Type"); got != "application/json;odata.metadata=none;odata.streaming=true;IEEE754Compatible=false;charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	wantJSON(t, call(t, tenant, "GET", "/users/"+adele+"?$select=usageLocation", "", "Accept: application/json; OData.Metadata=None, */*"), 200, `{"usageLocation":"US"}`)
	tenant.SetSeats(officeID, 0)
	g := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: officeID}}}, adele)
	wantJSON(t, call(t, tenant, "GET", "/groups/"+g.ID+"/membersWithLicenseErrors?$select=usageLocation", "", none), 200, `{"value":[{"usageLocation":"US"}]}`)
	wantError(t, call(t, tenant, "GET", "/users/nobody", "", none), 404, "Request_ResourceNotFound",
		"Resource 'nobody' does not exist or one of its queried reference-property objects are not present.")
}

// The number alone: user-list and group-list, example 3; without the header,
// microsoftgraph/microsoft-graph-docs-contrib, concepts/aad-advanced-queries.md,
// and its issue 2716.
func TestCount(t *testing.T) {
	t.Parallel()
	tenant := newListed()
	assign(t, tenant, "/users/"+adele, add(officeID))
	for path, want := range map[string]string{
		"/users/$count":   "4",
		"/groups/$count":  "2",
		"/Users/%24Count": "4",
		"/users/$count?$filter=assignedLicenses/$count+ne+0":          "2",
		"/users/$count?$filter=accountEnabled+eq+true":                "3",
		"/groups/$count?$filter=displayName+eq+'Mail'":                "1",
		"/groups/$count?$filter=startswith(displayName,'x')&$select=": "0",
	} {
		if a := call(t, tenant, "GET", path, "", eventual); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %q, want %s", path, a.status, a.body, want)
		}
		wantError(t, call(t, tenant, "GET", path, ""), 400, "Request_BadRequest", "$count is not currently supported.")
	}
	wantError(t, call(t, tenant, "GET", "/users/$count?$filter=accountEnabled+eq+maybe", "", eventual), 400, "BadRequest", "Invalid filter clause")
	wantError(t, call(t, tenant, "GET", "/users/$count?$search=x", "", eventual), 501, "NotImplemented", "licensingtest does not serve the query option $search.")
	wantError(t, call(t, tenant, "DELETE", "/users/$count", "", eventual), 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")

	// What is no JSON is base64 in a batch: concepts/json-batching.md.
	a := sendBatch(t, tenant, `{"id":"1","method":"GET","url":"/users/$count","headers":{"ConsistencyLevel":"eventual"}}`)[0]
	if a.Status != 200 || string(a.Body) != `"NA=="` || a.Headers["Content-Type"] != "text/plain" {
		t.Errorf("in a batch: %d %s %v", a.Status, a.Body, a.Headers)
	}
}
