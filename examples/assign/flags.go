package main

import (
	"context"
	"errors"
	"io"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// A command is what the flags ask for.
type command struct {
	cloud       licensing.Cloud
	user, group string
	me          bool
	add         [][]string // SKUs, each with the plans that are to be off
	remove      []string
	reprocess   bool
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("assign", &c.cloud)
	flags.StringVar(&c.user, "user", "", "change the user with this `id or name`")
	flags.BoolVar(&c.me, "me", false, "change the signed-in user")
	flags.StringVar(&c.group, "group", "", "change the group with this `id`")
	flags.Lists("add", "add a `SKU[,plan…]`, the plans named being off; by GUID or name; may be repeated", func(list []string) { c.add = append(c.add, list) })
	flags.List(&c.remove, "remove", "remove `SKU[,SKU…]`, by GUID or part number; may be repeated")
	flags.BoolVar(&c.reprocess, "reprocess", false, "work out the group-based licenses of the user again")
	return &c, flags.Parse(args, usage, c.check)
}

// targets counts what is to be changed, of which there can be one.
func (c *command) targets() (n int) {
	for _, named := range []bool{c.user != "", c.me, c.group != ""} {
		if named {
			n++
		}
	}
	return n
}

func (c *command) check() error {
	targets := c.targets()
	changes := len(c.add)+len(c.remove) > 0
	switch {
	case targets > 1:
		return errors.New("-user, -me and -group exclude each other")
	case targets == 0 && (changes || c.reprocess || connect.HasCredentials()):
		return errors.New("name a target with -user, -me or -group")
	case c.reprocess && c.group != "":
		return errors.New("-reprocess is for users")
	case c.reprocess && changes:
		return errors.New("-reprocess goes without -add and -remove")
	case targets == 1 && !changes && !c.reprocess:
		return errors.New("say what to do with -add, -remove or -reprocess")
	}
	return nil
}

// change finds the ids of what is named.
func (c *command) change(ctx context.Context, client *licensing.Client) (licensing.AssignLicenseRequest, error) {
	var change licensing.AssignLicenseRequest
	ids := names.NewIDs(client)
	for _, list := range c.add {
		license, err := license(ctx, ids, list)
		if err != nil {
			return change, err
		}
		change.AddLicenses = append(change.AddLicenses, license)
	}
	for _, name := range c.remove {
		sku, err := ids.SKU(ctx, name)
		if err != nil {
			return change, err
		}
		change.RemoveLicenses = append(change.RemoveLicenses, sku)
	}
	return change, nil
}

// license returns what the names of a SKU and of plans that are to be off stand
// for.
func license(ctx context.Context, ids *names.IDs, list []string) (license licensing.AssignedLicense, err error) {
	if license.SKUID, err = ids.SKU(ctx, list[0]); err != nil {
		return license, err
	}
	for _, name := range list[1:] {
		plan, err := ids.ServicePlan(ctx, license.SKUID, name)
		if err != nil {
			return license, err
		}
		license.DisabledPlans = append(license.DisabledPlans, plan)
	}
	return license, nil
}
