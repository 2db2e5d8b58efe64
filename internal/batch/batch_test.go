package batch

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/pace"
)

// A server answers each request by its function, and keeps what it was sent.
type server struct {
	answer func(path, body string) (status int, answer string)
	mu     sync.Mutex
	paths  []string
	bodies []string
	ids    []string
}

func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	s.mu.Lock()
	s.ids = append(s.ids, req.Header.Get("Client-Request-Id"))
	s.paths, s.bodies = append(s.paths, req.URL.Path), append(s.bodies, string(body))
	s.mu.Unlock()
	status, answer := s.answer(req.URL.Path, string(body))
	h := http.Header{"Content-Type": {"application/json"}, "Request-Id": {"r"}, "Date": {"Fri, 02 Jan 2026 03:04:05 GMT"}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer))}, nil
}

func newService(t testing.TB, rt http.RoundTripper) *graph.Service {
	root, err := url.Parse("https://graph.test/v1.0")
	if err != nil {
		t.Fatal(err)
	}
	policy := graph.Policy{}.WithDefaults()
	return graph.New(graph.Config{
		Root:       root,
		Tokens:     func(context.Context) (string, error) { return "t", nil },
		HTTPClient: http.Client{Transport: rt},
		Policy:     policy,
		Pacer:      pace.New(20, 3000, policy.MaxWait),
		Foreign:    func(err error) error { return err },
	})
}

func request(name string) *graph.Request {
	return &graph.Request{
		Op: "write", Object: graph.User(name), Method: http.MethodPost, Action: "/act", ID: name,
		Into: anything{},
	}
}

// anything reads any body.
type anything struct{}

func (anything) Read([]byte) error           { return nil }
func (anything) Items() int                  { return 0 }
func (anything) Identity() (id, name string) { return "", "" }
func (anything) Shows([]byte) graph.Sign     { return graph.Certain }

// run sends one request of each name by members of a batcher, in their order, and
// returns what each came to.
func run(t *testing.T, service *graph.Service, size int, names ...string) map[string]graph.Answer {
	t.Helper()
	b := newBatcher(t.Context(), t.Context(), service, size, time.Minute)
	var members, worker sync.WaitGroup
	worker.Go(func() { b.Work(died) })
	answers := make([]graph.Answer, len(names))
	for i, name := range names {
		m := b.Join(func() error { return nil })
		members.Go(func() {
			defer m.Leave()
			answers[i] = service.SendBy(t.Context(), request(name), m.Carry)
		})
		synctest.Wait()
	}
	b.Full()
	members.Wait()
	b.End()
	worker.Wait()
	byName := make(map[string]graph.Answer)
	for i, name := range names {
		byName[name] = answers[i]
	}
	return byName
}

// died panics: no worker dies in these tests.
func newBatcher(ctx, waiting context.Context, service *graph.Service, size int, outage time.Duration) *Batcher {
	return New(ctx, waiting, service, service.Writes(), size, outage)
}

func died(any) { panic("a worker died") }

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

// Each request in a batch has its own answer, by its number, and is judged and
// repeated by itself.
func TestEachHasItsOwnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		round := 0
		s := &server{answer: func(path, body string) (int, string) {
			if round++; round == 1 {
				return 200, `{"responses":[
					{"id":"3","status":503,"headers":{"retry-after":"2"}},
					{"id":"1","status":200,"headers":{"request-id":"own"},"body":{"id":"x"}},
					{"id":"2","status":404,"body":{"error":{"code":"Request_ResourceNotFound"}}}]}`
			}
			return 200, `{"id":"x"}`
		}}
		got := run(t, newService(t, s), Most, "a", "b", "c")
		want := `{"requests":[` +
			`{"id":"1","method":"POST","url":"/users/a/act","headers":{"Content-Type":"application/json"},"body":{}},` +
			`{"id":"2","method":"POST","url":"/users/b/act","headers":{"Content-Type":"application/json"},"body":{}},` +
			`{"id":"3","method":"POST","url":"/users/c/act","headers":{"Content-Type":"application/json"},"body":{}}]}`
		if s.bodies[0] != want {
			t.Errorf("the batch is %s\nwant %s", s.bodies[0], want)
		}
		if a := got["a"]; !a.Good() || a.RequestID() != "own" || a.Header.Get("Date") == "" {
			t.Errorf("a: %+v", a)
		}
		if a := got["b"]; a.Status != 404 || a.Outcome != graph.Permanent || a.Attempts != 1 || a.RequestID() != "r" {
			t.Errorf("b: %+v", a)
		}
		if s.ids[0] == "c" || s.ids[1] != "c" { // the batch has an id of its own, as a request by itself has
			t.Errorf("the client-request-ids are %q", s.ids)
		}
		if a := got["c"]; !a.Good() || a.Attempts != 2 || !a.Doubted || s.paths[1] != "/v1.0/users/c/act" {
			t.Errorf("c: %+v after %v", a, s.paths)
		}
	})
}

