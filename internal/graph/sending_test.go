package graph

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/internal/pace"
)

// What a sending comes to: how it ends, and what is known of all its attempts.
func TestSend(t *testing.T) {
	t.Parallel()
	type known struct {
		outcome  Outcome
		status   int
		attempts int
		unsure   bool
		doubted  bool
		fenced   bool
	}
	for name, test := range map[string]struct {
		policy Policy
		steps  []step
		write  known
		reads  bool // the same goes for a read, without a doubt or fence
	}{
		"a success":                    {Policy{}, []step{good}, known{Applied, 200, 1, false, false, false}, true},
		"a refusal":                    {Policy{}, []step{reply(404, `{"error":{"code":"x"}}`)}, known{Permanent, 404, 1, false, false, false}, true},
		"busy, then a success":         {Policy{}, []step{busy, good}, known{Applied, 200, 2, true, true, true}, true},
		"lost, then a refusal":         {Policy{}, []step{lost, reply(400, `{"error":{}}`)}, known{Permanent, 400, 2, true, true, true}, true},
		"too long for the gateway":     {Policy{}, []step{reply(504, ""), good}, known{Applied, 200, 2, true, true, true}, true},
		"throttled, then a success":    {Policy{}, []step{slow, slow, good}, known{Applied, 200, 3, true, false, false}, true},
		"throttled does not count":     {Policy{MaxAttempts: 2}, []step{slow, slow, slow, busy, good}, known{Applied, 200, 5, true, true, true}, true},
		"in doubt to the end":          {Policy{MaxAttempts: 2}, []step{busy, busy}, known{Doubtful, 503, 2, true, true, true}, true},
		"nothing again":                {Policy{MaxAttempts: 1}, []step{slow}, known{Delayed, 429, 1, true, false, false}, true},
		"changed at the same time":     {Policy{}, []step{reply(409, `{"error":{"code":"Directory_ConcurrencyViolation"}}`), good}, known{Applied, 200, 2, false, false, false}, true},
		"a conflict of another kind":   {Policy{}, []step{reply(409, `{"error":{}}`)}, known{Permanent, 409, 1, false, false, false}, true},
		"no token that is good":        {Policy{}, []step{reply(401, `{"error":{}}`)}, known{Unsigned, 401, 1, false, false, false}, true},
		"a portal":                     {Policy{MaxAttempts: 1}, []step{reply(200, "<html>", "Content-Type", "text/html")}, known{Doubtful, 200, 1, true, true, true}, true},
		"about somebody else":          {Policy{MaxAttempts: 1}, []step{reply(200, `{"id":"22222222-2222-4222-8222-222222222222"}`)}, known{Doubtful, 200, 1, true, true, true}, true},
		"an error with status 200":     {Policy{MaxAttempts: 1}, []step{reply(200, `{"error":{"code":"x"}}`)}, known{Doubtful, 200, 1, true, true, true}, true},
		"an unreadable property":       {Policy{}, []step{reply(200, `{"id":"`+objectID+`","number":"x"}`)}, known{Applied, 200, 1, false, false, false}, true},
		"a redirect":                   {Policy{MaxAttempts: 1}, []step{reply(302, "", "Location", "https://evil.test/")}, known{Doubtful, 302, 1, true, true, true}, true},
		"no answer in time":            {Policy{MaxAttempts: 1, AttemptTimeout: time.Second}, []step{hangs}, known{Doubtful, 0, 1, true, true, true}, true},
		"longer than can be waited":    {Policy{MaxWait: 2 * time.Second}, []step{slow}, known{Delayed, 429, 1, true, false, false}, true},
		"a dependency outside a batch": {Policy{}, []step{reply(424, `{"error":{}}`)}, known{Permanent, 424, 1, false, false, false}, true},
	} {
		for _, req := range []*Request{write(), read()} {
			t.Run(name+", "+req.Op, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := &script{t: t, steps: slices.Clone(test.steps)}
					a := newService(t, s, token, test.policy).Send(t.Context(), req)
					want := test.write
					if req.Reads() {
						want.doubted, want.fenced = false, false
					}
					got := known{a.Outcome, a.Status, a.Attempts, a.Unsure, a.Doubted, a.Late.After(time.Now())}
					if got != want {
						t.Errorf("got %+v, want %+v; %v", got, want, a.Err)
					}
					if len(s.steps) > 0 {
						t.Errorf("%d requests were not made", len(s.steps))
					}
					if a.Good() != (a.Outcome == Applied && a.Unread == nil) {
						t.Error("what is good is not")
					}
				})
			})
		}
	}
}

