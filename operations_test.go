package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestEachOperationSendsOneRequest(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		t.Run(o.op, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, reply(o.status, `{"id":"`+o.id+`","displayName":"Adele"}`, "request-id", "r1"))
			got, err := o.call(t.Context(), newClient(t, s.mocked("POST "+o.path)))
			if err != nil {
				t.Fatal(err)
			}
			wantSent(t, s.requests()[0], "POST", o.path, o.body)
			if o.id == groupID {
				same(t, "result", got, &licensing.Group{ID: o.id, DisplayName: "Adele"})
			} else {
				same(t, "result", got, &licensing.User{ID: o.id, DisplayName: "Adele"})
			}
		})
	}
}

// Every method that takes a user refuses these before anything is sent.
func TestUsersThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, user, want string }{
		{"nothing", "", "user is empty"},
		{"a dot", ".", "user is a dot segment"},
		{"two dots", "..", "user is a dot segment"},
		{"a line end", "adele@contoso.com\n", "user has a control character"},
		{"a null byte", "\x00", "user has a control character"},
		{"a delete", "adele\x7f@contoso.com", "user has a control character"},
		{"a control character of Latin-1", "adele\u0085@contoso.com", "user has a control character"},
		{"half a letter", "ad\xc3le@contoso.com", "user is not valid UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, newScript(t))
			_, err := client.AssignUserLicense(t.Context(), test.user, add(skuA))
			wantInvalid(t, err, "assign user license: invalid argument: "+test.want)
			_, err = client.ReprocessUserLicense(t.Context(), test.user)
			wantInvalid(t, err, "reprocess user license: invalid argument: "+test.want)
		})
	}
}

// wantInvalid checks the error for an argument, which comes before any request.
func wantInvalid(t *testing.T, err error, want string) {
	t.Helper()
	if fmt.Sprint(err) != want {
		t.Errorf("got error  %v\nwant error %s", err, want)
		return
	}
	if got := kinds(err); got != "InvalidArgument" {
		t.Errorf("the error is %q, want InvalidArgument", got)
	}
	if e := asError(t, err); e.Attempts != 0 || e.StatusCode != 0 {
		t.Errorf("the error has %d attempts and status %d", e.Attempts, e.StatusCode)
	}
}

// assigns are the three methods that take a change.
var assigns = []struct {
	op   string
	call func(*testing.T, *licensing.Client, licensing.AssignLicenseRequest) (any, error)
}{
	{"assign user license", func(t *testing.T, c *licensing.Client, req licensing.AssignLicenseRequest) (any, error) {
		return result(c.AssignUserLicense(t.Context(), userID, req))
	}},
	{"assign my license", func(t *testing.T, c *licensing.Client, req licensing.AssignLicenseRequest) (any, error) {
		return result(c.AssignMyLicense(t.Context(), req))
	}},
	{"assign group license", func(t *testing.T, c *licensing.Client, req licensing.AssignLicenseRequest) (any, error) {
		return result(c.AssignGroupLicense(t.Context(), groupID, req))
	}},
}

func TestChangesThatAreRefused(t *testing.T) {
	t.Parallel()
	license := func(sku uuid.UUID, plans ...uuid.UUID) licensing.AssignedLicense {
		return licensing.AssignedLicense{SKUID: sku, DisabledPlans: plans}
	}
	licenses := func(l ...licensing.AssignedLicense) licensing.AssignLicenseRequest {
		return licensing.AssignLicenseRequest{AddLicenses: l}
	}
	both := add(skuA, skuB)
	both.RemoveLicenses = []uuid.UUID{skuC, skuB}
	tests := []struct {
		name   string
		change licensing.AssignLicenseRequest
		want   string
	}{
		{"a nil SKU to add", licenses(license(skuA), license(uuid.Nil)), "AddLicenses[1].SKUID is the nil UUID"},
		{"a nil SKU to remove", remove(skuA, uuid.Nil), "RemoveLicenses[1] is the nil UUID"},
		{"a nil plan", licenses(license(skuA), license(skuB, planA, uuid.Nil)), "AddLicenses[1].DisabledPlans[1] is the nil UUID"},
		{"a SKU added twice", licenses(license(skuA, planA), license(skuB), license(skuA, planA)), "AddLicenses[2].SKUID " + skuA.String() + " is there twice"},
		{"a SKU in both lists", both, "AddLicenses[1].SKUID " + skuB.String() + " is in RemoveLicenses, too"},
	}
	for _, method := range assigns {
		for _, test := range tests {
			t.Run(method.op+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				got, err := method.call(t, newClient(t, newScript(t)), test.change)
				if got != nil {
					t.Error("got a result with an error")
				}
				wantInvalid(t, err, method.op+": invalid argument: "+test.want)
			})
		}
		for name, nothing := range map[string]licensing.AssignLicenseRequest{
			"nothing":     {},
			"empty lists": {AddLicenses: []licensing.AssignedLicense{}, RemoveLicenses: []uuid.UUID{}},
		} {
			t.Run(method.op+"/"+name, func(t *testing.T) {
				t.Parallel()
				_, err := method.call(t, newClient(t, newScript(t)), nothing)
				if got, want := fmt.Sprint(err), method.op+": invalid argument: AddLicenses and RemoveLicenses are both empty"; got != want {
					t.Errorf("got error  %s\nwant error %s", got, want)
				}
				if got := kinds(err); got != "InvalidArgument NoChanges" {
					t.Errorf("the error is %q, want InvalidArgument NoChanges", got)
				}
			})
		}
	}
}

