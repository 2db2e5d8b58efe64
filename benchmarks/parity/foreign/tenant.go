package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// The tenant that the calls are made on.
const (
	adele   = "adele@contoso.example"
	adeleID = "11111111-1111-4111-8111-111111111111"
	alex    = "alex@contoso.example" // a member of sales
	alexID  = "11111111-1111-4111-8111-111111111112"
	guest   = "guest_fabrikam.example#EXT#@contoso.example"
	dollar  = "$dollar@contoso.example"
	lee     = "lee@contoso.example" // without a usage location
	leeID   = "11111111-1111-4111-8111-111111111115"
	nobody  = "nobody@contoso.example" // who is not there

	sales   = "22222222-2222-4222-8222-222222222222" // gives e5 to its members
	staff   = "22222222-2222-4222-8222-222222222223"
	absent  = "22222222-2222-4222-8222-222222222229"
	users   = 245
	e3      = "6fd2c87f-b296-42f0-b197-1e91e994b900"
	e5      = "c7df2760-2c81-4ef7-b578-5b5392b571df"
	addOn   = "84a661c4-e949-4bd2-a560-ed7766fcaf2b" // needs sites
	soldOut = "90d8b3f8-712e-4f7b-aa1e-62e7ae6cbe96"
	unknown = "99999999-9999-4999-8999-999999999999"

	mail  = "efb87545-963c-4e0d-99df-69c6916d9eb0"
	sites = "5dbe027f-2339-4123-9542-606e4d348a72"
	extra = "fe71d6c3-a2ea-4499-9778-da042bf08063"
)

func newTenant() *licensingtest.Tenant {
	t := licensingtest.NewTenant()
	id := uuid.MustParse
	plans := []licensingtest.Plan{
		{ID: id(mail), Name: "EXCHANGE_S_ENTERPRISE", Service: "exchange"},
		{ID: id(sites), Name: "SHAREPOINTENTERPRISE", Service: "SharePoint"},
	}
	t.AddSKU(licensingtest.SKU{ID: id(e3), PartNumber: "ENTERPRISEPACK", Seats: 50, Plans: plans})
	t.AddSKU(licensingtest.SKU{ID: id(e5), PartNumber: "ENTERPRISEPREMIUM", Seats: 50, Plans: plans})
	t.AddSKU(licensingtest.SKU{ID: id(addOn), PartNumber: "ADD_ON", Seats: 50, Plans: []licensingtest.Plan{{ID: id(extra), DependsOn: []uuid.UUID{id(sites)}}}})
	t.AddSKU(licensingtest.SKU{ID: id(soldOut), PartNumber: "SOLD_OUT"})

	for i, name := range []string{adele, alex, guest, dollar} {
		t.AddUser(licensingtest.User{ID: fmt.Sprintf("11111111-1111-4111-8111-%012d", 111111111111+i), UserPrincipalName: name, DisplayName: "User " + name[:4], UsageLocation: "DE", UserType: userType(name)})
	}
	t.AddUser(licensingtest.User{ID: leeID, UserPrincipalName: lee, DisplayName: "User lee"})
	for i := 5; i < users; i++ {
		t.AddUser(licensingtest.User{UserPrincipalName: fmt.Sprintf("user%03d@contoso.example", i), UsageLocation: "US"})
	}
	t.AddGroup(licensingtest.Group{ID: sales, DisplayName: "Sales", Licenses: []licensingtest.License{{SKUID: id(e5)}}}, alex)
	t.AddGroup(licensingtest.Group{ID: staff, DisplayName: "Staff", GroupTypes: []string{"Unified"}, MailEnabled: true}, lee)
	return t
}

func userType(name string) string {
	if strings.Contains(name, "#EXT#") {
		return "Guest"
	}
	return "Member"
}

// throttled has the tenant refuse so many requests with 429.
func throttled(times int) func(*licensingtest.Tenant) {
	return func(t *licensingtest.Tenant) {
		t.Fail(licensingtest.Fault{
			Times: times, Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Too many requests",
			Header: http.Header{"Retry-After": {"1"}},
		})
	}
}

func emptyPages(t *licensingtest.Tenant)   { t.SetEmptyPages(true) }
func noEmptyPages(t *licensingtest.Tenant) { t.SetEmptyPages(false) }

func signIn(t *licensingtest.Tenant)  { t.SignIn(adele) }
func signOut(t *licensingtest.Tenant) { t.SignIn("") }
