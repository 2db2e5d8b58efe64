package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

const (
	graphRoot    = "https://graph.test/base/v1.0"
	userSelect   = "?$select=accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType"
	groupSelect  = "?$select=assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled"
	listedSelect = "?$select=accountEnabled,assignedLicenses,displayName,id,licenseAssignmentStates,usageLocation,userPrincipalName,userType"
	usersURL     = graphRoot + "/users" + listedSelect
)

// expectRequests compares the requests sent with those expected, as a whole
// but for their client-request-id, which must be a UUID.
func expectRequests(t testing.TB, s *script, want ...sent) {
	t.Helper()
	var got []sent
	for _, r := range s.requests() {
		r.Header = r.Header.Clone()
		if _, err := uuid.Parse(r.Header.Get("Client-Request-Id")); err != nil {
			t.Errorf("client-request-id is %q", r.Header["Client-Request-Id"])
		}
		delete(r.Header, "Client-Request-Id")
		got = append(got, r)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sent\n%q\nwant\n%q", got, want)
	}
}

// getting is a whole GET, with further headers given as pairs.
func getting(url string, headers ...string) sent {
	h := http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Bearer secret-token"},
		"User-Agent":    {"graphlicensing/0.1.0"},
	}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return sent{Method: "GET", URL: url, Header: h}
}

// sending is a whole request with a body.
func sending(method, url, body string) sent {
	s := getting(url, "Content-Type", "application/json")
	s.Method, s.Body = method, body
	return s
}

// pageOf answers with a page of objects that have these ids, and a link to the
// next unless it is empty.
func pageOf(next string, ids ...string) step {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = fmt.Sprintf(`{"id":%q}`, id)
	}
	link := ""
	if next != "" {
		link = fmt.Sprintf(`"@odata.nextLink":%q,`, next)
	}
	return reply(200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users",`+link+`"value":[`+strings.Join(items, ",")+`]}`)
}

// walked returns the ids of a walk, and the error that ended it. Nothing may
// follow an error.
func walked(t testing.TB, users iter.Seq2[*licensing.User, error]) (ids []string, failed error) {
	t.Helper()
	for user, err := range users {
		if failed != nil {
			t.Fatalf("%v, %v after the error %v", user, err, failed)
		}
		if failed = err; err != nil {
			if user != nil {
				t.Errorf("got a user with the error %v", err)
			}
			continue
		}
		ids = append(ids, user.ID)
	}
	return ids, failed
}

// answering is a transport made of a function.
type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) { return a(req) }

func expectIDs(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadsAsAWhole(t *testing.T) {
	t.Parallel()
	const upn = "adele_contoso.com#EXT#@o'brien.example"
	const none = `{"value":[]}`
	tests := map[string]struct {
		url    string
		answer string
		read   func(context.Context, *licensing.Client) error
	}{
		"User": {"/users/" + userID + userSelect, `{"id":"` + userID + `"}`, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.User(ctx, userID)
			return err
		}},
		"User of a guest": {"/users/adele_contoso.com%23EXT%23@o%27brien.example" + userSelect, `{"@odata.context":"x"}`, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.User(ctx, upn)
			return err
		}},
		"Me": {"/me" + userSelect, `{"@odata.context":"x"}`, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.Me(ctx)
			return err
		}},
		"Group": {"/groups/" + groupID + groupSelect, `{"id":"` + groupID + `"}`, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.Group(ctx, groupID)
			return err
		}},
		"UserLicenseDetails": {"/users/" + userID + "/licenseDetails", none, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.UserLicenseDetails(ctx, userID)
			return err
		}},
		"UserLicenseDetails of a name with a dollar sign": {"/users('$adele@o%27%27brien.example')/licenseDetails", none, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.UserLicenseDetails(ctx, "$adele@o'brien.example")
			return err
		}},
		"MyLicenseDetails": {"/me/licenseDetails", none, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.MyLicenseDetails(ctx)
			return err
		}},
		"SubscribedSKUs": {"/subscribedSkus", none, func(ctx context.Context, c *licensing.Client) error {
			_, err := c.SubscribedSKUs(ctx)
			return err
		}},
		"Users": {"/users" + listedSelect, none, func(ctx context.Context, c *licensing.Client) error {
			_, err := walked(t, c.Users(ctx, licensing.UserQuery{}))
			return err
		}},
		"GroupMembersWithErrors": {"/groups/" + groupID + "/membersWithLicenseErrors" + listedSelect, none, func(ctx context.Context, c *licensing.Client) error {
			_, err := walked(t, c.GroupMembersWithErrors(ctx, groupID))
			return err
		}},
		"Groups in error": {"/groups" + groupSelect + "&$filter=hasMembersWithLicenseErrors%20eq%20true", none, func(ctx context.Context, c *licensing.Client) error {
			for _, err := range c.Groups(ctx, licensing.GroupQuery{OnlyErrors: true}) {
				return err
			}
			return nil
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, reply(200, test.answer))
			if err := test.read(t.Context(), newClient(t, s.mocked("GET "+test.url))); err != nil {
				t.Error(err)
			}
			expectRequests(t, s, getting(graphRoot+test.url))
		})
	}
}

