package licensingtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// The page sizes of users and groups.
const (
	defaultPage = 100
	maxPage     = 999
)

// ExpirePageTokens invalidates all links to further pages so far. The tenant
// answers them with Directory_ExpiredPageToken.
func (t *Tenant) ExpirePageTokens() {
	t.lock()
	defer t.mu.Unlock()
	t.pageEpoch++
}

// SetEmptyPages puts an empty page, which only links to the next one, before each
// page of a listing.
func (t *Tenant) SetEmptyPages(on bool) {
	t.lock()
	defer t.mu.Unlock()
	t.emptyPages = on
}

// A listing is a collection to read by pages. Its candidates have an order that
// does not change and are never taken away, so that the place of one is where a
// page can begin.
type listing struct {
	kind       string   // the type of its members, for errors
	context    string   // "#users"
	annotate   string   // the @odata.type of each member, if it is sent
	defaults   []string // the properties sent without $select
	size       int      // the number of candidates
	fields     fields   // what filters can be about
	candidate  func(i int) (it item, belongs bool)
	properties func(i int) map[string]any
	known      map[string]any // the properties that there are
}

// list answers a call with a page of l.
func (t *Tenant) list(c *call, l listing) (result, *graphError) {
	o := c.options
	if err := o.only(refuseListing, "$top", "$filter", "$count"); err != nil {
		return result{}, err
	}
	if err := o.spell(l.kind, l.known); err != nil {
		return result{}, err
	}
	matches, err := l.condition(o.filter, o.count, c.eventual())
	if err != nil {
		return result{}, err
	}
	first, flushed, err := t.parseToken(c, l.size)
	if err != nil {
		return result{}, err
	}
	size := cmp.Or(o.top, defaultPage)
	if t.emptyPages && !flushed {
		size = 0
	}

	value, next, total := l.read(first, size, o, matches)
	page := object{{"@odata.context", metadata(l.context, o.selected)}}
	if o.count && c.eventual() && o.skipToken == "" {
		page = append(page, property{"@odata.count", total})
	}
	if next >= 0 {
		page = append(page, property{"@odata.nextLink", c.nextLink(t.newToken(c, next, size == 0))})
	}
	return result{value: append(page, property{"value", value})}, nil
}

// condition returns what a filter asks of members.
func (l listing) condition(text string, counted, eventual bool) (func(item) bool, *graphError) {
	if text == "" {
		return func(item) bool { return true }, nil
	}
	if l.fields == nil {
		return nil, notServed("filters of " + strings.TrimPrefix(l.context, "#"))
	}
	f, err := parseFilter(text, l.fields, l.kind)
	if err != nil {
		return nil, err
	}
	return f.match, f.allowed(query{l.kind, counted, eventual})
}

// read returns so many members from first on, where the next page begins, or
// -1, and the number of all, which the first page alone is asked for.
func (l listing) read(first, size int, o options, matches func(item) bool) (value []object, next, total int) {
	value, next = []object{}, -1
	for i := first; i < l.size && (next < 0 || o.skipToken == ""); i++ {
		if it, belongs := l.candidate(i); !belongs || !matches(it) {
			continue
		}
		total++
		switch {
		case len(value) < size:
			member := pick(l.properties(i), o.names(l.defaults))
			if l.annotate != "" {
				member = append(object{{"@odata.type", l.annotate}}, member...)
			}
			value = append(value, member)
		case next < 0:
			next = i
		}
	}
	return value, next, total
}

// nextLink returns the link to another page of what c asks for.
func (c *call) nextLink(token string) string {
	return c.base + "/" + c.path + "?" + strings.Join(append(c.options.sent, "$skiptoken="+token), "&")
}

