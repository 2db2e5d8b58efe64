package licensing

import (
	"context"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A LicenseSwap says which SKU takes the place of which.
type LicenseSwap struct {
	From, To uuid.UUID
	// Plans maps service plans of From to plans of To that have other ids, so
	// that those that are off stay off.
	Plans map[uuid.UUID]uuid.UUID
}

// Apply works out the license that takes the place of current, which is of the SKU
// from, and for each plan of it that is off what became of it. Nothing is sent.
//
// A plan that both SKUs have stays off. For others s.Plans says which plan of the
// new SKU stands for which of the old. The rest of the new SKU's plans are on. A
// plan that is off and that the old SKU lists no more is carried over like the
// others.
//
// Errors: [ErrInvalidArgument] (s names no SKU or one twice, from or to is not the
// SKU that it names, current is not of from, or s.Plans has a plan that is not of
// its SKU or cannot be switched).
func (s LicenseSwap) Apply(current AssignedLicense, from, to SubscribedSKU) (AssignedLicense, []PlanMapping, error) {
	return s.apply("swap license", current, from, to)
}

func (s LicenseSwap) apply(op string, current AssignedLicense, from, to SubscribedSKU) (AssignedLicense, []PlanMapping, error) {
	err := s.check(op)
	switch {
	case err != nil:
	case from.SKUID != s.From:
		err = invalid(op, "from is SKU %s, and From names %s", called(from.SKUID, from.SKUPartNumber), s.From)
	case to.SKUID != s.To:
		err = invalid(op, "to is SKU %s, and To names %s", called(to.SKUID, to.SKUPartNumber), s.To)
	default:
		return swapPlans(op, current, from, to, s.Plans)
	}
	return AssignedLicense{}, nil, err
}

// check says what is wrong with the swap for any license.
func (s LicenseSwap) check(op string) error {
	switch {
	case s.From == uuid.Nil || s.To == uuid.Nil:
		return invalid(op, "swap must name From and To")
	case s.From == s.To:
		return invalid(op, "swap.From and swap.To are the same SKU")
	}
	return nil
}

// A SwapResult is what became of a swap.
type SwapResult struct {
	// User is the user with the eleven default properties, and no licenses, where
	// something was written; as it was read, with licenses, where nothing was.
	User *User
	// Group is the group as Graph answered the write, or as it was read where
	// nothing was written.
	Group   *Group
	License AssignedLicense // what the object has of the new SKU
	Plans   []PlanMapping   // what became of the plans that were off
	Changed bool            // false where the swap had been made before
}

// SwapUserLicense replaces a SKU that a user has directly by another, in one
// request that is made as a whole or not at all, and carries over which service
// plans are off: by the same id, then by swap.Plans. The rest of the new SKU's
// plans are on.
//
// That it succeeded is what to trust. The user in the result has licenses only
// where nothing was written; else read it, by [Client.User] or
// [Client.WaitForUser].
//
// A new SKU that the user has directly already keeps its own disabled plans.
// With the new one there and no direct old one nothing is written, so that a
// swap can be repeated. It reads and warns as [Client.UpdateUserServicePlans]
// does. Where the new SKU has no Exchange, the mailbox ends after 30 days.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument], [ErrInherited] (the old SKU comes from groups
// alone, which are named), [ErrNotAssigned], [ErrUnknownSKU], and those of
// [Client.AssignUserLicense].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) SwapUserLicense(ctx context.Context, user string, swap LicenseSwap) (*SwapResult, error) {
	var result SwapResult
	var err error
	result.User, err = asUser(c.swapLicense(ctx, "swap user license", graph.User(user), swap, &result))
	if err != nil {
		return nil, err
	}
	return &result, nil
}

// SwapGroupLicense replaces a SKU that a group has by another. The members
// follow later; see [Client.WaitForGroup].
//
// It works and warns as [Client.SwapUserLicense] does. Within a group plans have to
// be complete: [ErrPlanDependency] comes at once, also where the members have what is
// missing from elsewhere.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// Group.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument], [ErrNotAssigned], [ErrUnknownSKU], and those of
// [Client.AssignGroupLicense].
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) SwapGroupLicense(ctx context.Context, groupID string, swap LicenseSwap) (*SwapResult, error) {
	var result SwapResult
	var err error
	result.Group, err = asGroup(c.swapLicense(ctx, "swap group license", graph.Group(groupID), swap, &result))
	if err != nil {
		return nil, err
	}
	return &result, nil
}

func (c *Client) swapLicense(ctx context.Context, op string, obj graph.Object, swap LicenseSwap, result *SwapResult) (answer, error) {
	if err := swap.check(op); err != nil {
		return nil, err
	}
	return c.edit(ctx, op, obj, func(e *editor) (AssignLicenseRequest, error) {
		var change AssignLicenseRequest
		held, _ := e.holding(swap.To)
		target, there := held.AssignedLicense, held.there
		source, err := e.current(swap.From)
		switch {
		case there && gone(err):
			result.License = target
			if e.doubts(swap.From) { // it may be there, and reads do not show it yet
				change.RemoveLicenses = []uuid.UUID{swap.From}
			}
			if result.Changed = e.doubts(swap.From, swap.To); result.Changed {
				change.AddLicenses = []AssignedLicense{target}
			}
			return change.clone(), nil
		case err != nil:
			return change, err
		}
		change.RemoveLicenses = []uuid.UUID{swap.From}
		if !there {
			to, err := e.sku(ctx, swap.To)
			if err != nil {
				return change, err
			}
			from, err := e.sku(ctx, swap.From)
			if err != nil { // it has run out, which is what one swaps for
				from = SubscribedSKU{SKUID: swap.From}
			}
			target, result.Plans, err = swap.apply(op, source, from, to)
			if err != nil {
				return change, err
			}
		}
		// Also where it is there already: if it was taken away meanwhile, the
		// removal alone would leave neither.
		change.AddLicenses = []AssignedLicense{target}
		result.License, result.Changed = change.clone().AddLicenses[0], true // the change itself is kept
		return change, nil
	})
}
