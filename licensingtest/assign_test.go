package licensingtest_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	const (
		unreadable = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
		badGUID    = "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."
		location   = "License assignment cannot be done for user with invalid usage location."
		missing    = "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: "
		notHere    = "' does not exist or one of its queried reference-property objects are not present."
		method     = "Specified HTTP method is not allowed for the request target."
		none       = `{"addLicenses":[],"removeLicenses":[]}`
		user       = "/users/" + adele
		action     = user + "/assignLicense"
		sales      = "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd"
		elsewhere  = "00000000-1111-2222-3333-444444444444"
	)
	unknown := uuid.MustParse(elsewhere)
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, message            string
	}{
		{"no token", "GET", user, "", []string{"Authorization:"}, 401, "InvalidAuthenticationToken", "Access token is empty."},
		{"empty token", "GET", user, "", []string{"Authorization: Bearer"}, 401, "InvalidAuthenticationToken", "Access token is empty."},
		{"another scheme", "GET", user, "", []string{"Authorization: Basic eA=="}, 401, "InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217"},

		{"get of an action", "GET", action, "", nil, 405, "Request_BadRequest", method},
		{"post to a user", "POST", user, none, nil, 405, "Request_BadRequest", method},
		{"unknown collection", "GET", "/gadgets/1", "", nil, 400, "BadRequest", "Resource not found for the segment 'gadgets'."},
		{"no key after the slash", "GET", "/users/", "", nil, 400, "BadRequest", "Resource not found for the segment ''."},
		{"put of a user", "PUT", user, none, nil, 405, "Request_BadRequest", method},
		{"post to SKUs", "POST", "/subscribedSkus", none, nil, 405, "Request_BadRequest", method},
		{"post to users", "POST", "/users", none, nil, 501, "NotImplemented", "licensingtest does not serve POST of users."},
		{"delete of a user", "DELETE", user, "", nil, 501, "NotImplemented", "licensingtest does not serve DELETE of users/{id}."},
		{"post to groups", "POST", "/groups", none, nil, 501, "NotImplemented", "licensingtest does not serve POST of groups."},
		{"patch of a group", "PATCH", sales, none, nil, 501, "NotImplemented", "licensingtest does not serve PATCH of groups/{id}."},
		{"delete of a group", "DELETE", sales, "", nil, 501, "NotImplemented", "licensingtest does not serve DELETE of groups/{id}."},
		{"members with errors of a user", "GET", user + "/membersWithLicenseErrors", "", nil, 400, "BadRequest", "Resource not found for the segment 'membersWithLicenseErrors'."},
		{"namespace before what is no action", "GET", user + "/microsoft.graph.licenseDetails", "", nil, 400, "BadRequest", "Resource not found for the segment 'microsoft.graph.licenseDetails'."},
		{"empty key", "POST", "/users//assignLicense", none, nil, 400, "BadRequest", "Resource not found for the segment ''."},
		{"unknown action", "POST", user + "/assignLicens", none, nil, 400, "BadRequest", "Resource not found for the segment 'assignLicens'."},
		{"segment after the action", "POST", action + "/x", none, nil, 400, "BadRequest", "Resource not found for the segment 'x'."},
		{"reprocess of a group", "POST", sales + "/reprocessLicenseAssignment", "", nil, 400, "BadRequest", "Resource not found for the segment 'reprocessLicenseAssignment'."},
		{"key of me", "GET", "/me('x')", "", nil, 400, "BadRequest", "Resource not found for the segment 'me('x')'."},
		{"dollar in the slash form", "GET", "/users/$x@contoso.example", "", nil, 400, "BadRequest", "Bad Request - Error in query syntax."},
		{"single apostrophe in parentheses", "GET", "/users('o'brien@contoso.example')", "", nil, 400, "BadRequest", "Bad Request - Error in query syntax."},
		{"empty key in parentheses", "GET", "/users('')", "", nil, 400, "BadRequest", "Bad Request - Error in query syntax."},

		{"unknown user", "POST", "/users/nobody@contoso.example/assignLicense", none, nil, 404, "Request_ResourceNotFound", "Resource 'nobody@contoso.example" + notHere},
		{"unknown user read", "GET", "/users/" + elsewhere, "", nil, 404, "Request_ResourceNotFound", "Resource '" + elsewhere + notHere},
		{"unknown user reprocessed", "POST", "/users/" + elsewhere + "/reprocessLicenseAssignment", "", nil, 404, "Request_ResourceNotFound", "Resource '" + elsewhere + notHere},
		{"unknown group", "POST", "/groups/" + elsewhere + "/assignLicense", add(officeID), nil, 404, "Request_ResourceNotFound", "Resource '" + elsewhere + notHere},
		{"group id that is none", "GET", "/groups/sales", "", nil, 400, "Request_BadRequest", "Invalid object identifier 'sales'."},
		{"me without a user", "GET", "/me", "", nil, 400, "BadRequest", "/me request is only valid with delegated authentication flow."},

		{"empty body", "POST", action, "", nil, 400, "BadRequest", "Empty Payload. JSON content expected."},
		{"no content type", "POST", action, none, []string{"Content-Type:"}, 400, "BadRequest", "Write requests (excluding DELETE) must contain the Content-Type header declaration."},
		{"wrong content type", "POST", action, none, []string{"Content-Type: text/plain"}, 400, "BadRequest", unreadable},
		{"no JSON", "POST", action, "addLicenses=", nil, 400, "BadRequest", unreadable},
		{"null", "POST", action, "null", nil, 400, "BadRequest", unreadable},
		{"compressed without saying so", "POST", action, squeeze(none), nil, 400, "BadRequest", unreadable},
		{"not compressed but saying so", "POST", action, add(officeID), []string{"Content-Encoding: gzip"}, 400, "BadRequest", unreadable},
		{"compressed and cut", "POST", action, squeeze(none)[:20], []string{"Content-Encoding: gzip"}, 400, "BadRequest", unreadable},
		{"object for an array", "POST", action, `{"addLicenses":{},"removeLicenses":[]}`, nil, 400, "BadRequest", unreadable},

		{"addLicenses missing", "POST", action, `{"removeLicenses":[]}`, nil, 400, "Request_BadRequest", missing + "addLicenses."},
		{"removeLicenses missing", "POST", action, `{"addLicenses":[]}`, nil, 400, "Request_BadRequest", missing + "removeLicenses."},
		{"both missing", "POST", action, `{}`, nil, 400, "Request_BadRequest", missing + "addLicenses, removeLicenses."},
		{"null array", "POST", action, `{"addLicenses":null,"removeLicenses":[]}`, nil, 400, "Request_BadRequest", missing + "addLicenses."},
		{"no changes", "POST", action, none, nil, 400, "Request_BadRequest", "No license changes provided. At least one license to add or remove must be specified."},
		{"bad SKU", "POST", action, `{"addLicenses":[{"skuId":"ENTERPRISEPACK"}],"removeLicenses":[]}`, nil, 400, "Request_BadRequest", badGUID},
		{"tenant and SKU", "POST", action, `{"addLicenses":[],"removeLicenses":["` + elsewhere + "_" + officeID.String() + `"]}`, nil, 400, "Request_BadRequest", badGUID},
		{"GUID in braces", "POST", action, `{"addLicenses":[],"removeLicenses":["{` + elsewhere + `}"]}`, nil, 400, "Request_BadRequest", badGUID},
		{"null GUID", "POST", action, `{"addLicenses":[],"removeLicenses":[null]}`, nil, 400, "Request_BadRequest", badGUID},
		{"object to remove", "POST", action, `{"addLicenses":[],"removeLicenses":[{"skuId":"` + officeID.String() + `"}]}`, nil, 400, "Request_BadRequest", badGUID},
		{"bad plan", "POST", action, `{"addLicenses":[{"skuId":"` + officeID.String() + `","disabledPlans":["TEAMS1"]}],"removeLicenses":[]}`, nil, 400, "Request_BadRequest", badGUID},

		{"misspelled property", "POST", action, `{"addLicenses":[{"skuId":"` + officeID.String() + `","disabledPlan":[]}],"removeLicenses":[]}`, nil, 501, "NotImplemented", "licensingtest does not serve the property disabledPlan in the body of assignLicense."},
		{"unknown parameter", "POST", sales + "/assignLicense", `{"addLicenses":[],"removeLicenses":[],"notify":true,"force":true}`, nil, 501, "NotImplemented", "licensingtest does not serve the property force in the body of assignLicense."},
		{"text for a license", "POST", action, `{"addLicenses":["` + officeID.String() + `"],"removeLicenses":[]}`, nil, 400, "BadRequest", unreadable},
		{"null for a license", "POST", action, `{"addLicenses":[null],"removeLicenses":[]}`, nil, 400, "Request_BadRequest", "License 00000000-0000-0000-0000-000000000000 does not correspond to a valid company License."},

		{"unknown SKU", "POST", action, add(unknown), nil, 400, "Request_BadRequest", "License " + elsewhere + " does not correspond to a valid company License."},
		{"unknown SKU to remove", "POST", action, remove(unknown), nil, 400, "Request_BadRequest", "License " + elsewhere + " does not correspond to a valid company License."},
		{"SKU left out", "POST", action, `{"addLicenses":[{"disabledPlans":[]}],"removeLicenses":[]}`, nil, 400, "Request_BadRequest", "License 00000000-0000-0000-0000-000000000000 does not correspond to a valid company License."},
		{"SKU for companies", "POST", action, add(companyID), nil, 400, "Request_BadRequest", "License " + companyID.String() + " cannot be assigned to a user."},
		{"plan of another SKU", "POST", action, add(officeID, phoneID), nil, 400, "Request_BadRequest", "Service plan " + phoneID.String() + " does not belong to license " + officeID.String() + "."},
		{"SKU in both lists", "POST", action, strings.Replace(add(officeID), `"removeLicenses":[]`, `"removeLicenses":["`+officeID.String()+`"]`, 1), nil, 400, "Request_BadRequest", "License " + officeID.String() + " is specified more than once."},
		{"not assigned", "POST", action, remove(officeID), nil, 400, "Request_BadRequest", "User does not have a corresponding license."},
		{"no usage location", "POST", "/users/nowhere@contoso.example/assignLicense", add(officeID), nil, 400, "Request_BadRequest", location},
		{"barred", "POST", "/users/priya@contoso.example/assignLicense", add(callingID), nil, 400, "Request_BadRequest", location},
		{"dependency", "POST", action, add(callingID), nil, 400, "Request_BadRequest", "License assignment failed because service plan " + phoneID.String() + " depends on the service plan(s) " + teamsID.String()},
		{"proxy addresses", "POST", "/users/clash@contoso.example/assignLicense", add(officeID), nil, 400, "Request_BadRequest", "Another object with the same value for property proxyAddresses already exists."},

		{"unknown SKU on a group", "POST", sales + "/assignLicense", add(unknown), nil, 400, "Request_BadRequest", "License " + elsewhere + " does not correspond to a valid company License."},
		{"empty body for a group", "POST", sales + "/assignLicense", "", nil, 400, "BadRequest", "Empty Payload. JSON content expected."},
		{"removal of what a group lacks", "POST", sales + "/assignLicense", remove(officeID), nil, 400, "Request_BadRequest", "Group does not have a corresponding license."},
		{"no changes on a group", "POST", sales + "/assignLicense", none, nil, 400, "Request_BadRequest", "No license changes provided. At least one license to add or remove must be specified."},

		{"unknown property of a user", "GET", user + "?$select=id,shoeSize", "", nil, 400, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named 'shoeSize' on type 'microsoft.graph.user'."},
		{"unknown property of a group", "GET", sales + "?%24select=usageLocation", "", nil, 400, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named 'usageLocation' on type 'microsoft.graph.group'."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			tenant.AddUser(licensingtest.User{UserPrincipalName: "nowhere@contoso.example"})
			tenant.AddUser(licensingtest.User{UserPrincipalName: "priya@contoso.example", UsageLocation: "IN"})
			tenant.AddUser(licensingtest.User{UserPrincipalName: "clash@contoso.example", UsageLocation: "US", ProxyAddressConflict: true})
			a := call(t, tenant, test.method, test.path, test.body, test.headers...)
			wantError(t, a, test.status, test.code, test.message)
			if got := tenant.Writes(); got != nil {
				t.Errorf("writes: %v, want none", got)
			}
		})
	}
}

