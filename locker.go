package licensing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// A Locker keeps other processes from writing to the same user or group. It also
// passes on what one process wrote to the next. See [WithLocker].
type Locker interface {
	// Lock waits until it holds the lock of key, or until ctx ends. The key is an
	// object id in lower case. Lock derives held from ctx, and ends held when the
	// lock is lost.
	//
	// The client checks held.Err before each attempt. The Err of a lease can
	// compare the clock, so that a process that was suspended sends nothing more
	// when it wakes. Ctx stays open until Unlock has returned. A Locker with leases
	// must renew the lease until Unlock is called or ctx ends.
	Lock(ctx context.Context, key string) (held context.Context, l Lock, err error)
}

// A Lock is a lock that a [Locker] granted. It is held until Unlock.
type Lock interface {
	// Note returns the note that the last holder passed to Unlock, unchanged. It
	// returns nil if the Locker keeps no notes. A Locker that keeps notes should
	// return an empty note where none is stored: after nil the client assumes that
	// others may have written.
	Note() []byte
	// Unlock releases the lock. It keeps note for the next holder in any process,
	// for at least ten minutes. The client calls Unlock once, even if the lock was
	// lost.
	Unlock(ctx context.Context, note []byte) error
}

// WithLocker makes several processes take turns to write to a user or group. Each
// write and each edit holds the lock of its object, in [Client.Bulk] too. The order
// of calls within one client does not change.
//
// The key of a lock is the object's id. If the client does not know the id yet, it
// reads it, which needs User.Read.All. A write fails with [ErrLocked] if the lock
// is refused, or is lost before anything was sent. If the lock is lost while a
// request is under way, the outcome of the write is unknown.
//
// A note says what was written recently, and until when a request may still land.
// It has a few KiB at most, and contains ids of SKUs and service plans but no
// person's name. With the note, an edit knows what another process wrote even if
// reads do not show it yet. The clocks of the machines should agree to within a few
// seconds. If Unlock fails to keep a note, the client logs that, and the next
// holder does without the note.
//
// Some lockers keep no notes, such as the advisory locks of a database. If a read
// then differs from what the client wrote, the client cannot tell an old state from
// a later write by another process. An edit therefore reads for ten seconds and
// then trusts what it reads, unless a time proves otherwise. If reads lag for
// longer than that, the edit undoes the latest write, no matter whose it is. After
// a write whose outcome is unknown, the client releases such a lock only when the
// call has ended and no request can land any more.
func WithLocker(l Locker) Option {
	return func(s *settings) error {
		if l == nil {
			return errors.New("locker is nil")
		}
		s.locker = l
		return nil
	}
}

var (
	errLockLost = errors.New("the lock was lost")
	errNoLock   = errors.New("the locker returned neither a lock nor an error")
)

// locked does what is done in turn, under the object's lock.
func (w *write) locked(ctx context.Context, t *turn.Turn, do func(context.Context, *turn.Turn) error) error {
	o, err := w.object(ctx, t)
	if err != nil {
		return err
	}
	if !t.Of(w.key) {
		return errMoved
	}
	l, err := w.lock(ctx, o)
	switch begin := w.beginning(ctx); {
	case err != nil && begin.Err() != nil:
		e := w.unmade(w.contextError(begin), 0)
		e.kinds = append(e.kinds, ErrLocked)
		return e
	case err != nil:
		return refused(&w.request, ErrLocked, "%w", foreign{err})
	}
	defer w.unlock(t, l)
	if err := w.adopt(t, l); err != nil {
		return refused(&w.request, ErrLocked, "the note of the last holder cannot be read: %w", err)
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.held, func() { cancel(errLockLost) })()
	within := &heldContext{inner, l.held, cancel}
	err = do(within, t)
	w.fence(t)
	if context.Cause(within) == errLockLost {
		err = w.lost(err)
	}
	return err
}

// A heldContext ends when a lock is lost. Its Err asks the lock's own context, which
// knows better than its Done whether a lease is over when the process was stopped.
type heldContext struct {
	context.Context
	held context.Context
	end  context.CancelCauseFunc
}

func (c *heldContext) Err() error {
	if c.held.Err() != nil {
		c.end(errLockLost)
	}
	return c.Context.Err()
}

