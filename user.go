package licensing

import "context"

// AssignUserLicense adds and removes licences of a user in one request and
// returns the user as Graph answers the write. Only the properties that Graph
// sends are set; the id is.
//
// The user is an object id or a user principal name. The disabled plans of an
// added SKU replace those it had, and none means that all plans are on. The
// user needs a usage location. Licences inherited from a group cannot be
// removed here. Removing Exchange starts the 30 days after which the mailbox
// is deleted. Reads lag behind: trust what this returns.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] before anything is sent, [ErrNoAvailableLicenses]
// (no seat left), [ErrUsageLocation] (none set, or not sold there),
// [ErrUnknownSKU] (not one of the tenant's), [ErrPlanDependency] and
// [ErrPlanConflict] (plans that need or exclude others), [ErrNotAssigned] and
// [ErrInherited] (nothing to remove here), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrOutcomeUnknown] (ended in doubt: send it again).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignUserLicense(ctx context.Context, user string, req AssignLicenseRequest) (*User, error) {
	return assign(ctx, c, "assign user license", userObject(user), req, new(User))
}

// AssignMyLicense adds and removes licences of the signed-in user and returns
// the user as Graph answers the write.
//
// It is [Client.AssignUserLicense] for the user whose token it is, and works
// with delegated tokens only.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated.
//
// Errors: those of [Client.AssignUserLicense], and [ErrDelegatedOnly] (the
// token is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignMyLicense(ctx context.Context, req AssignLicenseRequest) (*User, error) {
	return assign(ctx, c, "assign my license", me, req, new(User))
}
