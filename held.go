package licensing

import (
	"slices"

	"github.com/google/uuid"
)

// DirectLicenses returns the licences that are assigned to the user directly,
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

// InheritedLicenses returns the licences that the user has through groups,
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
// state that takes a licence away. Like [User.DirectLicenses] it reports false
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
			} else if !slices.Contains(effective.GroupIDs, s.AssignedByGroup) {
				effective.GroupIDs = append(effective.GroupIDs, s.AssignedByGroup)
			}
		}
		plans = append(plans, effective)
	}
	return plans, true
}
