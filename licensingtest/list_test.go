package licensingtest_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// A page is what a test looks at of a page of a listing.
type page struct {
	Next  string `json:"@odata.nextLink"`
	Count *int   `json:"@odata.count"`
	Value []struct{ ID, UserPrincipalName, DisplayName string }
}

func (p page) names() string {
	var names []string
	for _, v := range p.Value {
		name, _, _ := strings.Cut(v.UserPrincipalName, "@")
		names = append(names, name+v.DisplayName)
	}
	return strings.Join(names, " ")
}

func getPage(t *testing.T, tenant *licensingtest.Tenant, path string, headers ...string) page {
	t.Helper()
	a := call(t, tenant, "GET", path, "", headers...)
	var p page
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 {
		t.Fatalf("GET %s: %d %s, %v", path, a.status, a.body, err)
	}
	return p
}

// follow returns the pages of a listing, each with its names.
func follow(t *testing.T, tenant *licensingtest.Tenant, path string, headers ...string) []string {
	t.Helper()
	var pages []string
	for path != "" && len(pages) < 100 {
		p := getPage(t, tenant, path, headers...)
		pages = append(pages, p.names())
		path = strings.TrimPrefix(p.Next, "https://graph.microsoft.com/v1.0")
	}
	return pages
}

const eventual = "ConsistencyLevel: eventual"

// newListed returns the tenant of newTenant with users to look for.
//
//	adele   US, office
//	bob     US, basic from Sales
//	cy      no usage location, disabled, guest
//	o'dea   DE
func newListed() *licensingtest.Tenant {
	tenant := newTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "bob@contoso.example", DisplayName: "Bob", UsageLocation: "US"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "cy@contoso.example", DisplayName: "Cy", UserType: "Guest", AccountDisabled: true})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "o'dea@contoso.example", DisplayName: "O'Dea", UsageLocation: "DE"})
	tenant.AddGroup(licensingtest.Group{DisplayName: "Mail", Licenses: []licensingtest.License{{SKUID: basicID}}}, "bob@contoso.example")
	return tenant
}

func TestUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newListed()
		assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
		a := call(t, tenant, "GET", "/users?$select=id,usageLocation,assignedLicenses&$top=2", "")
		var p page
		if err := json.Unmarshal([]byte(a.body), &p); err != nil {
			t.Fatal(err)
		}
		link, token, ok := strings.Cut(p.Next, "&$skiptoken=")
		if !ok || link != "https://graph.microsoft.com/v1.0/users?$select=id,usageLocation,assignedLicenses&$top=2" || len(token) < 20 {
			t.Errorf("next link %q", p.Next)
		}
		wantJSON(t, a, 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id,usageLocation,assignedLicenses)",
			"@odata.nextLink":"`+p.Next+`",
			"value":[
				{"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd","usageLocation":"US",
				"assignedLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"]}]},
				{"id":"00000003-0000-4000-8000-000000000001","usageLocation":"US",
				"assignedLicenses":[{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":[]}]}]}`)
		wantJSON(t, call(t, tenant, "GET", strings.TrimPrefix(p.Next, "https://graph.microsoft.com/v1.0"), ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id,usageLocation,assignedLicenses)",
			"value":[
				{"id":"00000003-0000-4000-8000-000000000002","usageLocation":null,"assignedLicenses":[]},
				{"id":"00000003-0000-4000-8000-000000000003","usageLocation":"DE","assignedLicenses":[]}]}`)
		wantJSON(t, call(t, tenant, "GET", "/users?$filter=userPrincipalName%20eq%20'CY@contoso.example'", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users",
			"value":[{"businessPhones":[],"displayName":"Cy","givenName":null,"id":"00000003-0000-4000-8000-000000000002","jobTitle":null,"mail":null,
			"mobilePhone":null,"officeLocation":null,"preferredLanguage":null,"surname":null,"userPrincipalName":"cy@contoso.example"}]}`)
		wantJSON(t, call(t, tenant, "GET", "/users?$select=id&$filter=usageLocation+eq+'FR'", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id)","value":[]}`)
	})
}

