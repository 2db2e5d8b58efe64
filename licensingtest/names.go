package licensingtest

import (
	"slices"
	"strings"
)

//go:generate go run gen_names.go v1.0-Prod.csdl

// A v1Type is what a type of v1.0 has, each name by itself in lower case.
type v1Type struct {
	properties, links      map[string]string
	calls, collectionCalls map[string]string // actions and functions
}

// words returns names by themselves in lower case, since names in paths and
// queries have no case.
func words(text string) map[string]string {
	names := make(map[string]string)
	for _, name := range strings.Fields(text) {
		names[strings.ToLower(name)] = name
	}
	return names
}

// has reports whether the type has a property or a link of this name. Some types
// are open, where extensions have properties of their own.
func (v v1Type) has(name string) bool {
	name = strings.ToLower(name)
	return v.properties[name] != "" || v.links[name] != "" || strings.HasPrefix(name, "extension_")
}

// respell returns the properties of an object, those known as they are spelled
// here, because names in bodies have no case either.
func respell[T any](object map[string]T, known ...string) map[string]T {
	spelled := make(map[string]T, len(object))
	for name, value := range object {
		if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
			name = known[i]
		}
		spelled[name] = value
	}
	return spelled
}
