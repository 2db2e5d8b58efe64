package licensing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
)

// A Catalog finds a tenant's SKUs and service plans by the names that people use.
// It holds what [Client.SubscribedSKUs] returned at one time, and does not notice
// seats that were taken since.
//
// A Catalog never changes and is safe for concurrent use. A nil Catalog and the
// zero value are empty.
type Catalog struct {
	skus  []SubscribedSKU
	exact nameIndex // GUIDs, ids and part numbers
	sold  nameIndex // product names, where there are any
	names *ProductNames
}

// A nameIndex has the positions of SKUs by their folded names.
type nameIndex map[string][]int

// add leaves empty names out, for what has no name is found by none.
func (x nameIndex) add(name string, i int) {
	if key := folded(name); key != "" && !slices.Contains(x[key], i) {
		x[key] = append(x[key], i)
	}
}

// folded returns the form in which names are compared: without regard to
// letter case, blanks around them, kinds of blanks within, and what has no width.
func folded(name string) string { return strings.ToLower(plain(name)) }

// NewCatalog returns a catalog with copies of skus. It skips SKUs without an id,
// because they cannot be assigned. If several SKUs have the same id, it finds the
// first one.
func NewCatalog(skus []SubscribedSKU) *Catalog {
	c := &Catalog{skus: cloneSKUs(skus), exact: make(nameIndex)}
	for i, sku := range c.skus {
		if c.first(sku.SKUID) == i {
			c.exact.add(sku.SKUID.String(), i)
			c.exact.add(sku.ID, i)
			c.exact.add(sku.SKUPartNumber, i)
		}
	}
	return c
}

// first returns the position of the SKU with an id, or -1.
func (c *Catalog) first(id uuid.UUID) int {
	if id == uuid.Nil {
		return -1
	}
	return skuOf(c.skus, id)
}

// orEmpty returns an empty catalog for nil.
func (c *Catalog) orEmpty() *Catalog {
	if c == nil {
		return new(Catalog)
	}
	return c
}

// SKUs returns copies of all SKUs, in their original order.
func (c *Catalog) SKUs() []SubscribedSKU { return cloneSKUs(c.orEmpty().skus) }

func cloneSKUs(skus []SubscribedSKU) []SubscribedSKU {
	return each(skus, SubscribedSKU.clone)
}

func (s SubscribedSKU) clone() SubscribedSKU {
	s.ServicePlans = slices.Clone(s.ServicePlans)
	s.SubscriptionIDs = slices.Clone(s.SubscriptionIDs)
	return s
}

// SKU finds a SKU by name. The name is a GUID, a part number such as
// "ENTERPRISEPACK", or an id of the form {tenant}_{SKU}. It can also be a product
// name, if the catalog has them; see [Catalog.WithNames]. Letter case and
// surrounding blanks do not matter.
//
// A GUID may be in {}, () or [], or lack its hyphens. A GUID or part number may
// have a tenant's account and a colon in front, as in "contoso:ENTERPRISEPACK". The
// account is ignored.
//
// Errors: [ErrUnknownSKU] (no SKU has the name; the text suggests similar names, or
// lists some), [ErrInvalidArgument] (the name is empty, or several SKUs have it;
// the text lists their GUIDs).
func (c *Catalog) SKU(name string) (SubscribedSKU, error) {
	const op = "find SKU"
	c = c.orEmpty()
	key := folded(name)
	if key == "" {
		return SubscribedSKU{}, invalid(op, "the name is empty")
	}
	found := c.find(key)
	switch len(found) {
	case 0:
		if withoutAccount(key) == "" {
			return SubscribedSKU{}, invalid(op, "the name after %s is empty", shortened(name))
		}
		return SubscribedSKU{}, c.unknownSKU(op, name)
	case 1:
		return c.skus[found[0]].clone(), nil
	}
	ids := each(found, func(i int) uuid.UUID { return c.skus[i].SKUID })
	return SubscribedSKU{}, ambiguous(op, name, "SKUs", ids)
}

// find returns the positions of the SKUs that a folded name is for. What is a
// name as it stands is never taken apart.
func (c *Catalog) find(key string) []int {
	for _, found := range [][]int{c.exact[key], c.sold[key]} {
		if len(found) > 0 {
			return found
		}
	}
	bare := withoutAccount(key)
	if id, ok := readID(bare); ok {
		bare = id.String()
	}
	return c.exact[bare]
}

// withoutAccount returns a name such as contoso:SPE_E3 without the account.
func withoutAccount(name string) string {
	account, bare, ok := strings.Cut(name, ":")
	if account = strings.TrimSpace(account); !ok || account == "" || strings.Contains(account, " ") {
		return name
	}
	return strings.TrimSpace(bare)
}

// unknownSKU returns the error for a name that no SKU has.
func (c *Catalog) unknownSKU(op, name string) error {
	var names, called []string
	for _, sku := range c.skus {
		if sku.SKUID == uuid.Nil {
			continue // cannot be found
		}
		title := c.names.SKU(sku.SKUID)
		names = append(names, sku.SKUPartNumber, title)
		called = append(called, cmp.Or(plain(sku.SKUPartNumber), title, sku.SKUID.String()))
	}
	return &Error{Op: op, kinds: []error{ErrUnknownSKU},
		cause: fmt.Errorf("%q is not one of the tenant's SKUs%s", shortened(name), instead(withoutAccount(plain(name)), names, called))}
}

