// Package names finds out what SKUs, service plans and groups are called.
package names

import (
	"context"
	"errors"
	"strings"

	"github.com/graphlicensing/licensing"
)

// Names are those of a tenant.
type Names struct {
	*licensing.Catalog
	client *licensing.Client
	groups map[string]string
}

// Read reads the tenant's SKUs.
func Read(ctx context.Context, client *licensing.Client) (*Names, error) {
	skus, err := client.SubscribedSKUs(ctx)
	if err != nil {
		return nil, err
	}
	return &Names{licensing.NewCatalog(skus), client, map[string]string{}}, nil
}

// Group returns the name of a group, which is asked for once. It is the id
// where the group is gone, or may not be read.
func (n *Names) Group(ctx context.Context, id string) (string, error) {
	key := strings.ToLower(id)
	if name, ok := n.groups[key]; ok {
		return name, nil
	}
	name := id
	group, err := n.client.Group(ctx, id)
	switch {
	case err == nil && group.DisplayName != "":
		name = group.DisplayName
	case err != nil && !errors.Is(err, licensing.ErrNotFound) && !errors.Is(err, licensing.ErrForbidden):
		return "", err
	}
	n.groups[key] = name
	return name, nil
}

// Source tells where an assignment comes from: "direct", for an empty id, or
// the group.
func (n *Names) Source(ctx context.Context, groupID string) (string, error) {
	if groupID == "" {
		return "direct", nil
	}
	name, err := n.Group(ctx, groupID)
	return "group " + name, err
}
