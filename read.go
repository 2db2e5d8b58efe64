package licensing

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A resource holds what Graph answers a request on one object with.
type resource interface {
	decode(data []byte) (failed bool, err error)
	id() string
	// identify fills in what the object was asked for by, where Graph did not
	// say it.
	identify(graph.Object)
}

// newResource returns what holds an answer about an object.
func newResource(o graph.Object) resource {
	if o.IsGroup() {
		return new(Group)
	}
	return new(User)
}

func (u *User) id() string { return u.ID }

func (u *User) identify(o graph.Object) {
	if id := o.GUID(); id != "" && u.ID == "" {
		u.ID = id
	} else if id == "" && u.UserPrincipalName == "" {
		u.UserPrincipalName = o.Name()
	}
}

func (g *Group) id() string { return g.ID }

func (g *Group) identify(o graph.Object) {
	if g.ID == "" {
		g.ID = o.Name()
	}
}

// The queries that read all of an object that is about licenses. Graph returns
// none of that unasked.
const (
	userSelection  = "$select=accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType"
	groupSelection = "$select=assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled"
)

func selection(o graph.Object) string {
	if o.IsGroup() {
		return groupSelection
	}
	return userSelection
}

// reader returns what reads a body into a resource, for a request.
func reader(into resource) func([]byte) (string, bool, error) {
	return func(body []byte) (string, bool, error) {
		failed, err := into.decode(body)
		return into.id(), failed, err
	}
}

// read gets all of an object that is about licenses.
func read[R resource](ctx context.Context, c *Client, op string, obj graph.Object, into R) (R, error) {
	var none R
	req, err := c.newRequest(ctx, op, obj, http.MethodGet, "", into)
	if err != nil {
		return none, err
	}
	req.Query = selection(obj)
	if err := c.get(ctx, &req, into); err != nil {
		return none, err
	}
	if user, ok := any(into).(*User); ok {
		user.selected()
	}
	into.identify(obj)
	return into, nil
}

// rereading returns the request that reads the object of another one, as a part
// of the same call.
func rereading(of *graph.Request, into resource) graph.Request {
	return graph.Request{
		Op:      of.Op,
		Object:  of.Object,
		Method:  http.MethodGet,
		Query:   selection(of.Object),
		Read:    reader(into),
		ID:      of.ID,
		Started: of.Started,
	}
}

// get sends a request that reads.
func (c *Client) get(ctx context.Context, req *graph.Request, into resource) error {
	answer := c.service.Send(ctx, req)
	return failed(req.Op, &answer, into)
}

// A listing is what is read page by page.
type listing struct {
	op      string
	object  graph.Object
	action  string // the collection, a segment after the object's path
	query   string
	indexed bool           // the query needs the index, which each request has to ask for
	within  *graph.Request // of the call that the listing is a part of, if it is
}

// listed returns the items of a listing, read as they are asked for. Ranging
// again reads again. An error is the last that is yielded.
func listed[W, T any](ctx context.Context, c *Client, l listing, item func(*W) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var link *url.URL
		seen := make(map[string]bool)
		for {
			var page page[W]
			req, err := c.newRequest(ctx, l.op, l.object, http.MethodGet, l.action, &page)
			if err != nil {
				yield(none, err)
				return
			}
			req.Query, req.Link, req.Indexed = l.query, link, l.indexed
			if l.within != nil {
				req.ID, req.Started = l.within.ID, l.within.Started
			}
			seen[c.service.URL(&req).String()] = true
			if err := c.get(ctx, &req, &page); err != nil {
				yield(none, err)
				return
			}
			for _, w := range page.Items {
				if w != nil && !yield(item(w), nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if link, err = c.service.NextLink(&req, page.Next); err != nil {
				yield(none, refused(&req, ErrUnsafeLink, "%w: %w", ErrUnsafeLink, err))
				return
			}
			if seen[link.String()] {
				yield(none, refused(&req, ErrUnsafeLink, "next link was followed before"))
				return
			}
		}
	}
}

// collect reads a listing to its end.
func collect[T any](items iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

// A page is a part of a collection, as a resource.
type page[W any] struct{ graph.Page[W] }

func (p *page[W]) decode(data []byte) (failed bool, err error) {
	_, failed, err = p.Read(data)
	return failed, err
}

func (*page[W]) id() string            { return "" }
func (*page[W]) identify(graph.Object) {}
