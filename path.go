package licensing

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An object is what a call is about: a user, a group, or the tenant with the
// collections that belong to neither.
type object struct {
	kind string // "user", "group", "me" or "tenant"
	name string // the id or user principal name, as the caller gave it
}

func userObject(name string) object  { return object{kind: "user", name: name} }
func groupObject(name string) object { return object{kind: "group", name: name} }

var (
	me     = object{kind: "me"}
	tenant = object{kind: "tenant"} // whose collections have no object before them
)

// check says what keeps the object from being addressed.
func (o object) check() error {
	switch {
	case o.kind == "me" || o.kind == "tenant":
		return nil
	case o.kind == "group" && !isGUID(o.name):
		return errors.New("groupID must be a GUID")
	}
	if reason := badSegment(o.name); reason != "" {
		return errors.New(o.kind + " " + reason)
	}
	return nil
}

// path is where the object is under the API's version. Everything that has a
// meaning in a URL is escaped.
func (o object) path() string {
	switch {
	case o.kind == "me":
		return "/me"
	case o.kind == "tenant":
		return ""
	case o.kind == "group":
		return "/groups/" + url.PathEscape(o.name)
	case strings.HasPrefix(o.name, "$"):
		// Graph takes /users/$x for an operator. In this form the name is an
		// OData string, which doubles its apostrophes.
		return "/users('" + url.PathEscape(strings.ReplaceAll(o.name, "'", "''")) + "')"
	}
	return "/users/" + url.PathEscape(o.name)
}

// route is the path for logs, without the name.
func (o object) route() string {
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
func (o object) hide(text string) string {
	plain, _ := url.PathUnescape(o.path())
	pairs := []string{o.path(), o.route(), plain, o.route(), (&url.URL{Path: plain}).EscapedPath(), o.route()}
	if len(o.name) > 3 { // or it may be a part of any word
		pairs = append(pairs, o.name, "{id}")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// The queries that read all of an object that is about licences. Graph returns
// none of that unasked.
const (
	userSelection  = "$select=accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType"
	groupSelection = "$select=assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled"
)

func (o object) selection() string {
	if o.kind == "group" {
		return groupSelection
	}
	return userSelection
}

// key is the same for all spellings of one id or name.
func (o object) key() string { return o.kind + " " + strings.ToLower(o.name) }

// guid is the id that an answer about the object must have, in so far as it
// is known.
func (o object) guid() string {
	if isGUID(o.name) {
		return o.name
	}
	return ""
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
