package licensing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestClouds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cloud                     licensing.Cloud
		name, graph, login, scope string
	}{
		{licensing.CloudGlobal, "Global", "https://graph.microsoft.com", "https://login.microsoftonline.com", "https://graph.microsoft.com/.default"},
		{licensing.CloudUSGovL4, "US Government L4", "https://graph.microsoft.us", "https://login.microsoftonline.us", "https://graph.microsoft.us/.default"},
		{licensing.CloudUSGovL5, "US Government L5", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us/.default"},
		{licensing.CloudChina, "China", "https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/.default"},
		{licensing.CloudBleu, "Bleu", "https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr", "https://graph.svc.sovcloud.fr/.default"},
		{licensing.CloudDelos, "Delos", "https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de", "https://graph.svc.sovcloud.de/.default"},
		{licensing.CloudGovSG, "GovSG", "https://graph.svc.sovcloud.sg", "https://login.sovcloud-identity.sg", "https://graph.svc.sovcloud.sg/.default"},
		{licensing.Cloud{Name: "own", GraphURL: "https://graph.example/"}, "own", "https://graph.example/", "", "https://graph.example/.default"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			same(t, "cloud", test.cloud, licensing.Cloud{Name: test.name, GraphURL: test.graph, LoginURL: test.login})
			if got := test.cloud.Scope(); got != test.scope {
				t.Errorf("Scope() = %q, want %q", got, test.scope)
			}
			s := newScript(t, okUser)
			client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithCloud(test.cloud), licensing.WithHTTPClient(&http.Client{Transport: s}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := s.requests()[0].URL, strings.TrimSuffix(test.graph, "/")+"/v1.0/me/reprocessLicenseAssignment"; got != want {
				t.Errorf("sent to %s, want %s", got, want)
			}
		})
	}
}

