package licensingtest

import (
	"slices"
	"strings"
	"time"
)

// AddMember adds a user to a group. The group's licenses reach the user when
// processing runs. It panics when there is no such user or group.
func (t *Tenant) AddMember(groupID, userKey string) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("AddMember", groupID)
	u, now := t.mustUser("AddMember", userKey), time.Now()
	t.rememberUser(u, now)
	u.join(g)
	g.touch(now)
}

// RemoveMember takes a user out of a group. The group's licenses leave the user
// when processing runs. It panics when there is no such user or group.
func (t *Tenant) RemoveMember(groupID, userKey string) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("RemoveMember", groupID)
	u, now := t.mustUser("RemoveMember", userKey), time.Now()
	t.rememberUser(u, now)
	u.groups = slices.DeleteFunc(u.groups, func(other *group) bool { return other == g })
	g.touch(now)
}

// SetUserLicenses gives a user exactly these licenses directly, as somebody else
// may do while a client works, and takes all other direct licenses away. What a
// group gives stays. Seats and plans follow, and reads that lag show it late.
// Seats, usage location, dependencies and conflicts are not looked at, as in
// [Tenant.AddUser]. [Tenant.Writes] does not have the change, which no request
// made. It panics when there is no such user, or a license makes no sense.
func (t *Tenant) SetUserLicenses(userKey string, licenses ...License) {
	t.lock()
	defer t.mu.Unlock()
	u := t.mustUser("SetUserLicenses", userKey)
	t.checkLicenses("SetUserLicenses", licenses)
	t.setLicenses(u, "", licenses, time.Now())
}

// SetGroupLicenses gives a group exactly these licenses, as somebody else may do
// while a client works. They reach its members when processing runs. A group that
// is not complete in itself is not refused: its members have the error.
// [Tenant.Writes] does not have the change, which no request made. It panics when
// there is no such group, or a license makes no sense.
func (t *Tenant) SetGroupLicenses(groupID string, licenses ...License) {
	t.lock()
	defer t.mu.Unlock()
	g := t.mustGroup("SetGroupLicenses", groupID)
	t.checkLicenses("SetGroupLicenses", licenses)
	t.setGroupLicenses(g, cloneLicenses(licenses), time.Now())
}

// RemoveUser removes a user for good, as somebody else may do while a client
// works. The user's seats are free at once, no group has the user as a member, and
// requests about the user are answered with 404. Reads that lag show the user
// until the lag has passed. Somebody new can have the id and the user principal
// name. It panics when there is no such user.
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
