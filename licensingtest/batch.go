package licensingtest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxItems is how many requests a batch has at most.
const maxItems = 20

// A wireItem is a request of a batch as it stands there.
type wireItem struct {
	ID        itemID            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []itemID          `json:"dependsOn"`
}

// An itemID is the id of an item, which some clients write as a number. It is
// answered as a string.
type itemID string

func (id *itemID) UnmarshalJSON(text []byte) error {
	var number json.Number
	if json.Unmarshal(text, &number) == nil {
		*id = itemID(number)
		return nil
	}
	return json.Unmarshal(text, (*string)(id))
}

// A batchItem is one request of a batch.
type batchItem struct {
	id, key   string // the key is the id in lower case
	method    string
	url       *url.URL // from after the version
	header    http.Header
	body      []byte
	dependsOn []string // keys
}

// isBatch reports whether a path from after the version is that of batches.
func isBatch(path string) bool {
	plain, err := url.PathUnescape(path)
	return err == nil && strings.EqualFold(plain, "$batch")
}

// batch carries out the requests in the body of c one after the other and
// answers them in the reverse order, so that a client that goes by positions is
// found out.
func (t *Tenant) batch(c *call) answer {
	items, err := c.items()
	if err != nil {
		return c.refuse(err)
	}

	failed := make(map[string]bool)
	answers := make([]*answer, len(items)) // nil where none is sent
	faults := make([]Fault, len(items))
	for i, it := range items {
		part := c.part(it)
		do := t.handle
		if it.dependsOnAny(failed) {
			do = func(c *call) answer { return c.refuse(errFailedDependency) }
		} else {
			faults[i] = t.nextFault(true, part.body, func() *http.Request { return part.asRequest(it.url) })
		}
		f := faults[i]
		a, sent := f.carryOut(t, part, do)
		failed[it.key] = a.status/100 != 2
		if f.Body != "" && !json.Valid(a.body) {
			a.body = encode(a.body) // which makes bytes base64
		}
		if sent {
			answers[i] = &a
		}
	}
	swapItems(answers, faults)
	var responses [][]byte
	for i, a := range slices.Backward(answers) {
		if a == nil {
			continue
		}
		if faults[i].Swap {
			faults[i].setHeader(c, a.header)
		}
		responses = append(responses, a.asItem(items[i].id))
	}
	a := c.newAnswer(http.StatusOK, nil)
	a.header.Del("x-ms-resource-unit") // the items have it
	a.body = slices.Concat([]byte(`{"responses":[`), bytes.Join(responses, []byte(",")), []byte("]}"))
	return a
}

// items returns the requests in the body of c.
func (c *call) items() ([]batchItem, *graphError) {
	if c.method != http.MethodPost {
		return nil, errMethod
	}
	if err := c.needJSON(); err != nil {
		return nil, err
	}
	return parseBatch(c.body)
}

// dependsOnAny reports whether the item depends on one of those.
func (it batchItem) dependsOnAny(keys map[string]bool) bool {
	return slices.ContainsFunc(it.dependsOn, func(key string) bool { return keys[key] })
}

// part is the call that an item of c makes.
func (c *call) part(it batchItem) *call {
	return &call{
		received:        c.received,
		item:            it.id,
		method:          it.method,
		path:            strings.TrimPrefix(it.url.EscapedPath(), "/"),
		query:           it.url.RawQuery,
		base:            c.base,
		header:          it.header,
		token:           c.token,
		body:            it.body,
		request:         c.request,
		requestID:       c.requestID,
		clientRequestID: c.clientRequestID,
	}
}

// asRequest is c, which is an item with a URL, as if it had come by itself.
func (c *call) asRequest(item *url.URL) *http.Request {
	u := *c.received.URL
	path, rawPath := u.Path, u.EscapedPath() // of $batch
	u.Path = path[:strings.LastIndex(path, "/")] + item.Path
	u.RawPath = rawPath[:strings.LastIndex(rawPath, "/")] + item.EscapedPath()
	u.RawQuery = item.RawQuery
	r := c.received.WithContext(c.received.Context())
	r.Method, r.URL, r.RequestURI = c.method, &u, u.RequestURI()
	r.Header, r.ContentLength = c.header.Clone(), int64(len(c.body))
	return r
}

