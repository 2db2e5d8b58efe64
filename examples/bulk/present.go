package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/mistakes"
)

// fewUsers are read one by one. More come faster by a listing of everybody,
// which is a request for a thousand.
const fewUsers = 20

// A present is what users have, by name and id.
type present map[string]*licensing.User

// readPresent reads the users that are named, and leaves out who is not there.
func readPresent(ctx context.Context, client *licensing.Client, wishes []wish) (present, error) {
	p := present{}
	var users []string
	for _, w := range wishes {
		if w.operation != nil && w.operation.Kind == licensing.OperationAssignGroup {
			continue
		}
		if _, known := p[strings.ToLower(w.user)]; !known {
			p[strings.ToLower(w.user)] = nil
			users = append(users, w.user)
		}
	}
	if len(users) <= fewUsers {
		for _, name := range users {
			user, err := client.User(ctx, name)
			switch {
			case err == nil:
				p[strings.ToLower(name)] = user
			case !errors.Is(err, licensing.ErrNotFound) && !errors.Is(err, licensing.ErrInvalidArgument):
				return nil, err
			}
		}
		return p, nil
	}
	for user, err := range client.Users(ctx, licensing.UserQuery{PageSize: 999}) {
		if err != nil {
			return nil, err
		}
		for _, name := range []string{user.ID, user.UserPrincipalName} {
			if key := strings.ToLower(name); key != "" {
				if _, wanted := p[key]; wanted {
					p[key] = user
				}
			}
		}
	}
	return p, nil
}

func (p present) user(name string) *licensing.User { return p[strings.ToLower(name)] }

// object returns the same text for all names of a user.
func (p present) object(name string) string {
	if user := p.user(name); user != nil {
		name = user.ID
	}
	return strings.ToLower(name)
}

// namedTwice finds rows of one user under different names. What each asks for
// would be worked out without the other, and undo it.
func (p present) namedTwice(wishes []wish) mistakes.List {
	var m mistakes.List
	lines := map[string]int{}
	for _, w := range wishes {
		user := p.user(w.user)
		if w.operation != nil || user == nil {
			continue
		}
		if line, named := lines[user.ID]; named {
			m.Add(w.line, fmt.Errorf("the user is that of line %d, under another name", line))
		}
		lines[user.ID] = w.line
	}
	return m
}

// direct returns the user's own license of a SKU, which can be changed.
func direct(user *licensing.User, sku uuid.UUID) (licensing.AssignedLicense, bool) {
	licenses, _ := user.DirectLicenses()
	for _, license := range licenses {
		if license.SKUID == sku {
			return license, true
		}
	}
	return licensing.AssignedLicense{}, false
}

func inherits(user *licensing.User, sku uuid.UUID) bool {
	licenses, _ := user.InheritedLicenses()
	return slices.ContainsFunc(licenses, func(l licensing.InheritedLicense) bool { return l.SKUID == sku })
}
