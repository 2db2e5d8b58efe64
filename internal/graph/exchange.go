package graph

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// An exchange is what a transport made of a request: an answer, read to its end,
// or why there is none.
type exchange struct {
	resp *http.Response // with no body any more; nil if there is none
	body []byte
	err  error // why there is no answer, or none that is complete
}

// make has a transport make a request, and reads so many bytes of a success.
func (e *exchange) make(rt http.RoundTripper, req *http.Request, most int) {
	e.resp, e.err = rt.RoundTrip(req)
	if e.resp == nil || e.resp.Body == nil {
		return
	}
	body, failed := e.resp.Body, e.err != nil
	e.resp.Body = http.NoBody
	if endsInTime(body) {
		e.read(body, most)
	} else {
		e.readApart(req.Context(), body, most)
	}
	if failed { // which is all that counts
		e.resp = nil
	}
}

// endsInTime reports whether a body is known to end with the context of its
// request: it is net/http's, or in memory.
func endsInTime(body io.ReadCloser) bool {
	v := reflect.ValueOf(body)
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.PkgPath() == "net/http":
		switch t.Name() { // others may have anything in them
		case "bodyEOFSignal", "gzipReader", "http2transportResponseBody", "http2gzipReader", "noBody":
			return true
		}
	case t.PkgPath() == "io" && v.Kind() == reflect.Struct && v.NumField() == 1 && v.Field(0).CanInterface(): // a NopCloser
		switch v.Field(0).Interface().(type) {
		case *bytes.Reader, *strings.Reader, *bytes.Buffer:
			return true
		}
	}
	return false
}

// read reads and closes a body, within its limit, after decompression. Of an error
// there is something more than what is kept, so that no token is cut that begins
// there. What is no answer, or is another protocol's, is not read.
func (e *exchange) read(from io.ReadCloser, most int) {
	defer from.Close()
	if e.err != nil || e.resp.StatusCode < 200 {
		return
	}
	limit, first := MaxKept+beyondError, MaxKept
	if e.resp.StatusCode/100 == 2 {
		limit, first = most, 1<<20
	}
	size := 512
	if n := e.resp.ContentLength; n > 0 {
		size = int(min(n, int64(first))) + 1 // so that the end is found without growing
	}
	body := make([]byte, 0, size)
	defer func() { e.body = body }()
	for idle := 0; ; {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if idle++; n > 0 {
			idle = 0
		}
		switch {
		case len(body) > limit:
			body = body[:limit]
			if limit == most {
				e.err = &LimitError{"MiB", most >> 20}
			}
			return
		case err == io.EOF:
			return
		case err != nil:
			e.err = err
			return
		case idle > 100:
			e.err = io.ErrNoProgress
			return
		case len(body) == cap(body):
			body = slices.Grow(body, min(len(body), limit+1-len(body)))
		}
	}
}

const (
	beyondError = 64 << 10               // bytes read of an error that are not kept
	lastChance  = 250 * time.Millisecond // that a body has when its time is over
)

// readApart reads and closes a body on a goroutine of its own, which is left alone
// when ctx has ended. What happens to the goroutine, happens to the caller.
func (e *exchange) readApart(ctx context.Context, body io.ReadCloser, most int) {
	type end struct {
		exchange
		came     bool // to its end
		panicked any
	}
	done := make(chan struct{}, 1)
	apart := &end{exchange: *e}
	go func() {
		defer func() {
			if !apart.came {
				apart.panicked = recover() // nil after a Goexit
			}
			done <- struct{}{}
		}()
		apart.read(body, most)
		apart.came = true
	}()
	select {
	case <-done:
	case <-ctx.Done():
		timer := time.NewTimer(lastChance) // its own error says more
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			e.err = ctx.Err()
			go body.Close() // which may end it, or not come back either
			return
		}
	}
	switch {
	case apart.panicked != nil:
		panic(apart.panicked)
	case !apart.came:
		runtime.Goexit()
	}
	e.body, e.err = apart.body, apart.err
}
