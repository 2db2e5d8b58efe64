package turn

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func mustTake(t *testing.T, o *Turns, key string) *Turn {
	t.Helper()
	turn, err := o.Take(t.Context(), key, 0)
	if err != nil {
		t.Fatalf("take %q: %v", key, err)
	}
	return turn
}

func wantKept(t *testing.T, o *Turns, want int) {
	t.Helper()
	if got := o.Len(); got != want {
		t.Errorf("%d objects are kept, want %d", got, want)
	}
}

func TestObjectsTakeTurnsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Turns
		first := mustTake(t, &o, "user a")
		var order []int
		for i := range 8 {
			go func() {
				turn, err := o.Take(t.Context(), "user a", time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i) // guarded by the turn, as the race detector checks
				time.Sleep(time.Second)
				turn.Release()
			}()
			synctest.Wait()
		}
		if len(order) != 0 {
			t.Fatalf("%v did not wait", order)
		}
		first.Release()
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
	var o Turns
	a := mustTake(t, &o, "user a")
	b := mustTake(t, &o, "user b")
	wantKept(t, &o, 2)
	a.Release()
	b.Release()
	wantKept(t, &o, 0)
}

func TestWaitingForATurnEnds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		left  time.Duration
		after time.Duration // when the context is canceled
		want  error
		takes time.Duration
	}{
		"canceled":           {time.Hour, time.Minute, context.Canceled, time.Minute},
		"out of time":        {time.Second, time.Minute, ErrBusy, time.Second},
		"no time from start": {0, time.Minute, ErrBusy, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o Turns
				holder := mustTake(t, &o, "user a")
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(test.after, cancel).Stop()
				start := time.Now()
				_, err := o.Take(ctx, "user a", test.left)
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				holder.Release()
				wantKept(t, &o, 0)
			})
		})
	}
}

// A turn that is handed to somebody who gives up at that moment must go on to
// the next, or the object is locked forever.
func TestATurnIsNotLostOnOneWhoGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			var o Turns
			holder := mustTake(t, &o, "user a")
			ctx, cancel := context.WithCancel(t.Context())
			served := 0 // guarded by the turn
			for _, ctx := range []context.Context{ctx, t.Context()} {
				go func() {
					turn, err := o.Take(ctx, "user a", time.Hour)
					if err != nil {
						return
					}
					served++
					turn.Release()
				}()
				synctest.Wait()
			}
			cancel()
			holder.Release()
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
		var o Turns
		turn := mustTake(t, &o, "user a")
		turn.Stall("/assignLicense add a", time.Now().Add(time.Minute))
		turn.Release()
		wantKept(t, &o, 1)

		turn = mustTake(t, &o, "user a")
		if write, left := turn.Fence(); write != "/assignLicense add a" || left != time.Minute {
			t.Errorf("%q is fenced for %v", write, left)
		}
		turn.Release()

		// Somebody who has the turn as the fence ends drops the object later.
		turn = mustTake(t, &o, "user a")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		wantKept(t, &o, 1)
		if _, left := turn.Fence(); left != 0 {
			t.Errorf("the fence that is over stands for %v", left)
		}
		turn.Release()
		wantKept(t, &o, 0)
	})
}

func TestAnEarlierFenceDoesNotShortenALaterOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turn := Turn{of: new(Turns)}
		turn.Stall(" later", time.Now().Add(time.Hour))
		turn.Stall(" earlier", time.Now().Add(time.Minute))
		if write, left := turn.Fence(); write != " later" || left != time.Hour {
			t.Errorf("%q is fenced for %v", write, left)
		}
	})
}

// The end of a fence is no end for those who came after it was forgotten.
func TestAnOldTurnDoesNotDropANewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := new(Turns)
		old := &Turn{of: o, key: "k", fence: fence{"x", time.Now().Add(time.Second)}}
		o.byKey = map[string]*Turn{"k": old}
		old.drop()
		latest := new(Turn)
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
	var o Turns
	turn := mustTake(t, &o, "user a")
	turn.Stall(" add a", time.Now().Add(time.Hour))
	turn.Release()
	if n := testing.AllocsPerRun(100, func() { mustTake(t, &o, "user a").Release() }); n > 0 {
		t.Errorf("%v allocations for a turn that is there", n)
	}
}

func TestNothingIsKeptWhenTheFenceEndsUnwatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Turns
		for range 3 { // the first release plans a drop, which comes too early for the fence of the last
			turn := mustTake(t, &o, "user a")
			turn.Stall(" add a", time.Now().Add(time.Minute))
			turn.Release()
			time.Sleep(time.Second)
		}
		wantKept(t, &o, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		wantKept(t, &o, 0)
	})
}

