package pace

import "time"

// A gate keeps everybody back after a refusal, and all but one until it is known
// what became of the first that was let through. A pacer owns it.
type gate struct {
	until  time.Time     // nothing is let through before
	asked  time.Duration // that it was closed for
	probes bool          // what is let through next is a probe
	probed time.Time     // until when the others wait for a probe's answer
}

// left is how long nothing is let through.
func (g *gate) left(now time.Time) time.Duration {
	return max(g.until.Sub(now), g.probed.Sub(now))
}

// probe lets a probe through.
func (g *gate) probe(now time.Time) { g.probes, g.probed = false, now.Add(probeTime) }

// probeNext makes what is let through next a probe.
func (g *gate) probeNext() { g.probes = true }

// probeKnown says that what became of the probe is known.
func (g *gate) probeKnown() { g.probed = time.Time{} }

// open opens the gate.
func (g *gate) open(now time.Time) { g.until = now }

// shut closes the gate, and returns until when. It reports false where it is
// closed for longer already.
func (g *gate) shut(now time.Time, wait time.Duration) (time.Time, bool) {
	g.probes = true
	until := now.Add(min(wait, forever/2))
	if !until.After(g.until) {
		return time.Time{}, false
	}
	g.until, g.asked = until, wait
	return until, true
}
