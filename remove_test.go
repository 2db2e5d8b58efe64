package licensing_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	stateB  = `{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","assignedByGroup":null,"disabledPlans":[],"state":"Active","error":"None","lastUpdatedDateTime":"1999-12-31T00:00:00Z"}`
	target  = "/users/" + userID + "/assignLicense"
	select1 = graphRoot + "/users/" + userID + userSelect
)

// What reads show is taken away in one request, what they do not show by itself,
// and then reads decide.
func TestRemoveUserLicensesAsAWhole(t *testing.T) {
	t.Parallel()
	written := reply(200, `{"id":"`+userID+`"}`)
	removing := func(skus string) sent {
		return sending("POST", graphRoot+target, `{"addLicenses":[],"removeLicenses":[`+skus+`]}`)
	}
	const a, b = `"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"`, `"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"`
	both := []uuid.UUID{skuA, skuB}
	for name, test := range map[string]struct {
		skus  []uuid.UUID // nil: all
		steps []step
		want  []sent
	}{
		"both are there": {both, []step{userWith(stateA, stateB), written, userWith(stateA), userWith(), userWith()},
			[]sent{getting(select1), removing(a + "," + b), getting(select1), getting(select1), getting(select1)}},
		"one is there": {append(both, skuA), []step{userWith(stateGroup, stateB), written, absent, userWith(stateGroup), userWith(stateGroup)},
			[]sent{getting(select1), removing(b), removing(a), getting(select1), getting(select1)}},
		"none is there": {both, []step{userWith(), absent, absent, userWith(), userWith()},
			[]sent{getting(select1), removing(a), removing(b), getting(select1), getting(select1)}},
		"removed by somebody else": {both, []step{userWith(stateA, stateB), absent, written, absent, userWith(), userWith()},
			[]sent{getting(select1), removing(a + "," + b), removing(a), removing(b), getting(select1), getting(select1)}},
		"the answer is lost": {both, []step{userWith(stateA, stateB), lost, absent, absent, absent, userWith(), userWith(), userWith()},
			[]sent{getting(select1), removing(a + "," + b), removing(a + "," + b), removing(a), removing(b), getting(select1), getting(select1), getting(select1)}},
		"one depends on the other": {both, []step{userWith(stateA), depends, depends, written, written, userWith(), userWith()},
			[]sent{getting(select1), removing(a), removing(b), removing(a), removing(b), getting(select1), getting(select1)}},
		"all": {nil, []step{userWith(stateGroup, stateA, stateB), written, userWith(stateGroup, stateA), userWith(stateGroup), userWith(stateGroup)},
			[]sent{getting(select1), removing(a + "," + b), getting(select1), getting(select1), getting(select1)}},
		"all, of which one shows later": {nil, []step{userWith(stateA), written, userWith(stateB), userWith(stateB), written, userWith(), userWith()},
			[]sent{getting(select1), removing(a), getting(select1), getting(select1), removing(b), getting(select1), getting(select1)}},
		"all, and there is nothing": {nil, []step{userWith(stateGroup), userWith(stateGroup), userWith(stateGroup)},
			[]sent{getting(select1), getting(select1), getting(select1)}},
		"reads fail for a while": {nil, []step{userWith(stateA), written, unavailable, unavailable, unavailable, unavailable, unavailable, userWith(), userWith()},
			[]sent{getting(select1), removing(a), getting(select1), getting(select1), getting(select1), getting(select1), getting(select1), getting(select1), getting(select1)}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, test.steps...)
				c := newClient(t, s)
				user, err := removeSome(t, c, test.skus)
				if err != nil {
					t.Fatal(err)
				}
				if direct, known := user.DirectLicenses(); !known || len(direct) != 0 {
					t.Errorf("left are %v, %t", direct, known)
				}
				expectRequests(t, s, test.want...)
			})
		})
	}
}

func TestRemovalsThatFail(t *testing.T) {
	t.Parallel()
	written := reply(200, `{"id":"`+userID+`"}`)
	for name, test := range map[string]struct {
		skus  []uuid.UUID
		steps []step
		is    error
		text  string
	}{
		"no SKU":              {[]uuid.UUID{}, nil, licensing.ErrInvalidArgument, "remove user licenses: invalid argument: skuIDs is empty"},
		"the nil UUID":        {[]uuid.UUID{skuA, {}}, nil, licensing.ErrInvalidArgument, "remove user licenses: invalid argument: skuIDs[1] is the nil UUID"},
		"not to be read":      {[]uuid.UUID{skuA}, []step{forbidden}, licensing.ErrForbidden, ""},
		"no such user":        {nil, []step{missing}, licensing.ErrNotFound, ""},
		"what stays needs it": {[]uuid.UUID{skuA}, []step{userWith(stateA), depends}, licensing.ErrPlanDependency, ""},
		"the tenant has no such SKU": {[]uuid.UUID{skuA}, []step{userWith(), reply(400, `{"error":{"code":"Request_BadRequest","message":"License aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa does not correspond to a valid company License."}}`)},
			licensing.ErrUnknownSKU, ""},
		"in doubt":                     {[]uuid.UUID{skuA}, []step{userWith(stateA), lost, lost, lost, lost, lost}, licensing.ErrOutcomeUnknown, ""},
		"in doubt, by itself":          {[]uuid.UUID{skuA}, []step{userWith(), lost, lost, lost, lost, lost}, licensing.ErrOutcomeUnknown, ""},
		"no more reads are allowed":    {[]uuid.UUID{skuA}, []step{userWith(stateA), written, forbidden}, licensing.ErrForbidden, ""},
		"the later removal is refused": {nil, []step{userWith(stateA), written, userWith(stateB), userWith(stateB), depends}, licensing.ErrPlanDependency, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, test.steps...)
				c := newClient(t, s)
				user, err := removeSome(t, c, test.skus)
				if user != nil || !errors.Is(err, test.is) || test.text != "" && err.Error() != test.text {
					t.Errorf("got %v, %v", user, err)
				}
				if n := len(s.requests()); n != len(test.steps) {
					t.Errorf("%d requests, want %d", n, len(test.steps))
				}
			})
		})
	}
}

