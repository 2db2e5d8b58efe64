package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	onePage   = `{"@odata.context":"x","value":[{"id":"` + userID + `","userPrincipalName":"adele@contoso.com"}]}`
	emptyPage = `{"@odata.nextLink":"` + graphRoot + `/users?$skiptoken=2","value":[]}`
)

// A filter goes out plainly, and once more as an advanced query where Graph says that
// it has to, with the header on each page.
func TestAFilterThatGraphWantsAsAnAdvancedQuery(t *testing.T) {
	t.Parallel()
	var queries []struct{ Filter string }
	if err := json.Unmarshal([]byte(readFile(t, "testdata/reads/queries.json")), &queries); err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		t.Run(q.Filter, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, graphError(400, "Request_UnsupportedQuery", "No."), reply(200, emptyPage), reply(200, onePage))
			users := newClient(t, s).Users(t.Context(), licensing.UserQuery{Filter: q.Filter})
			if ids, err := walked(t, users); err != nil || len(ids) != 1 {
				t.Errorf("got %q, %v", ids, err)
			}
			plain := graphRoot + "/users" + listedSelect + "&$filter=" + escaped(q.Filter)
			expectRequests(t, s,
				getting(plain),
				getting(plain+"&$count=true", "Consistencylevel", "eventual"),
				getting(graphRoot+"/users?$skiptoken=2", "Consistencylevel", "eventual"))
		})
	}
}

// escaped is a filter in a query.
func escaped(filter string) string {
	return strings.NewReplacer(" ", "%20", "/", "%2F", "(", "%28", ")", "%29", ":", "%3A", "'", "%27", "$", "%24", ",", "%2C").Replace(filter)
}

// Refused again, and on a later page, it is refused.
func TestAFilterThatGraphRefuses(t *testing.T) {
	t.Parallel()
	no := graphError(400, "Request_UnsupportedQuery", "No.")
	for name, steps := range map[string][]step{
		"twice":       {no, no},
		"on page two": {reply(200, emptyPage), no},
	} {
		s := newScript(t, steps...)
		if _, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{Filter: "city eq 'x'"})); !errors.Is(err, licensing.ErrUnsupportedQuery) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := len(s.requests()); n != 2 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	s := newScript(t, no)
	if _, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{Filter: "city ne 'x'"})); !errors.Is(err, licensing.ErrUnsupportedQuery) {
		t.Errorf("advanced: got %v", err)
	}
}

