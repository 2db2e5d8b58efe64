package licensing

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// A write changes one object: it takes its turn, waits for what may still land,
// is sent, is settled where that leaves a doubt, and is remembered.
type write struct {
	client  *Client
	request graph.Request
	key     string               // of the object, by what it is known by now
	change  AssignLicenseRequest // that the request asks for, if it does
	locates bool                 // the request sets a usage location
	into    answer               // of Graph
	seat    *seat                // in a run; nil if it is made by itself

	last    graph.Answer // to the latest request, with what is known of all of them
	noNotes bool         // others write in between, and do not tell
	resumed bool         // an earlier run may have made it
	altered bool         // a part of the change was made by itself, or may have been
}

// newWrite returns a write of an object, with a body or none yet.
func (c *Client) newWrite(ctx context.Context, op string, obj graph.Object, method, action string, body []byte) (write, error) {
	w := write{client: c, key: obj.Key(), into: newAnswer(obj)}
	var err error
	w.request, err = c.newRequest(ctx, op, obj, method, action, w.into)
	w.request.Body, w.last.ID = body, w.request.ID
	return w, err
}

// newAssign returns the write that changes the licenses of one object.
func (c *Client) newAssign(ctx context.Context, op string, obj graph.Object, req AssignLicenseRequest) (*write, error) {
	change, err := req.checked(op)
	if err != nil {
		return nil, err
	}
	w, err := c.newEdit(ctx, op, obj)
	if err != nil {
		return nil, err
	}
	w.assign(change)
	return w, nil
}

// newEdit returns the write of a change of licenses that is still to be worked out;
// see [write.assign].
func (c *Client) newEdit(ctx context.Context, op string, obj graph.Object) (*write, error) {
	w, err := c.newWrite(ctx, op, obj, http.MethodPost, "/assignLicense", nil)
	return &w, err
}

// assign gives the write, which has no body yet, a change of licenses, which it
// keeps.
func (w *write) assign(change AssignLicenseRequest) {
	w.change, w.request.Body = change, change.appendJSON(nil)
}

// newReprocess returns the write that works out the licenses of a user again.
func (c *Client) newReprocess(ctx context.Context, op string, obj graph.Object) (*write, error) {
	w, err := c.newWrite(ctx, op, obj, http.MethodPost, "/reprocessLicenseAssignment", nil)
	return &w, err
}

// newOperation returns the write that makes an operation of a run. Its time has
// no limit, since operations wait for each other.
func (c *Client) newOperation(ctx context.Context, o Operation) (w *write, err error) {
	switch o.Kind {
	case OperationAssignUser:
		w, err = c.newAssign(ctx, "assign user license", graph.User(o.Target), o.Request)
	case OperationAssignGroup:
		w, err = c.newAssign(ctx, "assign group license", graph.Group(o.Target), o.Request)
	case OperationReprocessUser:
		w, err = c.newReprocess(ctx, "reprocess user license", graph.User(o.Target))
	case OperationSetUsageLocation:
		w, err = c.newLocation(ctx, o.Target, o.UsageLocation)
	default:
		err = invalid("bulk", "unknown operation kind %q", o.Kind)
	}
	if err != nil {
		return nil, err
	}
	w.request.Started = time.Time{}
	w.resumed = o.Resumed
	return w, nil
}

// finish makes the write, if there is one, and returns what Graph answered.
func finish(ctx context.Context, w *write, err error) (answer, error) {
	if err == nil {
		err = w.make(ctx)
	}
	if err != nil {
		return nil, err
	}
	return w.into, nil
}

// make makes the write when it is its turn.
func (w *write) make(ctx context.Context) error {
	return w.inTurn(ctx, func(ctx context.Context, t *turn.Turn) error {
		return w.makeInTurn(ctx, t, nil)
	})
}