// lost returns the error of a write whose lock was lost, where it ended by that.
func (w *write) lost(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !ended(e.cause) {
		return err
	}
	e.cause = errLockLost
	if !w.last.Doubted {
		e.kinds = []error{ErrLocked}
	}
	return e
}

// A heldLock is a lock that the locker gave. It is had until it is given up, also
// when the caller's context has ended.
type heldLock struct {
	Lock
	key     string // of the object that is locked
	held    context.Context
	release context.CancelCauseFunc // of the context that the locker got
	note    []byte                  // as it was when the lock was given
	noted   bool                    // it was read
}

// lock waits for the lock of an object, for no longer than the policy allows.
func (w *write) lock(ctx context.Context, o graph.Object) (*heldLock, error) {
	own, release := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &heldLock{key: o.Key(), release: release}
	var err error
	w.resting(func() {
		late := time.AfterFunc(w.client.service.Allowed(&w.request), func() { release(turn.ErrBusy) })
		defer late.Stop()
		begin := w.beginning(ctx)
		defer context.AfterFunc(begin, func() { release(w.contextError(begin)) })()
		l.held, l.Lock, err = w.client.locker.Lock(own, strings.ToLower(o.Name()))
	})
	if err == nil && (l.held == nil || l.Lock == nil) {
		err = errNoLock
	}
	if why := context.Cause(own); why != nil {
		err = why
	}
	if err == nil {
		return l, nil
	}
	if l.Lock != nil {
		l.note = l.Note()
		w.giveUp(l, l.note)
	}
	release(nil)
	return nil, err
}

// unlock gives a lock up, with a note of what was written.
func (w *write) unlock(t *turn.Turn, l *heldLock) {
	fence := t.Until()
	note := w.client.recent.export(l.key, fence)
	if fence.IsZero() || l.note != nil || !l.noted {
		w.giveUp(l, note)
		return
	}
	// Nobody may learn from a note what can still land.
	time.AfterFunc(time.Until(fence), func() {
		defer func() {
			if p := recover(); p != nil { // there is nobody to whom it could be passed on
				w.warn(fmt.Errorf("panic: %v", p))
			}
		}()
		w.giveUp(l, note)
	})
}

// giveUp unlocks. A failure is no failure of the write, which was made.
func (w *write) giveUp(l *heldLock, note []byte) {
	defer l.release(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held), unlockTime)
	defer cancel()
	if err := l.Unlock(ctx, note); err != nil {
		w.warn(err)
	}
}

// warn logs that a lock was not given up.
func (w *write) warn(err error) {
	w.client.service.Warn(context.Background(), "the lock of a user or group could not be released", &w.last, slog.String("reason", err.Error()))
}

const unlockTime = 30 * time.Second

// adopt takes in what the last holder of the object's lock wrote.
func (w *write) adopt(t *turn.Turn, l *heldLock) error {
	l.note, l.noted = l.Note(), true
	w.noNotes = l.note == nil
	if len(l.note) == 0 {
		return nil
	}
	note, err := readNote(l.note)
	if err != nil {
		return err
	}
	t.Stall("", note.Fence)
	w.client.recent.adopt(l.key, note)
	return nil
}

// object returns the write's object by its id. Where that is not known it is read,
// and then nobody else writes to the object any more by its id.
func (w *write) object(ctx context.Context, t *turn.Turn) (graph.Object, error) {
	o := w.request.Object
	if o.HasID() {
		return o, nil
	}
	if id, ok := strings.CutPrefix(w.client.recent.turns.Key(w.key), "user "); ok && o != graph.Me && graph.User(id).HasID() {
		return graph.User(id), nil
	}
	var user userAnswer
	read := rereading(&w.request, &user)
	read.Query = "$select=id,userPrincipalName"
	var carry graph.Carrier
	if w.seat != nil {
		carry = w.seat.member.Carry
	}
	err := w.client.getBy(ctx, &read, carry)
	if e, ok := errors.AsType[*Error](err); ok && e.cause == nil {
		e.cause = errors.New("the user's id, which is the key of the lock, could not be read")
	}
	switch o = graph.User(user.ID); {
	case err != nil:
		return o, unreadError(&w.request, err)
	case !o.HasID():
		return o, refused(&w.request, ErrUnavailable, "the answer has no user id, which is the key of the lock")
	}
	_, err = w.alone(ctx, t)
	return o, err
}