// A connection that died is known by the transport's own words, whatever the
// name of the user is that an error does not show.
func TestALostConnectionFences(t *testing.T) {
	for _, name := range []string{"adele@contoso.com", "client", "lost", "connection", "http2"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				req := write()
				req.Object = User(name)
				dead := fails(errors.New("http2: client connection lost"))
				a := newService(t, dead, token, Policy{MaxAttempts: 1}).Send(t.Context(), req)
				if time.Until(a.Late) != 2*time.Minute || a.Outcome != Doubtful {
					t.Errorf("got %v until %v, %v", a.Outcome, a.Late, a.Err)
				}
			})
		})
	}
}

// An HTTP client that fails before its transport has sent nothing.
func TestNoAttempt(t *testing.T) {
	t.Parallel()
	x := newService(t, good, token, Policy{}).newSending(t.Context(), write(), alone)
	failed := errors.New("no")
	if r := x.end(nil, failed); !r.Unsent || !r.Hopeless || !errors.Is(r.Err, failed) || r.ID != "7e57" {
		t.Errorf("%+v", r)
	}
	x.begin(x)
	if x.end(nil, failed); !x.end(nil, failed).Unsent {
		t.Error("an attempt ended twice")
	}
}

// What a carrier lost as the context ended may still be carried out, unless it was
// not sent.
func TestTheContextEndsACarriedAttempt(t *testing.T) {
	for _, unsent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			a := newService(t, good, token, Policy{}).SendBy(ctx, write(), func(context.Context, *Request, Next) Reply {
				cancel()
				return Reply{Err: errors.New("reset"), Unsent: unsent}
			})
			if fenced := !a.Late.IsZero(); fenced == unsent || a.Doubted == unsent || a.Err != context.Canceled {
				t.Errorf("unsent %t: %+v", unsent, a)
			}
		})
	}
}

// What nobody has answered yet is no success.
func TestTheZeroAnswerIsNoSuccess(t *testing.T) {
	t.Parallel()
	if a := new(Answer); a.Good() || a.Outcome == Applied {
		t.Errorf("%+v", a)
	}
}

// A request is the same each time that it is sent, and is not changed.
func TestARequestIsSentAgainAsItWas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &script{t: t, steps: []step{busy, lost, good}}
		req := write()
		req.Query = "$a=b"
		newService(t, s, token, Policy{}).Send(t.Context(), req)
		want := http.Header{
			"Accept":            {"application/json"},
			"Authorization":     {"Bearer secret-token"},
			"Client-Request-Id": {"7e57"},
			"Content-Type":      {"application/json"},
			"User-Agent":        {"test/1"},
		}
		for i, r := range s.sent {
			if got := r.Method + " " + r.URL.String(); got != "POST https://graph.test/base/v1.0/users/"+objectID+"/act?$a=b" || s.body[i] != `{"a":1}` {
				t.Errorf("request %d: %s %s", i, got, s.body[i])
			}
			if len(r.Header) != len(want) {
				t.Errorf("request %d has the header %v", i, r.Header)
			}
			for name, values := range want {
				if !slices.Equal(r.Header[name], values) {
					t.Errorf("request %d has %s %q, want %q", i, name, r.Header[name], values)
				}
			}
		}
	})
}

