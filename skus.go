package licensing

import (
	"context"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
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
	ID            string        `json:"id,omitzero"` // of the SKU in the tenant: the same for all users who have it
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

// SubscribedSKUs returns the products that the tenant has subscribed to, with
// their seats and service plans.
//
// It is what to choose from: SKUs that apply to "Company" cannot be assigned.
// [NewCatalog] finds SKUs and plans by name. Reads lag behind writes, so
// [SubscribedSKU.Available] is no promise of a seat.
//
// Permission: LicenseAssignment.Read.All, delegated or application.
//
// Errors: [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/subscribedsku-list
func (c *Client) SubscribedSKUs(ctx context.Context) ([]SubscribedSKU, error) {
	return c.subscribed(ctx, "list subscribed SKUs", nil)
}

// subscribed reads the tenant's SKUs, within the call of a request unless that is
// nil.
func (c *Client) subscribed(ctx context.Context, op string, within *graph.Request) ([]SubscribedSKU, error) {
	return collect(listed(ctx, c, listing{op: op, object: graph.Tenant, action: "/subscribedSkus", whole: true, within: within}, always((*wireSKU).sku)))
}

// UserLicenseDetails returns the SKUs that a user has, directly or through a
// group, with the state of each service plan.
//
// The user is an object id or a user principal name. A plan that is off has the
// status [ProvisioningStatusDisabled]. Where a SKU comes from is told by
// [Client.User].
//
// Permission: LicenseAssignment.Read.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrNotFound], [ErrForbidden],
// [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/user-list-licensedetails
func (c *Client) UserLicenseDetails(ctx context.Context, user string) ([]LicenseDetails, error) {
	return licenseDetails(ctx, c, "list user license details", graph.User(user))
}

// MyLicenseDetails returns the SKUs that the signed-in user has, directly or
// through a group, with the state of each service plan.
//
// It is [Client.UserLicenseDetails] for the user whose token it is, and works
// with delegated tokens only.
//
// Permission: LicenseAssignment.Read.All or User.Read, delegated.
//
// Errors: those of [Client.UserLicenseDetails], and [ErrDelegatedOnly] (the
// token is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-list-licensedetails
func (c *Client) MyLicenseDetails(ctx context.Context) ([]LicenseDetails, error) {
	return licenseDetails(ctx, c, "list my license details", graph.Me)
}

func licenseDetails(ctx context.Context, c *Client, op string, obj graph.Object) ([]LicenseDetails, error) {
	return collect(listed(ctx, c, listing{op: op, object: obj, action: "/licenseDetails", whole: true}, always((*wireDetails).details)))
}
