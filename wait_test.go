package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	hasA     = `{"skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disabledPlans":[]}`
	hasAPart = `{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disabledPlans":["b0000000-0000-4000-8000-000000000002","a0000000-0000-4000-8000-000000000001"]}`
	hasB     = `{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","disabledPlans":[]}`
)

// groupIn is a group in a processing state, "" being null.
func groupIn(state string, licenses ...string) step {
	if state = `{"state":"` + state + `"}`; state == `{"state":""}` {
		state = "null"
	}
	return reply(200, `{"id":"`+groupID+`","assignedLicenses":[`+strings.Join(licenses, ",")+`],"licenseProcessingState":`+state+`}`)
}

// userHas is a user with these rows; a row is a license with more properties.
func userHas(rows ...string) step {
	return reply(200, `{"id":"`+userID+`","licenseAssignmentStates":[`+strings.Join(rows, ",")+`]}`)
}

// wantA wants SKU A with some plans off.
func wantA(off ...uuid.UUID) licensing.AssignLicenseRequest {
	return licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: off}}}
}

// timed notes when each request of a script came.
func timed(steps []step, times *[]time.Duration) []step {
	start := time.Now()
	var all []step
	for _, s := range steps {
		all = append(all, func(req *http.Request) (*http.Response, error) {
			*times = append(*times, time.Since(start))
			return s(req)
		})
	}
	return all
}