func TestPages(t *testing.T) {
	t.Parallel()
	tenant := newListed()
	wantPages := func(want string, path string, headers ...string) {
		t.Helper()
		if got := strings.Join(follow(t, tenant, path, headers...), " | "); got != want {
			t.Errorf("%s: pages %q, want %q", path, got, want)
		}
	}
	wantPages("adele bob cy o'dea", "/users?$select=userPrincipalName")
	wantPages("adele bob | cy o'dea", "/users?$top=2&$select=userPrincipalName")
	wantPages("adele | o'dea", "/users?$top=1&$select=userPrincipalName&$filter=startswith(userPrincipalName,'a')+or+usageLocation+eq+'DE'")
	tenant.SetEmptyPages(true)
	wantPages(" | adele bob |  | cy o'dea", "/users?$top=2&$select=userPrincipalName")
	wantPages("", "/users?$filter=usageLocation%20eq%20'FR'")
	tenant.SetEmptyPages(false)

	// The count is on the first page, and only an advanced query has it.
	const counted = "/users?$top=1&$count=true&$select=userPrincipalName&$filter=assignedLicenses/$count%20eq%200"
	first := getPage(t, tenant, counted, eventual)
	if first.Count == nil || *first.Count != 3 || first.names() != "adele" {
		t.Errorf("first page %+v", first)
	}
	next := strings.TrimPrefix(first.Next, "https://graph.microsoft.com/v1.0")
	if second := getPage(t, tenant, next, eventual); second.Count != nil || second.names() != "cy" {
		t.Errorf("second page %+v", second)
	}
	wantError(t, call(t, tenant, "GET", next, ""), 400, "Request_UnsupportedQuery",
		"Unsupported or invalid query filter clause specified for property 'assignedLicenses' of resource 'User'.")
	if p := getPage(t, tenant, "/users?$count=true&$select=id"); p.Count != nil {
		t.Errorf("count %d without the header", *p.Count)
	}

	// A page begins where the one before ended, whatever has changed since.
	assign(t, tenant, "/users/"+adele, add(officeID))
	assign(t, tenant, "/users/o%27dea@contoso.example", add(officeID))
	if second := getPage(t, tenant, next, eventual); second.names() != "cy" || second.Next != "" {
		t.Errorf("second page after changes %+v", second)
	}

	for range 120 {
		tenant.AddUser(licensingtest.User{})
	}
	if p := getPage(t, tenant, "/users?$select=id"); len(p.Value) != 100 || p.Next == "" {
		t.Errorf("%d users on a page by default, next link %q", len(p.Value), p.Next)
	}
	if p := getPage(t, tenant, "/users?$select=id&$top=999"); len(p.Value) != 124 || p.Next != "" {
		t.Errorf("%d users on a large page, next link %q", len(p.Value), p.Next)
	}
}

func TestPageTokens(t *testing.T) {
	t.Parallel()
	tenant := newListed()
	link := func() string {
		return strings.TrimPrefix(getPage(t, tenant, "/users?$top=1&$select=id").Next, "https://graph.microsoft.com/v1.0")
	}
	old := link()
	wantError(t, call(t, tenant, "GET", strings.Replace(old, "$top=1", "$top=2", 1), ""), 400, "BadRequest", "Invalid skip token.")
	wantError(t, call(t, tenant, "GET", strings.Replace(old, "/users", "/groups", 1), ""), 400, "BadRequest", "Invalid skip token.")
	wantError(t, call(t, tenant, "GET", "/users?$top=1&$select=id&$skiptoken=2", ""), 400, "BadRequest", "Invalid skip token.")
	getPage(t, tenant, strings.Replace(old, "$skiptoken", "%24skipToken", 1))
	path, token, _ := strings.Cut(old, "$skiptoken=")
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !strings.HasPrefix(string(text), "0 1 ") {
		t.Fatalf("token %q, %v", text, err)
	}
	for first, want := range map[string]int{"-1": 400, "0": 200, "3": 200, "4": 400, "99999999": 400} {
		forged := base64.RawURLEncoding.EncodeToString([]byte("0 " + first + strings.TrimPrefix(string(text), "0 1")))
		a := call(t, tenant, "GET", path+"$skiptoken="+forged, "")
		if want == 400 {
			wantError(t, a, 400, "BadRequest", "Invalid skip token.")
		} else if a.status != want {
			t.Errorf("token for a page from %s: %d %s", first, a.status, a.body)
		}
	}

	tenant.ExpirePageTokens()
	wantError(t, call(t, tenant, "GET", old, ""), 400, "Directory_ExpiredPageToken",
		"The specified page token value has expired and can no longer be included in your request.")
	getPage(t, tenant, link())
}

