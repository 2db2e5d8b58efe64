package licensing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestUserQueries(t *testing.T) {
	t.Parallel()
	const has = "assignedLicenses%2Fany%28x%3Ax%2FskuId%20eq%20aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa%29"
	tests := map[string]struct {
		query   licensing.UserQuery
		options string
		indexed bool
	}{
		"everybody":            {licensing.UserQuery{}, "", false},
		"a page size":          {licensing.UserQuery{PageSize: 999}, "&$top=999", false},
		"the least page size":  {licensing.UserQuery{PageSize: 1}, "&$top=1", false},
		"only errors":          {licensing.UserQuery{OnlyErrors: true}, "", false},
		"a SKU":                {licensing.UserQuery{SKUID: skuA}, "&$filter=" + has, false},
		"a filter":             {licensing.UserQuery{Filter: "accountEnabled eq true"}, "&$filter=accountEnabled%20eq%20true", false},
		"a filter to escape":   {licensing.UserQuery{Filter: "displayName eq 'A&B+C #1 100%'"}, "&$filter=displayName%20eq%20%27A%26B%2BC%20%231%20100%25%27", false},
		"a filter and a SKU":   {licensing.UserQuery{Filter: "a eq 1 or b eq 2", SKUID: skuA}, "&$filter=%28a%20eq%201%20or%20b%20eq%202%29%20and%20" + has + "&$count=true", true},
		"a count in a filter":  {licensing.UserQuery{Filter: "assignedLicenses/$count eq 0"}, "&$filter=assignedLicenses%2F%24count%20eq%200&$count=true", true},
		"not":                  {licensing.UserQuery{Filter: "NOT(userType eq 'Guest')"}, "&$filter=NOT%28userType%20eq%20%27Guest%27%29&$count=true", true},
		"ne":                   {licensing.UserQuery{Filter: "userType ne 'Guest'"}, "&$filter=userType%20ne%20%27Guest%27&$count=true", true},
		"endsWith":             {licensing.UserQuery{Filter: "endsWith(mail,'x')"}, "&$filter=endsWith%28mail%2C%27x%27%29&$count=true", true},
		"a name with ne in it": {licensing.UserQuery{Filter: "city eq 'Neuss'"}, "&$filter=city%20eq%20%27Neuss%27", false},
		"all of it":            {licensing.UserQuery{Filter: "city ne null", SKUID: skuA, PageSize: 50}, "&$filter=%28city%20ne%20null%29%20and%20" + has + "&$top=50&$count=true", true},
		"errors of a SKU":      {licensing.UserQuery{SKUID: skuA, OnlyErrors: true}, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			// The header is on each page and each attempt.
			bubble(t, func(t *testing.T) {
				url := usersURL + test.options
				s := newScript(t, pageOf(url+"&$skiptoken=2"), lost, pageOf(""))
				if _, err := walked(t, newClient(t, s).Users(t.Context(), test.query)); err != nil {
					t.Error(err)
				}
				var headers []string
				if test.indexed {
					headers = []string{"ConsistencyLevel", "eventual"}
				}
				expectRequests(t, s, getting(url, headers...), getting(url+"&$skiptoken=2", headers...), getting(url+"&$skiptoken=2", headers...))
			})
		})
	}
}

func TestPageSizesThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{-1, 1000} {
		ids, err := walked(t, newClient(t, newScript(t)).Users(t.Context(), licensing.UserQuery{PageSize: size}))
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != fmt.Sprintf("list users: invalid argument: PageSize is %d, which is not between 0 and 999", size) || len(ids) != 0 {
			t.Errorf("PageSize %d: got %q, %v", size, ids, err)
		}
	}
}

// An office is a tenant with users who have E3 in each of the ways that there
// are.
type office struct {
	tenant                          *licensingtest.Tenant
	client                          *licensing.Client
	e3, e5                          licensingtest.SKU
	exchange, teams, sway, forms    uuid.UUID // of E3; E5 has exchange and teams, too
	yammer                          uuid.UUID // of E5
	everyone                        uuid.UUID // of both, for the company
	direct, inherited, both, nobody string    // ids of users
	staff                           string    // id of the group
}

