package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
)

// An Attempt is one request that was answered, or failed. No user is named in it.
// See [WithObserver].
//
// A request for which there was no token, or no connection, has failed as well:
// Status is 0, and Kinds says why. What Graph answered earlier is not told again.
// A batch is one Attempt. Its operations have none of their own, whatever they were
// answered; what became of each is in its [OperationResult].
type Attempt struct {
	Op              string        // as in Error: "assign user license", or "batch"
	Method          string        // "POST"
	Route           string        // the path without names: "/users/{id}/assignLicense"
	Status          int           // 0 if there was no answer
	Code            string        // Graph's error code, if there is one
	Kinds           []error       // as [Kinds] has them of this attempt's error; nil if it has none
	Start           time.Time     // before the token source was asked
	Duration        time.Duration // from Start to the end of the answer
	Wait            time.Duration // before the next attempt, 0 if there is none
	Number          int           // of the request's attempts, from 1
	Operations      int           // in a batch, else 1
	Throttled       int           // of these, so many were refused for their frequency
	RequestID       string        // Graph's id, for Microsoft support
	ClientRequestID string        // ours
}

// WithObserver has f called after each [Attempt], for metrics and traces. Reads and
// the pages of listings are attempts, too.
//
// The context is the call's or made from it, so that a tracer finds the caller's
// span. For a batch it is the run's. F is called on the goroutine that waits for
// the request, by several at once. The call goes on when f returns.
//
// A panic in f is the caller's, as one of the transport is: it goes through the
// call, and in [Client.Bulk] to whoever ranges. The write that it met counts as one
// in doubt.
//
// Given several times, all are called, in that order. The default is none.
func WithObserver(f func(ctx context.Context, a Attempt)) Option {
	return func(s *settings) error {
		if f == nil {
			return errors.New("observer is nil")
		}
		s.observers = append(s.observers, f)
		return nil
	}
}

// NewTransport returns a transport such as the client has without [WithHTTPClient].
// It is for whoever wraps it, to trace or to log requests:
//
//	hc := &http.Client{Transport: wrapped{licensing.NewTransport()}}
//	client, err := licensing.NewClient(tokens, licensing.WithHTTPClient(hc))
//
// It takes the proxy from the environment, needs TLS 1.2, and pings a silent HTTP/2
// connection, so that a dead one is given up. Each has connections of its own, and
// is the caller's to change before it is used. [Client.CloseIdleConnections] closes
// them if what wraps the transport has that method, too.
func NewTransport() *http.Transport { return graph.NewTransport() }

// observer returns what tells the observers of the client, nil if there are none.
func (s *settings) observer() graph.Observer {
	observers := s.observers
	if len(observers) == 0 {
		return nil
	}
	return func(ctx context.Context, o *graph.Observed) {
		attempt := attemptOf(o)
		for _, f := range observers {
			told := attempt
			told.Kinds = slices.Clone(attempt.Kinds)
			f(ctx, told)
		}
	}
}

// attemptOf returns an attempt as observers are told of it.
func attemptOf(o *graph.Observed) Attempt {
	a := Attempt{
		Op:              o.Request.Op,
		Method:          o.Request.Method,
		Route:           o.Request.Route(),
		Status:          o.Answer.Status,
		Start:           o.Start,
		Duration:        o.Answer.Took,
		Wait:            o.Wait,
		Number:          o.Answer.Attempts,
		Operations:      o.Operations,
		Throttled:       o.Throttled,
		RequestID:       o.Answer.RequestID(),
		ClientRequestID: o.Answer.ClientRequestID(),
	}
	if o.Answer.Outcome != graph.Applied {
		e := failure(a.Op, o.Answer, false)
		a.Code, a.Kinds = e.Code, Kinds(e)
	}
	return a
}
