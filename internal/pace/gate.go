package pace

import "time"

// A gate keeps everybody back after a refusal, and all but one until it is known
// what became of the first that was let through. A pacer owns it.
type gate struct {
	until  time.Time     // nothing is let through before
	tried  time.Time     // when it is tried, if that is earlier
	asked  time.Duration // that it was closed for
	broken time.Time     // nothing is let through before, since nothing would get through
	probes bool          // what is let through next is a probe
	probed time.Time     // until when the others wait for a probe's answer
}

// left is how long nothing is let through.
func (g *gate) left(now time.Time) time.Duration {
	return max(g.closed(now), g.probed.Sub(now))
}

// closed is how long the gate is closed.
func (g *gate) closed(now time.Time) time.Duration {
	return max(g.opens().Sub(now), g.broken.Sub(now))
}

// opens is when the gate opens after a refusal, or is tried.
func (g *gate) opens() time.Time {
	if g.tried.Before(g.until) {
		return g.tried
	}
	return g.until
}

// asks is how long nothing is to be let through by what was asked for, 0 when the
// gate is open or is tried.
func (g *gate) asks(now time.Time) time.Duration {
	if g.closed(now) <= 0 {
		return 0
	}
	return max(g.until.Sub(now), g.broken.Sub(now))
}

// probe lets a probe through.
func (g *gate) probe(now time.Time) {
	g.probes, g.probed = false, now.Add(probeTime)
	if g.until.After(now) { // it is tried, and what was asked for is forgotten
		g.until = now
	}
}

// probeNext makes what is let through next a probe.
func (g *gate) probeNext() { g.probes = true }

// probeKnown says that what became of the probe is known.
func (g *gate) probeKnown() { g.probed = time.Time{} }

// open opens the gate.
func (g *gate) open(now time.Time) { g.until = now }

// LongestBelieved is how long the gate is closed without being tried. Nothing else
// would open it after a refusal that asks for a year.
const LongestBelieved = 15 * time.Minute

// shut closes the gate, and returns until when. It reports false where it is
// closed for longer already.
func (g *gate) shut(now time.Time, wait time.Duration) (time.Time, bool) {
	g.probes = true
	until := now.Add(min(wait, forever/2))
	if !until.After(g.until) {
		return time.Time{}, false
	}
	g.until, g.tried, g.asked = until, now.Add(LongestBelieved), wait
	return until, true
}
