package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
)

// A part is a partition that this session works on. Whatever is new is written to
// its log before anything is done that follows from it: an operation is begun when
// the log says so, and the next one on the same object when the log has the result.
type part struct {
	session *session
	number  int
	wake    chan struct{}

	// Of its own goroutine.
	entry  entry // the last
	at     uint64
	fences map[string]time.Time      // objects for which a request may still land, and until when
	tasks  map[int]*task             // operations without a stored result that were taken in
	ahead  []*jetstream.RawStreamMsg // that were read, and are not taken in
	looked uint64                    // the last message of all operations, when there were no more of the partition

	mu      sync.Mutex
	over    []*task // that the desk gave back
	last    uint64  // message of all operations
	count   int     // of the partition's operations, -1 if it is not known yet
	room    int     // for tasks
	leaving bool
}

// A task is an operation that was taken in.
type task struct {
	part      *part
	index     int
	operation licensing.Operation
	object    string
	state     state
	doubted   bool // it may have been made
	tries     int
	round     int                       // in which it was kept
	result    licensing.OperationResult // when the desk gives it back
	made      bool                      // and there is one
}

type state int

const (
	waiting state = iota // for its turn
	begun                // the desk has it
	kept                 // it was begun, and waits for the next round
)

const maxTries = 3 // rounds after which what is unknown stays so

// leave has the partition given up when what was begun is over.
func (p *part) leave() {
	p.mu.Lock()
	p.leaving = true
	p.mu.Unlock()
	p.session.desk.recall(p)
	p.tell()
}

// given reports whether the partition is being given up.
func (p *part) given() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leaving
}

// plan says what there is, and how many operations may be taken in.
func (p *part) plan(last uint64, count, room int) {
	p.mu.Lock()
	p.last, p.count, p.room = last, count, max(room, 4)
	p.mu.Unlock()
	p.tell()
}

// giveBack takes tasks from the desk.
func (p *part) giveBack(tasks ...*task) {
	p.mu.Lock()
	p.over = append(p.over, tasks...)
	p.mu.Unlock()
	p.tell()
}

