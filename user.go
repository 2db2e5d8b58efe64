package licensing

import "context"

// AssignUserLicense adds and removes licences of a user in one request and
// returns the user as Graph answers it, which is with few of the properties.
//
// The user is an object id or a user principal name, and needs a usage
// location. The disabled plans of an added SKU replace those it had; without
// any all plans are on. What is inherited from a group is removed on the group.
// Removing Exchange starts the 30 days after which the mailbox is deleted.
// Reads lag behind: trust what this returns.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNoAvailableLicenses]
// (no seat left), [ErrUsageLocation] (none, or not sold there), [ErrUnknownSKU]
// (not the tenant's), [ErrPlanDependency], [ErrPlanConflict] (plans need or
// exclude others), [ErrNotAssigned], [ErrInherited] (nothing to remove here),
// [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (in doubt).
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) AssignUserLicense(ctx context.Context, user string, req AssignLicenseRequest) (*User, error) {
	call, err := c.newAssign(ctx, "assign user license", userObject(user), req)
	return finish[*User](ctx, call, err)
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
	call, err := c.newAssign(ctx, "assign my license", me, req)
	return finish[*User](ctx, call, err)
}

// UserLicenses reads what licences a user has, directly and through groups,
// with all properties that are about licences.
//
// The user is an object id or a user principal name. See [User.DirectLicenses],
// [User.InheritedLicenses] and [User.EffectivePlans]: AssignedLicenses cannot
// tell direct from inherited. Reads lag behind writes, by seconds as a rule and
// by minutes at times; [Client.WaitForUser] waits until they show a change. Who
// takes away what a read shows, as from a leaver, should wait for it before.
//
// Permission: User.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound] (no such user,
// or one just made), [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) UserLicenses(ctx context.Context, user string) (*User, error) {
	return read(ctx, c, "read user licenses", userObject(user), new(User))
}

// MyLicenses reads what licences the signed-in user has.
//
// It is [Client.UserLicenses] for the user whose token it is, and works with
// delegated tokens only.
//
// Permission: User.Read, delegated (unverified).
//
// Errors: those of [Client.UserLicenses], and [ErrDelegatedOnly] (the token is
// an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) MyLicenses(ctx context.Context) (*User, error) {
	return read(ctx, c, "read my licenses", me, new(User))
}
