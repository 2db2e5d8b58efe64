package licensingtest

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// tenantName is what every tenant is called.
const tenantName = "Contoso"

type wireUnits struct {
	Enabled   int `json:"enabled"`
	LockedOut int `json:"lockedOut"`
	Suspended int `json:"suspended"`
	Warning   int `json:"warning"`
}

type wireServicePlan struct {
	AppliesTo          string    `json:"appliesTo"`
	ProvisioningStatus string    `json:"provisioningStatus"`
	ServicePlanID      uuid.UUID `json:"servicePlanId"`
	ServicePlanName    string    `json:"servicePlanName"`
}

var (
	skuDefaults     = strings.Fields("accountId accountName appliesTo capabilityStatus consumedUnits id prepaidUnits servicePlans skuId skuPartNumber subscriptionIds")
	detailsDefaults = strings.Fields("id servicePlans skuId skuPartNumber")
)

// SKU returns the current state of the SKU with this id. It returns false if there
// is no such SKU.
func (t *Tenant) SKU(id uuid.UUID) (SKU, bool) {
	t.lock()
	defer t.mu.Unlock()
	if s := t.skus[id]; s != nil {
		return cloneSKU(*s), true
	}
	return SKU{}, false
}

// SetSeats sets how many seats of a SKU are paid for. The number may be lower than
// the number in use; nobody loses a license. SetSeats panics if there is no such
// SKU or the number is negative.
func (t *Tenant) SetSeats(sku uuid.UUID, seats int) {
	t.lock()
	defer t.mu.Unlock()
	s := t.skus[sku]
	if s == nil {
		panicf("SetSeats: no SKU %s", sku)
	}
	if seats < 0 {
		panicf("SetSeats: SKU %s has %d seats", s.PartNumber, seats)
	}
	s.Seats = seats
}

// free reports whether there is a seat for one user more. Those in the grace
// period count, those that are suspended or locked out do not.
func (s *SKU) free() bool { return s.Consumed < s.Seats+s.Warning }

// barred reports whether the SKU cannot be used in a country.
func (s *SKU) barred(country string) bool {
	return slices.ContainsFunc(s.BarredIn, func(c string) bool { return strings.EqualFold(c, country) })
}

// capability is the SKU's capabilityStatus, which follows from its seats unless
// it was set.
func (s *SKU) capability() string {
	switch {
	case s.CapabilityStatus != "":
		return s.CapabilityStatus
	case s.Seats > 0:
		return "Enabled"
	case s.Warning > 0:
		return "Warning"
	case s.Suspended > 0:
		return "Suspended"
	case s.LockedOut > 0:
		return "LockedOut"
	}
	return "Deleted"
}

func (t *Tenant) listSKUs(c *call) (result, *graphError) {
	if err := c.options.only(refuseOption); err != nil {
		return result{}, err
	}
	var all []map[string]any
	for _, s := range t.skuList {
		all = append(all, t.skuProperties(s))
	}
	return c.collection("#subscribedSkus", "subscribedSku", skuDefaults, all)
}

func (t *Tenant) readSKU(c *call) (result, *graphError) {
	for _, s := range t.skuList {
		if strings.EqualFold(c.target.key, t.skuKey(s)) {
			return c.read("subscribedSku", "#subscribedSkus", t.skuProperties(s), skuDefaults)
		}
	}
	return result{}, errNotFound(c.target.key)
}

// skuKey is what Graph calls a SKU of this tenant.
func (t *Tenant) skuKey(s *SKU) string { return t.id.String() + "_" + s.ID.String() }

func (t *Tenant) skuProperties(s *SKU) map[string]any {
	return map[string]any{
		"accountId":        t.account,
		"accountName":      tenantName,
		"appliesTo":        s.AppliesTo,
		"capabilityStatus": s.capability(),
		"consumedUnits":    s.Consumed,
		"id":               t.skuKey(s),
		"prepaidUnits":     wireUnits{Enabled: s.Seats, LockedOut: s.LockedOut, Suspended: s.Suspended, Warning: s.Warning},
		"servicePlans":     servicePlans(s, nil),
		"skuId":            s.ID,
		"skuPartNumber":    s.PartNumber,
		"subscriptionIds":  append([]string{}, s.SubscriptionIDs...),
	}
}

// servicePlans are the plans of s, of which these are disabled.
func servicePlans(s *SKU, disabled []uuid.UUID) []wireServicePlan {
	plans := []wireServicePlan{}
	for _, p := range s.Plans {
		status := p.ProvisioningStatus
		if slices.Contains(disabled, p.ID) {
			status = "Disabled"
		}
		plans = append(plans, wireServicePlan{p.AppliesTo, status, p.ID, p.Name})
	}
	return plans
}

func (t *Tenant) listLicenseDetails(c *call) (result, *graphError) {
	u, err := t.seeUser(c)
	if err != nil {
		return result{}, err
	}
	if err := c.options.only(refuseOption); err != nil {
		return result{}, err
	}
	var all []map[string]any
	for _, l := range u.merged() {
		all = append(all, t.detailsProperties(l))
	}
	return c.collection("#users('"+u.ID+"')/licenseDetails", "licenseDetails", detailsDefaults, all)
}

func (t *Tenant) readLicenseDetails(c *call) (result, *graphError) {
	u, err := t.seeUser(c)
	if err != nil {
		return result{}, err
	}
	for _, l := range u.merged() {
		if properties := t.detailsProperties(l); properties["id"] == c.target.sub {
			return c.read("licenseDetails", "#users('"+u.ID+"')/licenseDetails", properties, detailsDefaults)
		}
	}
	return result{}, errNotFound(c.target.sub)
}

// detailsProperties are the license details of l, whose id is the same for all
// users of the tenant.
func (t *Tenant) detailsProperties(l License) map[string]any {
	s := t.skus[l.SKUID]
	tenant, sku := littleEndian(t.id), littleEndian(s.ID)
	return map[string]any{
		"id":            base64.RawURLEncoding.EncodeToString(slices.Concat(tenant[:], sku[:])),
		"servicePlans":  servicePlans(s, l.DisabledPlans),
		"skuId":         s.ID,
		"skuPartNumber": s.PartNumber,
	}
}