func TestNextLinkHost(t *testing.T) {
	t.Parallel()
	tenant := newListed()
	for _, server := range []*httptest.Server{httptest.NewServer(tenant), httptest.NewTLSServer(tenant)} {
		defer server.Close()
		req := newRequest(t, "GET", "", "")
		req.URL.Scheme, req.URL.Host, _ = strings.Cut(server.URL, "://")
		req.Host, req.URL.Path, req.URL.RawQuery = "", "/graph/v1.0/users", "$top=3&$select=userPrincipalName"
		for _, want := range []string{"adele bob cy", "o'dea"} {
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			var p page
			err = json.NewDecoder(resp.Body).Decode(&p)
			resp.Body.Close()
			if err != nil || p.names() != want {
				t.Fatalf("page %+v, %v; want %s", p, err, want)
			}
			if want == "o'dea" {
				break
			}
			if !strings.HasPrefix(p.Next, server.URL+"/graph/v1.0/users?$top=3&$select=userPrincipalName&$skiptoken=") {
				t.Fatalf("next link %q of %s", p.Next, server.URL)
			}
			if req.URL, err = req.URL.Parse(p.Next); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newListed()
		tenant.SetSeats(officeID, 1)
		assign(t, tenant, "/users/"+adele, add(officeID))
		staff := tenant.AddGroup(licensingtest.Group{DisplayName: "Staff", Licenses: []licensingtest.License{{SKUID: officeID, DisabledPlans: []uuid.UUID{exchangeID}}}},
			adele, "bob@contoso.example", "cy@contoso.example")
		const filter = "$filter=hasMembersWithLicenseErrors%20eq%20true"

		wantJSON(t, call(t, tenant, "GET", "/groups?"+filter+"&$select=id,displayName&$count=true", "", eventual), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(id,displayName)","@odata.count":1,
			"value":[{"id":"00000004-0000-4000-8000-000000000002","displayName":"Staff"}]}`)
		if got := follow(t, tenant, "/groups?"+filter+"&$select=displayName"); len(got) != 1 || got[0] != "Staff" {
			t.Errorf("without the header: %q", got)
		}
		for filter, want := range map[string]string{
			"hasMembersWithLicenseErrors+eq+false":                        "Sales Mail",
			"displayName+eq+'staff'":                                      "Staff",
			"assignedLicenses/any(x:x/skuId+eq+" + basicID.String() + ")": "Mail",
		} {
			if got := getPage(t, tenant, "/groups?$select=displayName&$filter="+filter).names(); got != want {
				t.Errorf("%s: %q, want %q", filter, got, want)
			}
		}
		wantError(t, call(t, tenant, "GET", "/groups?$filter=assignedLicenses/$count+ne+0", ""), 400, "Request_UnsupportedQuery",
			"Unsupported or invalid query filter clause specified for property 'assignedLicenses' of resource 'Group'.")
		if got := fmt.Sprintf("%q", follow(t, tenant, "/groups?$top=2&$select=displayName")); got != `["Sales Mail" "Staff"]` {
			t.Errorf("pages %s", got)
		}
		wantJSON(t, call(t, tenant, "GET", "/groups?$top=1&$filter=displayName+eq+'Mail'&$select=assignedLicenses,licenseProcessingState,hasMembersWithLicenseErrors", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups(assignedLicenses,licenseProcessingState,hasMembersWithLicenseErrors)",
			"value":[{"assignedLicenses":[{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":[]}],"licenseProcessingState":{"state":"ProcessingComplete"}}]}`)

		path := "/groups/" + staff.ID + "/membersWithLicenseErrors"
		wantJSON(t, call(t, tenant, "GET", path+"?$select=id,licenseAssignmentStates&$top=999", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects(id,licenseAssignmentStates)","value":[
			{"@odata.type":"#microsoft.graph.user","id":"00000003-0000-4000-8000-000000000001","licenseAssignmentStates":[
				{"skuId":"3b555118-da6a-4418-894f-7df1e2096870","disabledPlans":[],"assignedByGroup":"00000004-0000-4000-8000-000000000001",
				"state":"Active","error":"None","lastUpdatedDateTime":"2000-01-01T00:00:00Z"},
				{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["efb87545-963c-4e0d-99df-69c6916d9eb0"],"assignedByGroup":"00000004-0000-4000-8000-000000000002",
				"state":"Error","error":"CountViolation","lastUpdatedDateTime":"2000-01-01T00:00:00Z"}]},
			{"@odata.type":"#microsoft.graph.user","id":"00000003-0000-4000-8000-000000000002","licenseAssignmentStates":[
				{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["efb87545-963c-4e0d-99df-69c6916d9eb0"],"assignedByGroup":"00000004-0000-4000-8000-000000000002",
				"state":"Error","error":"CountViolation","lastUpdatedDateTime":"2000-01-01T00:00:00Z"}]}]}`)
		if got := fmt.Sprintf("%q", follow(t, tenant, path+"?$top=1&$select=userPrincipalName")); got != `["bob" "cy"]` {
			t.Errorf("pages of members %s", got)
		}
		if got := follow(t, tenant, path); len(got) != 1 || got[0] != "bobBob cyCy" {
			t.Errorf("members with the default properties: %q", got)
		}

		// More seats, and all is well.
		tenant.SetSeats(officeID, 3)
		for _, user := range []string{"bob", "cy"} {
			if a := call(t, tenant, "POST", "/users/"+user+"@contoso.example/reprocessLicenseAssignment", ""); a.status != 200 {
				t.Errorf("reprocess %s: %d %s", user, a.status, a.body)
			}
		}
		wantJSON(t, call(t, tenant, "GET", path, ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects","value":[]}`)
		if got := follow(t, tenant, "/groups?"+filter); got[0] != "" {
			t.Errorf("groups with errors: %q, want none", got)
		}
	})
}

