package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/graphlicensing/licensing"
)

const opApply = "apply"

// ApplyOptions configure [Apply].
type ApplyOptions struct {
	// MaxRemovals is how many people may lose a license or a service plan that they
	// have directly. 0 means nobody, and a negative value means no limit. A group
	// counts as one. [ChangeSet.Removals] returns the number for a set.
	MaxRemovals int
	// Bulk configures the writes: their pace, Drain, Progress and the rest. Total
	// defaults to the number of changes. Progress also counts changes that need no
	// write, and StopAfterFailures also counts reads that failed. MaxOutage applies to
	// writes. The run also ends if reads fail for 15 minutes.
	Bulk licensing.BulkOptions
	// WaitForGroups waits until each group's change has reached the members. It then
	// reads the members whose license is in error into Result.Members. Apply polls a
	// few groups at a time. If somebody else changes a group meanwhile, its MembersErr
	// is ErrDrifted. Otherwise only Drain and the end of ctx limit the wait.
	WaitForGroups bool
	// ReadLag is how long reads may lag behind the writes of other clients. The default
	// is 5 min; a negative value means no lag.
	ReadLag time.Duration
}

// A Result says how a [Change] ended.
type Result struct {
	Index   int               // of the change in the set; -1 for an error of the whole run
	Change  Change            // as in the set
	Written bool              // a request was sent and Graph made the change; false if the licenses were already as planned
	Members []*licensing.User // with WaitForGroups: the members for whom a license of the group is in error
	// MembersErr says, with WaitForGroups, why the state of the members is unknown. The
	// change of the group itself was made.
	MembersErr error
	licensing.OperationResult
}

// Apply makes the changes of a set and returns the result of each as soon as it is
// known. Results therefore come in a different order than the changes. Each change
// has exactly one result.
//
// Nobody loses anything unless MaxRemovals allows it. Apply reads each object again
// first. If it matches After, the change is done without a write. If it matches
// neither Before nor After, Apply leaves it alone. If a SKU is short of seats,
// changes that need a seat wait for changes that free one.
//
// Apply sleeps for up to ReadLag while a read may be too old: if an object has
// drifted, or if within ReadLag of the plan it matches After or is not found. When
// an outage begins, up to Concurrency times BatchSize writes are already in Bulk.
// Bulk sends them after the outage without another read.
//
// Apply can be killed at any point and run again with the same set, also by another
// process. Drain ends the run cleanly. As in [licensing.Client.Bulk], when ctx
// ends, the outcome of requests under way is unknown, and a break loses results.
//
// Permission: LicenseAssignment.ReadWrite.All, User.Read.All, and Group.Read.All
// for groups (and to read members in error, with WaitForGroups); delegated or
// application.
//
// Errors, in the results: [ErrTooManyRemovals] (Index is -1, nothing was sent),
// [ErrDrifted], [licensing.ErrInvalidArgument] (Index is -1; the set contradicts
// itself), and those of [licensing.Client.Bulk] and [licensing.Client.User].
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
