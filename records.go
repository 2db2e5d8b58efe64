package licensing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// An OperationKind is the kind of write that an [Operation] makes.
type OperationKind string

// The kinds of operation.
const (
	OperationAssignUser       OperationKind = "assignUser"       // Client.AssignUserLicense
	OperationAssignGroup      OperationKind = "assignGroup"      // Client.AssignGroupLicense
	OperationReprocessUser    OperationKind = "reprocessUser"    // Client.ReprocessUserLicense
	OperationSetUsageLocation OperationKind = "setUsageLocation" // Client.SetUsageLocation
)

// An Operation is one write of [Client.Bulk]. It is plain data and can be stored as
// JSON; see [Operation.UnmarshalJSON].
type Operation struct {
	Kind   OperationKind `json:"kind"`
	Target string        `json:"target"` // the user or group, in any form that the method accepts
	// Request is for OperationAssignUser and OperationAssignGroup.
	Request AssignLicenseRequest `json:"request,omitzero"`
	// UsageLocation is for OperationSetUsageLocation.
	UsageLocation string `json:"usageLocation,omitzero"`
	// Resumed says that an earlier run may have made the operation, because it
	// ended with OutcomeUnknown or without a result. Keep it set until a run ends
	// the operation with OutcomeDone or OutcomeFailed. A resumed removal that finds
	// nothing to remove counts as done. A resumed swap adds the new SKU even if
	// the swap was never sent and the user has lost the old SKU since.
	Resumed bool `json:"resumed,omitzero"`
	// Ref is the caller's own reference, such as a ticket or the line of a file. It
	// is not part of the request and not logged.
	Ref string `json:"ref,omitzero"`
}

// An Outcome is a one-word summary of how an [Operation] ended.
type Outcome string

// The outcomes of an operation.
const (
	OutcomeDone    Outcome = "done"    // the operation was made
	OutcomeFailed  Outcome = "failed"  // the operation was not made, and somebody has to act
	OutcomeUnknown Outcome = "unknown" // the operation may have been made, in full or in part: ErrOutcomeUnknown
	OutcomeNotSent Outcome = "notSent" // the operation was not made; it can be sent unchanged by another run
)

// An OperationResult says how an [Operation] ended. It can be stored as JSON,
// including its error.
type OperationResult struct {
	Index     int // of the operation in this run's input; -1 for an error of the whole run
	Operation Operation
	User      *User  // the user of a successful operation: no licenses, perhaps only the id
	Group     *Group // the group of a successful operation
	Attempts  int    // how many requests carried the operation
	// MayLand is the time until which Graph may still carry out a request of the operation.
	// It is zero if no request can land any more. The client itself waits until
	// then before its next write to the object. Another client that resumes the run
	// has to wait too. MayLand is not in the JSON form.
	MayLand time.Time
	Err     error
}

// Done reports whether the operation is known to have been made. It is true for a
// [*DecodeError] as well.
func (r OperationResult) Done() bool {
	_, unread := errors.AsType[*DecodeError](r.Err)
	_, failed := errors.AsType[*Error](r.Err) // for which the other may be the cause
	return r.Err == nil || unread && !failed
}

// Outcome summarizes the result in one word. It is OutcomeDone if Done is true. It
// is OutcomeNotSent if the operation was never sent or was throttled until the run
// ended. An invalid operation is OutcomeFailed even though it was never sent.
func (r OperationResult) Outcome() Outcome {
	e, ours := errors.AsType[*Error](r.Err)
	switch {
	case r.Done():
		return OutcomeDone
	case errors.Is(r.Err, ErrOutcomeUnknown):
		return OutcomeUnknown
	case errors.Is(r.Err, ErrStopped), errors.Is(r.Err, ErrThrottled), errors.Is(r.Err, ErrLocked):
		return OutcomeNotSent
	case r.Attempts > 0, errors.Is(r.Err, ErrInvalidArgument), ours && e != nil && e.StatusCode/100 == 4 && !Retryable(e):
		return OutcomeFailed
	}
	return OutcomeNotSent
}

