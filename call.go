package licensing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxAnswer    = 16 << 20 // bytes of a success, decompressed
	maxErrorBody = 64 << 10 // bytes kept of an error
)

// A call is what one method of the Client does: a request, perhaps sent
// several times, and what has become of it. It travels in the context of its
// attempts, since nothing else reaches all hooks of the retry loop.
type call struct {
	client  *Client
	op      string // as in Error.Op
	object  object
	key     string // of the object
	action  string // segment after the object's path
	query   string
	link    *url.URL // in their place, where Graph gave it
	indexed bool     // the query needs Graph's index
	method  string
	body    []byte
	change  *AssignLicenseRequest // that the body asks for, if it does
	locates bool                  // the body sets a usage location
	into    resource              // holds the answer
	tries   int                   // requests that may be made, throttled ones not counted
	id      string
	started time.Time
	via     *batcher // that takes its requests, in place of the client's own loop
	parcel  *parcel  // the latest of them
	batch   bool     // holds the requests of others, which repeat them

	last     answer
	attempts int  // requests made
	used     int  // requests that count against tries
	waits    int  // waits for which the server gave no time
	unsure   bool // since send began, a request was in doubt or throttled
	doubted  bool // a request may have been carried out
	altered  bool // a part of the change was made by itself, or may have been
	renewed  bool // the token source was asked again
	pending  bool // another request was decided on
	wait     time.Duration
	late     time.Time // until when a stalled request may land
	pass     pass      // the pacer's for the next request
	rejected string    // the token that a 401 refused
	latest   *attempt
}

// An attempt is a request on its way.
type attempt struct {
	token  string
	pass   pass    // the pacer's
	share  float64 // random, the same for all in a batch, so that they stay together
	limit  time.Duration
	ctx    context.Context // ends with the limit
	cancel context.CancelFunc
	dials  atomic.Bool  // the transport, one of net/http's, asked for a connection
	linked atomic.Bool  // and got one
	sent   atomic.Int32 // times that the request's header was written to one
	trace  httptrace.ClientTrace
}

// An answer is what an attempt brought.
type answer struct {
	outcome outcome
	status  int // 0: there was no answer
	header  http.Header
	body    []byte
	problem graphError    // what the body says, if it is an error's
	after   time.Duration // Retry-After
	timed   bool          // after was given
	err     error         // what is wrong with the answer, or why there is none
	unread  error         // what is wrong with a property of a good answer
}

// An outcome is what an answer, or its absence, says about its request.
type outcome int

const (
	applied   outcome = iota // carried out
	refused                  // not carried out, and may be sent again
	delayed                  // refused for its frequency
	unsigned                 // refused for its token
	permanent                // not carried out, and never will be
	doubtful                 // perhaps carried out
)

type callKey struct{}

