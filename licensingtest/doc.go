// Package licensingtest is a licensing tenant in memory that speaks Microsoft
// Graph v1.0, for tests and examples of code that assigns licences.
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
// off, before or after their effect. Mistakes in what is set up by hand panic
// where they are found.
//
// # What is served
//
// POST users/{id | userPrincipalName}/assignLicense and
// reprocessLicenseAssignment, the same two under /me, POST
// groups/{id}/assignLicense, and GET of a user, of /me and of a group, with
// $select. A base path before /v1.0/ is ignored. A user key may also be written
// users('{key}'), and an action with its namespace,
// microsoft.graph.assignLicense. Calls are applied one at a time, whole or not
// at all.
//
// # Groups
//
// A group's licences reach its members when processing runs: when
// [Tenant.Process] is called, or by itself some time after the change
// ([Tenant.ProcessAfter]). Until then the group shows its new licences and a
// processing state of QueuedForProcessing, and the members are as they were.
// Each member gets all of the change or nothing of it. What stood in the way is
// in the rows of that user: state Error where the user is left without the
// licence, ActiveWithError where the licence stays as it was; the error names
// the cause, or says Other for a licence that was held up by the failure of
// another one. A failed member is tried again when the group is next processed,
// or by reprocessLicenseAssignment. Licences that a group is added with count
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
//     plans that are mutually exclusive, removal of a licence that is not held
//     or is inherited, a SKU that cannot be assigned to users, a clash of proxy
//     addresses, a value that is no GUID, an unreadable body, and an invalid
//     object identifier
//   - an unknown SKU refused at once on a group, everything that concerns its
//     members found out later
//   - an add that leaves disabledPlans out keeps the disabled plans of a
//     licence that is there (one report)
//   - rows without an error say None; a failed reprocessing answers with the
//     true cause
//   - the headers and identifiers of answers, the Content-Type, and a resource
//     unit charged for a refused call
//
// Documented by Microsoft: 200 with a user and 202 with a group and its
// Location; the properties sent without $select; one seat for each distinct
// user; the tenant's location standing in for a missing one in group licensing;
// the prerequisites of a group's plan coming from the same group; merged
// assignedLicenses and one row of licenseAssignmentStates for each source;
// removed plans that stay in assignedPlans as Deleted;
// hasMembersWithLicenseErrors never being returned; a user principal name that
// begins with a dollar sign refused except in parentheses.
//
// Assumed, so nothing to build upon:
//   - null for an array is answered as if it was missing; with both missing the
//     names are separated by a comma and a space
//   - a SKU named in both arrays, or twice in addLicenses, is refused; one
//     named twice in removeLicenses is removed once
//   - the texts for those, for a disabled plan of another SKU (the refusal
//     itself is observed), for a licence that a group to be relieved of it does
//     not have, for a user principal name with a dollar sign, for a token that
//     is not the required one, and for a path without version or with an empty
//     segment
//   - the text of an unknown property in $select, observed for other types than
//     user and group
//   - codes and final full stops of the answers that are known by their text in
//     parts
//   - a country where a SKU is barred is answered as an invalid usage location
//   - the prerequisites of a plan that is assigned directly must be assigned
//     directly too, and all of them are needed
//   - dependencies and conflicts of a group's licences are found out for each
//     member, never at once; a group's seats likewise
//   - reprocessing under /me and by user principal name; reprocessing applies
//     the groups that fit although another one fails
//   - the user returned by a write has the default properties and
//     accountEnabled, assignedLicenses, assignedPlans, city, companyName,
//     provisionedPlans, usageLocation and userType, but no
//     licenseAssignmentStates
//   - a clash of proxy addresses stops additions and changes only, not removals
//   - which of several reasons an answer names: a token first, then the path,
//     the body, the object, the SKUs, and the rules
package licensingtest
