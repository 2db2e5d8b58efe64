package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
)

// A Worker works on a run, beside others in this process or elsewhere. They divide
// what there is among them, and go on with the work of one that leaves or dies.
type Worker struct {
	Client    *licensing.Client
	JetStream jetstream.JetStream
	Run       string
	// Options are those of the Bulk that makes the operations. Drain is not needed:
	// the worker drains when its context ends.
	Options licensing.BulkOptions
	// Fence is for how long a request of a worker that died may still land: the
	// AttemptTimeout and the Fence of the client's RetryPolicy together. By default 3
	// min, as it is with the default policy. Shorter than that it is not safe.
	Fence time.Duration
	// Lease is how long a worker works on without hearing of the server, and how long
	// the others wait for it before they wait for Fence; by default 10 s.
	Lease time.Duration
}

// Work makes operations of the run until all have a result, and returns nil then.
// Operations that are published meanwhile are made, too; without a whole [Publish]
// there is no end. When ctx ends, what was sent is settled, the rest is left to the
// others, and the context's cause is returned.
//
// A worker that was stopped, or cut off from the server, for longer than Lease sends
// nothing more, and joins again. What it had begun is begun again by others after
// Lease and Fence, as [licensing.Operation].Resumed where it may have been made. One
// that ended unknown or failed in passing is made again, three times in all.
//
// Permission: those of the operations.
//
// Errors: [licensing.ErrInvalidArgument] (bad options), [jetstream.ErrBucketNotFound]
// (the run was never published), [licensing.ErrStopped] (StopAfterFailures), what kept
// Bulk from sending anything three times in a row, such as [licensing.ErrThrottled] or
// [licensing.ErrUnavailable], that of a message of a later version, and those of the
// server at the start.
func (w *Worker) Work(ctx context.Context) error {
	s, err := newStore(w.JetStream, w.Run)
	if err != nil {
		return err
	}
	own := *w
	own.Lease, own.Fence = cmp.Or(w.Lease, 10*time.Second), cmp.Or(w.Fence, 3*time.Minute)
	if own.Lease < 0 || own.Fence < 0 {
		return errors.New("fleet: Lease or Fence is negative")
	}
	for {
		err := own.session(ctx, s)
		if err != errLapsed {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// session works until the run is complete, ctx ends, or the lease is lost.
func (w *Worker) session(ctx context.Context, s store) error {
	session, err := w.open(ctx, s)
	if err != nil {
		return err
	}
	opts := w.Options
	concurrency, size := cmp.Or(opts.Concurrency, 4), cmp.Or(opts.BatchSize, 20)
	d := newDesk(session.lease, 5*concurrency*size)
	session.desk = d

	quit := make(chan struct{})
	drain := make(chan struct{})
	opts.Drain = drain
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		session.keep(quit)
	}()
	stop := context.AfterFunc(ctx, func() {
		close(drain)
		d.close()
	})
	err = w.rounds(d, session.lease, opts)
	stop()
	d.left()
	close(quit)
	<-kept
	lapsed := session.lease.Err() != nil && context.Cause(session.lease.Context) == errLapsed
	session.lease.end(errOver)
	session.done.Wait()
	switch {
	case err != nil:
		return err
	case lapsed:
		return errLapsed
	case session.completed:
		return nil
	}
	return context.Cause(ctx)
}

// rounds runs one Bulk after the other until the desk is closed.
func (w *Worker) rounds(d *desk, l *lease, opts licensing.BulkOptions) error {
	failed, idle := 0, 0
	for {
		var why error
		for r := range w.Client.Bulk(l, d.operations, opts) {
			if r.Index < 0 {
				return r.Err
			}
			switch r.Outcome() {
			case licensing.OutcomeNotSent:
				why = r.Err
			case licensing.OutcomeFailed, licensing.OutcomeUnknown:
				failed++
			}
			d.deliver(r)
		}
		if err := d.failure(); err != nil || l.Err() != nil || d.shut() {
			return err
		}
		if opts.StopAfterFailures > 0 && failed >= opts.StopAfterFailures {
			return fmt.Errorf("fleet: %w: StopAfterFailures is %d", licensing.ErrStopped, opts.StopAfterFailures)
		}
		if idle++; d.round() > 0 || why == nil {
			idle = 0
		}
		if idle == maxIdle {
			return fmt.Errorf("fleet: nothing could be sent: %w", why)
		}
		_ = sleep(l, time.Duration(idle)*time.Second)
	}
}

const maxIdle = 3 // rounds in a row that brought nothing
