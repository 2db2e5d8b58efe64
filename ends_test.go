package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// The ways to ask something of Graph. None may go on for ever.
var waysToAsk = map[string]func(context.Context, *licensing.Client) error{
	"a read": func(ctx context.Context, c *licensing.Client) error { _, err := c.User(ctx, userID); return err },
	"a write": func(ctx context.Context, c *licensing.Client) error {
		_, err := c.AssignUserLicense(ctx, userID, add(skuA))
		return err
	},
	"an edit": func(ctx context.Context, c *licensing.Client) error {
		_, err := c.UpdateUserServicePlans(ctx, userID, skuA, licensing.ServicePlanChange{Disable: []uuid.UUID{planA}})
		return err
	},
	"a listing": func(ctx context.Context, c *licensing.Client) error {
		for _, err := range c.Users(ctx, licensing.UserQuery{}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"a whole listing": func(ctx context.Context, c *licensing.Client) error { _, err := c.SubscribedSKUs(ctx); return err },
	"a run": func(ctx context.Context, c *licensing.Client) (err error) {
		n := 0
		for r := range c.Bulk(ctx, slices.Values(addsFor(5, skuA)), licensing.BulkOptions{MaxOutage: 100 * time.Millisecond}) {
			n, err = n+1, r.Err
		}
		if n != 5 {
			return fmt.Errorf("%d results", n)
		}
		return err
	},
}

// endsSoon fails the test where f does not end by itself. It has far more time than
// any limit in these tests.
func endsSoon(t *testing.T, f func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { defer close(ended); f() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("goes on for ever\n%s", buf[:runtime.Stack(buf, true)])
	}
}

// hurried are limits that come soon.
var hurried = licensing.RetryPolicy{MaxAttempts: 2, MinWait: -1, AttemptTimeout: 100 * time.Millisecond, Fence: -1}

// Whatever a server sends, all ends within the limits, gives its turn back, and
// leaves no connection behind.
func TestEverythingEnds(t *testing.T) {
	t.Parallel()
	drip := func(conn net.Conn, text string) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	silence := func(conn net.Conn) { io.Copy(io.Discard, conn) }
	sends := func(text string, then func(net.Conn)) func(net.Conn) {
		return func(conn net.Conn) {
			io.WriteString(conn, text)
			then(conn)
		}
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	servers := map[string]func(net.Conn){
		"silence":             silence,
		"an endless header":   sends("HTTP/1.1 200 OK\r\n", func(c net.Conn) { drip(c, "X-Padding: "+strings.Repeat("x", 100)+"\r\n") }),
		"an endless line":     sends("HTTP/1.1 200 OK\r\nX: ", func(c net.Conn) { drip(c, strings.Repeat("x", 1000)) }),
		"a dripping body":     sends(ok+"Content-Length: 1000000\r\n\r\n{", func(c net.Conn) { drip(c, " ") }),
		"a dripping chunk":    sends(ok+"Transfer-Encoding: chunked\r\n\r\n", func(c net.Conn) { drip(c, "1\r\n \r\n") }),
		"a dripping error":    sends("HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000\r\n\r\n", func(c net.Conn) { drip(c, "x") }),
		"half a body":         sends(ok+"Content-Length: 100\r\n\r\n{", silence),
		"an endless trailer":  sends(ok+"Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n0\r\n", func(c net.Conn) { drip(c, "X: y\r\n") }),
		"another protocol":    sends("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", silence),
		"another, that talks": sends("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", func(c net.Conn) { drip(c, "\x00\x00\x00") }),
		"101 and no upgrade":  sends("HTTP/1.1 101 Switching Protocols\r\n\r\n", silence),
		"status 000":          sends("HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", silence),
		"endless hints":       func(c net.Conn) { drip(c, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") },
	}
	for _, status := range []int{100, 102, 103, 104, 199} {
		servers[fmt.Sprint(status, " and silence")] = sends(fmt.Sprintf("HTTP/1.1 %d Something\r\n\r\n", status), silence)
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			noLeaks(t)
			open := newCounter()
			addr := listen(t, func(_ int, conn net.Conn) {
				open.add(1)
				defer open.add(-1)
				conn.Read(make([]byte, 4096))
				server(conn)
			})
			transport := newTransport(t)
			all := askAll(t, func() *licensing.Client { return overSockets(t, transport, "http://"+addr, hurried) })
			canceled, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			all = append(all, func() {
				client := newClient(t, transport, licensing.WithBaseURL("http://"+addr), policy(licensing.RetryPolicy{MaxAttempts: 1, Fence: -1}))
				for asked, ask := range waysToAsk {
					if err := ask(canceled, client); err == nil {
						t.Errorf("%s: a success", asked)
					}
				}
			})
			endsSoon(t, func() {
				atOnce(all)
				transport.CloseIdleConnections()
				open.none() // until the client has closed all connections
			})
		})
	}
}

// A counter counts what is open.
type counter struct {
	changed *sync.Cond
	n       int
}

func newCounter() *counter { return &counter{changed: sync.NewCond(new(sync.Mutex))} }

func (c *counter) add(n int) {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	c.n += n
	c.changed.Broadcast()
}

// none waits until nothing is open.
func (c *counter) none() {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	for c.n > 0 {
		c.changed.Wait()
	}
}

// askAll returns calls that ask in all ways, each by a client of its own.
func askAll(t *testing.T, client func() *licensing.Client) (all []func()) {
	for asked, ask := range waysToAsk {
		c := client()
		all = append(all, func() {
			if err := ask(t.Context(), c); err == nil {
				t.Errorf("%s: a success", asked)
			} else if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: no context has ended: %v", asked, err)
			}
			if n := licensing.ObjectsKept(c); n > 0 {
				t.Errorf("%s: %d turns are not given back", asked, n)
			}
		})
	}
	return all
}

func atOnce(all []func()) {
	var group sync.WaitGroup
	for _, f := range all {
		group.Go(f)
	}
	group.Wait()
}

// A stubborn body does not end with its context, nor when it is closed.
type stubborn struct {
	release chan struct{}
	begin   io.Reader
	read    func(p []byte) (int, error) // after that; nil blocks
}

func (b *stubborn) Read(p []byte) (int, error) {
	if n, err := b.begin.Read(p); n > 0 || err != io.EOF {
		return n, err
	}
	if b.read != nil {
		return b.read(p)
	}
	<-b.release
	return 0, io.EOF
}

func (b *stubborn) Close() error {
	if b.read == nil {
		<-b.release
	}
	return nil
}

// Whatever a transport does, all ends within the limits, and gives its turn back.
func TestEverythingEndsWhateverTheTransportDoes(t *testing.T) {
	t.Parallel()
	body := func(status int, begin string, read func([]byte) (int, error)) func(chan struct{}) step {
		return func(release chan struct{}) step {
			return func(req *http.Request) (*http.Response, error) {
				resp, err := reply(status, begin)(req)
				resp.Body = &stubborn{release, strings.NewReader(begin), read}
				resp.ContentLength = -1
				return resp, err
			}
		}
	}
	for name, way := range map[string]func(release chan struct{}) step{
		"a body that blocks":     body(200, `{"id":"`, nil),
		"a body that has it all": body(200, `{"id":"`+userID+`"}`, nil),
		"an error that blocks":   body(503, `{"error":`, nil),
		"a body in another": func(release chan struct{}) step {
			return func(req *http.Request) (*http.Response, error) {
				resp, err := reply(200, "")(req)
				resp.Body = http.MaxBytesReader(nil, &stubborn{release, strings.NewReader("{"), nil}, 1<<20)
				return resp, err
			}
		},
		"another protocol":       body(101, "", nil),
		"status 150":             body(150, "", nil),
		"a body of nothing":      body(200, "{", func([]byte) (int, error) { return 0, nil }),
		"an endless body":        body(200, "{", func(p []byte) (int, error) { return len(p), nil }),
		"an endless error":       body(400, "{", func(p []byte) (int, error) { return len(p), nil }),
		"no answer and no error": func(chan struct{}) step { return func(*http.Request) (*http.Response, error) { return nil, nil } },
		"an answer without a body": func(chan struct{}) step {
			return func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Request: req}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			noLeaks(t)
			release := make(chan struct{})
			t.Cleanup(func() { close(release) })
			endsSoon(t, func() {
				atOnce(askAll(t, func() *licensing.Client { return newClient(t, way(release), policy(hurried)) }))
			})
		})
	}
}

