package licensing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
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
	return updatePlans(ctx, c, "update user service plans", userObject(user), skuID, change, new(User))
}

// UpdateGroupServicePlans switches service plans of a SKU on or off that a
// group has, leaves the others as they are, and returns the group. The members
// follow later; see [Client.WaitForGroup]. Where nothing changes, nothing is
// written.
//
// It works and warns as [Client.UpdateUserServicePlans] does, except that a
// group's licences carry no times: for those five minutes the client's own write
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
	return updatePlans(ctx, c, "update group service plans", groupObject(groupID), skuID, change, new(Group))
}

// A holder is a resource whose own licences can be told.
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

func updatePlans[R holder](ctx context.Context, c *Client, op string, obj object, skuID uuid.UUID, change ServicePlanChange, into R) (R, error) {
	var none R
	if skuID == uuid.Nil {
		return none, invalid(op, "skuID is the nil UUID")
	}
	if err := change.check(op); err != nil {
		return none, err
	}
	return edit(ctx, c, op, obj, into, func(e *editor[R]) (AssignLicenseRequest, error) {
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

// An editor changes what an object has, on the strength of what it has now.
type editor[R holder] struct {
	call *call
	into R
	all  []SubscribedSKU // the tenant's, once they were read
}

// edit works out a change in the object's turn, and makes it unless it is
// empty.
func edit[R holder](ctx context.Context, c *Client, op string, obj object, into R, plan func(*editor[R]) (AssignLicenseRequest, error)) (R, error) {
	var none R
	call, err := c.newCall(ctx, op, obj, http.MethodPost, "/assignLicense", nil, into)
	if err != nil {
		return none, err
	}
	turn, err := call.takeTurn(ctx)
	if err != nil {
		return none, err
	}
	defer c.objects.release(call.key, turn)
	// What may still land would make the read worthless.
	if err := call.passFence(ctx, turn); err != nil {
		return none, err
	}
	change, err := plan(&editor[R]{call: call, into: into})
	if unread, ok := errors.AsType[*DecodeError](err); ok { // which would say that a change was accepted
		return none, call.refuse(ErrUnavailable, "%v", unread)
	}
	if err != nil {
		return none, err
	}
	if len(change.AddLicenses)+len(change.RemoveLicenses) > 0 {
		call.body, call.change = change.appendJSON(nil), &change
		if err := call.writeInTurn(ctx, turn); err != nil {
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
		return license, e.call.refuse(ErrInherited, "license %s comes from group %s", sku, strings.Join(groups, ", "))
	}
	return license, e.call.refuse(ErrNotAssigned, "license %s is not assigned", sku)
}

// holding reads what the object has of a SKU. What this client has lately
// written counts, unless the read shows something newer.
func (e *editor[R]) holding(ctx context.Context, sku uuid.UUID) (license AssignedLicense, groups []string, ok bool, err error) {
	if e.into.id() == "" {
		if err := e.call.subread(ctx, e.into, e.call.tries); err != nil {
			return AssignedLicense{}, nil, false, err
		}
		e.into.identify(e.call.object)
	}
	license, at, groups, ok := e.into.holding(sku)
	if w, known := e.call.client.recent.license(e.call.key, sku); known && !at.Truncate(time.Second).After(w.at) { // answers tell whole seconds
		return w.license, groups, !w.removed, nil
	}
	return license, groups, ok, nil
}

// sku returns one of the tenant's SKUs.
func (e *editor[R]) sku(ctx context.Context, id uuid.UUID) (SubscribedSKU, error) {
	if e.all == nil {
		all, err := collect(listed(ctx, e.call.client, listing{op: e.call.op, object: tenant, action: "/subscribedSkus", within: e.call}, item[SubscribedSKU]))
		if err != nil {
			return SubscribedSKU{}, err
		}
		e.all = all
	}
	i := slices.IndexFunc(e.all, func(s SubscribedSKU) bool { return s.SKUID == id })
	if i < 0 {
		return SubscribedSKU{}, e.call.refuse(ErrUnknownSKU, "the tenant has no SKU %s", id)
	}
	return e.all[i], nil
}

// subread reads the call's object, as a part of the call.
func (c *call) subread(ctx context.Context, into resource, tries int) error {
	read := &call{
		client: c.client, op: c.op, object: c.object, query: c.object.selection(), into: into,
		method: http.MethodGet, tries: tries, id: c.id, started: c.started,
	}
	return read.send(ctx)
}

// refuse returns an error of our own making about what was read.
func (c *call) refuse(kind error, format string, args ...any) *Error {
	return &Error{Op: c.op, ClientRequestID: c.id, kinds: []error{kind}, cause: fmt.Errorf(format, args...)}
}
