package licensing_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/graphlicensing/licensing"
)

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
			s := newScript(t, reply(200, "{}"), reply(200, "{}"))
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
		w.WriteHeader(http.StatusNoContent)
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
