package reconcile

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// balance works out the seats, and warns of those that are missing.
func (s *ChangeSet) balance(products products) {
	needed, freed := make(map[uuid.UUID]int), make(map[uuid.UUID]int)
	for i := range s.Changes {
		for _, sku := range s.Changes[i].Takes {
			needed[sku]++
		}
		for _, sku := range s.Changes[i].Frees {
			freed[sku]++
		}
	}
	short := make(map[uuid.UUID]bool)
	for _, sku := range products.sorted() {
		b := SeatBalance{
			SKUID: sku.SKUID, SKUPartNumber: sku.SKUPartNumber,
			Needed: needed[sku.SKUID], Freed: freed[sku.SKUID], Free: sku.Available(),
		}
		if b.Needed+b.Freed == 0 {
			continue
		}
		if b.Needed > 0 {
			b.Short = max(0, b.Needed-b.Freed-b.Free)
		}
		short[sku.SKUID] = b.Short > 0
		s.Seats = append(s.Seats, b)
	}
	for i := range s.Changes {
		c := &s.Changes[i]
		if slices.ContainsFunc(c.Takes, func(sku uuid.UUID) bool { return short[sku] }) {
			c.Warnings = append(c.Warnings, WarnSeats)
		}
	}
}

// Seats hold back the changes that take a seat of a scarce SKU until there is one.
type seats struct {
	changes []Change
	free    map[uuid.UUID]int   // seats that no change has, of the SKUs that are scarce
	queues  map[uuid.UUID][]int // changes that lack a seat of a SKU
	held    int                 // changes in queues
}

// newSeats returns the seats of a set. A SKU is scarce if those that take its seats
// need those that others give back.
func newSeats(set *ChangeSet) seats {
	s := seats{changes: set.Changes, free: make(map[uuid.UUID]int), queues: make(map[uuid.UUID][]int)}
	for _, b := range set.Seats {
		if b.Needed > b.Free && b.Freed > 0 {
			s.free[b.SKUID] = b.Free
		}
	}
	return s
}

// take takes the seats that a change needs, and reports whether they are there. If
// not, the change waits for one that is missing.
func (s *seats) take(i int) bool {
	for _, sku := range s.changes[i].Takes {
		if n, scarce := s.free[sku]; scarce && n <= 0 {
			s.queues[sku] = append(s.queues[sku], i)
			s.held++
			return false
		}
	}
	s.add(s.changes[i].Takes, -1)
	return true
}

func (s *seats) add(skus []uuid.UUID, n int) {
	for _, sku := range skus {
		if _, scarce := s.free[sku]; scarce {
			s.free[sku] += n
		}
	}
}

// giveBack takes in what became of a change, and returns those that now have their
// seats. One that was made gives some back, and one that was not needs none; where
// that is not known, or the tenant had none, none is promised to others.
func (s *seats) giveBack(r *Result) (begun []int) {
	var back []uuid.UUID
	switch outcome := r.Outcome(); {
	case outcome == licensing.OutcomeDone:
		back = r.Change.Frees
	case outcome != licensing.OutcomeUnknown && !errors.Is(r.Err, licensing.ErrNoAvailableLicenses):
		back = r.Change.Takes
	}
	s.add(back, 1)
	for _, sku := range back {
		for s.free[sku] > 0 && len(s.queues[sku]) > 0 {
			i := s.queues[sku][0]
			s.queues[sku] = s.queues[sku][1:]
			s.held--
			if s.take(i) {
				begun = append(begun, i)
			}
		}
	}
	return begun
}

// release returns all that wait, in their order. They are tried when nobody gives a
// seat back any more, since the tenant may have others by then.
func (s *seats) release() (all []int) {
	for _, queue := range s.queues {
		all = append(all, queue...)
	}
	slices.Sort(all)
	s.free, s.queues, s.held = nil, nil, 0
	return all
}
