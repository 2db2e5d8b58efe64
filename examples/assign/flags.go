package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// A command is what the flags ask for.
type command struct {
	cloud       licensing.Cloud
	user, group string
	me          bool
	change      licensing.AssignLicenseRequest
	reprocess   bool
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("assign", &c.cloud)
	flags.StringVar(&c.user, "user", "", "change the user with this `id or name`")
	flags.BoolVar(&c.me, "me", false, "change the signed-in user")
	flags.StringVar(&c.group, "group", "", "change the group with this `id`")
	flags.Func("add", "add a `SKU[,plan…]`, the plans named being off; may be repeated", func(value string) error {
		ids, err := parseIDs(strings.Split(value, ","))
		if err == nil {
			c.change.AddLicenses = append(c.change.AddLicenses, licensing.AssignedLicense{SKUID: ids[0], DisabledPlans: ids[1:]})
		}
		return err
	})
	flags.Func("remove", "remove a `SKU`; may be repeated", func(value string) error {
		ids, err := parseIDs([]string{value})
		c.change.RemoveLicenses = append(c.change.RemoveLicenses, ids...)
		return err
	})
	flags.BoolVar(&c.reprocess, "reprocess", false, "work out the group-based licences of the user again")
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
	changes := len(c.change.AddLicenses)+len(c.change.RemoveLicenses) > 0
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

func parseIDs(texts []string) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, text := range texts {
		id, err := uuid.Parse(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is not a GUID", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
