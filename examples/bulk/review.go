package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A review is all that is to be done, and what is to be expected of it.
type review struct {
	steps []step
	seats []seats
}

// newReview foresees the steps in their order. It leaves out operations that an
// earlier run has made, and those that would change nothing. What was made after
// one that is left is made again, for their order is part of what is wanted.
func newReview(all []step, now present, names *resolver, earlier *results) *review {
	r := &review{steps: all}
	mailboxes := newMailboxFinder(names.Catalog)
	open := map[string]bool{} // objects of which something is left to do
	for i := range r.steps {
		s := &r.steps[i]
		s.object = now.object(s.target)
		var left []licensing.Operation
		for _, op := range s.operations {
			o := now.foresee(op, names, mailboxes)
			fate := earlier.take(op)
			if fate == isMade && !open[s.object] {
				s.made++
				continue
			}
			if o.already {
				continue
			}
			open[s.object] = true
			op.Resumed = op.Resumed || fate != notMade
			left = append(left, op)
			s.changes = append(s.changes, o.changes...)
			s.takes, s.frees = append(s.takes, o.takes...), append(s.frees, o.frees...)
			s.losesMailbox = s.losesMailbox || o.losesMailbox
			if s.refused == nil {
				s.refused = o.refused
			}
		}
		s.operations = left
	}
	r.seats = countSeats(r.steps, names)
	return r
}

// operations returns all that is left to do.
func (r *review) operations() []licensing.Operation {
	var all []licensing.Operation
	for _, s := range r.steps {
		all = append(all, s.operations...)
	}
	return all
}

// A numbered operation knows its place among all of them, and whom it is on.
type numbered struct {
	index  int
	object string
	licensing.Operation
}

// rounds returns what is left to do. Where seats are scarce there are two
// rounds, for operations on several users have no order of their own: who needs
// no seat comes first, and may give one back. What is done to one user keeps
// its order.
func (r *review) rounds() [][]numbered {
	scarce := slices.ContainsFunc(r.seats, func(s seats) bool { return s.needed > s.free })
	var first, second []numbered
	waits := map[string]bool{}
	index := 0
	for _, s := range r.steps {
		early := scarce && len(s.takes) == 0 && !waits[s.object]
		waits[s.object] = !early
		for _, op := range s.operations {
			n := numbered{index, s.object, op}
			if early {
				first = append(first, n)
			} else {
				second = append(second, n)
			}
			index++
		}
	}
	return slices.DeleteFunc([][]numbered{first, second}, func(round []numbered) bool { return len(round) == 0 })
}

// held returns the steps that cannot be made.
func (r *review) held() []step {
	var held []step
	for _, s := range r.steps {
		if s.held != nil {
			held = append(held, s)
		}
	}
	return held
}

// print says how much there is to do, and who is to be looked at before.
func (r *review) print(out io.Writer) {
	targets := map[string]bool{}
	made, already, refused, losing := 0, 0, 0, 0
	for _, s := range r.steps {
		targets[strings.ToLower(s.target)] = true
		made += s.made
		switch {
		case s.refused != nil:
			refused++
		case s.held == nil && len(s.operations)+s.made == 0:
			already++
		}
		if s.losesMailbox {
			losing++
		}
	}
	fmt.Fprintf(out, "users and groups: %d\noperations: %d\n", len(targets), len(r.operations()))
	for _, line := range []struct {
		n    int
		text string
	}{
		{made, "made by an earlier run, and left out"},
		{already, "so already"},
		{refused, "to be refused, as things are now"},
		{len(r.held()), "cannot be made, and nothing is sent for them"},
		{losing, "lose their mailbox, which is deleted after 30 days"},
	} {
		if line.n > 0 {
			fmt.Fprintf(out, "%s: %d\n", line.text, line.n)
		}
	}
}

// printSteps says what would become of each user.
func (r *review) printSteps(out io.Writer) error {
	table := cli.NewTable(out)
	table.Write([]string{"user", "warning", "change"})
	for _, s := range r.steps {
		change, warning := strings.Join(s.changes, ", "), ""
		switch {
		case s.held != nil:
			change = "none can be made: " + reason(s.held)
		case s.refused != nil:
			change = "refused: " + reason(s.refused)
		case len(s.operations) == 0 && s.made > 0:
			change = "nothing, an earlier run has made it"
		case change == "":
			change = "nothing, it is so already"
		}
		if s.losesMailbox {
			warning = "loses the mailbox (30 days)"
		}
		table.Write([]string{s.target, warning, change})
	}
	return table.Flush()
}

// writePlan writes the operations, for people to look at and for -in.
func (r *review) writePlan(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(file)
	for _, op := range r.operations() {
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
