package fleet_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

func newBucket(t testing.TB, js jetstream.JetStream) jetstream.KeyValue {
	t.Helper()
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "locks"})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// A lock is one holder's at a time, and hands its note on.
func TestLocker(t *testing.T) {
	t.Parallel()
	bucket := newBucket(t, newStream(t))
	var mu sync.Mutex
	inside, notes := 0, []string{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			l := fleet.NewLocker(bucket, time.Minute)
			for range 5 {
				held, lock, err := l.Lock(t.Context(), "an-object")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if inside++; inside > 1 || held.Err() != nil {
					t.Errorf("%d inside, %v", inside, held.Err())
				}
				notes = append(notes, string(lock.Note()))
				note := strconv.Itoa(len(notes))
				mu.Unlock()

				mu.Lock()
				inside--
				mu.Unlock()
				if err := lock.Unlock(t.Context(), []byte(note)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, note := range notes {
		if want := strconv.Itoa(i); i > 0 && note != want || i == 0 && note != "" {
			t.Errorf("the note of holder %d is %q", i, note)
		}
	}
	if len(notes) != 20 {
		t.Errorf("%d holders", len(notes))
	}
}

// Whoever waits for a lock gives up with its context.
func TestLockerGivesUp(t *testing.T) {
	t.Parallel()
	bucket := newBucket(t, newStream(t))
	l := fleet.NewLocker(bucket, 0)
	_, lock, err := l.Lock(t.Context(), "k")
	if err != nil || lock.Note() == nil {
		t.Fatal(err, lock)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := l.Lock(ctx, "k"); err == nil {
		t.Error("locked twice")
	}
}

// A lock that is taken away is reported, and leaves no note.
func TestLockIsLost(t *testing.T) {
	t.Parallel()
	bucket := newBucket(t, newStream(t))
	l := fleet.NewLockerOf(bucket, 400*time.Millisecond, time.Minute)
	held, lock, err := l.Lock(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Put(t.Context(), "k", []byte(`{"version":1,"lease":1,"fence":1,"holder":"another"}`)); err != nil {
		t.Fatal(err)
	}
	<-held.Done()
	if err := lock.Unlock(t.Context(), []byte("note")); err == nil {
		t.Error("a lost lock was given up without an error")
	}
	_, next, err := l.Lock(t.Context(), "k")
	if err != nil || len(next.Note()) != 0 {
		t.Errorf("%v, %s", err, next.Note())
	}
}

// beLocker takes a lock, and says for how long it has it.
func beLocker() {
	bucket, err := connect(log.Fatal).KeyValue(context.Background(), "locks")
	if err != nil {
		log.Fatal(err)
	}
	held, _, err := fleet.NewLockerOf(bucket, leaseTime, fenceTime).Lock(context.Background(), "k")
	if err != nil {
		log.Fatal(err)
	}
	for held.Err() == nil {
		fmt.Println(time.Now().UnixNano())
		time.Sleep(time.Millisecond)
	}
	fmt.Println("lost")
}

// A process that is stopped with a lock, and wakes when another one has it, knows that
// at once: between what it last did and the next holder are lease and fence.
func TestStoppedHolder(t *testing.T) {
	s, _ := newStage(t, licensingtest.NewTenant())
	js := connect(t.Fatal)
	defer js.Conn().Close()
	var bucket jetstream.KeyValue
	for {
		var err error
		if bucket, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "locks"}); err == nil {
			break
		}
	}
	holder := exec.Command(os.Args[0])
	holder.Env = append(slices.Clone(s.env), "FLEET_PROCESS=locker")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer holder.Process.Kill()
	said := bufio.NewScanner(out)
	said.Scan() // it has the lock
	holder.Process.Signal(syscall.SIGSTOP)
	held, lock, err := fleet.NewLockerOf(bucket, leaseTime, fenceTime).Lock(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	given := time.Now()
	holder.Process.Signal(syscall.SIGCONT)
	last, lost := time.Time{}, false
	for more := true; more; more = said.Scan() {
		if lost = said.Text() == "lost"; !lost {
			n, err := strconv.ParseInt(said.Text(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			last = time.Unix(0, n)
		}
	}
	if !lost || given.Sub(last) < fenceTime {
		t.Errorf("lost: %t; it was held %v before another had it", lost, given.Sub(last))
	}
	if err := lock.Unlock(t.Context(), nil); err != nil || held.Err() == nil {
		t.Error(err)
	}
}

// Two clients that share a locker undo nothing of each other, though reads lag.
func TestLockerHandsEditsOn(t *testing.T) {
	t.Parallel()
	bucket := newBucket(t, newStream(t))
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1, Plans: make([]licensingtest.Plan, 2)})
	u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: []licensingtest.License{{SKUID: sku.ID}}})
	tenant.SetReadLag(time.Hour)
	for _, plan := range sku.Plans {
		c := tenant.Client(licensing.WithLocker(fleet.NewLocker(bucket, 0)))
		if _, err := c.UpdateUserServicePlans(t.Context(), u.ID, sku.ID, licensing.ServicePlanChange{Disable: []uuid.UUID{plan.ID}}); err != nil {
			t.Fatal(err)
		}
	}
	if now, _ := tenant.User(u.ID); len(now.Licenses[0].DisabledPlans) != 2 {
		t.Errorf("licenses are %v", now.Licenses)
	}
}