func callFrom(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// check says what keeps the client from making any call with ctx.
func (c *Client) check(ctx context.Context, op string) error {
	switch {
	case c == nil || c.http == nil:
		return invalid(op, "client was not made by NewClient")
	case ctx == nil:
		return invalid(op, "context is nil")
	}
	return nil
}

// newCall returns the call of op on an object.
func (c *Client) newCall(ctx context.Context, op string, obj object, method, action string, body []byte, into resource) (*call, error) {
	if err := c.check(ctx, op); err != nil {
		return nil, err
	}
	if err := obj.check(); err != nil {
		return nil, invalid(op, "%w", err)
	}
	id, ok := ctx.Value(requestIDKey{}).(uuid.UUID)
	if !ok || id == uuid.Nil {
		id = uuid.New()
	}
	return &call{
		client:  c,
		op:      op,
		object:  obj,
		key:     obj.key(),
		action:  action,
		method:  method,
		body:    body,
		into:    into,
		tries:   c.policy.MaxAttempts,
		id:      id.String(),
		started: time.Now(),
	}, nil
}

// reads reports whether the call changes nothing, so that repeating it is free.
func (c *call) reads() bool { return c.method == http.MethodGet }

// send makes requests until one is answered definitely or no more may be made.
// What became of them is in c.last; the error says why that is no success.
func (c *call) send(ctx context.Context) error {
	c.used, c.waits, c.unsure, c.renewed, c.rejected = 0, 0, false, false, ""
	if ctx.Err() != nil {
		return c.unmade(contextError(ctx), 0)
	}
	u := c.url()
	plain := http.Request{Method: c.method, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	req := &retryablehttp.Request{Request: plain.WithContext(context.WithValue(ctx, callKey{}, c))}
	if c.body != nil {
		_ = req.SetBody(c.body) // bytes are always fit for it
	}
	loop := c.client.http
	if c.via != nil {
		loop = c.via.loop
	}
	resp, _ := loop.Do(req) // c.last has what is to be known
	if resp != nil {
		resp.Body.Close()
	}
	if c.pending { // the context ended between two attempts
		c.pending = false
		c.last.err = contextError(ctx)
	}
	switch {
	case c.last.outcome != applied:
		return c.failure()
	case c.last.unread != nil:
		return c.undecoded()
	}
	return nil
}

// url returns where the call's requests go.
func (c *call) url() *url.URL {
	if c.link != nil {
		return c.link
	}
	u := *c.client.root
	u.RawPath = u.EscapedPath() + c.object.path() + c.action
	u.Path, _ = url.PathUnescape(u.RawPath)
	u.RawQuery = c.query
	return &u
}

// setHeader sets an attempt's headers, with the token if there is one. Their
// values share an array.
func (c *call) setHeader(h http.Header, token string) {
	values := []string{"application/json", c.id, c.client.userAgent, "application/json", ""}
	if token != "" {
		values[4] = "Bearer " + token
		h["Authorization"] = values[4:5:5]
	}
	if c.indexed {
		h["Consistencylevel"] = []string{"eventual"}
	}
	h["Accept"] = values[0:1:1]
	h["Client-Request-Id"] = values[1:2:2]
	h["User-Agent"] = values[2:3:3]
	if c.body != nil {
		h["Content-Type"] = values[3:4:4]
	}
}

// startAttempt returns the context of an attempt, which ends with the time it
// may take.
func (c *call) startAttempt(ctx context.Context) context.Context {
	a := &attempt{limit: min(c.client.policy.AttemptTimeout, c.left(ctx)), pass: c.pass, share: rand.Float64()}
	if a.pass == (pass{}) {
		a.pass = c.client.pacer.unasked()
	}
	c.pass = pass{}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= a.limit {
		a.ctx, a.cancel = context.WithCancel(ctx) // a timer of ours might win the race
	} else {
		a.ctx, a.cancel = context.WithTimeout(ctx, a.limit)
	}
	c.latest = a
	return a.ctx
}

// watched returns the attempt's context with hooks that see its connections, and
// when a request with this id goes out.
func (a *attempt) watched(id string) context.Context {
	a.trace.GetConn = func(string) { a.dials.Store(true) }
	a.trace.GotConn = func(httptrace.GotConnInfo) { a.linked.Store(true) }
	// A transport may get its tokens under this context, by requests of their own.
	a.trace.WroteHeaderField = func(name string, values []string) {
		if strings.EqualFold(name, "Client-Request-Id") && slices.Contains(values, id) {
			a.sent.Add(1)
		}
	}
	return httptrace.WithClientTrace(a.ctx, &a.trace)
}

// allowed is the time that the policy still allows the call.
func (c *call) allowed() time.Duration {
	if c.client.policy.MaxElapsed == forever || c.via != nil || c.batch {
		return forever
	}
	return c.client.policy.MaxElapsed - time.Since(c.started)
}

// left is the time that the call may still take.
func (c *call) left(ctx context.Context) time.Duration {
	left := c.allowed()
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return left
}

// attempted takes in what an attempt brought and decides whether to make
// another, and when.
func (c *call) attempted(ctx context.Context, resp *http.Response, err error) bool {
	if err != nil && c.unattempted(ctx, err) {
		return false
	}
	c.last = c.receive(ctx, resp, err)
	c.attempts++
	if !c.batch && !c.reads() {
		c.client.pacer.answered(c.latest.pass, &c.last)
		if c.via == nil {
			c.client.pacer.settled(c.latest.pass)
		}
	}
	c.pending = c.continues(ctx)
	if c.pending && c.queues() {
		c.via.throttled.Add(1)
	}
	c.log(ctx)
	if c.pending {
		c.idle()
	}
	return c.pending
}

// unattempted reports whether err means that nothing was sent, so that what was
// answered before stands.
func (c *call) unattempted(ctx context.Context, err error) bool {
	var token *tokenError
	var kept *keptBack
	switch {
	case errors.As(err, &kept):
		c.keepBack(kept)
	case errors.Is(err, errSameToken):
		c.latest.cancel()
	case c.renewed && c.last.outcome == unsigned && errors.As(err, &token):
		c.latest.cancel()
		c.last.err = c.blame(ctx, err)
	default:
		return false
	}
	return true
}

// keepBack ends the call with a request that was not sent. What was answered
// before stands, unless it was to another part of the change.
func (c *call) keepBack(k *keptBack) {
	if c.used == 0 && !c.unsure { // since send began
		c.last = answer{outcome: refused}
	}
	c.last.err, c.last.after = k, max(c.last.after, k.after)
	if k.kind == nil {
		c.last.err = k.cause
	}
}

// continues decides whether to make another attempt, and sets the wait.
func (c *call) continues(ctx context.Context) bool {
	a := &c.last
	if a.outcome == doubtful || c.latest.sent.Load() > 1 { // again, by net/http itself
		c.unsure = true
		c.doubted = c.doubted || !c.reads()
	}
	if a.outcome == delayed {
		c.unsure = true
	} else {
		c.used++
	}
	if a.outcome == applied || a.outcome == permanent || c.tries == 1 || c.used >= c.tries {
		return false
	}
	if a.outcome == unsigned {
		first := !c.renewed && c.client.signs
		c.renewed, c.rejected, c.wait = true, c.latest.token, 0
		return first
	}
	if c.batch {
		return false
	}
	if ctx.Err() != nil {
		a.err = contextError(ctx)
		return false
	}
	left := c.left(ctx)
	if a.timed && a.after > 0 { // 0 is no advice
		c.wait = max(a.after, shortestWait)
		if a.after > c.client.policy.MaxWait || c.wait >= left {
			return false
		}
		if c.queues() {
			c.wait = 0
			return true
		}
		c.wait += part(min(c.wait/8+shortestWait, time.Second, (left-c.wait)/2), c.latest.share)
		return true
	}
	if c.queues() {
		c.wait = 0
		return true
	}
	// A wait of our own choice leaves time for the request after it.
	c.wait = min(c.client.policy.backoff(c.waits, c.latest.share), left/2)
	c.waits++
	return c.wait >= shortestWait
}

// queues reports whether the next request waits for the pacer in the batcher's
// queue.
func (c *call) queues() bool { return c.via != nil && c.last.outcome == delayed }

// prepare waits and gives the next attempt a header of its own: the loop's
// copies of a request share one, to which a cookie jar adds.
func (c *call) prepare(req *http.Request) error {
	ctx := req.Context()
	if err := sleep(ctx, c.wait); err != nil {
		return err
	}
	if c.last.outcome == delayed && c.via == nil && !c.reads() {
		var err error
		if c.pass, err = c.client.pacer.admit(ctx, min(c.client.policy.MaxWait, c.left(ctx)), 1, nil); err != nil {
			c.pending = ctx.Err() != nil
			if kept, ok := errors.AsType[*keptBack](err); ok {
				c.last.after = max(c.last.after, kept.after)
			}
			return err
		}
	}
	c.pending = false
	req.Header = make(http.Header)
	return nil
}

// answered is when Graph says that it answered.
func (c *call) answered() time.Time {
	if text := c.last.header.Get("Date"); text != "" {
		if date, err := http.ParseTime(text); err == nil {
			return date
		}
	}
	return time.Now()
}

func (c *call) requestID() string {
	return cmp.Or(c.last.header.Get("Request-Id"), c.last.problem.requestID)
}

func (c *call) clientRequestID() string {
	return cmp.Or(c.last.header.Get("Client-Request-Id"), c.last.problem.clientID, c.id)
}

// log writes a line about the attempt just made. It names the route, not the
// user.
func (c *call) log(ctx context.Context) {
	logger, level := c.client.logger, slog.LevelWarn
	if c.last.outcome == applied {
		level = slog.LevelDebug
	}
	if logger == nil || !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", c.op),
		slog.String("method", c.method),
		slog.String("route", c.object.route()+c.action),
		slog.Int("status", c.last.status),
		slog.Int("attempt", c.attempts),
		slog.String("request-id", c.requestID()),
		slog.String("client-request-id", c.id),
	}
	if code := c.last.problem.code; code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	if c.last.err != nil {
		attrs = append(attrs, slog.String("cause", cleaned(c.last.err)))
	}
	if c.pending {
		attrs = append(attrs, slog.Duration("wait", c.wait))
	}
	logger.LogAttrs(ctx, level, "graph request", attrs...)
}
