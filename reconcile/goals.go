package reconcile

import (
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Snapshot returns goals that restore exactly the direct licenses that users have
// now. Save the goals as JSON. To restore, plan them.
//
// The goals have mode Exactly. Plan them with ManageAll, or with Managed set to the
// SKUs that may be removed if they were added since. With IgnoreInherited, a direct
// license comes back even if groups assign the same by then. Users who were read
// without their licenses are left out.
//
// A snapshot does not restore group membership. It does not restore data that a
// service deletes when a license is removed, such as a mailbox 30 days after its
// Exchange plan.
func Snapshot(users iter.Seq[*licensing.User]) []Goal {
	var goals []Goal
	for user := range users {
		if direct, known := user.DirectLicenses(); known {
			goals = append(goals, Goal{Kind: KindUser, Target: user.ID, Licenses: licensesOf(direct), Mode: Exactly})
		}
	}
	return goals
}

// Copy returns a goal that gives a user at least the direct licenses of another
// user, with the same plans on.
//
// The goal removes nothing. To remove the user's other licenses, set Mode to
// Exactly. Inherited licenses, group membership, the usage location and the
// contents of the mailbox are not copied.
//
// Read the user with [licensing.Client.User] or another method that reads licenses.
// If from is nil or was read without licenses, the content of the goal is unknown.
// [Plan] and [Goal.MarshalJSON] then refuse the goal, whatever its Mode.
func Copy(from *licensing.User, to string) Goal {
	direct, known := from.DirectLicenses()
	return Goal{Kind: KindUser, Target: to, Licenses: licensesOf(direct), Mode: AtLeast, unknown: !known}
}

// Leaver returns a goal that removes all direct licenses of a user. The goal has
// mode Exactly and needs ManageAll. With Managed it removes only the SKUs in that
// list.
//
// Inherited licenses stay, and group membership does not end. The account is not
// blocked. The mailbox is neither converted nor kept: it is deleted 30 days after
// its Exchange plan is removed. [WarnMailbox] warns of that.
func Leaver(user string) Goal {
	return Goal{Kind: KindUser, Target: user, Mode: Exactly}
}

// Covered returns a goal that removes a user's redundant direct licenses of some
// SKUs. A direct license is redundant if healthy group assignments of the same SKU
// turn on every plan that the direct license turns on. Use Covered to clean up
// after a move to group-based licensing. Nobody loses a plan.
//
// The goal relies on the user as read. Neither [Plan] nor [Apply] checks again that
// groups assign what it removes, so plan it soon. If a planned change has Disabled,
// a group has stopped assigning something since the read. Leave that change out.
//
// Covered does not look for other SKUs with the same plans. A plan counts as on
// unless the user's assignments list it as disabled. A user who was read without
// licenses loses nothing. If user is nil, Plan refuses the goal.
func Covered(user *licensing.User, skuIDs []uuid.UUID) Goal {
	if user == nil {
		return Goal{Kind: KindUser, Mode: AtLeast, unknown: true}
	}
	goal := Goal{Kind: KindUser, Target: user.ID, Mode: AtLeast}
	s := subjectOf(user)
	for _, l := range s.direct {
		if slices.Contains(skuIDs, l.SKUID) && s.coverage(l.SKUID).gives(l.DisabledPlans) {
			goal.Remove = append(goal.Remove, l.SKUID)
		}
	}
	return goal
}

// Swap returns a goal that replaces one SKU of a user with another. Plans that were
// off stay off, as [licensing.LicenseSwap.Apply] computes. One request adds the new
// SKU and removes the old one, so the user always has one of the two. A new SKU
// that the user already has keeps its plans. The goal is empty if the user does not
// have the old SKU directly.
//
// If the new SKU has no Exchange plan, the mailbox is deleted after 30 days.
// [WarnMailbox] warns of that. If groups assign the old SKU, that license stays.
//
// Errors: [licensing.ErrInvalidArgument] (the user is nil or was read without the
// licenses), and those of [licensing.LicenseSwap.Apply].
func Swap(user *licensing.User, swap licensing.LicenseSwap, from, to licensing.SubscribedSKU) (Goal, error) {
	direct, known := user.DirectLicenses()
	if !known {
		return Goal{}, invalid("swap", "%v", errUnknown)
	}
	goal := Goal{Kind: KindUser, Target: user.ID, Mode: AtLeast}
	old, has := licenseOf(direct, swap.From)
	if !has {
		old = licensing.AssignedLicense{SKUID: from.SKUID} // so that mistakes are told all the same
	}
	license, _, err := swap.Apply(old, from, to)
	if err != nil {
		return Goal{}, err
	}
	if !has {
		return goal, nil
	}
	added := License{SKUID: license.SKUID, DisabledPlans: license.DisabledPlans}
	if _, there := licenseOf(direct, swap.To); there {
		added.DisabledPlans = nil
	}
	goal.Licenses, goal.Remove = []License{added}, []uuid.UUID{swap.From}
	return goal, nil
}

// licensesOf returns licenses as those of a goal, each with its whole list.
func licensesOf(direct []licensing.AssignedLicense) []License {
	var licenses []License
	for _, l := range direct {
		licenses = append(licenses, License{SKUID: l.SKUID, DisabledPlans: append([]uuid.UUID{}, l.DisabledPlans...)})
	}
	return licenses
}
