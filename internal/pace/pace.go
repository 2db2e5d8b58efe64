// Package pace decides how fast writes go out under a quota that is counted
// elsewhere.
//
// The quota is the tenant's, shared with other applications, and nobody tells
// how much of it is left. A [Pacer] goes by what became of the writes before:
// served or refused, and how long a refusal asked to wait.
//
// The package knows numbers and times. It must not know what a write is, how it
// is sent, or what an answer looks like, and imports nothing of this module.
package pace

import (
	"context"
	"math"
	"sync"
	"time"
)

// A Pacer keeps writes under a quota that it does not know.
//
// It lets them through at full speed until one is refused, then at the rate that
// the quota is said to have. Each further refusal lowers the rate, each quiet
// second raises it, ever faster. After a refusal nothing is let through until
// the wait that was asked for has passed, and then a single pass, before the
// others follow.
//
// A Pacer is made by [New] and safe for concurrent use.
type Pacer struct {
	hint    float64       // writes a second that the quota is said to allow
	burst   float64       // writes that it is said to allow at once
	maxWait time.Duration // where a refusal asks for none

	mu      sync.Mutex
	changed chan struct{} // closed when there may be less to wait for
	used    time.Time     // when a write was last let through or answered
	spent   float64       // writes since the quota was whole
	epoch   int           // counts the times that the rate was lowered
	vain    int           // waits in a row for which a refusal asked for none
	rate    rate
	gate    gate
	line    line
	singles Party // the single writes
}

// A Pass is the permission to send some writes. The zero Pass is none.
type Pass struct {
	epoch  int  // from 1
	probe  bool // the others wait for the answer
	single bool // of a single write, which chooses its own waits
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
	return "an earlier write was refused for its frequency, and the wait is too long"
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
		hint:    perSecond,
		burst:   float64(burst),
		maxWait: maxWait,
		changed: make(chan struct{}),
		epoch:   1,
		rate:    rate{served: Meter{Span: 5 * time.Second}},
		gate:    gate{probes: true},
	}
}

// Admit waits until up to n writes of a party may be sent, and takes them: take
// returns how many they are. Parties take turns. It gives up when ctx ends, with
// ctx's error, or at once with a [GateError] where the gate is closed for longer
// than most says.
func (p *Pacer) Admit(ctx context.Context, by *Party, most func() time.Duration, n int, take func() int) (Pass, error) {
	return p.admit(ctx, by, most, n, take)
}

// AdmitOne waits until a single write may be sent that was refused before. It
// gives up when ctx ends, with ctx's error, or at once with a [GateError] where
// the whole wait is longer than most.
func (p *Pacer) AdmitOne(ctx context.Context, most time.Duration) (Pass, error) {
	return p.admit(ctx, &p.singles, func() time.Duration { return most }, 1, nil)
}

