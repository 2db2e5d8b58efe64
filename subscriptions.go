package licensing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

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
