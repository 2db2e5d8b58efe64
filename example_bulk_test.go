package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

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
