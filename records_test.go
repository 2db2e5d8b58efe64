package licensing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func ExampleOperationResult_MarshalJSON() {
	tenant := licensingtest.NewTenant()
	tenant.AddUser(licensingtest.User{ID: userID, UserPrincipalName: "adele@contoso.example"})
	client := tenant.Client()

	// A run writes what has become of its operations, one on a line.
	var file bytes.Buffer
	lines := json.NewEncoder(&file)
	for result := range client.Bulk(context.Background(), slices.Values([]licensing.Operation{
		{Kind: licensing.OperationSetUsageLocation, Target: "adele@contoso.example", UsageLocation: "DE"},
		{Kind: licensing.OperationReprocessUser, Target: "nobody@contoso.example"},
	}), licensing.BulkOptions{}) {
		if err := lines.Encode(result); err != nil {
			fmt.Println(err)
		}
	}

	// Another program reads them.
	for line := range bytes.Lines(file.Bytes()) {
		var result licensing.OperationResult
		if err := json.Unmarshal(line, &result); err != nil {
			fmt.Println(err)
		}
		fmt.Println(result.Operation.Target, result.Done(), errors.Is(result.Err, licensing.ErrNotFound))
	}
	// Unordered output:
	// adele@contoso.example true false
	// nobody@contoso.example false true
}

// jsonOf returns v as JSON on one line.
func jsonOf(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(text, "\r\n") {
		t.Errorf("more than one line: %q", text)
	}
	return string(text)
}

// read returns the T that text is in JSON.
func read[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v, in %s", err, text)
	}
	return v
}

// recorded returns err as a result of an operation brings it back.
func recorded(t testing.TB, err error) error {
	t.Helper()
	return read[licensing.OperationResult](t, jsonOf(t, licensing.OperationResult{Err: err})).Err
}

// allKinds names what err is, of the sentinels and of the errors of contexts.
func allKinds(err error) string {
	names := kinds(err)
	for _, ended := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ended) {
			names += " " + ended.Error()
		}
	}
	return names
}

