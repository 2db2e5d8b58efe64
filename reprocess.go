package licensing

import (
	"context"

	"github.com/graphlicensing/licensing/internal/graph"
)

// ReprocessUserLicense makes Graph work out all group-based licenses of a user
// again and returns the user as Graph answers the write: with the eleven default
// properties of a user, and no licenses. That it succeeded is what to trust. For
// the licenses read the user, by [Client.User]: reads lag behind.
//
// The user is an object id or a user principal name. It is the way out of a
// license in error once its cause is gone: seats freed, a conflict, usage
// location or proxy address mended, a group left. It returns the true reason
// where a [LicenseAssignmentState] says Other. Direct licenses stay as they
// are.
//
// Permission: User.ReadWrite.All, delegated or application.
// LicenseAssignment.ReadWrite.All does not suffice.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNoAvailableLicenses],
// [ErrPlanDependency], [ErrPlanConflict], [ErrUsageLocation],
// [ErrProxyAddressConflict] (what still keeps the license away), [ErrNotFound],
// [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (ended in doubt).
//
// Graph: https://learn.microsoft.com/graph/api/user-reprocesslicenseassignment
func (c *Client) ReprocessUserLicense(ctx context.Context, user string) (*User, error) {
	w, err := c.newReprocess(ctx, "reprocess user license", graph.User(user))
	return asUser(finish(ctx, w, err))
}

// ReprocessMyLicense makes Graph work out all group-based licenses of the
// signed-in user again and returns the user as Graph answers the write: with the
// eleven default properties of a user, and no licenses. That it succeeded is what
// to trust; [Client.Me] reads the licenses.
//
// It is [Client.ReprocessUserLicense] for the user whose token it is, and
// works with delegated tokens only. Graph's page does not list this form.
//
// Permission: User.ReadWrite.All, delegated.
//
// Errors: those of [Client.ReprocessUserLicense], and [ErrDelegatedOnly] (the
// token is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-reprocesslicenseassignment
func (c *Client) ReprocessMyLicense(ctx context.Context) (*User, error) {
	w, err := c.newReprocess(ctx, "reprocess my license", graph.Me)
	return asUser(finish(ctx, w, err))
}
