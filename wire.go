package licensing

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

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
		Type string `json:"@odata.type"`
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
	plainSubscription Subscription
	wireSubscription  struct {
		plainSubscription
		CreatedDateTime       moment            `json:"createdDateTime"`
		NextLifecycleDateTime moment            `json:"nextLifecycleDateTime"`
		ServiceStatus         []wireServicePlan `json:"serviceStatus"`
		SKUID                 guid              `json:"skuId"`
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

func (w *wireSubscription) subscription() Subscription {
	s := Subscription(w.plainSubscription)
	s.CreatedDateTime, s.NextLifecycleDateTime = time.Time(w.CreatedDateTime), time.Time(w.NextLifecycleDateTime)
	s.ServiceStatus, s.SKUID = each(w.ServiceStatus, wireServicePlan.plan), uuid.UUID(w.SKUID)
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
