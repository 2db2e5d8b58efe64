package licensing_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	stateA     = `{"skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","assignedByGroup":null,"disabledPlans":["A0000000-0000-4000-8000-000000000001"],"state":"Active","error":"None","lastUpdatedDateTime":"1999-12-31T00:00:00Z"}`
	stateGroup = `{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","assignedByGroup":"22222222-2222-4222-8222-222222222222","disabledPlans":[],"state":"Active","error":"None","lastUpdatedDateTime":"2026-01-01T00:00:00Z"}`
	skusAB     = `{"value":[
		{"skuId":"BBBBBBBB-bbbb-4bbb-8bbb-bbbbbbbbbbbb","skuPartNumber":"B","servicePlans":[{"servicePlanId":"b0000000-0000-4000-8000-000000000002","servicePlanName":"PB","appliesTo":"User"},{"servicePlanId":"A0000000-0000-4000-8000-000000000001","servicePlanName":"PA","appliesTo":"User"}]},
		{"skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","skuPartNumber":"A","servicePlans":[{"servicePlanId":"A0000000-0000-4000-8000-000000000001","servicePlanName":"PA","appliesTo":"User"},{"servicePlanId":"b0000000-0000-4000-8000-000000000002","servicePlanName":"PB","appliesTo":"User"},{"servicePlanId":"c0000000-0000-4000-8000-000000000003","servicePlanName":"PC","appliesTo":"User"},{"servicePlanId":"d0000000-0000-4000-8000-000000000004","servicePlanName":"PD","appliesTo":"Company"}]}]}`
)

var (
	planC = uuid.MustParse("c0000000-0000-4000-8000-000000000003")
	planD = uuid.MustParse("d0000000-0000-4000-8000-000000000004") // for the company
)

func userWith(states ...string) step {
	// The merged view says that all plans are on.
	return reply(200, `{"id":"`+userID+`","assignedLicenses":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disabledPlans":[]}],"licenseAssignmentStates":[`+strings.Join(states, ",")+`]}`)
}

func disable(plans ...uuid.UUID) licensing.ServicePlanChange {
	return licensing.ServicePlanChange{Disable: plans}
}

func enable(plans ...uuid.UUID) licensing.ServicePlanChange {
	return licensing.ServicePlanChange{Enable: plans}
}

func samePlanSet(t testing.TB, got []uuid.UUID, want ...uuid.UUID) {
	t.Helper()
	text := func(ids []uuid.UUID) []string {
		var s []string
		for _, id := range ids {
			s = append(s, id.String())
		}
		slices.Sort(s)
		return s
	}
	if !slices.Equal(text(got), text(want)) {
		t.Errorf("off are %v, want %v", got, want)
	}
}

