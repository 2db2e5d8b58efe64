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

// BulkOptions configure [Client.Bulk]. Zero fields take their defaults.
type BulkOptions struct {
	// Concurrency is how many requests are under way at a time, at most 100. The
	// default of 4 is enough for Graph's quota.
	Concurrency int
	// BatchSize is how many operations one request carries, at most 20. The default
	// is 20. With 1 each operation is sent without a batch.
	BatchSize int
	// Total is how many operations there are, if known. It is used only for the
	// estimate in BulkProgress.
	Total int
	// Drain ends the run cleanly when it is closed. Operations that were sent
	// finish. All others get ErrStopped, and no more input is taken. To drain on a
	// signal, use the Done channel of a context from signal.NotifyContext.
	Drain <-chan struct{}
	// Progress is called before each result is delivered, and once a second. It
	// runs on the goroutine that ranges over the results. It may be nil.
	Progress func(BulkProgress)
	// MaxOutage is how long the run waits out an outage. The default is 15 min; a
	// negative value removes the limit. An outage begins when requests about three
	// or more objects in a row fail because of the service or the network. During
	// an outage almost nothing is sent, and attempts do not count. If Graph has
	// never answered this client, the cause may be a wrong setting: then an unknown
	// host, a bad certificate or a refused token ends the run after 30 seconds.
	MaxOutage time.Duration
	// StopAfterFailures ends the run after this many operations failed or have an
	// unknown outcome. 0 means no limit. Operations that were not sent yet get
	// ErrStopped. Operations that the run itself did not send do not count as
	// failures.
	StopAfterFailures int
	// StopAddingWithoutSeats stops the run from adding a SKU once Graph has refused
	// it for lack of seats. Later operations that add the SKU fail at once with
	// ErrNoAvailableLicenses. This includes operations that would only change the
	// plans of a user who has the SKU. Removals go on.
	StopAddingWithoutSeats bool
}

// BulkProgress says how far a [Client.Bulk] run has come.
type BulkProgress struct {
	Total     int           // as in BulkOptions
	Done      int           // operations that were made
	Failed    int           // operations that failed
	Unknown   int           // operations that may have been made
	NotSent   int           // operations that the run did not send
	Throttled int           // how often an operation was throttled and sent again
	Rate      float64       // operations a second, over the last ten seconds
	Elapsed   time.Duration // since the start
	Left      time.Duration // estimated time left; negative if unknown, such as without Total
}

// Bulk makes many operations as fast as Graph allows, and returns the result of
// each as soon as it is known. Results therefore come in a different order than the
// operations.
//
// Operations on one object are made in the order of the input. Each operation
// starts after the result of the previous one was delivered. Different objects do
// not wait for each other. After an operation that was not sent or whose outcome is
// unknown, later ones on the same object are not sent either, so a resumed run
// keeps the order. A separate goroutine takes the input, a few hundred operations
// ahead. The input must not block forever. Ranging again makes all operations
// again.
//
// To stop early, close BulkOptions.Drain and keep ranging: operations that were
// sent finish, and every operation taken from the input has a result. When ctx
// ends, the outcome of requests under way is unknown. Bulk checks ctx.Err before
// each request, even if ctx.Done is not closed yet. Warning: breaking out of the
// loop loses results. The break waits for the requests under way, which may be
// writes, and discards all remaining results.
//
// Permission: those of the single methods.
//
// Errors, in the results: those of the single methods, [ErrInvalidArgument] (Index
// is -1 if the options are invalid), [ErrStopped] (the run ended before the
// operation was sent), [ErrThrottled] (for longer than MaxWait or ctx allows).
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
		go r.source.feed(operations)
		defer r.close()
		r.deliver(yield)
	}
}

const progressTime = 10 * time.Second // that the rate in BulkProgress is of

