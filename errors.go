package licensing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// The kinds of failure that callers tell apart, for use with [errors.Is]. An
// error can be of several kinds: a write that ends in a 503 is both
// ErrUnavailable and ErrOutcomeUnknown.
var (
	// Ours, before anything is sent.
	ErrInvalidArgument = errors.New("invalid argument")

	// The call.
	ErrUnauthorized     = errors.New("not signed in")                                   // 401, or the token source failed
	ErrForbidden        = errors.New("not permitted")                                   // 403: permission, role, conditional access or a directory quota
	ErrNotFound         = errors.New("not found")                                       // 404: no such user or group, or not visible yet
	ErrConcurrentChange = errors.New("changed by another request at the same time")     // 409
	ErrThrottled        = errors.New("throttled")                                       // 429 or 509; see Error.RetryAfter
	ErrUnavailable      = errors.New("service unavailable")                             // no answer of Graph's, most of 5xx, or a stalled write must be waited for
	ErrOutcomeUnknown   = errors.New("outcome unknown")                                 // the change may have been made, in full or in part
	ErrDelegatedOnly    = errors.New("only for a signed-in user")                       // "me" with a token of an application
	ErrListingExpired   = errors.New("listing expired")                                 // the page token; start again
	ErrUnsafeLink       = errors.New("next link is not one to follow with credentials") // foreign, repeated or not https
	ErrStopped          = errors.New("run was stopped")                                 // by its context or BulkOptions, before the operation was sent

	// The licence change. Failures of group members are of the same kinds.
	ErrNoAvailableLicenses  = errors.New("no available licenses")                     // all seats are taken
	ErrUsageLocation        = errors.New("usage location not set or not allowed")     // set it, or the product is not sold there
	ErrPlanDependency       = errors.New("service plan depends on another")           // which is not on, or is to be removed
	ErrPlanConflict         = errors.New("service plans exclude each other")          // within a SKU, or with another one
	ErrUnknownSKU           = errors.New("SKU is not one of the tenant's")            // no subscription has it
	ErrNotAssigned          = errors.New("license is not assigned")                   // so it cannot be removed
	ErrInherited            = errors.New("license is inherited from a group")         // change it on the group
	ErrNoChanges            = errors.New("nothing to add and nothing to remove")      // both lists are empty
	ErrProxyAddressConflict = errors.New("proxy address is in use by another object") // a mail address of the user's
)

// An Error is a failed call. It is always used as *Error. Use [errors.Is] with
// the sentinels of this package to tell failures apart.
//
// StatusCode is 0 where there was no answer at all; it is that of any answer,
// also of one that is not Graph's. Unwrap returns what else went wrong, such as
// the transport's, the token source's or the context's error, of which a long
// one is cut in the text.
type Error struct {
	Op              string // what was called: "assign user license"
	StatusCode      int
	Code, Message   string // Graph's own, untouched
	Target          string // Graph's own, rarely there
	Details         []ErrorDetail
	RequestID       string        // Graph's id of the request, for Microsoft support
	ClientRequestID string        // ours; see ContextWithRequestID
	Date            time.Time     // when Graph answered, zero when it did not say
	RetryAfter      time.Duration // what the server asked for
	Attempts        int           // requests made; net/http may have made more
	SKUIDs          []uuid.UUID   // the SKUs that Message names
	ServicePlanIDs  []uuid.UUID   // the service plans that Message names
	Header          http.Header   // of the answer, without cookies and credentials
	Body            []byte        // as received, 64 KiB at most

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
// It has no URL and no token, and no user's name unless Graph's message has.
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
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, oneLine(code))))
	} else if e.Code != "" {
		parts = append(parts, oneLine(e.Code))
	}
	if e.Message != "" {
		parts = append(parts, oneLine(e.Message))
	}
	if e.cause != nil {
		parts = append(parts, cleaned(e.cause))
	}
	if len(parts) == 0 {
		parts = append(parts, "unknown error")
	}

	var notes []string
	if e.RequestID != "" {
		notes = append(notes, "request-id "+oneLine(e.RequestID))
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

var urls = regexp.MustCompile(`[[:alpha:]][[:alnum:]+.-]*://[^\s"]+`)

// cleaned is an error's text without the URLs that it may hold, and with them
// user names. A chain of credentials has a lot to say when none is good.
func cleaned(err error) string { return urls.ReplaceAllString(inLine(err.Error(), 1000), "[url]") }

// oneLine makes foreign text fit for a log line. Some gateways put a whole
// page into an error's message.
func oneLine(s string) string { return inLine(s, 300) }

func inLine(s string, most int) string {
	blank := func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) }
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), blank), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}

