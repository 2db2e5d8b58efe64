package batch

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
)

const batchTime = 20 * time.Millisecond // that a request waits for others

// A queue has the requests that wait to be sent.
type queue struct {
	size  int                    // requests in a batch
	ended func() *graph.Withheld // says why nothing is sent any more

	mu    sync.Mutex
	ready sync.Cond // there may be something to do
	waiting
	unbatched
	due     time.Time       // when a batch is sent that is not full
	members int             // under way, here or between two requests
	more    bool            // there may be further ones
	closed  bool            // the workers go
	halt    *graph.Withheld // why nothing is sent any more
}

// Waiting are the requests of a queue, and in which order they go.
type waiting struct {
	again  []*parcel // those whose member has made a request go first
	fresh  []*parcel
	probes int  // batches that were taken in an outage
	last   bool // the latest batch was of those that were made before
}

// Unbatched says that requests go by themselves, since the server has no $batch.
type unbatched struct {
	refused int       // batches in a row that the server did not understand
	alone   time.Time // until when requests go by themselves for that
}

func newQueue(size int, ended func() *graph.Withheld) *queue {
	q := &queue{size: size, ended: ended, more: true}
	q.ready.L = &q.mu
	return q
}

// put queues a request, or answers it where it is not to be sent.
func (q *queue) put(p *parcel) {
	q.mu.Lock()
	defer q.mu.Unlock()
	why := q.ended()
	if why == nil {
		why = q.halt
	}
	switch {
	case why != nil:
		p.keep(why)
		return
	case p.vetoed():
		return
	case len(q.again)+len(q.fresh) == 0:
		q.due = time.Now().Add(batchTime)
		time.AfterFunc(batchTime, q.wake)
	}
	if p.first {
		q.fresh = append(q.fresh, p)
	} else {
		q.again = append(q.again, p)
	}
	q.ready.Broadcast()
}

// keep answers a parcel that is not sent.
func (p *parcel) keep(why *graph.Withheld) { p.reply(graph.Reply{Err: why}) }

// errExpired says that the context of a request has ended.
var errExpired = &graph.Withheld{Err: errors.New("context ended")}

// expired reports whether a parcel is not to be sent since its context has ended,
// and then answers it.
func (p *parcel) expired() bool {
	if p.ctx.Err() == nil {
		return false
	}
	p.keep(errExpired)
	return true
}

// vetoed reports whether a parcel is not to be sent, and then answers it.
func (p *parcel) vetoed() bool {
	if p.expired() {
		return true
	}
	if !p.first || p.veto == nil {
		return false
	}
	why := p.veto()
	if why != nil {
		p.keep(&graph.Withheld{Err: why})
	}
	return why != nil
}

// change makes a change to the queue, for which the workers look again.
func (q *queue) change(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f()
	q.ready.Broadcast()
}

func (q *queue) wake()      { q.change(func() {}) }
func (q *queue) join(n int) { q.change(func() { q.members += n }) }
func (q *queue) full()      { q.change(func() { q.more = false }) }
func (q *queue) end()       { q.change(func() { q.closed = true }) }

// wait waits until there is a batch to send, and reports whether there is.
func (q *queue) wait() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		n := len(q.again) + len(q.fresh)
		hurry := !q.more && n >= q.members || q.single() || q.ended() != nil || !time.Now().Before(q.due)
		if n >= q.size || n > 0 && hurry {
			return true
		}
		if q.closed {
			return false
		}
		q.ready.Wait()
	}
}

// take takes a batch of no more than most, without those whose context has ended. In
// an outage it is a probe: every other one is a single request that was not made
// before, since what fails may be in those that were.
func (q *queue) take(most int, outage bool) []*parcel {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.again = slices.DeleteFunc(q.again, (*parcel).expired)
	q.fresh = slices.DeleteFunc(q.fresh, (*parcel).expired)
	if outage {
		if q.probes++; q.probes%2 == 0 && len(q.fresh) > 0 {
			return q.takeFresh()
		}
	}
	if most = min(most, q.size); q.single() {
		most = 1
	}
	if most == 1 && q.last && len(q.fresh) > 0 && len(q.again) > 0 && !q.again[0].next.Throttled {
		return q.takeFresh()
	}
	q.last = len(q.again) > 0
	var parcels []*parcel
	for len(q.again)+len(q.fresh) > 0 {
		from := &q.fresh
		if len(q.again) > 0 {
			from = &q.again
		}
		p := (*from)[0]
		if p.most > 0 {
			most = min(most, p.most)
		}
		if len(parcels) >= most {
			break
		}
		*from = (*from)[1:]
		parcels = append(parcels, p)
	}
	return parcels
}

// takeFresh takes a request that was not made before. One by one, those that fail
// would be made again and again, and nothing would show that others fail as well.
func (w *waiting) takeFresh() []*parcel {
	p := w.fresh[0]
	w.fresh, w.last = w.fresh[1:], false
	return []*parcel{p}
}

// split puts back what was refused as a whole, for its size or for one request
// in it, to be sent in parts until each request is answered for itself. Where the
// server seems to have no $batch they are of one. If it says so again at once, all
// go by themselves for a while; then it is asked again.
func (q *queue) split(parcels []*parcel, status int) {
	q.change(func() {
		half := len(parcels) / 2
		unknown := status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge
		for i, p := range parcels {
			switch {
			case unknown:
				p.most = 1
			case i < half:
				p.most = half
			default:
				p.most = len(parcels) - half
			}
		}
		if unknown {
			if q.refused++; q.refused > 1 {
				q.alone = time.Now().Add(min(time.Minute<<min(q.refused-2, 4), 15*time.Minute))
			}
		}
		q.again = append(parcels, q.again...)
		q.sifted()
	})
}

// halve has the requests of a batch that failed as a whole sent with fewer others
// the next time.
func halve(parcels []*parcel) {
	for _, p := range parcels {
		p.after = max(1, len(parcels)/2)
	}
}

// understood says that the server has $batch.
func (q *queue) understood() { q.change(func() { q.refused = 0 }) }

// single reports whether requests go by themselves. The caller has the lock.
func (u *unbatched) single() bool { return u.refused > 1 && time.Now().Before(u.alone) }

// sift answers what was never sent and is no longer to be.
func (q *queue) sift() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sifted()
}

// sifted is sift under the lock.
func (q *queue) sifted() {
	q.again = slices.DeleteFunc(q.again, (*parcel).vetoed)
	q.fresh = slices.DeleteFunc(q.fresh, (*parcel).vetoed)
}

// stop answers all that is queued, and is still to come, with the reason why it
// is not sent.
func (q *queue) stop(why *graph.Withheld) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.halt = why
	for _, p := range slices.Concat(q.again, q.fresh) {
		p.keep(why)
	}
	q.again, q.fresh = nil, nil
}

// halted returns why nothing is sent any more, if so.
func (q *queue) halted() *graph.Withheld {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.halt
}
