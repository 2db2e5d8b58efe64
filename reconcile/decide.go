package reconcile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// Rules decide what an object needs for its goal. They go by what was read alone.
type rules struct {
	products
	opts    PlanOptions
	effects effects
}

// A subject is the user or group that a goal is for, as it was read.
type subject struct {
	id, name string
	group    bool
	nowhere  bool // a user without a usage location
	direct   []licensing.AssignedLicense
	sources  []source // of all licenses, direct ones included
	unlisted bool     // the answer did not tell the licenses
}

// A source is one assignment of a SKU.
type source struct {
	licensing.AssignedLicense
	direct  bool
	gives   bool // what it does not have off is on
	healthy bool // and is going to stay so
}

// subjectOf returns what a user has.
func subjectOf(u *licensing.User) subject {
	direct, known := u.DirectLicenses()
	s := subject{id: u.ID, name: u.UserPrincipalName, nowhere: u.UsageLocation == "", direct: direct, unlisted: !known}
	for _, row := range u.LicenseAssignmentStates {
		if row.State == licensing.AssignmentStateError || row.SKUID == uuid.Nil {
			continue
		}
		s.sources = append(s.sources, source{
			AssignedLicense: licensing.AssignedLicense{SKUID: row.SKUID, DisabledPlans: row.DisabledPlans},
			direct:          row.AssignedByGroup == "",
			gives:           row.State != licensing.AssignmentStateDisabled,
			healthy:         isHealthy(row),
		})
	}
	return s
}

// isHealthy reports whether an assignment is held, and nothing is wrong with it.
func isHealthy(row licensing.LicenseAssignmentState) bool {
	return row.State == licensing.AssignmentStateActive && row.Err() == nil
}

// subjectOfGroup returns what a group has. One that has nothing says so by an empty
// list.
func subjectOfGroup(g *licensing.Group) subject {
	s := subject{id: g.ID, name: g.DisplayName, group: true, direct: g.AssignedLicenses, unlisted: g.AssignedLicenses == nil}
	for _, license := range g.AssignedLicenses {
		s.sources = append(s.sources, source{AssignedLicense: license, direct: true, gives: true})
	}
	return s
}

// inherits reports whether a group gives a SKU in a way for which is holds.
func (s *subject) inherits(sku uuid.UUID, is func(*source) bool) bool {
	return slices.ContainsFunc(s.sources, func(from source) bool { return !from.direct && from.SKUID == sku && is(&from) })
}

// hasSeatByGroup reports whether a group gives a SKU in whatever way, which takes the
// one seat that a user has of it.
func (s *subject) hasSeatByGroup(sku uuid.UUID) bool {
	return s.inherits(sku, func(*source) bool { return true })
}

// A coverage is what healthy assignments of a SKU by groups give together.
type coverage struct {
	some bool        // there is one
	off  []uuid.UUID // the plans that each of them has off
}

// coverage returns what groups give of a SKU that is not about to end.
func (s *subject) coverage(sku uuid.UUID) (c coverage) {
	for _, from := range s.sources {
		switch {
		case from.direct || from.SKUID != sku || !from.healthy:
		case !c.some:
			c = coverage{some: true, off: slices.Clone(from.DisabledPlans)}
		default:
			c.off = slices.DeleteFunc(c.off, func(plan uuid.UUID) bool { return !slices.Contains(from.DisabledPlans, plan) })
		}
	}
	return c
}

// has reports whether a plan of the SKU is on.
func (c coverage) has(plan uuid.UUID) bool { return c.some && !slices.Contains(c.off, plan) }

// gives reports whether all is on that a license has on with some plans off.
func (c coverage) gives(off []uuid.UUID) bool { return c.some && contains(off, c.off) }

// A decision is what becomes of one goal: problems, or a change, or neither.
type decision struct {
	goal     *Goal
	subject  *subject
	request  licensing.AssignLicenseRequest
	takes    []uuid.UUID
	warnings []Warning
	problems []Problem
}

