package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/mistakes"
	"github.com/graphlicensing/licensing/examples/internal/review"
	"github.com/graphlicensing/licensing/reconcile"
)

// plan shows the changes, and writes them down.
func (j *job) plan() error {
	set, err := j.changes()
	if err != nil {
		return err
	}
	return j.show(set)
}

// show shows changes that are not made now.
func (j *job) show(set *reconcile.ChangeSet) error {
	if j.to != "" {
		text, err := json.MarshalIndent(set, "", "\t")
		if err == nil {
			err = os.WriteFile(j.to, append(text, '\n'), 0o600)
		}
		if err != nil {
			return cli.UsageError{Err: err}
		}
	}
	if j.json {
		lines := json.NewEncoder(j.out)
		lines.SetIndent("", "\t")
		if err := lines.Encode(set); err != nil {
			return err
		}
	} else if err := review.Print(j.out, set, j.tenant.Catalog, j.everybody); err != nil {
		return err
	}
	if len(set.Changes) > 0 {
		return cli.ExitError{Status: statusChanges}
	}
	return unreached(set)
}

// unreached is the error for goals that cannot be reached.
func unreached(set *reconcile.ChangeSet) error {
	if n := review.Unreached(set); n > 0 {
		return fmt.Errorf("%d cannot be reached", n)
	}
	return nil
}

// changes returns what the command is to change.
func (j *job) changes() (*reconcile.ChangeSet, error) {
	switch j.verb {
	case "leaver":
		var goals []reconcile.Goal
		for _, user := range j.args {
			goals = append(goals, reconcile.Leaver(user))
		}
		return j.planned(goals, reconcile.PlanOptions{ManageAll: true})
	case "covered":
		goals, err := j.covered()
		if err != nil {
			return nil, err
		}
		return j.planned(goals, reconcile.PlanOptions{})
	}
	source, data, err := j.input()
	if err != nil {
		return nil, cli.UsageError{Err: err}
	}
	if isChangeSet(data) {
		set := new(reconcile.ChangeSet)
		if err := json.Unmarshal(data, set); err != nil {
			return nil, cli.UsageError{Err: fmt.Errorf("%s: %w", source, err)}
		}
		return set, nil
	}
	goals, opts, err := j.goals(source, data)
	if err != nil {
		return nil, err
	}
	return j.planned(goals, opts)
}

// planned compares goals with the tenant.
func (j *job) planned(goals []reconcile.Goal, opts reconcile.PlanOptions) (*reconcile.ChangeSet, error) {
	if len(goals) > 20 {
		fmt.Fprintln(j.notes, "reading what everybody has now")
	}
	return reconcile.Plan(j.draining, j.client, slices.Values(goals), opts)
}

// goals returns what a file says.
func (j *job) goals(source string, data []byte) ([]reconcile.Goal, reconcile.PlanOptions, error) {
	doc, bad := readDocument(data)
	if !bad.None() {
		return nil, reconcile.PlanOptions{}, j.refuse(bad, source, data)
	}
	r := resolver{List: bad, client: j.client, ids: j.tenant.IDs(), source: source}
	goals, opts, err := r.goals(j.draining, doc)
	if err == nil && !bad.None() {
		err = j.refuse(bad, source, data)
	}
	return goals, opts, err
}

func (j *job) refuse(bad *mistakes.List, source string, data []byte) error {
	bad.Print(j.notes, source, data)
	return cli.UsageError{Err: errors.New("the file cannot be used, and nothing was sent")}
}

// input returns the file, and what to call it.
func (j *job) input() (source string, data []byte, err error) {
	switch {
	case len(j.args) == 0:
		return "demo", j.demo, nil
	case j.args[0] == "-":
		data, err = io.ReadAll(j.in)
		return "stdin", data, err
	}
	data, err = os.ReadFile(j.args[0])
	return cli.Printable(j.args[0]), data, err
}

// isChangeSet tells what plan -o writes from JSON in the form of the YAML.
func isChangeSet(data []byte) bool {
	var set struct {
		Changes json.RawMessage `json:"changes"`
	}
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) && json.Unmarshal(data, &set) == nil && set.Changes != nil
}

// covered returns goals for those who have direct licenses that groups make needless.
func (j *job) covered() (goals []reconcile.Goal, err error) {
	var skus []uuid.UUID
	for _, sku := range j.tenant.SKUs() {
		if len(j.args) == 0 {
			skus = append(skus, sku.SKUID)
		}
	}
	for _, name := range j.args {
		sku, err := j.tenant.SKU(name)
		if err != nil {
			return nil, err
		}
		skus = append(skus, sku.SKUID)
	}
	for user, err := range j.client.Users(j.draining, licensing.UserQuery{PageSize: 999}) {
		if err != nil {
			return nil, err
		}
		if goal := reconcile.Covered(user, skus); len(goal.Remove) > 0 {
			goals = append(goals, goal)
		}
	}
	return goals, nil
}
