package batch

import (
	"context"
	"errors"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A Member is one of those whose requests go out together. It has one request at
// a time, and belongs to one goroutine.
type Member struct {
	batcher *Batcher
	veto    func() error
	sent    bool    // a request was made that writes
	most    int     // others and itself that its next request may be sent with; 0 is any number
	latest  *parcel // until what its answer means is known
}

// A parcel is a request on its way.
type parcel struct {
	ctx     context.Context
	request *graph.Request
	next    graph.Next
	first   bool         // of a member that has made none before
	veto    func() error // why it is not to be made, if it is the first
	most    int          // others and itself that it may be sent with; 0 is any number
	after   int          // as most, for the member's next requests; 0 changes nothing
	answer  chan graph.Reply
	idle    chan struct{} // closed when its member has drawn its conclusions
}

// reply answers a parcel, unless it was.
func (p *parcel) reply(r graph.Reply) {
	select {
	case p.answer <- r:
	default:
	}
}

// Join counts a member in. As long as it has made no request that writes veto, unless
// it is nil, can say why none is to be made any more; it is asked under the queue's
// lock, when a request is queued and by [Batcher.Sift].
func (b *Batcher) Join(veto func() error) *Member {
	b.queue.join(1)
	return &Member{batcher: b, veto: veto}
}

// Leave counts the member out, which is idle then.
func (m *Member) Leave() {
	m.Idle()
	m.batcher.queue.join(-1)
}

// Idle says that all that an answer means is known, and that no request follows
// for a while. Until then the worker that delivered the answer waits, so that no
// batch goes out that the answer would have kept back.
func (m *Member) Idle() {
	if m.latest != nil {
		close(m.latest.idle)
		m.latest = nil
	}
}

// Carry queues a request and waits for its answer. It is a [graph.Carrier].
func (m *Member) Carry(ctx context.Context, req *graph.Request, next graph.Next) graph.Reply {
	if next.Throttled {
		m.batcher.throttled.Add(1)
	}
	m.Idle()
	if next.Wait > 0 {
		if err := m.batcher.service.Sleep(ctx, next.Wait); err != nil {
			return graph.Reply{Err: &graph.Withheld{Err: err}}
		}
	}
	m.latest = &parcel{ctx: ctx, request: req, next: next, first: !m.sent, veto: m.veto, most: m.most, answer: make(chan graph.Reply, 1), idle: make(chan struct{})}
	m.batcher.queue.put(m.latest)
	r := <-m.latest.answer
	if r.Err == errExpired {
		r.Err = &graph.Withheld{Err: m.batcher.service.ContextError(ctx)}
	}
	if m.latest.after > 0 {
		m.most = m.latest.after
	}
	if !req.Reads() && !errors.As(r.Err, new(*graph.Withheld)) {
		m.sent = true
	}
	return r
}