// The reads of one object and of whole collections refuse what all calls do.
func TestReadsThatAreRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	var nobody *licensing.Client
	var noContext context.Context
	one := func(users iter.Seq2[*licensing.User, error]) error {
		_, err := walked(t, users)
		return err
	}
	tests := map[string]struct {
		err  func() error
		text string
	}{
		"no user":          {func() error { _, err := client.User(t.Context(), ""); return err }, "read user licenses: invalid argument: user is empty"},
		"no user, details": {func() error { _, err := client.UserLicenseDetails(t.Context(), ""); return err }, "list user license details: invalid argument: user is empty"},
		"no GUID":          {func() error { _, err := client.Group(t.Context(), "staff"); return err }, "read group licenses: invalid argument: groupID is \"staff\", not a GUID"},
		"no GUID, members": {func() error { return one(client.GroupMembersWithErrors(t.Context(), "staff")) }, "list group members with errors: invalid argument: groupID is \"staff\", not a GUID"},
		"no client":        {func() error { _, err := nobody.SubscribedSKUs(t.Context()); return err }, "list subscribed SKUs: invalid argument: client was not made by NewClient"},
		"no client, users": {func() error { return one(nobody.Users(t.Context(), licensing.UserQuery{})) }, "list users: invalid argument: client was not made by NewClient"},
		"no context":       {func() error { return one(client.Users(noContext, licensing.UserQuery{})) }, "list users: invalid argument: context is nil"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.err(); !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestPagesAreReadAsTheyAreNeeded(t *testing.T) {
	t.Parallel()
	s := newScript(t, pageOf(usersURL+"&$skiptoken=2", "a", "b"), pageOf(usersURL+"&$skiptoken=3"), pageOf("", "c"))
	users := newClient(t, s).Users(t.Context(), licensing.UserQuery{})
	if n := len(s.requests()); n != 0 {
		t.Fatalf("%d requests before the first user was asked for", n)
	}
	want := map[string]int{"a": 1, "b": 1, "c": 3}
	for user, err := range users {
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.requests()); n != want[user.ID] {
			t.Errorf("user %s took %d requests, want %d", user.ID, n, want[user.ID])
		}
	}
	expectRequests(t, s, getting(usersURL), getting(usersURL+"&$skiptoken=2"), getting(usersURL+"&$skiptoken=3"))
}

func TestPagesAreReadByWhoeverRanges(t *testing.T) {
	t.Parallel()
	goroutine := func() string {
		text := string(debugStack())
		return text[:strings.Index(text, " [")]
	}
	mine := goroutine()
	s := newScript(t, pageOf(usersURL+"&$skiptoken=2", "a"), pageOf("", "b"))
	client, err := licensing.NewClient(func(context.Context) (string, error) {
		if at := goroutine(); at != mine {
			t.Errorf("a page was read in %s, want %s", at, mine)
		}
		return "secret-token", nil
	}, licensing.WithHTTPClient(&http.Client{Transport: s}), licensing.WithBaseURL("https://graph.test/base"))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := walked(t, client.Users(t.Context(), licensing.UserQuery{}))
	if err != nil {
		t.Error(err)
	}
	expectIDs(t, ids, "a", "b")
}

func debugStack() []byte {
	buf := make([]byte, 64)
	return buf[:runtime.Stack(buf, false)]
}

func TestListingsCanBeWalkedAgain(t *testing.T) {
	t.Parallel()
	s := newScript(t,
		pageOf(usersURL+"&$skiptoken=2", "a"), pageOf("", "b"),
		pageOf(usersURL+"&$skiptoken=2", "a"), pageOf("", "c"))
	users := newClient(t, s).Users(t.Context(), licensing.UserQuery{})
	for _, want := range [][]string{{"a", "b"}, {"a", "c"}} {
		ids, err := walked(t, users)
		if err != nil {
			t.Error(err)
		}
		expectIDs(t, ids, want...)
	}
}

func TestAWalkThatIsBrokenOff(t *testing.T) {
	t.Parallel()
	s := newScript(t, pageOf(usersURL+"&$skiptoken=2", "a", "b"))
	for user, err := range newClient(t, s).Users(t.Context(), licensing.UserQuery{}) {
		if err != nil || user.ID != "a" {
			t.Errorf("got %v, %v", user, err)
		}
		break
	}
}

func TestAnErrorEndsAListing(t *testing.T) {
	t.Parallel()
	denied := graphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	for name, test := range map[string]struct {
		steps []step
		ids   []string
	}{
		"at the first page":  {[]step{denied}, nil},
		"at the second page": {[]step{pageOf(usersURL+"&$skiptoken=2", "a"), denied}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, err := walked(t, newClient(t, newScript(t, test.steps...)).Users(t.Context(), licensing.UserQuery{}))
			expectIDs(t, ids, test.ids...)
			if e := asError(t, err); !errors.Is(err, licensing.ErrForbidden) || e.Op != "list users" || e.Attempts != 1 {
				t.Errorf("got %v after %d attempts", err, e.Attempts)
			}
		})
	}
}

