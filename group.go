package licensing

import (
	"context"
	"iter"

	"github.com/graphlicensing/licensing/internal/graph"
)

// AssignGroupLicense adds and removes licenses of a group and returns the
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
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrUnknownSKU] (not
// one of the tenant's), [ErrNotAssignable] (for the company), [ErrNotAssigned]
// (nothing to remove), [ErrNotFound], [ErrForbidden], [ErrThrottled],
// [ErrOutcomeUnknown] (ended in doubt: send it again).
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
// Permission: Group.Read.All, delegated or application (unverified as the least).
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
// reads again. An error ends the sequence.
//
// Permission: Directory.Read.All, delegated or application (unverified as the
// least).
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrListingExpired] (start again), [ErrUnsafeLink] (a page
// names another host as the next).
//
// Graph: https://learn.microsoft.com/graph/api/group-list-memberswithlicenseerrors
func (c *Client) GroupMembersWithErrors(ctx context.Context, groupID string) iter.Seq2[*User, error] {
	return listed(ctx, c, listing{
		op:     "list group members with errors",
		object: graph.Group(groupID),
		action: "/membersWithLicenseErrors",
		query:  "$select=" + listedProperties,
	}, selectedUser)
}

// GroupsWithErrors returns the groups that have members for whom a license is
// in error. [Client.GroupMembersWithErrors] returns those.
//
// The groups are read page by page as they are asked for, and ranging again
// reads again. An error ends the sequence.
//
// Permission: Group.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrForbidden], [ErrThrottled], [ErrListingExpired] (start again),
// [ErrUnsafeLink] (a page names another host as the next).
//
// Graph: https://learn.microsoft.com/graph/api/group-list
func (c *Client) GroupsWithErrors(ctx context.Context) iter.Seq2[*Group, error] {
	return listed(ctx, c, listing{
		op:     "list groups with errors",
		object: graph.Tenant,
		action: "/groups",
		// Without a count: Graph has been seen to refuse this filter with one.
		query: groupSelection + "&" + graph.Option("$filter", "hasMembersWithLicenseErrors eq true"),
	}, (*wireGroup).group)
}
