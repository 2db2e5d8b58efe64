package licensingtest

import (
	"slices"
	"time"
)

// A lateCall is a call that is carried out long after it came.
type lateCall struct {
	call
	due time.Time
}

// postpone has a copy of c carried out after d.
func (t *Tenant) postpone(c *call, d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.late = append(t.late, &lateCall{*c, time.Now().Add(d)})
	slices.SortStableFunc(t.late, func(a, b *lateCall) int { return a.due.Compare(b.due) })
}

// catchUp does what is due at now, in the order in which it was due.
func (t *Tenant) catchUp(now time.Time) {
	for len(t.late) > 0 && !t.late[0].due.After(now) {
		l := t.late[0]
		t.late = t.late[1:]
		t.processDue(l.due)
		t.land(l)
	}
	t.processDue(now)
}

// land carries out a call as at the time when it was due. Its items meet no
// faults: Match may ask the tenant, which is locked.
func (t *Tenant) land(l *lateCall) {
	if l.item != "" {
		t.effect(&l.call, l.due)
		return
	}
	if t.enter(&l.call) != nil {
		return
	}
	if !isBatch(l.path) {
		t.effect(&l.call, l.due)
		return
	}
	items, _ := l.items() // none, if the batch is refused
	failed := make(map[string]bool)
	for _, it := range items {
		failed[it.key] = it.dependsOnAny(failed) || !t.effect(l.part(it), l.due)
	}
}

// effect carries out a call at a time, without cost and without an answer. It
// reports whether the call succeeds.
func (t *Tenant) effect(c *call, at time.Time) bool {
	op, err := c.find()
	if err == nil {
		c.now = at
		_, err = op.do(t, c)
	}
	return err == nil
}