// The direct assignment counts, never the merged view, and one write follows.
func TestUpdateUserServicePlansAsAWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change licensing.ServicePlanChange
		plans  string
	}{
		"disable":     {disable(planB), `"a0000000-0000-4000-8000-000000000001","b0000000-0000-4000-8000-000000000002"`},
		"enable":      {enable(planA), ``},
		"both":        {licensing.ServicePlanChange{Enable: []uuid.UUID{planA}, Disable: []uuid.UUID{planC}}, `"c0000000-0000-4000-8000-000000000003"`},
		"enable only": {licensing.ServicePlanChange{EnableOnly: []uuid.UUID{planB}}, `"a0000000-0000-4000-8000-000000000001","c0000000-0000-4000-8000-000000000003"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, userWith(stateGroup, stateA), reply(200, skusAB), reply(200, `{"id":"`+userID+`","displayName":"written"}`))
			user, err := newClient(t, s).UpdateUserServicePlans(t.Context(), userID, skuA, test.change)
			if err != nil || user.DisplayName != "written" || user.LicenseAssignmentStates != nil {
				t.Errorf("got %+v, %v", user, err)
			}
			expectRequests(t, s,
				getting(graphRoot+"/users/"+userID+userSelect),
				getting(graphRoot+"/subscribedSkus"),
				sending("POST", graphRoot+"/users/"+userID+"/assignLicense", `{"addLicenses":[{"disabledPlans":[`+test.plans+`],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":[]}`))
			var ids []string
			for _, r := range s.requests() {
				ids = append(ids, r.Header.Get("Client-Request-Id"))
			}
			if len(slices.Compact(ids)) != 1 {
				t.Errorf("one call has the ids %q", ids)
			}
		})
	}
}

func TestUpdateGroupServicePlansAsAWhole(t *testing.T) {
	t.Parallel()
	s := newScript(t,
		reply(200, `{"id":"`+groupID+`","assignedLicenses":[{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","disabledPlans":[]},{"skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disabledPlans":["a0000000-0000-4000-8000-000000000001"]}]}`),
		reply(200, `{"value":[{"skuId":"cccccccc-cccc-4ccc-8ccc-cccccccccccc"}],"@odata.nextLink":"?$skiptoken=2"}`), reply(200, skusAB), okGroup)
	group, err := newClient(t, s).UpdateGroupServicePlans(t.Context(), groupID, skuA, disable(planB))
	if err != nil || group.ID != groupID {
		t.Errorf("got %+v, %v", group, err)
	}
	expectRequests(t, s,
		getting(graphRoot+"/groups/"+groupID+groupSelect),
		getting(graphRoot+"/subscribedSkus"),
		getting(graphRoot+"/subscribedSkus?$skiptoken=2"),
		sending("POST", graphRoot+"/groups/"+groupID+"/assignLicense", `{"addLicenses":[{"disabledPlans":["a0000000-0000-4000-8000-000000000001","b0000000-0000-4000-8000-000000000002"],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":[]}`))
}

// What is refused is refused without a write.
func TestUpdatesThatAreRefused(t *testing.T) {
	t.Parallel()
	const op = "update user service plans: "
	failed := strings.Replace(stateA, "Active", "Error", 1)
	other := strings.Replace(stateGroup, groupID, "33333333-3333-4333-8333-333333333333", 1)
	skus := reply(200, skusAB)
	for name, test := range map[string]struct {
		steps  []step
		user   string
		sku    uuid.UUID
		change licensing.ServicePlanChange
		kind   error
		text   string
	}{
		"inherited":          {[]step{userWith(stateGroup)}, userID, skuA, disable(planA), licensing.ErrInherited, "license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa comes from group 22222222-2222-4222-8222-222222222222"},
		"inherited twice":    {[]step{userWith(stateGroup, failed, other)}, userID, skuA, disable(planA), licensing.ErrInherited, "license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa comes from group 22222222-2222-4222-8222-222222222222, 33333333-3333-4333-8333-333333333333"},
		"not assigned":       {[]step{userWith(stateA)}, userID, skuB, disable(planA), licensing.ErrNotAssigned, "license bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb is not assigned"},
		"nothing assigned":   {[]step{userWith()}, userID, skuA, disable(planA), licensing.ErrNotAssigned, "license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa is not assigned"},
		"states not told":    {[]step{okUser}, userID, skuA, disable(planA), licensing.ErrForbidden, "the answer has no licenses; the token may lack permission to read them"},
		"assignment failed":  {[]step{userWith(failed)}, userID, skuA, disable(planA), licensing.ErrNotAssigned, "license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa is not assigned"},
		"not the tenant's":   {[]step{userWith(stateA), reply(200, `{"value":[]}`)}, userID, skuA, disable(planA), licensing.ErrUnknownSKU, "the tenant has no SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		"a Company plan":     {[]step{userWith(stateA), skus}, userID, skuA, disable(planD), licensing.ErrInvalidArgument, "invalid argument: Disable[0]: service plan d0000000-0000-4000-8000-000000000004 (PD) applies to Company, only those for User can be switched"},
		"another SKU's plan": {[]step{userWith(stateA), skus}, userID, skuA, enable(planA, skuC), licensing.ErrInvalidArgument, "invalid argument: Enable[1]: service plan cccccccc-cccc-4ccc-8ccc-cccccccccccc is not in SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa (A)"},
		"contradiction":      {nil, userID, skuA, licensing.ServicePlanChange{Enable: []uuid.UUID{planA}, Disable: []uuid.UUID{planA}}, licensing.ErrInvalidArgument, "invalid argument: Disable[0]: service plan a0000000-0000-4000-8000-000000000001 is in Enable, too"},
		"EnableOnly and more": {nil, userID, skuA, licensing.ServicePlanChange{EnableOnly: []uuid.UUID{planA}, Disable: []uuid.UUID{planB}}, licensing.ErrInvalidArgument,
			"invalid argument: EnableOnly is given together with Enable or Disable"},
		"nothing":      {nil, userID, skuA, licensing.ServicePlanChange{}, licensing.ErrNoChanges, "invalid argument: Enable, Disable and EnableOnly are all empty"},
		"a nil plan":   {nil, userID, skuA, disable(uuid.Nil), licensing.ErrInvalidArgument, "invalid argument: Disable[0] is the nil UUID"},
		"a nil SKU":    {nil, userID, uuid.Nil, disable(planA), licensing.ErrInvalidArgument, "invalid argument: skuID is the nil UUID"},
		"no user":      {nil, "", skuA, disable(planA), licensing.ErrInvalidArgument, "invalid argument: user is empty"},
		"no such user": {[]step{graphError(404, "Request_ResourceNotFound", "Gone.")}, userID, skuA, disable(planA), licensing.ErrNotFound, "404 Request_ResourceNotFound: Gone. (1 attempt)"},
		"no permission for SKUs": {[]step{userWith(stateA), graphError(403, "Authorization_RequestDenied", "No.")}, userID, skuA, disable(planB), licensing.ErrForbidden,
			"403 Authorization_RequestDenied: No. (1 attempt)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, err := newClient(t, newScript(t, test.steps...)).UpdateUserServicePlans(t.Context(), test.user, test.sku, test.change)
			if user != nil || !errors.Is(err, test.kind) || errors.Is(err, licensing.ErrOutcomeUnknown) || err.Error() != op+test.text {
				t.Errorf("got %+v, %v, want %v", user, err, test.text)
			}
			asError(t, err)
		})
	}
	_, err := newClient(t, newScript(t)).UpdateGroupServicePlans(t.Context(), "staff", skuA, disable(planA))
	if !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("got %v", err)
	}
	_, err = newClient(t, newScript(t, reply(200, `{"id":"`+groupID+`"}`))).UpdateGroupServicePlans(t.Context(), groupID, skuA, disable(planA))
	if !errors.Is(err, licensing.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

// Where nothing changes nothing is written, and the user is as it was read.
func TestUpdatesThatChangeNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]licensing.ServicePlanChange{
		"off already":       disable(planA),
		"on already":        enable(planB, planC),
		"only these are on": {EnableOnly: []uuid.UUID{planC, planB}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, userWith(stateA), reply(200, skusAB))
			user, err := newClient(t, s).UpdateUserServicePlans(t.Context(), userID, skuA, change)
			if err != nil || user.ID != userID || len(user.LicenseAssignmentStates) != 1 {
				t.Errorf("got %+v, %v", user, err)
			}
		})
	}
}