// Retry-After is waited for whole, and what the service chooses itself is short.
func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		step        step
		least, most time.Duration
	}{
		"advice":    {slow, 3 * time.Second, 4 * time.Second},
		"no advice": {busy, shortestWait, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				newService(t, &script{t: t, steps: []step{test.step, good}}, token, Policy{}).Send(t.Context(), write())
				if took := time.Since(start); took < test.least || took > test.most {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

// The context ends a wait, and a sending that has not begun.
func TestTheContextEndsASending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		service := newService(t, &script{t: t, steps: []step{slow}}, token, Policy{})
		start := time.Now()
		for i, want := range []Sent{{Attempts: 1, Unsure: true, ID: "7e57"}, {ID: "7e57"}} {
			a := service.Send(ctx, write())
			if a.Sent != want || !errors.Is(a.Err, context.Canceled) || a.Err.Error() != "context canceled: foreign: enough" {
				t.Errorf("%d: %+v, %v", i, a.Sent, a.Err)
			}
			if time.Since(start) != time.Second {
				t.Errorf("%d: after %v", i, time.Since(start))
			}
		}
	})
}

// A token source that ends with the context is to blame together with it.
func TestTheContextEndsATokenSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		source := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", errors.New("gave up") }
		service := newService(t, &script{t: t}, source, Policy{})
		a := service.Send(ctx, write())
		b := service.SendBy(ctx, write(), func(ctx context.Context, req *Request, next Next) Reply {
			t.Error("an ended context was asked for an attempt")
			return Reply{}
		})
		if a.Err.Error() != "token source: context deadline exceeded" || a.Outcome != Permanent || b.Err != context.DeadlineExceeded {
			t.Errorf("got %v, %v and %v", a.Outcome, a.Err, b.Err)
		}
	})
}

// A 401 is worth one other token, and what was answered stands where there is none.
func TestTokens(t *testing.T) {
	refusal := reply(401, `{"error":{"code":"InvalidAuthenticationToken"}}`)
	for name, test := range map[string]struct {
		tokens   []string
		steps    []step
		outcome  Outcome
		attempts int
		err      string
	}{
		"another":      {[]string{"a", "b"}, []step{refusal, good}, Applied, 2, ""},
		"the same":     {[]string{"a", "a"}, []step{refusal}, Unsigned, 1, ""},
		"two in vain":  {[]string{"a", "b"}, []step{refusal, refusal}, Unsigned, 2, ""},
		"none left":    {[]string{"a", ""}, []step{refusal}, Unsigned, 1, "token source: token is empty"},
		"none at all":  {[]string{""}, nil, Permanent, 1, "token source: token is empty"},
		"not a header": {[]string{"a\nb"}, nil, Permanent, 1, `token source: token contains a blank or a character that is not allowed in a header; it must not include "Bearer"`},
	} {
		for _, send := range []func(*Service, context.Context, *Request) Answer{(*Service).Send, sendOnce} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					asked := 0
					tokens := func(context.Context) (string, error) {
						asked++
						return test.tokens[asked-1], nil
					}
					a := send(newService(t, &script{t: t, steps: slices.Clone(test.steps)}, tokens, Policy{}), t.Context(), write())
					text := ""
					if a.Err != nil {
						text = a.Err.Error()
					}
					if a.Outcome != test.outcome || a.Attempts != test.attempts || text != test.err {
						t.Errorf("got %v after %d attempts, %v", a.Outcome, a.Attempts, a.Err)
					}
				})
			})
		}
	}
}

