package reconcile

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const opPlan = "plan"

// PlanOptions say what [Plan] may take away and what it counts as had.
type PlanOptions struct {
	// Managed are the SKUs that Exactly goals may take away or change. Without any,
	// and without ManageAll, an Exactly goal is refused.
	Managed []uuid.UUID
	// ManageAll makes all SKUs managed.
	ManageAll bool
	// IgnoreInherited assigns directly also what groups give. By default a plan that
	// a healthy group assignment has on counts as had: where there is no direct
	// license, and for AtLeast goals also where there is one.
	IgnoreInherited bool
	// Progress, unless nil, is called by the goroutine of Plan with the number of
	// goals that were looked at so far.
	Progress func(done int)
}

// Plan compares goals with what users and groups have, and returns the changes that
// are needed. It sends nothing that writes. The package documentation says how goals
// and inherited licenses are read.
//
// It reads the SKUs once, users by [licensing.Client.ReadUsers] or by one listing,
// whichever is fewer requests, and groups one by one. The result depends on nothing
// but what was read: two plans of the same state are equal but for Created. A goal
// that cannot be reached is a Problem and no error.
//
// Permission: LicenseAssignment.Read.All, User.Read.All, and Group.Read.All where
// there are goals for groups; delegated or application.
//
// Errors: [licensing.ErrInvalidArgument] (a goal that makes no sense, or an Exactly
// one with nothing managed; the text has its index, and nothing was sent),
// [licensing.ErrForbidden], [licensing.ErrThrottled], [licensing.ErrUnavailable],
// [licensing.ErrStopped] (an outage went on). There is no ChangeSet then, since a
// part of the state would be taken for the whole.
//
// Graph: https://learn.microsoft.com/graph/api/resources/licenseassignmentstate
func Plan(ctx context.Context, c *licensing.Client, goals iter.Seq[Goal], opts PlanOptions) (*ChangeSet, error) {
	p := &planner{client: c, rules: rules{opts: opts}}
	if err := p.gather(goals); err != nil {
		return nil, err
	}
	skus, err := c.SubscribedSKUs(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", opPlan, err)
	}
	p.products = newProducts(skus)
	created := time.Now().UTC().Truncate(time.Second)
	if err := p.read(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", opPlan, err)
	}
	return p.changeSet(created), nil
}

// A planner is one Plan.
type planner struct {
	rules
	client *licensing.Client
	goals  []Goal
	drafts []draft        // of each goal
	names  map[string]int // the first goal for a name
	ids    map[string]int // the first goal for an object
	done   int
}

// A draft is what is known of one goal.
type draft struct {
	change   *Change
	problems []Problem
	done     bool
}

// gather takes the goals and says what is wrong with one.
func (p *planner) gather(goals iter.Seq[Goal]) error {
	if goals == nil {
		return invalid(opPlan, "goals is nil")
	}
	p.names, p.ids = make(map[string]int), make(map[string]int)
	for goal := range goals {
		i := len(p.goals)
		if err := goal.check(); err != nil {
			return invalid(opPlan, "goals[%d]: %v", i, err)
		}
		if goal.exact() && !p.opts.ManageAll && len(p.opts.Managed) == 0 {
			return invalid(opPlan, "goals[%d]: Mode is Exactly, and neither Managed nor ManageAll is given", i)
		}
		p.goals, p.drafts = append(p.goals, goal), append(p.drafts, draft{})
		key := nameKey(goal.kind(), goal.Target)
		p.claim(p.names, key, i)
		if p.names[key] != i { // one is enough to be read
			p.end(i)
		}
	}
	return nil
}

// nameKey is the same for two spellings of one name.
func nameKey(kind Kind, name string) string { return string(kind) + " " + strings.ToLower(name) }

// claim notes that a goal is for what a key stands for. Where another one is as
// well, neither can be reached: nobody knows which is meant.
func (p *planner) claim(keys map[string]int, key string, i int) {
	first, taken := keys[key]
	if !taken {
		keys[key] = i
		return
	}
	if first != i {
		p.rivals(first, i)
		p.rivals(i, first)
	}
}

// rivals refuses a goal for another one.
func (p *planner) rivals(i, other int) {
	d := &p.drafts[i]
	if len(d.problems) > 0 && d.problems[0].Kind == ProblemTwoGoals {
		return
	}
	detail := fmt.Sprintf("goals[%d], for %s, is for the same object", other, p.goals[other].Target)
	d.change, d.problems = nil, []Problem{newProblem(&p.goals[i], ProblemTwoGoals, uuid.Nil, detail)}
}

// end notes that all is known of a goal.
func (p *planner) end(i int) {
	if d := &p.drafts[i]; !d.done {
		d.done = true
		p.done++
	}
}

// report tells how far the plan is.
func (p *planner) report() {
	if p.opts.Progress != nil {
		p.opts.Progress(p.done)
	}
}

// found takes in what was read for a goal.
func (p *planner) found(i int, s subject) {
	d := &p.drafts[i]
	if d.done {
		return
	}
	if d.problems == nil {
		d.change, d.problems = p.decide(&p.goals[i], &s)
	}
	p.end(i)
	p.claim(p.ids, nameKey(p.goals[i].kind(), s.id), i)
	p.report()
}

// missed takes in why nothing could be read for a goal, and reports whether that is
// about the goal.
func (p *planner) missed(i int, err error) bool {
	kind := problemOf(err)
	if kind == "" {
		return false
	}
	if d := &p.drafts[i]; d.problems == nil {
		d.problems = []Problem{newProblem(&p.goals[i], kind, uuid.Nil, detailOf(err))}
	}
	p.end(i)
	p.report()
	return true
}

// changeSet puts together what was found.
func (p *planner) changeSet(created time.Time) *ChangeSet {
	changes := 0
	for _, d := range p.drafts {
		if d.change != nil {
			changes++
		}
	}
	s := &ChangeSet{Created: created, Changes: make([]Change, 0, changes)}
	for i := range p.drafts {
		d := p.drafts[i]
		p.drafts[i] = draft{} // so that not all is there twice
		switch {
		case len(d.problems) > 0:
			s.Problems = append(s.Problems, d.problems...)
		case d.change != nil:
			s.Changes = append(s.Changes, *d.change)
		default:
			s.Unchanged++
		}
	}
	s.balance(p.products)
	return s
}