// line is the text of err, and "" for none.
func line(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOperationsAsRecords(t *testing.T) {
	t.Parallel()
	const (
		a = `"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"`
		b = `"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"`
		p = `"a0000000-0000-4000-8000-000000000001"`
	)
	tests := []struct {
		name string
		op   licensing.Operation
		want string
	}{
		{"assign to a user",
			licensing.Operation{
				Kind: licensing.OperationAssignUser, Target: "adele@contoso.com",
				Request: licensing.AssignLicenseRequest{
					AddLicenses:    []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}},
					RemoveLicenses: []uuid.UUID{skuB},
				},
			},
			`{"kind":"assignUser","target":"adele@contoso.com","request":{"addLicenses":[{"disabledPlans":[` + p + `],"skuId":` + a + `}],"removeLicenses":[` + b + `]}}`},
		{"assign to a group",
			licensing.Operation{
				Kind: licensing.OperationAssignGroup, Target: groupID,
				Request: licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}}, RemoveLicenses: []uuid.UUID{}},
			},
			`{"kind":"assignGroup","target":"` + groupID + `","request":{"addLicenses":[{"disabledPlans":[],"skuId":` + a + `}],"removeLicenses":[]}}`},
		{"reprocess", licensing.Operation{Kind: licensing.OperationReprocessUser, Target: userID}, `{"kind":"reprocessUser","target":"` + userID + `"}`},
		{"usage location", licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: userID, UsageLocation: "DE"},
			`{"kind":"setUsageLocation","target":"` + userID + `","usageLocation":"DE"}`},
		{"a kind that is not known", licensing.Operation{Kind: "deleteUser", Target: userID}, `{"kind":"deleteUser","target":"` + userID + `"}`},
		{"nothing", licensing.Operation{}, `{"kind":"","target":""}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := jsonOf(t, test.op); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			same(t, "read back", read[licensing.Operation](t, test.want), test.op)
		})
	}
	t.Run("lists that are nil come back as lists", func(t *testing.T) {
		t.Parallel()
		got := read[licensing.Operation](t, jsonOf(t, licensing.Operation{Kind: licensing.OperationAssignUser, Request: add(skuA)}))
		same(t, "request", got.Request, licensing.AssignLicenseRequest{
			AddLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}}, RemoveLicenses: []uuid.UUID{},
		})
	})
	t.Run("a plan by hand", func(t *testing.T) {
		t.Parallel()
		got := read[licensing.Operation](t, `{"target":"x","kind":"assignUser","request":{"removeLicenses":["AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"]}}`)
		same(t, "operation", got, licensing.Operation{Kind: licensing.OperationAssignUser, Target: "x", Request: remove(skuA)})
	})
}

// wholeError is an error with everything that a record keeps.
const wholeError = `{"kinds":["unavailable","outcomeUnknown","noAvailableLicenses","deadlineExceeded"],"op":"assign user license",` +
	`"statusCode":503,"code":"C","message":"M","target":"T","details":[{"code":"c","message":"m","target":"t"},{}],` +
	`"requestId":"R","clientRequestId":"CR","date":"2026-01-02T03:04:05Z","retryAfterSeconds":2.128,"attempts":3,` +
	`"skuIds":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"],"servicePlanIds":["a0000000-0000-4000-8000-000000000001"],` +
	`"cause":"context deadline exceeded: no seats","causeKinds":["noAvailableLicenses","deadlineExceeded"]}`

func TestResultsAsRecords(t *testing.T) {
	t.Parallel()
	op := licensing.Operation{Kind: licensing.OperationReprocessUser, Target: userID}
	const opText = `"operation":{"kind":"reprocessUser","target":"` + userID + `"}`
	user := newUser(t)
	group := read[licensing.Group](t, wholeGroup)
	tests := []struct {
		name   string
		result licensing.OperationResult
		want   string
	}{
		{"made", licensing.OperationResult{Index: 7, Operation: op, User: &licensing.User{ID: userID}, Attempts: 2},
			`{"index":7,` + opText + `,"outcome":"done","user":{"id":"` + userID + `"},"attempts":2}`},
		{"made on a group", licensing.OperationResult{Operation: op, Group: &licensing.Group{ID: groupID}},
			`{"index":0,` + opText + `,"outcome":"done","group":{"id":"` + groupID + `"}}`},
		{"a whole user and group", licensing.OperationResult{Operation: op, User: &user, Group: &group},
			`{"index":0,` + opText + `,"outcome":"done","user":` + jsonOf(t, user) + `,"group":` + jsonOf(t, group) + `}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := jsonOf(t, test.result); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := jsonOf(t, &test.result); got != test.want {
				t.Errorf("through a pointer: got %s", got)
			}
			same(t, "read back", read[licensing.OperationResult](t, test.want), test.result)
		})
	}
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		text := `{"index":0,` + opText + `,"outcome":"unknown","error":` + wholeError + `}`
		got := read[licensing.OperationResult](t, text)
		if again := jsonOf(t, got); again != text {
			t.Errorf("got  %s\nwant %s", again, text)
		}
		wantWhole(t, got.Err)
		got.Err = nil
		same(t, "the rest", got, licensing.OperationResult{Operation: op})
	})
	t.Run("what is read again keeps nothing", func(t *testing.T) {
		t.Parallel()
		result := licensing.OperationResult{Index: 1, Operation: op, User: &user, Group: &group, Attempts: 2, Err: io.EOF}
		if err := json.Unmarshal([]byte(`{"index":2,`+opText+`}`), &result); err != nil {
			t.Fatal(err)
		}
		same(t, "result", result, licensing.OperationResult{Index: 2, Operation: op})
	})
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{`{}`, `{"index":1}`, `{"index":1,"operation":{"target":"x"}}`} {
			var result licensing.OperationResult
			if err := json.Unmarshal([]byte(text), &result); err == nil {
				t.Errorf("%s is %+v", text, result)
			}
		}
	})
	t.Run("not records", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{
			`[]`, `{"index":"1"}`, `{"error":"no"}`, `{"error":{"date":"soon"}}`, `{"error":{"skuIds":["x"]}}`, `{"error":{"retryAfterSeconds":"x"}}`,
			`{"user":{"assignedLicenses":[{"skuId":"x"}]}}`,
		} {
			if err := json.Unmarshal([]byte(text), new(licensing.OperationResult)); err == nil {
				t.Errorf("%s was read", text)
			}
		}
	})
}

func newUser(t *testing.T) licensing.User { return read[licensing.User](t, wholeUser) }

// wantWhole checks that err is what wholeError says.
func wantWhole(t *testing.T, err error) {
	t.Helper()
	e := asError(t, err)
	if got, want := allKinds(e), "Unavailable OutcomeUnknown NoAvailableLicenses context deadline exceeded"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
	const want = "assign user license: outcome unknown: 503 C: M: context deadline exceeded: no seats (request-id R, 3 attempts, retry after 2.128s)"
	if e.Error() != want {
		t.Errorf("got error  %v\nwant error %v", e, want)
	}
	if cause := e.Unwrap(); line(cause) != "context deadline exceeded: no seats" || allKinds(cause) != "NoAvailableLicenses context deadline exceeded" {
		t.Errorf("the cause is %v, which is %s", cause, allKinds(cause))
	}
	fields := licensing.Error{ // what has no field is compared above
		Op: e.Op, StatusCode: e.StatusCode, Code: e.Code, Message: e.Message, Target: e.Target, Details: e.Details, RequestID: e.RequestID,
		ClientRequestID: e.ClientRequestID, Date: e.Date, RetryAfter: e.RetryAfter, Attempts: e.Attempts, SKUIDs: e.SKUIDs,
		ServicePlanIDs: e.ServicePlanIDs, Header: e.Header, Body: e.Body,
	}
	same(t, "fields", fields, licensing.Error{
		Op: "assign user license", StatusCode: 503, Code: "C", Message: "M", Target: "T",
		Details:   []licensing.ErrorDetail{{Code: "c", Message: "m", Target: "t"}, {}},
		RequestID: "R", ClientRequestID: "CR", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), RetryAfter: 2128 * time.Millisecond,
		Attempts: 3, SKUIDs: []uuid.UUID{skuA}, ServicePlanIDs: []uuid.UUID{planA},
	})
}

// TestAnErrorAsARecord has answers and the whole records of their errors.
func TestAnErrorAsARecord(t *testing.T) {
	t.Parallel()
	const fixed = "33333333-3333-4333-8333-333333333333"
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(&licensing.Error{Message: "another call failed"})
	tests := []struct {
		name string
		call func(context.Context) error
		want string
	}{
		{"refused for want of seats",
			func(ctx context.Context) error {
				s := newScript(t, graphError(400, "Request_BadRequest", "Subscription with SKU "+skuA.String()+" does not have any available licenses.",
					"request-id", "R", "date", "Fri, 02 Jan 2026 03:04:05 GMT", "x-secret", "h"))
				_, err := newClient(t, s).AssignUserLicense(ctx, userID, add(skuA))
				return err
			},
			`{"kinds":["noAvailableLicenses"],"op":"assign user license","statusCode":400,"code":"Request_BadRequest",` +
				`"message":"Subscription with SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa does not have any available licenses.",` +
				`"requestId":"R","clientRequestId":"` + fixed + `","date":"2026-01-02T03:04:05Z","attempts":1,"skuIds":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}`},
		{"throttled for too long",
			func(ctx context.Context) error {
				_, err := newClient(t, newScript(t, graphError(429, "TooManyRequests", "", "Retry-After", "900"))).AssignUserLicense(ctx, userID, add(skuA))
				return err
			},
			`{"kinds":["throttled"],"op":"assign user license","statusCode":429,"code":"TooManyRequests","clientRequestId":"` + fixed + `","retryAfterSeconds":900,"attempts":1}`},
		{"lost",
			func(ctx context.Context) error {
				_, err := newClient(t, newScript(t, lost), once).AssignUserLicense(ctx, userID, add(skuA))
				return err
			},
			`{"kinds":["unavailable","outcomeUnknown"],"op":"assign user license","clientRequestId":"` + fixed + `","attempts":1,"cause":"connection reset by peer"}`},
		{"canceled",
			func(ctx context.Context) error {
				_, err := newClient(t, newScript(t)).AssignUserLicense(licensing.ContextWithClientRequestID(ended, uuid.MustParse(fixed)), userID, add(skuA))
				return err
			},
			`{"kinds":["canceled"],"op":"assign user license","clientRequestId":"` + fixed + `","cause":"context canceled: another call failed","causeKinds":["canceled"]}`},
		{"invalid",
			func(ctx context.Context) error {
				_, err := newClient(t, newScript(t)).AssignUserLicense(ctx, "", add(skuA))
				return err
			},
			`{"kinds":["invalidArgument"],"op":"assign user license","cause":"user is empty"}`},
		{"unreadable",
			func(ctx context.Context) error {
				s := newScript(t, reply(200, `{"city":{"name":"Oslo"}}`, "request-id", "R"))
				_, err := newClient(t, s).ReprocessUserLicense(ctx, userID)
				return err
			},
			`{"unreadable":true,"op":"reprocess user license","statusCode":200,"property":"city","requestId":"R","clientRequestId":"` + fixed + `","cause":"object instead of a string"}`},
		{"a caller's", func(context.Context) error { return fmt.Errorf("row 7: %w", licensing.ErrUsageLocation) },
			`{"kinds":["usageLocation"],"text":"row 7: usage location not set or not allowed"}`},
		{"a caller's around one of ours",
			func(context.Context) error {
				return fmt.Errorf("row 7: %w", &licensing.Error{StatusCode: 404, RequestID: "R"})
			},
			`{"kinds":["notFound"],"text":"row 7: 404 Not Found (request-id R)","wrapped":{"kinds":["notFound"],"statusCode":404,"requestId":"R"}}`},
		{"zero", func(context.Context) error { return new(licensing.Error) }, `{}`},
		{"zero and unreadable", func(context.Context) error { return new(licensing.DecodeError) }, `{"unreadable":true}`},
		{"without a text", func(context.Context) error { return errors.New("") }, `{"text":""}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.call(licensing.ContextWithClientRequestID(t.Context(), uuid.MustParse(fixed)))
			if got := jsonOf(t, licensing.OperationResult{Err: err}); got != `{"index":0,"outcome":"`+string(licensing.OperationResult{Err: err}.Outcome())+`","error":`+test.want+`}` {
				t.Errorf("got  %s\nwant an error %s", got, test.want)
			}
			wantRecorded(t, err)
			switch err.(type) {
			case *licensing.Error, *licensing.DecodeError:
				if got := jsonOf(t, err); got != test.want {
					t.Errorf("alone: got %s", got)
				}
			}
		})
	}
}

// wantRecorded checks that err means the same when it has been in a record.
func wantRecorded(t *testing.T, err error) {
	t.Helper()
	back := recorded(t, err)
	if got, want := line(back), err.Error(); got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
	if got, want := allKinds(back), allKinds(err); got != want {
		t.Errorf("%v: read back it is %q, want %q", err, got, want)
	}
	if got, want := (licensing.OperationResult{Err: back}).Done(), (licensing.OperationResult{Err: err}).Done(); got != want {
		t.Errorf("%v: read back, Done is %v", err, got)
	}
	text := jsonOf(t, licensing.OperationResult{Err: err})
	if again := jsonOf(t, licensing.OperationResult{Err: back}); again != text {
		t.Errorf("written again it is %s\nwant %s", again, text)
	}
	e, ok := errors.AsType[*licensing.Error](err)
	if !ok || e == nil {
		return
	}
	got := asError(t, back)
	if got.Header != nil || got.Body != nil {
		t.Errorf("header %v and body %q were kept", got.Header, got.Body)
	}
	if cause := e.Unwrap(); cause != nil {
		if line(got.Unwrap()) == "" || !strings.Contains(e.Error(), line(got.Unwrap())) {
			t.Errorf("the cause is %v, want %v", got.Unwrap(), cause)
		}
	} else if got.Unwrap() != nil {
		t.Errorf("the cause is %v, want none", got.Unwrap())
	}
}

// TestErrorsMeanTheSameReadBack goes through failures of all sorts.
func TestErrorsMeanTheSameReadBack(t *testing.T) {
	t.Parallel()
	assign := func(t *testing.T, ctx context.Context, opts []licensing.Option, steps ...step) error {
		t.Helper()
		_, err := newClient(t, newScript(t, steps...), opts...).AssignUserLicense(ctx, userID, add(skuA))
		return err
	}
	t.Run("answers seen in the wild", func(t *testing.T) {
		t.Parallel()
		data, err := os.ReadFile("testdata/error-responses.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, answer := range read[[]struct {
			Status int
			Body   json.RawMessage
		}](t, string(data)) {
			wantRecorded(t, refusedWith(t, reply(answer.Status, string(answer.Body), "Retry-After", "2.128", "request-id", "R")))
		}
	})
	t.Run("odd answers", func(t *testing.T) {
		t.Parallel()
		for _, answer := range []step{
			reply(403, ""), reply(302, "", "Location", "https://elsewhere.test/secret"), reply(200, "<html>", "Content-Type", "text/html"),
			reply(503, `{"error":{"code":"x\u2028y","message":"a\n\tb <&> http://x.test/`+userID+`"}}`, "request-id", "\xff\xfe\x01"),
			reply(409, `{"error":{}}`, "Retry-After", "1"), reply(400, `{"error":{"message":"`+strings.Repeat("ø", 400)+`"}}`),
			reply(429, "", "Retry-After", "1e300"), reply(429, "", "Retry-After", "0.000000001"), reply(504, `{"error":{`),
		} {
			wantRecorded(t, refusedWith(t, answer))
		}
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		for _, cause := range []error{
			errors.New("dial tcp: lookup graph.test: no such host"), io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, context.DeadlineExceeded,
			&url.Error{Op: "Post", URL: "https://graph.test/v1.0/users/" + userID, Err: io.EOF},
			errors.New("proxy https://me:pw@proxy.test:8080/ said \"no\" to x://y\r\n" + strings.Repeat("and again ", 50) + "http://z.test"),
		} {
			wantRecorded(t, assign(t, t.Context(), []licensing.Option{once}, fails(cause)))
		}
	})
	t.Run("timeouts", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			policy := licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 2, AttemptTimeout: 3 * time.Second})
			err := assign(t, t.Context(), []licensing.Option{policy}, silent, silent)
			wantRecorded(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			wantRecorded(t, assign(t, ctx, nil, silent))
			wantRecorded(t, assign(t, ctx, nil))
		})
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		for _, why := range []error{
			nil, errors.New("stop"), context.DeadlineExceeded, licensing.ErrStopped, licensing.ErrOutcomeUnknown, licensing.ErrInvalidArgument,
			assign(t, t.Context(), []licensing.Option{once}, lost), // an outcome that is unknown, too
			errors.Join(licensing.ErrInvalidArgument, licensing.ErrOutcomeUnknown, licensing.ErrThrottled, io.EOF),
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			inFlight := assign(t, ctx, nil, func(*http.Request) (*http.Response, error) {
				cancel(why)
				return nil, errors.New("connection lost")
			})
			if !errors.Is(inFlight, licensing.ErrOutcomeUnknown) || !errors.Is(inFlight, context.Canceled) {
				t.Errorf("got error %v", inFlight)
			}
			wantRecorded(t, inFlight)
			wantRecorded(t, assign(t, ctx, nil))
		}
	})
	t.Run("tokens", func(t *testing.T) {
		t.Parallel()
		for _, why := range []error{errors.New("token source of https://login.test/tenant failed"), context.Canceled, licensing.ErrForbidden} {
			client := tokenClient(t, func(context.Context) (string, error) { return "", why }, newScript(t))
			_, err := client.AssignUserLicense(t.Context(), userID, add(skuA))
			wantRecorded(t, err)
		}
	})
	t.Run("invalid arguments", func(t *testing.T) {
		t.Parallel()
		client := newClient(t, newScript(t))
		for _, req := range []licensing.AssignLicenseRequest{{}, add(uuid.Nil), add(skuA, skuA), {AddLicenses: add(skuA).AddLicenses, RemoveLicenses: []uuid.UUID{skuA}}} {
			_, err := client.AssignUserLicense(t.Context(), userID, req)
			wantRecorded(t, err)
		}
		_, err := client.AssignGroupLicense(t.Context(), "x", add(skuA))
		wantRecorded(t, err)
		wantRecorded(t, client.SetUsageLocation(t.Context(), userID, "Norway"))
	})
	t.Run("unreadable", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{`{"city":1}`, `{"assignedLicenses":[{"skuId":"x"}]}`, `{"businessPhones":["1",{"\u2028":"https://x.test/"}]}`} {
			_, err := answerUser(t, body)
			wantRecorded(t, err)
			wantRecorded(t, fmt.Errorf("row 7: %w", err))
		}
		for _, cause := range []error{nil, errors.New(""), errors.New("a\nb: c"), licensing.ErrThrottled, context.Canceled} {
			wantRecorded(t, &licensing.DecodeError{Op: "op", Err: cause, Property: "a[0].\xff\xfeb"})
		}
	})
	t.Run("of callers", func(t *testing.T) {
		t.Parallel()
		ours := refusedWith(t, graphError(404, "Request_ResourceNotFound", "No.", "request-id", "R"))
		for _, err := range []error{
			io.EOF, context.Canceled, context.DeadlineExceeded, errors.New(" \n"), fmt.Errorf("row 7: %w", ours),
			errors.Join(ours, licensing.ErrStopped, context.Canceled), fmt.Errorf("row 7: %w", (*licensing.Error)(nil)),
			licensing.LicenseAssignmentState{SKUID: skuA, Error: licensing.AssignmentErrorCountViolation}.Err(),
			&licensing.Error{}, &licensing.Error{StatusCode: 404}, &licensing.Error{RetryAfter: math.MaxInt64}, &licensing.Error{RetryAfter: -1},
			&licensing.Error{Code: "\xff\xfe", Message: "a\xff\xfeb", SKUIDs: []uuid.UUID{}, Details: []licensing.ErrorDetail{}},
		} {
			wantRecorded(t, err)
		}
		e := asError(t, recorded(t, fmt.Errorf("row 7: %w", ours)))
		if e.RequestID != "R" || e.StatusCode != 404 {
			t.Errorf("the wrapped error is %v", e)
		}
	})
	t.Run("nil in an interface", func(t *testing.T) {
		t.Parallel()
		wantRecorded(t, (*licensing.Error)(nil))
		back := recorded(t, (*licensing.DecodeError)(nil))
		if line(back) != "<nil>" {
			t.Errorf("got %v", back)
		}
	})
}

