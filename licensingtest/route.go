package licensingtest

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// An operation is what can be done at a path, and what it costs in Graph's
// resource units.
type operation struct {
	units int
	do    func(*Tenant, *call) (result, *graphError)
}

// unserved is what Graph does at a path and this package does not.
var unserved = operation{1, func(_ *Tenant, c *call) (result, *graphError) {
	return result{}, notServed(c.method + " of " + c.target.shape)
}}

// operations returns what can be done at a path of this shape by method, and
// nil if the path is not served at all.
func operations(shape string) map[string]operation {
	switch shape {
	case "subscribedSkus":
		return map[string]operation{http.MethodGet: {3, (*Tenant).listSKUs}}
	case "subscribedSkus/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readSKU}}
	case "directory/subscriptions":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listSubscriptions}}
	case "directory/subscriptions/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readSubscription}}
	case "organization":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listOrganization}}
	case "organization/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readOrganization}, http.MethodPatch: unserved}
	case "users":
		return map[string]operation{http.MethodGet: {2, (*Tenant).listUsers}, http.MethodPost: unserved}
	case "users/$count":
		return map[string]operation{http.MethodGet: {2, (*Tenant).countUsers}}
	case "users/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readUser}, http.MethodPatch: {1, (*Tenant).updateUser}, http.MethodDelete: unserved}
	case "users/{id}/licenseDetails":
		return map[string]operation{http.MethodGet: {2, (*Tenant).listLicenseDetails}}
	case "users/{id}/licenseDetails/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readLicenseDetails}}
	case "users/{id}/assignedLicenses":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listUserLicenses}}
	case "users/{id}/memberOf", "users/{id}/transitiveMemberOf":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listMemberOf}}
	case "users/{id}/assignLicense":
		return map[string]operation{http.MethodPost: {1, (*Tenant).assignUser}}
	case "users/{id}/reprocessLicenseAssignment":
		return map[string]operation{http.MethodPost: {1, (*Tenant).reprocess}}
	case "groups":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listGroups}, http.MethodPost: unserved}
	case "groups/$count":
		return map[string]operation{http.MethodGet: {1, (*Tenant).countGroups}}
	case "groups/{id}":
		return map[string]operation{http.MethodGet: {1, (*Tenant).readGroup}, http.MethodPatch: unserved, http.MethodDelete: unserved}
	case "groups/{id}/assignedLicenses":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listGroupLicenses}}
	case "groups/{id}/members":
		return map[string]operation{http.MethodGet: {3, (*Tenant).listMembers}}
	case "groups/{id}/transitiveMembers":
		return map[string]operation{http.MethodGet: {5, (*Tenant).listMembers}}
	case "groups/{id}/membersWithLicenseErrors":
		return map[string]operation{http.MethodGet: {1, (*Tenant).listMembersWithErrors}}
	case "groups/{id}/assignLicense":
		return map[string]operation{http.MethodPost: {1, (*Tenant).assignGroup}}
	}
	return nil
}

// find finds what a call is about and what it costs, also if it is about
// nothing.
func (c *call) find() (operation, *graphError) {
	op := operation{units: 1}
	to, err := parsePath(c.path)
	if err != nil {
		return op, err
	}
	c.target = to
	served := operations(to.shape)
	found, ok := served[c.method]
	switch {
	case served == nil:
		found = unserved
	case !ok:
		return op, errMethod
	}
	op = found
	if c.method == http.MethodGet {
		if c.options, err = parseQuery(c.query); err != nil {
			return op, err
		}
	}
	op.units = c.options.cost(op.units)
	return op, nil
}

// dispatch finds what a call is about and does it, if the throttle lets it.
func (t *Tenant) dispatch(c *call) (result, *graphError) {
	op, err := c.find()
	t.lock()
	defer t.mu.Unlock()
	c.now = time.Now()
	if refused := t.charge(c, op.units); refused != nil {
		return result{}, refused
	}
	if err != nil {
		return result{}, err
	}
	res, err := op.do(t, c)
	res.units = op.units
	return res, err
}

// findUser returns the user that a call is about.
func (t *Tenant) findUser(c *call) (*user, *graphError) {
	if c.target.me {
		if t.me == nil {
			return nil, errDelegatedOnly
		}
		return t.me, t.me.missing()
	}
	u := t.userKeys[strings.ToLower(c.target.key)]
	if u == nil {
		return nil, errNotFound(c.target.key)
	}
	return u, nil
}

// findGroup returns the group that a call is about.
func (t *Tenant) findGroup(c *call) (*group, *graphError) {
	key := c.target.key
	if _, err := parseGUID(key); err != nil {
		return nil, errObjectID(key)
	}
	g := t.groupIDs[strings.ToLower(key)]
	if g == nil {
		return nil, errNotFound(key)
	}
	return g, nil
}

// seeUser returns the user that a call reads, as reads see it now.
func (t *Tenant) seeUser(c *call) (*user, *graphError) {
	u, err := t.findReadable(c)
	if err != nil {
		return nil, err
	}
	if seen := t.seenUser(c, u); seen != nil {
		return seen, nil
	}
	return nil, errNotFound(cmp.Or(c.target.key, u.ID))
}

// seeGroup returns the group that a call reads, as it is and as reads see it
// now.
func (t *Tenant) seeGroup(c *call) (g, seen *group, err *graphError) {
	if g, err = t.findGroup(c); err != nil {
		return nil, nil, err
	}
	if seen = t.seenGroup(c, g); seen == nil {
		return nil, nil, errNotFound(c.target.key)
	}
	return g, seen, nil
}

func (t *Tenant) readUser(c *call) (result, *graphError) {
	u, err := t.seeUser(c)
	if err != nil {
		return result{}, err
	}
	return c.read("user", "#users", userProperties(u), userDefaults)
}

func (t *Tenant) readGroup(c *call) (result, *graphError) {
	_, g, err := t.seeGroup(c)
	if err != nil {
		return result{}, err
	}
	return c.read("group", "#groups", groupProperties(g), groupDefaults)
}
