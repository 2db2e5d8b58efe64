// Assign adds, removes and reprocesses licenses of a user, of a group, or of
// yourself. Without credentials in the environment it works on a fake tenant
// and shows what it did there; without flags either, it gives Adele an E3
// license in place of her F1.
//
//	go run ./assign -user adele@contoso.com -add ENTERPRISEPACK,YAMMER_ENTERPRISE
//
// Names are looked up, which takes the permission to read the tenant's SKUs;
// GUIDs are sent as they are.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func main() { cli.Main("assign", run) }

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
		return cmd.send(ctx, client, out)
	}

	demo := newDemo()
	if cmd.targets() == 0 {
		cmd.user = demo.user
		cmd.add, cmd.remove = demo.change()
	}
	fmt.Fprintln(out, contoso.Notice)
	demo.print(out, "before")
	err = cmd.send(ctx, demo.tenant.Client(), out)
	demo.tenant.Process() // what Graph does in its own time after a change to a group
	demo.printRequests(out)
	demo.print(out, "after")
	return err
}

// send makes the call that the flags ask for.
func (c *command) send(ctx context.Context, client *licensing.Client, out io.Writer) error {
	change, err := c.change(ctx, client)
	if err != nil {
		return err
	}
	var user *licensing.User
	switch {
	case c.group != "":
		group, err := client.AssignGroupLicense(ctx, c.group, change)
		if err == nil {
			fmt.Fprintf(out, "accepted for group %s; Graph applies it to the members later\n", group.ID)
		}
		return err
	case c.me && c.reprocess:
		user, err = client.ReprocessMyLicense(ctx)
	case c.me:
		user, err = client.AssignMyLicense(ctx, change)
	case c.reprocess:
		user, err = client.ReprocessUserLicense(ctx, c.user)
	default:
		user, err = client.AssignUserLicense(ctx, c.user, change)
	}
	if err == nil {
		fmt.Fprintf(out, "done for user %s\n", user.ID)
	}
	return err
}
