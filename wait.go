package licensing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

const (
	firstPoll   = 2 * time.Second
	longestPoll = 30 * time.Second
	mostUntold  = 5                // reads that do not tell the licenses
	staleness   = 30 * time.Second // how long what was so before may pass for what is
)

// A WaitOption changes the condition that [Client.WaitForGroup] and
// [Client.WaitForUser] wait for.
type WaitOption func(*waiting)

// IgnoreServicePlans makes a wait compare the SKUs only, not which plans are off.
func IgnoreServicePlans() WaitOption {
	return func(w *waiting) { w.skusAlone = true }
}

// WaitForGroup waits until a change to a group has been applied to its members, and
// returns the group. Pass the request of the change as want. The wait is over when
// the group has the licenses that want asks for, and processing is complete. With
// an empty want it waits until the group can be read, such as after its creation.
// If no such group exists, that wait ends only with ctx.
//
// WaitForGroup reads the group at growing intervals until ctx ends. There is no
// other limit, and a large group can take hours. Reads can show a completion from
// before the change. Unless it has seen processing go on, it therefore waits until
// reads have shown the same for 30 seconds. Complete does not mean that every
// member has the license; see [Client.GroupMembersWithErrors].
//
// Permission: Group.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), the context's error when it ends
// (the text says what was seen last), [ErrNotFound], [ErrForbidden]. The wait goes
// on while the service is unavailable.
//
// Graph: https://learn.microsoft.com/graph/api/group-get
func (c *Client) WaitForGroup(ctx context.Context, groupID string, want AssignLicenseRequest, opts ...WaitOption) (*Group, error) {
	const op = "wait for group"
	w, err := c.newWaiting(ctx, op, want, opts)
	if err != nil {
		return nil, err
	}
	if !w.exists {
		w.agreed = staleness
	}
	w.key = graph.Group(groupID).Key()
	return wait(ctx, w, func() (*Group, error) {
		return asGroup(c.read(ContextWithRawReads(ctx), op, graph.Group(groupID)))
	}, func(g *Group) ([]string, error) {
		missing := w.missing(ctx, g.AssignedLicenses)
		switch state := g.LicenseProcessingState; {
		case len(missing) > 0 || w.exists:
		case state == nil && len(w.want.AddLicenses) == 0: // it never had a license
		case state == nil:
			missing = append(missing, "there is no processing state")
		case state.State != ProcessingStateComplete:
			w.agreed = 0 // what is seen from now on is not what was complete before
			missing = append(missing, "the processing state is "+string(state.State))
		default: // processing that was seen may have been that of an earlier change
			missing = w.returned(g)
		}
		return missing, nil
	})
}

// WaitForUser waits until reads show a change to a user's direct licenses, and
// returns the user. Pass the request of the change as want. With an empty want it
// waits until the user can be read, such as after its creation. If the name is
// misspelled, that wait ends only with ctx.
//
// A change is complete when [Client.AssignUserLicense] returns. Use WaitForUser
// only if something else reads the user afterwards. WaitForUser reads at growing
// intervals until two reads in a row agree, because different replicas can answer
// them. Only ctx limits the wait. A special case is a client that changed the
// licenses and changed them back within five minutes. An old read then looks like
// the final state. WaitForUser accepts it only if its time is late enough, or when
// the five minutes are over.
//
// Permission: User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), the context's error when it ends
// (the text says what was seen last), [ErrNotFound], [ErrForbidden]. The wait goes
// on while the service is unavailable.
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) WaitForUser(ctx context.Context, user string, want AssignLicenseRequest, opts ...WaitOption) (*User, error) {
	const op = "wait for user"
	w, err := c.newWaiting(ctx, op, want, opts)
	if err != nil {
		return nil, err
	}
	w.key = graph.User(user).Key()
	return wait(ctx, w, func() (*User, error) {
		return asUser(c.read(ContextWithRawReads(ctx), op, graph.User(user)))
	}, func(u *User) ([]string, error) {
		direct, _ := u.DirectLicenses()
		missing := w.missing(ctx, direct)
		if len(missing) == 0 {
			missing = w.returned(u)
		}
		return missing, nil
	})
}

// A waiting is one wait, and what is known in it.
type waiting struct {
	client    *Client
	op        string
	key       string // of the object
	want      AssignLicenseRequest
	exists    bool          // that is all that is waited for
	skusAlone bool          // their plans do not matter
	agreed    time.Duration // how long reads have to agree
	differ    time.Time     // since when plans alone do
	skus      []SubscribedSKU
}

func (c *Client) newWaiting(ctx context.Context, op string, want AssignLicenseRequest, opts []WaitOption) (*waiting, error) {
	if err := c.check(ctx, op); err != nil {
		return nil, err
	}
	w := &waiting{client: c, op: op, exists: want.empty()}
	for i, opt := range opts {
		if opt == nil {
			return nil, invalid(op, "opts[%d] is nil", i)
		}
		opt(w)
	}
	if w.exists {
		return w, nil
	}
	var err error
	w.want, err = want.checked(op)
	return w, err
}

