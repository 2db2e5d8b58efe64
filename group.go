package licensing

import (
	"context"
	"iter"

	"github.com/graphlicensing/licensing/internal/graph"
)

// AssignGroupLicense adds and removes licenses of a group and returns the
// group as Graph answers the write. The change is accepted, not made: Graph
// applies it to the members later, and what fails for one of them shows in
// that user's LicenseAssignmentStates. At once only what is wrong for all of them is
// refused, such as a plan whose prerequisite the group itself does not have.
//
// The group is given by its object id. It must be a security group, or a
// Microsoft 365 group with securityEnabled. The disabled plans of an added
// SKU replace those it had. Removing Exchange starts the 30 days after which
// the mailboxes of the members are deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrUnknownSKU] (not
// one of the tenant's), [ErrNotAssignable] (for the company), [ErrPlanDependency]
// (a plan needs one that the group does not have), [ErrNotAssigned] (nothing to
// remove), [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (ended
// in doubt: send it again).
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) AssignGroupLicense(ctx context.Context, groupID string, req AssignLicenseRequest) (*Group, error) {
	w, err := c.newAssign(ctx, "assign group license", graph.Group(groupID), req)
	return asGroup(finish(ctx, w, err))
}

// Group reads what licenses a group has, and how far Graph has come
// with giving them to the members.
//
// The group is given by its object id. What this client wrote in the last five
// minutes is shown as it wrote it; see Reading in the package's documentation.
// [Client.WaitForGroup] waits until a change is complete. LicenseProcessingState
// is nil on a group that never had a license.
//
// Permission: Group.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/group-get
func (c *Client) Group(ctx context.Context, groupID string) (*Group, error) {
	return asGroup(c.read(ctx, "read group licenses", graph.Group(groupID)))
}

// GroupMembersWithErrors returns the members of a group for whom one of its
// licenses is in error. What is wrong is in their LicenseAssignmentStates; see
// [LicenseAssignmentState.Err]. [Client.ReprocessUserLicense] tries again.
//
// The members are read page by page as they are asked for, and ranging again
// reads again. Of members whom the token may not read Graph tells the id alone:
// their LicenseAssignmentStates are nil.
//
// Permission: Group.Read.All and User.Read.All, delegated or application
// (unverified: Microsoft has no table).
//
// Errors: a [*DecodeError] for an item that cannot be read or is no user, after
// which the sequence goes on. Any other error ends the sequence: [ErrInvalidArgument]
// (nothing was sent), [ErrNotFound], [ErrForbidden], [ErrThrottled],
// [ErrListingExpired] (start again), [ErrUnsafeLink] (a page names another host as
// the next).
//
// Graph: https://learn.microsoft.com/graph/api/resources/group
func (c *Client) GroupMembersWithErrors(ctx context.Context, groupID string) iter.Seq2[*User, error] {
	return listed(ctx, c, listing{
		op:     "list group members with errors",
		object: graph.Group(groupID),
		action: "/membersWithLicenseErrors",
		query:  selecting(listedProperties),
	}, selectedUser)
}
