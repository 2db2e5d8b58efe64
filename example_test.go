package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jarcoal/httpmock"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The examples run against a tenant in memory. A real program gets its client
// from NewClient, as the first example shows.

func ExampleNewClient() {
	client, err := licensing.NewClient(licensing.StaticToken(os.Getenv("GRAPH_TOKEN")))
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseIdleConnections()

	fmt.Println("ready")
	// Output: ready
}

func ExampleStaticToken() {
	token, err := licensing.StaticToken("eyJ0eXAi")(context.Background())
	fmt.Println(token, err)
	// Output: eyJ0eXAi <nil>
}

func ExampleClient_AssignUserLicense() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25, Plans: []licensingtest.Plan{{Name: "SWAY"}, {Name: "TEAMS1"}}})
	e1 := tenant.AddSKU(licensingtest.SKU{PartNumber: "STANDARDPACK", Seats: 25})
	tenant.AddUser(licensingtest.User{
		UserPrincipalName: "adele@contoso.example",
		UsageLocation:     "DE",
		Licenses:          []licensingtest.License{{SKUID: e1.ID}},
	})
	client := tenant.Client()

	// From E1 to E3 without Sway, in one step.
	ctx := context.Background()
	changed, err := client.AssignUserLicense(ctx, "adele@contoso.example", licensing.AssignLicenseRequest{
		AddLicenses:    []licensing.AssignedLicense{{SKUID: e3.ID, DisabledPlans: []uuid.UUID{e3.Plans[0].ID}}},
		RemoveLicenses: []uuid.UUID{e1.ID},
	})
	if err != nil {
		log.Fatal(err)
	}

	// It is done. The answer has no licenses: to see them, read the user.
	user, err := client.User(ctx, changed.ID)
	if err != nil {
		log.Fatal(err)
	}
	for _, license := range user.AssignedLicenses {
		fmt.Println("E3:", license.SKUID == e3.ID, "- plans that are off:", len(license.DisabledPlans))
	}
	// Output: E3: true - plans that are off: 1
}

func ExampleClient_AssignMyLicense() {
	tenant := licensingtest.NewTenant()
	visio := tenant.AddSKU(licensingtest.SKU{PartNumber: "VISIOCLIENT", Seats: 5})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.SignIn("adele@contoso.example")
	client := tenant.Client()

	ctx := context.Background()
	if _, err := client.AssignMyLicense(ctx, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: visio.ID}},
	}); err != nil {
		log.Fatal(err)
	}
	user, err := client.Me(ctx) // the answer to the write has no licenses
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.UserPrincipalName, "has", len(user.AssignedLicenses), "license")
	// Output: adele@contoso.example has 1 license
}

func ExampleClient_AssignGroupLicense() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25})
	adele := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
	sales := tenant.AddGroup(licensingtest.Group{DisplayName: "Sales"}, adele.ID)
	client := tenant.Client()

	group, err := client.AssignGroupLicense(context.Background(), sales.ID, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("accepted:", group.ID == sales.ID)

	// The members get it later.
	tenant.Process()
	adele, _ = tenant.User(adele.ID)
	fmt.Println(len(adele.States), "license,", adele.States[0].State)
	// Output:
	// accepted: true
	// 1 license, Active
}

func ExampleClient_ReprocessUserLicense() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 0})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: e3.ID}}}, "adele@contoso.example")
	client := tenant.Client()

	_, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example")
	if errors.Is(err, licensing.ErrNoAvailableLicenses) {
		fmt.Println("buy seats, then reprocess again")
	}
	// Output: buy seats, then reprocess again
}

func ExampleClient_ReprocessMyLicense() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	tenant.SignIn("adele@contoso.example")
	client := tenant.Client()

	user, err := client.ReprocessMyLicense(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.UserPrincipalName, "is in order")
	// Output: adele@contoso.example is in order
}

func ExampleClient_CloseIdleConnections() {
	client := licensingtest.NewTenant().Client()
	// … the program's last call …
	client.CloseIdleConnections()
	fmt.Println("done")
	// Output: done
}

func ExampleWithCloud() {
	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithCloud(licensing.CloudUSGovL4))
	fmt.Println(client != nil, err)
	// Output: true <nil>
}

