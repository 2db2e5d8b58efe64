package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A pacer keeps the writes of a client under a quota that it does not know: it
// is the tenant's, shared with other applications, and counted by Graph alone.
//
// It sends at full speed until a write is refused, then at the rate that the
// quota is said to have. Each further refusal lowers the rate, each quiet second
// raises it, ever faster. After a refusal nothing is sent until Retry-After has
// passed, and then a single batch, before the others follow.
type pacer struct {
	hint  float64 // writes a second that the quota is said to allow
	burst float64 // writes that it is said to allow at once

	maxWait time.Duration // where the server asks for none

	mu      sync.Mutex
	changed chan struct{} // closed when there may be less to wait for
	used    time.Time     // when a write was last sent or answered
	spent   float64       // writes since the quota was whole
	rate    float64       // writes a second; 0 is no limit
	raised  time.Time     // up to when the rate has been raised
	quiet   time.Time     // since when something could be refused, and was not
	credit  float64       // writes that the rate allows now; below 0 they were admitted ahead of it
	gate    time.Time     // until when nothing is admitted
	asked   time.Duration // that the gate was closed for
	probes  bool          // what is admitted next is a probe
	probed  time.Time     // until when the others wait for a probe's answer
	epoch   int           // counts the times that the rate was lowered
	vain    int           // waits in a row for which the server gave no time
	slow    int           // times in a row that the rate was lowered and found not to be reached
	served  meter
}

// A pass is the pacer's permission to send.
type pass struct {
	epoch  int  // from 1
	probe  bool // the others wait for the answer
	single bool // of a single call, which chooses its own waits
}

var errGate = errors.New("an earlier write was refused for its frequency, and the wait is too long")

const probeTime = 5 * time.Second // that the others wait for a probe's answer

func newPacer(perSecond float64, burst int, maxWait time.Duration) *pacer {
	return &pacer{
		hint:    perSecond,
		burst:   float64(burst),
		maxWait: maxWait,
		changed: make(chan struct{}),
		probes:  true,
		epoch:   1,
		served:  meter{span: 5 * time.Second},
	}
}

// admit waits until up to n writes may be sent, and takes them: take returns how
// many they are, and is nil for a single call. It gives up when ctx ends, or at
// once where the gate, for a single call the whole wait, takes longer than most.
func (p *pacer) admit(ctx context.Context, most time.Duration, n int, take func() int) (pass, error) {
	for {
		if ctx.Err() != nil {
			return pass{}, contextError(ctx)
		}
		p.mu.Lock()
		now := time.Now()
		p.rest(now)
		p.raise(now)
		wait, bound := p.wait(now, n), p.gate.Sub(now)
		if take == nil {
			bound = wait
		}
		switch {
		case bound > most:
			p.mu.Unlock()
			return pass{}, &keptBack{kind: ErrThrottled, cause: errGate, after: bound}
		case wait <= 0:
			if take != nil {
				n = take()
			}
			pass := p.admitted(now, n)
			pass.single = take == nil
			p.mu.Unlock()
			return pass, nil
		}
		changed := p.changed
		p.mu.Unlock()
		if err := sleepOr(ctx, min(wait, time.Second), changed); err != nil {
			return pass{}, err
		}
	}
}

// rest starts anew when so much time has passed that the quota is whole again.
// With a small burst that may be while a gate is closed, or a batch waits for
// the rate, which are no rest and take less than a minute or allow any rate.
func (p *pacer) rest(now time.Time) {
	whole := max(p.burst/p.hint, 60)
	if !p.gate.After(now) && now.Sub(p.used).Seconds() > whole {
		p.rate, p.spent, p.probes = 0, 0, true
	}
}

// raise makes up for the time since it last did: it raises the rate for having
// been quiet, and gives credit for what the rate allows.
func (p *pacer) raise(now time.Time) {
	sum := func(t time.Time) float64 { // of 0.2 (1 + (q/10)²) over q seconds of quiet
		q := max(0, t.Sub(p.quiet).Seconds())
		return 0.2 * (q + q*q*q/300)
	}
	if p.rate > 0 {
		before := p.rate
		p.rate += sum(now) - sum(p.raised)
		p.credit = min(0, p.credit+(before+p.rate)/2*now.Sub(p.raised).Seconds())
	}
	p.raised = now
}

// wait is how long n writes may not be sent.
func (p *pacer) wait(now time.Time, n int) time.Duration {
	wait := max(p.gate.Sub(now), p.probed.Sub(now))
	if p.rate == 0 {
		return wait
	}
	if n > 1 {
		// After Retry-After there is room for one write. For a batch there is a
		// little later, and the sooner the longer it was.
		room := min(p.takes(float64(n))-p.asked/8, 2*time.Second)
		wait = max(wait, p.gate.Add(room).Sub(now))
	}
	return max(wait, p.takes(-p.credit))
}

