package licensing_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A sample is an answer that Microsoft's documentation shows, without what is no
// fact in it. Those with a placeholder say why they are not what Graph sends.
type sample struct {
	Page, Type, Placeholder string
	List                    bool
	Objects                 []json.RawMessage
}

// unreadable are the pages with an answer that cannot be read: a placeholder is
// in the place of an id or a time.
var unreadable = []string{"group-delta", "user-list-licensedetails", "user-reprocesslicenseassignment"}

// TestSamples reads Microsoft's documented answers with our types, by themselves
// and as answers to our calls, and compares each value.
func TestSamples(t *testing.T) {
	text, err := os.ReadFile("testdata/samples.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Samples []sample }
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	var failed []string
	values := 0
	for i, s := range table.Samples {
		t.Run(fmt.Sprintf("%d_%s", i, s.Page), func(t *testing.T) {
			read, err := s.read()
			if s.Placeholder != "" && err != nil {
				failed = append(failed, s.Page)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			values += s.compare(t, read)
			served, err := s.serve(t)
			if err != nil {
				t.Fatal(err)
			}
			if served != nil {
				s.compare(t, served)
			}
		})
	}
	if !slices.Equal(failed, unreadable) {
		t.Errorf("not to be read: %q, want %q", failed, unreadable)
	}
	// Less when a name is no longer found, more with each property or sample.
	if values != 609 {
		t.Errorf("%d values were compared, want 609", values)
	}
}

// read reads the objects by themselves.
func (s sample) read() ([]any, error) {
	var all []any
	for _, text := range s.Objects {
		object := reflect.New(graphTypes[s.Type])
		if err := json.Unmarshal(text, object.Interface()); err != nil {
			return nil, err
		}
		all = append(all, object.Interface())
	}
	return all, nil
}

// serve answers one of our calls with the sample. It returns nil where there is no
// call with such an answer.
func (s sample) serve(t *testing.T) ([]any, error) {
	body := s.Objects[0]
	var named struct{ ID string }
	if err := json.Unmarshal(body, &named); err != nil {
		t.Fatal(err)
	}
	if s.List {
		list, err := json.Marshal(map[string]any{"value": s.Objects})
		if err != nil {
			t.Fatal(err)
		}
		body = list
	}
	answering := func() *licensing.Client { return newClient(t, newScript(t, reply(200, string(body)))) }
	switch kind := s.Type; {
	case kind == "user" && s.List:
		return allOf(answering().Users(t.Context(), licensing.UserQuery{}))
	case kind == "group" && s.List:
		return allOf(answering().Groups(t.Context(), licensing.GroupQuery{}))
	case kind == "subscribedSku" && s.List:
		skus, err := answering().SubscribedSKUs(t.Context())
		return pointers(skus), err
	case kind == "licenseDetails" && s.List:
		details, err := answering().MyLicenseDetails(t.Context())
		return pointers(details), err
	case named.ID == "": // our calls ask for it, and take nothing without it for an answer
	case kind == "user":
		user, err := answering().Me(t.Context())
		return []any{user}, err
	case kind == "group":
		group, err := answering().Group(t.Context(), named.ID)
		return []any{group}, err
	}
	return nil, nil
}

func allOf[T any](objects iter.Seq2[*T, error]) ([]any, error) {
	var all []any
	for object, err := range objects {
		if err != nil {
			return all, err
		}
		all = append(all, object)
	}
	return all, nil
}

func pointers[T any](objects []T) []any {
	all := make([]any, len(objects))
	for i := range objects {
		all[i] = &objects[i]
	}
	return all
}

// compare compares what was read with the sample, and returns how many values it
// found.
func (s sample) compare(t *testing.T, read []any) (values int) {
	t.Helper()
	if len(read) != len(s.Objects) {
		t.Fatalf("%d objects were read, want %d", len(read), len(s.Objects))
	}
	for i, text := range s.Objects {
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		values += agree(t, fmt.Sprint(i), want, reflect.ValueOf(read[i]))
	}
	return values
}

// agree compares a value with one of JSON, down to the last. What is null has to be
// zero; properties that our types do not have are left out.
func agree(t *testing.T, path string, want any, got reflect.Value) (values int) {
	t.Helper()
	if want == nil {
		if !got.IsZero() && !(got.Kind() == reflect.Slice && got.Len() == 0) {
			t.Errorf("%s is %v, want zero for null", path, got)
		}
		return 1
	}
	if got.Kind() == reflect.Pointer {
		if got.IsNil() {
			t.Errorf("%s is nil, want %v", path, want)
			return 1
		}
		got = got.Elem()
	}
	switch want := want.(type) {
	case map[string]any:
		for i := range got.NumField() {
			name, _, _ := strings.Cut(got.Type().Field(i).Tag.Get("json"), ",")
			if value, ok := want[name]; ok {
				values += agree(t, path+"/"+name, value, got.Field(i))
			}
		}
		return values
	case []any:
		if got.Len() != len(want) {
			t.Errorf("%s has %d elements, want %d", path, got.Len(), len(want))
			return 1
		}
		for i := range want {
			values += agree(t, fmt.Sprint(path, "/", i), want[i], got.Index(i))
		}
		return values
	}
	if !equal(want, got) {
		t.Errorf("%s is %v, want %v", path, got, want)
	}
	return 1
}

// equal compares a value with a text, a number or a bool of JSON.
func equal(want any, got reflect.Value) bool {
	switch want := want.(type) {
	case string:
		switch got := got.Interface().(type) {
		case uuid.UUID:
			return strings.EqualFold(got.String(), want)
		case time.Time:
			return got.Format(time.RFC3339Nano) == want
		}
		return got.Kind() == reflect.String && got.String() == want
	case float64:
		return got.CanInt() && float64(got.Int()) == want
	case bool:
		return got.Kind() == reflect.Bool && got.Bool() == want
	}
	return false
}
