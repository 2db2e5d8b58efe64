package licensing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/pace"
)

// The kinds of failure, for use with [errors.Is]. An error can be of several
// kinds: a write that ends in a 503 is both ErrUnavailable and ErrOutcomeUnknown.
// [Kinds] lists the kinds of an error.
var (
	// Found by this package before it sends anything.
	ErrInvalidArgument = errors.New("invalid argument")

	// About the call.
	ErrUnauthorized     = errors.New("not signed in")                               // 401, or the token source failed
	ErrForbidden        = errors.New("not permitted")                               // 403: permission, role, conditional access or a directory quota
	ErrNotFound         = errors.New("not found")                                   // 404: no such user or group, or not visible yet
	ErrConcurrentChange = errors.New("changed by another request at the same time") // 409
	ErrThrottled        = errors.New("throttled")                                   // 429 or 509; see Error.RetryAfter
	ErrUnavailable      = errors.New("service unavailable")                         // no answer from Graph, most 5xx statuses, or an earlier write to the object stalled and may still land
	ErrOutcomeUnknown   = errors.New("outcome unknown")                             // the change may have been made, in full or in part
	ErrDelegatedOnly    = errors.New("only for a signed-in user")                   // the call is about "me", and the token is an application's
	ErrListingExpired   = errors.New("listing expired")                             // the page token expired; start again
	ErrUnsupportedQuery = errors.New("filter is not supported by Graph")            // such as most combinations with licenses
	ErrUnsafeLink       = errors.New("next link is not safe to follow")             // to another host, repeated or not https
	ErrStopped          = errors.New("run was stopped")                             // before the operation was sent: by its context, an outage or BulkOptions
	ErrLocked           = errors.New("locked")                                      // the Locker gave no lock, or lost it before anything was sent
	ErrTooLarge         = errors.New("answer is too large")                         // see LimitError

	// About the license change. Failures of group members have the same kinds.
	ErrNoAvailableLicenses  = errors.New("no available licenses")                         // all seats are taken
	ErrUsageLocation        = errors.New("usage location not set or not allowed")         // set it first, or the product is not sold there
	ErrPlanDependency       = errors.New("service plan depends on another")               // and the other plan is off or about to be removed
	ErrPlanConflict         = errors.New("service plans exclude each other")              // within a SKU or across SKUs
	ErrUnknownSKU           = errors.New("SKU is not in the tenant")                      // the tenant has no subscription to it
	ErrNotAssignable        = errors.New("license cannot be assigned to users or groups") // the SKU applies to the whole company
	ErrNotAssigned          = errors.New("license is not assigned")                       // so it cannot be removed
	ErrInherited            = errors.New("license is inherited from a group")             // change it on the group
	ErrNoChanges            = errors.New("nothing to add and nothing to remove")          // both lists are empty
	ErrProxyAddressConflict = errors.New("proxy address is in use by another object")     // one of the user's mail addresses
)

// An Error is a failed call. Its type is always *Error. Use [errors.Is] with the
// sentinels of this package to tell failures apart.
//
// StatusCode is that of the last answer, even if the answer is not Graph's. It is 0
// if there was no answer. Unwrap returns a cause other than Graph's answer: an
// error of the transport, the token source or the context. Error shortens a long
// cause.
type Error struct {
	Op              string // the operation: "assign user license"
	StatusCode      int
	Code, Message   string // as Graph sent them, without tokens
	Target          string // as Graph sent it, rarely set
	Details         []ErrorDetail
	RequestID       string        // Graph's id of the request, for Microsoft support
	ClientRequestID string        // the client's id; see ContextWithClientRequestID
	Date            time.Time     // when Graph answered, zero if unknown
	RetryAfter      time.Duration // the wait that the server asked for
	Attempts        int           // requests made; net/http may have made more
	SKUIDs          []uuid.UUID   // the SKUs that Message names, whatever the kind
	ServicePlanIDs  []uuid.UUID   // the service plans that Message names
	Header          http.Header   // of the answer, without cookies and credentials
	Body            []byte        // as received but without tokens, 64 KiB at most

	kinds []error // what is known beyond the answer itself
	cause error
}

// An ErrorDetail is an entry of an error's details.
type ErrorDetail struct {
	Code    string `json:"code,omitzero"`
	Message string `json:"message,omitzero"`
	Target  string `json:"target,omitzero"`
}

