package licensing

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPage makes sure that no page makes a walk panic, end without an error
// where there is more, or go elsewhere.
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
	client, err := NewClient(StaticToken("t"), WithBaseURL("https://graph.test/base"), WithHTTPClient(&http.Client{Transport: http.NewFileTransport(http.Dir("."))}))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var users page[wireUser]
		c, err := client.newCall(t.Context(), "list users", tenant, http.MethodGet, "/users", nil, &users)
		if err != nil {
			t.Fatal(err)
		}
		failed, err := users.decode(data)
		if err == nil && !failed && users.items == nil {
			t.Fatal("a page without a collection passed")
		}
		for _, w := range users.items {
			if w != nil && w.user() == nil {
				t.Fatal("no user")
			}
		}
		var skus page[SubscribedSKU]
		skus.decode(data)
		c.last = answer{status: http.StatusOK, body: data}
		if c.notAnswered(&c.last) == nil && c.last.unread != nil {
			_ = c.undecoded().Error()
		}
		if users.next == "" {
			return
		}
		next, err := c.next(users.next)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Fatalf("%q", err.Error())
			}
			return
		}
		if to := next.String(); !strings.HasPrefix(strings.ToLower(to), "https://graph.test") || strings.ContainsAny(to, "\r\n") {
			t.Fatalf("%q leads to %q", users.next, next)
		}
	})
}
