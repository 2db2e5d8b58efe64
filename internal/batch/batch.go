// Package batch joins requests of many callers into $batch, and hands each its
// own answer.
//
// Each caller is a [Member], whose Carry is the [graph.Carrier] of its requests:
// a request goes into the queue, workers take batches from the queue at the pace
// that the pacer allows, and what a batch brought comes back as the reply to each
// request in it. The sending of package graph judges the reply, and repeats the
// request, so that all that holds for a request by itself holds for one in a
// batch.
//
//	member.go   a caller, and its request on the way
//	queue.go    who waits to be sent, and who goes with whom
//	batch.go    the workers: a batch out, its answer back
//	body.go     the body of a batch, and taking its answer apart
//
// The package knows requests and replies as package graph has them, and Graph's
// format of batches. It must not know what a request does, who makes it, or what
// a license is.
package batch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/pace"
)

// Most is how many requests a batch can have, by Graph.
const Most = 20

// A Batcher sends the requests of its members in batches. Its workers are whoever
// calls [Batcher.Work].
type Batcher struct {
	service   *graph.Service
	ctx       context.Context // of the requests
	waiting   context.Context // of what waits to be sent
	queue     *queue
	throttled atomic.Int64
}

// New returns a batcher of batches of size, which is [Most] at the most. Ctx is
// that of the requests. When waiting ends, which is ctx or made from it, nothing
// is sent any more.
func New(ctx, waiting context.Context, service *graph.Service, size int) *Batcher {
	b := &Batcher{service: service, ctx: ctx, waiting: waiting}
	b.queue = newQueue(size, b.ended)
	return b
}

// ended says that nothing is sent any more, where the context has ended.
func (b *Batcher) ended() *graph.Withheld {
	if b.waiting.Err() == nil {
		return nil
	}
	return &graph.Withheld{Err: b.service.ContextError(b.waiting)}
}

// Throttled returns how often a request was refused for its frequency and queued
// again.
func (b *Batcher) Throttled() int { return int(b.throttled.Load()) }

// Sift answers what was never sent and is no longer to be; see [Batcher.Join].
func (b *Batcher) Sift() { b.queue.sift() }

// Wake makes the workers look again.
func (b *Batcher) Wake() { b.queue.wake() }

// Full says that no further members join, so that nobody is waited for.
func (b *Batcher) Full() { b.queue.full() }

// Halted returns why nothing is sent any more, nil as long as something is.
func (b *Batcher) Halted() *graph.Withheld { return b.queue.halted() }

// End lets the workers go when the queue is empty.
func (b *Batcher) End() { b.queue.end() }

// Work sends batches, one after the other, until [Batcher.End].
func (b *Batcher) Work() {
	pacer := b.service.Pacer()
	for b.queue.wait() {
		var parcels []*parcel
		pass, err := pacer.Admit(b.waiting, b.patience(), b.queue.size, func() int {
			parcels = b.queue.take()
			return len(parcels)
		})
		if err != nil {
			b.queue.stop(b.withheld(err))
			continue
		}
		if len(parcels) > 0 && b.send(parcels, pass) {
			for _, p := range parcels {
				<-p.idle
			}
		}
		pacer.Settled(pass)
	}
}

// patience is how long the pacer's gate is waited for.
func (b *Batcher) patience() time.Duration {
	most := b.service.Policy().MaxWait
	if deadline, ok := b.waiting.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	return most
}

// withheld says why nothing is sent any more, where the pacer gave up.
func (b *Batcher) withheld(err error) *graph.Withheld {
	if closed, ok := err.(*pace.GateError); ok {
		return &graph.Withheld{Err: closed, After: closed.After}
	}
	return b.ended() // for which the pacer gives up else
}

// send sends requests and delivers their answers, or puts them back to be sent
// in parts, and reports which.
func (b *Batcher) send(parcels []*parcel, pass pace.Pass) (delivered bool) {
	if len(parcels) == 1 {
		p := parcels[0]
		r := b.service.Try(b.ctx, p.request, p.next)
		r.Pass = pass
		p.answer <- r
		return true
	}
	var answers contents
	batch := b.service.SendOnce(b.ctx, &graph.Request{
		Op:     "batch",
		Object: graph.Tenant,
		Method: http.MethodPost,
		Action: "/$batch",
		Body:   appendBody(nil, parcels),
		Into:   &answers,
		ID:     graph.NewID(b.ctx),
	})
	if batch.Attempts == 0 { // the context has ended
		for _, p := range parcels {
			p.answer <- graph.Reply{Err: &graph.Withheld{Err: batch.Err}}
		}
		return false
	}
	if batch.Outcome == graph.Permanent && batch.Status != 0 && batch.Status != http.StatusForbidden {
		b.queue.split(parcels, batch.Status)
		return false
	}
	whole := batch.Reply()
	whole.Pass, whole.Share = pass, rand.Float64()
	var replies []graph.Reply
	if batch.Good() {
		var foreign int
		if replies, foreign = answers.replies(len(parcels), batch.Header); foreign > 0 {
			b.service.Warn(b.ctx, "graph batch has answers to operations that were not in it", &batch, slog.Int("answers", foreign))
		}
	}
	for i, p := range parcels {
		r := whole
		if replies != nil {
			r.Status, r.Header, r.Body, r.Err = replies[i].Status, replies[i].Header, replies[i].Body, replies[i].Err
		}
		p.answer <- r
	}
	return true
}
