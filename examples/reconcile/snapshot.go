package main

import (
	"iter"
	"os"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/reconcile"
)

// snapshot writes what people have directly, in the form of the file.
func (j *job) snapshot() error {
	var failed error
	goals := reconcile.Snapshot(j.people(&failed))
	if failed != nil {
		return failed
	}
	users := yaml.MapSlice{}
	for _, goal := range goals {
		users = append(users, yaml.MapItem{Key: goal.Target, Value: j.entry(&goal)})
	}
	options := []yaml.EncodeOption{yaml.IndentSequence(true)}
	if j.json {
		options = append(options, yaml.JSON())
	}
	text, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: "managed", Value: "all"}, {Key: "users", Value: users}}, options...)
	switch {
	case err != nil:
		return err
	case j.to == "":
		_, err = j.out.Write(text)
		return err
	}
	if err := os.WriteFile(j.to, text, 0o600); err != nil {
		return cli.UsageError{Err: err}
	}
	return nil
}

// people yields those of the command, or everybody. An error ends them.
func (j *job) people(failed *error) iter.Seq[*licensing.User] {
	return func(yield func(*licensing.User) bool) {
		if len(j.args) == 0 {
			for user, err := range j.client.Users(j.draining, licensing.UserQuery{PageSize: 999}) {
				if *failed = err; err != nil || !yield(named(user)) {
					return
				}
			}
			return
		}
		for read := range j.client.ReadUsers(j.draining, slices.Values(j.args), licensing.ReadUsersOptions{}) {
			if *failed = read.Err; read.Err != nil || !yield(named(read.User)) {
				return
			}
		}
	}
}

// named returns a user who goes by the name that people know, where there is one.
func named(user *licensing.User) *licensing.User {
	known := *user
	if known.UserPrincipalName != "" {
		known.ID = known.UserPrincipalName
	}
	return &known
}

// entry returns a goal in the form of the file, each license with its whole list.
func (j *job) entry(goal *reconcile.Goal) yaml.MapSlice {
	licenses := []yaml.MapSlice{}
	for _, l := range goal.Licenses {
		without := []string{}
		for _, plan := range l.DisabledPlans {
			without = append(without, j.planName(l.SKUID, plan))
		}
		sku := l.SKUID.String()
		if known, err := j.tenant.SKU(sku); err == nil && known.SKUPartNumber != "" {
			sku = known.SKUPartNumber
		}
		licenses = append(licenses, yaml.MapSlice{{Key: "sku", Value: sku}, {Key: "without", Value: without}})
	}
	return yaml.MapSlice{{Key: "mode", Value: string(goal.Mode)}, {Key: "licenses", Value: licenses}}
}

func (j *job) planName(sku, plan uuid.UUID) string {
	if known, err := j.tenant.ServicePlan(sku, plan.String()); err == nil && known.ServicePlanName != "" {
		return known.ServicePlanName
	}
	return plan.String()
}
