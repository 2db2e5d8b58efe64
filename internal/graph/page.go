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
var ErrNoCollection = errors.New("value: not there")

// A Page is a part of a collection.
type Page[W any] struct {
	Most int  // items that it may have
	List []*W // so that a long page is not copied as it grows
	Next string
}

// Read makes p what a body says, as a [Reader].
func (p *Page[W]) Read(body []byte) error {
	var wire struct {
		Value []*W   `json:"value"`
		Next  string `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return err
	}
	if wire.Value == nil {
		return ErrNoCollection
	}
	p.List, p.Next = wire.Value, wire.Next
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
		reason = "no URL"
	case next.User != nil:
		reason = "it has user info"
	case !sameOrigin(next, root):
		reason = "another scheme, host or port than the client's"
	case !strings.HasPrefix(next.Path, root.Path+"/"),
		!strings.HasPrefix(path.Clean(next.Path), path.Clean(root.Path)+"/"): // dot segments may be escaped
		reason = "outside the client's API"
	default:
		return next, nil
	}
	return nil, errors.New(reason)
}