func TestAContextThatEndsBetweenPages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newScript(t, pageOf(usersURL+"&$skiptoken=2", "a"))
	var failed error
	for user, err := range newClient(t, s).Users(ctx, licensing.UserQuery{}) {
		if cancel(); user == nil {
			failed = err
		}
	}
	if !errors.Is(failed, context.Canceled) {
		t.Errorf("got %v", failed)
	}
}

// A page that goes missing on its way is fetched again, so that no item is
// missing or there twice.
func TestF58_PageLost(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]step{
		"lost":            lost,
		"truncated":       reply(200, `{"value":[{"id":"c"},{"id":"d`),
		"truncated later": reply(200, `{"value":[{"id":"c"}`),
		"empty":           reply(200, ""),
		"throttled":       graphError(429, "TooManyRequests", "Too many requests.", "Retry-After", "7"),
		"unavailable":     graphError(503, "ServiceUnavailable", "Busy."),
		"a portal's":      reply(200, "<html>", "Content-Type", "text/html"),
		"without content": reply(204, ""),
		"an error in 200": reply(200, `{"error":{"code":"UnknownError"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const second = usersURL + "&$top=2&$skiptoken=2"
				s := newScript(t, pageOf(second, "a", "b"), wrong, wrong, pageOf(usersURL+"&$top=2&$skiptoken=3", "c", "d"), pageOf("", "e"))
				ids, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{PageSize: 2}))
				if err != nil {
					t.Error(err)
				}
				expectIDs(t, ids, "a", "b", "c", "d", "e")
				expectRequests(t, s, getting(usersURL+"&$top=2"), getting(second), getting(second), getting(second), getting(usersURL+"&$top=2&$skiptoken=3"))
			})
		})
	}
}

// A next link to anywhere else is not followed, so that nobody else sees the
// token.
func TestF59_UnsafeLinks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ link, text string }{
		"another host":           {"https://evil.test/base/v1.0/users?$skiptoken=2", "its scheme, host or port is not the client's"},
		"a host that starts so":  {"https://graph.test.evil.test/base/v1.0/users", "its scheme, host or port is not the client's"},
		"another port":           {"https://graph.test:8443/base/v1.0/users", "its scheme, host or port is not the client's"},
		"plain http":             {"http://graph.test/base/v1.0/users", "its scheme, host or port is not the client's"},
		"without a scheme":       {"//evil.test/base/v1.0/users", "its scheme, host or port is not the client's"},
		"user info":              {"https://graph.test@evil.test/base/v1.0/users", "it has user info"},
		"user info, own host":    {"https://adele:secret@graph.test/base/v1.0/users", "it has user info"},
		"outside the root":       {"https://graph.test/other/v1.0/users", "outside the client's API"},
		"another version":        {"https://graph.test/base/beta/users", "outside the client's API"},
		"out by dots":            {"https://graph.test/base/v1.0/../../other", "outside the client's API"},
		"out by escaped dots":    {"https://graph.test/base/v1.0/%2e%2e/%2e%2e/other", "outside the client's API"},
		"relative, outside":      {"/other", "outside the client's API"},
		"not a URL":              {"https://graph.test/%zz", "not a URL"},
		"with a line break":      {usersURL + "\r\nX-Evil: 1", "not a URL"},
		"the page that it is on": {usersURL, "next link was followed before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, pageOf(test.link, "a"))
			ids, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{}))
			expectIDs(t, ids, "a")
			if !errors.Is(err, licensing.ErrUnsafeLink) || !strings.HasPrefix(err.Error(), "list users: ") || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s", err, test.text)
			}
			asError(t, err)
			if text := fmt.Sprintf("%+v", err); strings.Contains(text, "secret") || strings.Contains(text, "evil") {
				t.Errorf("the error repeats the link: %s", text)
			}
			expectRequests(t, s, getting(usersURL)) // and nothing else was sent anywhere
		})
	}
}

func TestF59_Loops(t *testing.T) {
	t.Parallel()
	page := func(n string) string { return usersURL + "&$skiptoken=" + n }
	for name, test := range map[string]struct {
		links []string // of the pages
		ids   []string
	}{
		"the second page names itself":      {[]string{page("2"), page("2")}, []string{"0", "1"}},
		"the second page names the first":   {[]string{page("2"), usersURL}, []string{"0", "1"}},
		"the third page names the second":   {[]string{page("2"), page("3"), page("2")}, []string{"0", "1", "2"}},
		"in other letters of the same host": {[]string{page("2"), strings.Replace(page("2"), usersURL, "/base/v1.0/users"+listedSelect, 1)}, []string{"0", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var steps []step
			for i, link := range test.links {
				steps = append(steps, pageOf(link, fmt.Sprint(i)))
			}
			ids, err := walked(t, newClient(t, newScript(t, steps...)).Users(t.Context(), licensing.UserQuery{}))
			expectIDs(t, ids, test.ids...)
			if !errors.Is(err, licensing.ErrUnsafeLink) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestF59_LinksThatAreFollowed(t *testing.T) {
	t.Parallel()
	for link, want := range map[string]string{
		usersURL + "&$skiptoken=a%2Fb%20c+d":           usersURL + "&$skiptoken=a%2Fb%20c+d",
		"https://GRAPH.test:443/base/v1.0/users?$s=2":  "https://GRAPH.test:443/base/v1.0/users?$s=2",
		"/base/v1.0/users?$skiptoken=2":                graphRoot + "/users?$skiptoken=2",
		"?$skiptoken=2":                                graphRoot + "/users?$skiptoken=2",
		"users?$skiptoken=2":                           graphRoot + "/users?$skiptoken=2",
		"//graph.test/base/v1.0/users?$skiptoken=2":    graphRoot + "/users?$skiptoken=2",
		"https://graph.test/base/v1.0/other?$select=x": graphRoot + "/other?$select=x",
	} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, pageOf(link, "a"), pageOf("", "b"))
			ids, err := walked(t, newClient(t, s).Users(t.Context(), licensing.UserQuery{}))
			if err != nil {
				t.Error(err)
			}
			expectIDs(t, ids, "a", "b")
			expectRequests(t, s, getting(usersURL), getting(want))
		})
	}
}

// A listing whose page token has expired says so, and is walked again from the
// start.
func TestF60_ListingExpired(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	var all []string
	for range 4 {
		all = append(all, tenant.AddUser(licensingtest.User{}).ID)
	}
	users := tenant.Client().Users(t.Context(), licensing.UserQuery{PageSize: 2})
	var ids []string
	var failed error
	for user, err := range users {
		if failed = err; err != nil {
			continue
		}
		ids = append(ids, user.ID)
		tenant.ExpirePageTokens()
	}
	if e := asError(t, failed); !errors.Is(failed, licensing.ErrListingExpired) || e.StatusCode != 400 || e.Attempts != 1 {
		t.Errorf("got %v", failed)
	}
	expectIDs(t, ids, all[:2]...)
	ids, err := walked(t, users)
	if err != nil {
		t.Error(err)
	}
	expectIDs(t, ids, all...)
}

func TestEmptyPages(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.SetEmptyPages(true)
	var all []string
	for range 5 {
		all = append(all, tenant.AddUser(licensingtest.User{}).ID)
	}
	ids, err := walked(t, tenant.Client().Users(t.Context(), licensing.UserQuery{PageSize: 2}))
	if err != nil {
		t.Error(err)
	}
	expectIDs(t, ids, all...)
	if n := len(tenant.Requests()); n != 6 {
		t.Errorf("%d requests, want an empty one before each of 3", n)
	}
}

func TestAPageWithoutItsCollection(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"@odata.context":"x"}`:           "list users: 200 answer cannot be read: value is missing",
		`{"value":null}`:                   "list users: 200 answer cannot be read: value is missing",
		`{"value":{}}`:                     `list users: 200 answer cannot be read: property "value"`,
		`{"value":[],"@odata.nextLink":7}`: `list users: 200 answer cannot be read: property "@odata.nextLink"`,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			ids, err := walked(t, newClient(t, newScript(t, reply(200, body, "Request-Id", "r-1"))).Users(t.Context(), licensing.UserQuery{}))
			e, ok := errors.AsType[*licensing.DecodeError](err)
			if !ok || len(ids) != 0 || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("got %q, %v, want %s", ids, err, want)
			}
			if string(e.Body) != body || e.RequestID != "r-1" {
				t.Errorf("got %q of %q", e.Body, e.RequestID)
			}
		})
	}
}