// wait reads an object until nothing is missing that it should have, twice running
// and for as long as w.agreed says: the reads may be answered by different
// replicas, and the first ones by what was so before. A service that does not
// answer is waited for, too.
func wait[T holder](ctx context.Context, w *waiting, read func() (T, error), missing func(T) ([]string, error)) (T, error) {
	var none T
	var since time.Time // when it was first seen there, running
	var lacks []string  // when it was last read
	untold := 0         // reads that did not tell the licenses
	for interval := firstPoll; ; interval = min(interval+interval/2, longestPoll) {
		object, err := read()
		pause := interval
		switch {
		case (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)) && ctx.Err() == nil:
			if e, ok := errors.AsType[*Error](err); ok {
				pause = max(pause, min(e.RetryAfter, graph.Forever/2)) // there is more to come
			}
		case w.exists && errors.Is(err, ErrNotFound):
			since, lacks = time.Time{}, []string{"not found"}
		case err != nil && lacks != nil && ctx.Err() != nil:
			return none, w.ended(ctx, lacks)
		case err != nil:
			return none, err
		default:
			if w.exists || object.told() {
				lacks, err = missing(object)
			} else if untold++; untold == mostUntold { // which is no accident
				err = notTold(w.op, object)
			} else {
				lacks = []string{errUntold.Error()}
			}
			switch {
			case err != nil:
				return none, err
			case len(lacks) > 0:
				since = time.Time{}
			case since.IsZero():
				since, pause = time.Now(), firstPoll
			case time.Since(since) >= w.agreed:
				w.client.recent.seen(w.key, w.want.skus())
				return object, nil
			}
		}
		if err := w.client.service.Sleep(ctx, pause+rand.N(pause/10+1)); err != nil {
			return none, w.ended(ctx, lacks)
		}
	}
}

// ended returns the error of a wait whose context ended, with what was still
// missing.
func (w *waiting) ended(ctx context.Context, missing []string) error {
	err := w.client.service.ContextError(ctx)
	if len(missing) > 0 {
		err = &lastSeen{err, strings.Join(missing, ", ")}
	}
	return &Error{Op: w.op, cause: err}
}

// A lastSeen is the end of a context, and what was seen before.
type lastSeen struct {
	error
	missing string
}

func (l *lastSeen) Error() string { return l.error.Error() + "; at last " + l.missing }
func (l *lastSeen) Unwrap() error { return l.error }

// missing says in what licenses are not what is waited for.
func (w *waiting) missing(ctx context.Context, licenses []AssignedLicense) []string {
	skus, plans := w.compare(licenses)
	if len(skus) > 0 || len(plans) == 0 {
		w.differ = time.Time{}
		return append(skus, plans...)
	}
	// Plans that a SKU has no more may be off. That it has them no more is found
	// out when there is time to.
	switch now := time.Now(); {
	case w.differ.IsZero():
		w.differ = now
	case w.skus == nil && now.Sub(w.differ) >= staleness:
		var err error
		w.skus, err = w.client.subscribed(ctx, w.op, nil)
		if errors.Is(err, ErrForbidden) {
			w.skus = []SubscribedSKU{}
		}
		_, plans = w.compare(licenses)
	}
	return plans
}

// returned says of which licenses it is not known whether they are so again, or
// still, since this client made something else of them meanwhile. It is known when
// their times tell, or when no read can be so old any more.
func (w *waiting) returned(h holder) (texts []string) {
	for _, sku := range w.want.skus() {
		want, _ := w.want.makes(sku)
		_, at, _ := h.holding(sku)
		if w.client.recent.returns(w.key, want, w.skusAlone, at) {
			texts = append(texts, fmt.Sprintf("license %s was so before as well, and may not be so again", sku))
		}
	}
	return texts
}

// compare says which licenses, and which plans of those that are there, are not as
// they should be.
func (w *waiting) compare(licenses []AssignedLicense) (skus, plans []string) {
	for _, license := range w.want.AddLicenses {
		i := licenseOf(licenses, license.SKUID)
		switch {
		case i < 0:
			skus = append(skus, fmt.Sprintf("license %s is not there", license.SKUID))
		case !w.skusAlone:
			off := licenses[i].DisabledPlans
			plans = append(plans, w.differences(license.SKUID, off, license.DisabledPlans, "off")...)
			plans = append(plans, w.differences(license.SKUID, license.DisabledPlans, off, "on")...)
		}
	}
	for _, sku := range w.want.RemoveLicenses {
		if licenseOf(licenses, sku) >= 0 {
			skus = append(skus, fmt.Sprintf("license %s is still there", sku))
		}
	}
	return skus, plans
}

// differences says of which plans of a SKU some has more than others.
func (w *waiting) differences(sku uuid.UUID, some, others []uuid.UUID, are string) (texts []string) {
	for _, plan := range some {
		if !slices.Contains(others, plan) && w.counts(sku, plan) {
			texts = append(texts, fmt.Sprintf("plan %s of %s is %s", plan, sku, are))
		}
	}
	return texts
}

// counts reports whether a SKU still has a plan, as far as is known.
func (w *waiting) counts(sku, plan uuid.UUID) bool {
	i := skuOf(w.skus, sku)
	if i < 0 {
		return true
	}
	_, ok := planOf(w.skus[i], plan)
	return ok
}
