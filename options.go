package licensing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
)

// An Option changes what [NewClient] makes. Options may come in any order. If an
// option is given twice, the later one wins, except that all observers are called.
type Option func(*settings) error

type settings struct {
	cloudURL   *url.URL
	baseURL    *url.URL // takes its place
	httpClient *http.Client
	policy     RetryPolicy
	logger     *slog.Logger
	userAgent  string
	perSecond  float64
	burst      int
	locker     Locker
	observers  []func(context.Context, Attempt)
}

// WithCloud selects a national or sovereign cloud. The default is
// [CloudGlobal].
func WithCloud(cloud Cloud) Option {
	return func(s *settings) (err error) {
		s.cloudURL, err = parseBaseURL("cloud's Graph URL", cloud.GraphURL)
		return err
	}
}

// WithBaseURL sends requests to rawURL, such as a proxy or a fake, instead of the
// cloud's Graph URL. The path of rawURL is kept as a prefix, and "/v1.0" is
// appended. The URL must be https, or http on a loopback address.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) (err error) {
		s.baseURL, err = parseBaseURL("base URL", rawURL)
		return err
	}
}

// WithHTTPClient uses a copy of hc, with its Transport, Jar and Timeout. The
// Timeout applies to each attempt. The client never follows redirects, whatever hc
// says.
//
// A Transport is used as it is. Its RoundTrip must return when the context of the
// request ends. Reading a response body may block for longer; the client abandons
// such a body. A Transport that fetches tokens should use a separate context for
// that: the client traces the connections of each request, and would take a
// connection to the token service for one to Graph.
//
// By default the client has a transport that detects dead HTTP/2 connections with
// pings. [NewTransport] returns one like it, for wrapping.
func WithHTTPClient(hc *http.Client) Option {
	return func(s *settings) error {
		if hc == nil {
			return errors.New("HTTP client is nil")
		}
		s.httpClient = hc
		return nil
	}
}

// A RetryPolicy says how often and for how long the client tries a call. A zero
// field takes its default. A negative field removes the limit.
//
// The client retries only what is safe to repeat: throttled requests, concurrent
// changes, and attempts whose outcome is unknown. In the last case, repeating the
// operation also finds out the outcome.
type RetryPolicy struct {
	// MaxAttempts is how many requests a call makes; the default is 5. Throttled
	// requests do not count, nor do those made during an outage in Bulk. If a call
	// has to settle parts of a change one by one, each part has MaxAttempts of its
	// own. With 1 nothing is ever retried, and a write that is answered with 503 or
	// 504 ends in ErrOutcomeUnknown.
	MaxAttempts int
	// MinWait is the first wait when the server does not ask for one; the default
	// is 1 s. The upper limit doubles with each further wait, up to 30 s, and the
	// wait is a random part of it.
	MinWait time.Duration
	// MaxWait is the longest Retry-After that the client waits for; the default is
	// 3 min. A call that is asked to wait longer returns at once. During an outage
	// in Bulk the default is as long as MaxOutage allows.
	MaxWait time.Duration
	// AttemptTimeout limits one request and its answer; the default is 60 s.
	AttemptTimeout time.Duration
	// MaxElapsed limits a whole call with its waits; the default is 10 min. Bulk
	// ignores it, because operations there wait for each other.
	MaxElapsed time.Duration
	// Fence is how long Graph may still carry out a write that stalled; the default
	// is 2 min. For a write that failed in another way it is 30 s, or Fence if that
	// is shorter. Until then, other writes to the same object wait.
	Fence time.Duration
}

// WithRetryPolicy replaces the default [RetryPolicy].
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		s.policy = p
		return nil
	}
}

// WithLogger logs one line for each attempt. The level is Debug for attempts that
// end a call with success and Warn for all others. A line has the operation,
// method, route template, status, attempt, duration, wait and request ids. It names
// no user. By default nothing is logged.
//
// In [Client.Bulk] each batch has a line, and so does each operation in the batch.
// The line of an operation has OperationResult.Index as "operation", and the
// duration of the whole batch.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		s.logger = l
		return nil
	}
}

// WithUserAgent puts product, such as "joiner-bot/2.1", in front of the package's
// own name in the User-Agent header.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		notPrintable := func(r rune) bool { return r < ' ' || r > '~' }
		if strings.TrimSpace(product) == "" || len(product) > 256 || strings.ContainsFunc(product, notPrintable) {
			return errors.New("user agent must be 1 to 256 printable ASCII characters")
		}
		s.userAgent = product
		return nil
	}
}

// WithWriteQuota sets how many writes a second Graph allows the application in the
// tenant, and how many at once after a rest. The defaults are the documented 20 and
// 3000.
//
// The quota is a hint. [Client.Bulk] speeds up until Graph throttles a write,
// estimates from that how many clients share the quota, and then follows Graph's
// answers.
func WithWriteQuota(perSecond float64, burst int) Option {
	return func(s *settings) error {
		if !(perSecond > 0) || math.IsInf(perSecond, 0) || burst < 0 {
			return errors.New("write quota must be a finite rate above 0 and a burst of at least 0")
		}
		s.perSecond, s.burst = perSecond, burst
		return nil
	}
}

// parseBaseURL checks the root that tokens will be sent to; name says in an
// error which one it is.
func parseBaseURL(name, raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be parsed", name) // err quotes it, and it may hold a password
	}
	reason := ""
	switch {
	case u.User != nil:
		reason = "must not have user info"
	case u.RawQuery != "" || u.ForceQuery:
		reason = "must not have a query"
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		reason = "must not have a fragment"
	case u.Hostname() == "":
		reason = "must be absolute, with a host"
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		reason = "must be https, or http on a loopback address"
	case !validPort(u):
		reason = "has no valid port"
	case endsInVersion(u.Path):
		reason = "must not end in a version: /v1.0 is appended"
	default:
		return u, nil
	}
	return nil, fmt.Errorf("%s %s", name, reason)
}

func validPort(u *url.URL) bool {
	_, err := strconv.ParseUint(graph.Port(u), 10, 16)
	return err == nil && !strings.HasSuffix(u.Host, ":")
}

func endsInVersion(p string) bool {
	last := path.Base(p)
	return strings.EqualFold(last, "v1.0") || strings.EqualFold(last, "beta")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
