package graph

import (
	"net/url"
	"strings"
	"testing"
)

func TestNextLink(t *testing.T) {
	t.Parallel()
	const (
		foreign = "its scheme, host or port is not the client's"
		outside = "outside the client's API"
		noURL   = "not a URL"
		user    = "it has user info"
	)
	tests := []struct{ link, want, err string }{
		{"https://graph.test/base/v1.0/users?$skiptoken=a%2Fb", "https://graph.test/base/v1.0/users?$skiptoken=a%2Fb", ""},
		{"https://GRAPH.test:443/base/v1.0/users", "https://GRAPH.test:443/base/v1.0/users", ""},
		{"HTTPS://graph.test/base/v1.0/users", "https://graph.test/base/v1.0/users", ""},
		{"/base/v1.0/users?p=2", "https://graph.test/base/v1.0/users?p=2", ""},
		{"?$skiptoken=x", "https://graph.test/base/v1.0/groups/g/members?$skiptoken=x", ""},
		{"users", "https://graph.test/base/v1.0/groups/g/users", ""},
		{"//graph.test/base/v1.0/users", "https://graph.test/base/v1.0/users", ""},
		{"/base/v1.0/a/../users", "https://graph.test/base/v1.0/users", ""},
		{"", "", noURL},
		{"https://graph.test/%zz", "", noURL},
		{"http://graph.test/base/v1.0/users", "", foreign},
		{"https://graph.test:8443/base/v1.0/users", "", foreign},
		{"https://graph.test.evil.test/base/v1.0/users", "", foreign},
		{"https://evil.test/base/v1.0/users", "", foreign},
		{"//evil.test/base/v1.0/users", "", foreign},
		{"https:users", "", foreign},
		{"javascript:alert(1)", "", foreign},
		{"https://graph.test@evil.test/base/v1.0/users", "", user},
		{"https://adele@graph.test/base/v1.0/users", "", user},
		{"https://graph.test/v1.0/users", "", outside},
		{"https://graph.test/base/v1.0", "", outside},
		{"https://graph.test/base/v1.0.evil/users", "", outside},
		{"/base/v1.0/../../users", "", outside},
		{"/base/v1.0/%2e%2E/users", "", outside},
		{"/base//v1.0/users", "", outside},
		{"/base/v1.0//users", "https://graph.test/base/v1.0//users", ""},
	}
	root, current := mustParse(t, "https://graph.test/base/v1.0"), mustParse(t, "https://graph.test/base/v1.0/groups/g/members?p=1")
	for _, test := range tests {
		t.Run(test.link, func(t *testing.T) {
			t.Parallel()
			next, err := nextLink(root, current, test.link)
			if test.err != "" {
				if next != nil || err == nil || err.Error() != test.err {
					t.Errorf("got %v, %v, want error %s", next, err, test.err)
				}
			} else if err != nil || next.String() != test.want {
				t.Errorf("got %v, %v, want %s", next, err, test.want)
			}
		})
	}
}

func mustParse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func FuzzNextLink(f *testing.F) {
	for _, link := range []string{
		"", "https://graph.test/base/v1.0/users?$skiptoken=x", "https://GRAPH.test:443/base/v1.0/users", "http://graph.test/base/v1.0/users", "https://graph.test:8443/base/v1.0/users",
		"https://adele@graph.test/base/v1.0/", "//evil.test/base/v1.0/", "/base/v1.0/%2e%2e/x", "?p=2", "#x", "https:opaque", "\\\\evil.test\\base\\v1.0\\x", "https://graph.test\t/base/v1.0/x",
	} {
		f.Add(link)
	}
	root, current := mustParse(f, "https://graph.test/base/v1.0"), mustParse(f, "https://graph.test/base/v1.0/users?p=1")
	f.Fuzz(func(t *testing.T, link string) {
		next, err := nextLink(root, current, link)
		if err != nil {
			if next != nil {
				t.Errorf("got %v, %v", next, err)
			}
			return
		}
		// What would be sent, read again without the functions under test.
		rest, ok := strings.CutPrefix(next.String(), "https://")
		if !ok {
			t.Fatalf("%q leads to %s, which is not https", link, next)
		}
		authority := rest[:strings.IndexAny(rest+"/", "/?#")]
		if host := strings.ToLower(authority); host != "graph.test" && host != "graph.test:443" && host != "graph.test:" {
			t.Errorf("%q leads to the host %q", link, authority)
		}
		asked, err := url.PathUnescape(strings.TrimPrefix(rest[:strings.IndexAny(rest+"?", "?#")], authority))
		if err != nil || !strings.HasPrefix(asked, "/base/v1.0/") {
			t.Errorf("%q leads to the path %q, %v", link, asked, err)
		}
		depth := 0
		for segment := range strings.SplitSeq(strings.TrimPrefix(asked, "/base/v1.0/"), "/") {
			switch segment {
			case "..":
				depth--
			case ".", "":
			default:
				depth++
			}
			if depth < 0 {
				t.Errorf("%q leads out of the API by %q", link, asked)
			}
		}
	})
}
