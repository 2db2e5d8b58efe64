package graph

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"testing"
	"unsafe"
)

// What one attempt needs is one allocation, whose size the runtime rounds up.
func TestSizeOfASending(t *testing.T) {
	t.Parallel()
	var both struct {
		sending
		parts
	}
	if got := unsafe.Sizeof(both); got > 896 {
		t.Errorf("%d bytes, which are no longer in the size class of 896", got)
	}
}

// inspector looks at what another round tripper is given.
type inspector struct {
	next http.RoundTripper
	see  func(before http.Header, req *http.Request)
}

func (i inspector) RoundTrip(req *http.Request) (*http.Response, error) {
	before := req.Header.Clone()
	resp, err := i.next.RoundTrip(req)
	i.see(before, req)
	return resp, err
}

// A RoundTripper must not change its request, or HTTP/2 reads a header that is
// being written to.
func TestTheSignerLeavesItsRequestAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service := newService(t, &script{t: t, steps: []step{busy, good}}, token, Policy{})
		service.header = nil // as with a cookie jar, which adds to it
		var headers []http.Header
		service.loop.HTTPClient.Transport = inspector{service.loop.HTTPClient.Transport, func(before http.Header, req *http.Request) {
			if !reflect.DeepEqual(req.Header, before) {
				t.Errorf("header after signing: %v, want %v", req.Header, before)
			}
			headers = append(headers, req.Header)
		}}
		if a := service.Send(t.Context(), write()); !a.Good() {
			t.Fatal(a.Err)
		}
		headers[0].Set("X-Mark", "first attempt")
		if headers[1].Get("X-Mark") != "" {
			t.Error("two attempts share a header")
		}
	})
}

// Only where there is no jar to add cookies do requests share an empty header.
func TestHeadersAreSharedWithoutAJar(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, jar := range []http.CookieJar{nil, jar} {
		service := New(Config{Root: &url.URL{Scheme: "https", Host: "graph.test"}, HTTPClient: http.Client{Jar: jar}})
		a, b := service.newHeader(), service.newHeader()
		a.Set("Cookie", "x")
		if shared := b.Get("Cookie") != ""; shared != (jar == nil) {
			t.Errorf("with the jar %v: shared %t", jar, shared)
		}
	}
}

// redirected sends a request elsewhere before it is signed.
type redirected struct {
	next http.RoundTripper
	to   string
}

func (r redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	to, err := url.Parse(r.to)
	if err != nil {
		return nil, err
	}
	moved := req.Clone(req.Context())
	moved.URL.Scheme, moved.URL.Host = to.Scheme, to.Host
	return r.next.RoundTrip(moved)
}

func TestTokensGoToTheClientsHostOnly(t *testing.T) {
	t.Parallel()
	for to, own := range map[string]bool{
		"https://graph.test":          true,
		"https://GRAPH.test:443":      true,
		"http://graph.test":           false,
		"https://graph.test:8443":     false,
		"https://evil.test":           false,
		"https://a.graph.test":        false,
		"https://graph.test.evil.net": false,
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			s := &script{t: t}
			if own {
				s.steps = []step{good}
			}
			asked := 0
			service := newService(t, s, func(ctx context.Context) (string, error) { asked++; return token(ctx) }, Policy{})
			service.loop.HTTPClient.Transport = redirected{service.loop.HTTPClient.Transport, to}
			a := service.Send(t.Context(), write())
			if own {
				if !a.Good() {
					t.Error(a.Err)
				}
				return
			}
			if a.Outcome != Permanent || a.Attempts != 1 || a.Err.Error() != errOtherHost.Error() {
				t.Errorf("got %+v", a)
			}
			if asked != 0 {
				t.Error("a token was fetched")
			}
		})
	}
}
