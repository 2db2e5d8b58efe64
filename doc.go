// Package licensing assigns and removes Microsoft 365 and Entra licenses through
// Microsoft Graph v1.0.
//
//	client, err := licensing.NewClient(tokens)
//	…
//	user, err := client.AssignUserLicense(ctx, "adele@contoso.com", licensing.AssignLicenseRequest{
//		AddLicenses: []licensing.AssignedLicense{{SKUID: e3}},
//	})
//
// # Methods by task
//
// Read what people have:
//   - [Client.User]: one user
//   - [Client.Me]: the signed-in user
//   - [Client.ReadUsers]: the users of a list
//   - [Client.Users]: all users, or those that match a query
//   - [Client.CountUsers]: how many users match a filter
//   - [Client.UserLicenseDetails]: the status of each service plan of a user
//   - [Client.MyLicenseDetails]: the same for the signed-in user
//   - [User.DirectLicenses], [User.InheritedLicenses]: where each license comes from
//   - [User.EffectivePlans]: which service plans of a SKU are on
//
// Read what the tenant owns:
//   - [Client.SubscribedSKUs]: SKUs, service plans and seats
//   - [Client.Subscriptions]: purchases and trials, and when they end
//
// Assign and remove:
//   - [Client.SetUsageLocation]: required before a user's first direct license
//   - [Client.AssignUserLicense]: add and remove SKUs in one request
//   - [Client.AssignMyLicense]: the same for the signed-in user
//   - [Client.RemoveUserLicenses]: remove some SKUs, and wait until reads show it
//   - [Client.RemoveAllUserLicenses]: remove all direct licenses, such as when a user leaves
//
// Edit what is assigned:
//   - [Client.UpdateUserServicePlans]: switch single service plans on or off
//   - [Client.SwapUserLicense]: replace one SKU with another
//   - [ServicePlanChange.Apply], [LicenseSwap.Apply]: compute the result without a request
//
// Groups:
//   - [Client.Group]: one group
//   - [Client.Groups]: all groups, or those that match a query
//   - [Client.GroupMembersWithErrors]: members for whom an assignment failed
//   - [Client.AssignGroupLicense]: add and remove SKUs
//   - [Client.UpdateGroupServicePlans]: switch single service plans on or off
//   - [Client.SwapGroupLicense]: replace one SKU with another
//   - [Client.ReprocessUserLicense]: retry a user's failed group assignments
//   - [Client.ReprocessMyLicense]: the same for the signed-in user
//
// Wait:
//   - [Client.WaitForUser]: until reads show a change
//   - [Client.WaitForGroup]: until a change has reached the members
//
// Many at once:
//   - [Client.Bulk]: thousands of writes, as fast as Graph allows
//
// Names and set-up:
//   - [Catalog.SKU], [Catalog.ServicePlan]: find an id by name
//   - [Catalog.DisplayName], [ReadProductNames]: names for people to read
//   - [Client.CloseIdleConnections]: close unused connections
//
// # Examples
//
// Every method has a runnable example. Start with one of these: [assign a license],
// [see where licenses come from], [assign to a group and wait], [find a SKU by name],
// [make many writes], [handle errors]. The examples directory of the repository has
// complete programs.
//
// # Authentication
//
// A [TokenSource] is a function that returns an access token for the scope that
// [Cloud.Scope] names. The client asks for a token before every request, so the
// source should cache. The credentials of azidentity cache, and five lines adapt
// them:
//
//	tokens := func(ctx context.Context) (string, error) {
//		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{
//			Scopes: []string{licensing.CloudGlobal.Scope()},
//		})
//		return token.Token, err
//	}
//
// The client sends a token to its own host only, over https or to a loopback
// address. A token never appears in an error, a result or a log line. Some gateways
// quote the request in their answers, so the client searches every answer for the
// token, in plain text, escaped and in base64, and removes it. It does not search
// for tokens of fewer than 16 characters.
//
// # Reading
//
// [User.DirectLicenses], [User.InheritedLicenses] and [User.EffectivePlans] show which
// licenses are direct and which are inherited. AssignedLicenses does not.
//
// Information that Graph withholds is nil, not empty. For example,
// LicenseAssignmentStates is nil for a user whom the token may not read.
//
// Reads from Entra lag behind writes, usually by seconds and sometimes by minutes.
// A client reads its own writes: for five minutes after a write, its reads show the
// licenses as it wrote them. This applies to AssignedLicenses and to the direct
// entries of LicenseAssignmentStates. An entry whose time is later than the client's
// write is shown as Graph returned it. Where there is no time to compare, the
// client's own write wins: a removal by another client leaves no entry, and the
// licenses of a group carry no times.
//
// The client fills in nothing else. It does not predict what a group's change does
// to the members, it does not change AssignedPlans, and it does not add users whom
// Graph's filter left out. It does not show a change whose outcome is unknown.
// [ContextWithRawReads] returns what Graph answered. [Client.WaitForUser] and
// [Client.WaitForGroup] wait until Graph's own answers show a change.
//
// # Assigning and removing
//
// Graph applies an [AssignLicenseRequest] as a whole or not at all. The disabled
// plans of an added SKU replace the SKU's earlier ones; an empty list turns all
// plans on. A license that is inherited from a group can be changed on the group
// only. Removing Exchange Online, as a SKU or as a service plan, starts a 30-day
// period after which the mailbox is deleted.
//
// Rely on the success of a write, not on the user that it returns. Graph answers
// the write of a user with eleven default properties and no licenses. [Client.User]
// reads the licenses.
//
// [Client.RemoveUserLicenses] and [Client.RemoveAllUserLicenses] do not require
// that the caller knows what a user has. They return when reads show that the
// licenses are gone.
//
// A client sends one write at a time for each user or group, because Graph answers
// parallel writes to one user with 409, and silently loses one of two parallel
// writes to one group. Writes to different objects never wait for each other.
//
// A user can be named by id, by user principal name and as "me". The client learns
// that two names belong to one user from any answer that shows both. Until then it
// treats them as two users. It remembers at least the last 16,384 names, in 6 MiB.
//
// # Several processes
//
// Clients in different processes do not know of each other. [WithLocker] makes them
// take turns: each write and each edit holds a lock on its user or group, and the
// lock passes on what was written recently. Among processes that share such a
// locker, no edit undoes another process's write.
//
// Without a locker, an edit can undo what another process wrote in the last five
// minutes. One cause is that reads lag. The other is that both wrote the same
// license, and no time shows which write is later. A request that stalled can also
// undo another process's write within RetryPolicy.Fence.
//
// # Editing what is there
//
// [Client.UpdateUserServicePlans] switches single service plans, and
// [Client.SwapUserLicense] replaces one SKU with another; there is one of each for
// groups. Each reads the direct licenses, computes the change and writes it. Other writes
// of the client to the same object wait until then. Edits see the client's own writes.
//
// After a change whose outcome is unknown, an edit starts from what reads show. If
// that change may have assigned a license that no read shows yet, the edit fails
// with [ErrUnavailable].
//
// # Groups are asynchronous
//
// Graph answers a change to a group with 202 Accepted and applies it to the members
// later. Each member gets all of the change or none of it. [Client.WaitForGroup]
// waits until all members are processed. [Client.GroupMembersWithErrors] returns the
// members for whom the change failed, and [LicenseAssignmentState.Err] says why.
// [Client.ReprocessUserLicense] tries again.
//
// # Bulk
//
// [Client.Bulk] makes thousands of writes as fast as Graph allows. The documented
// quota of one application in one tenant is 3,000 writes at once and then 20 a
// second; [WithWriteQuota] sets another. Bulk packs writes into batches, slows down
// when Graph throttles, honors Retry-After, and speeds up again. All runs of a
// client share what it has learned about the quota, and so do single calls that
// were throttled. If several clients share a quota, each of them finds its share.
//
//	for result := range client.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{}) {
//		if !result.Done() {
//			log.Print(result.Operation.Target, ": ", result.Err)
//		}
//	}
//
// Each operation that Bulk takes from the input has exactly one result, even when
// ctx ends. The result is as reliable as that of a single call. Bulk retries a
// throttled operation without limit. If Graph asks for a longer wait than
// RetryPolicy.MaxWait or ctx allows, the run ends with [ErrThrottled]. The rest of
// the [RetryPolicy] applies, except for MaxElapsed. The runs of one client take
// turns, one batch each.
//
// Bulk waits out an outage for up to BulkOptions.MaxOutage. An outage begins when
// requests about three or more objects in a row fail because of the service or
// the network. During an outage Bulk sends an occasional request, and attempts do
// not count. When the run gives up, operations that were not sent fail with
// [ErrStopped].
//
// Close BulkOptions.Drain to end a run cleanly: operations that were sent finish,
// and the rest are OutcomeNotSent. When ctx ends instead, requests under way are
// abandoned and end as OutcomeUnknown. Breaking out of the loop loses results.
//
// [Operation] and [OperationResult] are plain data. Each can be stored as one line of
// JSON, including the error and its kinds. A run can therefore be planned, reviewed,
// interrupted and resumed.
//
// To resume a run, look at [OperationResult.Outcome]. Give the next run every
// operation that is not OutcomeDone, in the same order. Set Operation.Resumed on
// each one that is OutcomeUnknown or has no result, because the earlier run may
// have made it. Keep Resumed set until the operation is OutcomeDone or
// OutcomeFailed.
//
// # Errors
//
// Methods return an [*Error], which works with [errors.Is] and the sentinels of this
// package:
//
//	switch {
//	case errors.Is(err, licensing.ErrOutcomeUnknown):
//		// The change may have been made, in full or in part. Send it again.
//	case errors.Is(err, licensing.ErrNoAvailableLicenses):
//		// Buy seats.
//	}
//
// The exception is a [*DecodeError]: Graph reported success, but a property of its
// answer cannot be read. If the call was a write, Graph accepted the change.
//
// [Kinds] lists the sentinels that an error matches, for counts and labels.
// [Retryable] reports whether the same call may succeed later without anybody
// acting.
//
// Graph has one error code for all license failures, so the package tells them apart
// by their messages. It knows the wording of both services that answer. An error with
// an unknown message still has its status, code and text.
//
// The package itself never adds a user's name to an error or a log line. Graph's own
// message, Body and Header are passed on as received and can hold personal data.
//
// # Logging and metrics
//
// [WithLogger] logs one line for each attempt. [WithObserver] calls a function with
// each [Attempt], for metrics and traces. Neither names a user. [NewTransport] returns
// a transport to wrap.
//
// # Retries and throttling
//
// The client retries requests as [RetryPolicy] says. It honors Retry-After in full.
// If Retry-After is longer than the policy or the context's deadline allows, the call
// returns at once, with the wait in Error.RetryAfter.
//
// When an answer is lost, the client sends the same operation again, and the answer to
// the second request decides. A call therefore reports a failure only if the change
// did not happen. When the client cannot find out, the error is [ErrOutcomeUnknown].
//
// Graph may still carry out a request that the client gave up on. This can take
// RetryPolicy.Fence after a request that stalled, and 30 seconds after one that broke
// off or was answered with 500, 502 or 503. Until then, other changes to the same
// user or group wait. During this time, a refusal does not prove that an earlier
// attempt had no effect. A single call then returns the refusal together with
// ErrOutcomeUnknown, and a run asks again later.
//
// The client accepts a success only from Graph, and only about the right object. An
// answer needs an id, an OData property or a request-id; otherwise it is not Graph's.
//
// The client limits the size of answers before it decodes them. An answer that is
// larger than anything Graph sends is an error of the kind [ErrTooLarge] with a
// [*LimitError] as its cause.
//
// A context without a deadline is fine: MaxElapsed limits each call, and each page of
// a listing. [Client.WaitForGroup], [Client.WaitForUser] and the two methods that remove
// licenses can go on until their context ends.
//
// # Testing
//
// Package licensingtest is an in-memory tenant that answers as Graph does.
//
// [assign a license]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-Client.AssignUserLicense
// [see where licenses come from]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-User.DirectLicenses
// [assign to a group and wait]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-Client.WaitForGroup
// [find a SKU by name]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-Catalog.SKU
// [make many writes]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-Client.Bulk
// [handle errors]: https://pkg.go.dev/github.com/graphlicensing/licensing#example-Error
package licensing
