package licensing

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// ProductNames are the names under which Microsoft sells SKUs and service plans.
// Graph does not return them. They are for people to read and change without
// notice, so store ids and not names.
//
// ProductNames never change and are safe for concurrent use. A nil *ProductNames
// and the zero value have no names.
type ProductNames struct {
	skus, plans map[uuid.UUID]string
}

// ReadProductNames reads Microsoft's list "Product names and service plan
// identifiers for licensing". The list is a CSV file that is linked from
// https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference.
// The module does not contain a copy.
//
// The columns are found by their names in the first line, in any order. They are
// separated by commas, semicolons or tabs, or by the character that a first line
// such as sep=| names. A list may have only the columns for SKUs (GUID and
// Product_Display_Name) or only those for service plans (Service_Plan_Id and
// Service_Plans_Included_Friendly_Names). Other columns are ignored. The text is
// UTF-8 or UTF-16, with or without a byte order mark. Text that is not valid UTF-8
// is read as Windows-1252. Any line ending works.
//
// Known defects of such lists are tolerated: blanks, brackets and zero-width
// characters around ids, no-break spaces, and repeated rows. An unquoted separator
// in a name is part of the name if the ids in the row leave no doubt. If an id has
// several names, the most frequent one wins, and among equally frequent ones the
// first. An id that still cannot be read is skipped, so that one typo does not cost
// all other names.
//
// Anything else is an error that names the line, and no names are returned: a
// missing column, a row that breaks off or has too many fields, bad quoting, or
// UTF-16 that ends within a character. A file of more than 16 MiB is an error too;
// the rest is not read.
func ReadProductNames(r io.Reader) (*ProductNames, error) {
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && len(text) > most {
		err = errors.New("more than 16 MiB")
	}
	var names *ProductNames
	if err == nil {
		names, err = readProductNames(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read product names: %w", err)
	}
	return names, nil
}

func readProductNames(data []byte) (*ProductNames, error) {
	text, err := decoded(data)
	if err != nil {
		return nil, err
	}
	list, err := openList(text)
	if err != nil {
		return nil, err
	}
	skus, plans := make(tally), make(tally)
	for at := 1; ; at++ {
		row, err := list.next()
		if err == io.EOF {
			return &ProductNames{skus: skus.names(), plans: plans.names()}, nil
		} else if err != nil {
			return nil, err
		}
		skus.add(row[skuID], row[skuName], at)
		plans.add(row[planID], row[planName], at)
	}
}

// A tally has how often each id has each name.
type tally map[titled]count

type titled struct {
	id   uuid.UUID
	name string
}

type count struct{ times, first int } // first is the row with the first

func (t tally) add(id, name string, row int) {
	key, ok := listedID(id)
	if name = plain(name); !ok || name == "" {
		return
	}
	is := titled{key, name}
	n, seen := t[is]
	if !seen {
		n.first = row
		is.name = strings.Clone(name) // the rest of the row is not needed
	}
	n.times++
	t[is] = n
}

// names returns the most frequent name of each id.
func (t tally) names() map[uuid.UUID]string {
	names, counts := make(map[uuid.UUID]string), make(map[uuid.UUID]count)
	for is, n := range t {
		best, seen := counts[is.id]
		if !seen || n.times > best.times || n.times == best.times && n.first < best.first {
			names[is.id], counts[is.id] = is.name, n
		}
	}
	return names
}

// readID reads a GUID in the forms that people write: in a pair of brackets,
// without hyphens, and with stray blanks.
func readID(text string) (uuid.UUID, bool) {
	text = strings.ReplaceAll(plain(text), " ", "")
	if n := len(text); n > 2 && slices.Contains([]string{"{}", "()", "[]"}, text[:1]+text[n-1:]) {
		text = text[1 : n-1]
	}
	if len(text) != 36 && len(text) != 32 { // the others that uuid.Parse takes are no GUIDs in lists
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	return id, err == nil
}

// listedID reads a GUID from a list, where brackets may have lost their other
// half.
func listedID(text string) (uuid.UUID, bool) { return readID(strings.Trim(plain(text), "{}()[] ")) }

// plain returns text with single spaces for blanks of any kind, none around
// it, and without letters that have no width, which come along when files are
// joined, or text is copied from a page.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\uFEFF', '\u200B', '\u2060', '\u200E', '\u200F', '\u00AD':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(s), " ")
}

// SKU returns the name of a product, such as "Office 365 E3", or "" if it is not in
// the list.
func (n *ProductNames) SKU(id uuid.UUID) string {
	if n == nil {
		return ""
	}
	return n.skus[id]
}

// ServicePlan returns the name of a service plan, such as "Exchange Online (Plan
// 2)", or "" if it is not in the list.
func (n *ProductNames) ServicePlan(id uuid.UUID) string {
	if n == nil {
		return ""
	}
	return n.plans[id]
}

// WithNames returns a catalog of the same SKUs that knows the given names and no
// others. It does not change c.
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

// DisplayName returns a name of a SKU or service plan for people to read. This is
// its product name if the catalog has one, or else the tenant's part number or plan
// name, or else the id.
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
