package licensing

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A sentinel is a kind of failure.
type sentinel struct {
	err  error
	word string // for it in records: other people have files with it, so it stays
}

// sentinels are the sentinels of errors.go, all of them and in their order.
var sentinels = []sentinel{
	{ErrInvalidArgument, "invalidArgument"},
	{ErrUnauthorized, "unauthorized"},
	{ErrForbidden, "forbidden"},
	{ErrNotFound, "notFound"},
	{ErrConcurrentChange, "concurrentChange"},
	{ErrThrottled, "throttled"},
	{ErrUnavailable, "unavailable"},
	{ErrOutcomeUnknown, "outcomeUnknown"},
	{ErrDelegatedOnly, "delegatedOnly"},
	{ErrListingExpired, "listingExpired"},
	{ErrUnsafeLink, "unsafeLink"},
	{ErrStopped, "stopped"},
	{ErrLocked, "locked"},
	{ErrTooLarge, "tooLarge"},
	{ErrNoAvailableLicenses, "noAvailableLicenses"},
	{ErrUsageLocation, "usageLocation"},
	{ErrPlanDependency, "planDependency"},
	{ErrPlanConflict, "planConflict"},
	{ErrUnknownSKU, "unknownSku"},
	{ErrNotAssigned, "notAssigned"},
	{ErrInherited, "inherited"},
	{ErrNoChanges, "noChanges"},
	{ErrProxyAddressConflict, "proxyAddressConflict"},
}

// recordedKinds are the kinds that records have words for.
var recordedKinds = append(slices.Clip(sentinels),
	sentinel{err: context.Canceled, word: "canceled"},
	sentinel{err: context.DeadlineExceeded, word: "deadlineExceeded"},
)

// judgments are the messages by which Graph refuses a license change for a
// reason of its own. The fragments are those parts that stay the same.
var judgments = []struct {
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

// judged reports whether an answer decides on the license change itself, and
// which of the judgments it is.
func judged(status int, message string) (kind error, ok bool) {
	if status != http.StatusBadRequest {
		return nil, false
	}
	message = strings.ToLower(message)
	for _, j := range judgments {
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
	case status == http.StatusBadRequest && strings.Contains(strings.ToLower(message), "/me request is only valid with delegated"):
		kinds = append(kinds, ErrDelegatedOnly)
	case graph.Uncertain(status):
		kinds = append(kinds, ErrUnavailable)
	}
	if kind, _ := judged(status, message); kind != nil {
		kinds = append(kinds, kind)
	}
	return kinds
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
