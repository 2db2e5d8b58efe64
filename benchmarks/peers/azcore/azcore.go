// Package azcore does the calls by hand on azcore's default pipeline with its
// bearer token policy.
package azcore

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/graph"
)

type client struct {
	root     string
	pipeline runtime.Pipeline
}

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: peers.Token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	bearer := runtime.NewBearerTokenPolicy(credential{}, []string{"https://graph.microsoft.com/.default"}, nil)
	var options policy.ClientOptions
	if transport != nil {
		options.Transport = &http.Client{Transport: transport}
	}
	pipeline := runtime.NewPipeline("peer", "v0.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{bearer}}, &options)
	c := &client{baseURL + "/v1.0", pipeline}
	return graph.Assign(c.assign), nil
}

func (c *client) assign(ctx context.Context, path string, change peers.Change) (peers.Assigned, error) {
	req, err := runtime.NewRequest(ctx, http.MethodPost, c.root+path)
	if err != nil {
		return peers.Assigned{}, err
	}
	if err := runtime.MarshalAsJSON(req, graph.NewChange(change)); err != nil {
		return peers.Assigned{}, err
	}
	resp, err := c.pipeline.Do(req)
	if err != nil {
		return peers.Assigned{}, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusAccepted) {
		return peers.Assigned{}, runtime.NewResponseError(resp)
	}
	var object graph.Object
	if err := runtime.UnmarshalAsJSON(resp, &object); err != nil {
		return peers.Assigned{}, err
	}
	return object.Assigned(), nil
}