// TestEveryKindHasAWord holds the words against the source, and keeps them as
// they are: there are files with them.
func TestEveryKindHasAWord(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, listed, words []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, name := range spec.Names {
				if after, ok := strings.CutPrefix(name.Name, "Err"); ok {
					declared = append(declared, after)
				}
			}
		}
		return true
	})
	for _, s := range sentinels {
		listed = append(listed, s.name)
		for _, err := range []error{s.err, fmt.Errorf("x: %w", s.err)} {
			got := read[struct{ Error struct{ Kinds []string } }](t, jsonOf(t, licensing.OperationResult{Err: err})).Error.Kinds
			if len(got) != 1 || !strings.EqualFold(got[0], s.name) {
				t.Errorf("%s is written as %q", s.name, got)
				continue
			}
			var e licensing.Error
			if err := json.Unmarshal([]byte(`{"kinds":["`+got[0]+`"]}`), &e); err != nil || kinds(&e) != s.name {
				t.Errorf("%s is read as %q, %v", got[0], kinds(&e), err)
			}
			words = append(words, got[0])
		}
	}
	words = slices.Compact(words)
	same(t, "sentinels of errors.go", listed, declared)
	same(t, "words", strings.Join(words, " "), "invalidArgument unauthorized forbidden notFound concurrentChange throttled unavailable "+
		"outcomeUnknown delegatedOnly listingExpired unsupportedQuery unsafeLink stopped locked tooLarge noAvailableLicenses usageLocation planDependency planConflict unknownSku notAssignable "+
		"notAssigned inherited noChanges proxyAddressConflict")

	var all []error
	for _, s := range slices.Backward(sentinels) {
		all = append(all, s.err)
	}
	all = append([]error{context.DeadlineExceeded, context.Canceled}, all...)
	got := read[struct{ Error struct{ Kinds []string } }](t, jsonOf(t, licensing.OperationResult{Err: errors.Join(all...)})).Error.Kinds
	same(t, "all", got, append(words, "canceled", "deadlineExceeded"))
}

func TestRecordsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, line, kinds string }{
		{`{"kinds":["quantumDecay","throttled",""],"future":{"x":[1]},"op":"o"}`, "o", "Throttled"},
		{`{"kinds":["quantumDecay"],"text":"t"}`, "t", ""},
		{`{"kinds":["canceled"],"cause":null}`, "unknown error", " context canceled"},
		{`{"kinds":["canceled"],"causeKinds":["canceled"]}`, "unknown error", " context canceled"},
		{`{"cause":"c","causeKinds":["throttled"]}`, "c", "Throttled"},
		{`{"statusCode":404}`, "404 Not Found", "NotFound"},
		{`{"date":"2026-01-02T03:04:05"}`, "unknown error", ""},
		{`{"retryAfterSeconds":1e2}`, "unknown error (retry after 1m40s)", ""},
		{`{"retryAfterSeconds":1.5e-1}`, "unknown error (retry after 150ms)", ""},
		{`{"retryAfterSeconds":9223372036.854776}`, "unknown error (retry after 2562047h47m16.854775807s)", ""},
		{`{"retryAfterSeconds":1e999}`, "unknown error (retry after 2562047h47m16.854775807s)", ""},
		{`{"retryAfterSeconds":-1}`, "unknown error", ""},
		{`{"retryAfterSeconds":null}`, "unknown error", ""},
		{`{"unreadable":false}`, "unknown error", ""},
	}
	for _, test := range tests {
		err := read[licensing.OperationResult](t, `{"error":`+test.text+`}`).Err
		if line(err) != test.line || allKinds(err) != test.kinds {
			t.Errorf("%s: got %v, which is %q, want %q", test.text, err, allKinds(err), test.kinds)
		}
		if e, ok := err.(*licensing.Error); ok && e.RetryAfter < 0 {
			t.Errorf("%s: the wait is %v", test.text, e.RetryAfter)
		}
	}
}

