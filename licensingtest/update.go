package licensingtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"time"
)

var countryCode = regexp.MustCompile(`^[A-Za-z]{2}$`)

// SetUsageLocation sets a user's usage location at once, for reads and for
// licenses. Pass "" to remove it. SetUsageLocation panics if there is no such user
// or the country is not a two-letter code.
func (t *Tenant) SetUsageLocation(userKey, country string) {
	t.lock()
	defer t.mu.Unlock()
	u := t.mustUser("SetUsageLocation", userKey)
	if country != "" {
		checkCountry("SetUsageLocation", country)
	}
	t.locate(u, country, time.Now(), 0)
}

// SetUsageLocationLag makes licensing notice a usage location late. For d after a
// request sets a usage location, reads show the new one, but assignments use the
// old one. An assignment fails if there was no old one.
func (t *Tenant) SetUsageLocationLag(d time.Duration) {
	t.lock()
	defer t.mu.Unlock()
	t.locationLag = d
}

// SetProxyAddressConflict sets or clears a user's ProxyAddressConflict. It panics
// if there is no such user.
func (t *Tenant) SetProxyAddressConflict(userKey string, conflict bool) {
	t.lock()
	defer t.mu.Unlock()
	t.mustUser("SetProxyAddressConflict", userKey).ProxyAddressConflict = conflict
}

// locate gives u a usage location that holds for its licenses after lag.
func (t *Tenant) locate(u *user, country string, now time.Time, lag time.Duration) {
	t.rememberUser(u, now)
	u.locationBefore, u.locationFrom = u.locationAt(now), now.Add(lag)
	u.UsageLocation = country
}

// locationAt is the usage location that u's licenses go by at a time.
func (u *user) locationAt(now time.Time) string {
	if now.Before(u.locationFrom) {
		return u.locationBefore
	}
	return u.UsageLocation
}

// updateUser is PATCH of a user, for the usage location alone.
func (t *Tenant) updateUser(c *call) (result, *graphError) {
	country, err := c.parseUpdate()
	if err != nil {
		return result{}, err
	}
	u, err := t.findUser(c)
	if err != nil {
		return result{}, err
	}
	if u.ProxyAddressConflict {
		return result{}, errProxyAddresses
	}
	now := c.now
	changed := u.UsageLocation != country
	if changed {
		t.locate(u, country, now, t.locationLag)
	}
	t.record(c, Write{Action: "update", Target: u.ID, UsageLocation: country, Changed: changed, Time: now})
	return result{status: http.StatusNoContent}, nil
}

// parseUpdate returns the usage location that the body of a PATCH sets.
func (c *call) parseUpdate() (string, *graphError) {
	if err := c.needJSON(); err != nil {
		return "", err
	}
	var body map[string]any
	if json.Unmarshal(c.body, &body) != nil || body == nil {
		return "", errUnreadable
	}
	body = respell(body, "usageLocation")
	maps.DeleteFunc(body, func(name string, _ any) bool { return strings.HasPrefix(name, "@odata.") })
	if _, ok := body["usageLocation"]; !ok || len(body) > 1 {
		return "", notServed("an update of anything but the usage location")
	}
	switch value := body["usageLocation"].(type) {
	case nil:
		return "", errUsageLocationValue
	case string:
		if !countryCode.MatchString(value) {
			return "", errUsageLocationValue
		}
		return strings.ToUpper(value), nil
	}
	return "", errUnreadable
}
