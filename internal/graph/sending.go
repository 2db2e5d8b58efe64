package graph

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/graphlicensing/licensing/internal/pace"
)

// A Carrier makes the next attempt of a request in place of the service's own
// connection, when it has waited as next says, and returns what it brought.
type Carrier func(ctx context.Context, req *Request, next Next) Reply

// Next is what an attempt follows.
type Next struct {
	Wait      time.Duration // before the attempt
	Refused   string        // the token that an attempt before was refused for
	pass      pace.Pass     // the pacer's, where it was asked
	Throttled bool          // the attempt before was refused for its frequency
	chosen    bool          // the wait is of our own choice
}

// A sending is the way of a request from its first attempt to its last. It is
// the context of its attempts as well, since nothing else reaches all hooks of
// the retry loop.
type sending struct {
	context.Context // the caller's
	service         *Service
	request         *Request

	answer  Answer
	count   count
	next    Next
	mode    mode
	pending bool // another attempt was decided on, and is not made yet
	seen    seen
	attempt *attempt // the service's own that is on its way
	parts   *parts   // nil if a Carrier makes the attempts
}

// A count is how often something happened in a sending.
type count struct {
	used    int32 // attempts that count against the policy's
	waits   int32 // for which the server gave no time
	repairs int32 // of the channel, when the latest attempt failed
	failed  bool  // an attempt did, as those do when the channel is out
	own     bool  // which is the request's own fault
	excused bool  // the latest one does not count, since the channel was out
}

// A seen is what is kept of the latest attempt for the next.
type seen struct {
	token   string
	renamed string // the id in an answer under another name than the request's
}

// A parts has what the first attempt needs. Most sendings make only one, so it is
// allocated together with its sending.
type parts struct {
	loop    retryablehttp.Request
	url     url.URL
	body    body
	attempt attempt
}

// A mode is how the attempts of a sending are made.
type mode int8

const (
	alone   mode = iota // by the service, and repeated by it
	carried             // by a Carrier, and repeated
	once                // by the service, and repeated for another token at the most
)

// Send makes requests until one is answered definitely or no more may be made.
// It ends with ctx, and with the time that the policy allows.
func (s *Service) Send(ctx context.Context, req *Request) Answer {
	x := s.newSending(ctx, req, alone)
	x.send()
	return x.answer
}

// SendOnce makes one request, and another one at the most, for another token.
// Its pace and its repeating are the caller's. It ends with ctx.
// It returns the token of the latest as well.
func (s *Service) SendOnce(ctx context.Context, req *Request) (a Answer, token string) {
	x := s.newSending(ctx, req, once)
	x.send()
	return x.answer, x.seen.token
}

// SendBy is Send with attempts that carry makes.
func (s *Service) SendBy(ctx context.Context, req *Request, carry Carrier) Answer {
	x := sending{Context: ctx, service: s, request: req, mode: carried}
	if x.begins() {
		for x.take(carry(ctx, req, x.next)) {
		}
	}
	return x.answer
}

// Try makes one attempt for a [Carrier], under ctx, and returns what it brought.
func (s *Service) Try(ctx context.Context, req *Request, next Next) Reply {
	x := s.newSending(ctx, req, once)
	x.next = next
	r := x.httpRequest()
	if req.Body != nil {
		r.Body, _ = r.GetBody() // never fails
	}
	resp, err := s.loop.HTTPClient.Do(r.Request)
	return x.end(resp, err)
}

// newSending returns a sending whose attempts are the service's own.
func (s *Service) newSending(ctx context.Context, req *Request, mode mode) *sending {
	both := new(struct {
		sending
		parts
	})
	both.sending = sending{Context: ctx, service: s, request: req, mode: mode, parts: &both.parts}
	return &both.sending
}

// send makes the attempts.
func (x *sending) send() {
	if !x.begins() {
		return
	}
	resp, err := x.service.loop.Do(x.httpRequest())
	if resp != nil {
		resp.Body.Close()
	}
	if x.answer.Outcome == 0 { // there was no attempt; else x knows more than err
		x.answer.Outcome, x.answer.Err = Refused, err
	}
	if x.pending { // the context ended between two attempts
		x.answer.Err = x.service.ContextError(x)
	}
}

// begins reports whether there is an attempt at all.
func (x *sending) begins() bool {
	x.answer.ID = x.request.ID
	if x.Err() != nil {
		x.answer.Outcome, x.answer.Err = Refused, x.service.ContextError(x)
		return false
	}
	return true
}