// EnableOnly called again finds the plans that came to the SKU since.
func TestEnableOnlyFindsNewPlans(t *testing.T) {
	t.Parallel()
	const before = `{"value":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","servicePlans":[{"servicePlanId":"a0000000-0000-4000-8000-000000000001","appliesTo":"User"},{"servicePlanId":"b0000000-0000-4000-8000-000000000002","appliesTo":"User"}]}]}`
	s := newScript(t, userWith(stateA), reply(200, before), userWith(stateA), reply(200, skusAB), okUser)
	client := newClient(t, s)
	for range 2 {
		if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, licensing.ServicePlanChange{EnableOnly: []uuid.UUID{planB}}); err != nil {
			t.Fatal(err)
		}
	}
	if body := s.bodies()[4]; !strings.Contains(body, `"a0000000-0000-4000-8000-000000000001","c0000000-0000-4000-8000-000000000003"`) {
		t.Errorf("sent %s", body)
	}
}

func TestUpdatesInATenant(t *testing.T) {
	t.Parallel()
	o := newOffice()
	if _, err := o.client.UpdateUserServicePlans(t.Context(), o.both, o.e3.ID, disable(o.forms)); err != nil {
		t.Error(err)
	}
	samePlanSet(t, o.off(t, o.both, o.e3.ID), o.sway, o.forms)
	if _, err := o.client.UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, enable(o.teams)); err != nil {
		t.Error(err)
	}
	samePlanSet(t, o.off(t, o.staff, o.e3.ID))
	writes := len(o.tenant.Writes())
	for _, user := range []string{o.inherited, o.nobody} {
		if _, err := o.client.UpdateUserServicePlans(t.Context(), user, o.e3.ID, disable(o.forms)); err == nil {
			t.Errorf("%s was edited", user)
		}
	}
	if n := len(o.tenant.Writes()); n != writes {
		t.Errorf("%d writes", n-writes)
	}
}

