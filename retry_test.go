package licensing_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/internal/graph"
)

const (
	notAssigned = "User does not have a corresponding license."
	inherited   = "User license is inherited from a group membership and it cannot be removed directly from the user."
)

func badRequest(message string) step { return graphError(400, "Request_BadRequest", message) }

func TestSeveralRemovalsAreSettledOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, lost, badRequest(notAssigned), badRequest(notAssigned), okUser, okUser)
		req := remove(skuA, skuB)
		req.AddLicenses = add(skuC).AddLicenses
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, req)
		if err != nil || user.ID != userID {
			t.Fatalf("got %v, %v", user, err)
		}
		whole := `{"addLicenses":[{"disabledPlans":[],"skuId":"` + skuC.String() + `"}],"removeLicenses":["` + skuA.String() + `","` + skuB.String() + `"]}`
		want := []string{
			whole,
			whole,
			`{"addLicenses":[],"removeLicenses":["` + skuA.String() + `"]}`,
			`{"addLicenses":[],"removeLicenses":["` + skuB.String() + `"]}`,
			`{"addLicenses":[{"disabledPlans":[],"skuId":"` + skuC.String() + `"}],"removeLicenses":[]}`,
		}
		if got := s.bodies(); !slices.Equal(got, want) {
			t.Errorf("sent\n%q\nwant\n%q", got, want)
		}
	})
}

// wire is the body of a change, of its SKUs without disabled plans.
func wire(req licensing.AssignLicenseRequest) string {
	adds, removes := []string{}, []string{}
	for _, l := range req.AddLicenses {
		adds = append(adds, `{"disabledPlans":[],"skuId":"`+l.SKUID.String()+`"}`)
	}
	for _, sku := range req.RemoveLicenses {
		removes = append(removes, `"`+sku.String()+`"`)
	}
	return `{"addLicenses":[` + strings.Join(adds, ",") + `],"removeLicenses":[` + strings.Join(removes, ",") + `]}`
}

const (
	noSeats    = "Subscription with SKU 00000000-0000-4000-8000-000000000009 does not have any available licenses."
	dependency = "License assignment failed because service plan 00000000-0000-4000-8000-000000000001 depends on the service plan(s) 00000000-0000-4000-8000-000000000002"
)

// The answers that the tables below are made of. None of them keeps state.
var (
	absent         = badRequest(notAssigned)
	fromGroup      = badRequest(inherited)
	needed         = badRequest(dependency)
	soldOut        = badRequest(noSeats)
	unknown400     = badRequest("A sentence that nobody has seen before.")
	forbidden      = graphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	missing        = graphError(404, "Request_ResourceNotFound", "Resource does not exist.")
	unauthorized   = graphError(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
	concurrent     = graphError(409, "Directory_ConcurrencyViolation", "Please wait briefly and retry.")
	unavailable    = graphError(503, "ServiceUnavailable", "Busy.")
	gatewayTimeout = graphError(504, "GatewayTimeout", "Too slow.")
	throttled      = tooMany("Retry-After", "1")
	notDialed      = fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
)

// Of several removals that an earlier request may have made, each is settled
// alone, and the additions after them.
func TestSettlingSeveralRemovals(t *testing.T) {
	t.Parallel()
	both, a, b := remove(skuA, skuB), remove(skuA), remove(skuB)
	swap := licensing.AssignLicenseRequest{AddLicenses: add(skuC).AddLicenses, RemoveLicenses: both.RemoveLicenses}
	type (
		parts []licensing.AssignLicenseRequest
		steps []step
	)
	var (
		unclear = func(kind error) []error { return []error{kind, licensing.ErrOutcomeUnknown} }
	)
	tests := map[string]struct {
		change  licensing.AssignLicenseRequest
		answers steps // after a lost one and one that says that something is absent
		sends   parts
		status  int     // of the error
		kinds   []error // of the error; nil: success
	}{
		"all made before":                    {both, steps{absent, absent, okUser}, parts{a, b, {}}, 0, nil},
		"all inherited now":                  {both, steps{fromGroup, absent, okUser}, parts{a, b, {}}, 0, nil},
		"none made before":                   {both, steps{okUser, okUser}, parts{a, b}, 0, nil},
		"base before its add-on":             {both, steps{needed, okUser, okUser}, parts{a, b, a}, 0, nil},
		"base before an absent add-on":       {both, steps{needed, absent, okUser}, parts{a, b, a}, 0, nil},
		"a part in doubt":                    {both, steps{lost, okUser, absent, okUser}, parts{a, a, b, {}}, 0, nil},
		"the additions last":                 {swap, steps{absent, okUser, okUser}, parts{a, b, add(skuC)}, 0, nil},
		"nothing made, still needed":         {both, steps{absent, needed, needed}, parts{a, b, b}, 400, unclear(licensing.ErrPlanDependency)},
		"nothing made, no seats":             {swap, steps{absent, absent, soldOut}, parts{a, b, add(skuC)}, 400, unclear(licensing.ErrNoAvailableLicenses)},
		"one made, the other needed":         {both, steps{okUser, needed, needed}, parts{a, b, b}, 400, unclear(licensing.ErrPlanDependency)},
		"one made, the other forbidden":      {both, steps{okUser, forbidden}, parts{a, b}, 403, unclear(licensing.ErrForbidden)},
		"none known to be made, forbidden":   {both, steps{absent, forbidden}, parts{a, b}, 403, unclear(licensing.ErrForbidden)},
		"removed, no seats":                  {swap, steps{okUser, okUser, soldOut}, parts{a, b, add(skuC)}, 400, unclear(licensing.ErrNoAvailableLicenses)},
		"one perhaps made, the other needed": {both, steps{lost, absent, needed, needed}, parts{a, a, b, b}, 400, unclear(licensing.ErrPlanDependency)},
		"one throttled, the other needed":    {both, steps{throttled, absent, needed, needed}, parts{a, a, b, b}, 400, unclear(licensing.ErrPlanDependency)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, append(steps{lost, absent}, test.answers...)...)
				user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, test.change)
				want := []string{wire(test.change), wire(test.change)}
				for _, part := range test.sends {
					if len(part.AddLicenses)+len(part.RemoveLicenses) == 0 {
						want = append(want, "") // the read
						continue
					}
					want = append(want, wire(part))
				}
				if got := s.bodies(); !slices.Equal(got, want) {
					t.Errorf("sent\n%q\nwant\n%q", got, want)
				}
				if test.kinds == nil {
					wantDone(t, user, err)
				} else {
					wantFailed(t, err, test.status, len(want), test.kinds...)
				}
			})
		})
	}
}

