// Package graph makes one request to Microsoft Graph, repeats it as far as that
// is harmless, and says what became of it.
//
// The way of a request is a straight walk:
//
//	object.go    what it is about, as a path
//	request.go   what is asked, never changed once it is made
//	sending.go   the sending of it, from the first attempt to the last
//	attempt.go   one attempt: its time, what was seen of it on its way
//	exchange.go  what the transport makes of it, and the end of that
//	token.go     its token and header
//	unsent.go    whether an attempt that failed reached a server
//	blame.go     what the caller is told of why it failed
//	secret.go    what is taken out of all that came back: the token
//	judge.go     what an answer says about its request, and what leaves it in doubt
//	scan.go      what is in an answer, counted before it is decoded
//	problem.go   what an error answer says
//	channel.go   whether the failures are those of the way to Graph
//	retry.go     whether there is another attempt, and the wait before it
//	answer.go    the answer: what is known in the end, doubt included
//
// Beside it are page.go with next links, and log.go and watch.go with what others
// are told of an attempt.
//
// The package knows URLs, tokens, retries, answers, pages and the error frame.
// It must not know what a license is, the properties of a user or group, or that
// requests can share a batch: a [Carrier] brings them where they do.
package graph

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/graphlicensing/licensing/internal/pace"
)

// A Service is where requests go, and how. It is made by [New], is never changed
// after, and is safe for concurrent use.
type Service struct {
	root      *url.URL // of the API's version, without a final slash
	path      string   // root's, escaped
	loop      *retryablehttp.Client
	closeIdle func() // so that printing a service does not print its transport
	policy    Policy
	writes    *Channel
	reads     *Channel    // of those that are paced
	served    atomic.Bool // Graph answered a request, at some time
	watch     watch
	userAgent string
	foreign   func(error) error
	header    http.Header // empty, where requests share it
	secrets   secrets
	patience  time.Duration // the longest Retry-After that is waited for in an outage
}

// A Config is what a [Service] is made of.
type Config struct {
	Root       *url.URL      // of the API's version, without a final slash
	Tokens     TokenSource   // nil where the HTTP client signs the requests
	HTTPClient http.Client   // a copy, which the service takes over; without a Transport it gets the shared one
	Policy     Policy        // with its defaults filled in
	OutageWait time.Duration // the longest Retry-After that is waited for in an outage
	Pacer      *pace.Pacer   // of the writes
	Reads      *pace.Pacer   // of those that are paced
	Logger     *slog.Logger  // nil is silence
	Observer   Observer      // nil is none
	UserAgent  string
	// Foreign, which must not be nil, wraps the cause for which a context ended.
	// It is about something other than the requests that it ends, such as another
	// call's failure.
	Foreign func(cause error) error
}

// New returns a service. It does no I/O.
func New(c Config) *Service {
	hc := c.HTTPClient
	if hc.Transport == nil {
		hc.Transport = sharedTransport()
	}
	s := &Service{
		root:      c.Root,
		path:      c.Root.EscapedPath(),
		closeIdle: (&http.Client{Transport: hc.Transport}).CloseIdleConnections,
		policy:    c.Policy,
		patience:  c.OutageWait,
		writes:    &Channel{pacer: c.Pacer, patience: c.Policy.MaxWait},
		reads:     &Channel{pacer: c.Reads, patience: c.Policy.MaxWait},
		watch:     watch{c.Logger, c.Observer},
		userAgent: c.UserAgent,
		foreign:   c.Foreign,
	}
	if hc.Jar == nil {
		s.header = make(http.Header)
	}
	hc.Transport = &signer{next: hc.Transport, tokens: c.Tokens}
	s.secrets.foreign = c.Tokens == nil
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.loop = newLoop(&hc)
	return s
}

// newHeader returns the empty header that a request has until it is signed. A
// cookie jar adds to it; without one nobody does, and one serves all.
func (s *Service) newHeader() http.Header {
	if s.header != nil {
		return s.header
	}
	return make(http.Header)
}

// CloseIdleConnections closes the connections that no request is using.
func (s *Service) CloseIdleConnections() { s.closeIdle() }

// Policy returns the policy by which requests are repeated.
func (s *Service) Policy() Policy { return s.policy }

// OutageWait returns the longest Retry-After that is waited for in an outage.
func (s *Service) OutageWait() time.Duration { return s.patience }

// Writes returns the channel of the writes.
func (s *Service) Writes() *Channel { return s.writes }

// Reads returns the channel of the reads that are paced.
func (s *Service) Reads() *Channel { return s.reads }

// ContextError returns why ctx ended: its error, and its cause where it has one
// of its own.
func (s *Service) ContextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, s.foreign(cause))
}

// NextLink returns the URL of a listing's next page as the page that req asked
// for names it. The token will go there, so it must be under the service's root.
// The error says why it is not followed.
func (s *Service) NextLink(req *Request, link string) (*url.URL, error) {
	return nextLink(s.root, s.URL(req), link)
}

// sameOrigin reports whether u has the scheme, host and port of base.
func sameOrigin(u, base *url.URL) bool {
	return u.Scheme == base.Scheme && (u.Host == base.Host || strings.EqualFold(u.Hostname(), base.Hostname()) && Port(u) == Port(base))
}

// Port returns the port of u, that of its scheme where it names none.
func Port(u *url.URL) string {
	p := u.Port()
	switch {
	case p == "" && u.Scheme == "http":
		return "80"
	case p == "" && u.Scheme == "https":
		return "443"
	}
	return p
}

var errOtherHost = errors.New("request is for a host that is not the client's")
