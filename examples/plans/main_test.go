package main

import (
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

// tool runs the tool on the fake tenant.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, notes, err := clitest.Run(t, run, args...)
	return out + notes, err
}

func TestMainJob(t *testing.T) {
	got, err := tool(t)
	if err != nil {
		t.Fatal(err)
	}
	const want = `No credentials in the environment: this is a fake tenant.

ENTERPRISEPACK of adele@contoso.example, before:
EXCHANGE_S_ENTERPRISE  on   direct, group Sales
SHAREPOINTENTERPRISE   off
YAMMER_ENTERPRISE      on   direct

switching off YAMMER_ENTERPRISE

ENTERPRISEPACK of adele@contoso.example, after:
EXCHANGE_S_ENTERPRISE  on   direct, group Sales
SHAREPOINTENTERPRISE   off
YAMMER_ENTERPRISE      off

switching on YAMMER_ENTERPRISE

ENTERPRISEPACK of adele@contoso.example, after:
EXCHANGE_S_ENTERPRISE  on   direct, group Sales
SHAREPOINTENTERPRISE   off
YAMMER_ENTERPRISE      on   direct
`
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestChanges(t *testing.T) {
	tests := []struct {
		name string
		args string
		want string // what follows on the state before
	}{
		{"user, by ids", "-user " + adele + " -sku 6fd2c87f-b296-42f0-b197-1e91e994b900 -enable 5DBE027F-2339-4123-9542-606E4D348A72 -disable yammer_enterprise", `
switching on SHAREPOINTENTERPRISE
switching off YAMMER_ENTERPRISE

ENTERPRISEPACK of adele@contoso.example, after:
EXCHANGE_S_ENTERPRISE  on   direct, group Sales
SHAREPOINTENTERPRISE   on   direct
YAMMER_ENTERPRISE      off
`},
		{"on through a group", "-user " + adele + " -sku ENTERPRISEPACK -disable EXCHANGE_S_ENTERPRISE", `
switching off EXCHANGE_S_ENTERPRISE
  which stays on through a group

ENTERPRISEPACK of adele@contoso.example, after:
EXCHANGE_S_ENTERPRISE  on   group Sales
SHAREPOINTENTERPRISE   off
YAMMER_ENTERPRISE      on   direct
`},
		{"group", "-group " + contoso.Sales + " -sku ENTERPRISEPACK -only SHAREPOINTENTERPRISE,YAMMER_ENTERPRISE", `
switching off EXCHANGE_S_ENTERPRISE
  warning: a mailbox that no other license keeps is deleted after 30 days
switching on SHAREPOINTENTERPRISE
switching on YAMMER_ENTERPRISE

ENTERPRISEPACK of 1132b215-826f-42a9-8cfe-1643d19d17fd, after:
EXCHANGE_S_ENTERPRISE  off
SHAREPOINTENTERPRISE   on   group Sales
YAMMER_ENTERPRISE      on   group Sales
`},
		{"nothing new", "-user " + adele + " -sku ENTERPRISEPACK -disable SHAREPOINTENTERPRISE", `
nothing to change
`},
		{"dry run", "-user " + adele + " -sku ENTERPRISEPACK -only SHAREPOINTENTERPRISE -dry-run", `
would switch off EXCHANGE_S_ENTERPRISE
  which stays on through a group
would switch on SHAREPOINTENTERPRISE
would switch off YAMMER_ENTERPRISE
`},
		{"dry run by default", "-dry-run", `
would switch off YAMMER_ENTERPRISE

would switch on YAMMER_ENTERPRISE
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tool(t, strings.Fields(test.args)...)
			if _, change, _ := strings.Cut(got, ", before:"); err != nil || !strings.HasSuffix(change, test.want) ||
				strings.Count(change, "\n\n") != strings.Count(test.want, "\n\n")+1 {
				t.Errorf("got %v and\n%s\nwant in the end\n%s", err, got, test.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	const e3 = " -sku ENTERPRISEPACK"
	clitest.Failures(t, run, []clitest.Failure{
		{"inherited", "-user " + ben + e3 + " -disable YAMMER_ENTERPRISE",
			"it comes from a group; change it there: ENTERPRISEPACK of ben@contoso.example: license is inherited from a group: group Sales (1132b215-826f-42a9-8cfe-1643d19d17fd)"},
		{"not held by the user", "-user " + adele + " -sku M365_F1 -disable TEAMS1", "adele@contoso.example has no M365_F1"},
		{"not held by the group", "-group " + contoso.Sales + " -sku M365_F1 -disable TEAMS1 -dry-run", contoso.Sales + " has no M365_F1"},
		{"no such user", "-user x@contoso.example" + e3 + " -disable YAMMER_ENTERPRISE", "there is no such user or group: read user licenses: 404 "},
		{"time is up", "-timeout 1s", "time is up, but what was accepted goes on; see -timeout: wait for user: "},
	})
	clitest.Misuses(t, run, []clitest.Failure{
		{"no such product", "-user " + adele + " -sku E3 -only TEAMS1", `the tenant has no such product: find SKU: "E3" is not one of the tenant's SKUs`},
		{"no such plan", "-user " + adele + e3 + " -enable YAMMER", `find service plan: invalid argument: "YAMMER" is not a service plan of SKU `},
		{"on and off", "-user " + adele + e3 + " -enable YAMMER_ENTERPRISE -disable YAMMER_ENTERPRISE", "change service plans: invalid argument: Disable[0]: "},
		{"two targets", "-user x -group y" + e3 + " -only TEAMS1", "-user and -group exclude each other"},
		{"no target", "-disable TEAMS1", "name a target with -user or -group"},
		{"no product", "-user x -only TEAMS1", "name a product with -sku"},
		{"no change", "-user x" + e3, "say what to do with -enable, -disable or -only"},
		{"only and more", "-user x" + e3 + " -only TEAMS1 -enable TEAMS1", "-only goes without -enable and -disable"},
		{"empty name", "-only TEAMS1,", `invalid value "TEAMS1," for flag -only: a name is empty`},
		{"no time", "-timeout 0", `invalid value "0" for flag -timeout: `},
	})
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) {
	clitest.Real(t, run, "-user", adele, "-sku", "ENTERPRISEPACK", "-only", "YAMMER_ENTERPRISE")
	clitest.NeedsArguments(t, run, "name a target with -user or -group")
}