// A removal that is answered as absent has happened where an earlier request
// of the call may have made it.
func TestARemovalThatIsAnsweredAsAbsent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before step
		done   bool
	}{
		"nothing":       {nil, false},
		"a lost answer": {lost, true},
		"a 503":         {unavailable, true},
		"a 504":         {gatewayTimeout, true},
		"a redirect":    {reply(302, "", "Location", "https://graph.test/"), true},
		"a page":        {reply(200, "<html>", "Content-Type", "text/html"), true},
		"a 429":         {throttled, true},
		"a 509":         {reply(509, ""), true},
		"a 409":         {concurrent, false},
		"a failed dial": {notDialed, false},
	} {
		for answer, kind := range map[string]error{notAssigned: licensing.ErrNotAssigned, inherited: licensing.ErrInherited} {
			t.Run(name+", then "+answer, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					steps := []step{badRequest(answer)}
					if test.before != nil {
						steps = []step{test.before, badRequest(answer)}
					}
					if test.done {
						steps = append(steps, okUser)
					}
					s := newScript(t, steps...)
					user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, remove(skuA))
					if test.done {
						wantDone(t, user, err)
					} else {
						wantFailed(t, err, 400, len(steps), kind)
					}
				})
			})
		}
	}
	t.Run("a 401", func(t *testing.T) {
		t.Parallel()
		asked := 0
		client := tokenClient(t, rotating(&asked, "stale", "fresh"), newScript(t, unauthorized, absent))
		_, err := client.AssignUserLicense(t.Context(), userID, remove(skuA))
		wantFailed(t, err, 400, 2, licensing.ErrNotAssigned)
	})
}

// The result of a change that is known to be made is read as a best effort.
func TestReadBack(t *testing.T) {
	t.Parallel()
	full := `{"id":"` + userID + `","userPrincipalName":"` + userUPN + `","displayName":"Adele"}`
	byID := licensing.User{ID: userID}
	byName := licensing.User{UserPrincipalName: userUPN}
	read := licensing.User{ID: userID, UserPrincipalName: userUPN, DisplayName: "Adele", LicenseAssignmentStates: []licensing.LicenseAssignmentState{}}
	for name, test := range map[string]struct {
		user   string
		answer step
		want   licensing.User
	}{
		"by id":           {userID, reply(200, full), read},
		"by name":         {userUPN, reply(200, full), read},
		"lost":            {userID, lost, byID},
		"lost, by name":   {userUPN, lost, byName},
		"unavailable":     {userID, unavailable, byID},
		"throttled":       {userID, throttled, byID},
		"forbidden":       {userUPN, forbidden, byName},
		"of another user": {userID, reply(200, `{"id":"`+groupID+`","displayName":"Bob"}`), byID},
		"not readable":    {userID, reply(200, `{"id":"`+userID+`","displayName":"Adele","assignedLicenses":[{"skuId":"skuId-value"}]}`), byID},
		"a page":          {userID, reply(200, "<html>", "Content-Type", "text/html"), byID},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, lost, absent, test.answer)
				user, err := newClient(t, s).AssignUserLicense(t.Context(), test.user, remove(skuA))
				if err != nil {
					t.Fatal(err)
				}
				same(t, "user", *user, test.want)
				if n := len(s.requests()); n != 3 {
					t.Fatalf("%d requests", n)
				}
				wantSent(t, s.requests()[2], "GET", "/users/"+url.PathEscape(test.user)+"?$select=accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType", "")
			})
		})
	}
	t.Run("after the last of several removals, which was answered unreadably", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			unreadable := reply(200, `{"id":"`+userID+`","displayName":"Adele","assignedLicenses":[{"skuId":"skuId-value"}]}`)
			s := newScript(t, lost, absent, absent, unreadable, reply(200, full))
			user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, remove(skuA, skuB))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "user", *user, read)
		})
	})
	t.Run("group", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newScript(t, lost, absent, unavailable)
			group, err := newClient(t, s).AssignGroupLicense(t.Context(), groupID, remove(skuA))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "group", *group, licensing.Group{ID: groupID})
			wantSent(t, s.requests()[2], "GET", "/groups/"+groupID+"?$select=assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled", "")
		})
	})
}

