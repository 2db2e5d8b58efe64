// Package pace decides how fast writes go out under a quota that is counted
// elsewhere.
//
// The quota is the tenant's, and nobody tells how many share it. A [Pacer] finds its
// share by what became of the writes before, as TCP does on a line:
//
//	start    20 writes are under way, and one more for each 25 that were served (slow
//	         start): that much of the quota is lost when it is used up, however many share it
//	refusal  nothing for as long as was asked; then a single write; then batches of half a
//	         second. The first refusal sets the rate to the share that this client would
//	         have if all had spent as much; others, to 0.8 of what was served (Westwood)
//	quiet    raises the rate: soon to what it was, slowly there, then ever faster (CUBIC)
//	in vain  a probe that is refused leaves the rate alone, but the next comes at random,
//	         up to 2, 4, 8 … 30 s later than was asked (Ethernet)
//	warning  a quota that is said to be used up is a refusal without a wait (ECN)
//
// Who sends twice as much is refused twice as often, and a small rate grows more in
// proportion: so the shares converge (Chiu and Jain, 1989). The cost is what is under
// way when the quota is used up, and a write of each client, once in half a minute.
//
// The package knows numbers and times. It must not know what a write is, how it
// is sent, or what an answer looks like, and imports nothing of this module.
package pace

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// A Pacer keeps writes under a quota that it does not know. It is made by [New] and
// safe for concurrent use.
type Pacer struct {
	maxWait time.Duration // where a refusal asks for none
	random  func() float64

	mu      sync.Mutex
	changed chan struct{} // closed when there may be less to wait for
	used    time.Time     // when a write was last let through or answered
	epoch   int32         // counts the times that the rate was lowered
	start   start
	rate    rate
	gate    gate
	past    past
	line    line
}

// A Pass is the permission to send some writes. The zero Pass is none.
type Pass struct {
	given  int64  // when, in nanoseconds: it goes with each attempt, and is to be small
	epoch  int32  // from 1
	n      uint16 // writes
	probe  bool   // the others wait for the answer
	single bool   // of a single write, which chooses its own waits
}

// Given returns when the pass was given, the zero time for none.
func (p Pass) Given() time.Time {
	if p.given == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.given)
}

// A Reply is what became of a write.
type Reply struct {
	Refused bool          // for its frequency
	Wait    time.Duration // that the refusal asked for, 0 for none
	Used    float64       // share of the quota that is said to be used up, 0 if nothing is said
}

// A GateError says that the gate is closed for longer than the caller can wait.
type GateError struct {
	After  time.Duration
	Broken bool // since nothing got through
}

func (e *GateError) Error() string {
	if e.Broken {
		return "nothing got through for others, and the wait is too long"
	}
	return "an earlier request was refused for its frequency, and the wait is too long"
}

const (
	forever     = time.Duration(math.MaxInt64)
	longestWait = 30 * time.Second // where a refusal asks for none
	probeTime   = 5 * time.Second  // that the others wait for a probe's answer
)

// Doubled is the n-th wait, from 0, of those that are each twice as long as the one
// before, from a second to half a minute.
func Doubled(n int) time.Duration { return min(time.Second<<min(n, 5), longestWait) }

// New returns a pacer for a quota that is said to allow so many writes a second,
// and so many at once after a rest. It waits for maxWait at most where a refusal
// asks for no wait.
func New(perSecond float64, burst int, maxWait time.Duration) *Pacer {
	return &Pacer{
		maxWait: maxWait,
		random:  rand.Float64,
		changed: make(chan struct{}),
		epoch:   1,
		start:   start{burst: float64(burst)},
		rate:    rate{hint: perSecond, served: Meter{Span: goodTime}},
		past:    past{served: Meter{Span: pastTime}},
		gate:    gate{probes: true},
	}
}

// Admit waits until up to n writes of a party may be sent, and takes them: take is
// told how many there may be, and returns how many there are. Parties take turns. It
// gives up when ctx ends, with ctx's error, or at once with a [GateError] where the
// gate is closed for longer than most says.
func (p *Pacer) Admit(ctx context.Context, by *Party, most func() time.Duration, n int, take func(most int) int) (Pass, error) {
	return p.admit(ctx, by, most, n, take)
}

