package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A listing is what is read page by page.
type listing struct {
	op      string
	object  graph.Object
	action  string         // the collection, a segment after the object's path
	query   string         // what of an item
	filter  string         // which items
	top     string         // how many in a page
	sized   bool           // which is an option of the caller's
	indexed bool           // the query needs the index, which each request has to ask for
	whole   bool           // it is kept as a whole, and so is limited
	within  *graph.Request // of the call that the listing is a part of, if it is
}

// where limits a listing to what matches a filter of the caller's and a condition of
// ours. Either may be empty.
func (l *listing) where(filter, condition string) {
	both := filter != "" && condition != ""
	switch {
	case both:
		filter = "(" + filter + ") and " + condition
	case filter == "":
		filter = condition
	}
	if filter != "" {
		l.filter = "&" + graph.Option("$filter", filter)
	}
	l.indexed = both || advanced(filter)
}

// advanced reports whether a filter is one that Graph answers from its index only.
// There are more, and their list changes: of those Graph says so.
func advanced(filter string) bool {
	return alwaysAdvanced.MatchString(quoted.ReplaceAllString(filter, "''"))
}

var (
	alwaysAdvanced = regexp.MustCompile(`(?i)/\$count|\bne\b|\bnot\b|\bendswith\b`)
	quoted         = regexp.MustCompile(`'[^']*'`)
)

// paged has a page hold so many items, unless that is 0.
func (l *listing) paged(size int) error {
	switch {
	case size < 0 || size > mostOfPage:
		return invalid(l.op, "PageSize is %d, which is not between 0 and %d", size, mostOfPage)
	case size > 0:
		l.top = "&$top=" + strconv.Itoa(size)
	}
	l.sized = true
	return nil
}

// request returns the request for a page, the first one unless there is a link.
func (l *listing) request(ctx context.Context, c *Client, link *url.URL, into graph.Reader) (graph.Request, error) {
	req, err := c.newRequest(ctx, l.op, l.object, http.MethodGet, l.action, into)
	req.Query, req.Link, req.Indexed = l.query+l.filter+l.top, link, l.indexed
	if l.indexed {
		req.Query += "&$count=true"
	}
	if l.within != nil {
		req.ID, req.Started = l.within.ID, l.within.Started
	}
	return req, err
}

// listed returns the items of a listing, read as they are asked for. Ranging
// again reads again. After an item that cannot be read, which gives an error, the
// listing goes on; any other error is the last that is yielded.
func listed[W, T any](ctx context.Context, c *Client, l listing, item func(*W) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		l := l // which learns whether it needs the index
		var none T
		var link *url.URL
		var seen pagesSeen
		for count := (pageCount{whole: l.whole}); ; {
			page, err := nextPage[W](ctx, c, &l, link)
			if err == nil {
				seen.add(c.service.URL(&page.req))
				err = count.add(&page.req, page.items())
			}
			if err != nil {
				yield(none, err)
				return
			}
			for i, w := range page.List {
				got, err := none, page.Odd[i]
				switch {
				case w != nil:
					got, err = item(w)
				case err == nil: // null
					continue
				}
				if err != nil {
					err = page.unread(ctx, i, err)
				}
				if !yield(got, err) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if link, err = c.service.NextLink(&page.req, page.Next); err != nil {
				yield(none, refused(&page.req, ErrUnsafeLink, "%w: %w", ErrUnsafeLink, err))
				return
			}
			if seen.has(link) {
				yield(none, refused(&page.req, ErrUnsafeLink, "next link was followed before"))
				return
			}
		}
	}
}

// A page is a part of a listing, as it was answered.
type page[W any] struct {
	graph.Page[W]
	req    graph.Request
	answer graph.Answer
}

// items is how many items there are but null.
func (p *page[W]) items() int {
	n := len(p.Odd)
	for _, w := range p.List {
		if w != nil {
			n++
		}
	}
	return n
}

// raw returns the i-th item as it came.
func (p *page[W]) raw(i int) []byte {
	for name, list := range graph.Members(p.answer.Body) {
		if !strings.EqualFold(name, "value") {
			continue
		}
		for raw := range graph.Elements(list) {
			if i--; i < 0 {
				return raw
			}
		}
	}
	return nil
}

