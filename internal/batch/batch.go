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
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
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
	channel   *graph.Channel
	ctx       context.Context // of the requests
	waiting   context.Context // of what waits to be sent
	started   time.Time
	patient   time.Duration // in an outage
	party     pace.Party    // the workers, for the pacer
	queue     *queue
	throttled atomic.Int64
}

// New returns a batcher of batches of size, which is [Most] at the most, that go by
// a channel. Ctx is that of the requests. When waiting ends, which is ctx or
// made from it, nothing is sent any more, nor when the channel has been out for the
// time of outage.
func New(ctx, waiting context.Context, service *graph.Service, channel *graph.Channel, size int, outage time.Duration) *Batcher {
	b := &Batcher{service: service, channel: channel, ctx: ctx, waiting: waiting, started: time.Now(), patient: outage}
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

// Halt ends the sending, with the reason for what is queued and still to come.
func (b *Batcher) Halt(why error) { b.queue.stop(&graph.Withheld{Err: why}) }

// Halted returns why nothing is sent any more, nil as long as something is.
func (b *Batcher) Halted() *graph.Withheld { return b.queue.halted() }

// End lets the workers go when the queue is empty.
func (b *Batcher) End() { b.queue.end() }

// Work sends batches, one after the other, until [Batcher.End]. What a worker dies
// of, stop is called with: a panic's value, or nil for a Goexit. What it had to
// send is in doubt then.
func (b *Batcher) Work(stop func(panicked any)) {
	var parcels []*parcel
	var pass pace.Pass
	defer func() {
		if parcels == nil {
			return
		}
		stop(recover())
		b.channel.Pacer().Settled(pass)
		for _, p := range parcels {
			p.reply(graph.Reply{Err: ErrDied, ID: p.request.ID})
		}
	}()
	for b.queue.wait() {
		if out := b.givenUp(); out != nil {
			b.queue.stop(out)
			continue
		}
		var err error
		pass, err = b.channel.Pacer().Admit(b.waiting, &b.party, b.patience, b.queue.size, func(most int) int {
			parcels = b.queue.take(most, b.channel.Outage() != nil)
			return len(parcels)
		})
		if err != nil {
			b.queue.stop(b.withheld(err))
			continue
		}
		if len(parcels) > 0 {
			b.deliver(parcels, pass)
		}
		parcels = nil
		b.channel.Pacer().Settled(pass)
	}
}

// deliver sends requests, and waits until what their answers mean is known.
func (b *Batcher) deliver(parcels []*parcel, pass pace.Pass) {
	delivered, through := b.send(parcels, pass)
	if !delivered {
		return
	}
	for _, p := range parcels {
		<-p.idle
	}
	if through {
		b.channel.GotThrough(pass.Given())
	}
}

// ErrDied says that the goroutine that made a request ended on the way.
var ErrDied = errors.New("the goroutine of the request ended")

// patience is how long the pacer's gate is waited for.
func (b *Batcher) patience() time.Duration {
	policy := b.service.Policy()
	most := policy.MaxWait
	if out, left := b.outage(); out != nil {
		most = min(left, b.service.OutageWait())
	}
	if deadline, ok := b.waiting.Deadline(); ok {
		most = min(most, time.Until(deadline))
	}
	return most
}

// unserved is how long is waited where it may be what was configured that is wrong.
const unserved = 30 * time.Second

// outage returns why the channel is out, nil if it is not, and for how long it is
// still waited for.
func (b *Batcher) outage() (out *graph.OutageError, left time.Duration) {
	out = b.channel.Outage()
	if out == nil {
		return nil, 0
	}
	most := b.patient
	if out.Setup {
		most = min(most, unserved)
	}
	out.For = min(out.For, time.Since(b.started))
	return out, most - out.For
}

// givenUp says why nothing is sent any more, where the channel is out for too
// long.
func (b *Batcher) givenUp() *graph.Withheld {
	if out, left := b.outage(); out != nil && left <= 0 {
		return &graph.Withheld{Err: out}
	}
	return nil
}

// withheld says why nothing is sent any more, where the pacer gave up.
func (b *Batcher) withheld(err error) *graph.Withheld {
	closed, ok := err.(*pace.GateError)
	if !ok {
		return b.ended() // for which the pacer gives up else
	}
	if out, _ := b.outage(); out != nil {
		return &graph.Withheld{Err: out, After: closed.After}
	}
	return &graph.Withheld{Err: closed, After: closed.After}
}

// send sends requests and delivers their answers, or puts them back to be sent
// in parts, and reports which. Through says that one of several got through.
func (b *Batcher) send(parcels []*parcel, pass pace.Pass) (delivered, through bool) {
	if len(parcels) == 1 {
		p := parcels[0]
		r := b.service.Try(b.ctx, p.request, p.next)
		r.Pass = pass
		p.reply(r)
		return true, false
	}
	answers := contents{asked: len(parcels)}
	batch, token := b.service.SendOnce(b.ctx, &graph.Request{
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
			p.reply(graph.Reply{Err: &graph.Withheld{Err: batch.Err}})
		}
		return false, false
	}
	if batch.Outcome == graph.Permanent && batch.Status != 0 && batch.Status != http.StatusForbidden {
		b.queue.split(parcels, batch.Status)
		return false, false
	}
	whole := batch.Reply()
	whole.Pass, whole.Share = pass, rand.Float64()
	var replies []graph.Reply
	if batch.Good() {
		b.queue.understood()
		var foreign int
		if replies, foreign = answers.replies(len(parcels), batch.Header); foreign > 0 {
			b.service.Warn(b.ctx, "graph batch has answers to operations that were not in it", &batch, slog.Int("answers", foreign))
		}
		if slices.ContainsFunc(replies, func(r graph.Reply) bool { return r.Status/100 != 2 }) {
			b.distrust(parcels, replies)
		}
	}
	each := slices.Repeat([]graph.Reply{whole}, len(parcels))
	requests := make([]*graph.Request, len(parcels))
	for i, p := range parcels {
		requests[i] = p.request
		if replies != nil {
			r := &each[i]
			r.Status, r.Header, r.Body, r.Err = replies[i].Status, replies[i].Header, replies[i].Body, replies[i].Err
			if replies[i].Late.After(r.Late) {
				r.Late = replies[i].Late
			}
			r.Token = token // refused for one item, it may be renewed for all
		}
	}
	if replies == nil && batch.Outcome == graph.Doubtful {
		halve(parcels) // one of them may be what fails
	}
	b.channel.Together(requests, each)
	for i, p := range parcels {
		through = through || each[i].Status/100 == 2
		p.reply(each[i])
	}
	return true, through
}

// distrust leaves in doubt what a batch was refused of in which an answer is about
// another object: answers were exchanged, and a refusal does not say whose it is,
// nor does one that a request stalled.
func (b *Batcher) distrust(parcels []*parcel, replies []graph.Reply) {
	misplaced := make([]bool, len(parcels))
	var late time.Time
	for i, p := range parcels {
		misplaced[i] = graph.Misplaced(p.request, &replies[i])
		if graph.Stalled(replies[i].Status) {
			late = time.Now().Add(b.service.Policy().Fence)
		}
	}
	if !slices.Contains(misplaced, true) {
		return
	}
	for i, r := range replies {
		if misplaced[i] || refuses(r.Status) {
			replies[i] = graph.Reply{Err: errMixed, Span: graph.Span{Late: late}}
		}
	}
}

// refuses reports whether a status says that a request was not carried out.
func refuses(status int) bool {
	return status/100 == 4 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
