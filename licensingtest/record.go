package licensingtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Request is a request that the tenant received.
type Request struct {
	Method          string
	Path            string // as sent, with its escapes
	Query           string // as sent, without the question mark
	Header          http.Header
	Body            []byte // decompressed
	Time            time.Time
	RequestID       string // chosen by the tenant
	ClientRequestID string // sent by the client, or else the same as RequestID
	Status          int    // of the answer; zero before the answer, or if there never is one
}

// A Write is an effect of a request on the directory. The later effects of group
// processing on the members are not Writes.
type Write struct {
	Request         int // index of the request in Tenant.Requests
	RequestID       string
	ClientRequestID string
	Item            string      // the id of the item in a $batch, or empty
	Action          string      // "assignLicense", "reprocessLicenseAssignment" or "update"
	Target          string      // the id of the user or group
	Added           []License   // as requested
	Removed         []uuid.UUID // as requested
	UsageLocation   string      // set by an update
	Changed         bool        // false if the directory was already in that state
	Time            time.Time   // for a late request (Fault.Late), when it was due
}

// Requests returns all requests so far, in the order of arrival.
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

// Writes returns all effects of requests so far, in the order in which they were
// applied. A refused request has no effect, except a reprocessing that failed in
// part.
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
