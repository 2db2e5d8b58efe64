package pace

import (
	"math"
	"time"
)

// A gate keeps everybody back after a refusal, and all but one until it is known
// what became of the first that was let through. A pacer owns it.
type gate struct {
	until  time.Time     // nothing is let through before
	tried  time.Time     // when it is tried, if that is earlier
	asked  time.Duration // that it was closed for
	wanted time.Time     // until when a refusal asked to wait, and no wait of ours
	apart  time.Duration // that a run waits longer, so as not to come with all others
	vain   int           // refusals in a row, while nothing was served
	missed int           // probes among them
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
	return max(g.wanted.Sub(now), g.broken.Sub(now))
}

// run is how long a run lets nothing through, for which it has a probe. A single
// write goes as soon as the gate opens.
func (g *gate) run(now time.Time) time.Duration {
	if !g.probes {
		return 0
	}
	return g.opens().Add(g.apart).Sub(now)
}

// probe lets a probe through.
func (g *gate) probe(now time.Time) {
	g.probes, g.probed, g.apart = false, now.Add(probeTime), 0
	if g.until.After(now) { // it is tried, and what was asked for is forgotten
		g.until, g.wanted = now, now
	}
}

// probeNext makes what is let through next a probe.
func (g *gate) probeNext() { g.probes = true }

// probeKnown says that what became of the probe is known.
func (g *gate) probeKnown() { g.probed = time.Time{} }

// open opens the gate.
func (g *gate) open(now time.Time) { g.until, g.wanted, g.apart = now, now, 0 }

// LongestBelieved is how long the gate is closed without being tried. Nothing else
// would open it after a refusal that asks for a year.
const LongestBelieved = 15 * time.Minute

// shut closes the gate for as long as a refusal asked for, or for a wait of ours.
// It reports false where it is closed for longer already.
func (g *gate) shut(now time.Time, wait time.Duration, asked bool) (until time.Time, closed bool) {
	g.probes = true
	until = now.Add(min(wait, forever/2))
	if asked && until.After(g.wanted) {
		g.wanted = until
	}
	if !until.After(g.until) {
		return time.Time{}, false
	}
	g.until, g.tried, g.asked = until, now.Add(LongestBelieved), wait
	return until, true
}

// part has a run come back at random after the gate has opened: within some of
// its writes, and after a probe was refused within twice as long each time.
func (g *gate) part(share, perSecond float64) {
	longest := 1.5 / perSecond
	if g.missed > 0 {
		longest = min(math.Exp2(float64(g.missed)), longestWait.Seconds())
	}
	g.apart = time.Duration(share * longest * float64(time.Second))
}

// served notes that a write was served.
func (g *gate) served() { g.vain, g.missed = 0, 0 }
