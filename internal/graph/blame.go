package graph

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// blame turns an attempt's error into the cause that the caller sees: the
// caller's own context first, and never our time limit as if it were that.
func (a *attempt) blame(err error) error {
	x := a.sending
	if x.Err() != nil {
		return x.ended(err)
	}
	var token *TokenError
	if errors.As(err, &token) {
		return &TokenError{a.blame(token.Err)}
	}
	if a.ctx.Err() == context.DeadlineExceeded && isTimeout(err) {
		return attemptTimeout{a.limit}
	}
	var wrapped *url.Error // names the user
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location header") { // and quotes it
		return errRedirect
	}
	return x.hidden(err)
}

// ended returns what err is to the caller whose context has ended meanwhile.
func (x *sending) ended(err error) error {
	if errors.As(err, new(*TokenError)) {
		return &TokenError{x.service.ContextError(x)}
	}
	return x.service.ContextError(x)
}

// hidden returns err without whom the request is about.
func (x *sending) hidden(err error) error {
	text := err.Error()
	if query := x.service.URL(x.request).RawQuery; query != "" { // a filter may name users
		text = strings.ReplaceAll(text, "?"+query, "")
	}
	return transportError{err, x.request.Object.hide(text)}
}

// lostByPing reports whether pings found that a connection was dead, which
// leaves open what was done with its requests. net/http has no name for it.
func lostByPing(err error) bool {
	return strings.Contains(err.Error(), "http2: client connection lost")
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// A transportError does not pass for the end of the caller's context, though
// timeouts of the net package and of http.Client say they are one, and does not
// show whom the call is about.
type transportError struct {
	err  error
	text string
}

func (e transportError) Error() string { return e.text }
func (e transportError) As(t any) bool { return errors.As(e.err, t) }
func (e transportError) Is(t error) bool {
	return t != context.DeadlineExceeded && t != context.Canceled && errors.Is(e.err, t)
}

// An attemptTimeout is an attempt that took too long by our policy.
type attemptTimeout struct{ limit time.Duration }

func (e attemptTimeout) Error() string {
	if e.limit <= 0 {
		return "no time was left for a request"
	}
	return fmt.Sprintf("no complete answer within %v", e.limit.Round(min(e.limit, time.Millisecond)))
}

func (e attemptTimeout) Timeout() bool { return true }