// Reads that go on showing a license are waited for until the context ends, which
// says so.
func TestRemovalThatReadsDoNotShow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}})
		time.Sleep(time.Hour)
		tenant.SetReadLag(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := tenant.Client().RemoveUserLicenses(ctx, u.ID, []uuid.UUID{sku.ID})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, licensing.ErrOutcomeUnknown) || !strings.Contains(err.Error(), "license "+sku.ID.String()+" is still there") {
			t.Errorf("got %v", err)
		}
		if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 {
			t.Errorf("the user has %v", got.Licenses)
		}
	})
}

// A leaver keeps nothing, however late reads are and whoever wrote before.
func TestRemovingMeansGone(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 10 * time.Second, 299 * time.Second} {
		t.Run(lag.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
				tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: b.ID}}, Members: []string{u.ID}})
				time.Sleep(time.Hour)
				tenant.SetReadLag(lag)
				c, ctx := tenant.Client(), t.Context()
				for _, client := range []*licensing.Client{c, tenant.Client()} { // its own write, and another's
					if _, err := client.AssignUserLicense(ctx, u.UserPrincipalName, add(a.ID, b.ID)); err != nil {
						t.Fatal(err)
					}
					user, err := c.RemoveUserLicenses(ctx, u.ID, []uuid.UUID{a.ID, b.ID})
					if err != nil {
						t.Fatal(err)
					}
					direct, _ := user.DirectLicenses()
					inherited, _ := user.InheritedLicenses()
					if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 || len(direct) != 0 || len(inherited) != 1 || len(user.AssignedLicenses) != 1 {
						t.Errorf("the user has %v, and is shown with %v", got.Licenses, user.AssignedLicenses)
					}
				}
				if _, err := c.AssignUserLicense(ctx, u.UserPrincipalName, add(a.ID)); err != nil {
					t.Fatal(err)
				}
				tenant.Fail(licensingtest.Fault{Times: 5, Apply: true, Drop: true})
				if _, err := c.AssignUserLicense(ctx, u.UserPrincipalName, add(b.ID)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
					t.Fatal(err)
				}
				if _, err := c.RemoveAllUserLicenses(ctx, u.ID); err != nil {
					t.Fatal(err)
				}
				if got, _ := tenant.User(u.ID); len(got.Licenses) != 0 {
					t.Errorf("the user has %v", got.Licenses)
				}
			})
		})
	}
}

// What is assigned again while a removal waits for reads stays: by somebody else, and
// by the client itself.
func TestRemovalLeavesWhatComesAfter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		a, b := tenant.AddSKU(licensingtest.SKU{Seats: 9}), tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: a.ID}}})
		time.Sleep(time.Hour)
		tenant.SetReadLag(time.Minute)
		c, ctx := tenant.Client(), t.Context()
		time.AfterFunc(40*time.Second, func() {
			if _, err := tenant.Client().AssignUserLicense(context.Background(), u.ID, add(a.ID)); err != nil {
				t.Error(err)
			}
			if _, err := c.AssignUserLicense(context.Background(), u.ID, add(b.ID)); err != nil {
				t.Error(err)
			}
		})
		user, err := c.RemoveAllUserLicenses(ctx, u.UserPrincipalName)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		direct, _ := user.DirectLicenses()
		got, _ := tenant.User(u.ID)
		if !slices.ContainsFunc(got.Licenses, func(l licensingtest.License) bool { return l.SKUID == b.ID }) || len(got.Licenses) != 2 {
			t.Errorf("the user has %v, and was shown with %v", got.Licenses, direct)
		}
	})
}

// removeSome removes SKUs, or for nil all.
func removeSome(t *testing.T, c *licensing.Client, skus []uuid.UUID) (*licensing.User, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if skus != nil {
		return c.RemoveUserLicenses(ctx, userID, skus)
	}
	return c.RemoveAllUserLicenses(ctx, userID)
}

var depends = badRequest(dependency)
