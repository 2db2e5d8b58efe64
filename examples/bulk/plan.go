package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/graphlicensing/licensing"
)

// A step is what is to be done for one user, or group, of the input.
type step struct {
	line       int
	target     string
	object     string // what the target is one name of
	operations []licensing.Operation
	made       int      // operations that an earlier run has made
	held       error    // why there can be no operations
	changes    []string // in words
	refused    error    // why one is going to fail for sure
}

// steps turns wishes into operations. What is so already needs none.
func steps(wishes []wish, now present, names *resolver) []step {
	var all []step
	for _, w := range wishes {
		s := step{line: w.line, target: w.user}
		if w.operation != nil {
			s.operations = []licensing.Operation{*w.operation}
		} else {
			s.operations, s.held = w.operations(now.user(w.user), names)
		}
		all = append(all, s)
	}
	return all
}

// operations returns what brings a user to what is wanted. Nothing is known of
// a user who was not found: Graph has the last word on that.
func (w *wish) operations(user *licensing.User, names *resolver) ([]licensing.Operation, error) {
	var operations []licensing.Operation
	if w.location != "" && (user == nil || !strings.EqualFold(user.UsageLocation, w.location)) {
		operations = append(operations, licensing.Operation{
			Kind: licensing.OperationSetUsageLocation, Target: w.user, UsageLocation: w.location,
		})
	}
	request, err := w.request(user, names)
	if err != nil {
		return nil, err
	}
	if len(request.AddLicenses)+len(request.RemoveLicenses) > 0 {
		operations = append(operations, licensing.Operation{
			Kind: licensing.OperationAssignUser, Target: w.user, Request: request,
		})
	}
	return operations, nil
}

func (w *wish) request(user *licensing.User, names *resolver) (licensing.AssignLicenseRequest, error) {
	var request licensing.AssignLicenseRequest
	adds := w.add
	for _, off := range w.off {
		if slices.ContainsFunc(w.add, func(l licensing.AssignedLicense) bool { return l.SKUID == off.SKUID }) {
			adds = joined(slices.Clone(adds), off) // without the plan from the start
			continue
		}
		license, err := switchedOff(user, off, names)
		if err != nil {
			return request, err
		}
		adds = append(slices.Clip(adds), license)
	}
	for _, license := range adds {
		if now, has := direct(user, license.SKUID); has {
			if names.same(now, license) {
				continue
			}
		}
		request.AddLicenses = append(request.AddLicenses, license)
	}
	for _, id := range w.remove {
		_, has := direct(user, id)
		if user == nil || has || inherits(user, id) {
			request.RemoveLicenses = append(request.RemoveLicenses, id)
		}
	}
	return request, nil
}

// switchedOff returns the user's license with some further plans off.
func switchedOff(user *licensing.User, off licensing.AssignedLicense, names *resolver) (licensing.AssignedLicense, error) {
	sku, err := names.SKU(off.SKUID.String())
	if err != nil {
		return off, err
	}
	now, has := direct(user, off.SKUID)
	switch {
	case has:
		return licensing.ServicePlanChange{Disable: off.DisabledPlans}.Apply(now, sku)
	case user == nil:
		err = licensing.ErrNotFound
	case inherits(user, off.SKUID):
		err = licensing.ErrInherited
	default:
		err = licensing.ErrNotAssigned
	}
	return off, fmt.Errorf("%s: %w", sku.SKUPartNumber, err)
}
