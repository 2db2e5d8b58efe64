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

// problems tells what keeps u at a time from having exactly the licenses next
// from a source, a group's id or "" for the user itself. There is at most one
// problem for each SKU.
func (t *Tenant) problems(u *user, source string, next []License, now time.Time) []problem {
	var found []problem
	for _, l := range next {
		if p, ok := t.problem(u, source, next, l, now); ok {
			found = append(found, p)
		}
	}
	return found
}

// problem tells what keeps u from l, which is one of the licenses next.
func (t *Tenant) problem(u *user, source string, next []License, l License, now time.Time) (problem, bool) {
	sku := t.skus[l.SKUID]
	fails := func(state string, err *graphError) (problem, bool) { return problem{l.SKUID, state, err}, true }

	isNew := !contains(u.licenses(source), l)
	if isNew {
		country := u.locationAt(now)
		if country == "" && source != "" {
			country = t.location
		}
		if country == "" || sku.barred(country) {
			return fails("ProhibitedInUsageLocationViolation", errUsageLocation)
		}
		if _, seated := findLicense(u.merged(), l.SKUID); !seated && !sku.free() {
			return fails("CountViolation", errNoSeats(l.SKUID))
		}
	}

	mine := t.enabled(l)
	same := t.enabled(next...)
	for _, plan := range mine {
		missing := slices.DeleteFunc(slices.Clone(plan.DependsOn), func(id uuid.UUID) bool {
			_, ok := findPlan(same, id)
			return ok
		})
		if len(missing) > 0 {
			return fails("DependencyViolation", errDependency(plan.ID, missing))
		}
	}
	if !isNew {
		return problem{}, false
	}
	all := same
	for _, row := range u.rows {
		if row.Group != source && row.held() {
			all = append(all, t.enabled(row.License)...)
		}
	}
	for _, plan := range mine {
		for _, other := range all {
			if slices.Contains(plan.ConflictsWith, other.ID) || slices.Contains(other.ConflictsWith, plan.ID) {
				return fails("MutuallyExclusiveViolation", errConflict(plan.ID, other.ID))
			}
		}
	}
	if u.ProxyAddressConflict {
		return fails("UniquenessViolation", errProxyAddresses)
	}
	return problem{}, false
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
