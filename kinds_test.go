package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// TestErrorsToActOn maps all of testdata/errors.json: texts that programs could not
// act on, with what they mean.
func TestErrorsToActOn(t *testing.T) {
	t.Parallel()
	var answers []struct {
		Name, Request string
		Status        int
		Body          json.RawMessage
		Expect        struct {
			Kinds                  []string
			SKUIDs, ServicePlanIDs []uuid.UUID
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "testdata/errors.json")), &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != 4 {
		t.Errorf("%d answers, want 4", len(answers))
	}
	for _, answer := range answers {
		t.Run(answer.Name, func(t *testing.T) {
			t.Parallel()
			said := reply(answer.Status, string(answer.Body))
			steps := []step{said}
			if strings.HasPrefix(answer.Request, "GET /users?") {
				steps = append(steps, said) // it is asked for once more, as an advanced query
			}
			client := newClient(t, newScript(t, steps...), once)
			var err error
			switch answer.Request {
			case "POST /users/{id}/assignLicense":
				_, err = client.AssignUserLicense(t.Context(), userID, add(skuA))
			case "POST /users/{id}/reprocessLicenseAssignment":
				_, err = client.ReprocessUserLicense(t.Context(), userID)
			case "GET /users?$filter=...":
				for _, err = range client.Users(t.Context(), licensing.UserQuery{Filter: "assignedPlans/any(p:p/servicePlanId eq " + planA.String() + ")"}) {
				}
			}
			e := asError(t, err)
			if got, want := "Err"+kinds(e), strings.Join(answer.Expect.Kinds, " "); got != want {
				t.Errorf("the error is %q, want %q", got, want)
			}
			wantIDs(t, e, answer.Expect.SKUIDs, answer.Expect.ServicePlanIDs)
			if licensing.Retryable(err) {
				t.Errorf("it is retryable: %v", err)
			}
		})
	}
}

func wantIDs(t *testing.T, e *licensing.Error, skus, plans []uuid.UUID) {
	t.Helper()
	if !slices.Equal(e.SKUIDs, skus) || !slices.Equal(e.ServicePlanIDs, plans) {
		t.Errorf("got SKUs %v\nand plans %v\nof %q,\nwant SKUs %v\nand plans %v", e.SKUIDs, e.ServicePlanIDs, e.Message, skus, plans)
	}
}

const (
	firstID  = "0118a350-71fc-4ec3-8f0c-6a1cb8867561"
	secondID = "5dbe027f-2339-4123-9542-606e4d348a72"
	thirdID  = "fe71d6c3-a2ea-4499-9778-da042bf08063"
	fourthID = "887d150d-8ad7-403f-9d30-ea1523e9573c"
)

var (
	idText  = regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	layouts = map[string]func(string) string{
		"as it is":            func(text string) string { return text },
		"a word on each line": func(text string) string { return strings.ReplaceAll(text, " ", "\r\n") },
		"with other blanks":   func(text string) string { return strings.ReplaceAll(" "+text, " ", "\u00a0\t \u2028\u3000") },
		"ids in brackets":     func(text string) string { return idText.ReplaceAllString(text, "[$0]") },
		"ids in others":       func(text string) string { return idText.ReplaceAllString(text, "({<$0>})") },
		"ids in quotes":       func(text string) string { return idText.ReplaceAllString(text, "'$0'") },
		"no brackets":         func(text string) string { return strings.NewReplacer("[", "", "]", "", "(s)", "s").Replace(text) },
		"in capitals":         strings.ToUpper,
		"in lower case":       strings.ToLower,
		"no full stop":        func(text string) string { return strings.TrimSuffix(text, ".") },
		"contracted": func(text string) string {
			return strings.NewReplacer("cannot", "can't", "does not", "doesn't").Replace(text)
		},
		"typeset": func(text string) string {
			return strings.NewReplacer("cannot", "can’t", "does not", "doesn’t", "'", "’").Replace(text)
		},
		"with more around it": func(text string) string {
			return "LicenseAssignmentException : " + text + "\nCorrelation id: " + fourthID
		},
	}
)

