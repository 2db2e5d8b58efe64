package graph

import (
	"cmp"
	"net/http"
	"time"

	"github.com/graphlicensing/licensing/internal/pace"
)

// A Reply is what one attempt brought, before it is judged.
type Reply struct {
	Status int // 0: there was no answer
	Header http.Header
	Body   []byte
	Err    error // what is wrong with the answer, or why there is none

	Unsent   bool      // provably nothing of the request reached a server
	Hopeless bool      // nor would it the next time
	Earlier  bool      // an earlier request of the attempt may have been carried out
	Token    string    // that was sent; after a 401 another one may be asked for
	ID       string    // the client-request-id that was sent
	Share    float64   // random, the same for those that stay together
	Pass     pace.Pass // the pacer's
	Span
}

// A Span is what an attempt has of time.
type Span struct {
	Start time.Time     // the zero time for a request that went with others
	Took  time.Duration // from the start to the end of the answer
	Late  time.Time     // until when the request may still be carried out
}

// A Withheld is the error of a [Carrier] that made no attempt. What was answered
// before stands.
type Withheld struct {
	Err   error         // why
	After time.Duration // when there may be one
}

func (e *Withheld) Error() string { return e.Err.Error() }

// An Answer is what is known of a request when its sending has ended.
type Answer struct {
	Verdict // on the latest attempt
	Sent    // all attempts
}

// A Verdict is an attempt's reply, and what it says about the request.
type Verdict struct {
	Outcome Outcome
	timed   bool // After was given
	Status  int  // 0: there was no answer
	Header  http.Header
	Body    []byte
	problem *Problem      // what the body says, if it is an error's
	After   time.Duration // Retry-After
	Took    time.Duration // from the start of the attempt to the end of its answer
	Err     error         // what is wrong with the answer, or why there is none
	Unread  error         // what is wrong with a property of a good answer
}

// An Outcome is what an answer, or its absence, says about its request.
type Outcome int8

const (
	Applied   Outcome = iota + 1 // carried out; the zero Outcome is none
	Refused                      // not carried out, and may be sent again
	Delayed                      // refused for its frequency
	Unsigned                     // refused for its token
	Permanent                    // not carried out, and never will be
	Doubtful                     // perhaps carried out
)

// Sent is what is known of the attempts of a request as a whole.
type Sent struct {
	Attempts int       // that were made
	Unsure   bool      // one of them was in doubt, or throttled
	Doubted  bool      // one of them may have been carried out, and changes something
	Late     time.Time // until when one of them may still be carried out
	ID       string    // the client-request-id that was sent last
}

// add counts an attempt, which may still be carried out until late.
func (a *Answer) add(r *Reply, late time.Time, reads bool) {
	a.Attempts++
	a.ID = r.ID
	if late.After(a.Late) {
		a.Late = late
	}
	if a.Outcome == Doubtful || r.Earlier {
		a.Unsure = true
		a.Doubted = a.Doubted || !reads
	}
	if a.Outcome == Delayed {
		a.Unsure = true
	}
}

// Following returns what is known of two sendings of one call, of which s came
// after earlier. Unsure and ID are those of s.
func (s Sent) Following(earlier Sent) Sent {
	s.Attempts += earlier.Attempts
	s.Doubted = s.Doubted || earlier.Doubted
	if earlier.Late.After(s.Late) {
		s.Late = earlier.Late
	}
	return s
}

// advised reports whether the server asked for a wait; 0 is no advice.
func (v *Verdict) advised() bool { return v.timed && v.After > 0 }

// Good reports whether the request was carried out, and all of its answer could
// be read.
func (v *Verdict) Good() bool { return v.Outcome == Applied && v.Unread == nil }

// Problem returns what the body says, if it is an error's.
func (v *Verdict) Problem() *Problem {
	if v.problem == nil {
		return new(Problem)
	}
	return v.problem
}

// RequestID is Graph's id of the request.
func (v *Verdict) RequestID() string {
	return cmp.Or(v.Header.Get("Request-Id"), v.Problem().RequestID)
}

// ClientRequestID is the id that the caller's request had, as Graph tells it if
// it does.
func (a *Answer) ClientRequestID() string {
	return cmp.Or(a.Header.Get("Client-Request-Id"), a.Problem().ClientID, a.ID)
}

// Date is when Graph says that it answered, or now.
func (v *Verdict) Date() time.Time {
	if text := v.Header.Get("Date"); text != "" {
		if date, err := http.ParseTime(text); err == nil {
			return date
		}
	}
	return time.Now()
}

// Reply returns the answer as what an attempt of another request brought that
// went along: it fared as this one did, and judges for itself.
func (a *Answer) Reply() Reply {
	r := Reply{Earlier: a.Doubted, ID: a.ID, Span: Span{Took: a.Took, Late: a.Late}}
	switch {
	case a.Status == 0:
		r.Err, r.Unsent, r.Hopeless = a.Err, a.Outcome != Doubtful, a.Outcome == Permanent
	case a.Status/100 == 2 || a.Outcome == Doubtful && a.Status/100 > 3 && a.Err != nil: // it broke off
		r.Err = a.Err
	default:
		r.Status, r.Header, r.Body = a.Status, a.Header, a.Body
	}
	return r
}
