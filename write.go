package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// A resource is what Graph answers a call on one object with.
type resource interface {
	decode(data []byte) (failed bool, err error)
	id() string
	// identify fills in what the object was asked for by, where Graph did not
	// say it.
	identify(object)
}

// resource returns what holds an answer about the object.
func (o object) resource() resource {
	if o.kind == "group" {
		return new(Group)
	}
	return new(User)
}

func (u *User) id() string { return u.ID }

func (u *User) identify(o object) {
	if id := o.guid(); id != "" && u.ID == "" {
		u.ID = id
	} else if id == "" && u.UserPrincipalName == "" {
		u.UserPrincipalName = o.name
	}
}

func (g *Group) id() string { return g.ID }

func (g *Group) identify(o object) {
	if g.ID == "" {
		g.ID = o.name
	}
}

// newAssign returns the call that changes the licences of one object.
func (c *Client) newAssign(ctx context.Context, op string, obj object, req AssignLicenseRequest) (*call, error) {
	change, err := req.checked(op)
	if err != nil {
		return nil, err
	}
	call, err := c.newCall(ctx, op, obj, http.MethodPost, "/assignLicense", change.appendJSON(nil), obj.resource())
	if err != nil {
		return nil, err
	}
	call.change = &change
	return call, nil
}

// newReprocess returns the call that works out the licences of a user again.
func (c *Client) newReprocess(ctx context.Context, op string, obj object) (*call, error) {
	return c.newCall(ctx, op, obj, http.MethodPost, "/reprocessLicenseAssignment", nil, obj.resource())
}

// finish makes the call, if there is one, and returns what Graph answered.
func finish[R resource](ctx context.Context, call *call, err error) (R, error) {
	if err == nil {
		err = call.write(ctx)
	}
	if err != nil {
		var none R
		return none, err
	}
	return call.into.(R), nil
}

// write makes a call that changes its object, when it is its turn.
func (c *call) write(ctx context.Context) error {
	turn, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer c.client.objects.release(c.key, turn)
	return c.writeInTurn(ctx, turn)
}

// takeTurn waits until no other call writes to the object.
func (c *call) takeTurn(ctx context.Context) (*turn, error) {
	turn, err := c.client.objects.acquire(ctx, c.key, c.allowed())
	if err != nil {
		return nil, c.unmade(err, 0)
	}
	return turn, nil
}

// writeInTurn makes the write, and notes what it may do to those after it.
func (c *call) writeInTurn(ctx context.Context, turn *turn) error {
	if err := c.passFence(ctx, turn); err != nil {
		return err
	}
	err := c.send(ctx)
	if change := c.change; change != nil {
		err = c.awaitLocation(ctx, err)
		if gone(err) || errors.Is(err, ErrOutcomeUnknown) {
			c.client.recent.unknown(c.key, change)
		}
		if len(change.RemoveLicenses) > 0 && gone(err) && c.unsure {
			err = c.settle(ctx, *change) // which notes the parts that it makes
		}
		if err == nil || c.last.outcome == applied { // an answer that cannot be read is one
			c.client.recent.changed(c.key, change, c.answered())
		}
	}
	if c.locates && c.last.outcome == applied {
		c.client.recent.located(c.key)
	}
	turn.stalled(c.action, c.body, c.late)
	if err == nil {
		c.into.identify(c.object)
	}
	return err
}

// passFence waits until an earlier write that stalled can no longer undo this
// one.
func (c *call) passFence(ctx context.Context, t *turn) error {
	wait := t.fenced(c.action, c.body)
	switch {
	case wait == 0:
		return nil
	case ctx.Err() != nil:
		return c.unmade(contextError(ctx), 0)
	}
	if wait >= c.left(ctx) {
		return c.unmade(errFenced, wait)
	}
	if err := sleep(ctx, wait); err != nil {
		return c.unmade(err, 0)
	}
	return nil
}

var errFenced = errors.New("an earlier write to the same object stalled and may still land")

// gone reports whether a removal failed because there was nothing to remove.
func gone(err error) bool {
	return errors.Is(err, ErrNotAssigned) || errors.Is(err, ErrInherited)
}

