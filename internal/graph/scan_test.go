package graph

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMembersAndElements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":1,"b":[1,{"c":"]}"}],"":"x"}`:      `a=1 b=[1,{"c":"]}"}] ="x" `,
		" { \"a\" : { } , \"\\u0062\" : null } ": `a={ } b=null `,
		`{"a":"\\\"","b":"\\\\"}`:                `a="\\\"" b="\\\\" `,
		`{}`:                                     ``, `[]`: ``, ``: ``, `{`: ``, `{"a"`: ``, `{"a":`: ``, `{"a" 1}`: ``, `"x"`: ``,
		`{"a":1`: `a=1 `, `{"a":[1}`: ``, `{"a":"`: ``, `{"a":1,}`: `a=1 `,
	} {
		got := ""
		for name, value := range Members([]byte(text)) {
			got += name + "=" + string(value) + " "
		}
		if got != want {
			t.Errorf("members of %s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		`[1, "," ,[2,3],{"a":[]} ]`: `1|","|[2,3]|{"a":[]}|`, `[]`: ``, `[ ]`: ``, `[`: ``, `[1`: `1|`, `{}`: ``, `[1,`: `1|`,
	} {
		got := ""
		for element := range Elements([]byte(text)) {
			got += string(element) + "|"
		}
		if got != want {
			t.Errorf("elements of %s: %q, want %q", text, got, want)
		}
	}
}

func TestLookOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body  string
		limit string
	}{
		"items":            {`{"value":[1,2,3]}`, "2 items"},
		"as many":          {`{"value":[1,2]}`, ""},
		"other lists":      {`{"values":[` + strings.Repeat("1,", maxList-1) + `1]}`, ""},
		"one more":         {`{"values":[` + strings.Repeat("1,", maxList) + `1]}`, "3000 items"},
		"within another":   {`{"a":{"b":[[` + strings.Repeat("1,", maxList) + `1]]}}`, "3000 items"},
		"deep":             {strings.Repeat(`{"a":`, maxNesting) + "1" + strings.Repeat("}", maxNesting), ""},
		"deeper":           {strings.Repeat(`{"a":`, maxNesting+2) + "1" + strings.Repeat("}", maxNesting+2), "1000 levels"},
		"a page of a list": {`{"value":[1,2],"responses":[1,2,3]}`, "2 items"},
		"no JSON":          {`{"value":[1,2`, ""},
	} {
		_, err := lookOver([]byte(test.body), 2)
		limit, ok := errors.AsType[*LimitError](err)
		if ok != (test.limit != "") || ok && !strings.HasSuffix(limit.Error(), "more than "+test.limit) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	seen, err := lookOver([]byte(`{"ID":"x","id":"y","@odata.context":"z","error":null}`), 2)
	if err != nil || seen.idText() != "y" || !seen.odata || seen.failed {
		t.Errorf("got %+v, %v", seen, err)
	}
	if _, err := lookOver([]byte(`{"Value":[`+strings.Repeat("1,", maxList)+`1]}`), maxList+1); err != nil {
		t.Error(err)
	}
	if seen, _ := lookOver([]byte(`{"@OData.Context":"z"}`), 2); !seen.odata {
		t.Error("a member of OData's by another case is none")
	}
	// The id is the one that encoding/json reads, and so are nulls.
	for _, body := range []string{
		`{"ID":"x","id":"y"}`, `{"id":"y","ID":"x"}`, `{"id":"y","ID":null}`, `{"ID":"x","id":null}`, `{"iD":"x","id":"x"}`, `{"Id":null}`,
	} {
		var want struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if seen, _ := lookOver([]byte(body), 2); seen.idText() != want.ID {
			t.Errorf("%s: the id is %q, want %q", body, seen.idText(), want.ID)
		}
	}
	for body, want := range map[string]bool{
		`{"error":null}`: false, `{"error":null,"Error":null}`: false, `{"error":null,"Error":{}}`: true, `{"ERROR":{},"error":null}`: true,
	} {
		if seen, _ := lookOver([]byte(body), 2); seen.failed != want {
			t.Errorf("%s: failed is %t", body, seen.failed)
		}
	}
	for body, want := range map[string]string{`{"id":7}`: "7", `{"id":null}`: "", `{"id":"\u0061"}`: "a", `{}`: "", `{"id":""}`: ""} {
		if seen, _ := lookOver([]byte(body), 2); seen.idText() != want {
			t.Errorf("%s: the id is %q", body, seen.idText())
		}
	}
}

// FuzzMembers takes JSON apart as encoding/json does, and anything else without
// harm.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\"]"}],"c":{}}`))
	f.Add([]byte("{\"a\" :\t\"\\\\\" , \"\":null}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lookOver(data, 10)
		got := make(map[string]string)
		for name, value := range Members(data) {
			got[name] = string(value)
		}
		var list []string
		for element := range Elements(data) {
			list = append(list, string(element))
		}
		var object map[string]json.RawMessage
		var array []json.RawMessage
		if utf8.Valid(data) && json.Unmarshal(data, &object) == nil && object != nil {
			want := make(map[string]string)
			for name, value := range object {
				want[name] = string(value)
			}
			if _, limit := lookOver(data, maxList); limit == nil && !maps.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if json.Unmarshal(data, &array) == nil && len(array) < 100 {
			var want []string
			for _, element := range array {
				want = append(want, string(element))
			}
			if _, limit := lookOver([]byte(`{"x":`+string(data)+`}`), maxList); limit == nil && !slices.Equal(list, want) {
				t.Errorf("got %q, want %q", list, want)
			}
		}
	})
}