func TestRepeatedEntriesAreSentOnce(t *testing.T) {
	t.Parallel()
	for _, method := range assigns {
		t.Run(method.op, func(t *testing.T) {
			t.Parallel()
			change := licensing.AssignLicenseRequest{
				AddLicenses:    []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planB, planA, planB, planA}}},
				RemoveLicenses: []uuid.UUID{skuC, skuB, skuC},
			}
			s := newScript(t, reply(200, `{"@odata.context":"x"}`))
			if _, err := method.call(t, newClient(t, s.mocked("POST /users/"+userID+"/assignLicense", "POST /me/assignLicense", "POST /groups/"+groupID+"/assignLicense")), change); err != nil {
				t.Fatal(err)
			}
			want := `{"addLicenses":[{"disabledPlans":["` + planB.String() + `","` + planA.String() + `"],"skuId":"` + skuA.String() + `"}],` +
				`"removeLicenses":["` + skuC.String() + `","` + skuB.String() + `"]}`
			if got := s.requests()[0].Body; got != want {
				t.Errorf("sent %s\nwant %s", got, want)
			}
			if len(change.RemoveLicenses) != 3 || len(change.AddLicenses[0].DisabledPlans) != 4 {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestWhatIsASuccess(t *testing.T) {
	t.Parallel()
	contentType := func(value string) []string { return []string{"Content-Type", value} }
	tests := []struct {
		name    string
		status  int
		body    string // with %s for the id
		headers []string
	}{
		{"200", 200, `{"@odata.context":"x","id":"%s"}`, nil},
		{"201", 201, `{"@odata.context":"x","id":"%s"}`, nil},
		{"202", 202, `{"@odata.context":"x","id":"%s"}`, nil},
		{"a null error", 202, `{"@odata.context":"x","id":"%s","error":null}`, nil},
		{"assigned licenses", 200, `{"assignedLicenses":[]}`, nil},
		{"OData's member and no id", 200, `{"@odata.context":"x"}`, nil},
		{"OData's member and a null id", 200, `{"@odata.type":"x","id":null}`, nil},
		{"a property and a request-id", 200, `{"displayName":"x"}`, []string{"request-id", "r"}},
		{"a property, an empty id and a request-id", 200, `{"id":"","displayName":"x"}`, []string{"request-id", "r"}},
		{"Graph's own content type", 200, `{"@odata.context":"x","id":"%s"}`, contentType("application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")},
		{"a content type in capitals", 200, `{"@odata.context":"x","id":"%s"}`, contentType("Application/JSON")},
		{"another JSON type", 200, `{"@odata.context":"x","id":"%s"}`, contentType("application/vnd.contoso+json; charset=utf-8")},
		{"no content type", 200, `{"@odata.context":"x","id":"%s"}`, contentType("")},
		{"blanks around the object", 200, " \r\n\t{\"@odata.context\":\"x\",\"id\":\"%s\"}\r\n", nil},
	}
	for _, o := range operations {
		for _, test := range tests {
			t.Run(o.op+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				s := newScript(t, reply(test.status, strings.ReplaceAll(test.body, "%s", o.id), test.headers...))
				got, err := o.call(t.Context(), newClient(t, s.mocked("POST "+o.path)))
				if err != nil {
					t.Fatal(err)
				}
				if id := idOf(got); id != o.id {
					t.Errorf("got the id %q, want %q", id, o.id)
				}
			})
		}
	}
}

func idOf(result any) string {
	if group, ok := result.(*licensing.Group); ok {
		return group.ID
	}
	return result.(*licensing.User).ID
}

func TestAnIDInUpperCaseIsTheSame(t *testing.T) {
	t.Parallel()
	upper := strings.ToUpper("abcdef01-1111-4111-8111-111111111111")
	client := newClient(t, newScript(t, reply(200, `{"id":"`+upper+`"}`), reply(200, `{"id":"`+strings.ToLower(upper)+`"}`), reply(202, `{"id":"`+upper+`"}`), reply(202, `{"@odata.context":"x"}`)).mocked(
		"POST /users/abcdef01-1111-4111-8111-111111111111/assignLicense", "POST /users/ABCDEF01-1111-4111-8111-111111111111/reprocessLicenseAssignment",
		"POST /groups/abcdef01-1111-4111-8111-111111111111/assignLicense", "POST /groups/ABCDEF01-1111-4111-8111-111111111111/assignLicense"))
	if user, err := client.AssignUserLicense(t.Context(), strings.ToLower(upper), add(skuA)); err != nil || user.ID != upper {
		t.Errorf("got %v, %v", user, err)
	}
	if user, err := client.ReprocessUserLicense(t.Context(), upper); err != nil || user.ID != strings.ToLower(upper) {
		t.Errorf("got %v, %v", user, err)
	}
	if group, err := client.AssignGroupLicense(t.Context(), strings.ToLower(upper), add(skuA)); err != nil || group.ID != upper {
		t.Errorf("got %v, %v", group, err)
	}
	if group, err := client.AssignGroupLicense(t.Context(), upper, add(skuA)); err != nil || group.ID != strings.ToLower(upper) { // which we make
		t.Errorf("got %v, %v", group, err)
	}
}

// A user that was asked for by name comes back with that name at least, and
// may have any id.
func TestAUserByName(t *testing.T) {
	t.Parallel()
	const name = "Adele@contoso.com"
	tests := map[string]licensing.User{
		`{"@odata.context":"x"}`:                             {UserPrincipalName: name},
		`{"id":"` + userID + `"}`:                            {ID: userID, UserPrincipalName: name},
		`{"id":"x","userPrincipalName":"adele@contoso.com"}`: {ID: "x", UserPrincipalName: "adele@contoso.com"},
	}
	for body, want := range tests {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, newScript(t, reply(200, body), reply(200, body)).mocked("POST /users/Adele@contoso.com/assignLicense", "POST /users/Adele@contoso.com/reprocessLicenseAssignment"))
			got, err := client.AssignUserLicense(t.Context(), name, remove(skuA))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "user", *got, want)
			if got, err = client.ReprocessUserLicense(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			same(t, "user", *got, want)
		})
	}
}

