package licensing_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const badLocation = "License assignment cannot be done for user with invalid usage location."

func TestSetUsageLocation(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"DE", "de", "dE"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, reply(204, ""))
			if err := newClient(t, s.mocked("PATCH", graphRoot+"/users/"+userID)).SetUsageLocation(t.Context(), userID, code); err != nil {
				t.Error(err)
			}
			expectRequests(t, s, sending("PATCH", graphRoot+"/users/"+userID, `{"usageLocation":"DE"}`))
		})
	}
}

func TestUsageLocationsThatAreRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	for _, code := range []string{"", "D", "UK", "D ", " DE", "DEU", "ZZ", "EU", "de-DE", "276", "DE FR", "Germany", `D"`, "ıt", "ſe"} {
		err := client.SetUsageLocation(t.Context(), userID, code)
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != "set usage location: invalid argument: countryCode is not one of ISO 3166 alpha-2" {
			t.Errorf("%q: got %v", code, err)
		}
	}
	if err := client.SetUsageLocation(t.Context(), "", "DE"); !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("got %v", err)
	}
	asError(t, client.SetUsageLocation(t.Context(), "..", "DE"))
}

func TestUsageLocationFailures(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		kinds []error
	}{
		"a clash of proxy addresses": {[]step{badRequest("Another object with the same value for property proxyAddresses already exists.")}, []error{licensing.ErrProxyAddressConflict}},
		"no such user":               {[]step{graphError(404, "Request_ResourceNotFound", "Resource does not exist.")}, []error{licensing.ErrNotFound}},
		"forbidden":                  {[]step{graphError(403, "Authorization_RequestDenied", "No.")}, []error{licensing.ErrForbidden}},
		"lost, then forbidden":       {[]step{lost, graphError(403, "Authorization_RequestDenied", "No.")}, []error{licensing.ErrForbidden, licensing.ErrOutcomeUnknown}},
		"lost, then done":            {[]step{lost, reply(204, "")}, nil},
		"in doubt to the end":        {[]step{lost, lost, lost, lost, lost}, []error{licensing.ErrOutcomeUnknown, licensing.ErrUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				err := newClient(t, newScript(t, test.steps...)).SetUsageLocation(t.Context(), userID, "DE")
				if (err == nil) != (test.kinds == nil) {
					t.Errorf("got %v", err)
				}
				for _, kind := range test.kinds {
					if !errors.Is(err, kind) {
						t.Errorf("got %v, want %v", err, kind)
					}
				}
			})
		})
	}
}

// One that was refused is not waited for.
func TestAssigningAfterAUsageLocationWasRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, badRequest("Another object with the same value for property proxyAddresses already exists."), badRequest(badLocation))
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); !errors.Is(err, licensing.ErrProxyAddressConflict) {
			t.Fatal(err)
		}
		if _, err := client.AssignUserLicense(t.Context(), userID, add(skuA)); !errors.Is(err, licensing.ErrUsageLocation) {
			t.Error(err)
		}
	})
}

// An assignment right after the usage location was set waits until Graph has
// noticed it.
func TestAssigningAfterSetUsageLocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
		tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
		tenant.SetUsageLocationLag(20 * time.Second)
		client := tenant.Client()
		if err := client.SetUsageLocation(t.Context(), "adele@contoso.example", "de"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		user, err := client.AssignUserLicense(t.Context(), "Adele@contoso.example", add(sku.ID))
		if took := time.Since(start); err != nil || user == nil || took < 20*time.Second || took > 40*time.Second {
			t.Errorf("got %+v, %v after %v", user, err, took)
		}
		if n := len(tenant.Writes()); n != 2 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestUsageLocationThatIsRefused(t *testing.T) {
	refusal := badRequest(badLocation)
	set := func(user string) func(*testing.T, *licensing.Client) {
		return func(t *testing.T, c *licensing.Client) {
			if err := c.SetUsageLocation(t.Context(), user, "DE"); err != nil {
				t.Fatal(err)
			}
		}
	}
	mine := func(*testing.T, *licensing.Client) {}
	for name, test := range map[string]struct {
		before  func(*testing.T, *licensing.Client)
		refusal step
		policy  licensing.RetryPolicy
		left    time.Duration // of the context
		least   int           // assignments sent
		most    int
		took    time.Duration // at most
	}{
		"set by nobody":          {mine, refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set for another user":   {set("other@contoso.example"), refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set long ago":           {func(t *testing.T, c *licensing.Client) { set(userID)(t, c); time.Sleep(time.Minute) }, refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"sent once":              {set(userID), refusal, licensing.RetryPolicy{MaxAttempts: 1}, 0, 1, 1, 0},
		"for a minute":           {set(userID), refusal, licensing.RetryPolicy{}, 0, 10, 20, time.Minute},
		"for what is left of it": {func(t *testing.T, c *licensing.Client) { set(userID)(t, c); time.Sleep(50 * time.Second) }, refusal, licensing.RetryPolicy{}, 0, 2, 6, 10 * time.Second},
		"within MaxElapsed":      {set(userID), refusal, licensing.RetryPolicy{MaxElapsed: 10 * time.Second}, 0, 3, 5, 10 * time.Second},
		"within the context":     {set(userID), refusal, licensing.RetryPolicy{}, 10 * time.Second, 3, 5, 10 * time.Second},
		"not sold there":         {set(userID), badRequest("The license is not available in the user's usage location."), licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set, and no seats":      {set(userID), badRequest("Subscription with SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa does not have any available licenses."), licensing.RetryPolicy{}, 0, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				client := newClient(t, answering(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPatch {
						return reply(204, "")(req)
					}
					n++
					return test.refusal(req)
				}), licensing.WithRetryPolicy(test.policy))
				test.before(t, client)
				ctx, start := t.Context(), time.Now()
				if test.left > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.left)
					defer cancel()
				}
				_, err := client.AssignUserLicense(ctx, userID, add(skuA))
				if e := asError(t, err); e.StatusCode != 400 || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, licensing.ErrOutcomeUnknown) || e.Attempts != n {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); n < test.least || n > test.most || took > test.took {
					t.Errorf("sent %d times in %v, want %d to %d times in %v", n, took, test.least, test.most, test.took)
				}
			})
		})
	}
}

// A cancellation while waiting for a usage location tells both: nothing is in
// doubt, since Graph has refused the change.
func TestCanceledWhileAwaitingAUsageLocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, reply(204, ""), badRequest(badLocation), badRequest(badLocation))
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		start := time.Now()
		_, err := client.AssignUserLicense(ctx, userID, add(skuA))
		if took := time.Since(start); !errors.Is(err, context.Canceled) || !errors.Is(err, licensing.ErrUsageLocation) || errors.Is(err, licensing.ErrOutcomeUnknown) || took != 2*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// A swap whose removal was settled waits for the location with what is left.
func TestUsageLocationOfASettledSwap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, reply(204, ""), lost, badRequest(notAssigned), badRequest(badLocation), badRequest(badLocation), okUser)
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); err != nil {
			t.Fatal(err)
		}
		swap := add(skuB)
		swap.RemoveLicenses = remove(skuA).RemoveLicenses
		if _, err := client.AssignUserLicense(t.Context(), userID, swap); err != nil {
			t.Fatal(err)
		}
		for i, body := range s.bodies() {
			if i > 2 && !strings.HasSuffix(body, `"removeLicenses":[]}`) {
				t.Errorf("request %d is %s", i, body)
			}
		}
	})
}
