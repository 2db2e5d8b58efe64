package licensingtest

import (
	"net/url"
	"strings"
)

// A target is what a path names. Its shape is the path as Graph spells it, with
// {id} for keys, such as users/{id}/assignLicense. /me has the shape of a user.
// There are targets that this package does not serve, but none that v1.0 does
// not have, as far as the types are known here.
type target struct {
	shape    string
	key, sub string // of the object, and of the one below it
	me       bool

	kind string // the type of the object, or of the collection's members; empty if it is not known here
	many bool   // a collection
	end  bool   // nothing comes after it
}

// The types of collections and objects that are known here, by shape.
var (
	collectionTypes = map[string]string{
		"directory/subscriptions":   "companySubscription",
		"groups":                    "group",
		"organization":              "organization",
		"subscribedSkus":            "subscribedSku",
		"users":                     "user",
		"users/{id}/licenseDetails": "licenseDetails",
	}
	objectTypes = map[string]string{"directory": "directory"}
)

// parsePath reads a path from after the version, in which names have no case.
func parsePath(path string) (target, *graphError) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" {
			return target{}, errSegment(segment)
		}
		segments[i] = plain
	}
	if len(segments) > 1 && isTenant(segments[0]) {
		segments = segments[1:]
	}
	to, err := root(segments[0])
	for _, segment := range segments[1:] {
		if err == nil {
			err = to.follow(segment)
		}
	}
	return to, err
}

// isTenant reports whether a first segment names the tenant, and no more.
func isTenant(segment string) bool {
	_, err := parseGUID(segment)
	return err == nil || strings.EqualFold(segment, "myorganization")
}

// root returns what a first segment names.
func root(segment string) (target, *graphError) {
	name, key := cutKey(segment)
	lower := strings.ToLower(name)
	switch {
	case lower == "me" && key == "":
		return target{shape: "users/{id}", me: true, kind: "user"}, nil
	case v1Sets[lower] != "":
		var to target
		err := to.enter(v1Sets[lower], key)
		return to, err
	case key == "" && (v1Singletons[lower] != "" || lower == "$metadata"):
		shape := v1Singletons[lower]
		if shape == "" {
			shape = lower
		}
		return target{shape: shape, kind: objectTypes[shape]}, nil
	}
	return target{}, errSegment(segment)
}

// cutKey cuts a segment before the parenthesis in it.
func cutKey(segment string) (name, key string) {
	if i := strings.IndexByte(segment, '('); i > 0 && strings.HasSuffix(segment, ")") {
		return segment[:i], segment[i:]
	}
	return segment, ""
}

// follow goes on by a segment.
func (to *target) follow(segment string) *graphError {
	switch {
	case to.end:
		return errSegment(segment)
	case to.kind == "":
		to.shape += "/" + segment
		return nil
	case to.many:
		return to.member(segment)
	}
	name, key := cutKey(segment)
	lower, known := strings.ToLower(name), v1Types[to.kind]
	action := known.calls[strings.TrimPrefix(lower, "microsoft.graph.")]
	switch {
	case action != "":
		to.shape += "/" + action
		to.kind, to.end = "", key == ""
	case known.links[lower] != "":
		return to.enter(to.shape+"/"+known.links[lower], key)
	case known.properties[lower] != "" && key == "":
		to.shape += "/" + known.properties[lower]
		to.kind = ""
	default:
		return errSegment(segment)
	}
	return nil
}

// enter goes on to a link or a first segment, and to one of its objects if there
// is a key in parentheses.
func (to *target) enter(shape, key string) *graphError {
	to.shape, to.kind = shape, collectionTypes[shape]
	to.many = to.kind != ""
	if key == "" {
		return nil
	}
	quoted, ok := strings.CutPrefix(strings.TrimSuffix(key, ")"), "('")
	switch quoted, closed := strings.CutSuffix(quoted, "'"); {
	case !to.many || strings.Contains(key, "="): // by another key than the id
		to.shape, to.kind, to.many = shape+"(...)", "", false
	case !ok || !closed:
		return errSegment(shape[strings.LastIndex(shape, "/")+1:] + key)
	case quoted == "" || strings.Contains(strings.ReplaceAll(quoted, "''", ""), "'"):
		return errSyntax
	default:
		to.choose(strings.ReplaceAll(quoted, "''", "'"))
	}
	return nil
}

// member goes on from a collection to what a segment names of it.
func (to *target) member(segment string) *graphError {
	name, _ := cutKey(strings.ToLower(segment))
	call := v1Types[to.kind].collectionCalls[strings.TrimPrefix(name, "microsoft.graph.")]
	switch {
	case name == "$count":
		to.shape += "/$count"
		to.end = true
	case call != "":
		to.shape += "/" + call
		to.kind, to.many = "", false
	case strings.HasPrefix(segment, "$"):
		return errSyntax
	default:
		to.choose(segment)
	}
	return nil
}

// choose goes on from a collection to the object with a key.
func (to *target) choose(key string) {
	if to.shape += "/{id}"; to.me || to.key != "" {
		to.sub = key
	} else {
		to.key = key
	}
	to.many = false
}
