package licensing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	maxBatch  = 20                    // requests, by Graph
	batchTime = 20 * time.Millisecond // that a request waits for others
)

// A batcher is the round tripper of calls whose requests go out together, in
// $batch. Each call judges its own answer and repeats its own request, so that
// all that holds for a single call holds for one in a batch.
type batcher struct {
	client *Client
	ctx    context.Context // of the requests
	queue  context.Context // of what waits to be sent
	size   int             // requests in a batch
	loop   *retryablehttp.Client
	veto   func(*call) *keptBack // says why a call that was never sent is not to be

	throttled atomic.Int64 // answers that refused a request for its frequency

	mu      sync.Mutex
	ready   sync.Cond // there may be something to do
	again   []*parcel // those that were sent before go first
	fresh   []*parcel
	due     time.Time // when a batch is sent that is not full
	more    bool      // there may be further calls
	calls   int       // under way, here or between two requests
	ended   bool
	noBatch bool      // the server has none
	halt    *keptBack // why nothing is sent any more
}

// A parcel is a request on its way through a batcher.
type parcel struct {
	call   *call
	req    *http.Request
	most   int // others and itself that it may be sent with; 0 is any number
	answer chan delivery
	idle   chan struct{} // closed when its call has drawn its conclusions
}

// A delivery is what a parcel is answered with.
type delivery struct {
	resp *http.Response
	err  error
}

// A keptBack is why a request was not sent.
type keptBack struct {
	kind  error // a sentinel, or nil where cause says it all
	cause error
	after time.Duration
	skus  []uuid.UUID
}

func (k *keptBack) Error() string { return k.cause.Error() }
func (k *keptBack) Unwrap() error { return k.cause }

func newBatcher(ctx, queue context.Context, c *Client, size int, veto func(*call) *keptBack) *batcher {
	b := &batcher{client: c, ctx: ctx, queue: queue, size: size, veto: veto, more: true}
	b.ready.L = &b.mu
	b.loop = newRetryClient(&http.Client{Transport: b})
	return b
}

// RoundTrip queues a request and waits for its answer.
func (b *batcher) RoundTrip(req *http.Request) (*http.Response, error) {
	p := &parcel{call: callFrom(req.Context()), req: req, answer: make(chan delivery, 1), idle: make(chan struct{})}
	p.call.idle()
	p.call.parcel = p
	b.enqueue(p)
	d := <-p.answer
	return d.resp, d.err
}

func (b *batcher) enqueue(p *parcel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.queue.Err() != nil:
		p.keep(&keptBack{cause: contextError(b.queue)})
		return
	case b.halt != nil:
		p.keep(b.halt)
		return
	case b.vetoed(p):
		return
	case len(b.again)+len(b.fresh) == 0:
		b.due = time.Now().Add(batchTime)
		time.AfterFunc(batchTime, b.wake)
	}
	if p.call.attempts > 0 {
		b.again = append(b.again, p)
	} else {
		b.fresh = append(b.fresh, p)
	}
	b.ready.Broadcast()
}

// keep answers a parcel that is not sent.
func (p *parcel) keep(why *keptBack) {
	p.close()
	p.answer <- delivery{err: why}
}

// close closes the body that a round tripper was given.
func (p *parcel) close() {
	if p.req.Body != nil {
		p.req.Body.Close()
	}
}

// idle lets the batcher go on: what the latest answer means is known.
func (c *call) idle() {
	if c.parcel != nil {
		close(c.parcel.idle)
		c.parcel = nil
	}
}

// wake makes the workers look again.
func (b *batcher) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready.Broadcast()
}

// join counts a call in, or with -1 out.
func (b *batcher) join(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls += n
	b.ready.Broadcast()
}

// noMore says that there will be no further calls.
func (b *batcher) noMore() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.more = false
	b.ready.Broadcast()
}

// end lets the workers go.
func (b *batcher) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.ready.Broadcast()
}

// work sends batches, one after the other.
func (b *batcher) work() {
	for b.wait() {
		var parcels []*parcel
		pass, err := b.client.pacer.admit(b.queue, b.patience(), b.size, func() int {
			parcels = b.take()
			return len(parcels)
		})
		if err != nil {
			b.stop(err)
			continue
		}
		if len(parcels) > 0 && b.send(parcels, pass) {
			for _, p := range parcels {
				<-p.idle
			}
		}
		b.client.pacer.settled(pass)
	}
}

// patience is how long the pacer's gate is waited for.
func (b *batcher) patience() time.Duration {
	most := b.client.policy.MaxWait
	if deadline, ok := b.queue.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	return most
}

// wait waits until there is a batch to send, and reports whether there is.
func (b *batcher) wait() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		n := len(b.again) + len(b.fresh)
		hurry := !b.more && n >= b.calls || b.noBatch || b.queue.Err() != nil || !time.Now().Before(b.due)
		if n >= b.size || n > 0 && hurry {
			return true
		}
		if b.ended {
			return false
		}
		b.ready.Wait()
	}
}

