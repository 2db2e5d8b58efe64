package licensing_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func ExampleWithObserver() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "alex@contoso.example", UsageLocation: "DE"})
	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}}

	observer := func(_ context.Context, a licensing.Attempt) {
		fmt.Println(a.Method, a.Route, a.Status, a.Kinds)
		if a.Operations > 1 {
			fmt.Println(a.Operations, "operations,", a.Throttled, "throttled")
		}
	}
	client := tenant.Client(licensing.WithObserver(observer))
	for _, user := range []string{"adele@contoso.example", "alex@contoso.example"} {
		_, _ = client.AssignUserLicense(context.Background(), user, change)
	}
	for range client.Bulk(context.Background(), slices.Values([]licensing.Operation{
		{Kind: licensing.OperationReprocessUser, Target: "adele@contoso.example"},
		{Kind: licensing.OperationAssignUser, Target: "alex@contoso.example", Request: change},
	}), licensing.BulkOptions{}) {
	}
	// Output:
	// POST /users/{id}/assignLicense 200 []
	// POST /users/{id}/assignLicense 400 [no available licenses]
	// POST /$batch 200 []
	// 2 operations, 0 throttled
}

// A marked transport adds a header to each request.
type marked struct{ *http.Transport }

func (m marked) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a transport leaves its request alone
	req.Header.Set("X-Team", "joiners")
	return m.Transport.RoundTrip(req)
}

func ExampleNewTransport() {
	tenant := licensingtest.NewTenant()
	server := httptest.NewServer(tenant)
	defer server.Close()

	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(server.URL),
		licensing.WithHTTPClient(&http.Client{Transport: marked{licensing.NewTransport()}}))
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections() // as marked has the method of what it wraps
	if _, err := client.SubscribedSKUs(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tenant.Requests()[0].Header.Get("X-Team"))
	// Output: joiners
}
