package licensing

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A GroupQuery says which groups [Client.Groups] returns, and with which properties.
// The zero value is all groups.
type GroupQuery struct {
	// Filter is an OData filter, such as "startswith(displayName,'Licenses')".
	// Graph refuses many combinations with a filter on licenses, by
	// ErrUnsupportedQuery.
	Filter string
	// SKUID limits the groups to those that have a SKU.
	SKUID uuid.UUID
	// Licensed limits the groups to those that have any license.
	Licensed bool
	// OnlyErrors limits the groups to those with members for whom a license of the
	// group is in error. Graph has no answer to that together with anything else:
	// with Filter as well two listings are read.
	OnlyErrors bool
	// Select names further properties of Group to be read, such as
	// "membershipRule", "isAssignableToRole" and "onPremisesSyncEnabled", in any case.
	Select []string
	// PageSize is how many groups a request asks for, up to 999. The default is
	// Graph's, 100.
	PageSize int
}

// Groups returns the license view of many groups: what they are, what licenses they
// have, and how far Graph has come with giving these to the members.
//
// The groups are read page by page as they are asked for, and ranging again reads
// again. What [Client.Users] says of lag and of filters holds for groups as well.
// Of groups that Graph filters by SKUID or Licensed, its index decides; what the
// client itself has assigned in the last seconds can be missing. A group whose
// licenses Graph does not tell is returned as well, without AssignedLicenses.
// [Client.GroupMembersWithErrors] returns for whom a license of a group is in error.
//
// Permission: Group.Read.All, delegated or application.
//
// Errors: a [*DecodeError] for an item that cannot be read, after which the sequence
// goes on. Any other error ends the sequence: [ErrInvalidArgument] (nothing was
// sent), [ErrUnsupportedQuery] (Graph cannot answer the filter), [ErrForbidden],
// [ErrThrottled], [ErrTooLarge] (lower PageSize), [ErrListingExpired] (start
// again), [ErrUnsafeLink] (a page names another host as the next).
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
