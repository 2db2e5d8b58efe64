package licensing

import (
	"context"
	"time"

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

// Available returns the number of free seats: enabled and warning units minus
// consumed units. It is negative if more seats are in use than were paid for.
func (s SubscribedSKU) Available() int {
	return s.PrepaidUnits.Enabled + s.PrepaidUnits.Warning - s.ConsumedUnits
}

// LicenseUnits are the seats of a SKU, by state.
type LicenseUnits struct {
	Enabled   int `json:"enabled"`
	LockedOut int `json:"lockedOut"` // national clouds do not return it
	Suspended int `json:"suspended"`
	Warning   int `json:"warning"` // in the grace period, still assignable
}

// A ServicePlan is a part of a SKU. A plan that applies to users can be switched
// off separately.
type ServicePlan struct {
	AppliesTo          string             `json:"appliesTo,omitzero"` // "User" or "Company"
	ProvisioningStatus ProvisioningStatus `json:"provisioningStatus,omitzero"`
	ServicePlanID      uuid.UUID          `json:"servicePlanId,omitzero"`
	ServicePlanName    string             `json:"servicePlanName,omitzero"`
}

// LicenseDetails is a SKU that a user has, directly or through a group, with the
// status of its service plans.
type LicenseDetails struct {
	ID            string        `json:"id,omitzero"` // the same for all users who have the SKU
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

// SubscribedSKUs returns the products that the tenant has subscribed to, with their
// seats and service plans.
//
// SKUs that apply to "Company" cannot be assigned. [NewCatalog] finds SKUs and
// plans by name. Reads lag behind writes, so [SubscribedSKU.Available] does not
// guarantee a seat.
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

// UserLicenseDetails returns the SKUs that a user has, directly or through a group,
// with the status of each service plan.
//
// The user is an object id or a user principal name. A plan that is off has the
// status ProvisioningStatusDisabled. The result does not say where a SKU comes
// from; [Client.User] does.
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
// through a group, with the status of each service plan.
//
// It is [Client.UserLicenseDetails] for the user who signed in, and works with
// delegated tokens only.
//
// Permission: LicenseAssignment.Read.All or User.Read, delegated.
//
// Errors: those of [Client.UserLicenseDetails], and [ErrDelegatedOnly] (the token
// is an application's).
//
// Graph: https://learn.microsoft.com/graph/api/user-list-licensedetails
func (c *Client) MyLicenseDetails(ctx context.Context) ([]LicenseDetails, error) {
	return licenseDetails(ctx, c, "list my license details", graph.Me)
}

func licenseDetails(ctx context.Context, c *Client, op string, obj graph.Object) ([]LicenseDetails, error) {
	return collect(listed(ctx, c, listing{op: op, object: obj, action: "/licenseDetails", whole: true}, always((*wireDetails).details)))
}

// A Subscription is one purchase or trial of a SKU. It says how many seats the
// purchase has, and when it ends or renews. A tenant can have several subscriptions
// of one SKU. SubscribedSKU.SubscriptionIDs has their ids.
type Subscription struct {
	ID                     string           `json:"id,omitzero"`
	CommerceSubscriptionID string           `json:"commerceSubscriptionId,omitzero"` // in the commerce system
	CreatedDateTime        time.Time        `json:"createdDateTime,omitzero"`
	IsTrial                *bool            `json:"isTrial,omitzero"`               // nil: not returned
	NextLifecycleDateTime  time.Time        `json:"nextLifecycleDateTime,omitzero"` // when Status changes next; zero: not returned
	OwnerID                string           `json:"ownerId,omitzero"`
	OwnerTenantID          string           `json:"ownerTenantId,omitzero"` // the partner's tenant, if a partner sold it
	OwnerType              string           `json:"ownerType,omitzero"`
	ServiceStatus          []ServicePlan    `json:"serviceStatus,omitzero"`
	SKUID                  uuid.UUID        `json:"skuId,omitzero"`
	SKUPartNumber          string           `json:"skuPartNumber,omitzero"` // such as "ENTERPRISEPACK"
	Status                 CapabilityStatus `json:"status,omitzero"`
	TotalLicenses          int              `json:"totalLicenses"` // seats
}

// Subscriptions returns the tenant's purchases of SKUs, with the seats, the status
// and the end of each.
//
// Use it to find out when purchases end and which are trials.
// [Client.SubscribedSKUs] returns each SKU with all its seats and the free ones.
// NextLifecycleDateTime is when the status changes next. For an enabled
// subscription this is its end or its renewal.
//
// Permission: Organization.Read.All, delegated or application.
//
// Errors: [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/directory-list-subscriptions
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	return collect(listed(ctx, c, listing{op: "list subscriptions", object: graph.Tenant, action: "/directory/subscriptions", whole: true}, always((*wireSubscription).subscription)))
}
