package main

import (
	"bytes"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
)

func TestRunsOnTheFake(t *testing.T) {
	t.Setenv("AZURE_CLIENT_SECRET", "")
	var out, usage bytes.Buffer
	if err := run(t.Context(), nil, &out, &usage); err != nil || usage.Len() > 0 || !strings.Contains(out.String(), "\nreprocessed ") {
		t.Errorf("got %v, %q and\n%s", err, usage.String(), out.String())
	}
	if err := run(t.Context(), []string{"-user", "x@contoso.example"}, &out, &usage); !errors.Is(err, licensing.ErrNotFound) {
		t.Errorf("another user: got %v", err)
	}
}

func TestMisuses(t *testing.T) {
	t.Setenv("AZURE_CLIENT_SECRET", "secret")
	clitest.Misuses(t, run, []clitest.Failure{{"no user", "", "name a user with -user"}})
	if out, usage, err := clitest.Run(t, run, "-h"); !errors.Is(err, flag.ErrHelp) || out != "" || !strings.Contains(usage, "\n  -user id or name\n") {
		t.Errorf("help: got %v, %q and\n%s", err, out, usage)
	}
}