// makeInTurn makes the write, and notes what it may do to those after it. From is
// what it goes by if it is an edit.
func (w *write) makeInTurn(ctx context.Context, t *turn.Turn, from []AssignedLicense) error {
	if err := w.passFence(ctx, t); err != nil {
		return err
	}
	sent := false
	defer func() {
		if !sent { // it panicked on the way
			t.Stall(w.text(), time.Now().Add(w.client.service.Policy().Fence))
		}
	}()
	err := w.send(ctx, &w.request)
	sent = true
	recent := w.client.recent
	if change := w.change; !change.empty() {
		err = w.awaitLocation(ctx, &w.request, err)
		if gone(err) {
			w.noteGone(change)
		}
		unread := false
		if len(change.RemoveLicenses) > 0 && gone(err) && (w.last.Unsure || w.last.Doubted || w.resumed || time.Now().Before(w.last.Late)) {
			err = w.settle(ctx) // which notes the parts that it makes
			unread = err == nil && !w.last.Good()
		}
		switch {
		case err == nil, w.last.Outcome == graph.Applied: // an answer that cannot be read is one
			recent.changed(w.key, change, from, w.last.Date())
		case errors.Is(err, ErrOutcomeUnknown):
			recent.failed(w.key, change, from, doubtful)
		}
		if unread {
			w.readBack(ctx)
		}
	}
	if w.locates {
		if errors.Is(err, graph.ErrBare) {
			err = w.lookUp(ctx, err)
		}
		if err == nil {
			recent.located(w.key)
		}
	}
	if err == nil {
		w.into.identify(w.request.Object)
	}
	return err
}

// send sends a request of the write, alone or with those of others. In a run there
// is time to find out what a refusal means that came while an earlier request of
// the write may still be carried out: it is sent again when that is over.
func (w *write) send(ctx context.Context, req *graph.Request) error {
	for asked := 1; ; asked++ {
		err := w.sendOnce(ctx, req)
		left := time.Until(w.last.Late)
		if w.seat == nil || left <= 0 || asked >= w.client.service.Policy().MaxAttempts ||
			judged(w.last.Status, w.last.Problem().Message) == nil || gone(err) {
			return err
		}
		if w.rest(ctx, left) != nil {
			return err // which is still in doubt
		}
	}
}

// sendOnce is send, once.
func (w *write) sendOnce(ctx context.Context, req *graph.Request) error {
	earlier := w.last.Sent
	if w.seat != nil {
		w.last = w.client.service.SendBy(ctx, req, w.seat.member.Carry)
	} else {
		w.last = w.client.service.Send(ctx, req)
	}
	w.last.Sent = w.last.Sent.Following(earlier)
	switch {
	case w.last.Good():
		id, name := w.into.Identity()
		w.key = w.client.learn(w.key, req.Object, id, name)
		return nil
	case w.last.Outcome == graph.Applied:
		return undecoded(ctx, &w.request, &w.last)
	}
	return w.failure()
}

// failure returns the error of a write that the last answer decided.
func (w *write) failure() *Error {
	e := failure(w.request.Op, &w.last, w.altered)
	if w.seat != nil && w.last.Attempts == 0 && ended(w.last.Err) {
		e.kinds = append(e.kinds, ErrStopped)
	}
	return e
}

// unmade returns the error of a write whose next request is not made, and may be
// after some time.
func (w *write) unmade(err error, after time.Duration) *Error {
	w.last.Verdict = graph.Verdict{Outcome: graph.Refused, Err: err, After: after}
	return w.failure()
}

// died returns the error of a write whose goroutine ended on the way.
func (w *write) died() *Error {
	w.last.Verdict = graph.Verdict{Outcome: graph.Doubtful, Err: batch.ErrDied}
	w.last.Doubted = true
	return w.failure()
}

// pause waits between two requests, and returns the last answer's error where
// the context ends meanwhile.
func (w *write) pause(ctx context.Context, d time.Duration) error {
	if err := w.rest(ctx, d); err != nil {
		w.last.Err = err
		return w.failure()
	}
	return nil
}

