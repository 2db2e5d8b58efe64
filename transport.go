package licensing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// defaultTransport is shared by all clients without a transport of their own,
// as connections are by the users of http.DefaultTransport.
var defaultTransport = sync.OnceValue(newTransport)

func newTransport() http.RoundTripper {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    32,
		MaxResponseHeaderBytes: 64 << 10,
		// Without pings all attempts go to a connection that died silently.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// newRetryClient returns the loop that drives the attempts of a call. Its own
// judgement is switched off: the call, which travels in the context, decides
// whether to go on, waits, and keeps what came back.
func newRetryClient(hc *http.Client) *retryablehttp.Client {
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &retryablehttp.Client{
		HTTPClient: hc,
		// Never reached: running out would throw the last answer away.
		RetryMax: 1 << 30,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			return callFrom(ctx).attempted(ctx, resp, err), nil
		},
		Backoff: func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 },
		PrepareRetry: func(req *http.Request) error {
			return callFrom(req.Context()).prepare(req)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// A signer sets the token of each attempt, and limits its time. It is no
// CloseIdler, so that the loop above cannot close the connections of others.
type signer struct {
	next   http.RoundTripper
	tokens TokenSource // nil: next signs
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	call := callFrom(req.Context())
	ctx := call.startAttempt(req.Context())
	header, err := s.sign(ctx, req, call)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	// Watched only now: the token source may make connections of its own.
	signed := req.WithContext(call.latest.watched(call.id))
	signed.Header = header
	resp, err := s.next.RoundTrip(signed)
	return resp, call.latest.ownError(err)
}

// sign returns the header of req with the token, or why it must not be sent.
func (s *signer) sign(ctx context.Context, req *http.Request, call *call) (http.Header, error) {
	if !sameOrigin(req.URL, call.client.root) {
		return nil, &unsentError{errors.New("request is for another host than the client's"), true}
	}
	// A transport must not change its request: HTTP/2 may still be reading the
	// header for the attempt before. So far it has cookies at the most.
	header := maps.Clone(req.Header)
	var token string
	if s.tokens != nil {
		var err error
		token, err = s.tokens(ctx)
		if err == nil {
			token, err = checkToken(token)
		}
		if err != nil {
			return nil, &tokenError{err}
		}
		if call.rejected != "" && token == call.rejected {
			return nil, errSameToken
		}
		call.latest.token = token
	}
	call.setHeader(header, token)
	if err := ctx.Err(); err != nil {
		return nil, &unsentError{err, false}
	}
	return header, nil
}

func checkToken(token string) (string, error) {
	token = strings.TrimSpace(token) // files end in a newline
	if token == "" {
		return "", errors.New("token is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("token has a blank or a character that a header cannot carry; it stands without \"Bearer\"")
	}
	return token, nil
}

// sameOrigin reports whether u has the scheme, host and port of base.
func sameOrigin(u, base *url.URL) bool {
	return u.Scheme == base.Scheme && strings.EqualFold(u.Hostname(), base.Hostname()) && port(u) == port(base)
}

func port(u *url.URL) string {
	p := u.Port()
	switch {
	case p == "" && u.Scheme == "http":
		return "80"
	case p == "" && u.Scheme == "https":
		return "443"
	}
	return p
}

var (
	errSameToken = errors.New("token source returned the token that was refused")
	errBusy      = errors.New("another write to the same object has not ended")
)

// An unsentError is proof that a request was not sent.
type unsentError struct {
	error
	permanent bool
}

func (e *unsentError) Unwrap() error { return e.error }

// A tokenError is a token source's failure.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "token source: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// unsent reports whether a failed attempt provably never reached a server.
// Without proof the request may have been carried out.
func (c *call) unsent(err error) bool {
	var known *unsentError
	var token *tokenError
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &known), errors.As(err, &token):
		return true
	case c.latest.linked.Load(): // then the failure may be of a second try
		return false
	case errors.As(err, &dns), wrongPeer(err):
		return true
	case errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect"):
		return true
	}
	return c.latest.dials.Load() // for a connection that never was
}

// hopeless reports whether a request that was not sent would fail in the same
// way again.
func hopeless(err error) bool {
	var known *unsentError
	var token *tokenError
	var dns *net.DNSError
	var record tls.RecordHeaderError
	return errors.As(err, &known) && known.permanent || errors.As(err, &token) ||
		errors.As(err, &dns) && dns.IsNotFound || wrongPeer(err) ||
		errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) // no TLS at all
}

// wrongPeer reports whether the server's certificate was refused, by crypto/tls
// or by what a transport has it verified with.
func wrongPeer(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}