// After doubt only a success, or a 400 that judges the change, settles it.
func TestEndsAfterDoubt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end    []step
		status int
		kinds  []error
	}{
		"403":                 {[]step{forbidden}, 403, []error{licensing.ErrForbidden, licensing.ErrOutcomeUnknown}},
		"404":                 {[]step{missing}, 404, []error{licensing.ErrNotFound, licensing.ErrOutcomeUnknown}},
		"401":                 {[]step{unauthorized}, 401, []error{licensing.ErrUnauthorized, licensing.ErrOutcomeUnknown}},
		"unknown 400":         {[]step{unknown400}, 400, []error{licensing.ErrOutcomeUnknown}},
		"too long a throttle": {[]step{tooMany("Retry-After", "3600")}, 429, []error{licensing.ErrThrottled, licensing.ErrOutcomeUnknown}},
		"conflict forever":    {times(4, concurrent), 409, []error{licensing.ErrConcurrentChange, licensing.ErrOutcomeUnknown}},
		"refused forever":     {times(4, notDialed), 0, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"no seats":            {[]step{soldOut}, 400, []error{licensing.ErrNoAvailableLicenses, licensing.ErrOutcomeUnknown}},
		"dependency":          {[]step{needed}, 400, []error{licensing.ErrPlanDependency, licensing.ErrOutcomeUnknown}},
		"conflict":            {[]step{badRequest("License assignment failed because service plans a,b are mutually exclusive")}, 400, []error{licensing.ErrPlanConflict, licensing.ErrOutcomeUnknown}},
		"usage location":      {[]step{badRequest("License assignment cannot be done for user with invalid usage location.")}, 400, []error{licensing.ErrUsageLocation, licensing.ErrOutcomeUnknown}},
		"unknown SKU":         {[]step{badRequest("License x does not correspond to a valid company License.")}, 400, []error{licensing.ErrUnknownSKU, licensing.ErrOutcomeUnknown}},
		"proxy address":       {[]step{badRequest("Another object with the same value for property proxyAddresses already exists.")}, 400, []error{licensing.ErrProxyAddressConflict, licensing.ErrOutcomeUnknown}},
		"not for users":       {[]step{badRequest("License x cannot be assigned to a user.")}, 400, []error{licensing.ErrNotAssignable, licensing.ErrOutcomeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, append([]step{lost}, test.end...)...)
				_, err := newClient(t, s).AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, test.status, 1+len(test.end), test.kinds...)
			})
		})
	}
	// Where nothing lands late, a refusal of the change is the last word.
	unfenced := func(t *testing.T) {
		s := newScript(t, lost, soldOut)
		_, err := newClient(t, s, policy(licensing.RetryPolicy{Fence: -1})).AssignUserLicense(t.Context(), userID, add(skuA))
		wantFailed(t, err, 400, 2, licensing.ErrNoAvailableLicenses)
	}
	t.Run("no fence", func(t *testing.T) { bubble(t, unfenced) })
	t.Run("canceled while waiting", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
			defer cancel()
			s := newScript(t, lost, tooMany("Retry-After", "45"))
			time.AfterFunc(20*time.Second, cancel)
			_, err := newClient(t, s).AssignUserLicense(ctx, userID, add(skuA))
			wantFailed(t, err, 429, 2, licensing.ErrThrottled, licensing.ErrOutcomeUnknown)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("token source fails", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			asked := 0
			client := tokenClient(t, func(context.Context) (string, error) {
				if asked++; asked > 1 {
					return "", errors.New("no more")
				}
				return "token", nil
			}, newScript(t, lost))
			_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 0, 2, licensing.ErrUnauthorized, licensing.ErrOutcomeUnknown)
		})
	})
}

// A write that may land late keeps other writes to its object away.
func TestFence(t *testing.T) {
	t.Parallel()
	causes := map[string]struct {
		stall   step
		stalled time.Duration // how long the first call takes
		cancel  bool
	}{
		"attempt timeout":    {silent, time.Minute, false},
		"504":                {gatewayTimeout, 0, false},
		"canceled in flight": {silent, 10 * time.Second, true},
	}
	// What comes next, and how long it has to wait for the first call's write.
	next := map[string]struct {
		fence time.Duration
		wait  time.Duration
		call  func(context.Context, *licensing.Client) (*licensing.User, error)
	}{
		"another write": {0, 2 * time.Minute, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignUserLicense(ctx, userID, remove(skuA))
		}},
		"another action": {0, 2 * time.Minute, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.ReprocessUserLicense(ctx, userID)
		}},
		"another letter case": {0, 2 * time.Minute, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignUserLicense(ctx, strings.ToUpper(userID), add(skuB))
		}},
		"a shorter fence": {time.Second, time.Second, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignUserLicense(ctx, userID, remove(skuA))
		}},
		"no fence": {-1, 0, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignUserLicense(ctx, userID, remove(skuA))
		}},
		"the same write": {0, 0, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignUserLicense(ctx, userID, add(skuA))
		}},
		"another object": {0, 0, func(ctx context.Context, c *licensing.Client) (*licensing.User, error) {
			return c.AssignMyLicense(ctx, remove(skuA))
		}},
	}
	for cause, stall := range causes {
		for name, then := range next {
			t.Run(cause+", then "+name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					client := newClient(t, newScript(t, stall.stall, okUser), policy(licensing.RetryPolicy{MaxAttempts: 1, Fence: then.fence}))
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if stall.cancel {
						time.AfterFunc(stall.stalled, cancel)
					}
					start := time.Now()
					if _, err := client.AssignUserLicense(ctx, userID, add(skuA)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
						t.Fatal(err)
					}
					if took := time.Since(start); took != stall.stalled {
						t.Fatalf("the stalled call took %v", took)
					}
					start = time.Now()
					user, err := then.call(t.Context(), client)
					wantDone(t, user, err)
					if took := time.Since(start); took != then.wait {
						t.Errorf("waited %v, want %v", took, then.wait)
					}
					time.Sleep(2 * time.Minute)
					synctest.Wait()
					if n := licensing.ObjectsKept(client); n != 0 {
						t.Errorf("%d objects are kept after their fences", n)
					}
				})
			})
		}
	}
}

