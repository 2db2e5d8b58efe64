package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

// tool runs the tool on the fake tenant.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, notes, err := clitest.Run(t, run, args...)
	return out + notes, err
}

const first = `No credentials in the environment: this is a fake tenant.
ENTERPRISEPACK is accepted for group Sales
processing of group Sales is complete

member                product         from         state  cause
cleo@contoso.example  ENTERPRISEPACK  group Sales  Error  no seat is free (CountViolation)
`

func TestMainJob(t *testing.T) {
	got, err := tool(t)
	const want = first + `
dan@contoso.example has left, and the seat is free
cleo@contoso.example: repaired
`
	if err != nil || got != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, want)
	}
}

func TestWithoutReprocessing(t *testing.T) {
	got, err := tool(t, "-group", contoso.Sales, "-sku", "enterprisepack")
	if got != first || err == nil || err.Error() != "in error: 1; -reprocess tries again once the cause is gone" {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, first)
	}
}

func TestProductThatTheGroupHas(t *testing.T) {
	got, err := tool(t, "-group", contoso.Sales, "-sku", "M365_F1")
	const want = `No credentials in the environment: this is a fake tenant.
group Sales has M365_F1 already
processing of group Sales is complete
no member is in error
`
	if err != nil || got != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, want)
	}
}

func TestReprocessingThatDoesNotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		cmd := command{group: contoso.Sales, sku: "ENTERPRISEPACK", timeout: time.Minute, reprocess: true}
		err := cmd.do(t.Context(), newDemo(&out).client, &out, func(context.Context) error { return nil })
		if err == nil || err.Error() != "still in error: 1" || !strings.Contains(out.String(), "\ncleo@contoso.example: no seat is free: reprocess user license: 400 ") {
			t.Errorf("got %v and\n%s", err, out.String())
		}
	})
}

func TestErrors(t *testing.T) {
	clitest.Failures(t, run, []clitest.Failure{
		{"time is up", "-group " + contoso.Sales + " -sku ENTERPRISEPACK -timeout 1s", "time is up, but what was accepted goes on; see -timeout: wait for group: "},
		{"no such group", "-group 2132b215-826f-42a9-8cfe-1643d19d17fd -sku ENTERPRISEPACK", "there is no such user or group: read group licenses: 404 "},
	})
	clitest.Misuses(t, run, []clitest.Failure{
		{"no such product", "-group " + contoso.Sales + " -sku ENTERPRISEPAK", `the tenant has no such product: find SKU: "ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?`},
		{"not a group id", "-group Sales -sku ENTERPRISEPACK", "read group licenses: invalid argument: groupID is \"Sales\", not a GUID"},
		{"no product", "-group " + contoso.Sales, "name a group and a product with -group and -sku"},
		{"no group", "-sku ENTERPRISEPACK", "name a group and a product with -group and -sku"},
		{"only reprocess", "-reprocess", "name a group and a product with -group and -sku"},
		{"no time", "-timeout -1s", `invalid value "-1s" for flag -timeout: `},
	})
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) {
	clitest.Real(t, run, "-group", contoso.Sales, "-sku", "ENTERPRISEPACK")
	clitest.NeedsArguments(t, run, "name a group and a product with -group and -sku")
}
