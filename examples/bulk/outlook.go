package main

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// An outlook is what an operation will do, as far as can be foreseen.
type outlook struct {
	changes      []string
	already      bool  // all is so already
	refused      error // why it is going to fail for sure
	losesMailbox bool
	takes, frees []uuid.UUID // seats of these SKUs
}

// foresee works out what an operation does, and brings the present forward.
func (p present) foresee(op licensing.Operation, names *resolver, mailboxes mailboxFinder) outlook {
	user := p.user(op.Target)
	switch {
	case op.Kind == licensing.OperationAssignGroup:
		return outlook{changes: groupChanges(op.Request, names)}
	case user == nil:
		return outlook{refused: licensing.ErrNotFound}
	case op.Kind == licensing.OperationReprocessUser:
		return outlook{changes: []string{"reprocess"}}
	}
	next := *user
	var o outlook
	if op.Kind == licensing.OperationSetUsageLocation {
		if o.already = strings.EqualFold(user.UsageLocation, op.UsageLocation); !o.already {
			o.changes = append(o.changes, "usage location "+op.UsageLocation)
		}
		next.UsageLocation = op.UsageLocation
	} else {
		o = assignment(user, op.Request, names)
		next.LicenseAssignmentStates = after(user.LicenseAssignmentStates, op.Request)
	}
	if o.refused != nil || o.already {
		return outlook{refused: o.refused, already: o.already}
	}
	o.losesMailbox = mailboxes.has(user) && !mailboxes.has(&next)
	p.become(op.Target, &next)
	return o
}

func assignment(user *licensing.User, request licensing.AssignLicenseRequest, names *resolver) outlook {
	var o outlook
	missing := 0
	for _, id := range request.RemoveLicenses {
		_, has := direct(user, id)
		switch name := names.DisplayName(id); {
		case has:
			o.changes = append(o.changes, "remove "+name)
			if !inherits(user, id) {
				o.frees = append(o.frees, id)
			}
		case inherits(user, id):
			o.refused = licensing.ErrInherited
		default:
			missing++
		}
	}
	for _, license := range request.AddLicenses {
		now, has := direct(user, license.SKUID)
		name := names.DisplayName(license.SKUID)
		if has {
			on, off := switched(now, license, names)
			o.changes = append(o.changes, phrase("switch on", named(on, names), name)...)
			o.changes = append(o.changes, phrase("switch off", named(off, names), name)...)
			continue
		}
		change := "add " + name
		if without := named(license.DisabledPlans, names); without != "" {
			change += " without " + without
		}
		o.changes = append(o.changes, change)
		if !inherits(user, license.SKUID) {
			o.takes = append(o.takes, license.SKUID)
		}
		if user.UsageLocation == "" {
			o.refused = licensing.ErrUsageLocation
		}
	}
	// An operation that was in doubt may have been made after all.
	o.already = len(o.changes) == 0 && o.refused == nil
	if missing > 0 && !o.already {
		o.refused = licensing.ErrNotAssigned
	}
	return o
}

// after returns the rows of a user once a change is made.
func after(states []licensing.LicenseAssignmentState, request licensing.AssignLicenseRequest) []licensing.LicenseAssignmentState {
	next := slices.DeleteFunc(slices.Clone(states), func(s licensing.LicenseAssignmentState) bool {
		return s.AssignedByGroup == "" && (slices.Contains(request.RemoveLicenses, s.SKUID) ||
			slices.ContainsFunc(request.AddLicenses, func(l licensing.AssignedLicense) bool { return l.SKUID == s.SKUID }))
	})
	for _, license := range request.AddLicenses {
		next = append(next, licensing.LicenseAssignmentState{
			SKUID: license.SKUID, DisabledPlans: license.DisabledPlans, State: licensing.AssignmentStateActive,
		})
	}
	return next
}

// switched returns the plans that differ between two licenses of one SKU. Those
// that the SKU does not have any longer do not count.
func switched(now, next licensing.AssignedLicense, names *resolver) (on, off []uuid.UUID) {
	sku, _ := names.SKU(next.SKUID.String())
	for _, plan := range sku.ServicePlans {
		id := plan.ServicePlanID
		switch was, is := slices.Contains(now.DisabledPlans, id), slices.Contains(next.DisabledPlans, id); {
		case was && !is:
			on = append(on, id)
		case is && !was:
			off = append(off, id)
		}
	}
	return on, off
}

func groupChanges(request licensing.AssignLicenseRequest, names *resolver) []string {
	var changes []string
	for _, id := range request.RemoveLicenses {
		changes = append(changes, "remove "+names.DisplayName(id)+" from the group")
	}
	for _, license := range request.AddLicenses {
		change := "assign " + names.DisplayName(license.SKUID) + " to the group"
		if without := named(license.DisabledPlans, names); without != "" {
			change += " without " + without
		}
		changes = append(changes, change)
	}
	return changes
}

func phrase(verb, plans, sku string) []string {
	if plans == "" {
		return nil
	}
	return []string{verb + " " + plans + " of " + sku}
}

func named(ids []uuid.UUID, names *resolver) string {
	var list []string
	for _, id := range ids {
		list = append(list, names.DisplayName(id))
	}
	return strings.Join(list, ", ")
}
