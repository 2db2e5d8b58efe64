// Package tally sums up what became of operations.
package tally

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A Tally is what became of the operations of a run.
type Tally struct {
	Total, Done, Failed, Unknown int
	Broken                       error // why the run cannot go on

	kinds []kind
}

// A kind is a sort of failure, with the first one of it in the input.
type kind struct {
	err    error
	count  int
	index  int
	target string
	first  error
}

// Add takes in a result.
func (t *Tally) Add(r licensing.OperationResult) {
	if r.Index < 0 { // of no operation
		if t.Broken == nil {
			t.Broken = r.Err
		}
		return
	}
	switch r.Outcome() {
	case licensing.OutcomeDone:
		t.Done++
		return
	case licensing.OutcomeUnknown:
		t.Unknown++
	case licensing.OutcomeNotSent:
		if errors.Is(r.Err, licensing.ErrStopped) || errors.Is(r.Err, context.Canceled) {
			return // as the run was, of which there is nothing more to say
		}
	default:
		t.Failed++
	}
	t.Note(r.Index, r.Operation.Target, r.Err)
}

// Note counts a failure for the table of Print.
func (t *Tally) Note(index int, target string, err error) {
	sort := cli.Kind(err)
	i := slices.IndexFunc(t.kinds, func(k kind) bool { return k.err == sort })
	if i < 0 {
		i = len(t.kinds)
		t.kinds = append(t.kinds, kind{err: sort, index: index, target: target, first: err})
	}
	k := &t.kinds[i]
	if k.count++; index < k.index {
		k.index, k.target, k.first = index, target, err
	}
}

// left is how many operations were never sent.
func (t *Tally) left() int { return t.Total - t.Done - t.Failed - t.Unknown }

// Print sums up; what is what the operations are called.
func (t *Tally) Print(out io.Writer, what string) error {
	fmt.Fprintf(out, "%d of %d %s done, %d failed, %d in doubt, %d not sent\n", t.Done, t.Total, what, t.Failed, t.Unknown, t.left())
	if len(t.kinds) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	slices.SortStableFunc(t.kinds, func(a, b kind) int { return cmp.Compare(b.count, a.count) })
	table := cli.NewTable(out)
	table.Write([]string{"times", "what", "what to do", "such as"})
	for _, k := range t.kinds {
		what := "other errors"
		if k.err != nil {
			what = k.err.Error()
		}
		table.Write([]string{strconv.Itoa(k.count), what, cli.Advice(k.first), k.target})
	}
	return table.Flush()
}

// ErrNotDone is how a run ends that did not succeed with everything.
var ErrNotDone = errors.New("were not done")

// Verdict returns how a run ends of which so many others were held back before.
func (t *Tally) Verdict(draining context.Context, held int) error {
	open := t.Total - t.Done + held
	switch {
	case t.Broken != nil:
		return t.Broken
	case open == 0:
		return nil
	}
	err := fmt.Errorf("%d of %d %w", open, t.Total+held, ErrNotDone)
	if draining.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	return err
}