// Reads that lag behind do not make a client undo what it has just done.
func TestEditsInARowUnderReadLag(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *office){
		"of a user": func(t *testing.T, o *office) {
			for _, plan := range []uuid.UUID{o.forms, o.teams} {
				if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(plan)); err != nil {
					t.Error(err)
				}
			}
			samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.sway, o.forms, o.teams)
		},
		"of a group": func(t *testing.T, o *office) {
			for _, plan := range []uuid.UUID{o.forms, o.sway} {
				if _, err := o.client.UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, disable(plan)); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
			}
			samePlanSet(t, o.off(t, o.staff, o.e3.ID), o.sway, o.forms, o.teams)
		},
		"after an assignment": func(t *testing.T, o *office) {
			if _, err := o.client.AssignUserLicense(t.Context(), o.nobody, licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: o.e3.ID, DisabledPlans: []uuid.UUID{o.teams}}}}); err != nil {
				t.Error(err)
			}
			if _, err := o.client.UpdateUserServicePlans(t.Context(), strings.ToUpper(o.nobody), o.e3.ID, disable(o.sway)); err != nil {
				t.Error(err)
			}
			samePlanSet(t, o.off(t, o.nobody, o.e3.ID), o.teams, o.sway)
		},
		"after a removal": func(t *testing.T, o *office) {
			for _, user := range []string{o.direct, o.both} {
				if _, err := o.client.AssignUserLicense(t.Context(), user, remove(o.e3.ID)); err != nil {
					t.Error(err)
				}
			}
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); !errors.Is(err, licensing.ErrNotAssigned) {
				t.Errorf("got %v", err)
			}
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.both, o.e3.ID, disable(o.forms)); !errors.Is(err, licensing.ErrInherited) {
				t.Errorf("got %v", err)
			}
		},
		"after a removal that was settled": func(t *testing.T, o *office) {
			o.tenant.Fail(licensingtest.Fault{Drop: true, Apply: true})
			if _, err := o.client.AssignUserLicense(t.Context(), o.direct, remove(o.e3.ID)); err != nil {
				t.Error(err)
			}
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); !errors.Is(err, licensing.ErrNotAssigned) {
				t.Errorf("got %v", err)
			}
		},
		"after a change whose answer cannot be read": func(t *testing.T, o *office) {
			o.tenant.Fail(licensingtest.Fault{Match: isWrite, Apply: true, Status: 200, Body: `{"id":"` + o.direct + `","assignedLicenses":7}`})
			var unread *licensing.DecodeError
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); !errors.As(err, &unread) {
				t.Errorf("got %v", err)
			}
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.teams)); err != nil {
				t.Error(err)
			}
			samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.sway, o.forms, o.teams)
		},
		"there and back": func(t *testing.T, o *office) {
			for _, change := range []licensing.ServicePlanChange{disable(o.forms), enable(o.forms), disable(o.forms)} {
				if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, change); err != nil {
					t.Error(err)
				}
			}
			samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.sway, o.forms)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice()
				time.Sleep(time.Minute)
				o.tenant.SetReadLag(time.Minute)
				test(t, o)
			})
		})
	}
}

func isWrite(r *http.Request) bool { return r.Method == http.MethodPost }