// admitted notes that n writes are sent.
func (p *pacer) admitted(now time.Time, n int) pass {
	if n == 0 {
		return pass{}
	}
	pass := pass{epoch: p.epoch, probe: p.probes}
	if p.probes {
		p.probes, p.probed = false, now.Add(probeTime)
	}
	p.used = now
	p.credit -= float64(n)
	p.spent += float64(n)
	return pass
}

// unasked is the pass of a single call that has not been throttled so far.
func (p *pacer) unasked() pass {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pass{epoch: p.epoch, single: true}
}

// answered takes in the answer to a write of a pass.
func (p *pacer) answered(pass pass, a *answer) {
	if a.status == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.raise(now)
	p.used = later(p.used, now)
	current := pass.epoch == p.epoch // or it was sent before the rate was lowered
	if a.outcome != delayed {
		p.served.add(now, 1)
		if current {
			p.vain = 0
			p.heed(a.header, now)
			p.reopen(pass, now)
		}
		return
	}
	if current {
		p.lower(now)
		p.epoch++
		p.vain++
	}
	p.quiet = later(p.quiet, now)
	if wait := a.after; a.timed && wait > 0 {
		p.shut(now, wait)
	} else if !pass.single {
		p.shut(now, min(time.Second<<min(max(p.vain-1, 0), 5), longestWait, p.maxWait))
	}
}

// shut closes the gate. While it is closed nothing can be refused, so that hardly
// any of it counts as quiet: as much as brings up a rate that is far too low.
func (p *pacer) shut(now time.Time, wait time.Duration) {
	p.probes = true
	if until := now.Add(min(wait, forever/2)); until.After(p.gate) {
		p.gate, p.asked = until, wait
		p.quiet, p.used = until.Add(-min(wait, 10*time.Second)*3/10), until
	}
}

// reopen opens a gate that nobody waits for any more, for a probe, when a single
// call was served that had not asked.
func (p *pacer) reopen(pass pass, now time.Time) {
	if pass.single && p.gate.Sub(now) > p.maxWait {
		p.gate, p.quiet, p.used = now, now, now
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settled takes in that all writes of a pass are answered.
func (p *pacer) settled(pass pass) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pass.probe {
		p.probed = time.Time{}
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// heed stops the rate from rising, or sets one, where Graph says that the limit
// is reached. It often does not.
func (p *pacer) heed(h http.Header, now time.Time) {
	text := h.Get("X-Ms-Throttle-Limit-Percentage") // a canonical name costs nothing
	if text == "" {
		return
	}
	used, err := strconv.ParseFloat(text, 64)
	if err != nil || !(used >= 1) { // it may be NaN
		return
	}
	if p.rate == 0 {
		p.rate, p.credit = p.hint, 0
	}
	p.quiet = now
}

// takes is how long n writes take at the present rate.
func (p *pacer) takes(n float64) time.Duration {
	return time.Duration(n / p.rate * float64(time.Second))
}

// lower makes the rate what is left after a refusal.
func (p *pacer) lower(now time.Time) {
	if p.rate == 0 {
		p.rate, p.credit = p.hint, 0
		return
	}
	if p.served.perSecond(now) < p.rate/2 {
		p.slow++
	} else {
		p.slow = 0
	}
	if p.slow >= 2 {
		p.rate /= 2
	} else {
		p.rate *= 0.8
	}
	p.rate = max(p.rate, min(p.hint, 1))
}

// estimate is how long n more writes will take, while so many a second are
// being made.
func (p *pacer) estimate(n int, perSecond float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.raise(now)
	left := float64(n)
	seconds := max(0, p.gate.Sub(now).Seconds())
	credit := p.burst - p.spent
	switch {
	case p.rate > 0 && now.Sub(p.gate) < progressTime: // which perSecond suffers from
		seconds += left / max(perSecond, min(p.rate, p.hint))
	case p.rate == 0 && credit > 0 && left > credit: // the rest at the rate of the quota
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

// A meter counts what happened in the last seconds.
type meter struct {
	span   time.Duration
	counts []meterCount
}

type meterCount struct {
	at time.Time
	n  int
}

func (m *meter) add(now time.Time, n int) {
	if last := len(m.counts) - 1; last >= 0 && now.Sub(m.counts[last].at) < m.span/50 {
		m.counts[last].n += n
		return
	}
	m.counts = slices.DeleteFunc(m.counts, func(c meterCount) bool { return now.Sub(c.at) > m.span })
	m.counts = append(m.counts, meterCount{now, n})
}

func (m *meter) perSecond(now time.Time) float64 {
	sum := 0
	for _, c := range m.counts {
		if now.Sub(c.at) <= m.span {
			sum += c.n
		}
	}
	return float64(sum) / m.span.Seconds()
}
