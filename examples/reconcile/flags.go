package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A command is what the command line asks for.
type command struct {
	cloud       licensing.Cloud
	verb        string
	args        []string
	json        bool
	to, results string
	yes, dryRun bool
	everybody   bool
	wait        bool
	maxRemovals int
	stopAfter   int
}

const help = `usage: reconcile command [flags] [arguments]

  plan FILE        show who gains and loses what
  apply FILE       make it so, by the same file or by the changes that plan -o wrote
  snapshot USER…   write what people have directly, as a file for plan; of all
                   users without an argument
  leaver USER…     take all direct licenses away from users
  covered SKU…     take direct licenses away that groups make needless; of all
                   SKUs without an argument
  demo             print the file of the fake tenant

Without credentials in the environment it works on a fake tenant, and without
FILE there on an input of its own. FILE - is the standard input.

`

const statuses = `
The exit status is 0 when all is as it should be, 1 when something failed or cannot
be reached, 2 when there is something to do for plan and -dry-run, and 3 when
the command line or a file cannot be used. README.md tells more.
`

var verbs = []string{"plan", "apply", "snapshot", "leaver", "covered", "demo"}

// parse reads the command line. On a real tenant nothing has a default.
func parse(args []string, usage io.Writer, real bool) (*command, error) {
	c := &command{}
	flags := cli.NewFlags("reconcile", &c.cloud)
	flags.BoolVar(&c.json, "json", false, "print JSON: of plan and -dry-run the changes, of snapshot the same file")
	flags.BoolVar(&c.everybody, "all", false, "name everybody, also where many gain and lose the same")
	flags.StringVar(&c.to, "o", "", "of plan and -dry-run, write the changes to this `file`, for apply; of snapshot, the file")
	flags.StringVar(&c.results, "out", "", "add the results to this `file`; - is the standard output")
	flags.BoolVar(&c.yes, "yes", false, "take away without a question")
	flags.IntVar(&c.maxRemovals, "max-removals", -1, "take away without a question from no more than this `number` of people; if it were more, change nothing")
	flags.BoolVar(&c.dryRun, "dry-run", false, "of leaver and covered, show the changes and make none")
	flags.BoolVar(&c.wait, "wait", false, "wait until groups have passed their changes on to their members")
	flags.IntVar(&c.stopAfter, "stop-after", 0, "stop after this `number` of failures; 0 never does")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintLines()
		fmt.Fprint(flags.Output(), statuses)
	}
	err := flags.ParseArgs(args, usage, func(args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("name a command: %s", strings.Join(verbs, ", "))
		}
		c.verb, c.args = args[0], args[1:]
		return c.check(real)
	})
	return c, err
}

func (c *command) check(real bool) error {
	files := c.verb == "plan" || c.verb == "apply"
	shows := c.verb == "plan" || c.verb == "snapshot" || c.dryRun
	switch {
	case !slices.Contains(verbs, c.verb):
		return fmt.Errorf("there is no command %q; there are %s", c.verb, strings.Join(verbs, ", "))
	case files && len(c.args) > 1, c.verb == "demo" && len(c.args) > 0:
		return fmt.Errorf("unexpected argument %q", c.args[len(c.args)-1])
	case files && len(c.args) == 0 && real:
		return errors.New("name a file")
	case c.verb == "demo" && real:
		return errors.New("demo is of the fake tenant")
	case c.verb == "leaver" && len(c.args) == 0:
		return errors.New("name users")
	case c.dryRun && files:
		return errors.New("plan is the dry run of apply")
	case (c.json || c.to != "") && !shows:
		return errors.New("-json and -o go with plan, snapshot and -dry-run")
	case shows && (c.results != "" || c.yes || c.maxRemovals >= 0):
		return fmt.Errorf("%s changes nothing, so -out, -yes and -max-removals are not for it", c.verb)
	case c.yes && c.maxRemovals >= 0:
		return errors.New("-yes has no limit, and -max-removals is one")
	case c.maxRemovals < -1 || c.stopAfter < 0:
		return errors.New("a number cannot be negative")
	}
	return nil
}