func TestTheDefaultCloudIsGlobal(t *testing.T) {
	t.Parallel()
	s := newScript(t, okUser)
	client, err := licensing.NewClient(nil, licensing.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := s.requests()[0].URL, "https://graph.microsoft.com/v1.0/me/reprocessLicenseAssignment"; got != want {
		t.Errorf("sent to %s, want %s", got, want)
	}
}

func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	tokens := licensing.StaticToken("token")
	base := func(raw string) []licensing.Option { return []licensing.Option{licensing.WithBaseURL(raw)} }
	tests := []struct {
		name   string
		tokens licensing.TokenSource
		opts   []licensing.Option
		want   string
	}{
		{"no tokens", nil, nil, "token source is nil, and no HTTP client was given to authenticate requests"},
		{"no tokens, whatever else", nil, base("https://graph.test"), "token source is nil, and no HTTP client was given to authenticate requests"},
		{"a nil option", tokens, []licensing.Option{nil}, "option is nil"},
		{"a nil observer", tokens, []licensing.Option{licensing.WithObserver(nil)}, "observer is nil"},
		{"a nil HTTP client", tokens, []licensing.Option{licensing.WithHTTPClient(nil)}, "HTTP client is nil"},
		{"http", tokens, base("http://graph.test"), "base URL must be https, or http on a loopback address"},
		{"http on a private address", tokens, base("http://10.0.0.1"), "base URL must be https, or http on a loopback address"},
		{"http on a host that looks like loopback", tokens, base("http://127.0.0.1.graph.test"), "base URL must be https, or http on a loopback address"},
		{"http on a host that is named after localhost", tokens, base("http://localhost.graph.test"), "base URL must be https, or http on a loopback address"},
		{"another scheme", tokens, base("ftp://localhost"), "base URL must be https, or http on a loopback address"},
		{"no scheme", tokens, base("//graph.test"), "base URL must be https, or http on a loopback address"},
		{"a query", tokens, base("https://graph.test?a=b"), "base URL must not have a query"},
		{"an empty query", tokens, base("https://graph.test/?"), "base URL must not have a query"},
		{"a fragment", tokens, base("https://graph.test/#top"), "base URL must not have a fragment"},
		{"an empty fragment", tokens, base("https://graph.test/#"), "base URL must not have a fragment"},
		{"user info", tokens, base("https://adele:hunter2@graph.test"), "base URL must not have user info"},
		{"a host alone", tokens, base("graph.test"), "base URL must be absolute, with a host"},
		{"a path alone", tokens, base("/graph"), "base URL must be absolute, with a host"},
		{"nothing", tokens, base(""), "base URL must be absolute, with a host"},
		{"a port alone", tokens, base("https://:443"), "base URL must be absolute, with a host"},
		{"an opaque URL", tokens, base("https:graph.test"), "base URL must be absolute, with a host"},
		{"the version", tokens, base("https://graph.test/v1.0"), "base URL must not end in a version: /v1.0 is appended"},
		{"the version and a slash", tokens, base("https://graph.test/base/v1.0/"), "base URL must not end in a version: /v1.0 is appended"},
		{"the version in other letters", tokens, base("https://graph.test/V1.0"), "base URL must not end in a version: /v1.0 is appended"},
		{"another version", tokens, base("https://graph.test/beta"), "base URL must not end in a version: /v1.0 is appended"},
		{"another version and a slash", tokens, base("https://graph.test/Beta/"), "base URL must not end in a version: /v1.0 is appended"},
		{"a port too large", tokens, base("https://graph.test:99999"), "base URL has no valid port"},
		{"an empty port", tokens, base("https://graph.test:"), "base URL has no valid port"},
		{"an empty port and a path", tokens, base("https://graph.test:/base"), "base URL has no valid port"},
		{"an empty port of an address", tokens, base("http://[::1]:"), "base URL has no valid port"},
		{"no URL, with a password", tokens, base("https://adele:hunter2@graph.test:port"), "base URL cannot be parsed"},
		{"a cloud of nothing", tokens, []licensing.Option{licensing.WithCloud(licensing.Cloud{})}, "cloud's Graph URL must be absolute, with a host"},
		{"a cloud with a version", tokens, []licensing.Option{licensing.WithCloud(licensing.Cloud{GraphURL: "https://graph.test/beta"})}, "cloud's Graph URL must not end in a version: /v1.0 is appended"},
		{"a cloud without TLS", tokens, []licensing.Option{licensing.WithCloud(licensing.Cloud{GraphURL: "http://graph.test"})}, "cloud's Graph URL must be https, or http on a loopback address"},
		{"an empty user agent", tokens, []licensing.Option{licensing.WithUserAgent("")}, "user agent must be 1 to 256 printable ASCII characters"},
		{"a blank user agent", tokens, []licensing.Option{licensing.WithUserAgent("  ")}, "user agent must be 1 to 256 printable ASCII characters"},
		{"a user agent of two lines", tokens, []licensing.Option{licensing.WithUserAgent("bot/1\r\nX-Evil: 1")}, "user agent must be 1 to 256 printable ASCII characters"},
		{"a user agent beyond ASCII", tokens, []licensing.Option{licensing.WithUserAgent("böt/1")}, "user agent must be 1 to 256 printable ASCII characters"},
		{"a user agent too long", tokens, []licensing.Option{licensing.WithUserAgent(strings.Repeat("x", 257))}, "user agent must be 1 to 256 printable ASCII characters"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := licensing.NewClient(test.tokens, test.opts...)
			if client != nil {
				t.Error("got a client with an error")
			}
			if got, want := fmt.Sprint(err), "new client: invalid argument: "+test.want; got != want {
				t.Errorf("got error  %s\nwant error %s", got, want)
			}
			if got := kinds(err); got != "InvalidArgument" {
				t.Errorf("the error is %q, want InvalidArgument", got)
			}
			asError(t, err)
		})
	}
}