// An item that is null is none.
func TestNullItems(t *testing.T) {
	t.Parallel()
	ids, err := walked(t, newClient(t, newScript(t, reply(200, `{"value":[null,{"id":"a"},null]}`))).Users(t.Context(), licensing.UserQuery{}))
	if err != nil {
		t.Error(err)
	}
	expectIDs(t, ids, "a")
}

// All pages of a walk have the caller's id, and each page one of its own
// otherwise.
func TestRequestIDsOfPages(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("99999999-9999-4999-8999-999999999999")
	for name, ctx := range map[string]context.Context{"given": licensing.ContextWithClientRequestID(t.Context(), id), "not given": t.Context()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, pageOf(usersURL+"&$skiptoken=2", "a"), pageOf("", "b"))
			if _, err := walked(t, newClient(t, s).Users(ctx, licensing.UserQuery{})); err != nil {
				t.Error(err)
			}
			sent := s.requests()
			first, second := sent[0].Header.Get("Client-Request-Id"), sent[1].Header.Get("Client-Request-Id")
			if given := first == id.String() && second == first; given != (name == "given") || first == second && !given {
				t.Errorf("sent %s and %s", first, second)
			}
		})
	}
}

// Each page has the time of a call, not the whole walk.
func TestMaxElapsedBoundsAPage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slow := func(next step) step {
			return func(req *http.Request) (*http.Response, error) {
				time.Sleep(40 * time.Second)
				return next(req)
			}
		}
		s := newScript(t, slow(pageOf(usersURL+"&$skiptoken=2", "a")), slow(pageOf("", "b")))
		client := newClient(t, s, licensing.WithRetryPolicy(licensing.RetryPolicy{MaxElapsed: time.Minute}))
		ids, err := walked(t, client.Users(t.Context(), licensing.UserQuery{}))
		if err != nil {
			t.Error(err)
		}
		expectIDs(t, ids, "a", "b")
	})
}