// TestWordings has every wording that is known of the two licensing services, in
// all the ways in which the same words are set.
func TestWordings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		message, kinds string
		skus, plans    []uuid.UUID
	}{
		// The older service.
		{"License assignment cannot be done for user with invalid usage location.", "UsageLocation", nil, nil},
		{"The license " + firstID + " is not available in the user's usage location.", "UsageLocation", ids(firstID), nil},
		{"Subscription with SKU " + firstID + " does not have any available licenses.", "NoAvailableLicenses", ids(firstID), nil},
		{"License " + firstID + " does not correspond to a valid company License.", "UnknownSKU", ids(firstID), nil},
		{"License assignment failed because service plan " + firstID + " depends on the service plan(s) " + secondID + "," + thirdID, "PlanDependency", nil, ids(firstID, secondID, thirdID)},
		{"License assignment failed because service plans " + firstID + "," + secondID + " are mutually exclusive", "PlanConflict", nil, ids(firstID, secondID)},
		{"User does not have a corresponding license.", "NotAssigned", nil, nil},
		{"Group does not have a corresponding license.", "NotAssigned", nil, nil},
		{"User license is inherited from a group membership and it cannot be removed directly from the user.", "Inherited", nil, nil},
		{"User license is inherited from group membership and cannot be removed directly from the user.", "Inherited", nil, nil},
		{"No license changes provided. At least one license to add or remove must be specified.", "NoChanges", nil, nil},
		{"Another object with the same value for property proxyAddresses already exists.", "ProxyAddressConflict", nil, nil},
		{"License " + firstID + " cannot be assigned to a user.", "NotAssignable", ids(firstID), nil},
		{"License " + firstID + " cannot be assigned to a group.", "NotAssignable", ids(firstID), nil},
		{"/me request is only valid with delegated authentication flow.", "DelegatedOnly", nil, nil},
		// Its audit records.
		{"License assignment failed because service plans [" + firstID + "], [" + secondID + "] are mutually exclusive.  ", "PlanConflict", nil, ids(firstID, secondID)},
		{"License assignment failed because service plan [" + firstID + "] depends on\nthe service plan(s) [" + secondID + "], [" + thirdID + "].", "PlanDependency", nil, ids(firstID, secondID, thirdID)},
		// Partner Center's words for it.
		{"LicenseQuotaExceededException : Subscription with Account " + secondID + " and SKU " + firstID + " does not have any available licenses left.", "NoAvailableLicenses", ids(firstID), nil},
		// The newer service.
		{"The license cannot be assigned because the user has licensed service plans that conflict with plans in the new license. Resolve these conflicting service plan pairs to solve this problem: [" +
			firstID + ", " + secondID + "]. Licenses being added: [" + thirdID + "]", "PlanConflict", ids(thirdID), ids(firstID, secondID)},
		{"The license cannot be assigned because the user has licensed service plans that conflict with plans in the new license.", "PlanConflict", nil, nil},
		{"Resolve these conflicting service plan pairs to solve this problem: [" + firstID + ", " + secondID + "]", "PlanConflict", nil, ids(firstID, secondID)},
		{"There are no available licenses for the specified allotment", "NoAvailableLicenses", nil, nil},
		{"Cannot process request because a referenced item has an invalid usage location.", "UsageLocation", nil, nil},
		{"Cannot process the request because the allotment does not support assignee type.", "NotAssignable", nil, nil},
		// What decides nothing.
		{"The license cannot be assigned.", "", nil, nil},
		{"Cannot process request because a referenced item was not found.", "", nil, nil},
	}
	for name, layout := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				e := refusedWith(t, graphError(400, "Request_BadRequest", layout(test.message)))
				if got := kinds(e); got != test.kinds {
					t.Errorf("the error is %q, want %q: %q", got, test.kinds, e.Message)
				}
				wantIDs(t, e, test.skus, test.plans)
			}
		})
	}
}

