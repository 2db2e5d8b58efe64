// Package peers is what all clients under comparison can do: change the
// licenses of a user and of a group. A package below has one client each,
// written as a careful user of that library would write it.
package peers

import (
	"context"
	"net/http"
)

// A Change is what a call asks for. Ids are text, as they come from a command
// line or a file: each peer makes of them what its library wants.
type Change struct {
	Add    []License
	Remove []string
}

// A License is a SKU to be added.
type License struct {
	SKU           string
	DisabledPlans []string
}

// Assigned is what a caller takes from the answer.
type Assigned struct {
	ID   string
	SKUs int // how many the object has now
}

// A Peer is a client of Graph.
type Peer interface {
	AssignUser(ctx context.Context, user string, change Change) (Assigned, error)
	AssignGroup(ctx context.Context, group string, change Change) (Assigned, error)
}

// A New returns a client of the Graph at baseURL, a root without a version. A
// nil transport is the library's own.
type New func(baseURL string, transport http.RoundTripper) (Peer, error)

// Token is what all peers sign with.
const Token = "token"