// FuzzPage makes sure that no page makes a walk panic, yield what is no user, or
// go elsewhere.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		`{"value":[{"id":"a","assignedLicenses":[{"skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disabledPlans":[null,""]}]}],"@odata.nextLink":"?$skiptoken=2"}`,
		`{"value":[],"@odata.nextLink":"https://evil.test/"}`,
		`{"value":[],"@odata.nextLink":"https://adele@graph.test/base/v1.0/users"}`,
		`{"value":[null],"@odata.nextLink":null}`,
		`{"value":null}`, `{"error":null}`, `{"value":[{"skuId":7}]}`, `{"value":[`, `[]`, `null`, "", "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pages := [][]byte{data, []byte(`{"value":[]}`)}
		made := 0
		client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
			if to := req.URL.String(); !strings.HasPrefix(strings.ToLower(to), "https://graph.test") || strings.ContainsAny(to, "\r\n") {
				t.Fatalf("%q leads to %q", data, to)
			}
			made++
			return reply(200, string(pages[min(made, len(pages))-1]))(req)
		}), once)
		var last error
		for user, err := range client.Users(t.Context(), licensing.UserQuery{}) {
			if last != nil {
				t.Fatal("something follows an error")
			}
			if last = err; (user == nil) != (err != nil) {
				t.Fatalf("got %v, %v", user, err)
			}
		}
		if last != nil && !utf8.ValidString(last.Error()) {
			t.Fatalf("%q", last.Error())
		}
		var page struct{ Value []json.RawMessage }
		if json.Unmarshal(data, &page) != nil && last == nil {
			t.Fatalf("%q passed for a page", data)
		}
	})
}

