package licensingtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func Example() {
	tenant := licensingtest.NewTenant()
	office := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25, Plans: []licensingtest.Plan{
		{Name: "EXCHANGE_S_ENTERPRISE"},
		{Name: "YAMMER_ENTERPRISE"},
	}})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "US"})

	client := tenant.Client()
	_, err := client.AssignUserLicense(context.Background(), "adele@contoso.example", licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: office.ID, DisabledPlans: []uuid.UUID{office.Plans[1].ID}}},
	})
	if err != nil {
		log.Fatal(err)
	}

	adele, _ := tenant.User("adele@contoso.example")
	office, _ = tenant.SKU(office.ID)
	fmt.Println(len(adele.Licenses), "license,", len(adele.Licenses[0].DisabledPlans), "plan disabled,", office.Consumed, "of", office.Seats, "seats")
	// Output: 1 license, 1 plan disabled, 1 of 25 seats
}

// A fault that loses the answer but not the request: the client cannot know
// what has happened, the test can.
func ExampleTenant_Fail() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	user := tenant.AddUser(licensingtest.User{UsageLocation: "US"})
	tenant.Fail(licensingtest.Fault{Drop: true, Apply: true})

	client := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1}))
	_, err := client.AssignUserLicense(context.Background(), user.ID, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
	})
	fmt.Println("in doubt:", errors.Is(err, licensing.ErrOutcomeUnknown))
	fmt.Println("effects:", len(tenant.Writes()))
	// Output:
	// in doubt: true
	// effects: 1
}

// The licenses of a group reach its members when processing runs, and not every
// member gets them.
func ExampleTenant_Process() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	adele := tenant.AddUser(licensingtest.User{})
	alex := tenant.AddUser(licensingtest.User{})
	group := tenant.AddGroup(licensingtest.Group{DisplayName: "Sales"}, adele.ID, alex.ID)

	_, err := tenant.Client().AssignGroupLicense(context.Background(), group.ID, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
	})
	if err != nil {
		log.Fatal(err)
	}
	group, _ = tenant.Group(group.ID)
	adele, _ = tenant.User(adele.ID)
	fmt.Println(group.State, len(adele.States))

	tenant.Process()
	group, _ = tenant.Group(group.ID)
	adele, _ = tenant.User(adele.ID)
	alex, _ = tenant.User(alex.ID)
	fmt.Println(group.State, adele.States[0].State, alex.States[0].State, alex.States[0].Error)
	// Output:
	// QueuedForProcessing 0
	// ProcessingComplete Active Error CountViolation
}

// How long a client takes for many writes can be measured against what is
// possible.
func ExampleTenant_SetThrottle() {
	tenant := licensingtest.NewTenant()
	tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1, Window: time.Minute}})
	user := tenant.AddUser(licensingtest.User{UsageLocation: "US"})

	client := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1}))
	for range 2 {
		_, err := client.ReprocessUserLicense(context.Background(), user.ID)
		fmt.Println("throttled:", errors.Is(err, licensing.ErrThrottled))
	}
	for _, m := range licensingtest.ThrottleModels() {
		fmt.Println(m.Name, m.Throttle.Ideal(10_000))
	}
	// Output:
	// throttled: false
	// throttled: true
	// Burst 5m50s
	// Empty 8m20s
	// BurstCostly 5m50s
	// EmptyCostly 8m20s
	// FixedAdvice 8m10s
	// NoAdvice 8m10s
	// FixedWindow 7m30s
	// Halved 9m25s
	// DocumentedCostly 5m50s
	// TakenAway 11m0.05s
}

// A member for whom there was no seat gets the license when seats are bought
// and the user is processed again.
func ExampleTenant_SetSeats() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{})
	adele := tenant.AddUser(licensingtest.User{})
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: sku.ID}}}, adele.ID)

	client := tenant.Client()
	_, err := client.ReprocessUserLicense(context.Background(), adele.ID)
	fmt.Println("no seats:", errors.Is(err, licensing.ErrNoAvailableLicenses))

	tenant.SetSeats(sku.ID, 1)
	if _, err = client.ReprocessUserLicense(context.Background(), adele.ID); err != nil {
		log.Fatal(err)
	}
	adele, _ = tenant.User(adele.ID)
	fmt.Println(adele.States[0].State)
	// Output:
	// no seats: true
	// Active
}

