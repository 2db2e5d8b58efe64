package licensing

import (
	"context"
	"net/http"
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

func selection(o graph.Object) string {
	if o.IsGroup() {
		return groupSelection
	}
	return userSelection
}

// read gets all of an object that is about licenses.
func (c *Client) read(ctx context.Context, op string, obj graph.Object) (answer, error) {
	req, err := c.newRequest(ctx, op, obj, http.MethodGet, "", newAnswer(obj))
	if err != nil {
		return nil, err
	}
	req.Query = selection(obj)
	return c.readBy(ctx, &req, nil)
}

// readBy sends a request that reads an object, by attempts that carry makes unless it
// is nil, and has the answer show what the client wrote.
func (c *Client) readBy(ctx context.Context, req *graph.Request, carry graph.Carrier) (answer, error) {
	into := req.Into.(answer)
	if err := c.look(ctx, req, carry); err != nil {
		return nil, err
	}
	if !raw(ctx) {
		c.recent.show(req.Object.Key(), into)
	}
	return into, nil
}

// look sends a request that reads all of an object that is about licenses.
func (c *Client) look(ctx context.Context, req *graph.Request, carry graph.Carrier) error {
	if err := c.getBy(ctx, req, carry); err != nil {
		return err
	}
	into := req.Into.(answer)
	if a, ok := into.(*userAnswer); ok {
		a.user().selected()
	}
	into.identify(req.Object)
	return nil
}

type rawKey struct{}

// ContextWithRawReads returns a context whose reads return exactly what Graph
// answered.
//
// By default, [Client.User], [Client.Me], [Client.Group] and the reads of many
// objects show the client's own writes of the last five minutes, because reads from
// Graph lag behind. See Reading in the package documentation. [Client.WaitForUser]
// and [Client.WaitForGroup] always go by what Graph answered. Edits such as
// [Client.UpdateUserServicePlans] always take the client's own writes into account.
func ContextWithRawReads(ctx context.Context) context.Context {
	return context.WithValue(ctx, rawKey{}, true)
}

// raw reports whether reads of ctx, which may be nil, show what Graph answered.
func raw(ctx context.Context) bool { return ctx != nil && ctx.Value(rawKey{}) != nil }

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
	return c.got(ctx, req, &a)
}

// got takes in what a request that reads was answered with.
func (c *Client) got(ctx context.Context, req *graph.Request, a *graph.Answer) error {
	switch {
	case a.Good():
		if id, name := req.Into.Identity(); id != "" {
			c.learn(req.Object.Key(), req.Object, id, name)
		}
		return nil
	case a.Outcome == graph.Applied:
		return undecoded(ctx, req, a)
	}
	return failure(req.Op, a, false)
}
