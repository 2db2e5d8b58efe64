package licensing_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// The faults of HTTP/2, by a server that is written frame by frame.

// The kinds of frame, their flags, and error codes, that the tests need.
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway = 0, 1, 3, 4, 6, 7

	flagAck, flagEndStream, flagEndHeaders = 1, 1, 4

	codeNone, codeProtocol, codeInternal, codeRefused, codeCancel = 0, 1, 2, 7, 8
)

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

// An http2Conn is a server's end of a connection.
type http2Conn struct {
	conn net.Conn
	r    *bufio.Reader
}

func (c *http2Conn) read() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{head[3], head[4], binary.BigEndian.Uint32(head[5:]), make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))}
	_, err := io.ReadFull(c.r, f.payload)
	return f, err
}

func (c *http2Conn) write(kind, flags byte, stream uint32, payload ...byte) {
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	c.conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...)) // an error shows at the next read
}

// answer ends a stream with a status and a body.
func (c *http2Conn) answer(stream uint32, status int, body []byte) {
	const name, value = "content-type", "application/json"
	headers := "\x08\x03" + strconv.Itoa(status) + "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value // :status, and a literal
	c.write(frameHeaders, flagEndHeaders, stream, []byte(headers)...)
	c.write(frameData, flagEndStream, stream, body...)
}