func TestWaitForGroup(t *testing.T) {
	const complete, queued, running = "ProcessingComplete", "QueuedForProcessing", "ProcessingInProgress"
	swap := licensing.AssignLicenseRequest{AddLicenses: wantA().AddLicenses, RemoveLicenses: []uuid.UUID{skuB}}
	denied := graphError(403, "Authorization_RequestDenied", "No.")
	for name, test := range map[string]struct {
		want  licensing.AssignLicenseRequest
		steps []step
		kind  error
	}{
		"done at once":                     {wantA(), []step{groupIn(complete, hasB, hasA), groupIn(complete, hasA, hasB)}, nil},
		"done later":                       {wantA(), []step{groupIn(queued, hasA), groupIn(running, hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"a stale complete without the SKU": {wantA(), []step{groupIn(complete), groupIn(complete, hasB), groupIn(queued, hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"a stale complete with the SKU":    {wantA(), []step{groupIn(complete, hasA), groupIn(queued, hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"stale for a while":                {wantA(), []step{groupIn(complete, hasA), groupIn(complete, hasA), groupIn(complete, hasA), groupIn(complete, hasA), groupIn(queued, hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"an outage":                        {wantA(), append(slices.Repeat([]step{reply(503, "")}, 12), groupIn(queued, hasA), groupIn(complete, hasA), groupIn(complete, hasA)), nil},
		"throttled for longer than a call": {wantA(), []step{graphError(429, "TooManyRequests", "Later.", "Retry-After", "600"), groupIn(queued, hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"replicas that take turns":         {wantA(), []step{groupIn(complete, hasA), groupIn(complete), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"a null state":                     {wantA(), []step{groupIn("", hasA), groupIn("", hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"an unknown state":                 {wantA(), []step{groupIn("ProcessingCompleted", hasA), groupIn("processingcomplete", hasA), groupIn("Failed", hasA), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"plans that differ":                {wantA(planA, planB), []step{groupIn(complete, hasA), groupIn(complete, hasA), groupIn(complete, hasAPart), groupIn(complete, hasAPart)}, nil},
		"plans still off":                  {wantA(), []step{groupIn(complete, hasAPart), groupIn(complete, hasAPart), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"a removal":                        {remove(skuA), []step{groupIn(complete, hasA), groupIn(complete, hasA), groupIn(running), groupIn(complete), groupIn(complete)}, nil},
		"a null state without licenses":    {remove(skuA), []step{groupIn(""), groupIn(""), groupIn(complete), groupIn(complete)}, nil},
		"a removal, the rest unknown":      {remove(skuA), []step{groupIn("", hasB), groupIn(complete, hasB), groupIn(complete, hasB)}, nil},
		"a swap":                           {swap, []step{groupIn(complete, hasB), groupIn(complete, hasA, hasB), groupIn(complete, hasA, hasB), groupIn(complete, hasA), groupIn(complete, hasA)}, nil},
		"an error midway":                  {wantA(), []step{groupIn(queued, hasA), denied}, licensing.ErrForbidden},
		"an error before the second look":  {wantA(), []step{groupIn(complete, hasA), denied}, licensing.ErrForbidden},
		"a lost read":                      {wantA(), []step{groupIn(complete, hasA), lost, groupIn(complete, hasA)}, nil},
		"no such group":                    {wantA(), []step{graphError(404, "Request_ResourceNotFound", "Gone.")}, licensing.ErrNotFound},
		"an answer that cannot be read":    {wantA(), []step{reply(200, `{"id":"`+groupID+`","assignedLicenses":7}`)}, errUnread},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				client := newClient(t, answering(func(req *http.Request) (*http.Response, error) {
					if req.Method != "GET" || req.URL.String() != graphRoot+"/groups/"+groupID+groupSelect {
						t.Errorf("sent %s %s", req.Method, req.URL)
					}
					n++
					return test.steps[min(n, len(test.steps))-1](req) // the last one stays
				}))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				group, err := client.WaitForGroup(ctx, groupID, test.want)
				expectWaited(t, group, err, test.kind)
				if n < len(test.steps) {
					t.Errorf("looked %d times, want %d at least", n, len(test.steps))
				}
			})
		})
	}
}

// errUnread stands for a DecodeError.
var errUnread = errors.New("a DecodeError")

func expectWaited[T any](t *testing.T, got *T, err, kind error) {
	t.Helper()
	var unread *licensing.DecodeError
	if kind == errUnread && errors.As(err, &unread) {
		err = kind
	}
	if !errors.Is(err, kind) || (got != nil) != (kind == nil) {
		t.Errorf("got %+v, %v, want %v", got, err, kind)
	}
}

func TestWaitForUser(t *testing.T) {
	row := func(license, more string) string { return strings.TrimSuffix(license, "}") + more + "}" }
	direct, failed := row(hasA, `,"state":"Active"`), row(hasA, `,"state":"Error","error":"CountViolation"`)
	named := reply(200, `{"id":"`+userID+`","userPrincipalName":"adele@contoso.com"}`)
	part := row(hasAPart, `,"state":"Active"`)
	inherited := row(hasA, `,"state":"Active","assignedByGroup":"`+groupID+`"`)
	for name, test := range map[string]struct {
		want  licensing.AssignLicenseRequest
		steps []step
		kind  error
	}{
		"done at once":             {wantA(), []step{userHas(direct), userHas(inherited, direct)}, nil},
		"done later":               {wantA(), []step{userHas(), userHas(direct), userHas(direct)}, nil},
		"two that do not agree":    {wantA(), []step{userHas(direct), userHas(), userHas(direct), userHas(), userHas(direct), userHas(direct)}, nil},
		"inherited only":           {wantA(), []step{userHas(inherited), userHas(inherited), userHas(direct), userHas(direct)}, nil},
		"failed":                   {wantA(), []step{userHas(failed), userHas(failed), userHas(direct), userHas(direct)}, nil},
		"plans that differ":        {wantA(planB, planA), []step{userHas(direct), userHas(direct), userHas(part), userHas(part)}, nil},
		"a removal":                {remove(skuA), []step{userHas(direct), userHas(), userHas()}, nil},
		"a removal, inherited too": {remove(skuA), []step{userHas(direct, inherited), userHas(inherited), userHas(inherited)}, nil},
		"nothing told":             {remove(skuA), []step{reply(200, `{"@odata.context":"x"}`), reply(202, `{"@odata.context":"x"}`), userHas(), userHas()}, nil},
		"nothing told, ever":       {remove(skuA), []step{okUser, okUser, okUser, okUser, okUser}, licensing.ErrForbidden},
		"null states are none":     {remove(skuA), []step{userHas(direct), named, named}, nil},
		"an error midway":          {wantA(), []step{userHas(direct), graphError(403, "Authorization_RequestDenied", "No.")}, licensing.ErrForbidden},
		"no such user":             {wantA(), []step{graphError(404, "Request_ResourceNotFound", "Gone.")}, licensing.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, test.steps...)
				user, err := newClient(t, s).WaitForUser(t.Context(), userID, test.want)
				expectWaited(t, user, err, test.kind)
				for _, r := range s.requests() {
					if r.Method != "GET" || r.URL != graphRoot+"/users/"+userID+userSelect {
						t.Errorf("sent %s %s", r.Method, r.URL)
					}
				}
			})
		})
	}
}

func TestWaitsThatAreRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	both := wantA()
	both.RemoveLicenses = []uuid.UUID{skuA}
	for name, err := range map[string]error{
		"no option": second(client.WaitForGroup(t.Context(), groupID, wantA(), nil)),
		"both ways": second(client.WaitForUser(t.Context(), userID, both)),
		"no GUID":   second(client.WaitForGroup(t.Context(), "staff", wantA())),
		"no user":   second(client.WaitForUser(t.Context(), "", wantA())),
	} {
		if e := asError(t, err); !errors.Is(err, licensing.ErrInvalidArgument) || !strings.HasPrefix(e.Op, "wait for ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The intervals grow while there is nothing to see, and are short again when
// there is.
func TestWaitingIntervals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		steps := slices.Repeat([]step{groupIn("QueuedForProcessing", hasA)}, 12)
		steps = append(steps, groupIn("ProcessingComplete", hasA), groupIn("QueuedForProcessing"), groupIn("ProcessingComplete", hasA), groupIn("ProcessingComplete", hasA))
		var at []time.Duration
		if _, err := newClient(t, newScript(t, timed(steps, &at)...)).WaitForGroup(t.Context(), groupID, wantA()); err != nil {
			t.Fatal(err)
		}
		want := []float64{2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30, 30, 30, 30, 2, 30, 2}
		for i, seconds := range want {
			least := time.Duration(seconds * float64(time.Second))
			if pause := at[i+1] - at[i]; pause < least || pause > least+least/10 {
				t.Errorf("pause %d is %v, want %v and a tenth at most", i, pause, least)
			}
		}
	})
}

// A wait takes as long as the server asks, also where that is longer than a call
// may take.
func TestWaitingAsLongAsAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var at []time.Duration
		steps := []step{tooMany("Retry-After", "300"), groupIn("QueuedForProcessing", hasA), groupIn("ProcessingComplete", hasA), groupIn("ProcessingComplete", hasA)}
		if _, err := newClient(t, newScript(t, timed(steps, &at)...)).WaitForGroup(ctx, groupID, wantA()); err != nil {
			t.Fatal(err)
		}
		if pause := at[1] - at[0]; pause < 300*time.Second {
			t.Errorf("asked again after %v", pause)
		}
	})
}

// A server that wants to be left alone for centuries is, as far as a wait can go.
func TestWaitingForever(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		s := newScript(t, graphError(429, "TooManyRequests", "Too many requests", "Retry-After", "9223372036854775807"))
		group, err := newClient(t, s).WaitForGroup(ctx, groupID, wantA())
		expectWaited(t, group, err, context.DeadlineExceeded)
	})
}

// The context is the limit, and its end is never a success.
func TestWaitingEndsWithTheContext(t *testing.T) {
	cause := errors.New("the operator went home")
	for name, test := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		kind error
		took time.Duration
		text string
	}{
		"canceled before": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, context.Canceled, 0, "context canceled"},
		"canceled while waiting": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Second, func() { cancel(cause) })
			return ctx, func() { cancel(nil) }
		}, cause, time.Second, "context canceled: the operator went home"},
		"a deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}, context.DeadlineExceeded, time.Hour, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, answering(func(req *http.Request) (*http.Response, error) {
					if strings.Contains(req.URL.Path, "/groups/") {
						return groupIn("ProcessingInProgress", hasA)(req)
					}
					return userHas()(req)
				}))
				for what, wait := range map[string]func(context.Context) (any, error){
					"group": func(ctx context.Context) (any, error) {
						group, err := client.WaitForGroup(ctx, groupID, wantA())
						return group == nil, err
					},
					"user": func(ctx context.Context) (any, error) {
						user, err := client.WaitForUser(ctx, userID, wantA())
						return user == nil, err
					},
				} {
					ctx, cancel := test.end(t.Context())
					defer cancel()
					start := time.Now()
					none, err := wait(ctx)
					if took := time.Since(start); none != true || !errors.Is(err, test.kind) || errors.Is(err, licensing.ErrOutcomeUnknown) || took != test.took {
						t.Errorf("%s: got %v after %v", what, err, took)
					}
					text := fmt.Sprintf("wait for %s: %s", what, test.text)
					if test.took > 0 {
						text += map[string]string{
							"group": "; at last the processing state is ProcessingInProgress",
							"user":  "; at last license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa is not there",
						}[what]
					}
					if asError(t, err).Error() != text {
						t.Errorf("got %v, want %s", err, text)
					}
				}
			})
		})
	}
	// A goal that is reached as the time runs out was seen once only.
	t.Run("before the second look", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			group, err := newClient(t, newScript(t, groupIn("ProcessingComplete", hasA))).WaitForGroup(ctx, groupID, wantA())
			expectWaited(t, group, err, context.DeadlineExceeded)
		})
	})
}

