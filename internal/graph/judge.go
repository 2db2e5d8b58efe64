package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// judge says what a reply means for its request, and until when the request may
// still be carried out.
func (x *sending) judge(r *Reply) (v Verdict, late time.Time) {
	v = Verdict{Status: r.Status, Header: r.Header, Body: r.Body, Err: r.Err, Took: r.Took}
	if r.Header["Retry-After"] != nil {
		v.After, v.timed = RetryAfter(r.Header, time.Now())
	}
	v.Outcome = x.outcome(r, &v)
	late = r.Late
	if end := x.mayLand(r, &v); end.After(late) {
		late = end
	}
	if v.Err != nil && x.Err() != nil {
		v.Err = x.ended(v.Err)
	}
	return v, late
}

// shortFence is how long a request in doubt may still be carried out that did not
// stall: what gave up on it is not always what carries it out.
const shortFence = 30 * time.Second

// Stalled reports whether a status says that a request took too long for somebody.
func Stalled(status int) bool {
	return status == http.StatusGatewayTimeout || status == http.StatusRequestTimeout
}

// mayLand is until when a request may still be carried out after its reply. One
// that stalled because of its time says so itself; see attempt.end.
func (x *sending) mayLand(r *Reply, v *Verdict) time.Time {
	switch {
	case r.Err != nil && x.Err() != nil && !r.Unsent,
		Stalled(r.Status):
		return x.late(Forever)
	case v.Outcome == Doubtful, r.Earlier:
		return x.late(shortFence)
	}
	return time.Time{}
}

// Refusal reports whether a reply refuses its request for its frequency.
func Refusal(r *Reply) bool {
	return r.Status >= 300 && Throttled(r.Status, readProblem(r.Body).Code)
}

// outcome fills in what can be read of a reply, and says what it means.
func (x *sending) outcome(r *Reply, v *Verdict) Outcome {
	switch {
	case r.Unsent && r.Hopeless && !(x.mode == carried && x.service.served.Load()):
		return Permanent
	case r.Unsent:
		return Refused
	case v.Status < 200:
		if v.Status != 0 && v.Err == nil {
			v.Err = fmt.Errorf("%w: status %d", errNotGraph, v.Status)
		}
		return Doubtful
	case v.Status/100 == 2:
		if v.Err == nil {
			if v.Unread, v.Err = x.notAnswered(v); v.Err == nil {
				return Applied
			}
			v.Err = x.hidden(v.Err)
		}
		v.Body = Kept(v.Body)
		v.problem = readProblem(v.Body)
		if x.request.Reads() && errors.As(v.Err, new(*LimitError)) { // it would have it again
			return Permanent
		}
		return Doubtful
	}
	if len(v.Body) > MaxKept { // of an item of a batch
		v.Body = Kept(v.Body)
	}
	v.problem = readProblem(v.Body)
	broken := v.Err != nil || v.problem.broken && len(v.Body) < MaxKept
	switch {
	case Throttled(v.Status, v.problem.Code):
		return Delayed
	case broken || v.Status < 400 || Uncertain(v.Status):
		if v.Status/100 == 3 && v.Err == nil {
			v.Err = errRedirect
		}
		return Doubtful
	case v.Status == http.StatusUnauthorized:
		return Unsigned
	case v.Status == http.StatusConflict && (v.problem.Code == CodeConcurrency || v.timed):
		return Refused
	case v.Status == http.StatusFailedDependency && x.mode == carried:
		return Refused // with another request that it went along with; once throttled ones were answered so
	}
	return Permanent
}

var (
	errNotGraph    = errors.New("not an answer from Microsoft Graph")
	errRedirect    = fmt.Errorf("%w: a redirect", errNotGraph)
	errOtherObject = AnswerError("answer is for another object")

	// ErrBare says that a 204 is no proof: it has no header of Graph's.
	ErrBare = fmt.Errorf("%w: 204 without Graph's headers", errNotGraph)
)

// An AnswerError is what is wrong with an answer that came, and is Graph's.
type AnswerError string

func (e AnswerError) Error() string { return string(e) }

