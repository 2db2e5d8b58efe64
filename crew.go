package licensing

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/graphlicensing/licensing/internal/batch"
	"github.com/graphlicensing/licensing/internal/graph"
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

const (
	maxConcurrency = 100
	longestOutage  = 15 * time.Minute // that is waited out, where nothing else is said
)

// checkCrew checks how large a crew is to be, and its batches, and fills in what is
// not set.
func checkCrew(op string, concurrency, batchSize *int) error {
	switch {
	case *concurrency < 0 || *concurrency > maxConcurrency:
		return invalid(op, "Concurrency is %d, which is not between 0 and %d", *concurrency, maxConcurrency)
	case *batchSize < 0 || *batchSize > batch.Most:
		return invalid(op, "BatchSize is %d, which is not between 0 and %d", *batchSize, batch.Most)
	}
	*concurrency = cmp.Or(*concurrency, 4)
	*batchSize = cmp.Or(*batchSize, batch.Most)
	return nil
}

// gather begins the work.
func (w *crew) gather(ctx context.Context, c *Client, channel *graph.Channel, concurrency, size int, outage time.Duration) {
	w.queue, w.drop = context.WithCancel(ctx)
	w.batcher = batch.New(ctx, w.queue, c.service, channel, size, outage)
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

// repanic panics with what one of the goroutines panicked with.
func (w *crew) repanic() {
	if w.panicked != nil {
		panic(w.panicked)
	}
}

// An input is the caller's, and is read on a goroutine of its own. What happens to the
// goroutine, happens to the caller.
type input struct {
	whole    bool // it was read to its end, or for as long as it was wanted
	panicked any
}

// run reads the input.
func (i *input) run(read func()) {
	defer func() {
		if !i.whole {
			i.panicked = recover() // nil after a Goexit
		}
	}()
	read()
	i.whole = true
}

// passOn does what the input did.
func (i *input) passOn() {
	switch {
	case i.panicked != nil:
		panic(i.panicked)
	case !i.whole:
		runtime.Goexit()
	}
}