// Words of advanced queries in quotes are no such words.
func TestWhichFiltersAreAdvanced(t *testing.T) {
	t.Parallel()
	for filter, advanced := range map[string]bool{
		"accountEnabled eq true":               false,
		"displayName eq 'not ne endswith'":     false,
		"displayName eq 'it''s /$count'":       false,
		"city eq 'a' and not (city eq 'b')":    true,
		"city NE 'a'":                          true,
		"endsWith(mail,'x')":                   true,
		"assignedLicenses/$count eq 0":         true,
		"displayName eq 'a' or mail ne 'b''c'": true,
		"notes eq 'x' or nested eq 'y'":        false,
	} {
		s := newScript(t, reply(200, `{"value":[]}`))
		if _, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{Filter: filter})); err != nil {
			t.Error(err)
		}
		sent := s.requests()[0]
		if got := strings.HasSuffix(sent.URL, "&$count=true"); got != advanced || (sent.Header.Get("Consistencylevel") == "eventual") != advanced {
			t.Errorf("%s: sent %s with %q", filter, sent.URL, sent.Header.Get("Consistencylevel"))
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	more := []string{"Department", "displayname", "onPremisesSyncEnabled", "department"}
	s := newScript(t, reply(200, `{"value":[{"id":"`+userID+`","department":"Sales","onPremisesSyncEnabled":true}]}`))
	for user, err := range newClient(t, s).Users(t.Context(), licensing.UserQuery{Select: more, PageSize: 5}) {
		if err != nil || user.Department != "Sales" || user.OnPremisesSyncEnabled == nil || !*user.OnPremisesSyncEnabled {
			t.Errorf("got %+v, %v", user, err)
		}
	}
	expectRequests(t, s, getting(graphRoot+"/users"+listedSelect+",department,onPremisesSyncEnabled&$top=5"))

	s = newScript(t, reply(200, `{"value":[]}`))
	for _, err := range newClient(t, s).Groups(t.Context(), licensing.GroupQuery{Select: []string{"membershipRule", "ID"}}) {
		t.Error(err)
	}
	expectRequests(t, s, getting(graphRoot+"/groups"+groupSelect+",membershipRule"))

	for text, err := range map[string]error{
		`list users: invalid argument: Select[1]: "shoeSize" is not a property of User`:   first(newClient(t, newScript(t)).Users(t.Context(), licensing.UserQuery{Select: []string{"mail", "shoeSize"}})),
		`list groups: invalid argument: Select[0]: "userType" is not a property of Group`: first(newClient(t, newScript(t)).Groups(t.Context(), licensing.GroupQuery{Select: []string{"userType"}})),
		`list groups: invalid argument: PageSize is 1000, which is not between 0 and 999`: first(newClient(t, newScript(t)).Groups(t.Context(), licensing.GroupQuery{PageSize: 1000})),
	} {
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}

// first returns the first error of a listing.
func first[T any](items iter.Seq2[T, error]) error {
	for _, err := range items {
		if err != nil {
			return err
		}
	}
	return nil
}

// One item that cannot be read is one error, and the listing goes on.
func TestOneOddItem(t *testing.T) {
	t.Parallel()
	var odd struct{ Body json.RawMessage }
	if err := json.Unmarshal([]byte(readFile(t, "testdata/reads/users-one-odd.json")), &odd); err != nil {
		t.Fatal(err)
	}
	const device = `{"value":[{"@odata.type":"#microsoft.graph.device","id":"2"},{"@odata.type":"#microsoft.graph.user","id":"3"}]}`
	for name, test := range map[string]struct {
		body  string
		ids   string
		error string
	}{
		"unreadable": {string(odd.Body), "1 3", `list users: 200 answer cannot be read: property "value[1].licenseAssignmentStates[0].skuId": not a GUID (request-id r-1)`},
		"no user":    {device, "3", `list users: 200 answer cannot be read: property "value[0]": #microsoft.graph.device, not a user (request-id r-1)`},
		"a number":   {`{"value":[{"id":"1"},7]}`, "1", `list users: 200 answer cannot be read: property "value[1]": number instead of an object (request-id r-1)`},
		"a null":     {`{"value":[{"id":"1"},null]}`, "1", ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ids, texts []string
			for user, err := range newClient(t, newScript(t, reply(200, test.body, "Request-Id", "r-1"))).Users(t.Context(), licensing.UserQuery{}) {
				switch {
				case err == nil:
					ids = append(ids, user.ID)
				case user != nil || !errors.As(err, new(*licensing.DecodeError)):
					t.Errorf("got %+v, %v", user, err)
				default:
					texts = append(texts, err.Error())
				}
			}
			if got := strings.Join(ids, " "); got != test.ids || strings.Join(texts, "; ") != test.error {
				t.Errorf("got %s and\n%s, want %s and\n%s", got, strings.Join(texts, "; "), test.ids, test.error)
			}
		})
	}
}

// The error of an item has the item.
func TestTheBodyOfAnOddItem(t *testing.T) {
	t.Parallel()
	for item, body := range map[string]string{
		`{"@odata.type":"#microsoft.graph.device","id":"2"}`: `{"@odata.type":"#microsoft.graph.device","id":"2"}`,
		`{"id": 5}`: `{"id": 5}`,
	} {
		err := first(newClient(t, newScript(t, reply(200, `{"value":[{"id":"1"}, `+item+`]}`))).Users(t.Context(), licensing.UserQuery{}))
		if e, ok := errors.AsType[*licensing.DecodeError](err); !ok || string(e.Body) != body {
			t.Errorf("got %v", err)
		}
	}
}

// Pages of null and no item end as empty ones do.
func TestPagesOfNull(t *testing.T) {
	t.Parallel()
	n := 0
	err := first(newClient(t, answering(func(req *http.Request) (*http.Response, error) {
		n++
		return reply(200, fmt.Sprintf(`{"value":[null],"@odata.nextLink":"%s/users?$skiptoken=%d"}`, graphRoot, n))(req)
	})).Users(t.Context(), licensing.UserQuery{}))
	if !errors.Is(err, licensing.ErrTooLarge) || n > 1100 {
		t.Errorf("%d requests, %v", n, err)
	}
}

