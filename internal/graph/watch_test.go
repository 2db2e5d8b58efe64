package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// observed returns a service over the steps, and what its observer is told.
func observed(t *testing.T, steps ...step) (*Service, *[]string) {
	told := new([]string)
	service := newService(t, &script{t: t, steps: steps}, token, Policy{})
	service.watch.observer = func(ctx context.Context, o *Observed) {
		*told = append(*told, fmt.Sprintf("%s %d of %d, %d, doubted %t, %v ago, took %v, waits %t, throttled %d of %d", o.Request.Route(), o.Answer.Attempts, o.Answer.Outcome, o.Answer.Status,
			o.Answer.Doubted, time.Since(o.Start), o.Answer.Took, o.Wait > 0, o.Throttled, o.Operations))
	}
	return service, told
}

func TestTheObserverIsToldOfEachAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		slowly := func(req *http.Request) (*http.Response, error) {
			time.Sleep(2 * time.Second)
			return good(req)
		}
		service, told := observed(t, busy, slow, slowly)
		service.Send(t.Context(), write())
		want := []string{
			fmt.Sprintf("/users/{id}/act 1 of %d, 503, doubted true, 0s ago, took 0s, waits true, throttled 0 of 1", Doubtful),
			fmt.Sprintf("/users/{id}/act 2 of %d, 429, doubted false, 0s ago, took 0s, waits true, throttled 1 of 1", Delayed),
			fmt.Sprintf("/users/{id}/act 3 of %d, 200, doubted false, 2s ago, took 2s, waits false, throttled 0 of 1", Applied),
		}
		if !slices.Equal(*told, want) {
			t.Errorf("told %q\nwant %q", *told, want)
		}
	})
}

// A wait that is too short to be waited is none.
func TestTheObserverIsToldOfNoWaitAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service, told := observed(t, busy)
		ctx, cancel := context.WithTimeout(t.Context(), shortestWait)
		defer cancel()
		service.Send(ctx, write())
		if want := fmt.Sprintf("/users/{id}/act 1 of %d, 503, doubted true, 0s ago, took 0s, waits false, throttled 0 of 1", Doubtful); !slices.Equal(*told, []string{want}) {
			t.Errorf("told %q, want %q", *told, want)
		}
	})
}

// What a carrier made of several requests at once is told of by itself.
func TestTheObserverIsToldOfOwnAttemptsOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service, told := observed(t)
		replies := []Reply{
			{Status: 429},
			{Status: 429, Span: Span{Start: time.Now(), Took: time.Second}},
			{Err: &Withheld{Err: errors.New("enough")}, Span: Span{Start: time.Now()}},
		}
		service.SendBy(t.Context(), write(), func(context.Context, *Request, Next) Reply {
			r := replies[0]
			replies = replies[1:]
			return r
		})
		if want := fmt.Sprintf("/users/{id}/act 2 of %d, 429, doubted false, 0s ago, took 1s, waits false, throttled 1 of 1", Delayed); !slices.Equal(*told, []string{want}) {
			t.Errorf("told %q, want %q", *told, want)
		}
	})
}

// A several is answered for three operations, of which two were refused.
type several struct{ readID }

func (several) Throttled() (refused, of int) { return 2, 3 }

func TestTheObserverIsToldOfOperations(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service, told := observed(t, slow, good, busy)
		req := write()
		req.Into = several{}
		for range 3 {
			sendOnce(service, t.Context(), req)
		}
		for i, want := range []string{"throttled 3 of 3", "throttled 2 of 3", "throttled 0 of 3"} {
			if got := (*told)[i]; got[len(got)-len(want):] != want {
				t.Errorf("told %q, want %q", got, want)
			}
		}
	})
}

// An HTTP client may fail before there is an attempt.
func TestTheObserverIsToldWhereNoAttemptBegan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		service, told := observed(t)
		service.loop.HTTPClient.Transport = fails(errors.New("not this one"))
		service.Send(t.Context(), write())
		if want := fmt.Sprintf("/users/{id}/act 1 of %d, 0, doubted false, 0s ago, took 0s, waits false, throttled 0 of 1", Permanent); !slices.Equal(*told, []string{want}) {
			t.Errorf("told %q, want %q", *told, want)
		}
	})
}
