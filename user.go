package licensing

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// AssignUserLicense adds and removes licenses of a user in one request and
// returns the user as Graph answers the write: with the eleven default properties
// of a user, and no licenses. That it succeeded is what to trust. For the licenses
// read the user, by [Client.User] or [Client.WaitForUser]: reads lag behind.
//
// The user is an object id or a user principal name, and needs a usage
// location. The disabled plans of an added SKU replace those it had; without
// any all plans are on. What is inherited from a group is removed on the group.
// Removing Exchange starts the 30 days after which the mailbox is deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNoAvailableLicenses]
// (no seat left), [ErrUsageLocation] (none, or not sold there), [ErrUnknownSKU]
// (not the tenant's), [ErrNotAssignable] (for the company), [ErrPlanDependency],
// [ErrPlanConflict] (plans need or exclude others), [ErrNotAssigned],
// [ErrInherited] (nothing to remove here), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrOutcomeUnknown] (in doubt).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignUserLicense(ctx context.Context, user string, req AssignLicenseRequest) (*User, error) {
	w, err := c.newAssign(ctx, "assign user license", graph.User(user), req)
	return asUser(finish(ctx, w, err))
}

// AssignMyLicense adds and removes licenses of the signed-in user and returns
// the user as Graph answers the write: with the eleven default properties of a
// user, and no licenses. That it succeeded is what to trust; [Client.Me] reads the
// licenses.
//
// It is [Client.AssignUserLicense] for the user whose token it is, and works
// with delegated tokens only.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated.
//
// Errors: those of [Client.AssignUserLicense], and [ErrDelegatedOnly] (the
// token is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignMyLicense(ctx context.Context, req AssignLicenseRequest) (*User, error) {
	w, err := c.newAssign(ctx, "assign my license", graph.Me, req)
	return asUser(finish(ctx, w, err))
}

// User reads what licenses a user has, directly and through groups,
// with all properties that are about licenses.
//
// The user is an object id or a user principal name. See [User.DirectLicenses],
// [User.InheritedLicenses] and [User.EffectivePlans]: AssignedLicenses cannot
// tell direct from inherited. What this client wrote in the last five minutes is
// shown as it wrote it; see Reading in the package's documentation.
//
// Permission: User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound] (no such user,
// or one just made), [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) User(ctx context.Context, user string) (*User, error) {
	return asUser(c.read(ctx, "read user licenses", graph.User(user)))
}

// Me reads what licenses the signed-in user has.
//
// It is [Client.User] for the user whose token it is, and works with
// delegated tokens only.
//
// Permission: User.Read, delegated.
//
// Errors: those of [Client.User], and [ErrDelegatedOnly] (the token is
// an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) Me(ctx context.Context) (*User, error) {
	return asUser(c.read(ctx, "read my licenses", graph.Me))
}

// DirectLicenses returns the licenses that are assigned to the user directly,
// which are those that can be changed and removed on the user. A SKU may be
// among them and be inherited as well.
//
// They come from LicenseAssignmentStates, for AssignedLicenses does not tell
// direct and inherited ones apart. Assignments in state Error failed, and are
// left out. It reports false when the user was read without the states: then
// nothing is known.
func (u *User) DirectLicenses() ([]AssignedLicense, bool) {
	states, ok := u.held()
	var licenses []AssignedLicense
	for _, s := range states {
		if s.AssignedByGroup == "" {
			licenses = append(licenses, AssignedLicense{SKUID: s.SKUID, DisabledPlans: slices.Clone(s.DisabledPlans)})
		}
	}
	return licenses, ok
}

// InheritedLicenses returns the licenses that the user has through groups,
// which can be changed and removed on the group only. A SKU that comes through
// several groups is there for each.
//
// It goes by LicenseAssignmentStates, and reports false without them, like
// [User.DirectLicenses].
func (u *User) InheritedLicenses() ([]InheritedLicense, bool) {
	states, ok := u.held()
	var licenses []InheritedLicense
	for _, s := range states {
		if s.AssignedByGroup != "" {
			licenses = append(licenses, InheritedLicense{SKUID: s.SKUID, DisabledPlans: slices.Clone(s.DisabledPlans), GroupID: s.AssignedByGroup})
		}
	}
	return licenses, ok
}

// byGroup reports whether the assignment is that of a group.
func (s LicenseAssignmentState) byGroup(id string) bool {
	return strings.EqualFold(s.AssignedByGroup, id)
}

// held returns the assignments that did not fail, and whether they are known.
func (u *User) held() ([]LicenseAssignmentState, bool) {
	if u == nil || u.LicenseAssignmentStates == nil {
		return nil, false
	}
	var held []LicenseAssignmentState
	for _, s := range u.LicenseAssignmentStates {
		if s.State != AssignmentStateError && s.SKUID != uuid.Nil {
			held = append(held, s)
		}
	}
	return held, true
}

// An EffectivePlan is a service plan of a SKU, and whether a user has it.
type EffectivePlan struct {
	ServicePlan
	Enabled  bool
	Direct   bool     // by a direct assignment
	GroupIDs []string // by the assignments of these groups
}

// EffectivePlans returns the service plans of a SKU in the SKU's order, and for
// each whether the user has it, and from where. All are off when the user does
// not have the SKU.
//
// The assignments of a SKU add up: a plan is on when any of them, direct or
// through a group, leaves it on. Assignments in state Error or Disabled give
// nothing. Those in an unknown state count as held: Graph documents no other
// state that takes a license away. Like [User.DirectLicenses] it reports false
// when nothing is known.
func (u *User) EffectivePlans(sku SubscribedSKU) ([]EffectivePlan, bool) {
	states, ok := u.held()
	if !ok {
		return nil, false
	}
	plans := make([]EffectivePlan, 0, len(sku.ServicePlans))
	for _, plan := range sku.ServicePlans {
		effective := EffectivePlan{ServicePlan: plan}
		for _, s := range states {
			if s.SKUID != sku.SKUID || s.State == AssignmentStateDisabled || slices.Contains(s.DisabledPlans, plan.ServicePlanID) {
				continue
			}
			effective.Enabled = true
			if s.AssignedByGroup == "" {
				effective.Direct = true
			} else if !slices.ContainsFunc(effective.GroupIDs, s.byGroup) {
				effective.GroupIDs = append(effective.GroupIDs, s.AssignedByGroup)
			}
		}
		plans = append(plans, effective)
	}
	return plans, true
}
