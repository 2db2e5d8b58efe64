package reconcile_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// small is a tenant with SKUs that have a plan in common, and a user of each kind.
//
//	SKU 1  plans 11, 12, 13 (EXCHANGE_S_STANDARD), 50 for the company
//	SKU 2  plans 13, 21
//	SKU 4  plans 41 (EXCHANGE_S_ENTERPRISE), 42 (EXCHANGE_S_FOUNDATION, without a mailbox)
//	101    SKU 1 without 12
//	102    nothing
//	103    nothing directly, SKU 1 without 12 by group 201
//	104    SKU 1 without 11, and SKU 1 without 12 by group 201
//	105    no usage location, SKU 2
func small() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	one, two := product(1, 10, 11, 12, 13, 50), product(2, 10, 13, 21)
	one.Plans[2].Name, two.Plans[0].Name, one.Plans[3].AppliesTo = "EXCHANGE_S_STANDARD", "EXCHANGE_S_STANDARD", "Company"
	tenant.AddSKU(one)
	tenant.AddSKU(two)
	tenant.AddSKU(licensingtest.SKU{ID: id(3), PartNumber: "SKU3", AppliesTo: "Company", Seats: 1})
	four := product(4, 10, 41, 42)
	four.Plans[0].Name, four.Plans[1].Name = "EXCHANGE_S_ENTERPRISE", "EXCHANGE_S_FOUNDATION"
	tenant.AddSKU(four)
	tenant.AddUser(user(101, held(1, 12)))
	tenant.AddUser(user(102))
	tenant.AddUser(user(103))
	tenant.AddUser(user(104, held(1, 11)))
	nowhere := user(105, held(2))
	nowhere.UsageLocation = ""
	tenant.AddUser(nowhere)
	tenant.AddGroup(licensingtest.Group{ID: id(201).String(), DisplayName: "Group", Licenses: []licensingtest.License{held(1, 12)}}, id(103).String(), id(104).String())
	return tenant
}

func name(n byte) string { return fmt.Sprintf("user%d@contoso.example", n) }

// goal returns a goal for a user.
func goal(n byte, mode reconcile.Mode, licenses ...reconcile.License) reconcile.Goal {
	return reconcile.Goal{Target: name(n), Mode: mode, Licenses: licenses}
}

func want(sku byte) reconcile.License { return reconcile.License{SKUID: id(sku)} }

func without(sku byte, off ...byte) reconcile.License {
	return reconcile.License{SKUID: id(sku), DisabledPlans: ids(off...)}
}

func with(sku byte, change licensing.ServicePlanChange) reconcile.License {
	return reconcile.License{SKUID: id(sku), Plans: &change}
}

func removing(g reconcile.Goal, skus ...byte) reconcile.Goal {
	g.Remove = ids(skus...)
	return g
}

