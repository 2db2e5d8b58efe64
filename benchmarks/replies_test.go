package benchmarks

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing/benchmarks/harness"
	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/all"
)

// A reply answers one request.
type reply func(*http.Request) (*http.Response, error)

func answer(status int, kind, body string, headers ...string) reply {
	return func(req *http.Request) (*http.Response, error) {
		h := http.Header{}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		for i := 0; i < len(headers); i += 2 {
			h.Set(headers[i], headers[i+1])
		}
		return &http.Response{
			Status: fmt.Sprint(status, " ", http.StatusText(status)), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
		}, nil
	}
}

func graphError(status int, code, message string, headers ...string) reply {
	return answer(status, "application/json", fmt.Sprintf(`{"error":{"code":%q,"message":%q,"innerError":{"request-id":"7cc1e5a0-9b4b-4b0a-8b1e-7c5b2f3d1a10"}}}`, code, message), headers...)
}

const page = "<!DOCTYPE html><html><body>Sign in to the guest network</body></html>"

var (
	done = answer(200, "application/json", `{"id":"`+harness.User+`","assignedLicenses":[]}`)
	wait = func(headers ...string) reply {
		return graphError(429, "TooManyRequests", "Too many requests", headers...)
	}
	reset = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}

	lost reply = func(*http.Request) (*http.Response, error) { return nil, reset }
	cut  reply = func(req *http.Request) (*http.Response, error) {
		resp, _ := done(req)
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id":"`), iotest.ErrReader(reset)))
		return resp, nil
	}
)

// A row is what a client may be answered with. After the last reply comes that
// one again.
type row struct {
	name             string
	replies          []reply
	cancel, deadline time.Duration // when the context ends
	ours             string        // what comes of it here, but for the time
}

var replies = []row{
	{name: "200 with the user", replies: []reply{done},
		ours: `1×, id`},
	{name: "200, empty", replies: []reply{answer(200, "", "")},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 200 OK: not an answer from Micro…`},
	{name: "204", replies: []reply{answer(204, "", "")},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 204 No Content: not an answer fr…`},
	{name: "200, JSON that breaks off", replies: []reply{answer(200, "application/json", `{"id":"`+harness.User)},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 200 OK: not an answer from Micro…`},
	{name: "200, a portal's page", replies: []reply{answer(200, "text/html", page)},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 200 OK: not an answer from Micro…`},
	{name: "400, no seats", replies: []reply{graphError(400, "Request_BadRequest", "Subscription with SKU f30db892-07e9-47e9-837c-80727f46fd3d does not have any available licenses.")},
		ours: `1×, licensing.Error: assign user license: 400 Request_BadRequest: Subscription with SKU f30…`},
	{name: "401", replies: []reply{graphError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")},
		ours: `1×, licensing.Error: assign user license: 401 InvalidAuthenticationToken: Lifetime validati…`},
	{name: "403", replies: []reply{graphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")},
		ours: `1×, licensing.Error: assign user license: 403 Authorization_RequestDenied: Insufficient pri…`},
	{name: "404", replies: []reply{graphError(404, "Request_ResourceNotFound", "Resource does not exist.")},
		ours: `1×, licensing.Error: assign user license: 404 Request_ResourceNotFound: Resource does not e…`},
	{name: "429, Retry-After 1, once", replies: []reply{wait("Retry-After", "1"), done},
		ours: `2×, id`},
	{name: "429, Retry-After 1, always", replies: []reply{wait("Retry-After", "1")},
		ours: `, licensing.Error: assign user license: 429 TooManyRequests: Too many requests (request-i…`},
	{name: "429 without Retry-After, once", replies: []reply{wait(), done},
		ours: `2×, id`},
	{name: "429, Retry-After 30, canceled after 0.5 s", replies: []reply{wait("Retry-After", "30")}, cancel: 500 * time.Millisecond,
		ours: `1×, licensing.Error: assign user license: 429 TooManyRequests: Too many requests: context c…`},
	{name: "429, Retry-After 3600, deadline after 5 s", replies: []reply{wait("Retry-After", "3600")}, deadline: 5 * time.Second,
		ours: `1×, licensing.Error: assign user license: 429 TooManyRequests: Too many requests (request-i…`},
	{name: "503, always", replies: []reply{graphError(503, "serviceNotAvailable", "The service is unavailable.")},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 503 serviceNotAvailable: The ser…`},
	{name: "500, once", replies: []reply{graphError(500, "generalException", "An error has occurred."), done},
		ours: `2×, id`},
	{name: "502 with a page, always", replies: []reply{answer(502, "text/html", page)},
		ours: `5×, licensing.Error: assign user license: outcome unknown: 502 Bad Gateway (5 attempts)`},
	{name: "reset before the answer, once", replies: []reply{lost, done},
		ours: `2×, id`},
	{name: "reset within the answer", replies: []reply{cut, done},
		ours: `2×, id`},
	{name: "307 to another host", replies: []reply{answer(307, "", "", "Location", "https://evil.example/x"), done},
		ours: `2×, id`},
	{name: "302 to another host", replies: []reply{answer(302, "", "", "Location", "https://evil.example/x"), done},
		ours: `2×, id`},
	{name: "307 to another port", replies: []reply{answer(307, "", "", "Location", "https://graph.microsoft.com:8443/x"), done},
		ours: `2×, id`},
}

// A probe answers with replies, and notes what it is sent.
type probe struct {
	replies []reply
	hosts   []string
	bodies  []string
	tokens  []bool
}

func (p *probe) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if req.Header.Get("Content-Encoding") == "gzip" {
		if zr, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, _ = io.ReadAll(zr)
		} else {
			body = append([]byte("not gzip: "), body...)
		}
	}
	p.hosts, p.bodies, p.tokens = append(p.hosts, req.URL.Host), append(p.bodies, string(body)), append(p.tokens, req.Header.Get("Authorization") != "")
	return p.replies[min(len(p.hosts), len(p.replies))-1](req)
}

// notes tell what is not as it should be in requests after the first.
func (p *probe) notes() (notes []string) {
	for i := 1; i < len(p.hosts); i++ {
		note := ""
		switch {
		case p.hosts[i] != p.hosts[0] && p.tokens[i]:
			note = "**elsewhere, with the token**"
		case p.hosts[i] != p.hosts[0] && p.bodies[i] == "":
			note = "elsewhere, without the body"
		case p.hosts[i] != p.hosts[0]:
			note = "**elsewhere, with the body**"
		case p.bodies[i] != p.bodies[0]:
			note = "**another body**"
		}
		if note != "" && (len(notes) == 0 || notes[len(notes)-1] != note) {
			notes = append(notes, note)
		}
	}
	return notes
}

// An outcome is what came of a call, and what that took.
type outcome struct {
	requests int
	took     time.Duration
	rest     string
}

func (o outcome) String() string {
	if o.took == 0 {
		return fmt.Sprintf("%d×, %s", o.requests, o.rest)
	}
	return fmt.Sprintf("%d×, %.1f s, %s", o.requests, o.took.Seconds(), o.rest)
}

// call makes the call that is answered with a row of replies.
func (r row) call(t *testing.T, create peers.New) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{replies: r.replies}
		client, err := create("https://graph.microsoft.com", p)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		switch {
		case r.cancel > 0:
			time.AfterFunc(r.cancel, cancel)
		case r.deadline > 0:
			ctx, cancel = context.WithTimeout(ctx, r.deadline)
			defer cancel()
		}
		start := time.Now()
		got, err := client.AssignUser(ctx, harness.User, harness.Change)
		o = outcome{len(p.hosts), time.Since(start), strings.Join(append(p.notes(), result(got, err)), ", ")}
	})
	return o
}

