// Groupwait assigns a product to a group, waits until Graph has brought it to
// the members, and says who did not get it and why. With -reprocess it then
// tries again for those. Without credentials in the environment it works on a
// fake tenant; without flags either, Sales gets E3, one seat is missing, and a
// seat becomes free before the second try.
//
//	go run ./groupwait -group 1132b215-826f-42a9-8cfe-1643d19d17fd -sku ENTERPRISEPACK -timeout 1h
//
// A product that the group has already is left as it is, so the tool can be run
// again to wait on, or to repair what was in error. That needs the permission
// User.ReadWrite.All.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func main() { cli.Main("groupwait", run) }

// A command is what the flags ask for.
type command struct {
	cloud      licensing.Cloud
	group, sku string
	timeout    time.Duration
	reprocess  bool
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("groupwait", &c.cloud)
	flags.StringVar(&c.group, "group", "", "the `id` of the group")
	flags.StringVar(&c.sku, "sku", "", "the `product`, by GUID or part number")
	flags.Timeout(&c.timeout, "`how long` to wait for the members; large groups take hours")
	flags.BoolVar(&c.reprocess, "reprocess", false, "try again for the members in error")
	return &c, flags.Parse(args, usage, c.check)
}

func (c *command) check() error {
	if (c.group == "") != (c.sku == "") || c.group == "" && (c.reprocess || connect.HasCredentials()) {
		return errors.New("name a group and a product with -group and -sku")
	}
	return nil
}

func run(ctx context.Context, args []string, out, usage io.Writer) error {
	cmd, err := parse(args, usage)
	if err != nil {
		return err
	}
	if connect.HasCredentials() {
		client, err := connect.RealTenant(cmd.cloud)
		if err != nil {
			return err
		}
		return cmd.do(ctx, client, out, func(context.Context) error { return nil })
	}
	fmt.Fprintln(out, contoso.Notice)
	if cmd.group == "" {
		cmd.group, cmd.sku, cmd.reprocess = contoso.Sales, "ENTERPRISEPACK", true
	}
	demo := newDemo(out)
	return cmd.do(ctx, demo.client, out, demo.freeSeat)
}
