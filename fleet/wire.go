package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"github.com/graphlicensing/licensing"
)

const (
	version    = 1   // of what is stored
	partitions = 16  // of a run; a number of version 1
	batchSize  = 256 // messages that are read at a time
	batchBytes = 4 << 20
	askTime    = 5 * time.Second // for one request to the server
)

// A store is where a run is.
type store struct {
	js  jetstream.JetStream
	run string
}

var runName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func newStore(js jetstream.JetStream, run string) (store, error) {
	switch {
	case js == nil:
		return store{}, errors.New("fleet: JetStream is nil")
	case !runName.MatchString(run):
		return store{}, fmt.Errorf("fleet: the name of the run, %q, is not 1 to 64 letters, digits, - and _", run)
	}
	return store{js, run}, nil
}

// The operations of a run are a stream: the one with the index i is the message
// with the sequence i+1, and the end comes after the last. Its log is another: each
// partition has a subject there, of whose entries the last says where it stands. A
// bucket has the sessions of the workers.
func (s store) operations() string           { return "fleet-" + s.run + "-operations" }
func (s store) log() string                  { return "fleet-" + s.run + "-log" }
func (s store) bucket() string               { return "fleet-" + s.run + "-sessions" }
func (s store) operation(part string) string { return "fleet." + s.run + ".operation." + part }
func (s store) end() string                  { return "fleet." + s.run + ".end" }
func (s store) entry(part string) string     { return "fleet." + s.run + ".log." + part }

// create makes what of the run is not there yet.
func (s store) create(ctx context.Context) error {
	for _, c := range []jetstream.StreamConfig{
		{Name: s.operations(), Subjects: []string{s.operation("*"), s.end()}},
		{Name: s.log(), Subjects: []string{s.entry("*")}},
	} {
		c.AllowDirect, c.DenyDelete, c.Storage = true, true, jetstream.FileStorage
		if _, err := s.js.CreateStream(ctx, c); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
	}
	_, err := s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: s.bucket(), Storage: jetstream.FileStorage})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return nil
	}
	return err
}

// A message is an operation as it is stored.
type message struct {
	Version   int                 `json:"version"`
	Operation licensing.Operation `json:"operation"`
}

// An ending says what was published, when everything was.
type ending struct {
	Version int             `json:"version"`
	Counts  [partitions]int `json:"counts"` // operations by partition
	Digest  []byte          `json:"digest"` // of all of them
}

func (e *ending) total() (n int) {
	for _, c := range e.Counts {
		n += c
	}
	return n
}

// A position says in full where a partition stands.
type position struct {
	Version int    `json:"version"`
	Number  int    `json:"number"`           // of the entry, from 1
	Owner   string `json:"owner,omitzero"`   // the session that works on the partition, if one does
	Read    int    `json:"read"`             // operations below this index were taken in
	Begun   []int  `json:"begun,omitzero"`   // those without a result that may have been sent
	Waiting []int  `json:"waiting,omitzero"` // and those that were not
	// Left are objects with an operation that ended unknown for good: nothing more is
	// sent about them.
	Left []string `json:"left,omitzero"`
	// Fences are objects for which a request may still land, and for how long from the
	// entry on, in ns: until then no other write to them is begun.
	Fences map[string]time.Duration  `json:"fences,omitzero"`
	Counts map[licensing.Outcome]int `json:"counts,omitzero"` // results so far
}

// An entry is what a partition's log is made of: a position, and what is new.
type entry struct {
	position
	Results []licensing.OperationResult `json:"results,omitzero"` // by their index in the run
}

// results returns how many results the partition has.
func (e *position) results() (n int) {
	for _, c := range e.Counts {
		n += c
	}
	return n
}

// A storedError is what is wrong with something that is stored, which no waiting
// mends.
type storedError struct {
	at  *jetstream.RawStreamMsg
	err error
}

func (e *storedError) Error() string {
	return fmt.Sprintf("fleet: message %d of %s: %v", e.at.Sequence, e.at.Subject, e.err)
}

func (e *storedError) Unwrap() error { return e.err }

// decode reads what is stored, of this version.
func decode[T any](m *jetstream.RawStreamMsg) (*T, error) {
	var v struct{ Version int }
	into := new(T)
	err := json.Unmarshal(m.Data, &v)
	if err == nil && v.Version != version {
		err = fmt.Errorf("it has version %d, but this program knows version %d", v.Version, version)
	}
	if err == nil {
		err = json.Unmarshal(m.Data, into)
	}
	if err != nil {
		return nil, &storedError{m, err}
	}
	return into, nil
}

// read returns messages of a stream from a sequence on. None, or few, do not say
// that there are no more.
func (s store) read(ctx context.Context, stream, subject string, from uint64, most int) ([]*jetstream.RawStreamMsg, error) {
	return collect(ctx, func(ctx context.Context) (seq, error) {
		return jetstreamext.GetBatch(ctx, s.js, stream, most,
			jetstreamext.GetBatchSubject(subject), jetstreamext.GetBatchSeq(from), jetstreamext.GetBatchMaxBytes(batchBytes))
	})
}

// latest returns the position of each partition that has one.
func (s store) latest(ctx context.Context) (map[string]*position, map[string]uint64, error) {
	all, err := collect(ctx, func(ctx context.Context) (seq, error) {
		return jetstreamext.GetLastMsgsFor(ctx, s.js, s.log(), []string{s.entry("*")})
	})
	if err != nil {
		return nil, nil, err
	}
	entries, at := make(map[string]*position), make(map[string]uint64)
	for _, m := range all {
		e, err := decode[position](m)
		if err != nil {
			return nil, nil, err
		}
		part := strings.TrimPrefix(m.Subject, s.entry(""))
		entries[part], at[part] = e, m.Sequence
	}
	return entries, at, nil
}

type seq = func(yield func(*jetstream.RawStreamMsg, error) bool)

// collect asks for messages, and returns those that come.
func collect(ctx context.Context, ask func(context.Context) (seq, error)) (all []*jetstream.RawStreamMsg, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answers, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	answers(func(m *jetstream.RawStreamMsg, e error) bool {
		if e == nil {
			all = append(all, m)
		} else if !errors.Is(e, jetstreamext.ErrNoMessages) {
			err = e
		}
		return e == nil
	})
	return all, err
}

// ending returns the end of the operations, nil before it is published.
func (s store) ending(ctx context.Context) (*ending, error) {
	stream, err := s.js.Stream(ctx, s.operations())
	if err != nil {
		return nil, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, s.end())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decode[ending](m)
}

// object returns a name for what an operation is about.
func object(o licensing.Operation) string {
	kind := "user "
	if o.Kind == licensing.OperationAssignGroup {
		kind = "group "
	}
	return kind + strings.ToLower(o.Target)
}

// partition returns which partition an object is in.
func partition(object string) int {
	h := fnv.New64a()
	h.Write([]byte(object))
	return int(h.Sum64() % partitions)
}

// refused reports whether something was not stored since something else was.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}