// A key that turns out to be a name of another is one with it, whoever has or
// waits for a turn.
func TestJoinedKeysAreOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Turns
		byName, byID := mustTake(t, &o, "user adele"), mustTake(t, &o, "user 1")
		var order []string
		take := func(who, key string) {
			go func() {
				turn, err := o.Take(t.Context(), key, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, who)
				turn.Release()
			}()
			synctest.Wait()
		}
		take("a", "user 1")
		take("b", "user adele")
		if !o.Join("user adele", "user 1") || o.Join("user adele", "user 1") {
			t.Error("joined not once")
		}
		take("c", "user adele")
		byID.Release()
		synctest.Wait()
		if len(order) != 0 {
			t.Errorf("%v had a turn beside the one by name", order)
		}
		byName.Release()
		synctest.Wait()
		if want := []string{"a", "b", "c"}; !slices.Equal(order, want) {
			t.Errorf("the turns came in the order %v, want %v", order, want)
		}
		wantKept(t, &o, 0)
		if o.Key("user adele") != "user 1" || o.Key("user 1") != "user 1" || o.Key("user 2") != "user 2" {
			t.Error("the keys are not as joined")
		}
		o.Join("user adele", "user 2") // the name was given away
		if o.Key("user adele") != "user 2" {
			t.Error("the newest does not count")
		}
	})
}

// Of two who have the turn by two names, each can wait until the other is through,
// and neither waits forever.
func TestAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Turns
		turns := []*Turn{mustTake(t, &o, "user adele"), mustTake(t, &o, "user 1")}
		if waited, err := turns[0].Alone(t.Context(), 0); waited || err != nil {
			t.Errorf("alone, and waited: %t, %v", waited, err)
		}
		o.Join("user adele", "user 1")
		inside, waits := 0, 0
		for _, turn := range turns {
			go func() {
				waited, err := turn.Alone(t.Context(), time.Hour)
				if err != nil {
					t.Error(err)
				}
				if waited {
					waits++
				}
				if inside++; inside != 1 {
					t.Error("two are alone")
				}
				time.Sleep(time.Second)
				inside--
				turn.Release()
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if waits != 1 {
			t.Errorf("%d waited, want 1", waits)
		}
		wantKept(t, &o, 0)
	})
}

// Who gives up has the turn as before, beside the other.
func TestAloneGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o Turns
		byName, byID := mustTake(t, &o, "user adele"), mustTake(t, &o, "user 1")
		o.Join("user adele", "user 1")
		if waited, err := byName.Alone(t.Context(), time.Second); !waited || !errors.Is(err, ErrBusy) {
			t.Errorf("got %t, %v", waited, err)
		}
		byID.Release()
		if _, err := o.Take(t.Context(), "user 1", 0); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v beside the one by name", err)
		}
		byName.Release()
		wantKept(t, &o, 0)
	})
}

func TestFencesAreJoined(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		byName, byID string // what is fenced, for a minute and two
		write        string
		left         time.Duration
	}{
		"by name":   {"a", "", "a", time.Minute},
		"by id":     {"", "b", "b", 2 * time.Minute},
		"the same":  {"a", "a", "a", 2 * time.Minute},
		"different": {"a", "b", "", 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o Turns
				for i, write := range []string{test.byName, test.byID} {
					turn := mustTake(t, &o, []string{"user adele", "user 1"}[i])
					if write != "" {
						turn.Stall(write, time.Now().Add(time.Duration(i+1)*time.Minute))
					}
					turn.Release()
				}
				o.Join("user adele", "user 1")
				turn := mustTake(t, &o, "user adele")
				if write, left := turn.Fence(); write != test.write || left != test.left {
					t.Errorf("%q is fenced for %v, want %q for %v", write, left, test.write, test.left)
				}
				turn.Release()
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				wantKept(t, &o, 0)
			})
		})
	}
}

// Names are bounded, and those that are asked for stay.
func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	var o Turns
	for i := range 4 * maxNames {
		o.Join("name "+strconv.Itoa(i), "id "+strconv.Itoa(i))
		if o.Key("name 0") != "id 0" {
			t.Fatalf("what is asked for is forgotten after %d", i)
		}
	}
	if n := len(o.names.young) + len(o.names.old); n > 2*maxNames {
		t.Errorf("%d names are known, want %d at most", n, 2*maxNames)
	}
	if o.Key("name 9") != "name 9" {
		t.Error("nothing is forgotten")
	}
}