// An advanced query may not know yet what a plain read shows.
func ExampleTenant_SetIndexLag() {
	tenant := licensingtest.NewTenant()
	tenant.SetIndexLag(time.Hour)
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "US"})

	client := tenant.Client()
	for _, filter := range []string{"", "usageLocation ne null"} {
		found := 0
		for _, err := range client.Users(context.Background(), licensing.UserQuery{Filter: filter}) {
			if err != nil {
				log.Fatal(err)
			}
			found++
		}
		fmt.Printf("%q: %d\n", filter, found)
	}
	// Output:
	// "": 1
	// "usageLocation ne null": 0
}

// Somebody else changes a user's licenses while a client works. Its next read
// shows that, the log of its own effects does not.
func ExampleTenant_SetUserLicenses() {
	tenant := licensingtest.NewTenant()
	office := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1})
	visio := tenant.AddSKU(licensingtest.SKU{PartNumber: "VISIOCLIENT", Seats: 1})
	adele := tenant.AddUser(licensingtest.User{UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: office.ID}}})

	tenant.SetUserLicenses(adele.ID, licensingtest.License{SKUID: visio.ID})

	details, err := tenant.Client().UserLicenseDetails(context.Background(), adele.ID)
	if err != nil {
		log.Fatal(err)
	}
	office, _ = tenant.SKU(office.ID)
	fmt.Println(details[0].SKUPartNumber, office.Consumed, len(tenant.Writes()))
	// Output: VISIOCLIENT 0 0
}

// Somebody else takes a license from a group. Its members lose it when processing
// runs.
func ExampleTenant_SetGroupLicenses() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	adele := tenant.AddUser(licensingtest.User{})
	group := tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: sku.ID}}}, adele.ID)

	tenant.SetGroupLicenses(group.ID)
	group, _ = tenant.Group(group.ID)
	adele, _ = tenant.User(adele.ID)
	fmt.Println(group.State, len(group.Licenses), len(adele.States))

	tenant.Process()
	group, _ = tenant.Group(group.ID)
	adele, _ = tenant.User(adele.ID)
	fmt.Println(group.State, len(group.Licenses), len(adele.States))
	// Output:
	// QueuedForProcessing 0 1
	// ProcessingComplete 0 0
}

// Somebody leaves while a client works.
func ExampleTenant_RemoveUser() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	adele := tenant.AddUser(licensingtest.User{UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: sku.ID}}})

	tenant.RemoveUser(adele.ID)

	_, err := tenant.Client().AssignUserLicense(context.Background(), adele.ID, licensing.AssignLicenseRequest{
		RemoveLicenses: []uuid.UUID{sku.ID},
	})
	sku, _ = tenant.SKU(sku.ID)
	fmt.Println("gone:", errors.Is(err, licensing.ErrNotFound))
	fmt.Println("seats in use:", sku.Consumed)
	// Output:
	// gone: true
	// seats in use: 0
}

// A tenant is an http.Handler, for clients of any kind.
func ExampleTenant_ServeHTTP() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "US"})
	server := httptest.NewServer(tenant)
	defer server.Close()

	req, err := http.NewRequest("GET", server.URL+"/v1.0/users/adele@contoso.example?$select=usageLocation,assignedLicenses", nil)
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer any token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, string(body))
	// Output: 200 {"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(usageLocation,assignedLicenses)/$entity","usageLocation":"US","assignedLicenses":[]}
}

// A lease that runs out while somebody waits for the tenant.
func ExampleLocker_Lose() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	user := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
	locker := licensingtest.NewLocker()
	tenant.Fail(licensingtest.Fault{Match: func(*http.Request) bool {
		locker.Lose(user.ID)
		return true
	}, Status: 503})

	client := tenant.Client(licensing.WithLocker(locker))
	_, err := client.AssignUserLicense(context.Background(), user.ID, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
	})
	fmt.Println(errors.Is(err, licensing.ErrOutcomeUnknown))
	// Output: true
}

func ExampleLocker_Lock() {
	locker := licensingtest.NewLocker()
	const key = "33333333-3333-4333-8333-333333333333"
	_, lock, err := locker.Lock(context.Background(), key)
	if err != nil {
		log.Fatal(err)
	}
	if err := lock.Unlock(context.Background(), []byte("for the next")); err != nil {
		log.Fatal(err)
	}
	_, lock, _ = locker.Lock(context.Background(), key)
	fmt.Printf("%s\n", lock.Note())
	// Output: for the next
}

// An advisory lock keeps no notes.
func ExampleNewAdvisoryLocker() {
	locker := licensingtest.NewAdvisoryLocker()
	const key = "33333333-3333-4333-8333-333333333333"
	_, lock, _ := locker.Lock(context.Background(), key)
	lock.Unlock(context.Background(), []byte("for the next"))
	_, lock, _ = locker.Lock(context.Background(), key)
	fmt.Println(lock.Note() == nil)
	// Output: true
}
