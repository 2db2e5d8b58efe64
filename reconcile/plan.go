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

// PlanOptions configure [Plan].
type PlanOptions struct {
	// Managed lists the SKUs that Exactly goals may remove or change. If Managed is
	// empty and ManageAll is not set, Plan refuses Exactly goals.
	Managed []uuid.UUID
	// ManageAll makes all SKUs managed.
	ManageAll bool
	// IgnoreInherited assigns licenses directly even if groups assign them too. By
	// default, a plan that a healthy group assignment has on counts toward the goal.
	// This applies if there is no direct license, and for AtLeast goals also if there
	// is one.
	IgnoreInherited bool
	// Progress is called with the number of goals that were checked so far. It runs on
	// the goroutine that called Plan. It may be nil.
	Progress func(done int)
}

// Plan compares goals with what users and groups have, and returns the changes that
// are needed. It writes nothing. The package documentation explains how Plan reads
// goals and inherited licenses.
//
// Plan reads the SKUs once and each group with its own request. It reads users with
// [licensing.Client.ReadUsers] or with one listing, whichever takes fewer requests.
// The result depends only on what was read: two plans of the same state differ only
// in Created. A goal that cannot be reached is a Problem, not an error.
//
// Permission: LicenseAssignment.Read.All, User.Read.All, and Group.Read.All if
// there are goals for groups; delegated or application.
//
// Errors: [licensing.ErrInvalidArgument] (a goal is invalid, or is Exactly with
// nothing managed; the text has the goal's index, and nothing was sent),
// [licensing.ErrForbidden], [licensing.ErrThrottled], [licensing.ErrUnavailable],
// [licensing.ErrStopped] (an outage lasted too long). With an error there is no
// ChangeSet, because a partial one could be mistaken for a complete one.
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
