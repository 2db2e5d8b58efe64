package graph

import (
	"context"
	"log/slog"
	"time"
)

// A watch is who is told of each attempt.
type watch struct {
	logger   *slog.Logger
	observer Observer
}

// An Observer is told of each attempt that the service makes, on the goroutine
// that waits for it. The context is that of the sending.
type Observer func(context.Context, *Observed)

// Observed is an attempt that was answered, or failed.
type Observed struct {
	Request    *Request
	Answer     *Answer // to this attempt alone, but for Attempts
	Start      time.Time
	Wait       time.Duration // before the next attempt; 0 if there is none
	Operations int           // that were in it
	Throttled  int           // of these
}

// Many is a [Reader] of the answers to several operations.
type Many interface {
	Reader
	// Throttled returns how many of them were refused for their frequency, by what
	// was read, and how many there are.
	Throttled() (refused, of int)
}

// tell tells the observer of the attempt just made, unless it was made for
// several requests: then it was a request of its own.
func (x *sending) tell(r *Reply, verdict Verdict, late time.Time) {
	observer := x.service.watch.observer
	if observer == nil || r.Start.IsZero() {
		return
	}
	a := &Answer{Verdict: verdict}
	a.add(r, late, x.request.Reads())
	a.Attempts = x.answer.Attempts
	o := &Observed{Request: x.request, Answer: a, Start: r.Start, Operations: 1}
	if x.pending {
		o.Wait = x.next.Wait
	}
	refused := 0
	if many, ok := x.request.Into.(Many); ok {
		refused, o.Operations = many.Throttled()
	}
	switch a.Outcome {
	case Applied:
		o.Throttled = refused
	case Delayed:
		o.Throttled = o.Operations
	}
	observer(x.Context, o)
}