// A panic of the caller's transport, token source or observer reaches the caller, and a
// Goexit ends no more than the call. In a run each operation has its result before.
func TestPanicsAndGoexit(t *testing.T) {
	t.Parallel()
	unfenced := policy(licensing.RetryPolicy{Fence: -1})
	broken := map[string]func(func()) (*licensing.Client, error){
		"transport": func(breaks func()) (*licensing.Client, error) {
			return licensing.NewClient(licensing.StaticToken("t"), unfenced, licensing.WithHTTPClient(&http.Client{Transport: step(func(*http.Request) (*http.Response, error) {
				breaks()
				return nil, nil
			})}))
		},
		"token source": func(breaks func()) (*licensing.Client, error) {
			return licensing.NewClient(func(context.Context) (string, error) { breaks(); return "", nil }, unfenced, licensing.WithHTTPClient(&http.Client{Transport: step(okUser)}))
		},
		"observer": func(breaks func()) (*licensing.Client, error) {
			observer := func(context.Context, licensing.Attempt) { breaks() }
			return licensing.NewClient(licensing.StaticToken("t"), unfenced, licensing.WithObserver(observer), licensing.WithHTTPClient(&http.Client{Transport: step(okUser)}))
		},
		"body": func(breaks func()) (*licensing.Client, error) {
			return licensing.NewClient(licensing.StaticToken("t"), unfenced, licensing.WithHTTPClient(&http.Client{Transport: step(func(req *http.Request) (*http.Response, error) {
				resp, err := okUser(req)
				resp.Body = &stubborn{begin: strings.NewReader("{"), read: func([]byte) (int, error) { breaks(); return 0, io.EOF }}
				return resp, err
			})}))
		},
	}
	for name, make := range broken {
		t.Run("panic, "+name, func(t *testing.T) {
			t.Parallel()
			client, err := make(func() { panic("broken") })
			if err != nil {
				t.Fatal(err)
			}
			for asked, ask := range waysToAsk {
				endsSoon(t, func() {
					defer func() {
						if got := recover(); got != "broken" {
							t.Errorf("%s: recovered %v", asked, got)
						}
					}()
					ask(t.Context(), client)
					t.Errorf("%s: it returned", asked)
				})
			}
			if n := licensing.ObjectsKept(client); n > 0 {
				t.Errorf("%d turns are not given back", n)
			}
		})
		t.Run("Goexit, "+name, func(t *testing.T) {
			t.Parallel()
			client, err := make(runtime.Goexit)
			if err != nil {
				t.Fatal(err)
			}
			for asked, ask := range waysToAsk {
				returned := false
				endsSoon(t, func() { ask(t.Context(), client); returned = true })
				if returned != (asked == "a run") {
					t.Errorf("%s: it returned: %v", asked, returned)
				}
			}
			results := 0
			for r := range client.Bulk(t.Context(), slices.Values(addsFor(100, skuA)), licensing.BulkOptions{Concurrency: 2}) {
				if results++; r.Err == nil || r.Attempts > 0 && !errors.Is(r.Err, licensing.ErrOutcomeUnknown) || r.Attempts == 0 && !errors.Is(r.Err, licensing.ErrStopped) {
					t.Errorf("after %d attempts: %v", r.Attempts, r.Err)
				}
			}
			if results == 0 {
				t.Error("no results")
			}
			if n := licensing.ObjectsKept(client); n > 0 {
				t.Errorf("%d turns are not given back", n)
			}
		})
	}
}

// Very many callers who wait for one object, and give up at once, do so in little
// more time than it takes to tell them.
func TestManyCallersGiveUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 50_000
		client := newClient(t, step(silent), once)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range n {
			all.Go(func() { client.AssignUserLicense(ctx, userID, add(skuA)) })
		}
		time.Sleep(time.Second)
		cancel()
		all.Wait()
	})
}