func TestWhatIsNoSuccess(t *testing.T) {
	t.Parallel()
	const notGraph = "not an answer from Microsoft Graph: "
	html := []string{"Content-Type", "text/html; charset=utf-8"}
	tests := []struct {
		name    string
		status  int
		body    string // with %s for the id
		headers []string
		want    string
	}{
		{"a portal's page", 200, "<html>Sign in to the hotel</html>", html, notGraph + "text/html"},
		{"JSON called HTML", 200, `{"id":"%s"}`, html, notGraph + "text/html"},
		{"JSON called text", 200, `{"id":"%s"}`, []string{"Content-Type", "text/json"}, notGraph + "text/json"},
		{"a page without a content type", 200, "<html></html>", []string{"Content-Type", ""}, notGraph + "no JSON object"},
		{"nothing", 200, "", nil, notGraph + "no JSON object"},
		{"blanks", 200, " \n", nil, notGraph + "no JSON object"},
		{"null", 200, "null", nil, notGraph + "no JSON object"},
		{"an array", 200, `[{"id":"%s"}]`, nil, notGraph + "no JSON object"},
		{"a string", 200, `"%s"`, nil, notGraph + "no JSON object"},
		{"a number", 200, "1", nil, notGraph + "no JSON object"},
		{"half an object", 200, `{"id":"%s"`, nil, notGraph + "not a complete JSON object"},
		{"an object and more", 200, `{"id":"%s"}{}`, nil, notGraph + "not a complete JSON object"},
		{"an object and a page", 202, "{\"id\":\"%s\"}\n<html>", nil, notGraph + "not a complete JSON object"},
		{"an error", 200, `{"error":{"code":"x"}}`, nil, notGraph + "an error with status 200"},
		{"an error and what cannot be read", 200, `{"error":{"code":"x"},"mail":1}`, nil, notGraph + "an error with status 200"},
	}
	for _, o := range operations {
		for _, test := range tests {
			t.Run(o.op+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				s := newScript(t, reply(test.status, strings.ReplaceAll(test.body, "%s", o.id), test.headers...))
				wantDoubt(t, o, s, test.status, test.want)
			})
		}
		if o.id == "" {
			continue
		}
		for name, body := range map[string]string{
			"another object":                       `{"id":"33333333-3333-4333-8333-333333333333"}`,
			"another object that cannot be read":   `{"id":"33333333-3333-4333-8333-333333333333","mail":1}`,
			"an object whose id is a user's name":  `{"id":"adele@contoso.com"}`,
			"an object whose id is no text at all": `{"id":5}`,
		} {
			t.Run(o.op+"/"+name, func(t *testing.T) {
				t.Parallel()
				wantDoubt(t, o, newScript(t, reply(200, body)), 200, "answer is for another object")
			})
		}
	}
}

// wantDoubt checks that an operation cannot tell what became of its request.
func wantDoubt(t *testing.T, o operation, s *script, status int, want string) {
	t.Helper()
	got, err := o.call(t.Context(), newClient(t, s, once))
	if got != nil {
		t.Error("got a result with an error")
	}
	line := fmt.Sprintf("%s: outcome unknown: %d %s: %s (1 attempt)", o.op, status, http.StatusText(status), want)
	if strings.HasSuffix(want, "an error with status 200") { // which has a code of its own
		line = fmt.Sprintf("%s: outcome unknown: 200 x: %s (1 attempt)", o.op, want)
	}
	if fmt.Sprint(err) != line {
		t.Errorf("got error  %v\nwant error %s", err, line)
	}
	if got := kinds(err); got != "Unavailable OutcomeUnknown" {
		t.Errorf("the error is %q, want Unavailable OutcomeUnknown", got)
	}
}

func TestASuccessThatIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"city":"`+strings.Repeat("x", 16<<20)+`"}`))
	_, err := newClient(t, s, once).AssignUserLicense(t.Context(), userID, add(skuA))
	if got, want := fmt.Sprint(err), "assign user license: outcome unknown: 200 OK: answer has more than 16 MiB (1 attempt)"; got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
	if got := len(asError(t, err).Body); got != 64<<10 {
		t.Errorf("%d bytes were kept", got)
	}
}

func TestGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ id, is string }{
		"nothing":              {"", `is empty`},
		"two dots":             {"..", `is ".."`},
		"a name":               {"all-users", `is "all-users"`},
		"an address":           {"adele@contoso.com", `is an address`},
		"a path":               {groupID + "/members", `is "` + groupID + `/mem"`},
		"a query":              {groupID + "?$select=id", `is "` + groupID + `?$se"`},
		"a GUID in braces":     {"{" + groupID + "}", `is "{` + groupID + `}"`},
		"a GUID as a URN":      {"urn:uuid:" + groupID, `is "urn:uuid:` + groupID[:31] + `"`},
		"a GUID of one word":   {"22222222222242228222222222222222", `is "22222222222242228222222222222222"`},
		"a GUID with a blank":  {" " + groupID, `is " ` + groupID + `"`},
		"a letter beyond f":    {"g" + groupID[1:], `is "g` + groupID[1:] + `"`},
		"the nil GUID":         {"00000000-0000-0000-0000-000000000000", `is "00000000-0000-0000-0000-000000000000"`},
		"a GUID and a newline": {groupID + "\n", `is "` + groupID + `\n"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group, err := newClient(t, newScript(t)).AssignGroupLicense(t.Context(), test.id, add(skuA))
			if group != nil {
				t.Error("got a group with an error")
			}
			wantInvalid(t, err, "assign group license: invalid argument: groupID "+test.is+", not a GUID")
		})
	}
}

