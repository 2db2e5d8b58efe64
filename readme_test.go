package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The blocks of README.md that are parts of this file run here, most of them as
// examples, whose output is compared.

func Example() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1}).ID
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "ben@contoso.example", UsageLocation: "DE"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "chris@contoso.example"})
	client, ctx := tenant.Client(), context.Background()

	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3}}}
	for _, user := range []string{"adele@contoso.example", "ben@contoso.example", "chris@contoso.example"} {
		_, err := client.AssignUserLicense(ctx, user, change)
		switch {
		case errors.Is(err, licensing.ErrNoAvailableLicenses):
			fmt.Println(user, "needs a seat")
		case err != nil:
			fmt.Println(user, err)
		default:
			fmt.Println(user, "has E3")
		}
	}
	// Output:
	// adele@contoso.example has E3
	// ben@contoso.example needs a seat
	// chris@contoso.example assign user license: 400 Request_BadRequest: License assignment cannot be done for user with invalid usage location. (request-id 00000005-0000-4000-8000-000000000003, 1 attempt)
}

// What a user has, and from where.
func Example_read() {
	tenant, _, _ := contoso()
	client, ctx := tenant.Client(), context.Background()

	user, err := client.User(ctx, "ben@contoso.example")
	if err != nil {
		log.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	inherited, _ := user.InheritedLicenses()
	fmt.Println(len(direct), "direct,", len(inherited), "from groups")

	skus, err := client.SubscribedSKUs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	e3, err := licensing.NewCatalog(skus).SKU("ENTERPRISEPACK")
	if err != nil {
		log.Fatal(err)
	}
	for user, err := range client.Users(ctx, licensing.UserQuery{SKUID: e3.SKUID}) {
		fmt.Println(user.UserPrincipalName, err)
	}
	// Output:
	// 0 direct, 1 from groups
	// adele@contoso.example <nil>
	// ben@contoso.example <nil>
}

// A new colleague gets a license, loses a service plan of it, and leaves.
func Example_assign() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1, Plans: []licensingtest.Plan{{Name: "SWAY"}, {Name: "TEAMS1"}}})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
	client, ctx := tenant.Client(), context.Background()
	user, e3, sway := "adele@contoso.example", sku.ID, sku.Plans[0].ID

	if err := client.SetUsageLocation(ctx, user, "DE"); err != nil {
		log.Fatal(err)
	}
	if _, err := client.AssignUserLicense(ctx, user, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: e3}},
	}); err != nil {
		log.Fatal(err)
	}

	change := licensing.ServicePlanChange{Disable: []uuid.UUID{sway}}
	if _, err := client.UpdateUserServicePlans(ctx, user, e3, change); err != nil {
		log.Fatal(err)
	}
	if _, err := client.RemoveAllUserLicenses(ctx, user); err != nil {
		log.Fatal(err)
	}
	after, _ := tenant.User(user)
	fmt.Println(len(after.Licenses), "licenses,", len(tenant.Writes()), "writes")
	// Output: 0 licenses, 4 writes
}

func Example_errors() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	client, ctx, user := tenant.Client(), context.Background(), "adele@contoso.example"
	change := licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{tenant.AddSKU(licensingtest.SKU{}).ID}}

	_, err := client.AssignUserLicense(ctx, user, change)
	switch {
	case errors.Is(err, licensing.ErrOutcomeUnknown):
		fmt.Println("the change may have been made: send it again")
	case errors.Is(err, licensing.ErrNoAvailableLicenses):
		fmt.Println("buy seats")
	case licensing.Retryable(err):
		fmt.Println("try again later")
	case err != nil:
		fmt.Println(licensing.Kinds(err), err)
	}
	// Output: [license is not assigned] assign user license: 400 Request_BadRequest: User does not have a corresponding license. (request-id 00000005-0000-4000-8000-000000000001, 1 attempt)
}

func Example_retries() {
	tokens := licensing.StaticToken("token")

	client, err := licensing.NewClient(tokens, licensing.WithRetryPolicy(licensing.RetryPolicy{
		MaxAttempts:    3,                // requests per call, not counting throttled ones
		MaxWait:        20 * time.Second, // the longest Retry-After to wait for
		AttemptTimeout: 10 * time.Second, // per request
		MaxElapsed:     time.Minute,      // per call, including waits
	}))
	if err != nil {
		log.Fatal(err)
	}
	client.CloseIdleConnections()
	// Output:
}

func TestReadmeBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		tenant.SetThrottle(licensingtest.ThrottleEmpty)
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 300}).ID
		var users []string
		for i := range 300 {
			users = append(users, fmt.Sprintf("user%d@contoso.example", i))
			tenant.AddUser(licensingtest.User{UserPrincipalName: users[i], UsageLocation: "DE"})
		}
		client, ctx := tenant.Client(), t.Context()

		change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku}}}

		var operations []licensing.Operation
		for _, user := range users {
			operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: change})
		}
		for result := range client.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{}) {
			if !result.Done() {
				fmt.Println(result.Operation.Target, result.Err)
			}
		}
		if n := len(tenant.Writes()); n != 300 {
			t.Errorf("%d writes were made, want 300", n)
		}
	})
}

// What a run that was stopped leaves is made by the next one.
func Example_stop() {
	tenant := licensingtest.NewTenant()
	client := tenant.Client()
	var operations []licensing.Operation
	for range 1000 {
		user := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, licensing.Operation{Kind: licensing.OperationReprocessUser, Target: user.ID})
	}

	signaled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts := licensing.BulkOptions{Drain: signaled.Done()}
	left := maps.Collect(slices.All(operations)) // what the next run is to make
	for result := range client.Bulk(context.Background(), slices.Values(operations), opts) {
		operation := left[result.Index]
		operation.Resumed = operation.Resumed || result.Outcome() == licensing.OutcomeUnknown
		left[result.Index] = operation
		if result.Done() {
			delete(left, result.Index)
		}
		if result.Index == 0 {
			stop() // as SIGTERM does
		}
	}
	var next []licensing.Operation
	for _, index := range slices.Sorted(maps.Keys(left)) {
		next = append(next, left[index])
	}
	fmt.Println("stopped early:", len(next) > 0, "- all in all:", len(tenant.Writes())+len(next))
	// Output: stopped early: true - all in all: 1000
}

// A license for a group, and the members who do not get it.
func Example_group() {
	tenant := licensingtest.NewTenant()
	e3 := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1}).ID
	for _, name := range []string{"adele", "ben"} {
		tenant.AddUser(licensingtest.User{UserPrincipalName: name + "@contoso.example", UsageLocation: "DE"})
	}
	sales := tenant.AddGroup(licensingtest.Group{DisplayName: "Sales"}, "adele@contoso.example", "ben@contoso.example").ID
	tenant.ProcessAfter(time.Second)
	client, ctx := tenant.Client(), context.Background()

	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: e3}}}
	if _, err := client.AssignGroupLicense(ctx, sales, change); err != nil {
		log.Fatal(err)
	}
	if _, err := client.WaitForGroup(ctx, sales, change); err != nil {
		log.Fatal(err)
	}
	for member, err := range client.GroupMembersWithErrors(ctx, sales) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(member.UserPrincipalName, member.LicenseAssignmentStates[0].Err())
	}
	// Output: ben@contoso.example license 00000001-0000-4000-8000-000000000001: CountViolation (assigned by group 00000004-0000-4000-8000-000000000001): no available licenses
}

func Example_logging() {
	tokens := licensing.StaticToken("token")
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))

	client, err := licensing.NewClient(tokens, licensing.WithLogger(logger))
	if err != nil {
		log.Fatal(err)
	}
	client.CloseIdleConnections()
	// Output:
}

func TestReadmeTesting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 1})
		tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
		tenant.Fail(licensingtest.Fault{Drop: true, Apply: true}) // the change is made, its answer is lost
		client := tenant.Client()

		if _, err := client.AssignUserLicense(ctx, "adele@contoso.example", licensing.AssignLicenseRequest{
			AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
		}); err != nil {
			t.Fatal(err)
		}
		if n := len(tenant.Requests()); n != 2 {
			t.Errorf("%d requests were made, want 2", n)
		}
	})
}
