// Package turn keeps writers of one object apart: one at a time, in the order in
// which they came. It also keeps the fence behind an earlier write that may still
// land, for which whoever has the turn waits before a different write.
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
var ErrBusy = errors.New("another write to the same object has not ended")

// Turns are the turns to write to any number of objects. What is held for an
// object goes when nobody needs it any more. The zero value is ready for use, by
// several goroutines.
type Turns struct {
	mu    sync.Mutex
	byKey map[string]*Turn
}

// A Turn is the right to write to one object, from [Turns.Take] to
// [Turn.Release]. Its fields are guarded by the mutex of its Turns, but for the
// fence, which belongs to whoever has the turn.
type Turn struct {
	of      *Turns
	key     string
	callers int       // who has it and who waits for it
	waiting list.List // of channels, each closed when it is its turn; many may wait, and give up at once
	fence   fence
	ending  bool // a timer is set for when the fence is over
}

// A fence keeps other writes away while one that stalled may still land.
type fence struct {
	write string // what may still land; the same again does no harm
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
	t := ts.byKey[key]
	if t == nil {
		if ts.byKey == nil {
			ts.byKey = make(map[string]*Turn)
		}
		t = &Turn{of: ts, key: key}
		ts.byKey[key] = t
	}
	t.callers++
	if t.callers == 1 {
		ts.mu.Unlock()
		return t, nil
	}
	ready := make(chan struct{})
	place := t.waiting.PushBack(ready)
	ts.mu.Unlock()

	expired := time.NewTimer(most)
	defer expired.Stop()
	var err error
	select {
	case <-ready:
		return t, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-expired.C:
		err = ErrBusy
	}
	ts.mu.Lock()
	ours := false
	select {
	case <-ready:
		ours = true // as we gave up
	default:
		t.waiting.Remove(place)
		t.callers--
	}
	ts.mu.Unlock()
	if ours {
		t.Release()
	}
	return nil, err
}

// Len returns for how many objects something is held, for tests.
func (ts *Turns) Len() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.byKey)
}

// Release hands the turn to whoever is next.
func (t *Turn) Release() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.callers--
	if t.waiting.Len() == 0 {
		t.drop()
		return
	}
	close(t.waiting.Remove(t.waiting.Front()).(chan struct{}))
}

// drop forgets an object that nobody needs, now or when its fence is over.
func (t *Turn) drop() {
	left := t.fence.left()
	if left <= 0 {
		delete(t.of.byKey, t.key)
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
		if t.callers == 0 && t.of.byKey[t.key] == t {
			t.drop()
		}
	})
}

// Stall notes that a write may still land until then. A fence that stands for
// longer stays.
func (t *Turn) Stall(write string, until time.Time) {
	if until.After(t.fence.until) {
		t.fence = fence{write, until}
	}
}

// Fence returns the write that may still land, and for how long it may. Any
// other write to the object has to wait as long.
func (t *Turn) Fence() (write string, left time.Duration) {
	return t.fence.write, t.fence.left()
}