// Each request counts as refused for its frequency that will be sent again for that.
func TestThrottledInABatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		responses string
		want      int
	}{
		"none":         {`{"id":"1","status":200},{"id":"2","status":404},{"id":"3","status":503}`, 0},
		"by status":    {`{"id":"1","status":429},{"id":"2","status":509},{"id":"3","status":503}`, 2},
		"by code":      {`{"id":"1","status":503,"body":{"error":{"code":"TooManyRequests"}}},{"id":"2","status":200,"body":{"error":{"code":"TooManyRequests"}}}`, 1},
		"twice":        {`{"id":"1","status":429},{"id":"1","status":429},{"id":"2","status":429}`, 1},
		"others":       {`{"id":"4","status":429},{"id":"x","status":429}`, 0},
		"left out":     {``, 0},
		"unreadable":   {`{"id":"1","status":"429"},{"id":"2","status":429}`, 1},
		"out of range": {`{"id":"1","status":1429}`, 0},
	} {
		c := contents{asked: 3}
		if err := c.Read([]byte(`{"responses":[` + test.responses + `]}`)); err != nil {
			t.Fatal(err)
		}
		if got, of := c.Throttled(); got != test.want || of != 3 {
			t.Errorf("%s: got %d of %d, want %d", name, got, of, test.want)
		}
	}
}

// Of an error's body in a batch no more is kept than of one by itself.
func TestErrorBodiesAreCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		long := strings.Repeat("x", 300<<10)
		s := &server{answer: func(string, string) (int, string) {
			return 200, `{"responses":[{"id":"1","status":400,"body":{"error":{"code":"c","message":"` + long + `"}}},{"id":"2","status":404,"body":"<` + long + `>"}]}`
		}}
		for name, a := range run(t, newService(t, s), Most, "a", "b") {
			if len(a.Body) != 64<<10 || cap(a.Body) > 65<<10 || len(a.Problem().Message) > 64<<10 || a.Outcome != graph.Permanent {
				t.Errorf("%s: %d bytes of %d, a message of %d, %v", name, len(a.Body), cap(a.Body), len(a.Problem().Message), a.Outcome)
			}
		}
	})
}

// What a batch came to as a whole, each request in it came to.
func TestABatchThatFailsAsAWhole(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		answer  string
		outcome graph.Outcome
	}{
		"forbidden":      {403, `{"error":{"code":"x"}}`, graph.Permanent},
		"no answer to a": {200, `{"responses":[{"id":"2","status":403,"body":{"error":{}}}]}`, graph.Doubtful},
		"two answers":    {200, `{"responses":[{"id":"2","status":403,"body":{"error":{}}},{"id":"1","status":200},{"id":"1","status":404}]}`, graph.Doubtful},
		"a portal":       {200, `<html>`, graph.Doubtful},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{}
				s.answer = func(path, _ string) (int, string) {
					if path != "/v1.0/$batch" {
						return 403, `{"error":{}}` // a is sent again by itself
					}
					return test.status, test.answer
				}
				b := newBatcher(t.Context(), t.Context(), newService(t, s), Most, time.Minute)
				parcels := []*parcel{{ctx: t.Context(), request: request("a"), answer: make(chan graph.Reply, 1)}, {ctx: t.Context(), request: request("b"), answer: make(chan graph.Reply, 1)}}
				pass := b.channel.Pacer().Unasked()
				if delivered, _ := b.send(parcels, pass); !delivered {
					t.Fatal("nothing was delivered")
				}
				r := <-parcels[0].answer
				if r.Pass != pass || r.Share == 0 {
					t.Errorf("a was replied %+v", r)
				}
				a := b.service.SendBy(t.Context(), request("a"), once(r))
				if a.Outcome != test.outcome {
					t.Errorf("a came to %+v", a)
				}
			})
		})
	}
}

