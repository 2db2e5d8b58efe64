package licensingtest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Subscription is one purchase of a SKU.
type Subscription struct {
	ID                    string // chosen by AddSKU if empty
	Status                string // "Enabled" (the default), "Warning", "Suspended", "LockedOut" or "Deleted"
	TotalLicenses         int    // returned to clients; has no effect on Seats
	IsTrial               bool
	CreatedDateTime       time.Time // null if zero
	NextLifecycleDateTime time.Time // when the status changes or the purchase renews; null if zero
}

var (
	subscriptionDefaults = strings.Fields("commerceSubscriptionId createdDateTime id isTrial nextLifecycleDateTime ownerId ownerTenantId ownerType serviceStatus skuId skuPartNumber status totalLicenses")
	organizationDefaults = strings.Fields("id countryLetterCode displayName")
	licenseDefaults      = strings.Fields("disabledPlans skuId")
)

// completeSubscriptions makes up what the subscriptions of s leave out, and
// names them.
func (t *Tenant) completeSubscriptions(s *SKU) {
	s.Subscriptions = slices.Clone(s.Subscriptions)
	for i := range s.Subscriptions {
		sub := &s.Subscriptions[i]
		if len(s.SubscriptionIDs) > 0 && !slices.Contains(s.SubscriptionIDs, sub.ID) {
			panicf("AddSKU: subscription %q of SKU %s is not among its SubscriptionIDs", sub.ID, s.PartNumber)
		}
		if sub.ID == "" {
			sub.ID = t.newID(kindSubscription).String()
		}
		sub.Status = cmp.Or(sub.Status, "Enabled")
	}
	if len(s.SubscriptionIDs) > 0 {
		return
	}
	for _, sub := range s.Subscriptions {
		s.SubscriptionIDs = append(s.SubscriptionIDs, sub.ID)
	}
	if len(s.Subscriptions) == 0 {
		s.SubscriptionIDs = []string{t.newID(kindSubscription).String()}
	}
}

// subscriptions are those of s. If they were not given, the first one has all
// its seats.
func (s *SKU) subscriptions() []Subscription {
	if len(s.Subscriptions) > 0 {
		return s.Subscriptions
	}
	var all []Subscription
	for i, id := range s.SubscriptionIDs {
		sub := Subscription{ID: id, Status: s.capability()}
		if i == 0 {
			sub.TotalLicenses = s.Seats + s.Warning + s.Suspended + s.LockedOut
		}
		all = append(all, sub)
	}
	return all
}

func (t *Tenant) listSubscriptions(c *call) (result, *graphError) {
	if err := c.options.only(refuseListing); err != nil {
		return result{}, err
	}
	var all []map[string]any
	for _, s := range t.skuList {
		for _, sub := range s.subscriptions() {
			all = append(all, subscriptionProperties(s, sub))
		}
	}
	return c.collection("#directory/subscriptions", "companySubscription", subscriptionDefaults, all)
}

func (t *Tenant) readSubscription(c *call) (result, *graphError) {
	for _, s := range t.skuList {
		for _, sub := range s.subscriptions() {
			if strings.EqualFold(sub.ID, c.target.key) {
				return c.read("companySubscription", "#directory/subscriptions", subscriptionProperties(s, sub), subscriptionDefaults)
			}
		}
	}
	return result{}, errNotFound(c.target.key)
}

func subscriptionProperties(s *SKU, sub Subscription) map[string]any {
	properties := nulls(subscriptionDefaults)
	for name, value := range map[string]any{
		"createdDateTime":       stampOrNull(sub.CreatedDateTime),
		"id":                    sub.ID,
		"isTrial":               sub.IsTrial,
		"nextLifecycleDateTime": stampOrNull(sub.NextLifecycleDateTime),
		"serviceStatus":         servicePlans(s, nil),
		"skuId":                 s.ID,
		"skuPartNumber":         s.PartNumber,
		"status":                sub.Status,
		"totalLicenses":         sub.TotalLicenses,
	} {
		properties[name] = value
	}
	return properties
}

func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func (t *Tenant) organization() map[string]any {
	return map[string]any{"countryLetterCode": t.location, "displayName": tenantName, "id": t.id.String()}
}

// listOrganization answers with the tenant itself, and the little that it has
// of an organization's properties.
func (t *Tenant) listOrganization(c *call) (result, *graphError) {
	if err := c.options.only(refuseListing); err != nil {
		return result{}, err
	}
	return c.collection("#organization", "organization", organizationDefaults, []map[string]any{t.organization()})
}

func (t *Tenant) readOrganization(c *call) (result, *graphError) {
	if !strings.EqualFold(c.target.key, t.id.String()) {
		return result{}, errNotFound(c.target.key)
	}
	return c.read("organization", "#organization", t.organization(), organizationDefaults)
}

// listUserLicenses is assignedLicenses of a user by itself.
func (t *Tenant) listUserLicenses(c *call) (result, *graphError) {
	u, err := t.seeUser(c)
	if err != nil {
		return result{}, err
	}
	return c.licenses("#users('"+u.ID+"')/assignedLicenses", u.merged())
}

// listGroupLicenses is assignedLicenses of a group by itself.
func (t *Tenant) listGroupLicenses(c *call) (result, *graphError) {
	_, g, err := t.seeGroup(c)
	if err != nil {
		return result{}, err
	}
	return c.licenses("#groups('"+g.ID+"')/assignedLicenses", g.Licenses)
}

func (c *call) licenses(context string, licenses []License) (result, *graphError) {
	if err := c.options.only(refuseListing); err != nil {
		return result{}, err
	}
	var all []map[string]any
	for _, l := range licenses {
		all = append(all, map[string]any{"skuId": l.SKUID, "disabledPlans": append([]uuid.UUID{}, l.DisabledPlans...)})
	}
	return c.collection(context, "assignedLicense", licenseDefaults, all)
}
