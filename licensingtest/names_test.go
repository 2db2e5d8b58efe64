package licensingtest

import (
	"regexp"
	"strings"
	"testing"
)

// Generated tables have names only, and the ones that the tenant goes by.
func TestNames(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^[a-z]\w+$`)
	tables := []map[string]string{v1Sets, v1Singletons}
	for _, known := range v1Types {
		tables = append(tables, known.properties, known.links, known.calls, known.collectionCalls)
		if known.properties["id"] != "id" {
			t.Errorf("a type without id: %v", known.properties)
		}
	}
	for _, table := range tables {
		for lower, name := range table {
			if lower != strings.ToLower(name) || !word.MatchString(name) {
				t.Errorf("%q is %q", lower, name)
			}
		}
	}
	if len(v1Sets) < 40 || len(v1Singletons) < 30 || len(v1Types["user"].properties) < 80 || len(v1Types["group"].properties) < 50 {
		t.Errorf("%d sets, %d singletons, %d properties of user, %d of group", len(v1Sets), len(v1Singletons), len(v1Types["user"].properties), len(v1Types["group"].properties))
	}
	for shape, kind := range collectionTypes {
		if parent, _, below := strings.Cut(shape, "/"); v1Types[kind].properties == nil || v1Sets[strings.ToLower(parent)] == "" && !below {
			t.Errorf("%s of %s", shape, kind)
		}
	}
	for name := range userProperties(new(user)) {
		if !v1Types["user"].has(name) {
			t.Errorf("v1.0 has no property %s of user", name)
		}
	}
	for name := range groupProperties(new(group)) {
		// Sent by default, and in no metadata.
		if !v1Types["group"].has(name) && name != "creationOptions" {
			t.Errorf("v1.0 has no property %s of group", name)
		}
	}
}