// AdmitOne waits until a single write may be sent that was refused before. It
// gives up when ctx ends, with ctx's error, or at once with a [GateError] where
// the whole wait is longer than most.
func (p *Pacer) AdmitOne(ctx context.Context, most time.Duration) (Pass, error) {
	return p.admit(ctx, nil, func() time.Duration { return most }, 1, nil)
}

// admit is Admit, and with a nil take AdmitOne.
func (p *Pacer) admit(ctx context.Context, by *Party, most func() time.Duration, n int, take func(most int) int) (Pass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if by != nil {
		p.line.join(by)
		defer func() {
			if p.line.leave(by) {
				p.change()
			}
		}()
	}
	for {
		if ctx.Err() != nil {
			return Pass{}, ctx.Err()
		}
		now := time.Now()
		p.rest(now)
		p.rate.rise(now)
		wait, bound := p.wait(now, take == nil), p.gate.asks(now)
		first := by == nil || p.line.first(by)
		if take == nil {
			bound = max(bound, wait)
		}
		switch {
		case bound > 0 && bound > most():
			return Pass{}, &GateError{After: bound, Broken: p.gate.broken.After(p.gate.until)}
		case first && wait <= 0:
			if take != nil {
				n = take(min(n, p.most(now)))
			}
			if n > 0 && by != nil {
				p.line.serve()
			}
			return p.admitted(now, n, take == nil), nil
		}
		if wait = min(wait, time.Second); !first { // no longer: what there is to wait for may grow less
			wait = time.Second
		}
		changed := p.changed
		p.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
		p.mu.Lock()
	}
}

// change makes those who wait look again.
func (p *Pacer) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// Unasked returns the pass of a single write that was not refused so far, and so
// goes out without asking.
func (p *Pacer) Unasked() Pass {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.start.spend(now, 1)
	p.start.settle(now, 1) // which is not waited for
	return Pass{epoch: p.epoch, single: true, given: now.UnixNano()}
}

// rest starts anew when so much time has passed that the quota is whole again.
// With a small burst that may be while a gate is closed, or a batch waits for
// the rate, which are no rest and take less than a minute or allow any rate.
func (p *Pacer) rest(now time.Time) {
	whole := max(p.start.burst/p.rate.hint, 60)
	if p.gate.closed(now) <= 0 && now.Sub(p.used).Seconds() > whole {
		p.start.again()
		p.past.again()
		p.rate.lift()
		p.gate.probeNext()
	}
}

// wait is how long no writes may be sent. Single ones are not kept back by the runs,
// nor keep them back: they have a rate of their own, of a quarter of the hint at least.
func (p *Pacer) wait(now time.Time, single bool) time.Duration {
	wait := p.gate.left(now)
	if !single {
		wait = max(wait, p.gate.run(now))
	}
	switch {
	case p.rate.perSecond > 0 && single:
		return max(wait, p.rate.next.Sub(now))
	case p.rate.perSecond > 0:
		return max(wait, p.rate.takes(-p.rate.credit))
	case p.gate.probes || single:
		return wait
	}
	_, full := p.start.room(now, p.rate.since)
	return max(wait, full)
}

// most is how many writes may be sent together. After a refusal a probe is of a
// single one, but the longer the gate was closed the more there is room for.
func (p *Pacer) most(now time.Time) int {
	if p.rate.perSecond == 0 {
		n, _ := p.start.room(now, p.rate.since)
		return max(n, 1)
	}
	most := p.rate.batch()
	if p.gate.probes && p.gate.missed > 0 {
		return 1
	}
	if p.gate.probes && !p.gate.broken.After(p.gate.until) {
		most = min(most, int(p.rate.perSecond*(p.gate.asked-time.Second).Seconds()/10))
	}
	return max(most, 1)
}

// admitted notes that n writes are sent.
func (p *Pacer) admitted(now time.Time, n int, single bool) Pass {
	if n == 0 {
		return Pass{}
	}
	pass := Pass{epoch: p.epoch, n: uint16(n), probe: p.gate.probes, single: single, given: now.UnixNano()}
	if pass.probe {
		p.gate.probe(now)
		if p.rate.quiet.After(now) { // the gate is tried, long before it was to open
			p.rate.quietSince(now)
		}
	}
	p.used = now
	p.rate.spend(now, float64(n), single)
	p.start.spend(now, n)
	return pass
}

