package licensing

import (
	"errors"
	"fmt"
	"slices"
)

// Taken are the operations that were taken in.
type taken struct {
	in      int               // so many
	open    int               // and so many were not delivered
	window  int               // that there may be, those at rest not counted
	resting int               // of those that are open
	waiting map[string]*queue // by object
	named   map[string]*queue // those of them whose key may turn out to be a name
	left    map[string]error  // objects of which an operation was left, and why; later ones are not sent
	strays  []string          // those of them whose key may turn out to be a name
}

// A queue has the operations on one object behind the one that is under way.
type queue struct {
	key   string
	jobs  []*job
	busy  int    // under way: one, or more that were begun before their objects were known to be one
	rests bool   // the one under way does, and they with it
	into  *queue // that it became a part of
}

// top is the queue that counts.
func (q *queue) top() *queue {
	for q.into != nil {
		q = q.into
	}
	return q
}

// hasRoom reports whether another operation may be taken in. Those at rest take
// no room, so that others are sent meanwhile, unless they are very many.
func (t *taken) hasRoom() bool { return t.open-min(t.resting, 10*t.window) < t.window }

// rest notes that the operation under way on an object rests, or goes on.
func (t *taken) rest(q *queue, rests bool) {
	if q.rests == rests {
		return
	}
	q.rests = rests
	if n := 1 + len(q.jobs); rests {
		t.resting += n
	} else {
		t.resting -= n
	}
}

// leftOf returns why no operation on an object is sent, if one was left.
func (t *taken) leftOf(key string, of func(string) string) error {
	if why, ok := t.left[key]; ok {
		return why
	}
	for _, name := range t.strays {
		if of(name) == key {
			return t.left[name]
		}
	}
	return nil
}

// leave notes that an operation was left, after which no other one on its object
// is sent. One that lacks a seat is no reason to keep a removal back.
func (t *taken) leave(q *queue, result *OperationResult) {
	o := result.Outcome()
	if o != OutcomeUnknown && o != OutcomeNotSent || errors.Is(result.Err, ErrNoAvailableLicenses) {
		return
	}
	t.left[q.key] = &stop{kind: ErrStopped, cause: fmt.Errorf("%w: an earlier operation on the same object ended as %s", ErrStopped, o)}
	if t.named[q.key] != nil {
		t.strays = append(t.strays, q.key)
	}
}

// join puts queues together whose keys are by now known to be names of one object.
func (t *taken) join(key string, of func(string) string) {
	for name, q := range t.named {
		if of(name) != key {
			continue
		}
		delete(t.named, name)
		delete(t.waiting, name)
		to := t.waiting[key]
		if to == nil {
			q.key, t.waiting[key] = key, q
			continue
		}
		t.rest(q, false)
		t.rest(to, false)
		to.busy += q.busy
		to.jobs = append(to.jobs, q.jobs...)
		slices.SortFunc(to.jobs, func(a, b *job) int { return a.result.Index - b.result.Index })
		q.jobs, q.into = nil, to
	}
}