func TestMoreRefusals(t *testing.T) {
	t.Parallel()
	tenant := newTenant()

	for range 3 {
		tenant.AddUser(licensingtest.User{Licenses: []licensingtest.License{{SKUID: officeID}}})
	}
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(officeID)), 400, "Request_BadRequest",
		"Subscription with SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 does not have any available licenses.")

	member := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: basicID}}}, member.ID)
	wantError(t, call(t, tenant, "POST", "/users/"+member.ID+"/assignLicense", remove(basicID)), 400, "Request_BadRequest",
		"User license is inherited from a group membership and it cannot be removed directly from the user.")

	assign(t, tenant, "/users/"+adele, add(basicID))
	tenant.AddSKU(licensingtest.SKU{ID: uuid.MustParse("05e9a617-0261-4cee-bb44-138d3ef5d965"), Seats: 1, Plans: []licensingtest.Plan{{ID: exchangeID}}})
	wantError(t, call(t, tenant, "POST", "/users/"+adele+"/assignLicense", add(uuid.MustParse("05e9a617-0261-4cee-bb44-138d3ef5d965"))), 400, "Request_BadRequest",
		"License assignment failed because service plans efb87545-963c-4e0d-99df-69c6916d9eb0,9aaf7827-d63c-4b61-89c3-182f06f82e5c are mutually exclusive")

	// What is not held conflicts with nothing.
	tenant.SetSeats(officeID, 0)
	failed := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID}}}, failed.ID)
	assign(t, tenant, "/users/"+failed.ID, add(basicID))
	wantRows(t, tenant, failed.ID, "EXCHANGESTANDARD direct Active; ENTERPRISEPACK Staff Error CountViolation")

	tenant.RequireToken("right")
	wantError(t, call(t, tenant, "GET", "/users/"+adele, ""), 401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
	if a := call(t, tenant, "GET", "/users/"+adele, "", "Authorization: bearer right"); a.status != 200 {
		t.Errorf("required token: %d %s", a.status, a.body)
	}
}

