package licensing

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/graphlicensing/licensing/internal/graph"
)

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