func TestSubscribedSKUs(t *testing.T) {
	t.Parallel()
	const answer = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus","value":[{
		"accountId":"f97aeefc-af85-414d-8ae4-b457f90efc40","accountName":"contoso","appliesTo":"User","capabilityStatus":"Enabled","consumedUnits":14,
		"id":"48a80680-7326-48cd-9935-b556b81d3a4e_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
		"prepaidUnits":{"enabled":25,"lockedOut":1,"suspended":2,"warning":3},
		"servicePlans":[{"appliesTo":"User","provisioningStatus":"PendingActivation","servicePlanId":"A0000000-0000-4000-8000-000000000001","servicePlanName":"INTUNE_O365"}],
		"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","skuPartNumber":"ENTERPRISEPACK","subscriptionIds":["s-1"],"new":{"x":1}}],"@odata.nextLink":"/base/v1.0/subscribedSkus?$skiptoken=2"}`
	const more = `{"value":[{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","prepaidUnits":{"enabled":1,"suspended":0,"warning":0},"consumedUnits":null}]}`
	s := newScript(t, reply(200, answer), reply(200, more))
	got, err := newClient(t, s.mocked("GET /subscribedSkus", "GET /subscribedSkus?$skiptoken=2")).SubscribedSKUs(t.Context())
	want := []licensing.SubscribedSKU{{
		ID: "48a80680-7326-48cd-9935-b556b81d3a4e_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", AccountID: "f97aeefc-af85-414d-8ae4-b457f90efc40", AccountName: "contoso",
		AppliesTo: "User", CapabilityStatus: licensing.CapabilityStatusEnabled, ConsumedUnits: 14,
		PrepaidUnits: licensing.LicenseUnits{Enabled: 25, LockedOut: 1, Suspended: 2, Warning: 3},
		ServicePlans: []licensing.ServicePlan{{AppliesTo: "User", ProvisioningStatus: licensing.ProvisioningStatusPendingActivation, ServicePlanID: planA, ServicePlanName: "INTUNE_O365"}},
		SKUID:        skuA, SKUPartNumber: "ENTERPRISEPACK", SubscriptionIDs: []string{"s-1"},
	}, {
		SKUID: skuB, PrepaidUnits: licensing.LicenseUnits{Enabled: 1},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	expectRequests(t, s, getting(graphRoot+"/subscribedSkus"), getting(graphRoot+"/subscribedSkus?$skiptoken=2"))
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		units          licensing.LicenseUnits
		consumed, want int
	}{
		{licensing.LicenseUnits{}, 0, 0},
		{licensing.LicenseUnits{Enabled: 25}, 14, 11},
		{licensing.LicenseUnits{Enabled: 25, Warning: 5}, 25, 5},
		{licensing.LicenseUnits{Suspended: 25, LockedOut: 25}, 0, 0},
		{licensing.LicenseUnits{Enabled: 5}, 8, -3}, // after a downgrade
	} {
		if got := (licensing.SubscribedSKU{PrepaidUnits: test.units, ConsumedUnits: test.consumed}).Available(); got != test.want {
			t.Errorf("%+v, %d consumed: got %d, want %d", test.units, test.consumed, got, test.want)
		}
	}
}

func TestLicenseDetails(t *testing.T) {
	t.Parallel()
	const answer = `{"value":[{"id":"3RnS3Gi8m0u","skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","skuPartNumber":"ENTERPRISEPACK",
		"servicePlans":[{"servicePlanId":"a0000000-0000-4000-8000-000000000001","servicePlanName":"SWAY","provisioningStatus":"Disabled","appliesTo":"User"}]}]}`
	client := newClient(t, newScript(t, reply(200, answer), reply(200, answer)).mocked("GET /users/"+userID+"/licenseDetails", "GET /me/licenseDetails"))
	want := []licensing.LicenseDetails{{
		ID: "3RnS3Gi8m0u", SKUID: skuA, SKUPartNumber: "ENTERPRISEPACK",
		ServicePlans: []licensing.ServicePlan{{ServicePlanID: planA, ServicePlanName: "SWAY", ProvisioningStatus: licensing.ProvisioningStatusDisabled, AppliesTo: "User"}},
	}}
	if got, err := client.UserLicenseDetails(t.Context(), userID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := client.MyLicenseDetails(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// A list without items is one, and no list comes with an error.
func TestListsThatAreEmptyOrFail(t *testing.T) {
	t.Parallel()
	none, denied := reply(200, `{"value":[]}`), graphError(403, "Authorization_RequestDenied", "No.")
	client := newClient(t, newScript(t, none, none, pageOf("?$skiptoken=2", "a"), denied))
	if skus, err := client.SubscribedSKUs(t.Context()); err != nil || skus == nil || len(skus) != 0 {
		t.Errorf("got %#v, %v", skus, err)
	}
	if details, err := client.UserLicenseDetails(t.Context(), userID); err != nil || details == nil || len(details) != 0 {
		t.Errorf("got %#v, %v", details, err)
	}
	if skus, err := client.SubscribedSKUs(t.Context()); !errors.Is(err, licensing.ErrForbidden) || skus != nil {
		t.Errorf("got %#v, %v", skus, err)
	}
}

// Details show direct and inherited SKUs alike, and the plans that are off.
func TestLicenseDetailsInATenant(t *testing.T) {
	t.Parallel()
	o := newOffice()
	for user, off := range map[string][]uuid.UUID{o.direct: {o.sway}, o.inherited: {o.teams}, o.both: nil} {
		details, err := o.client.UserLicenseDetails(t.Context(), user)
		if err != nil || len(details) != 1 {
			t.Fatalf("got %+v, %v", details, err)
		}
		var got []uuid.UUID
		for _, plan := range details[0].ServicePlans {
			if plan.ProvisioningStatus == licensing.ProvisioningStatusDisabled {
				got = append(got, plan.ServicePlanID)
			}
		}
		if !reflect.DeepEqual(got, off) {
			t.Errorf("off are %v, want %v", got, off)
		}
	}
	skus, err := o.client.SubscribedSKUs(t.Context())
	if err != nil || len(skus) != 2 || skus[0].Available() != 7 || skus[1].Available() != 10 {
		t.Errorf("got %+v, %v", skus, err)
	}
}

// An id that is empty is none, and costs no more than itself.
func TestEmptyIDsOfSKUs(t *testing.T) {
	t.Parallel()
	e3, spb := uuid.MustParse("05e9a617-0261-4cee-bb44-138d3ef5d965"), uuid.MustParse("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46")
	skus, err := newClient(t, newScript(t, fixed(t, "skus-empty-plan-id.json"))).SubscribedSKUs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "SKUs", skus, []licensing.SubscribedSKU{
		{SKUID: e3, SKUPartNumber: "SPE_E3", ConsumedUnits: 5, PrepaidUnits: licensing.LicenseUnits{Enabled: 6},
			ServicePlans: []licensing.ServicePlan{{ServicePlanName: "X"}}},
		{SKUID: spb, SKUPartNumber: "SPB"},
	})
	details, err := newClient(t, newScript(t, fixed(t, "details-empty-sku-id.json"))).UserLicenseDetails(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "details", details, []licensing.LicenseDetails{
		{ID: "x", SKUPartNumber: "X", ServicePlans: []licensing.ServicePlan{}},
		{ID: "y", SKUID: e3, SKUPartNumber: "SPE_E3", ServicePlans: []licensing.ServicePlan{}},
	})

	s := newScript(t, reply(200, `{"value":[{"skuId":"","servicePlans":[]},{"skuId":"x"}]}`))
	_, err = newClient(t, s).SubscribedSKUs(t.Context())
	if e, ok := errors.AsType[*licensing.DecodeError](err); !ok || e.Property != "value[1].skuId" {
		t.Errorf("got %v", err)
	}
}

// fixed answers as a file of testdata says.
func fixed(t *testing.T, name string) step {
	t.Helper()
	var fixture struct {
		Status int
		Body   json.RawMessage
	}
	if err := json.Unmarshal([]byte(readFile(t, "testdata/"+name)), &fixture); err != nil {
		t.Fatal(err)
	}
	return reply(fixture.Status, string(fixture.Body))
}

// Ids may be null or in capitals, as in users and groups.
func TestLenientDecodingOfSKUs(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"value":[{"skuId":null,"servicePlans":[{"servicePlanId":null,"servicePlanName":"P"},{"servicePlanId":"A0000000-0000-4000-8000-000000000001"}]},{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","consumedUnits":3}]}`))
	skus, err := newClient(t, s).SubscribedSKUs(t.Context())
	if err != nil || len(skus) != 2 || skus[0].ServicePlans[0].ServicePlanName != "P" || skus[0].ServicePlans[1].ServicePlanID != planA || skus[1].SKUID != skuA || skus[1].ConsumedUnits != 3 {
		t.Errorf("got %+v, %v", skus, err)
	}
	s = newScript(t, reply(200, `{"value":[{"id":"x","skuId":null,"skuPartNumber":"E3"}]}`))
	details, err := newClient(t, s).UserLicenseDetails(t.Context(), userID)
	if err != nil || len(details) != 1 || details[0].SKUPartNumber != "E3" {
		t.Errorf("got %+v, %v", details, err)
	}
}
