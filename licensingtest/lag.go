package licensingtest

import (
	"slices"
	"strings"
	"time"
)

// SetReadLag makes reads lag behind, like reads from a replica. For d after each
// change of a user or group, reads and listings show the state before the change,
// no matter who made it. A new object is missing and a deleted one is still there.
// Writes and the tenant's own methods use the true state. The seats of a SKU never
// lag. Reads never show a state from before SetReadLag was called.
func (t *Tenant) SetReadLag(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.readLag = d
}

// SetIndexLag makes the index for advanced queries lag behind, as SetReadLag does
// for reads. Advanced queries are listings and counts with the header
// ConsistencyLevel: eventual, and listings with $count=true as well. If reads lag
// by more than that, the index lags by as much as reads.
func (t *Tenant) SetIndexLag(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.indexLag = d
}

// lag is how late the answer to c is.
func (t *Tenant) lag(c *call) time.Duration {
	_, operation, _ := strings.Cut(c.target.shape, "/")
	if c.eventual() && (c.options.count || operation == "$count") {
		return t.kept()
	}
	return t.readLag
}

// kept is how far any answer goes back.
func (t *Tenant) kept() time.Duration { return max(t.readLag, t.indexLag) }

// A history is what an object was like, in the order of its changes. It goes
// back no further than answers do.
type history[T any] []version[T]

// A version is the state of an object until a change, nil before it was added.
type version[T any] struct {
	until time.Time
	state *T
}

// add adds the state that ends at a time. Of several changes at one time only
// the state before the first was ever there to be seen.
func (h *history[T]) add(state *T, until time.Time, lag time.Duration) {
	if n := len(*h); n > 0 && !(*h)[n-1].until.Before(until) {
		return
	}
	*h = slices.DeleteFunc(*h, func(v version[T]) bool { return !v.until.After(until.Add(-lag)) })
	*h = append(*h, version[T]{until, state})
}

// at returns the state at a time, or current if it has not changed since.
func (h history[T]) at(when time.Time, current *T) *T {
	for _, v := range h {
		if v.until.After(when) {
			return v.state
		}
	}
	return current
}

// rememberUser keeps the state of u, which changes at a time.
func (t *Tenant) rememberUser(u *user, at time.Time) {
	if t.kept() > 0 {
		old := *u
		old.past, old.plans, old.groups = nil, slices.Clone(u.plans), slices.Clone(u.groups)
		u.past.add(&old, at, t.kept())
	}
}

// rememberGroup keeps the state of g, which changes at a time.
func (t *Tenant) rememberGroup(g *group, at time.Time) {
	if t.kept() > 0 {
		old := *g
		old.past = nil
		g.past.add(&old, at, t.kept())
	}
}

// notBefore is the history of an object that is added at a time.
func notBefore[T any](t *Tenant, at time.Time) (h history[T]) {
	if t.kept() > 0 {
		h.add(nil, at, t.kept())
	}
	return h
}

// seenUser is the user as c sees it now, nil if it does not yet or no longer.
func (t *Tenant) seenUser(c *call, u *user) *user {
	seen := u.past.at(time.Now().Add(-t.lag(c)), u)
	if seen != nil && seen.gone {
		return nil
	}
	return seen
}

// seenGroup is the group as c sees it now, nil if it does not yet.
func (t *Tenant) seenGroup(c *call, g *group) *group {
	return g.past.at(time.Now().Add(-t.lag(c)), g)
}
