package licensing

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A UserQuery says which users [Client.Users] returns. The zero value is
// everybody.
type UserQuery struct {
	// Filter is an OData filter, such as "accountEnabled eq true". Graph
	// refuses most combinations with a filter on licenses, by ErrUnsupportedQuery.
	Filter string
	// SKUID limits the users to those who have a SKU, directly or through a
	// group.
	SKUID uuid.UUID
	// OnlyErrors limits the users to those with a license in error, that of
	// SKUID if it is given, whether they have it or not. Graph cannot filter
	// by that, so all users that Filter allows are read.
	OnlyErrors bool
	// PageSize is how many users a request asks for, up to 999. The default
	// is Graph's, 100.
	PageSize int
}

// Users returns the license view of many users: who they are, whether they are
// enabled, their usage location, and what licenses they have from where.
//
// The users are read page by page as they are asked for, and ranging again
// reads again. An error ends the sequence. A listing of a large tenant is no
// snapshot: reads lag behind the writes of others, and filters that need Graph's
// index lag more.
//
// Permission: User.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrUnsupportedQuery] (Graph
// cannot answer the filter), [ErrForbidden], [ErrThrottled], [ErrListingExpired]
// (start again), [ErrUnsafeLink] (a page names another host as the next).
//
// Graph: https://learn.microsoft.com/graph/api/user-list
func (c *Client) Users(ctx context.Context, query UserQuery) iter.Seq2[*User, error] {
	const op = "list users"
	if query.PageSize < 0 || query.PageSize > 999 {
		return func(yield func(*User, error) bool) { yield(nil, invalid(op, "PageSize is not between 0 and 999")) }
	}
	l := listing{op: op, object: graph.Tenant, action: "/users", query: "$select=" + listedProperties}
	filter := query.Filter
	l.indexed = advanced.MatchString(filter)
	if query.SKUID != uuid.Nil && !query.OnlyErrors {
		if filter != "" {
			filter = "(" + filter + ") and "
			l.indexed = true
		}
		filter += "assignedLicenses/any(x:x/skuId eq " + query.SKUID.String() + ")"
	}
	if filter != "" {
		l.query += "&" + graph.Option("$filter", filter)
	}
	if query.PageSize > 0 {
		l.query += "&$top=" + strconv.Itoa(query.PageSize)
	}
	if l.indexed {
		l.query += "&$count=true"
	}
	shows := ctx != nil && !raw(ctx) // what the client wrote
	users := listed(ctx, c, l, func(w *wireUser) *User {
		user := selectedUser(w)
		id, name := user.ID, user.UserPrincipalName
		if id == "" {
			return user
		}
		obj := graph.User(id)
		key := obj.Key()
		c.learn(key, obj, id, name)
		if shows {
			c.recent.show(key, user)
		}
		return user
	})
	switch {
	case query.OnlyErrors:
		return only(users, func(u *User) bool { return u.inError(query.SKUID) })
	case query.SKUID != uuid.Nil && shows: // from whom the client has just taken it, reads may show it
		return only(users, func(u *User) bool { return u.LicenseAssignmentStates == nil || u.merged(query.SKUID).there })
	}
	return users
}

// only leaves out users that are not wanted.
func only(users iter.Seq2[*User, error], wanted func(*User) bool) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		for user, err := range users {
			if (err != nil || wanted(user)) && !yield(user, err) {
				return
			}
		}
	}
}

// listedProperties are those of many users, without the plans: with them a page
// would be larger than an answer may be.
const listedProperties = "accountEnabled,assignedLicenses,displayName,id,licenseAssignmentStates,usageLocation,userPrincipalName,userType"

// advanced matches the filters that Graph answers from its index only.
var advanced = regexp.MustCompile(`(?i)/\$count|\bne\b|\bnot\b|\bendswith\b`)

// selectedUser returns a user of a listing that asked for licenses.
func selectedUser(w *wireUser) *User {
	user := w.user()
	user.selected()
	return user
}

// selected notes that the states of the user's assignments were asked for, so
// that null means none.
func (u *User) selected() {
	if u.ID != "" && u.LicenseAssignmentStates == nil {
		u.LicenseAssignmentStates = []LicenseAssignmentState{}
	}
}

// inError reports whether the user's assignment of a SKU is in error, or any
// where none is named. Who does not have the SKU for that reason does not show
// in assignedLicenses, by which Graph filters.
func (u *User) inError(sku uuid.UUID) bool {
	return slices.ContainsFunc(u.LicenseAssignmentStates, func(s LicenseAssignmentState) bool {
		return (sku == uuid.Nil || s.SKUID == sku) && s.Err() != nil
	})
}