// unread empties the answer, of which a property could not be read, but for what
// the object was asked for by.
func (w *write) unread() {
	w.into = newAnswer(w.request.Object)
	w.into.identify(w.request.Object)
}

// gone reports whether a removal failed because there was nothing to remove.
func gone(err error) bool {
	return errors.Is(err, ErrNotAssigned) || errors.Is(err, ErrInherited)
}

// settle finishes a change that an earlier request may have made already: its
// removals were answered as not there to remove. Since a change is made as a
// whole or not at all, that says enough where there is one; of several each is
// sent alone. The additions follow by themselves.
func (w *write) settle(ctx context.Context) error {
	change := w.change
	w.last.Doubted = true
	if w.client.service.Policy().MaxAttempts == 1 && !w.resumed && len(change.RemoveLicenses)+len(change.AddLicenses) > 1 { // net/http sent it again, and we may not
		w.altered = true
		return w.failure()
	}
	if len(change.RemoveLicenses) > 1 {
		if err := w.settleRemovals(ctx, change.RemoveLicenses); err != nil {
			return err
		}
	}
	if len(change.AddLicenses) > 0 {
		adds := w.part(AssignLicenseRequest{AddLicenses: change.AddLicenses})
		return w.awaitLocation(ctx, &adds.request, w.sendPart(ctx, adds))
	}
	return nil
}

// noteGone notes that there was nothing to remove: of a single SKU that is as good
// as its removal, and of several it is not told of which.
func (w *write) noteGone(change AssignLicenseRequest) {
	if len(change.RemoveLicenses) == 1 {
		w.client.recent.gone(w.key, change.RemoveLicenses[0], w.last.Date())
	} else {
		w.client.recent.failed(w.key, change, nil, refuted)
	}
}

// settleRemovals removes SKUs one by one. One that another still depends on is
// tried again after it.
func (w *write) settleRemovals(ctx context.Context, skus []uuid.UUID) error {
	for len(skus) > 0 {
		var kept []uuid.UUID
		var dependency error
		for _, sku := range skus {
			removal := w.part(AssignLicenseRequest{RemoveLicenses: []uuid.UUID{sku}})
			err := w.sendPart(ctx, removal)
			switch {
			case w.last.Outcome == graph.Applied: // its answer need not be readable
				w.altered = true
			case errors.Is(err, ErrPlanDependency):
				kept, dependency = append(kept, sku), err
			case gone(err):
				w.noteGone(removal.change)
				w.altered = w.altered || w.last.Unsure
			default:
				return err
			}
		}
		if len(kept) == len(skus) {
			return dependency
		}
		skus = kept
	}
	return nil
}

// part returns the write of a part of the change, as which it is to be sent.
func (w *write) part(change AssignLicenseRequest) part {
	p := part{change, w.request}
	p.request.Body = change.appendJSON(nil)
	return p
}

// A part is a part of a change, which is sent by itself.
type part struct {
	change  AssignLicenseRequest
	request graph.Request
}

// sendPart sends a part of the change.
func (w *write) sendPart(ctx context.Context, p part) error {
	err := w.send(ctx, &p.request)
	switch {
	case w.last.Outcome == graph.Applied:
		w.client.recent.changed(w.key, p.change, nil, w.last.Date())
	case errors.Is(err, ErrOutcomeUnknown):
		w.client.recent.failed(w.key, p.change, nil, doubtful)
	}
	return err
}

// readBack gets the object for the result of a change that is known to have
// been made, but by no answer that shows it. It is a best effort.
func (w *write) readBack(ctx context.Context) {
	read := rereading(&w.request, w.into)
	read.Tries = 1
	// Of many, the reads would come all at once, and beside the pace.
	if w.seat != nil || w.client.look(ctx, &read, nil) != nil {
		w.into.Read([]byte("{}"))
		return
	}
	w.client.recent.show(w.key, w.into)
}
