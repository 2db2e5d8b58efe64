package licensing_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

func TestEachOperationSendsOneRequest(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		t.Run(o.op, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, reply(o.status, `{"id":"`+o.id+`","displayName":"Adele"}`))
			got, err := o.call(t.Context(), newClient(t, s.mocked("POST", graphRoot+o.path)))
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
			s := newScript(t, reply(200, `{}`))
			if _, err := method.call(t, newClient(t, s), change); err != nil {
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
		{"200", 200, `{"id":"%s"}`, nil},
		{"201", 201, `{"id":"%s"}`, nil},
		{"202", 202, `{"id":"%s"}`, nil},
		{"204", 204, "", nil},
		{"204 with a content type", 204, "", contentType("text/html")},
		{"an object without an id", 200, `{}`, nil},
		{"an object with a null id", 200, `{"id":null}`, nil},
		{"an object with an empty id", 200, `{"id":""}`, nil},
		{"Graph's own content type", 200, `{"id":"%s"}`, contentType("application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")},
		{"a content type in capitals", 200, `{"id":"%s"}`, contentType("Application/JSON")},
		{"another JSON type", 200, `{"id":"%s"}`, contentType("application/vnd.contoso+json; charset=utf-8")},
		{"no content type", 200, `{"id":"%s"}`, contentType("")},
		{"blanks around the object", 200, " \r\n\t{\"id\":\"%s\"}\r\n", nil},
	}
	for _, o := range operations {
		for _, test := range tests {
			t.Run(o.op+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				s := newScript(t, reply(test.status, strings.ReplaceAll(test.body, "%s", o.id), test.headers...))
				got, err := o.call(t.Context(), newClient(t, s))
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
	client := newClient(t, newScript(t, reply(200, `{"id":"`+upper+`"}`), reply(200, `{"id":"`+strings.ToLower(upper)+`"}`), reply(202, `{"id":"`+upper+`"}`), reply(202, `{}`)))
	if user, err := client.AssignUserLicense(t.Context(), strings.ToLower(upper), add(skuA)); err != nil || user.ID != upper {
		t.Errorf("got %v, %v", user, err)
	}
	if user, err := client.ReprocessUserLicense(t.Context(), upper); err != nil || user.ID != strings.ToLower(upper) {
		t.Errorf("got %v, %v", user, err)
	}
	if group, err := client.AssignGroupLicense(t.Context(), strings.ToLower(upper), add(skuA)); err != nil || group.ID != upper {
		t.Errorf("got %v, %v", group, err)
	}
	if group, err := client.AssignGroupLicense(t.Context(), upper, add(skuA)); err != nil || group.ID != upper {
		t.Errorf("got %v, %v", group, err)
	}
}

// A user that was asked for by name comes back with that name at least, and
// may have any id.
func TestAUserByName(t *testing.T) {
	t.Parallel()
	const name = "Adele@contoso.com"
	tests := map[string]licensing.User{
		`{}`:                      {UserPrincipalName: name},
		`{"id":"` + userID + `"}`: {ID: userID, UserPrincipalName: name},
		`{"id":"x","userPrincipalName":"adele@contoso.com"}`: {ID: "x", UserPrincipalName: "adele@contoso.com"},
	}
	for body, want := range tests {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, newScript(t, reply(200, body), reply(200, body)))
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
	const notGraph = "not an answer of Microsoft Graph: "
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
		{"a null error", 202, `{"id":"%s","error":null}`, nil, notGraph + "an error with status 202"},
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
	if got, want := fmt.Sprint(err), "assign user license: outcome unknown: 200 OK: answer is larger than 16 MiB (1 attempt)"; got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
	if got := len(asError(t, err).Body); got != 64<<10 {
		t.Errorf("%d bytes were kept", got)
	}
}