func newOffice(opts ...licensing.Option) *office {
	o := &office{tenant: licensingtest.NewTenant()}
	plan := func(name, appliesTo string) licensingtest.Plan {
		return licensingtest.Plan{ID: uuid.NewSHA1(uuid.Nil, []byte(name)), Name: name, AppliesTo: appliesTo}
	}
	exchange, teams, sway, forms := plan("EXCHANGE", ""), plan("TEAMS1", ""), plan("SWAY", ""), plan("FORMS", "")
	yammer, everyone := plan("YAMMER", ""), plan("EVERYONE", "Company")
	o.exchange, o.teams, o.sway, o.forms, o.yammer, o.everyone = exchange.ID, teams.ID, sway.ID, forms.ID, yammer.ID, everyone.ID
	o.e3 = o.tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 10, Plans: []licensingtest.Plan{exchange, teams, sway, forms, everyone}})
	o.e5 = o.tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPREMIUM", Seats: 10, Plans: []licensingtest.Plan{exchange, teams, yammer, everyone}})
	e3 := licensingtest.License{SKUID: o.e3.ID, DisabledPlans: []uuid.UUID{o.sway}}
	add := func(name string, licenses ...licensingtest.License) string {
		return o.tenant.AddUser(licensingtest.User{UserPrincipalName: name + "@contoso.example", UsageLocation: "DE", Licenses: licenses}).ID
	}
	o.direct, o.inherited, o.both, o.nobody = add("direct", e3), add("inherited"), add("both", e3), add("nobody")
	o.staff = o.tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: o.e3.ID, DisabledPlans: []uuid.UUID{o.teams}}}}, o.inherited, o.both).ID
	o.client = o.tenant.Client(opts...)
	return o
}

// off returns the disabled plans of a user's direct SKU, or of a group's.
func (o *office) off(t testing.TB, id string, sku uuid.UUID) []uuid.UUID {
	t.Helper()
	var licenses []licensingtest.License
	if user, ok := o.tenant.User(id); ok {
		licenses = user.Licenses
	} else if group, ok := o.tenant.Group(id); ok {
		licenses = group.Licenses
	}
	for _, l := range licenses {
		if l.SKUID == sku {
			return l.DisabledPlans
		}
	}
	t.Errorf("%s does not have %s", id, sku)
	return nil
}

func TestUsersByLicense(t *testing.T) {
	t.Parallel()
	o := newOffice()
	o.tenant.AddUser(licensingtest.User{AccountDisabled: true, Licenses: []licensingtest.License{{SKUID: o.e3.ID}}})
	last := o.tenant.AddUser(licensingtest.User{UsageLocation: "FR", Licenses: []licensingtest.License{{SKUID: o.e5.ID}}}).ID
	for name, test := range map[string]struct {
		query licensing.UserQuery
		want  []string
	}{
		"with a SKU":              {licensing.UserQuery{SKUID: o.e3.ID, Filter: "accountEnabled eq true", PageSize: 2}, []string{o.direct, o.inherited, o.both}},
		"with another SKU":        {licensing.UserQuery{SKUID: o.e5.ID}, []string{last}},
		"with no SKU":             {licensing.UserQuery{Filter: "assignedLicenses/$count eq 0"}, []string{o.nobody}},
		"with a SKU nobody has":   {licensing.UserQuery{SKUID: skuA}, nil},
		"in error, there is none": {licensing.UserQuery{OnlyErrors: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, err := walked(t, o.client.Users(t.Context(), test.query))
			if err != nil {
				t.Error(err)
			}
			expectIDs(t, ids, test.want...)
		})
	}
	// Graph refuses some filters on licenses. It is not for us to guess which.
	_, err := walked(t, o.client.Users(t.Context(), licensing.UserQuery{SKUID: o.e3.ID, Filter: "userType eq 'Guest' or accountEnabled eq true"}))
	if e := asError(t, err); e.Code != "Request_UnsupportedQuery" || e.Attempts != 1 {
		t.Errorf("got %v", err)
	}
}

