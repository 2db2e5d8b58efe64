package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
)

var soak = flag.Duration("soak", 0, "how long TestSoak calls a faulty server over real connections")

// TestSoak calls a server over TLS, HTTP/1.1 and HTTP/2, from 32 goroutines and
// by Bulk, for as long as -soak says. One request in twenty is dropped, one in
// thirty is answered with 503. Then nothing may be left behind.
func TestSoak(t *testing.T) {
	if *soak == 0 {
		t.Skip("-soak 10m is not given")
	}
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) { soakFor(t, *soak/2, http2) })
	}
}

func soakFor(t *testing.T, d time.Duration, http2 bool) {
	var requests, open atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil { // the caller has gone
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		switch n := requests.Add(1); {
		case n%20 == 0:
			panic(http.ErrAbortHandler)
		case n%30 == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case isBatch(r):
			var batch struct{ Requests []struct{ ID string } }
			if err := json.Unmarshal(body, &batch); err != nil {
				t.Error(err)
			}
			var list []string
			for _, request := range batch.Requests {
				list = append(list, fmt.Sprintf(`{"id":%q,"status":200,"body":{}}`, request.ID))
			}
			fmt.Fprintf(w, `{"responses":[%s]}`, strings.Join(list, ","))
		default:
			io.WriteString(w, `{"@odata.context":"x"}`)
		}
	}))
	server.EnableHTTP2 = http2
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.StartTLS()
	defer server.Close()
	client, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithBaseURL(server.URL),
		licensing.WithHTTPClient(server.Client()), policy(licensing.RetryPolicy{MinWait: -1, Fence: -1}))
	if err != nil {
		t.Fatal(err)
	}

	var calls, unknown atomic.Int64
	round := func(d time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		note := func(err error) {
			calls.Add(1)
			switch {
			case err == nil, errors.Is(err, context.DeadlineExceeded):
			case errors.Is(err, licensing.ErrOutcomeUnknown):
				if unknown.Add(1) <= 1 {
					t.Log(err)
				}
			default:
				t.Error(err)
			}
		}
		var callers sync.WaitGroup
		for n := range 32 {
			callers.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					_, err := client.AssignUserLicense(ctx, user((n+i)%500), add(skuA))
					note(err)
				}
			})
		}
		callers.Go(func() {
			for ctx.Err() == nil {
				for r := range client.Bulk(ctx, slices.Values(addsFor(500, skuB)), licensing.BulkOptions{}) {
					note(r.Err)
				}
			}
		})
		callers.Wait()
	}
	state := func() (goroutines int, heap uint64) {
		client.CloseIdleConnections()
		server.CloseClientConnections()
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	round(d / 10) // after which everything is there that is kept
	goroutines, heap := state()
	round(d - d/10)
	after, grown := state()
	t.Logf("%d calls in %d requests, %d in doubt; %d goroutines before and %d after, the heap grew by %d KiB",
		calls.Load(), requests.Load(), unknown.Load(), goroutines, after, (int64(grown)-int64(heap))>>10)
	if int64(grown)-int64(heap) > 5<<20 || after > goroutines+8 {
		t.Error("something is left behind")
	}
}

// TestMain fails when the tests leave goroutines behind, of the package or of
// net/http, which has some for each connection. A connection stays for as long
// as an answer's body is open; scripts count the bodies of answers without one.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); code == 0 && len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines are left, such as\n%s\n", len(left), left[0])
		code = 1
	}
	os.Exit(code)
}

var watchedFrame = regexp.MustCompile(`(?m)^(github\.com/graphlicensing/licensing[./]|net/http[./])`)

// leftGoroutines returns the stacks of such goroutines, when they had a while to
// end.
func leftGoroutines() (left []string) {
	for start := time.Now(); time.Since(start) < 5*time.Second; runtime.Gosched() {
		stacks := make([]byte, 8<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		left = nil
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			if watchedFrame.MatchString(stack) {
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return left
}
