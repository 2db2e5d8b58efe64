package licensing

import (
	"context"
	"iter"

	"github.com/graphlicensing/licensing/internal/graph"
)

// AssignGroupLicense adds and removes licenses of a group. It returns the group
// from Graph's answer. By then Graph has accepted the change but not applied it.
// The members get the change later, and a failure for a member shows in that user's
// LicenseAssignmentStates. Graph refuses a change at once only if it is wrong for
// all members. An example is a plan that needs a plan which the group does not
// have.
//
// The group is given by object id. It must be a security group, or a Microsoft 365
// group with securityEnabled. The disabled plans of an added SKU replace its
// earlier ones. Removing Exchange Online starts a 30-day period after which the
// members' mailboxes are deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrUnknownSKU] (not in the
// tenant), [ErrNotAssignable] (applies to the company), [ErrPlanDependency] (a plan
// needs one that the group does not have), [ErrNotAssigned] (nothing to remove),
// [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (send it
// again).
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) AssignGroupLicense(ctx context.Context, groupID string, req AssignLicenseRequest) (*Group, error) {
	w, err := c.newAssign(ctx, "assign group license", graph.Group(groupID), req)
	return asGroup(finish(ctx, w, err))
}

// Group reads the licenses of a group, and how far Graph has come with applying
// them to the members.
//
// The group is given by object id. LicenseProcessingState is nil for a group that
// never had a license. The result shows this client's own writes of the last five
// minutes; see Reading in the package documentation. [Client.WaitForGroup] waits
// until a change is complete.
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

// GroupMembersWithErrors returns the members of a group for whom one of the group's
// licenses is in error. The LicenseAssignmentStates of each member say what is
// wrong; see [LicenseAssignmentState.Err]. [Client.ReprocessUserLicense] tries
// again.
//
// The sequence reads page by page, as it is consumed. Ranging again reads again.
// For members whom the token may not read, Graph returns only the id, and
// LicenseAssignmentStates is nil.
//
// Permission: Group.Read.All and User.Read.All, delegated or application
// (unverified: Microsoft has no table).
//
// Errors: a [*DecodeError] for an item that cannot be read or is not a user, after
// which the sequence goes on. Any other error ends the sequence:
// [ErrInvalidArgument] (nothing was sent), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrListingExpired] (start again), [ErrUnsafeLink] (the next page
// is on another host).
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