// said returns a set in short: what each change adds, removes, gains, loses and
// warns of, or the problems.
func said(set *reconcile.ChangeSet) string {
	var parts []string
	for _, c := range set.Changes {
		for _, l := range c.Operation.Request.AddLicenses {
			parts = append(parts, "add "+licenseText(l.SKUID, l.DisabledPlans))
		}
		for _, sku := range c.Operation.Request.RemoveLicenses {
			parts = append(parts, fmt.Sprint("remove ", sku[15]))
		}
		for text, refs := range map[string][]reconcile.ServicePlanRef{"gain": c.Enabled, "lose": c.Disabled} {
			for _, r := range refs {
				parts = append(parts, fmt.Sprint(text, " ", r.ServicePlanID[15]))
			}
		}
		for text, skus := range map[string][]uuid.UUID{"take": c.Takes, "free": c.Frees} {
			for _, sku := range skus {
				parts = append(parts, fmt.Sprint(text, " ", sku[15]))
			}
		}
		for _, w := range c.Warnings {
			parts = append(parts, "warn "+string(w))
		}
	}
	for _, p := range set.Problems {
		parts = append(parts, "problem "+string(p.Kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func TestPlan(t *testing.T) {
	t.Parallel()
	const all = "ManageAll"
	for _, tt := range []struct {
		name, opts string
		goal       reconcile.Goal
		want       string
	}{
		{"a new license", "", goal(102, "", want(1)), "add 1 [], gain 11, gain 12, gain 13, gain 50, take 1"},
		{"a new license without a plan", "", goal(102, "", without(1, 12)), "add 1 [12], gain 11, gain 13, gain 50, take 1"},
		{"a new license by a change", "", goal(102, "", with(1, licensing.ServicePlanChange{EnableOnly: ids(11)})), "add 1 [12 13], gain 11, gain 50, take 1"},
		{"what is there stays as it is", "", goal(101, "", want(1)), ""},
		{"plans are switched on", "", goal(101, "", without(1)), "add 1 [], gain 12"},
		{"AtLeast switches nothing off", "", goal(101, "", without(1, 11, 12)), ""},
		{"AtLeast switches nothing off by a change", "", goal(101, "", with(1, licensing.ServicePlanChange{Enable: ids(12), Disable: ids(13)})), "add 1 [], gain 12"},
		{"Exactly switches off", all, goal(101, reconcile.Exactly, without(1, 11, 12)), "add 1 [11 12], lose 11"},
		{"Exactly by a change", all, goal(101, reconcile.Exactly, with(1, licensing.ServicePlanChange{Enable: ids(12), Disable: ids(13)})), "add 1 [13], gain 12, lose 13, warn mailbox"},
		{"Exactly takes away", all, goal(101, reconcile.Exactly, want(2)), "add 2 [], free 1, gain 21, lose 11, lose 50, remove 1, take 2"},
		{"Exactly leaves what is not managed", "2", goal(101, reconcile.Exactly, want(2)), "add 2 [], gain 21, take 2"},
		{"Exactly changes nothing that is not managed", "2", goal(101, reconcile.Exactly, without(1)), "problem notManaged"},
		{"Exactly adds nothing that is not managed", "2", goal(102, reconcile.Exactly, want(1)), "problem notManaged"},
		{"not managed, and right", "2", goal(101, reconcile.Exactly, without(1, 12)), ""},
		{"remove", "", removing(goal(101, ""), 1), "free 1, lose 11, lose 13, lose 50, remove 1, warn mailbox"},
		{"remove what is not there", "", removing(goal(102, ""), 1), ""},
		{"remove what is not managed", "2", removing(goal(101, reconcile.Exactly), 1), "free 1, lose 11, lose 13, lose 50, remove 1, warn mailbox"},
		{"swap, and keep the mailbox", "", removing(goal(101, "", want(2)), 1), "add 2 [], free 1, gain 21, lose 11, lose 50, remove 1, take 2"},
		{"another plan with a mailbox", "", removing(goal(101, "", want(4)), 1), "add 4 [], free 1, gain 41, gain 42, lose 11, lose 13, lose 50, remove 1, take 4"},
		{"a plan without a mailbox", "", removing(goal(101, "", without(4, 41)), 1), "add 4 [41], free 1, gain 42, lose 11, lose 13, lose 50, remove 1, take 4, warn mailbox"},
		{"covered by a group", "", goal(103, "", without(1, 12)), ""},
		{"covered in part", "", goal(103, "", without(1)), "add 1 [], gain 12"},
		{"a group has the plan on that is off", "", goal(104, "", without(1)), ""},
		{"a group has the plan on that is to be switched on", "", goal(104, "", with(1, licensing.ServicePlanChange{Enable: ids(11)})), ""},
		{"a direct license goes by itself", all, goal(104, reconcile.Exactly, without(1)), "add 1 []"},
		{"a direct license by itself", "IgnoreInherited", goal(104, "", without(1)), "add 1 []"},
		{"inherited does not count", "IgnoreInherited", goal(103, "", without(1, 12)), "add 1 [12]"},
		{"inherited with more plans", all, goal(103, reconcile.Exactly, without(1, 11, 12)), "problem inheritedWithOtherPlans"},
		{"inherited only has nothing to remove", "", removing(goal(103, ""), 1), ""},
		{"a group goes on giving it", "", removing(goal(104, ""), 1), "lose 12, remove 1, warn keptByGroup"},
		{"a group keeps a plan on", all, goal(104, reconcile.Exactly, without(1, 11, 13)), "add 1 [11 13], warn keptByGroup"},
		{"a plan that was off before", all, goal(104, reconcile.Exactly, without(1, 11, 12)), "add 1 [11 12], lose 12"},
		{"remove what is managed", all, removing(goal(101, reconcile.Exactly), 1), "free 1, lose 11, lose 13, lose 50, remove 1, warn mailbox"},
		{"no usage location", "", goal(105, "", want(1)), "problem noUsageLocation"},
		{"no usage location, and only plans", all, goal(105, reconcile.Exactly, without(2, 21)), "add 2 [21], lose 21, warn noUsageLocation"},
		{"no usage location, and a removal", "", removing(goal(105, ""), 2), "free 2, lose 13, lose 21, remove 2, warn mailbox"},
		{"an unknown SKU", "", goal(102, "", want(9)), "problem unknownSku"},
		{"a SKU for the company", "", goal(102, "", want(3)), "problem notAssignable"},
		{"nobody", "", goal(150, "", want(1)), "problem notFound"},
		{"a plan that cannot be switched", "", goal(102, "", with(1, licensing.ServicePlanChange{Disable: ids(50)})), "problem invalidPlans"},
		{"plans that are not the SKU's", "", goal(102, "", without(1, 11, 21, 50)), "add 1 [11], gain 12, gain 13, gain 50, take 1, warn unknownPlan"},
		{"several problems", "", goal(105, "", want(1), want(3), want(9)), "problem noUsageLocation, problem notAssignable, problem unknownSku"},
		{"a group", "", reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Licenses: []reconcile.License{without(1), want(2)}}, "add 1 [], add 2 [], gain 12, gain 21"},
		{"a group loses", all, reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Mode: reconcile.Exactly}, "lose 11, lose 13, lose 50, remove 1, warn mailbox"},
		{"no group", "", reconcile.Goal{Kind: reconcile.KindGroup, Target: id(101).String()}, "problem notFound"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := reconcile.PlanOptions{ManageAll: tt.opts == all, IgnoreInherited: tt.opts == "IgnoreInherited"}
			if tt.opts == "2" {
				opts.Managed = ids(2)
			}
			tenant := small()
			set := plan(t, tenant.Client(), opts, tt.goal)
			if got := said(set); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if set.Unchanged+len(set.Changes) != 1 && set.Problems == nil || set.Unchanged == 1 && tt.want != "" {
				t.Errorf("%d unchanged", set.Unchanged)
			}
			if n := len(tenant.Writes()); n > 0 {
				t.Errorf("%d writes", n)
			}
			if len(set.Changes) > 0 && tt.goal.Target != name(105) { // the fake refuses those
				applied(t, tenant.Client(), set)
			}
		})
	}
}

// Of a license that is there only what groups do not have on is switched on.
func TestAGroupHasSomeOfThePlansOn(t *testing.T) {
	t.Parallel()
	tenant := small()
	tenant.AddUser(user(110, held(1, 11, 12)))
	tenant.AddMember(id(201).String(), name(110))
	tenant.Process()
	set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(110, "", without(1)))
	if got := said(set); got != "add 1 [11], gain 12" {
		t.Error(got)
	}
	applied(t, tenant.Client(), set)
	if got := said(plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(110, "", without(1)))); got != "" {
		t.Errorf("left to do: %s", got)
	}
}