// settle finishes a change that an earlier request of the call may have made
// already: its removals were answered as not there to remove. Since a change
// is made as a whole or not at all, that says enough where there is one; of
// several each is sent alone. The additions follow by themselves.
func (c *call) settle(ctx context.Context, change AssignLicenseRequest) error {
	c.doubted = true
	if c.tries == 1 && len(change.RemoveLicenses)+len(change.AddLicenses) > 1 { // net/http sent it again, and we may not
		c.altered = true
		return c.failure()
	}
	whole := c.body
	defer func() { c.body = whole }()

	if len(change.RemoveLicenses) > 1 {
		if err := c.settleRemovals(ctx, change.RemoveLicenses); err != nil {
			return err
		}
	}
	if len(change.AddLicenses) > 0 {
		return c.awaitLocation(ctx, c.resend(ctx, AssignLicenseRequest{AddLicenses: change.AddLicenses}))
	}
	if c.last.outcome != applied || c.last.unread != nil {
		c.readBack(ctx)
	}
	return nil
}

// settleRemovals removes SKUs one by one. One that another still depends on is
// tried again after it.
func (c *call) settleRemovals(ctx context.Context, skus []uuid.UUID) error {
	for len(skus) > 0 {
		var kept []uuid.UUID
		var dependency error
		for _, sku := range skus {
			err := c.resend(ctx, AssignLicenseRequest{RemoveLicenses: []uuid.UUID{sku}})
			switch {
			case c.last.outcome == applied: // its answer need not be readable
				c.altered = true
			case errors.Is(err, ErrPlanDependency):
				kept, dependency = append(kept, sku), err
			case gone(err):
				c.altered = c.altered || c.unsure
			default:
				return err
			}
		}
		if len(kept) == len(skus) {
			return dependency
		}
		skus = kept
	}
	return nil
}

// resend sends a part of the change.
func (c *call) resend(ctx context.Context, part AssignLicenseRequest) error {
	c.body = part.appendJSON(nil)
	err := c.send(ctx)
	if c.last.outcome == applied {
		c.client.recent.changed(c.key, &part, c.answered())
	}
	return err
}

// readBack gets the object for the result of a change that is known to have
// been made, but by no answer that shows it. It is a best effort.
func (c *call) readBack(ctx context.Context) {
	// Of many, the reads would come all at once, and beside the pace.
	if c.via != nil || c.subread(ctx, c.into, 1) != nil {
		c.into.decode([]byte("{}"))
	}
}

// clone returns a copy that shares nothing.
func (r AssignLicenseRequest) clone() AssignLicenseRequest {
	r.AddLicenses = slices.Clone(r.AddLicenses)
	for i := range r.AddLicenses {
		r.AddLicenses[i].DisabledPlans = slices.Clone(r.AddLicenses[i].DisabledPlans)
	}
	r.RemoveLicenses = slices.Clone(r.RemoveLicenses)
	return r
}

// checked returns a copy of the request without repeated entries, or says what
// is wrong with it.
func (r AssignLicenseRequest) checked(op string) (AssignLicenseRequest, error) {
	if len(r.AddLicenses) == 0 && len(r.RemoveLicenses) == 0 {
		err := invalid(op, "AddLicenses and RemoveLicenses are both empty")
		err.kinds = append(err.kinds, ErrNoChanges)
		return r, err
	}
	adds := make([]AssignedLicense, 0, len(r.AddLicenses))
	for i, license := range r.AddLicenses {
		sku := license.SKUID
		switch {
		case sku == uuid.Nil:
			return r, invalid(op, "AddLicenses[%d].SKUID is the nil UUID", i)
		case slices.ContainsFunc(adds, func(l AssignedLicense) bool { return l.SKUID == sku }):
			return r, invalid(op, "AddLicenses[%d].SKUID %s is there twice", i, sku)
		case slices.Contains(r.RemoveLicenses, sku):
			return r, invalid(op, "AddLicenses[%d].SKUID %s is in RemoveLicenses, too", i, sku)
		}
		plans, bad := distinct(license.DisabledPlans)
		if bad >= 0 {
			return r, invalid(op, "AddLicenses[%d].DisabledPlans[%d] is the nil UUID", i, bad)
		}
		adds = append(adds, AssignedLicense{SKUID: sku, DisabledPlans: plans})
	}
	removes, bad := distinct(r.RemoveLicenses)
	if bad >= 0 {
		return r, invalid(op, "RemoveLicenses[%d] is the nil UUID", bad)
	}
	return AssignLicenseRequest{AddLicenses: adds, RemoveLicenses: removes}, nil
}

// distinct returns a copy of ids in which each stands once, or the index of
// one that is nil, else -1.
func distinct(ids []uuid.UUID) ([]uuid.UUID, int) {
	if i := slices.Index(ids, uuid.Nil); i >= 0 {
		return nil, i
	}
	once := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once, -1
}
