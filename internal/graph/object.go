package graph

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An Object is what a request is about: a user, a group, or the tenant with the
// collections that belong to neither.
type Object struct {
	kind string // "user", "group", "me" or "tenant"
	name string // the id or user principal name, as the caller gave it
}

// User returns the user with an object id or user principal name.
func User(name string) Object { return Object{kind: "user", name: name} }

// Group returns the group with an object id.
func Group(id string) Object { return Object{kind: "group", name: id} }

var (
	Me     = Object{kind: "me"}     // the user whose token it is
	Tenant = Object{kind: "tenant"} // whose collections have no Object before them
)

// IsGroup reports whether the object is a group.
func (o Object) IsGroup() bool { return o.kind == "group" }

// Name is the id or user principal name by which the object was given.
func (o Object) Name() string { return o.name }

// Check says what keeps the object from being addressed.
func (o Object) Check() error {
	switch {
	case o.kind == "me" || o.kind == "tenant":
		return nil
	case o.kind == "group" && !isGUID(o.name):
		return fmt.Errorf("groupID %s, not a GUID", Is(o.name))
	}
	if reason := badSegment(o.name); reason != "" {
		return errors.New(o.kind + " " + reason)
	}
	return nil
}

// Path is where the object is under the API's version. Everything that has a
// meaning in a URL is escaped.
func (o Object) Path() string {
	before, name, after := o.segments()
	return before + name + after
}

// segments returns the parts of the object's path.
func (o Object) segments() (before, name, after string) {
	switch {
	case o.kind == "me":
		return "/me", "", ""
	case o.kind == "tenant":
		return "", "", ""
	case o.kind == "group":
		return "/groups/", url.PathEscape(o.name), ""
	case strings.HasPrefix(o.name, "$"):
		// Graph takes /users/$x for an operator. In this form the name is an
		// OData string, which doubles its apostrophes.
		return "/users('", url.PathEscape(strings.ReplaceAll(o.name, "'", "''")), "')"
	}
	return "/users/", url.PathEscape(o.name), ""
}

// route is the path for logs, without the name.
func (o Object) route() string {
	switch o.kind {
	case "me":
		return "/me"
	case "tenant":
		return ""
	case "group":
		return "/groups/{id}"
	}
	return "/users/{id}"
}

// hide returns a text without the object's name, whichever way it has the path.
func (o Object) hide(text string) string {
	plain, _ := url.PathUnescape(o.Path())
	pairs := []string{o.Path(), o.route(), plain, o.route(), (&url.URL{Path: plain}).EscapedPath(), o.route()}
	if len(o.name) > 3 { // or it may be a part of any word
		pairs = append(pairs, o.name, "{id}")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Key is the same for all spellings of one id or name.
func (o Object) Key() string { return o.kind + " " + folded(o.name) }

// AppendKey appends the Key to b.
func (o Object) AppendKey(b []byte) []byte {
	b = append(append(b, o.kind...), ' ')
	for i := range len(o.name) {
		switch c := o.name[i]; {
		case c >= utf8.RuneSelf:
			return append(b[:len(b)-i], folded(o.name)...)
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		default:
			b = append(b, c)
		}
	}
	return b
}

// folded is the same for all texts that [strings.EqualFold] takes for equal.
func folded(s string) string {
	ascii := !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
	if ascii {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least)
	}, s)
}

// GUID is the id that an answer about the object must have, in so far as it
// is known.
func (o Object) GUID() string {
	if isGUID(o.name) {
		return o.name
	}
	return ""
}

// HasID reports whether the object is given by its id, and so has one key.
func (o Object) HasID() bool { return o.kind == "group" || o.GUID() != "" }

// Is says in an error what a parameter is. What may be a person's address is not
// shown.
func Is(value string) string {
	switch {
	case value == "":
		return "is empty"
	case strings.Contains(value, "@"):
		return "is an address"
	}
	return fmt.Sprintf("is %.40q", value)
}

// badSegment says what keeps s from being a segment of a path. A dot segment
// is refused because a proxy may fold it, escaped or not.
func badSegment(s string) string {
	switch {
	case s == "":
		return "is empty"
	case s == "." || s == "..":
		return "is a dot segment"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "has a control character"
	}
	return ""
}

func isGUID(s string) bool {
	if len(s) != 36 { // the only form that Graph writes
		return false
	}
	id, err := uuid.Parse(s)
	return err == nil && id != uuid.Nil
}
