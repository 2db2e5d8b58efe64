package licensingtest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is something that goes wrong with a request. A delay makes the request
// slow instead. The zero value matches the next request and does nothing to it.
//
// A request that meets a fault is carried out and answered as usual, unless Status,
// Drop or Hang is set. With one of these nothing is carried out, unless Apply is
// set too. Without Apply the request was lost; with Apply the answer was lost. With
// Late the request is carried out after it was answered.
type Fault struct {
	// Items makes the fault apply to items of batches only. Without it, the fault
	// applies to whole requests, including whole batches. Client.Bulk sends an
	// operation without a batch if there is only one to send; then only a fault for
	// whole requests applies. A dropped item is missing from the answer. A delayed
	// item delays the items after it. Hang and Truncate are for whole requests
	// only.
	Items bool

	// Match reports whether a request or item meets the fault. Nil matches all. For
	// an item, Match gets the request that the item stands for, with the URL that
	// the request would have outside the batch, and only the item's own headers.
	// Match may read the body, wait, and use the tenant. Several goroutines may
	// call it at once.
	Match func(*http.Request) bool

	// Skip is how many matching requests to leave alone first. Times is how many
	// requests meet the fault after that: 0 means one, and a negative number means
	// all.
	Skip, Times int

	// After and For limit the fault to a period, such as an outage. After is the
	// time from the call of Fail to the start of the period. For is its length; 0
	// means that it has no end. If For is set, a Times of 0 means all matching
	// requests in the period. Requests outside the period do not count for Skip and
	// Times, and Match is not called for them.
	After, For time.Duration

	// Delay is a wait before the request is carried out. DelayAnswer is a wait
	// after it. If the client gives up during a wait, the request is still carried
	// out.
	Delay, DelayAnswer time.Duration

	// Late carries out the request although its answer is replaced or lost. Late is
	// the time from the end of Delay to the execution. The answer does not wait for
	// it. A gateway behaves like this when it gives up while the servers behind it
	// go on.
	//
	// The request is carried out on the tenant as it is by then. It may be refused,
	// and nobody sees that refusal. It does not count against a Throttle, and the
	// items of a late batch meet no faults. The tenant catches up on what is due
	// when it is next used, and records the time when it was due.
	Late time.Duration

	Apply bool // carry out the request even though its answer is replaced or lost
	Drop  bool // break the connection instead of answering
	Hang  bool // never answer; the client has to give up

	// Status, from 200 to 999, replaces the tenant's own answer unless it is zero.
	// The body is Body. If Code is set, the body is an error in Graph's format with
	// Code and Message. In Body, Message and the values of Header, {token} stands
	// for the request's bearer token. An item's token is that of its batch. Some
	// gateways quote the token like this.
	Status        int
	Body          string
	Code, Message string

	// Header is added to the answer and replaces headers of the same names. A name
	// without values removes the header.
	Header http.Header

	// Swap sends the answer to a different request. The request is carried out, but
	// gets the same answer as the last request before it that had another path and
	// was not a batch. If there was no such request, nothing happens.
	//
	// An item swaps answers with the next item of its batch, and the last item with
	// the one before it. The ids stay in place. If one of the two has no answer,
	// the other ends up without one. Nothing happens to an item whose answer was
	// swapped already, or to the only item of a batch.
	Swap bool

	// Truncate, unless zero, breaks off the answer after this many bytes of its
	// body, or before the first byte if it is negative. If Hang is set too, the
	// answer stalls at that point instead, and the request is still carried out. A
	// body that is not longer than Truncate arrives whole.
	Truncate int
}

// A plannedFault is a Fault that is yet to happen.
type plannedFault struct {
	Fault
	skip, left  int       // left is negative forever
	from, until time.Time // zero: from the beginning, and forever
}

// over reports whether the time of f is over.
func (f *plannedFault) over(now time.Time) bool { return !f.until.IsZero() && !now.Before(f.until) }

// Fail makes requests, or items of batches, meet a fault. Each request meets at
// most one fault: the oldest one that matches and is not used up. Fail panics if a
// field is invalid, or if two fields do not fit together.
func (t *Tenant) Fail(f Fault) {
	f.check()
	planned := &plannedFault{Fault: f, skip: f.Skip, left: f.Times}
	if f.After > 0 || f.For > 0 { // else a tenant may go from one clock to another
		planned.from = time.Now().Add(f.After)
	}
	if f.For > 0 {
		planned.until = planned.from.Add(f.For)
	}
	if f.Times == 0 {
		planned.left = 1
		if f.For > 0 {
			planned.left = -1
		}
	}
	planned.Header = f.Header.Clone()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, planned)
}

