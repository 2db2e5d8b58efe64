package graph

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/graphlicensing/licensing/internal/pace"
)

// A Channel is the way to Graph for requests of one kind, writes or reads, which may
// be different ones: at what pace they go, and whether they get through. When it is
// out, their failures say nothing about what they ask for: requests about several
// objects fail one after the other, and none succeeds.
type Channel struct {
	pacer    *pace.Pacer
	patience time.Duration // for a gate that nothing else opens

	broken  atomic.Bool  // there is something to clear
	repairs atomic.Int32 // times that something got through again

	mu      sync.Mutex
	failed  []string  // objects whose requests failed since the last that got through
	since   time.Time // the first of them did
	sent    time.Time // and was sent
	until   time.Time // the gate is closed
	advised bool      // and the server said so
	rounds  int       // that it was closed in, one after the other
	cause   error     // of the latest failure
	setup   bool      // which may be for what was configured
}

// Pacer returns the pacer of the channel.
func (c *Channel) Pacer() *pace.Pacer { return c.pacer }

// outAfter is how many objects' requests have to fail to make an outage.
const outAfter = 3

// observe takes in what a reply says about the channel. It reports whether the
// channel is out, so that the failure is not the request's own.
func (x *sending) observe(r *Reply) (out bool) {
	a := &x.answer
	c, paced := x.service.channel(x.request)
	unsigned := a.Outcome == Unsigned && (r.Token == "" || x.next.Refused != "") // for another token, too
	switch failed := r.Unsent || unsigned || a.Outcome == Doubtful && !a.own(); {
	case x.mode == once: // its parts are heard of
		return false
	case failed && x.mode == carried && x.Err() == nil:
		// Before anything got through, it may be the name of the host that is
		// wrong, or the credentials: that is not waited for.
		setup := (r.Hopeless || unsigned) && !x.service.served.Load()
		if x.ownFault(c.repairs.Load()) {
			return false
		}
		wait, out := c.fails(x.request.Object.Key(), a, setup, r, &x.service.policy)
		if wait > 0 {
			c.pacer.Broken(wait)
		}
		x.count.excused = out && !setup
		return x.count.excused
	case failed || a.Outcome == Unsigned || a.Outcome == Doubtful:
		return false
	case !x.service.served.Load() && (a.Outcome == Applied || fromGraph(a.Header)):
		x.service.served.Store(true)
	}
	if paced { // else it is a read, which may go another way than writes
		c.GotThrough(r.Pass.Given())
	}
	return false
}

// ownFault reports whether the failures are the request's own: others got through
// between two of them. The first counts as an attempt after all.
func (x *sending) ownFault(repairs int32) bool {
	n := &x.count
	if n.failed && n.repairs != repairs && !n.own {
		n.own = true
		if n.excused {
			n.used++
		}
	}
	n.failed, n.excused, n.repairs = true, false, repairs
	return n.own
}

// GotThrough takes in that a request got through. Of several that went together it is
// said once more when all are taken in: whatever order they come in, the others
// failed by themselves. One that was sent before the first failure says nothing.
func (c *Channel) GotThrough(sent time.Time) {
	if c.broken.Load() && c.works(sent) {
		c.pacer.Repaired()
	}
}

// Together takes in the replies to requests that went together, before each is
// taken in by itself: what happened to all says more than what happened to the
// first.
func (c *Channel) Together(requests []*Request, replies []Reply) {
	for i := range replies {
		r := &replies[i]
		v := Verdict{Status: r.Status, Err: r.Err}
		uncertain := r.Status == 0 || Uncertain(r.Status)
		if !r.Unsent && !(uncertain && !v.own()) && !(r.Status == http.StatusUnauthorized && r.Token == "") {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, req := range requests {
		c.failing(req.Object.Key(), replies[0].Pass.Given())
	}
}

// failing notes that a request about an object failed, and when it was sent.
func (c *Channel) failing(object string, sent time.Time) {
	c.broken.Store(true)
	if len(c.failed) == 0 {
		c.since, c.sent = time.Now(), sent
	}
	if len(c.failed) < outAfter && !slices.Contains(c.failed, object) {
		c.failed = append(c.failed, object)
	}
}

// own reports whether what leaves a doubt is about the request alone: an answer came
// through that fits no request, or the service failed in carrying this one out.
func (v *Verdict) own() bool {
	return v.Status == http.StatusInternalServerError || errors.As(v.Err, new(AnswerError)) || errors.As(v.Err, new(*LimitError))
}

// fails notes that a request about an object failed. It returns how long nothing
// is to be sent from now on, 0 if no longer than was said before, and whether the
// channel is out.
func (c *Channel) fails(object string, a *Answer, setup bool, r *Reply, p *Policy) (wait time.Duration, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failing(object, r.Pass.Given())
	now := time.Now()
	c.cause, c.setup = a.Err, setup
	if a.Err == nil {
		c.cause = fmt.Errorf("status %d", a.Status)
	}
	switch {
	case len(c.failed) < outAfter:
		return 0, false
	case a.advised():
		wait = a.After + part(min(a.After/8+shortestWait, time.Second), r.Share)
		if !c.until.Before(now.Add(a.After)) { // as others of the same batch were told
			return 0, true
		}
	case now.Before(c.until): // it was on its way when that was decided
		return 0, true
	default:
		wait = pace.Doubled(c.rounds)
		wait -= part(wait/4, r.Share)
		if errors.As(a.Err, new(attemptTimeout)) { // which was a wait, too
			wait = max(wait-p.AttemptTimeout, shortestWait)
		}
		c.rounds++
	}
	c.until, c.advised = now.Add(min(wait, pace.LongestBelieved)), a.advised()
	return wait, true
}

// works notes that a request got through that was sent at some time. It reports
// whether the wait is over, which it is not where the server asked for it, unless
// that is longer than anybody waits.
func (c *Channel) works(sent time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) > 0 && sent.Before(c.sent) {
		return false
	}
	over := len(c.failed) >= outAfter && !c.advised || time.Until(c.until) > c.patience
	c.repairs.Add(1)
	c.failed, c.rounds, c.cause = nil, 0, nil
	if over || !c.until.After(time.Now()) {
		c.until, c.advised = time.Time{}, false
		c.broken.Store(false)
	}
	return over
}

// An OutageError says that the channel is out.
type OutageError struct {
	For   time.Duration // it was, so far
	Cause error         // of the latest failure, of whatever request
	Setup bool          // it may be for what was configured
}

func (e *OutageError) Unwrap() error { return e.Cause }

func (e *OutageError) Error() string {
	return fmt.Sprintf("no request got through for %v, the latest: %v", e.For.Round(time.Millisecond), e.Cause)
}

// Outage returns what is known of the channel if it is out, and else nil.
func (c *Channel) Outage() *OutageError {
	if !c.broken.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) < outAfter {
		return nil
	}
	return &OutageError{For: time.Since(c.since), Cause: c.cause, Setup: c.setup}
}
