// Report shows who has which product, directly or through which group, what is
// in error, and how many seats are free. It changes nothing. A table is printed
// at the end, for the widest name has to be known; CSV as the users are read.
// Without credentials in the environment it reports on a fake tenant.
//
//	go run ./report -errors
//	go run ./report -csv > licenses.csv
//	go run ./report -names "Product names and service plan identifiers for licensing.csv"
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/connect"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

func main() { cli.Main("report", run) }

// A command is what the flags ask for.
type command struct {
	cloud                  licensing.Cloud
	sku, names             string
	onlyErrors, seats, csv bool
}

func parse(args []string, usage io.Writer) (*command, error) {
	var c command
	flags := cli.NewFlags("report", &c.cloud)
	flags.StringVar(&c.sku, "sku", "", "only this `product`, by GUID, part number or name, and those who have it; with -errors those who should")
	flags.BoolVar(&c.onlyErrors, "errors", false, "only what is in error")
	flags.BoolVar(&c.seats, "seats", false, "only the seats, not who has them")
	flags.BoolVar(&c.csv, "csv", false, "print CSV; the seats are a file of their own, with -seats")
	flags.StringVar(&c.names, "names", "", "take names of products from this `file`, Microsoft's list of them")
	return &c, flags.Parse(args, usage, func() error {
		if c.onlyErrors && c.seats {
			return errors.New("-errors and -seats exclude each other")
		}
		return nil
	})
}

// readNames reads Microsoft's list, if a file is named.
func readNames(file string) (*licensing.ProductNames, error) {
	if file == "" {
		return nil, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return licensing.ReadProductNames(in)
}

func run(ctx context.Context, args []string, out, notes io.Writer) error {
	cmd, err := parse(args, notes)
	if err != nil {
		return err
	}
	products, err := readNames(cmd.names)
	if err != nil {
		return cli.UsageError{Err: err}
	}
	if connect.HasCredentials() {
		client, err := connect.RealTenant(cmd.cloud)
		if err != nil {
			return err
		}
		return cmd.report(ctx, client, products, out)
	}
	fmt.Fprintln(notes, contoso.Notice) // not among the rows
	return cmd.report(ctx, newTenant().Client(), products, out)
}
