package licensing_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// answer ends a stream with a 200.
func (c *http2Conn) answer(stream uint32, body []byte) {
	const name, value = "content-type", "application/json"
	headers := "\x88" + "\x00" + string(rune(len(name))) + name + string(rune(len(value))) + value // :status 200, and a literal
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

// assigned has Graph carry out a change of the user's licences, and returns
// the body of its answer.
func assigned(t *testing.T, graph step, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://graph.test/v1.0/users/"+userID+"/assignLicense", strings.NewReader(string(body)))
	if err != nil {
		t.Error(err)
		return nil
	}
	req.Header = http.Header{"Authorization": {"Bearer t"}, "Content-Type": {"application/json"}}
	resp, err := graph(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("%d %s, %v", resp.StatusCode, answer, err)
	}
	return answer
}

// overHTTP2 makes a call whose first request meets a fault, and later ones a
// good server. The call has to succeed with one effect, after so many attempts
// of ours and requests that Graph carried out.
func overHTTP2(t *testing.T, attempts []int, executed int, fault func(c *http2Conn, stream uint32, apply func()) (more bool)) {
	t.Helper()
	onSockets(t)
	tenant, graph := newTenant()
	var requests atomic.Int32
	var hears atomic.Bool
	addr := listen(t, func(_ int, conn net.Conn) {
		secure := tls.Server(conn, serverTLS("h2"))
		serveHTTP2(secure, func(c *http2Conn, stream uint32, body []byte) bool {
			if requests.Add(1) == 1 {
				return fault(c, stream, func() { assigned(t, graph, body) })
			}
			c.answer(stream, assigned(t, graph, body))
			return true
		}, &hears)
	})
	asked := 0
	tokens := func(context.Context) (string, error) { asked++; return "token", nil }
	client := tokenClient(t, tokens, newTransport(t), licensing.WithBaseURL("https://"+addr), policy(hasty))
	user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
	wantDone(t, user, err)
	wantState(t, tenant, 1, skuA)
	if n := len(tenant.Requests()); requests.Load() != 2 || n != executed || !slices.Contains(attempts, asked) {
		t.Errorf("%d attempts made %d requests, of which %d were carried out", asked, requests.Load(), n)
	}
}

// net/http sends again by itself what was surely not carried out.
func TestF46_RefusedStream(t *testing.T) {
	overHTTP2(t, []int{1}, 1, func(c *http2Conn, stream uint32, _ func()) bool {
		c.reset(stream, codeRefused)
		return true
	})
}

func TestF47_GoAway(t *testing.T) {
	t.Parallel()
	t.Run("below our stream", func(t *testing.T) {
		overHTTP2(t, []int{1}, 1, func(c *http2Conn, stream uint32, _ func()) bool {
			c.goAway(stream-1, codeNone)
			return false
		})
	})
	t.Run("covering our stream", func(t *testing.T) {
		overHTTP2(t, []int{2}, 2, func(c *http2Conn, stream uint32, apply func()) bool {
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
			overHTTP2(t, test.attempts, 2, func(c *http2Conn, stream uint32, apply func()) bool {
				apply()
				c.reset(stream, test.code)
				return true
			})
		})
	}
}

// A connection that dies without a word is found out by pings.
func TestF49_BlackHole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := newTenant()
		var dead, alive atomic.Bool
		var conns atomic.Int32
		transport := pipes(t, func(n int, conn net.Conn) {
			conns.Store(int32(n))
			gone := &alive
			if n == 1 {
				gone = &dead
			}
			serveHTTP2(tls.Server(conn, serverTLS("h2")), func(c *http2Conn, stream uint32, body []byte) bool {
				c.answer(stream, assigned(t, graph, body))
				return true
			}, gone)
		})
		defer transport.CloseIdleConnections()
		transport.TLSClientConfig.RootCAs, _ = authority()
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