// Whatever the status, and with it the kind.
func TestIDsInMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		message     string
		skus, plans []uuid.UUID
	}{
		{"License " + firstID + " is specified more than once.", ids(firstID), nil},
		{"Service plan " + secondID + " does not belong to license " + firstID + ".", ids(firstID), ids(secondID)},
		{"Licenses [" + firstID + "] [" + secondID + "], service plans [" + thirdID + "]", ids(firstID, secondID), ids(thirdID)},
		{"Licenses being added: [" + firstID + ", " + secondID + "]. Licenses being removed: [" + thirdID + "]", ids(firstID, secondID, thirdID), nil},
		{"Licenses being added to the user: [" + firstID + "]", ids(firstID), nil},
		{"skuId: " + firstID + ", servicePlanIds: " + secondID + " " + thirdID, ids(firstID), ids(secondID, thirdID)},
		{"addLicenses: " + firstID + "; disabledPlans=" + secondID, ids(firstID), ids(secondID)},
		{"SKU-ID " + firstID + " with service-plan-id " + secondID, ids(firstID), ids(secondID)},
		{"License with id " + firstID, ids(firstID), nil},
		{"Licence with the id " + firstID, ids(firstID), nil},
		{"The user's license " + firstID, ids(firstID), nil},
		{"SKU " + secondID + "_" + firstID + " is suspended.", ids(firstID), nil}, // after the tenant's
		{firstID + " is no SKU.", nil, nil},
		{"License " + firstID + " of user " + secondID, ids(firstID), nil},
		{"License " + firstID + " cannot be given to " + secondID, ids(firstID), nil},
		{"License for user: " + secondID, nil, nil},
		{"The license of the user " + secondID, nil, nil},
		{"License assignment failed for " + secondID, nil, nil},
		{"License error " + secondID, nil, nil},
		{"SKU of tenant " + secondID, nil, nil},
		{"Plan of mailbox " + secondID, nil, nil},
		{"License " + firstID + ", correlation id: " + secondID, ids(firstID), nil},
		{"License " + firstID + " (request-id " + secondID + ")", ids(firstID), nil},
		{"Licenses of users " + secondID + ", " + thirdID, nil, nil},
		{"Account " + secondID + " has no license.", nil, nil},
		{"Too many requests from Identifier:" + secondID + " under category:throttle.", nil, nil},
		{"SKU 1" + firstID + " or " + firstID + "1 or 1-" + firstID, nil, nil},
		{"SKU " + strings.ReplaceAll(firstID, "-", ""), nil, nil},
		{"SKU " + strings.ReplaceAll(firstID, "a", "g"), nil, nil},
	}
	for noun := range strings.FieldsSeq("account allotment app application client company companies contract customer device directory domain group identifier " +
		"mailbox member object organization partner principal request resource role subscription tenant user users userId user-id") {
		tests = append(tests, tests[0])
		tests[len(tests)-1].message = "License " + firstID + " of " + noun + " " + secondID
	}
	for _, status := range []int{400, 403, 404, 409, 429, 500} {
		for _, test := range tests {
			wantIDs(t, refusedWith(t, graphError(status, "x", test.message)), test.skus, test.plans)
		}
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	lostAndForbidden := &licensing.Error{StatusCode: 403}
	if err := json.Unmarshal([]byte(`{"kinds":["outcomeUnknown","forbidden"],"statusCode":403}`), lostAndForbidden); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		err  error
		want []error
	}{
		{"nil", nil, nil},
		{"a nil *Error", (*licensing.Error)(nil), nil},
		{"another's", errors.New("x"), nil},
		{"without a kind", &licensing.Error{StatusCode: 400, Message: "x"}, nil},
		{"canceled", context.Canceled, nil},
		{"a deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), nil},
		{"a sentinel", licensing.ErrInherited, []error{licensing.ErrInherited}},
		{"of an answer", &licensing.Error{StatusCode: 404}, []error{licensing.ErrNotFound}},
		{"wrapped", fmt.Errorf("row 7: %w", &licensing.Error{StatusCode: 429}), []error{licensing.ErrThrottled}},
		{"two", lostAndForbidden, []error{licensing.ErrForbidden, licensing.ErrOutcomeUnknown}},
		{"joined", errors.Join(licensing.ErrNoChanges, errors.New("x"), context.Canceled, &licensing.Error{StatusCode: 503}, licensing.ErrForbidden),
			[]error{licensing.ErrForbidden, licensing.ErrUnavailable, licensing.ErrNoChanges}},
		{"joined twice", errors.Join(licensing.ErrThrottled, fmt.Errorf("%w and %w", licensing.ErrStopped, licensing.ErrThrottled)), []error{licensing.ErrThrottled, licensing.ErrStopped}},
		{"unreadable", &licensing.DecodeError{StatusCode: 200, Err: errors.New("x")}, nil},
		{"unreadable, of a kind", &licensing.DecodeError{Err: licensing.ErrTooLarge}, []error{licensing.ErrTooLarge}},
		{"too large", &licensing.LimitError{What: "items", Limit: 7}, []error{licensing.ErrTooLarge}},
		{"a group member's", licensing.LicenseAssignmentState{State: licensing.AssignmentStateError, Error: licensing.AssignmentErrorDependencyViolation}.Err(), []error{licensing.ErrPlanDependency}},
		{"a group member's, unknown", licensing.LicenseAssignmentState{State: licensing.AssignmentStateError, Error: licensing.AssignmentErrorOther}.Err(), nil},
		{"a group member's, healthy", licensing.LicenseAssignmentState{State: licensing.AssignmentStateActive}.Err(), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			same(t, "Kinds", licensing.Kinds(test.err), test.want)
			if test.err != nil && test.name != "a nil *Error" {
				same(t, "Kinds, read back", licensing.Kinds(recorded(t, test.err)), test.want)
			}
		})
	}
	t.Run("all, in the order of their declaration", func(t *testing.T) {
		t.Parallel()
		var all, backward []error
		for _, s := range sentinels {
			all = append(all, s.err)
			backward = append([]error{s.err}, backward...)
		}
		same(t, "Kinds", licensing.Kinds(errors.Join(backward...)), all)
		same(t, "Kinds, read back", licensing.Kinds(recorded(t, errors.Join(backward...))), all)
	})
	t.Run("the caller's own", func(t *testing.T) {
		t.Parallel()
		licensing.Kinds(licensing.ErrForbidden)[0] = nil
		same(t, "Kinds", licensing.Kinds(licensing.ErrForbidden), []error{licensing.ErrForbidden})
	})
}

