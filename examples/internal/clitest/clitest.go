// Package clitest runs the command line tools among the examples in tests.
package clitest

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// Run runs a tool on the fake tenant, without waiting in earnest, and returns
// what it prints and what it notes beside that.
func Run(t *testing.T, run func(ctx context.Context, args []string, out, notes io.Writer) error, args ...string) (out, notes string, err error) {
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