// SendOnce leaves pace and repeating to its caller.
func TestSendOnce(t *testing.T) {
	for name, answer := range map[string]step{"busy": busy, "throttled": slow, "lost": lost} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				service := newService(t, &script{t: t, steps: []step{answer}}, token, Policy{})
				start := time.Now()
				if a, _ := service.SendOnce(t.Context(), write()); a.Attempts != 1 || a.Outcome == Applied {
					t.Errorf("got %+v", a.Sent)
				}
				if _, err := service.Writes().Pacer().Admit(t.Context(), new(pace.Party), func() time.Duration { return 0 }, 1, func(int) int { return 1 }); err != nil || time.Since(start) != 0 {
					t.Errorf("the pacer heard of it: %v", err)
				}
			})
		})
	}
}

// A carrier makes the attempts, and hears what each follows.
func TestSendBy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service := newService(t, &script{t: t}, nil, Policy{})
		h := http.Header{"Retry-After": {"2"}}
		replies := []Reply{
			{Status: 429, Header: h, Share: 0.5, ID: "a"},
			{Status: 503, Header: h, Share: 0.5, ID: "b"},
			{Status: 424, Share: 0, ID: "c"},
			{Status: 401, Token: "old", ID: "d"},
			{Status: 200, Body: []byte(`{"@odata.context":"x"}`), ID: "e", Earlier: true},
		}
		var heard []Next
		req := write()
		a := service.SendBy(t.Context(), req, func(_ context.Context, got *Request, next Next) Reply {
			if got != req {
				t.Error("it is another request")
			}
			heard = append(heard, next)
			return replies[len(heard)-1]
		})
		want := []Next{
			{},
			{Throttled: true}, // the pace is the carrier's
			{Wait: 2175 * time.Millisecond},
			{Wait: shortestWait, chosen: true},
			{Refused: "old"},
		}
		if !slices.Equal(heard, want) {
			t.Errorf("heard %+v\nwant  %+v", heard, want)
		}
		if want := (Sent{Attempts: 5, Unsure: true, Doubted: true, Late: time.Now().Add(30 * time.Second), ID: "e"}); a.Outcome != Applied || a.Sent != want {
			t.Errorf("got %v, %+v", a.Outcome, a.Sent)
		}
	})
}

// A success leaves a doubt where an earlier request may have been carried out:
// one that the reply tells of, or one that net/http sent before by itself.
func TestAnEarlierRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		want := Sent{Attempts: 1, Unsure: true, Doubted: true, Late: time.Now().Add(30 * time.Second), ID: "7e57"}
		twice := step(func(req *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(req.Context())
			for range 2 {
				trace.WroteHeaderField("client-request-id", []string{"7e57"})
			}
			return good(req)
		})
		service := newService(t, twice, token, Policy{})
		a := service.Send(t.Context(), write())
		if !a.Good() || a.Sent != want {
			t.Errorf("by net/http: %+v", a)
		}
		a = service.SendBy(t.Context(), write(), func(context.Context, *Request, Next) Reply {
			return Reply{Status: 200, Body: []byte(`{"id":"` + objectID + `"}`), ID: "7e57", Earlier: true}
		})
		if !a.Good() || a.Sent != want {
			t.Errorf("by a carrier: %+v", a)
		}
	})
}

// The body of the first attempt is measured before, and that of no other is the
// same: a transport may still be reading it.
func TestEachAttemptHasABodyOfItsOwn(t *testing.T) {
	t.Parallel()
	x := newService(t, good, token, Policy{}).newSending(t.Context(), write(), alone)
	measured, _ := x.newBody()
	first, _ := x.newBody()
	x.begin(x).cancel()
	again, _ := x.newBody()
	if measured != first || again == first {
		t.Errorf("%p, %p, %p", measured, first, again)
	}
}

