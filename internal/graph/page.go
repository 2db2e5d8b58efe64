package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"path"
	"strings"
)

// ErrNoCollection says that a page has no list of items.
var ErrNoCollection = errors.New("value is missing")

// A Page is a part of a collection.
type Page[W any] struct {
	Most int           // items that it may have
	List []*W          // so that a long page is not copied as it grows; nil for null, and for an item that cannot be read
	Odd  map[int]error // what is wrong with the latter, by their place in List
	Next string
}

// wirePage is a page with items as they are read at first.
type wirePage[I any] struct {
	Value []I    `json:"value"`
	Next  string `json:"@odata.nextLink"`
}

// Read makes p what a body says, as a [Reader]. One item that cannot be read does
// not spoil the others.
func (p *Page[W]) Read(body []byte) error {
	p.Odd = nil
	var whole wirePage[*W]
	err := json.Unmarshal(body, &whole)
	p.List, p.Next = whole.Value, whole.Next
	if err != nil {
		err = p.readEach(body)
	}
	if err == nil && p.List == nil {
		return ErrNoCollection
	}
	return err
}

// readEach reads the items one by one.
func (p *Page[W]) readEach(body []byte) error {
	var parts wirePage[json.RawMessage]
	if err := json.Unmarshal(body, &parts); err != nil {
		return err
	}
	p.List, p.Next, p.Odd = make([]*W, len(parts.Value)), parts.Next, make(map[int]error)
	for i, raw := range parts.Value {
		if err := json.Unmarshal(raw, &p.List[i]); err != nil {
			p.List[i], p.Odd[i] = nil, err
		}
	}
	return nil
}

// Items is how many items the page may have.
func (p *Page[W]) Items() int { return p.Most }

// Identity tells nothing: a page is of many.
func (p *Page[W]) Identity() (id, name string) { return "", "" }

// Shows knows a page by its list.
func (p *Page[W]) Shows(member []byte) Sign {
	if bytes.EqualFold(member, []byte("value")) {
		return Certain
	}
	return NoSign
}

// Option returns a query option. OData wants blanks as %20 and the $ as it is.
func Option(name, value string) string {
	return name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// maxLink is how long a next link may be. Those of Graph have a few KiB at most.
const maxLink = 64 << 10

// nextLink returns the URL of a listing's next page as the page at current
// names it. The token will go there, so it must be under root, the client's
// own.
func nextLink(root, current *url.URL, link string) (*url.URL, error) {
	next, err := current.Parse(link[:min(len(link), maxLink)])
	reason := ""
	switch {
	case len(link) > maxLink:
		reason = "it is too long"
	case link == "" || err != nil:
		reason = "not a URL"
	case next.User != nil:
		reason = "it has user info"
	case !sameOrigin(next, root):
		reason = "its scheme, host or port is not the client's"
	case !strings.HasPrefix(next.Path, root.Path+"/"),
		!strings.HasPrefix(path.Clean(next.Path), path.Clean(root.Path)+"/"): // dot segments may be escaped
		reason = "outside the client's API"
	default:
		return next, nil
	}
	return nil, errors.New(reason)
}
