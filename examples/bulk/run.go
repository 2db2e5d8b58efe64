package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/mistakes"
	"github.com/graphlicensing/licensing/examples/internal/names"
	"github.com/graphlicensing/licensing/examples/internal/review"
	"github.com/graphlicensing/licensing/examples/internal/tally"
)

// do does the whole job. The end of draining keeps what is not begun from being
// begun, and that of ctx leaves what is under way in doubt.
func (j *job) do(ctx, draining context.Context) (err error) {
	earlier, err := j.openResults(j.out)
	if err != nil {
		return cli.UsageError{Err: err}
	}
	defer func() {
		if closed := earlier.Close(); err == nil {
			err = closed
		}
	}()
	if j.command.out == "-" {
		j.out = j.notes
	}
	tenant, err := names.Read(draining, j.client)
	if err != nil {
		return err
	}
	catalog := newResolver(tenant.Catalog)
	wishes, bad := parseInput(j.input, catalog)
	if !bad.None() {
		return j.refuse(bad)
	}
	if len(wishes) > fewUsers {
		fmt.Fprintln(j.notes, "reading what everybody has now")
	}
	now, err := readPresent(draining, j.client, wishes)
	if err != nil {
		return err
	}
	if bad := now.namedTwice(wishes); !bad.None() {
		return j.refuse(bad)
	}
	plan, err := newPlan(steps(wishes, now, catalog), now, catalog, earlier).look(draining, j.client)
	if err != nil {
		return err
	}
	plan.print(j.out)
	fmt.Fprintln(j.out)
	short, err := review.PrintSeats(j.out, plan.set.Seats)
	if err != nil {
		return err
	}
	if j.dryRun {
		if err := plan.printSteps(j.out); err != nil || j.plan == "" {
			return err
		}
		return plan.write(j.plan)
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
	rounds := plan.rounds()
	if len(rounds) > 0 {
		if err := earlier.Begin(); err != nil {
			return cli.UsageError{Err: fmt.Errorf("the results cannot be written, and nothing was sent: %w", err)}
		}
	}
	t := j.send(ctx, draining, rounds, earlier)
	for _, s := range plan.held() {
		t.Note(math.MaxInt, s.target, s.held)
	}
	if err := t.Print(j.out, "operations"); err != nil {
		return err
	}
	return j.hint(t.Verdict(draining, len(plan.held())))
}

// hint says how to go on with what was not done.
func (c *command) hint(err error) error {
	if !errors.Is(err, tally.ErrNotDone) {
		return err
	}
	if info, bad := os.Stat(c.out); bad == nil && info.Mode().IsRegular() {
		err = fmt.Errorf("%w; -out %s -resume goes on with them", err, c.out)
	}
	return err
}

func (j *job) refuse(bad mistakes.List) error {
	bad.Print(j.notes, j.source(), j.input)
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
