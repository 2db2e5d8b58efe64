package main

import (
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
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

before                 SKU      from    without  state
adele@contoso.example  M365_F1  direct  -        Active
ben@contoso.example    M365_F1  direct  -        Active
done for user 00000003-0000-4000-8000-000000000001

POST /v1.0/users/adele@contoso.example/assignLicense -> 200
  {"addLicenses":[{"disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"],"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900"}],"removeLicenses":["50f60901-3181-4b75-8a2c-4c8e4c1d5a72"]}

after                  SKU             from    without            state
adele@contoso.example  ENTERPRISEPACK  direct  YAMMER_ENTERPRISE  Active
ben@contoso.example    M365_F1         direct  -                  Active
`
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestTargets(t *testing.T) {
	const (
		e3 = "6fd2c87f-b296-42f0-b197-1e91e994b900"
		f1 = "50f60901-3181-4b75-8a2c-4c8e4c1d5a72"
	)
	tests := []struct {
		name string
		args string
		want string // a line of the output
	}{
		{"user", "-user ben@contoso.example -remove " + f1, "POST /v1.0/users/ben@contoso.example/assignLicense -> 200"},
		{"me", "-me -add " + e3, "POST /v1.0/me/assignLicense -> 200"},
		{"group", "-group " + sales + " -add " + e3, "ben@contoso.example    ENTERPRISEPACK  group Sales  -        Active"},
		{"reprocess user", "-user ben@contoso.example -reprocess", "POST /v1.0/users/ben@contoso.example/reprocessLicenseAssignment -> 200"},
		{"reprocess me", "-me -reprocess", "POST /v1.0/me/reprocessLicenseAssignment -> 200"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tool(t, strings.Fields(test.args)...)
			if err != nil || !strings.Contains(got, test.want+"\n") {
				t.Errorf("got %v and\n%s\nwant a line\n%s", err, got, test.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	const (
		e3   = "6fd2c87f-b296-42f0-b197-1e91e994b900"
		f1   = "50f60901-3181-4b75-8a2c-4c8e4c1d5a72"
		body = `  {"addLicenses":[{"disabledPlans":["5dbe027f-2339-4123-9542-606e4d348a72","7547a3fe-08ee-4ccb-b430-5077c5041653"],"skuId":"` + e3 + `"}],"removeLicenses":["` + f1 + `"]}` + "\n"
		read = "\nGET /v1.0/subscribedSkus -> 200\n"
		sent = "POST /v1.0/users/ben@contoso.example/assignLicense -> 200\n" + body
	)
	for _, test := range []struct{ name, args, want string }{
		{"names", "-add enterprisepack,SHAREPOINTENTERPRISE,yammer_enterprise -remove M365_F1", read + sent},
		{"name of a plan", "-add " + e3 + ",5DBE027F-2339-4123-9542-606E4D348A72,YAMMER_ENTERPRISE -remove " + f1, read + sent},
		{"name of a SKU", "-add ENTERPRISEPACK,5dbe027f-2339-4123-9542-606e4d348a72,7547a3fe-08ee-4ccb-b430-5077c5041653 -remove " + f1, read + sent},
		{"GUIDs", "-add " + e3 + ",5dbe027f-2339-4123-9542-606e4d348a72,7547a3fe-08ee-4ccb-b430-5077c5041653 -remove " + f1, "\n" + sent},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := tool(t, strings.Fields("-user ben@contoso.example "+test.args)...)
			if err != nil || !strings.Contains(got, "\n"+test.want+"\nafter ") {
				t.Errorf("got %v and\n%s\nwant\n%s", err, got, test.want)
			}
		})
	}
	got, err := tool(t, "-group", sales, "-add", "M365_F1", "-add", "ENTERPRISEPACK")
	if want := `{"addLicenses":[{"disabledPlans":[],"skuId":"` + f1 + `"},{"disabledPlans":[],"skuId":"` + e3 + `"}],"removeLicenses":[]}`; err != nil || !strings.Contains(got, want) {
		t.Errorf("got %v and\n%s\nwant\n%s", err, got, want)
	}
}

func TestErrors(t *testing.T) {
	const sku = "6fd2c87f-b296-42f0-b197-1e91e994b900"
	clitest.Failures(t, run, []clitest.Failure{
		{"nothing to remove", "-me -remove " + sku, "there is nothing to remove: assign my license: 400 Request_BadRequest: "},
		{"no such user", "-user x@contoso.example -add " + sku, "there is no such user or group: assign user license: 404 Request_ResourceNotFound: "},
	})
	clitest.Misuses(t, run, []clitest.Failure{
		{"no such SKU by name", "-me -remove E3", `the tenant has no such product: find SKU: "E3" is not one of the tenant's SKUs`},
		{"no such plan", "-me -add enterprisepack,YAMMER", `find service plan: invalid argument: "YAMMER" is not a service plan of SKU `},
		{"plan of another SKU", "-me -add ENTERPRISEPACK,TEAMS1", `find service plan: invalid argument: "TEAMS1" is not a service plan of SKU `},
		{"no such SKU", "-me -add " + sales, "the tenant has no such product: assign my license: 400 Request_BadRequest: "},
		{"not a group id", "-group Sales -add " + sku, "assign group license: invalid argument: groupID is \"Sales\", not a GUID"},
		{"empty plan", "-me -add ENTERPRISEPACK,", `invalid value "ENTERPRISEPACK," for flag -add: a name is empty`},
		{"no target", "-add " + sku, "name a target with -user, -me or -group"},
		{"two targets", "-me -user x -add " + sku, "-user, -me and -group exclude each other"},
		{"no change", "-me", "say what to do with -add, -remove or -reprocess"},
		{"reprocess and change", "-me -reprocess -add " + sku, "-reprocess goes without -add and -remove"},
		{"reprocess a group", "-group x -reprocess", "-reprocess is for users"},
	})
}

const sales = "1132b215-826f-42a9-8cfe-1643d19d17fd"

func TestRealTenantWhereThereAreCredentials(t *testing.T) {
	clitest.Real(t, run, "-me", "-reprocess")
	clitest.NeedsArguments(t, run, "name a target with -user, -me or -group")
}
