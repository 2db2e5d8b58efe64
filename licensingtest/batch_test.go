package licensingtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// batch writes the body of a batch.
func batch(items ...string) string {
	return `{"requests":[` + strings.Join(items, ",") + `]}`
}

// assignItem writes an item of a batch that assigns a user office.
func assignItem(id, user string) string {
	return `{"id":"` + id + `","method":"POST","url":"/users/` + user + `/assignLicense","headers":{"Content-Type":"application/json"},"body":` + add(officeID) + `}`
}

// getItem writes an item of a batch that reads adele, or fails to read nobody.
func getItem(id, user string, dependsOn ...string) string {
	ids, _ := json.Marshal(dependsOn)
	return `{"id":"` + id + `","method":"GET","url":"users/` + user + `?$select=usageLocation","dependsOn":` + string(ids) + `}`
}

// An itemAnswer is the answer to an item of a batch.
type itemAnswer struct {
	ID      string
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

// sendBatch sends a batch and returns the answers to its items, in their order.
func sendBatch(t *testing.T, tenant *licensingtest.Tenant, items ...string) []itemAnswer {
	t.Helper()
	a := call(t, tenant, "POST", "/$batch", batch(items...))
	var body struct{ Responses []itemAnswer }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != 200 {
		t.Fatalf("batch: %d %s", a.status, a.body)
	}
	return body.Responses
}

// statuses prints the ids and statuses of answers.
func statuses(answers []itemAnswer) string {
	var all []string
	for _, a := range answers {
		all = append(all, fmt.Sprint(a.ID, ":", a.Status))
	}
	return strings.Join(all, " ")
}

func TestBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.SignIn(adele)
		call(t, tenant, "PATCH", "/users/"+adele, `{"usageLocation":"US"}`)
		a := call(t, tenant, "POST", "/$batch", batch(
			`{"id":"a","method":"PATCH","url":"/me","headers":{"content-type":"application/json"},"body":{"usageLocation":"DE"}}`,
			assignItem("b", adele),
			`{"id":"c","method":"GET","url":"users?$select=usageLocation&$filter=assignedLicenses/$count%20ne%200&$count=true","headers":{"consistencylevel":"eventual"}}`,
			`{"id":"d","method":"POST","url":"/groups/`+salesID+`/assignLicense","headers":{"Content-Type":"application/json"},"body":"`+
				`eyJhZGRMaWNlbnNlcyI6W10sInJlbW92ZUxpY2Vuc2VzIjpbXSwiQG9kYXRhLngiOiI-Pj4_Pz8ifQ=="}`,
			`{"id":"E","method":"GET","url":"https://graph.microsoft.com/v1.0/me","body":null,"atomicityGroup":"g"}`,
		), "client-request-id: mine")
		const (
			// As in the sample of microsoftgraph/microsoft-graph-docs-contrib, concepts/json-batching.md,
			// but for the 204, which is as single ones were recorded.
			jsonType  = `"Cache-Control":"no-cache","OData-Version":"4.0","Content-Type":"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"`
			errorType = `"Cache-Control":"no-cache","Content-Type":"application/json"`
			inner     = `"innerError":{"client-request-id":"mine","date":"2000-01-01T00:00:00","request-id":"00000005-0000-4000-8000-000000000002"}`
		)
		wantJSON(t, a, 200, `{"responses":[
			{"id":"E","status":400,"headers":{`+errorType+`,"x-ms-resource-unit":"1"},
				"body":{"error":{"code":"BadRequest","message":"Resource not found for the segment ''.",`+inner+`}}},
			{"id":"d","status":400,"headers":{`+errorType+`,"x-ms-resource-unit":"1"},
				"body":{"error":{"code":"Request_BadRequest","message":"No license changes provided. At least one license to add or remove must be specified.",`+inner+`}}},
			{"id":"c","status":200,"headers":{`+jsonType+`,"x-ms-resource-unit":"1"},
				"body":{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(usageLocation)","@odata.count":1,
					"value":[{"usageLocation":"DE"}]}},
			{"id":"b","status":200,"headers":{`+jsonType+`,"Location":"https://graph.microsoft.com","x-ms-resource-unit":"1"},"body":`+adeleBare+`},
			{"id":"a","status":204,"headers":{"Cache-Control":"no-cache","x-ms-resource-unit":"1"}}
		]}`)
		if a.header.Get("request-id") == "" || a.header.Get("Content-Type") == "" || a.header["X-Ms-Resource-Unit"] != nil {
			t.Errorf("headers of the batch: %v", a.header)
		}

		requests := tenant.Requests()
		if len(requests) != 2 || requests[1].Path != "/v1.0/$batch" || requests[1].Status != 200 {
			t.Errorf("log: %+v", requests)
		}
		var got []string
		for _, w := range tenant.Writes() {
			got = append(got, fmt.Sprintf("%d %q %s", w.Request, w.Item, w.Action))
			if w.Request == 1 && (w.ClientRequestID != "mine" || w.RequestID != requests[1].RequestID) {
				t.Errorf("write %+v", w)
			}
		}
		if want := []string{`0 "" update`, `1 "a" update`, `1 "b" assignLicense`}; !slices.Equal(got, want) {
			t.Errorf("writes %q, want %q", got, want)
		}
	})
}