func TestFormerMembers(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddMember(salesID, adele)
	assign(t, tenant, "/groups/"+salesID, add(basicID, liteID))
	tenant.Process()
	tenant.SetProxyAddressConflict(adele, true)
	assign(t, tenant, "/groups/"+salesID, add(basicID))
	tenant.Process()
	wantRows(t, tenant, adele, "EXCHANGESTANDARD Sales ActiveWithError UniquenessViolation -1")
	path := "/groups/" + salesID + "/membersWithLicenseErrors?$select=userPrincipalName"
	if got := getPage(t, tenant, path).names(); got != "adele" {
		t.Errorf("members with errors %q, want adele", got)
	}
	tenant.RemoveMember(salesID, adele)
	if got := getPage(t, tenant, path).names(); got != "" {
		t.Errorf("members with errors %q, want none", got)
	}
}

func TestQueryRefusals(t *testing.T) {
	t.Parallel()
	const (
		group    = "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd"
		single   = "The query specified in the URI is not valid. The requested resource is not a collection. Query options $filter, $orderby, $count, $skip, and $top can be applied only on collections."
		property = "Parsing OData Select and Expand failed: Could not find a property named 'x' on type 'microsoft.graph."
		filtered = "Filtered searches against this resource are not supported."
	)
	for _, test := range []struct {
		path          string
		status        int
		code, message string
	}{
		{"/users?$skip=1", 400, "Request_BadRequest", "'$skip' is not supported by the service."},
		{"/groups?$skip=1", 400, "Request_BadRequest", "'$skip' is not supported by the service."},
		{"/users?$top=1000", 400, "Request_UnsupportedQuery", "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."},
		{"/groups?$top=0", 400, "Request_UnsupportedQuery", "Invalid page size specified: '0'. Must be between 1 and 999 inclusive."},
		{"/users?$top=many", 400, "BadRequest", "Invalid value 'many' for $top query option found."},
		{"/users?$count=yes", 400, "BadRequest", "Invalid value 'yes' for $count query option found."},
		{"/users?$top=1&%24top=2", 400, "BadRequest", "Query option '$top' was specified more than once, but it must be specified at most once."},
		{"/users?$select=id,x", 400, "BadRequest", property + "user'."},
		{"/groups?$select=x", 400, "BadRequest", property + "group'."},
		{"/subscribedSkus?$select=x", 400, "BadRequest", property + "subscribedSku'."},
		{"/users/" + adele + "/licenseDetails?$select=x", 400, "BadRequest", property + "licenseDetails'."},
		{group + "/membersWithLicenseErrors?$select=x", 400, "BadRequest", property + "user'."},
		{group + "/membersWithLicenseErrors?$filter=userType+eq+'Guest'", 501, "NotImplemented", "licensingtest does not serve filters of directoryObjects."},
		{"/users?$select=id, displayName", 400, "BadRequest", "Bad Request - Invalid URL"},
		{"/users?$filter=%zz", 400, "BadRequest", "Bad Request - Invalid URL"},
		{"/users?$orderby=displayName", 501, "NotImplemented", "licensingtest does not serve the query option $orderby."},
		{"/users/" + adele + "?$expand=memberOf", 501, "NotImplemented", "licensingtest does not serve the query option $expand."},
		{"/users/" + adele + "?$top=1", 400, "BadRequest", single},
		{group + "?$count=true", 400, "BadRequest", single},
		{"/subscribedSkus?$filter=skuPartNumber+eq+'MCOEV'", 400, "Request_UnsupportedQuery", filtered},
		{"/users/" + adele + "/licenseDetails?$filter=skuPartNumber+eq+'MCOEV'", 400, "Request_UnsupportedQuery", filtered},
		{"/subscribedSkus?$top=5", 400, "BadRequest", "The query option '$top' is not supported on this resource."},
		{"/subscribedSkus/" + officeID.String(), 404, "Request_ResourceNotFound", "Resource '" + officeID.String() + "' does not exist or one of its queried reference-property objects are not present."},
		{"/users/nobody/licenseDetails", 404, "Request_ResourceNotFound", "Resource 'nobody' does not exist or one of its queried reference-property objects are not present."},
		{"/groups/" + adeleID + "/membersWithLicenseErrors", 404, "Request_ResourceNotFound", "Resource '" + adeleID + "' does not exist or one of its queried reference-property objects are not present."},
		{"/me/licenseDetails", 400, "BadRequest", "/me request is only valid with delegated authentication flow."},
	} {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			wantError(t, call(t, newTenant(), "GET", test.path, ""), test.status, test.code, test.message)
		})
	}
}