func TestAGroupIDIsSentAsItIs(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(202, `{"@odata.context":"x"}`), okGroup)
	client := newClient(t, s.mocked("POST /groups/ABCDEF01-2222-4222-8222-222222222222/assignLicense", "POST /groups/"+groupID+"/assignLicense"))
	group, err := client.AssignGroupLicense(t.Context(), "ABCDEF01-2222-4222-8222-222222222222", remove(skuA))
	if err != nil {
		t.Fatal(err)
	}
	wantSent(t, s.requests()[0], "POST", "/groups/ABCDEF01-2222-4222-8222-222222222222/assignLicense", `{"addLicenses":[],"removeLicenses":["`+skuA.String()+`"]}`)
	same(t, "group", *group, licensing.Group{ID: "abcdef01-2222-4222-8222-222222222222"})

	if group, err = client.AssignGroupLicense(t.Context(), groupID, remove(skuA)); err != nil {
		t.Fatal(err)
	}
	wantSent(t, s.requests()[1], "POST", "/groups/"+groupID+"/assignLicense", `{"addLicenses":[],"removeLicenses":["`+skuA.String()+`"]}`)
	same(t, "group", *group, licensing.Group{ID: groupID})
}

// The change reaches the members later, and what fails for one of them is in
// no error of the call.
func TestAGroupsMembersFollowLater(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	first, second := tenant.AddUser(licensingtest.User{UsageLocation: "NO"}), tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
	members := tenant.AddGroup(licensingtest.Group{}, first.ID, second.ID)

	group, err := tenant.Client().AssignGroupLicense(t.Context(), members.ID, add(sku.ID))
	if err != nil || group.ID != members.ID {
		t.Fatalf("got %v, %v", group, err)
	}
	if state, _ := tenant.Group(members.ID); state.State != "QueuedForProcessing" {
		t.Errorf("the group is in state %q", state.State)
	}
	tenant.Process()
	failed := 0
	for _, id := range []string{first.ID, second.ID} {
		user, _ := tenant.User(id)
		for _, row := range user.States {
			if row.State == "Error" {
				failed++
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d members are without the license, want 1", failed)
	}
}

// The action takes no body, which a server sees as a length of 0.
func TestReprocessingHasNoBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(body) > 0 || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("got body %q, %v, length %d, encoding %q, type %q", body, err, r.ContentLength, r.TransferEncoding, r.Header.Get("Content-Type"))
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"@odata.context":"x"}`)
	}))
	defer server.Close()
	client := newClient(t, nil, licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(server.Client()))
	if _, err := client.ReprocessUserLicense(t.Context(), userID); err != nil {
		t.Error(err)
	}
	if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReprocessingTellsTheTrueReason(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 0})
	user := tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
	tenant.SignIn(user.ID)
	tenant.AddGroup(licensingtest.Group{Licenses: []licensingtest.License{{SKUID: sku.ID}}}, user.ID)
	client := tenant.Client()
	_, err := client.ReprocessUserLicense(t.Context(), user.UserPrincipalName)
	if kinds(err) != "NoAvailableLicenses" {
		t.Errorf("got error %v", err)
	}
	_, err = client.ReprocessMyLicense(t.Context())
	if kinds(err) != "NoAvailableLicenses" {
		t.Errorf("got error %v", err)
	}
	same(t, "SKUs", asError(t, err).SKUIDs, []uuid.UUID{sku.ID})
}

const badLocation = "License assignment cannot be done for user with invalid usage location."

func TestSetUsageLocation(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"DE", "de", "dE"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, okLocation)
			if err := newClient(t, s.mocked("PATCH /users/"+userID)).SetUsageLocation(t.Context(), userID, code); err != nil {
				t.Error(err)
			}
			expectRequests(t, s, sending("PATCH", graphRoot+"/users/"+userID, `{"usageLocation":"DE"}`))
		})
	}
}

func TestUsageLocationsThatAreRefused(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	for code, text := range map[string]string{
		"":                  `is empty, not an ISO 3166 alpha-2 code`,
		"D":                 `is "D", not an ISO 3166 alpha-2 code`,
		"UK":                `is "UK", not an ISO 3166 alpha-2 code: the United Kingdom is GB`,
		"el":                `is "el", not an ISO 3166 alpha-2 code: Greece is GR`,
		"D ":                `is "D ", not an ISO 3166 alpha-2 code`,
		" DE":               `is " DE", not an ISO 3166 alpha-2 code`,
		"USA":               `is "USA", not an ISO 3166 alpha-2 code: the United States are US`,
		"ZZ":                `is "ZZ", not an ISO 3166 alpha-2 code`,
		"EU":                `is "EU", not an ISO 3166 alpha-2 code`,
		"de-DE":             `is "de-DE", not an ISO 3166 alpha-2 code`,
		"276":               `is "276", not an ISO 3166 alpha-2 code`,
		"DE FR":             `is "DE FR", not an ISO 3166 alpha-2 code`,
		"Germany":           `is "Germany", not an ISO 3166 alpha-2 code`,
		`D"`:                `is "D\"", not an ISO 3166 alpha-2 code`,
		"ıt":                `is "ıt", not an ISO 3166 alpha-2 code`,
		"ſe":                `is "ſe", not an ISO 3166 alpha-2 code`,
		"adele@contoso.com": `is an address, not an ISO 3166 alpha-2 code`,
	} {
		err := client.SetUsageLocation(t.Context(), userID, code)
		if !errors.Is(err, licensing.ErrInvalidArgument) || err.Error() != "set usage location: invalid argument: countryCode "+text {
			t.Errorf("%q: got %v", code, err)
		}
	}
	if err := client.SetUsageLocation(t.Context(), "", "DE"); !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("got %v", err)
	}
	asError(t, client.SetUsageLocation(t.Context(), "..", "DE"))
}

func TestUsageLocationFailures(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		kinds []error
	}{
		"a clash of proxy addresses": {[]step{badRequest("Another object with the same value for property proxyAddresses already exists.")}, []error{licensing.ErrProxyAddressConflict}},
		"no such user":               {[]step{graphError(404, "Request_ResourceNotFound", "Resource does not exist.")}, []error{licensing.ErrNotFound}},
		"forbidden":                  {[]step{graphError(403, "Authorization_RequestDenied", "No.")}, []error{licensing.ErrForbidden}},
		"lost, then forbidden":       {[]step{lost, graphError(403, "Authorization_RequestDenied", "No.")}, []error{licensing.ErrForbidden, licensing.ErrOutcomeUnknown}},
		"lost, then done":            {[]step{lost, okLocation}, nil},
		"in doubt to the end":        {[]step{lost, lost, lost, lost, lost}, []error{licensing.ErrOutcomeUnknown, licensing.ErrUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				err := newClient(t, newScript(t, test.steps...)).SetUsageLocation(t.Context(), userID, "DE")
				if (err == nil) != (test.kinds == nil) {
					t.Errorf("got %v", err)
				}
				for _, kind := range test.kinds {
					if !errors.Is(err, kind) {
						t.Errorf("got %v, want %v", err, kind)
					}
				}
			})
		})
	}
}

// One that was refused is not waited for.
func TestAssigningAfterAUsageLocationWasRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, badRequest("Another object with the same value for property proxyAddresses already exists."), badRequest(badLocation))
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); !errors.Is(err, licensing.ErrProxyAddressConflict) {
			t.Fatal(err)
		}
		if _, err := client.AssignUserLicense(t.Context(), userID, add(skuA)); !errors.Is(err, licensing.ErrUsageLocation) {
			t.Error(err)
		}
	})
}

// An assignment right after the usage location was set waits until Graph has
// noticed it.
func TestAssigningAfterSetUsageLocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
		tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example"})
		tenant.SetUsageLocationLag(20 * time.Second)
		client := tenant.Client()
		if err := client.SetUsageLocation(t.Context(), "adele@contoso.example", "de"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		user, err := client.AssignUserLicense(t.Context(), "Adele@contoso.example", add(sku.ID))
		if took := time.Since(start); err != nil || user == nil || took < 20*time.Second || took > 40*time.Second {
			t.Errorf("got %+v, %v after %v", user, err, took)
		}
		if n := len(tenant.Writes()); n != 2 {
			t.Errorf("%d effects", n)
		}
	})
}

func TestUsageLocationThatIsRefused(t *testing.T) {
	refusal := badRequest(badLocation)
	set := func(user string) func(*testing.T, *licensing.Client) {
		return func(t *testing.T, c *licensing.Client) {
			if err := c.SetUsageLocation(t.Context(), user, "DE"); err != nil {
				t.Fatal(err)
			}
		}
	}
	mine := func(*testing.T, *licensing.Client) {}
	for name, test := range map[string]struct {
		before  func(*testing.T, *licensing.Client)
		refusal step
		policy  licensing.RetryPolicy
		left    time.Duration // of the context
		least   int           // assignments sent
		most    int
		took    time.Duration // at most
	}{
		"set by nobody":          {mine, refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set for another user":   {set("other@contoso.example"), refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set long ago":           {func(t *testing.T, c *licensing.Client) { set(userID)(t, c); time.Sleep(time.Minute) }, refusal, licensing.RetryPolicy{}, 0, 1, 1, 0},
		"sent once":              {set(userID), refusal, licensing.RetryPolicy{MaxAttempts: 1}, 0, 1, 1, 0},
		"for a minute":           {set(userID), refusal, licensing.RetryPolicy{}, 0, 10, 20, time.Minute},
		"for what is left of it": {func(t *testing.T, c *licensing.Client) { set(userID)(t, c); time.Sleep(50 * time.Second) }, refusal, licensing.RetryPolicy{}, 0, 2, 6, 10 * time.Second},
		"within MaxElapsed":      {set(userID), refusal, licensing.RetryPolicy{MaxElapsed: 10 * time.Second}, 0, 3, 5, 10 * time.Second},
		"within the context":     {set(userID), refusal, licensing.RetryPolicy{}, 10 * time.Second, 3, 5, 10 * time.Second},
		"not sold there":         {set(userID), badRequest("The license is not available in the user's usage location."), licensing.RetryPolicy{}, 0, 1, 1, 0},
		"set, and no seats":      {set(userID), badRequest("Subscription with SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa does not have any available licenses."), licensing.RetryPolicy{}, 0, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n := 0
				client := newClient(t, answering(func(req *http.Request) (*http.Response, error) {
					if req.Method == http.MethodPatch {
						return okLocation(req)
					}
					n++
					return test.refusal(req)
				}), licensing.WithRetryPolicy(test.policy))
				test.before(t, client)
				ctx, start := t.Context(), time.Now()
				if test.left > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.left)
					defer cancel()
				}
				_, err := client.AssignUserLicense(ctx, userID, add(skuA))
				if e := asError(t, err); e.StatusCode != 400 || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, licensing.ErrOutcomeUnknown) || e.Attempts != n {
					t.Errorf("got %v", err)
				}
				if took := time.Since(start); n < test.least || n > test.most || took > test.took {
					t.Errorf("sent %d times in %v, want %d to %d times in %v", n, took, test.least, test.most, test.took)
				}
			})
		})
	}
}

// A cancellation while waiting for a usage location tells both: nothing is in
// doubt, since Graph has refused the change.
func TestCanceledWhileAwaitingAUsageLocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, okLocation, badRequest(badLocation), badRequest(badLocation))
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		start := time.Now()
		_, err := client.AssignUserLicense(ctx, userID, add(skuA))
		if took := time.Since(start); !errors.Is(err, context.Canceled) || !errors.Is(err, licensing.ErrUsageLocation) || errors.Is(err, licensing.ErrOutcomeUnknown) || took != 2*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

// A swap whose removal was settled waits for the location with what is left.
func TestUsageLocationOfASettledSwap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newScript(t, okLocation, lost, badRequest(notAssigned), badRequest(badLocation), badRequest(badLocation), okUser)
		client := newClient(t, s)
		if err := client.SetUsageLocation(t.Context(), userID, "DE"); err != nil {
			t.Fatal(err)
		}
		swap := add(skuB)
		swap.RemoveLicenses = remove(skuA).RemoveLicenses
		if _, err := client.AssignUserLicense(t.Context(), userID, swap); err != nil {
			t.Fatal(err)
		}
		for i, body := range s.bodies() {
			if i > 2 && !strings.HasSuffix(body, `"removeLicenses":[]}`) {
				t.Errorf("request %d is %s", i, body)
			}
		}
	})
}

func TestUserNamesInURLs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		userID:                              "/users/" + userID,
		"adele@contoso.com":                 "/users/adele@contoso.com",
		"adele_adatum.com#EXT#@contoso.com": "/users/adele_adatum.com%23EXT%23@contoso.com",
		"o'brien@contoso.com":               "/users/o%27brien@contoso.com",
		"a/b@contoso.com":                   "/users/a%2Fb@contoso.com",
		`a\b@contoso.com`:                   "/users/a%5Cb@contoso.com",
		"100%@contoso.com":                  "/users/100%25@contoso.com",
		"%2e%2e":                            "/users/%252e%252e",
		"a?b@contoso.com":                   "/users/a%3Fb@contoso.com",
		"a#b":                               "/users/a%23b",
		"a b@contoso.com":                   "/users/a%20b@contoso.com",
		"a+b~c^d!e@contoso.com":             "/users/a+b~c%5Ed%21e@contoso.com",
		"a:b;c,d=e&f$g":                     "/users/a:b%3Bc%2Cd=e&f$g",
		"ærø@contoso.com":                   "/users/%C3%A6r%C3%B8@contoso.com",
		"...":                               "/users/...",
		"../me":                             "/users/..%2Fme",
		"..;":                               "/users/..%3B",
		"('x')":                             "/users/%28%27x%27%29",
		"$adele@contoso.com":                "/users('$adele@contoso.com')",
		"$o'brien'@contoso.com":             "/users('$o%27%27brien%27%27@contoso.com')",
		"$a/b#EXT#?c@contoso.com":           "/users('$a%2Fb%23EXT%23%3Fc@contoso.com')",
		"$')/assignLicense":                 "/users('$%27%27%29%2FassignLicense')",
		"$":                                 "/users('$')",
		"$..":                               "/users('$..')",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, reply(200, `{"@odata.context":"x"}`), reply(200, `{"@odata.context":"x"}`))
			client := newClient(t, s)
			if _, err := client.AssignUserLicense(t.Context(), name, add(skuA)); err != nil {
				t.Fatal(err)
			}
			if _, err := client.ReprocessUserLicense(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			wantSent(t, s.requests()[0], "POST", want+"/assignLicense", addsA)
			wantSent(t, s.requests()[1], "POST", want+"/reprocessLicenseAssignment", "")
		})
	}
}

// FuzzPath sends requests to a real server: whatever the user's name is, it
// arrives as one segment, and is the same after unescaping.
func FuzzPath(f *testing.F) {
	for _, name := range []string{
		userID, "", ".", "..", "adele@contoso.com", "a#EXT#@contoso.com", "o'brien@contoso.com", "$o'brien@contoso.com", "$", "$'", "a/../b", "%2e%2e", "%", "a?b", "a b", "ærø", "\xff", "\x00", "a\u2028b", "*", "//", `\`,
	} {
		f.Add(name)
	}
	var seen atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.RequestURI)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"@odata.context":"x"}`)
	}))
	f.Cleanup(server.Close)
	client := newClient(f, nil, licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(server.Client()), once)
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 10_000 {
			t.Skip("longer than the server takes")
		}
		_, err := client.ReprocessUserLicense(t.Context(), name)
		refused := name == "" || name == "." || name == ".." || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl)
		if errors.Is(err, licensing.ErrInvalidArgument) != refused {
			t.Fatalf("%q: got error %v", name, err)
		}
		if refused {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		uri := seen.Load().(string)
		key, ok := strings.CutSuffix(uri, "/reprocessLicenseAssignment")
		if !ok {
			t.Fatalf("%q is sent to %s", name, uri)
		}
		want := name
		if strings.HasPrefix(name, "$") {
			key, ok = strings.CutPrefix(key, "/v1.0/users('")
			key = strings.TrimSuffix(key, "')")
			want = strings.ReplaceAll(name, "'", "''")
		} else {
			key, ok = strings.CutPrefix(key, "/v1.0/users/")
		}
		got, err := url.PathUnescape(key)
		if !ok || strings.ContainsAny(key, "/?#'") || err != nil || got != want {
			t.Errorf("%q is sent to %s, which is %q, %v", name, uri, got, err)
		}
	})
}

