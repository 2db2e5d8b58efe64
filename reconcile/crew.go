package reconcile

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// A crew are the goroutines of an Apply. What happens to one of them, happens to the
// caller.
type crew struct {
	looking context.Context // of all that only reads; ends when nothing more is begun
	stop    context.CancelFunc
	events  chan func()   // for the goroutine that ranges to call
	gone    chan struct{} // closed when it takes no more of them
	running sync.WaitGroup

	mu       sync.Mutex
	died     bool
	panicked any // nil after a Goexit
}

// errGone is what a goroutine panics with that has to leave a range at once.
var errGone = errors.New("the caller has gone")

func newCrew(ctx context.Context) *crew {
	w := &crew{events: make(chan func()), gone: make(chan struct{})}
	w.looking, w.stop = context.WithCancel(ctx)
	return w
}

// goes does something on a goroutine of its own.
func (a *applying) goes(f func()) {
	a.running.Go(func() {
		whole := false
		defer func() {
			if panicked := recover(); !whole && panicked != errGone {
				a.mu.Lock()
				a.died, a.panicked = true, panicked
				a.mu.Unlock()
				a.post(func() { a.left = true })
			}
		}()
		f()
		whole = true
	})
}

// post has the goroutine that ranges call f, and reports whether it does.
func (w *crew) post(f func()) bool {
	select {
	case w.events <- f:
		return true
	case <-w.gone:
		return false
	}
}

// dismiss waits for all to end.
func (w *crew) dismiss() {
	close(w.gone)
	w.running.Wait()
	switch {
	case w.panicked != nil:
		panic(w.panicked)
	case w.died:
		runtime.Goexit()
	}
}