func TestUsersInError(t *testing.T) {
	t.Parallel()
	state := func(id, state string) string {
		return `{"id":"` + id + `","licenseAssignmentStates":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","state":"Active","error":"None"},` + state + `]}`
	}
	users := []string{
		state("healthy", `{"state":"Active","error":"None"}`),
		state("null", `{"state":"Active","error":null}`),
		state("failed", `{"state":"Error","error":"CountViolation"}`),
		state("late", `{"state":"ActiveWithError","error":"DependencyViolation"}`),
		state("unknown", `{"state":"ActiveWithError","error":"SomethingNew"}`),
		state("bare", `{"state":"Error"}`),
		`{"id":"without","userPrincipalName":"without@contoso.com"}`,
	}
	denied := graphError(403, "Authorization_RequestDenied", "No.")
	s := newScript(t, reply(200, `{"value":[`+strings.Join(users, ",")+`],"@odata.nextLink":"?$skiptoken=2"}`), denied)
	ids, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{OnlyErrors: true}))
	if !errors.Is(err, licensing.ErrForbidden) {
		t.Errorf("the error was filtered: %v", err)
	}
	expectIDs(t, ids, "failed", "late", "unknown", "bare")

	s = newScript(t, reply(200, `{"value":[`+strings.Join(append(users, state("other", `{"skuId":"`+skuB.String()+`","state":"Error"}`)), ",")+`]}`))
	ids, err = walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{SKUID: skuB, OnlyErrors: true}))
	if err != nil {
		t.Error(err)
	}
	expectIDs(t, ids, "other")

	s = newScript(t, reply(200, `{"value":[`+strings.Join(users, ",")+`],"@odata.nextLink":"?$skiptoken=2"}`))
	for user := range newClient(t, s).Users(t.Context(), licensing.UserQuery{OnlyErrors: true}) {
		if user.ID != "failed" {
			t.Errorf("got %s first", user.ID)
		}
		break
	}
}

// A state that says that something is wrong is an error, also where it does not
// say what.
func TestUsersWithAnErrorOfNoCause(t *testing.T) {
	t.Parallel()
	var fixture struct{ States []json.RawMessage }
	if err := json.Unmarshal([]byte(readFile(t, "testdata/state-active-with-error.json")), &fixture); err != nil || len(fixture.States) != 2 {
		t.Fatal(len(fixture.States), err)
	}
	for _, state := range fixture.States {
		s := newScript(t, reply(200, `{"value":[{"id":"a","licenseAssignmentStates":[`+string(state)+`]},{"id":"b","userPrincipalName":"b@contoso.com"}]}`))
		users := 0
		for user, err := range newClient(t, s).Users(t.Context(), licensing.UserQuery{OnlyErrors: true}) {
			if err != nil || user.ID != "a" || user.LicenseAssignmentStates[0].Err() == nil {
				t.Errorf("%s: got %+v, %v", state, user, err)
			}
			users++
		}
		if users != 1 {
			t.Errorf("%s: got %d users, want 1", state, users)
		}
	}
}

