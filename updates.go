package licensing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// UpdateUserServicePlans switches service plans of a SKU that a user has directly,
// and leaves all other plans as they are. It returns the user. If something was
// written, the user has eleven default properties and no licenses; read the
// licenses with [Client.User] or [Client.WaitForUser]. If nothing had to change,
// nothing is written, and the user is the one that was read, with licenses.
//
// The call reads the user and the tenant's SKUs, and then writes. Calls of one
// client for one user take turns, and they see the client's own writes. Without
// [WithLocker] the call can undo what another process changed recently. Switching
// Exchange Online off starts a 30-day period after which the mailbox is deleted.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (change contradicts itself, or names a plan that is
// not a User plan of the SKU), [ErrInherited] (the SKU comes only from groups,
// which the text names: change it there), [ErrNotAssigned], [ErrUnknownSKU], and
// those of [Client.AssignUserLicense].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) UpdateUserServicePlans(ctx context.Context, user string, skuID uuid.UUID, change ServicePlanChange) (*User, error) {
	return asUser(c.updatePlans(ctx, "update user service plans", graph.User(user), skuID, change))
}

// UpdateGroupServicePlans switches service plans of a SKU that a group has, and
// leaves all other plans as they are. It returns the group. The members get the
// change later; see [Client.WaitForGroup]. If nothing had to change, nothing is
// written.
//
// It reads and writes as [Client.UpdateUserServicePlans] does, with one difference.
// A group's licenses carry no times, so for five minutes the client's own write
// always counts as the latest one.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// Group.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (change contradicts itself, or names a plan that is
// not a User plan of the SKU), [ErrNotAssigned], [ErrUnknownSKU], and those of
// [Client.AssignGroupLicense].
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) UpdateGroupServicePlans(ctx context.Context, groupID string, skuID uuid.UUID, change ServicePlanChange) (*Group, error) {
	return asGroup(c.updatePlans(ctx, "update group service plans", graph.Group(groupID), skuID, change))
}

func (c *Client) updatePlans(ctx context.Context, op string, obj graph.Object, skuID uuid.UUID, change ServicePlanChange) (answer, error) {
	if skuID == uuid.Nil {
		return nil, invalid(op, "skuID is the nil UUID")
	}
	if err := change.check(op); err != nil {
		return nil, err
	}
	return c.edit(ctx, op, obj, func(e *editor) (AssignLicenseRequest, error) {
		current, err := e.current(skuID)
		if err != nil {
			return AssignLicenseRequest{}, err
		}
		sku, err := e.sku(ctx, skuID)
		if err != nil {
			return AssignLicenseRequest{}, err
		}
		next, err := change.apply(op, current, sku)
		listed := slices.DeleteFunc(slices.Clone(current.DisabledPlans), func(id uuid.UUID) bool {
			_, ok := planOf(sku, id)
			return !ok // it is off by being no more
		})
		if err != nil || samePlans(next.DisabledPlans, listed) && !e.doubts(skuID) {
			return AssignLicenseRequest{}, err
		}
		return AssignLicenseRequest{AddLicenses: []AssignedLicense{next}}, nil
	})
}

// An editor works out a change of what an object has, on the strength of what it
// has now.
type editor struct {
	write *write            // that the change is to be
	found []AssignedLicense // of what was asked for
	all   []SubscribedSKU   // the tenant's, once they were read
}

// edit works out a change in the object's turn, and makes it unless it is
// empty.
func (c *Client) edit(ctx context.Context, op string, obj graph.Object, plan func(*editor) (AssignLicenseRequest, error)) (answer, error) {
	w, err := c.newEdit(ctx, op, obj)
	if err != nil {
		return nil, err
	}
	e := editor{write: w}
	err = w.inTurn(ctx, func(ctx context.Context, t *turn.Turn) error {
		for again := true; ; again = false {
			var change AssignLicenseRequest
			err := e.read(ctx, t)
			if err == nil {
				change, err = plan(&e)
			}
			if err != nil || change.empty() {
				return unreadError(&w.request, err)
			}
			again = again && e.doubts(change.skus()...)
			w.assign(change)
			err = w.makeInTurn(ctx, t, e.found)
			if !again || !gone(err) || errors.Is(err, ErrOutcomeUnknown) {
				return err
			} // else it is told that the change in doubt was made
		}
	})
	if err != nil {
		return nil, err
	}
	w.into.identify(obj)
	return w.into, nil
}