func ExampleCloud_Scope() {
	fmt.Println(licensing.CloudGlobal.Scope())
	fmt.Println(licensing.CloudChina.Scope())
	// Output:
	// https://graph.microsoft.com/.default
	// https://microsoftgraph.chinacloudapi.cn/.default
}

func ExampleWithBaseURL() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	proxy := httptest.NewServer(tenant)
	defer proxy.Close()

	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(proxy.URL+"/graph"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tenant.Requests()[0].Path)
	// Output: /graph/v1.0/users/adele@contoso.example/reprocessLicenseAssignment
}

func ExampleWithHTTPClient() {
	transport := licensing.NewTransport()
	transport.Proxy = nil // whatever the environment says
	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: transport}))
	fmt.Println(client != nil, err)
	// Output: true <nil>
}

func ExampleWithRetryPolicy() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	tenant.Fail(licensingtest.Fault{
		Status: http.StatusTooManyRequests,
		Code:   "TooManyRequests",
		Header: http.Header{"Retry-After": {"150"}},
	})

	// Rather give up than wait for longer than ten seconds.
	client := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxWait: 10 * time.Second}))
	_, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example")
	if e, ok := errors.AsType[*licensing.Error](err); ok && errors.Is(err, licensing.ErrThrottled) {
		fmt.Println("come back in", e.RetryAfter)
	}
	// Output: come back in 2m30s
}

func ExampleWithLogger() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" || a.Key == "client-request-id" { // of this example's run alone
				return slog.Attr{}
			}
			return a
		},
	}))

	client := tenant.Client(licensing.WithLogger(logger))
	if _, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example"); err != nil {
		log.Fatal(err)
	}
	// Output: level=DEBUG msg="graph request" op="reprocess user license" method=POST route=/users/{id}/reprocessLicenseAssignment status=200 attempt=1 request-id=00000005-0000-4000-8000-000000000001
}

func ExampleWithUserAgent() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	client := tenant.Client(licensing.WithUserAgent("joiner-bot/2.1"))
	if _, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tenant.Requests()[0].Header.Get("User-Agent"))
	// Output: joiner-bot/2.1 graphlicensing/0.1.0
}

func ExampleContextWithClientRequestID() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	client := tenant.Client()

	ctx := licensing.ContextWithClientRequestID(context.Background(), uuid.MustParse("5f7a8e0c-7c39-4ae5-a8a3-2b8c0f3f4e11"))
	if _, err := client.ReprocessUserLicense(ctx, "adele@contoso.example"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(tenant.Requests()[0].ClientRequestID)
	// Output: 5f7a8e0c-7c39-4ae5-a8a3-2b8c0f3f4e11
}

func ExampleError() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 0})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	client := tenant.Client()

	_, err := client.AssignUserLicense(context.Background(), "adele@contoso.example", licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}},
	})
	if errors.Is(err, licensing.ErrNoAvailableLicenses) {
		fmt.Println("no seat left")
	}
	if e, ok := errors.AsType[*licensing.Error](err); ok {
		fmt.Println(e.StatusCode, e.Code, "of E3:", e.SKUIDs[0] == e3.ID)
	}
	// Output:
	// no seat left
	// 400 Request_BadRequest of E3: true
}

func ExampleDecodeError() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	tenant.Fail(licensingtest.Fault{
		Apply:  true,
		Status: http.StatusOK,
		Body:   `{"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd","businessPhones":[425]}`,
		Header: http.Header{"Content-Type": {"application/json"}},
	})
	client := tenant.Client()

	_, err := client.ReprocessUserLicense(context.Background(), "adele@contoso.example")
	if e, ok := errors.AsType[*licensing.DecodeError](err); ok {
		fmt.Println("done, but the answer is odd:", e.Property)
	}
	// Output: done, but the answer is odd: businessPhones[0]
}

func ExampleLicenseAssignmentState_Err() {
	states := []licensing.LicenseAssignmentState{
		{State: licensing.AssignmentStateActive, Error: licensing.AssignmentErrorNone},
		{State: licensing.AssignmentStateError, Error: licensing.AssignmentErrorCountViolation},
	}
	for _, state := range states {
		switch err := state.Err(); {
		case err == nil:
			fmt.Println("healthy")
		case errors.Is(err, licensing.ErrNoAvailableLicenses):
			fmt.Println("no seat left")
		default:
			fmt.Println(err)
		}
	}
	// Output:
	// healthy
	// no seat left
}