func TestWithBaseURL(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, want string }{
		{"https://graph.test", "https://graph.test/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test/", "https://graph.test/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test:8443/a/b", "https://graph.test:8443/a/b/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test/a%2Fb//", "https://graph.test/a%2Fb/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test/v1.0/proxy", "https://graph.test/v1.0/proxy/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test/alphabeta", "https://graph.test/alphabeta/v1.0/me/reprocessLicenseAssignment"},
		{"https://graph.test:65535", "https://graph.test:65535/v1.0/me/reprocessLicenseAssignment"},
		{"HTTPS://Graph.test", "https://Graph.test/v1.0/me/reprocessLicenseAssignment"},
		{"http://localhost:8080", "http://localhost:8080/v1.0/me/reprocessLicenseAssignment"},
		{"http://LOCALHOST", "http://LOCALHOST/v1.0/me/reprocessLicenseAssignment"},
		{"http://127.0.0.1:80", "http://127.0.0.1:80/v1.0/me/reprocessLicenseAssignment"},
		{"http://127.8.9.10", "http://127.8.9.10/v1.0/me/reprocessLicenseAssignment"},
		{"http://[::1]:8080/x", "http://[::1]:8080/x/v1.0/me/reprocessLicenseAssignment"},
	}
	for _, test := range tests {
		t.Run(test.base, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, okUser)
			client := newClient(t, s, licensing.WithBaseURL(test.base))
			if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := s.requests()[0]
			if got.URL != test.want {
				t.Errorf("sent to %s, want %s", got.URL, test.want)
			}
			if got := got.Header.Get("Authorization"); got != "Bearer secret-token" {
				t.Errorf("Authorization is %q", got)
			}
		})
	}
}

func TestOptionsComeInAnyOrderAndTheLaterOfAKindWins(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	options := []licensing.Option{
		licensing.WithBaseURL("https://graph.test/base"),
		licensing.WithCloud(licensing.CloudChina),
		licensing.WithHTTPClient(&http.Client{Transport: s}),
		licensing.WithUserAgent("joiner-bot/2.1"),
		licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1}),
	}
	for i := range options {
		order := slices.Concat(
			[]licensing.Option{
				licensing.WithBaseURL("https://earlier.test"),
				licensing.WithHTTPClient(http.DefaultClient),
				licensing.WithUserAgent("earlier/1"),
				licensing.WithRetryPolicy(licensing.RetryPolicy{}),
			},
			options[i:], options[:i])
		client, err := licensing.NewClient(licensing.StaticToken("token"), order...)
		if err != nil {
			t.Fatal(err)
		}
		s.steps = []step{reply(503, "")}
		if _, err := client.ReprocessMyLicense(t.Context()); !errors.Is(err, licensing.ErrUnavailable) {
			t.Errorf("order %d: got error %v", i, err)
		}
		got := s.requests()
		if len(got) != i+1 {
			t.Fatalf("order %d: %d requests so far, want %d", i, len(got), i+1)
		}
		if got, want := got[i].URL, "https://graph.test/base/v1.0/me/reprocessLicenseAssignment"; got != want {
			t.Errorf("order %d: sent to %s, want %s", i, got, want)
		}
		if got, want := got[i].Header.Get("User-Agent"), "joiner-bot/2.1 graphlicensing/0.1.0"; got != want {
			t.Errorf("order %d: User-Agent is %q, want %q", i, got, want)
		}
	}
}

func TestAClientThatNewClientDidNotMake(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		for name, client := range map[string]*licensing.Client{"zero": new(licensing.Client), "nil": nil} {
			got, err := o.call(t.Context(), client)
			if want := o.op + ": invalid argument: client was not made by NewClient"; got != nil || fmt.Sprint(err) != want || kinds(err) != "InvalidArgument" {
				t.Errorf("%s client: got %v, %v, want error %s", name, got, err, want)
			}
			client.CloseIdleConnections()
		}
	}
}

func TestANilContext(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	for _, o := range operations {
		var none context.Context
		got, err := o.call(none, client)
		if want := o.op + ": invalid argument: context is nil"; got != nil || fmt.Sprint(err) != want || kinds(err) != "InvalidArgument" {
			t.Errorf("got %v, %v, want error %s", got, err, want)
		}
	}
	var none context.Context
	for what, err := range map[string]error{
		"group": second(client.WaitForGroup(none, groupID, add(skuA))),
		"user":  second(client.WaitForUser(none, userID, add(skuA))),
	} {
		if got := kinds(err); got != "InvalidArgument" {
			t.Errorf("waiting for a %s: %v", what, err)
		}
	}
}

func TestAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	for _, o := range operations {
		got, err := o.call(ctx, client)
		if want := o.op + ": context canceled: shutting down"; got != nil || fmt.Sprint(err) != want || kinds(err) != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v, want error %s", got, err, want)
		}
	}
}

// parked is a transport that must not be used.
type parked struct{ t *testing.T }

