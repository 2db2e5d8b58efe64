package licensing

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

const (
	firstPoll   = 2 * time.Second
	longestPoll = 30 * time.Second
	staleness   = 30 * time.Second // how long what was so before may pass for what is
)

// WaitForGroup waits until a change to a group has been applied to its members,
// and returns the group: its licenses are what want asks for and processing is
// complete. Want is the request that the change was made with.
//
// It reads the group at growing intervals until ctx ends, which is its only
// limit; a large group can take hours. Reads can show what was complete before
// the change: unless it has seen processing go on, it wants to see the same for
// half a minute. Complete does not mean that all members have the license: see
// [Client.GroupMembersWithErrors].
//
// Permission: Group.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (nothing to wait for), the context's error when it
// ends, [ErrNotFound], [ErrForbidden]. An unavailable service is waited for.
//
// Graph: https://learn.microsoft.com/graph/api/group-get
func (c *Client) WaitForGroup(ctx context.Context, groupID string, want AssignLicenseRequest) (*Group, error) {
	const op = "wait for group"
	want, err := want.checked(op)
	if err != nil {
		return nil, err
	}
	agreed := staleness
	return wait(ctx, c, op, &agreed, func() (*Group, error) {
		return asGroup(c.read(ctx, op, graph.Group(groupID)))
	}, func(g *Group) bool {
		if g.LicenseProcessingState == nil || !reached(want, g.AssignedLicenses) {
			return false
		}
		complete := g.LicenseProcessingState.State == ProcessingStateComplete
		if !complete {
			agreed = 0 // what is seen from now on is not what was complete before
		}
		return complete
	})
}

// WaitForUser waits until reads show a change of a user's direct licenses, and
// returns the user. Want is the request that the change was made with.
//
// The change itself is made when [Client.AssignUserLicense] returns. This is for
// what follows and reads the user by itself. It reads at growing intervals until
// two reads one after the other agree, since they can be answered by different
// replicas, or until ctx ends, which is its only limit.
//
// Permission: User.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (nothing to wait for), the context's error when it
// ends, [ErrNotFound], [ErrForbidden]. An unavailable service is waited for.
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) WaitForUser(ctx context.Context, user string, want AssignLicenseRequest) (*User, error) {
	const op = "wait for user"
	want, err := want.checked(op)
	if err != nil {
		return nil, err
	}
	return wait(ctx, c, op, new(time.Duration), func() (*User, error) {
		return asUser(c.read(ctx, op, graph.User(user)))
	}, func(u *User) bool {
		direct, known := u.DirectLicenses()
		return known && reached(want, direct)
	})
}

// wait reads an object until it is seen to have arrived where it should be,
// twice running and for as long as *agreed says: the reads may be answered by
// different replicas, and the first ones by what was so before. A service that
// does not answer is waited for, too.
func wait[T any](ctx context.Context, c *Client, op string, agreed *time.Duration, read func() (*T, error), arrived func(*T) bool) (*T, error) {
	var since time.Time // when it was first seen there, running
	for interval := firstPoll; ; interval = min(interval+interval/2, longestPoll) {
		object, err := read()
		pause := interval
		switch {
		case (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)) && ctx.Err() == nil:
			if e, ok := errors.AsType[*Error](err); ok {
				pause = max(pause, min(e.RetryAfter, graph.Forever/2)) // there is more to come
			}
		case err != nil:
			return nil, err
		case !arrived(object):
			since = time.Time{}
		case since.IsZero():
			since, pause = time.Now(), firstPoll
		case time.Since(since) >= *agreed:
			return object, nil
		}
		if err := c.service.Sleep(ctx, pause+rand.N(pause/10+1)); err != nil {
			return nil, &Error{Op: op, cause: err}
		}
	}
}

// reached reports whether licenses are what want asks for.
func reached(want AssignLicenseRequest, licenses []AssignedLicense) bool {
	have := func(sku uuid.UUID) int {
		return slices.IndexFunc(licenses, func(l AssignedLicense) bool { return l.SKUID == sku })
	}
	for _, license := range want.AddLicenses {
		if i := have(license.SKUID); i < 0 || !samePlans(licenses[i].DisabledPlans, license.DisabledPlans) {
			return false
		}
	}
	return !slices.ContainsFunc(want.RemoveLicenses, func(sku uuid.UUID) bool { return have(sku) >= 0 })
}