func TestErrorsOfGroups(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	var ids []string
	for range 4 {
		ids = append(ids, tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID)
	}
	license := []licensingtest.License{{SKUID: sku.ID}}
	full := tenant.AddGroup(licensingtest.Group{DisplayName: "Full", Licenses: license}, ids[:3]...)
	tenant.AddGroup(licensingtest.Group{DisplayName: "Fine"}, ids...)
	client := tenant.Client()

	var groups []string
	for group, err := range client.Groups(t.Context(), licensing.GroupQuery{OnlyErrors: true}) {
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, group.ID)
		if group.DisplayName != "Full" || group.LicenseProcessingState.State != licensing.ProcessingStateComplete || group.AssignedLicenses[0].SKUID != sku.ID {
			t.Errorf("got %+v", group)
		}
		same, err := walked(t, client.GroupMembersWithErrors(t.Context(), group.ID))
		if err != nil {
			t.Error(err)
		}
		expectIDs(t, same, ids[1:3]...)
	}
	expectIDs(t, groups, full.ID)
	for user, err := range client.GroupMembersWithErrors(t.Context(), full.ID) {
		if err != nil {
			t.Fatal(err)
		}
		state := user.LicenseAssignmentStates[0]
		if !errors.Is(state.Err(), licensing.ErrNoAvailableLicenses) || state.AssignedByGroup != full.ID || state.SKUID != sku.ID {
			t.Errorf("got %+v", state)
		}
	}
	if _, err := walked(t, client.GroupMembersWithErrors(t.Context(), groupID)); !errors.Is(err, licensing.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	const answer = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity",
		"id":"11111111-1111-4111-8111-111111111111","accountEnabled":false,"displayName":"Adele","usageLocation":null,"userPrincipalName":"adele@contoso.example","userType":"Guest",
		"assignedLicenses":[{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","disabledPlans":[null,"","A0000000-0000-4000-8000-000000000001"]}],
		"assignedPlans":[{"assignedDateTime":"2026-01-02T03:04:05","capabilityStatus":"Deleted","service":"exchange","servicePlanId":"b0000000-0000-4000-8000-000000000002"}],
		"provisionedPlans":[{"capabilityStatus":"Enabled","provisioningStatus":"Success","service":"exchange"}],
		"licenseAssignmentStates":[{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","assignedByGroup":"22222222-2222-4222-8222-222222222222","disabledPlans":null,"state":"ActiveWithError","error":"Others","lastUpdatedDateTime":"2026-01-02T03:04:05Z"}]}`
	disabled, at := false, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := &licensing.User{
		ID: userID, AccountEnabled: &disabled, DisplayName: "Adele", UserPrincipalName: "adele@contoso.example", UserType: "Guest",
		AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}},
		AssignedPlans:    []licensing.AssignedPlan{{AssignedDateTime: at, CapabilityStatus: licensing.CapabilityStatusDeleted, Service: "exchange", ServicePlanID: planB}},
		ProvisionedPlans: []licensing.ProvisionedPlan{{CapabilityStatus: licensing.CapabilityStatusEnabled, ProvisioningStatus: licensing.ProvisioningStatusSuccess, Service: "exchange"}},
		LicenseAssignmentStates: []licensing.LicenseAssignmentState{{
			SKUID: skuA, AssignedByGroup: groupID, State: licensing.AssignmentStateActiveWithError, Error: "Others", LastUpdatedDateTime: at,
		}},
	}
	client := newClient(t, newScript(t, reply(200, answer), reply(200, answer), reply(202, answer)).mocked("GET /users/"+userID+userSelect, "GET /me"+userSelect))
	for range 2 {
		if got, err := client.User(t.Context(), userID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if got, err := client.Me(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestGroup(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t,
		reply(200, `{"id":"22222222-2222-4222-8222-222222222222","displayName":"Staff","groupTypes":["Unified"],"securityEnabled":true,"mailEnabled":false,"createdDateTime":"2026-01-02T03:04:05Z",
			"assignedLicenses":[{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","disabledPlans":[]}],"licenseProcessingState":{"state":"ProcessingInProgress"}}`),
		reply(200, `{"id":"22222222-2222-4222-8222-222222222222","assignedLicenses":[],"licenseProcessingState":null}`)).mocked("GET /groups/"+groupID+groupSelect))
	yes, no := true, false
	for _, want := range []*licensing.Group{{
		ID: groupID, DisplayName: "Staff", GroupTypes: []string{"Unified"}, SecurityEnabled: &yes, MailEnabled: &no, CreatedDateTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		AssignedLicenses:       []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}},
		LicenseProcessingState: &licensing.LicenseProcessingState{State: licensing.ProcessingStateInProgress},
	}, {
		ID: groupID, AssignedLicenses: []licensing.AssignedLicense{},
	}} {
		if got, err := client.Group(t.Context(), groupID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// What was asked for by is in the result also where Graph does not say it.
func TestReadsTellWhoWasRead(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t, times(3, reply(200, `{"@odata.context":"x"}`))...).mocked(
		"GET /users/"+userID+userSelect, "GET /users/adele@contoso.example"+userSelect, "GET /groups/"+groupID+groupSelect))
	if user, err := client.User(t.Context(), userID); err != nil || user.ID != userID {
		t.Errorf("got %+v, %v", user, err)
	}
	if user, err := client.User(t.Context(), "adele@contoso.example"); err != nil || user.UserPrincipalName != "adele@contoso.example" {
		t.Errorf("got %+v, %v", user, err)
	}
	if group, err := client.Group(t.Context(), groupID); err != nil || group.ID != groupID {
		t.Errorf("got %+v, %v", group, err)
	}
}

// Reads are repeated like everything that does no harm, and never leave
// anything unknown.
func TestReadsAreRepeated(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		kind  error
	}{
		"then an answer": {[]step{lost, graphError(503, "ServiceUnavailable", "Busy."), graphError(429, "TooManyRequests", "Slow down."), okUser}, nil},
		"for another":    {[]step{reply(200, `{"id":"33333333-3333-4333-8333-333333333333"}`), okUser}, nil},
		"no answer":      {[]step{lost, lost, lost, lost, lost}, licensing.ErrUnavailable},
		"no such user":   {[]step{graphError(404, "Request_ResourceNotFound", "Resource does not exist.")}, licensing.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				user, err := newClient(t, newScript(t, test.steps...)).User(t.Context(), userID)
				if !errors.Is(err, test.kind) || errors.Is(err, licensing.ErrOutcomeUnknown) || (user != nil) != (test.kind == nil) {
					t.Errorf("got %+v, %v, want %v", user, err, test.kind)
				}
			})
		})
	}
}

