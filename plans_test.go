package licensing_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// planID returns the id of a test plan.
func planID(n byte) uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 15: n} }

func planIDs(numbers ...byte) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(numbers))
	for _, n := range numbers {
		ids = append(ids, planID(n))
	}
	return ids
}

// sixPlans has plans 1 to 6. The fifth is for the company.
func sixPlans() licensing.SubscribedSKU {
	sku := licensing.SubscribedSKU{SKUID: skuA, SKUPartNumber: "SIXPACK"}
	for n := byte(1); n <= 6; n++ {
		plan := licensing.ServicePlan{ServicePlanID: planID(n), AppliesTo: "User", ServicePlanName: "PLAN" + string('0'+n)}
		switch n {
		case 3:
			plan.AppliesTo = ""
		case 4:
			plan.AppliesTo = "user"
		case 5:
			plan.AppliesTo = "Company"
		}
		sku.ServicePlans = append(sku.ServicePlans, plan)
	}
	return sku
}

func TestServicePlanChangeApply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		current []byte
		change  licensing.ServicePlanChange
		want    []byte
	}{
		{"Enable takes a plan off the list", []byte{1, 2, 3}, licensing.ServicePlanChange{Enable: planIDs(2)}, []byte{1, 3}},
		{"Disable adds to the list", []byte{3}, licensing.ServicePlanChange{Disable: planIDs(1)}, []byte{3, 1}},
		{"Enable and Disable together", []byte{1, 2}, licensing.ServicePlanChange{Enable: planIDs(1), Disable: planIDs(4)}, []byte{2, 4}},
		{"the order of the list stays, new plans follow in that of the SKU", []byte{6, 2}, licensing.ServicePlanChange{Disable: planIDs(4, 3, 1)}, []byte{6, 2, 1, 3, 4}},
		{"what is so already stays so", []byte{6, 2}, licensing.ServicePlanChange{Enable: planIDs(1), Disable: planIDs(2)}, []byte{6, 2}},
		{"plans that are named twice count once", []byte{1, 1}, licensing.ServicePlanChange{Disable: planIDs(2, 2)}, []byte{1, 2}},
		{"the last plan on the list", []byte{1}, licensing.ServicePlanChange{Enable: planIDs(1)}, nil},
		{"all plans can be off", nil, licensing.ServicePlanChange{Disable: planIDs(1, 2, 3, 4, 6)}, []byte{1, 2, 3, 4, 6}},
		{"plans that the SKU no longer has are left out", []byte{9, 1, 0}, licensing.ServicePlanChange{Disable: planIDs(2)}, []byte{1, 2}},
		{"a plan for the company that is on the list stays there", []byte{5}, licensing.ServicePlanChange{Disable: planIDs(1)}, []byte{5, 1}},
		{"EnableOnly turns the others off", nil, licensing.ServicePlanChange{EnableOnly: planIDs(2)}, []byte{1, 3, 4, 6}},
		{"EnableOnly keeps the order of the list", []byte{6, 2, 3}, licensing.ServicePlanChange{EnableOnly: planIDs(2)}, []byte{6, 3, 1, 4}},
		{"EnableOnly leaves plans for the company as they are", []byte{5, 9}, licensing.ServicePlanChange{EnableOnly: planIDs(1, 2, 3)}, []byte{5, 4, 6}},
		{"EnableOnly of all plans", []byte{1, 2}, licensing.ServicePlanChange{EnableOnly: planIDs(1, 2, 3, 4, 6)}, nil},
		{"EnableOnly of what is on already", []byte{3, 1, 6, 4}, licensing.ServicePlanChange{EnableOnly: planIDs(2, 2)}, []byte{3, 1, 6, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			current := licensing.AssignedLicense{SKUID: skuA, DisabledPlans: planIDs(test.current...)}
			change := licensing.ServicePlanChange{
				Enable:     slices.Clone(test.change.Enable),
				Disable:    slices.Clone(test.change.Disable),
				EnableOnly: slices.Clone(test.change.EnableOnly),
			}
			sku := sixPlans()
			got, err := change.Apply(current, sku)
			if err != nil {
				t.Fatal(err)
			}
			want := licensing.AssignedLicense{SKUID: skuA, DisabledPlans: planIDs(test.want...)}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("Apply:\n got %v\nwant %v", got, want)
			}

			got.DisabledPlans = append(got.DisabledPlans[:0], planIDs(7, 7, 7, 7, 7, 7)...)
			if !slices.Equal(current.DisabledPlans, planIDs(test.current...)) || !reflect.DeepEqual(change, test.change) || !reflect.DeepEqual(sku, sixPlans()) {
				t.Error("the arguments were changed, or share memory with the result")
			}
		})
	}
}

