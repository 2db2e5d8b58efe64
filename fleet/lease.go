package fleet

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errLapsed = errors.New("fleet: the lease ran out")

// A lease is a context that ends unless it is renewed in time. Err goes by the
// clock, since in a process that was stopped and wakes no timer has run yet.
type lease struct {
	context.Context
	end    context.CancelCauseFunc
	length time.Duration
	timer  *time.Timer

	mu    sync.Mutex
	until time.Time // by the clock that does not stand still when a process does
	wall  time.Time // by the one that does not when the machine does
}

// newLease returns a lease that was taken at a time.
func newLease(ctx context.Context, length time.Duration, at time.Time) *lease {
	l := &lease{length: length}
	l.Context, l.end = context.WithCancelCause(ctx)
	l.set(at)
	l.timer = time.AfterFunc(time.Until(l.until), l.look)
	return l
}

func (l *lease) set(at time.Time) {
	l.until = at.Add(l.length)
	l.wall = l.until.Round(0)
}

// look ends the lease if its time is over, and looks again when it will be.
func (l *lease) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Context.Err() != nil {
		return
	}
	now := time.Now()
	if left := min(l.until.Sub(now), l.wall.Sub(now.Round(0))); left > 0 {
		l.timer.Reset(left)
		return
	}
	l.end(errLapsed)
}

// Err reports whether the lease is over.
func (l *lease) Err() error {
	l.mu.Lock()
	now := time.Now()
	over := !now.Before(l.until) || !now.Round(0).Before(l.wall)
	l.mu.Unlock()
	if over {
		l.end(errLapsed)
	}
	return l.Context.Err()
}

// renew says that the lease was renewed by what was sent at a time, and reports
// whether it had not ended before.
func (l *lease) renew(at time.Time) bool {
	if l.Err() != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(at)
	return true
}

// A sighting is what was seen of somebody else's lease, and when it was first so. By
// that alone it is judged, so that no two clocks need to agree.
type sighting struct {
	record
	revision uint64
	at       time.Time
}

// A record is a lease as it is stored.
type record struct {
	Version int           `json:"version"`
	Lease   time.Duration `json:"lease"`         // ns, that its holder has after each renewal
	Fence   time.Duration `json:"fence"`         // ns, that its holder's requests may still land for then
	Over    bool          `json:"over,omitzero"` // it was given up or taken away, and does not come back
}

// lapsed reports whether nothing of the lease's holder can land any more.
func (s *sighting) lapsed() bool { return time.Since(s.at) > s.Lease+s.Fence }