// Of whom nothing is known it is not known that nothing is wrong.
func TestUnknownUsersMayBeInError(t *testing.T) {
	t.Parallel()
	page := reply(200, `{"value":[{"id":"1","userPrincipalName":null,"licenseAssignmentStates":null},{"id":"2","userPrincipalName":"b@contoso.com"}]}`)
	for _, query := range []licensing.UserQuery{{OnlyErrors: true}, {OnlyErrors: true, SKUID: skuA}} {
		ids, err := walked(t, newClient(t, newScript(t, page)).Users(t.Context(), query))
		if err != nil {
			t.Error(err)
		}
		expectIDs(t, ids, "1")
	}
}

// One unreadable group among those in error does not end the listing.
func TestAnOddGroupInError(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"value":[{"id":5},{"id":"g"}]}`), reply(200, `{"value":[{"id":"g","displayName":"x"}]}`))
	var ids []string
	failures := 0
	for group, err := range newClient(t, s).Groups(t.Context(), licensing.GroupQuery{OnlyErrors: true, Filter: "displayName eq 'x'"}) {
		if err != nil {
			failures++
			continue
		}
		ids = append(ids, group.ID)
	}
	expectIDs(t, ids, "g")
	if failures != 1 {
		t.Errorf("%d failures", failures)
	}
	s = newScript(t, graphError(403, "Authorization_RequestDenied", "No."))
	if err := first(newClient(t, s, once).Groups(t.Context(), licensing.GroupQuery{OnlyErrors: true, Filter: "displayName eq 'x'"})); !errors.Is(err, licensing.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

// Of what the token may not read, a relationship has the id alone, or all else as
// null. That is not somebody without licenses.
func TestLimitedInformationIsUnknown(t *testing.T) {
	t.Parallel()
	const limited = `{"@odata.type":"#microsoft.graph.user","id":"` + userID + `","accountEnabled":null,"displayName":null,"assignedLicenses":null,"licenseAssignmentStates":null,"userPrincipalName":null}`
	for body, want := range map[string]bool{
		limited: false,
		`{"@odata.type":"#microsoft.graph.user","id":"` + userID + `"}`:                                    false,
		strings.Replace(limited, `"userPrincipalName":null`, `"userPrincipalName":"adele@contoso.com"`, 1): true,
		strings.Replace(limited, `"assignedLicenses":null`, `"assignedLicenses":[]`, 1):                    true,
	} {
		page := reply(200, `{"value":[`+body+`]}`)
		for name, users := range map[string]iter.Seq2[*licensing.User, error]{
			"members": newClient(t, newScript(t, page)).GroupMembersWithErrors(t.Context(), groupID),
			"users":   newClient(t, newScript(t, page)).Users(t.Context(), licensing.UserQuery{}),
			"user": func(yield func(*licensing.User, error) bool) {
				yield(newClient(t, newScript(t, reply(200, body))).User(t.Context(), userID))
			},
		} {
			for user, err := range users {
				if err != nil || user.ID != userID {
					t.Fatalf("%s: got %+v, %v", name, user, err)
				}
				if licenses, known := user.DirectLicenses(); len(licenses) > 0 || known != want {
					t.Errorf("%s of %s: got %v, %t", name, body, licenses, known)
				}
			}
		}
	}
}

// A page of 999 users with 6 SKUs of 40 plans off has 19 MB. No other test runs
// beside this one, which counts what is allocated.
func TestALargePage(t *testing.T) {
	off := `"` + strings.Join(slices.Repeat([]string{planA.String()}, 40), `","`) + `"`
	row := `{"skuId":"` + skuA.String() + `","disabledPlans":[` + off + `]}`
	rows := strings.Join(slices.Repeat([]string{row}, 6), ",")
	user := `{"id":"` + userID + `","assignedLicenses":[` + rows + `],"licenseAssignmentStates":[` + rows + `]}`
	body := `{"value":[` + strings.Join(slices.Repeat([]string{user}, 999), ",") + `]}`
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for user, err := range newClient(t, newScript(t, reply(200, body))).Users(t.Context(), licensing.UserQuery{PageSize: 999}) {
		if err != nil || len(user.LicenseAssignmentStates) != 6 || len(user.AssignedLicenses[5].DisabledPlans) != 40 {
			t.Fatal(err)
		}
		n++
	}
	runtime.ReadMemStats(&after)
	if n != 999 || len(body) < 18<<20 {
		t.Errorf("%d users in %d bytes", n, len(body))
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 128 {
		t.Errorf("%d MiB were allocated", allocated)
	}
}

// A page that is too large for all that says what to do, and is not asked for again.
func TestAPageThatIsTooLarge(t *testing.T) {
	t.Parallel()
	large := reply(200, `{"value":[{"id":"`+strings.Repeat("x", 65<<20)+`"}]}`)
	err := first(newClient(t, newScript(t, large)).Users(t.Context(), licensing.UserQuery{PageSize: 999}))
	if err == nil || err.Error() != "list users: 200 OK: answer has more than 64 MiB: lower PageSize (1 attempt)" || kinds(err) != "TooLarge" || licensing.Retryable(err) {
		t.Errorf("got %v", err)
	}
	err = first(newClient(t, newScript(t, large)).GroupMembersWithErrors(t.Context(), groupID)) // whose pages have no size to choose
	if err == nil || err.Error() != "list group members with errors: 200 OK: answer has more than 64 MiB (1 attempt)" || kinds(err) != "TooLarge" {
		t.Errorf("got %v", err)
	}
}

func TestGroups(t *testing.T) {
	const (
		withSKU  = "assignedLicenses/any(x:x/skuId eq aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa)"
		licensed = "assignedLicenses/$count ne 0"
		inError  = "hasMembersWithLicenseErrors eq true"
	)
	all := reply(200, `{"value":[{"id":"G1","displayName":"a","assignedLicenses":[`+hasA+`]},{"id":"g2","displayName":"b","assignedLicenses":[]},{"id":"g3","displayName":"c","assignedLicenses":[{"skuId":"`+skuB.String()+`"}]}]}`)
	for name, test := range map[string]struct {
		query licensing.GroupQuery
		steps []step
		sent  []string // filters, with a + where they are advanced
		ids   string
	}{
		"all":                           {licensing.GroupQuery{}, []step{all}, []string{""}, "G1 g2 g3"},
		"a filter":                      {licensing.GroupQuery{Filter: "mailEnabled eq true"}, []step{all}, []string{"mailEnabled eq true"}, "G1 g2 g3"},
		"a SKU":                         {licensing.GroupQuery{SKUID: skuA}, []step{all}, []string{withSKU}, "G1"},
		"a SKU, of one that is unknown": {licensing.GroupQuery{SKUID: skuA}, []step{reply(200, `{"value":[{"id":"g1","displayName":null,"assignedLicenses":null},{"id":"g2","displayName":"b","assignedLicenses":null}]}`)}, []string{withSKU}, "g1"},
		"licensed":                      {licensing.GroupQuery{Licensed: true}, []step{all}, []string{licensed + "+"}, "G1 g3"},
		"a filter and a SKU":            {licensing.GroupQuery{Filter: "mailEnabled eq true", SKUID: skuA}, []step{all}, []string{"(mailEnabled eq true) and " + withSKU + "+"}, "G1"},
		"a filter and licensed":         {licensing.GroupQuery{Filter: "mailEnabled eq true", Licensed: true}, []step{all}, []string{"(mailEnabled eq true) and " + licensed + "+"}, "G1 g3"},
		"in error":                      {licensing.GroupQuery{OnlyErrors: true}, []step{all}, []string{inError}, "G1 g2 g3"},
		"in error, a SKU":               {licensing.GroupQuery{OnlyErrors: true, SKUID: skuB}, []step{all}, []string{inError}, "g3"},
		"in error, licensed":            {licensing.GroupQuery{OnlyErrors: true, Licensed: true}, []step{all}, []string{inError}, "G1 g3"},
		"in error, a filter":            {licensing.GroupQuery{OnlyErrors: true, Filter: "mailEnabled eq true"}, []step{reply(200, `{"value":[{"id":"g1"},{"id":"g2"}]}`), all}, []string{inError + "!", "mailEnabled eq true"}, "G1 g2"},
		"in error, a filter and a SKU":  {licensing.GroupQuery{OnlyErrors: true, Filter: "mailEnabled eq true", SKUID: skuA}, []step{reply(200, `{"value":[{"id":"g1"},{"id":"g2"}]}`), all}, []string{inError + "!", "mailEnabled eq true"}, "G1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, test.steps...)
			var ids []string
			for group, err := range newClient(t, s).Groups(t.Context(), test.query) {
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, group.ID)
			}
			if got := strings.Join(ids, " "); got != test.ids {
				t.Errorf("got %s, want %s", got, test.ids)
			}
			var want []sent
			for _, filter := range test.sent {
				url, top, alone := graphRoot+"/groups"+groupSelect, "", strings.TrimSuffix(filter, "!")
				if alone != filter {
					url = graphRoot + "/groups?$select=id"
					top = "&$top=999"
				}
				plain := strings.TrimSuffix(alone, "+")
				if plain != "" {
					url += "&$filter=" + escaped(plain)
				}
				if plain != alone {
					want = append(want, getting(url+"&$count=true", "Consistencylevel", "eventual"))
				} else {
					want = append(want, getting(url+top))
				}
			}
			expectRequests(t, s, want...)
		})
	}
}

// Groups are shown as the client wrote them, unless the reads are raw.
func TestGroupsShowWrites(t *testing.T) {
	t.Parallel()
	has := reply(200, `{"value":[{"id":"`+groupID+`","displayName":"a","assignedLicenses":[`+hasA+`]}]}`)
	client := newClient(t, newScript(t, okGroup, has, has, has))
	if _, err := client.AssignGroupLicense(t.Context(), groupID, remove(skuA)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ctx   context.Context
		query licensing.GroupQuery
		want  string
	}{
		{t.Context(), licensing.GroupQuery{}, "0"},
		{t.Context(), licensing.GroupQuery{SKUID: skuA}, ""},
		{licensing.ContextWithRawReads(t.Context()), licensing.GroupQuery{SKUID: skuA}, "1"},
	} {
		got := ""
		for group, err := range client.Groups(test.ctx, test.query) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprint(len(group.AssignedLicenses))
		}
		if got != test.want {
			t.Errorf("%+v: got %q, want %q", test.query, got, test.want)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"@odata.context":"x","value":[{"commerceSubscriptionId":"c","createdDateTime":"2025-01-01T00:00:00Z","id":"8a1b3c4d-0000-4000-8000-000000000001","isTrial":true,
		"nextLifecycleDateTime":"2026-01-01T00:00:00","ownerId":null,"ownerTenantId":null,"ownerType":"User","serviceStatus":[{"appliesTo":"User","provisioningStatus":"Success","servicePlanId":"A0000000-0000-4000-8000-000000000001","servicePlanName":"PA"}],
		"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","skuPartNumber":"A","status":"Warning","totalLicenses":25},{"id":"x","isTrial":null,"nextLifecycleDateTime":null,"skuId":""}]}`))
	got, err := newClient(t, s).Subscriptions(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	text, _ := json.Marshal(got)
	const want = `[{"id":"8a1b3c4d-0000-4000-8000-000000000001","commerceSubscriptionId":"c","createdDateTime":"2025-01-01T00:00:00Z","isTrial":true,"nextLifecycleDateTime":"2026-01-01T00:00:00Z","ownerType":"User",` +
		`"serviceStatus":[{"appliesTo":"User","provisioningStatus":"Success","servicePlanId":"a0000000-0000-4000-8000-000000000001","servicePlanName":"PA"}],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","skuPartNumber":"A","status":"Warning","totalLicenses":25},` +
		`{"id":"x","totalLicenses":0}]`
	if string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	expectRequests(t, s, getting(graphRoot+"/directory/subscriptions"))
}

// The fake tenant tells the same.
func TestSubscriptionsOfTheFake(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: 25})
	got, err := tenant.Client().Subscriptions(t.Context())
	if err != nil || len(got) != 1 || got[0].SKUID != sku.ID || got[0].TotalLicenses != 25 || got[0].Status != licensing.CapabilityStatusEnabled || got[0].SKUPartNumber != "ENTERPRISEPACK" {
		t.Errorf("got %+v, %v", got, err)
	}
}
