package licensingtest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Fault is something that goes wrong with a request, or in the case of a
// delay only slowly. The zero value does nothing to the next request.
//
// A request that meets a fault is carried out and answered as always, unless
// Status, Drop or Hang is set. With one of them nothing is carried out, unless
// Apply is set too: that tells a request lost on its way from an answer lost on
// its way. With Late it is carried out later than it is answered.
type Fault struct {
	// Items makes the fault one of the items of batches, and of nothing else.
	// Without it a fault is one of whole requests, with all that is in them if
	// they are batches. [licensing.Client.Bulk] sends an operation that has no
	// company without a batch, where only faults of whole requests meet it. An
	// item that is dropped is missing from the answer, and one that is delayed
	// delays those after it. Hang and Truncate are for whole requests only.
	Items bool

	// Match says which requests meet the fault, or which items; nil is all of
	// them. For an item it is asked with the request that the item stands for,
	// under the URL that it would have by itself and with no headers but its
	// own. It can read the body, wait, and use the tenant. Several goroutines
	// may call it at once.
	Match func(*http.Request) bool

	// Skip is how many of the matching requests are left alone first. Times is
	// how many meet the fault then: 0 is one, and a negative number is all.
	Skip, Times int

	// After and For make the fault an outage: requests meet it only from so long
	// after the call of Fail, and for so long, where 0 is without end. With For, a
	// Times of 0 is all requests of that time that match. The others do not count
	// for Skip and Times, and Match is not asked about them.
	After, For time.Duration

	// Delay is waited before the request is carried out, and DelayAnswer after
	// it. A client that gives up meanwhile does not change what happens: the
	// effect is still to come.
	Delay, DelayAnswer time.Duration

	// Late has a request carried out although its answer is replaced or lost, so
	// long after it came and Delay was over. A gateway does so that gives up while
	// the servers behind it go on. The answer does not wait for it. The request is
	// carried out on the tenant as it is when it is due. It may be refused then, of
	// which nobody hears. It pays nothing, and the items of a batch that is late
	// meet no faults. The tenant makes up for what is due when it is asked
	// something, and gives it the time when it was due.
	Late time.Duration

	Apply bool // carry out the request although its answer is replaced or lost
	Drop  bool // break the connection instead of answering
	Hang  bool // never answer; the client has to give up

	// Status, from 200 to 999, is answered instead of the tenant's own answer,
	// unless it is zero. The body is Body, or if Code is set an error in Graph's
	// frame with Code and Message. In Body, Message and the values of Header,
	// {token} stands for the bearer token of the request, which is that of the batch
	// for an item. Some gateways quote it.
	Status        int
	Body          string
	Code, Message string

	// Header is added to the answer, whoever it is from, in place of what is
	// there under the same names. A name without values is taken out.
	Header http.Header

	// Swap sends an answer to the wrong request. The request is carried out, and
	// answered as the last one before it that came to another path and was no batch;
	// if there was none it is left alone. An item changes answers with the next item
	// of its batch, and the last item with the one before. The ids stay. If one of
	// the two has no answer, the other has none then. An item that has the answer to
	// another one already is left alone, and so is the only item of a batch.
	Swap bool

	// Truncate, unless zero, breaks the answer off after so many bytes of its
	// body, or before the first one if it is negative. With Hang as well the
	// answer comes to a halt there instead, and Hang does not stop the request
	// from being carried out. A body that is no longer arrives whole.
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

// Fail makes requests meet a fault, or items of batches. Each meets at most one,
// the first of those added that it matches and that is not used up. Fail panics
// when a field makes no sense, by itself or without another one.
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