// What ended without a trace of a late effect fences nothing.
func TestNoFenceAfter(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]step{"a 429": tooMany("Retry-After", "3600"), "a 400": soldOut, "a success": okUser, "a failed dial": notDialed} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, newScript(t, first, okUser), once)
				client.AssignUserLicense(t.Context(), userID, add(skuA))
				start := time.Now()
				user, err := client.AssignUserLicense(t.Context(), userID, remove(skuA))
				wantDone(t, user, err)
				if took := time.Since(start); took != 0 {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

func TestFenceWithoutRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limit   time.Duration
		elapsed time.Duration
	}{
		"in the deadline":   {time.Minute, 0},
		"in the policy":     {time.Hour, 90 * time.Second},
		"by no more than 0": {2 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, newScript(t, gatewayTimeout), policy(licensing.RetryPolicy{MaxAttempts: 1, MaxElapsed: test.elapsed}))
				client.AssignUserLicense(t.Context(), userID, add(skuA))
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				start := time.Now()
				_, err := client.AssignUserLicense(ctx, userID, remove(skuA))
				e := wantFailed(t, err, 0, 0, licensing.ErrUnavailable)
				if took := time.Since(start); took != 0 || e.RetryAfter != 2*time.Minute {
					t.Errorf("took %v, retry after %v", took, e.RetryAfter)
				}
			})
		})
	}
	t.Run("canceled behind it", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client := newClient(t, newScript(t, gatewayTimeout), once)
			client.AssignUserLicense(t.Context(), userID, add(skuA))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := client.AssignUserLicense(ctx, userID, remove(skuA))
			wantFailed(t, err, 0, 0)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// dialsInVain is a source of one token that tries to get a better one by a
// connection of its own, whose hooks are those of the context that it is given.
func dialsInVain(ctx context.Context) (string, error) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route to host")
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://169.254.169.254/token", nil)
	if err != nil {
		return "", err
	}
	if _, err := transport.RoundTrip(req); err == nil {
		return "", errors.New("there was a connection")
	}
	return "token", nil
}

// Connections that a token source makes, or fails to make, say nothing about
// those of the request.
func TestATokenSourceWithConnectionsOfItsOwn(t *testing.T) {
	t.Parallel()
	t.Run("none, then a lost answer", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := newTenant()
			_, err := tokenClient(t, dialsInVain, newScript(t, answerLost(graph)), once).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			wantState(t, tenant, 1, skuA)
		})
	})
	t.Run("none, then a lost answer to a removal", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			tenant, graph := newTenant(skuA)
			user, err := tokenClient(t, dialsInVain, newScript(t, answerLost(graph), graph, graph)).AssignUserLicense(t.Context(), userID, remove(skuA))
			wantDone(t, user, err)
			wantState(t, tenant, 1)
		})
	})
	t.Run("none, then canceled in flight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client := tokenClient(t, dialsInVain, newScript(t, silent, okUser))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := client.AssignUserLicense(ctx, userID, add(skuA))
			wantFailed(t, err, 0, 1, licensing.ErrOutcomeUnknown)
			start := time.Now()
			user, err := client.AssignUserLicense(t.Context(), userID, remove(skuA))
			wantDone(t, user, err)
			if took := time.Since(start); took != 2*time.Minute {
				t.Errorf("a different write waited %v, want the fence of 2 min", took)
			}
		})
	})
	t.Run("a good one, then no TLS", func(t *testing.T) {
		onSockets(t)
		identity := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "token") })
		transport := newTransport(t)
		tokens := func(ctx context.Context) (string, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, identity.URL, nil)
			if err != nil {
				return "", err
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			token, err := io.ReadAll(resp.Body)
			return string(token), err
		}
		addr := listen(t, func(_ int, conn net.Conn) { conn.Read(make([]byte, 1)) }) // and ends the handshake
		_, err := tokenClient(t, tokens, newTransport(t), licensing.WithBaseURL("https://"+addr), once).AssignUserLicense(t.Context(), userID, add(skuA))
		wantFailed(t, err, 0, 1, licensing.ErrUnavailable)
		transport.CloseIdleConnections() // before the server waits for them
	})
}

func TestSentOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer step
		status int
		kinds  []error
	}{
		"503":         {unavailable, 503, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"504":         {gatewayTimeout, 504, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"429":         {throttled, 429, []error{licensing.ErrThrottled}},
		"409":         {concurrent, 409, []error{licensing.ErrConcurrentChange}},
		"401":         {unauthorized, 401, []error{licensing.ErrUnauthorized}},
		"lost":        {lost, 0, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"silence":     {silent, 0, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"a redirect":  {reply(302, ""), 302, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"failed dial": {notDialed, 0, []error{licensing.ErrUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				asked := 0
				client := tokenClient(t, rotating(&asked, "one", "two"), newScript(t, test.answer), once)
				_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, test.status, 1, test.kinds...)
				if asked != 1 {
					t.Errorf("the token source was asked %d times", asked)
				}
			})
		})
	}
}

func TestNegativeLimitsAreOff(t *testing.T) {
	t.Parallel()
	late := func(d time.Duration) step {
		return func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(d):
				return okUser(req)
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}
	}
	for name, test := range map[string]struct {
		policy licensing.RetryPolicy
		steps  []step
		takes  time.Duration // at least
		most   time.Duration
	}{
		"MaxAttempts":    {licensing.RetryPolicy{MaxAttempts: -1, MaxElapsed: -1}, append(times(60, unavailable), okUser), 6 * time.Second, time.Hour},
		"MinWait":        {licensing.RetryPolicy{MinWait: -1}, append(times(4, unavailable), okUser), 400 * time.Millisecond, 2 * time.Second},
		"MaxWait":        {licensing.RetryPolicy{MaxWait: -1, MaxElapsed: -1}, []step{tooMany("Retry-After", "259200"), okUser}, 72 * time.Hour, 72*time.Hour + time.Second},
		"AttemptTimeout": {licensing.RetryPolicy{AttemptTimeout: -1, MaxElapsed: -1}, []step{late(5 * time.Hour)}, 5 * time.Hour, 5 * time.Hour},
		"all of them":    {licensing.RetryPolicy{MaxAttempts: -1, MinWait: -1, MaxWait: -1, AttemptTimeout: -1, MaxElapsed: -1, Fence: -1}, []step{lost, throttled, late(time.Hour)}, time.Hour, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				user, err := newClient(t, newScript(t, test.steps...), policy(test.policy)).AssignUserLicense(t.Context(), userID, add(skuA))
				wantDone(t, user, err)
				if took := time.Since(start); took < test.takes || took > test.most {
					t.Errorf("took %v, want %v to %v", took, test.takes, test.most)
				}
			})
		})
	}
}

func TestMaxElapsedBoundsTheCall(t *testing.T) {
	t.Parallel()
	limit := policy(licensing.RetryPolicy{MaxAttempts: -1, MaxElapsed: 90 * time.Second})
	for name, test := range map[string]struct {
		answer step
		least  time.Duration
		kinds  []error
	}{
		"in flight": {silent, 90 * time.Second, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
		"throttled": {tooMany("Retry-After", "20"), 70 * time.Second, []error{licensing.ErrThrottled}},
		"failing":   {unavailable, 80 * time.Second, []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				client := newClient(t, step(func(req *http.Request) (*http.Response, error) { n++; return test.answer(req) }), limit)
				start := time.Now()
				_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
				e := asError(t, err)
				wantFailed(t, err, e.StatusCode, n, test.kinds...)
				if took := time.Since(start); took < test.least || took > 90*time.Second {
					t.Errorf("took %v, want %v to 90 s", took, test.least)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("our limit passes for the caller's: %v", err)
				}
			})
		})
	}
	for name, test := range map[string]struct {
		deadline time.Duration
		takes    time.Duration
		kinds    []error
	}{
		"waiting for its turn":                      {time.Hour, 90 * time.Second, []error{licensing.ErrUnavailable}},
		"waiting for its turn, with less time left": {90*time.Second - 1, 90*time.Second - 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, newScript(t), limit)
				defer licensing.TakeTurn(client, userID)()
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				_, err := client.AssignUserLicense(ctx, userID, add(skuA))
				wantFailed(t, err, 0, 0, test.kinds...)
				if took := time.Since(start); took != test.takes || errors.Is(err, context.DeadlineExceeded) != (test.kinds == nil) {
					t.Errorf("took %v: %v", took, err)
				}
			})
		})
	}
}

// A part of a change that the policy leaves no time for is not sent.
func TestNoTimeLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(req *http.Request) (*http.Response, error) { // as long as it may
			deadline, _ := req.Context().Deadline()
			time.Sleep(time.Until(deadline))
			return okUser(req)
		}
		client := newClient(t, newScript(t, lost, absent, slow), policy(licensing.RetryPolicy{MaxElapsed: time.Minute}))
		_, err := client.AssignUserLicense(t.Context(), userID, remove(skuA, skuB))
		wantFailed(t, err, 0, 4, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
		if want := "assign user license: outcome unknown: no time was left for a request (4 attempts)"; err.Error() != want {
			t.Errorf("got error  %s\nwant error %s", err, want)
		}
	})
}

func TestTheLimitOfAnAttemptIsInItsError(t *testing.T) {
	t.Parallel()
	for limit, want := range map[time.Duration]string{
		0:                                    "1m0s",
		90*time.Second + 400*time.Nanosecond: "1m30s",
		400 * time.Nanosecond:                "400ns",
	} {
		t.Run(want, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, newScript(t, silent), policy(licensing.RetryPolicy{MaxAttempts: 1, AttemptTimeout: limit}))
				_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
				if want := "assign user license: outcome unknown: no complete answer within " + want + " (1 attempt)"; err.Error() != want {
					t.Errorf("got error  %s\nwant error %s", err, want)
				}
			})
		})
	}
}

