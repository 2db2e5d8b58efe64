package main

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/bar"
	"github.com/graphlicensing/licensing/examples/internal/journal"
	"github.com/graphlicensing/licensing/examples/internal/tally"
)

// A sending is what is known while operations are being made.
type sending struct {
	*tally.Tally
	results *journal.Recorder
	told    map[int]bool // operations that have a result
}

// send makes the operations, one round after the other. However it ends, every
// operation is in the tally, and has a result in the file: one that was never
// sent need not be looked at by the next run.
func (j *job) send(ctx, draining context.Context, rounds [][]numbered, earlier *results) *tally.Tally {
	draining, drain := context.WithCancel(draining)
	defer drain()
	s := sending{&tally.Tally{Total: len(slices.Concat(rounds...))}, journal.NewRecorder(earlier.File, drain), map[int]bool{}}
	if s.Total == 0 {
		return s.Tally
	}
	progress := bar.New(j.notes, s.Total, j.command.out != "-")
	for _, round := range rounds {
		opts := j.options
		if failures := s.Failed + s.Unknown; opts.StopAfterFailures > 0 {
			if opts.StopAfterFailures -= failures; opts.StopAfterFailures <= 0 {
				break
			}
		}
		opts.Total = s.Total - len(s.told) // with the rounds to come
		opts.Drain = draining.Done()
		opts.Progress = func(now licensing.BulkProgress) {
			progress.Show(now, bar.Ending(ctx, draining, s.results.Err() != nil))
		}
		progress.Start()
		for result := range j.bulk(ctx, operationsOf(round), opts) {
			if result.Index < 0 { // of no operation
				s.Add(result)
				continue
			}
			s.end(round[result.Index], result)
		}
		if draining.Err() != nil || s.results.Err() != nil || s.Broken != nil {
			break
		}
	}
	s.endOthers(rounds)
	progress.End()
	s.results.Print(j.notes)
	if err := s.results.Err(); err != nil {
		s.Broken = err
	}
	return s.Tally
}

// end takes in what became of an operation, and writes it down.
func (s *sending) end(n numbered, r licensing.OperationResult) {
	r.Index = n.index
	s.told[n.index] = true
	s.Add(r)
	s.results.Record(r)
}

// endOthers ends the operations that the runs did not take in.
func (s *sending) endOthers(rounds [][]numbered) {
	for n := range slices.Values(slices.Concat(rounds...)) {
		if !s.told[n.index] && s.results.Err() == nil {
			s.end(n, licensing.OperationResult{Operation: n.Operation, Err: fmt.Errorf("%w before it was taken in", licensing.ErrStopped)})
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
