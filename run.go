package licensing

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/pace"
)

// A run is one range over a Bulk. An operation that was taken in has a
// goroutine while it is the first of its object; its requests meet those of
// others in the batcher. The fields from source on are of the goroutine that
// ranges, but for the limits.
type run struct {
	crew
	ctx    context.Context // the caller's
	fresh  context.Context // of the crew's queue, ends with the drain: nothing is sent for the first time
	client *Client
	events events

	source   source
	taken    taken
	limits   limits
	progress progress
}

// A seat is a write's place in a run.
type seat struct {
	member *batch.Member   // by which its requests go
	rests  func(bool)      // tells the run that the write waits, and that it goes on
	fresh  context.Context // nothing is sent for the first time when it has ended
}

// A job is an operation that was taken in.
type job struct {
	write  *write // nil for one that cannot be made
	queue  *queue // that it is the first of, or waits in
	result OperationResult
}

// Events are what the goroutines of a run tell the one that ranges. There is room
// for all, so that nobody waits to be heard.
type events struct {
	happened chan struct{} // something did

	mu   sync.Mutex
	list []event
}

// An event is what happened to a job.
type event struct {
	job  *job
	what news
}

type news int

const (
	rests  news = iota // until a time has passed
	goesOn             // after that
	isOver
)

func (e *events) add(job *job, what news) {
	e.mu.Lock()
	e.list = append(e.list, event{job, what})
	e.mu.Unlock()
	e.tell()
}

// next takes what happened first, if anything did.
func (e *events) next() (event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.list) == 0 {
		return event{}, false
	}
	first := e.list[0]
	e.list[0] = event{}
	if e.list = e.list[1:]; len(e.list) > 0 {
		e.tell()
	}
	return first, true
}

// tell says that something happened.
func (e *events) tell() {
	select {
	case e.happened <- struct{}{}:
	default:
	}
}

func newRun(ctx context.Context, c *Client, opts BulkOptions) *run {
	window := 4 * opts.Concurrency * opts.BatchSize // room for what waits to be sent again
	r := &run{
		ctx:      ctx,
		client:   c,
		events:   events{happened: make(chan struct{}, 1)},
		source:   source{operations: make(chan Operation), wanted: make(chan struct{}, 1)},
		taken:    taken{window: window, waiting: make(map[string]*queue), named: make(map[string]*queue), left: make(map[string]error)},
		limits:   limits{drain: opts.Drain, failures: opts.StopAfterFailures, seats: opts.StopAddingWithoutSeats},
		progress: progress{opts.Progress, time.Now(), BulkProgress{Total: opts.Total}, pace.Meter{Span: progressTime}},
	}
	r.gather(ctx, c, c.service.Writes(), opts.Concurrency, opts.BatchSize, opts.MaxOutage)
	r.fresh = r.queue
	if opts.Drain != nil {
		var drained context.CancelCauseFunc
		r.fresh, drained = context.WithCancelCause(r.queue)
		r.workers.Go(func() {
			select {
			case <-opts.Drain:
				drained(errDrained)
				r.batcher.Sift()
			case <-r.queue.Done():
			}
		})
	}
	return r
}

// A source has the input of a run, on a goroutine of its own.
type source struct {
	input      input
	operations chan Operation
	wanted     chan struct{} // an operation is, which is then taken in; closed at the end
}

// feed reads the input, one operation each time that one is wanted.
func (s *source) feed(operations iter.Seq[Operation]) {
	defer close(s.operations)
	s.input.run(func() {
		if _, ok := <-s.wanted; !ok {
			return
		}
		for op := range operations {
			op.Request = op.Request.clone() // the input goes on, and may use its slices again
			s.operations <- op
			if _, ok := <-s.wanted; !ok {
				return
			}
		}
	})
}

// end ends the input.
func (s *source) end() {
	close(s.wanted)
	for range s.operations { // until it has ended
	}
	s.input.passOn()
}

// deliver runs until everything that was taken in is delivered.
func (r *run) deliver(yield func(OperationResult) bool) {
	tick, stop := r.progress.ticks()
	defer stop()
	ended, drain, input := r.ctx.Done(), r.limits.drain, r.source.operations
	wanting, more := false, true // an operation of the input
	for {
		if r.ctx.Err() != nil || r.limits.reached() || r.batcher.Halted() != nil {
			more, ended = false, nil
		}
		if r.limits.drained() {
			more, drain = false, nil
		}
		switch {
		case more && !wanting && r.taken.hasRoom():
			r.source.wanted <- struct{}{}
			wanting = true
		case !more && !wanting:
			r.batcher.Full()
			if r.taken.open == 0 {
				return
			}
		}
		select {
		case op, ok := <-input: // comes only when it is wanted
			wanting = false
			if ok {
				r.take(op)
			} else {
				more, input = false, nil
			}
		case <-r.events.happened:
			if e, ok := r.events.next(); ok && !r.hear(e, yield) {
				return
			}
		case <-tick:
			r.progress.report(r.batcher, r.client.service.Writes().Pacer())
		case <-ended:
		case <-drain:
		}
	}
}