func (c *http2Conn) reset(stream, code uint32) {
	c.write(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

// goAway says that streams after last were not carried out.
func (c *http2Conn) goAway(last, code uint32) {
	c.write(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)...)
}

// serveHTTP2 has respond answer the requests of a connection, until it says
// that no more shall be, or the connection ends. A deaf server takes what comes
// and never says a word again.
func serveHTTP2(conn net.Conn, respond func(c *http2Conn, stream uint32, body []byte) (more bool), deaf *atomic.Bool) {
	c := &http2Conn{conn, bufio.NewReader(conn)}
	if _, err := io.ReadFull(c.r, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	c.write(frameSettings, 0, 0)
	bodies := make(map[uint32][]byte)
	for {
		f, err := c.read()
		if err != nil {
			return
		}
		switch {
		case deaf.Load():
			continue
		case (f.kind == frameSettings || f.kind == framePing) && f.flags&flagAck == 0:
			payload := f.payload
			if f.kind == frameSettings {
				payload = nil
			}
			c.write(f.kind, flagAck, 0, payload...)
		case f.kind == frameData:
			bodies[f.stream] = append(bodies[f.stream], f.payload...)
		}
		if (f.kind == frameData || f.kind == frameHeaders) && f.flags&flagEndStream != 0 && !respond(c, f.stream, bodies[f.stream]) {
			return
		}
	}
}

// askGraph has Graph carry out a change of the user's licenses, or read the
// user where there is no body, and returns its answer.
func askGraph(t *testing.T, graph step, body []byte) (status int, answer []byte) {
	t.Helper()
	method, path := http.MethodPost, "/assignLicense"
	if len(body) == 0 {
		method, path = http.MethodGet, ""
	}
	req, err := http.NewRequest(method, "https://graph.test/v1.0/users/"+userID+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 500, nil
	}
	req.Header = http.Header{"Authorization": {"Bearer t"}, "Content-Type": {"application/json"}}
	resp, err := graph(req)
	if err != nil {
		t.Error(err)
		return 500, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return resp.StatusCode, answer
}

// pass answers a request as Graph does.
func (c *http2Conn) pass(t *testing.T, graph step, stream uint32, body []byte) {
	status, answer := askGraph(t, graph, body)
	c.answer(stream, status, answer)
}

// overHTTP2 makes a call whose first request meets a fault, and later ones a
// good server. The call has to succeed with one effect, after so many attempts
// of ours and requests that reached Graph. A removal is then read back.
func overHTTP2(t *testing.T, change licensing.AssignLicenseRequest, attempts []int, executed int, fault func(c *http2Conn, stream uint32, apply func()) (more bool)) {
	t.Helper()
	onSockets(t)
	tenant, graph := newTenant(change.RemoveLicenses...)
	var requests atomic.Int32
	var hears atomic.Bool
	addr := listen(t, func(_ int, conn net.Conn) {
		secure := tls.Server(conn, serverTLS("h2"))
		serveHTTP2(secure, func(c *http2Conn, stream uint32, body []byte) bool {
			if requests.Add(1) == 1 {
				return fault(c, stream, func() { askGraph(t, graph, body) })
			}
			c.pass(t, graph, stream, body)
			return true
		}, &hears)
	})
	asked := 0
	tokens := func(context.Context) (string, error) { asked++; return "token", nil }
	client := tokenClient(t, tokens, newTransport(t), licensing.WithBaseURL("https://"+addr), policy(hasty))
	user, err := client.AssignUserLicense(t.Context(), userID, change)
	wantDone(t, user, err)
	wantState(t, tenant, 1, added(change)...)
	reads := len(change.RemoveLicenses)
	if n := len(tenant.Requests()); int(requests.Load()) != 2+reads || n != executed+reads || !slices.Contains(attempts, asked-reads) {
		t.Errorf("%d attempts made %d requests, of which %d were carried out", asked, requests.Load(), n)
	}
}

// added returns the SKUs that a change adds.
func added(change licensing.AssignLicenseRequest) []uuid.UUID {
	var skus []uuid.UUID
	for _, l := range change.AddLicenses {
		skus = append(skus, l.SKUID)
	}
	return skus
}

// net/http sends again by itself what was surely not carried out.
func TestF46_RefusedStream(t *testing.T) {
	overHTTP2(t, add(skuA), []int{1}, 1, func(c *http2Conn, stream uint32, _ func()) bool {
		c.reset(stream, codeRefused)
		return true
	})
}

func TestF47_GoAway(t *testing.T) {
	t.Parallel()
	t.Run("below our stream", func(t *testing.T) {
		overHTTP2(t, add(skuA), []int{1}, 1, func(c *http2Conn, stream uint32, _ func()) bool {
			c.goAway(stream-1, codeNone)
			return false
		})
	})
	t.Run("covering our stream", func(t *testing.T) {
		overHTTP2(t, add(skuA), []int{2}, 2, func(c *http2Conn, stream uint32, apply func()) bool {
			apply()
			c.goAway(stream, codeInternal)
			return false
		})
	})
}

func TestF48_StreamReset(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code     uint32
		attempts []int
	}{
		"INTERNAL_ERROR": {codeInternal, []int{2}},
		"PROTOCOL_ERROR": {codeProtocol, []int{1, 2}}, // net/http may take it for not carried out
		"CANCEL":         {codeCancel, []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, change := range map[string]licensing.AssignLicenseRequest{"addition": add(skuA), "removal": remove(skuA)} {
				t.Run(kind, func(t *testing.T) {
					overHTTP2(t, change, test.attempts, 2, func(c *http2Conn, stream uint32, apply func()) bool {
						apply()
						c.reset(stream, test.code)
						return true
					})
				})
			}
		})
	}
}

// replayed returns a transport whose first request on HTTP/2 is carried out,
// and its stream reset by a code after which net/http dials once more and sends
// it again by itself. The requests on the later connections are left to again.
func replayed(t *testing.T, graph step, again func(c *http2Conn, stream uint32, body []byte)) *http.Transport {
	var hears atomic.Bool
	transport := pipes(t, func(n int, conn net.Conn) {
		serveHTTP2(tls.Server(conn, serverTLS("h2")), func(c *http2Conn, stream uint32, body []byte) bool {
			if n > 1 {
				again(c, stream, body)
				return true
			}
			askGraph(t, graph, body)
			c.reset(stream, codeProtocol)
			return true
		}, &hears)
	})
	transport.TLSClientConfig.RootCAs, _ = authority()
	return transport
}

// An answer to what net/http sent again by itself does not say what became of
// the request before.
func TestHiddenReplay(t *testing.T) {
	t.Parallel()
	const denied = `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`
	swap := licensing.AssignLicenseRequest{AddLicenses: add(skuA).AddLicenses, RemoveLicenses: []uuid.UUID{skuB}}
	forbidden := []error{licensing.ErrForbidden, licensing.ErrOutcomeUnknown}
	absent := []error{licensing.ErrNotAssigned, licensing.ErrOutcomeUnknown}
	for name, test := range map[string]struct {
		change licensing.AssignLicenseRequest
		status int     // of the answer to the replay
		kinds  []error // of the error; nil: success
	}{
		"addition":          {add(skuA), 200, nil},
		"addition, denied":  {add(skuA), 403, forbidden},
		"removal":           {remove(skuA), 400, nil},
		"removal, denied":   {remove(skuA), 403, forbidden},
		"two removals":      {remove(skuA, skuB), 400, absent}, // of which each had to be sent alone
		"swap":              {swap, 400, absent},
		"swap, then denied": {swap, 403, forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := newTenant(test.change.RemoveLicenses...)
				writes := 0
				transport := replayed(t, graph, func(c *http2Conn, stream uint32, body []byte) {
					if len(body) > 0 {
						writes++
					}
					if test.status == 403 {
						c.answer(stream, 403, []byte(denied))
						return
					}
					c.pass(t, graph, stream, body)
				})
				defer transport.CloseIdleConnections()
				user, err := newClient(t, transport, once).AssignUserLicense(t.Context(), userID, test.change)
				if test.kinds == nil {
					wantDone(t, user, err)
				} else {
					wantFailed(t, err, test.status, 1, test.kinds...)
				}
				wantState(t, tenant, 1, added(test.change)...)
				if writes != 1 {
					t.Errorf("net/http sent the request again %d times, want once", writes)
				}
			})
		})
	}
}