func (p parked) RoundTrip(req *http.Request) (*http.Response, error) {
	p.t.Errorf("request to %s", req.URL)
	return nil, errors.New("parked")
}

func TestNewClientDoesNoIO(t *testing.T) {
	t.Parallel()
	tokens := func(context.Context) (string, error) {
		t.Error("asked for a token")
		return "", nil
	}
	if _, err := licensing.NewClient(tokens, licensing.WithHTTPClient(&http.Client{Transport: parked{t}})); err != nil {
		t.Error(err)
	}
	if _, err := licensing.NewClient(tokens); err != nil {
		t.Error(err)
	}
}

func TestTheHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	graph, _ := url.Parse("https://graph.test/")
	jar.SetCookies(graph, []*http.Cookie{{Name: "affinity", Value: "7"}})
	s := newScript(t, reply(302, "", "Location", "https://graph.test/elsewhere"), okUser)
	hc := &http.Client{
		Transport: s,
		Jar:       jar,
		Timeout:   time.Hour,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			t.Error("a redirect was about to be followed")
			return nil
		},
	}
	before := *hc
	client := newClient(t, s, licensing.WithHTTPClient(hc), once)
	if _, err := client.ReprocessMyLicense(t.Context()); kinds(err) != "Unavailable OutcomeUnknown" {
		t.Errorf("got error %v", err)
	}
	if got := s.requests()[0].Header.Get("Cookie"); got != "affinity=7" {
		t.Errorf("Cookie is %q, want the jar's", got)
	}
	if hc.Transport != before.Transport || hc.Jar != before.Jar || hc.Timeout != before.Timeout ||
		reflect.ValueOf(hc.CheckRedirect).Pointer() != reflect.ValueOf(before.CheckRedirect).Pointer() {
		t.Error("the caller's client was changed")
	}

	// What the caller changes later does not reach the copy.
	hc.Transport = parked{t}
	if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheHTTPClientsTimeoutEndsAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		client := newClient(t, s, licensing.WithHTTPClient(&http.Client{Transport: s, Timeout: 7 * time.Second}), once)
		began := time.Now()
		_, err := client.ReprocessMyLicense(t.Context())
		if kinds(err) != "Unavailable OutcomeUnknown" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestWithoutATokenSourceTheHTTPClientSigns(t *testing.T) {
	t.Parallel()
	s := newScript(t, okUser)
	client, err := licensing.NewClient(nil, licensing.WithHTTPClient(&http.Client{Transport: s}), licensing.WithBaseURL("https://graph.test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReprocessMyLicense(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, there := s.requests()[0].Header["Authorization"]; there {
		t.Errorf("Authorization is %q, want none", got)
	}
}

// A transport that signs may get its token under the request's context. Its
// connections are no sign of a request that was sent twice, but leave open
// whether one was sent that did not arrive.
func TestATransportThatGetsTokens(t *testing.T) {
	t.Parallel()
	tenant, _ := newTenant()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/token" {
			tenant.ServeHTTP(w, req)
		}
	}))
	defer server.Close()
	nobody := httptest.NewServer(nil)
	nobody.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	remove := func(base string, next step) error {
		signing := step(func(req *http.Request) (*http.Response, error) {
			ask, err := http.NewRequestWithContext(req.Context(), http.MethodPost, server.URL+"/token", nil)
			if err != nil {
				return nil, err
			}
			ask.Header.Set("Client-Request-Id", "11111111-2222-4333-8444-555555555555") // as MSAL does
			resp, err := transport.RoundTrip(ask)
			if err != nil {
				return nil, err
			}
			resp.Body.Close()
			signed := req.Clone(req.Context())
			signed.Header.Set("Authorization", "Bearer token")
			return next(signed)
		})
		hc := &http.Client{Transport: newScript(t, signing)}
		client, err := licensing.NewClient(nil, licensing.WithHTTPClient(hc), licensing.WithBaseURL(base), once)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.AssignUserLicense(t.Context(), userID, remove(skuA))
		return err
	}
	wantFailed(t, remove(server.URL, transport.RoundTrip), 400, 1, licensing.ErrNotAssigned)
	wantFailed(t, remove(nobody.URL, transport.RoundTrip), 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
	wantFailed(t, remove(server.URL, lost), 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
}

func TestTokenSources(t *testing.T) {
	t.Parallel()
	broken := errors.New("no credential found at https://login.test/adele@contoso.com")
	tests := []struct {
		name   string
		tokens licensing.TokenSource
		sent   string // Authorization
		want   string // error
	}{
		{"a token", licensing.StaticToken("abc.DEF-_~+/="), "Bearer abc.DEF-_~+/=", ""},
		{"a token from a file", licensing.StaticToken("abc\r\n"), "Bearer abc", ""},
		{"no token", licensing.StaticToken(""), "", "reprocess my license: token source: token is empty"},
		{"a blank", licensing.StaticToken(" \n"), "", "reprocess my license: token source: token is empty"},
		{"a token with a blank", licensing.StaticToken("Bearer abc"), "", "reprocess my license: token source: token contains a blank or a character that is not allowed in a header; it must not include \"Bearer\""},
		{"a token with a header", licensing.StaticToken("abc\r\nX-Evil: 1"), "", "reprocess my license: token source: token contains a blank or a character that is not allowed in a header; it must not include \"Bearer\""},
		{"a failing source", func(context.Context) (string, error) { return "half-a-token", broken }, "",
			"reprocess my license: token source: no credential found at [url]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			if test.want == "" {
				s.steps = []step{okUser}
			}
			client, err := licensing.NewClient(test.tokens, licensing.WithHTTPClient(&http.Client{Transport: s}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.ReprocessMyLicense(t.Context())
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := s.requests()[0].Header["Authorization"]; len(got) != 1 || got[0] != test.sent {
					t.Errorf("Authorization is %q, want %q", got, test.sent)
				}
				return
			}
			e := asError(t, err)
			if got := strings.TrimSuffix(e.Error(), " (1 attempt)"); got != test.want {
				t.Errorf("got error  %s\nwant error %s", got, test.want)
			}
			if kinds(err) != "Unauthorized" {
				t.Errorf("the error is %q, want Unauthorized", kinds(err))
			}
			if strings.HasPrefix(test.name, "a failing") && !errors.Is(err, broken) {
				t.Error("the error does not wrap the source's")
			}
		})
	}
}

