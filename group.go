package licensing

import "context"

// AssignGroupLicense adds and removes licences of a group and returns the
// group as Graph answers the write. The change is accepted, not made: Graph
// applies it to the members later, and what fails for one of them shows in
// that user's LicenseAssignmentStates, never in an error of this call.
//
// The group is given by its object id. It must be a security group, or a
// Microsoft 365 group with securityEnabled. The disabled plans of an added
// SKU replace those it had. Removing Exchange starts the 30 days after which
// the mailboxes of the members are deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] before anything is sent, [ErrUnknownSKU] (not
// one of the tenant's), [ErrNotAssigned] (nothing to remove), [ErrNotFound],
// [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (ended in doubt: send it
// again).
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) AssignGroupLicense(ctx context.Context, groupID string, req AssignLicenseRequest) (*Group, error) {
	return assign(ctx, c, "assign group license", groupObject(groupID), req, new(Group))
}
