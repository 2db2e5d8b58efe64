package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jarcoal/httpmock"

	"github.com/graphlicensing/licensing"
)

// Ids that the tests share.
const (
	userID  = "11111111-1111-4111-8111-111111111111"
	groupID = "22222222-2222-4222-8222-222222222222"
)

var (
	skuA  = uuid.MustParse("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa")
	skuB  = uuid.MustParse("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb")
	skuC  = uuid.MustParse("cccccccc-cccc-4ccc-8ccc-cccccccccccc")
	planA = uuid.MustParse("a0000000-0000-4000-8000-000000000001")
	planB = uuid.MustParse("b0000000-0000-4000-8000-000000000002")
)

// add and remove are the commonest changes.
func add(skus ...uuid.UUID) licensing.AssignLicenseRequest {
	var req licensing.AssignLicenseRequest
	for _, sku := range skus {
		req.AddLicenses = append(req.AddLicenses, licensing.AssignedLicense{SKUID: sku})
	}
	return req
}

func remove(skus ...uuid.UUID) licensing.AssignLicenseRequest {
	return licensing.AssignLicenseRequest{RemoveLicenses: skus}
}

// A step answers one request of a script.
type step func(*http.Request) (*http.Response, error)

// reply answers with status, a JSON body, and headers given as pairs.
func reply(status int, body string, headers ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		if body != "" {
			h.Set("Content-Type", "application/json")
		}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{
			Status:        fmt.Sprintf("%d %s", status, http.StatusText(status)),
			StatusCode:    status,
			Proto:         "HTTP/1.1",
			ProtoMajor:    1,
			ProtoMinor:    1,
			Header:        h,
			Body:          io.NopCloser(strings.NewReader(body)),
			ContentLength: int64(len(body)),
			Request:       req,
		}, nil
	}
}

// graphError answers with an error in Graph's frame.
func graphError(status int, code, message string, headers ...string) step {
	return reply(status, fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{}}}`, code, message), headers...)
}

// fails breaks the connection with err.
func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// slowly answers after some time.
func slowly(after time.Duration, s step) step {
	return func(req *http.Request) (*http.Response, error) {
		time.Sleep(after)
		return s(req)
	}
}

var (
	okUser     = reply(200, `{"id":"`+userID+`"}`)
	okGroup    = reply(202, `{"id":"`+groupID+`"}`)
	okLocation = reply(204, "", "Request-Id", "1f8f7f5c-6d4b-4b0e-8a2c-5f5c4d1f0c11")
	lost       = fails(errors.New("connection reset by peer"))
)

// A sent is a request as it went over the wire.
type sent struct {
	Method string
	URL    string
	Header http.Header
	Body   string
}

// A script is a transport that answers requests in order. A request too many
// fails the test, and so does a body left open.
type script struct {
	t     testing.TB
	mu    sync.Mutex
	steps []step
	sent  []sent
	open  int
}

func newScript(t testing.TB, steps ...step) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open != 0 {
			t.Errorf("%d answers were not closed", s.open)
		}
		if len(s.steps) != 0 {
			t.Errorf("%d requests were expected and not made", len(s.steps))
		}
	})
	return s
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		req.Body.Close()
		body = string(b)
	}
	s.mu.Lock()
	s.sent = append(s.sent, sent{req.Method, req.URL.String(), req.Header.Clone(), body})
	if len(s.steps) == 0 {
		s.mu.Unlock()
		s.t.Errorf("unexpected request: %s %s %s", req.Method, req.URL, body)
		return nil, errors.New("unexpected request")
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	s.mu.Unlock()

	received := req.WithContext(req.Context())
	if req.Body != nil {
		received.Body = io.NopCloser(strings.NewReader(body))
	}
	resp, err := next(received)
	if resp != nil {
		s.mu.Lock()
		s.open++
		s.mu.Unlock()
		resp.Body = &watched{ReadCloser: resp.Body, closed: func() {
			s.mu.Lock()
			s.open--
			s.mu.Unlock()
		}}
	}
	return resp, err
}

// mocked returns httpmock's transport, which takes requests to these routes, each a
// method and a path under the client's root, to the script. Any other request
// fails the test, also one to a URL that httpmock would let pass for a route's.
func (s *script) mocked(routes ...string) *httpmock.MockTransport {
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		s.t.Errorf("unexpected request: %s %s", req.Method, req.URL)
		return nil, errors.New("unexpected request")
	})
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		mock.RegisterResponder(method, graphRoot+path, func(req *http.Request) (*http.Response, error) {
			if got := req.URL.String(); got != graphRoot+path {
				s.t.Errorf("request to %s, want %s", got, graphRoot+path)
			}
			return s.RoundTrip(req)
		})
	}
	return mock
}

// requests returns what has been sent so far.
func (s *script) requests() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// bodies returns the bodies that have been sent so far.
func (s *script) bodies() []string {
	var bodies []string
	for _, r := range s.requests() {
		bodies = append(bodies, r.Body)
	}
	return bodies
}

type watched struct {
	io.ReadCloser
	once   sync.Once
	closed func()
}

func (w *watched) Close() error {
	w.once.Do(w.closed)
	return w.ReadCloser.Close()
}

// newClient returns a client over transport, whose base URL has a path so that
// one that is left out shows.
func newClient(t testing.TB, transport http.RoundTripper, opts ...licensing.Option) *licensing.Client {
	t.Helper()
	opts = append([]licensing.Option{
		licensing.WithBaseURL("https://graph.test/base"),
		licensing.WithHTTPClient(&http.Client{Transport: transport}),
	}, opts...)
	client, err := licensing.NewClient(licensing.StaticToken("secret-token"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// asError returns err as the *Error that it must be.
func asError(t testing.TB, err error) *licensing.Error {
	t.Helper()
	e, ok := errors.AsType[*licensing.Error](err)
	if !ok {
		t.Fatalf("got error %v of type %T, want an *Error", err, err)
	}
	return e
}

// An operation is one of the client's calls, with arguments that are in order.
type operation struct {
	op     string // as errors and log lines name it
	route  string // the path as log lines show it
	path   string
	body   string // of the request
	status int    // of Graph's own answer
	id     string // that the answer has to have, if one was asked for
	call   func(context.Context, *licensing.Client) (any, error)
}

const addsA = `{"addLicenses":[{"disabledPlans":[],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":[]}`

var operations = []operation{
	{"assign user license", "/users/{id}/assignLicense", "/users/" + userID + "/assignLicense", addsA, 200, userID,
		func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.AssignUserLicense(ctx, userID, add(skuA)))
		}},
	{"assign my license", "/me/assignLicense", "/me/assignLicense", addsA, 200, "",
		func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.AssignMyLicense(ctx, add(skuA)))
		}},
	{"assign group license", "/groups/{id}/assignLicense", "/groups/" + groupID + "/assignLicense", addsA, 202, groupID,
		func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.AssignGroupLicense(ctx, groupID, add(skuA)))
		}},
	{"reprocess user license", "/users/{id}/reprocessLicenseAssignment", "/users/" + userID + "/reprocessLicenseAssignment", "", 200, userID,
		func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.ReprocessUserLicense(ctx, userID))
		}},
	{"reprocess my license", "/me/reprocessLicenseAssignment", "/me/reprocessLicenseAssignment", "", 200, "",
		func(ctx context.Context, c *licensing.Client) (any, error) {
			return result(c.ReprocessMyLicense(ctx))
		}},
}

