package licensingtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A call is one operation asked for, by a request or by an item of a batch.
type call struct {
	received            *http.Request
	item                string // its id in a batch, or empty
	method, path, query string // the path as it was sent, from after the version
	base                string // the URL up to the version, for links
	header              http.Header
	token               string // of the request, also for an item
	body                []byte
	request             int // the index of the request in the log
	requestID           string
	clientRequestID     string

	now time.Time // when it is carried out

	// What dispatch found out.
	target  target
	options options
	load    string // how much of the limits is used, if that is to be told
}

// An answer is what a call is answered with.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A result is the outcome of an operation that was carried out.
type result struct {
	status int // zero for 200
	units  int // Graph's resource units
	header http.Header
	value  any
}

// A plainText is a value that is sent as it is, and not as JSON.
type plainText string

// contentType is the Content-Type of a value with this much metadata.
func contentType(metadata string) string {
	return "application/json;odata.metadata=" + metadata + ";odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
}

// respond answers a request to path, the whole of it as it was sent.
func (t *Tenant) respond(c *call) answer {
	t.mu.Lock()
	err := t.enter(c)
	t.mu.Unlock()
	if err != nil {
		return c.refuse(err)
	}
	if isBatch(c.path) {
		return t.batch(c)
	}
	return t.handle(c)
}

// enter takes the version off the path of a request, or tells why the request
// gets no further: for its token, or its version.
func (t *Tenant) enter(c *call) *graphError {
	if err := t.authorize(c.header); err != nil {
		return err
	}
	prefix, path, ok := strings.Cut(c.path, "/v1.0/")
	switch {
	case !ok && strings.Contains(c.path, "/beta/"):
		return notServed("the beta version")
	case !ok:
		return errVersion(c.path)
	}
	c.base, c.path = c.base+prefix+"/v1.0", path
	return nil
}

// authorize tells what is wrong with the token of a request.
func (t *Tenant) authorize(header http.Header) *graphError {
	value := header.Get("Authorization")
	if value == "" {
		return errNoToken
	}
	token, ok := bearer(header)
	if !ok {
		return errBadToken
	}
	if token == "" {
		return errNoToken
	}
	if t.token != "" && token != t.token {
		return errOldToken
	}
	return nil
}

// bearer returns the token of a request, and whether it has one of that kind.
func bearer(header http.Header) (token string, ok bool) {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return token, true
}

// handle carries out a call and answers it.
func (t *Tenant) handle(c *call) answer {
	res, err := t.dispatch(c)
	if err != nil {
		return c.refuse(err)
	}
	a := c.newAnswer(res.status, res.value)
	if c.method == http.MethodPost {
		a.header.Set("Location", graphURL) // of no use, unless the result has its own
	}
	a.header.Set("x-ms-resource-unit", strconv.Itoa(res.units))
	for name, values := range res.header {
		a.header[name] = values
	}
	return a
}

// refuse answers with an error in Graph's frame.
func (c *call) refuse(err *graphError) answer {
	type innerError struct {
		Date            string `json:"date"`
		RequestID       string `json:"request-id,omitempty"`
		ClientRequestID string `json:"client-request-id,omitempty"`
	}
	type body struct {
		Code       string        `json:"code"`
		Message    string        `json:"message"`
		Details    []errorDetail `json:"details,omitempty"`
		InnerError innerError    `json:"innerError"`
	}
	inner := innerError{Date: time.Now().UTC().Format("2006-01-02T15:04:05")}
	if !err.withoutIDs {
		inner.RequestID, inner.ClientRequestID = c.requestID, c.clientRequestID
	}
	a := c.newAnswer(err.status, map[string]body{"error": {err.code, err.message, err.details, inner}})
	for name, value := range err.header {
		a.header.Set(name, value)
	}
	return a
}

// newAnswer returns an answer with the headers that all answers of its status
// have. A nil value gives an empty body.
func (c *call) newAnswer(status int, value any) answer {
	a := answer{status: status, header: make(http.Header)}
	if status == 0 {
		a.status = http.StatusOK
	}
	a.header.Set("Cache-Control", "no-cache")
	a.header.Set("x-ms-resource-unit", "1")
	if c.load != "" {
		a.header.Set("x-ms-throttle-limit-percentage", c.load)
	}
	c.setBody(&a, value)
	if c.item != "" {
		return a // the rest is the envelope's
	}
	if a.status != http.StatusNoContent {
		a.header.Set("Vary", "Accept-Encoding")
	}
	a.header.Set("Strict-Transport-Security", "max-age=31536000")
	a.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	a.header.Set("request-id", c.requestID)
	a.header.Set("client-request-id", c.clientRequestID)
	a.header.Set("x-ms-ags-diagnostic", `{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"000","RoleInstance":"LICENSINGTEST0"}}`)
	return a
}

// setBody gives an answer its body and the headers that go with it.
func (c *call) setBody(a *answer, value any) {
	text, plain := value.(plainText)
	switch {
	case a.status == http.StatusNoContent:
		return
	case a.status >= 300:
		a.header.Set("Content-Type", "application/json")
	case plain:
		a.header.Set("Content-Type", "text/plain")
		a.header.Set("OData-Version", "4.0")
		a.body = []byte(text)
		if c.item != "" {
			a.body = encode(a.body) // which makes bytes base64
		}
		return
	default:
		a.header.Set("Content-Type", contentType("minimal"))
		a.header.Set("OData-Version", "4.0")
		if o, ok := value.(object); ok && c.wantsNoMetadata() {
			a.header.Set("Content-Type", contentType("none"))
			value = o.bare()
		}
	}
	if value != nil {
		a.body = appendJSON(nil, value)
	}
}

// wantsNoMetadata reports whether c asks for an answer without annotations.
func (c *call) wantsNoMetadata() bool {
	return strings.Contains(strings.ToLower(strings.ReplaceAll(c.header.Get("Accept"), " ", "")), "odata.metadata=none")
}

// encode returns a value as JSON, which all values here can be.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panicf("%v", err)
	}
	return text
}

// needJSON tells why the body of c cannot be JSON.
func (c *call) needJSON() *graphError {
	contentType := c.header.Get("Content-Type")
	switch {
	case strings.TrimSpace(string(c.body)) == "":
		return errEmptyBody
	case contentType == "":
		return errNoContentType
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		return errUnreadable
	}
	return nil
}
