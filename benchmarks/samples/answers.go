package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// An answer is one that a page shows.
type answer struct {
	kind    string // of its objects, as the page says
	list    bool
	objects []map[string]any
}

var (
	block         = regexp.MustCompile("(?s)<!--\\s*(\\{.*?\\})\\s*-->\\s*```\\s*(?:http|json)?\\s*\n(.*?)```")
	responseBlock = regexp.MustCompile(`"blockType":\s*"response"`)
	typeOfBlock   = regexp.MustCompile(`(?i)"@odata.type":\s*"(?:Collection\()?#?microsoft\.graph\.(user|group|subscribedSku|licenseDetails|directoryObject)\)?"`)
	extraComma    = regexp.MustCompile(`,(\s*[}\]])`)
)

// answers returns the answers of a page that are about objects of our types. What
// is no JSON but for a comma at the end of a list is mended.
func answers(page string) []answer {
	var all []answer
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		kind := typeOfBlock.FindStringSubmatch(found[1])
		start := strings.Index(found[2], "{")
		if kind == nil || start < 0 || !responseBlock.MatchString(found[1]) {
			continue
		}
		var body map[string]any
		text := extraComma.ReplaceAllString(found[2][start:], "$1")
		if json.NewDecoder(strings.NewReader(text)).Decode(&body) != nil {
			continue
		}
		a := answer{kind: kind[1]}
		if value, ok := body["value"].([]any); ok {
			a.list = true
			for _, element := range value {
				if object, ok := element.(map[string]any); ok {
					a.objects = append(a.objects, object)
				}
			}
		} else {
			a.objects = []map[string]any{body}
		}
		all = append(all, a)
	}
	return all
}

// kindOf returns the type of an object, which may say it itself.
func (a answer) kindOf(object map[string]any) string {
	if own, ok := object["@odata.type"].(string); ok {
		return strings.TrimPrefix(own, "#microsoft.graph.")
	}
	if strings.EqualFold(a.kind, "directoryObject") {
		return "user"
	}
	return a.kind
}

// Types are Graph's types by name, each with the types of its properties.
type types map[string]map[string]string

// longest is the length of a text that is a value and no prose.
const longest = 64

// reduce returns the properties of an object that are of a type, and why the
// object cannot be read if it cannot: a value is in place of one of another kind.
func (ts types) reduce(kind string, object map[string]any) (kept map[string]any, why string) {
	kept = make(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		want, ok := ts[kind][name]
		if !ok || name == "description" {
			continue
		}
		value, ok, reason := ts.value(want, object[name])
		if reason != "" {
			why = name + ": " + reason
		}
		if ok {
			kept[name] = value
		}
	}
	return kept, why
}

// value returns what is kept of a value, and whether anything is.
func (ts types) value(want string, value any) (kept any, ok bool, why string) {
	element, collection := strings.CutPrefix(want, "Collection(")
	list, isList := value.([]any)
	switch {
	case value == nil:
		return nil, true, ""
	case collection && isList:
		all := []any{}
		for _, v := range list {
			v, ok, reason := ts.value(strings.TrimSuffix(element, ")"), v)
			if ok {
				all = append(all, v)
			}
			if reason != "" {
				why = reason
			}
		}
		return all, true, why
	}
	if name, ok := strings.CutPrefix(want, "graph."); ok {
		object, isObject := value.(map[string]any)
		if ts[name] == nil || !isObject {
			return nil, false, ""
		}
		kept, why := ts.reduce(name, object)
		return kept, true, why
	}
	text, isText := value.(string)
	if utf8.RuneCountInString(text) > longest {
		return nil, false, ""
	}
	if !fits(want, value, text, isText) {
		why = string(encode(value)) + " is no " + want
	}
	return value, true, why
}

var date = regexp.MustCompile(`^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d.*)?$`)

// fits reports whether a value is one of a primitive type.
func fits(want string, value any, text string, isText bool) bool {
	switch want {
	case "Edm.String":
		return isText
	case "Edm.Guid":
		return uuid.Validate(text) == nil
	case "Edm.DateTimeOffset":
		return date.MatchString(text)
	case "Edm.Boolean":
		_, ok := value.(bool)
		return ok
	case "Edm.Int32":
		_, ok := value.(float64)
		return ok
	}
	return false
}
