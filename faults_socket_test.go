package licensing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/internal/graph"
)

// The faults of a real network. No test here waits for the clock but for the
// client's shortest waits of 100 ms.

// onSockets starts a parallel test that uses real connections. Goroutines that
// go on after it are a failure: they are known by a label, which they inherit.
func onSockets(t *testing.T) {
	t.Helper()
	t.Parallel()
	noLeaks(t)
}

func noLeaks(t *testing.T) {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("test", t.Name())))
	t.Cleanup(func() {
		mine := fmt.Sprintf(`"test":%q`, t.Name())
		var others []string
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			var profile bytes.Buffer
			pprof.Lookup("goroutine").WriteTo(&profile, 1)
			others = nil
			for stack := range strings.SplitSeq(profile.String(), "\n\n") {
				if strings.Contains(stack, mine) && !strings.Contains(stack, "noLeaks") {
					others = append(others, stack)
				}
			}
			if others == nil {
				return
			}
		}
		t.Errorf("goroutines go on:\n%s", strings.Join(others, "\n\n"))
	})
}

// listen serves the connections to a loopback address, the n-th, from 1, by
// handle. It ends with the test.
func listen(t *testing.T, handle func(n int, conn net.Conn)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, listener, handle)
	return listener.Addr().String()
}

func accept(t *testing.T, listener net.Listener, handle func(n int, conn net.Conn)) {
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				handle(n, conn)
			})
		}
	})
}

// newTransport returns a default transport that trusts the certificate of the
// tests, and is closed at the end.
func newTransport(t *testing.T) *http.Transport {
	transport := graph.NewTransport()
	transport.Proxy = nil
	transport.TLSClientConfig.RootCAs, _ = authority()
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// authority returns a certificate for the hosts of the tests, and a pool that
// trusts it.
var authority = sync.OnceValues(func() (*x509.CertPool, tls.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), // before the clock of a bubble
		NotAfter:              time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames:              []string{"graph.test", "evil.test"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

func serverTLS(protocols ...string) *tls.Config {
	_, certificate := authority()
	return &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protocols}
}

// serve starts a server of net/http, with TLS if that is not nil.
func serve(t *testing.T, config *tls.Config, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if config != nil {
		server.TLS = config
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

// hasty makes waits as short as they can be.
var hasty = licensing.RetryPolicy{MinWait: -1}

// overSockets returns a client of the server at baseURL, that closes bodies.
func overSockets(t *testing.T, transport *http.Transport, baseURL string, p licensing.RetryPolicy) *licensing.Client {
	t.Helper()
	open := &bodies{next: transport}
	t.Cleanup(func() {
		if n := open.n.Load(); n != 0 {
			t.Errorf("%d answers were not closed", n)
		}
	})
	return newClient(t, open, licensing.WithBaseURL(baseURL+"/base"), policy(p))
}

// bodies counts those that are open.
type bodies struct {
	next http.RoundTripper
	n    atomic.Int32
}

func (b *bodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if resp != nil {
		b.n.Add(1)
		resp.Body = &watched{ReadCloser: resp.Body, closed: func() { b.n.Add(-1) }}
	}
	return resp, err
}

// carryOut reads a request and has Graph carry it out.
func carryOut(conn net.Conn, graph step) {
	serveHTTP1(conn, func(req *http.Request, _ io.Writer) bool {
		by(graph)(req, io.Discard)
		return false
	})
}

// reset breaks a connection with a RST.
func reset(conn net.Conn) {
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// breaks makes calls whose first connection is broken by fault, and later ones
// are fine, and wants them to succeed with one effect. For Graph an addition is
// so many requests.
func breaks(t *testing.T, requests int, fault func(conn net.Conn, graph step)) {
	t.Helper()
	t.Run("addition", func(t *testing.T) {
		onSockets(t)
		tenant, graph := newTenant()
		user, err := brokenClient(t, graph, fault).AssignUserLicense(t.Context(), userID, add(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuA)
		if n := len(tenant.Requests()); n != requests {
			t.Errorf("Graph saw %d requests, want %d", n, requests)
		}
	})
	t.Run("removal", func(t *testing.T) {
		onSockets(t)
		tenant, graph := newTenant(skuA, skuB)
		user, err := brokenClient(t, graph, fault).AssignUserLicense(t.Context(), userID, remove(skuA))
		wantDone(t, user, err)
		wantState(t, tenant, 1, skuB)
	})
}

func brokenClient(t *testing.T, graph step, fault func(conn net.Conn, graph step)) *licensing.Client {
	t.Helper()
	addr := listen(t, func(n int, conn net.Conn) {
		if n == 1 {
			fault(conn, graph)
			return
		}
		serveHTTP1(conn, by(graph))
	})
	return overSockets(t, newTransport(t), "http://"+addr, hasty)
}

// The resolver is net's own, the answer that of a name server.
func TestF01_DNSNoSuchHost(t *testing.T) {
	onSockets(t)
	transport := newTransport(t)
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				query[2], query[3] = 0x81, 0x83 // an answer: NXDOMAIN
				server.Write(append(size[:], query...))
			}
		}()
		return client, nil
	}}
	transport.DialContext = (&net.Dialer{Resolver: resolver}).DialContext
	_, err := overSockets(t, transport, "https://graph.test", hasty).AssignUserLicense(t.Context(), userID, add(skuA))
	wantFailed(t, err, 0, 1)
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
		t.Errorf("got %v", err)
	}
}

func TestF03_ConnectionRefused(t *testing.T) {
	onSockets(t)
	tenant, graph := newTenant()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := first.Addr().String()
	first.Close()
	asked := 0
	tokens := func(context.Context) (string, error) {
		if asked++; asked == 3 {
			again, err := net.Listen("tcp", addr)
			if err != nil {
				return "", err
			}
			accept(t, again, func(_ int, conn net.Conn) { serveHTTP1(conn, by(graph)) })
		}
		return "token", nil
	}
	transport := newTransport(t)
	client := tokenClient(t, tokens, transport, licensing.WithBaseURL("http://"+addr), policy(hasty))
	user, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
	wantDone(t, user, err)
	wantState(t, tenant, 1, skuA)
	if n := len(tenant.Requests()); n != 1 || asked != 3 {
		t.Errorf("%d requests in %d attempts", n, asked)
	}
	transport.CloseIdleConnections() // before the server waits for them
}

func TestF05_WrongCertificate(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*tls.Config){
		"unknown authority": func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
		"wrong name":        func(c *tls.Config) { c.ServerName = "other.test" },
		"expired":           func(c *tls.Config) { c.Time = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) } },
	} {
		t.Run(name, func(t *testing.T) {
			onSockets(t)
			server := serve(t, serverTLS(), func(http.ResponseWriter, *http.Request) { t.Error("a request came in") })
			transport := newTransport(t)
			spoil(transport.TLSClientConfig)
			_, err := overSockets(t, transport, server.URL, hasty).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 0, 1)
			if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// crypto/tls passes on what a transport's own rules say as it is.
func TestF05_WrongCertificateByTheTransportsRules(t *testing.T) {
	for name, refusal := range map[string]error{
		"unknown authority": x509.UnknownAuthorityError{},
		"wrong name":        x509.HostnameError{Certificate: new(x509.Certificate), Host: "graph.test"},
		"expired":           x509.CertificateInvalidError{Reason: x509.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			onSockets(t)
			server := serve(t, serverTLS(), func(http.ResponseWriter, *http.Request) { t.Error("a request came in") })
			transport := newTransport(t)
			transport.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error { return refusal }
			_, err := overSockets(t, transport, server.URL, hasty).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, 0, 1)
		})
	}
}

