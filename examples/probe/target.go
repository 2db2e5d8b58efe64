package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// choose finds the test user and the SKU, refuses those that a probe could harm,
// and says what will be done.
func (p *probe) choose(ctx context.Context, user, name string, notes io.Writer) error {
	p.add(user)
	skus, err := p.client.SubscribedSKUs(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(skus, func(s licensing.SubscribedSKU) bool {
		return strings.EqualFold(s.SKUPartNumber, name) || strings.EqualFold(s.SKUID.String(), name)
	})
	if i < 0 {
		return fmt.Errorf("%w: %q is not one of the tenant's SKUs", licensing.ErrUnknownSKU, name)
	}
	sku := skus[i]
	target, err := p.client.User(ctx, user)
	if err != nil {
		return err
	}
	if err := suits(target, sku); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	p.target, p.sku = target, sku.SKUID
	p.names["{target}"], p.names["{targetname}"] = target.ID, url.PathEscape(target.UserPrincipalName)
	p.names["{sku}"] = sku.SKUID.String()
	p.names["{location}"], p.names["{lowercase}"] = target.UsageLocation, strings.ToLower(target.UsageLocation)
	for _, plan := range sku.ServicePlans {
		if plan.AppliesTo == "User" {
			p.names["{plan}"] = plan.ServicePlanID.String()
		}
	}
	fmt.Fprintf(notes, "Writes to %s: gives and takes back %s several times, reprocesses the licenses, and changes the usage location and sets it back to %s.\n",
		target.UserPrincipalName, sku.SKUPartNumber, target.UsageLocation)
	return nil
}

// suits tells why nothing may be tried on a user with a SKU.
func suits(u *licensing.User, sku licensing.SubscribedSKU) error {
	switch {
	case slices.ContainsFunc(u.AssignedLicenses, func(l licensing.AssignedLicense) bool { return l.SKUID == sku.SKUID }),
		slices.ContainsFunc(u.LicenseAssignmentStates, func(s licensing.LicenseAssignmentState) bool { return s.SKUID == sku.SKUID }):
		return fmt.Errorf("the user already has %s", sku.SKUPartNumber)
	case u.UsageLocation == "":
		return errors.New("the user has no usage location")
	case sku.AppliesTo != "User":
		return fmt.Errorf("%s is not for users", sku.SKUPartNumber)
	case sku.Available() < 1:
		return fmt.Errorf("%s has no seat free", sku.SKUPartNumber)
	}
	return nil
}

// restore makes the test user what it was, also when ctx is at its end. What a
// write was answered with counts, as reads may be behind. A write without an
// answer is given time to land.
func (p *probe) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	if p.stalled {
		p.wait(ctx, p.lag)
	}
	var located, removed error
	if p.located {
		located = p.client.SetUsageLocation(ctx, p.target.ID, p.target.UsageLocation)
	}
	if p.licensed {
		_, removed = p.client.AssignUserLicense(ctx, p.target.ID, licensing.AssignLicenseRequest{RemoveLicenses: []uuid.UUID{p.sku}})
	}
	if errors.Is(removed, licensing.ErrNotAssigned) {
		removed = nil
	}
	if err := errors.Join(located, removed); err != nil {
		return fmt.Errorf("the test user is NOT as before; set the usage location to %s and take %s away: %w", p.target.UsageLocation, p.sku, err)
	}
	p.located, p.licensed, p.stalled = false, false, false
	return nil
}
