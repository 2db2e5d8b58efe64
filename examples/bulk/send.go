package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/graphlicensing/licensing"
)

// A sending is what is known while operations are being made.
type sending struct {
	*tally
	results    *results
	told       map[int]bool     // operations that have a result
	open       map[string]error // objects of which an operation was left, and why later ones are
	unwritable bool             // the results are
	unwritten  []licensing.OperationResult
	drain      context.CancelFunc
}

// send makes the operations, one round after the other. However it ends, every
// operation is in the tally, and has a result in the file: one that was never
// sent need not be looked at by the next run.
func (j *job) send(ctx, draining context.Context, rounds [][]numbered, earlier *results) *tally {
	s := sending{tally: &tally{total: len(slices.Concat(rounds...))}, results: earlier, told: map[int]bool{}, open: map[string]error{}}
	if s.total == 0 {
		return s.tally
	}
	draining, s.drain = context.WithCancel(draining)
	defer s.drain()
	progress := newProgress(j.notes, s.total, j.command.out != "-")
	for _, round := range rounds {
		opts := j.options
		if failures := s.failed + s.unknown; opts.StopAfterFailures > 0 {
			if opts.StopAfterFailures -= failures; opts.StopAfterFailures <= 0 {
				break
			}
		}
		round = s.withoutOpen(round)
		opts.Total = s.total - len(s.told) // with the rounds to come
		opts.Drain = draining.Done()
		opts.Progress = func(now licensing.BulkProgress) { progress.show(now, s.ending(ctx, draining)) }
		progress.start()
		for result := range j.bulk(ctx, operationsOf(round), opts) {
			if result.Index < 0 { // of no operation
				s.add(result)
				continue
			}
			s.end(round[result.Index], result)
		}
		if draining.Err() != nil || s.broken != nil {
			break
		}
	}
	s.endOthers(rounds)
	progress.end()
	s.printUnwritten(j.notes)
	return s.tally
}

// ending says how the run is being ended, if it is.
func (s *sending) ending(ctx, draining context.Context) string {
	switch {
	case ctx.Err() != nil:
		return "stopping: what is under way is in doubt"
	case s.unwritable:
		return "draining, as results cannot be written: requests under way are being settled"
	case draining.Err() != nil:
		return "draining: requests under way are being settled; press again to stop"
	}
	return ""
}

// withoutOpen returns a round without operations that must not overtake one of an
// earlier round on the same object.
func (s *sending) withoutOpen(round []numbered) []numbered {
	return slices.DeleteFunc(slices.Clone(round), func(n numbered) bool {
		why := s.open[n.object]
		if why != nil {
			s.end(n, licensing.OperationResult{Operation: n.Operation, Err: why})
		}
		return why != nil
	})
}

// end takes in what became of an operation, and writes it down. Whatever is made
// once that fails could not be told to the next run.
func (s *sending) end(n numbered, r licensing.OperationResult) {
	r.Index = n.index
	s.told[n.index] = true
	s.add(r)
	o := r.Outcome()
	if (o == licensing.OutcomeUnknown || o == licensing.OutcomeNotSent) && !errors.Is(r.Err, licensing.ErrNoAvailableLicenses) {
		s.open[n.object] = fmt.Errorf("%w: an earlier operation on the same object ended as %s", licensing.ErrStopped, o)
	}
	if !s.unwritable {
		err := s.results.write(r)
		if err == nil {
			return
		}
		s.unwritable, s.broken = true, fmt.Errorf("the results cannot be written: %w", err)
		s.drain()
	}
	s.unwritten = append(s.unwritten, r)
}

// endOthers ends the operations that the runs did not take in.
func (s *sending) endOthers(rounds [][]numbered) {
	for n := range slices.Values(slices.Concat(rounds...)) {
		if !s.told[n.index] && !s.unwritable {
			s.end(n, licensing.OperationResult{Operation: n.Operation, Err: fmt.Errorf("%w before it was taken in", licensing.ErrStopped)})
		}
	}
}

// printUnwritten prints the results that are not in the file.
func (s *sending) printUnwritten(notes io.Writer) {
	if len(s.unwritten) == 0 {
		return
	}
	fmt.Fprintf(notes, "%d results could not be written to %s:\n", len(s.unwritten), s.results.name)
	lines := json.NewEncoder(notes)
	for _, r := range s.unwritten {
		if err := lines.Encode(r); err != nil {
			return // to nobody who would hear of it
		}
	}
}

func operationsOf(round []numbered) iter.Seq[licensing.Operation] {
	return func(yield func(licensing.Operation) bool) {
		for _, n := range round {
			if !yield(n.Operation) {
				return
			}
		}
	}
}
