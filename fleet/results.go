package fleet

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
)

// Results returns the results of a run, in the order in which they were stored: each
// operation has one, with its index in what was published. It waits for those that
// are still to come, until all were there or ctx ends, and can be ranged over by
// anybody at any time, also again. [Look] tells how far a run is without waiting.
//
// Errors, after which the sequence ends: [jetstream.ErrStreamNotFound] (the run was
// never published), that of a message of a later version, those of the server, and the
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

// A Status is how far a run is.
type Status struct {
	Published int                       // operations
	Whole     bool                      // all of them are published
	Outcomes  map[licensing.Outcome]int // of those that have a result
	Workers   map[string]int            // by their sessions, how many of the 16 partitions they work on
}

// Results is how many operations have a result.
func (s Status) Results() (n int) {
	for _, c := range s.Outcomes {
		n += c
	}
	return n
}

// Complete reports whether every operation has a result.
func (s Status) Complete() bool { return s.Whole && s.Results() == s.Published }

// Look returns how far a run is. It is cheap, however large the run.
//
// Errors: [jetstream.ErrStreamNotFound] (the run was never published), that of a
// message of a later version, and those of the server and of ctx.
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

// Delete removes a run with all that is stored of it. Nobody may work on it.
//
// Errors: those of the server and of ctx; none if there is no such run.
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
