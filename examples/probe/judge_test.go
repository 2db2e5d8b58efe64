package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestClean(t *testing.T) {
	var r redactor
	r.learn([]byte(`{"value":[{"displayName":"Ann","skuPartNumber":"User","city":"O'Fallon","groups":["Sales of License"],"x":"de"}]}`))
	r.add("secret")
	for _, test := range []struct{ text, own, want string }{
		{"User license of ANN is inherited by announcement, de.", "", "User license of … is inherited by announcement, de."},
		{"Ann knows", "GET users of Ann", "Ann knows"},
		{"Sales of License and secret", "", "… and …"},
		{"Resource 'O'Brien' does not exist, nor 'x y' or \"z\"", "", "Resource … does not exist, nor … or …"},
		{"Operator 'endsWith' is not 'here'", "'endsWith'", "Operator 'endsWith' is not …"},
		{"from x@contoso.example at contoso.example, id 0123456789abcdef0123456789ABCDEF", "", "from … at …, id …"},
		{"id 01234567-89ab-cdef-0123-456789abcdef, number 4711, error 400", "", "id …, number …, error 400"},
		{strings.Repeat("é", 301), "", strings.Repeat("é", 300) + "…"},
	} {
		if got := r.clean(test.text, test.own); got != test.want {
			t.Errorf("%q is %q, want %q", test.text, got, test.want)
		}
	}
}

// The names of the organization are read, so that they are known.
func TestNamesOfTheOrganizationAreLearned(t *testing.T) {
	x := &proxy{tenant: newTenant().RoundTripper(), on: true, number: -1, change: replaced(`#organization(.*)"Contoso"`, `#organization$1"Fabrikam"`)}
	p, err := newProbe(licensing.CloudGlobal, licensing.StaticToken(fakeToken), x)
	if err == nil {
		err = p.look(t.Context())
	}
	if got := p.clean("a user of Fabrikam", ""); err != nil || got != "a user of …" {
		t.Errorf("got %v and %q", err, got)
	}
}

func TestUnderstood(t *testing.T) {
	for _, test := range []struct {
		err  error
		want outcome
	}{
		{nil, asExpected},
		{&licensing.Error{StatusCode: 403, Code: "Authorization_RequestDenied"}, unseen("403 Authorization_RequestDenied")},
		{&licensing.Error{StatusCode: 404, Code: "Request_ResourceNotFound"}, unseen("404 Request_ResourceNotFound")},
		{&licensing.Error{StatusCode: 503, Code: "x@y"}, unseen("503 …")},
		{&licensing.Error{StatusCode: 400, Code: "BadRequest", Message: "Adele"}, differs("400 BadRequest")},
		{&licensing.Error{}, unseen("no answer")},
		{errors.New("Adele"), unseen("no answer")},
		{&licensing.DecodeError{StatusCode: 200, Property: "value", Err: errors.New("Adele")}, differs(`200, and the answer cannot be read at property "value"`)},
		{&licensing.LimitError{What: "Adele"}, differs("the answer has more in it than expected")},
	} {
		if got := new(probe).understood(test.err); got != test.want {
			t.Errorf("%v: got %v, want %v", test.err, got, test.want)
		}
	}
}

func TestNamesOfExtensionsAreNotTold(t *testing.T) {
	if got := named([]string{"id", "contoso_size"}, "id"); got != differs("an extension is there") {
		t.Errorf("got %v", got)
	}
}

// What tells nothing of a fact does not contradict it.
func TestNotSeen(t *testing.T) {
	for _, test := range []struct {
		name   string
		number int
		change difference
		want   result
	}{
		{"members-with-errors", 0, replaced(`"licenseAssignmentStates":\[.*`, `"licenseAssignmentStates":null}]}`), notSeen},
		{"members-with-errors", 0, replaced(`"value":.*`, `"value":[]}`), notSeen},
		{"members-with-errors", 2, replaced(`"value":.*`, `"@odata.nextLink":"x","value":[]}`), confirmed},
		{"subscriptions", -1, replaced(`"value":.*`, `"value":[]}`), notSeen},
		{"healthy-row", -1, replaced(`"value":.*`, `"value":[]}`), notSeen},
		{"metadata-none-links", -1, replaced(`"@odata.count":\d+,"@odata.nextLink"`, `"@odata.count":1,"x"`), notSeen},
		{"foreign-page-token", 0, replaced(`@odata.nextLink`, `x`), notSeen},
		{"disabled-plans-left-out", 2, replaced(`"assignedLicenses":.*`, `"assignedLicenses":[]}`), notSeen},
		{"barred-country", 1, func(r *http.Response, _ []byte) []byte { r.StatusCode = 200; return []byte(`{}`) }, notSeen},
	} {
		synctest.Test(t, func(t *testing.T) {
			all := allChecks()
			c := all[slices.IndexFunc(all, func(c check) bool { return c.name == test.name })]
			if o, _ := checked(t, c, newTenant(), test.number, test.change); o.result != test.want {
				t.Errorf("%s: got %v, want %s", test.name, o, test.want)
			}
		})
	}
}

// A test user with other licenses stays in the country.
func TestOtherLicensesKeepTheirCountry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SetUserLicenses(fakeTester, contoso.License(contoso.F1(0)))
		tenant.SetSeats(contoso.E3(0).ID, 9)
		before, _ := tenant.User(fakeTester)
		got, err := probed(t, t.Context(), command{user: fakeTester, sku: "ENTERPRISEPACK"}, tenant.RoundTripper())
		for _, name := range []string{"location-values", "barred-country"} {
			want := `"name": "` + name + "\",\n      \"result\": \"not seen\",\n      \"detail\": \"the test user has other licenses\""
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("got %v and\n%s", err, got)
			}
		}
		moved := func(w licensingtest.Write) bool { return w.UsageLocation != "" && w.UsageLocation != "DE" }
		if i := slices.IndexFunc(tenant.Writes(), moved); i >= 0 {
			t.Errorf("wrote %+v", tenant.Writes()[i])
		}
		asBefore(t, tenant, before)
	})
}

// An empty tenant has nothing to show, and so contradicts nothing.
func TestEmptyTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := probed(t, context.Background(), command{}, licensingtest.NewTenant().RoundTripper())
		if err != nil || !strings.Contains(got, `"detail": "the tenant has no group to ask about"`) {
			t.Errorf("got %v and\n%s", err, got)
		}
	})
}

// What was not refused for certain is taken back.
func TestPerhapsDone(t *testing.T) {
	for status, want := range map[int]bool{0: true, 200: true, 204: true, 302: true, 408: true, 409: true, 500: true, 504: true, 400: false, 403: false, 404: false, 429: false} {
		if got := (reply{status: status}).perhapsDone(); got != want {
			t.Errorf("%d: got %t, want %t", status, got, want)
		}
	}
}
