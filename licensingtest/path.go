package licensingtest

import (
	"net/url"
	"slices"
	"strings"
)

// A target is what a path names. Its shape is the path with {id} for the key,
// such as users/{id}/assignLicense. /me has the shape of a user.
type target struct {
	shape, key string
	me         bool
}

var (
	collections = []string{"groups", "subscribedSkus", "users"}
	actions     = []string{"assignLicense", "reprocessLicenseAssignment"}
)

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
	to := target{shape: first}
	name, key, keyed := strings.Cut(first, "('")
	if keyed {
		key, keyed = strings.CutSuffix(key, "')")
	}
	switch {
	case first == "me":
		to.shape, to.me = "users/{id}", true
	case keyed && slices.Contains(collections, name):
		if key == "" || strings.Contains(strings.ReplaceAll(key, "''", ""), "'") {
			return target{}, errSyntax
		}
		to.shape, to.key = name+"/{id}", strings.ReplaceAll(key, "''", "'")
	case !slices.Contains(collections, first):
		return target{}, errSegment(first)
	case len(rest) > 0:
		if strings.HasPrefix(rest[0], "$") {
			return target{}, errSyntax
		}
		to.shape, to.key, rest = first+"/{id}", rest[0], rest[1:]
	}
	if len(rest) > 0 {
		next := rest[0]
		if action := strings.TrimPrefix(next, "microsoft.graph."); slices.Contains(actions, action) {
			next = action
		}
		if to.shape += "/" + next; operations(to.shape) == nil {
			return target{}, errSegment(rest[0])
		}
	}
	if len(rest) > 1 {
		return target{}, errSegment(rest[1])
	}
	return to, nil
}