// decide returns what a subject needs for a goal.
func (r *rules) decide(goal *Goal, s *subject) (*Change, []Problem) {
	d := decision{goal: goal, subject: s}
	if s.unlisted {
		d.refuse(ProblemUnreadable, uuid.Nil, "the answer has no licenses, as where the token may not read them")
		return nil, d.problems
	}
	if err := checkID(s.id, goal.Target); err != nil {
		d.refuse(ProblemUnreadable, uuid.Nil, "in the answer %v", err)
		return nil, d.problems
	}
	for i := range goal.Licenses {
		r.license(&d, &goal.Licenses[i])
	}
	d.request.RemoveLicenses = r.removed(goal, s)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	if len(d.request.AddLicenses)+len(d.request.RemoveLicenses) == 0 {
		return nil, nil
	}
	return r.change(&d), nil
}

func (d *decision) refuse(kind ProblemKind, sku uuid.UUID, format string, args ...any) {
	d.problems = append(d.problems, newProblem(d.goal, kind, sku, fmt.Sprintf(format, args...)))
}

func newProblem(goal *Goal, kind ProblemKind, sku uuid.UUID, detail string) Problem {
	return Problem{Kind: kind, Target: goal.Target, Ref: goal.Ref, SKUID: sku, Detail: detail}
}

func (d *decision) warn(w Warning) {
	if !slices.Contains(d.warnings, w) {
		d.warnings = append(d.warnings, w)
	}
}

// managed reports whether an Exactly goal may change a license of a SKU.
func (r *rules) managed(sku uuid.UUID) bool {
	return r.opts.ManageAll || slices.Contains(r.opts.Managed, sku)
}

// license decides about one license of a goal.
func (r *rules) license(d *decision, l *License) {
	now, has := licenseOf(d.subject.direct, l.SKUID)
	sku := r.products[l.SKUID]
	if sku == nil {
		if !has || l.Plans != nil || l.DisabledPlans != nil && !samePlans(l.DisabledPlans, now.DisabledPlans) {
			d.refuse(ProblemUnknownSKU, l.SKUID, "the tenant has no such SKU")
		}
		return
	}
	by := r.counted(d.subject, sku)
	off, ok := d.wanted(l, sku, by)
	switch {
	case !ok:
	case has && samePlans(off, sku.these(now.DisabledPlans)):
	case !has && d.covered(sku, off, by):
	default:
		r.add(d, sku, off, has)
	}
}

// counted returns what counts as had since groups give it.
func (r *rules) counted(s *subject, sku *product) coverage {
	if r.opts.IgnoreInherited {
		return coverage{}
	}
	by := s.coverage(sku.SKUID)
	by.off = sku.these(by.off) // those that it has no more take nothing away
	return by
}

// wanted returns the plans of a SKU that are to be off, or says why there is no
// telling. What is there of a license is changed no more than an AtLeast goal needs.
func (d *decision) wanted(l *License, sku *product, by coverage) (off []uuid.UUID, ok bool) {
	now, has := licenseOf(d.subject.direct, sku.SKUID)
	listed := now.DisabledPlans
	switch {
	case l.Plans != nil:
		current := licensing.AssignedLicense{SKUID: sku.SKUID, DisabledPlans: now.DisabledPlans}
		changed, err := l.Plans.Apply(current, sku.SubscribedSKU)
		if err != nil {
			d.refuse(ProblemInvalidPlans, sku.SKUID, "%v", err)
			return nil, false
		}
		listed = changed.DisabledPlans
	case l.DisabledPlans != nil:
		listed = l.DisabledPlans
		if slices.ContainsFunc(listed, func(plan uuid.UUID) bool { return !sku.canSwitch(plan) && !slices.Contains(now.DisabledPlans, plan) }) {
			d.warn(WarnUnknownPlan)
		}
	}
	return sku.only(func(plan uuid.UUID) bool {
		switch is := slices.Contains(now.DisabledPlans, plan); {
		case !sku.canSwitch(plan):
			return is
		case has && !d.goal.exact() && !is: // what is on stays on
			return false
		case has && !d.goal.exact() && by.has(plan): // it is on already
			return true
		}
		return slices.Contains(listed, plan)
	}), true
}

