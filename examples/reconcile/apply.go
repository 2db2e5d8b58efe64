package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/bar"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/journal"
	"github.com/graphlicensing/licensing/examples/internal/review"
	"github.com/graphlicensing/licensing/examples/internal/tally"
	"github.com/graphlicensing/licensing/reconcile"
)

// change shows the changes, asks where they take something away, and makes them.
func (j *job) change() (err error) {
	results, err := journal.Open(j.results, j.out, journal.Options{Resume: true, Line: isResult})
	if err != nil {
		return cli.UsageError{Err: err}
	}
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()
	if j.results == "-" {
		j.out = j.notes
	}
	set, err := j.changes()
	switch {
	case err != nil:
		return err
	case j.dryRun:
		return j.show(set)
	}
	if err := review.Print(j.out, set, j.tenant.Catalog, j.everybody); err != nil {
		return err
	}
	if len(set.Changes) == 0 {
		return unreached(set)
	}
	limit, err := j.limit(set)
	if err != nil {
		return err
	}
	if err := results.Begin(); err != nil {
		return cli.UsageError{Err: fmt.Errorf("the results cannot be written, and nothing was sent: %w", err)}
	}
	t := j.apply(set, limit, results)
	fmt.Fprintln(j.out)
	if err := t.Print(j.out, "changes"); err != nil {
		return err
	}
	return t.Verdict(j.draining, review.Unreached(set))
}

// isResult takes in a line of a file of results.
func isResult(line []byte) error {
	if line == nil {
		return nil
	}
	var r licensing.OperationResult
	return json.Unmarshal(line, &r)
}

// apply makes the changes and writes down what became of each. A file that cannot be
// written drains the run.
func (j *job) apply(set *reconcile.ChangeSet, limit int, results *journal.File) *tally.Tally {
	draining, drain := context.WithCancel(j.draining)
	defer drain()
	recorder, t := journal.NewRecorder(results, drain), &tally.Tally{Total: len(set.Changes)}
	progress := bar.New(j.notes, len(set.Changes), j.results != "-")
	opts := reconcile.ApplyOptions{MaxRemovals: limit, WaitForGroups: j.wait, Bulk: licensing.BulkOptions{
		Drain: draining.Done(), StopAfterFailures: j.stopAfter,
		Progress: func(now licensing.BulkProgress) {
			progress.Show(now, bar.Ending(j.ctx, draining, recorder.Err() != nil))
		},
	}}
	for r := range reconcile.Apply(j.ctx, j.client, set, opts) {
		t.Add(r.OperationResult)
		if r.Index >= 0 {
			recorder.Record(r)
		}
		j.members(r)
	}
	progress.End()
	recorder.Print(j.notes)
	if err := recorder.Err(); err != nil {
		t.Broken = err
	}
	return t
}

// members tells of the members of a group for whom its change failed.
func (j *job) members(r reconcile.Result) {
	if r.MembersErr != nil {
		fmt.Fprintf(j.notes, "group %s: it is not known how its members fare: %s\n", cli.Printable(r.Change.Name), cli.Explain(r.MembersErr))
	}
	for _, user := range r.Members {
		fmt.Fprintf(j.notes, "group %s: not for %s\n", cli.Printable(r.Change.Name), cli.Printable(user.UserPrincipalName))
	}
}

// limit returns from how many people something may be taken away. Unless flags tell,
// it asks.
func (j *job) limit(set *reconcile.ChangeSet) (int, error) {
	n := set.Removals()
	switch {
	case j.yes || n == 0:
		return n, nil
	case j.maxRemovals >= 0 && n > j.maxRemovals:
		return 0, fmt.Errorf("nothing was sent: %w: %d lose something, and -max-removals is %d", reconcile.ErrTooManyRemovals, n, j.maxRemovals)
	case j.maxRemovals >= 0:
		return n, nil
	}
	fmt.Fprintf(j.notes, "%d of %d changes take something away. Make them? [y/N] ", n, len(set.Changes))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(j.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return n, nil
		}
		return 0, errors.New("nothing was sent, as nobody said yes; -yes does so")
	case <-j.draining.Done():
		return 0, errors.New("interrupted, and nothing was sent")
	}
}