const (
	groupOne = "33333333-3333-4333-8333-333333333333"
	groupTwo = "44444444-4444-4444-8444-444444444444"
)

// heldUser has E3 directly and through two groups, and more that is not held.
const heldUser = `{
	"id": "11111111-1111-4111-8111-111111111111",
	"assignedLicenses": [
		{"skuId": "c7df2760-2c81-4ef7-b578-5b5392b571df", "disabledPlans": []}
	],
	"licenseAssignmentStates": [
		{"skuId": "6FD2C87F-B296-42F0-B197-1E91E994B900", "assignedByGroup": null, "disabledPlans": ["57ff2da0-773e-42df-b2af-ffb7a2317929", "a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "Active", "error": "None"},
		{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "assignedByGroup": "33333333-3333-4333-8333-333333333333", "disabledPlans": ["a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "ActiveWithError", "error": "Other"},
		{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "assignedByGroup": "44444444-4444-4444-8444-444444444444", "disabledPlans": ["efb87545-963c-4e0d-99df-69c6916d9eb0", "a23b959c-7ce8-4e57-9140-b90eb88a9e97"], "state": "Active", "error": null},
		{"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "assignedByGroup": null, "disabledPlans": [], "state": "Error", "error": "CountViolation"},
		{"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b", "assignedByGroup": "33333333-3333-4333-8333-333333333333", "disabledPlans": [], "state": "Error", "error": "CountViolation"},
		{"skuId": null, "assignedByGroup": null, "disabledPlans": [], "state": "Active", "error": "None"}
	]
}`

