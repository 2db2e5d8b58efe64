package reconcile_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/reconcile"
)

// row is an assignment of SKU 1, by a group unless that is empty.
func row(group string, state licensing.AssignmentState, off ...byte) licensing.LicenseAssignmentState {
	return licensing.LicenseAssignmentState{SKUID: id(1), DisabledPlans: ids(off...), AssignedByGroup: group, State: state}
}

func with1(rows ...licensing.LicenseAssignmentState) *licensing.User {
	return &licensing.User{ID: id(101).String(), LicenseAssignmentStates: rows}
}

func TestCovered(t *testing.T) {
	t.Parallel()
	const none, empty = `{"kind":"user","target":"00000000-0000-4000-8000-000000000065","mode":"atLeast"}`,
		`{"kind":"user","target":"00000000-0000-4000-8000-000000000065","remove":["00000000-0000-4000-8000-000000000001"],"mode":"atLeast"}`
	for _, tt := range []struct {
		name string
		user *licensing.User
		want string
	}{
		{"all", with1(row("", "Active"), row("a", "Active")), empty},
		{"not all", with1(row("", "Active"), row("a", "Active", 11)), none},
		{"what is on", with1(row("", "Active", 11, 12), row("a", "Active", 11)), empty},
		{"together", with1(row("", "Active"), row("a", "Active", 11), row("b", "Active", 12)), empty},
		{"together not all", with1(row("", "Active"), row("a", "Active", 11, 12), row("b", "Active", 12)), none},
		{"in error", with1(row("", "Active"), row("a", "ActiveWithError")), none},
		{"one of two in error", with1(row("", "Active"), row("a", "Active", 11), row("b", "Error")), none},
		{"suspended", with1(row("", "Active"), row("a", "Disabled")), none},
		{"no group", with1(row("", "Active")), none},
		{"not direct", with1(row("a", "Active")), none},
		{"unknown", &licensing.User{ID: id(101).String(), AssignedLicenses: []licensing.AssignedLicense{assigned(1)}}, none},
	} {
		if got := marshal(t, reconcile.Covered(tt.user, ids(1, 2))); got != tt.want {
			t.Errorf("%s: got %s", tt.name, got)
		}
		if got := marshal(t, reconcile.Covered(tt.user, ids(2))); got != none {
			t.Errorf("%s, another SKU: got %s", tt.name, got)
		}
	}
}

func TestSnapshotCopyAndLeaver(t *testing.T) {
	t.Parallel()
	adele := with1(row("", "Active", 12), row("a", "Active"))
	unknown := &licensing.User{ID: "x"}
	for want, got := range map[string]any{
		`[{"kind":"user","target":"00000000-0000-4000-8000-000000000065","licenses":[{"skuId":"00000000-0000-4000-8000-000000000001","disabledPlans":["00000000-0000-4000-8000-00000000000c"]}],"mode":"exactly"}]`: reconcile.Snapshot(slices.Values([]*licensing.User{adele, unknown})),
		`{"kind":"user","target":"chris","licenses":[{"skuId":"00000000-0000-4000-8000-000000000001","disabledPlans":["00000000-0000-4000-8000-00000000000c"]}],"mode":"atLeast"}`:                                  reconcile.Copy(adele, "chris"),
		`{"kind":"user","target":"adele","mode":"exactly"}`: reconcile.Leaver("adele"),
	} {
		if text := marshal(t, got); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
}

func TestSwap(t *testing.T) {
	t.Parallel()
	sku := func(n byte, plans ...byte) licensing.SubscribedSKU {
		s := licensing.SubscribedSKU{SKUID: id(n)}
		for _, p := range plans {
			s.ServicePlans = append(s.ServicePlans, licensing.ServicePlan{ServicePlanID: id(p), AppliesTo: "User"})
		}
		return s
	}
	swap := licensing.LicenseSwap{From: id(1), To: id(2), Plans: map[uuid.UUID]uuid.UUID{id(11): id(21)}}
	other := row("", "Active", 22)
	other.SKUID = id(2)
	const start = `{"kind":"user","target":"00000000-0000-4000-8000-000000000065",`
	const remove = `"remove":["00000000-0000-4000-8000-000000000001"],"mode":"atLeast"}`
	for _, tt := range []struct {
		user *licensing.User
		want string
	}{
		{with1(row("", "Active", 11, 13)), start + `"licenses":[{"skuId":"00000000-0000-4000-8000-000000000002","disabledPlans":["00000000-0000-4000-8000-000000000015","00000000-0000-4000-8000-00000000000d"]}],` + remove},
		{with1(row("", "Active", 11), other), start + `"licenses":[{"skuId":"00000000-0000-4000-8000-000000000002"}],` + remove},
		{with1(row("a", "Active")), start + `"mode":"atLeast"}`},
	} {
		goal, err := reconcile.Swap(tt.user, swap, sku(1, 11, 13), sku(2, 13, 21, 22))
		if got := marshal(t, goal); got != tt.want || err != nil {
			t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
		}
	}
	for _, user := range []*licensing.User{with1(row("a", "Active")), with1(row("", "Active"))} {
		if _, err := reconcile.Swap(user, swap, sku(1), sku(3)); !errors.Is(err, licensing.ErrInvalidArgument) {
			t.Errorf("got %v", err)
		}
	}
}

// Of whom nothing is known there is no goal that looks as if something were.
func TestGoalsOfAnUnknownUser(t *testing.T) {
	t.Parallel()
	unread := &licensing.User{ID: id(104).String(), AssignedLicenses: []licensing.AssignedLicense{assigned(1)}}
	const want = "the licenses of the user are not known"
	copied := reconcile.Copy(unread, name(101))
	exactly := reconcile.Copy(nil, name(101))
	exactly.Mode = reconcile.Exactly
	for _, g := range []reconcile.Goal{copied, exactly, reconcile.Covered(nil, ids(1))} {
		tenant := small()
		_, err := reconcile.Plan(t.Context(), tenant.Client(), slices.Values([]reconcile.Goal{g}), reconcile.PlanOptions{ManageAll: true})
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != "plan: invalid argument: goals[0]: "+want || len(tenant.Requests()) > 0 {
			t.Errorf("got %v", err)
		}
		for _, v := range []any{g, &g, []reconcile.Goal{g}} {
			if text, err := json.Marshal(v); err == nil || !strings.HasSuffix(err.Error(), "goal: "+want) {
				t.Errorf("got %s, %v", text, err)
			}
		}
	}
	swap, one, two := licensing.LicenseSwap{From: id(1), To: id(2)}, licensing.SubscribedSKU{SKUID: id(1)}, licensing.SubscribedSKU{SKUID: id(2)}
	for _, user := range []*licensing.User{nil, unread} {
		if _, err := reconcile.Swap(user, swap, one, two); !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != "swap: invalid argument: "+want {
			t.Errorf("got %v", err)
		}
	}
}