// result makes a call's nil result a plain nil.
func result[T any](r *T, err error) (any, error) {
	if r == nil {
		return nil, err
	}
	return r, err
}

// once lets a call make one request only.
var once = licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 1})

// same compares got with want by every field.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, show(got), show(want))
	}
}

// show prints v with what its pointers point to.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil || reflect.ValueOf(v).Kind() == reflect.String {
		return fmt.Sprintf("%+v", v)
	}
	return fmt.Sprintf("%T %s", v, text)
}

// wantSent compares a request as a whole, but for its client-request-id, which
// must be some UUID. The URL is under the base of newClient.
func wantSent(t testing.TB, got sent, method, path, body string) {
	t.Helper()
	got.Header = got.Header.Clone()
	if id, err := uuid.Parse(got.Header.Get("Client-Request-Id")); err != nil || id == uuid.Nil {
		t.Errorf("client-request-id is %q, want a UUID", got.Header["Client-Request-Id"])
	}
	got.Header.Del("Client-Request-Id")
	want := sent{method, "https://graph.test/base/v1.0" + path, http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Bearer secret-token"},
		"User-Agent":    {"graphlicensing/0.1.0"},
	}, body}
	if body != "" {
		want.Header.Set("Content-Type", "application/json")
	}
	same(t, "request", got, want)
}

// kinds names the sentinels that err is, in the order of their declaration.
func kinds(err error) string {
	var names []string
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			names = append(names, s.name)
		}
	}
	return strings.Join(names, " ")
}

// sentinels are those of the package, with their names.
var sentinels = func() (list []named) {
	for _, s := range licensing.Sentinels() {
		name := strings.ToUpper(s.Word[:1]) + strings.TrimSuffix(s.Word[1:], "Sku")
		if strings.HasSuffix(s.Word, "Sku") {
			name += "SKU"
		}
		list = append(list, named{name, s.Err})
	}
	return list
}()

type named struct {
	name string
	err  error
}
