package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

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

func TestEnd(t *testing.T) {
	bad := errors.New("bad")
	const usage = "run tool -h for usage\n"
	for _, test := range []struct {
		err    error
		status int
		notes  string
	}{
		{nil, 0, ""},
		{flag.ErrHelp, 0, ""},
		{bad, 1, "tool: bad\n"},
		{licensing.ErrNotFound, 1, "tool: there is no such user or group: not found\n"},
		{fmt.Errorf("x: %w", UsageError{bad}), 2, "tool: x: bad\n" + usage},
		{licensing.ErrInvalidArgument, 2, "tool: invalid argument\n" + usage},
		{licensing.ErrUnknownSKU, 2, "tool: the tenant has no such product: SKU is not in the tenant\n" + usage},
	} {
		var notes bytes.Buffer
		if status := end("tool", test.err, &notes); status != test.status || notes.String() != test.notes {
			t.Errorf("%v ends with %d and %q, want %d and %q", test.err, status, notes.String(), test.status, test.notes)
		}
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
		{licensing.AssignmentStateError, licensing.AssignmentErrorOther, "held up by another license, as a rule (Other)"},
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
	type values struct {
		list    []string
		cloud   licensing.Cloud
		timeout time.Duration
	}
	bad := errors.New("they do not go together")
	parse := func(args string) (v values, usage string, err error) {
		var out bytes.Buffer
		flags := NewFlags("tool", &v.cloud)
		flags.List(&v.list, "list", "some `names`")
		flags.Timeout(&v.timeout, "`how long`")
		err = flags.Parse(strings.Split(args, "|"), &out, func() error {
			if v.timeout == time.Hour {
				return bad
			}
			return nil
		})
		return v, out.String(), err
	}
	for args, want := range map[string]values{
		"-list|a, b|-list=c|-cloud|China|-timeout|1ns": {[]string{"a", "b", "c"}, licensing.CloudChina, 1},
		"-list|a": {[]string{"a"}, licensing.CloudGlobal, 10 * time.Minute},
	} {
		if got, usage, err := parse(args); err != nil || usage != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %q, %v, want %+v", args, got, usage, err, want)
		}
	}
	if _, usage, err := parse("-h"); !errors.Is(err, flag.ErrHelp) || Status(err) == 2 || !strings.Contains(usage, "-list names\n    \tsome names\n") {
		t.Errorf("help: got %q, %v", usage, err)
	}
	for _, args := range []string{"-list|a,", "-list=", "more", "-x", "-cloud=", "-cloud|mars", "-timeout|0", "-timeout|-1s", "-timeout|1", "-timeout|1h"} {
		if _, usage, err := parse(args); err == nil || Status(err) != 2 || usage != "" {
			t.Errorf("%s: got %q, %v", args, usage, err)
		}
	}
}
