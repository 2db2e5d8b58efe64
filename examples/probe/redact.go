package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// suspicious is what may be an id, an address, a quoted value or a number.
var suspicious = regexp.MustCompile(`\B'.+?'\B|\B".+?"\B|\S*@\S*|[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}|\w+(?:[-./:]+\w+)+|\d{4,}`)

// vocabulary are the properties whose values are Graph's own words.
var vocabulary = strings.Fields("appliesTo capabilityStatus error ownerType provisioningStatus service servicePlanName skuPartNumber state status userType")

// A redactor knows what must not get into a report.
type redactor struct{ texts []string }

// learn remembers the texts in an answer.
func (r *redactor) learn(body []byte) {
	var value any
	if json.Unmarshal(body, &value) == nil {
		r.walk(value)
	}
}

func (r *redactor) walk(value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if !slices.Contains(vocabulary, name) {
				r.walk(member)
			}
		}
	case []any:
		for _, member := range value {
			r.walk(member)
		}
	case string:
		r.add(value)
	}
}

func (r *redactor) add(text string) {
	if len(text) > 2 && !slices.Contains(r.texts, text) {
		r.texts = append(r.texts, text)
	}
}

// clean takes out of a text whatever may be the tenant's, except what the probe
// itself said. That has no names in it, but placeholders.
func (r *redactor) clean(text, own string) string {
	const gap = "…"
	slices.SortFunc(r.texts, func(a, b string) int { return len(b) - len(a) })
	for _, known := range r.texts {
		if !strings.Contains(own, known) {
			text = whole(known).ReplaceAllLiteralString(text, gap)
		}
	}
	text = suspicious.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Contains(own, found) {
			return found
		}
		return gap
	})
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + gap
	}
	return text
}

// whole finds a text where it is no part of a word.
func whole(text string) *regexp.Regexp {
	pattern, letter := regexp.QuoteMeta(text), regexp.MustCompile(`^\w$`)
	if letter.MatchString(text[:1]) {
		pattern = `\b` + pattern
	}
	if letter.MatchString(text[len(text)-1:]) {
		pattern += `\b`
	}
	return regexp.MustCompile("(?i)" + pattern)
}
