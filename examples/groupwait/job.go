package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// do does the whole job. What mend does comes between the two tries.
func (c *command) do(ctx context.Context, client *licensing.Client, out io.Writer, mend func(context.Context) error) error {
	tenant, err := names.Read(ctx, client)
	if err != nil {
		return err
	}
	sku, err := tenant.SKU(c.sku)
	if err != nil {
		return err
	}
	want, err := c.assign(ctx, client, sku, out)
	if err != nil {
		return err
	}

	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	group, err := client.WaitForGroup(limited, c.group, want)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "processing of group %s is complete\n", group.DisplayName)

	failed, err := listErrors(ctx, client, tenant, c.group, out)
	switch {
	case err != nil:
		return err
	case len(failed) == 0:
		fmt.Fprintln(out, "no member is in error")
		return nil
	case !c.reprocess:
		return fmt.Errorf("in error: %d; -reprocess tries again once the cause is gone", len(failed))
	}
	fmt.Fprintln(out)
	if err := mend(ctx); err != nil {
		return err
	}
	return repair(ctx, client, failed, out)
}

// assign gives the group the product unless it has it: to assign it anew would
// switch on the plans that are off. It returns what to wait for.
func (c *command) assign(ctx context.Context, client *licensing.Client, sku licensing.SubscribedSKU, out io.Writer) (licensing.AssignLicenseRequest, error) {
	var want licensing.AssignLicenseRequest
	group, err := client.Group(ctx, c.group)
	if err != nil {
		return want, err
	}
	for _, license := range group.AssignedLicenses {
		if license.SKUID == sku.SKUID {
			want.AddLicenses = append(want.AddLicenses, license)
			fmt.Fprintf(out, "group %s has %s already\n", group.DisplayName, sku.SKUPartNumber)
			return want, nil
		}
	}
	want.AddLicenses = []licensing.AssignedLicense{{SKUID: sku.SKUID}}
	if _, err = client.AssignGroupLicense(ctx, c.group, want); err == nil {
		fmt.Fprintf(out, "%s is accepted for group %s\n", sku.SKUPartNumber, group.DisplayName)
	}
	return want, err
}

// listErrors prints and returns the members for whom a license is in error.
func listErrors(ctx context.Context, client *licensing.Client, tenant *names.Names, group string, out io.Writer) ([]*licensing.User, error) {
	var failed []*licensing.User
	table := cli.NewTable(out)
	table.Write([]string{"member", "product", "from", "state", "cause"})
	for user, err := range client.GroupMembersWithErrors(ctx, group) {
		if err != nil {
			return nil, err
		}
		failed = append(failed, user)
		for _, state := range user.LicenseAssignmentStates {
			if state.Err() == nil {
				continue
			}
			from, err := tenant.Source(ctx, state.AssignedByGroup)
			if err != nil {
				return nil, err
			}
			table.Write([]string{user.UserPrincipalName, tenant.DisplayName(state.SKUID), from, string(state.State), cli.Cause(state)})
		}
	}
	if len(failed) == 0 {
		return nil, nil
	}
	fmt.Fprintln(out)
	return failed, table.Flush()
}

// repair tries again for each member. That it did not help one of them is no
// reason to leave out the others, unlike a failure that each would meet.
func repair(ctx context.Context, client *licensing.Client, failed []*licensing.User, out io.Writer) error {
	left := 0
	for _, user := range failed {
		_, err := client.ReprocessUserLicense(ctx, user.ID)
		switch {
		case err == nil:
			fmt.Fprintf(out, "%s: repaired\n", user.UserPrincipalName)
			continue
		case !ofOneUser(err):
			return err
		}
		fmt.Fprintf(out, "%s: %s\n", user.UserPrincipalName, cli.Explain(err))
		left++
	}
	if left > 0 {
		return fmt.Errorf("still in error: %d", left)
	}
	return nil
}

func ofOneUser(err error) bool {
	for _, kind := range []error{
		licensing.ErrNoAvailableLicenses, licensing.ErrUsageLocation, licensing.ErrPlanDependency,
		licensing.ErrPlanConflict, licensing.ErrProxyAddressConflict, licensing.ErrNotFound,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
