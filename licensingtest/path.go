package licensingtest

import (
	"net/url"
	"strings"
)

// A target is what a path names: users with a key, groups with a key, or me;
// and an action, empty for the object itself.
type target struct{ collection, key, action string }

// parsePath reads a path from after the version.
func parsePath(path string) (target, *graphError) {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" {
			return target{}, errSegment(segment)
		}
		segments[i] = plain
	}
	first, rest := segments[0], segments[1:]
	to := target{collection: first}
	name, key, keyed := strings.Cut(first, "('")
	if keyed {
		key, keyed = strings.CutSuffix(key, "')")
	}
	switch {
	case first == "me":
	case keyed && (name == "users" || name == "groups"):
		if key == "" || strings.Contains(strings.ReplaceAll(key, "''", ""), "'") {
			return target{}, errSyntax
		}
		to.collection, to.key = name, strings.ReplaceAll(key, "''", "'")
	case len(rest) > 0 && (first == "users" || first == "groups"):
		if strings.HasPrefix(rest[0], "$") {
			return target{}, errSyntax
		}
		to.key, rest = rest[0], rest[1:]
	default:
		return target{}, errSegment(first)
	}
	if len(rest) == 0 {
		return to, nil
	}
	to.action = strings.TrimPrefix(rest[0], "microsoft.graph.")
	known := to.action == "assignLicense" || to.action == "reprocessLicenseAssignment" && to.collection != "groups"
	if !known {
		return target{}, errSegment(rest[0])
	}
	if len(rest) > 1 {
		return target{}, errSegment(rest[1])
	}
	return to, nil
}
