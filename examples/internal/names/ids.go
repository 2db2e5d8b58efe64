package names

import (
	"context"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// IDs finds the ids of SKUs and service plans. A GUID is one as it stands, and
// the tenant's names are read for the first name that is none.
type IDs struct {
	client *licensing.Client
	names  *Names
}

// NewIDs returns ids of the client's tenant.
func NewIDs(client *licensing.Client) *IDs { return &IDs{client: client} }

// IDs returns ids of names that are read.
func (n *Names) IDs() *IDs { return &IDs{n.client, n} }

// SKU returns the id of a SKU, by GUID or part number.
func (i *IDs) SKU(ctx context.Context, name string) (uuid.UUID, error) {
	return i.find(ctx, name, func() (uuid.UUID, error) {
		sku, err := i.names.SKU(name)
		return sku.SKUID, err
	})
}

// ServicePlan returns the id of a service plan of a SKU, by GUID or name.
func (i *IDs) ServicePlan(ctx context.Context, sku uuid.UUID, name string) (uuid.UUID, error) {
	return i.find(ctx, name, func() (uuid.UUID, error) {
		plan, err := i.names.ServicePlan(sku, name)
		return plan.ServicePlanID, err
	})
}

func (i *IDs) find(ctx context.Context, name string, byName func() (uuid.UUID, error)) (uuid.UUID, error) {
	if id, err := uuid.Parse(name); err == nil {
		return id, nil
	}
	if i.names == nil {
		names, err := Read(ctx, i.client)
		if err != nil {
			return uuid.Nil, err
		}
		i.names = names
	}
	return byName()
}
