package licensing

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// A sameAnswer answers batches with the same bytes, and nothing else at all.
type sameAnswer struct {
	status int
	body   []byte

	mu      sync.Mutex
	batches int
	alone   int
}

func (f *sameAnswer) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.HasSuffix(req.URL.Path, "/$batch") {
		f.alone++
		return nil, io.ErrUnexpectedEOF
	}
	f.batches++
	req.Body.Close()
	h := http.Header{"Content-Type": {"application/json"}}
	return newResponse(f.status, h, f.body), nil
}

// FuzzBatchAnswer has any bytes for the answer to a batch. Each operation gets
// one verdict, and is done only where there is a success with its id.
func FuzzBatchAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"responses":[{"id":"1","status":200,"body":{}},{"id":"2","status":204},{"id":"3","status":404,"body":{"error":{"code":"x"}}}]}`,
		`{"responses":null}`,
		`{"responses":[{"id":"2","status":200,"headers":{"RETRY-after":3,"x":[1]},"body":"e30="},{"id":"2","status":200},{"id":"01"},null,7]}`,
		`{"responses":[{"id":"1","status":302,"headers":{"location":"http://%zz"}},{"id":"2","status":429,"headers":{"Retry-After":1e9}},{"id":"4","status":1000}]}`,
		`{"error":{},"responses":[{"id":"1","status":200,"body":{}}]}`,
		`<html>`,
		``,
	} {
		f.Add([]byte(seed), 200, 3)
	}
	f.Add([]byte(`{"error":{"code":"BadRequest"}}`), 400, 5)
	f.Add([]byte(`{"error":{"code":"TooManyRequests"}}`), 429, 2)
	f.Fuzz(func(t *testing.T, body []byte, status, n int) {
		if n < 2 || n > maxBatch || status < 100 || status > 999 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			server := &sameAnswer{status: status, body: body}
			c, err := NewClient(StaticToken("t"), WithHTTPClient(&http.Client{Transport: server}), WithRetryPolicy(RetryPolicy{MaxAttempts: 1}))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			input := func(yield func(Operation) bool) {
				for i := range n {
					yield(Operation{Kind: OperationReprocessUser, Target: "user" + strconv.Itoa(i)})
					synctest.Wait() // so that they are in order
				}
			}
			verdicts := make([]int, n)
			for r := range c.Bulk(ctx, input, BulkOptions{}) {
				verdicts[r.Index]++
				if r.Done() && (status/100 != 2 || !succeeds(body, r.Index+1)) {
					t.Errorf("operation %d is done by %q", r.Index, body)
				}
				if r.Done() != (r.User != nil) {
					t.Errorf("operation %d: done %v, user %v", r.Index, r.Done(), r.User)
				}
				if r.Err == nil && !r.Done() {
					t.Errorf("operation %d failed without an error", r.Index)
				}
			}
			if slices.ContainsFunc(verdicts, func(n int) bool { return n != 1 }) {
				t.Errorf("the operations have %v verdicts", verdicts)
			}
		})
	})
}

// succeeds reports whether an answer has a success with this id, as read in
// another way than by the package.
func succeeds(body []byte, id int) bool {
	var any struct {
		Responses []json.RawMessage
	}
	var loose struct{ Responses json.RawMessage }
	if json.Unmarshal(body, &any) != nil && json.Unmarshal(body, &loose) != nil {
		return false
	}
	for _, raw := range any.Responses {
		var item struct {
			ID     json.RawMessage
			Status json.Number
		}
		if json.Unmarshal(raw, &item) != nil {
			continue
		}
		var text string
		if status, err := item.Status.Int64(); err == nil && status/100 == 2 && json.Unmarshal(item.ID, &text) == nil && text == strconv.Itoa(id) {
			return true
		}
	}
	return false
}

// A batch that can be neither made nor sent is one that was not sent.
func TestBatchIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &sameAnswer{status: 200, body: []byte(`{}`)}
		c, err := NewClient(StaticToken("t"), WithHTTPClient(&http.Client{Transport: server}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		b := newBatcher(ctx, ctx, c, maxBatch, func(*call) *keptBack { return nil })
		var parcels []*parcel
		for _, name := range []string{"a", "b"} {
			op, err := c.newReprocess(ctx, "op", userObject(name))
			if err != nil {
				t.Fatal(err)
			}
			closed := false
			req, _ := http.NewRequest("POST", "https://graph.test", nil)
			req.Body = closer{strings.NewReader("x"), &closed}
			parcels = append(parcels, &parcel{call: op, req: req, answer: make(chan delivery, 1)})
			defer func() {
				if !closed {
					t.Error("a body is open")
				}
			}()
		}
		cancel() // between the pacer's permission and the request
		b.send(parcels, pass{})
		for _, p := range parcels {
			d := <-p.answer
			if kept, ok := d.err.(*keptBack); !ok || kept.cause != context.Canceled || d.resp != nil {
				t.Errorf("delivered %+v", d)
			}
		}
		b.send(nil, pass{})
		if server.batches+server.alone != 0 {
			t.Error("something was sent")
		}
	})
}

// What comes to the queue too late is not put into it.
func TestBatchQueueIsClosed(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	why := &keptBack{kind: ErrStopped, cause: ErrStopped}
	for name, test := range map[string]struct {
		queue    context.Context
		attempts int
		veto     *keptBack
		want     error // nil: it is queued
	}{
		"ended":              {ended, 0, nil, context.Canceled},
		"ended, sent before": {ended, 1, nil, context.Canceled},
		"stopped":            {t.Context(), 0, why, ErrStopped},
		"open":               {t.Context(), 0, nil, nil},
		"sent before":        {t.Context(), 1, why, nil},
	} {
		b := newBatcher(t.Context(), test.queue, nil, maxBatch, func(*call) *keptBack { return test.veto })
		p := &parcel{call: &call{attempts: test.attempts}, req: new(http.Request), answer: make(chan delivery, 1)}
		b.enqueue(p)
		select {
		case d := <-p.answer:
			if kept, ok := d.err.(*keptBack); !ok || kept.cause != test.want {
				t.Errorf("%s: delivered %+v", name, d)
			}
		default:
			if test.want != nil || len(b.again)+len(b.fresh) != 1 || len(b.again) != min(test.attempts, 1) {
				t.Errorf("%s: %d and %d are queued", name, len(b.again), len(b.fresh))
			}
		}
	}
}

// What was sent before goes first, and in a batch as in any.
func TestBatchTakesWhatWasSentFirst(t *testing.T) {
	t.Parallel()
	b := newBatcher(t.Context(), t.Context(), nil, 3, func(*call) *keptBack { return nil })
	for _, attempts := range []int{0, 0, 1, 0, 2} {
		b.enqueue(&parcel{call: &call{attempts: attempts}})
	}
	for _, want := range [][]int{{1, 2, 0}, {0, 0}, nil} {
		var got []int
		for _, p := range b.take() {
			got = append(got, p.call.attempts)
		}
		if !slices.Equal(got, want) {
			t.Errorf("took calls of %v attempts, want %v", got, want)
		}
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }
