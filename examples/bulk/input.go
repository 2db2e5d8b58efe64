package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/mistakes"
)

// A wish is what the input wants for one user.
type wish struct {
	line     int // where the user is first named
	user     string
	location string
	add      []licensing.AssignedLicense // with the plans that are to be off
	remove   []uuid.UUID
	off      []licensing.AssignedLicense // plans to switch off, whatever else is

	// Instead, as it was planned before.
	operation *licensing.Operation
}

// parseInput reads CSV or JSON lines. It finds all mistakes, not only the
// first, for a file is mended at one go.
func parseInput(data []byte, names *resolver) ([]wish, mistakes.List) {
	var m mistakes.List
	if line, err := notUTF8(data); err != nil {
		m.Add(line, err)
		return nil, m
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var wishes []wish
	switch text := bytes.TrimSpace(data); {
	case len(text) == 0:
		m.Add(1, errors.New("the input is empty"))
	case text[0] == '{':
		wishes = parseLines(data, names, &m)
	case text[0] == '[':
		m.Add(1, errors.New("this is a JSON array; put one operation on each line instead"))
	default:
		wishes = parseCSV(data, names, &m)
	}
	return wishes, m
}

// parseLines reads an operation as JSON from each line.
func parseLines(data []byte, names *resolver, m *mistakes.List) []wish {
	var wishes []wish
	line := 0
	for text := range bytes.Lines(data) {
		line++
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		var op licensing.Operation
		err := json.Unmarshal(text, &op)
		if err == nil {
			err = names.check(op)
		}
		if err != nil {
			m.Add(line, err)
			continue
		}
		wishes = append(wishes, wish{line: line, user: op.Target, operation: &op})
	}
	return wishes
}

// The columns of CSV, as they are compared.
const (
	userColumn     = "userprincipalname"
	addColumn      = "add"
	removeColumn   = "remove"
	locationColumn = "usagelocation"
)

// parseCSV reads rows, and puts those of one user together: what two
// operations would do depends on which is first.
func parseCSV(data []byte, names *resolver, m *mistakes.List) []wish {
	var wishes []wish
	index := map[string]int{} // of a user's wish
	rows := csv.NewReader(bytes.NewReader(data))
	rows.Comma, rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.ReuseRecord = separator(data), -1, true, true
	var columns []string
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if bad, ok := errors.AsType[*csv.ParseError](err); ok {
			// What follows a quote that is not closed cannot be told apart.
			m.Add(bad.Line, bad.Err)
			return nil
		}
		if err != nil {
			m.Add(1, err)
			return nil
		}
		line, _ := rows.FieldPos(0)
		for i, cell := range row {
			row[i] = strings.TrimSpace(cell)
		}
		if !slices.ContainsFunc(row, func(cell string) bool { return cell != "" }) || line == 1 && strings.HasPrefix(row[0], "sep=") {
			continue
		}
		if columns == nil {
			if columns, err = header(row); err != nil {
				m.Add(line, err)
				return nil
			}
			continue
		}
		cells := map[string]string{}
		for i, cell := range row {
			if i < len(columns) && columns[i] != "" {
				cells[columns[i]] = cell
			} else if cell != "" {
				m.Add(line, errors.New("a cell is in a column without a name"))
			}
		}
		user := cells[userColumn]
		if user == "" {
			m.Add(line, errors.New("no user is named"))
			continue
		}
		i, known := index[strings.ToLower(user)]
		if !known {
			i = len(wishes)
			index[strings.ToLower(user)] = i
			wishes = append(wishes, wish{line: line, user: user})
		}
		wishes[i].want(line, cells, names, m)
	}
	if columns == nil {
		m.Add(1, errors.New("there is no header"))
	}
	return wishes
}

// separator returns what is between the cells. Where the comma is in numbers,
// Excel writes semicolons.
func separator(data []byte) rune {
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if bytes.HasPrefix(line, []byte("sep=")) && len(line) == len("sep=;") && strings.ContainsRune(",;\t", rune(line[4])) {
			return rune(line[4])
		}
		most, comma := 0, ','
		for _, r := range ",;\t" {
			if n := bytes.Count(line, []byte(string(r))); n > most {
				most, comma = n, r
			}
		}
		return comma
	}
	return ','
}

// header returns the columns in the form in which they are compared. One that
// is not known may be a slip, and would go unnoticed.
func header(row []string) ([]string, error) {
	var columns []string
	for _, cell := range row {
		column := strings.ToLower(strings.Join(strings.Fields(cell), ""))
		switch {
		case !slices.Contains([]string{userColumn, addColumn, removeColumn, locationColumn, ""}, column):
			return nil, fmt.Errorf("%q is not a column; there are userPrincipalName, add, remove and usageLocation", cell)
		case column != "" && slices.Contains(columns, column):
			return nil, fmt.Errorf("the column %s is there twice", cell)
		}
		columns = append(columns, column)
	}
	if !slices.Contains(columns, userColumn) || len(strings.Join(columns, "")) == len(userColumn) {
		return nil, errors.New("the header needs userPrincipalName and add, remove or usageLocation")
	}
	return columns, nil
}

// want adds to a wish what a row asks for.
func (w *wish) want(line int, cells map[string]string, names *resolver, m *mistakes.List) {
	if location := strings.ToUpper(cells[locationColumn]); location != "" {
		switch {
		case len(location) != 2:
			m.Add(line, fmt.Errorf("the usage location %q is not a country code of two letters", location))
		case w.location != "" && w.location != location:
			m.Add(line, fmt.Errorf("the user is to be in %s and in %s", w.location, location))
		}
		w.location = location
	}
	for _, name := range list(cells[addColumn]) {
		if license, err := names.license(name); err != nil {
			m.Add(line, err)
		} else {
			w.add = joined(w.add, license)
		}
	}
	for _, name := range list(cells[removeColumn]) {
		license, err := names.license(name)
		switch {
		case err != nil:
			m.Add(line, err)
		case len(license.DisabledPlans) > 0:
			w.off = joined(w.off, license)
		case !slices.Contains(w.remove, license.SKUID):
			w.remove = append(w.remove, license.SKUID)
		}
	}
	for _, license := range slices.Concat(w.add, w.off) {
		if slices.Contains(w.remove, license.SKUID) {
			m.Add(line, fmt.Errorf("%s is to be removed, and to be there", names.DisplayName(license.SKUID)))
			return
		}
	}
}

func list(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("; ,\t\r\n\u00a0", r) })
}

// joined adds a license to a list that has each SKU once, with all the plans
// that are to be off.
func joined(licenses []licensing.AssignedLicense, license licensing.AssignedLicense) []licensing.AssignedLicense {
	for i := range licenses {
		if licenses[i].SKUID == license.SKUID {
			for _, plan := range license.DisabledPlans {
				if !slices.Contains(licenses[i].DisabledPlans, plan) {
					licenses[i].DisabledPlans = append(slices.Clip(licenses[i].DisabledPlans), plan)
				}
			}
			return licenses
		}
	}
	return append(licenses, license)
}
