package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// CodeConcurrency is the error code of a change that was made at the same time
// as another.
const CodeConcurrency = "Directory_ConcurrencyViolation"

// Throttled reports whether the request was refused for its frequency.
func Throttled(status int, code string) bool {
	switch code {
	case "TooManyRequests", "activityLimitReached", "Request_ThrottledTemporarily", "Request_ThrottledPermanently":
		return true
	}
	return status == http.StatusTooManyRequests || status == 509 // Bandwidth Limit Exceeded
}

// Uncertain reports whether a status leaves open what was done with the request.
func Uncertain(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return status >= 500
}

// A Problem is what could be read of an error answer's body.
type Problem struct {
	Code, Message, Target string
	Details               []Detail
	RequestID, ClientID   string
	Date                  time.Time
	broken                bool // the JSON breaks off
}

// A Detail is an entry of an error's details.
type Detail struct{ Code, Message, Target string }

// readProblem reads Graph's error frame in any of the shapes that it is seen in,
// and what is there of one that breaks off.
func readProblem(body []byte) *Problem {
	p := new(Problem)
	body = unmarked(body)
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := p.read(decoder, nil)
	started := bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	p.broken = started && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
	return p
}

// read goes through the next value, whose place in the frame is path.
func (p *Problem) read(decoder *json.Decoder, path []string) error {
	const deepest = 64
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	opening, ok := token.(json.Delim)
	switch {
	case !ok:
		if token != nil {
			p.set(strings.Join(path, "."), fmt.Sprint(token))
		}
		return nil
	case len(path) >= deepest:
		return errors.New("nested too deeply")
	}
	place := strings.Join(path, ".")
	if opening == '{' && place == "error.details.[]" {
		p.Details = append(p.Details, Detail{})
	}
	for decoder.More() {
		name := "[]"
		if opening == '{' {
			key, err := decoder.Token()
			if err != nil {
				return err
			}
			name = strings.TrimPrefix(strings.ToLower(fmt.Sprint(key)), "odata.") // of the retired Azure AD Graph
		}
		if err := p.read(decoder, append(path[:len(path):len(path)], name)); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // the closing one
	return err
}

// set keeps a scalar that stands at a place worth knowing.
func (p *Problem) set(place, value string) {
	switch place {
	case "error.code":
		p.Code = value
	case "error.message", "error.message.value", "error_description":
		p.Message = value
	case "error", "message":
		if p.Message == "" {
			p.Message = value
		}
	case "error.target":
		p.Target = value
	}
	if rest, ok := strings.CutPrefix(place, "error.details.[]."); ok && len(p.Details) > 0 {
		detail := &p.Details[len(p.Details)-1]
		switch rest {
		case "code":
			detail.Code = value
		case "message":
			detail.Message = value
		case "target":
			detail.Target = value
		}
	}
	if strings.HasPrefix(place, "error.innererror.") {
		switch place[strings.LastIndexByte(place, '.')+1:] {
		case "request-id":
			p.RequestID = cmp.Or(p.RequestID, value)
		case "client-request-id":
			p.ClientID = cmp.Or(p.ClientID, value)
		case "date":
			if date, err := ParseTime(value); err == nil && p.Date.IsZero() {
				p.Date = date
			}
		}
	}
}

// ParseTime reads a time as Graph writes it: without a zone it is UTC.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		if local, err := time.Parse("2006-01-02T15:04:05", text); err == nil {
			return local, nil
		}
		return t, err
	}
	if !Writable(t) {
		return t, errors.New("offset of a day or more")
	}
	return t, nil
}

// Writable reports whether a time that was read can be written again, which one
// with an offset of 24 hours cannot.
func Writable(t time.Time) bool {
	const day = 24 * 60 * 60
	_, offset := t.Zone()
	return -day < offset && offset < day
}
