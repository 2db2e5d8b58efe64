package licensing_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// graphTypes are our types by the names that Graph has for them.
var graphTypes = map[string]reflect.Type{
	"assignedLicense":        reflect.TypeFor[licensing.AssignedLicense](),
	"assignedPlan":           reflect.TypeFor[licensing.AssignedPlan](),
	"companySubscription":    reflect.TypeFor[licensing.Subscription](),
	"group":                  reflect.TypeFor[licensing.Group](),
	"licenseAssignmentState": reflect.TypeFor[licensing.LicenseAssignmentState](),
	"licenseDetails":         reflect.TypeFor[licensing.LicenseDetails](),
	"licenseProcessingState": reflect.TypeFor[licensing.LicenseProcessingState](),
	"licenseUnitsDetail":     reflect.TypeFor[licensing.LicenseUnits](),
	"provisionedPlan":        reflect.TypeFor[licensing.ProvisionedPlan](),
	"servicePlanInfo":        reflect.TypeFor[licensing.ServicePlan](),
	"subscribedSku":          reflect.TypeFor[licensing.SubscribedSKU](),
	"user":                   reflect.TypeFor[licensing.User](),
}

// TestMetadata compares our types with Graph's own description of them, of which
// testdata/metadata.json has the names and types of the properties.
func TestMetadata(t *testing.T) {
	text, err := os.ReadFile("testdata/metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	var metadata struct {
		Types map[string]map[string]string
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		t.Fatal(err)
	}
	if len(metadata.Types) != len(graphTypes) {
		t.Errorf("the table has %d types, want %d", len(metadata.Types), len(graphTypes))
	}
	for name, ours := range graphTypes {
		for i := range ours.NumField() {
			field := ours.Field(i)
			property, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			theirs, ok := metadata.Types[name][property]
			switch {
			case !ok:
				t.Errorf("%v.%s: %s has no property %q", ours, field.Name, name, property)
			case name == "companySubscription" && property == "skuId": // a text that is the GUID of a SKU, as the documented samples have it
			case !fits(field.Type, theirs):
				t.Errorf("%v.%s is %v, does not fit %s", ours, field.Name, field.Type, theirs)
			}
		}
	}
}

// fits reports whether values of a type of Graph can be held by one of ours.
// Where ours is a pointer it also holds null.
func fits(ours reflect.Type, theirs string) bool {
	if element, ok := strings.CutPrefix(theirs, "Collection("); ok {
		return ours.Kind() == reflect.Slice && fits(ours.Elem(), strings.TrimSuffix(element, ")"))
	}
	if ours.Kind() == reflect.Pointer {
		ours = ours.Elem()
	}
	switch theirs {
	case "Edm.String":
		return ours.Kind() == reflect.String
	case "Edm.Boolean":
		return ours.Kind() == reflect.Bool
	case "Edm.Int32":
		return ours.Kind() == reflect.Int
	case "Edm.Guid":
		return ours == reflect.TypeFor[uuid.UUID]()
	case "Edm.DateTimeOffset":
		return ours == reflect.TypeFor[time.Time]()
	}
	name, ok := strings.CutPrefix(theirs, "graph.")
	return ok && ours == graphTypes[name]
}
