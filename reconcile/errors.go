package reconcile

import (
	"errors"
	"fmt"

	"github.com/graphlicensing/licensing"
)

// The errors of this package, for use with [errors.Is]. They say why [Apply] did
// not do something. All other errors are those of package licensing.
var (
	// ErrTooManyRemovals says that more people would lose something than
	// ApplyOptions.MaxRemovals allows. Nothing was sent.
	ErrTooManyRemovals = errors.New("more removals than are allowed")
	// ErrDrifted says that somebody changed the licenses since the plan. The licenses
	// match neither Change.Before nor Change.After. Plan again.
	ErrDrifted = errors.New("changed by somebody else since the plan")
)

// reasons are the words for the sentinels in JSON. The first that an error is counts.
var reasons = []struct {
	word string
	err  error
}{
	{"tooManyRemovals", ErrTooManyRemovals},
	{"drifted", ErrDrifted},
}

// reasonFor returns the word for the sentinel that err is, if it is one.
func reasonFor(err error) string {
	for _, reason := range reasons {
		if errors.Is(err, reason.err) {
			return reason.word
		}
	}
	return ""
}

// reasonOf returns the sentinel that a word is for, and nil for any other word.
func reasonOf(word string) error {
	for _, reason := range reasons {
		if reason.word == word {
			return reason.err
		}
	}
	return nil
}

// A reasoned is an error that was read from JSON, with its sentinel.
type reasoned struct {
	error
	reason error
}

// withReason returns an error that was read with the sentinel that a word stands for.
func withReason(err error, word string) error {
	if reason := reasonOf(word); reason != nil {
		return &reasoned{err, reason}
	}
	return err
}

func (r *reasoned) Is(target error) bool { return target == r.reason }
func (r *reasoned) Unwrap() error        { return r.error }

// mistake says what is wrong with a part of an argument, by its name.
func mistake(format string, args ...any) error { return fmt.Errorf(format, args...) }

// invalid returns an ErrInvalidArgument that says what of the arguments is wrong.
func invalid(op, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", op, licensing.ErrInvalidArgument, fmt.Sprintf(format, args...))
}