func TestReadsOfTheSignedInUser(t *testing.T) {
	t.Parallel()
	o := newOffice()
	if _, err := o.client.Me(t.Context()); !errors.Is(err, licensing.ErrDelegatedOnly) {
		t.Errorf("got %v", err)
	}
	if _, err := o.client.MyLicenseDetails(t.Context()); !errors.Is(err, licensing.ErrDelegatedOnly) {
		t.Errorf("got %v", err)
	}
	o.tenant.SignIn(o.both)
	user, err := o.client.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	direct, _ := user.DirectLicenses()
	inherited, _ := user.InheritedLicenses()
	if len(direct) != 1 || len(inherited) != 1 || inherited[0].GroupID != o.staff {
		t.Errorf("got %v and %v", direct, inherited)
	}
	details, err := o.client.MyLicenseDetails(t.Context())
	if err != nil || len(details) != 1 || details[0].SKUPartNumber != "ENTERPRISEPACK" {
		t.Errorf("got %+v, %v", details, err)
	}
}

func TestCountUsers(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id)","@odata.count":10233,"@odata.nextLink":"https://graph.test/base/v1.0/users?$skiptoken=x","value":[{"id":"a"}]}`))
	n, err := newClient(t, s).CountUsers(t.Context(), "")
	if n != 10233 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	expectRequests(t, s, getting(graphRoot+"/users?$select=id&$top=1&$count=true", "ConsistencyLevel", "eventual"))
}

func TestCountUsersWithAFilter(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"@odata.count":0,"value":[]}`))
	n, err := newClient(t, s).CountUsers(t.Context(), "accountEnabled eq true")
	if n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	expectRequests(t, s, getting(graphRoot+"/users?$select=id&$top=1&$filter=accountEnabled%20eq%20true&$count=true", "ConsistencyLevel", "eventual"))
}

func TestACountThatIsNotThere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"value":[],"@odata.context":"x"}`: "count users: 200 answer cannot be read: @odata.count: not there",
		`{"@odata.count":"many"}`:           `count users: 200 answer cannot be read: property "@odata.count"`,
	} {
		n, err := newClient(t, newScript(t, reply(200, body))).CountUsers(t.Context(), "")
		if _, unread := errors.AsType[*licensing.DecodeError](err); n != 0 || !unread || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %d, %v", body, n, err)
		}
	}
}
