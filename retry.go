package licensing

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A RetryPolicy says how long and how often a call is tried. A zero field
// takes its default, a negative one switches the limit off.
//
// Only what may be repeated without harm is: throttling, concurrent changes,
// and attempts whose outcome is in doubt, which the same operation settles.
type RetryPolicy struct {
	// MaxAttempts is how many requests a call makes, throttled ones not
	// counted, and again for each part of a change that has to be settled by
	// itself; by default 5. With 1 nothing is sent again for any reason, and
	// a write that is answered with a 503 or 504 is ErrOutcomeUnknown.
	MaxAttempts int
	// MinWait is the first wait where the server asks for none; by default
	// 1 s. Each further one can be twice as long, up to 30 s, at random.
	MinWait time.Duration
	// MaxWait is the longest Retry-After that is waited for; by default 3 min.
	// A call that is asked to wait longer returns at once.
	MaxWait time.Duration
	// AttemptTimeout bounds one request and its answer; by default 60 s.
	AttemptTimeout time.Duration
	// MaxElapsed bounds the whole call with its waits; by default 10 min. In
	// Bulk it does not hold, since operations there wait for each other.
	MaxElapsed time.Duration
	// Fence is how long a write that stalled may still land; by default 2 min.
	// Until then different writes to the same object are kept back.
	Fence time.Duration
}

func (p RetryPolicy) withDefaults() RetryPolicy {
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
	limit(&p.MaxWait, 3*time.Minute, forever)
	limit(&p.AttemptTimeout, time.Minute, forever)
	limit(&p.MaxElapsed, 10*time.Minute, forever)
	limit(&p.Fence, 2*time.Minute, 0)
	return p
}

const (
	forever      = time.Duration(math.MaxInt64)
	shortestWait = 100 * time.Millisecond // between two attempts of a call
	longestWait  = 30 * time.Second       // where the server asks for none
)

// backoff returns the n-th wait for which the server gave no time: full
// jitter, by a random share of the longest, so that callers who failed together
// do not return together.
func (p RetryPolicy) backoff(n int, share float64) time.Duration {
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

// retryAfter reads Retry-After: whole or decimal seconds, or a date, which is
// taken relative to the server's own clock. The result is never negative.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
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
		case seconds >= forever.Seconds():
			return forever, true
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

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error { return sleepOr(ctx, d, nil) }

// sleepOr waits for d, until woken is closed, or until ctx ends.
func sleepOr(ctx context.Context, d time.Duration, woken <-chan struct{}) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-woken:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}
