package reconcile

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A product is a SKU of the tenant, with what of its plans is asked often.
type product struct {
	licensing.SubscribedSKU
	plans []uuid.UUID // in the order of the SKU
}

// products are the SKUs of the tenant.
type products map[uuid.UUID]*product

func newProducts(skus []licensing.SubscribedSKU) products {
	p := make(products, len(skus))
	for _, sku := range skus {
		if p[sku.SKUID] != nil || sku.SKUID == uuid.Nil {
			continue
		}
		known := &product{SubscribedSKU: sku}
		for _, plan := range sku.ServicePlans {
			known.plans = append(known.plans, plan.ServicePlanID)
		}
		p[sku.SKUID] = known
	}
	return p
}

// sorted returns the SKUs in an order that does not depend on that of the answer.
func (p products) sorted() []*product {
	var all []*product
	for _, sku := range p {
		all = append(all, sku)
	}
	slices.SortFunc(all, func(a, b *product) int {
		return cmp.Or(cmp.Compare(a.SKUPartNumber, b.SKUPartNumber), bytes.Compare(a.SKUID[:], b.SKUID[:]))
	})
	return all
}

// canSwitch reports whether a plan is one of the SKU's that users can have off.
func (p *product) canSwitch(plan uuid.UUID) bool {
	i := slices.Index(p.plans, plan)
	return i >= 0 && (p.ServicePlans[i].AppliesTo == "" || strings.EqualFold(p.ServicePlans[i].AppliesTo, "User"))
}

// only returns those of some plans for which keep holds, in the order of the SKU. Of
// plans that the SKU does not have it returns none.
func (p *product) only(keep func(plan uuid.UUID) bool) []uuid.UUID {
	some := []uuid.UUID{} // without room: it is kept, and mostly short
	for _, plan := range p.plans {
		if keep(plan) && !slices.Contains(some, plan) {
			some = append(some, plan)
		}
	}
	return some
}

// these returns those of some plans that the SKU has, in its order.
func (p *product) these(some []uuid.UUID) []uuid.UUID {
	return p.only(func(plan uuid.UUID) bool { return slices.Contains(some, plan) })
}

// inOrder returns plans in the order of their SKU and those that it does not have
// behind them, so that two reads of one state give the same list.
func (p products) inOrder(license licensing.AssignedLicense) licensing.AssignedLicense {
	var order []uuid.UUID
	if sku := p[license.SKUID]; sku != nil {
		order = sku.plans
	}
	place := func(plan uuid.UUID) int {
		if i := slices.Index(order, plan); i >= 0 {
			return i
		}
		return len(order)
	}
	license.DisabledPlans = append(make([]uuid.UUID, 0, len(license.DisabledPlans)), license.DisabledPlans...)
	slices.SortFunc(license.DisabledPlans, func(a, b uuid.UUID) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), bytes.Compare(a[:], b[:]))
	})
	return license
}

// givesMailbox tells the Exchange plans with a mailbox from those that many SKUs
// have for their own purposes.
func givesMailbox(plan string) bool {
	plan = strings.ToUpper(plan)
	return strings.HasPrefix(plan, "EXCHANGE") &&
		!strings.Contains(plan, "FOUNDATION") && !strings.Contains(plan, "ARCHIVE") && !strings.Contains(plan, "ANALYTICS")
}

// licenseOf returns the license for a SKU, if it is there.
func licenseOf(licenses []licensing.AssignedLicense, sku uuid.UUID) (licensing.AssignedLicense, bool) {
	for _, l := range licenses {
		if l.SKUID == sku {
			return l, true
		}
	}
	return licensing.AssignedLicense{}, false
}

// contains reports whether all of some plans are among others.
func contains(all, some []uuid.UUID) bool {
	for _, id := range some {
		if !slices.Contains(all, id) {
			return false
		}
	}
	return true
}

func samePlans(a, b []uuid.UUID) bool { return contains(a, b) && contains(b, a) }

// sameLicenses reports whether two lists are of the same SKUs with the same plans.
func sameLicenses(a, b []licensing.AssignedLicense) bool {
	if len(a) != len(b) {
		return false
	}
	for _, l := range a {
		if other, ok := licenseOf(b, l.SKUID); !ok || !samePlans(l.DisabledPlans, other.DisabledPlans) {
			return false
		}
	}
	return true
}
