package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing/internal/pace"
)

const objectID = "11111111-1111-4111-8111-111111111111"

// A step answers one request.
type step func(*http.Request) (*http.Response, error)

func (s step) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

// reply answers with a status, a body, and headers given as pairs.
func reply(status int, body string, headers ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}, nil
	}
}

// fails breaks the connection.
func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs answers when the context ends.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

var (
	good = reply(200, `{"id":"`+objectID+`"}`)
	busy = reply(503, "")
	slow = reply(429, "", "Retry-After", "3")
	lost = fails(errors.New("connection reset by peer"))
)

// A script answers requests in order, and keeps them.
type script struct {
	t     testing.TB
	mu    sync.Mutex
	steps []step
	sent  []*http.Request
	body  []string
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		req.Body.Close()
		body = string(b)
	}
	s.sent, s.body = append(s.sent, req), append(s.body, body)
	if len(s.steps) == 0 {
		s.mu.Unlock()
		s.t.Errorf("unexpected request: %s %s", req.Method, req.URL)
		return nil, errors.New("unexpected request")
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	s.mu.Unlock()
	return next(req)
}

// newService returns a service over rt, whose root has a path so that one that
// is left out shows.
func newService(t testing.TB, rt http.RoundTripper, tokens TokenSource, policy Policy) *Service {
	root, err := url.Parse("https://graph.test/base/v1.0")
	if err != nil {
		t.Fatal(err)
	}
	policy = policy.WithDefaults()
	return New(Config{
		Root:       root,
		Tokens:     tokens,
		HTTPClient: http.Client{Transport: rt},
		Policy:     policy,
		Pacer:      pace.New(20, 3000, policy.MaxWait),
		UserAgent:  "test/1",
		Foreign:    func(cause error) error { return fmt.Errorf("foreign: %w", cause) },
	})
}

func token(context.Context) (string, error) { return "secret-token", nil }

// write and read are requests about one user.
func write() *Request {
	return &Request{Op: "write", Object: User(objectID), Method: http.MethodPost, Action: "/act", Body: []byte(`{"a":1}`), Into: readID{}, ID: "7e57"}
}

func read() *Request {
	return &Request{Op: "read", Object: User(objectID), Method: http.MethodGet, Query: "$select=id", Into: readID{}, ID: "7e57"}
}

// readID reads a body that has an id, and a number that can be wrong.
type readID struct{}

func (readID) Read(body []byte) error {
	var wire struct {
		ID     string
		Number int
	}
	return json.Unmarshal(body, &wire)
}

func (readID) Items() int                  { return 0 }
func (readID) Identity() (id, name string) { return "", "" }
func (readID) Shows(name []byte) Sign {
	if string(name) == "number" {
		return Weak
	}
	return NoSign
}

// bubble runs f where time passes as it is waited for.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}