// httpRequest returns the request as the retry loop takes it, with x for its
// context.
func (x *sending) httpRequest() *retryablehttp.Request {
	u := x.request.Link
	if u == nil {
		u = &x.parts.url
		*u = x.service.address(x.request)
	}
	plain := http.Request{Method: x.request.Method, URL: u, Host: u.Host, Header: x.service.newHeader(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	r := &x.parts.loop
	r.Request = plain.WithContext(x)
	if x.request.Body != nil {
		_ = r.SetBody(retryablehttp.ReaderFunc(x.newBody)) // never fails
	}
	return r
}

type sendingKey struct{}

// Value makes x known to the round tripper that signs.
func (x *sending) Value(key any) any {
	if key == (sendingKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// newLoop returns the loop that drives the attempts of a sending. Its own
// judgment is switched off: the sending decides whether to go on, waits, and
// keeps what came back.
func newLoop(hc *http.Client) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: hc,
		// Never reached: running out would throw the last answer away.
		RetryMax: 1 << 30,
		CheckRetry: func(ctx context.Context, resp *http.Response, err error) (bool, error) {
			x := ctx.Value(sendingKey{}).(*sending)
			return x.take(x.end(resp, err)), nil
		},
		Backoff: func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 },
		PrepareRetry: func(req *http.Request) error {
			return req.Context().Value(sendingKey{}).(*sending).prepare(req)
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// take takes in what an attempt brought, and reports whether another one
// follows.
func (x *sending) take(r Reply) bool {
	x.pending = false
	x.service.secrets.clean(&r)
	x.seen.token = r.Token
	if x.withheld(r.Err) {
		return false
	}
	verdict, late := x.judge(&r)
	x.answer.Verdict = verdict
	x.answer.add(&r, late, x.request.Reads())
	out := x.observe(&r)
	if x.answer.Outcome != Delayed && !out {
		x.count.used++
	}
	x.pace(&r)
	var ended error
	x.next, x.pending, ended = x.again(&r, out)
	if ended != nil {
		x.answer.Err = ended
	}
	if x.next.chosen {
		x.count.waits++
	}
	x.log()
	x.tell(&r, verdict, late)
	return x.pending
}

// withheld reports whether err means that no request was made, so that what was
// answered before stands.
func (x *sending) withheld(err error) bool {
	if err == nil {
		return false
	}
	var kept *Withheld
	var token *TokenError
	switch {
	case err == errSameToken:
	case errors.As(err, &kept):
		if x.answer.Status == 0 && !x.answer.Unsure { // nothing was sent
			x.answer.Verdict = Verdict{Outcome: Refused}
		}
		x.answer.Err = kept.Err
		x.answer.After = max(x.answer.After, kept.After)
	case (x.mode != carried || !x.service.served.Load()) && x.next.Refused != "" && x.answer.Outcome == Unsigned && errors.As(err, &token):
		x.answer.Err = token
	default:
		return false
	}
	return true
}

// pace tells the pacer what became of an attempt, unless that is somebody else's
// to tell.
func (x *sending) pace(r *Reply) {
	channel, paced := x.service.channel(x.request)
	if x.mode == once || !paced {
		return
	}
	if r.Status != 0 {
		channel.pacer.Answered(r.Pass, pace.Reply{
			Refused: x.answer.Outcome == Delayed,
			Wait:    x.answer.After,
			Used:    quotaUsed(r.Header),
		})
	}
	if x.mode == alone {
		channel.pacer.Settled(r.Pass)
	}
}

// prepare waits for the next attempt, and gives it a header of its own: the
// loop's copies of a request share one, to which a cookie jar adds.
func (x *sending) prepare(req *http.Request) error {
	pass, err := x.await()
	if err != nil {
		if closed, ok := errors.AsType[*pace.GateError](err); ok {
			x.pending = false
			x.answer.After = max(x.answer.After, closed.After)
		}
		return err
	}
	x.next.pass, x.pending = pass, false
	req.Header = x.service.newHeader()
	return nil
}

// begin begins an attempt of the service's own under ctx, which is x or made
// from it.
func (x *sending) begin(ctx context.Context) *attempt {
	pass := x.next.pass
	if channel, paced := x.service.channel(x.request); pass == (pace.Pass{}) && x.mode == alone && paced {
		pass = channel.pacer.Unasked()
	}
	x.attempt = &x.parts.attempt
	if x.attempt.begun() {
		x.attempt = new(attempt)
	}
	x.attempt.begin(ctx, x, pass)
	return x.attempt
}

// end ends the attempt that is on its way, and returns what it brought.
func (x *sending) end(resp *http.Response, err error) Reply {
	a := x.attempt
	x.attempt = nil
	if a == nil { // the HTTP client failed before its transport
		return Reply{Err: x.hidden(err), Unsent: true, Hopeless: true, ID: x.request.ID, Span: Span{Start: time.Now()}}
	}
	return a.end(resp, err)
}

// late is until when a request that is lost now may still be carried out, which
// is no longer than most: the zero time for one that changes nothing.
func (x *sending) late(most time.Duration) time.Time {
	if x.request.Reads() {
		return time.Time{}
	}
	return time.Now().Add(min(most, x.service.policy.Fence))
}

// A body is what an attempt sends.
type body struct{ bytes.Reader }

func (*body) Close() error { return nil }

// newBody returns the request's body. The retry loop takes one to measure it,
// and that is the first attempt's as well.
func (x *sending) newBody() (io.Reader, error) {
	b := &x.parts.body
	if x.parts.attempt.begun() {
		b = new(body)
	}
	b.Reset(x.request.Body)
	return b, nil
}
