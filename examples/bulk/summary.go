package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A tally is what became of the operations.
type tally struct {
	total, done, failed, unknown int
	kinds                        []kind
	held                         []step
	broken                       error // why the run cannot go on
}

// A kind is a sort of failure, with the first one of it in the input.
type kind struct {
	err    error
	count  int
	index  int
	target string
	first  error
}

func (t *tally) add(r licensing.OperationResult) {
	if r.Index < 0 { // of no operation
		if t.broken == nil {
			t.broken = r.Err
		}
		return
	}
	switch r.Outcome() {
	case licensing.OutcomeDone:
		t.done++
		return
	case licensing.OutcomeUnknown:
		t.unknown++
	case licensing.OutcomeNotSent:
		if errors.Is(r.Err, licensing.ErrStopped) || errors.Is(r.Err, context.Canceled) {
			return // as the run was, of which there is nothing more to say
		}
	default:
		t.failed++
	}
	t.note(r.Index, r.Operation.Target, r.Err)
}

func (t *tally) note(index int, target string, err error) {
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
func (t *tally) left() int { return t.total - t.done - t.failed - t.unknown }

// print sums up.
func (t *tally) print(out io.Writer) error {
	for _, s := range t.held {
		t.note(math.MaxInt, s.target, s.held)
	}
	fmt.Fprintf(out, "%d of %d operations done, %d failed, %d in doubt, %d not sent\n", t.done, t.total, t.failed, t.unknown, t.left())
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

// errNotDone is how a run ends that did not succeed with everything.
var errNotDone = errors.New("were not done")

// verdict returns how the tool ends.
func (t *tally) verdict(draining context.Context, c *command) error {
	open := t.total - t.done + len(t.held)
	switch {
	case t.broken != nil:
		return t.broken
	case open == 0:
		return nil
	}
	err := fmt.Errorf("%d of %d %w", open, t.total+len(t.held), errNotDone)
	if draining.Err() != nil {
		err = fmt.Errorf("interrupted: %w", err)
	}
	if info, bad := os.Stat(c.out); bad == nil && info.Mode().IsRegular() {
		err = fmt.Errorf("%w; -out %s -resume goes on with them", err, c.out)
	}
	return err
}
