package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// UpdateUserServicePlans switches service plans of a SKU on or off that a user
// has directly, leaves the others as they are, and returns the user. Where nothing
// changes, nothing is written, and the user is as it was read, with licenses.
// Where something was written, the user has the eleven default properties, and no
// licenses. That it succeeded is what to trust. For the licenses read the user, by
// [Client.User] or [Client.WaitForUser].
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
	return asUser(c.updatePlans(ctx, "update user service plans", graph.User(user), skuID, change))
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
type editor struct {
	write *write            // that the change is to be
	known bool              // what the object has was read
	found []AssignedLicense // of what was asked for
	all   []SubscribedSKU   // the tenant's, once they were read
}

// edit works out a change in the object's turn, and makes it unless it is
// empty.
func (c *Client) edit(ctx context.Context, op string, obj graph.Object, plan func(*editor) (AssignLicenseRequest, error)) (answer, error) {
	w, err := c.newWrite(ctx, op, obj, http.MethodPost, "/assignLicense", nil)
	if err != nil {
		return nil, err
	}
	turn, err := w.takeTurn(ctx)
	if err != nil {
		return nil, err
	}
	defer turn.Release()
	// What may still land would make the read worthless.
	if err := w.passFence(ctx, turn); err != nil {
		return nil, err
	}
	e := editor{write: &w}
	change, err := plan(&e)
	if unread, ok := errors.AsType[*DecodeError](err); ok { // which would say that a change was accepted
		return nil, refused(&w.request, ErrUnavailable, "%v", unread)
	}
	if err != nil {
		return nil, err
	}
	if !change.empty() {
		if err := w.assigning(change).makeInTurn(ctx, turn, e.found); err != nil {
			return nil, err
		}
	}
	w.into.identify(obj)
	return w.into, nil
}

// current reads the direct assignment of a SKU.
func (e *editor) current(ctx context.Context, sku uuid.UUID) (AssignedLicense, error) {
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
func (e *editor) holding(ctx context.Context, sku uuid.UUID) (license AssignedLicense, groups []string, ok bool, err error) {
	c, into := e.write.client, e.write.into
	if !e.known {
		read := rereading(&e.write.request, into)
		if err := c.get(ctx, &read); err != nil {
			return AssignedLicense{}, nil, false, err
		}
		into.identify(read.Object)
		e.known = true
	}
	defer func() {
		if ok {
			e.found = append(e.found, license)
		}
	}()
	license, at, groups, ok := into.holding(sku)
	if w, known := c.recent.license(e.write.key, sku); known && w.outdates(license, at) {
		return w.license, groups, !w.removed, nil
	}
	return license, groups, ok, nil
}

// sku returns one of the tenant's SKUs.
func (e *editor) sku(ctx context.Context, id uuid.UUID) (SubscribedSKU, error) {
	request := &e.write.request
	if e.all == nil {
		all, err := collect(listed(ctx, e.write.client, listing{op: request.Op, object: graph.Tenant, action: "/subscribedSkus", whole: true, within: request}, item[SubscribedSKU]))
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