func TestErrorFrame(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "clash@contoso.example", UsageLocation: "US", ProxyAddressConflict: true})

	a := call(t, tenant, "POST", "/users/clash@contoso.example/assignLicense", add(officeID), "client-request-id: 2258e70a-3842-4507-82f1-240af94f3889")
	date := strings.Replace(a.body[strings.Index(a.body, `"date":"`)+8:], `"`, "", 1)[:19]
	wantJSON(t, a, 400, `{"error":{"code":"Request_BadRequest","message":"Another object with the same value for property proxyAddresses already exists.",
		"details":[{"target":"proxyAddresses","code":"ObjectConflict"}],
		"innerError":{"date":"`+date+`","request-id":"00000005-0000-4000-8000-000000000001","client-request-id":"2258e70a-3842-4507-82f1-240af94f3889"}}}`)
	for name, want := range map[string]string{
		"request-id":         "00000005-0000-4000-8000-000000000001",
		"client-request-id":  "2258e70a-3842-4507-82f1-240af94f3889",
		"x-ms-resource-unit": "1",
		"Content-Type":       "application/json", // microsoftgraph/msgraph-sdk-powershell issues 3286 and 3361, and two answers of 403
		"OData-Version":      "",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a.header.Get("Date") == "" || !strings.Contains(a.header.Get("x-ms-ags-diagnostic"), `"ServerInfo"`) {
		t.Errorf("headers %v lack Date or diagnostics", a.header)
	}

	a = call(t, tenant, "GET", "/me", "", "Authorization:")
	if id := a.header.Get("client-request-id"); id != a.header.Get("request-id") || !strings.Contains(a.body, `"client-request-id":"`+id+`"`) {
		t.Errorf("client-request-id %q is not the request-id in %s", id, a.body)
	}
	if !strings.Contains(a.header.Get("WWW-Authenticate"), "authorization_uri=") {
		t.Errorf("WWW-Authenticate: %q", a.header.Get("WWW-Authenticate"))
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, user string }{
		{"id", "/users/87d349ed-44d7-43e1-9a83-5f2406dee5bd/assignLicense", ""},
		{"id in upper case", "/users/87D349ED-44D7-43E1-9A83-5F2406DEE5BD/assignLicense", ""},
		{"user principal name", "/users/Adele@Contoso.Example/assignLicense", ""},
		{"namespace", "/users/adele@contoso.example/microsoft.graph.assignLicense", ""},
		{"parentheses", "/users('adele@contoso.example')/assignLicense", ""},
		{"me", "/me/assignLicense", ""},
		{"guest", "/users/kim_fabrikam.example%23EXT%23@contoso.example/assignLicense", "kim_fabrikam.example#EXT#@contoso.example"},
		{"apostrophe", "/users/o%27brien@contoso.example/assignLicense", "o'brien@contoso.example"},
		{"apostrophe in parentheses", "/users('o''brien@contoso.example')/assignLicense", "o'brien@contoso.example"},
		{"escaped apostrophe in parentheses", "/users(%27o%27%27brien@contoso.example%27)/assignLicense", "o'brien@contoso.example"},
		{"dollar in parentheses", "/users('$pay@contoso.example')/assignLicense", "$pay@contoso.example"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			tenant.SignIn(adele)
			user := adele
			if test.user != "" {
				user = tenant.AddUser(licensingtest.User{UserPrincipalName: test.user, UsageLocation: "DE"}).ID
			}
			if a := call(t, tenant, "POST", test.path, add(officeID)); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			wantRows(t, tenant, user, "ENTERPRISEPACK direct Active")
			if got := tenant.Requests()[0].Path; got != "/v1.0"+test.path {
				t.Errorf("logged path %q, want %q", got, "/v1.0"+test.path)
			}
		})
	}

	tenant := newTenant()
	req := newRequest(t, "GET", "", "")
	req.URL.Path = "/proxy/graph/v1.0/users/" + adele
	if resp, err := tenant.RoundTripper().RoundTrip(req); err != nil || resp.StatusCode != 200 {
		t.Errorf("below a base path: %v, %v", resp, err)
	}
	for path, want := range map[string]int{"/beta/users/" + adele: 501, "/proxy/beta/users": 501, "/users/" + adele: 404, "/v1.0beta/users": 404} {
		req.URL.Path = path
		if resp, err := tenant.RoundTripper().RoundTrip(req); err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v, %v, want %d", path, resp, err, want)
		}
	}
}

