package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
)

// What an answer may have. The limits are far above what Graph sends, and low
// enough for what is made of an answer to stay within four times its own limit.
const (
	maxList    = 3000    // elements of a list that is not the one asked for
	maxObjects = 100_000 // elements of lists that are objects or lists, in all
	maxScalars = 1 << 20 // other elements of lists, in all
	maxNesting = 1000    // of objects and lists; encoding/json takes ten times as much
)

// A LimitError says which limit an answer goes beyond.
type LimitError struct {
	What  string // is limited
	Limit int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("answer has more than %d %s", e.Limit, e.What)
}

// A survey is what can be seen of an object in JSON without decoding it.
type survey struct {
	id     []byte // the last one's value, nil if there is none but null
	failed bool   // there is an error in it
	odata  bool   // OData says what it is
}

const odata = "@odata."

// lookOver counts what an answer has before it is decoded, and finds the members
// that say what it is, by names in any case as encoding/json does. Most is how many
// elements the list may have that was asked for. What is no JSON is left to the
// decoder.
func lookOver(body []byte, most int) (survey, error) {
	var seen survey
	s := scanner{data: body}
	for s.member(most) {
		switch n := len(s.name); {
		case n == len("id") && bytes.EqualFold(s.name, []byte("id")):
			if string(s.value) != "null" { // which changes nothing of what is read
				seen.id = s.value
			}
		case n == len("error") && bytes.EqualFold(s.name, []byte("error")):
			seen.failed = seen.failed || string(s.value) != "null"
		case n > len(odata) && s.name[0] == '@' && bytes.EqualFold(s.name[:len(odata)], []byte(odata)):
			seen.odata = true
		}
	}
	if s.limit != nil {
		return seen, s.limit
	}
	return seen, nil
}

// signOf is what the members of an object show a reader.
func signOf(body []byte, reader Reader) (sign Sign) {
	for s := (scanner{data: body}); s.member(maxList); {
		sign = max(sign, reader.Shows(s.name))
	}
	return sign
}

// Members returns the members of an object in JSON. Their values are parts of it.
func Members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := scanner{data: object}
		for s.member(maxList) && yield(string(s.name), s.value) {
		}
	}
}

// Elements returns the elements of a list in JSON, which are parts of it.
func Elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{data: list}
		if !s.opens('[') {
			return
		}
		for !s.closes(']') {
			from := s.at
			if !s.skip(1, maxList) || !yield(s.data[from:s.at]) || !s.next() {
				return
			}
		}
	}
}

// A scanner goes through JSON. It goes by the brackets, quotes and commas alone,
// and stops at what it does not understand.
type scanner struct {
	data        []byte
	at          int
	name, value []byte      // of the latest member
	objects     int         // elements of lists so far
	scalars     int         // likewise
	limit       *LimitError // that was found to be passed
}

// member goes to the next member of the object that data is, and reports whether
// there is one. Most is how many elements the list may have that an answer is
// about.
func (s *scanner) member(most int) bool {
	if s.name == nil && !s.opens('{') || s.name != nil && !s.next() || s.closes('}') {
		return false
	}
	from := s.at
	if !s.text() {
		return false
	}
	s.name = memberName(s.data[from:s.at])
	if !s.colon() {
		return false
	}
	from = s.at
	if !bytes.EqualFold(s.name, []byte("value")) && !bytes.EqualFold(s.name, []byte("responses")) {
		most = maxList
	}
	ok := s.skip(1, most)
	s.value = s.data[from:s.at]
	return ok
}

// memberName reads a quoted name.
func memberName(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var name string
	_ = json.Unmarshal(quoted, &name)
	return []byte(name)
}

// colon goes behind the colon that follows a name.
func (s *scanner) colon() bool {
	s.blanks()
	if !s.closes(':') {
		return false
	}
	s.blanks()
	return true
}

// skip goes behind a value. Most is how many elements it may have if it is a
// list; depth is how deep it is in others.
func (s *scanner) skip(depth, most int) bool {
	switch {
	case s.at >= len(s.data):
		return false
	case depth > maxNesting:
		s.limit = &LimitError{"levels", maxNesting}
		return false
	}
	switch s.data[s.at] {
	case '"':
		return s.text()
	case '{':
		s.opens('{')
		for !s.closes('}') {
			if !s.text() || !s.colon() || !s.skip(depth+1, maxList) || !s.next() {
				return false
			}
		}
		return true
	case '[':
		s.opens('[')
		for n := 1; !s.closes(']'); n++ {
			if !s.counts(n, most) || !s.skip(depth+1, maxList) || !s.next() {
				return false
			}
		}
		return true
	}
	from := s.at
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return s.at > from
		}
		s.at++
	}
	return s.at > from
}

// counts counts the n-th element of a list, which is next.
func (s *scanner) counts(n, most int) bool {
	switch {
	case n > most:
		s.limit = &LimitError{"items", most}
	case s.is('{') || s.is('['):
		if s.objects++; s.objects > maxObjects {
			s.limit = &LimitError{"objects", maxObjects}
		}
	default:
		if s.scalars++; s.scalars > maxScalars {
			s.limit = &LimitError{"values", maxScalars}
		}
	}
	return s.limit == nil
}

func (s *scanner) is(c byte) bool { return s.at < len(s.data) && s.data[s.at] == c }

func (s *scanner) blanks() {
	for s.is(' ') || s.is('\t') || s.is('\r') || s.is('\n') {
		s.at++
	}
}

// opens goes behind an opening bracket, which has to be next.
func (s *scanner) opens(bracket byte) bool {
	s.blanks()
	if !s.is(bracket) {
		return false
	}
	s.at++
	s.blanks()
	return true
}

// closes goes behind a bracket or colon, if it is next.
func (s *scanner) closes(bracket byte) bool {
	if !s.is(bracket) {
		return false
	}
	s.at++
	return true
}

// next goes behind the comma that follows a value, unless it is the last one.
func (s *scanner) next() bool {
	s.blanks()
	if s.is(',') {
		s.at++
		s.blanks()
		return s.at < len(s.data)
	}
	return s.is(']') || s.is('}')
}

// text goes behind a quoted text.
func (s *scanner) text() bool {
	if !s.is('"') {
		return false
	}
	for s.at++; ; {
		end := bytes.IndexByte(s.data[s.at:], '"')
		if end < 0 {
			return false
		}
		s.at += end + 1
		slashes := 0
		for i := s.at - 2; s.data[i] == '\\'; i-- {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
	}
}
