package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// judge says what a reply means for its request, and until when the request may
// still be carried out. A reply that was lost says the latter itself; see
// attempt.end.
func (x *sending) judge(r *Reply) (v Verdict, late time.Time) {
	v = Verdict{Status: r.Status, Header: r.Header, Body: r.Body, Err: r.Err}
	if r.Header["Retry-After"] != nil {
		v.After, v.timed = RetryAfter(r.Header, time.Now())
	}
	late = r.Late
	if r.Status == http.StatusGatewayTimeout || r.Err != nil && x.Err() != nil && !r.Unsent {
		late = x.late()
	}
	v.Outcome = x.outcome(r, &v)
	if v.Err != nil && x.Err() != nil {
		v.Err = x.ended(v.Err)
	}
	return v, late
}

// outcome fills in what can be read of a reply, and says what it means.
func (x *sending) outcome(r *Reply, v *Verdict) Outcome {
	switch {
	case r.Unsent && r.Hopeless:
		return Permanent
	case r.Unsent:
		return Refused
	case v.Status == 0:
		return Doubtful
	case v.Status/100 == 2:
		if v.Err == nil {
			if v.Unread, v.Err = x.notAnswered(v); v.Err == nil {
				return Applied
			}
			v.Err = x.hidden(v.Err)
		}
		v.Body = bytes.Clone(v.Body[:min(len(v.Body), maxErrorBody)])
		v.problem = readProblem(v.Body)
		return Doubtful
	}
	if len(v.Body) > maxErrorBody { // of an item of a batch
		v.Body = bytes.Clone(v.Body[:maxErrorBody])
	}
	v.problem = readProblem(v.Body)
	broken := v.Err != nil || v.problem.broken && len(v.Body) < maxErrorBody
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
	errNotGraph    = errors.New("not an answer of Microsoft Graph")
	errRedirect    = fmt.Errorf("%w: a redirect", errNotGraph)
	errOtherObject = errors.New("answer is for another object")
)

// notAnswered says why a 2xx is no proof that the request was carried out, or
// else which property of the answer cannot be read. Portals and proxies answer
// with 200, too.
func (x *sending) notAnswered(v *Verdict) (unread, err error) {
	req := x.request
	if v.Status == http.StatusNoContent {
		_, _, err := req.Into.Read([]byte("{}"))
		return nil, err
	}
	if kind := mediaType(v.Header); kind != "" && kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, fmt.Errorf("%w: %s", errNotGraph, kind)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(v.Body, " \t\r\n"), []byte("{")) {
		return nil, fmt.Errorf("%w: no JSON object", errNotGraph)
	}
	id, failed, err := req.Into.Read(v.Body)
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("%w: not a complete JSON object", errNotGraph)
		}
		var wire struct {
			ID any
			Frame
		}
		_ = json.Unmarshal(v.Body, &wire) // which is good JSON
		id, failed, unread = "", wire.Error != nil, err
		if wire.ID != nil {
			id = fmt.Sprint(wire.ID)
		}
	}
	if failed {
		return nil, fmt.Errorf("%w: an error with status %d", errNotGraph, v.Status)
	}
	if id != "" && !strings.EqualFold(id, req.Object.name) && req.Object.GUID() != "" {
		return nil, errOtherObject
	}
	return unread, nil
}

func mediaType(h http.Header) string {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
