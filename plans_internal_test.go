package licensing

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
)

func swapID(n byte) uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 15: n} }

func swapIDs(numbers ...byte) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(numbers))
	for _, n := range numbers {
		ids = append(ids, swapID(n))
	}
	return ids
}

// swapSKU returns a SKU with plans, of which those from 100 up are for the
// company.
func swapSKU(id byte, part string, plans ...byte) SubscribedSKU {
	sku := SubscribedSKU{SKUID: swapID(id), SKUPartNumber: part}
	for _, n := range plans {
		plan := ServicePlan{ServicePlanID: swapID(n), AppliesTo: "User"}
		if n >= 100 {
			plan.AppliesTo = "Company"
		}
		sku.ServicePlans = append(sku.ServicePlans, plan)
	}
	return sku
}

func TestSamePlans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b []byte
		want bool
	}{
		{"none and none", nil, nil, true},
		{"one and none", []byte{1}, nil, false},
		{"none and one", nil, []byte{1}, false},
		{"another order", []byte{1, 2, 3}, []byte{3, 1, 2}, true},
		{"more", []byte{1, 2}, []byte{1, 2, 3}, false},
		{"fewer", []byte{1, 2, 3}, []byte{1, 2}, false},
		{"others", []byte{1, 2}, []byte{1, 3}, false},
		{"one twice", []byte{1, 1, 2}, []byte{2, 1}, true},
		{"of the same length", []byte{1, 1, 2}, []byte{1, 2, 3}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := samePlans(swapIDs(test.a...), swapIDs(test.b...)); got != test.want {
				t.Errorf("samePlans(%v, %v) = %t, want %t", test.a, test.b, got, test.want)
			}
		})
	}
}

func TestSwapPlans(t *testing.T) {
	t.Parallel()
	a := swapSKU(0xA0, "OLD", 1, 2, 3, 4, 101)
	b := swapSKU(0xB0, "NEW", 3, 1, 11, 12, 4, 101)
	b.ServicePlans[4].AppliesTo = "Company"
	type maps map[byte]byte
	tests := []struct {
		name     string
		disabled []byte
		mapping  maps
		want     []byte
		report   []PlanMapping
	}{
		{"nothing is off", nil, maps{2: 11}, nil, nil},
		{"a plan of both", []byte{3, 1}, nil, []byte{3, 1},
			[]PlanMapping{{swapID(3), swapID(3), PlanMatchSameID}, {swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that is mapped", []byte{2}, maps{2: 11}, []byte{11},
			[]PlanMapping{{swapID(2), swapID(11), PlanMatchMapping}}},
		{"a plan of both that is mapped as well", []byte{1}, maps{1: 11}, []byte{1},
			[]PlanMapping{{swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that has no counterpart", []byte{2, 3}, nil, []byte{3},
			[]PlanMapping{{swapID(2), uuid.Nil, PlanMatchNone}, {swapID(3), swapID(3), PlanMatchSameID}}},
		{"a plan that the new SKU has for the company", []byte{4, 101}, nil, nil,
			[]PlanMapping{{swapID(4), uuid.Nil, PlanMatchNone}, {swapID(101), uuid.Nil, PlanMatchNone}}},
		{"a plan that the new SKU has for the company, mapped", []byte{4}, maps{4: 12}, []byte{12},
			[]PlanMapping{{swapID(4), swapID(12), PlanMatchMapping}}},
		{"two plans for one", []byte{2, 4, 3}, maps{2: 3, 4: 3}, []byte{3},
			[]PlanMapping{{swapID(2), swapID(3), PlanMatchMapping}, {swapID(4), swapID(3), PlanMatchMapping}, {swapID(3), swapID(3), PlanMatchSameID}}},
		{"plans named twice, and the nil UUID", []byte{1, 0, 1}, nil, []byte{1},
			[]PlanMapping{{swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that the old SKU no longer has", []byte{12}, nil, []byte{12},
			[]PlanMapping{{swapID(12), swapID(12), PlanMatchSameID}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mapping := make(map[uuid.UUID]uuid.UUID)
			for from, to := range test.mapping {
				mapping[swapID(from)] = swapID(to)
			}
			off := swapIDs(test.disabled...)
			for i, n := range test.disabled {
				if n == 0 {
					off[i] = uuid.Nil
				}
			}
			given := slices.Clone(off)
			got, report, err := swapPlans("swap license", AssignedLicense{SKUID: a.SKUID, DisabledPlans: off}, a, b, mapping)
			if err != nil {
				t.Fatal(err)
			}
			if want := (AssignedLicense{SKUID: b.SKUID, DisabledPlans: swapIDs(test.want...)}); !reflect.DeepEqual(got, want) {
				t.Errorf("license:\n got %v\nwant %v", got, want)
			}
			if !slices.Equal(report, test.report) {
				t.Errorf("report:\n got %v\nwant %v", report, test.report)
			}
			if !slices.Equal(off, given) {
				t.Errorf("the list given has become %v", off)
			}
		})
	}
}

func TestSwapPlansErrors(t *testing.T) {
	t.Parallel()
	a, b := swapSKU(0xA0, "OLD", 1, 2), swapSKU(0xB0, "NEW", 1, 11, 101)
	ofA := AssignedLicense{SKUID: a.SKUID}
	tests := []struct {
		name    string
		from    AssignedLicense
		a, b    SubscribedSKU
		mapping map[uuid.UUID]uuid.UUID
		want    string
	}{
		{"a license of another SKU", ofA, b, a, nil,
			"the license is of SKU 00000000-0000-4000-8000-0000000000a0, and the old SKU is 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"no old SKU", AssignedLicense{}, SubscribedSKU{}, b, nil, "the old SKU.SKUID is the nil UUID"},
		{"no new SKU", ofA, a, SubscribedSKU{}, nil, "the new SKU.SKUID is the nil UUID"},
		{"one SKU twice", ofA, a, a, nil, "both SKUs are 00000000-0000-4000-8000-0000000000a0 (OLD)"},
		{"a key that is not a plan of the old SKU", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(11): swapID(11)},
			"mapping[00000000-0000-4000-8000-00000000000b]: not a service plan of SKU 00000000-0000-4000-8000-0000000000a0 (OLD)"},
		{"a value that is not a plan of the new SKU", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): swapID(2)},
			"mapping[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-4000-8000-000000000002 is not in SKU 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"a value that is for the company", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): swapID(101)},
			"mapping[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-4000-8000-000000000065 applies to Company, only those for User can be switched"},
		{"the nil UUID for a value", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): uuid.Nil},
			"mapping[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-0000-0000-000000000000 is not in SKU 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"of several mistakes always the same", ofA, a, b,
			map[uuid.UUID]uuid.UUID{swapID(9): swapID(1), swapID(8): swapID(1), swapID(7): swapID(1), swapID(6): swapID(1)},
			"mapping[00000000-0000-4000-8000-000000000006]: not a service plan of SKU 00000000-0000-4000-8000-0000000000a0 (OLD)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, report, err := swapPlans("swap license", test.from, test.a, test.b, test.mapping)
			if want := "swap license: invalid argument: " + test.want; err == nil || err.Error() != want || !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("error:\n got %v\nwant %s", err, want)
			}
			if !reflect.ValueOf(got).IsZero() || report != nil {
				t.Errorf("%v and %v came with the error", got, report)
			}
		})
	}
}
