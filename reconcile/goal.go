package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A Kind is what sort of object a [Goal] is for.
type Kind string

// The kinds of object.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)

// A Mode says what becomes of what a [Goal] does not name.
type Mode string

// The modes.
const (
	AtLeast Mode = "atLeast" // it stays, and what is on stays on
	Exactly Mode = "exactly" // what is managed of it is taken away
)

// A Goal says what one user or group is to have directly. It is plain data and
// travels as JSON, which is read strictly: a member that is none is an error.
type Goal struct {
	Kind     Kind        `json:"kind,omitzero"` // "" is KindUser
	Target   string      `json:"target"`        // a user's id or user principal name, a group's id
	Licenses []License   `json:"licenses,omitempty"`
	Remove   []uuid.UUID `json:"remove,omitempty"` // SKUs that it is not to have directly, whatever the mode
	Mode     Mode        `json:"mode,omitzero"`    // "" is AtLeast
	// Ref is the caller's own, such as a ticket or a line of a file. It goes into
	// Operation.Ref and Problem.Ref.
	Ref string `json:"ref,omitzero"`

	unknown bool // the user whose licenses it is about was read without them
}

var errUnknown = errors.New("the licenses of the user are not known")

// A License is one SKU of a [Goal]. DisabledPlans or Plans may be given, or neither.
type License struct {
	SKUID uuid.UUID
	// DisabledPlans are the plans that are off. Nil leaves a license as it is and
	// has all plans of a new one on; an empty list has all on.
	DisabledPlans []uuid.UUID
	// Plans is a change of what is there. A new license starts with all plans on.
	Plans *licensing.ServicePlanChange
}

// A licenseRecord is a License in JSON.
type licenseRecord struct {
	SKUID         uuid.UUID   `json:"skuId"`
	DisabledPlans []uuid.UUID `json:"disabledPlans,omitzero"` // [] is not the same as none
	Plans         *planRecord `json:"plans,omitzero"`
}

type planRecord struct {
	Enable     []uuid.UUID `json:"enable,omitempty"`
	Disable    []uuid.UUID `json:"disable,omitempty"`
	EnableOnly []uuid.UUID `json:"enableOnly,omitempty"`
}

// MarshalJSON writes the license as an object: skuId, and where they are given
// disabledPlans, and plans with enable, disable and enableOnly.
func (l License) MarshalJSON() ([]byte, error) {
	return json.Marshal(licenseRecord{l.SKUID, l.DisabledPlans, (*planRecord)(l.Plans)})
}

// UnmarshalJSON reads what [License.MarshalJSON] writes, strictly.
func (l *License) UnmarshalJSON(data []byte) error {
	var record licenseRecord
	if err := readStrictly(data, &record); err != nil {
		return fmt.Errorf("license: %w", err)
	}
	*l = License{record.SKUID, record.DisabledPlans, (*licensing.ServicePlanChange)(record.Plans)}
	return nil
}

// MarshalJSON writes the goal as an object: target, and where they are given kind,
// licenses, remove, mode and ref. A goal of [Copy] or [Covered] for a user whose
// licenses are not known is an error: as an object it would be an empty goal.
func (g Goal) MarshalJSON() ([]byte, error) {
	if g.unknown {
		return nil, fmt.Errorf("goal: %w", errUnknown)
	}
	type plain Goal
	return json.Marshal(plain(g))
}

// UnmarshalJSON reads a goal strictly, as it may have been written by hand. An
// unknown member is an error that names it, and so is one that is there twice or in
// another case, and anything in the goal that [Plan] would refuse whatever the state
// of the tenant.
func (g *Goal) UnmarshalJSON(data []byte) error {
	type plain Goal
	var read plain
	if err := readStrictly(data, &read); err != nil {
		return fmt.Errorf("goal: %w", err)
	}
	if err := (*Goal)(&read).check(); err != nil {
		return fmt.Errorf("goal: %w", err)
	}
	*g = Goal(read)
	return nil
}

// kind returns the kind, which has a default.
func (g *Goal) kind() Kind {
	if g.Kind == "" {
		return KindUser
	}
	return g.Kind
}

// exact reports whether what the goal does not name is to go.
func (g *Goal) exact() bool { return g.Mode == Exactly }

// check says what is wrong with a goal, whatever the state of the tenant.
func (g *Goal) check() error {
	switch {
	case g.unknown:
		return errUnknown
	case g.Target == "":
		return mistake("Target is empty")
	case g.kind() != KindUser && g.kind() != KindGroup:
		return mistake("Kind is %q", g.Kind)
	case g.Mode != "" && g.Mode != AtLeast && !g.exact():
		return mistake("Mode is %q", g.Mode)
	}
	for i, license := range g.Licenses {
		if err := license.check(); err != nil {
			return mistake("Licenses[%d]%w", i, err)
		}
		switch {
		case indexOf(g.Licenses[:i], license.SKUID) >= 0:
			return mistake("Licenses[%d].SKUID %s is there twice", i, license.SKUID)
		case slices.Contains(g.Remove, license.SKUID):
			return mistake("Licenses[%d].SKUID %s is in Remove, too", i, license.SKUID)
		}
	}
	if i := slices.Index(g.Remove, uuid.Nil); i >= 0 {
		return mistake("Remove[%d] is the nil UUID", i)
	}
	return nil
}

// check says what is wrong with a license of a goal; the text follows its name.
func (l *License) check() error {
	switch i := slices.Index(l.DisabledPlans, uuid.Nil); {
	case l.SKUID == uuid.Nil:
		return errors.New(".SKUID is the nil UUID")
	case i >= 0:
		return fmt.Errorf(".DisabledPlans[%d] is the nil UUID", i)
	case l.DisabledPlans != nil && l.Plans != nil:
		return errors.New(" has both DisabledPlans and Plans")
	case l.Plans != nil:
		return l.checkPlans()
	}
	return nil
}

// checkPlans says what is wrong with a change of plans for any SKU. One that has all
// the plans leaves nothing else to be wrong.
func (l *License) checkPlans() error {
	sku := licensing.SubscribedSKU{SKUID: l.SKUID}
	for _, id := range slices.Concat(l.Plans.Enable, l.Plans.Disable, l.Plans.EnableOnly) {
		sku.ServicePlans = append(sku.ServicePlans, licensing.ServicePlan{ServicePlanID: id})
	}
	if _, err := l.Plans.Apply(licensing.AssignedLicense{SKUID: l.SKUID}, sku); err != nil {
		return fmt.Errorf(".Plans: %w", err)
	}
	return nil
}

// indexOf returns the position of the license for a SKU, or -1.
func indexOf(licenses []License, sku uuid.UUID) int {
	return slices.IndexFunc(licenses, func(l License) bool { return l.SKUID == sku })
}