// nextPage reads the page that link leads to, the first one unless there is a link.
func nextPage[W any](ctx context.Context, c *Client, l *listing, link *url.URL) (*page[W], error) {
	p := &page[W]{Page: graph.Page[W]{Most: pageItems}}
	if l.whole {
		p.Most = allItems
	}
	var err error
	if p.req, err = l.request(ctx, c, link, &p.Page); err != nil {
		return nil, err
	}
	p.answer = c.service.Send(ctx, &p.req)
	err = c.got(ctx, &p.req, &p.answer)
	switch {
	case errors.Is(err, ErrUnsupportedQuery) && link == nil && l.filter != "" && !l.indexed:
		l.indexed = true // since it has to be asked for then
		return nextPage[W](ctx, c, l, link)
	case errors.Is(err, ErrTooLarge):
		if e, ok := errors.AsType[*Error](err); ok && l.sized {
			e.cause = fmt.Errorf("%w: lower PageSize", e.cause)
		}
	}
	return p, err
}

// unread returns the error of the i-th item, which could not be read, or for err is
// not one of those that were asked for.
func (p *page[W]) unread(ctx context.Context, i int, err error) error {
	name, raw := fmt.Sprintf("value[%d]", i), p.raw(i)
	if part := unreadable(ctx, raw, func(part []byte) bool { return json.Unmarshal(part, new(W)) != nil }); part != "" {
		name += "." + part
	}
	return unread(&p.req, &p.answer, name, raw, err)
}

const (
	mostOfPage = 999  // items that Graph puts into a page
	pageItems  = 1000 // of a page, at most
	allItems   = 3000 // of a listing that is kept as a whole
	allPages   = 1000 // likewise, or one after the other that have no item
)

// A pageCount counts what a listing brought, so that one ends that never would.
type pageCount struct {
	whole        bool
	items, pages int
}

// add counts the page that a request got, and says which limit is passed.
func (p *pageCount) add(req *graph.Request, items int) error {
	p.pages++
	p.items += items
	switch {
	case p.pages > allPages && (p.whole || p.items == 0):
		return refused(req, ErrTooLarge, "%w", &LimitError{What: "pages", Limit: allPages})
	case p.whole && p.items > allItems:
		return refused(req, ErrTooLarge, "%w", &LimitError{What: "items", Limit: allItems})
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

// always returns the function that makes an item of whatever was read, by make.
func always[W, T any](make func(*W) T) func(*W) (T, error) {
	return func(w *W) (T, error) { return make(w), nil }
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

// The properties that are about licenses. Graph returns few of them unasked.
var (
	userProperties  = []string{"accountEnabled", "assignedLicenses", "assignedPlans", "displayName", "id", "licenseAssignmentStates", "provisionedPlans", "usageLocation", "userPrincipalName", "userType"}
	groupProperties = []string{"assignedLicenses", "createdDateTime", "displayName", "groupTypes", "id", "licenseProcessingState", "mailEnabled", "securityEnabled"}
	// Those of many users are without the plans: with them a page would be larger than
	// an answer may be.
	listedProperties = slices.DeleteFunc(slices.Clone(userProperties), func(name string) bool { return strings.HasSuffix(name, "Plans") })
)

// The queries for them.
var (
	userSelection  = selecting(userProperties)
	groupSelection = selecting(groupProperties)
)

func selecting(properties []string) string { return "$select=" + strings.Join(properties, ",") }

// selectingAlso returns the query for properties and for further ones, which are
// fields of T in any case.
func selectingAlso[T any](op string, properties, further []string) (string, error) {
	properties = slices.Clip(properties)
	for i, name := range further {
		known, ok := knownProperty[T](name)
		switch {
		case !ok:
			return "", invalid(op, "Select[%d]: %q is not a property of %s", i, name, reflect.TypeFor[T]().Name())
		case !slices.Contains(properties, known):
			properties = append(properties, known)
		}
	}
	return selecting(properties), nil
}

// knownProperty returns a name as Graph writes it, if it is that of a field of T.
func knownProperty[T any](name string) (string, bool) {
	for known := range properties(reflect.TypeFor[T]()) {
		if strings.EqualFold(known, name) {
			return known, true
		}
	}
	return "", false
}
