package licensing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// MarshalJSON writes both lists, and [] for an empty one. Graph refuses a request
// in which a list is missing.
func (r AssignLicenseRequest) MarshalJSON() ([]byte, error) {
	return r.appendJSON(nil), nil
}

// MarshalJSON writes the list of disabled plans even if it is empty. If the list is
// missing, Graph keeps the disabled plans as they were.
func (l AssignedLicense) MarshalJSON() ([]byte, error) {
	return l.appendJSON(nil), nil
}

func (r AssignLicenseRequest) appendJSON(b []byte) []byte {
	ids := len(r.RemoveLicenses)
	for _, license := range r.AddLicenses {
		ids += 2 + len(license.DisabledPlans) // an id, and as much around it
	}
	b = slices.Grow(b, (ids+1)*len(`"00000000-0000-0000-0000-000000000000",`))
	b = append(b, `{"addLicenses":[`...)
	for i, license := range r.AddLicenses {
		if i > 0 {
			b = append(b, ',')
		}
		b = license.appendJSON(b)
	}
	b = append(b, `],"removeLicenses":`...)
	b = appendIDs(b, r.RemoveLicenses)
	return append(b, '}')
}

func (l AssignedLicense) appendJSON(b []byte) []byte {
	b = append(b, `{"disabledPlans":`...)
	b = appendIDs(b, l.DisabledPlans)
	b = append(b, `,"skuId":`...)
	b = appendID(b, l.SKUID)
	return append(b, '}')
}

func appendIDs(b []byte, ids []uuid.UUID) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendID(b, id)
	}
	return append(b, ']')
}

