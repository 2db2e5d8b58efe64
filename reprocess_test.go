package licensing_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The action takes no body, which a server sees as a length of 0.
func TestReprocessingHasNoBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) > 0 || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("got body %q, %v, length %d, encoding %q, type %q", body, err, r.ContentLength, r.TransferEncoding, r.Header.Get("Content-Type"))
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	client := newClient(t, nil, licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(server.Client()))
	if _, err := client.ReprocessUserLicense(t.Context(), userID); err != nil {
		t.Error(err)
	}
	if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReprocessingTellsTheTrueReason(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 0})
	user := tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
	tenant.SignIn(user.ID)
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: sku.ID}}}, user.ID)
	client := tenant.Client()
	_, err := client.ReprocessUserLicense(t.Context(), user.UserPrincipalName)
	if kinds(err) != "NoAvailableLicenses" {
		t.Errorf("got error %v", err)
	}
	_, err = client.ReprocessMyLicense(t.Context())
	if kinds(err) != "NoAvailableLicenses" {
		t.Errorf("got error %v", err)
	}
	same(t, "SKUs", asError(t, err).SKUIDs, []uuid.UUID{sku.ID})
}
