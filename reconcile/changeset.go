package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A ChangeSet is what [Plan] found: what is to be sent, and what cannot be reached.
// It travels as JSON, which is read strictly, so that one process plans, people
// review, and another process applies. Slices in it may be shared.
type ChangeSet struct {
	Created   time.Time     `json:"created"`
	Changes   []Change      `json:"changes"`            // in the order of the goals
	Unchanged int           `json:"unchanged"`          // goals that are reached already
	Problems  []Problem     `json:"problems,omitempty"` // in the order of the goals
	Seats     []SeatBalance `json:"seats,omitempty"`    // of the SKUs of which seats are taken or given back
}

// A Change is what one user or group needs. What Before and After do not name stays
// as it is.
type Change struct {
	Operation licensing.Operation `json:"operation,omitzero"` // what will be sent; its target is the goal's
	// ID is the object's id, a GUID. It is what counts: the object is looked at and
	// changed by it, whatever name the operation's target has for it.
	ID   string `json:"id,omitzero"`
	Name string `json:"name,omitzero"` // for people: a user's user principal name, a group's display name
	// Before and After are what is assigned directly of the SKUs that the operation
	// is about.
	Before []licensing.AssignedLicense `json:"before"`
	After  []licensing.AssignedLicense `json:"after"`
	// Enabled and Disabled are what the person gains and loses in effect, all SKUs and
	// groups considered; of a group, what it gains and loses for its members.
	Enabled  []ServicePlanRef `json:"enabled,omitempty"`
	Disabled []ServicePlanRef `json:"disabled,omitempty"`
	Takes    []uuid.UUID      `json:"takes,omitempty"` // SKUs of which a user takes a seat
	Frees    []uuid.UUID      `json:"frees,omitempty"` // SKUs of which a user gives a seat back
	Warnings []Warning        `json:"warnings,omitempty"`
}

// A ServicePlanRef is a service plan of a SKU, with the names that the tenant has
// for them.
type ServicePlanRef struct {
	SKUID           uuid.UUID `json:"skuId"`
	SKUPartNumber   string    `json:"skuPartNumber,omitzero"`
	ServicePlanID   uuid.UUID `json:"servicePlanId"`
	ServicePlanName string    `json:"servicePlanName,omitzero"`
}

// A Warning is something about a [Change] that people should know before it is made.
type Warning string

// The warnings.
const (
	WarnMailbox         Warning = "mailbox"         // the last Exchange plan goes, and with it the mailbox after 30 days
	WarnKeptByGroup     Warning = "keptByGroup"     // what is taken away directly, a group goes on giving
	WarnNoUsageLocation Warning = "noUsageLocation" // the user has none, without which Graph may refuse to switch plans
	WarnSeats           Warning = "seats"           // it takes a seat of a SKU that has too few, those given back included
	WarnUnknownSKU      Warning = "unknownSku"      // a SKU goes that the tenant no longer lists, whose plans are not known: Disabled does not have them
	WarnUnknownPlan     Warning = "unknownPlan"     // the goal has plans off that are none of the SKU's or cannot be switched; they are left out
)

// A Problem is why a [Goal] cannot be reached. Nothing is changed for such a goal.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Target string      `json:"target"` // the goal's
	Ref    string      `json:"ref,omitzero"`
	SKUID  uuid.UUID   `json:"skuId,omitzero"`  // that it is about, if any
	Detail string      `json:"detail,omitzero"` // for people
}

// A ProblemKind is a word for why a goal cannot be reached.
type ProblemKind string