// take takes a batch from the queue.
func (b *batcher) take() []*parcel {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.size
	if b.noBatch {
		most = 1
	}
	var parcels []*parcel
	for len(b.again)+len(b.fresh) > 0 {
		queue := &b.fresh
		if len(b.again) > 0 {
			queue = &b.again
		}
		p := (*queue)[0]
		if p.most > 0 {
			most = min(most, p.most)
		}
		if len(parcels) >= most {
			break
		}
		*queue = (*queue)[1:]
		parcels = append(parcels, p)
	}
	return parcels
}

// sift takes out of the queue what was never sent and is no longer to be.
func (b *batcher) sift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.again = slices.DeleteFunc(b.again, b.vetoed)
	b.fresh = slices.DeleteFunc(b.fresh, b.vetoed)
}

// vetoed reports whether a parcel is not to be sent, and then answers it.
func (b *batcher) vetoed(p *parcel) bool {
	if p.call.attempts > 0 {
		return false
	}
	why := b.veto(p.call)
	if why != nil {
		p.keep(why)
	}
	return why != nil
}

// stop answers all that is queued, and is still to come, with the reason why it
// is not sent: the context has ended, or the gate is closed for too long.
func (b *batcher) stop(err error) {
	why, ok := err.(*keptBack)
	if !ok {
		why = &keptBack{cause: err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halt = why
	for _, p := range slices.Concat(b.again, b.fresh) {
		p.keep(why)
	}
	b.again, b.fresh = nil, nil
}

// halted returns why nothing is sent any more, if so.
func (b *batcher) halted() *keptBack {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.halt
}

// send sends requests and delivers their answers, or puts them back to be sent
// in parts, and reports which.
func (b *batcher) send(parcels []*parcel, pass pass) (delivered bool) {
	if len(parcels) == 1 {
		b.sendAlone(parcels[0], pass)
		return true
	}
	var answer batchAnswer
	batch, _ := b.client.newCall(b.ctx, "batch", tenant, http.MethodPost, "/$batch", appendBatch(nil, parcels), &answer) // of good arguments
	batch.batch, batch.tries = true, min(2, b.client.policy.MaxAttempts)
	err := batch.send(b.ctx)
	if batch.attempts == 0 { // the context has ended
		for _, p := range parcels {
			p.keep(&keptBack{cause: contextError(b.ctx)})
		}
		return false
	}
	a := &batch.last
	if a.outcome == permanent && a.status != 0 && a.status != http.StatusForbidden {
		b.split(parcels, a.status)
		return false
	}
	var opened []delivery
	if err == nil {
		opened = b.open(batch, &answer, len(parcels))
	}
	for i, p := range parcels {
		p.close()
		p.call.inBatch(batch, pass)
		if opened != nil {
			p.answer <- opened[i]
		} else {
			p.answer <- a.delivery()
		}
	}
	return true
}

// sendAlone sends one request by itself.
func (b *batcher) sendAlone(p *parcel, pass pass) {
	p.call.pass = pass
	p.call.renewed = p.call.rejected != "" // a batch's renewal was not the call's
	resp, err := b.client.http.HTTPClient.Do(p.req.WithContext(context.WithValue(b.ctx, callKey{}, p.call)))
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // as it will be again
		err = wrapped.Err
	}
	p.answer <- delivery{resp, err}
}

// split puts back what was refused as a whole, for its size or for one request
// in it, to be sent in parts until each request is answered for itself. Where
// there is no $batch they are of one.
func (b *batcher) split(parcels []*parcel, status int) {
	defer b.sift()
	b.mu.Lock()
	defer b.mu.Unlock()
	half := len(parcels) / 2
	for i, p := range parcels {
		p.most = half
		if i >= half {
			p.most = len(parcels) - half
		}
	}
	if status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
		b.noBatch = true
	}
	b.again = append(parcels, b.again...)
	b.ready.Broadcast()
}

// inBatch makes the call's attempt what its batch's was.
func (c *call) inBatch(batch *call, pass pass) {
	from := batch.latest
	c.latest = &attempt{pass: pass, share: from.share, limit: from.limit, ctx: from.ctx, cancel: from.cancel}
	c.latest.dials.Store(from.dials.Load())
	c.latest.linked.Store(from.linked.Load())
	c.latest.sent.Store(from.sent.Load())
	c.id = batch.id
	if batch.late.After(c.late) { // the error no longer shows which kind of timeout it was
		c.late = batch.late
	}
	c.renewed = true   // it was the batch's to ask for another token
	if batch.doubted { // by a request before the latest, too
		c.unsure, c.doubted = true, true
	}
}

// delivery is the answer of a batch as that of each request in it.
func (a *answer) delivery() delivery {
	switch {
	case a.status == 0 && a.outcome != doubtful:
		return delivery{err: &unsentError{a.err, a.outcome == permanent}}
	case a.status == 0 || a.status/100 == 2 || a.outcome == doubtful && a.status/100 > 3 && a.err != nil: // it broke off
		return delivery{err: a.err}
	}
	return delivery{resp: newResponse(a.status, a.header, a.body)}
}

func newResponse(status int, header http.Header, body []byte) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}
