package licensing

import (
	"context"

	"github.com/graphlicensing/licensing/internal/graph"
)

// ReprocessUserLicense makes Graph evaluate all group-based licenses of a user
// again. It returns the user from Graph's answer, which has eleven default
// properties and no licenses. Rely on the success of the call. To get the licenses,
// read the user with [Client.User]. Reads can lag behind.
//
// The user is an object id or a user principal name. Use it for a license in error
// once the cause is gone: a seat is free, a conflict, usage location or proxy
// address is fixed, or the user left a group. If LicenseAssignmentState says Other,
// the call returns the actual reason. Direct licenses do not change.
//
// Permission: User.ReadWrite.All, delegated or application.
// LicenseAssignment.ReadWrite.All is not enough.
//
// Errors: [ErrInvalidArgument] (nothing was sent); the reasons why a license still
// fails, which are [ErrNoAvailableLicenses], [ErrPlanDependency],
// [ErrPlanConflict], [ErrUsageLocation] and [ErrProxyAddressConflict];
// [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (send it
// again).
//
// Graph: https://learn.microsoft.com/graph/api/user-reprocesslicenseassignment
func (c *Client) ReprocessUserLicense(ctx context.Context, user string) (*User, error) {
	w, err := c.newReprocess(ctx, "reprocess user license", graph.User(user))
	return asUser(finish(ctx, w, err))
}

// ReprocessMyLicense makes Graph evaluate all group-based licenses of the signed-in
// user again. It returns the user from Graph's answer, which has eleven default
// properties and no licenses. Rely on the success of the call. [Client.Me] reads
// the licenses.
//
// It is [Client.ReprocessUserLicense] for the user who signed in, and works with
// delegated tokens only. Graph's page does not list this form.
//
// Permission: User.ReadWrite.All, delegated.
//
// Errors: those of [Client.ReprocessUserLicense], and [ErrDelegatedOnly] (the token
// is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-reprocesslicenseassignment
func (c *Client) ReprocessMyLicense(ctx context.Context) (*User, error) {
	w, err := c.newReprocess(ctx, "reprocess my license", graph.Me)
	return asUser(finish(ctx, w, err))
}
