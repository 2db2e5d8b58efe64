package reconcile

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/graphlicensing/licensing"
)

const opApply = "apply"

// ApplyOptions say what [Apply] may do and how it goes about it.
type ApplyOptions struct {
	// MaxRemovals is how many people may lose a license or a service plan of what
	// they have directly: 0 is nobody, and a negative one is no limit. A group counts
	// as one. [ChangeSet.Removals] is the number of a set.
	MaxRemovals int
	// Bulk is for the writes: their pace, Drain, Progress and the rest. Total has a
	// default. What needs no write counts as done in Progress.
	Bulk licensing.BulkOptions
	// WaitForGroups waits for each group until its change is applied to the members,
	// and reads those for whom a license is in error: Result.Members.
	WaitForGroups bool
	// ReadLag is how long reads may lag behind the writes of other clients; by default
	// 5 min, and a negative one is none.
	ReadLag time.Duration
}

// A Result is what became of a [Change].
type Result struct {
	Index   int               // of the change in the set; -1 if no change is to blame
	Change  Change            // as in the set
	Written bool              // a request for it was sent, and Graph has it made; false where all was so already
	Members []*licensing.User // of a group, with WaitForGroups: those for whom a license of the group is in error
	// MembersErr is why, with WaitForGroups, it is not known how the members fare. The
	// change of the group itself is made.
	MembersErr error
	licensing.OperationResult
}

// Apply makes the changes of a set, and returns what became of each as soon as it is
// known, so in another order than theirs. Each change has exactly one result.
//
// Nobody loses anything unless MaxRemovals says so. It looks at each object once
// more, 20 to a request: what is at After already is done without a write, and what
// is neither at Before nor at After, also when the reads are no longer too old to
// tell, has changed and is left alone. Where a SKU is short of seats, those who give
// one back come before those who take one.
//
// It can be stopped or killed at any point and run again with the same set, by
// another process too. Drain ends it in good order. As in [licensing.Client.Bulk],
// the end of ctx leaves what is under way in doubt, and a break gives up results.
//
// Permission: LicenseAssignment.ReadWrite.All, User.Read.All, and Group.Read.All for
// groups (with WaitForGroups Directory.Read.All); delegated or application.
//
// Errors, in the results: [ErrTooManyRemovals] (Index is -1, nothing was sent),
// [ErrDrifted], [licensing.ErrInvalidArgument] (Index is -1; the set does not agree
// with itself), and those of [licensing.Client.Bulk] and [licensing.Client.User].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func Apply(ctx context.Context, c *licensing.Client, set *ChangeSet, opts ApplyOptions) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		if err := refused(ctx, set, opts); err != nil {
			yield(Result{Index: -1, OperationResult: licensing.OperationResult{Index: -1, Err: err}})
			return
		}
		a := newApplying(ctx, c, set, opts, yield)
		defer a.close()
		a.run()
	}
}

// refused says why nothing of a set is applied.
func refused(ctx context.Context, set *ChangeSet, opts ApplyOptions) error {
	switch {
	case ctx == nil:
		return invalid(opApply, "ctx is nil")
	case set == nil:
		return invalid(opApply, "set is nil")
	}
	if err := set.check(); err != nil {
		return invalid(opApply, "%v", err)
	}
	if n := set.Removals(); opts.MaxRemovals >= 0 && n > opts.MaxRemovals {
		return fmt.Errorf("%s: %w: %d of %d changes take something away, and MaxRemovals is %d", opApply, ErrTooManyRemovals, n, len(set.Changes), opts.MaxRemovals)
	}
	return nil
}

// An applying is one range over an Apply. The input of its Bulk runs on a goroutine
// of its own and looks at the objects; the fields under mu are for both.
type applying struct {
	ctx     context.Context // the caller's
	looks   context.Context // of what is read; ends with the drain, too
	stop    context.CancelFunc
	client  *licensing.Client
	set     *ChangeSet
	opts    ApplyOptions
	yield   func(Result) bool
	left    bool           // the caller has gone
	waits   sync.WaitGroup // for groups, and for the drain
	waiting int            // groups that are waited for

	mu      sync.Mutex
	sent    []int         // the changes, in the order in which Bulk has them
	open    int           // of them, those without a result
	known   []Result      // that are not delivered yet
	told    []bool        // the changes that have a result
	news    chan struct{} // there is something in known
	results chan struct{} // open has changed
	base    licensing.BulkProgress
}

func newApplying(ctx context.Context, c *licensing.Client, set *ChangeSet, opts ApplyOptions, yield func(Result) bool) *applying {
	if opts.ReadLag == 0 {
		opts.ReadLag = readLag
	}
	if opts.Bulk.Total == 0 {
		opts.Bulk.Total = len(set.Changes)
	}
	a := &applying{
		ctx: ctx, client: c, set: set, opts: opts, yield: yield,
		told: make([]bool, len(set.Changes)), news: make(chan struct{}, 1), results: make(chan struct{}, 1),
	}
	a.looks, a.stop = context.WithCancel(ctx)
	if drain := opts.Bulk.Drain; drain != nil {
		a.waits.Go(func() {
			select {
			case <-drain:
				a.stop()
			case <-a.looks.Done():
			}
		})
	}
	return a
}

