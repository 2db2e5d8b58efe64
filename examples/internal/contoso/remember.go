package contoso

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// Remember makes what a file of results shows as done, for a fake tenant forgets all
// when its process ends, and to go on is worth trying, too.
func Remember(ctx context.Context, tenant *licensingtest.Tenant, name string) error {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var done []licensing.Operation
	for line := range bytes.Lines(text) {
		var result licensing.OperationResult
		if json.Unmarshal(line, &result) == nil && result.Done() {
			done = append(done, result.Operation)
		}
	}
	// One after the other, as they were made: seats were given back before they were taken.
	for range tenant.Client().Bulk(ctx, slices.Values(done), licensing.BulkOptions{Concurrency: 1}) {
	}
	return err
}