// The links in a batch lead to where the batch came in.
func TestBatchLinks(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddUser(licensingtest.User{})
	server := httptest.NewServer(tenant)
	defer server.Close()
	req := newRequest(t, "POST", "/$batch", batch(`{"id":"1","method":"GET","url":"users?$top=1"}`))
	req.URL.Scheme, req.URL.Host = "http", strings.TrimPrefix(server.URL, "http://")
	req.Host = ""
	req.URL.Path, req.URL.RawPath = "/proxy/v1.0/$batch", "/proxy/v1.0/%24batch"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"@odata.nextLink":"` + server.URL + `/proxy/v1.0/users?`; !strings.Contains(string(body), want) {
		t.Errorf("answer %s lacks %s", body, want)
	}
}

func TestBatchRefused(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		var items []string
		for i := range n {
			items = append(items, getItem(fmt.Sprint(i), adele))
		}
		return batch(items...)
	}
	const (
		format = "Invalid batch payload format."
		body   = "Write request id : 1 does not contain Content-Type header or body."
	)
	tests := []struct{ name, body, message string }{
		{"20 items", many(20), ""},
		{"21 items", many(21), "Number of requests inside batch exceed the limit."},
		{"no body", "", "Empty Payload. JSON content expected."},
		{"no JSON", `{"requests":`, format},
		{"no object", `[]`, format},
		{"no requests", `{}`, format},
		{"null", `{"requests":null}`, format},
		{"empty", batch(), format},
		{"no item", batch(`null`), format},
		{"a number as id", batch(`{"id":1,"method":"GET","url":"/users"}`), ""}, // as a deployed script sends
		{"a number twice", batch(`{"id":1,"method":"GET","url":"/users"}`, getItem("1", adele)), "Request Id 1 has to be unique in a batch."},
		{"null as id", batch(`{"id":null,"method":"GET","url":"/users"}`), format},
		{"true as id", batch(`{"id":true,"method":"GET","url":"/users"}`), format},
		{"a number as header", batch(`{"id":"1","method":"GET","url":"/users","headers":{"x":1}}`), format},
		{"a text as dependencies", batch(`{"id":"1","method":"GET","url":"/users","dependsOn":"1"}`), format},
		{"no id", batch(`{"method":"GET","url":"/users"}`), format},
		{"no method", batch(`{"id":"1","url":"/users"}`), format},
		{"no url", batch(`{"id":"1","method":"GET"}`), format},
		{"a fragment as url", batch(`{"id":"1","method":"GET","url":"#users"}`), format},
		{"a list as body", batch(`{"id":"1","method":"POST","url":"/users","headers":{"Content-Type":"application/json"},"body":[]}`), format},
		{"a text that is no base64url", batch(`{"id":"1","method":"POST","url":"/users","headers":{"Content-Type":"application/json"},"body":"{}"}`), format},
		{"a bad escape", batch(`{"id":"1","method":"GET","url":"/users/%zz"}`), "Bad Request - Invalid URL"},
		{"an id twice", batch(getItem("a", adele), getItem("A", adele)), "Request Id A has to be unique in a batch."},
		{"a batch", batch(`{"id":"1","method":"POST","url":"/%24batch","headers":{"Content-Type":"application/json"},"body":{}}`), "A batch request cannot be part of a batch."},
		{"a body without a type", batch(`{"id":"1","method":"DELETE","url":"/users","body":{}}`), body},
		{"a type without a body", batch(`{"id":"1","method":"POST","url":"/users","headers":{"Content-Type":"application/json"}}`), body},
		{"POST without a body", batch(`{"id":"1","method":"POST","url":"/users"}`), body},
		{"PUT without a body", batch(`{"id":"1","method":"PUT","url":"/users"}`), body},
		{"PATCH without a body", batch(`{"id":"1","method":"PATCH","url":"/users","body":null}`), body},
		{"DELETE without a body", batch(`{"id":"1","method":"DELETE","url":"/users"}`), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			a := call(t, tenant, "POST", "/$batch", test.body)
			if test.message != "" {
				wantError(t, a, 400, "BadRequest", test.message)
			} else if a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	tenant := newTenant()
	wantError(t, call(t, tenant, "GET", "/$batch", ""), 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	wantError(t, call(t, tenant, "POST", "/$batch", many(1), "Content-Type:"), 400, "BadRequest", "Write requests (excluding DELETE) must contain the Content-Type header declaration.")
	wantError(t, call(t, tenant, "POST", "/$batch", many(1), "Authorization:"), 401, "InvalidAuthenticationToken", "Access token is empty.")

	// One bad item keeps all of them from being carried out.
	call(t, tenant, "POST", "/$batch", batch(assignItem("1", adele), `{"id":"2"}`))
	if writes := tenant.Writes(); len(writes) != 0 {
		t.Errorf("writes %+v", writes)
	}
}

// A guest's name, whose # has to be escaped in a batch as well. Blanks need not
// be.
func TestBatchURL(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.AddUser(licensingtest.User{UserPrincipalName: "anna_fabrikam.example#EXT#@contoso.example"})
	tenant.AddUser(licensingtest.User{UserPrincipalName: "anna smith@contoso.example"})
	got := statuses(sendBatch(t, tenant,
		`{"id":"1","method":"GET","url":"users/anna_fabrikam.example%23EXT%23@contoso.example"}`,
		`{"id":"2","method":"GET","url":"users/anna_fabrikam.example#EXT#@contoso.example"}`,
		`{"id":"3","method":"GET","url":"//users"}`,
		`{"id":"4","method":"GET","url":"/v1.0/users"}`,
		`{"id":"5","method":"get","url":"/users"}`,
		`{"id":"6","method":"GET","url":"/me"}`,
		`{"id":"7","method":"GET","url":"users?$select=id, displayName&$filter=usageLocation eq 'DE'&$top=1"}`,
		`{"id":"8","method":"GET","url":"users/anna smith@contoso.example"}`,
	))
	if want := "8:200 7:200 6:400 5:405 4:400 3:400 2:404 1:200"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A number as id is the id of those digits, which is answered.
func TestBatchNumericID(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	got := statuses(sendBatch(t, tenant,
		`{"Id":1,"Method":"GET","Url":"/users/nobody"}`,
		`{"id":"2","method":"GET","url":"/users","dependsOn":[1]}`,
		`{"id":3,"method":"GET","url":"/users","dependsOn":["1"]}`,
	))
	if want := "3:424 2:424 1:404"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if a := call(t, tenant, "POST", "/$batch", batch(`{"id":7,"method":"GET","url":"/users"}`)); !strings.Contains(a.body, `"id":"7"`) {
		t.Errorf("the id is not answered as a string: %s", a.body)
	}
}

// The path of a batch has no case, as others.
func TestBatchPath(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/$batch", "/$Batch", "/%24BATCH"} {
		if a := call(t, newTenant(), "POST", path, batch(assignItem("1", adele))); a.status != 200 || !strings.Contains(a.body, `"status":200`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	nested := `{"id":"1","method":"POST","url":"/$BATCH","headers":{"Content-Type":"application/json"},"body":{}}`
	wantError(t, call(t, newTenant(), "POST", "/$batch", batch(nested)), 400, "BadRequest", "A batch request cannot be part of a batch.")
}

// A fault's own headers stay as they are.
func TestBatchFaultHeaders(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.Fail(licensingtest.Fault{Items: true, Status: 502, Body: "<html>", Header: http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"private"}}})
	h := sendBatch(t, tenant, getItem("1", adele))[0].Headers
	if h["Content-Type"] != "text/html" || h["Cache-Control"] != "private" || h["OData-Version"] != "" {
		t.Errorf("headers %v", h)
	}
}

func TestBatchDependencies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		items []string
		want  string // the answers, or the id that is refused
	}{
		{"each on the one before", []string{getItem("a", adele), getItem("b", adele, "A"), getItem("c", adele, "b")}, "c:200 b:200 a:200"},
		{"the first fails", []string{getItem("A", "nobody"), getItem("b", adele, "a"), getItem("c", adele, "b")}, "c:424 b:424 A:404"},
		{"the second fails", []string{getItem("a", adele), getItem("b", "nobody", "a"), getItem("c", adele, "b")}, "c:424 b:404 a:200"},
		{"all on the same", []string{getItem("a", "nobody"), getItem("b", adele, "a"), getItem("c", adele, "a"), getItem("d", adele)}, "d:200 c:424 b:424 a:404"},
		{"on two", []string{getItem("a", adele), getItem("b", adele), getItem("c", adele, "a", "b")}, "c"},
		{"mixed", []string{getItem("a", adele), getItem("b", adele), getItem("c", adele, "a"), getItem("d", adele, "b")}, "d"},
		{"begun as a chain", []string{getItem("a", adele), getItem("b", adele, "a"), getItem("c", adele, "b"), getItem("d", adele)}, "d"},
		{"on a later one", []string{getItem("a", adele, "b"), getItem("b", adele)}, "a"},
		{"on itself", []string{getItem("a", adele, "a")}, "a"},
		{"on none", []string{getItem("a", adele, "x")}, "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			if strings.Contains(test.want, ":") {
				if got := statuses(sendBatch(t, tenant, test.items...)); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				return
			}
			wantError(t, call(t, tenant, "POST", "/$batch", batch(test.items...)), 400, "BadRequest", "Invalid dependency for request Id "+test.want+".")
		})
	}

	t.Run("the text", func(t *testing.T) {
		t.Parallel()
		a := sendBatch(t, newTenant(), getItem("1", "nobody"), getItem("2", adele, "1"))[0]
		wantError(t, answer{a.Status, nil, string(a.Body)}, 424, "FailedDependency", "A request that this request depends on has failed.")
	})
}

