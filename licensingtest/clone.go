package licensingtest

import (
	"slices"

	"github.com/google/uuid"
)

func findLicense(licenses []License, sku uuid.UUID) (License, bool) {
	for _, l := range licenses {
		if l.SKUID == sku {
			return l, true
		}
	}
	return License{}, false
}

func findPlan(plans []Plan, id uuid.UUID) (Plan, bool) {
	for _, p := range plans {
		if p.ID == id {
			return p, true
		}
	}
	return Plan{}, false
}

func cloneLicense(l License) License {
	l.DisabledPlans = slices.Clone(l.DisabledPlans)
	return l
}

func cloneLicenses(licenses []License) []License {
	out := slices.Clone(licenses)
	for i := range out {
		out[i] = cloneLicense(out[i])
	}
	return out
}

func cloneSKU(s SKU) SKU {
	s.BarredIn = slices.Clone(s.BarredIn)
	s.SubscriptionIDs = slices.Clone(s.SubscriptionIDs)
	s.Subscriptions = slices.Clone(s.Subscriptions)
	s.Plans = slices.Clone(s.Plans)
	for i := range s.Plans {
		s.Plans[i].DependsOn = slices.Clone(s.Plans[i].DependsOn)
		s.Plans[i].ConflictsWith = slices.Clone(s.Plans[i].ConflictsWith)
	}
	return s
}