func TestRecordsIntoErrors(t *testing.T) {
	t.Parallel()
	e := licensing.Error{Op: "old", Body: []byte("old")}
	if err := json.Unmarshal([]byte(wholeError), &e); err != nil {
		t.Fatal(err)
	}
	wantWhole(t, &e)
	const unreadable = `{"unreadable":true,"op":"read","statusCode":200,"property":"city","requestId":"R","clientRequestId":"C","cause":"a number"}`
	d := licensing.DecodeError{Op: "old", Body: []byte("old")}
	if err := json.Unmarshal([]byte(unreadable), &d); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Error(), `read: 200 answer cannot be read: property "city": a number (request-id R)`; got != want || line(d.Unwrap()) != "a number" {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	d.Err = nil
	same(t, "fields", d, licensing.DecodeError{Op: "read", StatusCode: 200, Property: "city", RequestID: "R", ClientRequestID: "C"})

	// One is not taken for another, which on a write would make a failure of
	// what was done, or the reverse.
	for _, test := range []struct {
		into json.Unmarshaler
		text string
	}{
		{new(licensing.Error), unreadable}, {new(licensing.Error), `{"text":"t"}`}, {new(licensing.Error), `[]`},
		{new(licensing.DecodeError), wholeError}, {new(licensing.DecodeError), `{"text":"t"}`}, {new(licensing.DecodeError), `{`},
		{(*licensing.Error)(nil), `{}`}, {(*licensing.DecodeError)(nil), unreadable},
	} {
		if err := test.into.UnmarshalJSON([]byte(test.text)); err == nil {
			t.Errorf("%s was read as a %T", test.text, test.into)
		}
	}
	for _, into := range []json.Unmarshaler{&e, &d, (*licensing.Error)(nil), (*licensing.DecodeError)(nil)} {
		if err := into.UnmarshalJSON([]byte("null")); err != nil {
			t.Errorf("null into a %T: %v", into, err)
		}
	}
	for _, none := range []json.Marshaler{(*licensing.Error)(nil), (*licensing.DecodeError)(nil)} {
		if got, err := none.MarshalJSON(); string(got) != "null" || err != nil {
			t.Errorf("a nil %T is %s, %v", none, got, err)
		}
	}
	if _, err := json.Marshal(licensing.OperationResult{Err: &licensing.Error{Date: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}); err == nil {
		t.Error("a time that cannot be read back was written")
	}
}

// TestLogLinesShowErrorsAsLines holds that errors which can be JSON do not
// become objects in JSON logs.
func TestLogLinesShowErrorsAsLines(t *testing.T) {
	t.Parallel()
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	for _, err := range []error{read[*licensing.Error](t, wholeError), (*licensing.Error)(nil), &licensing.DecodeError{Op: "o"}, (*licensing.DecodeError)(nil)} {
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: plain})).Warn("failed", "error", err)
		same(t, "log line", read[map[string]any](t, out.String()), map[string]any{"level": "WARN", "msg": "failed", "error": err.Error()})
	}
}

