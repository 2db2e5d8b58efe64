package licensing

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// A Locker keeps other processes from writing to the same user or group, and hands
// what one process wrote to the next. See [WithLocker].
type Locker interface {
	// Lock waits until nobody else has the lock of key, an object id in lower case,
	// or until ctx ends. Held is made from ctx, and ends when the lock is lost: a
	// lease has to be renewed by the locker for as long as that takes.
	Lock(ctx context.Context, key string) (held context.Context, l Lock, err error)
}

// A Lock is a lock that a [Locker] gave, until Unlock.
type Lock interface {
	// Note returns what the last holder left at Unlock, as it was: nil if there was
	// none, or if the locker keeps no notes. A locker that keeps notes does better to
	// return an empty one for none; see [WithLocker].
	Note() []byte
	// Unlock gives the lock up and keeps note for the next holder, of whatever
	// process, for ten minutes at least. It is called once, even if the lock was lost.
	Unlock(ctx context.Context, note []byte) error
}

// WithLocker has writes of several processes take turns by l: each write and each
// edit has the lock of its user or group, also in a [Client.Bulk]. The order within
// one client stays as it is without one.
//
// The key is the object's id. Where the client does not know it yet, it is read,
// which needs User.Read.All. A write that the lock is refused for, or that loses it
// before anything was sent, fails with [ErrLocked]. A lock that is lost while a
// request is under way leaves that in doubt.
//
// A note says what was written lately and until when a request may still land.
// It has ids of SKUs and service plans and times of Graph and of this machine, whose
// clocks should agree to a few seconds, and is some KiB long at most. By it an edit
// knows what another process wrote though reads do not show it yet. With a locker
// that keeps no notes, such as an advisory lock of a database, an edit undoes what
// another process wrote and reads do not show yet. After a write in doubt such a
// lock is given up only when nothing can land any more, when the call has ended.
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
	id, err := w.objectID(ctx, t)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancelCause(ctx) // in which the lock is waited for, and had
	defer cancel(nil)
	held, lock, err := w.lock(within, cancel, id)
	switch {
	case err != nil && w.beginning(ctx).Err() != nil:
		ctx = w.beginning(ctx)
		e := w.unmade(w.contextError(ctx), 0)
		e.kinds = append(e.kinds, ErrLocked)
		return e
	case err != nil:
		return refused(&w.request, ErrLocked, "%w", foreign{err})
	}
	defer w.unlock(ctx, t, lock)
	w.trust = trust(lock.Note() == nil)
	if err := w.adopt(t, lock.Note()); err != nil {
		return refused(&w.request, ErrLocked, "the note of the last holder cannot be read: %w", err)
	}
	err = do(held, t)
	w.fence(t)
	if held.Err() != nil && ctx.Err() == nil {
		err = w.lost(err)
	}
	return err
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

// lock waits for the lock of an object, for no longer than the policy allows.
func (w *write) lock(ctx context.Context, cancel context.CancelCauseFunc, id string) (held context.Context, lock Lock, err error) {
	w.resting(func() {
		late := time.AfterFunc(w.client.service.Allowed(&w.request), func() { cancel(turn.ErrBusy) })
		defer late.Stop()
		begin := w.beginning(ctx)
		defer context.AfterFunc(begin, func() { cancel(w.contextError(begin)) })()
		held, lock, err = w.client.locker.Lock(ctx, id)
	})
	switch {
	case err == nil && (held == nil || lock == nil):
		return nil, nil, errNoLock
	case err != nil && context.Cause(ctx) == turn.ErrBusy:
		err = turn.ErrBusy
	case err == nil && ctx.Err() != nil:
		w.unlock(ctx, nil, lock)
		return nil, nil, context.Cause(ctx)
	}
	return held, lock, err
}

// unlock gives a lock up, with a note of what was written. T is nil if nothing was.
func (w *write) unlock(ctx context.Context, t *turn.Turn, lock Lock) {
	ctx = context.WithoutCancel(ctx)
	if t == nil {
		w.giveUp(ctx, lock, lock.Note())
		return
	}
	_, fenced := t.Fence()
	note := w.client.recent.export(w.key, fenced)
	if fenced == 0 || lock.Note() != nil {
		w.giveUp(ctx, lock, note)
		return
	}
	// Nobody may learn from a note what can still land.
	time.AfterFunc(fenced, func() { w.giveUp(ctx, lock, note) })
}

// giveUp unlocks. A failure is no failure of the write, which was made.
func (w *write) giveUp(ctx context.Context, lock Lock, note []byte) {
	ctx, cancel := context.WithTimeout(ctx, unlockTime)
	defer cancel()
	if err := lock.Unlock(ctx, note); err != nil {
		w.client.service.Warn(ctx, "the lock of a user or group could not be given up", &w.last, slog.String("reason", err.Error()))
	}
}

const unlockTime = 30 * time.Second

// adopt takes in what the last holder of the object's lock wrote.
func (w *write) adopt(t *turn.Turn, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	note, err := readNote(text)
	if err != nil {
		return err
	}
	if left := time.Until(note.Fence); left > 0 {
		t.Stall("", note.Fence)
	}
	w.client.recent.adopt(w.key, note)
	return nil
}

// objectID returns the id of the write's object. Where it is not known it is read,
// and then nobody else writes to the object any more by its id.
func (w *write) objectID(ctx context.Context, t *turn.Turn) (string, error) {
	o := w.request.Object
	if o.HasID() {
		return strings.ToLower(o.Name()), nil
	}
	if id, ok := strings.CutPrefix(w.client.recent.turns.Key(w.key), "user "); ok && graph.User(id).GUID() != "" && o != graph.Me {
		return id, nil
	}
	var user userAnswer
	read := rereading(&w.request, &user)
	read.Query = "$select=id,userPrincipalName"
	var carry graph.Carrier
	if w.member != nil {
		carry = w.member.Carry
	}
	err := w.client.getBy(ctx, &read, carry)
	if e, ok := errors.AsType[*Error](err); ok && e.cause == nil {
		e.cause = errors.New("the user's id could not be read, by which the locker locks")
	}
	if err != nil {
		return "", unreadError(&w.request, err)
	}
	if id, err := uuid.Parse(user.ID); err == nil {
		_, err := w.alone(ctx, t)
		return id.String(), err
	}
	return "", refused(&w.request, ErrUnavailable, "the user was read without an id, by which the locker locks")
}