// onboard is a program's own function, which is to be tested.
func onboard(ctx context.Context, client *licensing.Client, user string, sku uuid.UUID) (string, error) {
	updated, err := client.AssignUserLicense(ctx, user, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku}},
	})
	if errors.Is(err, licensing.ErrNoAvailableLicenses) {
		return "buy a seat for " + user, nil
	}
	if err != nil {
		return "", err
	}
	return "welcome, " + updated.DisplayName, nil
}

// A program that uses httpmock already tests its functions with it. Package
// licensingtest is a whole tenant, for tests of more than one answer.
func ExampleWithHTTPClient_httpmock() {
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder("POST", "https://graph.microsoft.com/v1.0/users/adele@contoso.com/assignLicense",
		httpmock.NewStringResponder(200, `{"id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd","displayName":"Adele Vance"}`))
	mock.RegisterResponder("POST", "https://graph.microsoft.com/v1.0/users/alex@contoso.com/assignLicense",
		httpmock.NewStringResponder(400, `{"error":{"code":"Request_BadRequest","message":"Subscription with SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 does not have any available licenses."}}`))

	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: mock}))
	if err != nil {
		log.Fatal(err)
	}
	e3 := uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")
	for _, user := range []string{"adele@contoso.com", "alex@contoso.com"} {
		fmt.Println(onboard(context.Background(), client, user, e3))
	}
	fmt.Println(mock.GetTotalCallCount(), "requests")
	// Output:
	// welcome, Adele Vance <nil>
	// buy a seat for alex@contoso.com <nil>
	// 2 requests
}

func ExampleClient_Bulk() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "alex@contoso.example", UsageLocation: "DE"})
	client := tenant.Client()

	// The two operations on Adele are made one after the other. Others may come
	// from a file or a query, one by one.
	license := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}}}
	operations := slices.Values([]licensing.Operation{
		{Kind: licensing.OperationSetUsageLocation, Target: "adele@contoso.example", UsageLocation: "DE"},
		{Kind: licensing.OperationAssignUser, Target: "adele@contoso.example", Request: license},
		{Kind: licensing.OperationAssignUser, Target: "grady@contoso.example", Request: license},
		{Kind: licensing.OperationReprocessUser, Target: "alex@contoso.example"},
	})
	for result := range client.Bulk(context.Background(), operations, licensing.BulkOptions{}) {
		op := result.Operation
		switch {
		case result.Done():
			fmt.Println(op.Target, op.Kind, "done")
		case errors.Is(result.Err, licensing.ErrOutcomeUnknown):
			fmt.Println(op.Target, op.Kind, "in doubt: make it again")
		case errors.Is(result.Err, licensing.ErrNotFound):
			fmt.Println(op.Target, op.Kind, "no such user")
		default:
			fmt.Println(op.Target, op.Kind, result.Err)
		}
	}
	// Unordered output:
	// adele@contoso.example setUsageLocation done
	// adele@contoso.example assignUser done
	// grady@contoso.example assignUser no such user
	// alex@contoso.example reprocessUser done
}

// A run can end early, or give up adding a product that has run out.
func ExampleBulkOptions() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 2})
	license := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3.ID}}}
	var operations []licensing.Operation
	for range 500 {
		user := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: user.ID, Request: license})
	}

	var last licensing.BulkProgress
	kinds := make(map[error]int)
	for result := range tenant.Client().Bulk(context.Background(), slices.Values(operations), licensing.BulkOptions{
		Total:                  len(operations),
		StopAddingWithoutSeats: true, // after the first refusal the others are not sent
		Progress:               func(p licensing.BulkProgress) { last = p },
	}) {
		for _, kind := range []error{licensing.ErrNoAvailableLicenses, licensing.ErrStopped} {
			if errors.Is(result.Err, kind) {
				kinds[kind]++
			}
		}
	}
	fmt.Println("done:", last.Done, "- no seats:", kinds[licensing.ErrNoAvailableLicenses], "- time left:", last.Left)
	fmt.Println("fewer than 100 were sent:", len(tenant.Requests()) < 5)
	// Output:
	// done: 2 - no seats: 498 - time left: 0s
	// fewer than 100 were sent: true
}