func appendID(b []byte, id uuid.UUID) []byte {
	text, _ := id.MarshalText() // never fails
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// UnmarshalJSON reads a user as Graph writes it. Ids may be in any letter case, and
// times may lack a zone. Null and empty ids in lists are left out.
func (u *User) UnmarshalJSON(data []byte) error {
	var a userAnswer
	err := a.Read(data)
	*u = *a.user()
	return err
}

// UnmarshalJSON reads a group as Graph writes it; see [User.UnmarshalJSON].
func (g *Group) UnmarshalJSON(data []byte) error {
	var a groupAnswer
	err := a.Read(data)
	*g = *a.group()
	return err
}

// A userAnswer is what Graph answers a request on a user with.
type userAnswer struct{ plainUser }

func (a *userAnswer) user() *User { return (*User)(&a.plainUser) }

// Read makes a what body says.
func (a *userAnswer) Read(body []byte) error {
	*a = userAnswer{}
	if json.Unmarshal(body, &a.plainUser) == nil && a.user().tidied() { // as nearly always
		return nil
	}
	*a = userAnswer{}
	wire := struct {
		userInPlace
		userParts
	}{userInPlace: userInPlace{&a.plainUser}}
	if err := json.Unmarshal(body, &wire); err != nil {
		return err
	}
	wire.complete(a.user())
	return nil
}

// A groupAnswer is to a group what a userAnswer is to a user.
type groupAnswer struct{ plainGroup }

func (a *groupAnswer) group() *Group { return (*Group)(&a.plainGroup) }

// Read makes a what body says.
func (a *groupAnswer) Read(body []byte) error {
	*a = groupAnswer{}
	if json.Unmarshal(body, &a.plainGroup) == nil && a.group().tidied() {
		return nil
	}
	*a = groupAnswer{}
	wire := struct {
		groupInPlace
		groupParts
	}{groupInPlace: groupInPlace{&a.plainGroup}}
	if err := json.Unmarshal(body, &wire); err != nil {
		return err
	}
	wire.complete(a.group())
	return nil
}

// Of a user and of a group there is one in an answer, and its name is compared
// where there is one that a request can go by.
func (a *userAnswer) Items() int  { return 0 }
func (a *groupAnswer) Items() int { return 0 }

func (a *userAnswer) Identity() (id, name string)  { return a.ID, a.UserPrincipalName }
func (a *groupAnswer) Identity() (id, name string) { return a.ID, "" }

func (a *userAnswer) Shows(member []byte) graph.Sign {
	return userSigns[strings.ToLower(string(member))]
}
func (a *groupAnswer) Shows(member []byte) graph.Sign {
	return groupSigns[strings.ToLower(string(member))]
}

var (
	userSigns  = signsOf(reflect.TypeFor[User]())
	groupSigns = signsOf(reflect.TypeFor[Group]())
)

// properties are the names that the fields of a type have in JSON.
func properties(t reflect.Type) iter.Seq[string] {
	return func(yield func(string) bool) {
		for field := range t.Fields() {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !yield(name) {
				return
			}
		}
	}
}

// signsOf returns what the properties of a type show, by their names in lower case.
func signsOf(t reflect.Type) map[string]graph.Sign {
	signs := make(map[string]graph.Sign)
	for name := range properties(t) {
		signs[strings.ToLower(name)] = graph.Weak
	}
	signs["assignedlicenses"] = graph.Certain
	return signs
}

// tidied leaves out null ids, and reports whether u is as the wire types would
// have it: they refuse times that cannot be written again.
func (u *User) tidied() bool {
	for i, license := range u.AssignedLicenses {
		u.AssignedLicenses[i].DisabledPlans = known(license.DisabledPlans)
	}
	for i, state := range u.LicenseAssignmentStates {
		u.LicenseAssignmentStates[i].DisabledPlans = known(state.DisabledPlans)
		if !graph.Writable(state.LastUpdatedDateTime) {
			return false
		}
	}
	return !slices.ContainsFunc(u.AssignedPlans, func(p AssignedPlan) bool { return !graph.Writable(p.AssignedDateTime) })
}

func (g *Group) tidied() bool {
	for i, license := range g.AssignedLicenses {
		g.AssignedLicenses[i].DisabledPlans = known(license.DisabledPlans)
	}
	return graph.Writable(g.CreatedDateTime) && graph.Writable(g.DeletedDateTime) && graph.Writable(g.ExpirationDateTime) &&
		graph.Writable(g.OnPremisesLastSyncDateTime) && graph.Writable(g.RenewedDateTime)
}

// unreadable names a property of body that fails to be read, such as
// "assignedLicenses[0].skuId". encoding/json tells it for its own types only, so
// this finds out by reading the parts alone: on each level each part once, so that
// the work grows as body does. It gives up when ctx ends.
func unreadable(ctx context.Context, body []byte, fails func(part []byte) bool) string {
	var before, after []byte // what stands around a part
	name := ""
	within := func(part []byte) bool { return fails(slices.Concat(before, part, after)) }
	for part := bytes.TrimSpace(body); ; {
		step, next := "", []byte(nil)
		switch {
		case bytes.HasPrefix(part, []byte("{")) && !within([]byte("{}")):
			for member, value := range graph.Members(part) {
				key, _ := json.Marshal(member)
				opening := slices.Concat([]byte("{"), key, []byte(":"))
				if ctx.Err() == nil && within(slices.Concat(opening, value, []byte("}"))) {
					step, next = "."+member, value
					before, after = slices.Concat(before, opening), slices.Concat([]byte("}"), after)
					break
				}
			}
		case bytes.HasPrefix(part, []byte("[")) && !within([]byte("[]")):
			i := 0
			for element := range graph.Elements(part) {
				if ctx.Err() == nil && within(slices.Concat([]byte("["), element, []byte("]"))) {
					step, next = fmt.Sprintf("[%d]", i), element
					before, after = slices.Concat(before, []byte("[")), slices.Concat([]byte("]"), after)
					break
				}
				i++
			}
		}
		if next == nil {
			break
		}
		name += step
		part = next
	}
	return strings.TrimPrefix(name, ".")
}
