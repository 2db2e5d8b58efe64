package licensing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// receive reads an attempt's answer to its end.
func (c *call) receive(ctx context.Context, resp *http.Response, err error) answer {
	defer c.latest.cancel()
	a := answer{err: err}
	if resp != nil && err == nil {
		a.status, a.header = resp.StatusCode, resp.Header
		a.after, a.timed = retryAfter(resp.Header, time.Now())
		a.body, a.err = readBody(resp)
		a.err = c.latest.ownError(a.err)
		resp.Body.Close()
	}
	unsent := a.status == 0 && c.unsent(a.err)
	stalled := a.status == http.StatusGatewayTimeout || a.err != nil && (ctx.Err() != nil || isTimeout(a.err) || lostByPing(a.err))
	if stalled && !unsent && !c.reads() {
		c.late = time.Now().Add(c.client.policy.Fence)
	}
	a.outcome = c.judge(&a, unsent)
	a.err = c.blame(ctx, a.err)
	return a
}

// judge says what an answer means for its request.
func (c *call) judge(a *answer, unsent bool) outcome {
	switch {
	case unsent && hopeless(a.err):
		return permanent
	case unsent:
		return refused
	case a.status == 0:
		return doubtful
	case a.status/100 == 2:
		if a.err == nil {
			a.err = c.notAnswered(a)
		}
		if a.err == nil {
			return applied
		}
		a.body = bytes.Clone(a.body[:min(len(a.body), maxErrorBody)])
		a.problem = readError(a.body)
		return doubtful
	}
	a.problem = readError(a.body)
	broken := a.err != nil || a.problem.broken && len(a.body) < maxErrorBody
	switch {
	case throttled(a.status, a.problem.code):
		return delayed
	case broken || a.status < 400 || again(a.status):
		if a.status/100 == 3 && a.err == nil {
			a.err = fmt.Errorf("%w: a redirect", errNotGraph)
		}
		return doubtful
	case a.status == http.StatusUnauthorized:
		return unsigned
	case a.status == http.StatusConflict && (a.problem.code == codeConcurrency || a.timed):
		return refused
	case a.status == http.StatusFailedDependency && c.via != nil:
		return refused // with another item of its batch; once throttled ones were answered so
	}
	return permanent
}

var (
	errNotGraph    = errors.New("not an answer of Microsoft Graph")
	errOtherObject = errors.New("answer is for another object")
	errTooLarge    = fmt.Errorf("answer is larger than %d MiB", maxAnswer>>20)
)

// notAnswered says why a 2xx is no proof that the request was carried out.
// Portals and proxies answer with 200, too.
func (c *call) notAnswered(a *answer) error {
	if a.status == http.StatusNoContent {
		_, err := c.into.decode([]byte("{}"))
		return err
	}
	if kind := mediaType(a.header); kind != "" && kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return fmt.Errorf("%w: %s", errNotGraph, kind)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(a.body, " \t\r\n"), []byte("{")) {
		return fmt.Errorf("%w: no JSON object", errNotGraph)
	}
	failed, err := c.into.decode(a.body)
	id := c.into.id()
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%w: not a complete JSON object", errNotGraph)
		}
		var wire struct {
			ID any
			frame
		}
		_ = json.Unmarshal(a.body, &wire) // which is good JSON
		id, failed, a.unread = "", wire.Error != nil, err
		if wire.ID != nil {
			id = fmt.Sprint(wire.ID)
		}
	}
	if failed {
		return fmt.Errorf("%w: an error with status %d", errNotGraph, a.status)
	}
	if id != "" && !strings.EqualFold(id, c.object.name) && c.object.guid() != "" {
		return errOtherObject
	}
	return nil
}

func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// readBody reads a body within its limit, after decompression.
func readBody(resp *http.Response) ([]byte, error) {
	success := resp.StatusCode/100 == 2
	limit, most := maxErrorBody, int64(maxErrorBody)
	if success {
		limit, most = maxAnswer, 1<<20
	}
	size := 512
	if n := resp.ContentLength; n > 0 {
		size = int(min(n, most)) + 1 // so that the end is found without growing
	}
	body := make([]byte, 0, size)
	for {
		n, err := resp.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit && success:
			return body[:limit], errTooLarge
		case len(body) > limit:
			return body[:limit], nil
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		case len(body) == cap(body):
			body = slices.Grow(body, len(body))
		}
	}
}
