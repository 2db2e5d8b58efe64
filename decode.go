package licensing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// MarshalJSON writes both lists, [] where there is nothing in one: Graph
// refuses a request without either.
func (r AssignLicenseRequest) MarshalJSON() ([]byte, error) {
	return r.appendJSON(nil), nil
}

// MarshalJSON writes the list of disabled plans also when it is empty: without
// it Graph keeps the plans disabled that were.
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

// UnmarshalJSON reads a user as Graph writes it: ids in any letter case, times
// with or without a zone. Null and empty ids in lists are left out.
func (u *User) UnmarshalJSON(data []byte) error {
	var a userAnswer
	err := a.Read(data)
	*u = *a.user()
	return err
}

// UnmarshalJSON reads a group as Graph writes it, like [User.UnmarshalJSON].
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
	return userProperties[strings.ToLower(string(member))]
}
func (a *groupAnswer) Shows(member []byte) graph.Sign {
	return groupProperties[strings.ToLower(string(member))]
}

var (
	userProperties  = propertiesOf(reflect.TypeFor[User]())
	groupProperties = propertiesOf(reflect.TypeFor[Group]())
)

// propertiesOf returns the names that the fields of a type have in JSON, in lower
// case, and what each shows.
func propertiesOf(t reflect.Type) map[string]graph.Sign {
	names := make(map[string]graph.Sign)
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names[strings.ToLower(name)] = graph.Weak
	}
	names["assignedlicenses"] = graph.Certain
	return names
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

// The wire types are those of models.go with ids and times as Graph may write
// them, for answers that cannot be read into those as they are. A part that is
// read so stands one level above the type's own member of that name, and so takes
// its place: encoding/json prefers the shallower of two. The type's own members
// are embedded by value in an item of a page, and else by pointer.
type (
	plainUser   User // without its methods
	userWithin  struct{ plainUser }
	userInPlace struct{ *plainUser }
	wireUser    struct {
		userWithin
		userParts
	}
	userParts struct {
		AssignedLicenses        []wireLicense         `json:"assignedLicenses"`
		AssignedPlans           []wirePlan            `json:"assignedPlans"`
		LicenseAssignmentStates []wireAssignmentState `json:"licenseAssignmentStates"`
	}
	plainGroup   Group
	groupWithin  struct{ plainGroup }
	groupInPlace struct{ *plainGroup }
	wireGroup    struct {
		groupWithin
		groupParts
	}
	groupParts struct {
		AssignedLicenses           []wireLicense `json:"assignedLicenses"`
		CreatedDateTime            moment        `json:"createdDateTime"`
		DeletedDateTime            moment        `json:"deletedDateTime"`
		ExpirationDateTime         moment        `json:"expirationDateTime"`
		OnPremisesLastSyncDateTime moment        `json:"onPremisesLastSyncDateTime"`
		RenewedDateTime            moment        `json:"renewedDateTime"`
	}
	wireLicense struct {
		SKUID         guid   `json:"skuId"`
		DisabledPlans []guid `json:"disabledPlans"`
	}
	wirePlan struct {
		AssignedDateTime moment           `json:"assignedDateTime"`
		CapabilityStatus CapabilityStatus `json:"capabilityStatus"`
		Service          string           `json:"service"`
		ServicePlanID    guid             `json:"servicePlanId"`
	}
	wireAssignmentState struct {
		AssignedByGroup     string          `json:"assignedByGroup"`
		DisabledPlans       []guid          `json:"disabledPlans"`
		Error               AssignmentError `json:"error"`
		LastUpdatedDateTime moment          `json:"lastUpdatedDateTime"`
		SKUID               guid            `json:"skuId"`
		State               AssignmentState `json:"state"`
	}
	plainSKU SubscribedSKU
	wireSKU  struct {
		plainSKU
		ServicePlans []wireServicePlan `json:"servicePlans"`
		SKUID        guid              `json:"skuId"`
	}
	plainDetails LicenseDetails
	wireDetails  struct {
		plainDetails
		ServicePlans []wireServicePlan `json:"servicePlans"`
		SKUID        guid              `json:"skuId"`
	}
	plainServicePlan ServicePlan
	wireServicePlan  struct {
		plainServicePlan
		ServicePlanID guid `json:"servicePlanId"`
	}
)

// user returns the user that w holds.
func (w *wireUser) user() *User {
	u := (*User)(&w.plainUser)
	w.complete(u)
	return u
}

