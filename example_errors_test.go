package licensing_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func ExampleKinds() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "alex@contoso.example"})
	client := tenant.Client()

	// A run counts its failures by kind.
	count := make(map[error]int)
	for result := range client.Bulk(context.Background(), slices.Values([]licensing.Operation{
		{Kind: licensing.OperationReprocessUser, Target: "nobody@contoso.example"},
		{Kind: licensing.OperationSetUsageLocation, Target: "no.one@contoso.example", UsageLocation: "DE"},
		{Kind: licensing.OperationAssignUser, Target: "alex@contoso.example", Request: licensing.AssignLicenseRequest{
			AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
		}},
	}), licensing.BulkOptions{}) {
		for _, kind := range licensing.Kinds(result.Err) {
			count[kind]++
		}
	}
	for kind, n := range count {
		fmt.Println(kind, n)
	}
	// Unordered output:
	// not found 2
	// usage location not set or not allowed 1
}

func ExampleRetryable() {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{AppliesTo: "Company"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	tenant.Fail(licensingtest.Fault{Status: 429})
	client := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1}))

	// A scheduler puts back what passes, and reports the rest.
	for range 2 {
		_, err := client.AssignUserLicense(context.Background(), "adele@contoso.example", licensing.AssignLicenseRequest{
			AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
		})
		if licensing.Retryable(err) {
			fmt.Println("again later:", licensing.Kinds(err))
		} else if err != nil {
			fmt.Println("for somebody to see:", licensing.Kinds(err))
		}
	}
	// Output:
	// again later: [throttled]
	// for somebody to see: [license cannot be assigned to users or groups]
}
