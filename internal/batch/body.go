package batch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/graphlicensing/licensing/internal/graph"
)

// appendBody writes the body of a batch. The id of a request is its number, from 1.
func appendBody(body []byte, parcels []*parcel) []byte {
	body = append(body, `{"requests":[`...)
	for i, p := range parcels {
		if i > 0 {
			body = append(body, ',')
		}
		url := p.request.Path()
		if p.request.Query != "" {
			url += "?" + p.request.Query
		}
		path, _ := json.Marshal(url)
		body = append(body, `{"id":"`...)
		body = strconv.AppendInt(body, int64(i+1), 10)
		body = append(body, `","method":"`+p.request.Method+`","url":`...)
		body = append(body, path...)
		if !p.request.Reads() {
			body = append(body, `,"headers":{"Content-Type":"application/json"},"body":`...)
			if p.request.Body == nil { // which Graph takes for a write by itself, but not in a batch
				body = append(body, `{}`...)
			}
			body = append(body, p.request.Body...)
		}
		body = append(body, '}')
	}
	return append(body, `]}`...)
}

// A contents is what a batch is answered with.
type contents struct {
	asked int // requests that are in it
	items []item
}

// An item is the answer to one request of a batch. Its parts are those of the
// batch's body.
type item struct {
	ID      string
	Status  int
	Headers []byte
	Body    []byte
}

// Read reads what there is. An item that cannot be read is as good as none.
func (c *contents) Read(body []byte) error {
	if !json.Valid(body) {
		var nothing struct{}
		return json.Unmarshal(body, &nothing) // says why
	}
	c.items = nil
	for name, list := range graph.Members(body) {
		if !strings.EqualFold(name, "responses") {
			continue
		}
		for raw := range graph.Elements(list) {
			if item, ok := readItem(raw); ok {
				c.items = append(c.items, item)
			}
		}
	}
	return nil
}

// readItem reads an item, and reports whether it is one.
func readItem(raw []byte) (it item, ok bool) {
	ok = bytes.HasPrefix(raw, []byte("{"))
	for name, value := range graph.Members(raw) {
		var err error
		switch strings.ToLower(name) {
		case "id":
			err = json.Unmarshal(value, &it.ID)
		case "status":
			err = json.Unmarshal(value, &it.Status)
		case "headers":
			it.Headers = value
		case "body":
			it.Body = value
		}
		ok = ok && err == nil
	}
	return it, ok
}

// Items is how many items there may be: a confused server answers twice.
func (c *contents) Items() int { return 2 * c.asked }

// Throttled returns how many requests were refused for their frequency, of all.
func (c *contents) Throttled() (refused, of int) {
	replies, _ := c.replies(c.asked, nil)
	for _, r := range replies {
		if graph.Refusal(&r) {
			refused++
		}
	}
	return refused, c.asked
}

// Identity tells nothing: a batch is about many.
func (c *contents) Identity() (id, name string) { return "", "" }

// Shows knows a batch by its list.
func (c *contents) Shows(member []byte) graph.Sign {
	if bytes.EqualFold(member, []byte("responses")) {
		return graph.Certain
	}
	return graph.NoSign
}

const (
	errLeftOut = graph.AnswerError("batch was answered without the operation")
	errMixed   = graph.AnswerError("batch was answered with an answer to another operation")
	errTwice   = graph.AnswerError("batch was answered with two answers to the operation")
)

// maxHeaders is how many bytes of headers an item may have, as many as an answer
// may that comes by itself.
const maxHeaders = 64 << 10

// replies returns the answers to n requests of a batch, and how many answers
// there are to requests that were not in it. What is not answered once, and
// readably, is in doubt.
func (c *contents) replies(n int, batch http.Header) (replies []graph.Reply, foreign int) {
	replies = slices.Repeat([]graph.Reply{{Err: errLeftOut}}, n)
	seen := make([]bool, n)
	for _, item := range c.items {
		i, err := strconv.Atoi(item.ID)
		i--
		switch {
		case err != nil || i < 0 || i >= n || item.ID != strconv.Itoa(i+1):
			foreign++
			continue
		case seen[i]:
			replies[i] = graph.Reply{Err: errTwice}
		case item.Status >= 100 && item.Status <= 999:
			replies[i] = item.reply(batch)
		}
		seen[i] = true
	}
	return replies, foreign
}

// reply returns an item as the answer to a request of its own. Its names of
// headers are in any case, and some headers only the batch has.
func (it *item) reply(batch http.Header) graph.Reply {
	if len(it.Headers) > maxHeaders {
		return graph.Reply{Err: &graph.LimitError{What: "bytes of headers", Limit: maxHeaders}}
	}
	header := make(http.Header)
	for name, raw := range graph.Members(it.Headers) {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw) // a number
		}
		header.Add(name, text)
	}
	for _, name := range []string{"Date", "Request-Id", "Client-Request-Id", "X-Ms-Throttle-Limit-Percentage"} {
		if values := batch[name]; header[name] == nil && values != nil {
			header[name] = values
		}
	}
	body := it.Body
	var text string
	switch {
	case string(body) == "null":
		body = nil
	case bytes.HasPrefix(body, []byte(`"`)) && json.Unmarshal(body, &text) == nil: // what is no JSON comes in base64
		body = []byte(text)
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			body = decoded
		}
	case it.Status/100 != 2: // which is kept, and all of the batch with it
		body = bytes.Clone(body)
	}
	return graph.Reply{Status: it.Status, Header: header, Body: body}
}
