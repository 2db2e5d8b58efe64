package licensingtest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// A reply is an answer with what happens to it on its way.
type reply struct {
	answer
	fault Fault
}

// exchange carries out a request to the end, whether or not somebody is still
// waiting for the reply.
func (t *Tenant) exchange(r *http.Request, body []byte) reply {
	if r.Header.Get("Content-Encoding") == "gzip" {
		body = gunzip(body)
	}
	c := t.admit(r, body)
	f := t.nextFault(false, body, func() *http.Request { return r })
	a, sent := f.carryOut(t, c, t.respond)
	if sent {
		a = t.answered(c, f, a)
	}
	return reply{a, f}
}

// gunzip returns the decompressed body. A body that is not compressed, or cut,
// becomes something that is no JSON, even if it was: Graph refuses it, too.
func gunzip(body []byte) []byte {
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return append([]byte("not gzip: "), body...)
	}
	plain, err := io.ReadAll(zr)
	if err != nil {
		return append([]byte("not gzip: "), body...)
	}
	return plain
}

// ServeHTTP answers a request as Microsoft Graph does, or as a [Fault] says.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	rep := t.exchange(r, body)
	if rep.fault.silent() {
		if !rep.fault.Drop {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	for name, values := range rep.header {
		header[name] = values
	}
	// Without these net/http would make up a value.
	for _, name := range []string{"Content-Type", "Date"} {
		if header[name] == nil {
			header[name] = nil
		}
	}
	if rep.status != http.StatusNoContent && rep.status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(len(rep.body)))
	}
	w.WriteHeader(rep.status)
	w.Write(rep.fault.sent(rep.body))
	if rep.fault.cuts(rep.body) {
		http.NewResponseController(w).Flush()
		if rep.fault.Hang {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	}
}

// RoundTripper returns a transport that sends all requests to the tenant without a
// network, whatever their host. If the client gives up on a request, it is still
// carried out, as on a real server.
func (t *Tenant) RoundTripper() http.RoundTripper { return roundTripper{t} }

type roundTripper struct{ tenant *Tenant }

func (rt roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := takeBody(req)
	if err != nil {
		return nil, err
	}
	ctx := req.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	received := req.Clone(context.WithoutCancel(ctx))
	received.RequestURI = received.URL.RequestURI()
	if received.Host == "" {
		received.Host = received.URL.Host
	}
	replies := make(chan reply, 1)
	go func() { replies <- rt.tenant.exchange(received, body) }()

	var rep reply
	select {
	case rep = <-replies:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	switch {
	case rep.fault.Drop:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case rep.fault.silent():
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	sent := &sentBody{
		ctx: ctx, data: bytes.NewReader(rep.fault.sent(rep.body)), cut: rep.fault.cuts(rep.body), hang: rep.fault.Hang, closed: make(chan struct{}),
	}
	return &http.Response{
		Status:        strconv.Itoa(rep.status) + " " + http.StatusText(rep.status),
		StatusCode:    rep.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        rep.header,
		Body:          sent,
		ContentLength: int64(len(rep.body)),
		Request:       req,
	}, nil
}

// takeBody reads and closes the body of a request.
func takeBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	return body, errors.Join(err, req.Body.Close())
}

// A sentBody is the body of an answer as it arrives, which may be less than was
// promised.
type sentBody struct {
	ctx    context.Context
	data   io.Reader
	cut    bool // there was more
	hang   bool // and it may be still to come
	close  sync.Once
	closed chan struct{}
}

func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.data.Read(p)
	if err != io.EOF || !b.cut {
		return n, err
	}
	if !b.hang {
		return n, io.ErrUnexpectedEOF
	}
	select {
	case <-b.ctx.Done():
		return n, context.Cause(b.ctx)
	case <-b.closed:
		return n, http.ErrBodyReadAfterClose
	}
}

func (b *sentBody) Close() error {
	b.close.Do(func() { close(b.closed) })
	return nil
}
