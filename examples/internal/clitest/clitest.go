// Package clitest runs the command line tools among the examples in tests.
package clitest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// A Tool is what cli.Main runs.
type Tool func(ctx context.Context, args []string, out, notes io.Writer) error

// Run runs a tool on the fake tenant, without waiting in earnest, and returns
// what it prints and what it notes beside that.
func Run(t *testing.T, run Tool, args ...string) (out, notes string, err error) {
	t.Helper()
	for _, name := range connect.Variables {
		t.Setenv(name, "")
	}
	synctest.Test(t, func(t *testing.T) {
		var printed, noted bytes.Buffer
		err = run(t.Context(), args, &printed, &noted)
		out, notes = printed.String(), noted.String()
	})
	return out, notes, err
}

// A Failure is a command line, and how the line starts that tells of its error.
type Failure = struct{ Name, Args, Want string }

// Misuses has a tool called in ways in which it cannot be, and in those in
// which none can.
func Misuses(t *testing.T, run Tool, misuses []Failure) {
	t.Helper()
	fails(t, run, 2, append(misuses, []Failure{
		{"argument", "x", `unexpected argument "x"`},
		{"unknown flag", "-x", "flag provided but not defined: -x"},
		{"unknown cloud", "-cloud mars", `invalid value "mars" for flag -cloud: there are global, `},
	}...))
}

// Failures has a tool called in ways that are right, but do not succeed.
func Failures(t *testing.T, run Tool, failures []Failure) {
	t.Helper()
	fails(t, run, 1, failures)
}

func fails(t *testing.T, run Tool, status int, failures []Failure) {
	t.Helper()
	for _, f := range failures {
		t.Run(f.Name, func(t *testing.T) {
			_, _, err := Run(t, run, strings.Fields(f.Args)...)
			if err == nil {
				t.Fatal("got no error")
			}
			line := cli.Explain(err)
			if got := cli.Status(err); got != status || !strings.HasPrefix(line, f.Want) || strings.Contains(line, "\n") {
				t.Errorf("got status %d and %s, want %d and one line that starts with %q", got, line, status, f.Want)
			}
		})
	}
}

// Real checks that a tool works on the real tenant where there are credentials,
// and does so no further than to its first request.
func Real(t *testing.T, run Tool, args ...string) {
	t.Helper()
	t.Setenv("GRAPH_TOKEN", "token")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := run(ctx, args, &out, &out); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("got %v and %q", err, out.String())
	}
}

// NeedsArguments checks that a tool has no defaults for the real tenant.
func NeedsArguments(t *testing.T, run Tool, want string) {
	t.Helper()
	t.Setenv("GRAPH_TOKEN", "token")
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out, &out); err == nil || cli.Status(err) != 2 || err.Error() != want || out.Len() > 0 {
		t.Errorf("got %v and %q, want %s", err, out.String(), want)
	}
}