// The last answer's time decides whether a read is newer than what this client
// wrote.
func TestTheNewerOfMemoryAndReadCounts(t *testing.T) {
	for name, test := range map[string]struct {
		updated string // of the direct assignment, as it is read then
		wins    bool
	}{
		"an older read":                  {"2000-01-01T11:59:59Z", false},
		"a read of the same second":      {"2000-01-01T12:00:00Z", false},
		"a part of that second":          {"2000-01-01T12:00:00.7Z", false},
		"another client's newer change":  {"2000-01-01T12:00:01Z", true},
		"a read without a time":          {"", false},
		"a much newer one, another zone": {"2000-01-01T14:00:01+01:00", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				state := strings.Replace(stateA, "1999-12-31T00:00:00Z", test.updated, 1)
				s := newScript(t,
					reply(200, `{"id":"`+userID+`"}`, "Date", "Sat, 01 Jan 2000 12:00:00 GMT"),
					userWith(state), reply(200, skusAB), okUser)
				client := newClient(t, s)
				if _, err := client.AssignUserLicense(t.Context(), userID, licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planC}}}}); err != nil {
					t.Fatal(err)
				}
				if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB)); err != nil {
					t.Fatal(err)
				}
				want := `{"addLicenses":[{"disabledPlans":["` + planC.String() + `","` + planB.String() + `"],"skuId":"` + skuA.String() + `"}],"removeLicenses":[]}`
				if test.wins {
					want = strings.Replace(want, planC.String(), planA.String(), 1)
				}
				if body := s.bodies()[3]; body != want {
					t.Errorf("sent %s, want %s", body, want)
				}
			})
		})
	}
}

// After the time by which reads catch up the memory counts no more.
func TestMemoryEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice()
		if _, err := o.client.UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, disable(o.forms)); err != nil {
			t.Fatal(err)
		}
		if _, err := o.tenant.Client().UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, enable(o.forms)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := o.client.UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, disable(o.sway)); err != nil {
			t.Fatal(err)
		}
		samePlanSet(t, o.off(t, o.staff, o.e3.ID), o.teams, o.sway)
	})
}

// Edits of one object by one client take turns from the read to the write.
func TestConcurrentEditsLoseNothing(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Minute} {
		t.Run(lag.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice()
				time.Sleep(time.Minute)
				o.tenant.SetReadLag(lag)
				o.tenant.Fail(licensingtest.Fault{DelayAnswer: time.Second, Times: -1})
				var wg sync.WaitGroup
				for _, plan := range []uuid.UUID{o.exchange, o.teams, o.forms} {
					wg.Go(func() {
						if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(plan)); err != nil {
							t.Error(err)
						}
					})
					wg.Go(func() {
						if _, err := o.client.UpdateGroupServicePlans(t.Context(), o.staff, o.e3.ID, disable(plan)); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.exchange, o.teams, o.sway, o.forms)
				samePlanSet(t, o.off(t, o.staff, o.e3.ID), o.exchange, o.teams, o.forms)
			})
		})
	}
}

// What a stalled write may still do would make a read before it worthless.
func TestAnEditWaitsForTheFence(t *testing.T) {
	stall := func(t *testing.T) *office {
		o := newOffice(licensing.WithRetryPolicy(licensing.RetryPolicy{AttemptTimeout: 10 * time.Second, MaxAttempts: 1}))
		o.tenant.Fail(licensingtest.Fault{Delay: 100 * time.Second})
		_, err := o.client.AssignUserLicense(t.Context(), o.direct, licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: o.e3.ID, DisabledPlans: []uuid.UUID{o.teams}}}})
		if !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatalf("got %v", err)
		}
		return o
	}
	t.Run("with room", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			o := stall(t)
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); err != nil {
				t.Fatal(err)
			}
			samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.teams, o.forms)
			all := o.tenant.Requests()
			if wait := all[1].Time.Sub(all[0].Time); len(all) != 4 || wait < 130*time.Second || wait > 131*time.Second {
				t.Errorf("the first of %d reads was after %v", len(all)-2, wait)
			}
		})
	})
	t.Run("without", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			o := stall(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			_, err := o.client.UpdateUserServicePlans(ctx, o.direct, o.e3.ID, disable(o.forms))
			if e := asError(t, err); !errors.Is(err, licensing.ErrUnavailable) || errors.Is(err, licensing.ErrOutcomeUnknown) || e.RetryAfter != 2*time.Minute || time.Since(start) != 0 {
				t.Errorf("got %v", err)
			}
			if n := len(o.tenant.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
			time.Sleep(2 * time.Minute) // what stalled lands
		})
	})
	t.Run("canceled", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			o := stall(t)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := o.client.UpdateUserServicePlans(ctx, o.direct, o.e3.ID, disable(o.forms)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			time.Sleep(2 * time.Minute)
		})
	})
	t.Run("not for what was refused anyhow", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			o := stall(t)
			start := time.Now()
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, licensing.ServicePlanChange{}); !errors.Is(err, licensing.ErrNoChanges) || time.Since(start) != 0 {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			time.Sleep(2 * time.Minute)
		})
	})
}

