package reconcile

import (
	"context"
	"fmt"
	"iter"
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
	// default. Progress counts changes, also those that need no write, and
	// StopAfterFailures counts looks that failed, too. MaxOutage is for writes; reads
	// that fail for a quarter of an hour end the run as well.
	Bulk licensing.BulkOptions
	// WaitForGroups waits for each group until its change is applied to the members,
	// and reads those for whom a license is in error: Result.Members. It polls a few
	// groups at a time. A group that somebody else changes meanwhile has ErrDrifted in
	// MembersErr; but for that and Drain, the end of ctx is the only limit.
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
// Nobody loses anything unless MaxRemovals says so. Apply looks at each object once
// more. What is at After already is done without a write. What is neither at Before
// nor at After has changed, and is left alone. Who takes a scarce seat waits for who
// gives one back.
//
// Apply sleeps while reads may be too old to tell, for ReadLag at most: when an object
// is at After, or is not found, within ReadLag of the plan, or has changed. What waits
// in Bulk when an outage begins, Concurrency times BatchSize at most, is written after
// it without another look.
//
// Apply can be killed at any point and run again with the same set, by another process
// too. Drain ends it in good order. As in [licensing.Client.Bulk], the end of ctx
// leaves what is under way in doubt, and a break gives up results.
//
// Permission: LicenseAssignment.ReadWrite.All, User.Read.All, and Group.Read.All for
// groups (and to read members in error, with WaitForGroups); delegated or application.
//
// Errors, in the results: [ErrTooManyRemovals] (Index is -1, nothing was sent),
// [ErrDrifted], [licensing.ErrInvalidArgument] (Index is -1; the set does not agree
// with itself), and those of [licensing.Client.Bulk] and [licensing.Client.User].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func Apply(ctx context.Context, c *licensing.Client, set *ChangeSet, opts ApplyOptions) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		if err := refused(ctx, c, set, opts); err != nil {
			yield(Result{Index: -1, OperationResult: licensing.OperationResult{Index: -1, Err: err}})
			return
		}
		newApplying(ctx, c, set, opts, yield).run()
	}
}

// refused says why nothing of a set is applied.
func refused(ctx context.Context, c *licensing.Client, set *ChangeSet, opts ApplyOptions) error {
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
	for r := range c.Bulk(ctx, func(func(licensing.Operation) bool) {}, opts.Bulk) {
		return r.Err // the options'
	}
	return nil
}
