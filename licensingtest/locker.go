package licensingtest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/graphlicensing/licensing"
)

// A Locker is a [licensing.Locker] in memory, for tests of several clients that
// write to one tenant. It grants locks in the order of the requests.
type Locker struct {
	notes bool

	mu    sync.Mutex
	locks map[string]*keyLock
}

// A keyLock is the state of one key.
type keyLock struct {
	holder  *heldLock
	waiting []chan struct{} // each closed when its turn comes
	note    []byte
}

// NewLocker returns a locker that keeps notes for as long as it lives.
func NewLocker() *Locker { return &Locker{notes: true, locks: make(map[string]*keyLock)} }

// NewAdvisoryLocker returns a locker that keeps no notes, like the advisory locks
// of a database.
func NewAdvisoryLocker() *Locker { return &Locker{locks: make(map[string]*keyLock)} }

var errLost = errors.New("licensingtest: lock was lost")

// Lock waits until it holds the lock of key, or until ctx ends.
func (l *Locker) Lock(ctx context.Context, key string) (held context.Context, lock licensing.Lock, err error) {
	l.mu.Lock()
	k := l.locks[key]
	if k == nil {
		k = new(keyLock)
		l.locks[key] = k
	}
	for k.holder != nil {
		ready := make(chan struct{})
		k.waiting = append(k.waiting, ready)
		l.mu.Unlock()
		select {
		case <-ready:
			l.mu.Lock()
		case <-ctx.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			if i := slices.Index(k.waiting, ready); i >= 0 {
				k.waiting = slices.Delete(k.waiting, i, i+1)
			} else if k.holder == nil { // it was called as it gave up
				k.next()
			}
			return nil, nil, context.Cause(ctx)
		}
	}
	defer l.mu.Unlock()
	held, lose := context.WithCancelCause(ctx)
	k.holder = &heldLock{locker: l, key: k, lose: lose}
	if l.notes {
		k.holder.note = append([]byte{}, k.note...)
	}
	return held, k.holder, nil
}

// next calls whoever waits longest.
func (k *keyLock) next() {
	k.holder = nil
	if len(k.waiting) > 0 {
		close(k.waiting[0])
		k.waiting = k.waiting[1:]
	}
}

// Lose takes the lock of key from its holder, as when a lease runs out. It reports
// whether there was a holder.
func (l *Locker) Lose(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.locks[key]
	if k == nil || k.holder == nil {
		return false
	}
	k.holder.lose(errLost)
	k.next()
	return true
}

// A heldLock is a lock that was given.
type heldLock struct {
	locker *Locker
	key    *keyLock
	lose   context.CancelCauseFunc
	note   []byte
}

// Note returns what the last holder left.
func (h *heldLock) Note() []byte { return h.note }

// Unlock gives the lock up. It fails where that was lost, and leaves no note then.
func (h *heldLock) Unlock(_ context.Context, note []byte) error {
	h.locker.mu.Lock()
	defer h.locker.mu.Unlock()
	if h.key.holder != h {
		return errLost
	}
	h.key.note = slices.Clone(note)
	h.key.next()
	h.lose(nil)
	return nil
}