// check says what keeps a run from being made, and fills in what is not set.
func (o *BulkOptions) check(c *Client, ctx context.Context, operations iter.Seq[Operation]) error {
	const op = "bulk"
	if err := c.check(ctx, op); err != nil {
		return err
	}
	switch {
	case operations == nil:
		return invalid(op, "operations is nil")
	case o.Total < 0:
		return invalid(op, "Total is negative")
	case o.StopAfterFailures < 0:
		return invalid(op, "StopAfterFailures is negative")
	}
	o.MaxOutage = cmp.Or(o.MaxOutage, longestOutage)
	if o.MaxOutage < 0 {
		o.MaxOutage = graph.Forever
	}
	return checkCrew(op, &o.Concurrency, &o.BatchSize)
}

// Limits say when a run stops.
type limits struct {
	drain    <-chan struct{}
	failures int  // after so many, unless 0
	seats    bool // no additions of a SKU that was refused for want of seats

	mu       sync.Mutex
	failed   int
	seatless map[uuid.UUID]bool
}

// note notes a failure.
func (l *limits) note(r *OperationResult) {
	if r.Outcome() == OutcomeNotSent {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	if !errors.Is(r.Err, ErrNoAvailableLicenses) {
		return
	}
	adds := r.Operation.Request.AddLicenses
	var named []uuid.UUID
	if e, ok := errors.AsType[*Error](r.Err); ok {
		named = e.SKUIDs
	}
	if l.seatless == nil {
		l.seatless = make(map[uuid.UUID]bool)
	}
	for _, license := range adds {
		if len(adds) == 1 || slices.Contains(named, license.SKUID) {
			l.seatless[license.SKUID] = true
		}
	}
}

// drained reports whether nothing more is to be begun.
func (l *limits) drained() bool {
	select {
	case <-l.drain:
		return true
	default:
		return false
	}
}

// reached reports whether the run has had the failures that end it.
func (l *limits) reached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures > 0 && l.failed >= l.failures
}

// errDrained is why an operation is not begun any more.
var errDrained = &stop{kind: ErrStopped, cause: fmt.Errorf("%w: Drain was closed", ErrStopped)}

// veto says why an operation that was never sent, and asks for change, is not to
// be.
func (l *limits) veto(change AssignLicenseRequest) error {
	if l.drained() {
		return errDrained
	}
	if l.reached() {
		return &stop{kind: ErrStopped, cause: fmt.Errorf("%w: StopAfterFailures is %d", ErrStopped, l.failures)}
	}
	if !l.seats {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, license := range change.AddLicenses {
		if l.seatless[license.SKUID] {
			return &stop{
				kind:  ErrNoAvailableLicenses,
				cause: fmt.Errorf("%w of SKU %s for an earlier operation", ErrNoAvailableLicenses, license.SKUID),
				skus:  []uuid.UUID{license.SKUID},
			}
		}
	}
	return nil
}

// A progress is how far a run has come.
type progress struct {
	tell    func(BulkProgress) // nil: nobody is told
	started time.Time
	tally   BulkProgress
	ends    pace.Meter
}

// ticks returns a channel that says when to report without a result.
func (p *progress) ticks() (tick <-chan time.Time, stop func()) {
	if p.tell == nil {
		return nil, func() {}
	}
	ticker := time.NewTicker(time.Second)
	return ticker.C, ticker.Stop
}

// count notes a result.
func (p *progress) count(result OperationResult) {
	switch result.Outcome() {
	case OutcomeDone:
		p.tally.Done++
	case OutcomeUnknown:
		p.tally.Unknown++
	case OutcomeNotSent:
		p.tally.NotSent++
	default:
		p.tally.Failed++
	}
	p.ends.Add(time.Now(), 1)
}

// report tells the progress.
func (p *progress) report(batcher *batch.Batcher, pacer *pace.Pacer) {
	if p.tell == nil {
		return
	}
	now, told := time.Now(), p.tally
	told.Throttled = batcher.Throttled()
	told.Elapsed = now.Sub(p.started)
	told.Rate = p.ends.PerSecond(now)
	if told.Elapsed > 0 && told.Elapsed < p.ends.Span {
		told.Rate *= p.ends.Span.Seconds() / told.Elapsed.Seconds()
	}
	told.Left = -1
	if left := told.Total - told.Done - told.Failed - told.Unknown - told.NotSent; told.Total > 0 {
		told.Left = pacer.Estimate(max(left, 0), told.Rate)
	}
	p.tell(told)
}