func TestBatchFaults(t *testing.T) {
	t.Parallel()
	alex := "00000003-0000-4000-8000-0000000000ff"
	forAlex := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/v1.0/users/"+alex+"/assignLicense") }
	tests := []struct {
		name   string
		fault  licensingtest.Fault
		want   string
		header string // Retry-After of alex's item
		body   string // alex's, or how it begins
		writes string
	}{
		{"none", licensingtest.Fault{Match: func(*http.Request) bool { return false }, Items: true, Status: 500}, "2:200 1:200", "", `{"@odata.context"`, "12"},
		{"of requests only", licensingtest.Fault{Match: forAlex, Status: 500}, "2:200 1:200", "", `{"@odata.context"`, "12"},
		{"status", licensingtest.Fault{Items: true, Match: forAlex, Status: 429, Code: "TooManyRequests", Message: "Wait.", Header: http.Header{"Retry-After": {"7"}}}, "2:429 1:200", "7", `{"error":{"code":"TooManyRequests","message":"Wait."`, "1"},
		{"status after the effect", licensingtest.Fault{Items: true, Match: forAlex, Status: 503, Apply: true}, "2:503 1:200", "", "", "12"},
		{"no JSON", licensingtest.Fault{Items: true, Match: forAlex, Status: 502, Body: "<html>"}, "2:502 1:200", "", `"PGh0bWw+"`, "1"},
		{"JSON", licensingtest.Fault{Items: true, Match: forAlex, Status: 502, Body: `{"error":"x"}`}, "2:502 1:200", "", `{"error":"x"}`, "1"},
		{"dropped", licensingtest.Fault{Items: true, Match: forAlex, Drop: true}, "1:200", "", "", "1"},
		{"dropped after the effect", licensingtest.Fault{Items: true, Match: forAlex, Drop: true, Apply: true}, "1:200", "", "", "12"},
		{"skipped", licensingtest.Fault{Items: true, Skip: 1, Status: 500}, "2:500 1:200", "", "", "1"},
		{"all", licensingtest.Fault{Items: true, Times: -1, Status: 500}, "2:500 1:500", "", "", ""},
		{"the first", licensingtest.Fault{Items: true, Status: 500}, "2:200 1:500", "", `{"@odata.context"`, "2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tenant := newTenant()
			tenant.AddUser(licensingtest.User{ID: alex, UsageLocation: "US"})
			tenant.Fail(test.fault)
			answers := sendBatch(t, tenant, assignItem("1", adele), assignItem("2", alex))
			if got := statuses(answers); got != test.want {
				t.Fatalf("got  %s\nwant %s", got, test.want)
			}
			if a := answers[0]; a.ID == "2" && (a.Headers["Retry-After"] != test.header || !strings.HasPrefix(string(a.Body), test.body) || test.body == "" && a.Body != nil) {
				t.Errorf("item: %v %s", a.Headers, a.Body)
			}
			var writes string
			for _, w := range tenant.Writes() {
				writes += w.Item
			}
			if writes != test.writes {
				t.Errorf("writes %q, want %q", writes, test.writes)
			}
		})
	}

	t.Run("of the batch", func(t *testing.T) {
		t.Parallel()
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Status: 503, Apply: true, Code: "UnknownError"})
		wantError(t, call(t, tenant, "POST", "/$batch", batch(assignItem("1", adele))), 503, "UnknownError", "")
		if writes := tenant.Writes(); len(writes) != 1 {
			t.Errorf("writes %+v", writes)
		}
	})

	// What depends on an item that was dropped goes by what became of it.
	t.Run("dependencies", func(t *testing.T) {
		t.Parallel()
		for apply, want := range map[bool]string{false: "2:424", true: "2:200"} {
			tenant := newTenant()
			tenant.Fail(licensingtest.Fault{Items: true, Drop: true, Apply: apply})
			if got := statuses(sendBatch(t, tenant, getItem("1", adele), getItem("2", adele, "1"))); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			tenant.Fail(licensingtest.Fault{Items: true, Skip: 1, Status: 500})
			if got, want := statuses(sendBatch(t, tenant, getItem("1", "nobody"), getItem("2", adele, "1"), getItem("3", adele, "1"))), "3:424 2:424 1:404"; got != want {
				t.Errorf("got %s, want %s: an item that is not carried out meets no fault", got, want)
			}
		}
	})

	t.Run("delays", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			tenant.Fail(licensingtest.Fault{Items: true, Times: 2, Delay: time.Second, DelayAnswer: 2 * time.Second})
			start := time.Now()
			sendBatch(t, tenant, assignItem("1", adele), getItem("2", adele), getItem("3", adele))
			if took := time.Since(start); took != 6*time.Second {
				t.Errorf("took %v", took)
			}
			if at := tenant.Writes()[0].Time.Sub(start); at != time.Second {
				t.Errorf("applied after %v", at)
			}
		})
	})
}

