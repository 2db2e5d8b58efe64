package fleet

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
)

// ErrPublished says that a run of this name already has operations, and they differ
// from the ones that are being published.
var ErrPublished = errors.New("fleet: the run was published with other operations")

// Publish stores the operations of a run, and returns how many of them are new.
// Publishing the same operations again stores nothing. If an earlier call was
// interrupted, Publish continues where it stopped. Workers may work on the run at
// the same time.
//
// The name of a run consists of letters, digits, - and _. Operations on one user or
// group are made in their order. Give each user one name throughout a run, either
// the id or the user principal name. With two names they count as two users, and
// their operations may overtake each other. If the input fails, end ctx: otherwise
// what came before counts as the whole run.
//
// Errors: [ErrPublished], an operation that is not valid JSON or larger than the
// server accepts, those of the server, and that of ctx.
func Publish(ctx context.Context, js jetstream.JetStream, run string, operations iter.Seq[licensing.Operation]) (int, error) {
	s, err := newStore(js, run)
	if err != nil {
		return 0, err
	}
	if operations == nil {
		return 0, errors.New("fleet: operations is nil")
	}
	if err := s.create(ctx); err != nil {
		return 0, err
	}
	p := publisher{store: s, digest: sha256.New()}
	if err := p.resume(ctx); err != nil {
		return 0, err
	}
	for op := range operations {
		if err := p.add(ctx, op); err != nil {
			return p.fresh, err
		}
	}
	if ctx.Err() != nil { // the input may have ended by that, and not be whole
		return p.fresh, context.Cause(ctx)
	}
	return p.fresh, p.finish(ctx)
}

// A publisher stores operations, many at a time. Each message has to follow the one
// before it, so that none is stored twice, nor after another one is missing.
type publisher struct {
	store
	digest hash.Hash
	before ending // what came so far
	index  int    // of the next operation
	stored int    // messages that the stream has, as far as is known
	ended  *ending
	fresh  int
	open   []outgoing // not acknowledged, in their order
}

type outgoing struct {
	subject string
	data    []byte
	index   int
	ack     jetstream.PubAckFuture
	err     error // why it is not acknowledged
}

const (
	mostOpen    = 1024
	publishTime = time.Minute // that a server may be away for
)

// resume finds out what is published.
func (p *publisher) resume(ctx context.Context) error {
	stream, err := p.js.Stream(ctx, p.operations())
	if err != nil {
		return err
	}
	p.stored = int(stream.CachedInfo().State.LastSeq)
	p.ended, err = p.ending(ctx)
	return err
}

// add publishes the next operation, unless it is.
func (p *publisher) add(ctx context.Context, op licensing.Operation) error {
	data, err := json.Marshal(message{version, op})
	if err != nil {
		return fmt.Errorf("fleet: operation %d: %w", p.index, err)
	}
	if limit := p.js.Conn().MaxPayload(); int64(len(data)) > limit-headerRoom {
		return fmt.Errorf("fleet: operation %d has %d bytes, but the server accepts at most %d", p.index, len(data), limit-headerRoom)
	}
	p.digest.Write(data)
	part := partition(object(op))
	p.before.Counts[part]++
	index := p.index
	p.index++
	if p.ended != nil && index >= p.ended.total() {
		return fmt.Errorf("%w: it has %d, and more were given", ErrPublished, p.ended.total())
	}
	return p.send(ctx, outgoing{subject: p.operation(strconv.Itoa(part)), data: data, index: index})
}

const headerRoom = 1 << 10

// finish publishes the end, unless it is.
func (p *publisher) finish(ctx context.Context) error {
	p.before.Version, p.before.Digest = version, p.digest.Sum(nil)
	data, err := json.Marshal(p.before)
	if err != nil {
		return err
	}
	if err := p.send(ctx, outgoing{subject: p.end(), data: data, index: p.index}); err != nil {
		return err
	}
	for len(p.open) > 0 {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	switch p.ended, err = p.ending(ctx); {
	case err != nil:
		return err
	case p.ended == nil || !bytes.Equal(p.ended.Digest, p.before.Digest):
		return ErrPublished
	}
	return nil
}

// send publishes a message without waiting for it, as long as not too many are open.
func (p *publisher) send(ctx context.Context, m outgoing) (err error) {
	if m.index < p.stored {
		return nil
	}
	for len(p.open) >= mostOpen {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	if m.ack, err = p.publish(m); err != nil {
		return err
	}
	p.open = append(p.open, m)
	return nil
}

func (p *publisher) publish(m outgoing) (jetstream.PubAckFuture, error) {
	return p.js.PublishAsync(m.subject, m.data, jetstream.WithExpectLastSequence(uint64(m.index)))
}

// settle waits for the oldest open message. If that fails it looks at what is stored,
// and publishes the rest again.
func (p *publisher) settle(ctx context.Context) error {
	for started := time.Now(); ; {
		within, cancel := context.WithTimeout(ctx, askTime)
		failed := p.acknowledged(within, 0)
		for i := 1; failed != nil && i < len(p.open); i++ { // so that none is stored later
			_ = p.acknowledged(within, i)
		}
		cancel()
		switch {
		case failed == nil:
			p.done(1)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(started) > publishTime:
			return fmt.Errorf("fleet: operation %d: %w", p.open[0].index, failed)
		}
		if err := p.resume(ctx); err != nil {
			if sleep(ctx, time.Second) != nil {
				return context.Cause(ctx)
			}
			continue
		}
		n := max(0, min(p.stored-p.open[0].index, len(p.open)))
		p.done(n)
		if err := p.again(); err != nil || n > 0 {
			return err
		}
	}
}

// done notes that the oldest messages are stored, those by others that were refused.
func (p *publisher) done(n int) {
	for _, m := range p.open[:n] {
		if m.subject != p.end() && !refused(m.err) {
			p.fresh++
		}
	}
	p.open = p.open[n:]
}

// again publishes what is open once more.
func (p *publisher) again() (err error) {
	for i := range p.open {
		if p.open[i].ack, err = p.publish(p.open[i]); err != nil {
			return err
		}
	}
	return nil
}

// acknowledged waits for what the server says of an open message.
func (p *publisher) acknowledged(ctx context.Context, i int) (err error) {
	m := &p.open[i]
	select {
	case <-m.ack.Ok():
		m.err = nil
	case m.err = <-m.ack.Err():
	case <-ctx.Done():
		m.err = context.Cause(ctx)
	}
	return m.err
}

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
