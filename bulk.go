package licensing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/pace"
)

// BulkOptions say how [Client.Bulk] goes about its work. Zero fields take
// their defaults.
type BulkOptions struct {
	// Concurrency is how many requests are under way at a time, 100 at most; by
	// default 4, which is enough for the quota of Graph.
	Concurrency int
	// BatchSize is how many operations go into one request, 20 at most, which
	// is the default. With 1 each is sent by itself.
	BatchSize int
	// Total is how many operations there are, where that is known. It serves
	// the estimate in BulkProgress alone.
	Total int
	// Progress, unless nil, is called for each result before it is delivered,
	// and every second, by the goroutine that ranges over the results.
	Progress func(BulkProgress)
	// StopAfterFailures, unless 0, ends the run after so many failures.
	// Operations that were taken in and not sent yet fail with ErrStopped.
	// What StopAddingWithoutSeats keeps back does not count.
	StopAfterFailures int
	// StopAddingWithoutSeats makes operations that add a SKU fail at once with
	// ErrNoAvailableLicenses when an earlier one of the run was refused for
	// want of seats of that SKU, also those for users who have it already and
	// would get other plans. Removals go on.
	StopAddingWithoutSeats bool
}

// BulkProgress is how far a [Client.Bulk] has come.
type BulkProgress struct {
	Total     int           // as in BulkOptions
	Done      int           // operations that were made
	Failed    int           // operations that failed or whose outcome is unknown
	Throttled int           // times that an operation was refused for its frequency, and sent again
	Rate      float64       // operations a second, over the last ten seconds
	Elapsed   time.Duration // since the start
	Left      time.Duration // estimated time left, negative where Total is not known
}

// Bulk makes many operations as fast as Graph allows, and returns what became of
// each as soon as it is known, so in another order than theirs.
//
// Operations on one object are made in the order of the input, each when the
// result of the one before was delivered; different objects do not wait for each
// other. The input is read on a goroutine of its own, a few hundred operations
// ahead, and must not block forever. When ctx ends nothing more is taken in, and
// what was still gets its result. A break waits for the requests under way and
// gives up the results that are left. Ranging again runs again.
//
// Permission: those of the single methods.
//
// Errors, in the results: those of the single methods, [ErrInvalidArgument]
// (Index is -1 if it is the options'), [ErrStopped] (the run ended before it was
// sent), [ErrThrottled] (for longer than MaxWait or ctx allows).
//
// Graph: https://learn.microsoft.com/graph/json-batching
func (c *Client) Bulk(ctx context.Context, operations iter.Seq[Operation], opts BulkOptions) iter.Seq[OperationResult] {
	return func(yield func(OperationResult) bool) {
		opts := opts
		if err := opts.check(c, ctx, operations); err != nil {
			yield(OperationResult{Index: -1, Err: err})
			return
		}
		r := newRun(ctx, c, opts)
		input := r.input
		go r.read(operations)
		defer r.close(input)
		r.deliver(yield)
	}
}

const (
	maxConcurrency = 100
	progressTime   = 10 * time.Second // that the rate in BulkProgress is of
)

// check says what keeps a run from being made, and fills in what is not set.
func (o *BulkOptions) check(c *Client, ctx context.Context, operations iter.Seq[Operation]) error {
	const op = "bulk"
	if err := c.check(ctx, op); err != nil {
		return err
	}
	switch {
	case operations == nil:
		return invalid(op, "operations is nil")
	case o.Concurrency < 0 || o.Concurrency > maxConcurrency:
		return invalid(op, "Concurrency is not between 0 and %d", maxConcurrency)
	case o.BatchSize < 0 || o.BatchSize > batch.Most:
		return invalid(op, "BatchSize is not between 0 and %d", batch.Most)
	case o.Total < 0:
		return invalid(op, "Total is negative")
	case o.StopAfterFailures < 0:
		return invalid(op, "StopAfterFailures is negative")
	}
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	o.BatchSize = cmp.Or(o.BatchSize, batch.Most)
	return nil
}

