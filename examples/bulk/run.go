package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// do does the whole job.
func (j *job) do(ctx context.Context) (err error) {
	earlier, err := j.openResults()
	if err != nil {
		return cli.UsageError{Err: err}
	}
	defer func() {
		if closed := earlier.close(); err == nil {
			err = closed
		}
	}()
	tenant, err := names.Read(ctx, j.client)
	if err != nil {
		return err
	}
	catalog := newResolver(tenant.Catalog)
	wishes, bad := parseInput(j.input, catalog)
	if len(bad.texts) > 0 {
		return j.refuse(bad)
	}
	if len(wishes) > fewUsers {
		fmt.Fprintln(j.notes, "reading what everybody has now")
	}
	now, err := readPresent(ctx, j.client, wishes)
	if err != nil {
		return err
	}
	if bad := now.namedTwice(wishes); len(bad.texts) > 0 {
		return j.refuse(bad)
	}
	plan := newReview(steps(wishes, now, catalog), now, catalog, earlier)
	plan.print(j.out)
	short, err := printSeats(j.out, plan.seats)
	if err != nil {
		return err
	}
	if j.dryRun {
		fmt.Fprintln(j.out)
		if err := plan.printSteps(j.out); err != nil || j.plan == "" {
			return err
		}
		return plan.writePlan(j.plan)
	}
	if len(short) > 0 && !j.force && !j.options.StopAddingWithoutSeats {
		return fmt.Errorf("seats are missing of %s, and nothing was sent; -force and -stop-without-seats start all the same", strings.Join(short, ", "))
	}
	for _, s := range plan.held() {
		fmt.Fprintf(j.notes, "%s:%d: %s: nothing is sent: %s\n", j.source(), s.line, cli.Printable(s.target), cli.Explain(s.held))
	}
	if j.meanwhile != nil {
		j.meanwhile()
	}
	t := j.send(ctx, plan.rounds(), earlier)
	t.held = plan.held()
	fmt.Fprintln(j.out)
	if err := t.print(j.out); err != nil {
		return err
	}
	return t.verdict(ctx, j.command)
}

func (j *job) refuse(bad mistakes) error {
	bad.print(j.notes, j.source(), j.input)
	return cli.UsageError{Err: errors.New("the input cannot be used, and nothing was sent")}
}

// source returns the name of the input.
func (j *job) source() string {
	switch j.in {
	case "":
		return "demo"
	case "-":
		return "stdin"
	}
	return cli.Printable(j.in)
}

// send makes the operations, one round after the other. However it ends, every
// operation is in the tally.
func (j *job) send(ctx context.Context, rounds [][]numbered, earlier *results) *tally {
	t := &tally{total: len(slices.Concat(rounds...))}
	if t.total == 0 {
		return t
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	progress := newProgress(j.notes, t.total)
	for _, round := range rounds {
		opts := j.options
		if failures := t.failed + t.unknown; opts.StopAfterFailures > 0 {
			if opts.StopAfterFailures -= failures; opts.StopAfterFailures <= 0 {
				break
			}
		}
		opts.Total = t.total - t.done - t.failed - t.unknown // with the rounds to come
		opts.Progress = func(now licensing.BulkProgress) { progress.show(now, ctx.Err() != nil) }
		progress.start()
		for result := range j.bulk(ctx, operationsOf(round), opts) {
			if result.Index < 0 { // of no operation
				t.add(result)
				continue
			}
			result.Index = round[result.Index].index
			t.add(result)
			if err := earlier.write(result); err != nil && t.broken == nil {
				// Whatever is made from now on could not be told by the next run.
				t.broken = fmt.Errorf("the results cannot be written: %w", err)
				stop()
			}
		}
		if ctx.Err() != nil || t.broken != nil {
			break
		}
	}
	progress.end()
	return t
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
