package reconcile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
)

// readStrictly reads JSON into a value that has all of its members, each of them at
// most once and by its very name, and says which of those that are required is
// missing. Package encoding/json by itself takes a member twice and in any case.
func readStrictly(data []byte, into any, required ...string) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the end")
	}
	members, err := membersOf(json.NewDecoder(bytes.NewReader(data)))
	if err != nil {
		return err
	}
	for _, name := range required {
		if !members[name] {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

// membersOf reads a value and returns its members, if it is an object. Here and below
// it names a member that is there twice, or that is none.
func membersOf(d *json.Decoder) (members map[string]bool, err error) {
	opening, err := d.Token()
	if opening != json.Delim('{') && opening != json.Delim('[') || err != nil {
		return nil, err
	}
	members = make(map[string]bool)
	for d.More() {
		if opening == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				return nil, err
			}
			switch name, _ := token.(string); {
			case members[name]:
				return nil, fmt.Errorf("member %q is there twice", name)
			case !memberNames()[name]:
				return nil, fmt.Errorf("unknown member %q", name)
			default:
				members[name] = true
			}
		}
		if _, err := membersOf(d); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return members, err
}

// memberNames are the names of all members in a goal and a set of changes. Which of
// them an object has is known where it is decoded; no two differ in case alone.
var memberNames = sync.OnceValue(func() map[string]bool {
	names := make(map[string]bool)
	for _, t := range []reflect.Type{reflect.TypeFor[Goal](), reflect.TypeFor[licenseRecord](), reflect.TypeFor[ChangeSet]()} {
		addNames(names, t)
	}
	return names
})

// addNames adds the names of the members of a type, and of those below.
func addNames(names map[string]bool, t reflect.Type) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names[name] = true
			addNames(names, field.Type)
		}
	}
}