// newOperation returns the write that makes an operation.
func (c *Client) newOperation(ctx context.Context, o Operation) (*write, error) {
	switch o.Kind {
	case OperationAssignUser:
		return c.newAssign(ctx, "assign user license", graph.User(o.Target), o.Request)
	case OperationAssignGroup:
		return c.newAssign(ctx, "assign group license", graph.Group(o.Target), o.Request)
	case OperationReprocessUser:
		return c.newReprocess(ctx, "reprocess user license", graph.User(o.Target))
	case OperationSetUsageLocation:
		return c.newLocation(ctx, o.Target, o.UsageLocation)
	}
	return nil, invalid("bulk", "Kind of the operation is %q, which is none", o.Kind)
}

// A run is one range over a Bulk. An operation that was taken in has a
// goroutine while it is the first of its object; its requests meet those of
// others in the batcher.
type run struct {
	ctx     context.Context // the caller's
	queue   context.Context // ends with ctx or a break; nothing is sent any more
	drop    context.CancelFunc
	client  *Client
	opts    BulkOptions
	batcher *batch.Batcher
	window  int // operations taken in and not delivered, at the most

	input    chan Operation
	wanted   chan struct{} // an operation is, which is then taken in; closed at the end
	panicked any           // what the input panicked with
	results  chan *job
	jobs     sync.WaitGroup
	workers  sync.WaitGroup

	// Of the goroutine that ranges.
	taken   int
	waiting map[string][]*job // by object, behind the one that is under way
	open    int               // taken in and not delivered

	started time.Time
	tally   BulkProgress
	ends    pace.Meter

	mu       sync.Mutex
	failures int
	seatless map[uuid.UUID]bool
}

// A job is an operation that was taken in.
type job struct {
	write  *write // nil for one that cannot be made
	result OperationResult
}

func newRun(ctx context.Context, c *Client, opts BulkOptions) *run {
	r := &run{
		ctx:      ctx,
		client:   c,
		opts:     opts,
		window:   4 * opts.Concurrency * opts.BatchSize, // room for what waits to be sent again
		input:    make(chan Operation),
		wanted:   make(chan struct{}, 1),
		waiting:  make(map[string][]*job),
		seatless: make(map[uuid.UUID]bool),
		started:  time.Now(),
		tally:    BulkProgress{Total: opts.Total},
		ends:     pace.Meter{Span: progressTime},
	}
	r.results = make(chan *job, r.window) // so that nobody waits to be delivered
	r.queue, r.drop = context.WithCancel(ctx)
	r.batcher = batch.New(ctx, r.queue, c.service, opts.BatchSize)
	for range opts.Concurrency {
		r.workers.Go(r.batcher.Work)
	}
	return r
}

// read reads the input, one operation each time that one is wanted.
func (r *run) read(operations iter.Seq[Operation]) {
	defer close(r.input)
	defer func() { r.panicked = recover() }()
	if _, ok := <-r.wanted; !ok {
		return
	}
	for op := range operations {
		op.Request = op.Request.clone() // the input goes on, and may use its slices again
		r.input <- op
		if _, ok := <-r.wanted; !ok {
			return
		}
	}
}

// deliver runs until everything that was taken in is delivered.
func (r *run) deliver(yield func(OperationResult) bool) {
	var tick <-chan time.Time
	if r.opts.Progress != nil {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		tick = ticker.C
	}
	ended := r.ctx.Done()
	wanting, more := false, true // an operation of the input
	for {
		if r.ctx.Err() != nil || r.stopped() || r.batcher.Halted() != nil {
			more, ended = false, nil
		}
		switch {
		case more && !wanting && r.open < r.window:
			r.wanted <- struct{}{}
			wanting = true
		case !more && !wanting:
			r.batcher.Full()
			if r.open == 0 {
				return
			}
		}
		select {
		case op, ok := <-r.input: // comes only when it is wanted
			wanting = false
			if ok {
				r.take(op)
			} else {
				more = false
				r.input = nil
			}
		case done := <-r.results:
			r.open--
			r.count(done.result)
			r.report()
			if !yield(done.result) {
				return
			}
			r.startNext(done) // not before the caller has noted this one
		case <-tick:
			r.report()
		case <-ended:
		}
	}
}

// take takes an operation in, and starts it unless another one is under way on
// the same object.
func (r *run) take(op Operation) {
	j := &job{result: OperationResult{Index: r.taken, Operation: op}}
	r.taken++
	r.open++
	w, err := r.client.newOperation(r.queue, op)
	if err != nil {
		r.end(j, err)
		return
	}
	w.request.Started = time.Time{} // operations wait for each other, without a limit
	j.write = w
	if queue, busy := r.waiting[w.key]; busy {
		r.waiting[w.key] = append(queue, j)
		return
	}
	r.waiting[w.key] = nil
	r.start(j)
}