// Plans are in the order of the SKU, whatever that of an answer or a goal is.
func TestOrderOfPlans(t *testing.T) {
	t.Parallel()
	tenant := small()
	tenant.AddUser(user(110, held(1, 13, 11)))
	set := plan(t, tenant.Client(), reconcile.PlanOptions{ManageAll: true}, goal(110, reconcile.Exactly, without(1, 13, 12, 11)))
	c := set.Changes[0]
	if got := marshal(t, [][]uuid.UUID{c.Before[0].DisabledPlans, c.After[0].DisabledPlans}); got != marshal(t, [][]uuid.UUID{ids(11, 13), ids(11, 12, 13)}) {
		t.Error(got)
	}
}

// Assignments in error are not to be relied on.
func TestAnUnhealthyGroup(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(product(1, 1, 11))
	tenant.AddUser(user(101))
	tenant.AddUser(user(102, held(1)))
	tenant.AddGroup(licensingtest.Group{ID: id(201).String(), Licenses: []licensingtest.License{held(1)}}, name(101)) // no seat is left
	if got := said(plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(101, "", want(1)))); got != "add 1 [], gain 11, take 1, warn seats" {
		t.Error(got)
	}
}

// What is direct, and what a group gives, in other states than Active.
func TestStatesOfAssignments(t *testing.T) {
	t.Parallel()
	const direct = `{"skuId":"00000000-0000-4000-8000-000000000001","disabledPlans":[],"assignedByGroup":null,"state":"%s","error":"None"}`
	const byGroup = `{"skuId":"00000000-0000-4000-8000-000000000001","disabledPlans":[],"assignedByGroup":"00000000-0000-4000-8000-0000000000c9","state":"%s","error":"%s"}`
	for _, tt := range []struct {
		row, want string
		goal      reconcile.Goal
	}{
		{fmt.Sprintf(byGroup, "Active", "None"), "", goal(102, "", want(1))},
		{strings.Replace(fmt.Sprintf(byGroup, "Active", "None"), "[]", `["00000000-0000-4000-8000-000000000063"]`, 1), "", goal(102, "", want(1))}, // a plan that the SKU has no more
		{fmt.Sprintf(byGroup, "ActiveWithError", "CountViolation"), "add 1 []", goal(102, "", want(1))},
		{fmt.Sprintf(byGroup, "Active", "Other"), "add 1 []", goal(102, "", want(1))},
		{fmt.Sprintf(byGroup, "Error", "CountViolation"), "add 1 [], gain 11, gain 12, gain 13, gain 50, take 1", goal(102, "", want(1))},
		{fmt.Sprintf(byGroup, "Disabled", "None"), "add 1 [], gain 11, gain 12, gain 13, gain 50", goal(102, "", want(1))},
		{fmt.Sprintf(direct, "Disabled"), "", goal(102, "", want(1))},
		{fmt.Sprintf(direct, "Disabled"), "add 1 [11]", goal(102, reconcile.Exactly, without(1, 11))},
		{fmt.Sprintf(direct, "Disabled"), "free 1, remove 1", removing(goal(102, ""), 1)},
		{fmt.Sprintf(direct, "Error"), "add 1 [], gain 11, gain 12, gain 13, gain 50, take 1", goal(102, "", want(1))},
	} {
		tenant := small()
		tenant.Fail(licensingtest.Fault{Status: 200, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/users/") }, Body: `{"@odata.context":"x",` +
			`"id":"` + id(102).String() + `","userPrincipalName":"` + name(102) + `","usageLocation":"DE","licenseAssignmentStates":[` + tt.row + `]}`})
		set := plan(t, tenant.Client(), reconcile.PlanOptions{ManageAll: true}, tt.goal)
		if got := said(set); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.row, got, tt.want)
		}
	}
}

