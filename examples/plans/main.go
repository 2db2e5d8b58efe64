// Plans switches service plans of a product off and on for a user or a group,
// and shows before and after which plans are on, and from where. Without
// credentials in the environment it works on a fake tenant; without flags
// either, it switches Adele's Yammer off and on again.
//
//	go run ./plans -user adele@contoso.com -sku ENTERPRISEPACK -disable YAMMER_ENTERPRISE -dry-run
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

func main() { cli.Main("plans", run) }

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
		return cmd.do(ctx, client, out)
	}
	fmt.Fprintln(out, contoso.Notice)
	if cmd.user == "" && cmd.group == "" {
		cmd.user, cmd.sku, cmd.edits = adele, "ENTERPRISEPACK", offAndOn
	}
	return cmd.do(ctx, newTenant().Client(), out)
}

// do shows the plans, and again after each change.
func (c *command) do(ctx context.Context, client *licensing.Client, out io.Writer) error {
	tenant, err := names.Read(ctx, client)
	if err != nil {
		return err
	}
	t := target{client: client, user: c.user, group: c.group, timeout: c.timeout, names: tenant}
	if t.sku, err = tenant.SKU(c.sku); err != nil {
		return err
	}
	if err := t.read(ctx); err != nil {
		return err
	}
	if err := t.print(ctx, out, "before"); err != nil {
		return err
	}
	if t.fixed != nil {
		return t.fixed
	}
	for _, edit := range c.edits {
		change, err := edit.change(tenant, t.sku)
		if err != nil {
			return err
		}
		if err := t.switchPlans(ctx, change, c.dryRun, out); err != nil {
			return err
		}
	}
	return nil
}