// Error returns one line, such as
//
//	assign user license: 403 Authorization_RequestDenied: Insufficient privileges to complete the operation. (request-id 3957016c-f6a7-40df-a671-84f3581a6e7a, 1 attempt)
//
// The line contains no URL and no token. It names a user only if Graph's message
// does.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	var parts []string
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	for _, kind := range []error{ErrInvalidArgument, ErrOutcomeUnknown} {
		if slices.Contains(e.kinds, kind) {
			parts = append(parts, kind.Error())
		}
	}
	if e.StatusCode != 0 {
		code := e.Code
		if code == "" && e.Message == "" {
			code = http.StatusText(e.StatusCode)
		}
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, graph.OneLine(code))))
	} else if e.Code != "" {
		parts = append(parts, graph.OneLine(e.Code))
	}
	if e.Message != "" {
		parts = append(parts, graph.OneLine(e.Message))
	}
	if e.cause != nil {
		parts = append(parts, graph.Cleaned(e.cause))
	}
	if len(parts) == 0 {
		parts = append(parts, "unknown error")
	}

	var notes []string
	if e.RequestID != "" {
		notes = append(notes, "request-id "+graph.OneLine(e.RequestID))
	}
	switch {
	case e.Attempts == 1:
		notes = append(notes, "1 attempt")
	case e.Attempts > 1:
		notes = append(notes, fmt.Sprintf("%d attempts", e.Attempts))
	}
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+e.RetryAfter.String())
	}
	line := strings.Join(parts, ": ")
	if len(notes) > 0 {
		line += " (" + strings.Join(notes, ", ") + ")"
	}
	return line
}

// Is reports whether the error is of the kind target, which is one of the sentinels
// of this package.
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	return slices.Contains(e.kinds, target) || slices.Contains(kindsOf(e.StatusCode, e.Code, e.Message), target)
}

// Unwrap returns a cause other than Graph's answer, such as an error of the
// transport, the token source or the context.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// A DecodeError says that a property of Graph's answer cannot be read. The answer
// is complete and reports success, so a write was accepted. The type is always
// *DecodeError.
type DecodeError struct {
	Op              string
	StatusCode      int
	RequestID       string
	ClientRequestID string
	Property        string // such as "assignedLicenses[0].skuId"
	Body            []byte // as received but without tokens, 64 KiB at most
	Err             error
}

// Error returns one line that names the property and the cause.
func (e *DecodeError) Error() string {
	if e == nil {
		return "<nil>"
	}
	line := "answer cannot be read"
	if e.StatusCode != 0 {
		line = fmt.Sprintf("%d %s", e.StatusCode, line)
	}
	if e.Op != "" {
		line = e.Op + ": " + line
	}
	if e.Property != "" {
		line += fmt.Sprintf(": property %q", graph.OneLine(e.Property))
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](e.Err); ok {
		line += fmt.Sprintf(": %s instead of %s", wrong.Value, inJSON(wrong.Type))
	} else if e.Err != nil {
		line += ": " + graph.OneLine(e.Err.Error())
	}
	if e.RequestID != "" {
		line += " (request-id " + graph.OneLine(e.RequestID) + ")"
	}
	return line
}

// inJSON is what a type is read from.
func inJSON(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "an integer"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	}
	return "an object"
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// A LimitError says that an answer is larger than anything Graph sends, and was not
// read. It is the cause of an [*Error] of the kind [ErrTooLarge].
type LimitError struct {
	What  string // what is limited, such as "items" of a list or "MiB" of the answer
	Limit int
}

// Error returns one line that names the limit.
func (e *LimitError) Error() string {
	return (*graph.LimitError)(e).Error()
}

// Is reports whether target is [ErrTooLarge].
func (e *LimitError) Is(target error) bool { return target == ErrTooLarge }

// Err returns nil for a healthy assignment. Otherwise it returns an error that
// wraps the sentinel of the cause, the same one that a direct assignment fails
// with: [ErrNoAvailableLicenses], [ErrPlanConflict], [ErrPlanDependency],
// [ErrUsageLocation] or [ErrProxyAddressConflict]. For any other cause it returns
// an error that shows Graph's word for it. The same holds for the states Error and
// ActiveWithError without a cause.
func (s LicenseAssignmentState) Err() error {
	word := string(s.Error)
	if s.Error == "" || strings.EqualFold(word, string(AssignmentErrorNone)) {
		if s.State != AssignmentStateError && s.State != AssignmentStateActiveWithError {
			return nil
		}
		word = "state " + string(s.State)
	}
	text := fmt.Sprintf("license %s: %s", s.SKUID, word)
	if s.AssignedByGroup != "" {
		text += " (assigned by group " + s.AssignedByGroup + ")"
	}
	kind := map[AssignmentError]error{
		AssignmentErrorCountViolation:                     ErrNoAvailableLicenses,
		AssignmentErrorMutuallyExclusiveViolation:         ErrPlanConflict,
		AssignmentErrorDependencyViolation:                ErrPlanDependency,
		AssignmentErrorProhibitedInUsageLocationViolation: ErrUsageLocation,
		AssignmentErrorUniquenessViolation:                ErrProxyAddressConflict,
	}[s.Error]
	if kind == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, kind)
}

// secret are the headers that an error does not keep.
var secret = []string{"set-cookie", "set-cookie2", "cookie", "authorization", "authentication-info", "proxy-authorization"}

