package graph

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
)

// An unsentError is proof that a request was not sent.
type unsentError struct {
	error
	permanent bool
}

func (e *unsentError) Unwrap() error { return e.error }

// unsent reports whether a failed attempt provably never reached a server.
// Without proof the request may have been carried out.
func (a *attempt) unsent(err error) bool {
	var known *unsentError
	var token *TokenError
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.As(err, &known), errors.As(err, &token):
		return true
	case a.linked.Load(): // then the failure may be of a second try
		return false
	case errors.As(err, &dns), wrongPeer(err):
		return true
	case errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect"):
		return true
	}
	return a.dials.Load() // for a connection that never was
}

// hopeless reports whether a request that was not sent would fail in the same
// way again.
func hopeless(err error) bool {
	var known *unsentError
	var token *TokenError
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
