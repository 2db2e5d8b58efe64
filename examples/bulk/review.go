package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/review"
	"github.com/graphlicensing/licensing/reconcile"
)

// A plan is all that is to be done, and what is to be expected of it.
type plan struct {
	steps    []step
	names    *resolver
	objects  []string            // of the steps, in their order
	holdings map[string]*holding // of objects, once all is made
	set      *reconcile.ChangeSet
	changes  map[string]*reconcile.Change // of the set, by object
	takes    map[string][]uuid.UUID       // seats, by object
}

// newPlan goes through the steps in their order. It leaves out operations that an
// earlier run has made, and those that would change nothing. What was made after
// one that is left is made again, for their order is part of what is wanted.
func newPlan(all []step, now present, names *resolver, earlier *results) *plan {
	p := &plan{steps: all, names: names, holdings: map[string]*holding{}}
	open := map[string]bool{} // objects of which something is left to do
	for i := range p.steps {
		s := &p.steps[i]
		s.object = now.object(s.target)
		h := p.holdings[s.object]
		if h == nil {
			h = newHolding(now.user(s.target))
			p.holdings[s.object] = h
			p.objects = append(p.objects, s.object)
		}
		var left []licensing.Operation
		for _, op := range s.operations {
			before := slices.Clone(h.direct)
			changes, refused := h.make(op, names)
			fate := earlier.take(op)
			if fate == isMade && !open[s.object] {
				s.made++
				continue
			}
			if !changes && refused == nil {
				continue
			}
			open[s.object] = true
			op.Resumed = op.Resumed || fate != notMade
			left = append(left, op)
			s.changes = append(s.changes, p.words(op, before)...)
			if s.refused == nil {
				s.refused = refused
			}
		}
		s.operations = left
	}
	return p
}

// words says what an operation does.
func (p *plan) words(op licensing.Operation, before []licensing.AssignedLicense) []string {
	switch op.Kind {
	case licensing.OperationSetUsageLocation:
		return []string{"usage location " + op.UsageLocation}
	case licensing.OperationReprocessUser:
		return []string{"reprocess"}
	}
	return review.Change(&reconcile.Change{Operation: op, Before: before, After: op.Request.AddLicenses}, p.names.Catalog)
}

// look has it worked out what users gain and lose, and the seats.
func (p *plan) look(ctx context.Context, client *licensing.Client) (*plan, error) {
	toSend := map[string]bool{}
	for _, s := range p.steps {
		toSend[s.object] = toSend[s.object] || len(s.operations) > 0
	}
	var goals []reconcile.Goal
	for _, object := range p.objects {
		if h := p.holdings[object]; h.user != nil && toSend[object] {
			goals = append(goals, h.goal())
		}
	}
	p.set = &reconcile.ChangeSet{}
	if len(goals) > 0 {
		var err error
		opts := reconcile.PlanOptions{ManageAll: true, IgnoreInherited: true}
		if p.set, err = reconcile.Plan(ctx, client, slices.Values(goals), opts); err != nil {
			return nil, err
		}
	}
	p.changes, p.takes = map[string]*reconcile.Change{}, map[string][]uuid.UUID{}
	for i := range p.set.Changes {
		c := &p.set.Changes[i]
		p.changes[strings.ToLower(c.ID)], p.takes[strings.ToLower(c.ID)] = c, c.Takes
	}
	for _, problem := range p.set.Problems {
		p.arrives(problem)
	}
	return p, nil
}

// arrives counts the seats of a user who gets a usage location first, without which
// there is no change of licenses to be planned.
func (p *plan) arrives(problem reconcile.Problem) {
	object := strings.ToLower(problem.Target)
	if problem.Kind != reconcile.ProblemNoUsageLocation || p.takes[object] != nil {
		return
	}
	p.takes[object] = p.holdings[object].takes()
	for _, id := range p.takes[object] {
		i := slices.IndexFunc(p.set.Seats, func(b reconcile.SeatBalance) bool { return b.SKUID == id })
		if i < 0 {
			sku, _ := p.names.SKU(id.String())
			i = len(p.set.Seats)
			p.set.Seats = append(p.set.Seats, reconcile.SeatBalance{SKUID: id, SKUPartNumber: sku.SKUPartNumber, Free: sku.Available()})
		}
		b := &p.set.Seats[i]
		b.Needed++
		b.Short = max(0, b.Needed-b.Freed-b.Free)
	}
}