func TestTheTokenSourceGetsTheCallersValues(t *testing.T) {
	t.Parallel()
	type key struct{}
	tokens := func(ctx context.Context) (string, error) { return fmt.Sprint(ctx.Value(key{})), nil }
	s := newScript(t, okUser)
	client, err := licensing.NewClient(tokens, licensing.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.ReprocessMyLicense(context.WithValue(t.Context(), key{}, "tenant-7")); err != nil {
		t.Fatal(err)
	}
	if got := s.requests()[0].Header.Get("Authorization"); got != "Bearer tenant-7" {
		t.Errorf("Authorization is %q", got)
	}
}

// A keyed transport holds a credential of its own, by value.
type keyed struct {
	stub
	key string
}

func TestNothingPrintedHasTheToken(t *testing.T) {
	t.Parallel()
	client := newClient(t, keyed{stub{403, `{"error":{"code":"Authorization_RequestDenied"}}`}, "secret-key"})
	_, failed := client.ReprocessMyLicense(t.Context())
	for _, v := range []any{client, *client, failed, *asError(t, failed)} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if got := fmt.Sprintf(format, v); strings.Contains(got, "secret-") || strings.Contains(got, "Bearer") {
				t.Errorf("%s of %T has a secret: %s", format, v, got)
			}
		}
	}
}

