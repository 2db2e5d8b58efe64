package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const (
	readLag   = 5 * time.Minute // how long reads are seen to lag behind a write
	longLook  = time.Minute     // between two looks at what is in doubt
	lookAhead = 10 * batchSize  // objects that are looked at together
)

// operations looks at the objects, wave by wave, and yields what is to be written. It
// is the input of Bulk.
func (a *applying) operations(yield func(licensing.Operation) bool) {
	for n, wave := range a.set.waves() {
		if n > 0 && !a.settle() {
			return
		}
		var doubts []doubt
		for some := range slices.Chunk(wave, lookAhead) {
			more, ok := a.look(some, nil, yield)
			if !ok {
				return
			}
			doubts = append(doubts, more...)
		}
		for len(doubts) > 0 {
			if !a.sleep(a.pause(doubts)) {
				return
			}
			var left []doubt
			for some := range slices.Chunk(doubts, lookAhead) {
				more, ok := a.look(nil, some, yield)
				if !ok {
					return
				}
				left = append(left, more...)
			}
			doubts = left
		}
	}
}

// settle waits until all that was sent has a result, and reports whether to go on.
func (a *applying) settle() bool {
	for {
		a.mu.Lock()
		open := a.open
		a.mu.Unlock()
		if open == 0 {
			return a.looks.Err() == nil
		}
		select {
		case <-a.results:
		case <-a.looks.Done():
			return false
		}
	}
}

// A doubt is a change of which reads may be too old to tell whether it is needed.
type doubt struct {
	index int
	until time.Time // when they are not any more
}

// pause is how long to wait for the next look.
func (a *applying) pause(doubts []doubt) time.Duration {
	last := slices.MaxFunc(doubts, func(a, b doubt) int { return a.until.Compare(b.until) }).until
	return max(0, min(longLook, time.Until(last)))
}

func (a *applying) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.looks.Done():
	}
	return a.looks.Err() == nil
}

// look looks at some changes, for the first time or, as doubts, again, and yields
// those that are to be written. It returns those that are in doubt, and whether to
// go on.
func (a *applying) look(first []int, again []doubt, yield func(licensing.Operation) bool) (doubts []doubt, ok bool) {
	seen := again
	for _, i := range first {
		seen = append(seen, doubt{index: i})
	}
	for n, r := range a.reads(seen) {
		if a.looks.Err() != nil {
			return nil, false
		}
		d := seen[n]
		c := &a.set.Changes[d.index]
		switch state := r.state(c); {
		case r.err != nil:
			a.end(d.index, r.err)
		case state == before:
			if !a.write(d.index, yield) {
				return nil, false
			}
		case state == after && a.proven(c, &r):
			a.end(d.index, nil)
		case d.until.IsZero():
			doubts = append(doubts, doubt{d.index, a.settled(state)})
		case time.Now().Before(d.until):
			doubts = append(doubts, d)
		case state == after:
			a.end(d.index, nil)
		default:
			a.end(d.index, fmt.Errorf("%s: %w", opApply, ErrDrifted))
		}
	}
	return doubts, true
}

// settled is when reads show no state any more that is older than the plan. What has
// drifted is looked at twice in any case.
func (a *applying) settled(s state) time.Time {
	lag, now := max(0, a.opts.ReadLag), time.Now()
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
	return !time.Now().Before(a.set.Created.Add(max(0, a.opts.ReadLag))) ||
		slices.ContainsFunc(c.After, func(l licensing.AssignedLicense) bool { return r.times[l.SKUID].After(a.set.Created) })
}

// write has Bulk make a change. An earlier run may have made it, so that there may
// be nothing to remove any more.
func (a *applying) write(i int, yield func(licensing.Operation) bool) bool {
	op := a.set.Changes[i].Operation
	op.Target, op.Resumed = a.set.Changes[i].ID, true
	a.mu.Lock()
	a.sent = append(a.sent, i)
	a.open++
	a.mu.Unlock()
	return yield(op)
}

// end ends a change without a write.
func (a *applying) end(i int, err error) {
	r := licensing.OperationResult{Err: err}
	switch c := &a.set.Changes[i]; {
	case err != nil:
	case c.ofGroup():
		r.Group = &licensing.Group{ID: c.ID}
	default:
		r.User = &licensing.User{ID: c.ID}
	}
	a.mu.Lock()
	a.known = append(a.known, a.result(i, r))
	a.mu.Unlock()
	tell(a.news)
}

// A reading is what was read of one object.
type reading struct {
	direct []licensing.AssignedLicense
	times  map[uuid.UUID]time.Time // of the direct ones, as far as they are told
	err    error
}

// reads reads the objects of some changes, users by the batch.
func (a *applying) reads(some []doubt) []reading {
	all := make([]reading, len(some))
	var users, groups []int
	for n, d := range some {
		if a.set.Changes[d.index].ofGroup() {
			groups = append(groups, n)
		} else {
			users = append(users, n)
		}
	}
	id := func(n int) string { return a.set.Changes[some[n].index].ID }
	if len(users) > 0 {
		names := func(yield func(string) bool) {
			for _, n := range users {
				if !yield(id(n)) {
					return
				}
			}
		}
		for n := range all {
			all[n].err = licensing.ErrStopped // unless there is a result
		}
		for r := range a.client.ReadUsers(a.looks, names, licensing.ReadUsersOptions{}) {
			if r.Index >= 0 {
				all[users[r.Index]] = readingOf(r.User, r.Err)
			}
		}
	}
	for few := range slices.Chunk(groups, readers) {
		read, errs := readGroups(a.looks, a.client, len(few), func(i int) string { return id(few[i]) })
		for i, n := range few {
			all[n] = readingOfGroup(read[i], errs[i])
		}
	}
	return all
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

var errUnlisted = fmt.Errorf("%s: %w: the answer has no licenses, as where the token may not read them", opApply, licensing.ErrForbidden)

// A state is where an object is between the two of a change.
type state int

const (
	drifted state = iota
	before
	after
)

// state tells by the SKUs that a change is about.
func (r *reading) state(c *Change) state {
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
