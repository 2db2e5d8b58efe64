package main

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/reconcile"
)

// A holding is what a user has once some operations are made.
type holding struct {
	user     *licensing.User // as read; nil for one who is not there
	direct   []licensing.AssignedLicense
	location string
	touched  []uuid.UUID // SKUs that the operations are about
}

func newHolding(user *licensing.User) *holding {
	h := &holding{user: user}
	if user != nil {
		h.direct, _ = user.DirectLicenses()
		h.location = user.UsageLocation
	}
	return h
}

func (h *holding) index(sku uuid.UUID) int {
	return slices.IndexFunc(h.direct, func(l licensing.AssignedLicense) bool { return l.SKUID == sku })
}

// make makes an operation. It reports whether that changes anything, and why Graph is
// going to refuse it, if so.
func (h *holding) make(op licensing.Operation, names *resolver) (changes bool, refused error) {
	switch {
	case op.Kind == licensing.OperationAssignGroup:
		return true, nil
	case h.user == nil:
		return true, licensing.ErrNotFound
	case op.Kind == licensing.OperationReprocessUser:
		return true, nil
	case op.Kind == licensing.OperationSetUsageLocation:
		changes = !strings.EqualFold(h.location, op.UsageLocation)
		h.location = op.UsageLocation
		return changes, nil
	}
	next := *h
	changes, refused = next.assign(op.Request, names)
	if refused == nil {
		*h = next
	}
	return changes, refused
}

func (h *holding) assign(request licensing.AssignLicenseRequest, names *resolver) (changes bool, refused error) {
	h.direct, h.touched = slices.Clone(h.direct), slices.Clip(h.touched)
	missing := false
	for _, id := range request.RemoveLicenses {
		switch i := h.index(id); {
		case i >= 0:
			h.direct = slices.Delete(h.direct, i, i+1)
			changes = true
		case inherits(h.user, id):
			refused = licensing.ErrInherited
		default:
			missing = true
		}
	}
	for _, license := range request.AddLicenses {
		i := h.index(license.SKUID)
		switch {
		case i < 0:
			h.direct = append(h.direct, license)
			if h.location == "" {
				refused = licensing.ErrUsageLocation
			}
		case names.same(h.direct[i], license):
			continue
		default:
			h.direct[i] = license
		}
		h.touched = append(h.touched, license.SKUID)
		changes = true
	}
	if missing && changes && refused == nil {
		refused = licensing.ErrNotAssigned
	}
	return changes, refused
}

// goal returns the goal by which a user has what is held, and nothing else.
func (h *holding) goal() reconcile.Goal {
	goal := reconcile.Goal{Target: h.user.ID, Mode: reconcile.Exactly}
	for _, l := range h.direct {
		license := reconcile.License{SKUID: l.SKUID}
		if slices.Contains(h.touched, l.SKUID) {
			license.DisabledPlans = append([]uuid.UUID{}, l.DisabledPlans...)
		}
		goal.Licenses = append(goal.Licenses, license)
	}
	return goal
}

// takes returns the SKUs of which the user needs a seat.
func (h *holding) takes() (skus []uuid.UUID) {
	for _, l := range h.direct {
		if _, had := direct(h.user, l.SKUID); !had && !inherits(h.user, l.SKUID) {
			skus = append(skus, l.SKUID)
		}
	}
	return skus
}