func FuzzOperationResult(f *testing.F) {
	for _, seed := range []string{
		`{"index":7,"operation":{"kind":"assignUser","target":"adele@contoso.com","request":{"addLicenses":[{"disabledPlans":null,"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}]}},"user":` + wholeUser + `,"attempts":1}`,
		`{"operation":{"kind":"?","usageLocation":"DE","request":{"addLicenses":[],"removeLicenses":null}},"group":` + wholeGroup + `}`,
		`{"index":-1,"error":` + wholeError + `}`, `{"error":null}`, `null`, `[]`, `{"error":{}}`, `{"ERROR":{"KINDS":null}}`,
		`{"error":{"kinds":["throttled","canceled"],"text":"t","wrapped":{"text":"u","wrapped":{"unreadable":true,"cause":"c","kinds":["inherited"]}}}}`,
		`{"error":{"kinds":["outcomeUnknown"],"cause":"","causeKinds":["outcomeUnknown","noChanges"],"statusCode":429}}`,
		`{"error":{"retryAfterSeconds":0.1234567891,"date":"2026-01-02T03:04:05.9+24:00","message":"` + "\xff\xfe" + `"}}`,
		`{"error":{"unreadable":true,"property":"\ud800","op":"\u0000"}}`,
		`{"user":null,"error":{"skuIds":[null,"{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}"],"details":[null,{}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second licensing.OperationResult
		if json.Unmarshal(text, &first) != nil {
			return
		}
		written := jsonOf(t, first)
		if err := json.Unmarshal([]byte(written), &second); err != nil {
			t.Fatalf("%v, in %s", err, written)
		}
		if a, b := line(first.Err), line(second.Err); a != b {
			t.Errorf("got error  %q\nwant error %q", b, a)
		}
		if a, b := allKinds(first.Err), allKinds(second.Err); a != b {
			t.Errorf("read back it is %q, was %q", b, a)
		}
		if first.Done() != second.Done() {
			t.Errorf("read back, Done is %v", second.Done())
		}
		if again := jsonOf(t, second); again != written {
			t.Errorf("got  %s\nwant %s", again, written)
		}
	})
}
