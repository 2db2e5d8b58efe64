package licensingtest

import (
	"regexp"
	"slices"
	"strings"
)

// An item is an object as filters see it: it returns the value of a field,
// whose name is in lower case: a string, "" for null, a bool, or licenses.
type item func(field string) any

// Fields are what a filter can be about, by name in lower case.
type fields map[string]fieldKind

type fieldKind int

const (
	textField fieldKind = iota + 1
	flagField
	licenseField
)

var (
	userFields = fields{
		"accountenabled": flagField, "assignedlicenses": licenseField, "displayname": textField, "usagelocation": textField,
		"userprincipalname": textField, "usertype": textField,
	}
	groupFields = fields{"assignedlicenses": licenseField, "displayname": textField, "hasmemberswithlicenseerrors": flagField}
)

// field is the user as an item.
func (u *user) field(name string) any {
	switch name {
	case "accountenabled":
		return !u.AccountDisabled
	case "assignedlicenses":
		return u.merged()
	case "displayname":
		return u.DisplayName
	case "usagelocation":
		return u.UsageLocation
	case "usertype":
		return u.UserType
	}
	return u.UserPrincipalName
}

// groupItem is a group as an item.
func (t *Tenant) groupItem(g *group) item {
	return func(name string) any {
		switch name {
		case "assignedlicenses":
			return t.seenGroup(g).Licenses
		case "displayname":
			return g.DisplayName
		}
		return slices.ContainsFunc(t.users, func(u *user) bool { return t.seenUser(u).failed(g) })
	}
}

// failed reports whether u is a member of g who lacks one of its licenses, or
// its latest change. A nil user, whom reads do not see, is none.
func (u *user) failed(g *group) bool {
	return u != nil && slices.Contains(u.groups, g) &&
		slices.ContainsFunc(u.rows, func(row Assignment) bool { return row.Group == g.ID && row.Error != "None" })
}

// A filter is the value of $filter, understood.
type filter struct {
	match    func(item) bool
	lambda   bool   // it looks into assignedLicenses
	combined bool   // it does so beside something else
	either   bool   // by or
	advanced bool   // it is answered only by advanced queries
	property string // what it is about, or the first one that makes it advanced
}

// allowed tells why f is not answered. Advanced says whether the query has what
// advanced queries need, resource what it asks for.
func (f filter) allowed(advanced bool, resource string) *graphError {
	switch {
	case f.lambda && (f.either || f.combined && !advanced):
		return errComplexFilter
	case f.advanced && !advanced:
		return errAdvancedFilter(f.property, resource)
	}
	return nil
}

// parseFilter reads a filter about these fields.
func parseFilter(text string, about fields) (filter, *graphError) {
	tokens, ok := scanFilter(text)
	if !ok {
		return filter{}, errFilter
	}
	p := &filterParser{tokens: tokens, about: about}
	f := p.or()
	if p.err == nil && len(p.tokens) > 0 {
		p.err = errFilter
	}
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
	tokens []string
	about  fields
	err    *graphError
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
	}
	return f
}

func (p *filterParser) and() filter {
	f := p.term()
	for p.take("and") {
		a, b := f, p.term()
		f = join(a, b, func(it item) bool { return a.match(it) && b.match(it) })
	}
	return f
}

func join(a, b filter, match func(item) bool) filter {
	f := filter{match: match, lambda: a.lambda || b.lambda, combined: true, either: a.either || b.either, advanced: a.advanced || b.advanced, property: a.property}
	if b.advanced && !a.advanced {
		f.property = b.property
	}
	return f
}

// negated is the opposite of f. Only advanced queries have it.
func (f filter) negated() filter {
	match := f.match
	f.match, f.advanced = func(it item) bool { return !match(it) }, true
	return f
}

func (p *filterParser) term() filter {
	if p.take("(") {
		f := p.or()
		p.expect(")")
		return f
	}
	if p.take("not") {
		return p.term().negated()
	}
	path := p.next()
	name, part, _ := strings.Cut(strings.ToLower(path), "/")
	switch {
	case p.about[name] == licenseField && part == "any":
		return p.anyLicense(name)
	case p.about[name] == licenseField && part == "$count":
		return p.licenseCount(name)
	case p.take("("):
		return p.function(path)
	}
	return p.comparison(path)
}

// function reads the arguments of a function.
func (p *filterParser) function(called string) filter {
	name := strings.ToLower(called)
	compare := map[string]func(value, affix string) bool{"startswith": strings.HasPrefix, "endswith": strings.HasSuffix}[name]
	if compare == nil {
		return p.fail(unservedFilter(called))
	}
	path := p.next()
	p.expect(",")
	affix, quoted := strings.CutPrefix(strings.ToLower(p.next()), "'")
	p.expect(")")
	field := strings.ToLower(path)
	switch {
	case !quoted:
		return p.fail(errFilter)
	case p.about[field] != textField:
		return p.fail(unservedFilter(path))
	}
	return filter{property: path, advanced: name == "endswith", match: func(it item) bool {
		return compare(strings.ToLower(it(field).(string)), affix)
	}}
}

// comparison reads what comes after a property.
func (p *filterParser) comparison(path string) filter {
	field, operator, literal := strings.ToLower(path), strings.ToLower(p.next()), p.next()
	switch {
	case !slices.Contains(operators, operator) || literal == "":
		return p.fail(errFilter)
	case p.about[field] == 0:
		return p.fail(unservedFilter(path))
	case operator != "eq" && operator != "ne":
		return p.fail(unservedFilter(operator))
	}
	f := filter{property: path}
	value, quoted := strings.CutPrefix(literal, "'")
	switch {
	case p.about[field] == textField && (quoted && value != "" || literal == "null"):
		if literal == "null" {
			value = ""
		}
		f.match = func(it item) bool { return strings.EqualFold(it(field).(string), value) }
	case p.about[field] == flagField && (literal == "true" || literal == "false"):
		f.match = func(it item) bool { return it(field) == (literal == "true") }
	default:
		return p.fail(errFilter)
	}
	if operator == "ne" {
		return f.negated()
	}
	return f
}

// Operators are those that Graph compares with, be it not here.
var operators = []string{"eq", "ge", "gt", "in", "le", "lt", "ne"}

var filterPath = regexp.MustCompile(`^[A-Za-z_]\w*([./][$\w]+)*$`)

// unservedFilter is about a name in a filter that has no meaning there. What is
// of the other resource, or no name at all, has none in Graph either.
func unservedFilter(name string) *graphError {
	property, _, _ := strings.Cut(strings.ToLower(name), "/")
	if userFields[property] != 0 || groupFields[property] != 0 || !filterPath.MatchString(name) {
		return errFilter
	}
	return notServed("filters with " + name)
}

// anyLicense reads what comes after assignedLicenses/any.
func (p *filterParser) anyLicense(name string) filter {
	p.expect("(")
	variable := p.next()
	p.expect(":", variable+"/skuId", "eq")
	sku, err := parseGUID(p.next())
	switch {
	case err != nil:
		return p.fail(errFilter)
	case p.take("and"):
		return p.fail(errComplexFilter)
	}
	p.expect(")")
	return filter{lambda: true, property: "assignedLicenses", match: func(it item) bool {
		_, ok := findLicense(it(name).([]License), sku)
		return ok
	}}
}

// licenseCount reads what comes after assignedLicenses/$count.
func (p *filterParser) licenseCount(name string) filter {
	none := p.take("eq")
	if !none {
		p.expect("ne")
	}
	p.expect("0")
	return filter{advanced: true, property: "assignedLicenses", match: func(it item) bool { return len(it(name).([]License)) == 0 == none }}
}
