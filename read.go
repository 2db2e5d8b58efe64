package licensing

import (
	"context"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/graphlicensing/licensing/internal/graph"
)

// An answer holds what Graph answers a request on one object with.
type answer interface {
	graph.Reader
	// identify fills in what the object was asked for by, where Graph did not
	// say it.
	identify(graph.Object)
	holder
}

// newAnswer returns what holds an answer about an object.
func newAnswer(o graph.Object) answer {
	if o.IsGroup() {
		return new(groupAnswer)
	}
	return new(userAnswer)
}

// asUser returns the user of an answer, unless there is an error.
func asUser(a answer, err error) (*User, error) {
	if err != nil {
		return nil, err
	}
	return a.(*userAnswer).user(), nil
}

// asGroup returns the group of an answer, unless there is an error.
func asGroup(a answer, err error) (*Group, error) {
	if err != nil {
		return nil, err
	}
	return a.(*groupAnswer).group(), nil
}

func (a *userAnswer) identify(o graph.Object) {
	if id := o.GUID(); id != "" && a.ID == "" {
		a.ID = strings.ToLower(id)
	} else if id == "" && a.UserPrincipalName == "" {
		a.UserPrincipalName = o.Name()
	}
}

func (a *groupAnswer) identify(o graph.Object) {
	if a.ID == "" {
		a.ID = strings.ToLower(o.Name())
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

// read gets all of an object that is about licenses.
func (c *Client) read(ctx context.Context, op string, obj graph.Object) (answer, error) {
	into := newAnswer(obj)
	req, err := c.newRequest(ctx, op, obj, http.MethodGet, "", into)
	if err != nil {
		return nil, err
	}
	req.Query = selection(obj)
	if err := c.look(ctx, &req, into); err != nil {
		return nil, err
	}
	if !raw(ctx) {
		c.recent.show(obj.Key(), into)
	}
	return into, nil
}

// look sends a request that reads all of an object that is about licenses.
func (c *Client) look(ctx context.Context, req *graph.Request, into answer) error {
	if err := c.get(ctx, req); err != nil {
		return err
	}
	if a, ok := into.(*userAnswer); ok {
		a.user().selected()
	}
	into.identify(req.Object)
	return nil
}

type rawKey struct{}

// ContextWithRawReads returns a context whose reads show what Graph answered.
//
// Without it [Client.User], [Client.Me], [Client.Group] and [Client.Users] show
// what the client wrote in the last five minutes as it was written, since reads of
// Graph lag behind; see Reading in the package's documentation. [Client.WaitForUser]
// and [Client.WaitForGroup] go by what Graph answers in any case. Edits such as
// [Client.UpdateUserServicePlans] never go by less than what the client wrote.
func ContextWithRawReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, rawKey{}, true)
}

// raw reports whether reads of ctx show what Graph answered.
func raw(ctx context.Context) bool { return ctx.Value(rawKey{}) != nil }

// rereading returns the request that reads the object of another one, as a part
// of the same call.
func rereading(of *graph.Request, into answer) graph.Request {
	return graph.Request{
		Op:        of.Op,
		Object:    of.Object,
		Method:    http.MethodGet,
		Query:     selection(of.Object),
		Operation: of.Operation,
		Into:      into,
		ID:        of.ID,
		Limits:    graph.Limits{Started: of.Started},
	}
}

// get sends a request that reads.
func (c *Client) get(ctx context.Context, req *graph.Request) error {
	return c.getBy(ctx, req, nil)
}

// getBy is get, with attempts that carry makes unless it is nil.
func (c *Client) getBy(ctx context.Context, req *graph.Request, carry graph.Carrier) error {
	var a graph.Answer
	if carry != nil {
		a = c.service.SendBy(ctx, req, carry)
	} else {
		a = c.service.Send(ctx, req)
	}
	switch {
	case a.Good():
		if id, name := req.Into.Identity(); id != "" {
			c.learn(req.Object.Key(), req.Object, id, name)
		}
		return nil
	case a.Outcome == graph.Applied:
		return undecoded(ctx, req, &a)
	}
	return failure(req.Op, &a, false)
}

// A listing is what is read page by page.
type listing struct {
	op      string
	object  graph.Object
	action  string // the collection, a segment after the object's path
	query   string
	indexed bool           // the query needs the index, which each request has to ask for
	whole   bool           // it is kept as a whole, and so is limited
	within  *graph.Request // of the call that the listing is a part of, if it is
}

// listed returns the items of a listing, read as they are asked for. Ranging
// again reads again. An error is the last that is yielded.
func listed[W, T any](ctx context.Context, c *Client, l listing, item func(*W) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var link *url.URL
		var seen pagesSeen
		for count := (pageCount{whole: l.whole}); ; {
			page := graph.Page[W]{Most: pageItems}
			if l.whole {
				page.Most = allItems
			}
			req, err := c.newRequest(ctx, l.op, l.object, http.MethodGet, l.action, &page)
			if err != nil {
				yield(none, err)
				return
			}
			req.Query, req.Link, req.Indexed = l.query, link, l.indexed
			if l.within != nil {
				req.ID, req.Started = l.within.ID, l.within.Started
			}
			seen.add(c.service.URL(&req))
			if err := c.get(ctx, &req); err != nil {
				yield(none, err)
				return
			}
			if err := count.add(len(page.List)); err != nil {
				yield(none, refused(&req, ErrTooLarge, "%w", err))
				return
			}
			for _, w := range page.List {
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
			if seen.has(link) {
				yield(none, refused(&req, ErrUnsafeLink, "next link was followed before"))
				return
			}
		}
	}
}

const (
	pageItems = 1000 // of a page, at most
	allItems  = 3000 // of a listing that is kept as a whole
	allPages  = 1000 // likewise, or one after the other that have no item
)

// A pageCount counts what a listing brought, so that one ends that never would.
type pageCount struct {
	whole        bool
	items, pages int
}

// add counts a page, and says which limit is passed.
func (p *pageCount) add(items int) error {
	p.pages++
	p.items += items
	switch {
	case p.pages > allPages && (p.whole || p.items == 0):
		return &LimitError{What: "pages", Limit: allPages}
	case p.whole && p.items > allItems:
		return &LimitError{What: "items", Limit: allItems}
	case !p.whole && items > 0: // which the caller takes, and can end
		p.pages, p.items = 0, 0
	}
	return nil
}

// Pages seen are those that a listing has asked for, of many the last ones.
type pagesSeen struct {
	seed  maphash.Seed
	known map[uint64]bool
}

const mostSeen = 1 << 16

func (s *pagesSeen) add(page *url.URL) {
	if len(s.known) == 0 || len(s.known) >= mostSeen {
		s.seed, s.known = maphash.MakeSeed(), make(map[uint64]bool)
	}
	s.known[maphash.String(s.seed, page.String())] = true
}

func (s *pagesSeen) has(page *url.URL) bool {
	return s.known[maphash.String(s.seed, page.String())]
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