// hear takes in an event, and reports whether the caller goes on.
func (r *run) hear(e event, yield func(OperationResult) bool) bool {
	if e.what != isOver {
		r.taken.rest(e.job.queue.top(), e.what == rests)
		return true
	}
	r.taken.open--
	r.progress.count(e.job.result)
	r.progress.report(r.batcher, r.client.service.Writes().Pacer())
	if !yield(e.job.result) {
		return false
	}
	r.startNext(e.job) // not before the caller has noted this one
	return true
}

// take takes an operation in, and starts it unless another one is under way on
// the same object.
func (r *run) take(op Operation) {
	j := &job{result: OperationResult{Index: r.taken.in, Operation: op}}
	r.taken.in++
	r.taken.open++
	w, err := r.client.newOperation(r.queue, op)
	if err != nil {
		r.end(j, err)
		return
	}
	j.write = w
	w.request.Operation = int32(j.result.Index + 1)
	key := r.client.recent.turns.Key(w.key)
	known := key != w.key || w.request.Object.HasID()
	if known {
		r.taken.join(key, r.client.recent.turns.Key)
	}
	if why := r.taken.leftOf(key, r.client.recent.turns.Key); why != nil {
		r.keep(j, why)
		return
	}
	j.queue = r.taken.waiting[key]
	if j.queue == nil {
		j.queue = &queue{key: key}
		r.taken.waiting[key] = j.queue
		if !known {
			r.taken.named[key] = j.queue
		}
		r.start(j)
		return
	}
	j.queue.jobs = append(j.queue.jobs, j)
	if j.queue.rests {
		r.taken.resting++
	}
}

func (r *run) start(j *job) {
	j.queue.top().busy++
	w := j.write
	w.seat = &seat{
		member: r.batcher.Join(func() error { return r.limits.veto(w.change) }),
		rests: func(start bool) {
			what := goesOn
			if start {
				what = rests
			}
			r.events.add(j, what)
		},
		fresh: r.fresh,
	}
	r.jobs.Go(func() {
		defer w.seat.member.Leave() // by then it is known whether the run goes on
		made := false
		defer func() {
			if !made {
				r.died(recover())
				r.end(j, w.died())
			}
		}()
		err := r.make(w)
		made = true
		j.result.Attempts, j.result.MayLand = w.last.Attempts, w.last.Late
		r.end(j, err)
	})
}

// startNext starts the operation that waited for one on the same object.
func (r *run) startNext(done *job) {
	if done.write == nil {
		return
	}
	q := done.queue.top()
	q.busy--
	r.taken.leave(q, &done.result)
	if why := r.taken.left[q.key]; why != nil {
		for _, j := range q.jobs {
			r.keep(j, why)
		}
		q.jobs = nil
	}
	switch {
	case q.busy > 0:
		return
	case len(q.jobs) == 0:
		delete(r.taken.waiting, q.key)
		delete(r.taken.named, q.key)
		return
	}
	next := q.jobs[0]
	q.jobs = q.jobs[1:]
	r.start(next)
}

// keep ends a job that is not begun.
func (r *run) keep(j *job, why error) {
	w := j.write
	j.write = nil
	r.end(j, w.unmade(why, 0))
}

// make makes an operation.
func (r *run) make(w *write) error {
	var err error
	if halted := r.batcher.Halted(); halted != nil { // at once, even where it had to wait for its turn
		err = w.unmade(halted.Err, halted.After)
	} else if veto := r.limits.veto(w.change); veto != nil {
		err = w.unmade(veto, 0)
	} else {
		err = w.make(r.queue)
	}
	if _, unread := errors.AsType[*DecodeError](err); unread {
		w.unread()
	}
	return err
}

// end notes what became of a job.
func (r *run) end(j *job, err error) {
	j.result.Err = err
	if j.result.Done() {
		switch into := j.write.into.(type) {
		case *userAnswer:
			j.result.User = into.user()
		case *groupAnswer:
			j.result.Group = into.group()
		}
	} else {
		r.limits.note(&j.result)
		r.batcher.Sift()
	}
	r.events.add(j, isOver)
}

// close ends the run.
func (r *run) close() {
	r.dismiss()
	r.source.end()
	r.repanic()
}
