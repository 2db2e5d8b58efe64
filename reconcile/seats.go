package reconcile

import (
	"slices"

	"github.com/google/uuid"
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

// waves returns the changes, by their index, in the order in which they find seats:
// each wave needs no more than are free and than those before give back. What fits
// into none comes last, since the seats may be others by then. Where no SKU is
// scarce there is one wave.
func (s *ChangeSet) waves() [][]int {
	free := make(map[uuid.UUID]int) // of the SKUs that are scarce
	for _, b := range s.Seats {
		if b.Needed > b.Free && b.Freed > 0 {
			free[b.SKUID] = b.Free
		}
	}
	var waves [][]int
	left := make([]int, 0, len(s.Changes))
	for i := range s.Changes {
		left = append(left, i)
	}
	for len(left) > 0 {
		wave, rest := s.fitting(left, free)
		if len(wave) == 0 || len(free) == 0 {
			return append(waves, left)
		}
		for _, i := range wave {
			for _, sku := range s.Changes[i].Frees {
				if _, scarce := free[sku]; scarce {
					free[sku]++
				}
			}
		}
		waves, left = append(waves, wave), rest
	}
	return waves
}

// fitting splits changes into those for which there are seats, which it takes, and
// the rest.
func (s *ChangeSet) fitting(changes []int, free map[uuid.UUID]int) (wave, rest []int) {
	for _, i := range changes {
		takes := s.Changes[i].Takes
		if slices.ContainsFunc(takes, func(sku uuid.UUID) bool { n, scarce := free[sku]; return scarce && n <= 0 }) {
			rest = append(rest, i)
			continue
		}
		for _, sku := range takes {
			if _, scarce := free[sku]; scarce {
				free[sku]--
			}
		}
		wave = append(wave, i)
	}
	return wave, rest
}