// What a carrier withholds leaves the answer before as it was.
func TestWithheld(t *testing.T) {
	why := errors.New("enough of it")
	for name, test := range map[string]struct {
		first  []Reply
		status int
		sent   Sent
	}{
		"at once":           {nil, 0, Sent{ID: "7e57"}},
		"after a refusal":   {[]Reply{{Status: 503, ID: "x"}}, 503, Sent{Attempts: 1, Unsure: true, Doubted: true, ID: "x"}},
		"after a throttled": {[]Reply{{Status: 429, ID: "x"}}, 429, Sent{Attempts: 1, Unsure: true, ID: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				made := 0
				a := newService(t, &script{t: t}, nil, Policy{}).SendBy(t.Context(), write(), func(context.Context, *Request, Next) Reply {
					if made++; made <= len(test.first) {
						return test.first[made-1]
					}
					return Reply{Err: &Withheld{Err: why, After: time.Minute}}
				})
				a.Late = time.Time{}
				if a.Status != test.status || a.Sent != test.sent || a.Err != why || a.After != time.Minute {
					t.Errorf("got %+v", a)
				}
			})
		})
	}
}

// One attempt by itself is made as any other, but not judged.
func TestTry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &script{t: t, steps: []step{reply(503, "x"), lost, hangs}}
		service := newService(t, s, token, Policy{AttemptTimeout: time.Second})
		for i, want := range []struct {
			status int
			err    string
		}{{503, ""}, {0, "connection reset by peer"}, {0, "no complete answer within 1s"}} {
			r := service.Try(t.Context(), write(), Next{})
			text := ""
			if r.Err != nil {
				text = r.Err.Error()
			}
			if r.Status != want.status || text != want.err || r.Unsent || r.ID != "7e57" || r.Token != "secret-token" {
				t.Errorf("%d: %+v", i, r)
			}
			if s.body[i] != `{"a":1}` {
				t.Errorf("%d: the body is %q", i, s.body[i])
			}
		}
		if r := service.Try(t.Context(), write(), Next{Refused: "secret-token"}); r.Err != errSameToken {
			t.Errorf("the same token again: %+v", r)
		}
	})
}