// What is lost with a SKU that the tenant no longer lists is not known.
func TestASKUThatIsListedNoMore(t *testing.T) {
	t.Parallel()
	tenant := small()
	tenant.AddUser(user(110, held(1), held(4)))
	tenant.Fail(licensingtest.Fault{Status: 200, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/subscribedSkus") },
		Body: `{"value":[{"skuId":"00000000-0000-4000-8000-000000000001","skuPartNumber":"SKU1","servicePlans":[]}]}`})
	set := plan(t, tenant.Client(), reconcile.PlanOptions{}, removing(goal(110, ""), 4), removing(goal(101, ""), 1))
	if got := fmt.Sprint(set.Changes[0].Warnings, set.Changes[1].Warnings); got != "[unknownSku] []" {
		t.Error(got)
	}
}

func TestTwoGoalsForOneObject(t *testing.T) {
	t.Parallel()
	for _, targets := range [][]string{
		{name(102), id(102).String()},
		{id(102).String(), strings.ToUpper(name(102))},
		{name(102), "USER102@contoso.example"},
		{name(102), name(102), strings.ToUpper(id(102).String())},
	} {
		var goals []reconcile.Goal
		for i, target := range targets {
			goals = append(goals, reconcile.Goal{Target: target, Licenses: []reconcile.License{want(1)}, Ref: fmt.Sprint(i)})
		}
		goals = append(goals, goal(104, ""))
		set := plan(t, small().Client(), reconcile.PlanOptions{}, goals...)
		if len(set.Problems) != len(targets) || len(set.Changes) > 0 || set.Unchanged != 1 {
			t.Errorf("%q: %s", targets, marshal(t, set))
		}
		for i, p := range set.Problems {
			if p.Kind != reconcile.ProblemTwoGoals || p.Ref != fmt.Sprint(i) || p.Target != targets[i] {
				t.Errorf("got %+v", p)
			}
		}
	}
}

func TestGoalsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for text, g := range map[string]reconcile.Goal{
		"goals[1]: Target is empty":                                                          {},
		`goals[1]: Kind is "team"`:                                                           {Kind: "team", Target: "x"},
		`goals[1]: Mode is "atMost"`:                                                         {Target: "x", Mode: "atMost"},
		"goals[1]: Licenses[0].SKUID is the nil UUID":                                        goal(1, "", reconcile.License{}),
		"goals[1]: Licenses[0].DisabledPlans[0] is the nil UUID":                             goal(1, "", without(1, 0)),
		"goals[1]: Remove[0] is the nil UUID":                                                {Target: "x", Remove: []uuid.UUID{{}}},
		"goals[1]: Licenses[1].SKUID 00000000-0000-4000-8000-000000000001 is there twice":    goal(1, "", want(1), want(1)),
		"goals[1]: Licenses[0].SKUID 00000000-0000-4000-8000-000000000001 is in Remove, too": removing(goal(1, "", want(1)), 1),
		"goals[1]: Mode is Exactly, and neither Managed nor ManageAll is given":              goal(1, reconcile.Exactly),
		"goals[1]: Licenses[0].Plans: change service plans: invalid argument: Enable, Disable and EnableOnly are all empty":                                    goal(1, "", with(1, licensing.ServicePlanChange{})),
		"goals[1]: Licenses[0].Plans: change service plans: invalid argument: EnableOnly is given together with Enable or Disable":                             goal(1, "", with(1, licensing.ServicePlanChange{Enable: ids(11), EnableOnly: ids(12)})),
		"goals[1]: Licenses[0].Plans: change service plans: invalid argument: Disable[0]: service plan 00000000-0000-4000-8000-00000000000b is in Enable, too": goal(1, "", with(1, licensing.ServicePlanChange{Enable: ids(11), Disable: ids(11)})),
		"goals[1]: Licenses[0].Plans: change service plans: invalid argument: EnableOnly[0] is the nil UUID":                                                   goal(1, "", with(1, licensing.ServicePlanChange{EnableOnly: []uuid.UUID{{}}})),
		"goals[1]: Licenses[0] has both DisabledPlans and Plans":                                                                                               goal(1, "", reconcile.License{SKUID: id(1), DisabledPlans: ids(), Plans: &licensing.ServicePlanChange{}}),
	} {
		if strings.HasPrefix(text, "goals[1]: Licenses[0].Disabled") {
			g.Licenses[0].DisabledPlans[0] = uuid.Nil
		}
		tenant := small()
		_, err := reconcile.Plan(t.Context(), tenant.Client(), slices.Values([]reconcile.Goal{goal(102, ""), g}), reconcile.PlanOptions{})
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != "plan: invalid argument: "+text || len(tenant.Requests()) > 0 {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	if _, err := reconcile.Plan(t.Context(), small().Client(), nil, reconcile.PlanOptions{}); !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Error(err)
	}
}

func TestSeats(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(product(1, 2, 11))
	tenant.AddSKU(product(2, 1, 21))
	tenant.AddUser(user(101, held(1)))
	tenant.AddUser(user(102, held(1)))
	tenant.AddUser(user(103))
	tenant.AddUser(user(104))
	set := plan(t, tenant.Client(), reconcile.PlanOptions{},
		goal(103, "", want(1)), goal(104, "", want(1), want(2)), removing(goal(101, ""), 1))
	want := `[{"skuId":"00000000-0000-4000-8000-000000000001","skuPartNumber":"SKU1","needed":2,"freed":1,"free":0,"short":1},` +
		`{"skuId":"00000000-0000-4000-8000-000000000002","skuPartNumber":"SKU2","needed":1,"freed":0,"free":1,"short":0}]`
	if got := marshal(t, set.Seats); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	tenant.SetSeats(id(1), 0) // more are in use than were paid for, and nobody needs one
	over := marshal(t, plan(t, tenant.Client(), reconcile.PlanOptions{}, removing(goal(101, ""), 1)).Seats)
	if over != `[{"skuId":"00000000-0000-4000-8000-000000000001","skuPartNumber":"SKU1","needed":0,"freed":1,"free":-2,"short":0}]` {
		t.Error(over)
	}
	if got := fmt.Sprint(set.Changes[0].Warnings, set.Changes[1].Warnings, set.Changes[2].Warnings); got != "[seats] [seats] []" {
		t.Error(got)
	}
}
