package reconcile_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

// There is no plan of a state of which a part could not be read.
func TestPlanThatCannotRead(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]error{"/subscribedSkus": licensing.ErrForbidden, "/users/": licensing.ErrUnavailable, "/groups/": licensing.ErrUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			tenant := small()
			fault := licensingtest.Fault{Times: -1, Status: 503, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, path) }}
			if path == "/subscribedSkus" {
				fault.Status, fault.Code = 403, "Authorization_RequestDenied"
			}
			tenant.Fail(fault)
			goals := []reconcile.Goal{goal(102, ""), {Kind: reconcile.KindGroup, Target: id(201).String()}}
			set, err := reconcile.Plan(t.Context(), tenant.Client(), slices.Values(goals), reconcile.PlanOptions{})
			if set != nil || !errors.Is(err, want) {
				t.Errorf("%s: got %v, %v", path, set, err)
			}
		})
	}
}

// Two plans of one state are equal, with all that goes wrong in it.
func TestPlansOfOneStateAreEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := small()
		var texts []string
		for range 2 {
			tenant.Fail(licensingtest.Fault{Items: true, Status: 403, Code: "Authorization_RequestDenied", Message: "Insufficient privileges.", Match: func(r *http.Request) bool {
				return strings.Contains(r.URL.Path, name(104))
			}})
			tenant.Fail(licensingtest.Fault{Items: true, Status: 200, Body: `{"id":"x","licenseAssignmentStates":7}`, Match: func(r *http.Request) bool {
				return strings.Contains(r.URL.Path, name(105))
			}})
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(150, ""), goal(104, ""), goal(105, ""), goal(102, "", want(1)), goal(103, "", want(9)),
				reconcile.Goal{Kind: reconcile.KindGroup, Target: id(202).String()}, reconcile.Goal{Target: "a/b"})
			texts = append(texts, marshal(t, set))
			if got := said(set); got != "add 1 [], gain 11, gain 12, gain 13, gain 50, problem notFound, problem notFound, problem notFound, problem unknownSku, problem unreadable, problem unreadable, take 1" {
				t.Error(got)
			}
		}
		if texts[0] != texts[1] {
			t.Errorf("got\n%s\nand\n%s", texts[0], texts[1])
		}
	})
}

// Whom the token may not read is the problem of one goal.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	tenant := small()
	tenant.Fail(licensingtest.Fault{Status: 200, Body: `{"@odata.context":"x","id":"` + id(102).String() + `"}`, Match: func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/users/")
	}})
	set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(102, "", want(1)))
	if got := said(set); got != "problem unreadable" {
		t.Error(got)
	}
}

// An answer that does not tell the licenses, or whose they are, is no state.
func TestAnAnswerThatTellsNothing(t *testing.T) {
	t.Parallel()
	group := reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Licenses: []reconcile.License{without(1, 11, 12, 13)}}
	for _, tt := range []struct {
		goal               reconcile.Goal
		body, want, detail string
	}{
		{group, `{"id":"00000000-0000-4000-8000-0000000000c9","displayName":"Group"}`, "problem unreadable", "the answer has no licenses, as where the token may not read them"},
		{group, `{"id":"00000000-0000-4000-8000-0000000000c9","displayName":"Group","assignedLicenses":null}`, "problem unreadable", "the answer has no licenses, as where the token may not read them"},
		{group, `{"id":"00000000-0000-4000-8000-0000000000c9","displayName":"Group","assignedLicenses":[]}`, "add 1 [11 12 13], gain 50", ""},
		{goal(102, "", want(1)), `{"userPrincipalName":"user102@contoso.example","usageLocation":"DE","licenseAssignmentStates":[]}`, "problem unreadable",
			`in the answer ID "" is not a GUID`},
	} {
		tenant := small()
		tenant.Fail(licensingtest.Fault{Status: 200, Body: tt.body, Match: func(r *http.Request) bool { return !strings.Contains(r.URL.Path, "/subscribedSkus") }})
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, tt.goal)
		if got := said(set); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.body, got, tt.want)
		}
		if tt.detail != "" && (len(set.Problems) != 1 || set.Problems[0].Detail != tt.detail) {
			t.Errorf("%s: got %+v", tt.body, set.Problems)
		}
	}
}