// UnmarshalJSON reads an operation strictly, because people may have written it by
// hand. An unknown member is an error that names the member. So is a member that
// does not belong to the operation's kind, unless it is empty. Without this check a
// misspelled disabledPlans would turn all plans on. Within an [OperationResult]
// unknown members are ignored, so a program can read what a later version wrote.
func (o *Operation) UnmarshalJSON(data []byte) error {
	var plain plainOperation
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&plain); err != nil {
		return fmt.Errorf("operation: %w", err)
	}
	if string(data) == "null" {
		return nil
	}
	if err := Operation(plain).fits(); err != nil {
		return fmt.Errorf("operation: %w", err)
	}
	*o = Operation(plain)
	return nil
}

// A plainOperation is an Operation that is read leniently.
type plainOperation Operation

// fits says what the operation has that its kind does not.
func (o Operation) fits() error {
	switch o.Kind {
	case OperationAssignUser, OperationAssignGroup, OperationReprocessUser:
		if o.UsageLocation != "" {
			return fmt.Errorf("%s has no usageLocation", o.Kind)
		}
	}
	switch o.Kind {
	case OperationReprocessUser, OperationSetUsageLocation:
		if !o.Request.empty() {
			return fmt.Errorf("%s has no request", o.Kind)
		}
	}
	return nil
}

// wordsFor returns the words of the kinds for which is holds.
func wordsFor(is func(kind error) bool) []string {
	var words []string
	for _, k := range recordedKinds {
		if is(k.err) {
			words = append(words, k.word)
		}
	}
	return words
}

// kindsNamed returns the kinds that words name. Words of a later version of
// the package are passed over.
func kindsNamed(words []string) []error {
	var kinds []error
	for _, k := range recordedKinds {
		if slices.Contains(words, k.word) {
			kinds = append(kinds, k.err)
		}
	}
	return kinds
}

// MarshalJSON writes the result as an object on one line:
//
//	{"index":7,"operation":{"kind":"reprocessUser","target":"adele@contoso.com"},"outcome":"failed","attempts":1,"error":{"kinds":["notFound"],…}}
//
// The outcome is for other programs; UnmarshalJSON ignores it. The user, group and
// error are present if the result has them. For the error see [Error.MarshalJSON].
// An error of another type is written as its text, its kinds, and the [*Error] or
// [*DecodeError] that it wraps. The operation's target, the user and Graph's
// messages can be personal data.
func (r OperationResult) MarshalJSON() ([]byte, error) {
	return json.Marshal(resultRecord{r.Index, plainOperation(r.Operation), r.Outcome(), r.User, r.Group, r.Attempts, recordOf(r.Err)})
}

// UnmarshalJSON reads what [OperationResult.MarshalJSON] writes. Err is an [*Error]
// or a [*DecodeError] if it was one. Any other error keeps its text, and its kinds
// for [errors.Is]. A record with neither an operation nor an error is refused.
func (r *OperationResult) UnmarshalJSON(data []byte) error {
	var record resultRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	if record.Operation.Kind == "" && record.Error == nil {
		return errors.New("record has neither an operation nor an error")
	}
	*r = OperationResult{
		Index: record.Index, Operation: Operation(record.Operation),
		User: record.User, Group: record.Group, Attempts: record.Attempts, Err: record.Error.err(),
	}
	return nil
}

// MarshalJSON writes the error as an object. Its kinds are one word for each
// sentinel of this package, and of package context, that the error matches:
//
//	{"kinds":["notFound"],"op":"assign user license","statusCode":404,"code":"Request_ResourceNotFound",…}
//
// Empty fields are left out. Header and Body are left out because they are large.
// The cause is written as Error shows it, and RetryAfter as a number,
// retryAfterSeconds. Graph's message can contain personal data.
func (e *Error) MarshalJSON() ([]byte, error) {
	if e == nil {
		return []byte("null"), nil
	}
	return json.Marshal(e.record())
}

// UnmarshalJSON reads what [Error.MarshalJSON] writes. The error has the same text
// and the same kinds. Its cause is an error with the same text. Unknown kinds are
// ignored.
func (e *Error) UnmarshalJSON(data []byte) error { return readInto(e, data) }

