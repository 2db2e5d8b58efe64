// Reconcile brings users and groups to the licenses that a YAML file says they are to
// have. It is made for pipelines: plan shows who would gain and lose what, and tells
// by its exit status whether there is anything to do; apply does it.
//
// Without credentials in the environment it works on a fake tenant with 2,000 users,
// and without a file there on one of its own, in which people join, move and leave.
//
//	go run ./reconcile plan
//	go run ./reconcile plan licenses.yaml -o changes.json
//	go run ./reconcile apply changes.json -out results.jsonl
//
// README.md beside this file has the form of the YAML, the commands and the statuses.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

func main() {
	cli.MainDraining("reconcile", func(ctx, draining context.Context, args []string, out, notes io.Writer) error {
		return run(ctx, draining, args, streams{os.Stdin, out, notes}, nil)
	})
}

// The exit statuses beside 0.
const (
	statusFailed  = 1
	statusChanges = 2 // plan found something to do
	statusMisuse  = 3 // the command line, or a file, cannot be used
)

// streams are what a tool reads and prints.
type streams struct {
	in         io.Reader
	out, notes io.Writer
}

// run runs the tool on the client's tenant, or on that of the environment.
func run(ctx, draining context.Context, args []string, s streams, client *licensing.Client) error {
	err := start(ctx, draining, args, s, client)
	_, own := errors.AsType[cli.ExitError](err)
	if err != nil && !own && !errors.Is(err, flag.ErrHelp) && cli.Misused(err) {
		return cli.ExitError{Status: statusMisuse, Err: err}
	}
	return err
}

func start(ctx, draining context.Context, args []string, s streams, client *licensing.Client) error {
	cmd, err := parse(args, s.notes, client != nil || connect.HasCredentials())
	if err != nil {
		return err
	}
	j := job{command: cmd, streams: s, client: client, ctx: ctx, draining: draining}
	switch {
	case client != nil:
	case connect.HasCredentials():
		if j.client, err = connect.RealTenant(cmd.cloud); err != nil {
			return err
		}
	default:
		fmt.Fprintln(s.notes, contoso.Notice)
		if err := j.useDemo(); err != nil {
			return err
		}
	}
	return j.do()
}

// A job is one run of the tool on one tenant.
type job struct {
	*command
	streams
	ctx, draining context.Context // nothing is begun after the second; what is under way is in doubt after the first
	client        *licensing.Client
	tenant        *names.Names
	demo          []byte // the file of the fake tenant
}

// do does the whole job.
func (j *job) do() (err error) {
	if j.verb == "demo" {
		_, err = j.out.Write(j.demo)
		return err
	}
	if j.tenant, err = names.Read(j.draining, j.client); err != nil {
		return err
	}
	switch j.verb {
	case "snapshot":
		return j.snapshot()
	case "plan":
		return j.plan()
	}
	return j.change()
}
