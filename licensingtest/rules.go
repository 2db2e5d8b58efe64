package licensingtest

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// A problem keeps a user from a SKU.
type problem struct {
	sku   uuid.UUID
	state string // the error of the user's row, for a license that comes from a group
	err   *graphError
}

// An attempt is to give a user exactly the licenses next from a source, a
// group's id or "" for the user itself, in place of those that are held.
type attempt struct {
	u          *user
	source     string
	held, next []License
	same       []Plan // of next
	other      []Plan // of all other sources
	all        []Plan // of both
}

func (t *Tenant) attempt(u *user, source string, next []License) attempt {
	a := attempt{u: u, source: source, held: u.licenses(source), next: next, same: t.enabled(next...)}
	for _, row := range u.rows {
		if row.Group != source && row.held() {
			a.other = append(a.other, t.enabled(row.License)...)
		}
	}
	a.all = slices.Concat(a.same, a.other)
	return a
}

// problems tells what keeps u at a time from having exactly the licenses next
// from a source. There is at most one problem for each SKU.
func (t *Tenant) problems(u *user, source string, next []License, now time.Time) []problem {
	a := t.attempt(u, source, next)
	var found []problem
	note := func(sku uuid.UUID, state string, err *graphError) {
		if err != nil {
			found = append(found, problem{sku, state, err})
		}
	}
	for _, l := range next {
		state, err := t.keptFrom(a, l, now)
		note(l.SKUID, state, err)
	}
	for _, l := range a.held {
		if _, stays := findLicense(next, l.SKUID); !stays {
			state, err := t.keptOn(a, l)
			note(l.SKUID, state, err)
		}
	}
	return found
}

// keptFrom tells what keeps the user from l, which is one of those attempted.
func (t *Tenant) keptFrom(a attempt, l License, now time.Time) (state string, err *graphError) {
	isNew := !contains(a.held, l)
	if isNew {
		if state, err = t.unavailable(a, l, now); err != nil {
			return state, err
		}
	}
	mine := t.enabled(l)
	within := a.all
	if a.source != "" {
		within = a.same // a group has to be complete in itself
	}
	if err = incomplete(mine, within); err != nil {
		return "DependencyViolation", err
	}
	if !isNew {
		return "", nil
	}
	if err = a.conflict(mine, l.SKUID); err != nil {
		return "MutuallyExclusiveViolation", err
	}
	return t.keptOn(a, l)
}

// unavailable tells why the user cannot have the SKU of l at all.
func (t *Tenant) unavailable(a attempt, l License, now time.Time) (state string, err *graphError) {
	sku, country := t.skus[l.SKUID], a.u.locationAt(now)
	if country == "" && a.source != "" {
		country = t.location
	}
	if country == "" || sku.barred(country) {
		return "ProhibitedInUsageLocationViolation", errUsageLocation
	}
	if _, seated := findLicense(a.u.merged(), l.SKUID); !seated && !sku.free() {
		return "CountViolation", errNoSeats(l.SKUID)
	}
	return "", nil
}

// incomplete tells which of the plans has none of those that it depends on.
func incomplete(plans, within []Plan) *graphError {
	for _, p := range plans {
		if !p.complete(within) {
			return errDependency(p.ID, p.DependsOn)
		}
	}
	return nil
}

// complete reports whether one of the plans that p depends on is there.
func (p Plan) complete(within []Plan) bool {
	return len(p.DependsOn) == 0 || slices.ContainsFunc(p.DependsOn, func(id uuid.UUID) bool {
		_, ok := findPlan(within, id)
		return ok
	})
}

// conflict tells which of the plans of a SKU no user can have beside another one
// that the user would have.
func (a attempt) conflict(plans []Plan, sku uuid.UUID) *graphError {
	for _, p := range plans {
		for _, other := range a.all {
			switch {
			case !slices.Contains(p.ConflictsWith, other.ID) && !slices.Contains(other.ConflictsWith, p.ID):
			case a.source == "":
				return errConflict(p.ID, other.ID)
			default:
				return errConflictingPair(p.ID, other.ID, sku)
			}
		}
	}
	return nil
}

// keptOn tells what stands in the way of a change or a removal of what the user
// has of the SKU of l: a plan from another source that depends on what goes, or
// a clash of proxy addresses.
func (t *Tenant) keptOn(a attempt, l License) (state string, err *graphError) {
	if old, ok := findLicense(a.held, l.SKUID); ok {
		gone := t.enabled(old)
		for _, p := range a.other {
			needs := func(plan Plan) bool { return slices.Contains(p.DependsOn, plan.ID) }
			if slices.ContainsFunc(gone, needs) && !p.complete(a.all) {
				return "DependencyViolation", errDependency(p.ID, p.DependsOn)
			}
		}
	}
	if a.u.ProxyAddressConflict {
		return "UniquenessViolation", errProxyAddresses
	}
	return "", nil
}

// enabled returns the plans that licenses give.
func (t *Tenant) enabled(licenses ...License) []Plan {
	var plans []Plan
	for _, l := range licenses {
		plans = slices.Grow(plans, len(t.skus[l.SKUID].Plans))
		for _, p := range t.skus[l.SKUID].Plans {
			if !slices.Contains(l.DisabledPlans, p.ID) {
				plans = append(plans, p)
			}
		}
	}
	return plans
}

// setLicenses gives u exactly these licenses from a source. It reports whether
// a row is different from before.
func (t *Tenant) setLicenses(u *user, source string, licenses []License, now time.Time) bool {
	var rows []Assignment
	for _, l := range licenses {
		rows = append(rows, Assignment{License: cloneLicense(l), Group: source, State: "Active", Error: "None"})
	}
	return t.setRows(u, source, rows, now)
}

// setRows replaces the rows that u has from a source, and does what hangs on
// it: seats, plans, and the time of the rows that are different from before. It
// reports whether any is.
func (t *Tenant) setRows(u *user, source string, rows []Assignment, now time.Time) bool {
	var before, others []Assignment
	for _, row := range u.rows {
		if row.Group == source {
			before = append(before, row)
		} else {
			others = append(others, row)
		}
	}
	changed := len(rows) != len(before)
	for i, row := range rows {
		at := slices.IndexFunc(before, func(old Assignment) bool {
			return contains([]License{old.License}, row.License) && old.State == row.State && old.Error == row.Error
		})
		if at >= 0 {
			rows[i].Updated = before[at].Updated
		} else {
			rows[i].Updated = now
			changed = true
		}
	}

	if changed {
		t.rememberUser(u, now)
	}
	for _, l := range u.merged() {
		t.skus[l.SKUID].Consumed--
	}
	if source == "" {
		u.rows = append(rows, others...)
	} else {
		u.rows = append(others, rows...)
	}
	for _, l := range u.merged() {
		t.skus[l.SKUID].Consumed++
	}
	t.recordPlans(u, now)
	return changed
}

// recordPlans brings u.plans up to date with the licenses of u.
func (t *Tenant) recordPlans(u *user, now time.Time) {
	plans := t.enabled(u.merged()...)
	for i := range u.plans {
		record := &u.plans[i]
		if _, enabled := findPlan(plans, record.id); enabled != record.enabled {
			record.enabled, record.since = enabled, now
		}
	}
	for _, p := range plans {
		if !slices.ContainsFunc(u.plans, func(record planRecord) bool { return record.id == p.ID }) {
			u.plans = append(u.plans, planRecord{id: p.ID, service: p.Service, enabled: true, since: now})
		}
	}
}
