package licensing

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
)

// appendBatch writes the body of a batch of writes. The id of a request is its
// number, from 1.
func appendBatch(body []byte, parcels []*parcel) []byte {
	body = append(body, `{"requests":[`...)
	for i, p := range parcels {
		if i > 0 {
			body = append(body, ',')
		}
		c := p.call
		path, _ := json.Marshal(c.object.path() + c.action)
		body = append(body, `{"id":"`...)
		body = strconv.AppendInt(body, int64(i+1), 10)
		body = append(body, `","method":"`+c.method+`","url":`...)
		body = append(body, path...)
		body = append(body, `,"headers":{"Content-Type":"application/json"},"body":`...)
		if c.body == nil { // which Graph takes for a write by itself, but not in a batch
			body = append(body, `{}`...)
		}
		body = append(body, c.body...)
		body = append(body, '}')
	}
	return append(body, `]}`...)
}

// A batchAnswer is what a batch is answered with.
type batchAnswer struct {
	items []batchItem
}

// A batchItem is the answer to one request of a batch.
type batchItem struct {
	ID      string                     `json:"id"`
	Status  int                        `json:"status"`
	Headers map[string]json.RawMessage `json:"headers"`
	Body    json.RawMessage            `json:"body"`
}

// decode reads what there is. An item that cannot be read is as good as none.
func (b *batchAnswer) decode(data []byte) (failed bool, err error) {
	var wire struct {
		Responses json.RawMessage `json:"responses"`
		frame
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return false, err
	}
	var items []json.RawMessage
	_ = json.Unmarshal(wire.Responses, &items)
	b.items = nil
	for _, raw := range items {
		var item batchItem
		if json.Unmarshal(raw, &item) == nil {
			b.items = append(b.items, item)
		}
	}
	return wire.Error != nil, nil
}

func (*batchAnswer) id() string      { return "" }
func (*batchAnswer) identify(object) {}

var (
	errLeftOut = errors.New("batch was answered without the operation")
	errTwice   = errors.New("batch was answered with two answers to the operation")
)

// open returns the answers to n requests of a batch. What is not answered once,
// and readably, is in doubt.
func (b *batcher) open(batch *call, answer *batchAnswer, n int) []delivery {
	deliveries := slices.Repeat([]delivery{{err: errLeftOut}}, n)
	seen := make([]bool, n)
	foreign := 0
	for _, item := range answer.items {
		i, err := strconv.Atoi(item.ID)
		i--
		switch {
		case err != nil || i < 0 || i >= n || item.ID != strconv.Itoa(i+1):
			foreign++
			continue
		case seen[i]:
			deliveries[i] = delivery{err: errTwice}
		case item.Status >= 100 && item.Status <= 999:
			deliveries[i] = delivery{resp: item.response(batch)}
		}
		seen[i] = true
	}
	if logger := b.client.logger; foreign > 0 && logger != nil {
		logger.LogAttrs(b.ctx, slog.LevelWarn, "graph batch has answers to operations that were not in it",
			slog.Int("answers", foreign), slog.String("request-id", batch.requestID()), slog.String("client-request-id", batch.id))
	}
	return deliveries
}

// response returns an item as the answer to a request of its own. Its names of
// headers are in any case, and some headers only the batch has.
func (item *batchItem) response(batch *call) *http.Response {
	header := make(http.Header)
	for name, raw := range item.Headers {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw) // a number
		}
		header.Add(name, text)
	}
	for _, name := range []string{"Date", "Request-Id", "Client-Request-Id", "X-Ms-Throttle-Limit-Percentage"} {
		if values := batch.last.header[name]; header[name] == nil && values != nil {
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
	return newResponse(item.Status, header, body)
}
