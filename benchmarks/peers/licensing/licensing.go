// Package licensing does the calls with this repository's package.
package licensing

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/benchmarks/peers"
)

type peer struct{ client *licensing.Client }

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	options := []licensing.Option{licensing.WithBaseURL(baseURL)}
	if transport != nil {
		options = append(options, licensing.WithHTTPClient(&http.Client{Transport: transport}))
	}
	c, err := licensing.NewClient(licensing.StaticToken(peers.Token), options...)
	if err != nil {
		return nil, err
	}
	return &peer{c}, nil
}

func (p *peer) AssignUser(ctx context.Context, user string, change peers.Change) (peers.Assigned, error) {
	request, err := newRequest(change)
	if err != nil {
		return peers.Assigned{}, err
	}
	updated, err := p.client.AssignUserLicense(ctx, user, request)
	if err != nil {
		return peers.Assigned{}, err
	}
	return peers.Assigned{ID: updated.ID, SKUs: len(updated.AssignedLicenses)}, nil
}

func (p *peer) AssignGroup(ctx context.Context, group string, change peers.Change) (peers.Assigned, error) {
	request, err := newRequest(change)
	if err != nil {
		return peers.Assigned{}, err
	}
	updated, err := p.client.AssignGroupLicense(ctx, group, request)
	if err != nil {
		return peers.Assigned{}, err
	}
	return peers.Assigned{ID: updated.ID, SKUs: len(updated.AssignedLicenses)}, nil
}

func newRequest(change peers.Change) (request licensing.AssignLicenseRequest, err error) {
	request.AddLicenses = make([]licensing.AssignedLicense, len(change.Add))
	for i, license := range change.Add {
		add := &request.AddLicenses[i]
		if add.SKUID, err = uuid.Parse(license.SKU); err != nil {
			return request, err
		}
		if add.DisabledPlans, err = parse(license.DisabledPlans); err != nil {
			return request, err
		}
	}
	request.RemoveLicenses, err = parse(change.Remove)
	return request, err
}

func parse(texts []string) ([]uuid.UUID, error) {
	ids := make([]uuid.UUID, len(texts))
	for i, text := range texts {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}
