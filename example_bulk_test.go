package licensing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// What an earlier run left is given to the next, in its order. A removal in doubt
// counts as made where there is nothing to remove any more.
func ExampleOperationResult_Outcome() {
	tenant, e3, _ := contoso()
	client := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1, Fence: -1})) // to be quick
	plan := []licensing.Operation{
		{Kind: licensing.OperationAssignUser, Target: "adele@contoso.example", Request: licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{e3.ID}}, Ref: "INC-1"},
		{Kind: licensing.OperationReprocessUser, Target: "adele@contoso.example", Ref: "INC-2"},
	}
	tenant.Fail(licensingtest.Fault{Apply: true, Drop: true}) // made, and no answer says so
	for run := range 2 {
		left := make([]licensing.Operation, len(plan)) // in the order of the input
		for result := range client.Bulk(context.Background(), slices.Values(plan), licensing.BulkOptions{}) {
			fmt.Println("run", run+1, result.Operation.Ref, result.Outcome())
			result.Operation.Resumed = result.Operation.Resumed || result.Outcome() == licensing.OutcomeUnknown
			left[result.Index] = result.Operation
		}
		plan = left
	}
	// Output:
	// run 1 INC-1 unknown
	// run 1 INC-2 notSent
	// run 2 INC-1 done
	// run 2 INC-2 done
}

func ExampleOperation_UnmarshalJSON() {
	const line = `{"kind":"assignUser","target":"adele@contoso.example","request":{"addLicenses":[
		{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disablePlans":[]}]}}`
	var op licensing.Operation
	fmt.Println(json.Unmarshal([]byte(line), &op))
	// Output: operation: json: unknown field "disablePlans"
}
