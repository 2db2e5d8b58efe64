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

// A Worker works on a run together with other workers, in this process or
// elsewhere. They divide the operations among themselves, and take over the work of
// a worker that leaves or dies.
type Worker struct {
	Client    *licensing.Client
	JetStream jetstream.JetStream
	Run       string
	// Options are those of the Bulk that makes the operations. Do not set Drain:
	// the worker drains when its context ends.
	Options licensing.BulkOptions
	// Fence is how long a request of a worker that died may still land: the sum of
	// AttemptTimeout and Fence of the client's RetryPolicy. The default is 3 min,
	// which fits the default policy. A shorter time than that sum is not safe.
	Fence time.Duration
	// Lease is how long a worker goes on without contact to the server. The others
	// wait for the Lease and then for the Fence before they take over. The default
	// is 10 s.
	Lease time.Duration
}

// Work makes operations of the run, and returns nil when all of them have a result.
// It also makes operations that are published in the meantime. As long as Publish
// has not finished, Work does not return. When ctx ends, operations that were sent
// finish, the rest is left to other workers, and Work returns the context's cause.
//
// A worker that was suspended or lost the server for longer than Lease sends
// nothing more, and joins again. After Lease and Fence, other workers start its
// unfinished operations again, with [licensing.Operation].Resumed set on those that
// may have been made. An operation whose outcome is unknown or that failed
// temporarily is made up to three times.
//
// Permission: those of the operations.
//
// Errors: [licensing.ErrInvalidArgument] (bad options),
// [jetstream.ErrBucketNotFound] (the run was never published),
// [licensing.ErrStopped] (StopAfterFailures), an error that kept Bulk from sending
// anything three times in a row, such as [licensing.ErrThrottled] or
// [licensing.ErrUnavailable], a message of a later version, and those of the server
// at the start.
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
