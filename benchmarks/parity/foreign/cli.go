package main

// A command is one of the CLI, as m365 has it on its command line.
type command struct {
	Command string         `json:"command"`
	Options map[string]any `json:"options"`
}

type options = map[string]any

// m365 returns a command with options.
func m365(name string, o options) command { return command{name, o} }

// request returns the command that makes any request.
func request(method, path string, more options) command {
	o := options{"method": method, "url": "@graph" + path}
	for name, value := range more {
		o[name] = value
	}
	return command{"request", o}
}

// withJSON are the options of a request with a body.
func withJSON(body string) options {
	return options{"body": body, "content-type": "application/json"}
}

// advanced are the options of an advanced query.
var advanced = options{"ConsistencyLevel": "eventual"}

// addCommand and removeCommand change the licenses of a user.
func addCommand(user, ids string) command {
	return m365("entra user license add", options{"userName": user, "ids": ids})
}

func removeCommand(user, ids string) command {
	return m365("entra user license remove", options{"userName": user, "ids": ids, "force": true})
}

const (
	notFound   = "error: Resource '" + nobody + "' does not exist or one of its queried reference-property objects are not present."
	noGroup    = "error: Resource '" + absent + "' does not exist or one of its queried reference-property objects are not present."
	noSeats    = "error: Subscription with SKU " + soldOut + " does not have any available licenses."
	noSKU      = "error: License " + unknown + " does not correspond to a valid company License."
	noLocation = "error: License assignment cannot be done for user with invalid usage location."
	notHeld    = "error: User does not have a corresponding license."
	inherited  = "error: User license is inherited from a group membership and it cannot be removed directly from the user."
	dependsOn  = "error: License assignment failed because service plan " + extra + " depends on the service plan(s) " + sites
	badRequest = "error: Request failed with status code 400" // all that the request command tells
	noProperty = "error: Could not find a property named 'favoriteLicense' on type 'microsoft.graph.user'."
)