// Many users are read by one listing where that is fewer requests.
func TestWhatPlanReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		users, goals, missing int
		want                  string // requests
	}{
		{100, 2, 0, "subscribedSkus $batch"},
		{100, 40, 0, "subscribedSkus $batch"},
		{100, 41, 0, "subscribedSkus users users"},
		{100, 42, 2, "subscribedSkus users users $batch"},
		{3000, 60, 0, "subscribedSkus users $batch"},
		{2997, 80, 0, "subscribedSkus users users users users"},
	} {
		synctest.Test(t, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.AddSKU(product(1, tt.users, 11))
			for i := range tt.users {
				tenant.AddUser(licensingtest.User{UserPrincipalName: fmt.Sprintf("u%d@contoso.example", i), UsageLocation: "DE"})
			}
			var goals []reconcile.Goal
			for i := range tt.goals - tt.missing {
				goals = append(goals, reconcile.Goal{Target: fmt.Sprintf("U%d@contoso.example", tt.users-1-i), Licenses: []reconcile.License{want(1)}})
			}
			for i := range tt.missing {
				goals = append(goals, reconcile.Goal{Target: fmt.Sprintf("missing%d@contoso.example", i)})
			}
			done := -1
			set := plan(t, tenant.Client(), reconcile.PlanOptions{Progress: func(n int) {
				if n < done {
					t.Errorf("%d done after %d", n, done)
				}
				done = n
			}}, goals...)
			if len(set.Changes) != tt.goals-tt.missing || len(set.Problems) != tt.missing || done != tt.goals {
				t.Errorf("%d changes, %d problems, %d done", len(set.Changes), len(set.Problems), done)
			}
			for i, c := range set.Changes {
				if c.Operation.Target != goals[i].Target {
					t.Fatalf("change %d is for %s", i, c.Operation.Target)
				}
			}
			if got := paths(tenant); got != tt.want {
				t.Errorf("%d goals of %d users: got %s, want %s", tt.goals, tt.users, got, tt.want)
			}
		})
	}
}

// paths tells the requests that a tenant had, batches in a row as one: the last may
// go in parts.
func paths(tenant *licensingtest.Tenant) string {
	var all []string
	for _, r := range tenant.Requests() {
		path := strings.TrimPrefix(r.Path, "/v1.0/")
		byName := path == "$batch" || strings.HasPrefix(path, "users/")
		if !byName || all[len(all)-1] != "$batch" {
			all = append(all, path)
		}
	}
	return strings.Join(all, " ")
}

// Whom a listing does not tell is read by name.
func TestAListingThatTellsNotAll(t *testing.T) {
	t.Parallel()
	for _, fault := range []licensingtest.Fault{
		{Status: 400, Code: "Directory_ExpiredPageToken"},
		{Status: 200, Body: `{"@odata.context":"x","value":[{"id":7},{"id":"00000000-0000-4000-8000-000000000001","@odata.type":"#microsoft.graph.device"}]}`},
	} {
		tenant := licensingtest.NewTenant()
		tenant.AddSKU(product(1, 100, 11))
		var goals []reconcile.Goal
		for n := byte(100); n < 150; n++ {
			goals = append(goals, reconcile.Goal{Target: tenant.AddUser(user(n)).ID, Licenses: []reconcile.License{want(1)}})
		}
		fault.Match = func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "$top=999") }
		tenant.Fail(fault)
		if set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...); len(set.Changes) != 50 {
			t.Errorf("%d changes, %v", len(set.Changes), set.Problems)
		}
		if got := paths(tenant); got != "subscribedSkus users users $batch" {
			t.Errorf("got %s", got)
		}
	}
}

// The requests of a small plan, whole.
func TestRequestsOfAPlan(t *testing.T) {
	t.Parallel()
	tenant := small()
	plan(t, tenant.Client(), reconcile.PlanOptions{}, goal(101, ""), reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String()})
	var got []string
	for _, r := range tenant.Requests() {
		got = append(got, r.Method+" "+r.Path+"?"+r.Query+" "+string(r.Body))
	}
	want := []string{
		"GET /v1.0/subscribedSkus? ",
		"GET /v1.0/users/user101@contoso.example?$select=accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType ",
		"GET /v1.0/groups/00000000-0000-4000-8000-0000000000c9?$select=assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
