package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/graphlicensing/licensing"
)

// Waits are the groups whose change was made, and whose members are waited for.
type waits struct {
	waiting []Result
	polled  int
}

// poll waits for a few groups at a time. One that is not there after a while makes
// room for the next.
func (a *applying) poll() {
	for len(a.waiting) > 0 && a.polled < readers {
		r := a.waiting[0]
		a.waiting = a.waiting[1:]
		a.polled++
		a.goes(func() {
			known := a.settle(&r)
			a.post(func() {
				a.polled--
				if known {
					a.deliver(r)
				} else {
					a.waiting = append(a.waiting, r)
				}
			})
		})
	}
}

// settle waits until a group's change is with its members, and finds those for whom
// it failed. It reports whether all is known, or nothing more will be. A read that
// does not show the change then, so long after it was made, is not too old: somebody
// made another one.
func (a *applying) settle(r *Result) bool {
	ctx, cancel := context.WithTimeout(a.looking, max(a.opts.ReadLag, longLook))
	defer cancel()
	_, err := a.client.WaitForGroup(ctx, r.Change.ID, r.Change.Operation.Request)
	switch {
	case err == nil:
		r.MembersErr = a.findFailed(r)
		return true
	case errors.Is(err, a.looking.Err()), ctx.Err() == nil:
		r.MembersErr = err
		return true
	}
	seen := readingOfGroup(a.client.Group(licensing.ContextWithRawReads(a.looking), r.Change.ID))
	if seen.state(&r.Change) == before || seen.state(&r.Change) == drifted {
		r.MembersErr = fmt.Errorf("%s: %w", opApply, ErrDrifted)
		return true
	}
	return false
}

// findFailed reads the members for whom a license of a group is in error.
func (a *applying) findFailed(r *Result) error {
	for user, err := range a.client.GroupMembersWithErrors(a.looking, r.Change.ID) {
		if err != nil {
			return err
		}
		r.Members = append(r.Members, user)
	}
	return nil
}
