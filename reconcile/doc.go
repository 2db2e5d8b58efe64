// Package reconcile gives users and groups the licenses that they should have. You
// state the goals, review the changes, and apply them.
//
//	goals := []reconcile.Goal{{Target: "adele@contoso.com", Licenses: []reconcile.License{{SKUID: e3}}}}
//	set, err := reconcile.Plan(ctx, client, slices.Values(goals), reconcile.PlanOptions{})
//	…
//	for result := range reconcile.Apply(ctx, client, set, reconcile.ApplyOptions{MaxRemovals: set.Removals()}) {
//		log.Print(result.Operation.Target, ": ", result.Outcome())
//	}
//
// [Plan] compares goals with the tenant and writes nothing. It returns a
// [ChangeSet], which converts to JSON and back, so people can review it and another
// process can apply it. [Apply] compares again before each write, so it needs no
// state from an earlier run. It is built on [licensing.Client.Bulk].
//
// # Goals
//
// A [Goal] describes direct licenses. If it names a license without DisabledPlans
// and Plans, the user or group should have that license. An existing license stays
// as it is, and a new one has all plans on.
//
// AtLeast, the default, only adds licenses and turns plans on. It never turns off a
// plan of an existing license: DisabledPlans, and Disable and EnableOnly of Plans,
// only say which plans the goal does not require. For a new license, the same
// fields say which plans are off.
//
// With Exactly, the direct licenses of the managed SKUs are to be those of the goal
// and nothing else. Exactly never touches an unmanaged SKU. A goal that would
// change the license of an unmanaged SKU has the problem [ProblemNotManaged].
// Remove lists SKUs to remove, in either mode, managed or not. A SKU in Remove
// needs no change if it is not assigned directly.
//
// Plans are checked against the tenant's SKU. DisabledPlans can list a plan that
// the SKU does not have or that users cannot switch. Such a plan is left out with a
// [WarnUnknownPlan], so a snapshot stays valid when the SKU changes. In Plans, such
// a plan is the problem [ProblemInvalidPlans].
//
// # Groups
//
// Inherited licenses count toward a goal. If healthy group assignments of a SKU
// already turn on every plan that the goal requires, Plan adds no direct license.
// An existing direct license stays. An AtLeast goal does not turn on a plan of that
// license if a healthy group assignment already has the plan on. An Exactly goal
// looks only at the direct license if there is one. Healthy means active and
// without an error. With IgnoreInherited, Plan considers direct licenses only.
//
// [Covered] removes direct licenses that groups make redundant. It relies on the
// user as read. Neither [Plan] nor [Apply] checks again what the groups assign.
//
// A plan that a group has on is on, whatever the direct license says. If an Exactly
// goal turns such a plan off and there is no direct license, the goal has the
// problem [ProblemInherited]. If the goal changes a direct license, the change has
// a [WarnKeptByGroup]. Removing a SKU that a group also assigns has the same
// warning.
//
// A goal can be for a group itself. Plan does not work out what the change does to
// each member, and does not count seats for it. The change has the same form as a
// user's. Its effects are what members gain and lose through the group.
//
// # What a change says
//
// Enabled and Disabled list service plans, across all SKUs and groups. A user who
// moves from one SKU to another does not lose the plans that both SKUs have.
// WarnMailbox recognizes Exchange plans by names that begin with EXCHANGE, and
// ignores those that have no mailbox. If a change removes a SKU that the tenant no
// longer lists, its plans are unknown. Disabled and WarnMailbox then leave those
// plans out, and the change has a [WarnUnknownSKU].
//
// A new license for a user without a usage location is the problem
// [ProblemNoUsageLocation]. Graph may also refuse to switch plans of such a user's
// existing license, so that change has a [WarnNoUsageLocation]. Plan does not check
// dependencies and conflicts between service plans; Graph does.
//
// # Truth
//
// Reads lag behind writes, sometimes by minutes. A client reads its own writes, so
// a plan by the client that applied a set shows no changes. Another client has to
// wait until the lag has passed.
//
// Apply writes to an object whose read shows Before. A read that shows After may be
// older than the plan. Within ReadLag of the plan, it proves nothing unless one of
// its entries has a time later than the plan. A read that finds no object proves
// nothing either, because the object may be new. In both cases Apply sleeps and
// reads again until the lag has passed. Applying a set of removals again within
// five minutes therefore takes up to five minutes.
//
// Apply sends every write with Operation.Resumed set, because an earlier run may
// have made it. A removal that finds nothing to remove counts as done. If somebody
// else changed the same SKUs in the last minutes and no read shows it yet, Apply
// overwrites that change.
//
// A change that Apply leaves alone because of [ErrDrifted] is
// [licensing.OutcomeNotSent]. So is a change that was not sent before the run
// ended. For drifted changes, call [Plan] again. For unsent changes, apply the same
// set again.
package reconcile
