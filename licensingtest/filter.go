package licensingtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A filter is the value of $filter, understood.
type filter struct {
	match    func(item) bool
	lambda   bool   // it looks into assignedLicenses
	combined bool   // it does so beside something else
	either   bool   // by or
	never    bool   // it is answered by no query
	advanced bool   // it is answered only by advanced queries
	property string // what it is about, or the first one that makes it so
	operator string // that makes it advanced, and not the property
	several  bool   // what makes it advanced is several conditions on one member
	clauses  int    // joined by or, 0 without one; of the whole, the most in one place
}

// maxClauses is how many clauses joined by or a plain query may have. The values
// of in are such clauses.
const maxClauses = 15

// A query is what a filter is part of.
type query struct {
	kind     string // the type of what it asks for
	counted  bool   // it has $count=true
	eventual bool   // it has the header
}

// allowed tells why f is not answered.
func (f filter) allowed(q query) *graphError {
	lacking := f.advanced && !(q.counted && q.eventual)
	switch {
	case f.lambda && (f.either || f.combined && !(q.counted && q.eventual)):
		return errComplexFilter("assignedLicenses")
	case lacking && f.several:
		return errComplexFilter(f.property)
	case lacking && f.operator != "":
		return errAdvancedOperator(f.operator, q.counted)
	case f.never || lacking:
		return errUnsupportedFilter(f.property, strings.ToUpper(q.kind[:1])+q.kind[1:])
	case f.clauses > maxClauses && !(q.counted && q.eventual):
		return errTooManyClauses(f.clauses)
	}
	return nil
}

func errTooManyClauses(clauses int) *graphError {
	return unsupportedQuery(fmt.Sprintf("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", clauses, maxClauses))
}

// parseFilter reads a filter about these fields of a type.
func parseFilter(text string, about fields, kind string) (filter, *graphError) {
	tokens, ok := scanFilter(text)
	if !ok {
		return filter{}, errFilter
	}
	p := &filterParser{tokens: tokens, about: about, kind: kind}
	f := p.or()
	if p.err == nil && len(p.tokens) > 0 {
		p.err = errFilter
	}
	f.clauses = p.clauses
	return f, p.err
}

// scanFilter takes a filter apart into words, punctuation, and strings, which
// keep the apostrophe in front and lose the others. Parentheses and apostrophes
// have to come in pairs.
func scanFilter(text string) (tokens []string, ok bool) {
	depth := 0
	for text = strings.TrimLeft(text, " "); text != "" && depth >= 0; text = strings.TrimLeft(text, " ") {
		n := strings.IndexAny(text, " (),:'")
		switch {
		case n < 0:
			n = len(text)
		case n > 0:
		case text[0] == '\'':
			value, rest, closed := cutString(text[1:])
			if !closed {
				return nil, false
			}
			tokens, text = append(tokens, "'"+value), rest
			continue
		default:
			n = 1
			depth += strings.Count(text[:n], "(") - strings.Count(text[:n], ")")
		}
		tokens, text = append(tokens, text[:n]), text[n:]
	}
	return tokens, depth == 0
}

// cutString cuts text after the string that ends there. An apostrophe within is
// doubled.
func cutString(text string) (value, rest string, closed bool) {
	for {
		before, after, found := strings.Cut(text, "'")
		value += before
		if !found || !strings.HasPrefix(after, "'") {
			return value, after, found
		}
		value, text = value+"'", after[1:]
	}
}

// A filterParser reads tokens until it meets an error.
type filterParser struct {
	tokens  []string
	about   fields
	kind    string
	clauses int // the most that were joined by or
	err     *graphError
}

