// Probe asks a tenant whether Microsoft Graph is as this library and its fake
// tenant take it to be. Each fact has the name that it has in
// licensingtest/FIDELITY.md, and is confirmed, contradicted, or not seen: the
// tenant has nothing to show it, or the token may not read it. Facts that no
// tenant can settle are listed as not checked, with the reason.
//
//	go run ./probe
//	go run ./probe -json > report.json
//	go run ./probe -write test@contoso.com -sku ENTERPRISEPACK
//
// It only reads, unless -write names a test user. That user is given one SKU
// and loses it again, and the usage location is changed and set back, also
// after an interrupt; a second interrupt kills the tool at once. It is refused
// for a user who has the SKU, or has no usage location.
//
// The report is made to be attached to an issue. It has the facts' names, and
// from answers their status, error code and text. In these, whatever could
// tell who was asked is left out: ids, quoted values, addresses, numbers, and every
// text that the tenant's answers contain. No token is in it, and no name of a
// tenant, user or group.
//
// The status is 0 when nothing is contradicted, 1 when something is, and 2 when
// the probe was misused or failed. Without credentials in the environment it
// asks a fake tenant.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func main() {
	cli.Main("probe", func(ctx context.Context, args []string, out, notes io.Writer) error {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM) // beside interrupts
		defer stop()
		return run(ctx, args, out, notes)
	})
}

// A command is what the flags ask for.
type command struct {
	cloud     licensing.Cloud
	user, sku string // to write to, and what
	json      bool
	lag       time.Duration // what reads are given to show a write
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("probe", &c.cloud)
	flags.StringVar(&c.user, "write", "", "make and take back changes on the test user with this `id or name`")
	flags.StringVar(&c.sku, "sku", "", "the `SKU` to give the test user, by GUID or part number")
	flags.BoolVar(&c.json, "json", false, "print the report as JSON, and the table beside it")
	return &c, flags.Parse(args, usage, func() error {
		if (c.user == "") != (c.sku == "") {
			return errors.New("-write and -sku go together")
		}
		return nil
	})
}

func run(ctx context.Context, args []string, out, notes io.Writer) error {
	cmd, err := parse(args, notes)
	if err != nil {
		return err
	}
	if connect.HasCredentials() {
		tokens, err := connect.Tokens(cmd.cloud)
		if err != nil {
			return cli.UsageError{Err: err}
		}
		cmd.lag = 30 * time.Second
		return cmd.run(ctx, tokens, licensing.NewTransport(), out, notes)
	}
	fmt.Fprintln(notes, contoso.Notice)
	return cmd.run(ctx, licensing.StaticToken(fakeToken), newTenant().RoundTripper(), out, notes)
}

// run asks a tenant and prints the report, also of a probe that failed half way.
func (c *command) run(ctx context.Context, tokens licensing.TokenSource, transport http.RoundTripper, out, notes io.Writer) error {
	p, err := newProbe(c.cloud, tokens, transport)
	if err == nil {
		p.lag = c.lag
		err = p.look(ctx)
	}
	if err == nil && c.user != "" {
		err = p.choose(ctx, c.user, c.sku, notes)
	}
	if err != nil {
		return cli.UsageError{Err: err}
	}
	err = p.runAll(ctx)
	if printed := c.print(p.report, out, notes); err == nil {
		err = printed
	}
	if err != nil {
		return cli.UsageError{Err: err}
	}
	if n := p.report.count(contradicted); n > 0 {
		return fmt.Errorf("contradicted: %d", n)
	}
	return nil
}

func (c *command) print(r report, out, notes io.Writer) error {
	if !c.json {
		return r.printTable(out)
	}
	if err := r.printJSON(out); err != nil {
		return err
	}
	return r.printTable(notes)
}
