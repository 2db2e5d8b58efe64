package licensing

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// ProductNames are the names by which Microsoft sells SKUs and service plans.
// Graph does not know them. They are for people to read, and change without
// notice: save ids, not names.
//
// ProductNames are never changed, and safe for use by several goroutines. The
// zero value and nil know no names.
type ProductNames struct {
	skus, plans map[uuid.UUID]string
}

// ReadProductNames reads Microsoft's list "Product names and service plan
// identifiers for licensing", a CSV file that is linked from
// https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference.
// The module has no copy of it.
//
// The columns are found by their names in the first line, in any order. What
// the published file is known to have wrong does no harm: blanks and brackets
// around ids, no-break spaces, rows and marks of the encoding that are there
// twice. Of several names for one id the first counts. An id that still cannot
// be read is left out, for one slip should not cost all the other names.
//
// Anything else is an error that names the line, and there are no names then:
// a file without the columns, a row that breaks off, wrong quoting, more than
// 16 MiB.
func ReadProductNames(r io.Reader) (*ProductNames, error) {
	const most = 16 << 20
	limited := &io.LimitedReader{R: r, N: most + 1}
	names, err := readProductNames(limited)
	if limited.N <= 0 { // then an error may only be due to the cut
		err = errors.New("more than 16 MiB")
	}
	if err != nil {
		return nil, fmt.Errorf("read product names: %w", err)
	}
	return names, nil
}

func readProductNames(r io.Reader) (*ProductNames, error) {
	text := bufio.NewReader(r)
	const mark = "\uFEFF" // taken off here, as a quoted title may follow
	if start, _ := text.Peek(len(mark)); string(start) == mark {
		text.Discard(len(mark))
	}
	rows := csv.NewReader(text)
	rows.FieldsPerRecord = -1 // checked below, by what is needed
	rows.TrimLeadingSpace = true
	rows.ReuseRecord = true

	header, err := rows.Read()
	if err == io.EOF {
		return nil, errors.New("line 1: the file is empty")
	} else if err != nil {
		return nil, err
	}
	columns := make([]int, 4)
	for i, name := range []string{"GUID", "Product_Display_Name", "Service_Plan_Id", "Service_Plans_Included_Friendly_Names"} {
		columns[i] = slices.IndexFunc(header, func(title string) bool {
			// Older copies start with marks that were read as text.
			return strings.EqualFold(strings.Trim(plain(title), "\uFEFFï»¿? "), name)
		})
		if columns[i] < 0 {
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: no column %s", line, name)
		}
	}
	width := slices.Max(columns) + 1

	names := &ProductNames{skus: make(map[uuid.UUID]string), plans: make(map[uuid.UUID]string)}
	for {
		row, err := rows.Read()
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, err
		case plain(strings.Join(row, "")) == "":
			continue
		case len(row) < width:
			line, _ := rows.FieldPos(0)
			return nil, fmt.Errorf("line %d: %d columns, want %d or more", line, len(row), width)
		}
		note(names.skus, row[columns[0]], row[columns[1]])
		note(names.plans, row[columns[2]], row[columns[3]])
	}
}

// note keeps the name of an id, unless there is one already.
func note(names map[uuid.UUID]string, id, name string) {
	name = plain(name)
	key, err := uuid.Parse(strings.Trim(strings.Join(strings.Fields(id), ""), "(){}"))
	if err != nil || name == "" || names[key] != "" {
		return
	}
	names[key] = name
}

// plain returns text with single spaces for blanks of any kind, and none
// around it.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
}

// SKU returns the name of a product, such as "Office 365 E3", or "" for one
// that is not in the list.
func (n *ProductNames) SKU(id uuid.UUID) string {
	if n == nil {
		return ""
	}
	return n.skus[id]
}

// ServicePlan returns the name of a service plan, such as "Exchange Online
// (Plan 2)", or "" for one that is not in the list.
func (n *ProductNames) ServicePlan(id uuid.UUID) string {
	if n == nil {
		return ""
	}
	return n.plans[id]
}

// WithNames returns a catalog of the same SKUs that also knows names, in
// place of any that it had. c stays as it is.
func (c *Catalog) WithNames(names *ProductNames) *Catalog {
	c = c.orEmpty()
	named := &Catalog{skus: c.skus, exact: c.exact, sold: make(nameIndex), names: names}
	for i, sku := range c.skus {
		if c.first(sku.SKUID) == i {
			named.sold.add(names.SKU(sku.SKUID), i)
		}
	}
	return named
}

// DisplayName returns what to call a SKU or service plan when people read it:
// its name in the attached [ProductNames], else the part number or plan name
// that the tenant has for it, else the id itself.
func (c *Catalog) DisplayName(id uuid.UUID) string {
	c = c.orEmpty()
	var part, plan string
	for _, sku := range c.skus {
		if sku.SKUID == id && id != uuid.Nil {
			part = cmp.Or(part, sku.SKUPartNumber)
		}
		for _, p := range sku.ServicePlans {
			if p.ServicePlanID == id && id != uuid.Nil {
				plan = cmp.Or(plan, p.ServicePlanName)
			}
		}
	}
	return cmp.Or(c.names.SKU(id), part, c.names.ServicePlan(id), plan, id.String())
}
