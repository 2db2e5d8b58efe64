package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What package licensing_test sees of the inside.

// NewTransport returns a default transport of its own.
func NewTransport() *http.Transport { return newTransport().(*http.Transport) }

// WrapSigner puts a round tripper around the one that signs.
func WrapSigner(c *Client, wrap func(http.RoundTripper) http.RoundTripper) {
	c.http.HTTPClient.Transport = wrap(c.http.HTTPClient.Transport)
}

// ObjectsKept returns for how many objects c keeps something.
func ObjectsKept(c *Client) int {
	c.objects.mu.Lock()
	defer c.objects.mu.Unlock()
	return len(c.objects.byKey)
}

// RetryAfter reads a Retry-After header.
func RetryAfter(h http.Header, now time.Time) (time.Duration, bool) { return retryAfter(h, now) }

func mustAcquire(t *testing.T, o *objects, key string) *turn {
	t.Helper()
	turn, err := o.acquire(t.Context(), key, 0)
	if err != nil {
		t.Fatalf("acquire %q: %v", key, err)
	}
	return turn
}

func wantKept(t *testing.T, o *objects, want int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.byKey) != want {
		t.Errorf("%d objects are kept, want %d", len(o.byKey), want)
	}
}

func TestObjectsTakeTurnsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o objects
		first := mustAcquire(t, &o, "user a")
		var order []int
		for i := range 8 {
			go func() {
				turn, err := o.acquire(t.Context(), "user a", forever)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i) // guarded by the turn, as the race detector checks
				time.Sleep(time.Second)
				o.release("user a", turn)
			}()
			synctest.Wait()
		}
		if len(order) != 0 {
			t.Fatalf("%v did not wait", order)
		}
		o.release("user a", first)
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(order, want) {
			t.Errorf("the turns came in the order %v, want %v", order, want)
		}
		wantKept(t, &o, 0)
	})
}

func TestDifferentObjectsDoNotWait(t *testing.T) {
	t.Parallel()
	var o objects
	a := mustAcquire(t, &o, "user a")
	b := mustAcquire(t, &o, "user b")
	wantKept(t, &o, 2)
	o.release("user a", a)
	o.release("user b", b)
	wantKept(t, &o, 0)
}

func TestWaitingForATurnEnds(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	tests := map[string]struct {
		left  time.Duration
		after time.Duration // when the context is cancelled
		want  []error
		takes time.Duration
	}{
		"cancelled":          {forever, time.Minute, []error{context.Canceled, stop}, time.Minute},
		"out of time":        {time.Second, time.Minute, []error{errBusy}, time.Second},
		"no time from start": {0, time.Minute, []error{errBusy}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o objects
				holder := mustAcquire(t, &o, "user a")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer time.AfterFunc(test.after, func() { cancel(stop) }).Stop()
				start := time.Now()
				_, err := o.acquire(ctx, "user a", test.left)
				for _, want := range test.want {
					if !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				o.release("user a", holder)
				wantKept(t, &o, 0)
			})
		})
	}
}

// A turn that is handed to somebody who gives up at that moment must go on to
// the next, or the object is locked for ever.
func TestATurnIsNotLostOnOneWhoGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			var o objects
			holder := mustAcquire(t, &o, "user a")
			ctx, cancel := context.WithCancel(t.Context())
			served := 0 // guarded by the turn
			for _, ctx := range []context.Context{ctx, t.Context()} {
				go func() {
					turn, err := o.acquire(ctx, "user a", forever)
					if err != nil {
						return
					}
					served++
					o.release("user a", turn)
				}()
				synctest.Wait()
			}
			cancel()
			o.release("user a", holder)
			synctest.Wait()
			if served == 0 {
				t.Fatal("the one who did not give up was never served")
			}
			wantKept(t, &o, 0)
		}
	})
}

func TestFenceIsKeptUntilItIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o objects
		turn := mustAcquire(t, &o, "user a")
		turn.stalled("/assignLicense", []byte("add a"), time.Now().Add(time.Minute))
		o.release("user a", turn)
		wantKept(t, &o, 1)

		for _, write := range []struct {
			action, body string
			wait         time.Duration
		}{
			{"/assignLicense", "add a", 0},
			{"/assignLicense", "remove a", time.Minute},
			{"/reprocessLicenseAssignment", "", time.Minute},
		} {
			turn = mustAcquire(t, &o, "user a")
			if got := turn.fenced(write.action, []byte(write.body)); got != write.wait {
				t.Errorf("%s %s has to wait %v, want %v", write.action, write.body, got, write.wait)
			}
			o.release("user a", turn)
		}

		// Somebody who has the turn as the fence ends drops the object later.
		turn = mustAcquire(t, &o, "user a")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantKept(t, &o, 1)
		if got := turn.fenced("/assignLicense", []byte("remove a")); got != 0 {
			t.Errorf("after the fence a write has to wait %v", got)
		}
		o.release("user a", turn)
		wantKept(t, &o, 0)
	})
}

func TestAnEarlierFenceDoesNotShortenALaterOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turn turn
		turn.stalled("", []byte("later"), time.Now().Add(time.Hour))
		turn.stalled("", []byte("earlier"), time.Now().Add(time.Minute))
		if got := turn.fenced("", []byte("earlier")); got != time.Hour {
			t.Errorf("has to wait %v, want %v", got, time.Hour)
		}
	})
}

// The end of a fence is no end for those who came after it was forgotten.
func TestAnOldTurnDoesNotDropANewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old := &turn{fence: fence{"x", time.Now().Add(time.Second)}}
		o := &objects{byKey: map[string]*turn{"k": old}}
		o.drop("k", old)
		latest := new(turn)
		o.mu.Lock()
		o.byKey["k"] = latest
		o.mu.Unlock()
		time.Sleep(2 * time.Second)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.byKey["k"] != latest {
			t.Error("the turn of another write was dropped")
		}
	})
}

// However often it is taken, a turn has one timer for the end of its fence.
func TestAFenceHasOneTimer(t *testing.T) {
	var o objects
	turn := mustAcquire(t, &o, "user a")
	turn.stalled("", []byte("add a"), time.Now().Add(time.Hour))
	o.release("user a", turn)
	if n := testing.AllocsPerRun(100, func() { o.release("user a", mustAcquire(t, &o, "user a")) }); n > 0 {
		t.Errorf("%v allocations for a turn that is there", n)
	}
}

func TestNothingIsKeptWhenTheFenceEndsUnwatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o objects
		for range 3 { // the first release plans a drop, which comes too early for the fence of the last
			turn := mustAcquire(t, &o, "user a")
			turn.stalled("", []byte("add a"), time.Now().Add(time.Minute))
			o.release("user a", turn)
			time.Sleep(time.Second)
		}
		wantKept(t, &o, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		wantKept(t, &o, 0)
	})
}
