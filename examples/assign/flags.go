package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/connect"
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
	flags := flag.NewFlagSet("assign", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, and main's to print
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
	flags.StringVar(&c.cloud, "cloud", "global", "the `cloud` of the tenant: "+connect.CloudNames)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(usage)
			flags.Usage()
		}
		return nil, err
	}

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
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
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

// explain puts what can be done about an error before it.
func explain(err error) string {
	for _, advice := range []struct {
		kind error
		text string
	}{
		{licensing.ErrOutcomeUnknown, "perhaps done; run it again to make sure"},
		{licensing.ErrNoAvailableLicenses, "no seat is free"},
		{licensing.ErrUsageLocation, "set the user's usage location, or choose a product that is sold there"},
		{licensing.ErrPlanDependency, "another service plan is needed with it"},
		{licensing.ErrPlanConflict, "it cannot be had together with another plan"},
		{licensing.ErrUnknownSKU, "the tenant has no such product"},
		{licensing.ErrNotAssigned, "there is nothing to remove"},
		{licensing.ErrInherited, "it comes from a group; change it there"},
		{licensing.ErrProxyAddressConflict, "a mail address is in use twice"},
		{licensing.ErrDelegatedOnly, "-me needs a user's token, not an application's"},
		{licensing.ErrNotFound, "there is no such user or group"},
		{licensing.ErrForbidden, "the permission or the role is missing"},
		{licensing.ErrUnauthorized, "not signed in"},
		{licensing.ErrThrottled, "too many requests"},
		{licensing.ErrUnavailable, "Graph cannot be reached"},
	} {
		if errors.Is(err, advice.kind) {
			return advice.text + ": " + err.Error()
		}
	}
	return err.Error()
}
