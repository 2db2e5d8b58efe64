package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/graphlicensing/licensing"
)

// NewLocker returns a locker for [licensing.WithLocker] that keeps locks and notes
// in a bucket. It is for writes of several processes outside of a run. Fence is how
// long a request of a process that died may still land: the sum of AttemptTimeout
// and Fence of the client's RetryPolicy. 0 means 3 min, which fits the default
// policy.
//
// A lock is a lease of ten seconds that its holder renews. The holder checks the
// lease before each attempt, so a process that was suspended sends nothing more
// after it lost the lease. Another process gets the lock when it has seen no
// renewal for the lease and the fence together. It measures this with its own
// clock, so clocks need not agree.
//
// The bucket must keep an entry for at least ten minutes after its last change. A
// TTL of an hour keeps the bucket small; the TTL must be longer than the fence. The
// keys are ids of users and groups. Use the bucket for locks only.
func NewLocker(bucket jetstream.KeyValue, fence time.Duration) licensing.Locker {
	return newLocker(bucket, 10*time.Second, fence)
}

func newLocker(bucket jetstream.KeyValue, length, fence time.Duration) *locker {
	if fence == 0 {
		fence = 3 * time.Minute
	}
	return &locker{bucket, record{Version: version, Lease: length, Fence: fence}}
}

type locker struct {
	bucket jetstream.KeyValue
	record record
}

// A lockRecord is a lock in the bucket. Over says that nobody has it.
type lockRecord struct {
	record
	Holder string `json:"holder,omitzero"`
	Note   []byte `json:"note,omitzero"`
}

// A lock is one that was given.
type lock struct {
	locker   *locker
	key      string
	lease    *lease
	record   lockRecord
	revision uint64
	renewed  chan struct{} // closed when nothing renews it any more
	stop     context.CancelFunc
}

// Lock waits until nobody has the lock, or until ctx ends.
func (l *locker) Lock(ctx context.Context, key string) (context.Context, licensing.Lock, error) {
	if l.bucket == nil {
		return nil, nil, errors.New("fleet: the locker has no bucket")
	}
	mine := lockRecord{record: l.record, Holder: nuid.Next()}
	for seen := (sighting{}); ; {
		var err error
		if seen, err = l.see(ctx, key, seen, &mine); err != nil {
			return nil, nil, err
		}
		if seen.Over || seen.lapsed() {
			at := time.Now()
			revision, err := l.put(ctx, key, mine, seen.revision)
			if err == nil {
				held, k := l.hold(ctx, key, mine, revision, at)
				return held, k, nil
			}
			if !refused(err) && !errors.Is(err, jetstream.ErrKeyExists) {
				return nil, nil, err
			}
		}
		if err := sleep(ctx, lockTime); err != nil {
			return nil, nil, err
		}
	}
}

const lockTime = 100 * time.Millisecond // between two looks at a lock that somebody has

// see looks at a lock, and takes its note over.
func (l *locker) see(ctx context.Context, key string, before sighting, mine *lockRecord) (sighting, error) {
	entry, err := l.bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return sighting{record: record{Over: true}}, nil
	}
	if err != nil {
		return before, err
	}
	var r lockRecord
	if err := json.Unmarshal(entry.Value(), &r); err != nil || r.Version != version {
		return before, errors.Join(errors.New("fleet: the entry is not a lock, or has an unknown version"), err)
	}
	mine.Note = r.Note
	if entry.Revision() == before.revision {
		return before, nil
	}
	return sighting{r.record, entry.Revision(), time.Now()}, nil
}

// put stores a lock after the revision that is known.
func (l *locker) put(ctx context.Context, key string, r lockRecord, revision uint64) (uint64, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if revision == 0 {
		return l.bucket.Create(ctx, key, data)
	}
	return l.bucket.Update(ctx, key, data, revision)
}

// hold renews a lock that was given until it is given up or lost.
func (l *locker) hold(ctx context.Context, key string, r lockRecord, revision uint64, at time.Time) (context.Context, *lock) {
	k := &lock{locker: l, key: key, lease: newLease(ctx, l.record.Lease, at), record: r, revision: revision, renewed: make(chan struct{})}
	var renewing context.Context
	renewing, k.stop = context.WithCancel(k.lease)
	go func() {
		defer close(k.renewed)
		for sleep(renewing, l.record.Lease/4) == nil {
			k.renew()
		}
	}()
	return k.lease, k
}

func (k *lock) renew() {
	at := time.Now()
	revision, err := k.locker.put(k.lease, k.key, k.record, k.revision)
	if err == nil {
		k.revision = revision
		k.lease.renew(at)
	} else if refused(err) && !k.adopt() {
		k.lease.end(errLapsed)
	}
}

// adopt finds out whether the lock is still this holder's, as after a renewal whose
// answer was lost.
func (k *lock) adopt() bool {
	entry, err := k.locker.bucket.Get(k.lease, k.key)
	if err != nil {
		return true // nothing is known: the lease ends by itself
	}
	var r lockRecord
	if json.Unmarshal(entry.Value(), &r) != nil || r.Holder != k.record.Holder || r.Over {
		return false
	}
	k.revision = entry.Revision()
	return true
}

// Note returns what the last holder left.
func (k *lock) Note() []byte { return append([]byte{}, k.record.Note...) }

// Unlock gives the lock up, and leaves a note. It fails where the lock was lost.
func (k *lock) Unlock(ctx context.Context, note []byte) error {
	k.stop()
	<-k.renewed
	defer k.lease.end(errOver)
	free := k.record
	free.Over, free.Note = true, note
	for {
		if k.lease.Err() != nil {
			return context.Cause(k.lease)
		}
		_, err := k.locker.put(ctx, k.key, free, k.revision)
		if err == nil {
			return nil
		}
		if refused(err) && !k.adopt() {
			return errLapsed
		}
		if sleep(ctx, lockTime) != nil {
			return err
		}
	}
}