func TestServicePlanChangeApplyToASKUWithOddPlans(t *testing.T) {
	t.Parallel()
	sku := sixPlans()
	sku.ServicePlans = append(sku.ServicePlans[:2:2], sku.ServicePlans[1], licensing.ServicePlan{})
	got, err := licensing.ServicePlanChange{EnableOnly: planIDs(1)}.Apply(licensing.AssignedLicense{SKUID: skuA}, sku)
	if want := planIDs(2); err != nil || !slices.Equal(got.DisabledPlans, want) {
		t.Errorf("Apply = %v, %v, want %v", got.DisabledPlans, err, want)
	}
}

func TestServicePlanChangeApplyErrors(t *testing.T) {
	t.Parallel()
	nameless := sixPlans()
	nameless.SKUPartNumber = ""
	nameless.ServicePlans[4].ServicePlanName = ""
	tests := []struct {
		name    string
		current uuid.UUID
		sku     licensing.SubscribedSKU
		change  licensing.ServicePlanChange
		kind    error
		want    string
	}{
		{"nothing at all", skuA, sixPlans(), licensing.ServicePlanChange{Enable: planIDs(), EnableOnly: planIDs()}, licensing.ErrNoChanges,
			"change service plans: invalid argument: Enable, Disable and EnableOnly are all empty"},
		{"Enable with EnableOnly", skuA, sixPlans(), licensing.ServicePlanChange{Enable: planIDs(1), EnableOnly: planIDs(2)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: EnableOnly is given together with Enable or Disable"},
		{"Disable with EnableOnly", skuA, sixPlans(), licensing.ServicePlanChange{Disable: planIDs(1), EnableOnly: planIDs(2)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: EnableOnly is given together with Enable or Disable"},
		{"a plan in Enable and Disable", skuA, sixPlans(), licensing.ServicePlanChange{Enable: planIDs(1, 2), Disable: planIDs(3, 2)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Disable[1]: service plan 00000000-0000-4000-8000-000000000002 is in Enable, too"},
		{"the nil UUID in Enable", skuA, sixPlans(), licensing.ServicePlanChange{Enable: append(planIDs(1), uuid.Nil)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Enable[1] is the nil UUID"},
		{"the nil UUID in Disable", skuA, sixPlans(), licensing.ServicePlanChange{Disable: []uuid.UUID{uuid.Nil}}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Disable[0] is the nil UUID"},
		{"the nil UUID in EnableOnly", skuA, sixPlans(), licensing.ServicePlanChange{EnableOnly: []uuid.UUID{uuid.Nil}}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: EnableOnly[0] is the nil UUID"},
		{"a license of another SKU", skuB, sixPlans(), licensing.ServicePlanChange{Enable: planIDs(1)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: current is of SKU bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb, but sku is aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa (SIXPACK)"},
		{"no SKU", uuid.Nil, licensing.SubscribedSKU{}, licensing.ServicePlanChange{Enable: planIDs(1)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: sku.SKUID is the nil UUID"},
		{"a foreign plan in Enable", skuA, sixPlans(), licensing.ServicePlanChange{Enable: planIDs(1, 7)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Enable[1]: service plan 00000000-0000-4000-8000-000000000007 is not in SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa (SIXPACK)"},
		{"a foreign plan in Disable", skuA, nameless, licensing.ServicePlanChange{Disable: planIDs(7)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Disable[0]: service plan 00000000-0000-4000-8000-000000000007 is not in SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		{"a foreign plan in EnableOnly", skuA, sixPlans(), licensing.ServicePlanChange{EnableOnly: planIDs(7)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: EnableOnly[0]: service plan 00000000-0000-4000-8000-000000000007 is not in SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa (SIXPACK)"},
		{"a plan for the company in Disable", skuA, sixPlans(), licensing.ServicePlanChange{Disable: planIDs(5)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: Disable[0]: service plan 00000000-0000-4000-8000-000000000005 (PLAN5) applies to Company, only those for User can be switched"},
		{"a plan for the company in EnableOnly", skuA, nameless, licensing.ServicePlanChange{EnableOnly: planIDs(1, 5)}, licensing.ErrInvalidArgument,
			"change service plans: invalid argument: EnableOnly[1]: service plan 00000000-0000-4000-8000-000000000005 applies to Company, only those for User can be switched"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.change.Apply(licensing.AssignedLicense{SKUID: test.current}, test.sku)
			checkFailure(t, err, test.kind, test.want)
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("Apply returned %+v with its error", got)
			}
			if _, ok := errors.AsType[*licensing.Error](err); !ok {
				t.Errorf("error of type %T, want *Error", err)
			}
		})
	}
}
