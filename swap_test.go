package licensing_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

var aForB = licensing.LicenseSwap{From: skuA, To: skuB}

// One request replaces the one by the other, and carries over which plans are
// off: by id, then as the caller says.
func TestSwapAsAWhole(t *testing.T) {
	t.Parallel()
	const twoOff = `"disabledPlans":["c0000000-0000-4000-8000-000000000003","a0000000-0000-4000-8000-000000000001"]`
	state := strings.Replace(stateA, `"disabledPlans":["A0000000-0000-4000-8000-000000000001"]`, twoOff, 1)
	group := reply(200, `{"id":"`+groupID+`","assignedLicenses":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",`+twoOff+`}]}`)
	sameID := licensing.PlanMapping{From: planA, To: planA, By: licensing.PlanMatchSameID}
	for name, test := range map[string]struct {
		plans  map[uuid.UUID]uuid.UUID
		off    []uuid.UUID
		report []licensing.PlanMapping
	}{
		"by id":            {nil, []uuid.UUID{planA}, []licensing.PlanMapping{{From: planC, By: licensing.PlanMatchNone}, sameID}},
		"and by a mapping": {map[uuid.UUID]uuid.UUID{planC: planB}, []uuid.UUID{planB, planA}, []licensing.PlanMapping{{From: planC, To: planB, By: licensing.PlanMatchMapping}, sameID}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			swap := licensing.LicenseSwap{From: skuA, To: skuB, Plans: test.plans}
			quoted := make([]string, len(test.off))
			for i, id := range test.off {
				quoted[i] = `"` + id.String() + `"`
			}
			body := `{"addLicenses":[{"disabledPlans":[` + strings.Join(quoted, ",") + `],"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}],"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}`
			want := &licensing.SwapResult{
				License: licensing.AssignedLicense{SKUID: skuB, DisabledPlans: test.off},
				Plans:   test.report, Changed: true,
			}

			s := newScript(t, userWith(stateGroup, state), reply(200, skusAB), okUser)
			got, err := newClient(t, s).SwapUserLicense(t.Context(), userID, swap)
			want.User = &licensing.User{ID: userID}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			expectRequests(t, s, getting(graphRoot+"/users/"+userID+userSelect), getting(graphRoot+"/subscribedSkus"), sending("POST", graphRoot+"/users/"+userID+"/assignLicense", body))

			s = newScript(t, group, reply(200, skusAB), okGroup)
			got, err = newClient(t, s).SwapGroupLicense(t.Context(), groupID, swap)
			want.User, want.Group = nil, &licensing.Group{ID: groupID}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
			expectRequests(t, s, getting(graphRoot+"/groups/"+groupID+groupSelect), getting(graphRoot+"/subscribedSkus"), sending("POST", graphRoot+"/groups/"+groupID+"/assignLicense", body))
		})
	}
}

func TestSwapsThatAreRefused(t *testing.T) {
	t.Parallel()
	groupB := strings.Replace(stateGroup, skuA.String(), skuB.String(), 1)
	mapped := func(from, to uuid.UUID) licensing.LicenseSwap {
		return licensing.LicenseSwap{From: skuA, To: skuB, Plans: map[uuid.UUID]uuid.UUID{from: to}}
	}
	for name, test := range map[string]struct {
		steps []step
		user  string
		swap  licensing.LicenseSwap
		kind  error
		text  string
	}{
		"no From":                        {nil, userID, licensing.LicenseSwap{To: skuB}, licensing.ErrInvalidArgument, "invalid argument: swap must name From and To"},
		"no To":                          {nil, userID, licensing.LicenseSwap{From: skuA}, licensing.ErrInvalidArgument, "invalid argument: swap must name From and To"},
		"the same":                       {nil, userID, licensing.LicenseSwap{From: skuA, To: skuA}, licensing.ErrInvalidArgument, "invalid argument: swap.From and swap.To are the same SKU"},
		"no user":                        {nil, "", aForB, licensing.ErrInvalidArgument, "invalid argument: user is empty"},
		"the old one inherited":          {[]step{userWith(stateGroup)}, userID, aForB, licensing.ErrInherited, "license " + skuA.String() + " comes from group " + groupID},
		"neither":                        {[]step{userWith()}, userID, aForB, licensing.ErrNotAssigned, "license " + skuA.String() + " is not assigned"},
		"the new one only inherited":     {[]step{userWith(groupB)}, userID, aForB, licensing.ErrNotAssigned, "license " + skuA.String() + " is not assigned"},
		"the new one not the tenant's":   {[]step{userWith(stateA), reply(200, `{"value":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}]}`)}, userID, aForB, licensing.ErrUnknownSKU, "the tenant has no SKU " + skuB.String()},
		"a mapping of no plan of A":      {[]step{userWith(stateA), reply(200, skusAB)}, userID, mapped(skuC, planB), licensing.ErrInvalidArgument, "invalid argument: mapping[" + skuC.String() + "]: not a service plan of SKU " + skuA.String() + " (A)"},
		"a mapping to no plan of B":      {[]step{userWith(stateA), reply(200, skusAB)}, userID, mapped(planC, planD), licensing.ErrInvalidArgument, "invalid argument: mapping[" + planC.String() + "]: service plan " + planD.String() + " is not in SKU " + skuB.String() + " (B)"},
		"no seat":                        {[]step{userWith(stateA), reply(200, skusAB), badRequest("Subscription with SKU bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb does not have any available licenses.")}, userID, aForB, licensing.ErrNoAvailableLicenses, ""},
		"removed by another since":       {[]step{userWith(stateA), reply(200, skusAB), badRequest(notAssigned)}, userID, aForB, licensing.ErrNotAssigned, ""},
		"the user cannot be read at all": {[]step{graphError(403, "Authorization_RequestDenied", "No.")}, userID, aForB, licensing.ErrForbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newClient(t, newScript(t, test.steps...)).SwapUserLicense(t.Context(), test.user, test.swap)
			if got != nil || !errors.Is(err, test.kind) || errors.Is(err, licensing.ErrOutcomeUnknown) || test.text != "" && err.Error() != "swap user license: "+test.text {
				t.Errorf("got %+v, %v, want %s", got, err, test.text)
			}
			asError(t, err)
		})
	}
	got, err := newClient(t, newScript(t)).SwapGroupLicense(t.Context(), groupID, licensing.LicenseSwap{})
	if got != nil || !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = newClient(t, newScript(t)).SwapGroupLicense(t.Context(), "staff", aForB)
	if got != nil || !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A swap that was made before is found so by one read.
