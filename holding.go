package licensing

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A holding is what an object has directly of a SKU: of one that it does not have
// so, the SKU alone.
type holding struct {
	AssignedLicense
	there bool
}

func (h holding) same(as holding) bool {
	return h.there == as.there && (!h.there || samePlans(h.DisabledPlans, as.DisabledPlans))
}

// in returns licenses with h in place of what there is of its SKU.
func (h holding) in(licenses []AssignedLicense) []AssignedLicense {
	i := licenseOf(licenses, h.SKUID)
	switch {
	case i < 0 && h.there:
		return append(licenses, h.AssignedLicense)
	case i < 0:
		return licenses
	case h.there:
		licenses[i] = h.AssignedLicense
		return licenses
	}
	return slices.Delete(licenses, i, i+1)
}

// A holder is a user or a group that has licenses.
type holder interface {
	// told reports whether an answer that was asked for the licenses told them.
	told() bool
	// holding returns what it has directly of a SKU, when that was made, and the
	// ids of the groups that the SKU comes from.
	holding(sku uuid.UUID) (h holding, at time.Time, groups []string)
	// hold has it show what it has directly of a SKU, and since when.
	hold(h holding, at time.Time)
}

func (a *userAnswer) told() bool  { return a.user().told() }
func (a *groupAnswer) told() bool { return a.group().told() }

func (u *User) told() bool  { return u.LicenseAssignmentStates != nil }
func (g *Group) told() bool { return g.AssignedLicenses != nil || g.DisplayName != "" }

// notTold returns the error for an object whose licenses were not told.
func notTold(op string, h holder) error {
	if h.told() {
		return nil
	}
	return &Error{Op: op, kinds: []error{ErrForbidden}, cause: errUntold}
}

// Of what the token may not read, Graph tells the id alone, without an error.
var errUntold = errors.New("the answer has no licenses; the token may lack permission to read them")

func (a *userAnswer) holding(sku uuid.UUID) (holding, time.Time, []string) {
	return a.user().holding(sku)
}
func (a *userAnswer) hold(h holding, at time.Time) { a.user().hold(h, at) }
func (a *groupAnswer) holding(sku uuid.UUID) (holding, time.Time, []string) {
	return a.group().holding(sku)
}
func (a *groupAnswer) hold(h holding, at time.Time) { a.group().hold(h, at) }

func (u *User) holding(sku uuid.UUID) (h holding, at time.Time, groups []string) {
	h.SKUID = sku
	for _, state := range u.LicenseAssignmentStates {
		held := state.State != AssignmentStateError
		switch {
		case state.SKUID != sku:
		case state.AssignedByGroup == "" && held:
			h.DisabledPlans, h.there, at = state.DisabledPlans, true, state.LastUpdatedDateTime
		case state.AssignedByGroup == "" && !h.there: // it failed, and that has a time
			at = state.LastUpdatedDateTime
		case state.AssignedByGroup != "" && held && !slices.ContainsFunc(groups, state.byGroup):
			groups = append(groups, state.AssignedByGroup)
		}
	}
	return h, at, groups
}

func (u *User) hold(h holding, at time.Time) {
	if u.LicenseAssignmentStates == nil { // where licenses come from was not asked
		return
	}
	u.LicenseAssignmentStates = slices.DeleteFunc(u.LicenseAssignmentStates, func(s LicenseAssignmentState) bool {
		return s.SKUID == h.SKUID && s.AssignedByGroup == ""
	})
	if h.there {
		u.LicenseAssignmentStates = append(u.LicenseAssignmentStates, LicenseAssignmentState{
			DisabledPlans:       append([]uuid.UUID{}, h.DisabledPlans...),
			Error:               AssignmentErrorNone,
			LastUpdatedDateTime: at.UTC().Truncate(time.Second),
			SKUID:               h.SKUID,
			State:               AssignmentStateActive,
		})
	}
	u.AssignedLicenses = u.merged(h.SKUID).in(u.AssignedLicenses)
}

// merged returns what the user has of a SKU from all sources together: a plan is on
// when any of them leaves it on.
func (u *User) merged(sku uuid.UUID) holding {
	all := holding{AssignedLicense: AssignedLicense{SKUID: sku}}
	states, _ := u.held()
	for _, s := range states {
		switch {
		case s.SKUID != sku:
		case !all.there:
			all.DisabledPlans, all.there = slices.Clone(s.DisabledPlans), true
		default:
			all.DisabledPlans = slices.DeleteFunc(all.DisabledPlans, func(id uuid.UUID) bool { return !slices.Contains(s.DisabledPlans, id) })
		}
	}
	return all
}

func (g *Group) holding(sku uuid.UUID) (h holding, at time.Time, groups []string) {
	h.SKUID = sku
	if i := licenseOf(g.AssignedLicenses, sku); i >= 0 {
		h = holding{g.AssignedLicenses[i], true}
	}
	return h, time.Time{}, nil // the licenses of a group carry no times
}

func (g *Group) hold(h holding, _ time.Time) {
	if !g.told() {
		return
	}
	h.DisabledPlans = append([]uuid.UUID{}, h.DisabledPlans...)
	g.AssignedLicenses = h.in(g.AssignedLicenses)
}