// The write of an edit is settled like any other, and by no read.
func TestF61_EditsWhoseAnswerIsLost(t *testing.T) {
	for name, fault := range map[string]licensingtest.Fault{
		"before its effect": {Drop: true},
		"after its effect":  {Drop: true, Apply: true},
		"a 503 after it":    {Status: 503, Apply: true},
		"throttled":         {Status: 429, Code: "TooManyRequests"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice()
				time.Sleep(time.Minute)
				o.tenant.SetReadLag(time.Hour)
				fault.Match = isWrite
				o.tenant.Fail(fault)
				if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); err != nil {
					t.Error(err)
				}
				samePlanSet(t, o.off(t, o.direct, o.e3.ID), o.sway, o.forms)
			})
		})
	}
	t.Run("to the end", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			o := newOffice()
			o.tenant.Fail(licensingtest.Fault{Match: isWrite, Drop: true, Apply: true, Times: -1})
			_, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms))
			if e := asError(t, err); !errors.Is(err, licensing.ErrOutcomeUnknown) || e.Attempts != 5 {
				t.Errorf("got %v", err)
			}
		})
	})
}

// MaxElapsed bounds an edit as a whole, with its reads.
func TestMaxElapsedBoundsAnEdit(t *testing.T) {
	const long = 40 * time.Second
	throttle := graphError(429, "TooManyRequests", "Slow down.", "Retry-After", "30")
	slow := func(next step) step {
		return func(req *http.Request) (*http.Response, error) {
			time.Sleep(long)
			return next(req)
		}
	}
	bounded := licensing.WithRetryPolicy(licensing.RetryPolicy{MaxElapsed: time.Minute})
	for name, steps := range map[string][]step{
		"after the user": {slow(userWith(stateA)), throttle},
		"after the SKUs": {userWith(stateA), slow(reply(200, skusAB)), throttle},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				_, err := newClient(t, newScript(t, steps...), bounded).UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB))
				if took := time.Since(start); !errors.Is(err, licensing.ErrThrottled) || took != long {
					t.Errorf("got %v after %v", err, took)
				}
			})
		})
	}
	t.Run("after another", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client := newClient(t, newScript(t, slow(okUser), throttle), bounded)
			go client.AssignUserLicense(t.Context(), userID, add(skuB))
			time.Sleep(time.Millisecond)
			start := time.Now()
			_, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB))
			if took := time.Since(start); !errors.Is(err, licensing.ErrThrottled) || took > long {
				t.Errorf("got %v after %v", err, took)
			}
		})
	})
}

// The reads of an edit are repeated like others.
func TestTheReadsOfAnEditAreRepeated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, lost, userWith(stateA), reply(503, ""), reply(200, skusAB), okUser)
		if _, err := newClient(t, s).UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB)); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEditGivesUpItsTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := o.client.UpdateUserServicePlans(ctx, o.direct, o.e3.ID, disable(o.forms)); !errors.Is(err, context.Canceled) || errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
		o.tenant.Fail(licensingtest.Fault{Status: 403, Code: "Authorization_RequestDenied"})
		if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); !errors.Is(err, licensing.ErrForbidden) {
			t.Errorf("got %v", err)
		}
		if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, disable(o.forms)); err != nil {
			t.Error(err)
		}
		// Who waits for a turn gives up with the context.
		o.tenant.Fail(licensingtest.Fault{DelayAnswer: time.Minute - 1})
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := o.client.UpdateUserServicePlans(t.Context(), o.direct, o.e3.ID, enable(o.forms)); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := o.client.UpdateUserServicePlans(ctx, o.direct, o.e3.ID, disable(o.teams)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wg.Wait()
	})
}