func TestResourceUnits(t *testing.T) {
	t.Parallel()
	const group = "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd"
	for _, test := range []struct{ method, path, body, want string }{
		{"GET", "/subscribedSkus", "", "3"},
		{"GET", "/subscribedSkus?$select=skuId", "", "2"},
		{"GET", "/subscribedSkus/00000000-0000-4000-8000-000000000001_6fd2c87f-b296-42f0-b197-1e91e994b900", "", "1"},
		{"GET", "/users", "", "2"},
		{"GET", "/users?$top=20", "", "2"},
		{"GET", "/users?$top=19", "", "1"},
		{"GET", "/users?$top=19&$select=id", "", "1"},
		{"GET", "/users/" + adele, "", "1"},
		{"GET", "/users/" + adele + "/licenseDetails", "", "2"},
		{"GET", "/users/" + adele + "/licenseDetails?$select=skuId", "", "1"},
		{"GET", "/users/" + adele + "/memberOf", "", "1"},
		{"GET", "/users/$count", "", "1"},
		{"GET", "/directory/subscriptions", "", "1"},
		{"GET", group + "/members", "", "3"},
		{"GET", group + "/members?$select=id", "", "2"},
		{"GET", group + "/transitiveMembers", "", "5"},
		{"GET", "/groups", "", "1"},
		{"GET", group, "", "1"},
		{"GET", group + "/membersWithLicenseErrors", "", "1"},
		{"GET", "/users/nobody/licenseDetails", "", "1"},
		{"PATCH", "/users/" + adele, `{"usageLocation":"US"}`, "1"},
		{"POST", "/users/" + adele + "/assignLicense", add(officeID), "1"},
		{"POST", "/users/" + adele + "/reprocessLicenseAssignment", "", "1"},
		{"POST", group + "/assignLicense", add(officeID), "1"},
	} {
		if a := call(t, newTenant(), test.method, test.path, test.body); a.header.Get("x-ms-resource-unit") != test.want {
			t.Errorf("%s %s: %d, %s units, want %s", test.method, test.path, a.status, a.header.Get("x-ms-resource-unit"), test.want)
		}
	}
}