func result(got peers.Assigned, err error) string {
	switch {
	case err == nil && got.ID == "":
		return "no error, no id"
	case err == nil:
		return "id"
	}
	kind := strings.TrimPrefix(fmt.Sprintf("%T", err), "*")
	if kind == "errors.errorString" || kind == "fmt.wrapError" || kind == "errors.joinError" {
		kind = "string"
	}
	words := slices.DeleteFunc(strings.Fields(err.Error()), func(word string) bool { return strings.Trim(word, "-") == "" })
	text := strings.NewReplacer("|", "/", "`", "'", "<", "‹", ">", "›", "https://graph.microsoft.com/v1.0/users/"+harness.User+"/assignLicense", "[url]").Replace(strings.Join(words, " "))
	if runes := []rune(text); len(runes) > 70 {
		text = string(runes[:70]) + "…"
	}
	return kind + ": " + text
}

// TestReplies prints a table of what becomes of each reply, with -v. Time is
// virtual. What is ours has to be so.
func TestReplies(t *testing.T) {
	head := []string{"reply"}
	for _, peer := range all.Peers {
		head = append(head, peer.Name)
	}
	table := line(head) + "|" + strings.Repeat("---|", len(head)) + "\n"
	for _, r := range replies {
		cells := []string{r.name}
		for _, peer := range all.Peers {
			o := r.call(t, peer.New)
			if got := fmt.Sprintf("%d×, %s", o.requests, o.rest); peer.Name == "licensing" && !strings.HasSuffix(got, r.ours) {
				t.Errorf("%s: got %s, want %s", r.name, got, r.ours)
			}
			cells = append(cells, o.String())
		}
		table += line(cells)
	}
	if testing.Verbose() {
		fmt.Print(table)
	}
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