func TestAssignUser(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		calls  []string // bodies of assignLicense; one that starts with "!" is refused
		want   string
		office int // seats consumed
	}{
		{"add", []string{add(officeID)}, "ENTERPRISEPACK direct Active", 1},
		{"add again", []string{add(officeID), add(officeID)}, "ENTERPRISEPACK direct Active", 1},
		{"disabled plans are replaced", []string{add(officeID, yammerID, teamsID), add(officeID, exchangeID)}, "ENTERPRISEPACK direct Active -1", 1},
		{"an empty list enables everything", []string{add(officeID, yammerID), add(officeID)}, "ENTERPRISEPACK direct Active", 1},
		{"a plan twice", []string{add(officeID, yammerID, yammerID)}, "ENTERPRISEPACK direct Active -1", 1},
		{"a list left out changes nothing", []string{add(officeID, yammerID), `{"addLicenses":[{"skuId":"` + officeID.String() + `"}],"removeLicenses":[]}`}, "ENTERPRISEPACK direct Active -1", 1},
		{"GUID in upper case", []string{strings.ToUpper(add(officeID)[:0]) + strings.Replace(add(officeID), officeID.String(), strings.ToUpper(officeID.String()), 1)}, "ENTERPRISEPACK direct Active", 1},
		{"annotations", []string{`{"@odata.context":"","addLicenses":[{"@odata.type":"#microsoft.graph.assignedLicense","skuId":"` + officeID.String() + `","disabledPlans@odata.type":"#Collection(Guid)","disabledPlans":[]}],"removeLicenses":[]}`}, "ENTERPRISEPACK direct Active", 1},
		// Names have no case: microsoftgraph/microsoft-graph-docs-contrib, concepts/traverse-the-graph.md.
		{"names in another case", []string{`{"AddLicenses":[{"SkuId":"` + officeID.String() + `","DISABLEDPLANS":["` + yammerID.String() + `"]}],"removelicenses":[]}`}, "ENTERPRISEPACK direct Active -1", 1},
		{"remove", []string{add(officeID), remove(officeID)}, "", 0},
		{"remove the same one twice", []string{add(officeID), `{"addLicenses":[],"removeLicenses":["` + officeID.String() + `","` + officeID.String() + `"]}`}, "", 0},
		{"dependency in the same call", []string{`{"addLicenses":[{"skuId":"` + callingID.String() + `","disabledPlans":[]},{"skuId":"` + officeID.String() + `","disabledPlans":[]}],"removeLicenses":[]}`}, "MCOEV direct Active; ENTERPRISEPACK direct Active", 1},
		{"dependency with a disabled plan", []string{"!" + strings.Replace(add(officeID, teamsID), `}]`, `},{"skuId":"`+callingID.String()+`"}]`, 1)}, "", 0},
		{"removal of what another one needs", []string{add(officeID), add(callingID), "!" + remove(officeID)}, "ENTERPRISEPACK direct Active; MCOEV direct Active", 1},
		{"disabling what another one needs", []string{add(officeID), add(callingID), "!" + add(officeID, teamsID)}, "ENTERPRISEPACK direct Active; MCOEV direct Active", 1},
		{"conflict", []string{add(officeID), "!" + add(basicID)}, "ENTERPRISEPACK direct Active", 1},
		{"conflict of a plan that is disabled", []string{add(officeID, exchangeID), add(basicID)}, "ENTERPRISEPACK direct Active -1; EXCHANGESTANDARD direct Active", 1},
		{"swap", []string{add(officeID), strings.Replace(add(basicID), `"removeLicenses":[]`, `"removeLicenses":["`+officeID.String()+`"]`, 1)}, "EXCHANGESTANDARD direct Active", 0},
		{"nothing of a call that fails in part", []string{"!" + strings.Replace(add(officeID), `"removeLicenses":[]`, `"removeLicenses":["`+basicID.String()+`"]`, 1)}, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			for _, body := range test.calls {
				body, refused := strings.CutPrefix(body, "!")
				a := call(t, tenant, "POST", "/users/"+adele+"/assignLicense", body)
				if want := map[bool]int{false: 200, true: 400}[refused]; a.status != want {
					t.Fatalf("%s: %d %s", body, a.status, a.body)
				}
			}
			wantRows(t, tenant, adele, test.want)
			wantConsumed(t, tenant, officeID, test.office)
		})
	}
}

