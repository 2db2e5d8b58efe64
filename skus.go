package licensing

import (
	"github.com/google/uuid"
)

// A SubscribedSKU is a product that the tenant has subscribed to, with its
// seats and service plans.
type SubscribedSKU struct {
	ID               string           `json:"id,omitzero"` // {tenant}_{SKU}
	AccountID        string           `json:"accountId,omitzero"`
	AccountName      string           `json:"accountName,omitzero"`
	AppliesTo        string           `json:"appliesTo,omitzero"` // "User"; "Company" ones cannot be assigned
	CapabilityStatus CapabilityStatus `json:"capabilityStatus,omitzero"`
	ConsumedUnits    int              `json:"consumedUnits"`
	PrepaidUnits     LicenseUnits     `json:"prepaidUnits"`
	ServicePlans     []ServicePlan    `json:"servicePlans,omitzero"`
	SKUID            uuid.UUID        `json:"skuId,omitzero"`
	SKUPartNumber    string           `json:"skuPartNumber,omitzero"` // such as "ENTERPRISEPACK"
	SubscriptionIDs  []string         `json:"subscriptionIds,omitzero"`
}

// Available returns the number of free seats: enabled and warning units less
// those consumed. It is negative when more are in use than were paid for.
func (s SubscribedSKU) Available() int {
	return s.PrepaidUnits.Enabled + s.PrepaidUnits.Warning - s.ConsumedUnits
}

// LicenseUnits are the seats of a SKU by their state.
type LicenseUnits struct {
	Enabled   int `json:"enabled"`
	LockedOut int `json:"lockedOut"` // not told by the national clouds
	Suspended int `json:"suspended"`
	Warning   int `json:"warning"` // in the grace period, still assignable
}

// A ServicePlan is a part of a SKU that can be switched off by itself, where
// it applies to users.
type ServicePlan struct {
	AppliesTo          string             `json:"appliesTo,omitzero"` // "User" or "Company"
	ProvisioningStatus ProvisioningStatus `json:"provisioningStatus,omitzero"`
	ServicePlanID      uuid.UUID          `json:"servicePlanId,omitzero"`
	ServicePlanName    string             `json:"servicePlanName,omitzero"`
}

// LicenseDetails is a SKU that a user has, directly or through a group, with
// the state of its service plans.
type LicenseDetails struct {
	ID            string        `json:"id,omitzero"`
	ServicePlans  []ServicePlan `json:"servicePlans,omitzero"`
	SKUID         uuid.UUID     `json:"skuId,omitzero"`
	SKUPartNumber string        `json:"skuPartNumber,omitzero"`
}

// An InheritedLicense is a SKU that a user has through a group.
type InheritedLicense struct {
	SKUID         uuid.UUID
	DisabledPlans []uuid.UUID
	GroupID       string
}
