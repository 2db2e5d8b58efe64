package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/graphlicensing/licensing"
)

const (
	batchSize = 20  // users in a request of ReadUsers
	pageSize  = 999 // users in a page
	readers   = 4   // groups that are read at a time
)

// read reads what the goals are for.
func (p *planner) read(ctx context.Context) error {
	p.report()
	var users, groups []int
	for i := range p.goals {
		switch {
		case p.drafts[i].done:
		case p.goals[i].kind() == KindGroup:
			groups = append(groups, i)
		default:
			users = append(users, i)
		}
	}
	if p.listIsShorter(ctx, len(users)) {
		if err := p.list(ctx, len(users)); err != nil {
			return err
		}
		// Who is not in the listing is asked for by name: it may be a new user, or one
		// that cannot be read.
		users = slices.DeleteFunc(users, func(i int) bool { return p.drafts[i].done })
	}
	if err := p.readUsers(ctx, users); err != nil {
		return err
	}
	return p.readGroups(ctx, groups)
}

// listIsShorter reports whether a listing of everybody takes fewer requests than so
// many users by name, the request for its length included.
func (p *planner) listIsShorter(ctx context.Context, users int) bool {
	byName := (users + batchSize - 1) / batchSize
	if byName <= 2 {
		return false
	}
	all, err := p.client.CountUsers(ctx, "")
	return err == nil && (all+pageSize-1)/pageSize < byName
}

// list reads all users until those of so many goals are found.
func (p *planner) list(ctx context.Context, wanted int) error {
	end := p.done + wanted
	for user, err := range p.client.Users(ctx, licensing.UserQuery{PageSize: pageSize}) {
		switch {
		case errors.Is(err, licensing.ErrListingExpired):
			return nil
		case err != nil:
			if _, item := errors.AsType[*licensing.DecodeError](err); item {
				continue
			}
			return err
		}
		for _, name := range []string{user.ID, user.UserPrincipalName} {
			if i, ok := p.names[nameKey(KindUser, name)]; ok && name != "" {
				p.found(i, subjectOf(user))
			}
		}
		if p.done >= end {
			return nil
		}
	}
	return ctx.Err()
}

// readUsers reads the users of some goals by name.
func (p *planner) readUsers(ctx context.Context, goals []int) error {
	if len(goals) == 0 {
		return nil
	}
	for read := range p.client.ReadUsers(ctx, p.targets(goals), licensing.ReadUsersOptions{}) {
		switch {
		case read.Index < 0:
			return read.Err
		case read.Err == nil:
			p.found(goals[read.Index], subjectOf(read.User))
		case !p.missed(goals[read.Index], read.Err):
			return read.Err
		}
	}
	return ctx.Err()
}

// targets are the names of the objects of some goals.
func (p *planner) targets(goals []int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, i := range goals {
			if !yield(p.goals[i].Target) {
				return
			}
		}
	}
}

// readGroups reads the groups of some goals, a few at a time.
func (p *planner) readGroups(ctx context.Context, goals []int) error {
	for some := range slices.Chunk(goals, readers) {
		groups, errs := readGroups(ctx, p.client, len(some), func(i int) string { return p.goals[some[i]].Target })
		for n, i := range some {
			switch {
			case errs[n] == nil:
				p.found(i, subjectOfGroup(groups[n]))
			case !p.missed(i, errs[n]):
				return errs[n]
			}
		}
	}
	return nil
}

// readGroups reads n groups at once.
func readGroups(ctx context.Context, c *licensing.Client, n int, id func(i int) string) ([]*licensing.Group, []error) {
	groups, errs := make([]*licensing.Group, n), make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { groups[i], errs[i] = c.Group(ctx, id(i)) })
	}
	wait.Wait()
	return groups, errs
}

// detailOf returns what an error says, without what is another each time, as the id
// of the request.
func detailOf(err error) string {
	if e, ok := errors.AsType[*licensing.Error](err); ok && e.Message != "" {
		return e.Message
	}
	if e, ok := errors.AsType[*licensing.DecodeError](err); ok {
		return "the answer cannot be read: " + e.Property
	}
	for _, kind := range []error{licensing.ErrForbidden, licensing.ErrNotFound} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return err.Error()
}

// problemOf returns which problem an error is of the goal that was read for, and ""
// if it is none of the goal's.
func problemOf(err error) ProblemKind {
	_, unread := errors.AsType[*licensing.DecodeError](err)
	switch {
	case errors.Is(err, licensing.ErrNotFound), errors.Is(err, licensing.ErrInvalidArgument): // as no object is called
		return ProblemNotFound
	case errors.Is(err, licensing.ErrForbidden), unread:
		return ProblemUnreadable
	}
	return ""
}