func readUser(t testing.TB, text string) *licensing.User {
	t.Helper()
	user := new(licensing.User)
	if err := json.Unmarshal([]byte(text), user); err != nil {
		t.Fatal(err)
	}
	return user
}

func TestDirectLicenses(t *testing.T) {
	t.Parallel()
	got, ok := readUser(t, heldUser).DirectLicenses()
	want := []licensing.AssignedLicense{{SKUID: officeE3, DisabledPlans: []uuid.UUID{teams, sway}}}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("DirectLicenses() = %v, %t, want %v, true", got, ok, want)
	}
}

func TestInheritedLicenses(t *testing.T) {
	t.Parallel()
	got, ok := readUser(t, heldUser).InheritedLicenses()
	want := []licensing.InheritedLicense{
		{SKUID: officeE3, DisabledPlans: []uuid.UUID{sway}, GroupID: groupOne},
		{SKUID: officeE3, DisabledPlans: []uuid.UUID{exchange, sway}, GroupID: groupTwo},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("InheritedLicenses() = %v, %t, want %v, true", got, ok, want)
	}
}

func TestHeldLicensesByState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state    licensing.AssignmentState
		held, on bool
	}{
		{licensing.AssignmentStateActive, true, true},
		{licensing.AssignmentStateActiveWithError, true, true},
		{licensing.AssignmentStateDisabled, true, false},
		{licensing.AssignmentStateError, false, false},
		{"Unheard of", true, true},
		{"", true, true},
	}
	for _, test := range tests {
		t.Run(string(test.state), func(t *testing.T) {
			t.Parallel()
			user := &licensing.User{LicenseAssignmentStates: []licensing.LicenseAssignmentState{
				{SKUID: officeE3, State: test.state},
				{SKUID: officeE3, State: test.state, AssignedByGroup: groupOne},
			}}
			direct, _ := user.DirectLicenses()
			inherited, _ := user.InheritedLicenses()
			if len(direct) == 1 != test.held || len(inherited) == 1 != test.held {
				t.Errorf("direct %v and inherited %v, want held: %t", direct, inherited, test.held)
			}
			plans, _ := user.EffectivePlans(tenantSKUs()[0])
			if plans[0].Enabled != test.on || plans[0].Direct != test.on || len(plans[0].GroupIDs) == 1 != test.on {
				t.Errorf("plan %+v, want on: %t", plans[0], test.on)
			}
		})
	}
}