// asItem is the answer in the form that it has in a batch. Its body is taken as
// it is, because encoding it a second time would be most of the work.
func (a answer) asItem(id string) []byte {
	out := encode(struct {
		ID      string            `json:"id"`
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
	}{id, a.status, a.itemHeaders()})
	if len(a.body) > 0 {
		out = slices.Concat(out[:len(out)-1], []byte(`,"body":`), a.body, []byte("}"))
	}
	return out
}

// Header names that Graph spells in another way than package http.
var spelling = map[string]string{"Odata-Version": "OData-Version", "X-Ms-Resource-Unit": "x-ms-resource-unit"}

// itemHeaders are the headers of the answer as Graph has them in a batch.
func (a answer) itemHeaders() map[string]string {
	headers := make(map[string]string)
	for name, values := range a.header {
		headers[cmp.Or(spelling[name], name)] = strings.Join(values, ", ")
	}
	return headers
}

// parseBatch reads the body of a batch. What is wrong with one item is wrong
// with all of them.
func parseBatch(body []byte) ([]batchItem, *graphError) {
	var envelope struct {
		Requests []wireItem `json:"requests"`
	}
	if json.Unmarshal(body, &envelope) != nil || len(envelope.Requests) == 0 {
		return nil, errBatchFormat
	}
	if len(envelope.Requests) > maxItems {
		return nil, errBatchSize
	}
	var items []batchItem
	seen := make(map[string]bool)
	for _, wire := range envelope.Requests {
		it, err := wire.parse()
		if err != nil {
			return nil, err
		}
		if seen[it.key] {
			return nil, errBatchID(it.id)
		}
		if slices.ContainsFunc(it.dependsOn, func(key string) bool { return !seen[key] }) {
			return nil, errBatchDependency(it.id)
		}
		seen[it.key] = true
		items = append(items, it)
	}
	return items, checkOrder(items)
}

// key is the id without case.
func (id itemID) key() string { return strings.ToLower(string(id)) }

func (wire wireItem) parse() (batchItem, *graphError) {
	it := batchItem{id: string(wire.ID), key: wire.ID.key(), method: wire.Method, header: make(http.Header)}
	reference, _, _ := strings.Cut(wire.URL, "#")
	reference = strings.ReplaceAll(reference, " ", "%20") // Microsoft's own sample has blanks
	if it.id == "" || it.method == "" || reference == "" {
		return it, errBatchFormat
	}
	var err error
	if it.url, err = url.ParseRequestURI("/" + strings.TrimPrefix(reference, "/")); err != nil {
		return it, errURL
	}
	if isBatch(strings.TrimPrefix(it.url.EscapedPath(), "/")) {
		return it, errBatchNested
	}
	for name, value := range wire.Headers {
		it.header.Set(name, value)
	}
	for _, id := range wire.DependsOn {
		it.dependsOn = append(it.dependsOn, id.key())
	}
	return it, it.setBody(wire.Body)
}

// setBody gives the item a body as it stands in the batch: an object, or text
// in base64url.
func (it *batchItem) setBody(raw json.RawMessage) *graphError {
	var text string
	switch {
	case raw == nil || string(raw) == "null":
	case raw[0] == '{':
		it.body = raw
	case json.Unmarshal(raw, &text) == nil:
		body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return errBatchFormat
		}
		it.body = body
	default:
		return errBatchFormat
	}
	writes := it.method == http.MethodPost || it.method == http.MethodPatch || it.method == http.MethodPut
	if (writes || it.body != nil) && (it.body == nil || it.header.Get("Content-Type") == "") {
		return errBatchBody(it.id)
	}
	return nil
}

// checkOrder tells which item depends on others in a way that Graph does not
// take: either each depends on the one before it, or all that depend on any
// depend on the same one.
func checkOrder(items []batchItem) *graphError {
	var common []string
	serial, same := true, true
	for i, it := range items {
		serial = serial && (i == 0 || slices.Equal(it.dependsOn, []string{items[i-1].key}))
		if len(it.dependsOn) > 0 {
			if common == nil {
				common = it.dependsOn
			}
			same = same && len(it.dependsOn) == 1 && it.dependsOn[0] == common[0]
		}
		if !serial && !same {
			return errBatchDependency(it.id)
		}
	}
	return nil
}
