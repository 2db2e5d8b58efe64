package pace

import (
	"math"
	"testing"
	"time"
)

// A single batch goes first. While none is refused, so many are under way: 20, and
// one more for each 25 that were served.
func TestStarts(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		probe, wait := admitBatch(t, p, 20)
		if !probe.probe || wait != 0 {
			t.Errorf("the first is %+v after %v", probe, wait)
		}
		time.AfterFunc(3300*time.Millisecond, func() { serve(p, probe, 20) })
		for i := range 100 {
			pass, wait := admitBatch(t, p, 20)
			if want := map[bool]time.Duration{true: 3300 * time.Millisecond}[i == 0]; pass.probe || wait != want {
				t.Fatalf("batch %d is %+v after %v, want %v", i, pass, wait, want)
			}
			serve(p, pass, 20)
		}
		// Of 2,020 served 80 are room for 100.
		var under []Pass
		for range 5 {
			pass, wait := admitBatch(t, p, 20)
			wantAbout(t, "there is room", wait, 0, 0)
			under = append(under, pass)
		}
		time.AfterFunc(time.Second, func() { serve(p, under[0], 20) })
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "a sixth waits for one of them", wait, time.Second, 0)
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "and a seventh until they hang", wait, 5*time.Second, 0)
	})
}

// The share of the quota that is used up bounds what is under way at the start.
func TestStartsByThePercentage(t *testing.T) {
	for used, want := range map[float64]int{0: 116, 0.8: 116, 0.95: 42, 0.99: 8, 0.996: 5, math.NaN(): 116} {
		s := start{burst: 3000, spent: 2400, full: 0}
		if used > 0 {
			s.full = used
		}
		if got := s.window(2400); got != want {
			t.Errorf("%v used: %d under way, want %d", used, got, want)
		}
	}
}

func TestDoesNotWaitForAHangingProbe(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		admitBatch(t, p, 20)
		_, wait := admitBatch(t, p, 20)
		wantAbout(t, "the second waits", wait, 5*time.Second, 0)
	})
}