// MarshalJSON writes the error as [Error.MarshalJSON] does, with "unreadable":true
// and the property, and without Body.
func (e *DecodeError) MarshalJSON() ([]byte, error) {
	if e == nil {
		return []byte("null"), nil
	}
	return json.Marshal(e.record())
}

// UnmarshalJSON reads what [DecodeError.MarshalJSON] writes. The error has the same
// text. Err is an error with the text of the cause.
func (e *DecodeError) UnmarshalJSON(data []byte) error { return readInto(e, data) }

// LogValue makes slog show the error as one line, even in JSON logs.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// LogValue makes slog show the error as one line, even in JSON logs.
func (e *DecodeError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// readInto makes e what a record says, if it is the record of such an error.
func readInto[E any](e *E, data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var record errorRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	back, ok := any(record.err()).(*E)
	if e == nil || !ok {
		return fmt.Errorf("record cannot be read into %T", e)
	}
	*e = *back
	return nil
}

type (
	// A resultRecord is an OperationResult in JSON.
	resultRecord struct {
		Index     int            `json:"index"`
		Operation plainOperation `json:"operation,omitzero"`
		Outcome   Outcome        `json:"outcome,omitzero"`
		User      *User          `json:"user,omitzero"`
		Group     *Group         `json:"group,omitzero"`
		Attempts  int            `json:"attempts,omitzero"`
		Error     *errorRecord   `json:"error,omitzero"`
	}
	// An errorRecord is an error in JSON: with a text one that is not of this
	// package, if it is unreadable a DecodeError, and otherwise an Error.
	errorRecord struct {
		Kinds           []string      `json:"kinds,omitempty"`
		Text            *string       `json:"text,omitzero"`
		Wrapped         *errorRecord  `json:"wrapped,omitzero"`
		Unreadable      bool          `json:"unreadable,omitzero"`
		Op              string        `json:"op,omitzero"`
		StatusCode      int           `json:"statusCode,omitzero"`
		Code            string        `json:"code,omitzero"`
		Message         string        `json:"message,omitzero"`
		Target          string        `json:"target,omitzero"`
		Details         []ErrorDetail `json:"details,omitempty"`
		Property        string        `json:"property,omitzero"`
		RequestID       string        `json:"requestId,omitzero"`
		ClientRequestID string        `json:"clientRequestId,omitzero"`
		Date            moment        `json:"date,omitzero"`
		RetryAfter      seconds       `json:"retryAfterSeconds,omitzero"`
		Attempts        int           `json:"attempts,omitzero"`
		SKUIDs          []uuid.UUID   `json:"skuIds,omitempty"`
		ServicePlanIDs  []uuid.UUID   `json:"servicePlanIds,omitempty"`
		Cause           *string       `json:"cause,omitzero"`
		CauseKinds      []string      `json:"causeKinds,omitempty"` // those of Kinds that the cause alone is of
	}
)

// recordOf returns the record of err, and nil for nil.
func recordOf(err error) *errorRecord {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok && e != nil {
		return e.record()
	}
	if e, ok := err.(*DecodeError); ok && e != nil {
		return e.record()
	}
	text := err.Error()
	r := &errorRecord{Text: &text, Kinds: wordsFor(func(kind error) bool { return errors.Is(err, kind) })}
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		r.Wrapped = e.record()
	} else if e, ok := errors.AsType[*DecodeError](err); ok && e != nil {
		r.Wrapped = e.record()
	}
	return r
}

func (e *Error) record() *errorRecord {
	r := &errorRecord{
		Kinds:           wordsFor(func(kind error) bool { return errors.Is(e, kind) }),
		Op:              e.Op,
		StatusCode:      e.StatusCode,
		Code:            valid(e.Code),
		Message:         valid(e.Message),
		Target:          e.Target,
		Details:         e.Details,
		RequestID:       valid(e.RequestID),
		ClientRequestID: e.ClientRequestID,
		Date:            moment(e.Date),
		RetryAfter:      seconds(max(0, e.RetryAfter)),
		Attempts:        e.Attempts,
		SKUIDs:          e.SKUIDs,
		ServicePlanIDs:  e.ServicePlanIDs,
	}
	if e.cause != nil {
		text := graph.Cleaned(e.cause)
		r.Cause = &text
		r.CauseKinds = wordsFor(func(kind error) bool { return errors.Is(e.cause, kind) && !e.Is(kind) })
	}
	return r
}

func (e *DecodeError) record() *errorRecord {
	r := &errorRecord{
		Kinds:           wordsFor(func(kind error) bool { return errors.Is(e, kind) }),
		Unreadable:      true,
		Op:              e.Op,
		StatusCode:      e.StatusCode,
		Property:        valid(e.Property),
		RequestID:       valid(e.RequestID),
		ClientRequestID: e.ClientRequestID,
	}
	if _, text, ok := strings.Cut((&DecodeError{Err: e.Err}).Error(), ": "); ok {
		r.Cause = &text
	}
	return r
}

// err returns the error that r is the record of, and nil for nil.
func (r *errorRecord) err() error {
	switch {
	case r == nil:
		return nil
	case r.Text != nil:
		return &recordedError{*r.Text, kindsNamed(r.Kinds), r.Wrapped.err()}
	case r.Unreadable:
		e := &DecodeError{
			Op:              r.Op,
			StatusCode:      r.StatusCode,
			RequestID:       r.RequestID,
			ClientRequestID: r.ClientRequestID,
			Property:        r.Property,
		}
		if r.Cause != nil {
			e.Err = &recordedError{text: *r.Cause, kinds: kindsNamed(r.Kinds)}
		}
		return e
	}
	e := &Error{
		Op:              r.Op,
		StatusCode:      r.StatusCode,
		Code:            r.Code,
		Message:         r.Message,
		Target:          r.Target,
		Details:         r.Details,
		RequestID:       r.RequestID,
		ClientRequestID: r.ClientRequestID,
		Date:            time.Time(r.Date),
		RetryAfter:      time.Duration(r.RetryAfter),
		Attempts:        r.Attempts,
		SKUIDs:          r.SKUIDs,
		ServicePlanIDs:  r.ServicePlanIDs,
		kinds:           kindsNamed(r.Kinds),
	}
	if r.Cause != nil {
		cause := &recordedError{text: *r.Cause, kinds: kindsNamed(r.CauseKinds)}
		e.kinds = slices.DeleteFunc(e.kinds, func(kind error) bool { return slices.Contains(cause.kinds, kind) })
		e.cause = cause
	}
	return e
}

// A recordedError is what a record keeps of an error that is not of this
// package: its text, its kinds, and the one of this package that it wraps.
type recordedError struct {
	text  string
	kinds []error
	err   error
}

func (e *recordedError) Error() string        { return e.text }
func (e *recordedError) Is(target error) bool { return slices.Contains(e.kinds, target) }
func (e *recordedError) Unwrap() error        { return e.err }

// valid returns text as it reads back: as it is, unless it is no UTF-8. Then
// encoding/json would put more characters in place of it than oneLine does.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// MarshalJSON writes the time with its zone.
func (m moment) MarshalJSON() ([]byte, error) { return time.Time(m).MarshalJSON() }

// A seconds is a duration that JSON has as a number of seconds.
type seconds time.Duration

// MarshalJSON writes all digits that are not 0.
func (s seconds) MarshalJSON() ([]byte, error) {
	const unit = seconds(time.Second)
	text := fmt.Sprintf("%d.%09d", s/unit, s%unit)
	return []byte(strings.TrimRight(strings.TrimRight(text, "0"), ".")), nil
}

// UnmarshalJSON reads any number. Other programs may have rounded it.
func (s *seconds) UnmarshalJSON(data []byte) error {
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return err
	}
	d, err := time.ParseDuration(number.String() + "s")
	if err != nil { // null, an exponent, or out of range
		d, _ = graph.RetryAfter(map[string][]string{"Retry-After": {number.String()}}, time.Time{})
	}
	*s = seconds(max(0, d))
	return nil
}