func TestRetryable(t *testing.T) {
	t.Parallel()
	// By name, whether a failure of the kind passes by itself, and why.
	passes := map[string]bool{
		"InvalidArgument":      false, // the program's mistake
		"Unauthorized":         false, // somebody signs in
		"Forbidden":            false, // somebody grants it
		"NotFound":             false, // somebody makes it, or spells it right
		"ConcurrentChange":     true,  // the other one is through
		"Throttled":            true,  // there is quota again
		"Unavailable":          true,  // the service is back
		"OutcomeUnknown":       true,  // sent again, Graph says what it is
		"DelegatedOnly":        false, // it takes another token
		"ListingExpired":       true,  // the listing starts again
		"UnsupportedQuery":     false, // it takes another filter
		"UnsafeLink":           false, // something on the way rewrites links
		"Stopped":              true,  // it was not sent
		"Locked":               true,  // nor was it
		"TooLarge":             false, // it would be as large again
		"NoAvailableLicenses":  false, // somebody buys or frees seats
		"UsageLocation":        false, // somebody sets it
		"PlanDependency":       false, // it takes another change, as do the next ones
		"PlanConflict":         false,
		"UnknownSKU":           false,
		"NotAssignable":        false,
		"NotAssigned":          false,
		"Inherited":            false, // somebody changes it on the group
		"NoChanges":            false,
		"ProxyAddressConflict": false, // somebody frees the address
	}
	check := func(err error, want bool) {
		t.Helper()
		for _, err := range []error{err, fmt.Errorf("x: %w", err), errors.Join(errors.New("x"), err, context.Canceled), recorded(t, err)} {
			if got := licensing.Retryable(err); got != want {
				t.Errorf("Retryable is %t of %q, which is %q", got, err, kinds(err))
			}
		}
	}
	for _, s := range sentinels {
		want, known := passes[s.name]
		if !known {
			t.Errorf("it is not said whether Err%s passes by itself", s.name)
		}
		delete(passes, s.name)
		check(s.err, want)
		check(errors.Join(s.err, licensing.ErrOutcomeUnknown), want)
		check(errors.Join(licensing.ErrThrottled, s.err), want)
	}
	for name := range passes {
		t.Errorf("there is no Err%s", name)
	}
	for _, err := range []error{errors.New("x"), context.Canceled, context.DeadlineExceeded, &licensing.Error{StatusCode: 400}, &licensing.DecodeError{StatusCode: 200}} {
		check(err, false)
	}
	if licensing.Retryable(nil) {
		t.Error("Retryable is true of nil")
	}
}

// What calls and runs return.
func TestRetryableCalls(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		answer step
		want   bool
	}{
		{"throttled", t.Context(), graphError(429, "TooManyRequests", ""), true},
		{"unavailable", t.Context(), graphError(503, "", ""), true},
		{"lost", t.Context(), lost, true},
		{"at the same time", t.Context(), graphError(409, "Directory_ConcurrencyViolation", ""), true},
		{"broken off", t.Context(), reply(400, `{"error":{"code":"x"`), true},
		{"refused", t.Context(), graphError(400, "Request_BadRequest", "Invalid object identifier."), false},
		{"no seats", t.Context(), graphError(400, "Request_BadRequest", "Subscription with SKU x does not have any available licenses."), false},
		{"forbidden", t.Context(), graphError(403, "", ""), false},
		{"not found", t.Context(), graphError(404, "", ""), false},
		{"done, and unreadable", t.Context(), reply(200, `{"id":"`+userID+`","assignedLicenses":7}`), false},
		{"canceled", ended, lost, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, test.answer, once)
			_, err := client.AssignUserLicense(test.ctx, userID, add(skuA))
			if got := licensing.Retryable(err); err == nil || got != test.want {
				t.Errorf("Retryable is %t of %v", got, err)
			}
		})
	}
}
