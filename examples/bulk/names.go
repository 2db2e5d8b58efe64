package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A resolver knows what the names of the input are for.
type resolver struct {
	*licensing.Catalog
	known map[string]resolved // thousands of rows have the same few names
}

type resolved struct {
	license licensing.AssignedLicense
	err     error
}

func newResolver(catalog *licensing.Catalog) *resolver {
	return &resolver{catalog, map[string]resolved{}}
}

// license returns what SKU or SKU-PLAN stands for, the plan being off.
func (r *resolver) license(name string) (licensing.AssignedLicense, error) {
	if known, ok := r.known[name]; ok {
		return known.license, known.err
	}
	license, err := r.resolve(name)
	r.known[name] = resolved{license, err}
	return license, err
}

// resolve takes the longest start of a name that a SKU has. Part numbers can
// have a hyphen as well, and GUIDs do.
func (r *resolver) resolve(name string) (licensing.AssignedLicense, error) {
	sku, err := r.SKU(name)
	if err == nil {
		return licensing.AssignedLicense{SKUID: sku.SKUID}, assignable(sku)
	}
	unknown := err
	for i := strings.LastIndexByte(name, '-'); i > 0; i = strings.LastIndexByte(name[:i], '-') {
		sku, err := r.SKU(name[:i])
		if err != nil {
			continue
		}
		license, err := r.without(sku, name[i+1:])
		if err == nil {
			return license, nil
		}
		if errors.Is(unknown, licensing.ErrUnknownSKU) {
			unknown = err // says more: the SKU is there
		}
	}
	return licensing.AssignedLicense{}, unknown
}

func (r *resolver) without(sku licensing.SubscribedSKU, name string) (licensing.AssignedLicense, error) {
	plan, err := r.ServicePlan(sku.SKUID, name)
	if err != nil {
		return licensing.AssignedLicense{}, err
	}
	if err := assignable(sku); err != nil {
		return licensing.AssignedLicense{}, err
	}
	change := licensing.ServicePlanChange{Disable: []uuid.UUID{plan.ServicePlanID}}
	return change.Apply(licensing.AssignedLicense{SKUID: sku.SKUID}, sku)
}

func assignable(sku licensing.SubscribedSKU) error {
	if strings.EqualFold(sku.AppliesTo, "Company") {
		return fmt.Errorf("%s is for the company, and cannot be assigned", sku.SKUPartNumber)
	}
	return nil
}

// same reports whether two licenses of a SKU have the same plans on. Those that the
// SKU does not have any longer do not count.
func (r *resolver) same(now, next licensing.AssignedLicense) bool {
	sku, _ := r.SKU(next.SKUID.String())
	return !slices.ContainsFunc(sku.ServicePlans, func(plan licensing.ServicePlan) bool {
		return slices.Contains(now.DisabledPlans, plan.ServicePlanID) != slices.Contains(next.DisabledPlans, plan.ServicePlanID)
	})
}

// check says what is wrong with a planned operation.
func (r *resolver) check(op licensing.Operation) error {
	changes := len(op.Request.AddLicenses)+len(op.Request.RemoveLicenses) > 0
	switch op.Kind {
	case licensing.OperationAssignUser, licensing.OperationAssignGroup:
		if !changes {
			return errors.New("the operation adds nothing and removes nothing")
		}
	case licensing.OperationSetUsageLocation:
		if op.UsageLocation == "" {
			return errors.New("the operation has no usage location")
		}
	case licensing.OperationReprocessUser:
	case "":
		return errors.New("not an operation: it has no kind")
	default:
		return fmt.Errorf("there is no operation of kind %q", op.Kind)
	}
	if op.Target == "" {
		return errors.New("the operation has no target")
	}
	for _, license := range op.Request.AddLicenses {
		sku, err := r.SKU(license.SKUID.String())
		if err != nil {
			return err
		}
		for _, id := range license.DisabledPlans {
			if _, err := r.ServicePlan(sku.SKUID, id.String()); err != nil {
				return err
			}
		}
	}
	return nil // a SKU to be removed may have run out
}