func TestWaitingInATenant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice()
		time.Sleep(time.Minute)
		o.tenant.SetReadLag(20 * time.Second)
		o.tenant.ProcessAfter(10 * time.Minute)
		change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: o.e5.ID, DisabledPlans: []uuid.UUID{o.yammer}}}, RemoveLicenses: []uuid.UUID{o.e3.ID}}
		if _, err := o.client.AssignGroupLicense(t.Context(), o.staff, change); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		group, err := o.client.WaitForGroup(t.Context(), o.staff, change)
		if took := time.Since(start); err != nil || took < 10*time.Minute || took > 12*time.Minute {
			t.Fatalf("got %+v, %v after %v", group, err, took)
		}
		if len(group.AssignedLicenses) != 1 || group.AssignedLicenses[0].SKUID != o.e5.ID {
			t.Errorf("got %+v", group)
		}
		if user, _ := o.tenant.User(o.inherited); len(user.States) != 1 || user.States[0].SKUID != o.e5.ID {
			t.Errorf("the member has %+v", user.States)
		}

		start = time.Now()
		if _, err := o.client.AssignUserLicense(t.Context(), o.nobody, add(o.e3.ID)); err != nil {
			t.Fatal(err)
		}
		user, err := o.client.WaitForUser(t.Context(), "nobody@contoso.example", add(o.e3.ID))
		if took := time.Since(start); err != nil || user.ID != o.nobody || took < 20*time.Second || took > time.Minute {
			t.Errorf("got %+v, %v after %v", user, err, took)
		}
	})
}

