package graph

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/graphlicensing/licensing/internal/pace"
)

const (
	maxAnswer = 16 << 20 // bytes of a success, decompressed
	maxPage   = 64 << 20 // of a page of many: 999 users with 20 SKUs and 15 plans of each off take half of it
	MaxKept   = 64 << 10 // bytes that an error keeps of an answer
)

// An attempt is one request on its way. Each has a value of its own, since what
// watches it may still be told something when the next one is on its way.
type attempt struct {
	sending *sending
	pass    pace.Pass
	token   string    // that was sent; see token.go
	values  [5]string // of the header; see token.go
	start   time.Time
	limit   time.Duration
	ctx     context.Context // ends with the limit
	cancel  context.CancelFunc
	trace   httptrace.ClientTrace
	dials   atomic.Bool  // the transport, one of net/http's, asked for a connection
	linked  atomic.Bool  // and got one
	sent    atomic.Int32 // times that the request's header was written to one
	got     exchange
}

// begin begins the attempt under ctx, which is the sending or made from it.
func (a *attempt) begin(ctx context.Context, x *sending, pass pace.Pass) {
	a.sending, a.pass, a.start = x, pass, time.Now()
	a.limit = min(x.service.policy.AttemptTimeout, x.service.Left(ctx, x.request))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= a.limit {
		a.ctx, a.cancel = context.WithCancel(ctx) // a timer of ours might win the race
	} else {
		a.ctx, a.cancel = context.WithTimeout(ctx, a.limit)
	}
}

// begun reports whether the attempt was ever begun.
func (a *attempt) begun() bool { return a.sending != nil }

// A signer sets the token of each attempt, and limits its time. It is no
// CloseIdler, so that the loop above cannot close the connections of others.
type signer struct {
	next   http.RoundTripper
	tokens TokenSource // nil: next signs
}

func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	x := req.Context().Value(sendingKey{}).(*sending)
	a := x.begin(req.Context())
	header, err := s.sign(req, a)
	if err == nil && x.Err() != nil { // a context that goes by a clock knows it before its Done does
		err = &unsentError{error: x.Err()}
	}
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	// Watched only now: the token source may make connections of its own.
	signed := req.WithContext(a.watched())
	signed.Header = header
	most := maxAnswer
	if x.request.Reads() && x.request.Into.Items() > 0 {
		most = maxPage
	}
	a.got.make(s.next, signed, most)
	if s.tokens == nil {
		x.service.secrets.add(signedBy(a.got.resp))
	}
	if a.got.resp != nil { // of which it is told later what is wrong
		return a.got.resp, nil
	}
	return nil, a.ownError(a.got.err)
}

// watched returns the attempt's context with hooks that see its connections, and
// when its request goes out.
func (a *attempt) watched() context.Context {
	a.trace.GetConn = func(string) { a.dials.Store(true) }
	a.trace.GotConn = func(httptrace.GotConnInfo) { a.linked.Store(true) }
	// A transport may get its tokens under this context, by requests of their own.
	a.trace.WroteHeaderField = func(name string, values []string) {
		if strings.EqualFold(name, "Client-Request-Id") && slices.Contains(values, a.sending.request.ID) {
			a.sent.Add(1)
		}
	}
	return httptrace.WithClientTrace(a.ctx, &a.trace)
}

// ownError returns an attempt's error, but its context's where a transport
// passed on the cause of that.
func (a *attempt) ownError(err error) error {
	if ended := a.ctx.Err(); err != nil && ended != nil && errors.Is(err, context.Cause(a.ctx)) {
		return ended
	}
	return err
}

// end ends the attempt: it reads the answer to its end, and returns what the
// attempt brought.
func (a *attempt) end(resp *http.Response, err error) Reply {
	defer a.cancel()
	r := Reply{
		Err:     err,
		Earlier: a.sent.Load() > 1, // again, by net/http itself
		Token:   a.token,
		ID:      a.sending.request.ID,
		Share:   rand.Float64(),
		Pass:    a.pass,
		Span:    Span{Start: a.start, Took: time.Since(a.start)},
	}
	if resp != nil && err == nil {
		r.Status, r.Header = resp.StatusCode, resp.Header
		r.Body, r.Err = a.got.body, a.ownError(a.got.err)
	}
	if r.Err == nil {
		return r
	}
	if errors.Is(r.Err, errSameToken) {
		r.Err = errSameToken
		return r
	}
	// By the transport's own words, which blame changes.
	if r.Status == 0 && a.unsent(r.Err) {
		r.Unsent, r.Hopeless = true, hopeless(r.Err)
	} else if a.sending.Err() != nil || isTimeout(r.Err) || lostByPing(r.Err) {
		r.Late = a.sending.late(Forever)
	}
	r.Err = a.blame(r.Err)
	return r
}
