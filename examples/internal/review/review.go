// Package review shows people what a reconcile.ChangeSet would do.
package review

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/reconcile"
)

// warnings are what the words of a change mean to people.
var warnings = map[reconcile.Warning]string{
	reconcile.WarnMailbox:         "loses the mailbox (30 days)",
	reconcile.WarnKeptByGroup:     "a group goes on giving it",
	reconcile.WarnNoUsageLocation: "no usage location",
	reconcile.WarnSeats:           "too few seats",
	reconcile.WarnUnknownPlan:     "some plans cannot be switched",
}

// problems are what the words of a problem mean to people.
var problems = map[reconcile.ProblemKind]string{
	reconcile.ProblemNotFound:        "there is no such user or group",
	reconcile.ProblemUnreadable:      "the licenses cannot be read",
	reconcile.ProblemTwoGoals:        "it is there twice",
	reconcile.ProblemUnknownSKU:      "the tenant has no such product",
	reconcile.ProblemNotAssignable:   "the product is for the company",
	reconcile.ProblemNotManaged:      "the product is not managed",
	reconcile.ProblemInvalidPlans:    "the plans do not fit the product",
	reconcile.ProblemInherited:       "a group gives it with other plans",
	reconcile.ProblemNoUsageLocation: "no usage location",
}

// Warning returns what a warning means to people.
func Warning(w reconcile.Warning) string { return word(warnings, w) }

// Problem returns what a problem means to people.
func Problem(kind reconcile.ProblemKind) string { return word(problems, kind) }

func word[W ~string](words map[W]string, w W) string {
	if text := words[w]; text != "" {
		return text
	}
	return string(w)
}

// Unreached returns how many goals have a problem.
func Unreached(set *reconcile.ChangeSet) int {
	targets := map[string]bool{}
	for _, p := range set.Problems {
		targets[strings.ToLower(p.Target)+" "+p.Ref] = true
	}
	return len(targets)
}

