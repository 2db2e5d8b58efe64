package licensingtest

import (
	"slices"
	"time"
)

// SetReadLag makes reads late, as from a replica that changes take d to reach:
// for d after each change of a user or group, whoever made it, reads and
// listings answer with the state before it. One that was added is not there
// before. Writes and the tenant's own methods go by the true state. The seats of a
// SKU are never late. Reads do not go back to before the lag was set.
func (t *Tenant) SetReadLag(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.readLag = d
}

// A history is what an object was like, in the order of its changes. It goes
// back no further than reads do.
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
	if t.readLag > 0 {
		old := *u
		old.past, old.plans, old.groups = nil, slices.Clone(u.plans), slices.Clone(u.groups)
		u.past.add(&old, at, t.readLag)
	}
}

// rememberGroup keeps the state of g, which changes at a time.
func (t *Tenant) rememberGroup(g *group, at time.Time) {
	if t.readLag > 0 {
		old := *g
		old.past = nil
		g.past.add(&old, at, t.readLag)
	}
}

// notBefore is the history of an object that is added at a time.
func notBefore[T any](t *Tenant, at time.Time) (h history[T]) {
	if t.readLag > 0 {
		h.add(nil, at, t.readLag)
	}
	return h
}

// seenUser is the user as reads see it now, nil if they do not yet.
func (t *Tenant) seenUser(u *user) *user {
	return u.past.at(time.Now().Add(-t.readLag), u)
}

// seenGroup is the group as reads see it now, nil if they do not yet.
func (t *Tenant) seenGroup(g *group) *group {
	return g.past.at(time.Now().Add(-t.readLag), g)
}
