package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// read gets all of an object that is about licences.
func read[R resource](ctx context.Context, c *Client, op string, obj object, into R) (R, error) {
	var none R
	call, err := c.newCall(ctx, op, obj, http.MethodGet, "", nil, into)
	if err != nil {
		return none, err
	}
	call.query = obj.selection()
	if err := call.send(ctx); err != nil {
		return none, err
	}
	if user, ok := any(into).(*User); ok {
		user.selected()
	}
	into.identify(obj)
	return into, nil
}

// A listing is what is read page by page.
type listing struct {
	op      string
	object  object
	action  string // the collection, a segment after the object's path
	query   string
	indexed bool  // the query needs the index, which each request has to ask for
	within  *call // that the listing is a part of, if it is
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
			call, err := c.newCall(ctx, l.op, l.object, http.MethodGet, l.action, nil, &page)
			if err != nil {
				yield(none, err)
				return
			}
			call.query, call.link, call.indexed = l.query, link, l.indexed
			if l.within != nil {
				call.id, call.started = l.within.id, l.within.started
			}
			seen[call.url().String()] = true
			if err := call.send(ctx); err != nil {
				yield(none, err)
				return
			}
			for _, w := range page.items {
				if w != nil && !yield(item(w), nil) {
					return
				}
			}
			if page.next == "" {
				return
			}
			if link, err = call.next(page.next); err != nil {
				yield(none, err)
				return
			}
			if seen[link.String()] {
				yield(none, call.refuse(ErrUnsafeLink, "next link was followed before"))
				return
			}
		}
	}
}

// next returns the URL of the page after the one that the call has read.
func (c *call) next(link string) (*url.URL, error) {
	next, err := nextLink(c.client.root, c.url(), link)
	if err != nil {
		return nil, c.refuse(ErrUnsafeLink, "%w", err)
	}
	return next, nil
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

var errNoCollection = errors.New("value: not there")

// A page is a part of a collection.
type page[W any] struct {
	items []*W // so that a long page is not copied as it grows
	next  string
}

func (p *page[W]) decode(data []byte) (failed bool, err error) {
	var wire struct {
		Value []*W   `json:"value"`
		Next  string `json:"@odata.nextLink"`
		frame
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return false, err
	}
	if wire.Value == nil && wire.Error == nil {
		return false, errNoCollection
	}
	p.items, p.next = wire.Value, wire.Next
	return wire.Error != nil, nil
}

func (*page[W]) id() string      { return "" }
func (*page[W]) identify(object) {}

// option returns a query option. OData wants blanks as %20 and the $ as it is.
func option(name, value string) string {
	return name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}
