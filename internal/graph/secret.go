package graph

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

const (
	shortestSecret = 16 // characters; a shorter token may be a part of any text
	keptSecrets    = 8  // of a service
	deepest        = 8  // that escapes are nested
	redacted       = "[token]"
)

// Secrets are the tokens that a service has sent lately. Gateways quote them, and
// so may answers that are meant for others.
type secrets struct {
	foreign bool // the HTTP client signs the requests, so that not all tokens are known
	latest  atomic.Pointer[[]secret]
}

// A secret is a token that is cleaned away.
type secret struct {
	token string
	forms []string // itself, and in base64 behind 0, 1 and 2 bytes of something else
}

// known are the secrets so far, the latest first. They are not changed.
func (ss *secrets) known() []secret {
	if list := ss.latest.Load(); list != nil {
		return *list
	}
	return nil
}

// has reports whether a token is one of the secrets, or too short to be one.
func (ss *secrets) has(token string) bool {
	return len(token) < shortestSecret || slices.ContainsFunc(ss.known(), func(s secret) bool { return s.token == token })
}

// formsOf returns the texts that give a token away.
func formsOf(token string) []string {
	forms := []string{token}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), token...))
			// The first and the last characters depend on what stands beside it.
			form := text[(before*8+5)/6 : (before+len(token))*8/6]
			if !slices.Contains(forms, form) {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// add makes a token one of those that are cleaned away.
func (ss *secrets) add(token string) {
	for !ss.has(token) { // as it nearly always does
		old := ss.latest.Load()
		next := []secret{{token, formsOf(token)}}
		if old != nil {
			next = append(next, (*old)[:min(len(*old), keptSecrets-1)]...)
		}
		if ss.latest.CompareAndSwap(old, &next) {
			return
		}
	}
}

// clean takes the tokens out of a reply.
func (ss *secrets) clean(r *Reply) {
	cut := r.Err != nil || r.Status/100 != 2 && len(r.Body) > MaxKept
	ss = ss.with(r.Token) // of many at once, not all are kept
	r.Body = ss.text(r.Body, cut)
	r.Header = ss.header(r.Header)
	if r.Err != nil {
		r.Err = ss.error(r.Err)
	}
}

// with returns the secrets with a token, which they may have already.
func (ss *secrets) with(token string) *secrets {
	if ss.has(token) {
		return ss
	}
	more := &secrets{foreign: ss.foreign}
	more.latest.Store(ss.latest.Load())
	more.add(token)
	return more
}

// text returns a text without the tokens. The end of one that was cut may be the
// beginning of a token.
func (ss *secrets) text(text []byte, cut bool) []byte {
	const probe = 24 // bytes of a form, which are found faster than all of it
	if known := ss.known(); known != nil && len(text) >= shortestSecret {
		for _, s := range known {
			for _, form := range s.forms {
				if bytes.Contains(text, []byte(form[:min(probe, len(form))])) {
					text = bytes.ReplaceAll(text, []byte(form), []byte(redacted))
				}
			}
		}
		if cut || bytes.IndexByte(text, '%') >= 0 || bytes.IndexByte(text, '\\') >= 0 || bytes.IndexByte(text, '&') >= 0 {
			text = cleanEscaped(text, known, cut)
		}
	}
	if ss.foreign {
		text = withoutBearer(text)
	}
	return text
}

// header returns a header without the tokens. What a transport answers with may
// be shared, so it is not changed.
func (ss *secrets) header(h http.Header) http.Header {
	var clean http.Header
	shortest := ss.shortest()
	for name, values := range h {
		named := ss.names(name)
		for i, value := range values {
			if !named && len(value) < shortest { // as nearly all are
				continue
			}
			text := ss.text([]byte(value), false)
			if !named && string(text) == value {
				continue
			}
			if clean == nil {
				clean = h.Clone()
			}
			if named {
				delete(clean, name)
				break
			}
			clean[name][i] = string(text)
		}
	}
	if clean != nil {
		return clean
	}
	return h
}

// shortest is the length of the shortest text that may have a token.
func (ss *secrets) shortest() int {
	shortest := math.MaxInt
	if ss.foreign {
		shortest = len("Bearer ") + shortestSecret
	}
	for _, s := range ss.known() {
		shortest = min(shortest, len(s.token))
	}
	return shortest
}

// names reports whether a header's name has a token. Its letters may have changed
// their case.
func (ss *secrets) names(name string) bool {
	return slices.ContainsFunc(ss.known(), func(s secret) bool {
		return len(name) >= len(s.token) && strings.Contains(strings.ToLower(name), strings.ToLower(s.token))
	})
}

// error returns an error whose text has no tokens. What is wrapped in one that
// had is not shown any more.
func (ss *secrets) error(err error) error {
	text := err.Error()
	clean := string(ss.text([]byte(text), false))
	if clean == text {
		return err
	}
	var token *TokenError
	if errors.As(err, &token) {
		return &TokenError{&cleanError{strings.TrimPrefix(clean, "token source: "), isTimeout(err)}}
	}
	return &cleanError{clean, isTimeout(err)}
}

// A cleanError has the text of an error with a token in it, and nothing else.
type cleanError struct {
	text    string
	timeout bool
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Timeout() bool { return e.timeout }

// cleanEscaped is clean for a text in which characters may be escaped.
func cleanEscaped(text []byte, known []secret, cut bool) []byte {
	plain := unescape(text, nil)
	var found []span
	for _, s := range known {
		found = append(found, s.find(plain, cut)...)
	}
	if len(found) == 0 {
		return text
	}
	places := make([]span, len(text))
	for i := range places {
		places[i] = span{int32(i), int32(i + 1)}
	}
	unescape(text, &places)
	slices.SortFunc(found, func(a, b span) int { return int(a.from - b.from) })
	var clean []byte
	at := int32(0)
	for _, f := range found {
		from, to := places[f.from].from, places[f.to-1].to
		if from >= at {
			clean = append(append(clean, text[at:from]...), redacted...)
		}
		at = max(at, to)
	}
	return append(clean, text[at:]...)
}

// find returns where a plain text has the token, in any form.
func (s secret) find(plain []byte, cut bool) (found []span) {
	for _, form := range s.forms {
		form = strings.ReplaceAll(form, string(escape), "")
		if len(form) < shortestSecret {
			continue
		}
		for from := 0; ; {
			i := bytes.Index(plain[from:], []byte(form))
			if i < 0 {
				break
			}
			found = append(found, span{int32(from + i), int32(from + i + len(form))})
			from += i + len(form)
		}
		for n := min(len(form)-1, len(plain)); cut && n >= shortestSecret; n-- {
			if bytes.HasSuffix(plain, []byte(form[:n])) {
				found = append(found, span{int32(len(plain) - n), int32(len(plain))})
				break
			}
		}
	}
	return found
}

// A span is a part of a text.
type span struct{ from, to int32 }

// unescape returns a text without escapes, however often and in whatever ways they
// are nested. Places are those of its characters, unless nil.
func unescape(text []byte, places *[]span) []byte {
	for range deepest {
		plain := make([]byte, 0, len(text))
		var next []span
		for i := 0; i < len(text); {
			c, n := unescaped(text[i:])
			if c != escape {
				plain = append(plain, c)
				if places != nil {
					next = append(next, span{(*places)[i].from, (*places)[i+n-1].to})
				}
			}
			i += n
		}
		if places != nil {
			*places = next
		}
		if len(plain) == len(text) {
			break
		}
		text = plain
	}
	return text
}

// escape is what is left out where texts are compared: how many of them stand
// before a character depends on how often it was quoted.
const escape = '\\'

// unescaped returns the character that a text begins with, and how many bytes it
// is written in: by itself, percent-encoded, as in JSON or as in HTML. It returns
// escape for those that stand before another character.
func unescaped(text []byte) (c byte, n int) {
	rest := text[1:]
	switch text[0] {
	case '%':
		if c, ok := hexByte(rest, 2); ok {
			return c, 3
		}
	case '\\':
		rest = bytes.TrimLeft(rest, `\`)
		run := len(text) - len(rest)
		digits := 4
		if bytes.HasPrefix(rest, []byte("x")) {
			digits = 2
		}
		if digits == 2 || bytes.HasPrefix(rest, []byte("u")) {
			if c, ok := hexByte(rest[1:], digits); ok {
				return c, run + 1 + digits
			}
		}
		return escape, run
	case '&':
		if end := bytes.IndexByte(rest[:min(len(rest), 10)], ';'); end > 0 {
			if c, ok := entity(string(rest[:end])); ok {
				return c, end + 2
			}
		}
	}
	return text[0], 1
}

// hexByte reads a character of ASCII in hexadecimal digits.
func hexByte(text []byte, digits int) (byte, bool) {
	if len(text) < digits {
		return 0, false
	}
	c, err := strconv.ParseUint(string(text[:digits]), 16, 7)
	return byte(c), err == nil
}

// entity returns the character of ASCII that HTML writes as &name;.
func entity(name string) (byte, bool) {
	if number, ok := strings.CutPrefix(name, "#"); ok {
		base := 10
		if strings.HasPrefix(strings.ToLower(number), "x") {
			number, base = number[1:], 16
		}
		c, err := strconv.ParseUint(number, base, 7)
		return byte(c), err == nil
	}
	switch name {
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	}
	return 0, false
}

// bearer matches a token whose value is not known, since the HTTP client signs
// the requests.
var bearer = regexp.MustCompile(`(?i)(bearer(?:[\s"':=+]|%20|\\")+)([a-z0-9\-._~+/%]{16,}=*)`)

// withoutBearer returns a text without what stands behind "Bearer" and looks like a
// token, which has digits in it.
func withoutBearer(text []byte) []byte {
	if len(text) > 2*MaxKept && !bytes.Contains(text, []byte("earer")) { // it takes long
		return text
	}
	return bearer.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := bearer.FindSubmatch(found)
		if !bytes.ContainsAny(parts[2], "0123456789") {
			return found
		}
		return append(slices.Clone(parts[1]), redacted...)
	})
}

// signedBy returns the token that a transport signed a request with, if it shows.
func signedBy(resp *http.Response) string {
	if resp == nil || resp.Request == nil {
		return ""
	}
	fields := strings.Fields(resp.Request.Header.Get("Authorization"))
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1]
}