// unreadError returns err, and in place of one that a read could not be decoded,
// which would say that a change was accepted, one that says so.
func unreadError(req *graph.Request, err error) error {
	if unread, ok := errors.AsType[*DecodeError](err); ok {
		return refused(req, ErrUnavailable, "%v", unread)
	}
	return err
}

// read reads what the object has, at a time when nobody else writes to it, and when
// nothing may still land that was written before. What this client has lately
// written counts, unless the read shows something newer.
func (e *editor) read(ctx context.Context, t *turn.Turn) error {
	w := e.write
	for begun := time.Now(); ; {
		if err := w.passFence(ctx, t); err != nil {
			return err
		}
		e.found = nil
		read := rereading(&w.request, w.into)
		err := w.client.look(ctx, &read, nil)
		if err == nil {
			err = notTold(w.request.Op, w.into)
		}
		if err != nil {
			return err
		}
		if !t.Of(w.key) {
			return errMoved
		}
		// The read may have told that the object is one to which others write by
		// another name.
		waited, err := w.alone(ctx, t)
		if err != nil {
			return err
		}
		if write, fenced := t.Fence(); waited || fenced > 0 && write != w.text() {
			continue
		}
		if settled, err := e.settle(ctx, time.Since(begun)); settled || err != nil {
			return err
		}
	}
}

// settle has the read show what this client wrote, and reports whether it is what
// to go by. Where others write and leave no notes, what differs may be theirs, or of
// before: if reads go on showing it for a while, it is theirs.
func (e *editor) settle(ctx context.Context, waited time.Duration) (bool, error) {
	w := e.write
	if !w.noNotes {
		w.client.recent.show(w.key, w.into)
		return true, nil
	}
	later, open := w.client.recent.showOlder(w.key, w.into)
	if len(open) > 0 && waited < settling {
		return false, w.pause(ctx, firstPoll)
	}
	if theirs := append(later, open...); len(theirs) > 0 {
		w.client.recent.failed(w.key, AssignLicenseRequest{RemoveLicenses: theirs}, nil, refuted)
	}
	return true, nil
}

// settling is how long a read that differs from what was written may be of before.
const settling = 10 * time.Second

// current returns the direct assignment of a SKU.
func (e *editor) current(sku uuid.UUID) (AssignedLicense, error) {
	h, groups := e.holding(sku)
	switch {
	case h.there:
		return h.AssignedLicense, nil
	case slices.Contains(e.write.client.recent.added(e.write.key, nil), sku):
		return AssignedLicense{}, refused(&e.write.request, ErrUnavailable, "license %s may have been assigned by a change in doubt, and reads do not show it yet", sku)
	case len(groups) > 0:
		return AssignedLicense{}, refused(&e.write.request, ErrInherited, "license %s comes from group %s", sku, strings.Join(groups, ", "))
	}
	return AssignedLicense{}, refused(&e.write.request, ErrNotAssigned, "license %s is not assigned", sku)
}

// holding returns what the object has of a SKU, and the groups that it has it from.
func (e *editor) holding(sku uuid.UUID) (holding, []string) {
	h, _, groups := e.write.into.holding(sku)
	if h.there {
		e.found = append(e.found, h.AssignedLicense)
	}
	return h, groups
}

// doubts reports whether it is not known what this client made of a SKU last, so
// that a read that shows it as it is to be is not enough.
func (e *editor) doubts(skus ...uuid.UUID) bool {
	return e.write.client.recent.doubts(e.write.key, skus...)
}

// sku returns one of the tenant's SKUs.
func (e *editor) sku(ctx context.Context, id uuid.UUID) (SubscribedSKU, error) {
	request := &e.write.request
	if e.all == nil {
		all, err := e.write.client.subscribed(ctx, request.Op, request)
		if err != nil {
			return SubscribedSKU{}, err
		}
		e.all = all
	}
	i := skuOf(e.all, id)
	if i < 0 {
		return SubscribedSKU{}, refused(request, ErrUnknownSKU, "the tenant has no SKU %s", id)
	}
	return e.all[i], nil
}
