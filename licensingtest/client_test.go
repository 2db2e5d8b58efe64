package licensingtest_test

import (
	"errors"
	"net/http"
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