// admit is Admit, and with a nil take AdmitOne.
func (p *Pacer) admit(ctx context.Context, by *Party, most func() time.Duration, n int, take func() int) (Pass, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.join(by)
	defer func() {
		if p.line.leave(by) {
			p.change()
		}
	}()
	for {
		if ctx.Err() != nil {
			return Pass{}, ctx.Err()
		}
		now := time.Now()
		p.rest(now)
		p.rate.rise(now)
		wait, bound := p.wait(now, n), p.gate.asks(now)
		if take == nil {
			bound = max(bound, wait)
		}
		first := p.line.first(by)
		switch {
		case bound > 0 && bound > most():
			return Pass{}, &GateError{After: bound, Broken: p.gate.broken.After(p.gate.until)}
		case first && wait <= 0:
			if take != nil {
				n = take()
			}
			if n > 0 {
				p.line.serve()
			}
			pass := p.admitted(now, n)
			pass.single = take == nil
			return pass, nil
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
	return Pass{epoch: p.epoch, single: true}
}

// rest starts anew when so much time has passed that the quota is whole again.
// With a small burst that may be while a gate is closed, or a batch waits for
// the rate, which are no rest and take less than a minute or allow any rate.
func (p *Pacer) rest(now time.Time) {
	whole := max(p.burst/p.hint, 60)
	if p.gate.closed(now) <= 0 && now.Sub(p.used).Seconds() > whole {
		p.spent = 0
		p.rate.lift()
		p.gate.probeNext()
	}
}

// wait is how long n writes may not be sent.
func (p *Pacer) wait(now time.Time, n int) time.Duration {
	wait := p.gate.left(now)
	if p.rate.perSecond == 0 {
		return wait
	}
	if n > 1 {
		// When the gate opens there is room for one write. For a batch there is a
		// little later, and the sooner the longer it was closed.
		room := min(p.rate.takes(float64(n))-p.gate.asked/8, 2*time.Second)
		wait = max(wait, p.gate.opens().Add(room).Sub(now))
	}
	return max(wait, p.rate.takes(-p.rate.credit))
}

// admitted notes that n writes are sent.
func (p *Pacer) admitted(now time.Time, n int) Pass {
	if n == 0 {
		return Pass{}
	}
	pass := Pass{epoch: p.epoch, probe: p.gate.probes}
	if pass.probe {
		p.gate.probe(now)
		if p.rate.quiet.After(now) { // the gate is tried, long before it was to open
			p.rate.quietSince(now)
		}
	}
	p.used = now
	p.rate.spend(float64(n))
	p.spent += float64(n)
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
	p.rate.served.Add(now, 1)
	if !current {
		return
	}
	p.vain = 0
	if r.Used >= 1 { // not so for NaN
		p.rate.hold(now, p.hint)
	}
	if pass.single && p.gate.until.Sub(now) > p.maxWait {
		// Nobody waits for the gate any more, and a write was served that had not
		// asked: it opens for a probe.
		p.gate.open(now)
		p.rate.quietSince(now)
		p.used = now
	}
}

// refused takes in that a write was refused for its frequency.
func (p *Pacer) refused(pass Pass, current bool, wait time.Duration, now time.Time) {
	if current {
		p.rate.lower(now, p.hint)
		p.epoch++
		p.vain++
	}
	p.rate.quietSince(later(p.rate.quiet, now))
	switch {
	case wait > 0:
		p.shut(now, wait)
	case !pass.single:
		p.shut(now, min(Doubled(max(p.vain-1, 0)), p.maxWait))
	}
}

// shut closes the gate. While it is closed nothing can be refused, so that hardly
// any of it counts as quiet: as much as brings up a rate that is far too low.
func (p *Pacer) shut(now time.Time, wait time.Duration) {
	if until, closed := p.gate.shut(now, wait); closed {
		p.rate.quietSince(until.Add(-min(wait, 10*time.Second) * 3 / 10))
		p.used = until
	}
}

// Settled takes in that what became of all writes of a pass is known.
func (p *Pacer) Settled(pass Pass) {
	if !pass.probe {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate.probeKnown()
	p.change()
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

// Estimate returns how long n more writes will take, while so many a second are
// being made, counted over the time of span. It is negative where that cannot be
// told.
func (p *Pacer) Estimate(n int, perSecond float64, span time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.rate.rise(now)
	left := float64(n)
	seconds := max(0, p.gate.closed(now).Seconds())
	credit := p.burst - p.spent
	switch rate := p.rate.perSecond; {
	case rate > 0 && now.Sub(p.gate.until) < span: // which perSecond suffers from
		seconds += left / max(perSecond, min(rate, p.hint))
	case rate == 0 && credit > 0 && left > credit: // the rest at the rate of the quota
		seconds += credit/perSecond + (left-credit)/min(p.hint, perSecond)
	default:
		seconds += left / perSecond
	}
	switch {
	case n == 0:
		return 0
	case !(seconds < forever.Seconds()):
		return -1
	}
	return time.Duration(seconds * float64(time.Second))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
