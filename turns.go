package licensing

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// inTurn does what belongs together while no other write to the object is under
// way, of this client or of those who have its locker.
func (w *write) inTurn(ctx context.Context, do func(context.Context, *turn.Turn) error) error {
	for {
		err := w.inOneTurn(ctx, do)
		if err != errMoved {
			return err
		}
	}
}

// errMoved says that the name of the write's object is another one's by now, before
// anything was written.
var errMoved = errors.New("the name was given away")

// inOneTurn is inTurn, unless the object turns out to be another one.
func (w *write) inOneTurn(ctx context.Context, do func(context.Context, *turn.Turn) error) error {
	begin := w.beginning(ctx)
	t, err := w.client.recent.turns.Take(begin, w.key, w.client.service.Allowed(&w.request))
	if err != nil {
		return w.gaveUp(begin, err)
	}
	defer t.Release()
	if w.client.locker != nil {
		return w.locked(ctx, t, do)
	}
	err = do(ctx, t)
	w.fence(t)
	return err
}

// fence keeps other writes to the object away as long as a request of this one may
// still land.
func (w *write) fence(t *turn.Turn) {
	if !w.last.Late.IsZero() {
		t.Stall(w.text(), w.last.Late)
	}
}

// beginning returns the context in which the write waits: in a run that is drained
// only what was sent goes on.
func (w *write) beginning(ctx context.Context) context.Context {
	if w.seat != nil && w.last.Attempts == 0 {
		return w.seat.fresh
	}
	return ctx
}

// contextError returns why ctx ended.
func (w *write) contextError(ctx context.Context) error {
	if context.Cause(ctx) == error(errDrained) {
		return errDrained
	}
	return w.client.service.ContextError(ctx)
}

// alone waits until no other write to the object is under way that began by another
// name of it, and reports whether it had to.
func (w *write) alone(ctx context.Context, t *turn.Turn) (bool, error) {
	waited, err := t.Alone(ctx, w.client.service.Allowed(&w.request))
	if err != nil {
		return waited, w.gaveUp(ctx, err)
	}
	return waited, nil
}

// gaveUp returns the error of a write whose turn did not come.
func (w *write) gaveUp(ctx context.Context, err error) error {
	if !errors.Is(err, turn.ErrBusy) {
		err = w.contextError(ctx)
	}
	return w.unmade(err, 0)
}

// passFence waits until an earlier write that stalled can no longer undo this
// one. One that was the same may still make what this one asks for: until it can no
// longer, a refusal is not all that there is to know.
func (w *write) passFence(ctx context.Context, t *turn.Turn) error {
	earlier, wait := t.Fence()
	ctx = w.beginning(ctx)
	switch {
	case wait == 0:
		return nil
	case earlier == w.text():
		if late := time.Now().Add(wait); late.After(w.last.Late) {
			w.last.Late = late
		}
		return nil
	case ctx.Err() != nil:
		return w.unmade(w.contextError(ctx), 0)
	case wait >= w.client.service.Left(ctx, &w.request):
		return w.unmade(errFenced, wait)
	}
	if w.rest(ctx, wait) != nil {
		return w.unmade(w.contextError(ctx), 0)
	}
	return nil
}

// rest waits.
func (w *write) rest(ctx context.Context, d time.Duration) (err error) {
	w.resting(func() { err = w.client.service.Sleep(ctx, d) })
	return err
}

// resting waits for what wait does. A run has room for others meanwhile.
func (w *write) resting(wait func()) {
	if w.seat != nil {
		w.seat.member.Idle()
		w.seat.rests(true)
		defer w.seat.rests(false)
	}
	wait()
}

var errFenced = errors.New("an earlier write to the same object stalled and may still land")

// text tells the write from others to the object.
func (w *write) text() string { return w.request.Action + string(w.request.Body) }

// learn notes that an object goes by the id and the name in an answer about it, and
// by what it was asked for by, whose key is asked. What is learned decides who
// waits for whom, and never where a request goes. It returns the object's key.
func (c *Client) learn(asked string, o graph.Object, id, name string) (key string) {
	key = asked
	if o.IsGroup() || graph.User(id).GUID() == "" { // a group has no other name
		return key
	}
	if o.GUID() == "" {
		key = graph.User(id).Key()
		c.recent.join(asked, key)
	}
	of := graph.User(name)
	if name == "" || of.GUID() != "" || strings.EqualFold(name, o.Name()) {
		return key
	}
	var byName, byID [128]byte // on the stack: nearly always nothing is new
	if !c.recent.turns.Joined(of.AppendKey(byName[:0]), append(byID[:0], key...)) {
		c.recent.join(of.Key(), key)
	}
	return key
}
