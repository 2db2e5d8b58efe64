package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// A session is a worker's part in a run, as long as its lease lasts. Whoever lost it
// begins another one, under another name.
//
// A partition belongs to the session that its last entry names. It can be taken over
// when that session is over, which is an entry of the bucket that nothing renews: a
// session ends itself, or it is ended by whoever saw no renewal for its lease and its
// fence. Each entry of a log has to follow the last one that its writer knows, so
// that a session whose partition was taken over can store nothing more.
type session struct {
	store
	id       string
	lease    *lease
	record   record
	bucket   jetstream.KeyValue
	revision uint64 // of the record in the bucket
	desk     *desk

	seen  map[string]*sighting // the other sessions
	owned map[int]*part
	exits chan *part
	done  sync.WaitGroup

	completed bool // the run is

	ending *ending
	last   uint64 // message of the operations that there is
}

// open begins a session.
func (w *Worker) open(ctx context.Context, s store) (*session, error) {
	bucket, err := s.js.KeyValue(ctx, s.bucket())
	if err != nil {
		return nil, err
	}
	n := &session{
		store: s, id: nuid.Next(), bucket: bucket,
		record: record{Version: version, Lease: w.Lease, Fence: w.Fence},
		seen:   make(map[string]*sighting), owned: make(map[int]*part), exits: make(chan *part, partitions),
	}
	at := time.Now()
	data, err := json.Marshal(n.record)
	if err != nil {
		return nil, err
	}
	if n.revision, err = bucket.Create(ctx, n.id, data); err != nil {
		return nil, err
	}
	n.lease = newLease(context.WithoutCancel(ctx), w.Lease, at)
	return n, nil
}

// keep holds the lease and a fair share of the partitions until the run is complete,
// quit is closed, or the lease is lost. In the end it gives up what it can.
func (s *session) keep(quit <-chan struct{}) {
	defer s.desk.close()
	every := max(s.record.Lease/5, 10*time.Millisecond)
	for next := time.Duration(0); s.lease.Err() == nil; next = every {
		if s.ending == nil {
			next = min(next, 250*time.Millisecond)
		}
		select {
		case <-time.After(next):
		case p := <-s.exits:
			delete(s.owned, p.number)
		case <-s.lease.Done():
			continue
		case <-quit:
			s.quit(every)
			return
		}
		complete, err := s.look()
		if complete {
			s.completed = true
			s.quit(every)
			return
		}
		if errors.As(err, new(*storedError)) {
			s.desk.fail(err)
		}
	}
}

// quit gives up the partitions, which waits for what is under way, and the session.
func (s *session) quit(every time.Duration) {
	s.desk.close()
	for _, p := range s.owned {
		p.leave()
	}
	for len(s.owned) > 0 && s.lease.Err() == nil {
		select {
		case p := <-s.exits:
			delete(s.owned, p.number)
		case <-time.After(every):
			s.renew()
		case <-s.lease.Done():
		}
	}
	if s.lease.Err() != nil {
		return
	}
	over := s.record
	over.Over = true
	_, _ = s.put(s.id, over, s.revision) // else it is found out
	s.lease.end(errOver)
}

var errOver = errors.New("fleet: the session is over")

// patience is how long the server is waited for: an answer that is lost must not cost
// the lease.
func (s *session) patience() time.Duration { return min(askTime, s.record.Lease/4) }

// put stores a session's record, unless that is another one by now.
func (s *session) put(id string, r record, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(s.lease.Context, s.patience())
	defer cancel()
	data, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	return s.bucket.Update(ctx, id, data, revision)
}

// renew renews the lease. Only who ends the session writes to its record besides.
func (s *session) renew() {
	at := time.Now()
	revision, err := s.put(s.id, s.record, s.revision)
	switch {
	case err == nil:
		s.revision = revision
		s.lease.renew(at)
	case refused(err): // by its end, or by a renewal whose answer was lost
		if entry, err := s.bucket.Get(s.lease.Context, s.id); err == nil {
			var r record
			if err := json.Unmarshal(entry.Value(), &r); err != nil || r.Over {
				s.lease.end(errLapsed)
			}
			s.revision = entry.Revision()
		}
	}
}

