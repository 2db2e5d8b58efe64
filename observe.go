package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
)

// An Attempt is one request that was answered or failed. It names no user. See
// [WithObserver].
//
// A request that got no token or no connection is an Attempt too: Status is 0, and
// Kinds says why. Each Attempt describes its own answer only, not earlier ones. A
// batch is one Attempt. The operations in the batch have no Attempt of their own;
// the [OperationResult] of each says how it ended.
type Attempt struct {
	Op              string        // as in Error: "assign user license", or "batch"
	Method          string        // "POST"
	Route           string        // the path without names: "/users/{id}/assignLicense"
	Status          int           // 0 if there was no answer
	Code            string        // Graph's error code, if there is one
	Kinds           []error       // what the function Kinds returns for this attempt's error
	Start           time.Time     // before the token source was asked
	Duration        time.Duration // from Start to the end of the answer
	Wait            time.Duration // before the next attempt, 0 if there is none
	Number          int           // 1 for the first attempt of a request, and so on
	Operations      int           // how many operations the request carries: 1 unless it is a batch
	Throttled       int           // how many of the operations were throttled
	RequestID       string        // Graph's id, for Microsoft support
	ClientRequestID string        // ours
}

// WithObserver calls f after each [Attempt], for metrics and traces. Reads and the
// pages of listings are attempts too.
//
// The context is the call's or derived from it, so a tracer finds the caller's
// span. For a batch it is derived from the context of the run. Each call of f runs
// on the goroutine that waits for the request, and the request's caller continues
// when f returns. Several goroutines can call f at once.
//
// A panic in f propagates to the caller, like a panic in a transport. In
// [Client.Bulk] it propagates to the code that ranges over the results. A write
// that was interrupted by the panic counts as one whose outcome is unknown.
//
// If the option is given several times, all observers are called in that order.
func WithObserver(f func(ctx context.Context, a Attempt)) Option {
	return func(s *settings) error {
		if f == nil {
			return errors.New("observer is nil")
		}
		s.observers = append(s.observers, f)
		return nil
	}
}

// NewTransport returns a transport like the one that a client without
// [WithHTTPClient] has. Use it to wrap the transport, for tracing or logging:
//
//	hc := &http.Client{Transport: wrapped{licensing.NewTransport()}}
//	client, err := licensing.NewClient(tokens, licensing.WithHTTPClient(hc))
//
// The transport takes the proxy from the environment and requires TLS 1.2. It pings
// silent HTTP/2 connections and drops dead ones. Each transport has connections of
// its own, and the caller may change it before its first use.
// [Client.CloseIdleConnections] reaches it only if the wrapper has a
// CloseIdleConnections method too.
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
