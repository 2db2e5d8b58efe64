package main

import (
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// A command is what the flags ask for.
type command struct {
	cloud       licensing.Cloud
	user, group string
	sku         string
	edits       []edit // one after the other
	dryRun      bool
	timeout     time.Duration
}

// An edit is a change of plans by their names.
type edit struct{ enable, disable, only []string }

func parse(args []string, usage io.Writer) (*command, error) {
	c := command{edits: make([]edit, 1)}
	e := &c.edits[0]
	flags := cli.NewFlags("plans", &c.cloud)
	flags.StringVar(&c.user, "user", "", "change the user with this `id or name`")
	flags.StringVar(&c.group, "group", "", "change the group with this `id`")
	flags.StringVar(&c.sku, "sku", "", "the `product`, by GUID or part number")
	flags.List(&e.enable, "enable", "switch on `plan[,plan…]`, by GUID or name; may be repeated")
	flags.List(&e.disable, "disable", "switch off `plan[,plan…]`; may be repeated")
	flags.List(&e.only, "only", "switch on `plan[,plan…]` and all others off; may be repeated")
	flags.BoolVar(&c.dryRun, "dry-run", false, "show what would change, and change nothing")
	flags.Timeout(&c.timeout, "`how long` to wait until a change shows")
	return &c, flags.Parse(args, usage, c.check)
}

func (c *command) check() error {
	e := c.edits[0]
	edits := len(e.enable)+len(e.disable) > 0
	switch targeted := c.user != "" || c.group != ""; {
	case c.user != "" && c.group != "":
		return errors.New("-user and -group exclude each other")
	case !targeted && (c.sku != "" || edits || len(e.only) > 0 || connect.HasCredentials()):
		return errors.New("name a target with -user or -group")
	case targeted && c.sku == "":
		return errors.New("name a product with -sku")
	case edits && len(e.only) > 0:
		return errors.New("-only goes without -enable and -disable")
	case targeted && !edits && len(e.only) == 0:
		return errors.New("say what to do with -enable, -disable or -only")
	}
	return nil
}

// change finds the plans of the edit.
func (e edit) change(tenant *names.Names, sku licensing.SubscribedSKU) (licensing.ServicePlanChange, error) {
	var change licensing.ServicePlanChange
	for _, list := range []struct {
		names []string
		to    *[]uuid.UUID
	}{{e.enable, &change.Enable}, {e.disable, &change.Disable}, {e.only, &change.EnableOnly}} {
		for _, name := range list.names {
			plan, err := tenant.ServicePlan(sku.SKUID, name)
			if err != nil {
				return change, err
			}
			*list.to = append(*list.to, plan.ServicePlanID)
		}
	}
	return change, nil
}
