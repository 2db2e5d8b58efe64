package pace

import (
	"slices"
	"testing"
)

// Parties are served in turn, each once, and one that is new before those that were
// served already.
func TestLine(t *testing.T) {
	t.Parallel()
	var l line
	names := map[*Party]string{}
	party := func(name string) *Party { p := new(Party); names[p] = name; return p }
	a, b, c := party("a"), party("b"), party("c")
	serve := func() string {
		p := l.parties[0]
		if !l.first(p) {
			t.Fatal("it is not the first")
		}
		l.serve()
		l.leave(p)
		l.join(p) // and wants more
		return names[p]
	}
	for _, p := range []*Party{a, a, b} {
		l.join(p)
	}
	var got []string
	for range 3 {
		got = append(got, serve())
	}
	l.join(c)
	for range 4 {
		got = append(got, serve())
	}
	if want := []string{"a", "b", "a", "c", "b", "a", "c"}; !slices.Equal(got, want) {
		t.Errorf("served %v, want %v", got, want)
	}
	for _, p := range []*Party{a, b, c} {
		l.leave(p)
	}
	if l.leave(a) || len(l.parties) != 0 {
		t.Errorf("%d parties are left", len(l.parties))
	}
}
