package licensingtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.RequireToken("right")
		tenant.SignIn(adele)
		client := tenant.Client()
		tenant.Fail(licensingtest.Fault{Status: 429, Code: "TooManyRequests", Message: "Please retry again later.", Header: http.Header{"Retry-After": {"2.128"}}})
		start := time.Now()
		user, err := client.AssignMyLicense(t.Context(), licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: officeID}}})
		if err != nil || user.ID != adeleID {
			t.Fatalf("%+v, %v", user, err)
		}
		if got := time.Since(start); got < 2128*time.Millisecond {
			t.Errorf("retried after %s", got)
		}
		if got := tenant.Requests(); len(got) != 2 || got[0].Status != 429 || got[0].ClientRequestID != got[1].ClientRequestID {
			t.Errorf("requests %+v", got)
		}

		_, err = client.AssignUserLicense(t.Context(), adele, licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{basicID}})
		if !errors.Is(err, licensing.ErrNotAssigned) {
			t.Errorf("error %v, want ErrNotAssigned", err)
		}

		tenant.RequireToken("another")
		if _, err := client.ReprocessMyLicense(t.Context()); !errors.Is(err, licensing.ErrUnauthorized) {
			t.Errorf("error %v, want ErrUnauthorized", err)
		}
	})
}

// Filters that the client makes advanced queries of are answered.
func TestClientFilters(t *testing.T) {
	t.Parallel()
	tenant := newListed()
	assign(t, tenant, "/users/"+adele, add(officeID))
	for _, test := range []struct {
		query licensing.UserQuery
		want  string
	}{
		{licensing.UserQuery{Filter: "userType ne 'Guest'"}, "adele bob o'dea"},
		{licensing.UserQuery{Filter: "not(usageLocation eq 'US')"}, "cy o'dea"},
		{licensing.UserQuery{Filter: "endsWith(userPrincipalName,'b@contoso.example')"}, "bob"},
		{licensing.UserQuery{Filter: "usageLocation ne 'DE'", SKUID: officeID, PageSize: 1}, "adele"},
	} {
		var names []string
		for user, err := range tenant.Client().Users(t.Context(), test.query) {
			if err != nil {
				t.Fatalf("%s: %v", test.query.Filter, err)
			}
			name, _, _ := strings.Cut(user.UserPrincipalName, "@")
			names = append(names, name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.query.Filter, got, test.want)
		}
	}
}
