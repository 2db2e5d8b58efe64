package licensing

import (
	"reflect"
	"slices"
	"strings"
)

// The properties that are about licenses. Graph returns few of them unasked.
var (
	userProperties  = []string{"accountEnabled", "assignedLicenses", "assignedPlans", "displayName", "id", "licenseAssignmentStates", "provisionedPlans", "usageLocation", "userPrincipalName", "userType"}
	groupProperties = []string{"assignedLicenses", "createdDateTime", "displayName", "groupTypes", "id", "licenseProcessingState", "mailEnabled", "securityEnabled"}
	// Those of many users are without the plans: with them a page would be larger than
	// an answer may be.
	listedProperties = slices.DeleteFunc(slices.Clone(userProperties), func(name string) bool { return strings.HasSuffix(name, "Plans") })
)

// The queries for them.
var (
	userSelection  = selecting(userProperties)
	groupSelection = selecting(groupProperties)
)

func selecting(properties []string) string { return "$select=" + strings.Join(properties, ",") }

// selectingAlso returns the query for properties and for further ones, which are
// fields of T in any case.
func selectingAlso[T any](op string, properties, further []string) (string, error) {
	properties = slices.Clip(properties)
	for i, name := range further {
		known, ok := knownProperty[T](name)
		switch {
		case !ok:
			return "", invalid(op, "Select[%d]: %q is not a property of %s", i, name, reflect.TypeFor[T]().Name())
		case !slices.Contains(properties, known):
			properties = append(properties, known)
		}
	}
	return selecting(properties), nil
}

// knownProperty returns a name as Graph writes it, if it is that of a field of T.
func knownProperty[T any](name string) (string, bool) {
	for known := range properties(reflect.TypeFor[T]()) {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}
