package batch

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/graphlicensing/licensing/internal/graph"
)

// appendBody writes the body of a batch of writes. The id of a request is its
// number, from 1.
func appendBody(body []byte, parcels []*parcel) []byte {
	body = append(body, `{"requests":[`...)
	for i, p := range parcels {
		if i > 0 {
			body = append(body, ',')
		}
		path, _ := json.Marshal(p.request.Path())
		body = append(body, `{"id":"`...)
		body = strconv.AppendInt(body, int64(i+1), 10)
		body = append(body, `","method":"`+p.request.Method+`","url":`...)
		body = append(body, path...)
		body = append(body, `,"headers":{"Content-Type":"application/json"},"body":`...)
		if p.request.Body == nil { // which Graph takes for a write by itself, but not in a batch
			body = append(body, `{}`...)
		}
		body = append(body, p.request.Body...)
		body = append(body, '}')
	}
	return append(body, `]}`...)
}

// A contents is what a batch is answered with.
type contents struct {
	items []item
}

// An item is the answer to one request of a batch.
type item struct {
	ID      string                     `json:"id"`
	Status  int                        `json:"status"`
	Headers map[string]json.RawMessage `json:"headers"`
	Body    json.RawMessage            `json:"body"`
}

// Read reads what there is. An item that cannot be read is as good as none.
func (c *contents) Read(body []byte) (id string, failed bool, err error) {
	var wire struct {
		Responses json.RawMessage `json:"responses"`
		graph.Frame
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return "", false, err
	}
	var items []json.RawMessage
	_ = json.Unmarshal(wire.Responses, &items)
	c.items = nil
	for _, raw := range items {
		var item item
		if json.Unmarshal(raw, &item) == nil {
			c.items = append(c.items, item)
		}
	}
	return "", wire.Error != nil, nil
}

var (
	errLeftOut = errors.New("batch was answered without the operation")
	errTwice   = errors.New("batch was answered with two answers to the operation")
)

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
func (item *item) reply(batch http.Header) graph.Reply {
	header := make(http.Header)
	for name, raw := range item.Headers {
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
	body := []byte(item.Body)
	var text string
	switch {
	case string(body) == "null":
		body = nil
	case json.Unmarshal(body, &text) == nil: // what is no JSON comes in base64
		body = []byte(text)
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			body = decoded
		}
	}
	return graph.Reply{Status: item.Status, Header: header, Body: body}
}