// The request that a fault is asked about is the item as if it came by itself.
func TestBatchFaultMatch(t *testing.T) {
	t.Parallel()
	type request struct {
		Method, URI, Path, RawPath, Query, Host, ContentType, Token, Body string
		Length                                                            int64
	}
	for _, path := range []string{"/$batch", "/%24batch"} {
		tenant := newTenant()
		var got []request
		tenant.Fail(licensingtest.Fault{Items: true, Times: -1, Match: func(r *http.Request) bool {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			tenant.Requests() // may be asked
			got = append(got, request{r.Method, r.RequestURI, r.URL.Path, r.URL.EscapedPath(), r.URL.RawQuery, r.Host,
				r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body), r.ContentLength})
			r.Header.Set("Content-Type", "nothing of the tenant's")
			return false
		}})
		a := call(t, tenant, "POST", path, batch(
			`{"id":"1","method":"PATCH","url":"users/a%2fb?x=%20","headers":{"CONTENT-type":"application/json"},"body": {"a": 1}}`,
			getItem("2", adele)))
		want := []request{
			{"PATCH", "/v1.0/users/a%2fb?x=%20", "/v1.0/users/a/b", "/v1.0/users/a%2fb", "x=%20", "graph.microsoft.com", "application/json", "", `{"a": 1}`, 8},
			{"GET", "/v1.0/users/" + adele + "?$select=usageLocation", "/v1.0/users/" + adele, "/v1.0/users/" + adele, "$select=usageLocation", "graph.microsoft.com", "", "", "", 0},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if !strings.Contains(a.body, "licensingtest does not serve an update of anything") {
			t.Errorf("the item's headers are not its own: %s", a.body)
		}
	}
}