func TestF06_PlainHTTPOnTheTLSPort(t *testing.T) {
	onSockets(t)
	server := serve(t, nil, func(http.ResponseWriter, *http.Request) { t.Error("a request came in") })
	_, err := overSockets(t, newTransport(t), strings.Replace(server.URL, "http:", "https:", 1), hasty).AssignUserLicense(t.Context(), userID, add(skuA))
	wantFailed(t, err, 0, 1)
}

// garbled gives a record that no key fits, once it is told to.
type garbled struct {
	net.Conn
	on bool
}

func (g *garbled) Read(p []byte) (int, error) {
	if g.on {
		return copy(p, append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...)), nil
	}
	return g.Conn.Read(p)
}

// The server finds its connection tampered with when it has carried out the
// request, and ends it with an alert.
func TestF07_TLSAlert(t *testing.T) {
	onSockets(t)
	tenant, graph := newTenant()
	addr := listen(t, func(n int, conn net.Conn) {
		g := &garbled{Conn: conn}
		secure := tls.Server(g, serverTLS("http/1.1"))
		if n > 1 {
			serveHTTP1(secure, by(graph))
			return
		}
		carryOut(secure, graph)
		g.on = true
		if _, err := secure.Read(make([]byte, 1)); err == nil {
			t.Error("the server did not notice")
		}
	})
	user, err := overSockets(t, newTransport(t), "https://"+addr, hasty).AssignUserLicense(t.Context(), userID, add(skuA))
	wantDone(t, user, err)
	wantState(t, tenant, 1, skuA)
	if n := len(tenant.Requests()); n != 2 {
		t.Errorf("Graph saw %d requests", n)
	}
}

func TestF08_ResetBeforeRead(t *testing.T) {
	t.Parallel()
	breaks(t, 1, func(conn net.Conn, _ step) { reset(conn) })
}

func TestF09_ResetAfterApplied(t *testing.T) {
	t.Parallel()
	breaks(t, 2, func(conn net.Conn, graph step) {
		carryOut(conn, graph)
		reset(conn)
	})
}

func TestF10_EOFAfterApplied(t *testing.T) {
	t.Parallel()
	breaks(t, 2, carryOut)
}

// after answers with text when the request is carried out, and hangs up.
func after(text string) func(conn net.Conn, graph step) {
	return func(conn net.Conn, graph step) {
		carryOut(conn, graph)
		io.WriteString(conn, text)
	}
}

func TestF11_ResetInTheHead(t *testing.T) {
	t.Parallel()
	breaks(t, 2, func(conn net.Conn, graph step) {
		after("HTTP/1.1 200 OK\r\nContent-Ty")(conn, graph)
		reset(conn)
	})
}

