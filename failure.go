package licensing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// blame turns an attempt's error into the cause that the caller sees: the
// caller's own context first, and never our time limit as if it were that.
func (c *call) blame(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var token *tokenError
	if errors.As(err, &token) {
		return &tokenError{c.blame(ctx, token.err)}
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if c.latest.ctx.Err() == context.DeadlineExceeded && isTimeout(err) {
		return attemptTimeout{c.latest.limit}
	}
	var wrapped *url.Error // names the user
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	text := err.Error()
	if strings.HasPrefix(text, "failed to parse Location header") { // and quotes it
		return fmt.Errorf("%w: a redirect", errNotGraph)
	}
	if query := c.url().RawQuery; query != "" { // a filter may name users
		text = strings.ReplaceAll(text, "?"+query, "")
	}
	return transportError{err, c.object.hide(text)}
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

// contextError returns why ctx ended: its error, and its cause where it has one
// of its own.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, foreign{cause})
}

// A foreign error is about something else than the call that it ends, such as
// another call's: it says nothing about this one.
type foreign struct{ err error }

func (f foreign) Error() string { return f.err.Error() }
func (f foreign) Is(target error) bool {
	ours := slices.ContainsFunc(kindWords, func(k kindWord) bool { return k.kind == target })
	return !ours && errors.Is(f.err, target)
}
func (f foreign) As(target any) bool {
	switch target.(type) {
	case **Error, **DecodeError, **tokenError, **unsentError, **keptBack:
		return false
	}
	return errors.As(f.err, target)
}

// ownError returns an attempt's error, but its context's where a transport
// passed on the cause of that.
func (a *attempt) ownError(err error) error {
	if ended := a.ctx.Err(); err != nil && ended != nil && errors.Is(err, context.Cause(a.ctx)) {
		return ended
	}
	return err
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

// secret are the headers that an error does not keep.
var secret = []string{"set-cookie", "set-cookie2", "cookie", "authorization", "authentication-info", "proxy-authorization"}

// failure returns the error of a call that ended without success.
func (c *call) failure() *Error {
	a := &c.last
	said := &a.problem
	e := &Error{
		Op:              c.op,
		StatusCode:      a.status,
		Code:            said.code,
		Message:         said.message,
		Target:          said.target,
		Details:         said.details,
		RequestID:       c.requestID(),
		ClientRequestID: c.clientRequestID(),
		Date:            said.date,
		RetryAfter:      a.after,
		Attempts:        c.attempts,
		Body:            a.body,
		cause:           a.err,
	}
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		e.Date = date
	}
	if a.status != 0 {
		e.Header = a.header.Clone()
		maps.DeleteFunc(e.Header, func(name string, _ []string) bool { return slices.Contains(secret, strings.ToLower(name)) })
	}
	_, decided := judged(a.status, e.Message)
	if decided {
		e.SKUIDs, e.ServicePlanIDs = idsIn(e.Message)
	}
	var token *tokenError
	var kept *keptBack
	ended := errors.Is(a.err, context.Canceled) || errors.Is(a.err, context.DeadlineExceeded)
	switch {
	case ended && c.via != nil && c.attempts == 0:
		e.kinds = append(e.kinds, ErrStopped)
	case ended:
	case errors.As(a.err, &kept):
		e.kinds = append(e.kinds, kept.kind)
		e.SKUIDs = kept.skus
	case errors.As(a.err, &token):
		e.kinds = append(e.kinds, ErrUnauthorized)
	case a.outcome == refused && a.status == http.StatusConflict:
		e.kinds = append(e.kinds, ErrConcurrentChange)
	case a.outcome == doubtful, a.outcome == refused:
		e.kinds = append(e.kinds, ErrUnavailable)
	}
	if c.doubted && (c.altered || !decided) {
		e.kinds = append(e.kinds, ErrOutcomeUnknown)
	}
	return e
}

// unmade returns the error of a call whose next request is not made, and may be
// after some time.
func (c *call) unmade(err error, after time.Duration) *Error {
	c.last = answer{outcome: refused, err: err, after: after}
	return c.failure()
}

// undecoded returns the error of an answer that is good but for a property.
func (c *call) undecoded() *DecodeError {
	fails := func(part []byte) bool {
		_, err := c.into.decode(part)
		return err != nil && !errors.Is(err, errNoCollection) // a part may be without
	}
	return &DecodeError{
		Op:              c.op,
		StatusCode:      c.last.status,
		RequestID:       c.requestID(),
		ClientRequestID: c.clientRequestID(),
		Property:        unreadable(c.last.body, fails),
		Body:            c.last.body,
		Err:             c.last.unread,
	}
}
