package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A Kind says whether a [Goal] is for a user or a group.
type Kind string

// The kinds of object.
const (
	KindUser  Kind = "user"
	KindGroup Kind = "group"
)

// A Mode says what happens to licenses that a [Goal] does not name.
type Mode string

// The modes.
const (
	AtLeast Mode = "atLeast" // they stay, and plans that are on stay on
	Exactly Mode = "exactly" // they are removed if their SKU is managed
)

// A Goal says which direct licenses one user or group should have. It is plain data
// and can be stored as JSON. The JSON is read strictly: an unknown member is an
// error.
type Goal struct {
	Kind     Kind        `json:"kind,omitzero"` // "" is KindUser
	Target   string      `json:"target"`        // a user's id or user principal name, or a group's id
	Licenses []License   `json:"licenses,omitempty"`
	Remove   []uuid.UUID `json:"remove,omitempty"` // SKUs that should not be assigned directly, in either mode
	Mode     Mode        `json:"mode,omitzero"`    // "" is AtLeast
	// Ref is the caller's own reference, such as a ticket or the line of a file. It is
	// copied to Operation.Ref and Problem.Ref.
	Ref string `json:"ref,omitzero"`

	unknown bool // the user whose licenses it is about was read without them
}

var errUnknown = errors.New("the licenses of the user are not known")

// A License is one SKU of a [Goal]. At most one of DisabledPlans and Plans may be
// set.
type License struct {
	SKUID uuid.UUID
	// DisabledPlans lists the plans that are off. With nil, an existing license stays
	// as it is and a new one has all plans on. An empty list turns all plans on.
	DisabledPlans []uuid.UUID
	// Plans changes the plans of an existing license. A new license starts with all
	// plans on.
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

// MarshalJSON writes the license as an object with skuId. If they are set, the
// object has disabledPlans, and plans with enable, disable and enableOnly.
func (l License) MarshalJSON() ([]byte, error) {
	return json.Marshal(licenseRecord{l.SKUID, l.DisabledPlans, (*planRecord)(l.Plans)})
}

// UnmarshalJSON reads what [License.MarshalJSON] writes. It is strict.
func (l *License) UnmarshalJSON(data []byte) error {
	var record licenseRecord
	if err := readStrictly(data, &record); err != nil {
		return fmt.Errorf("license: %w", err)
	}
	*l = License{record.SKUID, record.DisabledPlans, (*licensing.ServicePlanChange)(record.Plans)}
	return nil
}

// MarshalJSON writes the goal as an object with target. If they are set, the object
// has kind, licenses, remove, mode and ref. A goal of [Copy] or [Covered] is an
// error if Plan refuses it because the user's licenses are unknown. Its JSON would
// be an empty goal.
func (g Goal) MarshalJSON() ([]byte, error) {
	if g.unknown {
		return nil, fmt.Errorf("goal: %w", errUnknown)
	}
	type plain Goal
	return json.Marshal(plain(g))
}

// UnmarshalJSON reads a goal strictly, because people may have written it by hand.
// An unknown member is an error that names the member. So is a member that appears
// twice or in different case. Anything that [Plan] would refuse in every tenant is
// an error too.
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