func TestF12_MalformedStatusLine(t *testing.T) {
	t.Parallel()
	breaks(t, 2, after("HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n"))
}

func TestF13_TruncatedBody(t *testing.T) {
	t.Parallel()
	whole := `{"id":"` + userID + `"}`
	judged := `{"error":{"code":"Request_BadRequest","message":"` + noSeats + `"`
	for name, text := range map[string]string{
		"of known length":              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n" + whole,
		"in chunks":                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
		"without a length":             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + whole[:len(whole)-1],
		"of an error":                  "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n" + judged,
		"of an error without a length": "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + judged,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			breaks(t, 2, after(text))
		})
	}
}

func TestF17_RedirectToAPage(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			onSockets(t)
			var posts atomic.Int32
			server := serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && r.URL.Path != "/signed-in" {
					posts.Add(1)
					http.Redirect(w, r, "/signed-in", status)
					return
				}
				t.Errorf("%s %s: the redirect was followed", r.Method, r.URL.Path)
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"id":"`+userID+`"}`)
			})
			p := hasty
			p.MaxAttempts = 2
			_, err := overSockets(t, newTransport(t), server.URL, p).AssignUserLicense(t.Context(), userID, add(skuA))
			wantFailed(t, err, status, int(posts.Load()), licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			if !strings.Contains(err.Error(), "a redirect") {
				t.Errorf("the error does not say what is wrong: %v", err)
			}
		})
	}
}

func TestF18_RedirectElsewhere(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, place := range []string{"another host", "another port", "http"} {
			t.Run(fmt.Sprint(status, " to ", place), func(t *testing.T) {
				onSockets(t)
				sink := func(w http.ResponseWriter, r *http.Request) {
					t.Errorf("a request to %s, with %q", r.Host, r.Header["Authorization"])
				}
				secure, plain := serve(t, serverTLS(), sink), serve(t, nil, sink)
				to := map[string]string{"another host": "https://evil.test", "another port": secure.URL, "http": plain.URL}[place]
				server := serve(t, serverTLS(), func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to+"/x", status) })
				transport := newTransport(t)
				transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if strings.HasPrefix(addr, "evil.test") {
						addr = secure.Listener.Addr().String()
					}
					return new(net.Dialer).DialContext(ctx, network, addr)
				}
				p := hasty
				p.MaxAttempts = 2
				_, err := overSockets(t, transport, server.URL, p).AssignUserLicense(t.Context(), userID, add(skuA))
				wantFailed(t, err, status, 2, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
			})
		}
	}
}

// Answers without end cost little memory. The test does not run beside others,
// whose memory would count.
func TestF50_HugeAnswers(t *testing.T) {
	var member bytes.Buffer
	zip := gzip.NewWriter(&member)
	zip.Write(bytes.Repeat([]byte(" "), 1<<20))
	zip.Close()
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter)
		status int
		text   string
		most   int // bytes kept of the body
		kinds  []error
	}{
		"gzip bomb": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			for range 1000 { // a gigabyte
				w.Write(member.Bytes())
			}
		}, 200, "answer has more than 16 MiB", 64 << 10, []error{licensing.ErrTooLarge}},
		"error body": {func(w http.ResponseWriter) {
			w.WriteHeader(500)
			for range 100 << 10 {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
					return
				}
			}
			t.Error("all of the body was taken")
		}, 500, "500", 64 << 10, nil},
		"header": {func(w http.ResponseWriter) {
			w.Header().Set("X-Padding", strings.Repeat("x", 1<<20))
			w.WriteHeader(200)
		}, 0, "header", 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			server := serve(t, nil, func(w http.ResponseWriter, _ *http.Request) { test.answer(w) })
			client := overSockets(t, newTransport(t), server.URL, licensing.RetryPolicy{MaxAttempts: 1})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
			runtime.ReadMemStats(&after)
			e := wantFailed(t, err, test.status, 1, append(test.kinds, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)...)
			if !strings.Contains(err.Error(), test.text) || len(e.Body) > test.most {
				t.Errorf("%d bytes kept: %v", len(e.Body), err)
			}
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 128 {
				t.Errorf("%d MiB were allocated in all", allocated)
			} else {
				t.Logf("%d MiB were allocated in all", allocated)
			}
		})
	}
}

// Failed calls leave the connection for the next ones.
func TestConnectionsSurviveFailures(t *testing.T) {
	onSockets(t)
	var conns atomic.Int32
	addr := listen(t, func(n int, conn net.Conn) {
		conns.Store(int32(n))
		requests := 0
		serveHTTP1(conn, func(req *http.Request, w io.Writer) bool {
			requests++
			answer := []step{unavailable, tooMany("Retry-After", "3600"), soldOut, concurrent, okUser}[requests%5]
			return by(answer)(req, w)
		})
	})
	client := overSockets(t, newTransport(t), "http://"+addr, licensing.RetryPolicy{MaxAttempts: 1})
	for range 50 {
		client.AssignUserLicense(t.Context(), userID, add(skuA))
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections for 50 calls", n)
	}
}
