package pace

import "time"

// A rate is how many writes a second are let through, and how that changes. A
// pacer owns it.
type rate struct {
	perSecond float64   // 0 is no limit
	raised    time.Time // up to when it has been raised
	quiet     time.Time // since when something could be refused, and was not
	credit    float64   // writes that it allows now; below 0 they were let through ahead of it
	slow      int       // times in a row that it was lowered and found not to be reached
	served    Meter
}

// rise makes up for the time since it last did: it raises the rate for having
// been quiet, and gives credit for what the rate allows.
func (r *rate) rise(now time.Time) {
	sum := func(t time.Time) float64 { // of 0.2 (1 + (q/10)²) over q seconds of quiet
		q := max(0, t.Sub(r.quiet).Seconds())
		return 0.2 * (q + q*q*q/300)
	}
	if now.Before(r.raised) { // in a pause
		return
	}
	if r.perSecond > 0 {
		before := r.perSecond
		r.perSecond += sum(now) - sum(r.raised)
		r.credit = min(0, r.credit+(before+r.perSecond)/2*now.Sub(r.raised).Seconds())
	}
	r.raised = now
}

// lower makes the rate what is left of it after a refusal: the hint after the
// first.
func (r *rate) lower(now time.Time, hint float64) {
	if r.perSecond == 0 {
		r.perSecond, r.credit = hint, 0
		return
	}
	if r.served.PerSecond(now) < r.perSecond/2 {
		r.slow++
	} else {
		r.slow = 0
	}
	if r.slow >= 2 {
		r.perSecond /= 2
	} else {
		r.perSecond *= 0.8
	}
	r.perSecond = max(r.perSecond, min(hint, 1))
}

// hold stops the rate from rising, or makes it the hint where there is none,
// since the quota is said to be used up. It often is, without a word.
func (r *rate) hold(now time.Time, hint float64) {
	if r.perSecond == 0 {
		r.perSecond, r.credit = hint, 0
	}
	r.quiet = now
}

// pause leaves a time out: in it nothing was quiet and nothing allowed.
func (r *rate) pause(d time.Duration) {
	r.quiet, r.raised = r.quiet.Add(d), r.raised.Add(d)
}

// lift takes the limit away.
func (r *rate) lift() { r.perSecond = 0 }

// spend takes n writes from what the rate allows.
func (r *rate) spend(n float64) { r.credit -= n }

// quietSince says since when something could be refused, and was not.
func (r *rate) quietSince(at time.Time) { r.quiet = at }

// takes is how long n writes take.
func (r *rate) takes(n float64) time.Duration {
	return time.Duration(n / r.perSecond * float64(time.Second))
}
