package fleet

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
)

// Results returns the results of a run, in the order in which they were stored.
// Each operation has exactly one, with its index in the published operations. The
// sequence waits for results that are still to come. It ends when all operations
// have a result, or when ctx ends. Anybody can range over it at any time, and
// again. To see how far a run is without waiting, use [Look].
//
// Errors, after which the sequence ends: [jetstream.ErrStreamNotFound] (the run was
// never published), a message of a later version, those of the server, and the
// cause of ctx.
func Results(ctx context.Context, js jetstream.JetStream, run string) iter.Seq2[licensing.OperationResult, error] {
	return func(yield func(licensing.OperationResult, error) bool) {
		s, err := newStore(js, run)
		if err == nil {
			err = s.results(ctx, func(r licensing.OperationResult) bool { return yield(r, nil) })
		}
		if err != nil {
			yield(licensing.OperationResult{Index: -1}, err)
		}
	}
}

// results gives results to take until there will be no more, or it reports false.
func (s store) results(ctx context.Context, take func(licensing.OperationResult) bool) error {
	if _, err := s.js.Stream(ctx, s.log()); err != nil {
		return err
	}
	var end *ending
	taken := 0
	for at := uint64(1); ; {
		messages, err := s.read(ctx, s.log(), s.entry("*"), at, batchSize)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		for _, m := range messages {
			e, err := decode[entry](m)
			if err != nil {
				return err
			}
			for _, r := range e.Results {
				if taken++; !take(r) {
					return nil
				}
			}
			at = m.Sequence + 1
		}
		if len(messages) > 0 {
			continue
		}
		if end == nil {
			if end, err = s.ending(ctx); err != nil {
				return err
			}
		}
		if end != nil && taken >= end.total() {
			return nil
		}
		if sleep(ctx, 200*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
}

// A Status says how far a run is.
type Status struct {
	Published int                       // how many operations are published
	Whole     bool                      // no more operations will be published
	Outcomes  map[licensing.Outcome]int // how many operations ended with each outcome
	Workers   map[string]int            // how many of the 16 partitions each session works on
}

// Results returns how many operations have a result.
func (s Status) Results() (n int) {
	for _, c := range s.Outcomes {
		n += c
	}
	return n
}

// Complete reports whether every operation has a result.
func (s Status) Complete() bool { return s.Whole && s.Results() == s.Published }

// Look returns how far a run is. It is cheap, even for a large run.
//
// Errors: [jetstream.ErrStreamNotFound] (the run was never published), a message of
// a later version, those of the server, and that of ctx.
func Look(ctx context.Context, js jetstream.JetStream, run string) (Status, error) {
	s, err := newStore(js, run)
	if err != nil {
		return Status{}, err
	}
	stream, err := s.js.Stream(ctx, s.operations())
	if err != nil {
		return Status{}, err
	}
	end, err := s.ending(ctx)
	if err != nil {
		return Status{}, err
	}
	status := Status{Outcomes: make(map[licensing.Outcome]int), Workers: make(map[string]int)}
	status.Published = int(stream.CachedInfo().State.LastSeq)
	if end != nil {
		status.Published, status.Whole = end.total(), true
	}
	entries, _, err := s.latest(ctx)
	if err != nil {
		return Status{}, err
	}
	for _, e := range entries {
		for outcome, n := range e.Counts {
			status.Outcomes[outcome] += n
		}
		if e.Owner != "" {
			status.Workers[e.Owner]++
		}
	}
	return status, nil
}

// Delete removes a run and everything that is stored about it. No worker may be
// working on the run.
//
// Errors: those of the server and of ctx. It is not an error if there is no such
// run.
func Delete(ctx context.Context, js jetstream.JetStream, run string) error {
	s, err := newStore(js, run)
	if err != nil {
		return err
	}
	for _, stream := range []string{s.operations(), s.log(), "KV_" + s.bucket()} {
		if err := js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			return err
		}
	}
	return nil
}