// ServicePlan finds a service plan of a SKU by name. The name is a GUID or a plan
// name such as "EXCHANGE_S_ENTERPRISE". It can also be the name under which the
// plan is sold, if the catalog has product names. Letter case and surrounding
// blanks do not matter. A GUID may be in {}, () or [], or lack its hyphens.
//
// Errors: [ErrUnknownSKU] (the catalog does not have the SKU), [ErrInvalidArgument]
// (the name is empty; no plan has it, and the text suggests similar names or lists
// some; or several plans have it, and the text lists their GUIDs).
func (c *Catalog) ServicePlan(sku uuid.UUID, name string) (ServicePlan, error) {
	const op = "find service plan"
	c = c.orEmpty()
	key := folded(name)
	if key == "" {
		return ServicePlan{}, invalid(op, "the name is empty")
	}
	i := c.first(sku)
	if i < 0 {
		return ServicePlan{}, c.unknownSKU(op, sku.String())
	}
	var exact, sold, written []ServicePlan
	var ids []uuid.UUID // seen, as a plan that is listed twice is one
	var names, calledPlans []string
	asID, isID := readID(key)
	for _, plan := range c.skus[i].ServicePlans {
		id, title := plan.ServicePlanID, c.names.ServicePlan(plan.ServicePlanID)
		if id == uuid.Nil || slices.Contains(ids, id) {
			continue
		}
		ids, names = append(ids, id), append(names, plan.ServicePlanName, title)
		calledPlans = append(calledPlans, cmp.Or(plain(plan.ServicePlanName), title, id.String()))
		switch key {
		case id.String(), folded(plan.ServicePlanName):
			exact = append(exact, plan)
		case folded(title):
			sold = append(sold, plan)
		default:
			if isID && asID == id {
				written = append(written, plan)
			}
		}
	}
	found := exact
	for _, others := range [][]ServicePlan{sold, written} {
		if len(found) == 0 {
			found = others
		}
	}
	switch len(found) {
	case 0:
		return ServicePlan{}, invalid(op, "%q is not a service plan of SKU %s%s",
			shortened(name), called(sku, c.skus[i].SKUPartNumber), instead(plain(name), names, calledPlans))
	case 1:
		return found[0], nil
	}
	return ServicePlan{}, ambiguous(op, name, "service plans", each(found, func(p ServicePlan) uuid.UUID { return p.ServicePlanID }))
}

// called returns an id with the name that goes with it, if any.
func called(id uuid.UUID, name string) string {
	if name == "" {
		return id.String()
	}
	return fmt.Sprintf("%s (%s)", id, name)
}

// ambiguous returns the error for a name that several things have.
func ambiguous(op, name, things string, ids []uuid.UUID) error {
	return invalid(op, "%q is the name of %d %s; use a GUID: %s",
		shortened(name), len(ids), things, strings.Join(each(ids, uuid.UUID.String), ", "))
}

// shortened returns a name that leaves room in an error for what follows it.
func shortened(name string) string {
	const most = 80
	if runes := []rune(plain(name)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return plain(name)
}

// instead returns the end of an error's text that has the nearest of names,
// or, where none is near, some of all that there are.
func instead(name string, names, all []string) string {
	if near := nearest(name, names); len(near) > 0 {
		return "; did you mean " + strings.Join(near, ", ") + "?"
	}
	all = slices.Compact(slices.Sorted(slices.Values(each(all, shortened))))
	const most = 10
	switch n := len(all); {
	case n == 0:
		return "; available: none"
	case n == 1:
		return "; available: " + all[0]
	case n > most:
		return fmt.Sprintf("; available: %s and %d more", strings.Join(all[:most], ", "), n-most)
	}
	return "; available: " + strings.Join(all, ", ")
}

// nearest returns those of names that name may be a slip for, three at most
// and the most alike first: those that differ in few letters, and those of
// which one has all words of the other.
func nearest(name string, names []string) []string {
	const most = 3
	const longest = 256 // no name is, and the work grows with the length
	type candidate struct {
		name  string
		edits int
	}
	want := []rune(folded(name))
	if len(want) > longest {
		return nil
	}
	words := wordsOf(string(want))
	var near []candidate
	for _, name := range names {
		have := []rune(folded(name))
		if len(have) == 0 || len(have) > longest {
			continue
		}
		edits := distance(want, have)
		if edits <= slips(want, have) || within(words, wordsOf(string(have))) || within(wordsOf(string(have)), words) {
			near = append(near, candidate{plain(name), edits})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.edits, b.edits), cmp.Compare(a.name, b.name))
	})
	near = slices.Compact(near)
	return each(near[:min(most, len(near))], func(c candidate) string { return c.name })
}

// slips returns how many letters of two names may differ by mistake: one in
// four, but never so many that nothing needs to be the same.
func slips(a, b []rune) int {
	return min(1+max(len(a), len(b))/4, min(len(a), len(b))-1)
}

func wordsOf(name string) [][]rune {
	return each(strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }),
		func(word string) []rune { return []rune(word) })
}

// within reports whether each of some words starts one of others, or is a slip
// for one.
func within(some, others [][]rune) bool {
	for _, word := range some {
		if !slices.ContainsFunc(others, func(other []rune) bool {
			return len(word) <= len(other) && slices.Equal(word, other[:len(word)]) ||
				len(word) > 3 && distance(word, other) <= max(len(word), len(other))/4
		}) {
			return false
		}
	}
	return len(some) > 0
}

// distance returns how many letters must be added, left out or replaced to
// make a of b.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1) // from the letters of a so far to each start of b
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			replaced := diagonal
			if x != y {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