func (r *run) start(j *job) {
	j.write.member = r.batcher.Join(func() error { return r.veto(j.write.change) })
	r.jobs.Go(func() {
		defer j.write.member.Leave() // by then it is known whether the run goes on
		r.make(j)
	})
}

// startNext starts the operation that waited for one on the same object.
func (r *run) startNext(done *job) {
	if done.write == nil {
		return
	}
	key := done.write.key
	queue := r.waiting[key]
	if len(queue) == 0 {
		delete(r.waiting, key)
		return
	}
	r.waiting[key] = queue[1:]
	r.start(queue[0])
}

// make makes an operation.
func (r *run) make(j *job) {
	w := j.write
	var err error
	if halted := r.batcher.Halted(); halted != nil { // at once, even where it had to wait for its turn
		err = w.unmade(halted.Err, halted.After)
	} else if veto := r.veto(w.change); veto != nil {
		err = w.unmade(veto, 0)
	} else {
		err = w.make(r.queue)
	}
	if _, unread := errors.AsType[*DecodeError](err); unread {
		w.into = newAnswer(w.request.Object)
		w.into.identify(w.request.Object)
	}
	j.result.Attempts = w.last.Attempts
	r.end(j, err)
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
		r.failed(j)
		r.batcher.Sift()
	}
	r.results <- j
}

// failed notes a failure for the conditions to stop on.
func (r *run) failed(j *job) {
	if errors.As(j.result.Err, new(*stop)) || errors.As(j.result.Err, new(*pace.GateError)) {
		return // it was kept back
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	if !errors.Is(j.result.Err, ErrNoAvailableLicenses) {
		return
	}
	adds := j.result.Operation.Request.AddLicenses
	var named []uuid.UUID
	if e, ok := errors.AsType[*Error](j.result.Err); ok {
		named = e.SKUIDs
	}
	for _, license := range adds {
		if len(adds) == 1 || slices.Contains(named, license.SKUID) {
			r.seatless[license.SKUID] = true
		}
	}
}

// stopped reports whether the run has had the failures that end it.
func (r *run) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opts.StopAfterFailures > 0 && r.failures >= r.opts.StopAfterFailures
}

// veto says why an operation that was never sent, and asks for change, is not to
// be.
func (r *run) veto(change AssignLicenseRequest) error {
	if r.stopped() {
		return &stop{kind: ErrStopped, cause: fmt.Errorf("%w: StopAfterFailures is %d", ErrStopped, r.opts.StopAfterFailures)}
	}
	if !r.opts.StopAddingWithoutSeats {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, license := range change.AddLicenses {
		if r.seatless[license.SKUID] {
			return &stop{
				kind:  ErrNoAvailableLicenses,
				cause: fmt.Errorf("%w of SKU %s for an earlier operation", ErrNoAvailableLicenses, license.SKUID),
				skus:  []uuid.UUID{license.SKUID},
			}
		}
	}
	return nil
}

// close ends the run: what is under way is waited for, what is left is dropped.
func (r *run) close(input <-chan Operation) {
	r.drop()
	r.batcher.Wake()
	r.jobs.Wait()
	r.batcher.End()
	r.workers.Wait()
	close(r.wanted)
	for range input { // until it has ended
	}
	if r.panicked != nil {
		panic(r.panicked)
	}
}

// count notes a result for the progress.
func (r *run) count(result OperationResult) {
	if result.Done() {
		r.tally.Done++
	} else {
		r.tally.Failed++
	}
	r.ends.Add(time.Now(), 1)
}

// report tells the progress.
func (r *run) report() {
	if r.opts.Progress == nil {
		return
	}
	now, p := time.Now(), r.tally
	p.Throttled = r.batcher.Throttled()
	p.Elapsed = now.Sub(r.started)
	p.Rate = r.ends.PerSecond(now)
	if p.Elapsed > 0 && p.Elapsed < r.ends.Span {
		p.Rate *= r.ends.Span.Seconds() / p.Elapsed.Seconds()
	}
	p.Left = -1
	if left := p.Total - p.Done - p.Failed; p.Total > 0 {
		p.Left = r.client.service.Pacer().Estimate(max(left, 0), p.Rate, progressTime)
	}
	r.opts.Progress(p)
}
