package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// UpdateUserServicePlans switches service plans of a SKU on or off that a user
// has directly, leaves the others as they are, and returns the user. Where
// nothing changes, that is the user as read, and nothing is written.
//
// It reads the direct assignment and the tenant's SKUs and then writes. Calls of
// one client to one user, addressed in the same way, wait for each other. Since
// reads lag behind, for five minutes a client goes by what it wrote itself,
// unless a read shows something newer; what another client changed meanwhile can
// be undone. Switching Exchange off starts the 30 days to the mailbox's end.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// User.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (change contradicts itself, or names no User plan
// of the SKU), [ErrInherited] (only from groups, which are named: change those),
// [ErrNotAssigned], [ErrUnknownSKU], and those of [Client.AssignUserLicense].
//
// Graph: https://learn.microsoft.com/graph/api/user-assignlicense
func (c *Client) UpdateUserServicePlans(ctx context.Context, user string, skuID uuid.UUID, change ServicePlanChange) (*User, error) {
	return updatePlans[*User](ctx, c, "update user service plans", graph.User(user), skuID, change)
}

// UpdateGroupServicePlans switches service plans of a SKU on or off that a
// group has, leaves the others as they are, and returns the group. The members
// follow later; see [Client.WaitForGroup]. Where nothing changes, nothing is
// written.
//
// It works and warns as [Client.UpdateUserServicePlans] does, except that a
// group's licenses carry no times: for those five minutes the client's own write
// always counts.
//
// Permission: LicenseAssignment.ReadWrite.All, LicenseAssignment.Read.All and
// Group.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (change contradicts itself, or names no User plan
// of the SKU), [ErrNotAssigned], [ErrUnknownSKU], and those of
// [Client.AssignGroupLicense].
//
// Graph: https://learn.microsoft.com/graph/api/group-assignlicense
func (c *Client) UpdateGroupServicePlans(ctx context.Context, groupID string, skuID uuid.UUID, change ServicePlanChange) (*Group, error) {
	return updatePlans[*Group](ctx, c, "update group service plans", graph.Group(groupID), skuID, change)
}

// A holder is a resource whose own licenses can be told.
type holder interface {
	resource
	// holding returns the direct assignment of a SKU and when it was made, or
	// the ids of the groups that it comes from alone.
	holding(sku uuid.UUID) (license AssignedLicense, at time.Time, groups []string, ok bool)
}

func (u *User) holding(sku uuid.UUID) (license AssignedLicense, at time.Time, groups []string, ok bool) {
	states, _ := u.held()
	for _, state := range states {
		switch {
		case state.SKUID != sku:
		case state.AssignedByGroup != "":
			groups = append(groups, state.AssignedByGroup)
		default:
			license, at, ok = AssignedLicense{SKUID: sku, DisabledPlans: state.DisabledPlans}, state.LastUpdatedDateTime, true
		}
	}
	return license, at, groups, ok
}

func (g *Group) holding(sku uuid.UUID) (license AssignedLicense, at time.Time, groups []string, ok bool) {
	i := slices.IndexFunc(g.AssignedLicenses, func(l AssignedLicense) bool { return l.SKUID == sku })
	if i < 0 {
		return AssignedLicense{}, time.Time{}, nil, false
	}
	return g.AssignedLicenses[i], time.Time{}, nil, true
}

func updatePlans[R holder](ctx context.Context, c *Client, op string, obj graph.Object, skuID uuid.UUID, change ServicePlanChange) (R, error) {
	var none R
	if skuID == uuid.Nil {
		return none, invalid(op, "skuID is the nil UUID")
	}
	if err := change.check(op); err != nil {
		return none, err
	}
	return edit(ctx, c, op, obj, func(e *editor[R]) (AssignLicenseRequest, error) {
		current, err := e.current(ctx, skuID)
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
		if err != nil || samePlans(next.DisabledPlans, listed) {
			return AssignLicenseRequest{}, err
		}
		return AssignLicenseRequest{AddLicenses: []AssignedLicense{next}}, nil
	})
}

// An editor works out a change of what an object has, on the strength of what it
// has now.
type editor[R holder] struct {
	write *write // that the change is to be
	into  R
	all   []SubscribedSKU // the tenant's, once they were read
}

// edit works out a change in the object's turn, and makes it unless it is
// empty.
func edit[R holder](ctx context.Context, c *Client, op string, obj graph.Object, plan func(*editor[R]) (AssignLicenseRequest, error)) (R, error) {
	var none R
	w, err := c.newWrite(ctx, op, obj, http.MethodPost, "/assignLicense")
	if err != nil {
		return none, err
	}
	turn, err := w.takeTurn(ctx)
	if err != nil {
		return none, err
	}
	defer turn.Release()
	// What may still land would make the read worthless.
	if err := w.passFence(ctx, turn); err != nil {
		return none, err
	}
	into := w.into.(R)
	change, err := plan(&editor[R]{write: &w, into: into})
	if unread, ok := errors.AsType[*DecodeError](err); ok { // which would say that a change was accepted
		return none, refused(&w.request, ErrUnavailable, "%v", unread)
	}
	if err != nil {
		return none, err
	}
	if len(change.AddLicenses)+len(change.RemoveLicenses) > 0 {
		if err := w.assigning(&change).makeInTurn(ctx, turn); err != nil {
			return none, err
		}
	}
	into.identify(obj)
	return into, nil
}

// current reads the direct assignment of a SKU.
func (e *editor[R]) current(ctx context.Context, sku uuid.UUID) (AssignedLicense, error) {
	license, groups, ok, err := e.holding(ctx, sku)
	switch {
	case err != nil:
		return license, err
	case ok:
		return license, nil
	case len(groups) > 0:
		return license, refused(&e.write.request, ErrInherited, "license %s comes from group %s", sku, strings.Join(groups, ", "))
	}
	return license, refused(&e.write.request, ErrNotAssigned, "license %s is not assigned", sku)
}

// holding reads what the object has of a SKU. What this client has lately
// written counts, unless the read shows something newer.
func (e *editor[R]) holding(ctx context.Context, sku uuid.UUID) (license AssignedLicense, groups []string, ok bool, err error) {
	c, request := e.write.client, &e.write.request
	if e.into.id() == "" {
		read := rereading(request, e.into)
		if err := c.get(ctx, &read, e.into); err != nil {
			return AssignedLicense{}, nil, false, err
		}
		e.into.identify(request.Object)
	}
	license, at, groups, ok := e.into.holding(sku)
	if w, known := c.recent.license(e.write.key, sku); known && !at.Truncate(time.Second).After(w.at) { // answers tell whole seconds
		return w.license, groups, !w.removed, nil
	}
	return license, groups, ok, nil
}

// sku returns one of the tenant's SKUs.
func (e *editor[R]) sku(ctx context.Context, id uuid.UUID) (SubscribedSKU, error) {
	request := &e.write.request
	if e.all == nil {
		all, err := collect(listed(ctx, e.write.client, listing{op: request.Op, object: graph.Tenant, action: "/subscribedSkus", within: request}, item[SubscribedSKU]))
		if err != nil {
			return SubscribedSKU{}, err
		}
		e.all = all
	}
	i := slices.IndexFunc(e.all, func(s SubscribedSKU) bool { return s.SKUID == id })
	if i < 0 {
		return SubscribedSKU{}, refused(request, ErrUnknownSKU, "the tenant has no SKU %s", id)
	}
	return e.all[i], nil
}
