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
// [Tenant.SetProxyAddressConflict]), changes licenses ([Tenant.SetUserLicenses],
// [Tenant.SetGroupLicenses]) or members ([Tenant.AddMember], [Tenant.RemoveMember]),
// or removes a user ([Tenant.RemoveUser]); reads come from a replica that is behind
// ([Tenant.SetReadLag]), or from an index that is ([Tenant.SetIndexLag]); a usage
// location takes a while to hold ([Tenant.SetUsageLocationLag]); listings have
// empty pages, or links that no longer work ([Tenant.SetEmptyPages],
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
// A plan whose prerequisites are not in the same group is refused at once. All
// that concerns members is found out later.
//
// Each member gets all of the change or nothing of it. What stood in the way is
// in the rows of that user: state Error where the user is left without the
// license, ActiveWithError where the license stays as it was; the error names
// the cause, or says Other for a license that was held up by the failure of
// another one. A group's license that a plan from another source depends on
// stays with the member, in that state, when the group loses it or the member
// leaves. A failed member is tried again when the group is next processed, or by
// reprocessLicenseAssignment. Licenses that a group is added with count as
// processed.
//
// # How true it is
//
// FIDELITY.md, beside the code, lists what this package answers: one fact in a
// line, with a name, what it is known by, and where from. Observed is what was seen
// in an answer of Graph, or in the code of a client that runs against it.
// Documented is what Microsoft's documentation or metadata says. Assumed is all
// else, so nothing to build upon.
package licensingtest
