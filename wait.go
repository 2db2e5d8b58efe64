package licensing

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	firstPoll   = 2 * time.Second
	longestPoll = 30 * time.Second
)

// WaitForGroup waits until a change to a group has been applied to its members,
// and returns the group: its licences are what want asks for and processing is
// complete. Want is the request that the change was made with.
//
// It reads the group at growing intervals until ctx ends, which is its only
// limit; a large group can take hours. It wants to see the same twice, because a
// first read can show what was complete before the change. Complete does not
// mean that all members have the licence: see [Client.GroupMembersWithErrors].
//
// Permission: Group.Read.All, delegated or application (unverified as the least).
//
// Errors: [ErrInvalidArgument] (nothing to wait for), the context's error when it
// ends, [ErrNotFound], [ErrForbidden], [ErrThrottled].
//
// Graph: https://learn.microsoft.com/graph/api/group-get
func (c *Client) WaitForGroup(ctx context.Context, groupID string, want AssignLicenseRequest) (*Group, error) {
	const op = "wait for group"
	want, err := want.checked(op)
	if err != nil {
		return nil, err
	}
	return wait(ctx, op, func() (*Group, error) {
		obj := groupObject(groupID)
		return read(ctx, c, op, obj, obj.selection(), new(Group))
	}, func(g *Group) bool {
		complete := g.LicenseProcessingState != nil && g.LicenseProcessingState.State == ProcessingStateComplete
		return complete && reached(want, g.AssignedLicenses)
	})
}

// WaitForUser waits until reads show a change of a user's direct licences, and
// returns the user. Want is the request that the change was made with.
//
// The change itself is made when [Client.AssignUserLicense] returns. This is for
// what follows and reads the user by itself. It reads at growing intervals until
// two reads one after the other agree, since they can be answered by different
// replicas, or until ctx ends, which is its only limit.
//
// Permission: User.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing to wait for), the context's error when it
// ends, [ErrNotFound], [ErrForbidden], [ErrThrottled].
//
// Graph: https://learn.microsoft.com/graph/api/user-get
func (c *Client) WaitForUser(ctx context.Context, user string, want AssignLicenseRequest) (*User, error) {
	const op = "wait for user"
	want, err := want.checked(op)
	if err != nil {
		return nil, err
	}
	return wait(ctx, op, func() (*User, error) {
		obj := userObject(user)
		return read(ctx, c, op, obj, obj.selection(), new(User))
	}, func(u *User) bool {
		direct, known := u.DirectLicenses()
		return known && reached(want, direct)
	})
}

// wait reads an object until it is seen to have arrived where it should be,
// twice running: the reads may be answered by different replicas, and a first
// one by what was so before.
func wait[T any](ctx context.Context, op string, read func() (*T, error), arrived func(*T) bool) (*T, error) {
	seen := 0
	for interval := firstPoll; ; {
		object, err := read()
		if err != nil {
			return nil, err
		}
		pause := firstPoll
		if arrived(object) {
			if seen++; seen == 2 {
				return object, nil
			}
		} else {
			seen, pause = 0, interval
			interval = min(interval+interval/2, longestPoll)
		}
		if err := sleep(ctx, pause+randomUpTo(pause/10)); err != nil {
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