// A group is one group in whatever case its id is written.
func TestGroupsInAnyCase(t *testing.T) {
	t.Parallel()
	const lower, upper = "1ad75eeb-7e5a-4367-a493-9214d90d54d0", "1AD75EEB-7E5A-4367-A493-9214D90D54D0"
	row := func(group string) string {
		return `{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","assignedByGroup":"` + group + `","state":"Active"}`
	}
	body := `{"id":"` + userID + `","licenseAssignmentStates":[` + row(upper) + "," + row(groupOne) + "," + row(lower) + `]}`
	plans, ok := readUser(t, body).EffectivePlans(tenantSKUs()[0])
	if !ok || !reflect.DeepEqual(plans[0].GroupIDs, []string{upper, groupOne}) {
		t.Errorf("got %v, %t", plans[0].GroupIDs, ok)
	}
	_, err := newClient(t, newScript(t, reply(200, body))).UpdateUserServicePlans(t.Context(), userID, officeE3, licensing.ServicePlanChange{Disable: []uuid.UUID{sway}})
	if !errors.Is(err, licensing.ErrInherited) || strings.Count(err.Error(), "roup ") != 1 || strings.Contains(err.Error(), lower) {
		t.Errorf("got %v", err)
	}
}

func TestHeldLicensesDoNotShareMemory(t *testing.T) {
	t.Parallel()
	user := readUser(t, heldUser)
	direct, _ := user.DirectLicenses()
	inherited, _ := user.InheritedLicenses()
	direct[0].DisabledPlans[0] = skuA
	inherited[0].DisabledPlans[0] = skuA
	if want := readUser(t, heldUser); !reflect.DeepEqual(user, want) {
		t.Errorf("the user has become %+v", user)
	}
}

