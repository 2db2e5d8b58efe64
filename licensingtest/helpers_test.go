package licensingtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// The directory that most tests start from.
var (
	officeID   = uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")
	callingID  = uuid.MustParse("e43b5b99-8dfb-405f-9987-dc307f34bcbd")
	basicID    = uuid.MustParse("3b555118-da6a-4418-894f-7df1e2096870")
	companyID  = uuid.MustParse("47794cd0-f0e5-45c5-9033-2eb6b5fc84e0")
	exchangeID = uuid.MustParse("efb87545-963c-4e0d-99df-69c6916d9eb0")
	teamsID    = uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929")
	yammerID   = uuid.MustParse("7547a3fe-08ee-4ccb-b430-5077c5041653")
	phoneID    = uuid.MustParse("4828c8ec-dc2e-4779-b502-87ac9ce28ab7")
	liteID     = uuid.MustParse("9aaf7827-d63c-4b61-89c3-182f06f82e5c")

	adeleID = "87d349ed-44d7-43e1-9a83-5f2406dee5bd"
	salesID = "1132b215-826f-42a9-8cfe-1643d19d17fd"
)

const adele = "adele@contoso.example"

// adeleBare is adele in an answer that has the default properties: to a read
// without $select, and to a write.
const adeleBare = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd","businessPhones":[],
	"displayName":"Adele Vance","givenName":null,"jobTitle":null,"mail":null,"mobilePhone":null,"officeLocation":null,"preferredLanguage":null,"surname":null,
	"userPrincipalName":"adele@contoso.example"}`

// newTenant returns a tenant with four SKUs, a user adele in the US, and an
// empty group.
//
//	office   3 seats: exchange, teams, yammer
//	calling  3 seats: phone, which needs teams; barred in IN
//	basic    3 seats: lite, which excludes exchange
//	company  for no user
func newTenant() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(licensingtest.SKU{ID: officeID, PartNumber: "ENTERPRISEPACK", Seats: 3, Plans: []licensingtest.Plan{
		{ID: exchangeID, Name: "EXCHANGE_S_ENTERPRISE", Service: "exchange"},
		{ID: teamsID, Name: "TEAMS1", Service: "TeamspaceAPI"},
		{ID: yammerID, Name: "YAMMER_ENTERPRISE"},
	}})
	tenant.AddSKU(licensingtest.SKU{ID: callingID, PartNumber: "MCOEV", Seats: 3, BarredIn: []string{"IN"}, Plans: []licensingtest.Plan{
		{ID: phoneID, Name: "MCOEV", DependsOn: []uuid.UUID{teamsID}},
	}})
	tenant.AddSKU(licensingtest.SKU{ID: basicID, PartNumber: "EXCHANGESTANDARD", Seats: 3, Plans: []licensingtest.Plan{
		{ID: liteID, Name: "EXCHANGE_S_STANDARD", ConflictsWith: []uuid.UUID{exchangeID}},
	}})
	tenant.AddSKU(licensingtest.SKU{ID: companyID, PartNumber: "WINDOWS_STORE", Seats: 3, AppliesTo: "Company"})
	tenant.AddUser(licensingtest.User{ID: adeleID, UserPrincipalName: adele, DisplayName: "Adele Vance", UsageLocation: "US"})
	tenant.AddGroup(licensingtest.Group{ID: salesID, DisplayName: "Sales"})
	return tenant
}

// An answer is what came back from the tenant.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request with a token and, if there is a body, a JSON content
// type. Headers are given as "name: value", without value to leave one out.
func call(t *testing.T, tenant *licensingtest.Tenant, method, path, body string, headers ...string) answer {
	t.Helper()
	req := newRequest(t, method, path, body, headers...)
	resp, err := tenant.RoundTripper().RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) answer {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("body: %v", err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func newRequest(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://graph.microsoft.com/v1.0"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer secret")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		req.Header.Del(name)
		if value = strings.TrimSpace(value); value != "" {
			req.Header.Set(name, value)
		}
	}
	return req
}

// assign calls assignLicense, of a user by default, and fails the test unless
// it is accepted.
func assign(t *testing.T, tenant *licensingtest.Tenant, path, body string) answer {
	t.Helper()
	a := call(t, tenant, "POST", path+"/assignLicense", body)
	if a.status/100 != 2 {
		t.Fatalf("assignLicense %s of %s: %d %s", body, path, a.status, a.body)
	}
	return a
}

// add and remove write the bodies of assignLicense.
func add(sku uuid.UUID, disabled ...uuid.UUID) string {
	if disabled == nil {
		disabled = []uuid.UUID{}
	}
	plans, _ := json.Marshal(disabled)
	return `{"addLicenses":[{"skuId":"` + sku.String() + `","disabledPlans":` + string(plans) + `}],"removeLicenses":[]}`
}

func remove(sku uuid.UUID) string {
	return `{"addLicenses":[],"removeLicenses":["` + sku.String() + `"]}`
}

// wantError checks that an answer is an error with exactly this text.
func wantError(t *testing.T, a answer, status int, code, message string) {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("answer %d %q is no JSON: %v", a.status, a.body, err)
	}
	if a.status != status || body.Error.Code != code || body.Error.Message != message {
		t.Errorf("got  %d %s %q\nwant %d %s %q", a.status, body.Error.Code, body.Error.Message, status, code, message)
	}
}

// wantJSON checks that an answer's body is this JSON, whatever the order and
// space.
func wantJSON(t *testing.T, a answer, status int, want string) {
	t.Helper()
	var got, wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("answer %d %q is no JSON: %v", a.status, a.body, err)
	}
	if a.status != status || !reflect.DeepEqual(got, wanted) {
		t.Errorf("got  %d %s\nwant %d %s", a.status, a.body, status, want)
	}
}

// rows prints the licenses of a user, as part number or first characters of the
// SKU, the source, the state, and the number of disabled plans.
func rows(t *testing.T, tenant *licensingtest.Tenant, user string) string {
	t.Helper()
	u, ok := tenant.User(user)
	if !ok {
		t.Fatalf("no user %q", user)
	}
	var lines []string
	for _, row := range u.States {
		sku, _ := tenant.SKU(row.SKUID)
		source := "direct"
		if row.Group != "" {
			g, _ := tenant.Group(row.Group)
			source = g.DisplayName
		}
		line := sku.PartNumber + " " + source + " " + row.State
		if row.Error != "None" {
			line += " " + row.Error
		}
		if n := len(row.DisabledPlans); n > 0 {
			line += " -" + string(rune('0'+n))
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func wantRows(t *testing.T, tenant *licensingtest.Tenant, user, want string) {
	t.Helper()
	if got := rows(t, tenant, user); got != want {
		t.Errorf("licenses of %s:\ngot  %s\nwant %s", user, got, want)
	}
}

func wantConsumed(t *testing.T, tenant *licensingtest.Tenant, sku uuid.UUID, want int) {
	t.Helper()
	s, ok := tenant.SKU(sku)
	if !ok || s.Consumed != want {
		t.Errorf("%s: %d seats consumed, want %d", s.PartNumber, s.Consumed, want)
	}
}