// next takes a token, "" when there is none.
func (p *filterParser) next() string {
	if len(p.tokens) == 0 || p.err != nil {
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

// take takes the next token if it is this one. Words have no case.
func (p *filterParser) take(token string) bool {
	if p.err != nil || len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0], token) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

// expect takes tokens that have to be there.
func (p *filterParser) expect(tokens ...string) {
	for _, token := range tokens {
		if !p.take(token) {
			p.fail(errFilter)
		}
	}
}

func (p *filterParser) fail(err *graphError) filter {
	if p.err == nil {
		p.err = err
	}
	return filter{}
}

func (p *filterParser) or() filter {
	f := p.and()
	for p.take("or") {
		a, b := f, p.and()
		f = join(a, b, func(it item) bool { return a.match(it) || b.match(it) })
		f.either = true
		p.alternatives(&f, max(a.clauses, 1)+max(b.clauses, 1))
	}
	return f
}

// alternatives notes how many clauses f joins by or.
func (p *filterParser) alternatives(f *filter, clauses int) {
	f.clauses, p.clauses = clauses, max(p.clauses, clauses)
}

func (p *filterParser) and() filter {
	f := p.term()
	for p.take("and") {
		a, b := f, p.term()
		f = join(a, b, func(it item) bool { return a.match(it) && b.match(it) })
		f.clauses = 0
	}
	return f
}

// join joins filters. What is said of the whole is the first thing that makes it
// advanced, or else unanswered.
func join(a, b filter, match func(item) bool) filter {
	f := a
	if b.advanced && !a.advanced || b.never && !a.never && !a.advanced {
		f = b
	}
	f.match, f.combined = match, true
	f.lambda, f.either = a.lambda || b.lambda, a.either || b.either
	f.advanced, f.never = a.advanced || b.advanced, a.never || b.never
	return f
}

// negated is the opposite of f. Only advanced queries have it.
func (f filter) negated(operator string) filter {
	match := f.match
	if !f.advanced {
		f.advanced, f.operator = true, operator
	}
	f.match = func(it item) bool { return !match(it) }
	return f
}

// as is f with what queries it is answered in.
func (f filter) as(s support, property string) filter {
	f.never, f.advanced, f.property = s == never, s == advanced, property
	return f
}

func (p *filterParser) term() filter {
	if p.take("(") {
		f := p.or()
		p.expect(")")
		return f
	}
	if p.take("not") {
		return p.term().negated("not")
	}
	path := p.next()
	name, part, _ := strings.Cut(strings.ToLower(path), "/")
	about := p.about[name]
	switch {
	case about.kind == licenseField && part == "any":
		return p.anyLicense(about)
	case about.kind == licenseField && part == "$count":
		return p.licenseCount(about)
	case about.kind == planField && part == "any":
		return p.anyPlan(about)
	case about.kind == textsField && part == "any":
		return p.anyText(about)
	case p.take("("):
		return p.function(path)
	}
	return p.comparison(path)
}

// affixes are the functions that look at one end of a text, as Graph spells
// them.
var affixes = map[string]struct {
	spelled string
	matches func(value, affix string) bool
}{"startswith": {"startsWith", strings.HasPrefix}, "endswith": {"endsWith", strings.HasSuffix}}

// function reads the arguments of a function.
func (p *filterParser) function(called string) filter {
	if strings.Contains(called, "/") {
		return p.fail(p.unserved(called))
	}
	if _, known := affixes[strings.ToLower(called)]; !known {
		if !filterPath.MatchString(called) {
			return p.fail(errFilter)
		}
		return p.fail(notServed("filters with " + called))
	}
	path := p.next()
	about := p.about[strings.ToLower(path)]
	matches, f := p.affix(called, about)
	if p.err == nil && about.kind != textField {
		return p.fail(p.unserved(path))
	}
	f.match = func(it item) bool { return matches(it(about.name).(string)) }
	return f
}

// affix reads a function from after its first argument, which is about a field.
func (p *filterParser) affix(called string, about field) (matches func(string) bool, f filter) {
	name := strings.ToLower(called)
	p.expect(",")
	affix, quoted := strings.CutPrefix(strings.ToLower(p.next()), "'")
	p.expect(")")
	if !quoted {
		return nil, p.fail(errFilter)
	}
	f = filter{}.as(about.starts, about.name)
	if name == "endswith" {
		f = filter{}.as(about.ending, about.name)
		f.advanced, f.operator = true, affixes[name].spelled
	}
	return func(value string) bool { return affixes[name].matches(strings.ToLower(value), affix) }, f
}

// comparison reads what comes after a property.
func (p *filterParser) comparison(path string) filter {
	about, operator := p.about[strings.ToLower(path)], strings.ToLower(p.next())
	if operator == "in" && about.kind != 0 {
		return p.in(about)
	}
	literal := p.next()
	switch {
	case !slices.Contains(operators, operator) || literal == "":
		return p.fail(errFilter)
	case about.kind == 0:
		return p.fail(p.unserved(path))
	case operator != "eq" && operator != "ne":
		return p.fail(notServed("filters with " + operator))
	}
	f := p.equal(about, literal)
	if operator == "ne" {
		return f.negated("ne")
	}
	return f
}

// equal is the comparison of a field with a literal.
func (p *filterParser) equal(about field, literal string) filter {
	value, quoted := strings.CutPrefix(literal, "'")
	null := literal == "null" && (about.kind == textField || about.null != never)
	f := filter{}.as(about.equal, about.name)
	if null {
		f = filter{}.as(about.null, about.name)
	}
	switch {
	case about.kind == textField && (quoted && value != ""):
		f.match = func(it item) bool { return strings.EqualFold(it(about.name).(string), value) }
	case about.kind == flagField && (literal == "true" || literal == "false"):
		f.match = func(it item) bool { return it(about.name) == (literal == "true") }
	case null:
		f.match = func(it item) bool { value := it(about.name); return value == nil || value == "" }
	default:
		return p.fail(errFilter)
	}
	return f
}

// in reads what comes after in: literals, of which the field is one.
func (p *filterParser) in(about field) filter {
	p.expect("(")
	f, values := p.equal(about, p.next()), 1
	for ; p.take(","); values++ {
		first, other := f.match, p.equal(about, p.next())
		f.match = func(it item) bool { return first(it) || other.match(it) }
	}
	p.expect(")")
	p.alternatives(&f, values)
	return f
}

// Operators are those that Graph compares with, be it not here.
var operators = []string{"eq", "ge", "gt", "in", "le", "lt", "ne"}

var filterPath = regexp.MustCompile(`^[A-Za-z_]\w*([./][$\w]+)*$`)

// unserved is about a name in a filter that has no meaning there. If it is no
// property of the type, it has none in Graph either.
func (p *filterParser) unserved(name string) *graphError {
	property, part, _ := strings.Cut(strings.ToLower(name), "/")
	if about := p.about[property]; about.kind > flagField && part == "all" {
		return notServed("filters with " + about.name + "/all")
	}
	if p.about[property].kind != 0 && part != "$count" || !filterPath.MatchString(name) || !v1Types[p.kind].has(property) {
		return errFilter
	}
	return notServed("filters with " + name)
}
