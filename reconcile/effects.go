package reconcile

import (
	"encoding/binary"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Effects tell what people gain and lose. What many gain alike is kept once.
type effects struct {
	before, after map[uuid.UUID]bool // plans that are on, of one subject at a time
	kept          map[string][]ServicePlanRef
}

// tell fills in what a change does in effect, and warns of what that means.
func (e *effects) tell(products products, d *decision, c *Change) {
	if e.kept == nil {
		e.before, e.after, e.kept = make(map[uuid.UUID]bool), make(map[uuid.UUID]bool), make(map[string][]ServicePlanRef)
	}
	clear(e.before)
	clear(e.after)
	then := d.then()
	mailbox := switchOn(e.after, products, then)
	switchOn(e.before, products, d.subject.sources)
	c.Enabled = e.keep(differing(products, then, c.After, e.before))
	lost := differing(products, d.subject.sources, c.Before, e.after)
	c.Disabled = e.keep(lost)
	if !mailbox && slices.ContainsFunc(lost, func(p ServicePlanRef) bool { return givesMailbox(p.ServicePlanName) }) {
		d.warn(WarnMailbox)
	}
	if d.keptByGroup(c) {
		d.warn(WarnKeptByGroup)
	}
	if slices.ContainsFunc(c.Before, func(l licensing.AssignedLicense) bool { return products[l.SKUID] == nil }) {
		d.warn(WarnUnknownSKU)
	}
}

// then returns what the sources will be.
func (d *decision) then() []source {
	about := skusOf(d.request)
	then := make([]source, 0, len(d.subject.sources)+len(d.request.AddLicenses))
	for _, from := range d.subject.sources {
		if !from.direct || !slices.Contains(about, from.SKUID) {
			then = append(then, from)
		}
	}
	for _, l := range d.request.AddLicenses {
		then = append(then, source{AssignedLicense: l, direct: true, gives: d.stays(l.SKUID)})
	}
	return then
}

// stays reports whether a direct license gives something once it is written. One
// that was suspended stays so when its plans are switched.
func (d *decision) stays(sku uuid.UUID) bool {
	return !slices.ContainsFunc(d.subject.sources, func(from source) bool { return from.direct && from.SKUID == sku && !from.gives })
}

// switchOn adds the plans that sources have on, and reports whether one of them has
// a mailbox.
func switchOn(on map[uuid.UUID]bool, products products, sources []source) (mailbox bool) {
	for _, from := range sources {
		sku := products[from.SKUID]
		if sku == nil || !from.gives {
			continue
		}
		for _, plan := range sku.ServicePlans {
			if !slices.Contains(from.DisabledPlans, plan.ServicePlanID) {
				on[plan.ServicePlanID] = true
				mailbox = mailbox || givesMailbox(plan.ServicePlanName)
			}
		}
	}
	return mailbox
}

// differing returns the plans that the direct ones of some sources have on, of the
// SKUs of a change, and that are not on otherwise.
func differing(products products, sources []source, licenses []licensing.AssignedLicense, otherwise map[uuid.UUID]bool) (refs []ServicePlanRef) {
	for _, l := range licenses {
		i := slices.IndexFunc(sources, func(from source) bool { return from.direct && from.SKUID == l.SKUID })
		sku := products[l.SKUID]
		if sku == nil || i < 0 || !sources[i].gives {
			continue
		}
		for _, plan := range sku.ServicePlans {
			id := plan.ServicePlanID
			if !otherwise[id] && !slices.Contains(sources[i].DisabledPlans, id) &&
				!slices.ContainsFunc(refs, func(r ServicePlanRef) bool { return r.ServicePlanID == id }) {
				refs = append(refs, ServicePlanRef{sku.SKUID, sku.SKUPartNumber, id, plan.ServicePlanName})
			}
		}
	}
	return refs
}

// keep returns the list that is the same as refs and was kept before, if there is
// one: thousands of people gain the same.
func (e *effects) keep(refs []ServicePlanRef) []ServicePlanRef {
	if refs == nil {
		return nil
	}
	key := binary.AppendUvarint(nil, uint64(len(refs)))
	for _, r := range refs {
		key = append(append(key, r.SKUID[:]...), r.ServicePlanID[:]...)
	}
	kept, ok := e.kept[string(key)]
	if !ok {
		kept = slices.Clip(refs)
		e.kept[string(key)] = kept
	}
	return kept
}

// keptByGroup reports whether a group goes on giving something that a change takes
// away from what is direct.
func (d *decision) keptByGroup(c *Change) bool {
	return slices.ContainsFunc(c.Before, func(before licensing.AssignedLicense) bool {
		after, stays := licenseOf(c.After, before.SKUID)
		if !stays {
			return d.subject.inherits(before.SKUID, func(from *source) bool { return from.gives })
		}
		return slices.ContainsFunc(after.DisabledPlans, func(plan uuid.UUID) bool {
			return !slices.Contains(before.DisabledPlans, plan) && d.subject.inherits(before.SKUID, func(from *source) bool {
				return from.gives && !slices.Contains(from.DisabledPlans, plan)
			})
		})
	})
}