// Answered takes in what became of one write of a pass. A write that was not
// answered tells nothing, and is not told.
func (p *Pacer) Answered(pass Pass, r Reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.rate.rise(now)
	p.used = later(p.used, now)
	current := pass.epoch == p.epoch // or it was sent before the rate was lowered
	if r.Refused {
		p.refused(pass, current, r.Wait, now)
		return
	}
	p.rate.serve(now)
	p.past.serve(now)
	if !current {
		return
	}
	p.rate.since++
	p.gate.served()
	p.marked(r.Used, now)
	if pass.single && p.gate.until.Sub(now) > p.maxWait {
		// Nobody waits for the gate any more, and a write was served that had not
		// asked: it opens for a probe.
		p.gate.open(now)
		p.rate.quietSince(now)
		p.used = now
	}
}

// marked takes in which share of the quota is said to be used up, of which nothing
// is said as often as not. All of it is a refusal in good time, but for one that is
// said all the time.
func (p *Pacer) marked(used float64, now time.Time) {
	if used > 0 && p.rate.perSecond == 0 {
		p.start.full = min(used, 1)
	}
	switch {
	case !(used >= 1): // NaN is not
		p.rate.marked = time.Time{}
	case !p.rate.marked.IsZero():
		p.rate.hold(now)
	default:
		p.lower(now)
		p.epoch++
		p.rate.marked = now
		p.rate.quietSince(now)
	}
}

// refused takes in that a write was refused for its frequency.
func (p *Pacer) refused(pass Pass, current bool, wait time.Duration, now time.Time) {
	current = current && p.gate.closed(pass.Given()) <= 0 // or it had not asked, and says nothing new
	if current {
		p.gate.vain++
		if pass.probe {
			p.gate.missed++
		}
		if !pass.probe || p.rate.perSecond == 0 { // else nothing was sent at this rate
			p.lower(now)
		}
		p.epoch++
	}
	p.rate.quietSince(later(p.rate.quiet, now))
	switch {
	case wait > 0:
		p.shut(now, wait, true)
	case !pass.single:
		p.shut(now, min(Doubled(max(p.gate.vain-1, 0)), p.maxWait), false)
	}
	if current {
		p.gate.part(p.random(), p.rate.perSecond)
	}
}

// lower lowers the rate, or sets it where there was none.
func (p *Pacer) lower(now time.Time) {
	if p.rate.perSecond == 0 {
		p.rate.begin(p.start.clients(now, p.rate.hint))
	} else {
		p.rate.lower(now)
	}
}

// shut closes the gate. While it is closed nothing can be refused, and nothing of
// it counts as quiet.
func (p *Pacer) shut(now time.Time, wait time.Duration, asked bool) {
	if until, closed := p.gate.shut(now, wait, asked); closed {
		p.past.shut(now, until)
		p.rate.quietSince(until)
		p.used = until
	}
}

// Settled takes in that what became of all writes of a pass is known.
func (p *Pacer) Settled(pass Pass) {
	if pass.n == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start.settle(time.Now(), int(pass.n))
	if pass.probe {
		p.gate.probeKnown()
	}
	if pass.probe || p.rate.perSecond == 0 {
		p.change()
	}
}

// Broken takes in that nothing gets through, and closes the gate for so long. A
// probe follows, and the others when it is known what became of that.
func (p *Pacer) Broken(wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.rate.rise(now)
	p.gate.probes = true
	p.closed(now, later(p.gate.broken, now.Add(min(wait, LongestBelieved))))
}

// Repaired takes in that something got through after all.
func (p *Pacer) Repaired() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.gate.broken.After(now) {
		p.closed(now, now)
		p.change()
	}
}

// closed has the gate closed until then. That is no time in which the quota was
// used, or not refused.
func (p *Pacer) closed(now, until time.Time) {
	p.rate.pause(until.Sub(later(p.gate.broken, now)))
	p.gate.broken = until
	p.used = later(p.used, until)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
