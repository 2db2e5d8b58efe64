package licensing

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// AssignUserLicense adds and removes licenses of a user in one request. It returns
// the user from Graph's answer, which has eleven default properties and no
// licenses. Rely on the success of the call. To get the licenses, read the user
// with [Client.User]. If other programs read the user next, wait with
// [Client.WaitForUser], because reads lag behind.
//
// The user is an object id or a user principal name, and needs a usage location.
// The disabled plans of an added SKU replace its earlier ones; an empty list turns
// all plans on. A license that is inherited from a group can be removed on the
// group only. Removing Exchange Online starts a 30-day period after which the
// mailbox is deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNoAvailableLicenses] (no
// free seat), [ErrUsageLocation] (not set, or the product is not sold there),
// [ErrUnknownSKU] (not in the tenant), [ErrNotAssignable] (applies to the company),
// [ErrPlanDependency] (a plan needs another), [ErrPlanConflict] (plans exclude each
// other), [ErrNotAssigned] (nothing to remove), [ErrInherited] (remove it on the
// group), [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (send
// it again).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignUserLicense(ctx context.Context, user string, req AssignLicenseRequest) (*User, error) {
	w, err := c.newAssign(ctx, "assign user license", graph.User(user), req)
	return asUser(finish(ctx, w, err))
}

// AssignMyLicense adds and removes licenses of the signed-in user. It returns the
// user from Graph's answer, which has eleven default properties and no licenses.
// Rely on the success of the call. [Client.Me] reads the licenses.
//
// It is [Client.AssignUserLicense] for the user who signed in, and works with
// delegated tokens only.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated.
//
// Errors: those of [Client.AssignUserLicense], and [ErrDelegatedOnly] (the token is
// an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignMyLicense(ctx context.Context, req AssignLicenseRequest) (*User, error) {
	w, err := c.newAssign(ctx, "assign my license", graph.Me, req)
	return asUser(finish(ctx, w, err))
}

// User reads a user with all properties that concern licenses, both direct and
// inherited.
//
// The user is an object id or a user principal name. Use [User.DirectLicenses],
// [User.InheritedLicenses] and [User.EffectivePlans] to evaluate the result,
// because AssignedLicenses does not tell direct from inherited licenses. The result
// shows this client's own writes of the last five minutes; see Reading in the
// package documentation.
//
// Permission: User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound] (no such user, or
// the user was just created), [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) User(ctx context.Context, user string) (*User, error) {
	return asUser(c.read(ctx, "read user licenses", graph.User(user)))
}

// Me reads the licenses of the signed-in user.
//
// It is [Client.User] for the user who signed in, and works with delegated tokens
// only.
//
// Permission: User.Read, delegated.
//
// Errors: those of [Client.User], and [ErrDelegatedOnly] (the token is an
// application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) Me(ctx context.Context) (*User, error) {
	return asUser(c.read(ctx, "read my licenses", graph.Me))
}

// DirectLicenses returns the licenses that are assigned to the user directly. These
// are the licenses that can be changed and removed on the user. The user may
// inherit the same SKU as well.
//
// The licenses come from LicenseAssignmentStates, because AssignedLicenses does not
// tell direct from inherited. Assignments in state Error failed and are left out.
// DirectLicenses returns false if the user was read without
// LicenseAssignmentStates. In that case nothing is known about the licenses.
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

// InheritedLicenses returns the licenses that the user has through groups. They can
// be changed and removed on the group only. A SKU that comes through several groups
// appears once for each group.
//
// Like [User.DirectLicenses], it uses LicenseAssignmentStates and returns false if
// the user was read without them.
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

// An EffectivePlan is a service plan of a SKU, together with whether a user has it.
type EffectivePlan struct {
	ServicePlan
	Enabled  bool
	Direct   bool     // enabled by a direct assignment
	GroupIDs []string // groups whose assignments enable it
}

// EffectivePlans returns the service plans of a SKU in the order of the SKU. For
// each plan it says whether the user has it, and through which assignments. If the
// user does not have the SKU, all plans are off.
//
// The assignments of a SKU add up: a plan is on if any assignment, direct or
// inherited, leaves it on. Assignments in state Error or Disabled give nothing. An
// assignment in an unknown state counts as held, because Graph documents no other
// state without a license. Like [User.DirectLicenses], EffectivePlans returns false
// if nothing is known.
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