func (p *part) tell() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// work works until the partition is complete or given up, or the lease is over.
func (p *part) work() error {
	ctx := p.session.lease
	if err := p.patiently(ctx, p.restore); err != nil {
		return err
	}
	for {
		p.mu.Lock()
		over, last, count, room, leaving := p.over, p.last, p.count, p.room, p.leaving
		p.over = nil
		p.mu.Unlock()

		e := p.entry
		e.Counts, e.Left, e.Results = maps.Clone(e.Counts), slices.Clone(e.Left), nil
		for _, t := range over {
			p.settle(&e, t)
		}
		more := false
		var begin []*task
		var next time.Time
		if !leaving {
			if err := p.patiently(ctx, func(ctx context.Context) (err error) {
				more, err = p.read(ctx, last, count, room)
				return err
			}); err != nil {
				return err
			}
			begin, next = p.begin(&e)
		}
		e.Read = p.entry.Read
		e.Begun = numbers(p.tasks, func(t *task) bool { return t.state == begun || t.doubted })
		e.Waiting = numbers(p.tasks, func(t *task) bool { return t.state != begun && !t.doubted })
		busy := slices.ContainsFunc(slices.Collect(maps.Values(p.tasks)), func(t *task) bool { return t.state == begun })
		if !busy && (leaving || e.results() == count) {
			e.Owner = ""
			if err := p.append(ctx, e); !refused(err) { // else it was given up by an entry whose answer was lost
				return err
			}
			return nil
		}
		if len(e.Results)+len(begin) > 0 {
			if err := p.append(ctx, e); err != nil {
				return err
			}
			p.session.desk.stored(e.Results)
			p.session.desk.put(begin)
		}
		if more {
			continue
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-p.wake:
		case <-due:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// patiently does something until it succeeds, since a server may be away.
func (p *part) patiently(ctx context.Context, do func(context.Context) error) error {
	for {
		within, cancel := context.WithTimeout(ctx, askTime)
		err := do(within)
		cancel()
		if err == nil || errors.As(err, new(*storedError)) {
			return err
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
}

// restore reads again what the last owner had taken in.
func (p *part) restore(ctx context.Context) error {
	stream, err := p.session.js.Stream(ctx, p.session.operations())
	if err != nil {
		return err
	}
	for _, i := range slices.Concat(p.entry.Begun, p.entry.Waiting) {
		m, err := stream.GetMsg(ctx, uint64(i)+1)
		if err != nil {
			return err
		}
		if err := p.take(m, slices.Contains(p.entry.Begun, i)); err != nil {
			return err
		}
	}
	return nil
}

// read takes in further operations, if there is room, and reports whether there may
// be more for which there is. A server may be behind, and not know all: so the count
// is what tells.
func (p *part) read(ctx context.Context, last uint64, count, room int) (more bool, err error) {
	room -= len(p.tasks)
	if room <= 0 {
		return false, nil
	}
	if len(p.ahead) == 0 {
		if p.looked >= last && p.entry.results()+len(p.tasks) >= count {
			return false, nil
		}
		s := p.session
		p.ahead, err = s.read(ctx, s.operations(), s.operation(strconv.Itoa(p.number)), uint64(p.entry.Read)+1, batchSize)
		if err != nil {
			return false, err
		}
		if len(p.ahead) == 0 {
			p.looked = last
		}
	}
	take := p.ahead[:min(room, len(p.ahead))]
	p.ahead = p.ahead[len(take):]
	for _, m := range take {
		if err := p.take(m, false); err != nil {
			return false, err
		}
		p.entry.Read = int(m.Sequence)
	}
	return len(take) > 0 && len(take) < room, nil
}

// take takes an operation in.
func (p *part) take(m *jetstream.RawStreamMsg, doubted bool) error {
	stored, err := decode[message](m)
	if err != nil {
		return err
	}
	t := &task{part: p, index: int(m.Sequence) - 1, operation: stored.Operation, object: object(stored.Operation), doubted: doubted}
	p.tasks[t.index] = t
	return nil
}

// settle draws the conclusion from what the desk gave back: a result that is stored,
// or an operation that is to be made again.
func (p *part) settle(e *entry, t *task) {
	if !t.made { // nor sent
		t.state = waiting
		return
	}
	t.made = false
	if t.result.MayLand.After(p.fences[t.object]) {
		p.fences[t.object] = t.result.MayLand
	}
	outcome := t.result.Outcome()
	switch again := licensing.Retryable(t.result.Err); {
	case outcome == licensing.OutcomeDone,
		outcome == licensing.OutcomeFailed && !again,
		errors.Is(t.result.Err, licensing.ErrNoAvailableLicenses) && !errors.Is(t.result.Err, licensing.ErrOutcomeUnknown):
		p.store(e, t)
		return
	case outcome != licensing.OutcomeNotSent:
		t.tries++
		t.doubted = t.doubted || outcome == licensing.OutcomeUnknown
	}
	if t.tries < maxTries {
		t.state = kept
		p.session.desk.keep(t)
		return
	}
	if t.doubted {
		e.Left = append(e.Left, t.object)
	}
	p.store(e, t)
}

// store adds a task's result to an entry.
func (p *part) store(e *entry, t *task) {
	t.result.Index = t.index
	if e.Counts == nil {
		e.Counts = make(map[licensing.Outcome]int)
	}
	e.Counts[t.result.Outcome()]++
	e.Results = append(e.Results, t.result)
	delete(p.tasks, t.index)
}

// begin begins the operations whose turn it is: the first on each object, unless a
// request of another may still land there. It returns when the next fence is over.
func (p *part) begin(e *entry) (list []*task, next time.Time) {
	now := time.Now()
	maps.DeleteFunc(p.fences, func(_ string, until time.Time) bool { return !now.Before(until) })
	busy := make(map[string]bool)
	for _, i := range slices.Sorted(maps.Keys(p.tasks)) {
		t := p.tasks[i]
		if busy[t.object] {
			continue
		}
		if t.state == waiting && slices.Contains(e.Left, t.object) {
			t.result = licensing.OperationResult{Operation: t.operation, Err: errLeft}
			p.store(e, t)
			continue
		}
		busy[t.object] = true
		if until, fenced := p.fences[t.object]; fenced && !t.doubted {
			if next.IsZero() || until.Before(next) {
				next = until
			}
			continue
		}
		if t.state == waiting || t.state == kept && p.session.desk.again(t) {
			t.state = begun
			t.operation.Resumed = t.operation.Resumed || t.doubted
			list = append(list, t)
		}
	}
	return list, next
}

var errLeft = fmt.Errorf("fleet: %w: an earlier operation on the same object ended as unknown", licensing.ErrStopped)

const maxEntry = 400 << 10 // bytes of results, more or less

// append writes an entry to the log, in parts if it is large.
func (p *part) append(ctx context.Context, e entry) error {
	results := e.Results
	counts := e.Counts
	for {
		n, size := 0, 0
		for size < maxEntry && n < len(results) {
			data, err := json.Marshal(results[n])
			if err != nil {
				return err
			}
			size += len(data)
			n++
		}
		e.Results, results = results[:n:n], results[n:]
		if len(results) == 0 {
			e.Counts = counts
			return p.write(ctx, e)
		}
		part := e
		part.Owner, part.Begun = p.session.id, slices.Clone(e.Begun)
		for _, r := range results {
			part.Begun = append(part.Begun, r.Index)
		}
		part.Counts = maps.Clone(p.entry.Counts)
		if part.Counts == nil {
			part.Counts = make(map[licensing.Outcome]int)
		}
		for _, r := range e.Results {
			part.Counts[r.Outcome()]++
		}
		if err := p.write(ctx, part); err != nil {
			return err
		}
	}
}

// write writes an entry after the last, and finds out whether it did where the
// answer is lost.
func (p *part) write(ctx context.Context, e entry) error {
	e.Version, e.Number = version, p.entry.Number+1
	e.Fences = make(map[string]time.Duration)
	for object, until := range p.fences {
		e.Fences[object] = time.Until(until)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	s := p.session
	subject := s.store.entry(strconv.Itoa(p.number))
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		within, cancel := context.WithTimeout(ctx, askTime)
		ack, err := s.js.Publish(within, subject, data, jetstream.WithExpectLastSequencePerSubject(p.at))
		if err == nil {
			p.at = ack.Sequence
		} else if at, found := p.find(within, subject, &e); found {
			p.at, err = at, nil
		}
		cancel()
		if err == nil {
			e.Results = nil
			p.entry = e
			return nil
		}
		if refused(err) || errors.Is(err, nats.ErrMaxPayload) {
			return err
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			return context.Cause(ctx)
		}
	}
}

// find looks for an entry that may have been written: none but this session's owner
// writes under its name.
func (p *part) find(ctx context.Context, subject string, e *entry) (uint64, bool) {
	stream, err := p.session.js.Stream(ctx, p.session.log())
	if err != nil {
		return 0, false
	}
	m, err := stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return 0, false
	}
	last, err := decode[entry](m)
	if err != nil {
		return 0, false
	}
	return m.Sequence, e.Owner != "" && last.Number == e.Number && last.Owner == e.Owner && m.Sequence > p.at
}
