package main

import "strings"

const (
	notAnswered  = "Unsupported or invalid query filter clause specified for property "
	readAdvanced = " Refer to https://aka.ms/graph-docs/advanced-queries for more information"
	tryAdvanced  = " is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header." + readAdvanced
	noProperty   = "Parsing OData Select and Expand failed: Could not find a property named 'nonsense' on type "
	oneUser      = "users?$top=1&$select=id&"
	oneGroup     = "groups?$top=1&$select=id&"
)

var eightClauses = strings.Repeat("displayName eq 'nonsense' or ", 7) + "displayName eq 'nonsense'"

// Refusals are facts that status, code and text of answers to reads show.
var refusals = []check{
	{"not-found", false, all(get("users/{none}").missing("{none}"), get("groups/{none}").missing("{none}"))},
	{"object-id", false, all(get("groups/nonsense").barred("Invalid object identifier 'nonsense'."))},
	{"empty-token", false, all(get("subscribedSkus").anonymous().refused(401, "InvalidAuthenticationToken", "Access token is empty."))},
	{"me-without-user", false, me},
	{"unknown-segment", false, all(get("nonsense").bad("Resource not found for the segment 'nonsense'."))},
	{"dollar-name", false, all(get("users/$nonsense").bad(""))},
	{"dollar-name-text", false, all(get("users/$nonsense").bad("Bad Request - Error in query syntax."))},
	{"path-without-version", false, all(get("/nonsense/users").refused(404, "ResourceNotFound", "Invalid version: nonsense"))},
	{"empty-segment", false, all(get("users//licenseDetails").bad("Resource not found for the segment ''."))},
	{"tenant-in-path", false, all(get("{tenant}/"+oneUser), get("myorganization/"+oneUser))},
	{"tenant-in-path-any", false, all(get("{none}/" + oneUser))},
	{"names-without-case", false, all(get("Users?$TOP=1&$select=DISPLAYNAME"), get("subscribedskus"))},

	{"page-too-large", false, all(get("users?$top=1000").unsupported("Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."))},
	{"skip", false, all(get("users?$skip=1").barred("'$skip' is not supported by the service."))},
	{"count-path-without-header", false, all(get("users/$count").barred("$count is not currently supported."))},
	{"filter-without-header", false, all(get(oneUser + "$filter=companyName eq 'nonsense'").unsupported(notAnswered + "'companyName' of resource 'User'."))},
	{"filter-without-header-others", false, all(
		get(oneUser+"$filter=displayName eq null").unsupported(notAnswered+"'displayName' of resource 'User'."),
		get(oneUser+"$filter=assignedPlans/any(p:p/service eq 'exchange')").unsupported(notAnswered+"'assignedPlans' of resource 'User'."),
		get(oneUser+"$filter=officeLocation eq 'nonsense'").unsupported(notAnswered+"'officeLocation' of resource 'User'."),
		get(oneUser+"$filter=mobilePhone eq 'nonsense'").unsupported(notAnswered+"'mobilePhone' of resource 'User'."),
		get(oneUser+"$filter=preferredLanguage eq 'nonsense'").unsupported(notAnswered+"'preferredLanguage' of resource 'User'."),
		get(oneUser+"$filter=startswith(userType,'nonsense')").unsupported(notAnswered+"'userType' of resource 'User'."),
	)},
	{"plans-without-header", false, all(get(oneUser + "$filter=assignedPlans/any(p:p/service eq 'exchange' and p/capabilityStatus eq 'Enabled')").
		unsupported("Complex query on property assignedPlans is not supported."))},
	{"advanced-queries", false, all(
		get(oneUser+"$count=true&$filter=assignedPlans/any(p:p/service eq 'exchange' and p/capabilityStatus eq 'Enabled')").advanced(),
		get(oneUser+"$count=true&$filter=usageLocation eq null").advanced(),
		get(oneUser+"$count=true&$filter=displayName ne 'nonsense'").advanced(),
		get(oneUser+"$count=true&$filter=endswith(mail,'nonsense')").advanced(),
	)},
	{"endswith-without-header", false, all(get(oneUser + "$filter=endswith(mail,'nonsense')").unsupported("Operator 'endsWith'" + tryAdvanced))},
	{"endswith-without-header-alone", false, all(get(oneUser + "$count=true&$filter=endswith(mail,'nonsense')").
		unsupported("Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing." + readAdvanced))},
	{"operator-texts", false, all(
		get(oneUser+"$filter=displayName ne 'nonsense'").unsupported("Operator 'ne'"+tryAdvanced),
		get(oneUser+"$filter=not startswith(displayName,'nonsense')").unsupported("Operator 'not'"+tryAdvanced),
	)},
	{"or-limit-count", false, all(
		get(oneUser+"$filter=("+eightClauses+") or ("+eightClauses+")").unsupported("Too many child clauses specified in search filter expression containing 'OR' operators: 16. Max allowed: 15."),
		get(oneUser+"$filter=("+eightClauses+") and ("+eightClauses+")"),
	)},
	{"or-limit-advanced-length", false, all(get(oneUser + "$count=true&$filter=id in (" + strings.Repeat("'{none}',", 60) + "'{none}')").advanced())},
	{"lambda-and", false, all(
		get(oneUser+"$filter=assignedLicenses/any(l:l/skuId eq {none}) and accountEnabled eq true").unsupported("Complex query on property assignedLicenses is not supported."),
		get(oneUser+"$count=true&$filter=assignedLicenses/any(l:l/skuId eq {none}) and accountEnabled eq true").advanced(),
	)},
	{"lambda-or", false, all(get(oneUser + "$count=true&$filter=assignedLicenses/any(l:l/skuId eq {none}) or accountEnabled eq true").advanced().
		unsupported("Complex query on property assignedLicenses is not supported."))},
	{"startswith-job-title", false, all(
		get(oneUser+"$filter=startswith(jobTitle,'nonsense')"),
		get(oneGroup+"$filter=startswith(mailNickname,'nonsense')"),
		get(oneGroup+"$filter=isAssignableToRole eq true"),
		get(oneGroup+"$filter=onPremisesSyncEnabled eq true"),
	)},
	{"errors-filter-header", false, all(
		get(oneGroup+"$filter=hasMembersWithLicenseErrors eq true"),
		get(oneGroup+"$count=true&$filter=hasMembersWithLicenseErrors eq true").advanced(),
	)},
	{"filtered-search", false, all(get("subscribedSkus?$filter=appliesTo eq 'User'").unsupported("Filtered searches against this resource are not supported."))},
	{"options-of-one", false, all(get("users/{user}?$top=1").bad("The query specified in the URI is not valid. The requested resource is not a collection. " +
		"Query options $filter, $orderby, $count, $skip, and $top can be applied only on collections."))},
	{"other-options", false, all(
		get("users?$count=nonsense").bad("Invalid value 'nonsense' for $count query option found."),
		get("users?$top=nonsense").bad("Invalid value 'nonsense' for $top query option found."),
		get("users?$top=1&$top=1").bad("Query option '$top' was specified more than once, but it must be specified at most once."),
		get("subscribedSkus?$top=1").bad("The query option '$top' is not supported on this resource."),
		get("users/{user}/licenseDetails?$top=1").bad("The query option '$top' is not supported on this resource."),
	)},
	{"unknown-property", false, all(
		get("users?$top=1&$select=nonsense").bad(noProperty+"'microsoft.graph.user'."),
		get("groups?$top=1&$select=nonsense").bad(noProperty+"'microsoft.graph.group'."),
	)},
	{"unknown-property-others", false, all(get("users?$top=1&$select=manager"), get("users?$top=1&$select=nonsense").bad(""))},
}