func (p *userParts) complete(u *User) {
	u.AssignedLicenses = each(p.AssignedLicenses, wireLicense.license)
	u.AssignedPlans = each(p.AssignedPlans, wirePlan.plan)
	u.LicenseAssignmentStates = each(p.LicenseAssignmentStates, wireAssignmentState.state)
}

// group returns the group that w holds.
func (w *wireGroup) group() *Group {
	g := (*Group)(&w.plainGroup)
	w.complete(g)
	return g
}

func (p *groupParts) complete(g *Group) {
	g.AssignedLicenses = each(p.AssignedLicenses, wireLicense.license)
	g.CreatedDateTime = time.Time(p.CreatedDateTime)
	g.DeletedDateTime = time.Time(p.DeletedDateTime)
	g.ExpirationDateTime = time.Time(p.ExpirationDateTime)
	g.OnPremisesLastSyncDateTime = time.Time(p.OnPremisesLastSyncDateTime)
	g.RenewedDateTime = time.Time(p.RenewedDateTime)
}

func (w wireLicense) license() AssignedLicense {
	return AssignedLicense{SKUID: uuid.UUID(w.SKUID), DisabledPlans: ids(w.DisabledPlans)}
}

func (w wirePlan) plan() AssignedPlan {
	return AssignedPlan{
		AssignedDateTime: time.Time(w.AssignedDateTime),
		CapabilityStatus: w.CapabilityStatus,
		Service:          w.Service,
		ServicePlanID:    uuid.UUID(w.ServicePlanID),
	}
}

func (w wireAssignmentState) state() LicenseAssignmentState {
	return LicenseAssignmentState{
		AssignedByGroup:     w.AssignedByGroup,
		DisabledPlans:       ids(w.DisabledPlans),
		Error:               w.Error,
		LastUpdatedDateTime: time.Time(w.LastUpdatedDateTime),
		SKUID:               uuid.UUID(w.SKUID),
		State:               w.State,
	}
}

func (w *wireSKU) sku() SubscribedSKU {
	s := SubscribedSKU(w.plainSKU)
	s.ServicePlans, s.SKUID = each(w.ServicePlans, wireServicePlan.plan), uuid.UUID(w.SKUID)
	return s
}

func (w *wireDetails) details() LicenseDetails {
	d := LicenseDetails(w.plainDetails)
	d.ServicePlans, d.SKUID = each(w.ServicePlans, wireServicePlan.plan), uuid.UUID(w.SKUID)
	return d
}

func (w wireServicePlan) plan() ServicePlan {
	p := ServicePlan(w.plainServicePlan)
	p.ServicePlanID = uuid.UUID(w.ServicePlanID)
	return p
}

// each returns f of each item, and nil for nil: a list that was not returned
// is not an empty one.
func each[W, T any](items []W, f func(W) T) []T {
	if items == nil {
		return nil
	}
	list := make([]T, len(items))
	for i, item := range items {
		list[i] = f(item)
	}
	return list
}

// known returns the ids that are not null, which Graph's metadata allows in
// lists.
func known(ids []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(ids, func(id uuid.UUID) bool { return id == uuid.Nil })
}

func ids(list []guid) []uuid.UUID {
	return known(each(list, func(g guid) uuid.UUID { return uuid.UUID(g) }))
}

// A guid is a uuid.UUID that null and "" leave nil.
type guid uuid.UUID

func (g *guid) UnmarshalJSON(data []byte) error {
	text, err := jsonText(data)
	if err != nil || len(text) == 0 {
		return err
	}
	id, err := uuid.ParseBytes(text)
	if err != nil {
		return errors.New("not a GUID")
	}
	*g = guid(id)
	return nil
}

// A moment is a time whose zone may be missing, which then is UTC.
type moment time.Time

func (m *moment) UnmarshalJSON(data []byte) error {
	text, err := jsonText(data)
	if err != nil || len(text) == 0 {
		return err
	}
	t, err := graph.ParseTime(string(text))
	if err != nil {
		return errors.New("not a time")
	}
	*m = moment(t)
	return nil
}

// jsonText returns the content of a JSON string, and nothing for null.
func jsonText(data []byte) ([]byte, error) {
	switch {
	case string(data) == "null":
		return nil, nil
	case data[0] != '"':
		return nil, errors.New("not a string")
	case bytes.IndexByte(data, '\\') < 0:
		return data[1 : len(data)-1], nil
	}
	var s string
	err := json.Unmarshal(data, &s)
	return []byte(s), err
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
