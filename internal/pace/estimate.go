package pace

import "time"

// A past is what was served, for estimates. A pacer owns it.
type past struct {
	served  Meter
	refused time.Time // the first time
	round   round     // that is going on
	last    round     // the one before, if rounds are long
}

// A round is a time in which the quota is used up and comes back as a whole, after
// a long wait.
type round struct {
	began, shut, ended time.Time
	served             float64
}

const (
	pastTime = 4 * time.Minute
	longGate = 30 * time.Second // after which the quota is another
	unknown  = 15 * time.Second // after the first refusal
)

func (p *past) serve(now time.Time) {
	if p.round.began.IsZero() {
		p.round.began = now
	}
	p.served.Add(now, 1)
	p.round.served++
}

// shut notes that a refusal closed the gate.
func (p *past) shut(now, until time.Time) {
	if p.refused.IsZero() {
		p.refused, p.served.counts = now, nil
	}
	if until.Sub(now) < longGate || p.round.served == 0 {
		return
	}
	p.last, p.round = p.round, round{began: until}
	p.last.shut, p.last.ended = now, until
}

func (p *past) again() { *p = past{served: p.served} }

// share is how many writes a second were served lately, 0 if that is not known.
func (p *past) share(now time.Time) float64 {
	since := now.Sub(p.refused)
	if p.refused.IsZero() || since < unknown {
		return 0
	}
	return p.served.PerSecond(now) * max(1, p.served.Span.Seconds()/since.Seconds())
}

// rounds is how long n writes take that go as in the round before.
func (p *past) rounds(now time.Time, n, perSecond float64) float64 {
	speed := max(p.last.served/max(p.last.shut.Sub(p.last.began).Seconds(), 1), perSecond)
	seconds := max(0, p.round.began.Sub(now).Seconds())
	rest := p.last.served - p.round.served // in this round
	if n <= rest {
		return seconds + n/speed
	}
	whole := p.last.ended.Sub(p.last.began).Seconds()
	n -= max(rest, 0)
	seconds = max(seconds, p.round.began.Sub(now).Seconds()+whole)
	for ; n > p.last.served && seconds < 1e9; n -= p.last.served {
		seconds += whole
	}
	return seconds + n/speed
}

// Estimate returns how long n more writes will take, while so many a second are
// being made. It is negative where that cannot be told.
func (p *Pacer) Estimate(n int, perSecond float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.rate.rise(now)
	left := float64(n)
	shut := max(0, p.gate.closed(now).Seconds())
	var seconds float64
	switch credit := p.start.burst - p.start.spent; {
	case n == 0:
		return 0
	case p.rate.perSecond == 0 && credit > 0 && left > credit: // the rest at the rate of the quota
		seconds = shut + credit/perSecond + (left-credit)/min(p.rate.hint, perSecond)
	case p.rate.perSecond == 0:
		seconds = shut + left/perSecond
	case p.past.last.served > 0:
		seconds = p.past.rounds(now, left, perSecond)
	default:
		share := p.past.share(now)
		if lately := p.rate.served.PerSecond(now); share > 0 && lately > share { // since others came to an end
			share = (share + lately) / 2
		}
		if share == 0 && p.start.spent >= p.start.burst/20 { // the guess is a good one
			share = p.rate.perSecond
		}
		seconds = max(left/share, shut+left/max(p.rate.perSecond, share))
	}
	if !(seconds < forever.Seconds()) {
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}