// covered reports whether groups give all that a license would, so that there is
// nothing to add. Where they give more than an Exactly goal allows it says so.
func (d *decision) covered(sku *product, off []uuid.UUID, by coverage) bool {
	for _, plan := range off {
		if d.goal.exact() && by.has(plan) {
			d.refuse(ProblemInherited, sku.SKUID, "a group has plan %s on, which is to be off", plan)
			return true
		}
	}
	return by.gives(off)
}

// add adds a license, or has another list of plans off of one that is there, unless
// that cannot be.
func (r *rules) add(d *decision, sku *product, off []uuid.UUID, has bool) {
	switch {
	case d.goal.exact() && !r.managed(sku.SKUID):
		d.refuse(ProblemNotManaged, sku.SKUID, "the SKU is not one of those that are managed")
	case !has && strings.EqualFold(sku.AppliesTo, "Company"):
		d.refuse(ProblemNotAssignable, sku.SKUID, "the SKU applies to %s", sku.AppliesTo)
	case !has && d.subject.nowhere:
		d.refuse(ProblemNoUsageLocation, sku.SKUID, "a license needs a usage location")
	}
	if d.subject.nowhere {
		d.warn(WarnNoUsageLocation)
	}
	if !has && !d.subject.group && !d.subject.hasSeatByGroup(sku.SKUID) {
		d.takes = append(d.takes, sku.SKUID)
	}
	d.request.AddLicenses = append(d.request.AddLicenses, licensing.AssignedLicense{SKUID: sku.SKUID, DisabledPlans: off})
}

// removed returns the SKUs that are to go: those that the goal says, and then what
// it does not name of those that are managed.
func (r *rules) removed(goal *Goal, s *subject) []uuid.UUID {
	var named, others []uuid.UUID
	for _, sku := range goal.Remove {
		if _, has := licenseOf(s.direct, sku); has && !slices.Contains(named, sku) {
			named = append(named, sku)
		}
	}
	for _, l := range s.direct {
		if goal.exact() && r.managed(l.SKUID) && indexOf(goal.Licenses, l.SKUID) < 0 && !slices.Contains(goal.Remove, l.SKUID) {
			others = append(others, l.SKUID)
		}
	}
	slices.SortFunc(others, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return append(named, others...)
}

// change returns the change that a decision without problems comes to.
func (r *rules) change(d *decision) *Change {
	c := &Change{
		ID:     d.subject.id,
		Name:   d.subject.name,
		Before: []licensing.AssignedLicense{},
		After:  slices.Clone(d.request.AddLicenses),
		Takes:  d.takes,
	}
	if c.After == nil {
		c.After, d.request.AddLicenses = []licensing.AssignedLicense{}, []licensing.AssignedLicense{}
	}
	if d.request.RemoveLicenses == nil {
		d.request.RemoveLicenses = []uuid.UUID{}
	}
	for _, sku := range skusOf(d.request) {
		if now, has := licenseOf(d.subject.direct, sku); has {
			c.Before = append(c.Before, r.inOrder(now))
		}
	}
	c.Operation = licensing.Operation{Kind: licensing.OperationAssignUser, Target: d.goal.Target, Request: d.request, Ref: d.goal.Ref}
	if d.subject.group {
		c.Operation.Kind = licensing.OperationAssignGroup
	}
	c.Frees = d.frees()
	r.effects.tell(r.products, d, c)
	c.Warnings = d.warnings
	return c
}

// frees returns the SKUs of which a user gives a seat back.
func (d *decision) frees() (freed []uuid.UUID) {
	for _, sku := range d.request.RemoveLicenses {
		if !d.subject.group && !d.subject.hasSeatByGroup(sku) {
			freed = append(freed, sku)
		}
	}
	return freed
}

// skusOf returns the SKUs that a request is about, in its order.
func skusOf(request licensing.AssignLicenseRequest) []uuid.UUID {
	var skus []uuid.UUID
	for _, l := range request.AddLicenses {
		skus = append(skus, l.SKUID)
	}
	return append(skus, request.RemoveLicenses...)
}
