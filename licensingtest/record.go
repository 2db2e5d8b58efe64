package licensingtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Request is a request that came in.
type Request struct {
	Method          string
	Path            string // as it was sent, with its escapes
	Query           string // as it was sent, without the question mark
	Header          http.Header
	Body            []byte // decompressed
	Time            time.Time
	RequestID       string // given by the tenant
	ClientRequestID string // given by the client, or else the same as RequestID
	Status          int    // what was answered; zero while nothing is, and forever when the answer was dropped or never came
}

// A Write is an effect on the directory that a request had. What group
// processing does to the members later is none.
type Write struct {
	Request         int // its index in [Tenant.Requests]
	RequestID       string
	ClientRequestID string
	Item            string      // its id in a $batch, or empty
	Action          string      // "assignLicense", "reprocessLicenseAssignment" or "update"
	Target          string      // the id of the user or group
	Added           []License   // as it was asked for
	Removed         []uuid.UUID // as it was asked for
	UsageLocation   string      // set by an update
	Changed         bool        // false when everything was so already
	Time            time.Time   // for what is late ([Fault].Late), when it was due
}

// Requests returns the requests that came in so far, in their order.
func (t *Tenant) Requests() []Request {
	t.lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.requests)
	for i := range out {
		out[i].Header = out[i].Header.Clone()
		out[i].Body = slices.Clone(out[i].Body)
	}
	return out
}

// Writes returns the effects that requests have had so far, in the order in
// which they were applied. A request that was refused has none, but for a
// reprocessing that failed in part.
func (t *Tenant) Writes() []Write {
	t.lock()
	defer t.mu.Unlock()
	out := slices.Clone(t.writes)
	for i := range out {
		out[i].Added = cloneLicenses(out[i].Added)
		out[i].Removed = slices.Clone(out[i].Removed)
	}
	return out
}

// admit puts a request into the log and returns the call that it makes.
func (t *Tenant) admit(r *http.Request, body []byte) *call {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := t.newID(kindRequest).String()
	c := &call{
		received:        r,
		method:          r.Method,
		path:            r.URL.EscapedPath(),
		query:           r.URL.RawQuery,
		header:          r.Header.Clone(),
		base:            scheme(r) + "://" + r.Host,
		body:            body,
		request:         len(t.requests),
		requestID:       id,
		clientRequestID: r.Header.Get("client-request-id"),
	}
	c.token, _ = bearer(c.header)
	if c.clientRequestID == "" {
		c.clientRequestID = id
	}
	t.requests = append(t.requests, Request{
		Method: c.method, Path: c.path, Query: c.query, Header: c.header, Body: body, Time: time.Now(),
		RequestID: c.requestID, ClientRequestID: c.clientRequestID,
	})
	return c
}

// answered puts into the log that c is answered. It returns the answer, which
// with f may be that to another request.
func (t *Tenant) answered(c *call, f Fault, own answer) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	logged, a := &t.requests[c.request], own
	if f.Swap {
		a = t.elsewhere(logged.Path, own)
		f.setHeader(c, a.header)
	}
	t.keep(logged.Path, own)
	logged.Status = a.status
	return a
}

// record puts an effect into the ledger.
func (t *Tenant) record(c *call, w Write) {
	w.Request, w.RequestID, w.ClientRequestID, w.Item = c.request, c.requestID, c.clientRequestID, c.item
	t.writes = append(t.writes, w)
}

// scheme is how a request came.
func scheme(r *http.Request) string {
	switch {
	case r.URL.Scheme != "":
		return r.URL.Scheme
	case r.TLS != nil:
		return "https"
	}
	return "http"
}
