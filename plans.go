package licensing

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// A ServicePlanChange says which service plans of a SKU to switch on and off. Set
// either EnableOnly, or one or both of Enable and Disable.
type ServicePlanChange struct {
	// Enable and Disable are plans to switch; all others stay as they are.
	Enable, Disable []uuid.UUID
	// EnableOnly are the plans that are to be on. All other plans that apply to
	// users are switched off. An empty list counts as not set; it does not switch
	// everything off.
	EnableOnly []uuid.UUID
}

// Apply returns current after the change, as an entry for AddLicenses of an
// [AssignLicenseRequest]. It does not modify its arguments and sends nothing. A
// plan that is already as requested is not an error.
//
// Pass the SKU of current, with the service plans that the tenant has in it. Only
// plans that apply to users can be switched. The disabled plans of current keep
// their order, and new ones follow in the order of the SKU. Disabled plans that the
// SKU no longer has are left out, because Graph refuses them. Plans that Microsoft
// adds to the SKU later will be on, even with EnableOnly.
//
// Errors: [ErrInvalidArgument], whose text says which part of the change is wrong,
// together with [ErrNoChanges] if the change is empty.
func (p ServicePlanChange) Apply(current AssignedLicense, sku SubscribedSKU) (AssignedLicense, error) {
	return p.apply("change service plans", current, sku)
}

func (p ServicePlanChange) apply(op string, current AssignedLicense, sku SubscribedSKU) (AssignedLicense, error) {
	if err := p.check(op); err != nil {
		return AssignedLicense{}, err
	}
	if err := checkSKU(op, "current", current, "sku", sku); err != nil {
		return AssignedLicense{}, err
	}
	for _, list := range p.lists() {
		for i, id := range list.plans {
			if reason := fixed(sku, id); reason != "" {
				return AssignedLicense{}, invalid(op, "%s[%d]: %s", list.name, i, reason)
			}
		}
	}
	off := func(id uuid.UUID) bool {
		switch {
		case len(p.EnableOnly) > 0 && fixed(sku, id) == "":
			return !slices.Contains(p.EnableOnly, id)
		case slices.Contains(p.Enable, id):
			return false
		}
		return slices.Contains(p.Disable, id) || slices.Contains(current.DisabledPlans, id)
	}
	disabled := make([]uuid.UUID, 0, len(sku.ServicePlans))
	add := func(id uuid.UUID) {
		if _, ok := planOf(sku, id); ok && off(id) && !slices.Contains(disabled, id) {
			disabled = append(disabled, id)
		}
	}
	for _, id := range current.DisabledPlans {
		add(id)
	}
	for _, plan := range sku.ServicePlans {
		add(plan.ServicePlanID)
	}
	return AssignedLicense{SKUID: current.SKUID, DisabledPlans: disabled}, nil
}

// check says what is wrong with the change for any SKU.
func (p ServicePlanChange) check(op string) error {
	switch edits := len(p.Enable) + len(p.Disable); {
	case edits == 0 && len(p.EnableOnly) == 0:
		err := invalid(op, "Enable, Disable and EnableOnly are all empty")
		err.kinds = append(err.kinds, ErrNoChanges)
		return err
	case edits > 0 && len(p.EnableOnly) > 0:
		return invalid(op, "EnableOnly is given together with Enable or Disable")
	}
	for _, list := range p.lists() {
		if i := slices.Index(list.plans, uuid.Nil); i >= 0 {
			return invalid(op, "%s[%d] is the nil UUID", list.name, i)
		}
	}
	for i, id := range p.Disable {
		if slices.Contains(p.Enable, id) {
			return invalid(op, "Disable[%d]: service plan %s is in Enable, too", i, id)
		}
	}
	return nil
}

type planList struct {
	name  string
	plans []uuid.UUID
}

func (p ServicePlanChange) lists() []planList {
	return []planList{{"Enable", p.Enable}, {"Disable", p.Disable}, {"EnableOnly", p.EnableOnly}}
}

// checkSKU reports a license that is not of the SKU that it is to be.
func checkSKU(op, licenseName string, license AssignedLicense, skuName string, sku SubscribedSKU) error {
	switch {
	case sku.SKUID == uuid.Nil:
		return invalid(op, "%s.SKUID is the nil UUID", skuName)
	case license.SKUID != sku.SKUID:
		return invalid(op, "%s is of SKU %s, but %s is %s", licenseName, license.SKUID, skuName, called(sku.SKUID, sku.SKUPartNumber))
	}
	return nil
}

// planOf returns the service plan of a SKU that has an id.
func planOf(sku SubscribedSKU, id uuid.UUID) (ServicePlan, bool) {
	i := slices.IndexFunc(sku.ServicePlans, func(p ServicePlan) bool { return p.ServicePlanID == id })
	if i < 0 || id == uuid.Nil {
		return ServicePlan{}, false
	}
	return sku.ServicePlans[i], true
}

