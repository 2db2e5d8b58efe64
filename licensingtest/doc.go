// Package licensingtest is an in-memory licensing tenant that answers as Microsoft
// Graph v1.0 does. It is for tests and examples of code that assigns licenses.
//
//	tenant := licensingtest.NewTenant()
//	sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25})
//	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "US"})
//
//	client := tenant.Client()                // no socket, works inside a testing/synctest bubble
//	server := httptest.NewServer(tenant)     // or over a real connection, for any other client
//
// # Methods by task
//
// Set up the directory:
//   - [NewTenant], [Tenant.AddSKU], [Tenant.AddUser], [Tenant.AddGroup]
//   - [Tenant.SetLocation]: the tenant's own country
//   - [Tenant.SignIn]: the user behind /me
//   - [Tenant.RequireToken]: refuse all other tokens
//
// Connect a client:
//   - [Tenant.Client]: a client of package licensing
//   - [Tenant.RoundTripper]: a transport for other clients
//   - [Tenant.ServeHTTP]: a handler for a real connection
//
// Check the outcome:
//   - [Tenant.User], [Tenant.Group], [Tenant.SKU]: the true state of the directory
//   - [Tenant.Requests]: what the tenant received
//   - [Tenant.Writes]: what the requests changed, in order
//
// Make calls fail:
//   - [Tenant.Fail]: errors, delays, lost and swapped answers, late effects
//   - [Tenant.SetThrottle]: limits on writes and resource units
//   - [Tenant.SetProxyAddressConflict]: a user whose licenses cannot change
//   - [Tenant.ExpirePageTokens], [Tenant.SetEmptyPages]: difficult listings
//
// Make the tenant lag:
//   - [Tenant.SetReadLag], [Tenant.SetIndexLag]: reads and advanced queries
//   - [Tenant.SetUsageLocationLag]: how fast a usage location takes effect
//   - [Tenant.Process], [Tenant.ProcessAfter]: when groups reach their members
//
// Change the directory as somebody else:
//   - [Tenant.SetSeats], [Tenant.SetUsageLocation]
//   - [Tenant.SetUserLicenses], [Tenant.SetGroupLicenses]
//   - [Tenant.AddMember], [Tenant.RemoveMember], [Tenant.RemoveUser]
//
// Methods that set up a test panic if their arguments are invalid. Nothing runs in the
// background: the tenant looks at the clock when it is used.
//
// # What is served
//
// Writes:
//   - POST users/{id | userPrincipalName}/assignLicense and
//     reprocessLicenseAssignment, and both under /me
//   - POST groups/{id}/assignLicense
//   - PATCH of a user and of /me, for the usage location only
//
// Reads, with $select:
//   - a user and /me, with licenseDetails, one of the licenseDetails,
//     assignedLicenses, memberOf and transitiveMemberOf
//   - a group, with assignedLicenses, members, transitiveMembers and
//     membersWithLicenseErrors
//   - users, groups, users/$count and groups/$count
//   - subscribedSkus and one of them, directory/subscriptions and one of them
//   - organization, with its id, name and country
//
// The tenant ignores a base path before /v1.0/, and a tenant id or myorganization
// after it. A key may also be written as users('{key}'), and an action with its
// namespace, as microsoft.graph.assignLicense. Names in paths, queries and bodies are
// case-insensitive. Accept may ask for odata.metadata=none. Calls are applied one at a
// time, each as a whole or not at all.
//
// If v1.0 has something that this package lacks, the answer is 501 with a text that
// says so. This applies to paths, properties in $select and $filter, query options,
// updates and methods. The names come from Microsoft's metadata: all first segments
// of paths, and the members of types that are close to licensing. A name that v1.0 does
// not have is refused as Graph refuses it. Two more things get 501: everything under
// /beta, and an unknown property of assignLicense, because Graph's answer to that is
// not known.
//
// # Batches
//
// POST $batch carries out up to 20 requests. Each item is treated as if it were sent
// separately, with its own headers, faults (Fault.Items), effects and costs. Items are
// carried out in the order of the request, except those that depend on a failed item.
// They are answered in reverse order: Graph promises no order, so a client must match
// answers by id. If one item is malformed, the whole batch is refused.
//
// # Throttling
//
// A new tenant has no limits. [Tenant.SetThrottle] limits writes and resource units,
// and the tenant refuses what exceeds the limits with 429. [ThrottleDocumented] has the
// limits that Microsoft documents. The documentation leaves much open, so
// [ThrottleModels] returns ten different models that all agree with it.
// [Throttle.Ideal] computes the best possible time under a model.
//
// # Listings
//
// Users, groups, and members with errors come in pages, in the order in which they were
// added. $top is at most 999, and 100 by default. The link to the next page keeps the
// query and leads to the host that was asked. A link works only with its own query. Each
// page shows the tenant as it is at that time, and no object appears twice. The first
// page has $count if the header ConsistencyLevel is eventual.
//
// Filters can use eq, ne, in, startswith, endswith, and, or, not, and parentheses.
// Names and values are compared case-insensitively.
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
// Some filters are advanced queries, which need that header and $count=true on each
// page:
//   - a count of licenses
//   - a lambda on licenses that is combined with something else by and
//   - ne, not, endswith, and comparisons with null
//   - assignedPlans, companyName, mobilePhone, officeLocation and preferredLanguage
//
// Some filters never work: a lambda on licenses in an or, startswith on userType, and
// endswith on anything but mail, otherMails, proxyAddresses and userPrincipalName. A
// property, function or operator that v1.0 has and this package lacks gets 501.
// Everything else is an invalid filter clause. users/$count and groups/$count accept a
// $filter and need the header only. memberOf, members and their transitive forms accept
// no $filter here.
//
// # Groups
//
// A group's licenses reach its members when the group is processed. This happens when
// [Tenant.Process] is called, or automatically some time after the change
// ([Tenant.ProcessAfter]). Until then, the group shows its new licenses and the state
// QueuedForProcessing, and the members are unchanged. A plan that needs another plan
// which the group lacks is refused at once. Everything that concerns the members is
// found out later.
//
// Each member gets all of a change or none of it. If a change fails, the user's
// licenseAssignmentStates say why. The state is Error if the user is left without the
// license, and ActiveWithError if the license stays as it was. The error names the
// cause. It is Other for a license that failed only because another one did.
//
// If a plan from another source depends on a group's license, the member keeps the
// license in that state when the group loses it or the member leaves. A failed member
// is tried again when the group is next processed, or by reprocessLicenseAssignment.
// The licenses that a group has when it is added count as processed.
//
// # Fidelity
//
// FIDELITY.md, next to the code, lists what this package answers, one fact in a line.
// Each fact has a name, a source and a standing. Observed means that the fact was seen in
// an answer from Graph, or in the code of a client that runs against Graph. Documented
// means that Microsoft's documentation or metadata says so. Assumed means that nobody
// knows; do not rely on it.
package licensingtest
