package licensing

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// nextLink returns the URL of a listing's next page as the page at current
// names it. The token will go there, so it must be under root, the client's
// own.
func nextLink(root, current *url.URL, link string) (*url.URL, error) {
	next, err := current.Parse(link)
	reason := ""
	switch {
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
	return nil, fmt.Errorf("%w: %s", ErrUnsafeLink, reason)
}
