// Package reconcile brings users and groups to the licenses that they should have:
// say what should be, see what would change, make it so.
//
//	goals := []reconcile.Goal{{Target: "adele@contoso.com", Licenses: []reconcile.License{{SKUID: e3}}}}
//	set, err := reconcile.Plan(ctx, client, slices.Values(goals), reconcile.PlanOptions{})
//	…
//	for result := range reconcile.Apply(ctx, client, set, reconcile.ApplyOptions{MaxRemovals: set.Removals()}) {
//		log.Print(result.Operation.Target, ": ", result.Outcome())
//	}
//
// [Plan] compares goals with the tenant and sends nothing that writes. Its
// [ChangeSet] is JSON both ways: people review it, and another process can apply it.
// [Apply] compares once more before each write, so nothing has to be remembered
// between two runs. It is built on [licensing.Client.Bulk].
//
// # Goals
//
// A [Goal] is about what is assigned directly. A license that it names without
// DisabledPlans and Plans is to be there, with all plans on if it is new and as it
// is otherwise.
//
// AtLeast, the default, only adds licenses and switches plans on. A license that is
// there keeps what is on: DisabledPlans, and Disable and EnableOnly of Plans, say
// then which plans the goal does not ask for, and switch nothing off. For a new
// license they are what is off.
//
// Exactly means: of the managed SKUs this and nothing else. SKUs that are not managed
// are never touched. A goal that would change a license of one has the problem
// [ProblemNotManaged]. Remove names SKUs that go, whatever the mode and whether they
// are managed. One that is not assigned directly needs no change.
//
// Plans go by the SKU as the tenant has it. In DisabledPlans those that the SKU does
// not have, or that users cannot switch, are left out, with a [WarnUnknownPlan], so
// that a snapshot outlives a change of the SKU. In Plans they are the problem
// [ProblemInvalidPlans].
//
// # Groups
//
// What a user inherits counts as had: where healthy assignments of a SKU by groups
// have on all that a goal asks for, no direct license is added. One that is there
// stays, and an AtLeast goal switches no plan of it on that groups have on already.
// An Exactly goal goes by the direct license where there is one. Healthy means active
// and without an error. With IgnoreInherited a goal is about direct licenses alone.
//
// [Covered] takes away direct licenses that groups make needless. It goes by the user
// as read, and neither [Plan] nor [Apply] checks again that groups give the same.
//
// A plan that a group has on is on, whatever the direct license says. An Exactly goal
// with that plan off is the problem [ProblemInherited] where there is no direct
// license, and a [WarnKeptByGroup] where the direct license changes. The removal of a
// SKU that a group gives as well has this warning, too.
//
// A goal can be for a group itself. What its change does to each member is not worked
// out, and no seats are counted for it. Such a change is of the same form, and its
// effects are what the group gains and loses for its members.
//
// # What a change says
//
// Enabled and Disabled go by service plan, over all SKUs and groups: who moves from
// one SKU to another does not lose the plans that both have. WarnMailbox goes by the
// names of plans that begin with EXCHANGE, but for those without a mailbox. The plans
// of a SKU that the tenant no longer lists are not known. Where one goes, Disabled does
// not have its plans, nor does WarnMailbox go by them: that is a [WarnUnknownSKU].
//
// A new license for a user without a usage location is the problem
// [ProblemNoUsageLocation]. Where plans of a license are switched that is there,
// Graph may refuse it, which is a [WarnNoUsageLocation]. Dependencies and conflicts
// between plans are for Graph to find.
//
// # Truth
//
// Reads lag behind writes, by minutes at times. A plan by the client that applied
// has no changes, since a client reads its own writes; another client has to wait for
// the lag. Apply writes to whoever is at Before. Within ReadLag of the plan a read
// that shows After proves nothing unless a row is later than the plan: it may show
// how things were earlier. Nor does one that finds nobody, who may be new. Apply
// sleeps and looks again then until the lag has passed. To apply a set of removals
// twice within five minutes takes these five minutes.
//
// Every write is sent as Operation.Resumed, for an earlier run may have made it. A
// removal that finds nothing to remove counts as made. What somebody else changed in
// the last minutes, and no read shows yet, is written over for the SKUs of the change.
//
// A change that is left alone, since it drifted, is [licensing.OutcomeNotSent]; so is
// what the end of the run kept back. The first is for [Plan], the second for the same
// set again.
package reconcile