func TestHeldLicensesOfAUserWithoutStates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		user *licensing.User
		ok   bool
	}{
		{"no user", nil, false},
		{"the states were not read", readUser(t, `{"id": "1", "assignedLicenses": [{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900"}]}`), false},
		{"there are none", readUser(t, `{"id": "1", "licenseAssignmentStates": []}`), true},
		{"there are failed ones only", readUser(t, `{"licenseAssignmentStates": [{"skuId": "6fd2c87f-b296-42f0-b197-1e91e994b900", "state": "Error"}]}`), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := test.user.DirectLicenses(); len(got) != 0 || ok != test.ok {
				t.Errorf("DirectLicenses() = %v, %t, want none, %t", got, ok, test.ok)
			}
			if got, ok := test.user.InheritedLicenses(); len(got) != 0 || ok != test.ok {
				t.Errorf("InheritedLicenses() = %v, %t, want none, %t", got, ok, test.ok)
			}
			plans, ok := test.user.EffectivePlans(tenantSKUs()[0])
			if ok != test.ok || ok && len(plans) != 4 || !ok && plans != nil {
				t.Errorf("EffectivePlans() = %v, %t, want all four off, %t", plans, ok, test.ok)
			}
			for _, p := range plans {
				if p.Enabled || p.Direct || p.GroupIDs != nil {
					t.Errorf("plan %+v, want it off", p)
				}
			}
		})
	}
}

func TestEffectivePlans(t *testing.T) {
	t.Parallel()
	sku := tenantSKUs()[0]
	got, ok := readUser(t, heldUser).EffectivePlans(sku)
	want := []licensing.EffectivePlan{
		{ServicePlan: sku.ServicePlans[0], Enabled: true, Direct: true, GroupIDs: []string{groupOne}},
		{ServicePlan: sku.ServicePlans[1], Enabled: true, Direct: true, GroupIDs: []string{groupOne, groupTwo}},
		{ServicePlan: sku.ServicePlans[2], Enabled: true, GroupIDs: []string{groupOne, groupTwo}},
		{ServicePlan: sku.ServicePlans[3]},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("EffectivePlans:\n got %+v, %t\nwant %+v, true", got, ok, want)
	}
}

func TestAnEffectivePlanAsJSON(t *testing.T) {
	want := licensing.EffectivePlan{
		ServicePlan: licensing.ServicePlan{ServicePlanID: planA, ServicePlanName: "YAMMER_ENTERPRISE"},
		Enabled:     true, Direct: true, GroupIDs: []string{groupID},
	}
	var got licensing.EffectivePlan
	if err := json.Unmarshal([]byte(jsonOf(t, want)), &got); err != nil {
		t.Fatal(err)
	}
	same(t, "plan", got, want)
}

func TestEffectivePlansCountAGroupOnce(t *testing.T) {
	t.Parallel()
	row := licensing.LicenseAssignmentState{SKUID: officeE3, AssignedByGroup: groupOne}
	user := &licensing.User{LicenseAssignmentStates: []licensing.LicenseAssignmentState{row, row}}
	plans, _ := user.EffectivePlans(tenantSKUs()[0])
	if want := []string{groupOne}; !reflect.DeepEqual(plans[0].GroupIDs, want) {
		t.Errorf("GroupIDs = %v, want %v", plans[0].GroupIDs, want)
	}
}

// A write that makes no request has the client-request-id that its requests would
// have had, by which the caller finds it in a log.
func TestWritesThatAreNotMadeHaveAnID(t *testing.T) {
	id := uuid.MustParse("c0ffee00-0000-4000-8000-000000000001")
	for name, prepare := range map[string]func(t *testing.T, c *licensing.Client) context.Context{
		"behind another write": func(t *testing.T, c *licensing.Client) context.Context {
			go c.AssignUserLicense(t.Context(), userID, add(skuB))
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			t.Cleanup(cancel)
			return ctx
		},
		"behind another write for too long": func(t *testing.T, c *licensing.Client) context.Context {
			go c.AssignUserLicense(t.Context(), userID, add(skuB))
			synctest.Wait()
			return t.Context()
		},
		"behind a fence": func(t *testing.T, c *licensing.Client) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			t.Cleanup(cancel)
			c.AssignUserLicense(ctx, userID, add(skuB))
			ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
			t.Cleanup(cancel)
			return ctx
		},
		"at the end": func(t *testing.T, c *licensing.Client) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				client := newClient(t, step(silent), policy(licensing.RetryPolicy{MaxAttempts: 1, MaxElapsed: 30 * time.Second, AttemptTimeout: time.Hour}))
				ctx := licensing.ContextWithClientRequestID(prepare(t, client), id)
				_, err := client.AssignUserLicense(ctx, userID, add(skuA))
				if e := asError(t, err); e.Attempts != 0 || e.ClientRequestID != id.String() {
					t.Errorf("%d attempts, client-request-id %q, %v", e.Attempts, e.ClientRequestID, err)
				}
			})
		})
	}
	t.Run("stopped in a run", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			client := newClient(t, newScript(t, graphError(404, "Request_ResourceNotFound", "Gone.")))
			ctx := licensing.ContextWithClientRequestID(t.Context(), id)
			for r := range client.Bulk(ctx, inOrder(assign(user(0), add(skuA)), assign(user(1), add(skuA))), licensing.BulkOptions{BatchSize: 1, Concurrency: 1, StopAfterFailures: 1}) {
				if e := asError(t, r.Err); e.ClientRequestID != id.String() {
					t.Errorf("operation %d: client-request-id %q, %v", r.Index, e.ClientRequestID, r.Err)
				}
			}
		})
	})
}
