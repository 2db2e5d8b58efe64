package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/names"
)

// A table takes rows: for people to read, or as CSV.
type table interface {
	Write(cells []string) error
	Flush() error
}

// csvTable prints rows as they come.
type csvTable struct{ *csv.Writer }

func (t csvTable) Flush() error {
	t.Writer.Flush()
	return t.Error()
}

// report prints what the flags ask for.
func (c *command) report(ctx context.Context, client *licensing.Client, products *licensing.ProductNames, out io.Writer) error {
	tenant, err := names.Read(ctx, client)
	if err != nil {
		return err
	}
	if products != nil {
		tenant.Catalog = tenant.WithNames(products)
	}
	var only uuid.UUID
	if c.sku != "" {
		sku, err := tenant.SKU(c.sku)
		if err != nil {
			return err
		}
		only = sku.SKUID
	}

	newTable := func() table { return cli.NewTable(out) }
	if c.csv {
		newTable = func() table { return csvTable{csv.NewWriter(out)} }
	}
	if !c.seats {
		rows := newTable()
		err := c.holders(ctx, client, tenant, only, rows)
		// What was read before an error is worth seeing, too.
		if flushed := rows.Flush(); err == nil {
			err = flushed
		}
		if err != nil || c.csv {
			return err
		}
		fmt.Fprintln(out)
	}
	rows := newTable()
	rows.Write(seatTitles(c.csv))
	for _, sku := range tenant.SKUs() {
		if only == uuid.Nil || sku.SKUID == only {
			rows.Write(seatCells(tenant, sku, c.csv))
		}
	}
	return rows.Flush()
}

// holders writes a row for each assignment, user by user as they are read.
func (c *command) holders(ctx context.Context, client *licensing.Client, tenant *names.Names, only uuid.UUID, rows table) error {
	if err := rows.Write(holderTitles(c.csv)); err != nil {
		return err
	}
	query := licensing.UserQuery{SKUID: only, OnlyErrors: c.onlyErrors, PageSize: 500}
	for user, err := range client.Users(ctx, query) {
		if err != nil {
			return err
		}
		for _, state := range user.LicenseAssignmentStates {
			if only != uuid.Nil && state.SKUID != only || c.onlyErrors && state.Err() == nil {
				continue
			}
			cells, err := holderCells(ctx, tenant, user, state, c.csv)
			if err != nil {
				return err
			}
			if err := rows.Write(cells); err != nil {
				return err
			}
		}
	}
	return nil
}
