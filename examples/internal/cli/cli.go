// Package cli has what the command line tools among the examples share: how
// they start and end, flags, tables, and errors that fit into one line.
package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// Main runs a tool until it is done or interrupted; a second interrupt kills
// it.
func Main(name string, run func(ctx context.Context, args []string, out, notes io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(end(name, err, os.Stderr))
}

// end says in one line what an error is, and returns the status for it.
func end(name string, err error, notes io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if exit, ok := errors.AsType[ExitError](err); ok && exit.Err == nil {
		return exit.Status
	}
	fmt.Fprintf(notes, "%s: %s\n", name, Explain(err))
	if Misused(err) {
		fmt.Fprintf(notes, "run %s -h for usage\n", name)
	}
	return Status(err)
}

// Status returns that of an ExitError, 2 for another error in how a tool was called,
// and 1 for one in its work.
func Status(err error) int {
	if exit, ok := errors.AsType[ExitError](err); ok {
		return exit.Status
	}
	if Misused(err) {
		return 2
	}
	return 1
}

// Misused reports whether an error is in how a tool was called, which includes names
// that the tenant does not know.
func Misused(err error) bool {
	_, usage := errors.AsType[UsageError](err)
	return usage || errors.Is(err, licensing.ErrInvalidArgument) || errors.Is(err, licensing.ErrUnknownSKU)
}

// An ExitError has a tool end with a status of its own, and silently where Err is nil.
type ExitError struct {
	Status int
	Err    error
}

func (e ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("status %d", e.Status)
	}
	return e.Err.Error()
}

func (e ExitError) Unwrap() error { return e.Err }

// A UsageError says that a tool cannot do anything with what it was given.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// Flags are the flags of a tool.
type Flags struct{ *flag.FlagSet }

// NewFlags returns flags that have -cloud only.
func NewFlags(name string, cloud *licensing.Cloud) Flags {
	f := Flags{flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(io.Discard) // an error is one line, and Main's to print
	*cloud = licensing.CloudGlobal
	f.Func("cloud", "the `cloud` of the tenant: "+connect.CloudNames+" (default global)", func(name string) (err error) {
		*cloud, err = connect.Cloud(name)
		return err
	})
	return f
}

// Timeout defines -timeout. A wait that is over at once is refused, as the
// change would be made before that is found out.
func (f Flags) Timeout(to *time.Duration, usage string) {
	*to = 10 * time.Minute
	f.Func("timeout", usage+" (default 10m)", func(value string) (err error) {
		if *to, err = time.ParseDuration(value); err == nil && *to <= 0 {
			err = errors.New("there would be no time at all")
		}
		return err
	})
}

// List defines a flag that takes names with commas between them, and may be
// repeated.
func (f Flags) List(to *[]string, name, usage string) {
	f.Lists(name, usage, func(list []string) { *to = append(*to, list...) })
}

// Lists defines such a flag whose lists are not one.
func (f Flags) Lists(name, usage string, take func(list []string)) {
	f.Func(name, usage, func(value string) error {
		list := strings.Split(value, ",")
		for i := range list {
			if list[i] = strings.TrimSpace(list[i]); list[i] == "" {
				return errors.New("a name is empty")
			}
		}
		take(list)
		return nil
	})
}

// Parse reads the flags, and has check look at them together. It prints what
// there are when it is asked to. Any other error is a UsageError.
func (f Flags) Parse(args []string, usage io.Writer, check func() error) error {
	return f.ParseArgs(args, usage, func(args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unexpected argument %q", args[0])
		}
		return check()
	})
}

// ParseArgs does so where there are arguments, too, before flags and behind them.
func (f Flags) ParseArgs(args []string, usage io.Writer, check func(args []string) error) error {
	var plain []string
	err := f.FlagSet.Parse(args)
	for err == nil && f.NArg() > 0 {
		plain = append(plain, f.Arg(0))
		err = f.FlagSet.Parse(f.Args()[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(usage)
		f.Usage()
		return err
	case err == nil:
		err = check(plain)
	}
	if err != nil {
		return UsageError{err}
	}
	return nil
}

// PrintLines prints what flags there are, one on each line.
func (f Flags) PrintLines() {
	tabs := tabwriter.NewWriter(f.Output(), 0, 0, 2, ' ', 0)
	f.VisitAll(func(one *flag.Flag) {
		value, usage := flag.UnquoteUsage(one)
		fmt.Fprintf(tabs, "  %s\t%s\n", strings.TrimSpace("-"+one.Name+" "+value), usage)
	})
	tabs.Flush()
}

// A Table lines its cells up for people to read.
type Table struct {
	out   io.Writer
	lines bytes.Buffer
	tabs  *tabwriter.Writer
}

// NewTable returns an empty table, to be printed by Flush.
func NewTable(out io.Writer) *Table {
	t := &Table{out: out}
	t.tabs = tabwriter.NewWriter(&t.lines, 0, 0, 2, ' ', 0)
	return t
}

// Printable leaves out of a name what would move the terminal's cursor.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
}

// Write adds a row. Names come from the directory, and are made printable.
func (t *Table) Write(cells []string) error {
	for _, cell := range cells {
		fmt.Fprint(t.tabs, Printable(cell), "\t")
	}
	_, err := fmt.Fprintln(t.tabs)
	return err
}

// Flush prints the rows, without blanks at their ends.
func (t *Table) Flush() error {
	if err := t.tabs.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(t.lines.String()) {
		if _, err := fmt.Fprintln(t.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	t.lines.Reset()
	return nil
}
