package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// The verdicts.
const (
	asGraph   = "as Graph"
	lacking   = "lacking" // the tenant says that it is
	different = "different"
)

// A verdict is what became of a call, and a line of the record.
type verdict struct {
	Client   string `json:"client"`
	Call     string `json:"call"`
	Verdict  string `json:"verdict"`
	Want     string `json:"want"`
	Requests int    `json:"requests"`
	Error    string `json:"error,omitempty"`
	Output   any    `json:"output,omitempty"`
}

// judge finds the verdict and takes out of the answer what is not always the
// same.
func (v *verdict) judge(requests int) {
	want, fails := strings.CutPrefix(v.Want, "error: ")
	switch {
	case lack.Match(v.line()):
		v.Verdict = lacking
	case fails == (v.Error != "") && strings.Contains(v.Error, want) == fails && (requests == 0 || requests == v.Requests):
		v.Verdict = asGraph
	default:
		v.Verdict = different
	}
	v.Output = settled("", v.Output)
}

// got is the answer in short.
func (v *verdict) got() string {
	if v.Error != "" {
		return "error: " + v.Error
	}
	return fmt.Sprintf("ok after %d requests", v.Requests)
}

func (v *verdict) line() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // it was JSON
	}
	return b.Bytes()
}

// lack is in the answer to what the tenant does not serve, or all that is left
// of that answer.
var lack = regexp.MustCompile("licensingtest does not serve|failed with status code 501")

var (
	date      = regexp.MustCompile(`^\d{4}-\d\d-\d\dT[\d:.]+Z?$`)
	skipToken = regexp.MustCompile(`(\$|%24)skiptoken=[^&]+`)
)

// shown is how many elements of a list are in the record.
const shown = 3

// settled returns a value of an answer with what is always the same.
func settled(name string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			value[name] = settled(name, field)
		}
	case []any:
		for i, element := range value {
			value[i] = settled("", element)
		}
		if len(value) > shown {
			return append(value[:shown:shown], fmt.Sprintf("and %d more", len(value)-shown))
		}
	case string:
		switch {
		case strings.HasSuffix(name, "request-id"), name == "Date":
			return "(varies)"
		case date.MatchString(value):
			return "(a time)"
		}
		return skipToken.ReplaceAllString(value, "${1}skiptoken=(varies)")
	}
	return value
}