// newToken returns a page token, which is good for the very same query only.
func (t *Tenant) newToken(c *call, first int, flushed bool) string {
	text := fmt.Sprintf("%d %d %t %x", t.pageEpoch, first, flushed, c.fingerprint())
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// parseToken returns where the page of a token begins in a listing of so many,
// and whether it comes after an empty one. Without a token it is the first.
func (t *Tenant) parseToken(c *call, size int) (first int, flushed bool, refused *graphError) {
	if c.options.skipToken == "" {
		return 0, false, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(c.options.skipToken)
	var epoch int
	var query uint64
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%d %d %t %x", &epoch, &first, &flushed, &query)
	}
	if err != nil || query != c.fingerprint() || first < 0 || first >= size {
		return 0, false, errPageToken
	}
	if epoch != t.pageEpoch {
		return 0, false, errExpiredPageToken
	}
	return first, flushed, nil
}

// fingerprint tells queries apart.
func (c *call) fingerprint() uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.path + "?" + strings.Join(c.options.sent, "&")))
	return h.Sum64()
}

func (t *Tenant) listUsers(c *call) (result, *graphError) { return t.list(c, t.allUsers(c)) }

func (t *Tenant) listGroups(c *call) (result, *graphError) { return t.list(c, t.allGroups(c)) }

func (t *Tenant) countUsers(c *call) (result, *graphError) { return t.count(c, t.allUsers(c)) }

func (t *Tenant) countGroups(c *call) (result, *graphError) { return t.count(c, t.allGroups(c)) }

func (t *Tenant) allUsers(c *call) listing {
	return listing{
		kind: "user", context: "#users", defaults: userDefaults, size: len(t.users), fields: userFields, known: userProperties(new(user)),
		candidate:  func(i int) (item, bool) { u := t.seenUser(c, t.users[i]); return u.field, u != nil },
		properties: func(i int) map[string]any { return userProperties(t.seenUser(c, t.users[i])) },
	}
}

func (t *Tenant) allGroups(c *call) listing {
	return listing{
		kind: "group", context: "#groups", defaults: groupDefaults, size: len(t.groups), fields: groupFields, known: groupProperties(new(group)),
		candidate:  func(i int) (item, bool) { return t.groupItem(c, t.groups[i]), t.seenGroup(c, t.groups[i]) != nil },
		properties: func(i int) map[string]any { return groupProperties(t.seenGroup(c, t.groups[i])) },
	}
}

// count answers a call with the number of l's members.
func (t *Tenant) count(c *call, l listing) (result, *graphError) {
	if err := c.options.only(refuseListing, "$filter"); err != nil {
		return result{}, err
	}
	if !c.eventual() {
		return result{}, errCount
	}
	matches, err := l.condition(c.options.filter, true, true)
	if err != nil {
		return result{}, err
	}
	_, _, total := l.read(0, 0, options{}, matches)
	return result{value: plainText(strconv.Itoa(total))}, nil
}

// eventual reports whether c will do with an index that is behind.
func (c *call) eventual() bool {
	return strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual")
}

// listMembersWithErrors lists the members of a group who lack one of its
// licenses, or its latest change.
func (t *Tenant) listMembersWithErrors(c *call) (result, *graphError) {
	return t.listRelatedUsers(c, (*user).failed)
}

func (t *Tenant) listMembers(c *call) (result, *graphError) {
	return t.listRelatedUsers(c, (*user).belongs)
}

// listRelatedUsers lists the users who are related to a group.
func (t *Tenant) listRelatedUsers(c *call, related func(*user, *group) bool) (result, *graphError) {
	g, _, err := t.seeGroup(c)
	if err != nil {
		return result{}, err
	}
	l := t.allUsers(c)
	l.context, l.annotate, l.fields = "#directoryObjects", "#microsoft.graph.user", nil
	l.candidate = func(i int) (item, bool) { return nil, related(t.seenUser(c, t.users[i]), g) }
	return t.list(c, l)
}

// listMemberOf lists the groups that a user is a member of.
func (t *Tenant) listMemberOf(c *call) (result, *graphError) {
	u, err := t.seeUser(c)
	if err != nil {
		return result{}, err
	}
	l := t.allGroups(c)
	l.context, l.annotate, l.fields = "#directoryObjects", "#microsoft.graph.group", nil
	l.candidate = func(i int) (item, bool) {
		return nil, u.belongs(t.groups[i]) && t.seenGroup(c, t.groups[i]) != nil
	}
	return t.list(c, l)
}