// Complete does not mean that all members have the license.
func TestAfterWaitingForAGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
		first := tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID
		second := tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID
		group := tenant.AddGroup(licensingtest.Group{}, first, second).ID
		tenant.ProcessAfter(time.Minute)
		client := tenant.Client()
		if _, err := client.AssignGroupLicense(t.Context(), group, add(sku.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.WaitForGroup(t.Context(), group, add(sku.ID)); err != nil {
			t.Fatal(err)
		}
		ids, err := walked(t, client.GroupMembersWithErrors(t.Context(), group))
		if err != nil {
			t.Error(err)
		}
		expectIDs(t, ids, second)
		tenant.SetSeats(sku.ID, 2)
		if _, err := client.ReprocessUserLicense(t.Context(), second); err != nil {
			t.Error(err)
		}
		if ids, err = walked(t, client.GroupMembersWithErrors(t.Context(), group)); err != nil || len(ids) != 0 {
			t.Errorf("got %q, %v", ids, err)
		}
	})
}

// An empty want waits until the object can be read, which takes a while for one that
// was just made.
func TestWaitingForWhatWasJustMade(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, missing, missing, userHas(), missing, userHas(), userHas())
		user, err := newClient(t, s).WaitForUser(t.Context(), userID, licensing.AssignLicenseRequest{})
		if err != nil || user.ID != userID {
			t.Errorf("got %+v, %v", user, err)
		}
		s = newScript(t, missing, groupIn("", ""), groupIn("", ""))
		if group, err := newClient(t, s).WaitForGroup(t.Context(), groupID, licensing.AssignLicenseRequest{}); err != nil || group.ID != groupID {
			t.Errorf("got %+v, %v", group, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = newClient(t, answering(missing)).WaitForUser(ctx, userID, licensing.AssignLicenseRequest{})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "; at last not found") {
			t.Errorf("got %v", err)
		}
		// Something to wait for needs somebody who is there.
		if _, err = newClient(t, newScript(t, missing)).WaitForUser(t.Context(), userID, wantA()); !errors.Is(err, licensing.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

// A group that has other plans off than were asked for is waited for in vain, and the
// error says which. The SKUs alone can be waited for, and plans that a SKU has no
// more do not count.
func TestWaitingForPlans(t *testing.T) {
	read := func(name string) (want licensing.AssignLicenseRequest, group step) {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var in struct {
			Want struct {
				AddLicenses []struct {
					SKUID         uuid.UUID   `json:"skuId"`
					DisabledPlans []uuid.UUID `json:"disabledPlans"`
				}
			}
			EveryRead json.RawMessage
		}
		if err := json.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		for _, license := range in.Want.AddLicenses {
			want.AddLicenses = append(want.AddLicenses, licensing.AssignedLicense{SKUID: license.SKUID, DisabledPlans: license.DisabledPlans})
		}
		return want, reply(200, string(in.EveryRead))
	}
	want, group := read("wait-group-more-plans-off.json")
	const id, sku = "1ad75eeb-7e5a-4367-a493-9214d90d54d0", "6ec92958-3cc1-49db-95bd-bc6b3798df71"
	const first, second = "81d4ecb8-0481-42fb-8868-51536c5aceeb", "2b815d45-56e4-4e3a-b65c-66cb9175b560"
	const asked = "113feb6c-3fe4-4440-bddc-54d774bf0318"
	way := func(skus step) *licensing.Client {
		return newClient(t, answering(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/subscribedSkus") {
				return skus(req)
			}
			return group(req)
		}))
	}
	has := func(plans ...string) step {
		var list []string
		for _, plan := range plans {
			list = append(list, `{"servicePlanId":"`+plan+`","appliesTo":"User"}`)
		}
		return reply(200, `{"value":[{"skuId":"`+sku+`","servicePlans":[`+strings.Join(list, ",")+`]}]}`)
	}
	for name, test := range map[string]struct {
		skus step
		opts []licensing.WaitOption
		text string // "" is a success
	}{
		"all are plans of the SKU": {has(first, second, asked), nil, "plan " + first + " of " + sku + " is off, plan " + second + " of " + sku + " is off"},
		"one is":                   {has(first, asked), nil, "plan " + first + " of " + sku + " is off"},
		"none is any more":         {has(asked), nil, ""},
		"the SKUs may not be read": {forbidden, nil, "plan " + first + " of " + sku + " is off, plan " + second + " of " + sku + " is off"},
		"another SKU is there":     {reply(200, `{"value":[]}`), nil, "plan " + first + " of " + sku + " is off, plan " + second + " of " + sku + " is off"},
		"without regard to plans":  {forbidden, []licensing.WaitOption{licensing.IgnoreServicePlans()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				got, err := way(test.skus).WaitForGroup(ctx, id, want, test.opts...)
				switch {
				case test.text == "" && (err != nil || got.ID != id):
					t.Errorf("got %+v, %v", got, err)
				case test.text != "" && (!errors.Is(err, context.DeadlineExceeded) || err.Error() != "wait for group: context deadline exceeded; at last "+test.text):
					t.Errorf("got %v\nwant %s", err, test.text)
				}
			})
		})
	}
	t.Run("what is on and was to be off", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			more := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: want.AddLicenses[0].SKUID, DisabledPlans: []uuid.UUID{planA}}}, RemoveLicenses: []uuid.UUID{skuB}}
			_, err := way(forbidden).WaitForGroup(ctx, id, more)
			if text := "plan " + asked + " of " + sku + " is off, plan " + planA.String() + " of " + sku + " is on"; !strings.HasSuffix(err.Error(), text) {
				t.Errorf("got %v\nwant %s", err, text)
			}
		})
	})
}
