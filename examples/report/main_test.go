package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/examples/internal/names"
	"github.com/graphlicensing/licensing/licensingtest"
)

// tool runs the tool on the fake tenant.
func tool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, notes, err := clitest.Run(t, run, args...)
	if err == nil && notes != contoso.Notice+"\n" {
		t.Errorf("noted %q", notes)
	}
	return out, err
}

// productNames writes a file of names, and returns its path.
func productNames(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "names.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const published = `Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names
Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,YAMMER_ENTERPRISE,7547a3fe-08ee-4ccb-b430-5077c5041653,Viva Engage
`

const everything = `user                   product         from                         plans   state   error
adele@contoso.example  ENTERPRISEPACK  direct                       1 of 3  Active
adele@contoso.example  ENTERPRISEPACK  group Sales                  2 of 3  Active
ben@contoso.example    ENTERPRISEPACK  group Sales                  2 of 3  Active
ben@contoso.example    M365_F1         group Frontline, all shifts  all     Active
cleo@contoso.example   M365_F1         direct                       all     Active
cleo@contoso.example   ENTERPRISEPACK  group Sales                  2 of 3  Error   no seat is free (CountViolation)
dan@contoso.example    M365_F1         group Frontline, all shifts  all     Error   set the user's usage location, or choose a product that is sold there (ProhibitedInUsageLocationViolation)

product         status   seats  used  free
ENTERPRISEPACK  Enabled  2      2     0
M365_F1         Enabled  10     2     8
`

func TestReports(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"everything", nil, everything},
		{"product", []string{"-sku", "m365_f1"}, `user                  product  from                         plans  state   error
ben@contoso.example   M365_F1  group Frontline, all shifts  all    Active
cleo@contoso.example  M365_F1  direct                       all    Active

product  status   seats  used  free
M365_F1  Enabled  10     2     8
`},
		{"errors of a product", []string{"-sku", "ENTERPRISEPACK", "-errors"}, `user                  product         from         plans   state  error
cleo@contoso.example  ENTERPRISEPACK  group Sales  2 of 3  Error  no seat is free (CountViolation)

product         status   seats  used  free
ENTERPRISEPACK  Enabled  2      2     0
`},
		{"names", []string{"-sku", "Office 365 E3", "-names", productNames(t, published)}, `user                   product        from         plans   state   error
adele@contoso.example  Office 365 E3  direct       1 of 3  Active
adele@contoso.example  Office 365 E3  group Sales  2 of 3  Active
ben@contoso.example    Office 365 E3  group Sales  2 of 3  Active

product        status   seats  used  free
Office 365 E3  Enabled  2      2     0
`},
		{"CSV", []string{"-csv", "-names", productNames(t, published)}, `user,name,product,part number,product id,group,group id,plans off,state,error
adele@contoso.example,Adele Vance,Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,,,SHAREPOINTENTERPRISE; Viva Engage,Active,
adele@contoso.example,Adele Vance,Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,Sales,1132b215-826f-42a9-8cfe-1643d19d17fd,Viva Engage,Active,
ben@contoso.example,Ben Walters,Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,Sales,1132b215-826f-42a9-8cfe-1643d19d17fd,Viva Engage,Active,
ben@contoso.example,Ben Walters,M365_F1,M365_F1,50f60901-3181-4b75-8a2c-4c8e4c1d5a72,"Frontline, all shifts",2132b215-826f-42a9-8cfe-1643d19d17fd,,Active,
cleo@contoso.example,Cleo Díaz,M365_F1,M365_F1,50f60901-3181-4b75-8a2c-4c8e4c1d5a72,,,,Active,
cleo@contoso.example,Cleo Díaz,Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,Sales,1132b215-826f-42a9-8cfe-1643d19d17fd,Viva Engage,Error,CountViolation
dan@contoso.example,Dan Jump,M365_F1,M365_F1,50f60901-3181-4b75-8a2c-4c8e4c1d5a72,"Frontline, all shifts",2132b215-826f-42a9-8cfe-1643d19d17fd,,Error,ProhibitedInUsageLocationViolation
`},
		{"CSV of the seats", []string{"-csv", "-seats"}, `product,part number,product id,status,seats,used,free
ENTERPRISEPACK,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,Enabled,2,2,0
M365_F1,M365_F1,50f60901-3181-4b75-8a2c-4c8e4c1d5a72,Enabled,10,2,8
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tool(t, test.args...)
			if err != nil || got != test.want {
				t.Errorf("got %v and\n%s\nwant\n%s", err, got, test.want)
			}
		})
	}
}

func TestAsksForEachGroupOnce(t *testing.T) {
	tenant := newTenant()
	var out bytes.Buffer
	if err := new(command).report(t.Context(), tenant.Client(), nil, &out); err != nil || out.String() != everything {
		t.Fatalf("got %v and\n%s", err, out.String())
	}
	asked := map[string]int{}
	for _, r := range tenant.Requests() {
		asked[r.Path]++
	}
	for path, times := range asked {
		if times != 1 {
			t.Errorf("asked %d times for %s", times, path)
		}
	}
	if len(asked) != 4 { // the SKUs, the users and two groups
		t.Errorf("asked for %v", asked)
	}
}

func TestProductThatTheTenantHasNoLonger(t *testing.T) {
	state := licensing.LicenseAssignmentState{SKUID: uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900"), State: licensing.AssignmentStateActive}
	tenant, err := names.Read(t.Context(), licensingtest.NewTenant().Client())
	if err != nil {
		t.Fatal(err)
	}
	got, err := holderCells(t.Context(), tenant, &licensing.User{UserPrincipalName: "adele@contoso.example"}, state, false)
	if want := "adele@contoso.example|6fd2c87f-b296-42f0-b197-1e91e994b900|direct|?|Active|"; err != nil || strings.Join(got, "|") != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestKeepsWhatWasReadBeforeAnError(t *testing.T) {
	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{
		Match: func(r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, "2132b215-826f-42a9-8cfe-1643d19d17fd")
		},
		Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: "Lifetime validation failed, the token is expired.", Times: -1,
	})
	var out bytes.Buffer
	err := (&command{csv: true}).report(t.Context(), tenant.Client(), nil, &out)
	if err == nil || !strings.HasPrefix(cli.Explain(err), "not signed in: read group licenses: 401 ") || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("got %v and\n%s", err, out.String())
	}
}

func TestErrors(t *testing.T) {
	clitest.Misuses(t, run, []clitest.Failure{
		{"no such product", "-sku E3", `the tenant has no such product: find SKU: "E3" is not one of the tenant's SKUs`},
		{"no such file", "-names " + filepath.Join(t.TempDir(), "names.csv"), "open "},
		{"not such a file", "-names " + productNames(t, "id,name\n"), "read product names: "},
		{"errors of seats", "-errors -seats", "-errors and -seats exclude each other"},
	})
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) { clitest.Real(t, run) }
