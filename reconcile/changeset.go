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

// A ChangeSet is the result of [Plan]: the changes to make, and the goals that
// cannot be reached. It can be stored as JSON, so one process can plan, people can
// review, and another process can apply. The JSON is read strictly. Its slices may
// share memory.
type ChangeSet struct {
	Created   time.Time     `json:"created"`
	Changes   []Change      `json:"changes"`            // in the order of the goals
	Unchanged int           `json:"unchanged"`          // how many goals need no change
	Problems  []Problem     `json:"problems,omitempty"` // in the order of the goals
	Seats     []SeatBalance `json:"seats,omitempty"`    // of the SKUs whose seats the changes take or free
}

// A Change is what [Apply] will do to one user or group. SKUs that are in neither
// Before nor After stay as they are.
type Change struct {
	Operation licensing.Operation `json:"operation,omitzero"` // the write to send; its target is the goal's
	// ID is the object id, a GUID. Apply reads and changes the object by this id,
	// whatever name the operation's target uses.
	ID   string `json:"id,omitzero"`
	Name string `json:"name,omitzero"` // for people to read: the user principal name of a user, the display name of a group
	// Before and After are the direct licenses before and after the change, for the
	// SKUs in the operation only.
	Before []licensing.AssignedLicense `json:"before"`
	After  []licensing.AssignedLicense `json:"after"`
	// Enabled and Disabled are the service plans that the user gains and loses in
	// effect, across all SKUs and groups. For a group they are what its members gain
	// and lose through it.
	Enabled  []ServicePlanRef `json:"enabled,omitempty"`
	Disabled []ServicePlanRef `json:"disabled,omitempty"`
	Takes    []uuid.UUID      `json:"takes,omitempty"` // SKUs of which a user takes a seat
	Frees    []uuid.UUID      `json:"frees,omitempty"` // SKUs of which a user frees a seat
	Warnings []Warning        `json:"warnings,omitempty"`
}

// A ServicePlanRef is a service plan of a SKU, with the names from the tenant.
type ServicePlanRef struct {
	SKUID           uuid.UUID `json:"skuId"`
	SKUPartNumber   string    `json:"skuPartNumber,omitzero"`
	ServicePlanID   uuid.UUID `json:"servicePlanId"`
	ServicePlanName string    `json:"servicePlanName,omitzero"`
}

// A Warning is something that people should know about a [Change] before it is
// made.
type Warning string

// The warnings.
const (
	WarnMailbox         Warning = "mailbox"         // the user loses the last Exchange plan; the mailbox is deleted after 30 days
	WarnKeptByGroup     Warning = "keptByGroup"     // a group still assigns what the change removes directly
	WarnNoUsageLocation Warning = "noUsageLocation" // the user has no usage location, so Graph may refuse to switch plans
	WarnSeats           Warning = "seats"           // the change takes a seat of a SKU that is short of seats, even with the freed ones
	WarnUnknownSKU      Warning = "unknownSku"      // the tenant no longer lists a SKU that is removed; its plans are unknown and not in Disabled
	WarnUnknownPlan     Warning = "unknownPlan"     // the goal disables a plan that is not in the SKU or cannot be switched; the plan is left out
)

// A Problem says why a [Goal] cannot be reached. Such a goal has no change.
type Problem struct {
	Kind   ProblemKind `json:"kind"`
	Target string      `json:"target"` // the goal's
	Ref    string      `json:"ref,omitzero"`
	SKUID  uuid.UUID   `json:"skuId,omitzero"`  // the SKU with the problem, if any
	Detail string      `json:"detail,omitzero"` // for people to read
}

// A ProblemKind is the reason why a goal cannot be reached.
type ProblemKind string

// The kinds of problem.
const (
	ProblemNotFound        ProblemKind = "notFound"                // there is no such user or group
	ProblemUnreadable      ProblemKind = "unreadable"              // the token may not read the licenses, or the answer could not be read
	ProblemTwoGoals        ProblemKind = "twoGoals"                // another goal is for the same object, possibly under another name
	ProblemUnknownSKU      ProblemKind = "unknownSku"              // the tenant has no such SKU
	ProblemNotAssignable   ProblemKind = "notAssignable"           // the SKU applies to the whole company
	ProblemNotManaged      ProblemKind = "notManaged"              // an Exactly goal would change a license that is not managed
	ProblemInvalidPlans    ProblemKind = "invalidPlans"            // License.Plans does not fit the SKU
	ProblemInherited       ProblemKind = "inheritedWithOtherPlans" // a group assigns the SKU with plans on that should be off
	ProblemNoUsageLocation ProblemKind = "noUsageLocation"         // the user has no usage location and cannot get a license
)

// A SeatBalance counts the seats of a SKU that the users of a ChangeSet take and
// free. It does not include the members of groups.
type SeatBalance struct {
	SKUID         uuid.UUID `json:"skuId"`
	SKUPartNumber string    `json:"skuPartNumber,omitzero"`
	Needed        int       `json:"needed"` // seats for users who do not have one yet
	Freed         int       `json:"freed"`  // seats of users who no longer need one
	Free          int       `json:"free"`   // seats available at the time of the plan; negative if more are in use than were paid for
	Short         int       `json:"short"`  // seats missing, even with the freed ones
}

// Removes reports whether the change removes a direct license or turns off a
// service plan of one.
func (c *Change) Removes() bool {
	return len(c.Operation.Request.RemoveLicenses) > 0 ||
		slices.ContainsFunc(c.Operation.Request.AddLicenses, func(l licensing.AssignedLicense) bool {
			before, had := licenseOf(c.Before, l.SKUID)
			return had && !contains(before.DisabledPlans, l.DisabledPlans)
		})
}

// Removals returns how many people lose a license or a service plan that they have
// directly. A group counts as one. [Apply] compares this number with
// ApplyOptions.MaxRemovals.
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
// names the member. So is a member that appears twice or in different case. A set
// without created or changes is an error, and so is a change that contradicts
// itself.
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
	Written       bool              `json:"written"`
	Reason        string            `json:"reason,omitzero"`
	Change        *plainChange      `json:"change,omitzero"` // without its operation
	Members       []*licensing.User `json:"members,omitempty"`
	MembersError  *errorRecord      `json:"membersError,omitzero"`
	MembersReason string            `json:"membersReason,omitzero"`
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

// MarshalJSON writes the result as an object on one line. It has the members of
// [licensing.OperationResult], written, and change, which does not repeat the
// operation. Members and membersError are present if the result has them;
// membersError has the same form as the operation's error. Reason and membersReason
// are the words for this package's own errors. The object can contain
// people's names.
func (r Result) MarshalJSON() ([]byte, error) {
	record := resultRecord{Written: r.Written, Reason: reasonFor(r.Err), Members: r.Members}
	if r.Index >= 0 {
		change := plainChange(r.Change)
		change.Operation = licensing.Operation{}
		record.Change = &change
	}
	if r.MembersErr != nil {
		record.MembersError, record.MembersReason = &errorRecord{r.MembersErr}, reasonFor(r.MembersErr)
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

// UnmarshalJSON reads what [Result.MarshalJSON] writes. Err and MembersErr still
// match their errors with [errors.Is]. Unknown members are ignored.
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
		read.MembersErr = withReason(record.MembersError.error, record.MembersReason)
	}
	read.Err = withReason(read.Err, record.Reason)
	*r = read
	return nil
}