// How an answer is taken for what others brought that went along.
func TestAnswerAsAReply(t *testing.T) {
	t.Parallel()
	broken, late := errors.New("broken"), time.Now()
	h := http.Header{"X": {"y"}}
	sent := Sent{Doubted: true, Late: late, ID: "i"}
	for name, test := range map[string]struct {
		verdict Verdict
		want    Reply
	}{
		"never sent":        {Verdict{Outcome: Refused, Err: broken}, Reply{Err: broken, Unsent: true}},
		"hopeless":          {Verdict{Outcome: Permanent, Err: broken}, Reply{Err: broken, Unsent: true, Hopeless: true}},
		"lost":              {Verdict{Outcome: Doubtful, Err: broken}, Reply{Err: broken}},
		"no answer of ours": {Verdict{Outcome: Doubtful, Status: 200, Body: []byte("b"), Err: broken}, Reply{Err: broken}},
		"broke off":         {Verdict{Outcome: Doubtful, Status: 404, Body: []byte("b"), Err: broken}, Reply{Err: broken}},
		"a redirect":        {Verdict{Outcome: Doubtful, Status: 302, Header: h, Err: broken}, Reply{Status: 302, Header: h}},
		"refused":           {Verdict{Outcome: Permanent, Status: 403, Header: h, Body: []byte("b")}, Reply{Status: 403, Header: h, Body: []byte("b")}},
		"busy":              {Verdict{Outcome: Doubtful, Status: 503, Header: h}, Reply{Status: 503, Header: h}},
	} {
		a := Answer{test.verdict, sent}
		test.want.Earlier, test.want.Late, test.want.ID = true, late, "i"
		got := a.Reply()
		if string(got.Body) != string(test.want.Body) || len(got.Header) != len(test.want.Header) {
			t.Errorf("%s: %+v", name, got)
		}
		got.Body, got.Header, test.want.Body, test.want.Header = nil, nil, nil, nil
		if got.Status != test.want.Status || got.Err != test.want.Err || got.Unsent != test.want.Unsent || got.Hopeless != test.want.Hopeless ||
			got.Earlier != test.want.Earlier || got.Late != test.want.Late || got.ID != test.want.ID {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestSentFollowing(t *testing.T) {
	t.Parallel()
	now := time.Now()
	earlier := Sent{Attempts: 2, Unsure: true, Doubted: true, Late: now.Add(time.Minute), ID: "a"}
	later := Sent{Attempts: 1, Late: now, ID: "b"}
	if got, want := later.Following(earlier), (Sent{Attempts: 3, Doubted: true, Late: now.Add(time.Minute), ID: "b"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Writes that are refused close the gate for others; reads, and what was not
// answered at all, tell the pacer nothing.
func TestWhatThePacerHears(t *testing.T) {
	throttled := reply(429, "", "Retry-After", "30")
	for name, test := range map[string]struct {
		req    *Request
		step   step
		closed bool
	}{
		"a write":   {write(), throttled, true},
		"a read":    {read(), throttled, false},
		"no answer": {write(), lost, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				service := newService(t, &script{t: t, steps: []step{test.step}}, token, Policy{MaxAttempts: 1})
				service.Send(t.Context(), test.req)
				_, err := service.Writes().Pacer().Admit(t.Context(), new(pace.Party), func() time.Duration { return 0 }, 1, func(int) int { return 1 })
				if _, closed := errors.AsType[*pace.GateError](err); closed != test.closed {
					t.Errorf("closed: %t, %v", closed, err)
				}
			})
		})
	}
}

// A lost answer is no success: the waits without advice go on growing.
func TestALostAnswerTellsThePacerNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service := newService(t, &script{t: t}, nil, Policy{MaxAttempts: 1})
		admit := func() pace.Pass {
			pass, err := service.Writes().Pacer().Admit(t.Context(), new(pace.Party), func() time.Duration { return Forever }, 1, func(int) int { return 1 })
			if err != nil {
				t.Fatal(err)
			}
			return pass
		}
		send := func(r Reply) {
			service.SendBy(t.Context(), write(), func(context.Context, *Request, Next) Reply { return r })
		}
		send(Reply{Status: 429, Pass: admit()})
		pass := admit()
		send(Reply{Err: errors.New("lost"), Pass: pass})
		send(Reply{Status: 429, Pass: pass})
		service.Writes().Pacer().Settled(pass)
		start := time.Now()
		// For two seconds, and up to two for the first probe and four for the second.
		if admit(); time.Since(start) < 2*time.Second || time.Since(start) > 6*time.Second {
			t.Errorf("the gate was closed for %v", time.Since(start))
		}
	})
}

func TestQuotaUsed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{"": 0, "0.8": 0.8, "1": 1, "1.8": 1.8, "x": 0, "-1": -1, "1e400": 0, "100%": 0} {
		if got := quotaUsed(http.Header{"X-Ms-Throttle-Limit-Percentage": {text}}); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// An attempt ends in time, and no later than its context.
func TestAttemptsEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy  Policy
		started time.Duration // before now
		ctx     time.Duration
		want    time.Duration
		text    string
	}{
		"by the attempt's limit": {Policy{AttemptTimeout: 5 * time.Second}, 0, time.Hour, 5 * time.Second, "no complete answer within 5s"},
		"by the call's":          {Policy{MaxElapsed: time.Minute}, 50 * time.Second, time.Hour, 10 * time.Second, "no complete answer within 10s"},
		"by the context":         {Policy{}, 0, 3 * time.Second, 3 * time.Second, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.ctx)
				defer cancel()
				test.policy.MaxAttempts = 1
				start := time.Now()
				req := write()
				req.Started = start.Add(-test.started)
				a := newService(t, step(hangs), token, test.policy).Send(ctx, req)
				if took := time.Since(start); took != test.want || a.Err.Error() != test.text {
					t.Errorf("%v after %v", a.Err, took)
				}
			})
		})
	}
}

func sendOnce(s *Service, ctx context.Context, req *Request) Answer {
	a, _ := s.SendOnce(ctx, req)
	return a
}