// licenseOf returns the position of the license for a SKU, or -1.
func licenseOf(licenses []AssignedLicense, sku uuid.UUID) int {
	return slices.IndexFunc(licenses, func(l AssignedLicense) bool { return l.SKUID == sku })
}

// skuOf returns the position of the SKU with an id, or -1.
func skuOf(skus []SubscribedSKU, id uuid.UUID) int {
	return slices.IndexFunc(skus, func(s SubscribedSKU) bool { return s.SKUID == id })
}

// fixed says why a plan of a SKU cannot be switched, and nothing if it can.
func fixed(sku SubscribedSKU, id uuid.UUID) string {
	plan, ok := planOf(sku, id)
	switch {
	case !ok:
		return "service plan " + id.String() + " is not in SKU " + called(sku.SKUID, sku.SKUPartNumber)
	case plan.AppliesTo != "" && !strings.EqualFold(plan.AppliesTo, "User"):
		return "service plan " + called(id, plan.ServicePlanName) + " applies to " + plan.AppliesTo + ", only those for User can be switched"
	}
	return ""
}

// samePlans reports whether two lists have the same plans, in any order.
func samePlans(a, b []uuid.UUID) bool {
	in := func(all, some []uuid.UUID) bool {
		return !slices.ContainsFunc(some, func(id uuid.UUID) bool { return !slices.Contains(all, id) })
	}
	return in(a, b) && in(b, a)
}

// A PlanMapping says what became of a disabled service plan when its SKU was
// replaced by another.
type PlanMapping struct {
	From uuid.UUID // in the old SKU
	To   uuid.UUID // in the new SKU; the nil UUID if By is PlanMatchNone
	By   PlanMatch
}

// PlanMatch says how the matching service plan of the new SKU was found.
type PlanMatch string

// The values of [PlanMatch].
const (
	PlanMatchSameID  PlanMatch = "same id" // the new SKU has the same plan
	PlanMatchMapping PlanMatch = "mapping" // from LicenseSwap.Plans
	PlanMatchNone    PlanMatch = "none"    // there is no match, so no plan is disabled
)

// swapPlans returns the license of SKU b that takes the place of from, one of
// SKU a, and for each disabled plan of it what it became. A plan that both
// SKUs have stays disabled; for others mapping says which plan of b (value)
// stands for one of a (key). Whatever else b has is on.
//
// A disabled plan that a no longer lists is carried over like the others: it
// was off, and would otherwise come on.
func swapPlans(op string, from AssignedLicense, a, b SubscribedSKU, mapping map[uuid.UUID]uuid.UUID) (AssignedLicense, []PlanMapping, error) {
	if err := checkSKU(op, "the license", from, "the old SKU", a); err != nil {
		return AssignedLicense{}, nil, err
	}
	switch b.SKUID {
	case uuid.Nil:
		return AssignedLicense{}, nil, invalid(op, "the new SKU.SKUID is the nil UUID")
	case a.SKUID:
		return AssignedLicense{}, nil, invalid(op, "both SKUs are %s", called(a.SKUID, a.SKUPartNumber))
	}
	// In order, so that of several mistakes it is always the same that is told.
	for _, old := range slices.SortedFunc(maps.Keys(mapping), func(x, y uuid.UUID) int { return bytes.Compare(x[:], y[:]) }) {
		if _, ok := planOf(a, old); !ok && len(a.ServicePlans) > 0 { // else they are not known
			return AssignedLicense{}, nil, invalid(op, "Plans[%s]: not a service plan of SKU %s", old, called(a.SKUID, a.SKUPartNumber))
		}
		if reason := fixed(b, mapping[old]); reason != "" {
			return AssignedLicense{}, nil, invalid(op, "Plans[%s]: %s", old, reason)
		}
	}

	to := AssignedLicense{SKUID: b.SKUID, DisabledPlans: []uuid.UUID{}}
	var report []PlanMapping
	olds, _ := distinct(slices.DeleteFunc(slices.Clone(from.DisabledPlans), func(id uuid.UUID) bool { return id == uuid.Nil }))
	for _, old := range olds {
		m := PlanMapping{From: old, By: PlanMatchNone}
		if fixed(b, old) == "" {
			m.To, m.By = old, PlanMatchSameID
		} else if id, ok := mapping[old]; ok {
			m.To, m.By = id, PlanMatchMapping
		}
		report = append(report, m)
		if m.By != PlanMatchNone && !slices.Contains(to.DisabledPlans, m.To) {
			to.DisabledPlans = append(to.DisabledPlans, m.To)
		}
	}
	return to, report, nil
}