// cliCalls are made by the CLI, one after the other on the same tenant.
var cliCalls = []call{
	{name: "license list", request: m365("entra license list", nil), want: "ok"},

	{name: "user license list: none", request: m365("entra user license list", options{"userName": adele}), want: "ok"},
	{name: "user license list: inherited", request: m365("entra user license list", options{"userId": alexID}), want: "ok"},
	{name: "user license list: nobody", request: m365("entra user license list", options{"userName": nobody}), want: notFound},
	{name: "user license add", request: addCommand(adele, e3), want: "ok"},
	{name: "user license add: again", request: addCommand(adele, e3), want: "ok"},
	{name: "user license add: two by id", request: m365("entra user license add", options{"userId": adeleID, "ids": e5 + "," + addOn}), want: "ok"},
	{name: "user license add: guest", request: addCommand(guest, e3), want: "ok"},
	{name: "user license add: no seats", request: addCommand(adele, soldOut), want: noSeats},
	{name: "user license add: unknown SKU", request: addCommand(adele, unknown), want: noSKU},
	{name: "user license add: no usage location", request: addCommand(lee, e3), want: noLocation},
	{name: "user license add: plan that is missing", request: addCommand("user010@contoso.example", addOn), want: dependsOn},
	{name: "user license add: nobody", request: addCommand(nobody, e3), want: notFound},
	{name: "user license list: three", request: m365("entra user license list", options{"userName": adele}), want: "ok"},
	{name: "user license remove", request: removeCommand(adele, e3), want: "ok"},
	{name: "user license remove: not held", request: removeCommand(adele, e3), want: notHeld},
	{name: "user license remove: inherited", request: removeCommand(alex, e5), want: inherited},
	{name: "user license remove: unknown SKU", request: removeCommand(adele, unknown), want: noSKU},
	{name: "user license remove: plan that is needed", request: removeCommand(adele, e5), want: dependsOn},
	{name: "user license list: mine", arrange: signIn, request: m365("request", options{"method": "get", "url": "@graph/me/licenseDetails"}), want: "ok"},

	{name: "user get: id", arrange: signOut, request: m365("entra user get", options{"id": adeleID}), want: "ok"},
	{name: "user get: name", request: m365("entra user get", options{"userName": guest}), want: "ok"},
	{name: "user get: name with a dollar", request: m365("entra user get", options{"userName": dollar}), want: "ok"},
	{name: "user get: properties", request: m365("entra user get", options{"userName": adele, "properties": "id,assignedLicenses,licenseAssignmentStates,assignedPlans,usageLocation"}), want: "ok"},
	{name: "user get: no such property", request: m365("entra user get", options{"userName": adele, "properties": "favoriteLicense"}), want: noProperty},
	{name: "user get: mail that nobody has", request: m365("entra user get", options{"email": adele}), want: "error: The specified user with email " + adele + " does not exist"},
	{name: "user get: manager", request: m365("entra user get", options{"userName": adele, "withManager": true}), want: "ok"},
	{name: "user get: nobody", request: m365("entra user get", options{"userName": nobody}), want: notFound},
	{name: "user list: all", request: m365("entra user list", nil), want: "ok", requests: 3},
	{name: "user list: over empty pages", arrange: emptyPages, request: m365("entra user list", options{"properties": "id,userPrincipalName,assignedLicenses"}), want: "ok", requests: 6},
	{name: "user list: guests", arrange: noEmptyPages, request: m365("entra user list", options{"type": "Guest"}), want: "ok"},
	{name: "user list: name", request: m365("entra user list", options{"displayName": "User a"}), want: "ok"},
	{name: "user list: surname", request: m365("entra user list", options{"surname": "B"}), want: "ok"},
	{name: "user set: usage location", request: m365("entra user set", options{"userName": lee, "usageLocation": "FR"}), want: "ok"},
	{name: "user set: department", request: m365("entra user set", options{"userName": lee, "department": "Sales"}), want: "ok"},
	{name: "user license add: location mended", request: addCommand(lee, e3), want: "ok"},
	{name: "user groups", request: m365("entra user groupmembership list", options{"userId": alexID}), want: "ok"},
	{name: "user groups: name", request: m365("entra user groupmembership list", options{"userName": alex}), want: "ok", requests: 2},

	{name: "group get", request: m365("entra group get", options{"id": sales}), want: "ok"},
	{name: "group get: name", request: m365("entra group get", options{"displayName": "Sales"}), want: "ok"},
	{name: "group get: none", request: m365("entra group get", options{"id": absent}), want: noGroup},
	{name: "group list", request: m365("entra group list", nil), want: "ok"},
	{name: "group list: security", request: m365("entra group list", options{"type": "security"}), want: "ok"},
	{name: "group list: Microsoft 365", request: m365("entra group list", options{"type": "microsoft365"}), want: "ok"},
	{name: "group list: distribution", request: m365("entra group list", options{"type": "distribution"}), want: "ok"},
	{name: "group members", request: m365("entra group member list", options{"groupId": sales, "role": "Member"}), want: "ok"},
	{name: "group owners", request: m365("entra group member list", options{"groupId": sales, "role": "Owner"}), want: "ok"},
	{name: "group members: by name, with owners", request: m365("entra group member list", options{"groupName": "Staff"}), want: "ok", requests: 3},

	{name: "request: advanced query", request: request("get", "/users?$filter=endswith(userPrincipalName,'5@contoso.example')&$count=true&$select=id,userPrincipalName", advanced), want: "ok"},
	{name: "request: advanced query without its header", request: request("get", "/users?$filter=endswith(userPrincipalName,'5@contoso.example')&$count=true", nil), want: badRequest},
	{name: "request: users without licenses", request: request("get", "/users?$filter=assignedLicenses/$count eq 0&$count=true&$select=id&$top=1", advanced), want: "ok"},
	{name: "request: users with a license", request: request("get", "/users?$filter=assignedLicenses/any(x:x/skuId eq "+e3+")&$select=id", nil), want: "ok"},
	{name: "request: count of users", request: request("get", "/users/$count", options{"ConsistencyLevel": "eventual", "accept": "text/plain"}), want: "ok"},
	{name: "request: group license", request: request("post", "/groups/"+staff+"/assignLicense", withJSON(`{"addLicenses":[{"skuId":"`+e3+`"}],"removeLicenses":[]}`)), want: "ok"},
	{name: "request: group license without its prerequisite", request: request("post", "/groups/"+staff+"/assignLicense", withJSON(`{"addLicenses":[{"skuId":"`+addOn+`"}],"removeLicenses":["`+e3+`"]}`)), want: badRequest},
	{name: "request: members with errors", request: request("get", "/groups/"+sales+"/membersWithLicenseErrors", nil), want: "ok"},
	{name: "request: batch", request: request("post", "/$batch", withJSON(`{"requests":[{"id":"1","method":"GET","url":"/users/`+adele+`?$select=id"},{"id":"2","method":"POST","url":"/users/`+nobody+`/assignLicense","headers":{"Content-Type":"application/json"},"body":{"addLicenses":[],"removeLicenses":["`+e3+`"]}}]}`)), want: "ok"},
	{name: "request: batch with numbers for ids", request: request("post", "/$batch", withJSON(`{"requests":[{"id":1,"method":"GET","url":"/users/`+adele+`?$select=id"}]}`)), want: "ok"},
	{name: "request: reprocess", request: request("post", "/users/"+alexID+"/reprocessLicenseAssignment", nil), want: "ok"},
	{name: "request: subscriptions", request: request("get", "/directory/subscriptions", nil), want: "ok"},
	{name: "request: organization", request: request("get", "/organization?$select=id", nil), want: "ok"},

	{name: "throttled once", arrange: throttled(1), request: addCommand("user020@contoso.example", e3), want: "ok", requests: 2},
	{name: "throttled three times", arrange: throttled(3), request: m365("entra user license list", options{"userName": "user020@contoso.example"}), want: "ok", requests: 4},

	{name: "sessions revoked", request: m365("entra user session revoke", options{"userId": adeleID, "force": true}), want: "ok"},
	{name: "group set", request: m365("entra group set", options{"id": staff, "newDisplayName": "Everybody"}), want: "ok"},
	{name: "user remove", request: m365("entra user remove", options{"id": leeID, "force": true}), want: "ok"},
	{name: "group remove", request: m365("entra group remove", options{"id": staff, "force": true}), want: "ok"},
}
