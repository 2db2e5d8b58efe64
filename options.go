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

// An Option changes what [NewClient] makes. Options may come in any order; of
// two of a kind the later wins, but all observers are called.
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

// WithBaseURL sends requests to rawURL, a proxy or a fake, in place of the
// cloud's Graph URL. Its path is kept as a prefix and "/v1.0" is appended. It
// must be https, or http on a loopback address.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) (err error) {
		s.baseURL, err = parseBaseURL("base URL", rawURL)
		return err
	}
}

// WithHTTPClient uses a copy of hc, with its Transport, Jar and Timeout, which
// applies to each attempt. Redirects are never followed, whatever hc says.
//
// A Transport is used as it is, and has to end with its request's context; the
// bodies of its answers need not, and are left alone when that ends. One
// that gets tokens should do so under a context of its own: a connection for a
// token looks like one to Graph when that then cannot be reached.
//
// Without one the client has its own, which finds dead HTTP/2 connections by
// pings. [NewTransport] returns such a one, for whoever wraps it.
func WithHTTPClient(hc *http.Client) Option {
	return func(s *settings) error {
		if hc == nil {
			return errors.New("HTTP client is nil")
		}
		s.httpClient = hc
		return nil
	}
}

// A RetryPolicy says how long and how often a call is tried. A zero field
// takes its default, a negative one switches the limit off.
//
// Only what may be repeated without harm is: throttling, concurrent changes,
// and attempts whose outcome is in doubt, which the same operation settles.
type RetryPolicy struct {
	// MaxAttempts is how many requests a call makes, throttled ones not
	// counted, nor those of an outage in Bulk, and again for each part of a change that has to be settled by
	// itself; by default 5. With 1 nothing is sent again for any reason, and
	// a write that is answered with a 503 or 504 is ErrOutcomeUnknown.
	MaxAttempts int
	// MinWait is the first wait where the server asks for none; by default
	// 1 s. Each further one can be twice as long, up to 30 s, at random.
	MinWait time.Duration
	// MaxWait is the longest Retry-After that is waited for; by default 3 min,
	// and in an outage of Bulk as long as the outage is waited out. A call that
	// is asked to wait longer returns at once.
	MaxWait time.Duration
	// AttemptTimeout bounds one request and its answer; by default 60 s.
	AttemptTimeout time.Duration
	// MaxElapsed bounds the whole call with its waits; by default 10 min. In
	// Bulk it does not hold, since operations there wait for each other.
	MaxElapsed time.Duration
	// Fence is how long a write that stalled may still land; by default 2 min.
	// One that failed in another way may for 30 s, if Fence is not less. Until
	// then different writes to the same object are kept back.
	Fence time.Duration
}

// WithRetryPolicy replaces the default [RetryPolicy].
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		s.policy = p
		return nil
	}
}

// WithLogger logs a line for each attempt: at level Debug those that end a
// call well, at level Warn the others. A line has the operation, method, route
// template, status, attempt, duration, wait and request ids, and names no user. The
// default is silence.
//
// In a [Client.Bulk] a batch has a line, and each operation in it has one that
// tells its OperationResult.Index as "operation". The duration there is the batch's.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) error {
		s.logger = l
		return nil
	}
}

// WithUserAgent puts product, such as "joiner-bot/2.1", before the package's
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

// WithWriteQuota says how many writes a second Graph allows the application in
// the tenant, and how many at once after a rest. The default is 20 and 3000, as
// documented. It is a hint: [Client.Bulk] sends ever faster until Graph refuses a
// write, guesses by it how many clients share the quota, and goes on by what Graph
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
