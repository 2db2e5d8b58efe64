package cli

import (
	"context"
	"errors"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/reconcile"
)

var advices = []struct {
	kind error
	text string
}{
	{reconcile.ErrDrifted, "plan again"},
	{licensing.ErrOutcomeUnknown, "perhaps done; run it again to make sure"},
	{licensing.ErrNoAvailableLicenses, "no seat is free"},
	{licensing.ErrUsageLocation, "set the user's usage location, or choose a product that is sold there"},
	{licensing.ErrPlanDependency, "another service plan is needed with it"},
	{licensing.ErrPlanConflict, "it cannot be had together with another plan"},
	{licensing.ErrUnknownSKU, "the tenant has no such product"},
	{licensing.ErrNotAssignable, "it is for the company, not for users or groups"},
	{licensing.ErrNotAssigned, "there is nothing to remove"},
	{licensing.ErrInherited, "it comes from a group; change it there"},
	{licensing.ErrProxyAddressConflict, "a mail address is in use twice"},
	{licensing.ErrDelegatedOnly, "-me needs a user's token, not an application's"},
	{licensing.ErrNotFound, "there is no such user or group"},
	{licensing.ErrForbidden, "the permission or the role is missing"},
	{licensing.ErrUnauthorized, "not signed in"},
	{licensing.ErrThrottled, "too many requests"},
	{licensing.ErrListingExpired, "Graph has lost its place in the list; start again"},
	{licensing.ErrUnsupportedQuery, "Graph cannot answer this filter"},
	{licensing.ErrUnavailable, "Graph cannot be reached"},
	{licensing.ErrStopped, "it was not sent"},
	{context.DeadlineExceeded, "time is up, but what was accepted goes on; see -timeout"},
}

// Kind returns the sentinel that says most of an error, or nil if there is none.
func Kind(err error) error {
	for _, a := range advices {
		if errors.Is(err, a.kind) {
			return a.kind
		}
	}
	if kinds := licensing.Kinds(err); len(kinds) > 0 {
		return kinds[0]
	}
	return nil
}

// Advice returns what can be done about an error, if anything is known.
func Advice(err error) string {
	for _, a := range advices {
		if errors.Is(err, a.kind) {
			return a.text
		}
	}
	return ""
}

// Explain puts what can be done about an error before it.
func Explain(err error) string {
	if text := Advice(err); text != "" {
		return text + ": " + err.Error()
	}
	return err.Error()
}

// Cause says in a few words why an assignment failed, and nothing when it did
// not. Err would name the product and the group as well, by their ids.
func Cause(state licensing.LicenseAssignmentState) string {
	err := state.Err()
	switch text := Advice(err); {
	case err == nil:
		return ""
	case text != "":
		return text + " (" + string(state.Error) + ")"
	case state.Error == licensing.AssignmentErrorOther:
		return "held up by another license, as a rule (Other)"
	case state.Error == "" || state.Error == licensing.AssignmentErrorNone:
		return "no cause given"
	}
	return string(state.Error)
}