// Print shows who gains and loses what, what cannot be, and the seats. Unless all is
// set, those who gain and lose the same are one line.
func Print(out io.Writer, set *reconcile.ChangeSet, catalog *licensing.Catalog, all bool) error {
	for _, part := range []func() error{
		func() error { return printChanges(out, set.Changes, catalog, all) },
		func() error { return printProblems(out, set.Problems, catalog) },
		func() error { _, err := PrintSeats(out, set.Seats); return err },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	PrintSummary(out, set)
	return nil
}

// PrintSummary says how much there is to do.
func PrintSummary(out io.Writer, set *reconcile.ChangeSet) {
	fmt.Fprintf(out, "to change: %d\n", len(set.Changes))
	PrintCounts(out, []Count{
		{set.Unchanged, "so already"},
		{Unreached(set), "cannot be reached, and are left alone"},
		{set.Removals(), "lose a license or a plan"},
		{Mailboxes(set), "lose their mailbox, which is deleted after 30 days"},
	})
}

// A Count is how many there are of something.
type Count struct {
	N    int
	Text string
}

// PrintCounts prints those that are not 0.
func PrintCounts(out io.Writer, counts []Count) {
	for _, c := range counts {
		if c.N > 0 {
			fmt.Fprintf(out, "%s: %d\n", c.Text, c.N)
		}
	}
}

// Mailboxes returns how many lose their mailbox.
func Mailboxes(set *reconcile.ChangeSet) (n int) {
	for _, c := range set.Changes {
		if slices.Contains(c.Warnings, reconcile.WarnMailbox) {
			n++
		}
	}
	return n
}

func printChanges(out io.Writer, changes []reconcile.Change, catalog *licensing.Catalog, all bool) error {
	if len(changes) == 0 {
		return nil
	}
	table := cli.NewTable(out)
	table.Write([]string{"who", "change", "gains", "loses", "warning"})
	var rows [][]string
	alike, more := map[string]int{}, map[int]int{} // the row of what is alike, and how many others that is
	for i := range changes {
		c := &changes[i]
		row := []string{who(c), strings.Join(Change(c, catalog), ", "), Plans(c.Enabled), Plans(c.Disabled), Warnings(c)}
		key := strings.Join(row[1:], "\x00")
		if first, ok := alike[key]; ok && !all {
			more[first]++
			continue
		}
		alike[key] = len(rows)
		rows = append(rows, row)
	}
	for i, row := range rows {
		if n := more[i]; n > 0 {
			row[0] += fmt.Sprintf(" and %d more", n)
		}
		table.Write(row)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

func who(c *reconcile.Change) string {
	name := c.Name
	if name == "" {
		name = c.Operation.Target
	}
	if c.Operation.Kind == licensing.OperationAssignGroup {
		name = "group " + name
	}
	return name
}

// Warnings returns what there is to know about a change before it is made.
func Warnings(c *reconcile.Change) string {
	var texts []string
	for _, w := range c.Warnings {
		texts = append(texts, Warning(w))
	}
	return strings.Join(texts, ", ")
}

// Change says in words what is assigned and removed directly.
func Change(c *reconcile.Change, catalog *licensing.Catalog) (texts []string) {
	for _, id := range c.Operation.Request.RemoveLicenses {
		texts = append(texts, "remove "+catalog.DisplayName(id))
	}
	for _, after := range c.After {
		name := catalog.DisplayName(after.SKUID)
		i := slices.IndexFunc(c.Before, func(l licensing.AssignedLicense) bool { return l.SKUID == after.SKUID })
		if i < 0 {
			texts = append(texts, phrase("add "+name, " without ", after.DisabledPlans, nil, catalog)...)
			continue
		}
		before := c.Before[i].DisabledPlans
		texts = append(texts, phrase("", "switch on ", before, after.DisabledPlans, catalog, " of "+name)...)
		texts = append(texts, phrase("", "switch off ", after.DisabledPlans, before, catalog, " of "+name)...)
	}
	return texts
}

// phrase names the plans that are among some and not among others, if there are any,
// behind a start and a verb.
func phrase(start, verb string, some, others []uuid.UUID, catalog *licensing.Catalog, end ...string) []string {
	var names []string
	for _, id := range some {
		if !slices.Contains(others, id) {
			names = append(names, catalog.DisplayName(id))
		}
	}
	if len(names) > 0 {
		start += verb + few(names) + strings.Join(end, "")
	}
	if start == "" {
		return nil
	}
	return []string{start}
}

// Plans names service plans, which can be dozens.
func Plans(refs []reconcile.ServicePlanRef) string {
	var names []string
	for _, r := range refs {
		name := r.ServicePlanName
		if name == "" {
			name = r.ServicePlanID.String()
		}
		names = append(names, name)
	}
	return few(names)
}

// few names the first of some.
func few(names []string) string {
	const most = 4
	if more := len(names) - most; more > 1 {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

func printProblems(out io.Writer, all []reconcile.Problem, catalog *licensing.Catalog) error {
	if len(all) == 0 {
		return nil
	}
	table := cli.NewTable(out)
	table.Write([]string{"cannot be reached", "of", "why", "product", "in detail"})
	for _, p := range all {
		product, detail := "", p.Detail
		if p.SKUID != uuid.Nil {
			product = catalog.DisplayName(p.SKUID)
		}
		if p.Kind == reconcile.ProblemNotFound || p.Kind == reconcile.ProblemNoUsageLocation || p.Kind == reconcile.ProblemUnknownSKU {
			detail = "" // there is nothing more to know
		}
		table.Write([]string{p.Target, p.Ref, Problem(p.Kind), product, detail})
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

// PrintSeats shows the seats of SKUs that are needed, and returns those of which
// there are too few.
func PrintSeats(out io.Writer, all []reconcile.SeatBalance) (short []string, err error) {
	table, some := cli.NewTable(out), false
	table.Write([]string{"product", "needed", "free", "given back", ""})
	for _, s := range all {
		name := s.SKUPartNumber
		if name == "" {
			name = s.SKUID.String()
		}
		verdict := ""
		switch {
		case s.Short > 0:
			short = append(short, name)
			verdict = fmt.Sprintf("%d missing", s.Short)
		case s.Needed > 0 && s.Needed > s.Free:
			verdict = "enough only with those that are given back"
		}
		some = true
		table.Write([]string{name, strconv.Itoa(s.Needed), strconv.Itoa(s.Free), strconv.Itoa(s.Freed), verdict})
	}
	if !some {
		return nil, nil
	}
	if err := table.Flush(); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(out)
	return short, err
}
