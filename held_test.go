package licensing_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const (
	groupOne = "33333333-3333-4333-8333-333333333333"
	groupTwo = "44444444-4444-4444-8444-444444444444"
)

// heldUser has E3 directly and through two groups, and more that is not held.
const heldUser = `{
	"id": "11111111-1111-4111-8111-111111111111",
	"assignedLicenses": [
		{"skuId": "c7df2760-2c81-4ef7-b578-5b5392b571df", "disabledPlans": []}
	],
	"licenseAssignmentStates": [
		{"skuId": "6FD2C87F-B296-42F0-B197-1E91E994B900", "assignedByGroup": null, "disabledPlans": ["57ff2da0-773e-42df-b2af-ffb7a2317929", "a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "Active", "error": "None"},
		{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "assignedByGroup": "33333333-3333-4333-8333-333333333333", "disabledPlans": ["a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "ActiveWithError", "error": "Other"},
		{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "assignedByGroup": "44444444-4444-4444-8444-444444444444", "disabledPlans": ["efb87545-963c-4e0d-99df-69c6916d9eb0", "a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "Active", "error": null},
		{"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "assignedByGroup": null, "disabledPlans": [], "state": "Error", "error": "CountViolation"},
		{"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "assignedByGroup": "33333333-3333-4333-8333-333333333333", "disabledPlans": [], "state": "Error", "error": "CountViolation"},
		{"skuId": null, "assignedByGroup": null, "disabledPlans": [], "state": "Active", "error": "None"}
	]
}`

func readUser(t testing.TB, text string) *licensing.User {
	t.Helper()
	user := new(licensing.User)
	if err := json.Unmarshal([]byte(text), user); err != nil {
		t.Fatal(err)
	}
	return user
}

func TestDirectLicenses(t *testing.T) {
	t.Parallel()
	got, ok := readUser(t, heldUser).DirectLicenses()
	want := []licensing.AssignedLicense{{SKUID: officeE3, DisabledPlans: []uuid.UUID{teams, sway}}}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("DirectLicenses() = %v, %t, want %v, true", got, ok, want)
	}
}

func TestInheritedLicenses(t *testing.T) {
	t.Parallel()
	got, ok := readUser(t, heldUser).InheritedLicenses()
	want := []licensing.InheritedLicense{
		{SKUID: officeE3, DisabledPlans: []uuid.UUID{sway}, GroupID: groupOne},
		{SKUID: officeE3, DisabledPlans: []uuid.UUID{exchange, sway}, GroupID: groupTwo},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("InheritedLicenses() = %v, %t, want %v, true", got, ok, want)
	}
}

func TestHeldLicensesByState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state    licensing.AssignmentState
		held, on bool
	}{
		{licensing.AssignmentStateActive, true, true},
		{licensing.AssignmentStateActiveWithError, true, true},
		{licensing.AssignmentStateDisabled, true, false},
		{licensing.AssignmentStateError, false, false},
		{"Unheard of", true, true},
		{"", true, true},
	}
	for _, test := range tests {
		t.Run(string(test.state), func(t *testing.T) {
			t.Parallel()
			user := &licensing.User{LicenseAssignmentStates: []licensing.LicenseAssignmentState{
				{SKUID: officeE3, State: test.state},
				{SKUID: officeE3, State: test.state, AssignedByGroup: groupOne},
			}}
			direct, _ := user.DirectLicenses()
			inherited, _ := user.InheritedLicenses()
			if len(direct) == 1 != test.held || len(inherited) == 1 != test.held {
				t.Errorf("direct %v and inherited %v, want held: %t", direct, inherited, test.held)
			}
			plans, _ := user.EffectivePlans(tenantSKUs()[0])
			if plans[0].Enabled != test.on || plans[0].Direct != test.on || len(plans[0].GroupIDs) == 1 != test.on {
				t.Errorf("plan %+v, want on: %t", plans[0], test.on)
			}
		})
	}
}

func TestHeldLicensesDoNotShareMemory(t *testing.T) {
	t.Parallel()
	user := readUser(t, heldUser)
	direct, _ := user.DirectLicenses()
	inherited, _ := user.InheritedLicenses()
	direct[0].DisabledPlans[0] = skuA
	inherited[0].DisabledPlans[0] = skuA
	if want := readUser(t, heldUser); !reflect.DeepEqual(user, want) {
		t.Errorf("the user has become %+v", user)
	}
}

func TestHeldLicensesOfAUserWithoutStates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		user *licensing.User
		ok   bool
	}{
		{"no user", nil, false},
		{"the states were not read", readUser(t, `{"id": "1", "assignedLicenses": [{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900"}]}`), false},
		{"there are none", readUser(t, `{"id": "1", "licenseAssignmentStates": []}`), true},
		{"there are failed ones only", readUser(t, `{"licenseAssignmentStates": [{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "state": "Error"}]}`), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := test.user.DirectLicenses(); len(got) != 0 || ok != test.ok {
				t.Errorf("DirectLicenses() = %v, %t, want none, %t", got, ok, test.ok)
			}
			if got, ok := test.user.InheritedLicenses(); len(got) != 0 || ok != test.ok {
				t.Errorf("InheritedLicenses() = %v, %t, want none, %t", got, ok, test.ok)
			}
			plans, ok := test.user.EffectivePlans(tenantSKUs()[0])
			if ok != test.ok || ok && len(plans) != 4 || !ok && plans != nil {
				t.Errorf("EffectivePlans() = %v, %t, want all four off, %t", plans, ok, test.ok)
			}
			for _, p := range plans {
				if p.Enabled || p.Direct || p.GroupIDs != nil {
					t.Errorf("plan %+v, want it off", p)
				}
			}
		})
	}
}

func TestEffectivePlans(t *testing.T) {
	t.Parallel()
	sku := tenantSKUs()[0]
	got, ok := readUser(t, heldUser).EffectivePlans(sku)
	want := []licensing.EffectivePlan{
		{ServicePlan: sku.ServicePlans[0], Enabled: true, Direct: true, GroupIDs: []string{groupOne}},
		{ServicePlan: sku.ServicePlans[1], Enabled: true, Direct: true, GroupIDs: []string{groupOne, groupTwo}},
		{ServicePlan: sku.ServicePlans[2], Enabled: true, GroupIDs: []string{groupOne, groupTwo}},
		{ServicePlan: sku.ServicePlans[3]},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("EffectivePlans:\n got %+v, %t\nwant %+v, true", got, ok, want)
	}
}

func TestAnEffectivePlanAsJSON(t *testing.T) {
	want := licensing.EffectivePlan{
		ServicePlan: licensing.ServicePlan{ServicePlanID: planA, ServicePlanName: "YAMMER_ENTERPRISE"},
		Enabled:     true, Direct: true, GroupIDs: []string{groupID},
	}
	var got licensing.EffectivePlan
	if err := json.Unmarshal([]byte(jsonOf(t, want)), &got); err != nil {
		t.Fatal(err)
	}
	same(t, "plan", got, want)
}

func TestEffectivePlansCountAGroupOnce(t *testing.T) {
	t.Parallel()
	row := licensing.LicenseAssignmentState{SKUID: officeE3, AssignedByGroup: groupOne}
	user := &licensing.User{LicenseAssignmentStates: []licensing.LicenseAssignmentState{row, row}}
	plans, _ := user.EffectivePlans(tenantSKUs()[0])
	if want := []string{groupOne}; !reflect.DeepEqual(plans[0].GroupIDs, want) {
		t.Errorf("GroupIDs = %v, want %v", plans[0].GroupIDs, want)
	}
}
