package licensing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// A Subscription is one purchase of a SKU, or a trial of it: how many seats it
// brings, and when it ends or renews. A tenant can have several of one SKU. Their ids
// are in [SubscribedSKU].SubscriptionIDs.
type Subscription struct {
	ID                     string           `json:"id,omitzero"`
	CommerceSubscriptionID string           `json:"commerceSubscriptionId,omitzero"` // in the commerce system
	CreatedDateTime        time.Time        `json:"createdDateTime,omitzero"`
	IsTrial                *bool            `json:"isTrial,omitzero"`               // nil: not returned
	NextLifecycleDateTime  time.Time        `json:"nextLifecycleDateTime,omitzero"` // when Status is to change; zero: not returned
	OwnerID                string           `json:"ownerId,omitzero"`
	OwnerTenantID          string           `json:"ownerTenantId,omitzero"` // the partner's, of one that a partner sold
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
// [Client.SubscribedSKUs] returns the SKUs with all their seats, free ones as well;
// this is for when they end, and for which of them are trials. NextLifecycleDateTime
// is when the status changes next, which is the end or the renewal of one that is
// enabled.
//
// Permission: Organization.Read.All, delegated or application.
//
// Errors: [ErrForbidden], [ErrThrottled], [ErrUnavailable].
//
// Graph: https://learn.microsoft.com/graph/api/directory-list-subscriptions
func (c *Client) Subscriptions(ctx context.Context) ([]Subscription, error) {
	return collect(listed(ctx, c, listing{op: "list subscriptions", object: graph.Tenant, action: "/directory/subscriptions", whole: true}, always((*wireSubscription).subscription)))
}