// failure returns the error of a request that ended without success. Altered says
// that a part of what it is about was made by itself, or may have been.
func failure(op string, a *graph.Answer, altered bool) *Error {
	said := a.Problem()
	e := &Error{
		Op:              op,
		StatusCode:      a.Status,
		Code:            said.Code,
		Message:         said.Message,
		Target:          said.Target,
		Details:         each(said.Details, func(d graph.Detail) ErrorDetail { return ErrorDetail(d) }),
		RequestID:       a.RequestID(),
		ClientRequestID: a.ClientRequestID(),
		Date:            said.Date,
		RetryAfter:      a.After,
		Attempts:        a.Attempts,
		Body:            a.Body,
		cause:           a.Err,
	}
	if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		e.Date = date
	}
	if a.Status != 0 {
		e.Header = a.Header.Clone()
		maps.DeleteFunc(e.Header, func(name string, _ []string) bool { return slices.Contains(secret, strings.ToLower(name)) })
	}
	e.SKUIDs, e.ServicePlanIDs = idsIn(e.Message)
	var limit *graph.LimitError
	var out *graph.OutageError
	var token *graph.TokenError
	var closed *pace.GateError
	var stop *stop
	switch {
	case ended(a.Err):
	case errors.As(a.Err, &out), errors.As(a.Err, &closed) && closed.Broken:
		if out != nil {
			e.cause = foreign{out}
		}
		e.kinds = append(e.kinds, ErrUnavailable)
		if a.Outcome == graph.Refused && a.Status == 0 && !a.Doubted {
			e.kinds = append(e.kinds, ErrStopped)
		}
	case errors.As(a.Err, &limit):
		e.cause = (*LimitError)(limit)
		if a.Outcome == graph.Doubtful {
			e.kinds = append(e.kinds, ErrUnavailable)
		}
	case closed != nil:
		e.kinds = append(e.kinds, ErrThrottled)
	case errors.As(a.Err, &stop) && a.Attempts == 0:
		e.kinds = append(e.kinds, stop.kind)
		e.SKUIDs = stop.skus
	case errors.As(a.Err, &token):
		e.kinds = append(e.kinds, ErrUnauthorized)
	case a.Outcome == graph.Refused && a.Status == http.StatusConflict:
		e.kinds = append(e.kinds, ErrConcurrentChange)
	case a.Outcome == graph.Doubtful, a.Outcome == graph.Refused:
		e.kinds = append(e.kinds, ErrUnavailable)
	}
	// While an earlier request may still be carried out, which may be one of an
	// earlier call, what a later one was refused for says nothing about it.
	definite := judged(a.Status, e.Message) != nil
	if a.Doubted && (altered || !definite) || definite && time.Now().Before(a.Late) {
		e.kinds = append(e.kinds, ErrOutcomeUnknown)
	}
	return e
}

// undecoded returns the error of an answer that is good but for a property.
func undecoded(ctx context.Context, req *graph.Request, a *graph.Answer) *DecodeError {
	fails := func(part []byte) bool {
		err := req.Into.Read(part)
		return err != nil && !errors.Is(err, graph.ErrNoCollection) // a part may be without
	}
	return unread(req, a, unreadable(ctx, a.Body, fails), a.Body, a.Unread)
}

// unread returns the error of an answer with a property that cannot be read, which
// stands in body.
func unread(req *graph.Request, a *graph.Answer, property string, body []byte, err error) *DecodeError {
	return &DecodeError{
		Op:              req.Op,
		StatusCode:      a.Status,
		RequestID:       a.RequestID(),
		ClientRequestID: a.ClientRequestID(),
		Property:        property,
		Body:            graph.Kept(body),
		Err:             err,
	}
}

// refused returns an error of our own making about what a request read.
func refused(req *graph.Request, kind error, format string, args ...any) *Error {
	return &Error{Op: req.Op, ClientRequestID: req.ID, kinds: []error{kind}, cause: fmt.Errorf(format, args...)}
}

// ended reports whether a context ended, and nothing else went wrong.
func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// A stop is why an operation of a run is not sent.
type stop struct {
	kind  error // a sentinel
	cause error
	skus  []uuid.UUID
}

func (s *stop) Error() string { return s.cause.Error() }
func (s *stop) Unwrap() error { return s.cause }

// A foreign error is about something other than the call that it ends, such as
// another call's: it says nothing about this one.
type foreign struct{ err error }

func (f foreign) Error() string { return f.err.Error() }
func (f foreign) Is(target error) bool {
	ours := slices.ContainsFunc(recordedKinds, func(s sentinel) bool { return s.err == target })
	return !ours && errors.Is(f.err, target)
}
func (f foreign) As(target any) bool {
	switch target.(type) {
	case **Error, **DecodeError, **LimitError, **graph.LimitError, **graph.OutageError, **graph.TokenError, **graph.Withheld, **pace.GateError, **stop:
		return false
	}
	return errors.As(f.err, target)
}

// invalid returns the error for an argument that is refused before anything is
// sent.
func invalid(op, format string, args ...any) *Error {
	return &Error{Op: op, kinds: []error{ErrInvalidArgument}, cause: fmt.Errorf(format, args...)}
}
