package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A sentinel is a kind of failure.
type sentinel struct {
	err    error
	word   string // for it in records: other people have files with it, so it stays
	passes bool   // by itself: the same call may succeed later
}

// sentinels are the sentinels of errors.go, all of them and in their order.
var sentinels = []sentinel{
	{ErrInvalidArgument, "invalidArgument", false},
	{ErrUnauthorized, "unauthorized", false},
	{ErrForbidden, "forbidden", false},
	{ErrNotFound, "notFound", false},
	{ErrConcurrentChange, "concurrentChange", true},
	{ErrThrottled, "throttled", true},
	{ErrUnavailable, "unavailable", true},
	{ErrOutcomeUnknown, "outcomeUnknown", true},
	{ErrDelegatedOnly, "delegatedOnly", false},
	{ErrListingExpired, "listingExpired", true},
	{ErrUnsupportedQuery, "unsupportedQuery", false},
	{ErrUnsafeLink, "unsafeLink", false},
	{ErrStopped, "stopped", true},
	{ErrLocked, "locked", true},
	{ErrTooLarge, "tooLarge", false},
	{ErrNoAvailableLicenses, "noAvailableLicenses", false},
	{ErrUsageLocation, "usageLocation", false},
	{ErrPlanDependency, "planDependency", false},
	{ErrPlanConflict, "planConflict", false},
	{ErrUnknownSKU, "unknownSku", false},
	{ErrNotAssignable, "notAssignable", false},
	{ErrNotAssigned, "notAssigned", false},
	{ErrInherited, "inherited", false},
	{ErrNoChanges, "noChanges", false},
	{ErrProxyAddressConflict, "proxyAddressConflict", false},
}

// recordedKinds are the kinds that records have words for.
var recordedKinds = append(slices.Clip(sentinels),
	sentinel{err: context.Canceled, word: "canceled"},
	sentinel{err: context.DeadlineExceeded, word: "deadlineExceeded"},
)

// Kinds returns the sentinels of this package that err matches, in the order in
// which they are declared. It returns nil if err is nil or matches none.
//
// Kinds calls [errors.Is] for each sentinel, so err may be wrapped, joined, or read
// back from JSON. For joined errors it returns the kinds of all of them. A
// [*DecodeError] has no kind of its own. The end of a context is not a kind; use
// [errors.Is] with [context.Canceled] and [context.DeadlineExceeded].
//
// Use Kinds to count or label failures. To handle one kind of failure, [errors.Is]
// is enough. The caller may modify the returned slice.
func Kinds(err error) []error {
	var kinds []error
	for _, k := range sentinels {
		if errors.Is(err, k.err) {
			kinds = append(kinds, k.err)
		}
	}
	return kinds
}

// Retryable reports whether the call that failed with err may succeed later, if it
// is made again unchanged and nobody does anything.
//
// Retryable is true if every kind of err is temporary. The temporary kinds are
// [ErrThrottled], [ErrUnavailable], [ErrConcurrentChange], [ErrOutcomeUnknown],
// [ErrStopped], [ErrLocked] and [ErrListingExpired]. It is false if any kind of err
// needs somebody to act, such as [ErrForbidden] together with [ErrOutcomeUnknown].
// It is also false for an error without a kind and for the end of a context.
//
// The client has already retried what it may. Wait for at least Error.RetryAfter
// before the next call. [ErrNotFound] and [ErrUsageLocation] can also be temporary,
// shortly after the user was created or the location was set, but Retryable is
// false for them.
func Retryable(err error) bool {
	some := false
	for _, k := range sentinels {
		if errors.Is(err, k.err) {
			if !k.passes {
				return false
			}
			some = true
		}
	}
	return some
}

// judgments are the messages by which Graph refuses a license change for a
// reason of its own. The fragments are those parts that stay the same, flattened. Two
// licensing services answer, each in words of its own.
var judgments = []struct {
	fragment string
	kind     error
}{
	{"invalid usage location", ErrUsageLocation},
	{"not available in the user's usage location", ErrUsageLocation},
	{"does not have any available licenses", ErrNoAvailableLicenses},
	{"there are no available licenses", ErrNoAvailableLicenses},
	{"does not correspond to a valid company license", ErrUnknownSKU},
	{"depends on the service plan", ErrPlanDependency},
	{"are mutually exclusive", ErrPlanConflict},
	{"service plans that conflict with", ErrPlanConflict},
	{"conflicting service plan", ErrPlanConflict},
	{"does not have a corresponding license", ErrNotAssigned},
	{"inherited from a group membership", ErrInherited},
	{"inherited from group membership", ErrInherited},
	{"no license changes provided", ErrNoChanges},
	{"same value for property proxyaddresses", ErrProxyAddressConflict},
	{"cannot be assigned to a user", ErrNotAssignable},
	{"cannot be assigned to a group", ErrNotAssignable},
	{"does not support assignee type", ErrNotAssignable},
}

