package pace

import (
	"math"
	"time"
)

// A rate is how many writes a second are let through, and how that changes. A
// pacer owns it.
type rate struct {
	hint      float64   // writes a second that the quota is said to allow
	perSecond float64   // 0 before the first refusal
	found     bool      // it was lowered once: the share is near
	marked    time.Time // since when the quota is said to be used up, zero if it is not
	raised    time.Time // up to when it has been raised
	quiet     time.Time // since when something could be refused, and was not
	credit    float64   // writes that it allows now; below 0 they were let through ahead of it
	next      time.Time // when a single write is let through
	served    Meter
	since     float64 // writes served since it was lowered
}

const (
	goodTime  = 15 * time.Second // over which what was served is the share
	batchTime = time.Second / 2  // that the writes of a batch take
	lowest    = 0.1              // writes a second, or the hint
	mostOther = 32               // clients on the quota, where that is guessed
	// What is said to be used up and goes on being served is not.
	longestHold = 20 * time.Second
)

// growth is by how much, as a logarithm, a rate grows in q seconds of quiet.
//
// Near the share it is CUBIC's curve: soon where it was, long there, and then ever
// faster. Before anything is known it is faster from the start.
func (r *rate) growth(q float64) float64 {
	if !r.found {
		return 0.05 * (q + q*q*q/37)
	}
	x := q/17 - 1
	return 0.2 * (1 + x*x*x)
}

// rise makes up for the time since it last did: it raises the rate for having
// been quiet, and gives credit for what the rate allows.
func (r *rate) rise(now time.Time) {
	if now.Before(r.raised) { // in a pause
		return
	}
	if r.perSecond > 0 {
		quiet := func(t time.Time) float64 { return max(0, t.Sub(r.quiet).Seconds()) }
		before := r.perSecond
		grown := before + (before+min(r.hint/12, 2.5*before))*math.Expm1(r.growth(quiet(now))-r.growth(quiet(r.raised)))
		// Beyond the hint no faster than there is proof that it is served.
		r.perSecond = max(before, min(grown, max(r.hint, r.since/8)))
		r.credit = min(0, r.credit+(before+r.perSecond)/2*now.Sub(r.raised).Seconds())
	}
	r.raised = now
}

// begin sets the rate after the first refusal, where so many others may share the
// quota.
func (r *rate) begin(clients float64) {
	r.perSecond, r.credit = r.hint/min(max(clients, 1), mostOther), 0
	r.found, r.since = false, 0
}

// lower makes the rate less than what was served, and half of it at the least.
func (r *rate) lower(now time.Time) {
	r.perSecond = min(0.95*r.perSecond, max(0.8*r.served.PerSecond(now), 0.5*r.perSecond))
	r.perSecond = max(r.perSecond, min(r.hint, lowest))
	r.found, r.since = true, 0
}

// serve notes that a write was served.
func (r *rate) serve(now time.Time) { r.served.Add(now, 1) }

// batch is how many writes go together.
func (r *rate) batch() int { return int(max(1, math.Ceil(r.perSecond*batchTime.Seconds()))) }

// hold stops the rate from rising for a while, unless it did so for long.
func (r *rate) hold(now time.Time) {
	if now.Sub(r.marked) < longestHold {
		r.quiet = later(r.quiet, now.Add(2*time.Second))
	}
}

// pause leaves a time out: in it nothing was quiet and nothing allowed.
func (r *rate) pause(d time.Duration) {
	r.quiet, r.raised = r.quiet.Add(d), r.raised.Add(d)
}

// lift takes the limit away.
func (r *rate) lift() { r.perSecond, r.since = 0, 0 }

// spend takes n writes from what the rate allows.
func (r *rate) spend(now time.Time, n float64, single bool) {
	if single {
		r.next = now.Add(time.Duration(float64(time.Second) / max(r.perSecond, r.hint/4)))
		return
	}
	r.credit -= n
}

// quietSince says since when something could be refused, and was not.
func (r *rate) quietSince(at time.Time) { r.quiet = at }

// takes is how long n writes take.
func (r *rate) takes(n float64) time.Duration {
	return time.Duration(n / r.perSecond * float64(time.Second))
}
