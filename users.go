package licensing

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A UserQuery says which users [Client.Users] returns, and with which properties.
// The zero value is everybody.
type UserQuery struct {
	// Filter is an OData filter, such as "accountEnabled eq true". Graph
	// refuses most combinations with a filter on licenses, by ErrUnsupportedQuery.
	Filter string
	// SKUID limits the users to those who have a SKU, directly or through a
	// group.
	SKUID uuid.UUID
	// OnlyErrors limits the users to those with a license in error, that of
	// SKUID if it is given, whether they have it or not. Graph cannot filter
	// by that, so all users that Filter allows are read. Users whose licenses it
	// does not tell are among them, with nil LicenseAssignmentStates.
	OnlyErrors bool
	// Select names further properties of User to be read, such as "department",
	// "mail" and "onPremisesSyncEnabled", in any case.
	Select []string
	// PageSize is how many users a request asks for, up to 999. The default
	// is Graph's, 100.
	PageSize int
}

// Users returns the license view of many users: who they are, whether they are
// enabled, their usage location, and what licenses they have from where.
//
// The users are read page by page as they are asked for, and ranging again reads
// again. A listing of a large tenant is no snapshot: reads lag behind the writes of
// others, and filters that need Graph's index lag more. A filter is sent plainly,
// and as an advanced query where it has to be, or where Graph says so. For the users
// of a list that is at hand see [Client.ReadUsers].
//
// Permission: User.Read.All, delegated or application.
//
// Errors: a [*DecodeError] for an item that cannot be read or is no user, after
// which the sequence goes on. Any other error ends the sequence: [ErrInvalidArgument]
// (nothing was sent), [ErrUnsupportedQuery] (Graph cannot answer the filter),
// [ErrForbidden], [ErrThrottled], [ErrTooLarge] (lower PageSize),
// [ErrListingExpired] (start again), [ErrUnsafeLink] (a page names another host as
// the next).
//
// Graph: https://learn.microsoft.com/graph/api/user-list
func (c *Client) Users(ctx context.Context, query UserQuery) iter.Seq2[*User, error] {
	l := listing{op: "list users", object: graph.Tenant, action: "/users"}
	var err error
	if l.query, err = selectingAlso[User](l.op, listedProperties, query.Select); err != nil {
		return failed[*User](err)
	}
	hasSKU := ""
	if query.SKUID != uuid.Nil && !query.OnlyErrors {
		hasSKU = hasLicense(query.SKUID)
	}
	l.where(query.Filter, hasSKU)
	if err := l.paged(query.PageSize); err != nil {
		return failed[*User](err)
	}
	shows := !raw(ctx) // what the client wrote
	users := listed(ctx, c, l, func(w *wireUser) (*User, error) {
		user, err := selectedUser(w)
		if err == nil && user.ID != "" {
			obj := graph.User(user.ID)
			key := obj.Key()
			c.learn(key, obj, user.ID, user.UserPrincipalName)
			if shows {
				c.recent.show(key, user)
			}
		}
		return user, err
	})
	switch {
	case query.OnlyErrors:
		return only(users, func(u *User) bool { return u.inError(query.SKUID) })
	case query.SKUID != uuid.Nil && shows: // from whom the client has just taken it, reads may show it
		return only(users, func(u *User) bool { return !u.told() || u.merged(query.SKUID).there })
	}
	return users
}

// hasLicense is the filter for whoever has a SKU.
func hasLicense(sku uuid.UUID) string {
	return "assignedLicenses/any(x:x/skuId eq " + sku.String() + ")"
}

// failed is a listing that is not made.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// only leaves out what is not wanted, and keeps the errors.
func only[T any](items iter.Seq2[T, error], wanted func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for item, err := range items {
			if (err != nil || wanted(item)) && !yield(item, err) {
				return
			}
		}
	}
}

// selectedUser returns a user of a listing that asked for licenses.
func selectedUser(w *wireUser) (*User, error) {
	if w.Type != "" && !strings.EqualFold(strings.TrimPrefix(w.Type, "#"), "microsoft.graph.user") {
		return nil, fmt.Errorf("%s, which is no user", w.Type)
	}
	user := w.user()
	user.selected()
	return user, nil
}

// selected notes that the states of the user's assignments were asked for, so
// that null means none. Of whom the token may not read, Graph returns all properties
// as null but the id: of them nothing is known.
func (u *User) selected() {
	if u.LicenseAssignmentStates == nil && (u.UserPrincipalName != "" || u.AssignedLicenses != nil) {
		u.LicenseAssignmentStates = []LicenseAssignmentState{}
	}
}

// inError reports whether the user's assignment of a SKU is in error, or any
// where none is named, or whether nothing is known of them. Who does not have the SKU for that reason does not show
// in assignedLicenses, by which Graph filters.
func (u *User) inError(sku uuid.UUID) bool {
	return !u.told() || slices.ContainsFunc(u.LicenseAssignmentStates, func(s LicenseAssignmentState) bool {
		return (sku == uuid.Nil || s.SKUID == sku) && s.Err() != nil
	})
}