// What Graph says is not so, and what nobody knows, is no memory to edit by.
func TestAnEditForgetsWhatIsNotSo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer step
		kind   error
	}{
		"refused as not there": {badRequest(notAssigned), licensing.ErrNotAssigned},
		"lost":                 {lost, licensing.ErrUnavailable}, // the read may be of before the license was there
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, okUser, test.answer, userWith())
			client := newClient(t, s, licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1, Fence: -1}))
			if _, err := client.AssignUserLicense(t.Context(), userID, add(skuA)); err != nil {
				t.Fatal(err)
			}
			if _, err := client.AssignUserLicense(t.Context(), userID, remove(skuA)); err == nil {
				t.Fatal("the removal succeeded")
			}
			if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, disable(planA)); !errors.Is(err, test.kind) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Graph's clock need not be ours.
func TestMemoryGoesByOurClock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		date := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
		changed := reply(200, `{"id":"`+userID+`"}`, "Date", date)
		s := newScript(t, changed, userWith(stateA), reply(200, skusAB), changed)
		client := newClient(t, s)
		license := licensing.AssignedLicense{SKUID: skuA, DisabledPlans: []uuid.UUID{planB}}
		if _, err := client.AssignUserLicense(t.Context(), userID, licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{license}}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, disable(planC)); err != nil {
			t.Fatal(err)
		}
		want := `{"addLicenses":[{"disabledPlans":["` + planB.String() + `","` + planC.String() + `"],"skuId":"` + skuA.String() + `"}],"removeLicenses":[]}`
		if got := s.bodies()[3]; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	})
}

// A DecodeError would say that a change was accepted.
func TestAnEditWhoseReadCannotBeDecoded(t *testing.T) {
	t.Parallel()
	s := newScript(t, userWith(stateA), reply(200, `{"value":[{"skuId":"`+skuA.String()+`","consumedUnits":"many"}]}`))
	_, err := newClient(t, s).UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB))
	var unread *licensing.DecodeError
	if errors.As(err, &unread) || !errors.Is(err, licensing.ErrUnavailable) || errors.Is(err, licensing.ErrOutcomeUnknown) {
		t.Errorf("got %v of type %T", err, err)
	}
}

// A part of a removal that was made by itself is remembered.
func TestAPartThatWasMadeIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		denied := graphError(403, "Authorization_RequestDenied", "No.")
		s := newScript(t, lost, badRequest(notAssigned), okUser, denied, userWith(stateA))
		client := newClient(t, s)
		if _, err := client.AssignUserLicense(t.Context(), userID, remove(skuA, skuB)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
			t.Fatalf("got %v", err)
		}
		if _, err := client.UpdateUserServicePlans(t.Context(), userID, skuA, disable(planB)); !errors.Is(err, licensing.ErrNotAssigned) {
			t.Errorf("the edit of a lagging read went on: %v", err)
		}
	})
}

// A disabled plan that the SKU no longer has is no reason to write.
func TestAPlanThatIsNoMoreIsNoChange(t *testing.T) {
	t.Parallel()
	state := strings.Replace(stateA, `"A0000000-0000-4000-8000-000000000001"`, `"A0000000-0000-4000-8000-000000000001","99999999-9999-4999-8999-999999999999"`, 1)
	s := newScript(t, userWith(state), reply(200, skusAB))
	if _, err := newClient(t, s).UpdateUserServicePlans(t.Context(), userID, skuA, disable(planA)); err != nil {
		t.Error(err)
	}
}

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
		"a mapping of no plan of A":      {[]step{userWith(stateA), reply(200, skusAB)}, userID, mapped(skuC, planB), licensing.ErrInvalidArgument, "invalid argument: Plans[" + skuC.String() + "]: not a service plan of SKU " + skuA.String() + " (A)"},
		"a mapping to no plan of B":      {[]step{userWith(stateA), reply(200, skusAB)}, userID, mapped(planC, planD), licensing.ErrInvalidArgument, "invalid argument: Plans[" + planC.String() + "]: service plan " + planD.String() + " is not in SKU " + skuB.String() + " (B)"},
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