// Timeouts that are not the caller's own do not pass for them.
func TestOnlyTheCallersDeadlineIsDeadlineExceeded(t *testing.T) {
	t.Parallel()
	_, timedOut := net.DialTimeout("tcp", "192.0.2.1:9", 1) // says that it is context.DeadlineExceeded
	dialTimeout := fails(timedOut)
	unknown := []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}
	for name, test := range map[string]struct {
		answer   step
		client   time.Duration // Timeout of the http.Client
		deadline time.Duration
		want     bool
		takes    time.Duration
		kinds    []error
	}{
		"AttemptTimeout":                      {silent, 0, time.Hour, false, time.Minute, unknown},
		"http.Client.Timeout":                 {silent, 7 * time.Second, time.Hour, false, 7 * time.Second, unknown},
		"http.Client.Timeout, in the body":    {drip, 7 * time.Second, time.Hour, false, 7 * time.Second, unknown},
		"AttemptTimeout, in the body":         {drip, 0, time.Hour, false, time.Minute, unknown},
		"a dial":                              {dialTimeout, 0, time.Hour, false, 0, []error{licensing.ErrUnavailable}},
		"the caller's":                        {silent, 0, 5 * time.Second, true, 5 * time.Second, []error{licensing.ErrOutcomeUnknown}},
		"the caller's, in the body":           {drip, 0, 5 * time.Second, true, 5 * time.Second, []error{licensing.ErrOutcomeUnknown}},
		"the caller's, at the same time":      {silent, 0, time.Minute, true, time.Minute, []error{licensing.ErrOutcomeUnknown}},
		"the caller's, with a Client.Timeout": {silent, time.Minute, 5 * time.Second, true, 5 * time.Second, []error{licensing.ErrOutcomeUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				hc := &http.Client{Transport: newScript(t, test.answer), Timeout: test.client}
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				_, err := newClient(t, nil, licensing.WithHTTPClient(hc), once).AssignUserLicense(ctx, userID, add(skuA))
				e := asError(t, err)
				wantFailed(t, err, e.StatusCode, 1, test.kinds...)
				if took := time.Since(start); took != test.takes || errors.Is(err, context.DeadlineExceeded) != test.want {
					t.Errorf("took %v, want %v; errors.Is(err, DeadlineExceeded) is not %v: %v", took, test.takes, test.want, err)
				}
				var timeout interface{ Timeout() bool }
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("%v is no timeout", err)
				}
			})
		})
	}
}

// drip answers with a body that never ends.
func drip(req *http.Request) (*http.Response, error) {
	resp, _ := reply(200, "{", "Content-Type", "application/json")(req)
	resp.Body = io.NopCloser(endless{req.Context()})
	return resp, nil
}

type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	select {
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	}
}

// What was canceled before anything went out is not in doubt.
func TestCanceledBeforeSending(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	check := func(t *testing.T, err error, attempts int) {
		t.Helper()
		wantFailed(t, err, 0, attempts)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, stop) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
	t.Run("before the call", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		asked := 0
		_, err := tokenClient(t, rotating(&asked, "token"), newScript(t)).AssignUserLicense(ctx, userID, add(skuA))
		check(t, err, 0)
		if asked != 0 {
			t.Error("the token source was asked")
		}
	})
	t.Run("while the token is fetched", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		tokens := func(context.Context) (string, error) {
			cancel(stop)
			return "token", nil
		}
		_, err := tokenClient(t, tokens, newScript(t)).AssignUserLicense(ctx, userID, add(skuA))
		check(t, err, 1)
	})
	t.Run("while dialing", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			transport := graph.NewTransport()
			transport.Proxy = nil
			transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				time.Sleep(30 * time.Second) // net/http lets a dial go on for the next request
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(stop) })
			_, err := newClient(t, transport).AssignUserLicense(ctx, userID, add(skuA))
			check(t, err, 1)
			time.Sleep(time.Minute)
		})
	})
	t.Run("while another write is on", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newScript(t, func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Minute)
				return okUser(req)
			})
			client := newClient(t, s)
			go client.AssignUserLicense(t.Context(), userID, add(skuA))
			synctest.Wait()
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(stop) })
			_, err := client.AssignUserLicense(ctx, userID, add(skuA))
			check(t, err, 0)
			time.Sleep(time.Minute)
		})
	})
}

// One user or group is written to by one call at a time.
func TestOneWriterPerObject(t *testing.T) {
	t.Parallel()
	type call func(context.Context, *licensing.Client) (any, error)
	assign := func(user string) call {
		return func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.AssignUserLicense(ctx, user, add(skuA)))
		}
	}
	reprocess := func(ctx context.Context, c *licensing.Client) (any, error) {
		return result(c.ReprocessUserLicense(ctx, userID))
	}
	mine := func(ctx context.Context, c *licensing.Client) (any, error) {
		return result(c.AssignMyLicense(ctx, add(skuA)))
	}
	group := func(ctx context.Context, c *licensing.Client) (any, error) {
		return result(c.AssignGroupLicense(ctx, groupID, add(skuA)))
	}
	for name, test := range map[string]struct {
		first, second call
		waits         bool
	}{
		"one user":              {assign(userID), assign(userID), true},
		"two letter cases":      {assign(userUPN), assign(strings.ToUpper(userUPN)), true},
		"two actions":           {assign(userID), reprocess, true},
		"me":                    {mine, mine, true},
		"one group":             {group, group, true},
		"two users":             {assign(userID), assign(groupID), false},
		"a user by id and name": {assign(userID), assign(userUPN), false},
		"a user and a group":    {assign(groupID), group, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				most, now := 0, 0
				var mu sync.Mutex
				client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now--
					mu.Unlock()
					return reply(200, `{"@odata.context":"x"}`)(req)
				}))
				var wg sync.WaitGroup
				for _, c := range []call{test.first, test.second} {
					wg.Go(func() {
						if _, err := c(t.Context(), client); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if waits := most == 1; waits != test.waits {
					t.Errorf("%d requests at a time", most)
				}
				if n := licensing.ObjectsKept(client); n != 0 {
					t.Errorf("%d objects are kept", n)
				}
			})
		})
	}
}

func TestThrottledRequestsAreNotAttempts(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]step{
		"429":            throttled,
		"509":            reply(509, "", "Retry-After", "1"),
		"by its code":    graphError(503, "activityLimitReached", "Slow down.", "Retry-After", "1"),
		"without a time": tooMany(),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, slices.Concat(times(10, answer), []step{concurrent}, times(10, answer), []step{okUser})...)
				user, err := newClient(t, s, policy(licensing.RetryPolicy{MaxAttempts: 2})).AssignUserLicense(t.Context(), userID, add(skuA))
				wantDone(t, user, err)
			})
		})
	}
}

func TestRetryAfterOnOtherAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{409, 500, 502, 503, 504} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				wantWait(t, graphError(status, "Some_Code", "Busy.", "Retry-After", "20.5"), 20500*time.Millisecond, 21500*time.Millisecond)
			})
		})
	}
}

// Those who were throttled together do not come back together.
func TestAskedWaitsAreSpread(t *testing.T) {
	bubble(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 10 {
			client := newClient(t, newScript(t, tooMany("Retry-After", "8"), okUser))
			start := time.Now()
			if _, err := client.User(t.Context(), userID); err != nil {
				t.Fatal(err)
			}
			waits[time.Since(start)] = true
		}
		if len(waits) < 5 {
			t.Errorf("ten waits of %d lengths", len(waits))
		}
	})
}

// A server that asks for no wait is left in peace nevertheless.
func TestRetryAfterZeroForEverBacksOff(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"0", "-1", "Mon, 01 Jan 1990 00:00:00 GMT"} {
		t.Run(value, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
					n++
					return tooMany("Retry-After", value)(req)
				}))
				start := time.Now()
				_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, 429, n, licensing.ErrThrottled)
				// About 50, by waits of up to 30 s at random.
				if took := time.Since(start); n < 20 || n > 100 || took < 9*time.Minute || took > 10*time.Minute {
					t.Errorf("%d requests in %v", n, took)
				}
			})
		})
	}
}

// A wait that cannot end in time is not begun.
func TestNoWaitTowardsALostDeadline(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer step
		left   time.Duration
		kinds  []error
	}{
		"Retry-After, too long": {tooMany("Retry-After", "7"), 7 * time.Second, []error{licensing.ErrThrottled}},
		"Retry-After 0":         {tooMany("Retry-After", "0"), 50 * time.Millisecond, []error{licensing.ErrThrottled}},
		"none":                  {tooMany(), 50 * time.Millisecond, []error{licensing.ErrThrottled}},
		"a failed dial":         {notDialed, 50 * time.Millisecond, []error{licensing.ErrUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.left)
				defer cancel()
				start := time.Now()
				_, err := newClient(t, newScript(t, test.answer)).AssignUserLicense(ctx, userID, add(skuA))
				e := asError(t, err)
				wantFailed(t, err, e.StatusCode, 1, test.kinds...)
				if took := time.Since(start); took != 0 {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	refused := []error{licensing.ErrUnauthorized}
	for name, test := range map[string]struct {
		tokens []string
		steps  []step
		sent   []string
		asked  int
		kinds  []error
	}{
		"one for each attempt":       {[]string{"one", "two", "three"}, []step{throttled, unavailable, okUser}, []string{"one", "two", "three"}, 3, nil},
		"trimmed":                    {[]string{" one\r\n"}, []step{okUser}, []string{"one"}, 1, nil},
		"another after a 401":        {[]string{"one", "two"}, []step{unauthorized, okUser}, []string{"one", "two"}, 2, nil},
		"the same after a 401":       {[]string{"one"}, []step{unauthorized}, []string{"one"}, 2, refused},
		"the same but for spaces":    {[]string{"one", "one\n"}, []step{unauthorized}, []string{"one"}, 2, refused},
		"a second 401":               {[]string{"one", "two", "three"}, []step{unauthorized, unauthorized}, []string{"one", "two"}, 2, refused},
		"a second 401 later":         {[]string{"one", "two", "three", "four"}, []step{unauthorized, throttled, unauthorized}, []string{"one", "two", "three"}, 3, refused},
		"the refused one comes back": {[]string{"one", "two", "one"}, []step{unauthorized, throttled}, []string{"one", "two"}, 3, []error{licensing.ErrThrottled}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newScript(t, test.steps...)
				asked := 0
				user, err := tokenClient(t, rotating(&asked, test.tokens...), s).AssignUserLicense(t.Context(), userID, add(skuA))
				if test.kinds == nil {
					wantDone(t, user, err)
				} else {
					e := asError(t, err)
					wantFailed(t, err, e.StatusCode, len(test.steps), test.kinds...)
				}
				var sent []string
				for _, r := range s.requests() {
					sent = append(sent, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
				}
				if !slices.Equal(sent, test.sent) || asked != test.asked {
					t.Errorf("sent %q and asked %d times, want %q and %d", sent, asked, test.sent, test.asked)
				}
			})
		})
	}
}