// close ends what is still under way.
func (a *applying) close() {
	a.stop()
	a.waits.Wait()
}

// run makes the changes and delivers all results.
func (a *applying) run() {
	bulk := a.opts.Bulk
	bulk.Progress = a.progress
	for r := range a.client.Bulk(a.ctx, a.operations, bulk) {
		if r.Index < 0 {
			a.deliver(Result{Index: -1, OperationResult: r})
			return
		}
		if !a.flush() || !a.answered(r) {
			return
		}
	}
	for a.flush() && a.waiting > 0 {
		<-a.news
	}
	for i := range a.set.Changes {
		if !a.told[i] && !a.deliver(a.result(i, licensing.OperationResult{Err: a.stopped()})) {
			return
		}
	}
}

// stopped is why a change was not begun.
func (a *applying) stopped() error {
	if err := context.Cause(a.ctx); err != nil {
		return fmt.Errorf("%s: %w: %w", opApply, licensing.ErrStopped, err)
	}
	return fmt.Errorf("%s: %w", opApply, licensing.ErrStopped)
}

// result is the result of a change.
func (a *applying) result(i int, r licensing.OperationResult) Result {
	r.Index, r.Operation = i, a.set.Changes[i].Operation
	return Result{Index: i, Change: a.set.Changes[i], OperationResult: r}
}

// answered takes in what became of an operation, and reports whether the caller
// goes on.
func (a *applying) answered(r licensing.OperationResult) bool {
	a.mu.Lock()
	i := a.sent[r.Index]
	a.mu.Unlock()
	result := a.result(i, r)
	result.Written = r.Done()
	goesOn := a.finish(result)
	a.mu.Lock()
	a.open--
	a.mu.Unlock()
	tell(a.results)
	return goesOn
}

// finish delivers a result, for a group perhaps after its members have it.
func (a *applying) finish(r Result) bool {
	if !a.opts.WaitForGroups || !r.Change.ofGroup() || !r.Done() {
		return a.deliver(r)
	}
	a.told[r.Index] = true
	a.waiting++
	a.waits.Go(func() {
		r.Members, r.MembersErr = a.members(&r.Change)
		a.mu.Lock()
		a.known = append(a.known, r)
		a.mu.Unlock()
		tell(a.news)
	})
	return true
}

// members waits until a group's change is with its members, and returns those for
// whom it failed.
func (a *applying) members(c *Change) (failed []*licensing.User, err error) {
	if _, err := a.client.WaitForGroup(a.looks, c.ID, c.Operation.Request); err != nil {
		return nil, err
	}
	for user, err := range a.client.GroupMembersWithErrors(a.looks, c.ID) {
		if err != nil {
			return failed, err
		}
		failed = append(failed, user)
	}
	return failed, nil
}

// flush delivers what is known, and reports whether the caller goes on.
func (a *applying) flush() bool {
	a.mu.Lock()
	known := a.known
	a.known = nil
	a.mu.Unlock()
	for _, r := range known {
		goesOn := false
		if a.told[r.Index] { // a group that was waited for
			a.waiting--
			goesOn = a.deliver(r)
		} else {
			a.note(&r)
			goesOn = a.finish(r)
		}
		if !goesOn {
			return false
		}
	}
	return !a.left
}

// note counts a result that took no operation.
func (a *applying) note(r *Result) {
	switch r.Outcome() {
	case licensing.OutcomeDone:
		a.base.Done++
	case licensing.OutcomeNotSent:
		a.base.NotSent++
	default:
		a.base.Failed++
	}
}

// deliver gives the caller a result, and reports whether he goes on. If not, by a
// panic too, the input has to end, for which Bulk waits.
func (a *applying) deliver(r Result) bool {
	if a.left {
		return false
	}
	if r.Index >= 0 {
		a.told[r.Index] = true
	}
	return a.call(func() bool { return a.yield(r) })
}

func (a *applying) call(f func() bool) bool {
	a.left = true
	defer func() {
		if a.left {
			a.stop()
		}
	}()
	a.left = !f()
	return !a.left
}

// progress delivers what is known, which would else have to wait for the next
// operation, and tells how far all changes are.
func (a *applying) progress(p licensing.BulkProgress) {
	if !a.flush() || a.opts.Bulk.Progress == nil {
		return
	}
	if before := p.Total - p.Done - p.Failed - p.Unknown - p.NotSent; p.Left > 0 && before > 0 {
		p.Left = p.Left * time.Duration(max(0, before-a.base.Done-a.base.Failed-a.base.NotSent)) / time.Duration(before)
	}
	p.Done, p.Failed, p.NotSent = p.Done+a.base.Done, p.Failed+a.base.Failed, p.NotSent+a.base.NotSent
	a.call(func() bool { a.opts.Bulk.Progress(p); return true })
}

// tell says that something has happened.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
