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
	// Drain ends the run in good order when it is closed: nothing more is taken in
	// or sent for the first time, which gives ErrStopped, and what was sent goes on
	// until it is settled. A context's Done from signal.NotifyContext fits.
	Drain <-chan struct{}
	// Progress, unless nil, is called for each result before it is delivered,
	// and every second, by the goroutine that ranges over the results.
	Progress func(BulkProgress)
	// MaxOutage is how long an outage is waited out: requests about three
	// objects or more failed, one after the other, by the service or the way to it.
	// Meanwhile hardly anything is sent, and attempts are not used up. By default
	// 15 min; a negative one is no limit. Half a minute is enough for an unknown
	// host, a bad certificate or a token that is refused, as long as Graph never
	// answered the client: then it may be what was configured that is wrong.
	MaxOutage time.Duration
	// StopAfterFailures, unless 0, ends the run after so many operations that
	// failed or whose outcome is unknown. Those that were taken in and not sent yet
	// fail with ErrStopped. What the run itself keeps back does not count.
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
	Failed    int           // operations that failed
	Unknown   int           // operations that may have been made
	NotSent   int           // operations that the run did not send
	Throttled int           // times that an operation was refused for its frequency, and sent again
	Rate      float64       // operations a second, over the last ten seconds
	Elapsed   time.Duration // since the start
	Left      time.Duration // estimated time left, negative where Total is not known, or nothing to tell it by
}

// Bulk makes many operations as fast as Graph allows, and returns what became of
// each as soon as it is known, so in another order than theirs.
//
// Operations on one object are made in the order of the input, each when the
// result of the one before was delivered; different objects do not wait for each
// other. After an operation that ended unknown or was not sent, later ones on the
// same object are not sent either, so that a run that goes on from there overtakes
// nothing. The input is read on a goroutine of its own, a few hundred operations
// ahead, and must not block forever. Ranging again runs again.
//
// When BulkOptions.Drain is closed, what was sent is settled, and everything that
// was taken in has a result. When ctx ends, what is under way is in doubt; its Err is
// asked last before each request, and may know that sooner than its Done. A break
// is worse: it waits for the requests under way, which may be writes, and gives up
// the results that are left, theirs as well. Drain, and range to the end.
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
var errDrained = &stop{kind: ErrStopped, cause: fmt.Errorf("%w: it is drained", ErrStopped)}

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
