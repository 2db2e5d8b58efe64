package pace

import "time"

// A start is how many writes are let through before the first refusal: so many
// are under way at a time, the more the more were served. However many clients
// share the quota, what they lose when it is used up is a part of what they had.
// A pacer owns it.
type start struct {
	burst float64   // writes that the quota is said to allow at once
	began time.Time // when the first of them was let through
	spent float64   // writes let through
	full  float64   // share of the quota that is said to be used up
	under int       // writes under way
	moved time.Time // when there were more or fewer of them
}

const (
	firstUnder = 20 // writes under way at first
	eachServed = 25 // writes that were served for each further one
	fewUnder   = 5  // writes under way that there may always be
)

// window is how many writes may be under way, of which so many were served.
func (s *start) window(served float64) int {
	most := firstUnder + served/eachServed
	if s.full > 0 { // the others are where this client is
		most = min(most, max(fewUnder, s.spent*(1-s.full)/s.full/3))
	}
	return int(most)
}

// room is how many writes there is room for, and how long it takes until it is
// known that those under way hang, where there is none.
func (s *start) room(now time.Time, served float64) (n int, wait time.Duration) {
	if s.under > 0 && now.Sub(s.moved) >= probeTime {
		s.under = 0
	}
	window := s.window(served)
	n = window - s.under
	if s.under > 0 && n < min(firstUnder, window) { // a full batch is worth the wait
		return 0, s.moved.Add(probeTime).Sub(now)
	}
	return n, 0
}

// spend notes that n writes are sent.
func (s *start) spend(now time.Time, n int) {
	if s.began.IsZero() {
		s.began = now
	}
	if s.under == 0 {
		s.moved = now
	}
	s.under += n
	s.spent += float64(n)
}

// settle notes that n writes are no longer under way.
func (s *start) settle(now time.Time, n int) {
	s.under = max(0, s.under-n)
	s.moved = now
}

// clients is how many clients there are when the quota is used up, if it was
// whole, and all spent as much.
func (s *start) clients(now time.Time, hint float64) float64 {
	return (s.burst + hint*now.Sub(s.began).Seconds()) / max(s.spent, 1)
}

// again starts anew.
func (s *start) again() { *s = start{burst: s.burst, under: s.under, moved: s.moved} }
