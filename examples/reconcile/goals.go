package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/mistakes"
	"github.com/graphlicensing/licensing/examples/internal/names"
	"github.com/graphlicensing/licensing/reconcile"
)

// A resolver turns names of a document into ids, and notes those that it cannot.
type resolver struct {
	*mistakes.List
	client *licensing.Client
	ids    *names.IDs
	source string // the file
	err    error  // why names cannot be looked up at all
}

// goals returns what a document means for a tenant.
func (r *resolver) goals(ctx context.Context, d *document) (goals []reconcile.Goal, opts reconcile.PlanOptions, err error) {
	opts = reconcile.PlanOptions{ManageAll: d.all, Managed: r.skus(ctx, d.managed)}
	for i := range d.wishes {
		goals = append(goals, r.goal(ctx, &d.wishes[i]))
	}
	return goals, opts, r.err
}

func (r *resolver) goal(ctx context.Context, w *wish) reconcile.Goal {
	goal := reconcile.Goal{Kind: w.kind, Target: w.target.text, Mode: w.mode, Ref: w.ref, Remove: r.skus(ctx, w.remove)}
	if goal.Ref == "" {
		goal.Ref = fmt.Sprintf("%s:%d", r.source, w.target.line)
	}
	if w.kind == reconcile.KindGroup {
		goal.Target = r.group(ctx, w.target)
	}
	for _, l := range w.licenses {
		id := r.sku(ctx, l.sku)
		switch {
		case id == uuid.Nil:
			continue
		case slices.ContainsFunc(goal.Licenses, func(l reconcile.License) bool { return l.SKUID == id }):
			r.fail(l.sku, fmt.Errorf("%s is there twice", l.sku.text))
		case slices.Contains(goal.Remove, id):
			r.fail(l.sku, fmt.Errorf("%s is to be removed, and to be there", l.sku.text))
		}
		goal.Licenses = append(goal.Licenses, r.license(ctx, id, &l))
	}
	return goal
}

func (r *resolver) license(ctx context.Context, sku uuid.UUID, l *license) reconcile.License {
	license := reconcile.License{SKUID: sku, DisabledPlans: r.plans(ctx, sku, l.without)}
	if l.only != nil || l.enable != nil || l.disable != nil {
		license.Plans = &licensing.ServicePlanChange{
			EnableOnly: r.plans(ctx, sku, l.only), Enable: r.plans(ctx, sku, l.enable), Disable: r.plans(ctx, sku, l.disable),
		}
	}
	return license
}

func (r *resolver) skus(ctx context.Context, list []name) (ids []uuid.UUID) {
	for _, n := range list {
		if id := r.sku(ctx, n); id != uuid.Nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *resolver) sku(ctx context.Context, n name) uuid.UUID {
	if n.text == "" {
		return uuid.Nil // noted when it was read
	}
	id, err := r.ids.SKU(ctx, n.text)
	r.fail(n, err)
	return id
}

// plans returns the ids of a list, which is nil where the list is.
func (r *resolver) plans(ctx context.Context, sku uuid.UUID, list []name) []uuid.UUID {
	if list == nil {
		return nil
	}
	ids := []uuid.UUID{}
	for _, n := range list {
		id, err := r.ids.ServicePlan(ctx, sku, n.text)
		r.fail(n, err)
		ids = append(ids, id)
	}
	return ids
}

// group returns the id of a group that is named by its id or its display name.
func (r *resolver) group(ctx context.Context, n name) string {
	if _, err := uuid.Parse(n.text); err == nil || r.err != nil {
		return n.text
	}
	var ids []string
	filter := "displayName eq '" + strings.ReplaceAll(n.text, "'", "''") + "'"
	for group, err := range r.client.Groups(ctx, licensing.GroupQuery{Filter: filter}) {
		if err != nil {
			r.err = fmt.Errorf("group %s: %w", n.text, err)
			return n.text
		}
		ids = append(ids, group.ID)
	}
	switch len(ids) {
	case 0:
		r.fail(n, fmt.Errorf("there is no group %s", n.text))
		return n.text
	case 1:
		return ids[0]
	}
	r.fail(n, fmt.Errorf("%d groups are called %s; give the id of one: %s", len(ids), n.text, strings.Join(ids, ", ")))
	return n.text
}

// fail notes what is wrong with a name. Other errors end the reading.
func (r *resolver) fail(n name, err error) {
	kind := cli.Kind(err)
	switch {
	case err == nil:
	case kind == nil, errors.Is(kind, licensing.ErrUnknownSKU), errors.Is(kind, licensing.ErrInvalidArgument):
		r.AddAt(n.line, n.column, err)
	case r.err == nil:
		r.err = err
	}
}
