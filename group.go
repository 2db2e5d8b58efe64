package licensing

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/google/uuid"

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

// A GroupQuery selects the groups that [Client.Groups] returns, and their
// properties. The zero value selects all groups.
type GroupQuery struct {
	// Filter is an OData filter, such as "startswith(displayName,'Licenses')".
	// Graph refuses many combinations of a filter with licenses; the error is
	// ErrUnsupportedQuery.
	Filter string
	// SKUID limits the groups to those that have a SKU.
	SKUID uuid.UUID
	// Licensed limits the groups to those that have any license.
	Licensed bool
	// OnlyErrors limits the groups to those that have a license in error for any
	// member. Graph cannot combine this with other filters, so with Filter two
	// listings are read.
	OnlyErrors bool
	// Select names more properties of Group to read, such as "membershipRule",
	// "isAssignableToRole" and "onPremisesSyncEnabled", in any letter case.
	Select []string
	// PageSize is how many groups a request asks for, at most 999. The default is
	// Graph's, 100.
	PageSize int
}

// Groups returns many groups: their names, their licenses, and how far Graph has
// come with applying the licenses to the members.
//
// The sequence reads page by page, as it is consumed. Ranging again reads again.
// Lag and filters work as in [Client.Users]. With SKUID or Licensed, Graph's index
// selects the groups, and a group to which the client assigned a license seconds
// ago can be missing. A group whose licenses Graph withholds has nil
// AssignedLicenses. [Client.GroupMembersWithErrors] returns the members for whom a
// license is in error.
//
// Permission: Group.Read.All, delegated or application.
//
// Errors: a [*DecodeError] for an item that cannot be read, after which the
// sequence goes on. Any other error ends the sequence: [ErrInvalidArgument]
// (nothing was sent), [ErrUnsupportedQuery] (Graph does not support the filter),
// [ErrForbidden], [ErrThrottled], [ErrTooLarge] (lower PageSize),
// [ErrListingExpired] (start again), [ErrUnsafeLink] (the next page is on another
// host).
//
// Graph: https://learn.microsoft.com/graph/api/group-list
func (c *Client) Groups(ctx context.Context, query GroupQuery) iter.Seq2[*Group, error] {
	l := listing{op: "list groups", object: graph.Tenant, action: "/groups"}
	var err error
	if l.query, err = selectingAlso[Group](l.op, groupProperties, query.Select); err != nil {
		return failed[*Group](err)
	}
	inError, condition := l, ""
	switch {
	case query.OnlyErrors && query.Filter == "":
		condition = membersInError
	case query.OnlyErrors:
	case query.SKUID != uuid.Nil:
		condition = hasLicense(query.SKUID)
	case query.Licensed:
		condition = "assignedLicenses/$count ne 0"
	}
	l.where(query.Filter, condition)
	if err := l.paged(query.PageSize); err != nil {
		return failed[*Group](err)
	}
	groups := c.groups(ctx, l)
	if query.OnlyErrors && query.Filter != "" {
		inError.query = selecting([]string{"id"})
		inError.where(membersInError, "")
		_ = inError.paged(mostOfPage) // which it is not too large for
		groups = alsoIn(groups, c.groups(ctx, inError))
	}
	if !query.OnlyErrors && raw(ctx) { // Graph has chosen, by what it shows
		return groups
	}
	return only(groups, func(g *Group) bool {
		return !g.told() || (query.SKUID == uuid.Nil || licenseOf(g.AssignedLicenses, query.SKUID) >= 0) &&
			(!query.Licensed || len(g.AssignedLicenses) > 0)
	})
}

// membersInError is the filter for groups with members for whom a license is in
// error. It goes without a count: Graph has been seen to refuse it with one.
const membersInError = "hasMembersWithLicenseErrors eq true"

// groups reads groups as the client wrote them.
func (c *Client) groups(ctx context.Context, l listing) iter.Seq2[*Group, error] {
	shows := !raw(ctx)
	return listed(ctx, c, l, func(w *wireGroup) (*Group, error) {
		group := w.group()
		if shows && group.ID != "" {
			c.recent.show(graph.Group(group.ID).Key(), group)
		}
		return group, nil
	})
}

// alsoIn returns those of some groups that are among others, which are read first.
func alsoIn(some, others iter.Seq2[*Group, error]) iter.Seq2[*Group, error] {
	return func(yield func(*Group, error) bool) {
		ids := make(map[string]bool)
		for group, err := range others {
			switch {
			case err == nil:
				ids[strings.ToLower(group.ID)] = true
			case !yield(nil, err) || !errors.As(err, new(*DecodeError)): // which is about one of them
				return
			}
		}
		only(some, func(g *Group) bool { return ids[strings.ToLower(g.ID)] })(yield)
	}
}
