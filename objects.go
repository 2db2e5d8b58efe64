package licensing

import (
	"context"
	"slices"
	"sync"
	"time"
)

// objects keeps the writes to one user or group apart: one at a time, in the
// order in which they came, and none while an earlier, different one may still
// land. What it holds for an object goes when nobody needs it any more.
type objects struct {
	mu    sync.Mutex
	byKey map[string]*turn
}

// A turn is the right to write to one object. Its fields are guarded by
// objects.mu, but for the fence, which belongs to whoever has the turn.
type turn struct {
	callers int             // who has it and who waits for it
	waiting []chan struct{} // closed when it is their turn
	fence   fence
	ending  bool // a timer is set for when the fence is over
}

// A fence keeps other writes away while a stalled one may still land.
type fence struct {
	write string // what may still land; the same again does no harm
	until time.Time
}

// left is how long the fence will stand.
func (f fence) left() time.Duration {
	if f.until.IsZero() { // as nearly always, so the clock need not be read
		return 0
	}
	return time.Until(f.until)
}

// acquire waits for the turn to write to the object of key, until ctx ends or
// no time is left.
func (o *objects) acquire(ctx context.Context, key string, left time.Duration) (*turn, error) {
	o.mu.Lock()
	t := o.byKey[key]
	if t == nil {
		if o.byKey == nil {
			o.byKey = make(map[string]*turn)
		}
		t = new(turn)
		o.byKey[key] = t
	}
	t.callers++
	if t.callers == 1 {
		o.mu.Unlock()
		return t, nil
	}
	ready := make(chan struct{})
	t.waiting = append(t.waiting, ready)
	o.mu.Unlock()

	expired := time.NewTimer(left)
	defer expired.Stop()
	var err error
	select {
	case <-ready:
		return t, nil
	case <-ctx.Done():
		err = contextError(ctx)
	case <-expired.C:
		err = errBusy
	}
	o.mu.Lock()
	i := slices.Index(t.waiting, ready)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.callers--
	}
	o.mu.Unlock()
	if i < 0 { // it became ours as we gave up
		o.release(key, t)
	}
	return nil, err
}

// release hands the turn to whoever is next.
func (o *objects) release(key string, t *turn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.callers--
	if len(t.waiting) == 0 {
		o.drop(key, t)
		return
	}
	close(t.waiting[0])
	t.waiting = slices.Delete(t.waiting, 0, 1)
}

// drop forgets an object that nobody needs, now or when its fence is over.
func (o *objects) drop(key string, t *turn) {
	left := t.fence.left()
	if left <= 0 {
		delete(o.byKey, key)
		return
	}
	if t.ending {
		return
	}
	t.ending = true
	time.AfterFunc(left, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		t.ending = false
		if t.callers == 0 && o.byKey[key] == t {
			o.drop(key, t)
		}
	})
}

// stalled notes that a write may still land until then.
func (t *turn) stalled(action string, body []byte, until time.Time) {
	if until.After(t.fence.until) {
		t.fence = fence{action + string(body), until}
	}
}

// fenced returns how long a write has to wait.
func (t *turn) fenced(action string, body []byte) time.Duration {
	left := t.fence.left()
	if left <= 0 || t.fence.write == action+string(body) {
		return 0
	}
	return left
}