// Where a connection was had, a failure to get another proves nothing.
func TestNoConnectionForTheHiddenReplay(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"refused":           &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		"no proxy":          &net.OpError{Op: "proxyconnect", Net: "tcp", Err: os.ErrDeadlineExceeded},
		"no such host":      &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "graph.test", IsNotFound: true}},
		"wrong certificate": x509.UnknownAuthorityError{},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := newTenant()
				transport := replayed(t, graph, func(*http2Conn, uint32, []byte) { t.Error("there was another connection") })
				defer transport.CloseIdleConnections()
				var dials atomic.Int32
				first := transport.DialContext
				transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if dials.Add(1) > 1 {
						return nil, failure
					}
					return first(ctx, network, addr)
				}
				_, err := newClient(t, transport, once).AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
				wantState(t, tenant, 1, skuA)
				if n := dials.Load(); n != 2 {
					t.Errorf("%d dials, want 2", n)
				}
			})
		})
	}
}

// A connection that dies without a word is found out by pings.
func TestF49_BlackHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		var dead atomic.Bool
		transport, conns := blackHole(t, graph, &dead)
		defer transport.CloseIdleConnections()
		client := newClient(t, transport)
		user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)

		dead.Store(true)
		start := time.Now()
		user, err = client.AssignUserLicense(t.Context(), userID, remove(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 2)
		if took := time.Since(start); took > 35*time.Second || conns.Load() != 2 {
			t.Errorf("took %v on %d connections", took, conns.Load())
		}
	})
}

// blackHole returns a transport whose first connection can die without a word,
// and how many connections it has made.
func blackHole(t *testing.T, graph step, dead *atomic.Bool) (*http.Transport, *atomic.Int32) {
	var alive atomic.Bool
	conns := new(atomic.Int32)
	transport := pipes(t, func(n int, conn net.Conn) {
		conns.Store(int32(n))
		gone := &alive
		if n == 1 {
			gone = dead
		}
		serveHTTP2(tls.Server(conn, serverTLS("h2")), func(c *http2Conn, stream uint32, body []byte) bool {
			c.pass(t, graph, stream, body)
			return true
		}, gone)
	})
	transport.TLSClientConfig.RootCAs, _ = authority()
	return transport, conns
}

// What went into a connection that died may still come out of it.
func TestABlackHoleFences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change licensing.AssignLicenseRequest
		wait   time.Duration
	}{
		"a different write": {remove(skuA), 2 * time.Minute},
		"the same write":    {add(skuB), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, graph := newTenant(skuA)
				var dead atomic.Bool
				transport, _ := blackHole(t, graph, &dead)
				defer transport.CloseIdleConnections()
				client := newClient(t, transport, once)
				user, err := client.AssignUserLicense(t.Context(), userID, add(skuC))
				wantDone(t, user, err)
				dead.Store(true)
				_, err = client.AssignUserLicense(t.Context(), userID, add(skuB))
				wantFailed(t, err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
				start := time.Now()
				user, err = client.AssignUserLicense(t.Context(), userID, test.change)
				wantDone(t, user, err)
				if took := time.Since(start); took != test.wait {
					t.Errorf("waited %v, want %v", took, test.wait)
				}
			})
		})
	}
}

// Sixty-four callers have their token refused while others refresh it.
func TestF66_TokenRefreshRace(t *testing.T) {
	onSockets(t)
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(licensingtest.SKU{ID: skuA, Seats: 64})
	tenant.RequireToken("fresh")
	var users []string
	for range 64 {
		users = append(users, tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID)
	}
	var mu sync.Mutex
	token, refreshes := "stale", 0
	config := serverTLS("h2")
	server := serve(t, config, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the request came by %s", r.Proto)
		}
		tenant.ServeHTTP(w, r)
		mu.Lock()
		defer mu.Unlock()
		if token == "stale" {
			token = "fresh"
			refreshes++
		}
	})
	tokens := func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		return token, nil
	}
	client := tokenClient(t, tokens, newTransport(t), licensing.WithBaseURL(server.URL))
	var calls sync.WaitGroup
	for _, user := range users {
		calls.Go(func() {
			if _, err := client.AssignUserLicense(t.Context(), user, add(skuA)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	refused := 0
	for _, r := range tenant.Requests() {
		if r.Status == http.StatusUnauthorized {
			refused++
		}
	}
	if n := len(tenant.Requests()); len(tenant.Writes()) != len(users) || n != len(users)+refused || refreshes != 1 {
		t.Errorf("%d requests, %d refused, %d effects, %d refreshes", n, refused, len(tenant.Writes()), refreshes)
	}
}
