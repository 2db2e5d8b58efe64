package licensing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A UserQuery selects the users that [Client.Users] returns, and their properties.
// The zero value selects all users.
type UserQuery struct {
	// Filter is an OData filter, such as "accountEnabled eq true". Graph refuses
	// most combinations of a filter with licenses; the error is
	// ErrUnsupportedQuery.
	Filter string
	// SKUID limits the users to those who have a SKU, directly or through a group.
	SKUID uuid.UUID
	// OnlyErrors limits the users to those with a license in error. If SKUID is
	// set, only that SKU's assignments count, and users in error are returned even
	// if they do not have the SKU. Graph cannot filter by errors, so the client
	// reads all users that Filter selects. Users whose licenses Graph withholds are
	// returned too, with nil LicenseAssignmentStates.
	OnlyErrors bool
	// Select names more properties of User to read, such as "department", "mail"
	// and "onPremisesSyncEnabled", in any letter case.
	Select []string
	// PageSize is how many users a request asks for, at most 999. The default is
	// Graph's, 100.
	PageSize int
}

// Users returns many users: their names, whether their accounts are enabled, their
// usage locations, and their licenses with the source of each.
//
// The sequence reads page by page, as it is consumed. Ranging again reads again. A
// listing is not a snapshot: reads lag behind the writes of others, and filters
// that use Graph's index lag more. The client sends a filter as an advanced query
// if the filter needs that, or if Graph asks for it. To read the users of a known
// list, use [Client.ReadUsers].
//
// Permission: User.Read.All, delegated or application.
//
// Errors: a [*DecodeError] for an item that cannot be read or is not a user, after
// which the sequence goes on. Any other error ends the sequence:
// [ErrInvalidArgument] (nothing was sent), [ErrUnsupportedQuery] (Graph does not
// support the filter), [ErrForbidden], [ErrThrottled], [ErrTooLarge] (lower
// PageSize), [ErrListingExpired] (start again), [ErrUnsafeLink] (the next page is
// on another host).
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
		return nil, fmt.Errorf("%s, not a user", w.Type)
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
// where none is named, or whether nothing is known of them. Who does not have the
// SKU for that reason does not show in assignedLicenses, by which Graph filters.
func (u *User) inError(sku uuid.UUID) bool {
	return !u.told() || slices.ContainsFunc(u.LicenseAssignmentStates, func(s LicenseAssignmentState) bool {
		return (sku == uuid.Nil || s.SKUID == sku) && s.Err() != nil
	})
}

// CountUsers returns how many users match an OData filter, or how many users there
// are if the filter is empty. Use it to estimate the length of a listing.
//
// The count is approximate. It comes from Graph's index, which lags behind more
// than reads do. It takes one request, whatever the size of the tenant. The filter
// must be one that Graph accepts in an advanced query, such as "accountEnabled eq
// true".
//
// Permission: User.Read.All, delegated or application.
//
// Errors: [ErrUnsupportedQuery] (Graph does not support the filter),
// [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/user-list
func (c *Client) CountUsers(ctx context.Context, filter string) (int, error) {
	l := listing{op: "count users", object: graph.Tenant, action: "/users", query: "$select=id&$top=1"}
	l.where(filter, "")
	l.indexed = true // who counts
	var count objectCount
	req, err := l.request(ctx, c, nil, &count)
	if err != nil {
		return 0, err
	}
	if err := c.get(ctx, &req); err != nil {
		return 0, err
	}
	return int(count), nil
}

// An objectCount is the number of objects in a collection. The text of /users/$count
// is one as well, but nothing in it shows that it is Graph's.
type objectCount int

const countMember = "@odata.count"

// errNoCount is of a page without a count. Of a part of one it says as little as a
// missing collection does.
const errNoCount = absent(countMember)

// An absent is a member that is missing.
type absent string

func (a absent) Error() string      { return string(a) + ": not there" }
func (absent) Is(target error) bool { return target == graph.ErrNoCollection }

// Read makes n what the first page of the collection says.
func (n *objectCount) Read(body []byte) error {
	var page struct {
		Count *int `json:"@odata.count"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return err
	}
	if page.Count == nil {
		return errNoCount
	}
	*n = objectCount(*page.Count)
	return nil
}

// Items is 0: the page has one at most, which is not read.
func (n *objectCount) Items() int { return 0 }

// Identity tells nothing: the count is one of many.
func (n *objectCount) Identity() (id, name string) { return "", "" }

// Shows knows the answer by the count.
func (n *objectCount) Shows(member []byte) graph.Sign {
	if bytes.EqualFold(member, []byte(countMember)) {
		return graph.Certain
	}
	return graph.NoSign
}