// The kinds of problem.
const (
	ProblemNotFound        ProblemKind = "notFound"                // there is no such user or group
	ProblemUnreadable      ProblemKind = "unreadable"              // the token may not read the licenses, or the answer could not be read
	ProblemTwoGoals        ProblemKind = "twoGoals"                // another goal is for the same object, perhaps under another name
	ProblemUnknownSKU      ProblemKind = "unknownSku"              // the tenant has no such SKU
	ProblemNotAssignable   ProblemKind = "notAssignable"           // the SKU is for the company
	ProblemNotManaged      ProblemKind = "notManaged"              // an Exactly goal would change a license that is not managed
	ProblemInvalidPlans    ProblemKind = "invalidPlans"            // License.Plans cannot be applied to the SKU
	ProblemInherited       ProblemKind = "inheritedWithOtherPlans" // a group gives the SKU with plans on that are to be off
	ProblemNoUsageLocation ProblemKind = "noUsageLocation"         // a user without one cannot get a license
)

// A SeatBalance is what becomes of the seats of a SKU, by the users of a ChangeSet.
// What the members of groups take and give back is not in it.
type SeatBalance struct {
	SKUID         uuid.UUID `json:"skuId"`
	SKUPartNumber string    `json:"skuPartNumber,omitzero"`
	Needed        int       `json:"needed"` // by users who have no seat yet
	Freed         int       `json:"freed"`  // by users who have none any more
	Free          int       `json:"free"`   // when it was planned; negative where more are in use than were paid for
	Short         int       `json:"short"`  // how many are missing, those that are freed included
}

// Removes reports whether the change takes a license or a service plan away from
// what is assigned directly.
func (c *Change) Removes() bool {
	return len(c.Operation.Request.RemoveLicenses) > 0 ||
		slices.ContainsFunc(c.Operation.Request.AddLicenses, func(l licensing.AssignedLicense) bool {
			before, had := licenseOf(c.Before, l.SKUID)
			return had && !contains(before.DisabledPlans, l.DisabledPlans)
		})
}

// Removals returns how many people lose a license or a service plan of what they
// have directly, which is what ApplyOptions.MaxRemovals is compared with. A group
// counts as one.
func (s *ChangeSet) Removals() int {
	n := 0
	for i := range s.Changes {
		if s.Changes[i].Removes() {
			n++
		}
	}
	return n
}

// UnmarshalJSON reads a set of changes strictly. An unknown member is an error that
// names it, and so is one that is there twice or in another case, a set without
// created or changes, and a change that does not agree with itself.
func (s *ChangeSet) UnmarshalJSON(data []byte) error {
	type plain ChangeSet
	var read plain
	err := readStrictly(data, &read, "created", "changes")
	switch {
	case err != nil:
	case read.Created.IsZero():
		err = errors.New("created is the zero time")
	default:
		err = (*ChangeSet)(&read).check()
	}
	if err != nil {
		return fmt.Errorf("change set: %w", err)
	}
	*s = ChangeSet(read)
	return nil
}

// check says what does not agree in the changes.
func (s *ChangeSet) check() error {
	ids := make(map[string]bool, len(s.Changes))
	for i := range s.Changes {
		c := &s.Changes[i]
		if err := c.check(); err != nil {
			return mistake("Changes[%d]: %w", i, err)
		}
		key := c.key()
		if ids[key] {
			return mistake("Changes[%d]: ID %s is there twice", i, c.ID)
		}
		ids[key] = true
	}
	return nil
}

// key is the same for two changes of one object only.
func (c *Change) key() string { return string(c.Operation.Kind) + " " + strings.ToLower(c.ID) }

func (c *Change) ofGroup() bool { return c.Operation.Kind == licensing.OperationAssignGroup }

