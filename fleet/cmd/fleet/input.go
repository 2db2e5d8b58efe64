package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// An input reads operations from a file of CSV or JSON lines.
type input struct {
	name string
	read int
	fail context.CancelCauseFunc // ends the publishing, for a mistake
}

// operations yields the operations of the file, up to the first mistake.
func (in *input) operations(yield func(licensing.Operation) bool) {
	file := os.Stdin
	if in.name != "-" {
		var err error
		if file, err = os.Open(in.name); err != nil {
			in.fail(err)
			return
		}
		defer file.Close()
	}
	count := func(o licensing.Operation) bool {
		in.read++
		return yield(o)
	}
	text := bufio.NewReader(file)
	parse := readCSV
	if first, _ := text.Peek(1); string(first) == "{" {
		parse = readLines
	}
	if err := parse(text, count); err != nil {
		in.fail(fmt.Errorf("%s: %w", in.name, err))
	}
}

func readLines(r io.Reader, yield func(licensing.Operation) bool) error {
	lines := json.NewDecoder(r)
	for n := 1; ; n++ {
		var o licensing.Operation
		switch err := lines.Decode(&o); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("operation %d: %w", n, err)
		}
		if !yield(o) {
			return nil
		}
	}
}

var columns = []string{"userprincipalname", "add", "remove", "usagelocation"}

func readCSV(r io.Reader, yield func(licensing.Operation) bool) error {
	rows := csv.NewReader(r)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return err
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if !slices.Contains(columns, header[i]) {
			return fmt.Errorf("%q is not a column; the columns are userPrincipalName, add, remove and usageLocation", name)
		}
	}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		cells := make(map[string]string)
		for i, cell := range row {
			cells[header[i]] = strings.TrimSpace(cell)
		}
		operations, err := operationsOf(cells)
		if err != nil {
			line, _ := rows.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
		for _, o := range operations {
			if !yield(o) {
				return nil
			}
		}
	}
}

// operationsOf returns what a row asks for: a country first, without which there is
// no license.
func operationsOf(cells map[string]string) (list []licensing.Operation, err error) {
	user := cells["userprincipalname"]
	if user == "" {
		return nil, errors.New("no user is named")
	}
	if country := cells["usagelocation"]; country != "" {
		list = append(list, licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: user, UsageLocation: country})
	}
	var change licensing.AssignLicenseRequest
	for _, text := range strings.Fields(cells["add"]) {
		sku, err := uuid.Parse(text)
		if err != nil {
			return nil, err
		}
		change.AddLicenses = append(change.AddLicenses, licensing.AssignedLicense{SKUID: sku})
	}
	for _, text := range strings.Fields(cells["remove"]) {
		sku, err := uuid.Parse(text)
		if err != nil {
			return nil, err
		}
		change.RemoveLicenses = append(change.RemoveLicenses, sku)
	}
	if len(change.AddLicenses)+len(change.RemoveLicenses) > 0 {
		list = append(list, licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: change})
	}
	return list, nil
}
