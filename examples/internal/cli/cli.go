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
	"unicode"

	"github.com/graphlicensing/licensing/examples/internal/connect"
)

// Main runs a tool until it is done or interrupted; a second interrupt kills
// it. An error is one line and ends it with status 1, a UsageError with 2.
func Main(name string, run func(ctx context.Context, args []string, out, notes io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, Explain(err))
		os.Exit(status(err))
	}
}

// A UsageError says that a tool cannot do anything with what it was given.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

func status(err error) int {
	if _, ok := errors.AsType[UsageError](err); ok {
		return 2
	}
	return 1
}

// Flags are the flags of a tool.
type Flags struct {
	*flag.FlagSet
	Cloud string // for connect.RealTenant
}

// NewFlags returns flags that have -cloud only.
func NewFlags(name string) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.SetOutput(io.Discard) // an error is one line, and Main's to print
	f.StringVar(&f.Cloud, "cloud", "global", "the `cloud` of the tenant: "+connect.CloudNames)
	return f
}

// List defines a flag that takes names with commas between them, and may be
// repeated.
func (f *Flags) List(to *[]string, name, usage string) {
	f.Func(name, usage, func(value string) error {
		for text := range strings.SplitSeq(value, ",") {
			if text = strings.TrimSpace(text); text == "" {
				return errors.New("a name is empty")
			}
			*to = append(*to, text)
		}
		return nil
	})
}

// Parse reads the flags, and prints what there are when it is asked to.
func (f *Flags) Parse(args []string, usage io.Writer) error {
	err := f.FlagSet.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(usage)
		f.Usage()
	case err == nil && f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return err
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
