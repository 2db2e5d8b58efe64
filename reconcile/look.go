package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const (
	readLag  = 5 * time.Minute // how long reads are seen to lag behind a write
	longLook = time.Minute     // between two looks at what is in doubt
	writers  = 4               // requests that Bulk and ReadUsers have under way by default
	darkness = 3               // groups in a row that cannot be read are an outage
)

// Looks are the changes whose objects are looked at before anything is written.
type looks struct {
	names   chan string // of users, for ReadUsers
	users   []int       // to be looked at, in this order
	groups  []int
	asked   []int // users, in the order in which ReadUsers has them
	granted int   // users that may be asked for, so that they come in full batches
	under   int   // looks under way
	away    int   // of them, those at groups
	dark    int   // groups in a row that could not be read
	doubts  []doubt
	until   map[int]time.Time // how long a change that was in doubt is
}

// A doubt is a change of which reads may be too old to tell whether it is needed.
type doubt struct {
	index int
	next  time.Time // when to look again
}

// begin has a change looked at.
func (a *applying) begin(i int) {
	if a.set.Changes[i].ofGroup() {
		a.groups = append(a.groups, i)
	} else {
		a.users = append(a.users, i)
	}
}

// idle reports whether there is nothing to look at or to write.
func (a *applying) idle() bool {
	return len(a.users)+len(a.groups)+a.under+len(a.doubts)+len(a.ready) == 0
}

// room is how many more objects may be looked at. What is seen is to be written soon.
func (a *applying) room() int { return a.limit() - a.under - len(a.ready) }

// nextLook returns who is looked at next, by a nil channel nobody.
func (a *applying) nextLook() (chan<- string, string) {
	if a.granted == 0 {
		if n := a.room(); n >= a.batch {
			a.granted = n
		}
	}
	if a.why != nil || a.granted == 0 || len(a.users) == 0 {
		return nil, ""
	}
	return a.names, a.set.Changes[a.users[0]].ID
}

// asking notes that the next user was handed to ReadUsers.
func (a *applying) asking() {
	a.asked = append(a.asked, a.users[0])
	a.users = a.users[1:]
	a.granted--
	a.under++
}

// readUsers looks at users. It is of the crew.
func (a *applying) readUsers() {
	input := func(yield func(string) bool) {
		for name := range a.names {
			if !yield(name) {
				return
			}
		}
	}
	opts := licensing.ReadUsersOptions{Concurrency: a.opts.Bulk.Concurrency}
	for r := range a.client.ReadUsers(a.looking, input, opts) {
		seen := readingOf(r.User, r.Err)
		if !a.post(func() { a.looked(a.asked[r.Index], seen) }) {
			return
		}
	}
}

// lookAtGroups looks at groups, a few at a time.
func (a *applying) lookAtGroups() {
	for len(a.groups) > 0 && a.away < readers && a.room() > 0 {
		i := a.groups[0]
		a.groups = a.groups[1:]
		a.under++
		a.away++
		a.goes(func() {
			seen := readingOfGroup(a.client.Group(a.looking, a.set.Changes[i].ID))
			a.post(func() {
				a.away--
				a.lit(&seen)
				a.looked(i, seen)
			})
		})
	}
}

// lit makes of several groups in a row that could not be read what ReadUsers makes of
// users: an outage.
func (a *applying) lit(r *reading) {
	a.dark++
	if !errors.Is(r.err, licensing.ErrUnavailable) {
		a.dark = 0
	}
	if a.dark >= darkness {
		r.err = fmt.Errorf("%w: %w", licensing.ErrStopped, r.err)
	}
}

// looked takes in what was seen of an object.
func (a *applying) looked(i int, r reading) {
	a.under--
	if a.why != nil {
		return
	}
	c := &a.set.Changes[i]
	state, now := r.state(c), time.Now()
	until, doubted := a.until[i]
	if !doubted {
		until = a.settled(state)
	}
	switch {
	case errors.Is(r.err, licensing.ErrStopped), errors.Is(r.err, licensing.ErrThrottled): // nothing more can be read
		a.halt(fmt.Errorf("%w: %w", licensing.ErrStopped, &lookError{r.err}))
	case state == before:
		delete(a.until, i)
		a.ready = append(a.ready, sight{i, now})
	case state == after && a.proven(c, &r):
		a.leave(i, nil)
	case state != unread && now.Before(until):
		a.until[i] = until
		next := now.Add(longLook)
		if until.Before(next) {
			next = until
		}
		a.doubts = append(a.doubts, doubt{i, next})
	case state == after:
		a.leave(i, nil)
	case r.err != nil:
		a.leave(i, &lookError{r.err})
	default:
		a.leave(i, fmt.Errorf("%s: %w", opApply, ErrDrifted))
	}
}