// look renews the lease, looks around, and reports whether the run is complete.
func (s *session) look() (complete bool, err error) {
	s.renew()
	ctx, cancel := context.WithTimeout(s.lease, s.patience())
	defer cancel()
	if err := s.sight(ctx); err != nil {
		return false, err
	}
	if s.ending == nil {
		stream, err := s.js.Stream(ctx, s.operations())
		if err != nil {
			return false, err
		}
		s.last = stream.CachedInfo().State.LastSeq
		if s.ending, err = s.store.ending(ctx); err != nil {
			return false, err
		}
	}
	entries, at, err := s.latest(ctx)
	if err != nil {
		return false, err
	}
	open := 0
	var free []int
	for i := range partitions {
		e := entries[strconv.Itoa(i)]
		if e == nil {
			e = new(position)
		}
		if s.complete(i, e) {
			continue
		}
		open++
		if s.owned[i] == nil && s.free(e.Owner) {
			free = append(free, i)
		}
	}
	if open == 0 {
		return true, nil
	}
	share := (open + s.living() - 1) / s.living()
	rand.Shuffle(len(free), func(i, j int) { free[i], free[j] = free[j], free[i] })
	for _, i := range free[:max(0, min(len(free), share-len(s.owned)))] {
		name := strconv.Itoa(i)
		if err := s.claim(ctx, i, entries[name], at[name]); err != nil && !refused(err) {
			return false, err
		}
	}
	s.shed(len(s.owned) - share)
	for _, p := range s.owned {
		count := -1
		if s.ending != nil {
			count = s.ending.Counts[p.number]
		}
		p.plan(s.last, count, s.desk.room/len(s.owned))
	}
	return false, nil
}

// complete reports whether a partition has all its results.
func (s *session) complete(i int, e *position) bool {
	return s.ending != nil && e.results() == s.ending.Counts[i]
}

// sight looks at the other sessions, and ends those whose time is over.
func (s *session) sight(ctx context.Context) error {
	keys := "$KV." + s.bucket.Bucket() + "."
	all, err := collect(ctx, func(ctx context.Context) (seq, error) {
		return jetstreamext.GetLastMsgsFor(ctx, s.js, "KV_"+s.bucket.Bucket(), []string{keys + ">"})
	})
	if err != nil {
		return err
	}
	for _, m := range all {
		r, err := decode[record](m)
		if err != nil {
			return err
		}
		id := strings.TrimPrefix(m.Subject, keys)
		if old := s.seen[id]; old == nil || old.revision < m.Sequence {
			s.seen[id] = &sighting{*r, m.Sequence, time.Now()}
		}
	}
	for id, other := range s.seen {
		if id == s.id || other.Over || !other.lapsed() {
			continue
		}
		r := other.record
		r.Version, r.Over = version, true
		switch revision, err := s.put(id, r, other.revision); {
		case err == nil:
			s.seen[id] = &sighting{r, revision, time.Now()}
		case refused(err):
			other.at = time.Now() // it lives, as the next look shows
		default:
			return err
		}
	}
	return nil
}

// free reports whether nobody has what a session owned.
func (s *session) free(owner string) bool {
	if owner == "" {
		return true
	}
	if s.seen[owner] == nil { // nothing is known of it: its time begins now
		s.seen[owner] = &sighting{record: s.record, at: time.Now()}
	}
	return s.seen[owner].Over
}

// living returns how many sessions share the run.
func (s *session) living() int {
	n := 1
	for id, other := range s.seen {
		if id != s.id && !other.Over && other.revision > 0 {
			n++
		}
	}
	return n
}

// shed gives up partitions that are more than the share, those first that are given
// up already.
func (s *session) shed(more int) {
	for _, first := range []bool{true, false} {
		for _, p := range s.owned {
			if more > 0 && p.given() == first {
				p.leave()
				more--
			}
		}
	}
}

// claim takes a partition whose last entry is e, nil if there is none.
func (s *session) claim(ctx context.Context, number int, e *position, at uint64) error {
	p := &part{session: s, number: number, at: at, wake: make(chan struct{}, 1), tasks: make(map[int]*task), fences: make(map[string]time.Time)}
	if e != nil {
		p.entry.position = *e
		for object, left := range e.Fences {
			p.fences[object] = time.Now().Add(left)
		}
	}
	claimed := p.entry
	claimed.Owner = s.id
	if err := p.append(ctx, claimed); err != nil {
		return err
	}
	s.owned[number] = p
	s.done.Go(func() {
		defer func() { s.exits <- p }()
		switch err := p.work(); {
		case refused(err): // somebody else has it
			s.lease.end(errLapsed)
		case err != nil && s.lease.Err() == nil:
			s.desk.fail(err)
		}
	})
	return nil
}

// numbers returns the sorted indexes of tasks for which is holds.
func numbers(tasks map[int]*task, is func(*task) bool) (list []int) {
	for i, t := range tasks {
		if is(t) {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
}
