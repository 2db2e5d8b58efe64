package licensingtest

import (
	"cmp"
	"slices"
	"time"
)

// SetReadLag makes reads late, as from a replica that changes take d to reach:
// for d after each change of a user or group, whoever made it, reads and
// listings answer with the state before it. Writes and the tenant's own methods
// go by the true state, and answers to writes show it. The seats of a SKU are
// never late. Reads do not go back to before the lag was set.
func (t *Tenant) SetReadLag(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.readLag = d
}

// A history is what an object was like, in the order of its changes. It goes
// back no further than reads do.
type history[T any] []version[T]

// A version is the state of an object until a change.
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

// at returns the state at a time, nil if it is the current one.
func (h history[T]) at(when time.Time) *T {
	for _, v := range h {
		if v.until.After(when) {
			return v.state
		}
	}
	return nil
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

// seenUser is the user as reads see it now.
func (t *Tenant) seenUser(u *user) *user {
	return cmp.Or(u.past.at(time.Now().Add(-t.readLag)), u)
}

// seenGroup is the group as reads see it now.
func (t *Tenant) seenGroup(g *group) *group {
	return cmp.Or(g.past.at(time.Now().Add(-t.readLag)), g)
}