func TestASwapCanBeRepeated(t *testing.T) {
	t.Parallel()
	stateB := strings.Replace(stateA, "AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa", skuB.String(), 1)
	s := newScript(t, userWith(stateB))
	got, err := newClient(t, s).SwapUserLicense(t.Context(), userID, aForB)
	if err != nil || got.Changed || got.User.ID != userID || got.Plans != nil || got.License.SKUID != skuB {
		t.Fatalf("got %+v, %v", got, err)
	}
	samePlanSet(t, got.License.DisabledPlans, planA)

	s = newScript(t, reply(200, `{"id":"`+groupID+`","assignedLicenses":[{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","disabledPlans":["a0000000-0000-4000-8000-000000000001"]}]}`))
	got, err = newClient(t, s).SwapGroupLicense(t.Context(), groupID, aForB)
	if err != nil || got.Changed || got.Group.ID != groupID || got.User != nil || got.License.SKUID != skuB {
		t.Fatalf("got %+v, %v", got, err)
	}
	samePlanSet(t, got.License.DisabledPlans, planA)
}

// What comes from a group stays, and a swap that was made can be repeated.
func TestASwapOfWhatIsInheritedToo(t *testing.T) {
	t.Parallel()
	stateB := strings.NewReplacer("AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa", skuB.String()).Replace(stateA)
	got, err := newClient(t, newScript(t, userWith(stateGroup, stateB))).SwapUserLicense(t.Context(), userID, aForB)
	if err != nil || got.Changed || got.License.SKUID != skuB {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A new SKU that is there already keeps its own plans; the old one goes.
func TestASwapWithBothThere(t *testing.T) {
	t.Parallel()
	stateB := strings.NewReplacer("AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa", skuB.String(), "A0000000-0000-4000-8000-000000000001", planB.String()).Replace(stateA)
	s := newScript(t, userWith(stateA, stateB), okUser)
	got, err := newClient(t, s).SwapUserLicense(t.Context(), userID, aForB)
	if err != nil || !got.Changed || got.License.SKUID != skuB {
		t.Fatalf("got %+v, %v", got, err)
	}
	samePlanSet(t, got.License.DisabledPlans, planB)
	if body := s.bodies()[1]; body != `{"addLicenses":[{"disabledPlans":["b0000000-0000-4000-8000-000000000002"],"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}],"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}` {
		t.Errorf("sent %s", body)
	}
}

func TestSwapsInATenant(t *testing.T) {
	for name, lag := range map[string]time.Duration{"at once": 0, "with reads that lag": time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice()
				time.Sleep(time.Minute)
				o.tenant.SetReadLag(lag)
				forE5 := licensing.LicenseSwap{From: o.e3.ID, To: o.e5.ID, Plans: map[uuid.UUID]uuid.UUID{o.sway: o.yammer}}
				for i, changed := range []bool{true, false} { // the second finds the first
					got, err := o.client.SwapUserLicense(t.Context(), o.direct, forE5)
					if err != nil || got.Changed != changed {
						t.Fatalf("%d: got %+v, %v", i, got, err)
					}
					samePlanSet(t, got.License.DisabledPlans, o.yammer)
					samePlanSet(t, o.off(t, o.direct, o.e5.ID), o.yammer)
				}
				// What comes from the group stays, and is not there to swap.
				if _, err := o.client.SwapUserLicense(t.Context(), o.both, forE5); err != nil {
					t.Fatal(err)
				}
				if got, err := o.client.SwapUserLicense(t.Context(), o.both, forE5); err != nil || got.Changed {
					t.Errorf("got %+v, %v", got, err)
				}
				user, _ := o.tenant.User(o.both)
				if len(user.Licenses) != 1 || len(user.States) != 2 {
					t.Errorf("got %+v", user)
				}
				got, err := o.client.SwapGroupLicense(t.Context(), o.staff, forE5)
				if err != nil || !got.Changed {
					t.Fatalf("got %+v, %v", got, err)
				}
				samePlanSet(t, o.off(t, o.staff, o.e5.ID), o.teams)
				// And back, on the strength of what was written.
				if _, err := o.client.SwapUserLicense(t.Context(), o.direct, licensing.LicenseSwap{From: o.e5.ID, To: o.e3.ID}); err != nil {
					t.Fatal(err)
				}
				samePlanSet(t, o.off(t, o.direct, o.e3.ID))
			})
		})
	}
}

