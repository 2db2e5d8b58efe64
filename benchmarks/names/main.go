// Command names makes the table of product names that a test of the library
// compares ReadProductNames with. It takes Microsoft's list "Product names and
// service plan identifiers for licensing", as it is published: CSV in UTF-8. The
// source says where the list is from.
//
//	go run ./names -source TEXT -out ../testdata/names LIST.csv
//
// Into the folder go known.csv, lines of the list, and known.json, the names of
// all SKUs and service plans in these lines. The lines are those of a few SKUs that
// everybody has, and of each service plan with several names the first with each
// name. The names are worked out here, by a rule that does without
// ReadProductNames: the most frequent one, of equally frequent ones the first. The
// whole list is compared as well, and a difference is an error.
package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// wellKnown are the part numbers of SKUs whose lines are all taken.
var wellKnown = []string{
	"AAD_PREMIUM_P2", "EMS", "ENTERPRISEPACK", "EXCHANGESTANDARD", "FLOW_FREE", "O365_BUSINESS_PREMIUM",
	"POWER_BI_PRO", "PROJECTPROFESSIONAL", "SPB", "SPE_E3", "SPE_F1", "VISIOCLIENT",
}

func main() {
	log.SetFlags(0)
	source := flag.String("source", "", "where the list is from")
	out := flag.String("out", "../testdata/names", "the folder of the table")
	flag.Parse()
	if err := run(flag.Arg(0), *source, *out); err != nil {
		log.Fatal(err)
	}
}

func run(file, source, out string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	l, err := read(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := compare(text, l.names()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	part := l.excerpt()
	if err := os.WriteFile(filepath.Join(out, "known.csv"), part.text(), 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "known.json"), part.names().table(source), 0o666)
}

// A list has the fields of each line.
type list struct {
	titles []string
	lines  [][]string
	column map[string]int
}

// The columns that matter, by their titles.
const (
	skuName  = "Product_Display_Name"
	skuPart  = "String_Id"
	skuID    = "GUID"
	planID   = "Service_Plan_Id"
	planName = "Service_Plans_Included_Friendly_Names"
)

func read(text []byte) (*list, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not in UTF-8")
	}
	lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF")))).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, errors.New("empty")
	}
	l := &list{titles: lines[0], lines: lines[1:], column: make(map[string]int)}
	for _, title := range []string{skuName, skuPart, skuID, planID, planName} {
		i := slices.Index(l.titles, title)
		if i < 0 {
			return nil, fmt.Errorf("no column %s", title)
		}
		l.column[title] = i
	}
	return l, nil
}

// field returns a field with single blanks.
func (l *list) field(line []string, title string) string {
	return strings.Join(strings.Fields(line[l.column[title]]), " ")
}

// excerpt returns the lines that go into the table.
func (l *list) excerpt() *list {
	several := make(map[string]map[string]bool) // names by plan
	for _, line := range l.lines {
		id := l.field(line, planID)
		if several[id] == nil {
			several[id] = make(map[string]bool)
		}
		several[id][l.field(line, planName)] = true
	}
	part := &list{titles: l.titles, column: l.column}
	for _, line := range l.lines {
		id, name := l.field(line, planID), l.field(line, planName)
		first := len(several[id]) > 1 && several[id][name]
		if first {
			several[id][name] = false
		}
		if first || slices.Contains(wellKnown, l.field(line, skuPart)) {
			part.lines = append(part.lines, line)
		}
	}
	return part
}

// text returns the list as CSV.
func (l *list) text() []byte {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(append([][]string{l.titles}, l.lines...)); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

// Names are the names that the ids of a list have.
type names struct{ skus, plans map[uuid.UUID]string }

func (l *list) names() names {
	return names{l.mostFrequent(skuID, skuName), l.mostFrequent(planID, planName)}
}

// mostFrequent returns the most frequent name of each id, of equally frequent ones
// the first.
func (l *list) mostFrequent(idTitle, nameTitle string) map[uuid.UUID]string {
	all := make(map[uuid.UUID][]string)
	for _, line := range l.lines {
		id, err := uuid.Parse(l.field(line, idTitle))
		if name := l.field(line, nameTitle); err == nil && name != "" {
			all[id] = append(all[id], name)
		}
	}
	best := make(map[uuid.UUID]string)
	for id, names := range all {
		times := make(map[string]int)
		for _, name := range names {
			times[name]++
		}
		most := slices.Max(slices.Collect(maps.Values(times)))
		best[id] = names[slices.IndexFunc(names, func(name string) bool { return times[name] == most })]
	}
	return best
}

// compare returns where ReadProductNames makes something else of a list.
func compare(text []byte, want names) error {
	got, err := licensing.ReadProductNames(bytes.NewReader(text))
	if err != nil {
		return err
	}
	var differences []error
	for _, kind := range []struct {
		want map[uuid.UUID]string
		got  func(uuid.UUID) string
	}{{want.skus, got.SKU}, {want.plans, got.ServicePlan}} {
		for id, name := range kind.want {
			if got := kind.got(id); got != name {
				differences = append(differences, fmt.Errorf("ReadProductNames has the name %q for %s, want %q", got, id, name))
			}
		}
	}
	return errors.Join(differences...)
}

// table returns the table, with a line for each name.
func (n names) table(source string) []byte {
	object := func(names map[uuid.UUID]string) string {
		var lines []string
		for id, name := range names {
			lines = append(lines, fmt.Sprintf("    %q: %s", id, quote(name)))
		}
		slices.Sort(lines)
		return strings.Join(lines, ",\n")
	}
	return fmt.Appendf(nil, "{\n  \"source\": %s,\n  \"skus\": {\n%s\n  },\n  \"plans\": {\n%s\n  }\n}\n",
		quote(source), object(n.skus), object(n.plans))
}

func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // it is text
	}
	return strings.TrimSpace(b.String())
}
