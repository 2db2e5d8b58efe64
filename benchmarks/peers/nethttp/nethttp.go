// Package nethttp does the calls with net/http and encoding/json alone. It
// repeats nothing and sets no timeout, and so is the limit for all others.
package nethttp

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/graph"
)

type client struct {
	root string
	http *http.Client
}

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	c := &client{baseURL + "/v1.0", &http.Client{Transport: transport}}
	return graph.Assign(c.assign), nil
}

func (c *client) assign(ctx context.Context, path string, change peers.Change) (peers.Assigned, error) {
	body, err := json.Marshal(graph.NewChange(change))
	if err != nil {
		return peers.Assigned{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.root+path, bytes.NewReader(body))
	if err != nil {
		return peers.Assigned{}, err
	}
	req.Header.Set("Authorization", "Bearer "+peers.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return peers.Assigned{}, err
	}
	return graph.Read(resp)
}