// A swap whose answer is lost is made once, and told as made.
func TestSwapsWhoseAnswerIsLost(t *testing.T) {
	for name, fault := range map[string]licensingtest.Fault{
		"before its effect": {Drop: true},
		"after its effect":  {Drop: true, Apply: true},
		"a 504 after it":    {Status: 504, Apply: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice()
				fault.Match = isWrite
				o.tenant.Fail(fault)
				got, err := o.client.SwapUserLicense(t.Context(), o.direct, licensing.LicenseSwap{From: o.e3.ID, To: o.e5.ID})
				if err != nil || !got.Changed {
					t.Fatalf("got %+v, %v", got, err)
				}
				if user, _ := o.tenant.User(o.direct); len(user.Licenses) != 1 || user.Licenses[0].SKUID != o.e5.ID {
					t.Errorf("got %+v", user.Licenses)
				}
			})
		})
	}
}

// A swap and edits of the same user take turns from the read to the write.
func TestASwapAmongEdits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice()
		o.tenant.Fail(licensingtest.Fault{DelayAnswer: time.Second, Times: -1, Match: func(r *http.Request) bool { return r.Method == http.MethodGet }})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.teams)); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		wg.Go(func() {
			if _, err := o.client.SwapUserLicense(t.Context(), o.direct, licensing.LicenseSwap{From: o.e3.ID, To: o.e5.ID}); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		samePlanSet(t, o.off(t, o.direct, o.e5.ID), o.teams)
	})
}

// A SKU that has run out is what one swaps away from.
func TestASwapOfASKUThatHasRunOut(t *testing.T) {
	t.Parallel()
	skus := `{"value":[{"skuId":"` + skuB.String() + `","servicePlans":[{"servicePlanId":"` + planA.String() + `","appliesTo":"User"}]}]}`
	s := newScript(t, userWith(stateA), reply(200, skus), okUser)
	got, err := newClient(t, s).SwapUserLicense(t.Context(), userID, licensing.LicenseSwap{From: skuA, To: skuB})
	if err != nil || !got.Changed {
		t.Fatalf("got %+v, %v", got, err)
	}
	samePlanSet(t, got.License.DisabledPlans, planA)
}

// What is done with a result has no effect on what the client remembers.
func TestTheResultOfASwapIsTheCallers(t *testing.T) {
	t.Parallel()
	s := newScript(t, userWith(stateA), reply(200, skusAB), okUser, userWith(stateA), reply(200, skusAB), okUser)
	client := newClient(t, s)
	result, err := client.SwapUserLicense(t.Context(), userID, aForB)
	if err != nil || len(result.License.DisabledPlans) != 1 {
		t.Fatalf("got %+v, %v", result, err)
	}
	result.License.DisabledPlans[0] = planB
	if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuB, licensing.ServicePlanChange{Disable: []uuid.UUID{planB}}); err != nil {
		t.Fatal(err)
	}
	want := `{"addLicenses":[{"disabledPlans":["a0000000-0000-4000-8000-000000000001","b0000000-0000-4000-8000-000000000002"],"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"}],"removeLicenses":[]}`
	if got := s.requests()[5].Body; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