// judged returns which of the judgments an answer is, and nil if it does not
// decide on the license change itself.
func judged(status int, message string) error {
	if status != http.StatusBadRequest {
		return nil
	}
	message = flattened(message)
	for _, j := range judgments {
		if strings.Contains(message, j.fragment) {
			return j.kind
		}
	}
	return nil
}

// kindsOf maps what Graph answered to our sentinels.
func kindsOf(status int, code, message string) []error {
	var kinds []error
	switch {
	case graph.Throttled(status, code):
		kinds = append(kinds, ErrThrottled)
	case status == http.StatusUnauthorized:
		kinds = append(kinds, ErrUnauthorized)
	case status == http.StatusForbidden:
		kinds = append(kinds, ErrForbidden)
	case status == http.StatusNotFound:
		kinds = append(kinds, ErrNotFound)
	case code == graph.CodeConcurrency:
		kinds = append(kinds, ErrConcurrentChange)
	case code == "Directory_ExpiredPageToken":
		kinds = append(kinds, ErrListingExpired)
	case code == "Request_UnsupportedQuery":
		kinds = append(kinds, ErrUnsupportedQuery)
	case status == http.StatusBadRequest && strings.Contains(flattened(message), "/me request is only valid with delegated"):
		kinds = append(kinds, ErrDelegatedOnly)
	case graph.Uncertain(status):
		kinds = append(kinds, ErrUnavailable)
	}
	if kind := judged(status, message); kind != nil {
		kinds = append(kinds, kind)
	}
	return kinds
}

// flattened returns a message as it is compared, in lower case: whatever blanks and
// brackets stand between two words are one blank, and nothing is contracted.
func flattened(message string) string {
	words := strings.FieldsFunc(strings.ToLower(message), func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("()[]{}<>", r)
	})
	return contractions.Replace(strings.Join(words, " "))
}

var contractions = strings.NewReplacer("can't", "cannot", "can’t", "cannot", "n't", " not", "n’t", " not", "’", "'")

// idsIn returns the GUIDs in one of Graph's messages. The words before one say what
// it is the id of; those of other things, such as an account, are left out.
func idsIn(message string) (skus, plans []uuid.UUID) {
	words := strings.FieldsFunc(strings.ReplaceAll(flattened(message), ":", " : "), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-:", r)
	})
	words = append(words, "")
	var ids [other + 1][]uuid.UUID
	last, before := other, ""
	for i, word := range words[:len(words)-1] {
		id, isID := idIn(word)
		switch now := named(word); {
		case isID:
			if !among(before, "by", "for", "from", "to") && !slices.Contains(ids[last], id) {
				ids[last] = append(ids[last], id)
			}
		case now == other && among(before, "a", "that", "the", "this") && words[i+1] == ":": // "Licenses being added to the user: …"
		case now != nothing:
			last = now
		case named(before) == anSKU && among(word, "assignment", "change", "error", "quota"),
			named(before) == nothing && among(word, "id", "ids") && !among(before, "a", "an", "the", "with"): // "correlation id"
			last = other
		}
		before = word
	}
	return ids[anSKU], ids[aPlan]
}

func among(word string, words ...string) bool { return slices.Contains(words, word) }

// idIn returns the GUID that a word is. The id of a tenant's SKU has the tenant's
// in front, and a "_".
func idIn(word string) (id uuid.UUID, ok bool) {
	const length = 36
	if n := len(word) - length; n == 0 || n > 0 && word[n-1] == '_' {
		id, err := uuid.Parse(word[n:])
		return id, err == nil
	}
	return id, false
}

// A thing is what a word of a message names.
type thing int

const (
	nothing thing = iota
	anSKU
	aPlan
	other // that messages have GUIDs of
)

// named returns what a word names, which may be in the plural, or be that of an id.
func named(word string) thing {
	switch strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(word, "s"), "id"), "-") {
	case "sku", "license", "licence", "addlicense", "assignedlicense", "removelicense":
		return anSKU
	case "plan", "service-plan", "serviceplan", "assignedplan", "disabledplan":
		return aPlan
	case "account", "allotment", "app", "application", "client", "company", "companie", "contract", "customer", "device", "directory", "domain", "group",
		"identifier", "mailbox", "member", "object", "organization", "partner", "principal", "request", "resource", "role", "subscription", "tenant", "user":
		return other
	}
	return nothing
}