func TestClientRequestID(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("DDDDDDDD-0000-4000-8000-000000000001")
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, reply(503, ""), okUser, okUser, okUser, okUser, graphError(404, "", ""))
		client := newClient(t, s)
		own := licensing.ContextWithClientRequestID(t.Context(), id)
		for _, ctx := range []context.Context{own, t.Context(), t.Context(), licensing.ContextWithClientRequestID(own, uuid.Nil)} {
			if _, err := client.ReprocessMyLicense(ctx); err != nil {
				t.Fatal(err)
			}
		}
		_, err := client.ReprocessMyLicense(own)
		if got := asError(t, err).ClientRequestID; got != id.String() {
			t.Errorf("the error's ClientRequestID is %s, want %s", got, id)
		}
		var got []string
		for _, r := range s.requests() {
			got = append(got, r.Header.Get("Client-Request-Id"))
		}
		if want := id.String(); got[0] != want || got[1] != want || got[5] != want {
			t.Errorf("sent %s, %s and %s, want %s on each attempt", got[0], got[1], got[5], want)
		}
		fresh := got[2:5]
		if slices.Sort(fresh); len(slices.Compact(slices.Clone(fresh))) != 3 || slices.Contains(fresh, id.String()) {
			t.Errorf("sent %q, want a new one for each call", fresh)
		}
		for _, id := range fresh {
			if parsed, err := uuid.Parse(id); err != nil || parsed.Version() != 4 {
				t.Errorf("sent %q, want a random UUID", id)
			}
		}
	})
}

// lines returns a logger and what it has written. Times are left out, and
// waits, which are random, are rounded.
func lines(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	out := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case "wait":
			return slog.String("wait", a.Value.Duration().Truncate(5*time.Second).String())
		}
		return a
	}})), out
}

func TestTheLoggerGetsALineForEachAttempt(t *testing.T) {
	t.Parallel()
	const (
		upn  = "adele@contoso.com"
		line = `msg="graph request" op="assign user license" method=POST route=/users/{id}/assignLicense `
		id   = "client-request-id=dddddddd-0000-4000-8000-000000000001"
	)
	all := []string{
		`level=WARN ` + line + `status=429 attempt=1 duration=1.5s request-id=r1 ` + id + ` code=TooManyRequests wait=5s`,
		`level=WARN ` + line + `status=0 attempt=2 duration=2s request-id="" ` + id + ` cause="no connection to [url]" wait=0s`,
		`level=DEBUG ` + line + `status=200 attempt=3 duration=0s request-id=r3 ` + id,
		`level=WARN ` + line + `status=404 attempt=1 duration=0s request-id=r4 ` + id + ` code=Request_ResourceNotFound`,
	}
	for level, want := range map[slog.Level][]string{slog.LevelDebug: all, slog.LevelWarn: {all[0], all[1], all[3]}, slog.LevelError: nil} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t,
					slowly(1500*time.Millisecond, graphError(429, "TooManyRequests", "Slow down, "+upn, "request-id", "r1", "Retry-After", "5")),
					slowly(2*time.Second, fails(errors.New("no connection to https://graph.test/v1.0/users/"+upn))),
					reply(200, `{"id":"`+userID+`"}`, "request-id", "r3"),
					graphError(404, "Request_ResourceNotFound", "Resource '"+upn+"' does not exist", "request-id", "r4"),
				)
				logger, out := lines(level)
				client := newClient(t, s, licensing.WithLogger(logger), licensing.WithRetryPolicy(licensing.RetryPolicy{MinWait: 2 * time.Second}))
				ctx := licensing.ContextWithClientRequestID(t.Context(), uuid.MustParse("dddddddd-0000-4000-8000-000000000001"))
				if _, err := client.AssignUserLicense(ctx, upn, add(skuA)); err != nil {
					t.Fatal(err)
				}
				if _, err := client.AssignUserLicense(ctx, upn, add(skuA)); !errors.Is(err, licensing.ErrNotFound) {
					t.Fatal(err)
				}
				got := strings.Split(out.String(), "\n")
				if got = got[:len(got)-1]; !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}

func TestLogLinesNameTheRoute(t *testing.T) {
	t.Parallel()
	for _, o := range operations {
		logger, out := lines(slog.LevelDebug)
		client := newClient(t, newScript(t, reply(o.status, `{"@odata.context":"x"}`)), licensing.WithLogger(logger))
		if _, err := o.call(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), ` op="`+o.op+`" method=POST route=`+o.route+` status=`; !strings.Contains(got, want) {
			t.Errorf("got %s\nwant a line with%s", got, want)
		}
		if got := out.String(); strings.Contains(got, userID) || strings.Contains(got, groupID) {
			t.Errorf("the line names the object: %s", got)
		}
	}
}