// Is reports whether the error is of the kind of target, one of the sentinels
// of this package.
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	return slices.Contains(e.kinds, target) || slices.Contains(kindsOf(e.StatusCode, e.Code, e.Message), target)
}

// Unwrap returns what went wrong beside Graph's answer or in place of it, such
// as the transport's, the token source's or the context's error.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// A DecodeError is a complete answer of Graph's with a property that cannot be
// read. On a write the change was accepted. It is always used as *DecodeError.
type DecodeError struct {
	Op              string
	StatusCode      int
	RequestID       string
	ClientRequestID string
	Property        string // such as "assignedLicenses[0].skuId"
	Body            []byte // as received
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
		line += fmt.Sprintf(": property %q", oneLine(e.Property))
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](e.Err); ok {
		line += fmt.Sprintf(": %s in place of %v", wrong.Value, wrong.Type)
	} else if e.Err != nil {
		line += ": " + oneLine(e.Err.Error())
	}
	if e.RequestID != "" {
		line += " (request-id " + oneLine(e.RequestID) + ")"
	}
	return line
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Err returns nil for a healthy assignment, and otherwise an error that wraps
// the sentinel of its cause, the same that a direct assignment fails with:
// [ErrNoAvailableLicenses], [ErrPlanConflict], [ErrPlanDependency],
// [ErrUsageLocation] or [ErrProxyAddressConflict]. Any other cause, and state
// Error without a cause, give an error that shows Graph's word.
func (s LicenseAssignmentState) Err() error {
	word := string(s.Error)
	if s.Error == "" || strings.EqualFold(word, string(AssignmentErrorNone)) {
		if s.State != AssignmentStateError {
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

// invalid returns the error for an argument that is refused before anything is
// sent.
func invalid(op, format string, args ...any) *Error {
	return &Error{Op: op, kinds: []error{ErrInvalidArgument}, cause: fmt.Errorf(format, args...)}
}

// judgements are the messages by which Graph refuses a licence change for a
// reason of its own. The fragments are those parts that stay the same.
var judgements = []struct {
	fragment string
	kind     error // nil: none that callers would tell apart
}{
	{"invalid usage location", ErrUsageLocation},
	{"not available in the user's usage location", ErrUsageLocation},
	{"does not have any available licenses", ErrNoAvailableLicenses},
	{"does not correspond to a valid company license", ErrUnknownSKU},
	{"depends on the service plan", ErrPlanDependency},
	{"are mutually exclusive", ErrPlanConflict},
	{"does not have a corresponding license", ErrNotAssigned},
	{"inherited from a group membership", ErrInherited},
	{"no license changes provided", ErrNoChanges},
	{"same value for property proxyaddresses", ErrProxyAddressConflict},
	{"cannot be assigned to a user", nil},
}

// judged reports whether an answer decides on the licence change itself, and
// which of the judgements it is.
func judged(status int, message string) (kind error, ok bool) {
	if status != http.StatusBadRequest {
		return nil, false
	}
	message = strings.ToLower(message)
	for _, j := range judgements {
		if strings.Contains(message, j.fragment) {
			return j.kind, true
		}
	}
	return nil, false
}

// kindsOf maps what Graph answered to our sentinels.
func kindsOf(status int, code, message string) []error {
	var kinds []error
	switch {
	case throttled(status, code):
		kinds = append(kinds, ErrThrottled)
	case status == http.StatusUnauthorized:
		kinds = append(kinds, ErrUnauthorized)
	case status == http.StatusForbidden:
		kinds = append(kinds, ErrForbidden)
	case status == http.StatusNotFound:
		kinds = append(kinds, ErrNotFound)
	case code == codeConcurrency:
		kinds = append(kinds, ErrConcurrentChange)
	case code == "Directory_ExpiredPageToken":
		kinds = append(kinds, ErrListingExpired)
	case status == http.StatusBadRequest && strings.Contains(strings.ToLower(message), "/me request is only valid with delegated"):
		kinds = append(kinds, ErrDelegatedOnly)
	case again(status):
		kinds = append(kinds, ErrUnavailable)
	}
	if kind, _ := judged(status, message); kind != nil {
		kinds = append(kinds, kind)
	}
	return kinds
}

const codeConcurrency = "Directory_ConcurrencyViolation"

// throttled reports whether the request was refused for its frequency.
func throttled(status int, code string) bool {
	switch code {
	case "TooManyRequests", "activityLimitReached", "Request_ThrottledTemporarily", "Request_ThrottledPermanently":
		return true
	}
	return status == http.StatusTooManyRequests || status == 509 // Bandwidth Limit Exceeded
}

// again reports whether a status leaves open what was done with the request.
func again(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return status >= 500
}

// A graphError is what could be read of an error answer's body.
type graphError struct {
	code, message, target string
	details               []ErrorDetail
	requestID, clientID   string
	date                  time.Time
	broken                bool // the JSON breaks off
}

// readError reads Graph's error frame in any of the shapes that it is seen in,
// and what is there of one that breaks off.
func readError(body []byte) (e graphError) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	err := e.read(decoder, nil)
	started := bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	e.broken = started && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
	return e
}

// read goes through the next value, whose place in the frame is path.
func (e *graphError) read(decoder *json.Decoder, path []string) error {
	const deepest = 64
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	opening, ok := token.(json.Delim)
	switch {
	case !ok:
		if token != nil {
			e.set(strings.Join(path, "."), fmt.Sprint(token))
		}
		return nil
	case len(path) >= deepest:
		return errors.New("nested too deeply")
	}
	place := strings.Join(path, ".")
	if opening == '{' && place == "error.details.[]" {
		e.details = append(e.details, ErrorDetail{})
	}
	for decoder.More() {
		name := "[]"
		if opening == '{' {
			key, err := decoder.Token()
			if err != nil {
				return err
			}
			name = strings.TrimPrefix(strings.ToLower(fmt.Sprint(key)), "odata.") // of the retired Azure AD Graph
		}
		if err := e.read(decoder, append(path[:len(path):len(path)], name)); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // the closing one
	return err
}

// set keeps a scalar that stands at a place worth knowing.
func (e *graphError) set(place, value string) {
	switch place {
	case "error.code":
		e.code = value
	case "error.message", "error.message.value", "error_description":
		e.message = value
	case "error", "message":
		if e.message == "" {
			e.message = value
		}
	case "error.target":
		e.target = value
	}
	if rest, ok := strings.CutPrefix(place, "error.details.[]."); ok && len(e.details) > 0 {
		detail := &e.details[len(e.details)-1]
		switch rest {
		case "code":
			detail.Code = value
		case "message":
			detail.Message = value
		case "target":
			detail.Target = value
		}
	}
	if strings.HasPrefix(place, "error.innererror.") {
		switch place[strings.LastIndexByte(place, '.')+1:] {
		case "request-id":
			e.requestID = cmp.Or(e.requestID, value)
		case "client-request-id":
			e.clientID = cmp.Or(e.clientID, value)
		case "date":
			if date, err := parseTime(value); err == nil && e.date.IsZero() {
				e.date = date
			}
		}
	}
}

var idsInMessages = regexp.MustCompile(`(?i)\b(?:sku|license|service plan)|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// idsIn returns the GUIDs in one of Graph's messages; the word before them
// says what they are ids of.
func idsIn(message string) (skus, plans []uuid.UUID) {
	var list *[]uuid.UUID
	for _, found := range idsInMessages.FindAllString(message, -1) {
		id, err := uuid.Parse(found)
		switch {
		case err != nil && strings.HasPrefix(strings.ToLower(found), "service"):
			list = &plans
		case err != nil:
			list = &skus
		case list != nil && !slices.Contains(*list, id):
			*list = append(*list, id)
		}
	}
	return skus, plans
}
