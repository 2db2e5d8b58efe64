// Package turn keeps writers of one object apart: one at a time, in the order in
// which they came. It also keeps the fence behind an earlier write that may still
// land, for which whoever has the turn waits before a different write. An object
// may go by several names, once they are known to be its own.
//
// The package knows keys and times. It must not know what the keys stand for or
// what a write is, and imports nothing of this module.
package turn

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// ErrBusy says that the time was up before the turn came.
var ErrBusy = errors.New("another write to the same object is still under way")

// Turns are the turns to write to any number of objects. What is held for an
// object goes when nobody needs it any more. The zero value is ready for use, by
// several goroutines.
type Turns struct {
	mu    sync.Mutex
	byKey map[string]*Turn
	names names
}

// A Turn is the right to write to one object, from [Turns.Take] to
// [Turn.Release]. Its fields are guarded by the mutex of its Turns.
type Turn struct {
	of      *Turns
	key     string
	into    *Turn     // that it became one with, whose fields count instead
	holders int       // who has it: one, but for those who had it under two names
	waiting list.List // of waiters; many may wait, and give up at once
	fence   fence
	ending  bool // a timer is set for when the fence is over
}

// A waiter waits for a turn.
type waiter struct {
	ready chan struct{} // closed when it is its turn
	place *list.Element
}

// A fence keeps other writes away while one that stalled may still land.
type fence struct {
	write string // what may still land, "" for more than one; the same again does no harm
	until time.Time
}

// left is how long the fence will stand.
func (f fence) left() time.Duration {
	if f.until.IsZero() { // as nearly always, so the clock need not be read
		return 0
	}
	return max(0, time.Until(f.until))
}

// Take waits for the turn to write to the object of key. It gives up when ctx
// ends, with ctx's error, or after the time of most with [ErrBusy].
func (ts *Turns) Take(ctx context.Context, key string, most time.Duration) (*Turn, error) {
	ts.mu.Lock()
	key = ts.names.of(key)
	t := ts.byKey[key]
	if t == nil {
		if ts.byKey == nil {
			ts.byKey = make(map[string]*Turn)
		}
		t = &Turn{of: ts, key: key}
		ts.byKey[key] = t
	}
	if t.idle() {
		t.holders++
		ts.mu.Unlock()
		return t, nil
	}
	w := &waiter{ready: make(chan struct{})}
	w.place = t.waiting.PushBack(w)
	ts.mu.Unlock()
	has, err := t.wait(ctx, w, most, func() {})
	if err == nil {
		return t, nil
	}
	if has {
		t.Release()
	}
	return nil, err
}

// Of reports whether the turn is that of the object of key, as it is known by now.
func (t *Turn) Of(key string) bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	return t.of.byKey[t.of.names.of(key)] == t.top()
}

// Alone waits until nobody else has the turn, which somebody may who has it under
// another name of the object. It reports whether it had to wait: then there may
// have been a write meanwhile. It gives up as [Turns.Take] does.
func (t *Turn) Alone(ctx context.Context, most time.Duration) (waited bool, err error) {
	t.of.mu.Lock()
	top := t.top()
	if top.holders == 1 {
		t.of.mu.Unlock()
		return false, nil
	}
	w := &waiter{ready: make(chan struct{})}
	w.place = top.waiting.PushFront(w)
	top.holders--
	t.of.mu.Unlock()
	// Who gives up has the turn as before, beside somebody else.
	_, err = t.wait(ctx, w, most, func() { t.top().holders++ })
	return true, err
}

// wait waits until it is w's turn, and reports whether w has it, which w may even
// where there is an error. Else it calls giveUp, under the lock.
func (t *Turn) wait(ctx context.Context, w *waiter, most time.Duration, giveUp func()) (has bool, err error) {
	expired := time.NewTimer(most)
	defer expired.Stop()
	select {
	case <-w.ready:
		return true, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-expired.C:
		err = ErrBusy
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	select {
	case <-w.ready: // as it gave up
		return true, err
	default:
		t.top().waiting.Remove(w.place)
		giveUp()
		return false, err
	}
}

// Len returns for how many objects something is held, for tests.
func (ts *Turns) Len() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.byKey)
}

// top is the turn whose fields count.
func (t *Turn) top() *Turn {
	for t.into != nil {
		t = t.into
	}
	return t
}

// idle reports whether nobody has the turn: then nobody waits for it either.
func (t *Turn) idle() bool { return t.holders == 0 }

// Release hands the turn to whoever is next.
func (t *Turn) Release() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t = t.top()
	t.holders--
	switch {
	case t.holders > 0:
	case t.waiting.Len() > 0:
		t.holders++
		close(t.waiting.Remove(t.waiting.Front()).(*waiter).ready)
	default:
		t.drop()
	}
}

// drop forgets an object that nobody needs, now or when its fence is over.
func (t *Turn) drop() {
	left := t.fence.left()
	if left <= 0 {
		if t.of.byKey[t.key] == t {
			delete(t.of.byKey, t.key)
		}
		return
	}
	if t.ending {
		return
	}
	t.ending = true
	time.AfterFunc(left, func() {
		t.of.mu.Lock()
		defer t.of.mu.Unlock()
		t.ending = false
		if t.idle() && t.of.byKey[t.key] == t {
			t.drop()
		}
	})
}

// Stall notes that a write may still land until then. A fence that stands for
// longer stays.
func (t *Turn) Stall(write string, until time.Time) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t = t.top()
	if until.After(t.fence.until) {
		t.fence = fence{write, until}
	}
}

// Fence returns the write that may still land, and for how long it may. Any
// other write to the object has to wait as long.
func (t *Turn) Fence() (write string, left time.Duration) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t = t.top()
	return t.fence.write, t.fence.left()
}

// Until returns until when something may still land, the zero time if nothing can.
func (t *Turn) Until() time.Time {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t = t.top(); t.fence.left() <= 0 {
		return time.Time{}
	}
	return t.fence.until
}
