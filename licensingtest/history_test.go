package licensingtest

import (
	"testing"
	"time"
)

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	var h history[int]
	start := time.Now()
	const lag = 10 * time.Second
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Second)
		for range 3 { // changes at one time, of which the first counts
			h.add(new(i), now, lag)
		}
		if len(h) > 10 {
			t.Fatalf("after %d changes: %d versions kept", i+1, len(h))
		}
		want := max(0, i-9) // the state that ended first of those within the lag
		if got := h.at(now.Add(-lag), nil); got == nil || *got != want {
			t.Fatalf("after %d changes: state %v, want %d", i+1, got, want)
		}
	}
	current := new(int)
	if got := h.at(start.Add(time.Hour), current); got != current {
		t.Errorf("state %d after all changes, want the current one", *got)
	}
}