// once carries one reply, and withholds what follows.
func once(r graph.Reply) graph.Carrier {
	carried := false
	return func(context.Context, *graph.Request, graph.Next) graph.Reply {
		if carried {
			return graph.Reply{Err: &graph.Withheld{Err: errors.New("enough")}}
		}
		carried = true
		return r
	}
}

// A batch that is refused for what is in it is sent in halves, and without
// $batch each request by itself.
func TestSplit(t *testing.T) {
	for status, want := range map[int][]int{
		400: {5, 2, 1, 1, 3, 1, 2, 1, 1},
		413: {5, 2, 1, 1, 3, 1, 2, 1, 1},
		404: {5, 1, 1, 1, 1, 1},
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sizes []int
				s := &server{answer: func(path, body string) (int, string) {
					n := max(1, strings.Count(body, `"method"`))
					sizes = append(sizes, n)
					if path == "/v1.0/$batch" && (n > 1 || status == 404) {
						return status, `{"error":{}}`
					}
					return 200, `{"id":"x"}`
				}}
				for name, a := range run(t, newService(t, s), Most, "a", "b", "c", "d", "e") {
					if !a.Good() || a.Attempts != 1 {
						t.Errorf("%s: %+v", name, a)
					}
				}
				if !slices.Equal(sizes, want) {
					t.Errorf("the batches had %v requests, want %v", sizes, want)
				}
			})
		})
	}
}

// A batch that can be neither made nor sent is one that was not sent.
func TestABatchIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		ctx, cancel := context.WithCancel(t.Context())
		b := newBatcher(ctx, ctx, newService(t, s), Most, time.Minute)
		cancel() // between the pacer's permission and the request
		for _, names := range [][]string{{"a", "b"}, {"c"}} {
			var parcels []*parcel
			for _, name := range names {
				parcels = append(parcels, &parcel{ctx: t.Context(), request: request(name), answer: make(chan graph.Reply, 1)})
			}
			b.send(parcels, pace.Pass{})
			for _, p := range parcels {
				r := <-p.answer
				if kept, ok := r.Err.(*graph.Withheld); ok {
					r.Err, r.Unsent = kept.Err, true
				}
				if r.Err != context.Canceled || !r.Unsent || r.Status != 0 {
					t.Errorf("delivered %+v", r)
				}
			}
		}
		if len(s.paths) != 0 {
			t.Error("something was sent")
		}
	})
}

// What comes to the queue too late is not put into it.
func TestTheQueueIsClosed(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	why := errors.New("stopped")
	for name, test := range map[string]struct {
		waiting context.Context
		first   bool
		veto    error
		want    error // nil: it is queued
	}{
		"ended":              {ended, true, nil, context.Canceled},
		"ended, sent before": {ended, false, nil, context.Canceled},
		"stopped":            {t.Context(), true, why, why},
		"open":               {t.Context(), true, nil, nil},
		"sent before":        {t.Context(), false, why, nil},
	} {
		b := newBatcher(t.Context(), test.waiting, newService(t, &server{}), Most, time.Minute)
		p := &parcel{ctx: t.Context(), first: test.first, veto: func() error { return test.veto }, answer: make(chan graph.Reply, 1)}
		b.queue.put(p)
		select {
		case r := <-p.answer:
			if kept, ok := r.Err.(*graph.Withheld); !ok || kept.Err != test.want {
				t.Errorf("%s: delivered %+v", name, r)
			}
		default:
			if test.want != nil || len(b.queue.fresh)+len(b.queue.again) != 1 || (len(b.queue.fresh) == 1) != test.first {
				t.Errorf("%s: %d and %d are queued", name, len(b.queue.again), len(b.queue.fresh))
			}
		}
	}
}

// What was sent before goes first, and in a batch as in any.
func TestWhatWasSentBeforeGoesFirst(t *testing.T) {
	t.Parallel()
	q := newQueue(3, func() *graph.Withheld { return nil })
	for i, first := range []bool{true, true, false, true, false} {
		q.put(&parcel{ctx: t.Context(), request: request(strconv.Itoa(i)), first: first, veto: func() error { return nil }})
	}
	for _, want := range []string{"240", "13", ""} {
		got := ""
		for _, p := range q.take(20, false) {
			got += p.request.ID
		}
		if got != want {
			t.Errorf("took %s, want %s", got, want)
		}
	}
}

