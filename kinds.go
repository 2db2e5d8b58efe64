package licensing

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode"

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
	{ErrUnsupportedQuery, "unsupportedQuery"},
	{ErrUnsafeLink, "unsafeLink"},
	{ErrStopped, "stopped"},
	{ErrLocked, "locked"},
	{ErrTooLarge, "tooLarge"},
	{ErrNoAvailableLicenses, "noAvailableLicenses"},
	{ErrUsageLocation, "usageLocation"},
	{ErrPlanDependency, "planDependency"},
	{ErrPlanConflict, "planConflict"},
	{ErrUnknownSKU, "unknownSku"},
	{ErrNotAssignable, "notAssignable"},
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
