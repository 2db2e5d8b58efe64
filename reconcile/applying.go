package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/graphlicensing/licensing"
)

// An applying is one range over an Apply. The goroutine that ranges owns all of it;
// its crew reads and writes, and tells it what happened.
type applying struct {
	*crew
	ctx    context.Context // the caller's
	client *licensing.Client
	set    *ChangeSet
	opts   ApplyOptions
	yield  func(Result) bool
	left   bool   // the caller has gone, or one of the crew died
	told   []bool // the changes that have a result
	why    error  // nothing more is begun, unless nil

	seats
	looks
	*writes
	waits
	tally
}

func newApplying(ctx context.Context, c *licensing.Client, set *ChangeSet, opts ApplyOptions, yield func(Result) bool) *applying {
	opts.ReadLag = max(0, cmp.Or(opts.ReadLag, readLag))
	opts.Bulk.Total = cmp.Or(opts.Bulk.Total, len(set.Changes))
	return &applying{
		crew: newCrew(ctx), ctx: ctx, client: c, set: set, opts: opts, yield: yield,
		told:   make([]bool, len(set.Changes)),
		seats:  newSeats(set),
		looks:  looks{names: make(chan string), until: make(map[int]time.Time)},
		writes: newWrites(opts.Bulk),
		tally:  tally{started: time.Now(), now: licensing.BulkProgress{Total: opts.Bulk.Total}},
	}
}

// run makes the changes and delivers all results.
func (a *applying) run() {
	defer a.close()
	a.goes(a.write)
	a.goes(a.readUsers)
	for i := range a.set.Changes {
		if a.take(i) {
			a.begin(i)
		}
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !a.left && !a.over() {
		a.prepare()
		a.step(tick.C)
	}
	for i := range a.set.Changes {
		if !a.told[i] {
			a.deliver(a.result(i, licensing.OperationResult{Err: fmt.Errorf("%s: %w", opApply, a.why)}))
		}
	}
}

// over reports whether no result comes any more.
func (a *applying) over() bool { return a.written && a.polled+len(a.waiting) == 0 }

// step takes in what happens next.
func (a *applying) step(tick <-chan time.Time) {
	operations, op := a.nextWrite() // before it, as what is old is looked at again
	names, name := a.nextLook()
	ended, drain := a.ctx.Done(), a.opts.Bulk.Drain
	if a.why != nil {
		ended, drain = nil, nil
	}
	select {
	case names <- name:
		a.asking()
	case operations <- op:
		a.sending()
	case happened := <-a.events:
		happened()
	case <-tick:
		a.lookAgain()
		a.report()
	case <-ended:
		a.halt(fmt.Errorf("%w: %w", licensing.ErrStopped, context.Cause(a.ctx)))
	case <-drain:
		a.halt(fmt.Errorf("%w: it is drained", licensing.ErrStopped))
	}
}

// prepare begins what there is room for, and ends what there is no more of.
func (a *applying) prepare() {
	if a.why != nil {
		a.endInputs()
	} else {
		if a.idle() && a.open == 0 {
			for _, i := range a.release() {
				a.begin(i)
			}
		}
		if a.idle() && a.held == 0 {
			a.endInputs()
		}
		a.lookAtGroups()
	}
	a.poll()
}

// endInputs says that nothing more is looked at or written.
func (a *applying) endInputs() {
	if a.inputs {
		return
	}
	a.inputs = true
	close(a.names)
	close(a.operations)
}

// halt has nothing more begun. What was sent goes on until it is settled.
func (a *applying) halt(why error) {
	if a.why != nil {
		return
	}
	a.why = why
	a.stop()
	close(a.drain)
}

// close ends what is under way.
func (a *applying) close() {
	a.halt(licensing.ErrStopped)
	a.endInputs()
	a.dismiss()
}

// result is the result of a change.
func (a *applying) result(i int, r licensing.OperationResult) Result {
	r.Index, r.Operation = i, a.set.Changes[i].Operation
	return Result{Index: i, Change: a.set.Changes[i], OperationResult: r}
}

// finish takes in what became of a change.
func (a *applying) finish(r Result) {
	for _, i := range a.giveBack(&r) {
		a.begin(i)
	}
	if failed(&r) {
		a.failures++
	}
	if most := a.opts.Bulk.StopAfterFailures; most > 0 && a.failures >= most {
		a.halt(fmt.Errorf("%w: StopAfterFailures is %d", licensing.ErrStopped, most))
	}
	if a.opts.WaitForGroups && r.Change.ofGroup() && r.Done() {
		a.waiting = append(a.waiting, r)
		return
	}
	a.deliver(r)
}

// failed reports whether StopAfterFailures counts a result.
func failed(r *Result) bool {
	_, unseen := errors.AsType[*lookError](r.Err)
	outcome := r.Outcome()
	return unseen || outcome == licensing.OutcomeFailed || outcome == licensing.OutcomeUnknown
}

// deliver gives the caller a result.
func (a *applying) deliver(r Result) {
	if a.left {
		return
	}
	a.told[r.Index] = true
	a.count(&r)
	a.report()
	a.left = !a.yield(r)
}

// A tally is how far the changes are.
type tally struct {
	started  time.Time
	now      licensing.BulkProgress
	failures int // that StopAfterFailures counts
}

func (t *tally) count(r *Result) {
	switch r.Outcome() {
	case licensing.OutcomeDone:
		t.now.Done++
	case licensing.OutcomeUnknown:
		t.now.Unknown++
	case licensing.OutcomeNotSent:
		t.now.NotSent++
	default:
		t.now.Failed++
	}
}

// report tells how far all changes are.
func (a *applying) report() {
	if a.opts.Bulk.Progress == nil {
		return
	}
	p, left := a.now, leftOf(&a.now)
	p.Elapsed, p.Left = time.Since(a.started), -1
	if w := a.pulse.Load(); w != nil {
		p.Throttled = w.Throttled
		if writes := leftOf(w); !a.written {
			p.Rate = w.Rate
			if w.Left >= 0 && writes > 0 {
				p.Left = w.Left * time.Duration(left) / time.Duration(writes)
			}
		}
	}
	if left == 0 {
		p.Left = 0
	}
	a.opts.Bulk.Progress(p)
}

// leftOf returns how many have no result.
func leftOf(p *licensing.BulkProgress) int {
	return max(0, p.Total-p.Done-p.Failed-p.Unknown-p.NotSent)
}
