package licensingtest

import (
	"slices"
	"strings"
	"time"
)

// AddMember adds a user to a group. The user gets the group's licenses when the
// group is processed. AddMember panics if there is no such user or group.
func (t *Tenant) AddMember(groupID, userKey string) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("AddMember", groupID)
	u, now := t.mustUser("AddMember", userKey), time.Now()
	t.rememberUser(u, now)
	u.join(g)
	g.touch(now)
}

// RemoveMember removes a user from a group. The user loses the group's licenses
// when the group is processed. RemoveMember panics if there is no such user or
// group.
func (t *Tenant) RemoveMember(groupID, userKey string) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("RemoveMember", groupID)
	u, now := t.mustUser("RemoveMember", userKey), time.Now()
	t.rememberUser(u, now)
	u.groups = slices.DeleteFunc(u.groups, func(other *group) bool { return other == g })
	g.touch(now)
}

// SetUserLicenses replaces a user's direct licenses. It simulates a change that
// somebody else makes. Licenses from groups stay. Seats and plans are updated, and
// reads that lag show the change late. As in [Tenant.AddUser], seats, usage
// location, dependencies and conflicts are not checked. [Tenant.Writes] does not
// list the change, because no request made it. SetUserLicenses panics if there is
// no such user or a license is invalid.
func (t *Tenant) SetUserLicenses(userKey string, licenses ...License) {
	t.lock()
	defer t.mu.Unlock()
	u := t.mustUser("SetUserLicenses", userKey)
	t.checkLicenses("SetUserLicenses", licenses)
	t.setLicenses(u, "", licenses, time.Now())
}

// SetGroupLicenses replaces a group's licenses. It simulates a change that somebody
// else makes. The members get the change when the group is processed. A plan that
// needs a plan which the group does not have is not refused; the members get the
// error instead. [Tenant.Writes] does not list the change, because no request made
// it. SetGroupLicenses panics if there is no such group or a license is invalid.
func (t *Tenant) SetGroupLicenses(groupID string, licenses ...License) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("SetGroupLicenses", groupID)
	t.checkLicenses("SetGroupLicenses", licenses)
	t.setGroupLicenses(g, cloneLicenses(licenses), time.Now())
}

// RemoveUser deletes a user for good. It simulates a change that somebody else
// makes. The user's seats become free at once, the user leaves all groups, and
// requests about the user get 404. Reads that lag show the user until the lag has
// passed. A new user can have the same id and user principal name. RemoveUser
// panics if there is no such user.
func (t *Tenant) RemoveUser(userKey string) {
	t.lock()
	defer t.mu.Unlock()
	u, now := t.mustUser("RemoveUser", userKey), time.Now()
	t.rememberUser(u, now)
	for _, l := range u.merged() {
		t.skus[l.SKUID].Consumed--
	}
	u.rows, u.groups, u.gone = nil, nil, true
	for _, key := range []string{u.ID, strings.ToLower(u.UserPrincipalName)} {
		delete(t.userKeys, key)
		t.formerUsers[key] = u
	}
}

// missing is the answer to a request about u if u was removed.
func (u *user) missing() *graphError {
	if u.gone {
		return errNotFound(u.ID)
	}
	return nil
}

// findReadable is findUser for reads, which may still see who was removed.
func (t *Tenant) findReadable(c *call) (*user, *graphError) {
	if c.target.me && t.me != nil {
		return t.me, nil
	}
	if u := t.formerUsers[strings.ToLower(c.target.key)]; u != nil {
		return u, nil
	}
	return t.findUser(c)
}
