package reconcile

import (
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Snapshot returns the goals by which users have again exactly what they have
// directly now. Save them as JSON, and plan them to restore.
//
// The goals are of mode Exactly: plan them with ManageAll, or with the SKUs of which
// they may take away what was added since. With IgnoreInherited a direct license
// comes back also where groups give the same by then. Users who were read without
// their licenses are left out.
//
// It restores neither group membership nor what the services delete when a license
// goes: a mailbox 30 days after its Exchange plan.
func Snapshot(users iter.Seq[*licensing.User]) []Goal {
	var goals []Goal
	for user := range users {
		if direct, known := user.DirectLicenses(); known {
			goals = append(goals, Goal{Kind: KindUser, Target: user.ID, Licenses: licensesOf(direct), Mode: Exactly})
		}
	}
	return goals
}

// Copy returns the goal by which a user has at least what another one has directly,
// with the same plans on.
//
// It takes nothing away; set Mode to Exactly for that. What comes through groups is
// not copied, nor is the membership in them, the usage location, or anything in the
// mailbox.
//
// Read the user with [licensing.Client.User] or another method that reads licenses.
// The copy of one who was read without them, or of nil, is a goal that [Plan] and
// [Goal.MarshalJSON] refuse, whatever its Mode: nobody knows what it should say.
func Copy(from *licensing.User, to string) Goal {
	direct, known := from.DirectLicenses()
	return Goal{Kind: KindUser, Target: to, Licenses: licensesOf(direct), Mode: AtLeast, unknown: !known}
}

// Leaver returns the goal by which a user has no direct license. It is of mode
// Exactly and needs ManageAll: with Managed it takes away the SKUs in there alone.
//
// What groups give stays, and membership in them is not ended. The mailbox is
// neither converted nor kept: it is deleted 30 days after its Exchange plan goes,
// of which [WarnMailbox] warns. The account is not blocked.
func Leaver(user string) Goal {
	return Goal{Kind: KindUser, Target: user, Mode: Exactly}
}

// Covered returns the goal by which a user has no direct license any more, of some
// SKUs, that groups make needless: all plans that the direct one has on, healthy
// assignments of the same SKU by groups have on as well. It is the clean-up after a
// move to licensing by groups, and nobody loses a plan by it.
//
// The goal goes by the user as read, and neither [Plan] nor [Apply] checks again that
// groups give what it removes. So plan it soon, and leave out a change that has
// Disabled: there a group has stopped giving something since.
//
// It does not look for other SKUs with the same plans, and plans that the user's rows
// do not name count as on. A user read without the licenses loses nothing. The goal
// for nil is one that Plan refuses.
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

// Swap returns the goal by which a user has one SKU in the place of another, with the
// plans off that were off, as [licensing.LicenseSwap.Apply] works out. Both go in one
// request, so that nobody is without either. A new SKU that is there already keeps
// its plans, and who does not have the old one directly has an empty goal.
//
// Where the new SKU has no Exchange the mailbox is deleted after 30 days, of which
// [WarnMailbox] warns. What groups give of the old SKU stays.
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
