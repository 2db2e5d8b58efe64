package graph

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/graphlicensing/licensing/internal/pace"
)

// A Policy says how long and how often a request is made. See the public
// RetryPolicy for its fields.
type Policy struct {
	MaxAttempts    int
	MinWait        time.Duration
	MaxWait        time.Duration
	AttemptTimeout time.Duration
	MaxElapsed     time.Duration
	Fence          time.Duration
}

// WithDefaults returns the policy with each zero field at its default. A negative
// one is no limit, no fence, or the shortest wait.
func (p Policy) WithDefaults() Policy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 5
	} else if p.MaxAttempts < 0 {
		p.MaxAttempts = math.MaxInt
	}
	limit := func(d *time.Duration, standard, off time.Duration) {
		if *d == 0 {
			*d = standard
		} else if *d < 0 {
			*d = off
		}
	}
	limit(&p.MinWait, time.Second, shortestWait)
	limit(&p.MaxWait, 3*time.Minute, Forever)
	limit(&p.AttemptTimeout, time.Minute, Forever)
	limit(&p.MaxElapsed, 10*time.Minute, Forever)
	limit(&p.Fence, 2*time.Minute, 0)
	return p
}

// Forever is a time without a limit.
const Forever = time.Duration(math.MaxInt64)

const (
	shortestWait = 100 * time.Millisecond // between two attempts of a request
	longestWait  = 30 * time.Second       // where the server asks for none
)

// again decides whether there is another attempt after the latest, which brought
// r, and what it follows. Out says that it failed because the channel is out. The
// error is why there is none where the context has ended.
func (x *sending) again(r *Reply, out bool) (next Next, more bool, ended error) {
	a := &x.answer
	tries := x.tries()
	switch {
	case a.Outcome == Applied || a.Outcome == Permanent || tries == 1 || int(x.count.used) >= tries, errors.Is(a.Err, ErrBare):
		return Next{}, false, nil
	case out: // the pacer keeps all requests back
		return Next{}, true, nil
	case a.Outcome == Unsigned && r.Token != "" && x.next.Refused == "":
		return Next{Refused: r.Token}, true, nil
	case a.Outcome == Unsigned && !(x.mode == carried && x.service.served.Load()): // or it is no fault of the token
		return Next{}, false, nil
	case x.mode == once:
		return Next{}, false, nil
	case x.Err() != nil:
		return Next{}, false, x.service.ContextError(x)
	}
	next = Next{Refused: x.next.Refused, Throttled: a.Outcome == Delayed}
	queues := x.mode == carried && next.Throttled // the carrier's pace is the wait
	policy, left := &x.service.policy, x.service.Left(x, x.request)
	switch {
	case a.advised():
		next.Wait = max(a.After, shortestWait)
		if a.After > policy.MaxWait || next.Wait >= left {
			return Next{}, false, nil
		}
		next.Wait += part(min(next.Wait/8+shortestWait, time.Second, (left-next.Wait)/2), r.Share)
		more = true
	default:
		// A wait of our own choice leaves time for the request after it.
		next.Wait, next.chosen = min(policy.backoff(int(x.count.waits), r.Share), left/2), true
		more = next.Wait >= shortestWait || queues
	}
	if queues {
		next.Wait, next.chosen = 0, false
	}
	return next, more, nil
}

// await waits for the next attempt: for as long as the server asked, or as was
// chosen, and after a refusal for its frequency until the pacer lets it through.
func (x *sending) await() (pace.Pass, error) {
	if err := sleep(x, x.next.Wait); err != nil {
		return pace.Pass{}, err
	}
	channel, paced := x.service.channel(x.request)
	if !x.next.Throttled || !paced {
		return pace.Pass{}, nil
	}
	return channel.pacer.AdmitOne(x, min(x.service.policy.MaxWait, x.service.Left(x, x.request)))
}

// tries is how many attempts there may be, throttled ones not counted.
func (x *sending) tries() int {
	switch {
	case x.mode == once:
		return min(2, x.service.policy.MaxAttempts)
	case x.request.Tries > 0:
		return x.request.Tries
	}
	return x.service.policy.MaxAttempts
}

// backoff returns the n-th wait for which the server gave no time: full
// jitter, by a random share of the longest, so that callers who failed together
// do not return together.
func (p *Policy) backoff(n int, share float64) time.Duration {
	most := max(longestWait, p.MinWait)
	if p.MinWait < longestWait && n < 16 {
		most = min(most, p.MinWait<<n)
	}
	most = min(most, p.MaxWait)
	return shortestWait + part(most-shortestWait, share)
}

// part is a share of d, from 0 to 1.
func part(d time.Duration, share float64) time.Duration {
	return time.Duration(share * float64(max(0, d)))
}

// RetryAfter reads Retry-After: whole or decimal seconds, or a date, which is
// taken relative to the server's own clock. The result is never negative.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil || math.IsInf(seconds, 0) {
		switch {
		case math.IsNaN(seconds) || err == nil && math.IsInf(seconds, 0):
			return 0, false // the words, not a number
		case seconds <= 0:
			return 0, true
		case seconds >= Forever.Seconds():
			return Forever, true
		}
		return time.Duration(math.Ceil(seconds * float64(time.Second))), true
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if server, err := http.ParseTime(h.Get("Date")); err == nil {
		now = server
	}
	return max(0, date.Sub(now)), true
}

// quotaUsed reads the share of the quota that Graph says is used up, 0 where it
// says nothing, as it often does.
func quotaUsed(h http.Header) float64 {
	text := h.Get("X-Ms-Throttle-Limit-Percentage") // a canonical name costs nothing
	if text == "" {
		return 0
	}
	used, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return used
}

// Sleep waits for d, or until ctx ends, and then returns ctx's error.
func (s *Service) Sleep(ctx context.Context, d time.Duration) error {
	if err := sleep(ctx, d); err != nil {
		return s.ContextError(ctx)
	}
	return nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
