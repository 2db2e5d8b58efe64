package licensing

import (
	"context"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"

	"github.com/graphlicensing/licensing/internal/graph"
)

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
