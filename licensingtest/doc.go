// Package licensingtest is a licensing tenant in memory that speaks Microsoft
// Graph v1.0, for tests and examples of code that assigns licenses.
//
//	tenant := licensingtest.NewTenant()
//	sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25})
//	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "US"})
//
//	client := tenant.Client()                // no socket, works inside a testing/synctest bubble
//	server := httptest.NewServer(tenant)     // or over a real connection, for any other client
//
// A test then makes its calls and looks at the outcome from behind:
// [Tenant.User], [Tenant.Group] and [Tenant.SKU] give the true state of the
// directory, [Tenant.Requests] what came in, [Tenant.Writes] each effect in the
// order in which it was applied. [Tenant.Fail] makes calls fail, stall or break
// off, before or after their effect, or long before it, and sends answers to the
// wrong requests: to so many calls, or for so long. [Tenant.SetThrottle] limits
// how many calls there may be. Mistakes in what is set up by hand panic where
// they are found.
//
// Other methods stand for what happens around a client. Somebody buys seats
// ([Tenant.SetSeats]) or mends a user ([Tenant.SetUsageLocation],
// [Tenant.SetProxyAddressConflict]); reads come from a replica that is behind
// ([Tenant.SetReadLag]), or from an index that is ([Tenant.SetIndexLag]); a
// usage location takes a while to hold ([Tenant.SetUsageLocationLag]); listings
// have empty pages, or links that no longer work ([Tenant.SetEmptyPages],
// [Tenant.ExpirePageTokens]). Nothing runs in the background: the tenant looks at
// the time when it is asked something.
//
// # What is served
//
// POST users/{id | userPrincipalName}/assignLicense and
// reprocessLicenseAssignment, the same two under /me, POST
// groups/{id}/assignLicense. PATCH of a user and of /me, for the usage location
// alone. GET, with $select, of
//   - a user and /me, and of each the licenseDetails, one of them,
//     assignedLicenses, memberOf and transitiveMemberOf
//   - a group, and its assignedLicenses, members, transitiveMembers and
//     membersWithLicenseErrors
//   - users, groups, users/$count and groups/$count
//   - subscribedSkus and one of them, directory/subscriptions and one of them
//   - organization, with its id, name and country
//
// A base path before /v1.0/ is ignored, and so is a tenant's id or
// myorganization after it. A key may also be written users('{key}'), and an
// action with its namespace, microsoft.graph.assignLicense. Names in paths,
// queries and bodies have no case. Accept may ask for odata.metadata=none. Calls
// are applied one at a time, whole or not at all.
//
// What v1.0 has and this package does not, is answered with 501 and a text that
// says so: a path, a property in $select or $filter, a query option, an update,
// or another method. The names are from Microsoft's metadata: all first segments
// of paths, and what the types near to licensing have. A name that v1.0 does not
// have is refused as Graph does it. All of beta is answered with 501, and so is a
// property of assignLicense that is none, since what Graph does about it is not
// known.
//
// # Batches
//
// POST $batch carries out up to 20 of these, each as if it had come by itself:
// with its own headers, its own faults ([Fault].Items), its own effect and its
// own costs. They are carried out in the order of the request, apart from those
// that depend on one that failed. They are answered in the reverse order: Graph
// promises none, so a client has to go by the ids. A batch in which something
// is wrong with the form of one item is refused as a whole.
//
// # Throttling
//
// A new tenant serves whatever it is asked. [Tenant.SetThrottle] gives it
// limits on writes and on resource units, and refuses with 429 what exceeds
// them. [ThrottleDocumented] is what Microsoft documents. Since that leaves
// much open, [ThrottleModels] has ten servers that all fit it, and
// [Throttle.Ideal] tells how fast each can be.
//
// # Listings
//
// Users, groups and members with errors come by pages, in the order in which
// they were added: $top of up to 999, 100 by default, and links to further
// pages, which keep the query and lead to where the request came in. A link is
// good for its own query. Each page is read from the tenant as it is then, and
// no object is there twice. $count is answered on the first page, if the header
// ConsistencyLevel says eventual.
//
// Filters are comparisons with eq, ne and in, startswith and endswith, with and,
// or, not, and parentheses. Names, words and texts are compared without case.
//
//	both    assignedLicenses/any(x:x/skuId eq {id}), assignedLicenses/$count eq 0 and ne 0,
//	        displayName, id, mail, onPremisesSyncEnabled
//	users   accountEnabled, city, companyName, country, department, givenName, jobTitle,
//	        mobilePhone, officeLocation, preferredLanguage, surname, usageLocation,
//	        userPrincipalName, userType, otherMails/any(x:x eq {text}), proxyAddresses/any,
//	        assignedPlans/any(x:x/servicePlanId eq {id} and x/capabilityStatus eq {text})
//	groups  hasMembersWithLicenseErrors, isAssignableToRole, mailEnabled, mailNickname,
//	        securityEnabled, groupTypes/any(x:x eq {text})
//
// Answered only with that header and $count=true, on each page, are a count of
// licenses, a lambda on licenses joined by and to something else, ne, not,
// endswith, a comparison with null, assignedPlans, and companyName, mobilePhone,
// officeLocation and preferredLanguage. A lambda on licenses joined by or is never
// answered, nor are endswith for other texts than mail, otherMails,
// proxyAddresses and userPrincipalName, and startswith for userType. A property
// of the type, a function or an operator that is missing here is answered with
// 501. Everything else is an invalid filter clause. users/$count and
// groups/$count take a $filter, and need the header alone. Members and groups of
// a user take none here.
//
// # Groups
//
// A group's licenses reach its members when processing runs: when
// [Tenant.Process] is called, or by itself some time after the change
// ([Tenant.ProcessAfter]). Until then the group shows its new licenses and a
// processing state of QueuedForProcessing, and the members are as they were.
// Each member gets all of the change or nothing of it. What stood in the way is
// in the rows of that user: state Error where the user is left without the
// license, ActiveWithError where the license stays as it was; the error names
// the cause, or says Other for a license that was held up by the failure of
// another one. A failed member is tried again when the group is next processed,
// or by reprocessLicenseAssignment. Licenses that a group is added with count
// as processed.
//
// # How true it is
//
// Observed in answers of Graph, or in the code of clients that run against it:
//   - status, code and text of the answers to a missing array, two empty ones,
//     an invalid usage location, a dependency, a resource that is not there, an
//     empty body, a missing Content-Type, a token that is empty or unreadable,
//     /me without a user, a wrong method, and a path segment that does not
//     exist
//   - the text, in parts or as clients match it, of the answers to a SKU
//     without seats or unknown to the tenant (on removal and on groups too),
//     plans that are mutually exclusive, removal of a license that is not held
//     or is inherited, a SKU that cannot be assigned to users, a clash of proxy
//     addresses, a value that is no GUID, an unreadable body, and an invalid
//     object identifier
//   - an unknown SKU refused at once on a group, everything that concerns its
//     members found out later
//   - an add that leaves disabledPlans out keeps the disabled plans of a
//     license that is there (one report)
//   - the refusal of a lambda joined by or, of two SKUs joined by or in one
//     lambda (in parts), of conditions joined by and in one lambda (of another
//     property), of $skip, of a page of more than 999, of an expired page
//     token, and, without their codes, of $filter on SKUs and license details
//     and of $top and the like on a single object
//   - filters with names and words in any case, and with a plus for a blank
//   - an update of the usage location that fails for a clash of proxy
//     addresses, and a new usage location that does not hold for licenses yet
//   - rows without an error say None; a failed reprocessing answers with the
//     true cause
//   - the user in the answer to assignLicense: the default properties of a user,
//     no licenses (one report of February 2023; recorded answers to the making
//     and the reading of a user have the same eleven)
//   - a group that is new answered with 404 at first (one report, of beta)
//   - the headers and identifiers of answers, the Content-Type, and a resource
//     unit charged for a refused call
//   - the refusals of a batch that has no items or too many, an id twice, or a
//     write without body or Content-Type, which goes for actions without
//     parameters as well; in parts, that of an unknown dependency
//   - code and text of 429, but for the category in it
//
// Documented by Microsoft: 200 with a user and 202 with a group and its
// Location; the properties sent without $select; one seat for each distinct
// user; the tenant's location standing in for a missing one in group licensing;
// the prerequisites of a group's plan coming from the same group; merged
// assignedLicenses and one row of licenseAssignmentStates for each source;
// removed plans that stay in assignedPlans as Deleted;
// hasMembersWithLicenseErrors never being returned; what needs an advanced
// query; sizes of pages, opaque links, empty pages, a count on the first page
// only, and a header that each page needs; reads that lag, also for users and
// groups that are new; seats in the grace period that can be used; license
// details of direct and inherited licenses, with the plans that are disabled; a
// usage location that is not nullable; the costs in resource units; a user
// principal name that begins with a dollar sign refused except in parentheses.
// Of batches: no nested ones, ids without case, a leading slash in URLs that
// may be left out, blanks in them (in a sample), headers of each item's own,
// bodies that are objects or base64url, base64 where an answer is no JSON,
// dependencies on earlier items, all in a row or all on the same one, 424 where
// one failed, 200 for the batch whatever its items were answered with, and
// answers in any order. Of throttling: the limits, token buckets, the cost of
// each operation, 429 for each item of a batch by itself, and the headers
// x-ms-throttle-scope, x-ms-throttle-information with its values, and
// x-ms-throttle-limit-percentage.
//
// Assumed, so nothing to build upon:
//   - null for an array is answered as if it was missing; with both missing the
//     names are separated by a comma and a space
//   - a SKU named in both arrays, or twice in addLicenses, is refused; one
//     named twice in removeLicenses is removed once
//   - the texts for those, for a disabled plan of another SKU (the refusal
//     itself is observed), for a license that a group to be relieved of it does
//     not have, for a user principal name with a dollar sign, for a token that
//     is not the required one, and for a path without version or with an empty
//     segment
//   - the text of a filter that lacks the header, observed for other
//     properties; that a lambda joined by and to something else lacks it; a
//     count that is silently left out without the header
//   - ne and not finding what has no value, and endswith for every text
//   - hasMembersWithLicenseErrors with the header, which is in Microsoft's
//     example. A report of October 2024 has it refused with the header and
//     served without. Here it is served with and without
//   - the texts for a token of another query, for an option without sense, and
//     for options of SKUs and license details other than $filter; the answer
//     to a query with a blank in it, which over a connection does not arrive
//   - any two letters are a usage location, kept in capitals; null, empty and
//     longer ones are refused, with a text observed for other properties; until
//     a new one holds, the one before does
//   - members with errors are members now, and have a row of the group with an
//     error, be it in state Error or ActiveWithError; their properties can be
//     selected as those of users can
//   - reads that lag are all behind by the same time; seats are never behind;
//     writes find a user or group that is new, although reads do not yet
//   - a SKU without any units is Deleted; a capability status that was set does
//     not change what can be assigned
//   - the text of an unknown property in $select, observed for other types than
//     user and group
//   - codes and final full stops of the answers that are known by their text in
//     parts
//   - a country where a SKU is barred is answered as an invalid usage location
//   - the prerequisites of a plan that is assigned directly must be assigned
//     directly too, and all of them are needed
//   - dependencies and conflicts of a group's licenses are found out for each
//     member, never at once; a group's seats likewise
//   - reprocessing under /me and by user principal name; reprocessing applies
//     the groups that fit although another one fails
//   - the user in the answer to reprocessLicenseAssignment has the same
//     properties as in that to assignLicense
//   - a clash of proxy addresses stops additions and changes only, not removals
//   - the text for a batch in another one; an absolute URL in a batch being a
//     path that does not exist; every other mistake in the form of a batch being
//     answered like an empty one; properties of a batch without case
//   - an item that depends on several, or on another one than the rest, is
//     refused like one that depends on something unknown; anything but a 2xx is
//     a failure to those that depend on it; the text of 424
//   - items are carried out in order, and their answers have no headers but
//     Content-Type and those of the call itself
//   - buckets that are full at the start, unless a Throttle says otherwise, and
//     debts that go no further than their size; the limits of one application
//     for all requests there are; nothing charged for a batch itself, nor for a
//     call without a token or with a failed dependency; refusals charged in full
//     or not at all; the whole advice, where it is not a fixed one
//   - the category in the text of 429, and the tenant alone as what is named
//     there for its own limit; x-ms-throttle-limit-percentage as the used part
//     of the bucket that is used most
//   - which of several reasons an answer names: a token first, then the
//     throttle, the path, the body, the object, the SKUs, and the rules
package licensingtest