// A refresh that fails leaves what the 401 said, and adds why.
func TestARefreshThatFails(t *testing.T) {
	t.Parallel()
	expired := errors.New("the refresh token has expired")
	stop := errors.New("stop")
	refused := graphError(401, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.", "Request-Id", "R", "WWW-Authenticate", `Bearer error="invalid_token"`)
	fails := func(context.Context) (string, error) { return "", expired }
	for name, test := range map[string]struct {
		steps   []step
		refresh licensing.TokenSource
		causes  []error
		text    string
		kinds   []error
	}{
		"at once":     {[]step{refused}, fails, []error{expired}, "token source: the refresh token has expired", []error{licensing.ErrUnauthorized}},
		"after doubt": {[]step{lost, refused}, fails, []error{expired}, "token source: the refresh token has expired", []error{licensing.ErrUnauthorized, licensing.ErrOutcomeUnknown}},
		"canceled": {[]step{refused}, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, []error{context.Canceled, stop}, "token source: context canceled: stop", []error{licensing.ErrUnauthorized}},
		"no token": {[]step{refused}, licensing.StaticToken(""), nil, "token source: token is empty", []error{licensing.ErrUnauthorized}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				asked := 0
				tokens := func(ctx context.Context) (string, error) {
					if asked++; asked > len(test.steps) {
						return test.refresh(ctx)
					}
					return "token", nil
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer time.AfterFunc(30*time.Second, func() { cancel(stop) }).Stop()
				_, err := tokenClient(t, tokens, newScript(t, test.steps...)).AssignUserLicense(ctx, userID, add(skuA))
				e := wantFailed(t, err, 401, len(test.steps), test.kinds...)
				if e.RequestID != "R" || e.Code != "InvalidAuthenticationToken" || e.Header.Get("WWW-Authenticate") != `Bearer error="invalid_token"` {
					t.Errorf("request-id %q, code %q, header %v", e.RequestID, e.Code, e.Header)
				}
				for _, cause := range test.causes {
					if !errors.Is(err, cause) {
						t.Errorf("%v is not %v", err, cause)
					}
				}
				if !strings.Contains(err.Error(), test.text) {
					t.Errorf("got error %v, want one with %q", err, test.text)
				}
			})
		})
	}
}

// Who signs by itself is not asked again: a 401 stands.
func TestUnauthorizedWithoutATokenSource(t *testing.T) {
	t.Parallel()
	_, err := tokenClient(t, nil, newScript(t, unauthorized)).AssignUserLicense(t.Context(), userID, add(skuA))
	wantFailed(t, err, 401, 1, licensing.ErrUnauthorized)
}

func TestWhatAttemptsSend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		s := newScript(t, graphError(503, "ServiceUnavailable", "Busy.", "Set-Cookie", "gate=7"), unavailable, unavailable, okUser)
		client := newClient(t, nil, licensing.WithHTTPClient(&http.Client{Transport: s, Jar: jar}))
		user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		sent := s.requests()
		for i, r := range sent {
			var cookies []string
			if i > 0 {
				cookies = []string{"gate=7"}
			}
			if got := r.Header["Cookie"]; !slices.Equal(got, cookies) {
				t.Errorf("attempt %d has the cookies %q, want %q", i+1, got, cookies)
			}
			r.Header.Del("Cookie")
			for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
				if _, ok := r.Header[name]; ok { // net/http would repeat the request by itself
					t.Errorf("attempt %d has %s", i+1, name)
				}
			}
			same(t, "attempt "+strconv.Itoa(i+1), r, sent[0])
		}
	})
}

func TestReprocessHasNoBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bare := func(next step) step {
			return func(req *http.Request) (*http.Response, error) {
				if req.Body != nil || req.ContentLength != 0 || len(req.TransferEncoding) > 0 || req.Header.Get("Content-Type") != "" {
					t.Errorf("the request has a body of %d bytes, %q", req.ContentLength, req.Header)
				}
				return next(req)
			}
		}
		user, err := newClient(t, newScript(t, bare(unavailable), bare(okUser))).ReprocessUserLicense(t.Context(), userID)
		wantDone(t, user, err)
	})
}

// idleCloser counts how often its idle connections are closed.
type idleCloser struct {
	step
	closed int
}

func (c *idleCloser) CloseIdleConnections() { c.closed++ }

func TestFailuresLeaveThePoolAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, answer := range []step{lost, unavailable, notDialed, soldOut, tooMany("Retry-After", "3600")} {
			c := &idleCloser{step: answer}
			newClient(t, c).AssignUserLicense(t.Context(), userID, add(skuA))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			newClient(t, c).AssignUserLicense(ctx, userID, add(skuA))
			cancel()
			if c.closed != 0 {
				t.Errorf("idle connections were closed %d times", c.closed)
			}
		}
	})
}

func TestErrorsTellOfTheCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		id := uuid.MustParse("99999999-9999-4999-8999-999999999999")
		s := newScript(t,
			graphError(503, "ServiceUnavailable", "Busy.", "Request-Id", "first"),
			graphError(409, "Directory_ConcurrencyViolation", "Wait.", "Request-Id", "second"),
			graphError(429, "TooManyRequests", "Too many.", "Request-Id", "third", "Retry-After", "500", "Date", "Sat, 01 Jan 2000 00:00:07 GMT", "Set-Cookie", "a=b"))
		_, err := newClient(t, s).AssignUserLicense(licensing.ContextWithClientRequestID(t.Context(), id), userID, add(skuA))
		e := wantFailed(t, err, 429, 3, licensing.ErrThrottled, licensing.ErrOutcomeUnknown)
		body := `{"error":{"code":"TooManyRequests","message":"Too many.","innerError":{}}}`
		same(t, "op, code, message, body", []string{e.Op, e.Code, e.Message, string(e.Body)}, []string{"assign user license", "TooManyRequests", "Too many.", body})
		same(t, "ids", []string{e.RequestID, e.ClientRequestID}, []string{"third", id.String()})
		same(t, "times", []any{e.RetryAfter, e.Date}, []any{500 * time.Second, time.Date(2000, 1, 1, 0, 0, 7, 0, time.UTC)})
		if _, ok := e.Header["Set-Cookie"]; ok || e.Header.Get("Retry-After") != "500" {
			t.Errorf("header %v", e.Header)
		}
		for i, r := range s.requests() {
			if got := r.Header.Get("Client-Request-Id"); got != id.String() {
				t.Errorf("attempt %d has the client-request-id %s", i+1, got)
			}
		}
	})
}