// lookAgain has looked at what is in doubt and due.
func (a *applying) lookAgain() {
	now := time.Now()
	a.doubts = slices.DeleteFunc(a.doubts, func(d doubt) bool {
		due := !now.Before(d.next)
		if due {
			a.begin(d.index)
		}
		return due
	})
}

// settled is when reads show no state any more that is older than the plan. What has
// drifted is looked at again in any case.
func (a *applying) settled(s state) time.Time {
	lag, now := a.opts.ReadLag, time.Now()
	until := a.set.Created.Add(lag)
	if latest := now.Add(lag); until.After(latest) { // the clocks differ
		until = latest
	}
	if again := now.Add(min(lag, longLook)); s == drifted && again.After(until) {
		return again
	}
	return until
}

// proven reports whether what is at After cannot be older than the plan, which saw
// it otherwise: reads are no longer that old, or a row has a later time.
func (a *applying) proven(c *Change, r *reading) bool {
	return !time.Now().Before(a.set.Created.Add(a.opts.ReadLag)) ||
		slices.ContainsFunc(c.After, func(l licensing.AssignedLicense) bool { return r.times[l.SKUID].After(a.set.Created) })
}

// leave ends a change without a write.
func (a *applying) leave(i int, err error) {
	r := licensing.OperationResult{Err: err}
	switch c := &a.set.Changes[i]; {
	case err != nil:
	case c.ofGroup():
		r.Group = &licensing.Group{ID: c.ID}
	default:
		r.User = &licensing.User{ID: c.ID}
	}
	a.finish(a.result(i, r))
}

// A lookError is why an object could not be looked at. It is no *DecodeError, which
// would say that the change was made.
type lookError struct{ err error }

func (e *lookError) Error() string        { return opApply + ": look: " + e.err.Error() }
func (e *lookError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *lookError) As(target any) bool {
	_, decode := target.(**licensing.DecodeError)
	return !decode && errors.As(e.err, target)
}

// A reading is what was read of one object.
type reading struct {
	direct []licensing.AssignedLicense
	times  map[uuid.UUID]time.Time // of the direct ones, as far as they are told
	err    error
}

func readingOf(u *licensing.User, err error) reading {
	if err != nil {
		return reading{err: err}
	}
	r := reading{times: make(map[uuid.UUID]time.Time)}
	s := subjectOf(u)
	r.direct = s.direct
	for _, row := range u.LicenseAssignmentStates {
		if row.AssignedByGroup == "" {
			r.times[row.SKUID] = row.LastUpdatedDateTime
		}
	}
	if s.unlisted {
		r.err = errUnlisted
	}
	return r
}

func readingOfGroup(g *licensing.Group, err error) reading {
	if err != nil {
		return reading{err: err}
	}
	s := subjectOfGroup(g)
	if s.unlisted {
		return reading{err: errUnlisted}
	}
	return reading{direct: s.direct}
}

var errUnlisted = fmt.Errorf("%w: the answer has no licenses, as where the token may not read them", licensing.ErrForbidden)

// A state is where an object is between the two of a change.
type state int

const (
	drifted state = iota
	before
	after
	missing // there is no such object, or not yet
	unread
)

// state tells by the SKUs that a change is about.
func (r *reading) state(c *Change) state {
	if r.err != nil {
		if errors.Is(r.err, licensing.ErrNotFound) {
			return missing
		}
		return unread
	}
	var now []licensing.AssignedLicense
	for _, sku := range skusOf(c.Operation.Request) {
		if l, has := licenseOf(r.direct, sku); has {
			now = append(now, l)
		}
	}
	switch {
	case sameLicenses(now, c.After):
		return after
	case sameLicenses(now, c.Before):
		return before
	}
	return drifted
}