// Whatever the body, a batch is refused as a whole, or each id in it is
// answered once.
func FuzzBatch(f *testing.F) {
	for _, body := range []string{
		batch(assignItem("1", adele), getItem("2", adele, "1")),
		batch(getItem("a", adele), getItem("A", adele)),
		batch(`{"id":1,"method":"GET","url":"/me"}`, `{"id":2e0,"method":"GET","url":"/me","dependsOn":[1]}`),
		batch(`{"id":"1","method":"POST","url":"/$batch","headers":{"Content-Type":"application/json"},"body":"e30"}`),
		batch(`{"id":"1","method":"GET","url":"//users/%zz?%zz#"}`),
		`{"requests":[{"id":"ſ","method":"GET","url":"me"},null]}`,
		`[]`, ``, `{"requests":{}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Items: true, Match: func(*http.Request) bool { return false }})
		a := call(t, tenant, "POST", "/$batch", string(body), "Content-Type: application/json")
		if a.status == 400 {
			return
		}
		var sent struct{ Requests []struct{ ID any } }
		var got struct{ Responses []itemAnswer }
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&sent); err != nil {
			t.Fatalf("answered although %v", err)
		}
		var want, answered []string
		for _, r := range sent.Requests {
			want = append(want, fmt.Sprint(r.ID))
		}
		for _, r := range got.Responses {
			answered = append(answered, r.ID)
		}
		slices.Reverse(answered)
		if !slices.Equal(want, answered) {
			t.Errorf("answered %q of %q", answered, want)
		}
	})
}

// A batch of 20 writes, each to a user of its own out of 10,000.
func BenchmarkBatch(b *testing.B) {
	const users, size = 10_000, 20
	tenant := licensingtest.NewTenant()
	tenant.AddSKU(licensingtest.SKU{ID: officeID, Seats: users, Plans: make([]licensingtest.Plan, 3)})
	tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 1e9, Rate: 1e9}})
	var bodies []string
	for range users / size {
		var items []string
		for i := range size {
			user := tenant.AddUser(licensingtest.User{ID: uuid.NewString(), UsageLocation: "US"})
			items = append(items, assignItem(fmt.Sprint(i), user.ID))
		}
		bodies = append(bodies, batch(items...))
	}
	for i := 0; b.Loop(); i++ {
		req, err := http.NewRequest("POST", "https://graph.microsoft.com/v1.0/$batch", strings.NewReader(bodies[i%len(bodies)]))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer secret")
		req.Header.Set("Content-Type", "application/json")
		resp, err := tenant.RoundTripper().RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := io.Copy(io.Discard, resp.Body); resp.StatusCode != 200 || n < 500*size {
			b.Fatal(resp.Status, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/item")
}
