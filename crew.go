package licensing

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/pace"
)

// A crew are the goroutines that make the requests of a range over many: jobs, which
// ask for requests, and workers, which send them by the batch.
type crew struct {
	queue   context.Context    // ends with the caller's or a break: nothing is sent any more
	drop    context.CancelFunc // ends it
	batcher *batch.Batcher
	jobs    sync.WaitGroup
	workers sync.WaitGroup

	mu       sync.Mutex
	panicked any // what a part of the caller's panicked with, on one of them
}

// gather begins the work.
func (w *crew) gather(ctx context.Context, c *Client, pacer *pace.Pacer, concurrency, size int, outage time.Duration) {
	w.queue, w.drop = context.WithCancel(ctx)
	w.batcher = batch.New(ctx, w.queue, c.service, pacer, size, outage)
	for range concurrency {
		w.workers.Go(func() { w.batcher.Work(w.died) })
	}
}

// died ends the work because a part of the caller's, such as the transport, ended
// a goroutine: by a panic, or for nil by a Goexit.
func (w *crew) died(panicked any) {
	w.mu.Lock()
	if w.panicked == nil {
		w.panicked = panicked
	}
	w.mu.Unlock()
	w.batcher.Halt(&stop{kind: ErrStopped, cause: fmt.Errorf("%w: a goroutine that made a request ended", ErrStopped)})
}

// dismiss ends the work: what is under way is waited for, what is left is dropped.
func (w *crew) dismiss() {
	w.drop()
	w.batcher.Wake()
	w.jobs.Wait()
	w.batcher.End()
	w.workers.Wait()
}

// check panics with what one of the goroutines panicked with.
func (w *crew) check() {
	if w.panicked != nil {
		panic(w.panicked)
	}
}

// A source has the input of a range, on a goroutine of its own.
type source[T any] struct {
	items    chan T
	wanted   chan struct{} // an item is, which is then taken in; closed at the end
	panicked any           // what the input panicked with
}

func newSource[T any]() source[T] {
	return source[T]{items: make(chan T), wanted: make(chan struct{}, 1)}
}

// read reads the input, one item each time that one is wanted.
func (s *source[T]) read(input iter.Seq[T]) {
	defer close(s.items)
	defer func() { s.panicked = recover() }()
	if _, ok := <-s.wanted; !ok {
		return
	}
	for item := range input {
		s.items <- item
		if _, ok := <-s.wanted; !ok {
			return
		}
	}
}

// end ends the input, and panics with what the input panicked with.
func (s *source[T]) end() {
	close(s.wanted)
	for range s.items { // until it has ended
	}
	if s.panicked != nil {
		panic(s.panicked)
	}
}
