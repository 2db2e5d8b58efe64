package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// switchPlans makes a change, or says only what it would be.
func (t *target) switchPlans(ctx context.Context, change licensing.ServicePlanChange, dryRun bool, out io.Writer) error {
	next, err := change.Apply(t.license, t.sku)
	if err != nil {
		return err
	}
	fmt.Fprintln(out)
	if !t.announce(next, dryRun, out) {
		fmt.Fprintln(out, "nothing to change")
		return nil
	}
	if dryRun {
		t.license = next // for the change after this
		return nil
	}
	if t.group != "" {
		_, err = t.client.UpdateGroupServicePlans(ctx, t.group, t.sku.SKUID, change)
	} else {
		_, err = t.client.UpdateUserServicePlans(ctx, t.user, t.sku.SKUID, change)
	}
	if err != nil {
		return err
	}
	if err := t.wait(ctx, next); err != nil {
		return err
	}
	return t.print(ctx, out, "after")
}

// wait waits until reads show the change, in the case of a group until its
// members have it.
func (t *target) wait(ctx context.Context, license licensing.AssignedLicense) error {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	want := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{license}}
	if t.group != "" {
		group, err := t.client.WaitForGroup(ctx, t.group, want)
		if err == nil {
			t.setGroup(group)
		}
		return err
	}
	user, err := t.client.WaitForUser(ctx, t.user, want)
	if err != nil {
		return err
	}
	return t.setUser(ctx, user)
}

// announce says what goes on and off, and reports whether anything does.
func (t *target) announce(next licensing.AssignedLicense, dryRun bool, out io.Writer) bool {
	verb := "switching"
	if dryRun {
		verb = "would switch"
	}
	changes := false
	for _, plan := range t.plans {
		was, off := disables(t.license, plan.ServicePlanID), disables(next, plan.ServicePlanID)
		if was == off {
			continue
		}
		changes = true
		if !off {
			fmt.Fprintln(out, verb, "on", plan.ServicePlanName)
			continue
		}
		fmt.Fprintln(out, verb, "off", plan.ServicePlanName)
		switch {
		case t.user != "" && len(plan.GroupIDs) > 0:
			fmt.Fprintln(out, "  which stays on through a group")
		case strings.HasPrefix(plan.ServicePlanName, "EXCHANGE"):
			fmt.Fprintln(out, "  warning: a mailbox that no other license keeps is deleted after 30 days")
		}
	}
	return changes
}

func disables(license licensing.AssignedLicense, plan uuid.UUID) bool {
	return slices.Contains(license.DisabledPlans, plan)
}