// TestSilentByDefault takes over what a program can print to, and so is not
// parallel.
func TestSilentByDefault(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	log.SetOutput(file)
	defer func() {
		os.Stdout, os.Stderr = stdout, stderr
		log.SetOutput(stderr)
	}()
	synctest.Test(t, func(t *testing.T) {
		for _, opts := range [][]licensing.Option{nil, {licensing.WithLogger(nil)}} {
			client := newClient(t, newScript(t, lost, reply(502, "<html>"), graphError(429, "", ""), okUser, graphError(403, "", "")), opts...)
			if _, err := client.AssignUserLicense(t.Context(), userID, add(skuA)); err != nil {
				t.Error(err)
			}
			if _, err := client.AssignUserLicense(t.Context(), userID, add(skuA)); err == nil {
				t.Error("got no error")
			}
		}
	})
	if got, err := os.ReadFile(file.Name()); err != nil || len(got) > 0 {
		t.Errorf("printed %q, %v", got, err)
	}
}

func TestOneClientIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 100})
	signedIn := tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
	tenant.SignIn(signedIn.ID)
	logger, _ := lines(slog.LevelDebug)
	client := tenant.Client(licensing.WithLogger(logger))
	var wg sync.WaitGroup
	for range 8 {
		user := tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
		group := tenant.AddGroup(licensingtest.Group{}, user.ID)
		for _, call := range []func() error{
			func() error {
				_, err := client.AssignUserLicense(t.Context(), user.ID, add(sku.ID))
				return err
			},
			func() error {
				_, err := client.AssignMyLicense(t.Context(), add(sku.ID))
				return err
			},
			func() error {
				_, err := client.AssignGroupLicense(t.Context(), group.ID, add(sku.ID))
				return err
			},
			func() error {
				_, err := client.ReprocessUserLicense(t.Context(), user.ID)
				return err
			},
			func() error {
				_, err := client.ReprocessMyLicense(t.Context())
				return err
			},
			func() error {
				client.CloseIdleConnections()
				return nil
			},
		} {
			wg.Go(func() {
				if err := call(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if got := len(tenant.Requests()); got != 40 {
		t.Errorf("%d requests, want 40", got)
	}
}

// A pool counts how often its idle connections are closed.
type pool struct {
	http.RoundTripper
	closed int
}

func (p *pool) CloseIdleConnections() { p.closed++ }

func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &pool{RoundTripper: newScript(t, lost, okUser)}
		client := newClient(t, p)
		if _, err := client.ReprocessUserLicense(t.Context(), userID); err != nil {
			t.Fatal(err)
		}
		if p.closed != 0 {
			t.Errorf("a call closed the pool %d times", p.closed)
		}
		client.CloseIdleConnections()
		if p.closed != 1 {
			t.Errorf("the pool was closed %d times, want once", p.closed)
		}
	})
	newClient(t, parked{t}).CloseIdleConnections() // which has nothing to close
}

// TestOverTLS goes through net/http from end to end.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	tenant.RequireToken("secret-token")
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	user := tenant.AddUser(licensingtest.User{UserPrincipalName: "o'brien_contoso.com#EXT#@fabrikam.com", UsageLocation: "IE"})
	server := httptest.NewUnstartedServer(tenant)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()

	client := newClient(t, nil, licensing.WithBaseURL(server.URL+"/proxy"), licensing.WithHTTPClient(server.Client()))
	defer client.CloseIdleConnections()
	got, err := client.AssignUserLicense(t.Context(), user.UserPrincipalName, add(sku.ID))
	if err != nil || got.ID != user.ID {
		t.Fatalf("got %v, %v", got, err)
	}
	if held, _ := tenant.User(user.ID); len(held.Licenses) != 1 || held.Licenses[0].SKUID != sku.ID {
		t.Errorf("the user holds %v", held.Licenses)
	}

	untrusting := newClient(t, nil, licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(&http.Client{Transport: &http.Transport{}}))
	_, err = untrusting.AssignUserLicense(t.Context(), user.ID, add(sku.ID))
	e := asError(t, err)
	if e.Attempts != 1 || errors.Is(err, licensing.ErrOutcomeUnknown) || !regexp.MustCompile(`^assign user license: .*certificate.* \(1 attempt\)$`).MatchString(err.Error()) {
		t.Errorf("got error %v", err)
	}
}
