//go:build msgraph

package parity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// TestParity runs the script through both clients and compares.
func TestParity(t *testing.T) {
	a, b := newTenant(), newTenant()
	serverA, serverB := httptest.NewTLSServer(a), httptest.NewTLSServer(b)
	defer serverA.Close()
	defer serverB.Close()
	serverA.Config.ErrorLog, serverB.Config.ErrorLog = nil, nil
	left, right := newOurs(t, serverA, once), newSDK(t, serverB, false)

	report := &report{t: t, found: map[int][]string{}}
	for _, s := range script() {
		t.Run(s.name, func(t *testing.T) {
			report.t, report.step = t, s.name
			beforeA, beforeB := len(a.Writes()), len(b.Writes())
			one := run(t, s, a, serverA.URL, left, oursFailed)
			other := run(t, s, b, serverB.URL, right, sdkFailed)
			if s.unsent {
				if len(one.requests) != 0 || one.failed == nil {
					t.Error("ours sent it")
				}
				report.differ("unsent", fmt.Sprintf("ours refuses it, theirs is told %v", other.failed))
				if len(b.Writes()) > beforeB {
					t.Error("what ours refuses has an effect")
				}
				return
			}
			report.requests(one.requests, other.requests)
			if s.items && len(one.requests) != len(other.requests) {
				t.Skip("the machine is too busy for one batch of all operations")
			}
			report.compare("error", one.failed, other.failed)
			report.compare("result", one.value, other.value)
			report.compare("effects", effects(a.Writes()[beforeA:]), effects(b.Writes()[beforeB:]))
		})
	}
	for i, rule := range allowed {
		steps := report.found[i]
		if len(steps) == 0 && !report.split {
			t.Errorf("no difference of this kind any more: %s", rule.what)
			continue
		}
		t.Logf("allowed in %d steps: %s: %s", len(steps), rule.what, rule.reason)
	}
}

// effects are what requests have done to a tenant.
func effects(writes []licensingtest.Write) any {
	list := []any{}
	for _, w := range writes {
		list = append(list, plain([]any{w.Action, w.Target, w.Added, w.Removed, w.UsageLocation, w.Changed}))
	}
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(show(a), show(b)) }) // those of a batch come in any order
	return list
}

// An outcome is what one client made of a step.
type outcome struct {
	requests      []licensingtest.Request
	value, failed any
}

func run(t *testing.T, s step, tenant *licensingtest.Tenant, base string, c client, describe func(error) any) outcome {
	if s.arrange != nil {
		s.arrange(tenant)
	}
	before := len(tenant.Requests())
	ctx, cancel := context.WithTimeout(t.Context(), callTime)
	defer cancel()
	value, err := s.call(ctx, c)
	o := outcome{value: value, failed: describe(err)}
	o.requests = tenant.Requests()[before:]
	if s.writesOnly {
		o.requests = slices.DeleteFunc(o.requests, func(r licensingtest.Request) bool { return r.Method == http.MethodGet })
	}
	// Ids and times are those of their own tenant, and each client has made up
	// its own name for the request.
	names := []string{base, "[base]"}
	for _, r := range o.requests {
		names = append(names, r.ClientRequestID, "[client-request-id]", r.RequestID, "[request-id]")
	}
	replacer := strings.NewReplacer(names...)
	o.value, o.failed = renamed(o.value, replacer), renamed(o.failed, replacer)
	return o
}

var times = regexp.MustCompile(`"20\d\d-[^"]+Z"`)

// renamed returns v with other names, and without the time at which the step
// was run.
func renamed(v any, replacer *strings.Replacer) any {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v)
	text := replacer.Replace(buf.String())
	text = times.ReplaceAllStringFunc(text, func(s string) string {
		if at, err := time.Parse(`"`+time.RFC3339+`"`, s); err == nil && time.Since(at).Abs() < time.Minute {
			return `"[now]"`
		}
		return s
	})
	var out any
	json.Unmarshal([]byte(text), &out)
	return out
}

// A report notes differences, and fails a test for those that are not allowed.
type report struct {
	t     *testing.T
	step  string
	split bool             // ours made several batches of one
	found map[int][]string // the steps in which each difference was allowed
}

func (r *report) differ(what, detail string) {
	for i, rule := range allowed {
		if rule.where.MatchString(what) && (rule.steps == nil || rule.steps.MatchString(r.step)) {
			if list := r.found[i]; len(list) == 0 || list[len(list)-1] != r.step {
				r.found[i] = append(list, r.step)
			}
			return
		}
	}
	r.t.Errorf("%s: %s", what, detail)
}