// check says what of a change does not agree with the rest of it.
func (c *Change) check() error {
	request := c.Operation.Request
	if err := checkID(c.ID, c.Operation.Target); err != nil {
		return err
	}
	switch {
	case c.Operation.Kind != licensing.OperationAssignUser && !c.ofGroup():
		return mistake("Operation.Kind is %q", c.Operation.Kind)
	case len(request.AddLicenses)+len(request.RemoveLicenses) == 0:
		return mistake("Operation.Request is empty")
	case !sameLicenses(request.AddLicenses, c.After):
		return mistake("After is not what Operation.Request makes")
	}
	for _, l := range c.Before {
		if _, added := licenseOf(c.After, l.SKUID); !added && !slices.Contains(request.RemoveLicenses, l.SKUID) {
			return mistake("Before has SKU %s, which Operation.Request does not", l.SKUID)
		}
	}
	for _, id := range request.RemoveLicenses {
		if _, had := licenseOf(c.Before, id); !had {
			return mistake("Operation.Request removes SKU %s, which Before does not have", id)
		}
	}
	return nil
}

// checkID says why an id cannot be that of an object that has a name.
func checkID(id, name string) error {
	switch {
	case !isGUID(id):
		return mistake("ID %q is not a GUID", id)
	case isGUID(name) && !strings.EqualFold(id, name):
		return mistake("ID %s is not the target %s", id, name)
	}
	return nil
}

// isGUID reports whether an id is a GUID in the one form that Graph has for it.
func isGUID(id string) bool { return len(id) == len(uuid.Nil.String()) && uuid.Validate(id) == nil }

// A resultRecord is what JSON has of a Result beside its OperationResult.
type resultRecord struct {
	Written      bool              `json:"written"`
	Reason       string            `json:"reason,omitzero"`
	Change       *plainChange      `json:"change,omitzero"` // without its operation
	Members      []*licensing.User `json:"members,omitempty"`
	MembersError *errorRecord      `json:"membersError,omitzero"`
}

// An errorRecord is an error in JSON as [licensing.OperationResult] has its own.
type errorRecord struct{ error }

func (e errorRecord) MarshalJSON() ([]byte, error) {
	result, err := json.Marshal(licensing.OperationResult{Err: e.error})
	if err != nil {
		return nil, err
	}
	var parts struct {
		Error json.RawMessage `json:"error"`
	}
	err = json.Unmarshal(result, &parts)
	return parts.Error, err
}

func (e *errorRecord) UnmarshalJSON(data []byte) error {
	var result licensing.OperationResult
	err := json.Unmarshal(slices.Concat([]byte(`{"error":`), data, []byte("}")), &result)
	e.error = result.Err
	return err
}

// A plainChange is a Change that is read leniently.
type plainChange Change

// MarshalJSON writes the result as an object that fits on one line: what
// [licensing.OperationResult] writes, written, and change, which has no operation of
// its own. Members and membersError, which is written as the operation's error is,
// are there where the result has them. The names of people can be in it.
func (r Result) MarshalJSON() ([]byte, error) {
	record := resultRecord{Written: r.Written, Reason: reasonFor(r.Err), Members: r.Members}
	if r.Index >= 0 {
		change := plainChange(r.Change)
		change.Operation = licensing.Operation{}
		record.Change = &change
	}
	if r.MembersErr != nil {
		record.MembersError = &errorRecord{r.MembersErr}
	}
	r.OperationResult.Index = r.Index
	first, err := json.Marshal(r.OperationResult)
	if err != nil {
		return nil, err
	}
	second, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return slices.Concat(first[:len(first)-1], []byte(","), second[1:]), nil
}

// UnmarshalJSON reads what [Result.MarshalJSON] writes. [errors.Is] finds what Err
// and MembersErr were. Unknown members are passed over.
func (r *Result) UnmarshalJSON(data []byte) error {
	var read Result
	var record resultRecord
	if err := json.Unmarshal(data, &read.OperationResult); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	read.Index, read.Written, read.Members = read.OperationResult.Index, record.Written, record.Members
	if record.Change != nil {
		read.Change = Change(*record.Change)
		read.Change.Operation = read.Operation
	}
	if record.MembersError != nil {
		read.MembersErr = record.MembersError.error
	}
	if reason := reasonOf(record.Reason); reason != nil {
		read.Err = &reasoned{read.Err, reason}
	}
	*r = read
	return nil
}
