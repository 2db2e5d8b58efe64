package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// A command is what the flags ask for.
type command struct {
	cloud                 licensing.Cloud
	in, out, plan         string
	resume, dryRun, force bool
	options               licensing.BulkOptions
}

const help = `The input is CSV with the columns userPrincipalName, add, remove and usageLocation,
or has an operation as JSON on each line, which is what -plan writes.

A cell takes several names, with blanks or semicolons between them. SKUs and
plans are given by part number and plan name, or by GUID.

  in add     SKU       the SKU with all its plans, also where some are off now
             SKU-PLAN  the SKU without this plan; several add up
  in remove  SKU       not the SKU any longer
             SKU-PLAN  the plan off, and the others of the SKU as they are

What a user has already, or has not, is not asked for again. What the rows of
one user ask for is made as a whole or not at all. The exit status is 0 when
all was done, 1 when not, and 2 when the flags or the input cannot be used.

`

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("bulk", &c.cloud)
	flags.StringVar(&c.in, "in", "", "read the changes from this `file`; - is the standard input")
	flags.StringVar(&c.out, "out", "", "write the results to this `file`; - is the standard output")
	flags.BoolVar(&c.resume, "resume", false, "leave out what the file of -out shows as done, and add to it")
	flags.BoolVar(&c.dryRun, "dry-run", false, "show for each user what would change, and change nothing")
	flags.StringVar(&c.plan, "plan", "", "with -dry-run, write the operations to this `file`, for -in")
	flags.BoolVar(&c.force, "force", false, "start although seats are missing")
	flags.IntVar(&c.options.StopAfterFailures, "stop-after", 0, "stop after `so many` failures; 0 never does")
	flags.BoolVar(&c.options.StopAddingWithoutSeats, "stop-without-seats", false, "start although seats are missing, and send no more of what needs them once they are gone")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintDefaults()
	}
	return &c, flags.Parse(args, usage, c.check)
}

func (c *command) check() error {
	switch {
	case c.in == "" && connect.HasCredentials():
		return errors.New("name a file with -in")
	case c.resume && c.out == "":
		return errors.New("-resume needs -out, the results so far")
	case c.resume && c.out == "-":
		return errors.New("-resume needs a file in -out, and not the standard output")
	case c.dryRun && c.out != "" && !c.resume:
		return errors.New("-dry-run has no results for -out")
	case c.plan != "" && !c.dryRun:
		return errors.New("-plan goes with -dry-run")
	case c.options.StopAfterFailures < 0:
		return errors.New("-stop-after cannot be negative")
	case sameFile(c.plan, c.in) || sameFile(c.plan, c.out):
		return errors.New("-plan would write over the file of -in or -out")
	}
	return nil
}

// sameFile reports whether two names are of one file that is there.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