// requests compares what was sent.
func (r *report) requests(ours, theirs []licensingtest.Request) {
	if len(ours) != len(theirs) && len(theirs) == 1 && len(items(ours)) == len(items(theirs)) {
		// On a busy machine ours does not wait for the last of the operations.
		r.split = true
		r.compare("request items", items(ours), items(theirs))
		return
	}
	if len(ours) != len(theirs) {
		r.differ("request count", fmt.Sprintf("ours %d, theirs %d", len(ours), len(theirs)))
		return
	}
	for i := range ours {
		a, b := ours[i], theirs[i]
		r.compare("request method", a.Method, b.Method)
		r.compare("request path as text", a.Path, b.Path)
		r.compare("request path", segments(a.Path), segments(b.Path))
		r.compare("request query as text", a.Query, b.Query)
		r.compare("request query", query(a.Query), query(b.Query))
		r.compare("request body", body(a), body(b))
		r.compare("request header", headers(a.Header), headers(b.Header))
		r.compare("answer", a.Status, b.Status)
	}
}

// items returns method, URL and body of all requests of batches, and of those
// by themselves.
func items(requests []licensingtest.Request) []any {
	list := []any{}
	for _, r := range requests {
		value := body(r)
		if object, ok := value.(map[string]any); ok && strings.HasSuffix(r.Path, "/$batch") {
			for _, item := range object["requests"].([]any) {
				fields := item.(map[string]any)
				if content, ok := fields["body"].(map[string]any); ok {
					delete(content, "@odata.type")
				}
				list = append(list, map[string]any{"method": fields["method"], "url": fields["url"], "body": fields["body"]})
			}
			continue
		}
		_, at, _ := strings.Cut(r.Path, "/v1.0")
		list = append(list, map[string]any{"method": r.Method, "url": segments(at), "body": value})
	}
	slices.SortFunc(list, func(a, b any) int {
		return strings.Compare(show(a.(map[string]any)["url"]), show(b.(map[string]any)["url"]))
	})
	return list
}

func segments(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = url.PathEscape(plain)
		}
	}
	return strings.Join(parts, "/")
}

// query returns the options of a query. The token of a page is opaque, and the
// tenant's makes one for the text of a query.
func query(text string) any {
	values, err := url.ParseQuery(text)
	if err != nil {
		return text
	}
	if values.Has("$skiptoken") {
		values.Set("$skiptoken", "[token]")
	}
	return plain(values)
}

// body returns a body as JSON, the requests of a batch without their ids and by
// their URLs: neither client keeps them in an order.
func body(r licensingtest.Request) any {
	if len(r.Body) == 0 {
		return nil
	}
	var value any
	if err := json.Unmarshal(r.Body, &value); err != nil {
		return string(r.Body)
	}
	if object, ok := value.(map[string]any); ok && strings.HasSuffix(r.Path, "/$batch") {
		items, _ := object["requests"].([]any)
		for _, item := range items {
			fields := item.(map[string]any)
			delete(fields, "id")
			if at, ok := fields["url"].(string); ok {
				fields["url as text"], fields["url"] = at, segments("/"+strings.TrimPrefix(at, "/"))
			}
			if named, ok := fields["headers"].(map[string]any); ok {
				lower := map[string]any{}
				for name, v := range named {
					lower[strings.ToLower(name)] = v
				}
				fields["headers"] = lower
			}
		}
		slices.SortFunc(items, func(a, b any) int {
			return strings.Compare(show(a.(map[string]any)["url"]), show(b.(map[string]any)["url"]))
		})
	}
	return value
}

func headers(h http.Header) any {
	out := map[string]any{}
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	delete(out, "Content-Length") // follows from the body
	return out
}

// compare notes where two values of JSON differ.
func (r *report) compare(where string, ours, theirs any) {
	a, okA := ours.(map[string]any)
	b, okB := theirs.(map[string]any)
	if okA && okB {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			r.compare(where+"."+key, a[key], b[key])
		}
		return
	}
	listA, okA := ours.([]any)
	listB, okB := theirs.([]any)
	if okA && okB && len(listA) == len(listB) {
		for i := range listA {
			r.compare(fmt.Sprintf("%s[%d]", where, i), listA[i], listB[i])
		}
		return
	}
	if !reflect.DeepEqual(ours, theirs) {
		switch {
		case theirs == nil || theirs == "":
			where += ": only ours"
		case ours == nil || ours == "":
			where += ": only theirs"
		}
		r.differ(where, fmt.Sprintf("ours %s, theirs %s", show(ours), show(theirs)))
	}
}

func show(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