// A successful write of a user answers with the default properties alone.
func TestAnswerToUserWrite(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SignIn(adele)
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: basicID, DisabledPlans: []uuid.UUID{liteID}}}}, adele)
	for _, test := range []struct{ path, body string }{
		{"/users/" + adele + "/assignLicense", add(officeID, yammerID)},
		{"/users/" + adeleID + "/assignLicense", add(officeID, yammerID)}, // changes nothing
		{"/me/assignLicense", add(callingID)},
		{"/users('" + adele + "')/microsoft.graph.assignLicense", remove(callingID)},
		{"/users/" + adele + "/reprocessLicenseAssignment", ""},
		{"/me/reprocessLicenseAssignment", ""},
	} {
		t.Run(test.path, func(t *testing.T) {
			wantJSON(t, call(t, tenant, "POST", test.path, test.body), 200, adeleBare)
		})
	}
	wantRows(t, tenant, adele, "ENTERPRISEPACK direct Active -1; EXCHANGESTANDARD Group 2 Active -1")
}

func TestCompressedBody(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	if a := call(t, tenant, "POST", "/users/"+adele+"/assignLicense", squeeze(add(officeID)), "Content-Encoding: gzip"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := string(tenant.Requests()[0].Body); got != add(officeID) {
		t.Errorf("logged body %q", got)
	}
}

func squeeze(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

func TestLastSeat(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	users := make([]licensingtest.User, 10)
	for i := range users {
		users[i] = tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	}
	statuses := make(chan int, len(users))
	var wg sync.WaitGroup
	for _, u := range users {
		wg.Go(func() { statuses <- call(t, tenant, "POST", "/users/"+u.ID+"/assignLicense", add(officeID)).status })
	}
	wg.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[200] != 3 || count[400] != 7 {
		t.Errorf("answers %v, want 3 of 200 and 7 of 400", count)
	}
	wantConsumed(t, tenant, officeID, 3)
}

func TestWrites(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
	assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
	call(t, tenant, "POST", "/users/"+adele+"/assignLicense", remove(basicID))
	assign(t, tenant, "/users/"+adele, remove(officeID))
	assign(t, tenant, "/groups/"+salesID, add(officeID))

	writes := tenant.Writes()
	if len(writes) != 4 {
		t.Fatalf("%d writes, want 4", len(writes))
	}
	for i, want := range []struct {
		request        int
		target         string
		added, removed int
		changed        bool
	}{
		{0, adeleID, 1, 0, true},
		{1, adeleID, 1, 0, false},
		{3, adeleID, 0, 1, true},
		{4, salesID, 1, 0, true},
	} {
		w := writes[i]
		if w.Request != want.request || w.Target != want.target || len(w.Added) != want.added || len(w.Removed) != want.removed || w.Changed != want.changed {
			t.Errorf("write %d: %+v, want %+v", i, w, want)
		}
		if r := tenant.Requests()[w.Request]; r.RequestID != w.RequestID || r.ClientRequestID != w.ClientRequestID || w.Time.Before(r.Time) {
			t.Errorf("write %d: %+v is not of request %+v", i, w, r)
		}
	}
	if got := writes[0].Added[0]; got.SKUID != officeID || got.DisabledPlans[0] != yammerID {
		t.Errorf("added %v", got)
	}
}
