package main

import "fmt"

// A script call is one of the JavaScript client: a request with what was called
// on it first, or a batch.
type scriptCall struct {
	Method    string      `json:"method,omitempty"`
	Path      string      `json:"path,omitempty"`
	With      [][2]any    `json:"with,omitempty"` // method and argument
	Body      any         `json:"body,omitempty"`
	Pages     bool        `json:"pages,omitempty"` // read all, by a PageIterator
	Batch     []batchItem `json:"batch,omitempty"` // by the client's own means
	BatchBody any         `json:"batchBody,omitempty"`
}

type batchItem struct {
	ID        string   `json:"id"`
	Method    string   `json:"method"`
	Path      string   `json:"path"`
	Body      any      `json:"body,omitempty"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

type object = map[string]any

func get(path string, with ...[2]any) scriptCall {
	return scriptCall{Method: "get", Path: path, With: with}
}

func post(path string, body any) scriptCall {
	return scriptCall{Method: "post", Path: path, Body: body}
}

func filter(text string) [2]any { return [2]any{"filter", text} }
func selected(names ...string) [2]any {
	return [2]any{"select", names}
}

var (
	count    = [2]any{"count", true}
	eventual = [2]any{"headers", object{"ConsistencyLevel": "eventual"}}
)

const notAdvanced = "Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing."

// change is the body of assignLicense that adds and removes one SKU each, where
// not empty.
func change(add, remove string, disabled ...string) object {
	added, removed := []object{}, []string{}
	if add != "" {
		added = append(added, object{"skuId": add, "disabledPlans": append([]string{}, disabled...)})
	}
	if remove != "" {
		removed = append(removed, remove)
	}
	return object{"addLicenses": added, "removeLicenses": removed}
}

// scriptCalls are made by the JavaScript client, one after the other on the same
// tenant.
var scriptCalls = []call{
	{name: "SKUs", request: get("/subscribedSkus"), want: "ok"},
	{name: "SKUs selected", request: get("/subscribedSkus", selected("skuId", "skuPartNumber", "consumedUnits", "prepaidUnits")), want: "ok"},

	{name: "assign", request: post("/users/"+adele+"/assignLicense", change(e3, "", mail)), want: "ok"},
	{name: "assign, namespaced", request: post("/users/"+adeleID+"/microsoft.graph.assignLicense", change(e5, "")), want: "ok"},
	{name: "assign, annotated", request: post("/users/"+alex+"/assignLicense", object{
		"@odata.type": "#microsoft.graph.user",
		"addLicenses": []object{{"@odata.type": "#microsoft.graph.assignedLicense", "skuId": e3}}, "removeLicenses": []string{},
	}), want: "ok"},
	{name: "assign, without case", request: post("/Users/"+alex+"/assignlicense", object{"AddLicenses": []object{{"SkuId": e3}}, "RemoveLicenses": []string{}}), want: "ok"},
	{name: "assign and remove", request: post("/users/"+adele+"/assignLicense", change(e3, e5)), want: "ok"},
	{name: "assign: no seats", request: post("/users/"+adele+"/assignLicense", change(soldOut, "")), want: "error: 400 Request_BadRequest: " + noSeats[7:]},
	{name: "assign: no usage location", request: post("/users/"+lee+"/assignLicense", change(e3, "")), want: "error: 400 Request_BadRequest: " + noLocation[7:]},
	{name: "assign: nobody", request: post("/users/"+nobody+"/assignLicense", change(e3, "")), want: "error: 404 Request_ResourceNotFound: " + notFound[7:]},
	{name: "assign: array missing", request: post("/users/"+adele+"/assignLicense", object{"addLicenses": []object{{"skuId": e3}}}), want: "error: 400 Request_BadRequest: One or more parameters of the operation 'assignLicense' are missing"},
	{name: "remove: inherited", request: post("/users/"+alex+"/assignLicense", change("", e5)), want: "error: 400 Request_BadRequest: " + inherited[7:]},
	{name: "assign: group", request: post("/groups/"+staff+"/assignLicense", change(e3, "")), want: "ok"},
	{name: "assign: me", arrange: signIn, request: post("/me/assignLicense", change(e5, "")), want: "ok"},
	{name: "my license details", request: get("/me/licenseDetails"), want: "ok"},
	{name: "reprocess: no body", request: scriptCall{Method: "post", Path: "/users/" + alexID + "/reprocessLicenseAssignment"}, want: "ok"},
	{name: "reprocess: {}", request: post("/users/"+alexID+"/reprocessLicenseAssignment", object{}), want: "ok"},
	{name: "reprocess: null", request: object{"method": "post", "path": "/users/" + alexID + "/reprocessLicenseAssignment", "body": nil}, want: "ok"},
	{name: "usage location", request: scriptCall{Method: "patch", Path: "/users/" + lee, Body: object{"usageLocation": "FR"}}, want: "ok"},

	{name: "user", request: get("/users/" + guest), want: "error: 404"}, // the client takes all after # for a fragment
	{name: "user, escaped", request: get("/users/guest_fabrikam.example%23EXT%23@contoso.example", selected("id", "userPrincipalName", "assignedLicenses", "licenseAssignmentStates")), want: "ok"},
	{name: "user: no such property", request: get("/users/"+adele, selected("favoriteLicense")), want: "error: 400 BadRequest: Parsing OData Select and Expand failed: " + noProperty[7:]},
	{name: "user with manager", request: get("/users/"+adele, [2]any{"expand", "manager"}), want: "ok"},
	{name: "group", request: get("/groups/" + sales), want: "ok"},
	{name: "group's license errors", request: get("/groups/"+sales+"/membersWithLicenseErrors", selected("id", "licenseAssignmentStates")), want: "ok"},
	{name: "group's members", request: get("/groups/" + sales + "/members"), want: "ok"},
	{name: "all users, by pages", request: scriptCall{Path: "/users", Pages: true}, want: "ok", requests: 3},
	{name: "all users, over empty pages", arrange: emptyPages, request: scriptCall{Path: "/users", Pages: true, With: [][2]any{{"top", 50}, selected("id")}}, want: "ok", requests: 10},
	{name: "count", arrange: noEmptyPages, request: get("/users/$count", eventual), want: "ok"},
	{name: "count without its header", request: get("/users/$count"), want: "error: 400 Request_BadRequest: $count is not currently supported."},
	{name: "filter: in", request: get("/users", filter("userPrincipalName in ('"+adele+"','"+alex+"')"), selected("id")), want: "ok"},
	{name: "filter: id", request: get("/users", filter("id eq '"+adeleID+"'"), selected("id")), want: "ok"},
	{name: "filter: mail", request: get("/users", filter("mail eq '"+adele+"'"), selected("id")), want: "ok"},
	{name: "filter: endswith", request: get("/users", filter("endswith(userPrincipalName,'5@contoso.example')"), selected("id"), count, eventual), want: "ok"},
	{name: "filter: endswith without its header", request: get("/users", filter("endswith(userPrincipalName,'5@contoso.example')"), count), want: "error: 400 Request_UnsupportedQuery: " + notAdvanced},
	{name: "filter: endswith of a display name", request: get("/users", filter("endswith(displayName,'e')"), count, eventual), want: "error: 400"},
	{name: "filter: no usage location", request: get("/users", filter("usageLocation eq null"), selected("id"), count, eventual), want: "ok"},
	{name: "filter: license", request: get("/users", filter("assignedLicenses/any(x:x/skuId eq "+e3+")"), selected("id")), want: "ok"},
	{name: "filter: groups with errors", request: get("/groups", filter("hasMembersWithLicenseErrors eq true"), selected("id")), want: "ok"},
	{name: "sorted", request: get("/users", [2]any{"orderby", "displayName"}, [2]any{"top", 2}, selected("id")), want: "ok"},
	{name: "searched", request: get("/users", [2]any{"search", `"displayName:adele"`}, selected("id"), count, eventual), want: "ok"},

	{name: "batch", request: scriptCall{Batch: []batchItem{
		{ID: "1", Method: "POST", Path: "/users/" + adele + "/assignLicense", Body: change(e3, "")},
		{ID: "2", Method: "GET", Path: "/users/" + adele + "?$select=id,assignedLicenses", DependsOn: []string{"1"}},
	}}, want: "ok"},
	{name: "batch: numbers for ids", request: scriptCall{BatchBody: object{"requests": []object{{"id": 1, "method": "GET", "url": "/users/" + adele + "?$select=id"}}}}, want: "ok"},
	{name: "batch: none", request: scriptCall{BatchBody: object{"requests": []object{}}}, want: "error: 400 BadRequest"},
	{name: "throttled twice", arrange: throttled(2), request: post("/users/"+adele+"/assignLicense", change(e3, "")), want: "ok", requests: 3},
	{name: "throttled for good", arrange: throttled(4), request: get("/users/" + adele), want: "error: 429 TooManyRequests: Too many requests", requests: 4},
	{name: "user deleted", request: scriptCall{Method: "delete", Path: "/users/" + fmt.Sprintf("user%03d@contoso.example", users-1)}, want: "ok"},
}
