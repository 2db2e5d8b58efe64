package graph

import "testing"

// The token of each request is made known, and nearly always is known already.
func TestAKnownTokenCostsNothing(t *testing.T) {
	var s secrets
	const token = "eyJ0eXAi.c2VjcmV0LXRva2Vu.c2ln"
	s.add(token)
	if n := testing.AllocsPerRun(100, func() {
		s.add(token)
		s.with(token)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
