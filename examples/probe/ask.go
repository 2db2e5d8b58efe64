package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An ask is a request and what it should be answered with. Its texts may have
// placeholders, such as {user}.
type ask struct {
	method, path, body string // the path from after the version, or from the host if it begins with a slash
	header             []string
	status             int
	code, text         string // of a refusal; empty if they do not matter
}

func get(path string) ask { return ask{method: http.MethodGet, path: path, status: http.StatusOK} }
func post(path, body string) ask {
	return ask{method: http.MethodPost, path: path, body: body, status: http.StatusOK}
}
func batch(items ...string) ask   { return post("$batch", `{"requests":[`+strings.Join(items, ",")+`]}`) }
func (a ask) advanced() ask       { return a.with("ConsistencyLevel", "eventual") }
func (a ask) anonymous() ask      { return a.with("Authorization", "") }
func (a ask) bad(text string) ask { return a.refused(400, "BadRequest", text) }
func (a ask) barred(text string) ask {
	return a.refused(400, "Request_BadRequest", text)
}
func (a ask) unsupported(text string) ask {
	return a.refused(400, "Request_UnsupportedQuery", text)
}
func (a ask) missing(key string) ask {
	return a.refused(404, "Request_ResourceNotFound", "Resource '"+key+"' does not exist or one of its queried reference-property objects are not present.")
}

func (a ask) with(name, value string) ask {
	a.header = append(a.header[:len(a.header):len(a.header)], name, value)
	return a
}

func (a ask) refused(status int, code, text string) ask {
	a.status, a.code, a.text = status, code, text
	return a
}

// String is the request as it stands in reports.
func (a ask) String() string { return strings.TrimSpace(a.method + " " + a.path + " " + a.body) }

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// fill puts in what the tenant has for the placeholders, and returns the first
// that it has nothing for.
func (p *probe) fill(text string) (filled, lacking string) {
	filled = placeholder.ReplaceAllStringFunc(text, func(name string) string {
		value, ok := p.names[name]
		if !ok {
			lacking = cmp.Or(lacking, name)
		}
		return value
	})
	return filled, lacking
}

// A reply is an answer, or why there is none.
type reply struct {
	status     int
	header     http.Header
	body       []byte
	code, text string // of a refusal
	lacking    string // what could not be asked about
	err        error
}

// send makes a request. One that is throttled is made again.
func (p *probe) send(ctx context.Context, a ask) reply {
	path, lacking := p.fill(a.path)
	body, more := p.fill(a.body)
	if lacking = cmp.Or(lacking, more); lacking != "" {
		return reply{lacking: lacking}
	}
	if !strings.HasPrefix(path, "/") {
		path = "/v1.0/" + path
	}
	var r reply
	for range 4 {
		r = p.attempt(ctx, a, p.graph+strings.ReplaceAll(path, " ", "%20"), body)
		if r.status != http.StatusTooManyRequests {
			break
		}
		seconds, _ := strconv.Atoi(r.header.Get("Retry-After"))
		if r.err = p.wait(ctx, time.Duration(min(max(seconds, 1), 300))*time.Second); r.err != nil {
			break
		}
	}
	p.licensed = p.licensed || r.perhapsDone() && strings.HasSuffix(a.path, "{target}/assignLicense")
	p.located = p.located || r.perhapsDone() && a.method == http.MethodPatch
	p.stalled = p.stalled || r.perhapsDone() && r.status/100 != 2 && a.method != http.MethodGet
	return r
}

// perhapsDone reports whether what was asked for may have been done.
func (r reply) perhapsDone() bool {
	return r.status/100 != 4 || r.status == http.StatusRequestTimeout || r.status == http.StatusConflict
}

func (p *probe) attempt(ctx context.Context, a ask, url, body string) (r reply) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, a.method, url, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	token, err := p.tokens(ctx)
	if err != nil {
		return reply{err: err}
	}
	p.add(token)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(a.header); i += 2 {
		req.Header.Set(a.header[i], a.header[i+1])
		if a.header[i+1] == "" {
			req.Header.Del(a.header[i])
		}
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	r = reply{status: resp.StatusCode, header: resp.Header}
	if r.body, r.err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); r.err != nil {
		return reply{err: r.err}
	}
	if r.status >= 300 {
		r.code, r.text = problem(r.body)
	} else {
		p.learn(r.body)
	}
	return r
}

// problem returns code and text of a refusal.
func problem(body []byte) (code, text string) {
	var frame struct {
		Error struct{ Code, Message string }
	}
	json.Unmarshal(body, &frame)
	return frame.Error.Code, frame.Error.Message
}

// got tells what a request was answered with.
func (p *probe) got(a ask, r reply) string {
	got := fmt.Sprintf("%s: %d", a, r.status)
	if r.code+r.text != "" {
		got += " " + p.clean(r.code+": "+r.text, a.String()+a.code+a.text)
	}
	return got
}

// answered makes a request and judges the answer. What was not carried out,
// for want of an object, a permission or a service, is not seen.
func (p *probe) answered(ctx context.Context, a ask) (reply, outcome) {
	r := p.send(ctx, a)
	return r, p.judge(a, r)
}

func (p *probe) judge(a ask, r reply) outcome {
	text, _ := p.fill(a.text)
	switch {
	case r.lacking != "":
		return unseen("the tenant has no %s to ask about", strings.Trim(r.lacking, "{}"))
	case r.err != nil:
		return unseen("%s: no answer", a)
	case r.status == a.status && (a.code == "" || a.code == r.code) && (a.text == "" || text == r.text):
		return asExpected
	case r.status != a.status && passing(r.status):
		return unseen("%s", p.got(a, r))
	}
	return differs("%s", p.got(a, r))
}

// passing reports whether a status tells of the token or the moment, and so
// nothing of a fact.
func passing(status int) bool {
	return status == 401 || status == 403 || status == 429 || status >= 500
}

// all is a check of several requests, each by itself.
func all(asks ...ask) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		var outcomes []outcome
		for _, a := range asks {
			_, o := p.answered(ctx, a)
			outcomes = append(outcomes, o)
		}
		return worst(outcomes...)
	}
}

// shown is a check of what one answer shows, which look tells in words if it is
// not as expected.
func shown[T any](a ask, look func(p *probe, r reply, value T) outcome) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		r, o := p.answered(ctx, a)
		if o != asExpected {
			return o
		}
		var value T
		if err := json.Unmarshal(r.body, &value); err != nil && len(r.body) > 0 {
			return differs("%s: not of the expected form", a)
		}
		return look(p, r, value)
	}
}
