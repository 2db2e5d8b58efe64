package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// A target is the user or group whose plans are switched.
type target struct {
	client      *licensing.Client
	user, group string
	sku         licensing.SubscribedSKU
	timeout     time.Duration
	names       *names.Names

	license licensing.AssignedLicense // what can be switched here
	fixed   error                     // why nothing can
	plans   []licensing.EffectivePlan // what there is in the end
}

// read finds out what the target has now.
func (t *target) read(ctx context.Context) error {
	if t.group != "" {
		group, err := t.client.Group(ctx, t.group)
		if err == nil {
			t.setGroup(group)
		}
		return err
	}
	user, err := t.client.User(ctx, t.user)
	if err != nil {
		return err
	}
	return t.setUser(ctx, user)
}

func (t *target) setUser(ctx context.Context, user *licensing.User) error {
	direct, known := user.DirectLicenses()
	inherited, _ := user.InheritedLicenses()
	t.plans, _ = user.EffectivePlans(t.sku)
	if !known {
		return fmt.Errorf("nothing is known of where the licenses of %s come from", t.user)
	}
	if t.hold(direct) {
		return nil
	}
	var groups []string
	for _, license := range inherited {
		if license.SKUID == t.sku.SKUID {
			name, err := t.names.Source(ctx, license.GroupID)
			if err != nil {
				return err
			}
			groups = append(groups, name+" ("+license.GroupID+")")
		}
	}
	if len(groups) > 0 {
		t.fixed = fmt.Errorf("%s of %s: %w: %s", t.sku.SKUPartNumber, t.user, licensing.ErrInherited, strings.Join(groups, ", "))
	}
	return nil
}

func (t *target) setGroup(group *licensing.Group) {
	t.plans = nil
	has := t.hold(group.AssignedLicenses)
	for _, plan := range t.sku.ServicePlans {
		effective := licensing.EffectivePlan{ServicePlan: plan}
		if has && !slices.Contains(t.license.DisabledPlans, plan.ServicePlanID) {
			effective.Enabled, effective.GroupIDs = true, []string{group.ID}
		}
		t.plans = append(t.plans, effective)
	}
}

// hold looks for the product among licenses that can be changed here.
func (t *target) hold(licenses []licensing.AssignedLicense) bool {
	for _, license := range licenses {
		if license.SKUID == t.sku.SKUID {
			t.license, t.fixed = license, nil
			return true
		}
	}
	t.fixed = fmt.Errorf("%s has no %s", t.user+t.group, t.sku.SKUPartNumber)
	return false
}

// print shows which plans are on, and from where.
func (t *target) print(ctx context.Context, out io.Writer, when string) error {
	fmt.Fprintf(out, "\n%s of %s, %s:\n", t.sku.SKUPartNumber, t.user+t.group, when)
	table := cli.NewTable(out)
	for _, plan := range t.plans {
		var from []string
		if plan.Direct {
			from = append(from, "direct")
		}
		for _, id := range plan.GroupIDs {
			name, err := t.names.Source(ctx, id)
			if err != nil {
				return err
			}
			from = append(from, name)
		}
		row := []string{plan.ServicePlanName, "off"}
		if plan.Enabled {
			row = []string{plan.ServicePlanName, "on", strings.Join(from, ", ")}
		}
		table.Write(row)
	}
	return table.Flush()
}
