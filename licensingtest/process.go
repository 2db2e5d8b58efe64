package licensingtest

import (
	"cmp"
	"slices"
	"time"
)

// The values of a group's licenseProcessingState.
const (
	stateQueued     = "QueuedForProcessing"
	stateInProgress = "ProcessingInProgress"
	stateComplete   = "ProcessingComplete"
)

// Process applies the licenses of groups to their members. It processes every group
// whose licenses or members have changed.
func (t *Tenant) Process() {
	t.lock()
	defer t.mu.Unlock()
	t.processPending(time.Now(), 0)
}

// ProcessAfter makes processing automatic. A group is processed d after the last
// change of its licenses or members, and is in the state ProcessingInProgress for
// the second half of that time. Nothing runs in the background: when the tenant is
// next used, it catches up on what is due. A negative d makes processing manual,
// which is the default.
func (t *Tenant) ProcessAfter(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.automatic, t.processAfter = d >= 0, d
	t.processDue(time.Now())
}

// processDue does the automatic processing that is due at now.
func (t *Tenant) processDue(now time.Time) {
	if !t.automatic {
		return
	}
	t.processPending(now, t.processAfter)
	for _, g := range t.groups {
		if g.pending && g.State == stateQueued && now.Sub(g.changed) >= t.processAfter/2 {
			t.setState(g, stateInProgress, g.changed.Add(t.processAfter/2))
		}
	}
}

// processPending processes the groups that were changed at least delay before
// now, in the order of their changes.
func (t *Tenant) processPending(now time.Time, delay time.Duration) {
	var due []*group
	for _, g := range t.groups {
		if g.pending && now.Sub(g.changed) >= delay {
			due = append(due, g)
		}
	}
	slices.SortStableFunc(due, func(a, b *group) int { return cmp.Compare(a.changed.UnixNano(), b.changed.UnixNano()) })
	for _, g := range due {
		at := now
		if delay > 0 {
			at = g.changed.Add(delay)
			if g.State == stateQueued {
				t.setState(g, stateInProgress, g.changed.Add(delay/2)) // which reads that lag may still show
			}
		}
		t.processGroup(g, at)
	}
}

// setState changes the state of g at a time.
func (t *Tenant) setState(g *group, state string, at time.Time) {
	t.rememberGroup(g, at)
	g.State = state
}

// touch makes the group wait for processing.
func (g *group) touch(now time.Time) {
	g.pending, g.changed = true, now
}

// setGroupLicenses gives g exactly these licenses, which reach its members when
// processing runs.
func (t *Tenant) setGroupLicenses(g *group, licenses []License, now time.Time) {
	t.rememberGroup(g, now)
	g.Licenses, g.State = licenses, stateQueued
	g.touch(now)
}

// processGroup takes the licenses of g from those who are no longer members, and
// then brings them to its members, who may need the seats.
func (t *Tenant) processGroup(g *group, now time.Time) {
	g.pending = false
	if g.State != "" && g.State != stateComplete {
		t.setState(g, stateComplete, now)
	}
	for _, member := range []bool{false, true} {
		for _, u := range t.users {
			if u.knows(g) && slices.Contains(u.groups, g) == member {
				t.reconcile(u, g, now)
			}
		}
	}
}

// reconcile makes the licenses that u has from g what they should be. Where
// that cannot be it leaves them as they are, with rows that say why. It returns
// the first problem, if any, and whether a row is different from before.
func (t *Tenant) reconcile(u *user, g *group, now time.Time) (first *graphError, changed bool) {
	held := u.licenses(g.ID)
	var next []License
	if slices.Contains(u.groups, g) {
		next = g.Licenses
	}
	problems := t.problems(u, g.ID, next, now)
	if len(problems) == 0 {
		return nil, t.setLicenses(u, g.ID, next, now)
	}

	reason := func(l License) string {
		for _, p := range problems {
			if p.sku == l.SKUID {
				return p.state
			}
		}
		return "Other"
	}
	var rows []Assignment
	for _, l := range next {
		row := Assignment{License: l, Group: g.ID, State: "Error", Error: reason(l)}
		if old, ok := findLicense(held, l.SKUID); ok {
			row.License, row.State = old, "ActiveWithError"
		}
		if row.Error == "Other" && contains(held, l) {
			row.State, row.Error = "Active", "None"
		}
		rows = append(rows, row)
	}
	for _, l := range held {
		if _, stays := findLicense(next, l.SKUID); !stays {
			rows = append(rows, Assignment{License: l, Group: g.ID, State: "ActiveWithError", Error: reason(l)})
		}
	}
	return problems[0].err, t.setRows(u, g.ID, rows, now)
}

// reprocess is reprocessLicenseAssignment.
func (t *Tenant) reprocess(c *call) (result, *graphError) {
	u, err := t.findUser(c)
	if err != nil {
		return result{}, err
	}
	now := c.now
	first, changed := t.reconcileAll(u, now)
	if first == nil || changed {
		t.record(c, Write{Action: "reprocessLicenseAssignment", Target: u.ID, Changed: changed, Time: now})
	}
	if first != nil {
		return result{}, first
	}
	return result{value: changedUser(u)}, nil
}

// reconcileAll is reconcile for all groups of u, in their order. It goes on as
// long as something changes, because what one group gives may be what another
// one waits for.
func (t *Tenant) reconcileAll(u *user, now time.Time) (first *graphError, changed bool) {
	for again := true; again; {
		first, again = nil, false
		for _, g := range t.groups {
			if u.knows(g) {
				err, different := t.reconcile(u, g, now)
				first, again = cmp.Or(first, err), again || different
			}
		}
		changed, again = changed || again, again && first != nil
	}
	return first, changed
}
