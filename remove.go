package licensing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/turn"
)

// RemoveUserLicenses removes SKUs that are assigned to a user directly, and returns
// the user as read afterwards. A SKU that the user does not have is not an error.
// [User.InheritedLicenses] returns what groups still give.
//
// One request removes all SKUs that reads show. A SKU that reads do not show gets a
// request of its own. Then RemoveUserLicenses reads until two reads in a row show
// that the SKUs are gone, or until ctx ends. If somebody assigns a SKU again in the
// meantime, it stays, and the returned user has it. A SKU that reads still show
// after ten minutes counts as assigned again. Removing Exchange Online starts a
// 30-day period after which the mailbox is deleted.
//
// Permission: LicenseAssignment.ReadWrite.All and User.Read.All, delegated or
// application.
//
// Errors: [ErrInvalidArgument] (no SKU; nothing was sent), [ErrPlanDependency] (a
// license that stays needs a plan of a removed SKU), [ErrUnknownSKU], the context's
// error when it ends (the text says what reads still showed), and those of
// [Client.AssignUserLicense]. After a SKU was removed, every error is an
// [ErrOutcomeUnknown] too.
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) RemoveUserLicenses(ctx context.Context, user string, skuIDs []uuid.UUID) (*User, error) {
	const op = "remove user licenses"
	skus, bad := distinct(skuIDs)
	switch {
	case bad >= 0:
		return nil, invalid(op, "skuIDs[%d] is the nil UUID", bad)
	case len(skus) == 0:
		return nil, invalid(op, "skuIDs is empty")
	}
	return c.removeLicenses(ctx, op, user, skus)
}

// RemoveAllUserLicenses removes all licenses that are assigned to a user directly,
// such as when the user leaves. It returns the user as read afterwards.
// [User.InheritedLicenses] returns what groups still give.
//
// It removes what reads show and what this client assigned in the last five
// minutes. If later reads show more licenses, it removes those too. It misses a
// license that another client assigned so recently that no read shows it. Apart
// from that, it works like [Client.RemoveUserLicenses]. Removing Exchange Online
// deletes the mailbox after 30 days.
//
// Permission: LicenseAssignment.ReadWrite.All and User.Read.All, delegated or
// application.
//
// Errors: those of [Client.RemoveUserLicenses].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) RemoveAllUserLicenses(ctx context.Context, user string) (*User, error) {
	return c.removeLicenses(ctx, "remove all user licenses", user, nil)
}

// A removal takes licenses away from a user.
type removal struct {
	client  *Client
	op      string
	user    graph.Object
	skus    []uuid.UUID // nil: all
	started time.Time
	removed map[uuid.UUID]removedAt
	part    bool // some were, and perhaps not all
}

func (c *Client) removeLicenses(ctx context.Context, op, user string, skus []uuid.UUID) (*User, error) {
	r := removal{client: c, op: op, user: graph.User(user), skus: skus, started: time.Now(), removed: make(map[uuid.UUID]removedAt)}
	if err := r.remove(ctx, skus); err != nil {
		return nil, r.failed(err)
	}
	gone, err := wait(ctx, &waiting{client: c, op: op, key: r.user.Key()}, func() (*User, error) {
		return asUser(c.read(ContextWithRawReads(ctx), op, r.user))
	}, func(u *User) (texts []string, err error) {
		left, others := r.left(u)
		if len(others) > 0 {
			err = r.remove(ctx, others)
		}
		for _, sku := range append(left, others...) {
			texts = append(texts, fmt.Sprintf("license %s is still there", sku))
		}
		return texts, err
	})
	if err != nil {
		return nil, r.failed(err)
	}
	if !raw(ctx) {
		c.recent.show(r.user.Key(), gone)
	}
	return gone, nil
}

// failed returns the error of a removal, of which a part may have been made.
func (r *removal) failed(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && (r.part || len(r.removed) > 0) && !slices.Contains(e.kinds, ErrOutcomeUnknown) {
		e.kinds = append(e.kinds, ErrOutcomeUnknown)
	}
	return err
}

// removedAt is when a SKU was taken away, by Graph's clock and by ours.
type removedAt struct{ graph, ours time.Time }

// left returns what a read shows of the SKUs that were removed, and did before they
// were, and what else is to be removed.
func (r *removal) left(u *User) (left, others []uuid.UUID) {
	direct, _ := u.DirectLicenses()
	for _, license := range direct {
		sku := license.SKUID
		_, at, _ := u.holding(sku)
		removed, ok := r.removed[sku]
		if !ok {
			removed.ours = r.started
		}
		switch {
		case r.client.recent.since(r.user.Key(), sku, removed.ours): // assigned again by the client itself
		case ok && at.Before(removed.graph.Add(clockSkew)) && time.Since(removed.ours) < 2*readLag:
			left = append(left, sku)
		case !ok && r.skus == nil:
			others = append(others, sku)
		}
	}
	return left, others
}

// remove removes SKUs, or for nil all that are there.
func (r *removal) remove(ctx context.Context, skus []uuid.UUID) error {
	w, err := r.client.newEdit(ctx, r.op, r.user)
	if err != nil {
		return err
	}
	return w.inTurn(ctx, func(ctx context.Context, t *turn.Turn) error {
		e := editor{write: w}
		if err := e.read(ctx, t); err != nil {
			return unreadError(&w.request, err)
		}
		from, _ := w.into.(*userAnswer).user().DirectLicenses()
		var there []uuid.UUID // or perhaps so
		for _, license := range from {
			there = append(there, license.SKUID)
		}
		there = append(there, r.client.recent.added(w.key, there)...)
		var hidden []uuid.UUID
		if skus != nil {
			hidden = slices.DeleteFunc(slices.Clone(skus), func(id uuid.UUID) bool { return slices.Contains(there, id) })
			there = slices.DeleteFunc(there, func(id uuid.UUID) bool { return !slices.Contains(skus, id) })
		}
		if len(there) > 0 {
			w.assign(AssignLicenseRequest{RemoveLicenses: there})
			err := w.makeInTurn(ctx, t, from)
			switch {
			case gone(err), errors.Is(err, ErrPlanDependency) && len(hidden) > 0:
				hidden = append(hidden, there...)
			case err != nil:
				return err
			default:
				r.part = true
			}
		}
		err := w.settleRemovals(ctx, hidden)
		r.part = r.part || w.altered
		if err != nil {
			return err
		}
		for _, sku := range append(hidden, there...) {
			r.removed[sku] = removedAt{w.last.Date(), time.Now()}
		}
		return nil
	})
}