// operations returns all that is left to do.
func (p *plan) operations() []licensing.Operation {
	var all []licensing.Operation
	for _, s := range p.steps {
		all = append(all, s.operations...)
	}
	return all
}

// A numbered operation knows its place among all of them.
type numbered struct {
	index int
	licensing.Operation
}

// rounds returns what is left to do. Where seats are scarce there are two
// rounds, for operations on several users have no order of their own: who needs
// none of these comes first, and may give one back. All that is done to one user is
// in the same round, and so keeps its order.
func (p *plan) rounds() [][]numbered {
	scarce := map[uuid.UUID]bool{}
	for _, b := range p.set.Seats {
		scarce[b.SKUID] = b.Needed > b.Free
	}
	var first, second []numbered
	index := 0
	for _, s := range p.steps {
		late := slices.ContainsFunc(p.takes[s.object], func(id uuid.UUID) bool { return scarce[id] })
		for _, op := range s.operations {
			n := numbered{index, op}
			if late {
				second = append(second, n)
			} else {
				first = append(first, n)
			}
			index++
		}
	}
	return slices.DeleteFunc([][]numbered{first, second}, func(round []numbered) bool { return len(round) == 0 })
}

// held returns the steps that cannot be made.
func (p *plan) held() []step {
	var held []step
	for _, s := range p.steps {
		if s.held != nil {
			held = append(held, s)
		}
	}
	return held
}

// print says how much there is to do, and who is to be looked at before.
func (p *plan) print(out io.Writer) {
	made, already, refused := 0, 0, 0
	for _, s := range p.steps {
		made += s.made
		switch {
		case s.refused != nil:
			refused++
		case s.held == nil && len(s.operations)+s.made == 0:
			already++
		}
	}
	fmt.Fprintf(out, "users and groups: %d\noperations: %d\n", len(p.objects), len(p.operations()))
	review.PrintCounts(out, []review.Count{
		{N: made, Text: "made by an earlier run, and left out"},
		{N: already, Text: "so already"},
		{N: refused, Text: "to be refused, as things are now"},
		{N: len(p.held()), Text: "cannot be made, and nothing is sent for them"},
		{N: review.Mailboxes(p.set), Text: "lose their mailbox, which is deleted after 30 days"},
	})
}

// printSteps says what would become of each user, with what he gains and loses by all
// steps at the last one.
func (p *plan) printSteps(out io.Writer) error {
	last := map[string]int{}
	for i, s := range p.steps {
		last[s.object] = i
	}
	table := cli.NewTable(out)
	table.Write([]string{"user", "change", "gains", "loses", "warning"})
	for i, s := range p.steps {
		row := []string{s.target, strings.Join(s.changes, ", ")}
		switch {
		case s.held != nil:
			row[1] = "none can be made: " + reason(s.held)
		case s.refused != nil:
			row[1] = "refused: " + reason(s.refused)
		case len(s.operations) == 0 && s.made > 0:
			row[1] = "nothing, an earlier run has made it"
		case row[1] == "":
			row[1] = "nothing, it is so already"
		}
		if c := p.changes[s.object]; c != nil && last[s.object] == i {
			row = append(row, review.Plans(c.Enabled), review.Plans(c.Disabled), review.Warnings(c))
		}
		table.Write(row)
	}
	return table.Flush()
}

// write writes the operations, for people to look at and for -in.
func (p *plan) write(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for _, op := range p.operations() {
		if err = lines.Encode(op); err != nil {
			break
		}
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// reason says in words what keeps an operation from being made.
func reason(err error) string {
	if text := cli.Advice(err); text != "" {
		return text
	}
	return err.Error()
}
