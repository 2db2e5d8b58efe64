package fleet

import (
	"slices"
	"sync"
	"time"

	"github.com/graphlicensing/licensing"
)

// A desk is between the partitions of a session and its Bulk. Begun operations go
// from here into the Bulk, and what became of them goes back to their partitions. A
// Bulk sends nothing more about an object of which it left an operation, so such
// operations are kept for the next round, which is another Bulk.
type desk struct {
	lease *lease
	room  int // operations that the partitions should have taken in, in all

	mu     sync.Mutex
	change chan struct{} // closed when something did
	ready  []*task
	out    map[int]*task // those that the Bulk has, by its index
	given  int           // to this Bulk
	kept   []*task
	since  time.Time // when the first of these was
	rounds int
	closed bool
	err    error // why the worker cannot go on
	news   int   // results that were stored in this round
}

const roundTime = 30 * time.Second // that an operation is kept for at the most while others go on

func newDesk(l *lease, room int) *desk {
	return &desk{lease: l, room: room, change: make(chan struct{}), out: make(map[int]*task)}
}

// changed does something to the desk that others may wait for.
func (d *desk) changed(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
	close(d.change)
	d.change = make(chan struct{})
}

// put takes operations that are begun, unless the desk is closed by now.
func (d *desk) put(tasks []*task) {
	back := tasks
	d.changed(func() {
		if !d.closed {
			d.ready, back = append(d.ready, tasks...), nil
		}
	})
	for _, t := range back {
		t.part.giveBack(t)
	}
}

// stored notes results that are in the log.
func (d *desk) stored(results []licensing.OperationResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.news += len(results)
}

// recall gives operations of a partition back that the Bulk does not have.
func (d *desk) recall(p *part) {
	var mine []*task
	d.changed(func() {
		d.ready = slices.DeleteFunc(d.ready, func(t *task) bool {
			if t.part == p {
				mine = append(mine, t)
			}
			return t.part == p
		})
	})
	p.giveBack(mine...)
}

// close lets the Bulk end.
func (d *desk) close() { d.changed(func() { d.closed = true }) }

// fail ends the worker's work.
func (d *desk) fail(err error) {
	d.changed(func() {
		if d.err == nil {
			d.err = err
		}
		d.closed = true
	})
}

// keep keeps an operation for the next round.
func (d *desk) keep(t *task) {
	d.changed(func() {
		if len(d.kept) == 0 {
			d.since = time.Now()
		}
		t.round = d.rounds
		d.kept = append(d.kept, t)
	})
}

// again reports whether there was a new round since a task was kept.
func (d *desk) again(t *task) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return t.round < d.rounds
}

// round begins a round, and returns how many results there were in the last.
func (d *desk) round() (news int) {
	var kept []*task
	d.changed(func() {
		kept, d.kept = d.kept, nil
		d.rounds++
		d.given = 0
		news, d.news = d.news, 0
	})
	for _, t := range kept {
		t.part.tell()
	}
	return news
}

// operations is the input of a round's Bulk.
func (d *desk) operations(yield func(licensing.Operation) bool) {
	for {
		t := d.next()
		if t == nil || !yield(t.operation) {
			return
		}
	}
}

// next waits for the next operation, and returns nil when the round is over.
func (d *desk) next() *task {
	for {
		d.mu.Lock()
		change := d.change
		var wait <-chan time.Time
		if len(d.kept) > 0 {
			left := roundTime - time.Since(d.since)
			if len(d.ready)+len(d.out) == 0 {
				left = min(left, idleTime)
			}
			if left <= 0 {
				d.mu.Unlock()
				return nil
			}
			wait = time.After(left)
		}
		if d.closed {
			d.mu.Unlock()
			return nil
		}
		if len(d.ready) > 0 {
			t := d.ready[0]
			d.ready[0] = nil
			d.ready = d.ready[1:]
			d.out[d.given] = t
			d.given++
			d.mu.Unlock()
			return t
		}
		d.mu.Unlock()
		select {
		case <-change:
		case <-wait:
			d.changed(func() {
				if len(d.ready)+len(d.out) == 0 {
					d.since = time.Time{} // nothing else came: the round is over
				}
			})
		case <-d.lease.Done():
			return nil
		}
	}
}

const idleTime = 50 * time.Millisecond

// deliver gives the result of an operation back. What comes when the lease is over
// is nobody's any more.
func (d *desk) deliver(r licensing.OperationResult) {
	if d.lease.Err() != nil {
		return
	}
	d.mu.Lock()
	t := d.out[r.Index]
	d.mu.Unlock()
	d.changed(func() { delete(d.out, r.Index) })
	t.result, t.made = r, true
	t.part.giveBack(t)
}

// failure returns why the worker cannot go on.
func (d *desk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// shut reports whether there are no further rounds.
func (d *desk) shut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// left gives back what no Bulk got.
func (d *desk) left() {
	var ready []*task
	d.changed(func() { ready, d.ready = d.ready, nil })
	for _, t := range ready {
		t.part.giveBack(t)
	}
}
