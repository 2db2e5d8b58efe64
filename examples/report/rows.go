package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

func holderTitles(csv bool) []string {
	if csv {
		return []string{"user", "name", "product", "part number", "product id", "group", "group id", "plans off", "state", "error"}
	}
	return []string{"user", "product", "from", "plans", "state", "error"}
}

// holderCells returns the row of an assignment: for people short and in words,
// as CSV with what Graph says itself. There no group stands for a direct one.
func holderCells(ctx context.Context, tenant *names.Names, user *licensing.User, state licensing.LicenseAssignmentState, csv bool) ([]string, error) {
	// An assignment can outlast the subscription, which leaves the id for a name.
	sku, _ := tenant.SKU(state.SKUID.String())
	product := tenant.DisplayName(state.SKUID)
	if !csv {
		from, err := tenant.Source(ctx, state.AssignedByGroup)
		return []string{user.UserPrincipalName, product, from, plans(sku, state), string(state.State), cli.Cause(state)}, err
	}
	group := ""
	if state.AssignedByGroup != "" {
		name, err := tenant.Group(ctx, state.AssignedByGroup)
		if err != nil {
			return nil, err
		}
		group = name
	}
	var off []string
	for _, id := range state.DisabledPlans {
		off = append(off, tenant.DisplayName(id))
	}
	word := string(state.Error)
	if state.Err() == nil {
		word = ""
	}
	return []string{
		user.UserPrincipalName, user.DisplayName, product, sku.SKUPartNumber, state.SKUID.String(),
		group, state.AssignedByGroup, strings.Join(off, "; "), string(state.State), word,
	}, nil
}

// plans says how many of the SKU's plans are on.
func plans(sku licensing.SubscribedSKU, state licensing.LicenseAssignmentState) string {
	on := 0
	for _, plan := range sku.ServicePlans {
		if !slices.Contains(state.DisabledPlans, plan.ServicePlanID) {
			on++
		}
	}
	switch {
	case len(sku.ServicePlans) == 0:
		return "?"
	case on == len(sku.ServicePlans):
		return "all"
	}
	return fmt.Sprintf("%d of %d", on, len(sku.ServicePlans))
}

func seatTitles(csv bool) []string {
	if csv {
		return []string{"product", "part number", "product id", "status", "seats", "used", "free"}
	}
	return []string{"product", "status", "seats", "used", "free"}
}

// seatCells returns the row of a product. Seats that are in the grace period
// count, for they can be used; those that are suspended or locked out do not.
func seatCells(tenant *names.Names, sku licensing.SubscribedSKU, csv bool) []string {
	cells := []string{tenant.DisplayName(sku.SKUID)}
	if csv {
		cells = append(cells, sku.SKUPartNumber, sku.SKUID.String())
	}
	return append(cells, string(sku.CapabilityStatus), strconv.Itoa(sku.PrepaidUnits.Enabled+sku.PrepaidUnits.Warning),
		strconv.Itoa(sku.ConsumedUnits), strconv.Itoa(sku.Available()))
}
