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

const help = `usage: bulk [flags]

Without credentials in the environment it works on a fake tenant, and without
-in there on an input of its own.

`

const inputHelp = `
The input is CSV:

` + sampleCSV + `
or an operation as JSON on each line, which is what -plan writes:

` + sampleJSON + `
A cell takes several names, with blanks or semicolons between them. SKUs and
plans are given by part number and plan name, or by GUID.

  in add     SKU       the SKU with all its plans, also where some are off now
             SKU-PLAN  the SKU without this plan; several add up
  in remove  SKU       not the SKU any longer
             SKU-PLAN  the plan off, and the others of the SKU as they are

What a user has already, or has not, is not asked for again. What the rows of
one user ask for is made as a whole or not at all.

Ctrl-C, or SIGTERM, begins nothing more and settles what was sent; a second one
stops at once, and leaves that in doubt. -resume goes on after either, and after
a crash. The exit status is 0 when all was done, 1 when not, and 2 when the flags,
the input or the file of -out cannot be used.
`

const (
	sampleCSV = `userPrincipalName,add,remove,usageLocation
user0001@contoso.example,ENTERPRISEPACK-YAMMER_ENTERPRISE,M365_F1,DE
user0006@contoso.example,,ENTERPRISEPACK-EXCHANGE_S_ENTERPRISE,
`
	sampleJSON = `{"kind":"setUsageLocation","target":"user0001@contoso.example","usageLocation":"DE"}
{"kind":"assignUser","target":"user0001@contoso.example","request":{"addLicenses":[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"]}],"removeLicenses":["50f60901-3181-4b75-8a2c-4c8e4c1d5a72"]}}
`
)

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("bulk", &c.cloud)
	flags.StringVar(&c.in, "in", "", "read the changes from this `file`; - is the standard input")
	flags.StringVar(&c.out, "out", "", "write the results to this `file`; - is the standard output")
	flags.BoolVar(&c.resume, "resume", false, "leave out what the file of -out shows as done, and add to it")
	flags.BoolVar(&c.dryRun, "dry-run", false, "show for each user what would change, and change nothing")
	flags.StringVar(&c.plan, "plan", "", "with -dry-run, write the operations to this `file`, for -in")
	flags.BoolVar(&c.force, "force", false, "start although seats are missing")
	flags.IntVar(&c.options.StopAfterFailures, "stop-after", 0, "stop after this `number` of failures; 0 never does")
	flags.BoolVar(&c.options.StopAddingWithoutSeats, "stop-without-seats", false, "as -force, and add no more once the seats are gone")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintLines()
		fmt.Fprint(flags.Output(), inputHelp)
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
