package licensing_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
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
		case errors.Is(err, licensing.ErrOutcomeUnknown):
			fmt.Println(user, "may have E3: send it again")
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
		MaxAttempts:    3,                // requests per call, not counting throttled ones; 1 never sends again
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

// makeAll makes operations, and writes each result as a line of JSON as soon as it
// is known. SIGTERM ends the run in good order, and so does a result that cannot be
// written.
func makeAll(client *licensing.Client, operations []licensing.Operation, results io.Writer) error {
	signaled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts := licensing.BulkOptions{Drain: signaled.Done()}
	lines := json.NewEncoder(results)
	var unwritten error
	for result := range client.Bulk(context.Background(), slices.Values(operations), opts) {
		if err := lines.Encode(result); err != nil {
			stop()
			unwritten = err
		}
	}
	return unwritten
}

// unfinished returns what the next run is to make: the operations that have no
// result, and those that ended unknown or were not sent.
func unfinished(operations []licensing.Operation, results io.Reader) ([]licensing.Operation, error) {
	outcomes := make(map[int]licensing.Outcome)
	for lines := bufio.NewReader(results); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			break // a line without an end is what a kill has left of it
		} else if err != nil {
			return nil, err
		}
		var result licensing.OperationResult
		if err := json.Unmarshal(line, &result); err != nil {
			return nil, err
		}
		outcomes[result.Index] = result.Outcome()
	}
	var next []licensing.Operation
	for i, operation := range operations {
		switch outcome, known := outcomes[i]; {
		case !known, outcome == licensing.OutcomeUnknown:
			operation.Resumed = true
		case outcome != licensing.OutcomeNotSent:
			continue // done, or failed
		}
		next = append(next, operation)
	}
	return next, nil
}

// A disk has room for so many bytes.
type disk struct {
	bytes.Buffer
	room int
}

func (d *disk) Write(text []byte) (int, error) {
	if n := min(len(text), d.room-d.Len()); n < len(text) {
		d.Buffer.Write(text[:n])
		return n, syscall.ENOSPC
	}
	return d.Buffer.Write(text)
}

// A run that cannot go on, here since the disk is full, leaves a part of a line. The
// next run makes what has no result.
func Example_stop() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1000}).ID
	client := tenant.Client()
	var operations []licensing.Operation
	for range 1000 {
		user := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		operations = append(operations, licensing.Operation{
			Kind: licensing.OperationAssignUser, Target: user.ID,
			Request: licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku}}},
		})
	}

	for _, room := range []int{10_000, 1_000_000} {
		results := disk{room: room}
		fmt.Println(makeAll(client, operations, &results))
		left, err := unfinished(operations, &results)
		if err != nil {
			log.Fatal(err)
		}
		operations = left
		fmt.Println("sent all:", len(tenant.Writes()) >= 1000, "- some are left:", len(left) > 0)
	}
	n, err := client.CountUsers(context.Background(), "assignedLicenses/any(l:l/skuId eq "+sku.String()+")")
	fmt.Println(n, "have it", err)
	// Output:
	// no space left on device
	// sent all: false - some are left: true
	// <nil>
	// sent all: true - some are left: false
	// 1000 have it <nil>
}

// What does not count as a result is made again, and marked; what failed is not.
func TestReadmeUnfinished(t *testing.T) {
	var operations []licensing.Operation
	for i := range 7 {
		operations = append(operations, licensing.Operation{Kind: licensing.OperationReprocessUser, Target: fmt.Sprint("user", i)})
	}
	operations[3].Resumed = true
	next, err := unfinished(operations, strings.NewReader(`{"index":2,"operation":{"kind":"reprocessUser","target":"user2"},"outcome":"unknown","attempts":1,"error":{"kinds":["outcomeUnknown"]}}
{"index":0,"operation":{"kind":"reprocessUser","target":"user0"},"outcome":"done","attempts":1}
{"index":3,"operation":{"kind":"reprocessUser","target":"user3"},"outcome":"notSent","error":{"kinds":["stopped"]}}
{"index":4,"operation":{"kind":"reprocessUser","target":"user4"},"outcome":"notSent","error":{"kinds":["stopped"]}}
{"index":1,"operation":{"kind":"reprocessUser","target":"user1"},"outcome":"failed","attempts":1,"error":{"kinds":["notFound"],"statusCode":404}}
{"index":5,"outcome":"done","atte`))
	var got []string
	for _, o := range next {
		got = append(got, fmt.Sprint(o.Target, " ", o.Resumed))
	}
	if want := []string{"user2 true", "user3 true", "user4 false", "user5 true", "user6 true"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("left are %q, %v, want %q", got, err, want)
	}
	if _, err := unfinished(operations, strings.NewReader("{\n{}\n")); err == nil {
		t.Error("a torn line before the last one is no error")
	}
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
