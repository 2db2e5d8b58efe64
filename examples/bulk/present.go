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

// A present is what users have, by name and id. Where it is foreseen what a
// change does, it becomes what they will have.
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

// become replaces a user by what he will be, under each of his names.
func (p present) become(target string, user *licensing.User) {
	for _, name := range []string{target, user.ID, user.UserPrincipalName} {
		if key := strings.ToLower(name); p[key] != nil {
			p[key] = user
		}
	}
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

// A mailboxFinder tells who has a mailbox.
type mailboxFinder []licensing.SubscribedSKU // those that have one

func newMailboxFinder(catalog *licensing.Catalog) mailboxFinder {
	var f mailboxFinder
	for _, sku := range catalog.SKUs() {
		if slices.ContainsFunc(sku.ServicePlans, givesMailbox) {
			f = append(f, sku)
		}
	}
	return f
}

// givesMailbox tells the Exchange plans with a mailbox from the one that many
// SKUs have for their own purposes, and from archives.
func givesMailbox(plan licensing.ServicePlan) bool {
	name := strings.ToUpper(plan.ServicePlanName)
	for _, start := range []string{"EXCHANGE_S_", "EXCHANGE_B_", "EXCHANGE_L_"} {
		if kind, ok := strings.CutPrefix(name, start); ok {
			return !strings.HasPrefix(kind, "FOUNDATION") && !strings.HasPrefix(kind, "ARCHIVE")
		}
	}
	return false
}

// has reports whether a license gives the user a mailbox, directly or through
// a group.
func (f mailboxFinder) has(user *licensing.User) bool {
	for _, sku := range f {
		plans, _ := user.EffectivePlans(sku)
		for _, plan := range plans {
			if plan.Enabled && givesMailbox(plan.ServicePlan) {
				return true
			}
		}
	}
	return false
}