// notAnswered says why a 2xx is no proof that the request was carried out, or
// else which property of the answer cannot be read. Portals and proxies answer
// with 200, too.
func (x *sending) notAnswered(v *Verdict) (unread, err error) {
	req := x.request
	if v.Status == http.StatusNoContent && req.Method == http.MethodPatch {
		if !fromGraph(v.Header) {
			return nil, ErrBare
		}
		return req.Into.Read([]byte("{}")), nil
	}
	if kind := mediaType(v.Header); kind != "" && kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, fmt.Errorf("%w: %s", errNotGraph, kind)
	}
	v.Body = unmarked(v.Body)
	if !bytes.HasPrefix(bytes.TrimLeft(v.Body, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("%w: no JSON object", errNotGraph)
	}
	if plain(v.Body) && req.Into.Items() == 0 && req.Into.Read(v.Body) == nil { // as nearly always
		if id, _ := req.Into.Identity(); id != "" {
			return nil, x.other(id)
		}
	}
	seen, err := lookOver(v.Body, cmp.Or(req.Into.Items(), maxList))
	if err != nil {
		return nil, err
	}
	if seen.failed {
		return nil, fmt.Errorf("%w: an error with status %d", errNotGraph, v.Status)
	}
	unread = req.Into.Read(v.Body)
	if unread != nil && errors.As(unread, new(*json.SyntaxError)) {
		return nil, fmt.Errorf("%w: not a complete JSON object", errNotGraph)
	}
	id := seen.idText()
	if id == "" && !seen.odata && !x.known(v) {
		return nil, fmt.Errorf("%w: no id, no @odata member and no request-id", errNotGraph)
	}
	return unread, x.other(id)
}

// plain reports whether a body is too small to be counted, and has no error in it
// by any spelling.
func plain(body []byte) bool {
	return len(body) <= MaxKept && bytes.IndexByte(body, '\\') < 0 &&
		!bytes.Contains(body, []byte("rror")) && !bytes.Contains(body, []byte("RROR"))
}

// known reports whether an answer without an id, and without a word of OData's, is
// Graph's by what is in it.
func (x *sending) known(v *Verdict) bool {
	sign := signOf(v.Body, x.request.Into)
	return sign == Certain || sign == Weak && v.Header.Get("Request-Id") != ""
}

// other says whether an answer is about another object than the request's. A person
// may be known by two names, so two answers with one id are about the person. That
// is why the id is kept.
func (x *sending) other(id string) error {
	if x.request.fits(id) {
		return nil
	}
	before := x.seen.renamed
	x.seen.renamed = id
	if id == "" || id != before || x.request.Object.GUID() != "" {
		return errOtherObject
	}
	return nil
}

// fits reports whether an answer with an id, which Into has read, is about the
// object by the id or the name that the request goes by, as far as it tells them.
func (r *Request) fits(id string) bool {
	if guid := r.Object.GUID(); guid != "" {
		return id == "" || strings.EqualFold(id, guid)
	}
	_, name := r.Into.Identity()
	return r.Object.name == "" || name == "" || strings.EqualFold(name, r.Object.name) || strings.EqualFold(id, r.Object.name)
}

// idText returns the id, without the quotes. What is no text is shown as it is.
func (s *survey) idText() string {
	var text string
	if s.id == nil || string(s.id) == "null" || json.Unmarshal(s.id, &text) == nil {
		return text
	}
	return string(s.id[:min(len(s.id), 100)])
}

// Kept returns what an error keeps of a body, without the rest of it.
func Kept(body []byte) []byte { return bytes.Clone(body[:min(len(body), MaxKept)]) }

// Misplaced reports whether a reply is about another object than its request, as
// far as that shows without judging it.
func Misplaced(req *Request, r *Reply) bool {
	if r.Status/100 != 2 {
		return false
	}
	seen, err := lookOver(unmarked(r.Body), maxList)
	if err != nil || req.Object.GUID() == "" && req.Into.Read(unmarked(r.Body)) != nil {
		return false
	}
	return !req.fits(seen.idText())
}

// fromGraph reports whether a header is one that Graph makes.
func fromGraph(h http.Header) bool {
	return h.Get("Request-Id") != "" || h.Get("Client-Request-Id") != "" || h.Get("X-Ms-Ags-Diagnostic") != ""
}

// unmarked returns a text without the mark of its byte order, which JSON does not
// have.
func unmarked(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
