package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// refusedWith returns the error of a call whose one request is answered so.
func refusedWith(t testing.TB, answer step) *licensing.Error {
	t.Helper()
	user, err := newClient(t, newScript(t, answer), once).AssignUserLicense(t.Context(), userID, add(skuA))
	if user != nil {
		t.Error("got a user with an error")
	}
	return asError(t, err)
}

func ids(texts ...string) []uuid.UUID {
	var list []uuid.UUID
	for _, text := range texts {
		list = append(list, uuid.MustParse(text))
	}
	return list
}

// TestAnswersSeenInTheWild maps all of testdata/error-responses.json, which
// says where each comes from.
func TestAnswersSeenInTheWild(t *testing.T) {
	t.Parallel()
	type want struct {
		kinds       string
		skus, plans []uuid.UUID
	}
	wants := map[string]want{
		"400 missing-parameter":   {},
		"400 usage-location":      {kinds: "UsageLocation"},
		"400 sku-not-in-tenant":   {kinds: "UnknownSKU", skus: ids("90d8b3f8-712e-4f7b-aa1e-62e7ae6cbe96")},
		"400 dependency":          {kinds: "PlanDependency", plans: ids("fe71d6c3-a2ea-4499-9778-da042bf08063", "5dbe027f-2339-4123-9542-606e4d348a72")},
		"400 remove-not-assigned": {kinds: "NotAssigned"},
		"400 inherited-removal":   {kinds: "Inherited"},
		"400 no-seats":            {kinds: "NoAvailableLicenses", skus: ids("cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46")},
		"400 bad-guid":            {},
		"409 concurrency":         {kinds: "ConcurrentChange"},
		"429 throttled":           {kinds: "Throttled"},
		"401 bad-token":           {kinds: "Unauthorized"},
		"401 expired-token":       {kinds: "Unauthorized"},
		"403 forbidden":           {kinds: "Forbidden"},
		"404 not-found":           {kinds: "NotFound"},
		"400 unsupported-filter":  {kinds: "UnsupportedQuery"},
		"400 other-filter":        {},
		"400 expired-page-token":  {kinds: "ListingExpired"},
		"400 details-array":       {},
		"403 quota":               {kinds: "Forbidden"},
		"422 other-workload":      {},
		"400 empty-payload":       {},
		"405 batch-item":          {},
		"403 batch-item":          {kinds: "Forbidden"},
		"400 batch-envelope":      {},
		"400 no-changes":          {kinds: "NoChanges"},
	}
	data, err := os.ReadFile("testdata/error-responses.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct {
		Kind   string
		Status int
		Source string
		Body   json.RawMessage
	}
	if err := json.Unmarshal(data, &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != 31 {
		t.Errorf("%d answers, want 31", len(answers))
	}
	used := map[string]bool{}
	for i, answer := range answers {
		name := fmt.Sprintf("%d %s", answer.Status, answer.Kind)
		if answer.Kind == "unsupported-filter" && strings.Contains(string(answer.Body), `"BadRequest"`) {
			name = "400 other-filter"
		}
		want, there := wants[name]
		if used[name] = true; !there {
			t.Errorf("nothing is expected of %s", name)
		}
		t.Run(fmt.Sprintf("%d %s", i, answer.Kind), func(t *testing.T) {
			t.Parallel()
			var frame struct {
				Error struct {
					Code, Message string
					Details       []struct{ Code, Target string }
					InnerError    map[string]string
				}
			}
			if err := json.Unmarshal(answer.Body, &frame); err != nil {
				t.Fatal(err)
			}
			said := frame.Error
			e := refusedWith(t, reply(answer.Status, string(answer.Body)))
			if e.StatusCode != answer.Status || e.Code != said.Code || e.Message != said.Message || e.Attempts != 1 {
				t.Errorf("got %d %s: %s after %d attempts, from %s", e.StatusCode, e.Code, e.Message, e.Attempts, answer.Body)
			}
			if e.RequestID != said.InnerError["request-id"] {
				t.Errorf("RequestID is %q", e.RequestID)
			}
			if id := said.InnerError["client-request-id"]; id != "" && e.ClientRequestID != id || uuid.Validate(e.ClientRequestID) != nil {
				t.Errorf("ClientRequestID is %q, want %q or else our own", e.ClientRequestID, id)
			}
			if got := e.Date; !got.IsZero() && got.Format("2006-01-02T15:04:05") != said.InnerError["date"] || got.IsZero() != (said.InnerError["date"] == "") {
				t.Errorf("Date is %v, want %q", got, said.InnerError["date"])
			}
			for i, d := range said.Details {
				same(t, "detail", e.Details[i], licensing.ErrorDetail{Code: d.Code, Target: d.Target})
			}
			if got := kinds(e); got != want.kinds {
				t.Errorf("the error is %q, want %q", got, want.kinds)
			}
			same(t, "SKUIDs", e.SKUIDs, want.skus)
			same(t, "ServicePlanIDs", e.ServicePlanIDs, want.plans)
			if string(e.Body) != string(answer.Body) {
				t.Errorf("Body is %s", e.Body)
			}
			line := fmt.Sprintf("assign user license: %d %s: %s (", answer.Status, said.Code, said.Message)
			if e.RequestID != "" {
				line += "request-id " + e.RequestID + ", "
			}
			if got := e.Error(); got != line+"1 attempt)" {
				t.Errorf("got error  %s\nwant error %s1 attempt)", got, line)
			}
		})
	}
	for name := range wants {
		if !used[name] {
			t.Errorf("%s is not among the answers", name)
		}
	}
}

// TestTheTableOfErrors has a row for each row of what is known of Graph's
// errors.
func TestTheTableOfErrors(t *testing.T) {
	t.Parallel()
	const (
		bad  = "Request_BadRequest"
		one  = "0118a350-71fc-4ec3-8f0c-6a1cb8867561"
		two  = "5dbe027f-2339-4123-9542-606e4d348a72"
		tri  = "fe71d6c3-a2ea-4499-9778-da042bf08063"
		quad = "11b0131d-43c8-4bbb-b2c8-e80f9a50834a"
	)
	tests := []struct {
		name          string
		status        int
		code, message string
		kinds         string
		skus, plans   []uuid.UUID
	}{
		{"parameter missing", 400, bad, "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: addLicenses.", "", nil, nil},
		{"usage location", 400, bad, "License assignment cannot be done for user with invalid usage location.", "UsageLocation", nil, nil},
		{"usage location, without a full stop", 400, bad, "License assignment cannot be done for user with invalid usage location", "UsageLocation", nil, nil},
		{"no seats", 400, bad, "Subscription with SKU " + one + " does not have any available licenses.", "NoAvailableLicenses", ids(one), nil},
		{"no seats, in other letters", 400, bad, "SUBSCRIPTION WITH SKU " + strings.ToUpper(one) + " DOES NOT HAVE ANY AVAILABLE LICENSES", "NoAvailableLicenses", ids(one), nil},
		{"SKU not in tenant", 400, bad, "License " + one + " does not correspond to a valid company License.", "UnknownSKU", ids(one), nil},
		{"dependency on one", 400, bad, "License assignment failed because service plan " + one + " depends on the service plan(s) " + two, "PlanDependency", nil, ids(one, two)},
		{"dependency on several", 400, bad, "License assignment failed because service plan " + one + " depends on the service plan(s) " + two + "," + tri + "," + two, "PlanDependency", nil, ids(one, two, tri)},
		{"mutually exclusive", 400, bad, "License assignment failed because service plans " + one + "," + two + " are mutually exclusive", "PlanConflict", nil, ids(one, two)},
		{"not assigned", 400, bad, "User does not have a corresponding license.", "NotAssigned", nil, nil},
		{"inherited", 400, bad, "User license is inherited from a group membership and it cannot be removed directly from the user.", "Inherited", nil, nil},
		{"wrong target", 400, "", "License " + quad + " cannot be assigned to a user.", "NotAssignable", ids(quad), nil},
		{"proxy clash", 400, bad, "Another object with the same value for property proxyAddresses already exists.", "ProxyAddressConflict", nil, nil},
		{"bad GUID", 400, "", "Cannot convert a primitive value to the expected type 'Edm.Guid'", "", nil, nil},
		{"empty body", 400, "BadRequest", "Empty Payload. JSON content expected.", "", nil, nil},
		{"unreadable body", 400, "BadRequest", "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.", "", nil, nil},
		{"application on /me", 400, "BadRequest", "/me request is only valid with delegated authentication flow.", "DelegatedOnly", nil, nil},
		{"application on /me, in other letters", 400, "BadRequest", "/Me Request is only valid with Delegated authentication flow", "DelegatedOnly", nil, nil},
		{"bad object id", 400, bad, "Invalid object identifier '" + one + "'.", "", nil, nil},
		{"filter refused", 400, "Request_UnsupportedQuery", "Complex query on property assignedLicenses is not supported.", "UnsupportedQuery", nil, nil},
		{"another filter refused", 400, "BadRequest", "Invalid filter clause", "", nil, nil},
		{"page token expired", 400, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.", "ListingExpired", nil, nil},
		{"token bad", 401, "InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217", "Unauthorized", nil, nil},
		{"token expired", 401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.", "Unauthorized", nil, nil},
		{"no service principal", 401, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.", "Unauthorized", nil, nil},
		{"forbidden", 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.", "Forbidden", nil, nil},
		{"quota", 403, "Directory_QuotaExceeded", "Unable to perform operation as '121' would exceed the maximum quota count '100' for forward-link owners.", "Forbidden", nil, nil},
		{"not found", 404, "Request_ResourceNotFound", "Resource '" + one + "' does not exist or one of its queried reference-property objects are not present.", "NotFound", nil, nil},
		{"concurrency", 409, "Directory_ConcurrencyViolation", "Error due to concurrent requests being made to the tenant. Please wait briefly and retry.", "ConcurrentChange", nil, nil},
		{"another conflict", 409, "Request_MultipleObjectsWithSameKeyValue", "", "", nil, nil},
		{"throttled", 429, "TooManyRequests", "Too many requests from Identifier:" + one + " under category:throttle.aad.ags.subscriptionservice.app.list. Please try again later.", "Throttled", nil, nil},
		{"throttled, with an unknown code", 429, "UnknownError", "", "Throttled", nil, nil},
		{"throttled, the old way", 400, "Request_ThrottledTemporarily", "", "Throttled", nil, nil},
		{"bandwidth", 509, "", "", "Throttled", nil, nil},
		{"unavailable", 503, "serviceNotAvailable", "", "Unavailable OutcomeUnknown", nil, nil},
		{"gateway", 504, "UnknownError", "", "Unavailable OutcomeUnknown", nil, nil},
		{"server error", 500, "Service_InternalServerError", "", "Unavailable OutcomeUnknown", nil, nil},
		{"not implemented", 501, "", "", "", nil, nil},
		{"two empty lists", 400, bad, "No license changes provided. At least one license to add or remove must be specified.", "NoChanges", nil, nil},
		{"the message of a refusal with another status", 500, bad, "User does not have a corresponding license.", "Unavailable OutcomeUnknown", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := refusedWith(t, graphError(test.status, test.code, test.message))
			if got := kinds(e); got != test.kinds {
				t.Errorf("the error is %q, want %q", got, test.kinds)
			}
			same(t, "SKUIDs", e.SKUIDs, test.skus)
			same(t, "ServicePlanIDs", e.ServicePlanIDs, test.plans)
			if e.StatusCode != test.status || e.Code != test.code || e.Message != test.message {
				t.Errorf("got %d %q %q", e.StatusCode, e.Code, e.Message)
			}
			if test.kinds == "Unavailable OutcomeUnknown" {
				return // what a call knows of its outcome is not in the answer alone
			}
			built := &licensing.Error{StatusCode: test.status, Code: test.code, Message: test.message}
			if got := kinds(built); got != test.kinds {
				t.Errorf("an error that is built from it is %q, want %q", got, test.kinds)
			}
		})
	}
}

func TestOddErrorBodies(t *testing.T) {
	t.Parallel()
	html := []string{"Content-Type", "text/html"}
	tests := []struct {
		name    string
		status  int
		body    string
		headers []string
		want    licensing.Error // Code, Message, Target, Details, RequestID and Date
		line    string          // after the operation
	}{
		{"empty", 403, "", nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"a page", 403, "<html><h1>No</h1></html>", html, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"an unknown status without a body", 499, "", nil, licensing.Error{}, "499 (1 attempt)"},
		{"text", 403, "no", []string{"Content-Type", "text/plain"}, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"an empty object", 403, "{}", nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"an array", 403, `[{"error":{"code":"x"}}]`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"null", 403, `null`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"error is null", 403, `{"error":null}`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"error is text", 400, `{"error":"invalid_request"}`, nil, licensing.Error{Message: "invalid_request"}, "400: invalid_request (1 attempt)"},
		{"error of a sign-in service", 400, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret."}`, nil,
			licensing.Error{Message: "AADSTS7000215: Invalid client secret."}, "400: AADSTS7000215: Invalid client secret. (1 attempt)"},
		{"a message of a gateway", 403, `{"statusCode":403,"message":"Out of call volume quota."}`, nil,
			licensing.Error{Message: "Out of call volume quota."}, "403: Out of call volume quota. (1 attempt)"},
		{"error is a list", 403, `{"error":[{"code":"x"}]}`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"code and message are null", 403, `{"error":{"code":null,"message":null}}`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"code and message are empty", 403, `{"error":{"code":"","message":""}}`, nil, licensing.Error{}, "403 Forbidden (1 attempt)"},
		{"a code alone", 403, `{"error":{"code":"AccessDenied"}}`, nil, licensing.Error{Code: "AccessDenied"}, "403 AccessDenied (1 attempt)"},
		{"a message alone", 403, `{"error":{"message":"No."}}`, nil, licensing.Error{Message: "No."}, "403: No. (1 attempt)"},
		{"a code that is a number", 403, `{"error":{"code":1234567890123456789,"message":true}}`, nil,
			licensing.Error{Code: "1234567890123456789", Message: "true"}, "403 1234567890123456789: true (1 attempt)"},
		{"names in other letters", 403, `{"Error":{"Code":"x","MESSAGE":"y","Target":"z"}}`, nil, licensing.Error{Code: "x", Message: "y", Target: "z"}, "403 x: y (1 attempt)"},
		{"innererror in lower case", 403, `{"error":{"code":"x","innererror":{"request-id":"r","date":"2026-01-02T03:04:05"}}}`, nil,
			licensing.Error{Code: "x", RequestID: "r", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, "403 x (request-id r, 1 attempt)"},
		{"innerErrors within each other", 403, `{"error":{"code":"x","innerError":{"code":"y","innererror":{"code":"z","innerError":{"request-id":"deep"}}}}}`, nil,
			licensing.Error{Code: "x", RequestID: "deep"}, "403 x (request-id deep, 1 attempt)"},
		{"the outer innerError is nearer", 403, `{"error":{"innerError":{"request-id":"outer","innererror":{"request-id":"inner"}}}}`, nil,
			licensing.Error{RequestID: "outer"}, "403 Forbidden (request-id outer, 1 attempt)"},
		{"innerError has lists", 403, `{"error":{"code":"x","innerError":{"errors":[[{"request-id":"r"}]],"date":[1]}}}`, nil, licensing.Error{Code: "x", RequestID: "r"}, "403 x (request-id r, 1 attempt)"},
		{"innerError is text", 403, `{"error":{"code":"x","innerError":"none"}}`, nil, licensing.Error{Code: "x"}, "403 x (1 attempt)"},
		{"a date that is none", 403, `{"error":{"code":"x","innerError":{"date":"yesterday"}}}`, nil, licensing.Error{Code: "x"}, "403 x (1 attempt)"},
		{"details", 403, `{"error":{"code":"x","target":"t","details":[{"code":"a","message":"b","target":"c"},{},{"code":"d"}]}}`, nil,
			licensing.Error{Code: "x", Target: "t", Details: []licensing.ErrorDetail{{Code: "a", Message: "b", Target: "c"}, {}, {Code: "d"}}}, "403 x (1 attempt)"},
		{"details that are no objects", 403, `{"error":{"code":"x","details":["a",null,7]}}`, nil, licensing.Error{Code: "x"}, "403 x (1 attempt)"},
		{"details are one object", 403, `{"error":{"code":"x","details":{"code":"a"}}}`, nil, licensing.Error{Code: "x"}, "403 x (1 attempt)"},
		{"the retired frame", 403, `{"odata.error":{"code":"x","message":{"lang":"en","value":"No."}}}`, nil, licensing.Error{Code: "x", Message: "No."}, "403 x: No. (1 attempt)"},
		{"another order", 403, `{"error":{"innerError":{"request-id":"r"},"message":"No.","code":"x"},"more":1}`, nil, licensing.Error{Code: "x", Message: "No.", RequestID: "r"}, "403 x: No. (request-id r, 1 attempt)"},
		{"what follows is no JSON", 403, `{"error":{"code":"x"}}<html>`, nil, licensing.Error{Code: "x"}, "403 x (1 attempt)"},
		{"a message of several lines", 403, `{"error":{"code":"x","message":"one\r\n\ttwo\u2028three"}}`, nil, licensing.Error{Code: "x", Message: "one\r\n\ttwo\u2028three"}, "403 x: one two three (1 attempt)"},
		{"bytes that are no text", 403, "{\"error\":{\"code\":\"x\",\"message\":\"a\xffb\"}}", nil, licensing.Error{Code: "x", Message: "a\uFFFDb"}, "403 x: a\uFFFDb (1 attempt)"},
		{"a header has the ids", 403, `{"error":{"code":"x","innerError":{"request-id":"inner"}}}`, []string{"request-id", "r"}, licensing.Error{Code: "x", RequestID: "r"}, "403 x (request-id r, 1 attempt)"},
		{"a header has the date", 403, `{"error":{"code":"x","innerError":{"date":"2020-01-01T00:00:00"}}}`, []string{"Date", "Fri, 02 Jan 2026 03:04:05 GMT"},
			licensing.Error{Code: "x", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, "403 x (1 attempt)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := refusedWith(t, reply(test.status, test.body, test.headers...))
			same(t, "error", licensing.Error{Code: e.Code, Message: e.Message, Target: e.Target, Details: e.Details, RequestID: e.RequestID, Date: e.Date}, test.want)
			if e.StatusCode != test.status || string(e.Body) != test.body {
				t.Errorf("got status %d, body %q", e.StatusCode, e.Body)
			}
			if got := strings.TrimPrefix(e.Error(), "assign user license: "); got != test.line {
				t.Errorf("got error  %s\nwant error %s", got, test.line)
			}
		})
	}
}

// An error answer that breaks off is no definite answer, but what there is of
// it is kept.
func TestErrorBodiesThatBreakOff(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error":{"code":"Request_BadRequest","message":"User does not`: "assign user license: outcome unknown: 400 Request_BadRequest (1 attempt)",
		`{"error":{"code":"x","message":"No."`:                           "assign user license: outcome unknown: 400 x: No. (1 attempt)",
		`{"error":`:                                                      "assign user license: outcome unknown: 400 Bad Request (1 attempt)",
		`{`:                                                              "assign user license: outcome unknown: 400 Bad Request (1 attempt)",
	} {
		e := refusedWith(t, reply(400, body))
		if got := e.Error(); got != want {
			t.Errorf("got error  %s\nwant error %s", got, want)
		}
		if got := kinds(e); got != "Unavailable OutcomeUnknown" {
			t.Errorf("%s: the error is %q, want Unavailable OutcomeUnknown", body, got)
		}
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	var none *licensing.Error
	tests := []struct {
		err  error
		want string
	}{
		{none, "<nil>"},
		{&licensing.Error{}, "unknown error"},
		{&licensing.Error{Op: "assign user license"}, "assign user license"},
		{&licensing.Error{StatusCode: 404}, "404 Not Found"},
		{&licensing.Error{StatusCode: 799}, "799"},
		{&licensing.Error{Code: "Request_BadRequest"}, "Request_BadRequest"},
		{&licensing.Error{Message: "No."}, "No."},
		{&licensing.Error{Op: "assign user license", StatusCode: 400, Code: "Request_BadRequest", Message: "No."}, "assign user license: 400 Request_BadRequest: No."},
		{&licensing.Error{Attempts: 1}, "unknown error (1 attempt)"},
		{&licensing.Error{RequestID: "r"}, "unknown error (request-id r)"},
		{&licensing.Error{RetryAfter: 90 * time.Second}, "unknown error (retry after 1m30s)"},
		{&licensing.Error{Op: "assign group license", StatusCode: 429, Code: "TooManyRequests", Message: "Please retry again later.", RequestID: "94fb3b52-452a-4535-a601-69e0a90e3aa2", Attempts: 3, RetryAfter: 2128 * time.Millisecond},
			"assign group license: 429 TooManyRequests: Please retry again later. (request-id 94fb3b52-452a-4535-a601-69e0a90e3aa2, 3 attempts, retry after 2.128s)"},
		{&licensing.Error{StatusCode: 403, Code: "a\nb", Message: " c\r\nd\x00", RequestID: "e\nf"}, "403 a b: c d (request-id e f)"},
		{&licensing.Error{Target: "t", ClientRequestID: "c", Body: []byte("b")}, "unknown error"},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got error  %q\nwant error %q", got, test.want)
		}
	}
}

// Some gateways put a whole page into the message.
func TestAWholePageAsAMessage(t *testing.T) {
	t.Parallel()
	page := "<!DOCTYPE html>\n<html>\n" + strings.Repeat("<p>æøå</p>\n", 500) + "</html>"
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": "UnknownError", "message": page}})
	if err != nil {
		t.Fatal(err)
	}
	e := refusedWith(t, reply(403, string(body)))
	if e.Message != page {
		t.Error("the message is not as it was sent")
	}
	line := e.Error()
	if strings.Contains(line, "\n") || utf8.RuneCountInString(line) > 400 || !utf8.ValidString(line) || !strings.HasSuffix(line, "… (1 attempt)") {
		t.Errorf("got error %s", line)
	}
}

// What all the credentials of a chain say is longer, and where the help is.
func TestALongCause(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t, fails(errors.New(strings.Repeat("no credential; ", 60)+"sign in")), fails(errors.New(strings.Repeat("<p>", 5000)))), once)
	if _, err := client.ReprocessMyLicense(t.Context()); !strings.Contains(err.Error(), "no credential; sign in") {
		t.Errorf("got error %v", err)
	}
	if _, err := client.ReprocessMyLicense(t.Context()); utf8.RuneCountInString(err.Error()) > 1100 || !strings.HasSuffix(err.Error(), "… (1 attempt)") {
		t.Errorf("got error %v", err)
	}
}

func TestErrorsOfTheTransport(t *testing.T) {
	t.Parallel()
	const upn = "adele@contoso.com"
	cause := fmt.Errorf("no way to https://graph.test/base/v1.0/users/%s/assignLicense", upn)
	s := newScript(t, fails(cause))
	_, err := newClient(t, s, once).AssignUserLicense(t.Context(), upn, add(skuA))
	if got, want := fmt.Sprint(err), "assign user license: outcome unknown: no way to [url] (1 attempt)"; got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
	if !errors.Is(err, cause) || kinds(err) != "Unavailable OutcomeUnknown" {
		t.Errorf("the error is %q, and the transport's: %v", kinds(err), errors.Is(err, cause))
	}
	e := asError(t, err)
	if e.StatusCode != 0 || e.Header != nil || e.Body != nil || e.Attempts != 1 || uuid.Validate(e.ClientRequestID) != nil {
		t.Errorf("got %+v", e)
	}
	if e.Unwrap() == nil {
		t.Error("nothing is wrapped")
	}
}

// Neither errors nor log lines name the user that a call was about, whatever
// the transport says.
func TestErrorsDoNotNameTheUser(t *testing.T) {
	t.Parallel()
	users := map[string]string{
		"plain":                "xyzzy@contoso.com",
		"operator":             "$xyzzy@contoso.com",
		"apostrophe":           "o'xyzzy@contoso.com",
		"operator, apostrophe": "$o'xyzzy@contoso.com",
		"guest":                "xyzzy_fabrikam.com#EXT#@contoso.com",
		"slash":                "contoso/xyzzy",
		"percent":              "100%xyzzy",
		"short":                "xy",
		"short operator":       "$xy",
	}
	breaks := func(text func(*url.URL) string) step {
		return func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("no responder for %s %s", req.Method, text(req.URL))
		}
	}
	transports := map[string]struct {
		answer step
		want   string
	}{
		"URL":          {breaks((*url.URL).String), "no responder for POST [url]"},
		"path":         {breaks(func(u *url.URL) string { return u.Path }), "no responder for POST "},
		"escaped path": {breaks((*url.URL).EscapedPath), "no responder for POST "},
		"own escapes":  {breaks(func(u *url.URL) string { return (&url.URL{Path: u.Path}).String() }), "no responder for POST "},
		"redirect that cannot be parsed": {func(req *http.Request) (*http.Response, error) {
			return reply(302, "", "Location", req.URL.Path+"?%zz\x7f")(req)
		}, "not an answer from Microsoft Graph: a redirect"},
	}
	for kind, user := range users {
		for name, test := range transports {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				logger, out := lines(slog.LevelDebug)
				_, err := newClient(t, newScript(t, test.answer), once, licensing.WithLogger(logger)).AssignUserLicense(t.Context(), user, add(skuA))
				wantFailed(t, err, 0, 1, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
				for _, text := range []string{err.Error(), fmt.Sprintf("%+v", asError(t, err).Unwrap()), out.String()} {
					if strings.Contains(text, "xy") {
						t.Errorf("the user is in: %s", text)
					}
				}
				if !strings.Contains(err.Error(), test.want) || !strings.Contains(out.String(), test.want) {
					t.Errorf("got error %s\nand line %s\nwant both with %s", err, out, test.want)
				}
			})
		}
	}
}

// Nor those who are named in a filter.
func TestErrorsDoNotTellTheFilter(t *testing.T) {
	t.Parallel()
	logger, out := lines(slog.LevelDebug)
	s := newScript(t, func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("no responder for %s", req.URL.RequestURI())
	})
	for _, err := range newClient(t, s, once, licensing.WithLogger(logger)).Users(t.Context(), licensing.UserQuery{Filter: "mail eq 'xyzzy@contoso.com'"}) {
		for _, text := range []string{fmt.Sprint(err), out.String()} {
			if strings.Contains(text, "xyzzy") || !strings.Contains(text, "no responder for /base/v1.0/users") {
				t.Errorf("got %s", text)
			}
		}
	}
}

// What others wrote cannot steer a terminal, or turn a line around.
func TestErrorsHaveNoControlCharacters(t *testing.T) {
	t.Parallel()
	const (
		foreign = "a\x1b[2Jb\x00c\u202ed\u200be\u0085f\u2028g\x07h\ufeffi"
		want    = "a [2Jb c d e f g h i"
	)
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": foreign, "message": foreign, "innerError": map[string]any{"request-id": foreign}}})
	if err != nil {
		t.Fatal(err)
	}
	said := refusedWith(t, reply(403, string(body)))
	if said.Code != foreign || said.Message != foreign || said.RequestID != foreign {
		t.Error("what was sent is not kept as it was")
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{said, "assign user license: 403 " + want + ": " + want + " (request-id " + want + ", 1 attempt)"},
		{refusedWith(t, fails(errors.New(foreign))), "assign user license: outcome unknown: " + want + " (1 attempt)"},
		{&licensing.DecodeError{Property: foreign, Err: errors.New(foreign), RequestID: foreign}, `answer cannot be read: property "` + want + `": ` + want + " (request-id " + want + ")"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got error  %q\nwant error %q", got, test.want)
		}
	}
}

// A property that cannot be read may be anything, and somebody's name.
func TestADecodeErrorDoesNotShowTheValue(t *testing.T) {
	t.Parallel()
	for property, body := range map[string]string{
		"assignedPlans[0].assignedDateTime":              `{"assignedPlans":[{"assignedDateTime":"adele@contoso.com"}]}`,
		"licenseAssignmentStates[0].lastUpdatedDateTime": `{"licenseAssignmentStates":[{"lastUpdatedDateTime":"adele@contoso.com"}]}`,
		"assignedLicenses[0].skuId":                      `{"assignedLicenses":[{"skuId":"adele@contoso.com"}]}`,
		"accountEnabled":                                 `{"accountEnabled":"adele@contoso.com"}`,
	} {
		_, err := answerUser(t, body)
		e, ok := errors.AsType[*licensing.DecodeError](err)
		if !ok || e.Property != property {
			t.Errorf("%s: got error %v", property, err)
			continue
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", e.Err)} {
			if strings.Contains(text, "adele") {
				t.Errorf("the value is in: %s", text)
			}
		}
	}
}

// A transport need not write names as net/http does.
func TestTheAnswersHeaderInOtherLetters(t *testing.T) {
	t.Parallel()
	e := refusedWith(t, func(req *http.Request) (*http.Response, error) {
		resp, err := graphError(403, "x", "")(req)
		resp.Header["set-cookie"] = []string{"session=secret"}
		resp.Header["AUTHORIZATION"] = []string{"secret"}
		resp.Header["x-own"] = []string{"kept"}
		return resp, err
	})
	same(t, "header", e.Header, http.Header{"Content-Type": {"application/json"}, "x-own": {"kept"}})
}

func TestTheAnswersHeader(t *testing.T) {
	t.Parallel()
	answer := graphError(403, "x", "", "Set-Cookie", "session=secret", "Set-Cookie2", "secret", "Authorization", "secret", "Proxy-Authorization", "secret", "Authentication-Info", "secret",
		"WWW-Authenticate", `Bearer authorization_uri="https://login.test"`, "x-ms-ags-diagnostic", "{}", "Date", "Fri, 02 Jan 2026 03:04:05 GMT", "client-request-id", "c", "Retry-After", "7")
	e := refusedWith(t, answer)
	same(t, "header", e.Header, http.Header{
		"Content-Type":        {"application/json"},
		"Www-Authenticate":    {`Bearer authorization_uri="https://login.test"`},
		"X-Ms-Ags-Diagnostic": {"{}"},
		"Date":                {"Fri, 02 Jan 2026 03:04:05 GMT"},
		"Client-Request-Id":   {"c"},
		"Retry-After":         {"7"},
	})
	if e.ClientRequestID != "c" || e.RetryAfter != 7*time.Second || !e.Date.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
		t.Errorf("got client-request-id %q, retry after %v, date %v", e.ClientRequestID, e.RetryAfter, e.Date)
	}
}

func TestTheBodyIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for name, length := range map[string]int{"at the limit": limit, "beyond it": limit + 1, "far beyond it": 10 * limit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"error":{"code":"Authorization_RequestDenied","message":"No.","innerError":{"x":"`
			body += strings.Repeat("x", length-len(body)-4) + `"}}}`
			e := refusedWith(t, reply(403, body))
			if got := string(e.Body); got != body[:limit] {
				t.Errorf("%d bytes were kept, want %d", len(got), limit)
			}
			if e.Code != "Authorization_RequestDenied" || e.Message != "No." || kinds(e) != "Forbidden" {
				t.Errorf("got error %v", e)
			}
		})
	}
}

func TestErrorsThatUsersBuild(t *testing.T) {
	t.Parallel()
	refused := &licensing.Error{StatusCode: 400, Message: "Subscription with SKU x does not have any available licenses."}
	wrapped := fmt.Errorf("adele: %w", errors.Join(errors.New("other"), refused))
	if !errors.Is(wrapped, licensing.ErrNoAvailableLicenses) || errors.Is(wrapped, licensing.ErrThrottled) {
		t.Errorf("the error is %q", kinds(wrapped))
	}
	if e, ok := errors.AsType[*licensing.Error](wrapped); !ok || e != refused {
		t.Error("errors.AsType does not find it")
	}
	var e *licensing.Error
	if !errors.As(wrapped, &e) || e != refused {
		t.Error("errors.As does not find it")
	}
	if refused.Unwrap() != nil || !errors.Is(refused, refused) || errors.Is(refused, &licensing.Error{}) {
		t.Error("it wraps something, or is another error")
	}
	var none *licensing.Error
	if none.Is(licensing.ErrThrottled) || none.Unwrap() != nil || kinds(new(licensing.Error)) != "" || kinds(context.Canceled) != "" {
		t.Error("an error without anything in it is something")
	}
}

func TestSentinels(t *testing.T) {
	t.Parallel()
	texts := map[string]bool{}
	for _, s := range sentinels {
		text := s.err.Error()
		if texts[text] || text == "" || strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
			t.Errorf("Err%s says %q", s.name, text)
		}
		texts[text] = true
		if got := kinds(s.err); got != s.name {
			t.Errorf("Err%s is %q", s.name, got)
		}
	}
}

func TestLicenseAssignmentStateErr(t *testing.T) {
	t.Parallel()
	const (
		active  = licensing.AssignmentStateActive
		partial = licensing.AssignmentStateActiveWithError
		broken  = licensing.AssignmentStateError
	)
	const license = "license aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa: "
	tests := []struct {
		state licensing.AssignmentState
		error licensing.AssignmentError
		group string
		want  string
		kinds string
	}{
		{active, "", "", "", ""},
		{active, "None", "", "", ""},
		{active, "none", groupID, "", ""},
		{"", "", "", "", ""},
		{"", "None", "", "", ""},
		{licensing.AssignmentStateDisabled, "None", "", "", ""},
		{"Unheard", "", "", "", ""},
		{broken, "", "", license + "state Error", ""},
		{broken, "None", groupID, license + "state Error (assigned by group " + groupID + ")", ""},
		{partial, "", "", license + "state ActiveWithError", ""},
		{partial, "None", groupID, license + "state ActiveWithError (assigned by group " + groupID + ")", ""},
		{broken, "CountViolation", groupID, license + "CountViolation (assigned by group " + groupID + "): no available licenses", "NoAvailableLicenses"},
		{partial, "CountViolation", "", license + "CountViolation: no available licenses", "NoAvailableLicenses"},
		{active, "CountViolation", "", license + "CountViolation: no available licenses", "NoAvailableLicenses"},
		{"", "CountViolation", "", license + "CountViolation: no available licenses", "NoAvailableLicenses"},
		{broken, "MutuallyExclusiveViolation", "", license + "MutuallyExclusiveViolation: service plans exclude each other", "PlanConflict"},
		{broken, "DependencyViolation", "", license + "DependencyViolation: service plan depends on another", "PlanDependency"},
		{broken, "ProhibitedInUsageLocationViolation", "", license + "ProhibitedInUsageLocationViolation: usage location not set or not allowed", "UsageLocation"},
		{broken, "UniquenessViolation", "", license + "UniquenessViolation: proxy address is in use by another object", "ProxyAddressConflict"},
		{broken, "Other", "", license + "Other", ""},
		{partial, "Others", "", license + "Others", ""},
		{active, "Unknown", "", license + "Unknown", ""},
	}
	for _, test := range tests {
		s := licensing.LicenseAssignmentState{SKUID: skuA, State: test.state, Error: test.error, AssignedByGroup: test.group}
		err := s.Err()
		if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("%s, %q: got error  %v\nwant error %s", test.state, test.error, err, test.want)
		}
		if got := kinds(err); got != test.kinds {
			t.Errorf("%s, %q: the error is %q, want %q", test.state, test.error, got, test.kinds)
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	data, err := os.ReadFile("testdata/error-responses.json")
	if err != nil {
		f.Fatal(err)
	}
	var answers []struct {
		Status int
		Body   json.RawMessage
	}
	if err := json.Unmarshal(data, &answers); err != nil {
		f.Fatal(err)
	}
	for _, answer := range answers {
		f.Add(uint16(answer.Status), []byte(answer.Body))
	}
	for _, body := range []string{"", "{", "<html>", "null", `{"error":"x"}`, `{"error":{"details":[[{"code":1}]]}}`, "{\"error\":{\"code\":\"\xff\"}}", strings.Repeat(`{"error":`, 100)} {
		f.Add(uint16(502), []byte(body))
	}
	f.Fuzz(func(t *testing.T, status uint16, body []byte) {
		status = 300 + status%700
		_, err := newClient(t, stub{int(status), string(body)}, once).AssignUserLicense(t.Context(), userID, add(skuA))
		e := asError(t, err)
		if e.StatusCode != int(status) || e.Attempts != 1 {
			t.Errorf("got status %d after %d attempts, want %d", e.StatusCode, e.Attempts, status)
		}
		if want := body[:min(len(body), 64<<10)]; string(e.Body) != string(want) {
			t.Errorf("%d of %d bytes were kept, or others", len(e.Body), len(body))
		}
		said := []string{e.Code, e.Message, e.Target, e.RequestID}
		for _, d := range e.Details {
			said = append(said, d.Code, d.Message, d.Target)
		}
		for _, s := range said {
			if len(s) > 3*len(body) {
				t.Errorf("%d bytes of body make a text of %d", len(body), len(s))
			}
			if utf8.Valid(body) && !strings.Contains(string(body), `\`) && !strings.Contains(string(body), s) {
				t.Errorf("%q is not in the body", s)
			}
		}
		for _, id := range append(e.SKUIDs, e.ServicePlanIDs...) {
			if !strings.Contains(strings.ToLower(e.Message), id.String()) {
				t.Errorf("%s is not in the message", id)
			}
		}
		if line := e.Error(); !strings.HasPrefix(line, "assign user license: ") || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) || utf8.RuneCountInString(line) > 1500 {
			t.Errorf("the error is %q", line)
		}
	})
}

// A context can end for another call's failure, as that of an errgroup does.
// That says nothing about the calls that it ends.

// foreignCauses are failures of other calls.
func foreignCauses(t *testing.T) map[string]error {
	t.Helper()
	refusal := func(message string) error {
		s := newScript(t, graphError(400, "Request_BadRequest", message))
		_, err := newClient(t, s).AssignUserLicense(t.Context(), user(0), remove(skuA))
		return err
	}
	noToken, err := licensing.NewClient(func(context.Context) (string, error) { return "", errors.New("vault is sealed") })
	if err != nil {
		t.Fatal(err)
	}
	_, unsigned := noToken.AssignUserLicense(t.Context(), user(0), add(skuA))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, unsent := newClient(t, newScript(t)).AssignUserLicense(ended, user(0), add(skuA))
	return map[string]error{
		"not assigned": refusal("User does not have a corresponding license."),
		"inherited":    refusal("User license is inherited from a group membership and it cannot be removed directly from the user."),
		"no token":     fmt.Errorf("row 7: %w", unsigned),
		"not sent":     unsent,
		"a sentinel":   licensing.ErrNotAssigned,
		"not decoded":  &licensing.DecodeError{Err: errors.New("not a GUID")},
	}
}

func TestACauseIsNoEvidence(t *testing.T) {
	for name, cause := range foreignCauses(t) {
		for _, size := range []int{0, 1, 20} { // 0: a single call
			t.Run(fmt.Sprintf("%s, %d", name, size), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { cancel(cause) })
					client := newClient(t, step(silent))
					var errs []error
					if size == 0 {
						_, err := client.AssignUserLicense(ctx, userID, remove(skuA))
						errs = append(errs, err)
					} else {
						for r := range client.Bulk(ctx, inOrder(assign(user(0), remove(skuA)), assign(user(1), remove(skuB))), licensing.BulkOptions{BatchSize: size}) {
							if r.Attempts > 0 { // the first is a probe
								errs = append(errs, r.Err)
							}
						}
					}
					for _, err := range errs {
						wantFailed(t, err, 0, 1, licensing.ErrOutcomeUnknown)
						if !errors.Is(err, context.Canceled) || errors.As(err, new(*licensing.DecodeError)) {
							t.Errorf("got %v", err)
						}
					}
					if len(errs) == 0 {
						t.Error("nothing was sent")
					}
				})
			})
		}
	}
}

// net/http returns the cause itself from a request that it gave up.
func TestACauseIsNoEvidenceOverHTTP(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			came, release := make(chan struct{}, 10), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				came <- struct{}{}
				<-release
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			defer close(release)
			client, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(server.Client()))
			if err != nil {
				t.Fatal(err)
			}
			for name, cause := range foreignCauses(t) {
				begin := func() context.Context {
					ctx, cancel := context.WithCancelCause(t.Context())
					go func() { <-came; cancel(cause) }()
					return ctx
				}
				if _, err := client.AssignUserLicense(begin(), userID, add(skuA)); kinds(err) != "OutcomeUnknown" {
					t.Errorf("%s: %v", name, err)
				}
				for r := range client.Bulk(begin(), slices.Values(addsFor(2, skuA)), licensing.BulkOptions{}) {
					if kinds(r.Err) != "OutcomeUnknown" || r.Attempts != 1 {
						t.Errorf("%s, in bulk: %v", name, r.Err)
					}
				}
			}
		})
	}
}
