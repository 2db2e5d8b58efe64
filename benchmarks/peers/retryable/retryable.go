// Package retryable does the calls by hand behind hashicorp/go-retryablehttp
// with its default policy.
package retryable

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/graph"
)

type client struct {
	root string
	http *retryablehttp.Client
}

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	hc := retryablehttp.NewClient()
	hc.Logger = nil // which would write every call to stderr
	hc.ErrorHandler = retryablehttp.PassthroughErrorHandler
	if transport != nil {
		hc.HTTPClient = &http.Client{Transport: transport}
	}
	c := &client{baseURL + "/v1.0", hc}
	return graph.Assign(c.assign), nil
}

func (c *client) assign(ctx context.Context, path string, change peers.Change) (peers.Assigned, error) {
	body, err := json.Marshal(graph.NewChange(change))
	if err != nil {
		return peers.Assigned{}, err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, c.root+path, body)
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