// One by one, those that failed take turns with those that were not sent, unless it
// was for their frequency, and a batch has no more than it may.
func TestOneByOne(t *testing.T) {
	t.Parallel()
	for _, throttled := range []bool{false, true} {
		q := newQueue(3, func() *graph.Withheld { return nil })
		for i, first := range []bool{true, true, false, false, false} {
			q.put(&parcel{ctx: t.Context(), request: request(strconv.Itoa(i)), next: graph.Next{Throttled: throttled}, first: first, veto: func() error { return nil }})
		}
		got := ""
		for range 4 {
			for _, p := range q.take(1, false) {
				got += p.request.ID
			}
		}
		if want := map[bool]string{false: "2031", true: "2340"}[throttled]; got != want {
			t.Errorf("throttled %v: took %s, want %s", throttled, got, want)
		}
	}
}

// A worker does not go on before the members have drawn their conclusions, but
// waits for nobody who pauses.
func TestWorkersWaitForConclusions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		s := &server{answer: func(string, string) (int, string) {
			at = append(at, time.Since(start))
			return 200, `{"id":"x"}`
		}}
		service := newService(t, s)
		b := newBatcher(t.Context(), t.Context(), service, 1, time.Minute)
		var group sync.WaitGroup
		group.Go(func() { b.Work(died) })
		think, pause := b.Join(nil), b.Join(nil)
		var members sync.WaitGroup
		members.Go(func() {
			service.SendBy(t.Context(), request("a"), think.Carry)
			time.Sleep(time.Second) // of thought
			think.Leave()
		})
		synctest.Wait()
		members.Go(func() {
			service.SendBy(t.Context(), request("b"), pause.Carry)
			pause.Idle()
			time.Sleep(time.Second)
			service.SendBy(t.Context(), request("c"), pause.Carry)
			pause.Leave()
		})
		members.Wait()
		b.End()
		group.Wait()
		if want := []time.Duration{0, time.Second, 2 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("requests were made at %v, want %v", at, want)
		}
	})
}

// What is no longer wanted is taken out of the queue, unless it was sent before.
func TestSift(t *testing.T) {
	t.Parallel()
	var veto error
	q := newQueue(3, func() *graph.Withheld { return nil })
	fresh := &parcel{ctx: t.Context(), first: true, veto: func() error { return veto }, answer: make(chan graph.Reply, 1)}
	again := &parcel{ctx: t.Context(), veto: func() error { return veto }, answer: make(chan graph.Reply, 1)}
	q.put(fresh)
	q.put(again)
	veto = errors.New("enough")
	q.sift()
	if r := <-fresh.answer; r.Err.Error() != "enough" || len(q.fresh) != 0 || len(q.again) != 1 {
		t.Errorf("%v, and %d and %d are queued", r.Err, len(q.fresh), len(q.again))
	}
}

// A pacer that gives up ends all that is queued, with its reason.
func TestTheGateStaysClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{answer: func(string, string) (int, string) { return 200, `{"id":"x"}` }}
		service := newService(t, s)
		service.Writes().Pacer().Answered(service.Writes().Pacer().Unasked(), pace.Reply{Refused: true, Wait: time.Hour})
		for name, a := range run(t, service, Most, "a", "b") {
			if closed, ok := errors.AsType[*pace.GateError](a.Err); !ok || closed.After != time.Hour || a.After != time.Hour || a.Attempts != 0 {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if len(s.paths) != 0 {
			t.Error("something was sent")
		}
	})
}

// Whatever a batch is answered with, there is one reply to each request, and
// those in doubt say so.
func TestReplies(t *testing.T) {
	t.Parallel()
	var c contents
	if err := c.Read([]byte(`{"responses":[
		{"id":"2","status":200,"headers":{"RETRY-after":3,"x":"y"},"body":"e30="},
		{"id":"4","status":200,"body":null},{"id":"01","status":200},{"id":"x"},null,7,
		{"id":"1","status":99},{"id":"3","status":204}]}`)); err != nil {
		t.Fatal(err)
	}
	got, foreign := c.replies(3, http.Header{"Date": {"d"}, "Server": {"s"}})
	if foreign != 3 {
		t.Errorf("%d foreign answers", foreign)
	}
	if got[0].Err != errLeftOut || got[2].Status != 204 || got[2].Err != nil {
		t.Errorf("got %+v", got)
	}
	want := http.Header{"Retry-After": {"3"}, "X": {"y"}, "Date": {"d"}}
	if !maps.EqualFunc(got[1].Header, want, slices.Equal) || string(got[1].Body) != "{}" {
		t.Errorf("got %+v", got[1])
	}
}
