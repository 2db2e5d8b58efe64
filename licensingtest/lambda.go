package licensingtest

import (
	"slices"
	"strings"
)

// memberProperties are those of the members of a collection, those of which a
// lambda is answered first. Graph may know what to do with the others.
var memberProperties = map[fieldKind]struct{ served, others []string }{
	licenseField: {[]string{"skuId"}, []string{"disabledPlans"}},
	planField:    {[]string{"capabilityStatus", "service", "servicePlanId"}, []string{"assignedDateTime"}},
}

// lambda reads the beginning of a lambda, and returns its variable. OData knows
// an empty one, which is about any member.
func (p *filterParser) lambda(about field) string {
	p.expect("(")
	if p.take(")") {
		p.fail(notServed("filters with " + about.name + "/any()"))
	}
	variable := p.next()
	p.expect(":")
	return variable
}

// member reads a property of the variable of a lambda and eq, and returns the
// property as Graph spells it.
func (p *filterParser) member(about field, variable string) string {
	named, path, _ := strings.Cut(p.next(), "/")
	property, _, nested := strings.Cut(path, "/")
	operator := strings.ToLower(p.next())
	known := memberProperties[about.kind]
	if !strings.EqualFold(named, variable) {
		p.fail(errFilter)
	}
	spelled := func(name string) bool { return strings.EqualFold(name, property) }
	i := slices.IndexFunc(known.served, spelled)
	switch other := slices.IndexFunc(known.others, spelled); {
	case other >= 0:
		p.fail(notServed("filters with " + known.others[other] + " in " + about.name + "/any"))
	case i < 0 || nested || !slices.Contains(operators, operator):
		p.fail(errFilter)
	case operator != "eq":
		p.fail(notServed("filters with " + operator + " in " + about.name + "/any"))
	default:
		return known.served[i]
	}
	return ""
}

// anyLicense reads what comes after assignedLicenses/any.
func (p *filterParser) anyLicense(about field) filter {
	p.member(about, p.lambda(about))
	sku, err := parseGUID(p.next())
	switch {
	case err != nil:
		return p.fail(errFilter)
	case p.take("and"):
		return p.fail(errComplexFilter(about.name))
	}
	p.expect(")")
	return filter{lambda: true, property: about.name, match: func(it item) bool {
		_, ok := findLicense(it(about.name).([]License), sku)
		return ok
	}}
}

// licenseCount reads what comes after assignedLicenses/$count.
func (p *filterParser) licenseCount(about field) filter {
	none := p.take("eq")
	if !none {
		p.expect("ne")
	}
	p.expect("0")
	return filter{advanced: true, property: about.name, match: func(it item) bool { return len(it(about.name).([]License)) == 0 == none }}
}

// anyPlan reads what comes after assignedPlans/any: conditions that one plan has
// to meet.
func (p *filterParser) anyPlan(about field) filter {
	variable := p.lambda(about)
	conditions := []func(planRecord) bool{p.plan(about, variable)}
	for p.take("and") {
		conditions = append(conditions, p.plan(about, variable))
	}
	if p.take("or") {
		return p.fail(notServed("filters with or in " + about.name + "/any"))
	}
	p.expect(")")
	f := filter{several: len(conditions) > 1}.as(about.equal, about.name)
	f.match = func(it item) bool {
		return slices.ContainsFunc(it(about.name).([]planRecord), func(r planRecord) bool {
			return !slices.ContainsFunc(conditions, func(met func(planRecord) bool) bool { return !met(r) })
		})
	}
	return f
}

// plan reads a condition on a plan.
func (p *filterParser) plan(about field, variable string) func(planRecord) bool {
	property, literal := p.member(about, variable), p.next()
	id, err := parseGUID(literal)
	value, quoted := strings.CutPrefix(literal, "'")
	if property == "servicePlanId" && err != nil || property != "servicePlanId" && !quoted {
		p.fail(errFilter)
	}
	return func(r planRecord) bool {
		switch property {
		case "servicePlanId":
			return r.id == id
		case "service":
			return strings.EqualFold(r.service, value)
		}
		return strings.EqualFold(r.status(), value)
	}
}

// anyText reads what comes after any of a collection of texts.
func (p *filterParser) anyText(about field) filter {
	variable := p.lambda(about)
	var f filter
	var matches func(string) bool
	if called := p.next(); strings.EqualFold(called, variable) {
		p.expect("eq")
		value, quoted := strings.CutPrefix(p.next(), "'")
		if !quoted {
			return p.fail(errFilter)
		}
		f = filter{}.as(about.equal, about.name)
		matches = func(s string) bool { return strings.EqualFold(s, value) }
	} else if _, known := affixes[strings.ToLower(called)]; known {
		p.expect("(", variable)
		matches, f = p.affix(called, about)
	} else {
		return p.fail(errFilter)
	}
	p.expect(")")
	f.match = func(it item) bool { return slices.ContainsFunc(it(about.name).([]string), matches) }
	return f
}
