package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A command is what the flags ask for.
type command struct {
	target    string // "user", "me", "group", or "" when none was named
	name      string
	change    licensing.AssignLicenseRequest
	reprocess bool
	cloud     string
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("assign")
	user := flags.String("user", "", "change the user with this `id or name`")
	me := flags.Bool("me", false, "change the signed-in user")
	group := flags.String("group", "", "change the group with this `id`")
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
	if err := flags.Parse(args, usage); err != nil {
		return nil, err
	}
	c.cloud = flags.Cloud

	targets := 0
	for kind, name := range map[string]string{"user": *user, "group": *group} {
		if name != "" {
			c.target, c.name, targets = kind, name, targets+1
		}
	}
	if *me {
		c.target, targets = "me", targets+1
	}
	changes := len(c.change.AddLicenses)+len(c.change.RemoveLicenses) > 0
	switch {
	case targets > 1:
		return nil, errors.New("-user, -me and -group exclude each other")
	case targets == 0 && (changes || c.reprocess):
		return nil, errors.New("name a target with -user, -me or -group")
	case c.reprocess && c.target == "group":
		return nil, errors.New("-reprocess is for users")
	case c.reprocess && changes:
		return nil, errors.New("-reprocess goes without -add and -remove")
	case targets == 1 && !changes && !c.reprocess:
		return nil, errors.New("say what to do with -add, -remove or -reprocess")
	}
	return &c, nil
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