// check panics when a field of f makes no sense.
func (f Fault) check() {
	switch {
	case f.Status == 0 && (f.Body != "" || f.Code != ""):
		panicf("Fail: a fault with a Body or Code needs a Status")
	case f.Code == "" && f.Message != "":
		panicf("Fail: a fault with a Message needs a Code")
	case f.Items && (f.Hang || f.Truncate != 0):
		panicf("Fail: a fault of items can have neither Hang nor Truncate")
	case f.Skip < 0:
		panicf("Fail: a fault with the Skip %d", f.Skip)
	case f.Status != 0 && (f.Status < 200 || f.Status > 999):
		panicf("Fail: a fault with the Status %d", f.Status)
	case f.After < 0 || f.For < 0 || f.Late < 0:
		panicf("Fail: a fault with a negative After, For or Late")
	case f.Late > 0 && f.Apply:
		panicf("Fail: a fault with both Apply and Late")
	case f.Late > 0 && !f.replaced():
		panicf("Fail: a fault with Late needs a Status, a Drop, or a Hang without Truncate")
	case f.Swap && (f.Status != 0 || f.Drop || f.Hang || f.Truncate != 0):
		panicf("Fail: a fault with Swap can have neither Status, Drop, Hang nor Truncate")
	}
}

// nextFault returns the fault that a request meets, or an item, and uses it up.
// Request makes the request to be matched, without the lock: Match may take its
// time, or ask the tenant.
func (t *Tenant) nextFault(items bool, body []byte, request func() *http.Request) Fault {
	now := time.Now()
	t.mu.Lock()
	t.faults = slices.DeleteFunc(t.faults, func(f *plannedFault) bool { return f.over(now) })
	faults := slices.Clone(t.faults)
	t.mu.Unlock()
	for _, f := range faults {
		if f.Items != items || now.Before(f.from) {
			continue
		}
		if f.Match != nil {
			r := request()
			r.Body = io.NopCloser(bytes.NewReader(body))
			if !f.Match(r) {
				continue
			}
		}
		if t.use(f) {
			return f.Fault
		}
	}
	return Fault{}
}

// use counts a request that matches f. It reports whether the request meets it:
// others may have used it up meanwhile.
func (t *Tenant) use(f *plannedFault) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case f.skip > 0:
		f.skip--
		return false
	case f.left == 0:
		return false
	}
	if f.left--; f.left == 0 {
		t.faults = slices.DeleteFunc(t.faults, func(other *plannedFault) bool { return other == f })
	}
	return true
}

// carryOut has a call carried out under the fault. It returns what is answered,
// or if nothing is, what would have been.
func (f Fault) carryOut(t *Tenant, c *call, do func(*call) answer) (a answer, sent bool) {
	time.Sleep(f.Delay)
	switch {
	case !f.replaced() || f.Apply:
		a = do(c)
	case f.Late > 0:
		t.postpone(c, f.Late)
	}
	time.Sleep(f.DelayAnswer)
	if f.silent() {
		return a, false
	}
	return f.answer(c, a), true
}

// silent reports whether there is no answer at all.
func (f Fault) silent() bool { return f.Drop || f.Hang && f.Truncate == 0 }

// replaced reports whether the tenant's own answer is of no use.
func (f Fault) replaced() bool { return f.silent() || f.Status != 0 }

// sent returns how much of a body is sent.
func (f Fault) sent(body []byte) []byte {
	if f.Truncate == 0 {
		return body
	}
	return body[:max(0, min(f.Truncate, len(body)))]
}

// cuts reports whether that is less than all of it.
func (f Fault) cuts(body []byte) bool { return len(f.sent(body)) < len(body) }

// answer returns the answer that f puts in the place of the tenant's own, with
// f's headers. Where answers are swapped, both come later.
func (f Fault) answer(c *call, own answer) answer {
	a := own
	switch {
	case f.Status != 0 && f.Code != "":
		a = c.refuse(&graphError{status: f.Status, code: f.Code, message: c.quote(f.Message)})
	case f.Status != 0:
		a = c.newAnswer(f.Status, nil)
		a.body = []byte(c.quote(f.Body))
	}
	if !f.Swap {
		f.setHeader(c, a.header)
	}
	return a
}

// setHeader adds f's headers to those of the answer to c.
func (f Fault) setHeader(c *call, header http.Header) {
	for name, values := range f.Header {
		name = http.CanonicalHeaderKey(name)
		delete(header, name)
		for _, value := range values {
			header[name] = append(header[name], c.quote(value))
		}
	}
}

// quote returns a text of a fault as c is answered with it.
func (c *call) quote(text string) string { return strings.ReplaceAll(text, "{token}", c.token) }
