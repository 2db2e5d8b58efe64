package licensingtest

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// A change is what the body of assignLicense asks for. In add, DisabledPlans is
// nil when it was left out.
type change struct {
	add    []License
	remove []uuid.UUID
}

// parseChange reads the body of assignLicense.
func parseChange(body []byte) (change, *graphError) {
	var params map[string]json.RawMessage
	if json.Unmarshal(body, &params) != nil || params == nil {
		return change{}, errUnreadable
	}
	params = respell(params, "addLicenses", "removeLicenses")
	var missing []string
	for _, name := range []string{"addLicenses", "removeLicenses"} {
		if raw, ok := params[name]; !ok || string(raw) == "null" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return change{}, errMissing(missing)
	}

	if err := checkNames(params, "addLicenses", "removeLicenses"); err != nil {
		return change{}, err
	}

	var adds []addition
	var removes []guid
	err := errors.Join(json.Unmarshal(params["addLicenses"], &adds), json.Unmarshal(params["removeLicenses"], &removes))
	if refused, ok := errors.AsType[*graphError](err); ok {
		return change{}, refused
	}
	if err != nil {
		return change{}, errUnreadable
	}

	var ch change
	for _, add := range adds {
		ch.add = append(ch.add, License(add))
	}
	ch.remove = uuids(removes)
	return ch, nil
}

// checkNames tells which property of an object is not one of those known.
// Annotations do not count.
func checkNames(object map[string]json.RawMessage, known ...string) *graphError {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, name) && !strings.Contains(name, "@odata.") {
			return notServed("the property " + name + " in the body of assignLicense")
		}
	}
	return nil
}

// An addition is a license as it stands in the body of assignLicense.
type addition License

func (a *addition) UnmarshalJSON(text []byte) error {
	var names map[string]json.RawMessage
	if err := json.Unmarshal(text, &names); err != nil {
		return err
	}
	if err := checkNames(respell(names, "skuId", "disabledPlans"), "skuId", "disabledPlans"); err != nil {
		return err
	}
	var wire struct {
		SKUID         guid   `json:"skuId"`
		DisabledPlans []guid `json:"disabledPlans"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return err
	}
	*a = addition{uuid.UUID(wire.SKUID), uuids(wire.DisabledPlans)}
	return nil
}

// guid is an Edm.Guid, which has fewer spellings than uuid.Parse takes.
type guid uuid.UUID

func (g *guid) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return errBadGUID
	}
	id, err := parseGUID(s)
	if err != nil {
		return err
	}
	*g = guid(id)
	return nil
}

func parseGUID(s string) (uuid.UUID, error) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != len(uuid.Nil.String()) {
		return uuid.Nil, errBadGUID
	}
	return id, nil
}

// uuids returns the ids without repetitions, and nil only for nil.
func uuids(guids []guid) []uuid.UUID {
	if guids == nil {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(guids))
	for _, g := range guids {
		if id := uuid.UUID(g); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// revise returns the licenses that held becomes under ch, or why ch makes no
// sense for it. What the licenses mean for a user is not looked at. notHeld
// tells why a SKU that is not held cannot be removed.
func (t *Tenant) revise(held []License, ch change, notHeld func(sku uuid.UUID) *graphError) ([]License, *graphError) {
	if len(ch.add) == 0 && len(ch.remove) == 0 {
		return nil, errNoChanges
	}
	next := slices.Clone(held)
	for i, add := range ch.add {
		if err := t.checkLicense(add); err != nil {
			return nil, err
		}
		if _, twice := findLicense(ch.add[:i], add.SKUID); twice || slices.Contains(ch.remove, add.SKUID) {
			return nil, errTwice(add.SKUID)
		}
		at := slices.IndexFunc(next, func(l License) bool { return l.SKUID == add.SKUID })
		switch {
		case at < 0:
			next = append(next, add)
		case add.DisabledPlans != nil:
			next[at] = add
		}
	}
	for _, sku := range ch.remove {
		if t.skus[sku] == nil {
			return nil, errUnknownSKU(sku)
		}
		if _, ok := findLicense(held, sku); !ok {
			return nil, notHeld(sku)
		}
		next = slices.DeleteFunc(next, func(l License) bool { return l.SKUID == sku })
	}
	return next, nil
}

// checkLicense tells what is wrong with l, whoever it is for.
func (t *Tenant) checkLicense(l License) *graphError {
	sku := t.skus[l.SKUID]
	if sku == nil {
		return errUnknownSKU(l.SKUID)
	}
	if sku.AppliesTo == "Company" {
		return errCompanySKU(l.SKUID)
	}
	for _, plan := range l.DisabledPlans {
		if _, ok := findPlan(sku.Plans, plan); !ok {
			return errForeignPlan(plan, l.SKUID)
		}
	}
	return nil
}

// change returns what the body of c asks for.
func (c *call) change() (change, *graphError) {
	if err := c.needJSON(); err != nil {
		return change{}, err
	}
	return parseChange(c.body)
}

// assignUser is assignLicense for a user.
func (t *Tenant) assignUser(c *call) (result, *graphError) {
	ch, err := c.change()
	if err != nil {
		return result{}, err
	}
	u, err := t.findUser(c)
	if err != nil {
		return result{}, err
	}
	held := u.licenses("")
	next, err := t.revise(held, ch, func(sku uuid.UUID) *graphError {
		if _, ok := findLicense(u.merged(), sku); ok {
			return errInherited
		}
		return errNotAssigned
	})
	if err != nil {
		return result{}, err
	}
	now := c.now
	if problems := t.problems(u, "", next, now); len(problems) > 0 {
		return result{}, problems[0].err
	}
	t.setLicenses(u, "", next, now)
	t.record(c, Write{Action: "assignLicense", Target: u.ID, Added: ch.add, Removed: ch.remove, Changed: !sameLicenses(held, next), Time: now})
	return result{value: changedUser(u)}, nil
}

// assignGroup is assignLicense for a group.
func (t *Tenant) assignGroup(c *call) (result, *graphError) {
	ch, err := c.change()
	if err != nil {
		return result{}, err
	}
	g, err := t.findGroup(c)
	if err != nil {
		return result{}, err
	}
	next, err := t.revise(g.Licenses, ch, func(uuid.UUID) *graphError { return errGroupNotAssigned })
	if err != nil {
		return result{}, err
	}
	plans := t.enabled(next...)
	if err := incomplete(plans, plans); err != nil {
		return result{}, err
	}
	now := c.now
	changed := !sameLicenses(g.Licenses, next)
	t.setGroupLicenses(g, next, now)
	t.record(c, Write{Action: "assignLicense", Target: g.ID, Added: ch.add, Removed: ch.remove, Changed: changed, Time: now})
	return t.acceptedGroup(g), nil
}

// sameLicenses reports whether a and b are the same, in whatever order.
func sameLicenses(a, b []License) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(l License) bool { return !contains(b, l) })
}

// contains reports whether l, with the same disabled plans, is among licenses.
func contains(licenses []License, l License) bool {
	other, ok := findLicense(licenses, l.SKUID)
	return ok && len(other.DisabledPlans) == len(l.DisabledPlans) &&
		!slices.ContainsFunc(l.DisabledPlans, func(id uuid.UUID) bool { return !slices.Contains(other.DisabledPlans, id) })
}
