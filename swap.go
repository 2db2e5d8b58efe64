package licensing

import (
	"context"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A LicenseSwap says which SKU replaces which.
type LicenseSwap struct {
	From, To uuid.UUID
	// Plans maps service plans of From to plans of To that have different ids, so
	// that a disabled plan stays off.
	Plans map[uuid.UUID]uuid.UUID
}

// Apply computes the license that replaces current, a license of the SKU from. It
// also returns, for each disabled plan of current, what became of the plan. It
// sends nothing.
//
// A disabled plan that both SKUs have stays off. For other plans, s.Plans says
// which plan of the new SKU corresponds to which plan of the old one. All other
// plans of the new SKU are on. A disabled plan that the old SKU no longer lists is
// carried over in the same way.
//
// Errors: [ErrInvalidArgument] (s.From or s.To is not set, or they are the same;
// from or to is not the SKU that s names; current is not of the SKU from; s.Plans
// has a plan that is not in its SKU or cannot be switched).
func (s LicenseSwap) Apply(current AssignedLicense, from, to SubscribedSKU) (AssignedLicense, []PlanMapping, error) {
	return s.apply("swap license", current, from, to)
}

func (s LicenseSwap) apply(op string, current AssignedLicense, from, to SubscribedSKU) (AssignedLicense, []PlanMapping, error) {
	err := s.check(op)
	switch {
	case err != nil:
	case from.SKUID != s.From:
		err = invalid(op, "from is SKU %s, but From is %s", called(from.SKUID, from.SKUPartNumber), s.From)
	case to.SKUID != s.To:
		err = invalid(op, "to is SKU %s, but To is %s", called(to.SKUID, to.SKUPartNumber), s.To)
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

// A SwapResult is the result of a swap.
type SwapResult struct {
	// User is the user. If something was written, it has eleven default properties
	// and no licenses. If nothing was written, it is the user as read, with
	// licenses.
	User *User
	// Group is the group as Graph answered the write, or as read if nothing was
	// written.
	Group   *Group
	License AssignedLicense // the license of the new SKU
	Plans   []PlanMapping   // what became of the disabled plans
	Changed bool            // false if the swap was made before
}

// SwapUserLicense replaces a SKU that a user has directly with another one. One
// request makes the whole change or nothing. Plans that are off stay off, matched
// first by id and then by swap.Plans. All other plans of the new SKU are on.
//
// If the user has the new SKU directly already, that license keeps its own disabled
// plans. If such a user no longer has the old SKU, nothing is written, so a swap
// can be repeated. The returned user has licenses only if nothing was written.
// Otherwise read the user with [Client.User]. If the new SKU lacks Exchange Online,
// the mailbox is deleted after 30 days. Without [WithLocker] the call can undo what
// another process changed recently.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument], [ErrInherited] (the old SKU comes only from groups,
// which the text names), [ErrNotAssigned] (the user has neither SKU),
// [ErrUnknownSKU], and those of [Client.AssignUserLicense].
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

// SwapGroupLicense replaces a SKU that a group has with another one. The members
// get the change later; see [Client.WaitForGroup].
//
// Apart from that, it works like [Client.SwapUserLicense]. If a plan of the group
// needs a plan that the group lacks, Graph returns [ErrPlanDependency] at once,
// even if the members have the missing plan from elsewhere.
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
