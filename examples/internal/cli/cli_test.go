package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
)

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("x: %w", licensing.ErrForbidden), "the permission or the role is missing: x: not permitted"},
		// Of an error of two kinds the one counts that says what to do.
		{fmt.Errorf("%w, %w", licensing.ErrUnavailable, licensing.ErrOutcomeUnknown), "perhaps done; run it again to make sure: service unavailable, outcome unknown"},
		{context.DeadlineExceeded, "time is up, but what was accepted goes on; see -timeout: context deadline exceeded"},
		{errors.New("x"), "x"},
	} {
		if got := Explain(test.err); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestKind(t *testing.T) {
	for _, test := range []struct{ err, want error }{
		{fmt.Errorf("x: %w", licensing.ErrForbidden), licensing.ErrForbidden},
		{fmt.Errorf("%w, %w", licensing.ErrUnavailable, licensing.ErrOutcomeUnknown), licensing.ErrOutcomeUnknown},
		{fmt.Errorf("x: %w", licensing.ErrConcurrentChange), licensing.ErrConcurrentChange},
		{errors.New("x"), nil},
		{nil, nil},
	} {
		if got := Kind(test.err); got != test.want {
			t.Errorf("%v is of kind %v, want %v", test.err, got, test.want)
		}
	}
}

func TestStatus(t *testing.T) {
	bad := errors.New("bad")
	if got := status(bad); got != 1 {
		t.Errorf("an error ends with status %d", got)
	}
	err := fmt.Errorf("x: %w", UsageError{bad})
	if got := status(err); got != 2 || !errors.Is(err, bad) || err.Error() != "x: bad" {
		t.Errorf("a usage error ends with status %d and %v", got, err)
	}
}

func TestCause(t *testing.T) {
	for _, test := range []struct {
		state licensing.AssignmentState
		err   licensing.AssignmentError
		want  string
	}{
		{licensing.AssignmentStateActive, licensing.AssignmentErrorNone, ""},
		{licensing.AssignmentStateActive, "", ""},
		{licensing.AssignmentStateError, licensing.AssignmentErrorCountViolation, "no seat is free (CountViolation)"},
		{licensing.AssignmentStateActiveWithError, licensing.AssignmentErrorUniquenessViolation, "a mail address is in use twice (UniquenessViolation)"},
		{licensing.AssignmentStateError, licensing.AssignmentErrorOther, "held up by another licence, as a rule (Other)"},
		{licensing.AssignmentStateError, licensing.AssignmentErrorNone, "no cause given"},
		{licensing.AssignmentStateError, "", "no cause given"},
		{licensing.AssignmentStateError, "Rain", "Rain"},
	} {
		if got := Cause(licensing.LicenseAssignmentState{State: test.state, Error: test.err}); got != test.want {
			t.Errorf("%s, %q: got %q, want %q", test.state, test.err, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out)
	table.Write([]string{"a", "", "c"})
	table.Write([]string{"\x1b[2JZoë\n\t", "", ""})
	table.Write([]string{"d", "e", "f"})
	if err := table.Flush(); err != nil || out.String() != "a          c\n[2JZoë\nd       e  f\n" {
		t.Errorf("got %v and %q", err, out.String())
	}
}

func TestFlags(t *testing.T) {
	parse := func(args ...string) (list []string, cloud, usage string, err error) {
		var out bytes.Buffer
		flags := NewFlags("tool")
		flags.List(&list, "list", "some `names`")
		err = flags.Parse(args, &out)
		return list, flags.Cloud, out.String(), err
	}
	if list, cloud, usage, err := parse("-list", "a, b", "-list=c", "-cloud", "china"); err != nil || usage != "" || cloud != "china" || !slices.Equal(list, []string{"a", "b", "c"}) {
		t.Errorf("got %q, %q, %q, %v", list, cloud, usage, err)
	}
	if _, _, usage, err := parse("-h"); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage, "-list names\n    \tsome names\n") {
		t.Errorf("help: got %q, %v", usage, err)
	}
	for _, args := range []string{"-list a,", "-list=", "more", "-x"} {
		if _, _, usage, err := parse(strings.Fields(args)...); err == nil || usage != "" {
			t.Errorf("%s: got %q, %v", args, usage, err)
		}
	}
}
