package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/graphlicensing/licensing"
)

const (
	fresh    = 10 * time.Second // how long what was seen may wait to be written
	recently = 5 * time.Second  // what was written in that time is what is sent ahead
)

// Writes are the changes that were looked at and are to be made, and those that Bulk
// has.
type writes struct {
	operations chan licensing.Operation
	drain      chan struct{} // of Bulk, closed when nothing more is begun
	pulse      atomic.Pointer[licensing.BulkProgress]
	ready      []sight
	sent       []int // in the order in which Bulk has them
	open       int   // of them, those without a result
	most       int   // there may be
	batch      int
	ends       []time.Time // of those that lately had a result
	inputs     bool        // have ended
	written    bool        // Bulk has ended
}

// A sight is a change whose object was seen at Before.
type sight struct {
	index int
	at    time.Time
}

func newWrites(opts licensing.BulkOptions) *writes {
	w := &writes{operations: make(chan licensing.Operation), drain: make(chan struct{})}
	w.batch = cmp.Or(opts.BatchSize, batchSize)
	w.most = w.batch * cmp.Or(opts.Concurrency, writers)
	return w
}

// write runs Bulk. It is of the crew.
func (a *applying) write() {
	opts := a.opts.Bulk
	opts.Drain = a.drain
	opts.Progress = func(p licensing.BulkProgress) {
		a.pulse.Store(&p)
		select {
		case <-a.gone: // there may be no result for long
			panic(errGone)
		default:
		}
	}
	input := func(yield func(licensing.Operation) bool) {
		for op := range a.operations {
			if !yield(op) {
				return
			}
		}
	}
	for r := range a.client.Bulk(a.ctx, input, opts) {
		if !a.post(func() { a.answered(r) }) {
			return
		}
	}
	a.post(func() {
		a.written = true
		if !a.inputs {
			a.halt(licensing.ErrStopped)
		}
	})
}

// limit is how many operations Bulk may have that have no result: what waits there
// is written without another look.
func (w *writes) limit() int {
	since := time.Now().Add(-recently)
	for len(w.ends) > 0 && w.ends[0].Before(since) {
		w.ends = w.ends[1:]
	}
	return min(w.most, max(w.batch, len(w.ends)))
}

// nextWrite returns what is written next, and nil where nothing is. What was seen too
// long ago is looked at again.
func (a *applying) nextWrite() (chan<- licensing.Operation, licensing.Operation) {
	if a.why != nil || len(a.ready) == 0 || a.open >= a.limit() {
		return nil, licensing.Operation{}
	}
	old := time.Now().Add(-fresh)
	if n := slices.IndexFunc(a.ready, func(s sight) bool { return !s.at.Before(old) }); n != 0 {
		if n < 0 {
			n = len(a.ready)
		}
		for _, s := range a.ready[:n] {
			a.begin(s.index)
		}
		a.ready = a.ready[n:]
		return nil, licensing.Operation{}
	}
	c := &a.set.Changes[a.ready[0].index]
	op := c.Operation
	op.Target, op.Resumed = c.ID, true // an earlier run may have made it
	return a.operations, op
}

// sending notes that the next write was handed to Bulk.
func (a *applying) sending() {
	a.sent = append(a.sent, a.ready[0].index)
	a.ready = a.ready[1:]
	a.open++
}

// answered takes in what became of an operation.
func (a *applying) answered(r licensing.OperationResult) {
	a.open--
	a.ends = append(a.ends, time.Now())
	if errors.Is(r.Err, licensing.ErrStopped) || errors.Is(r.Err, licensing.ErrThrottled) { // Bulk takes no more
		a.halt(fmt.Errorf("%w: %v", licensing.ErrStopped, r.Err))
	}
	result := a.result(a.sent[r.Index], r)
	result.Written = r.Done()
	a.finish(result)
}
