// Package hashicorp does the calls by hand on hashicorp/go-azure-sdk/sdk, the
// layer that its generated Graph packages are made on.
package hashicorp

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-azure-sdk/sdk/client"
	"github.com/hashicorp/go-azure-sdk/sdk/client/msgraph"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
	"golang.org/x/oauth2"

	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/graph"
)

type peer struct{ graph *msgraph.Client }

type authorizer struct{}

func (authorizer) Token(context.Context, *http.Request) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: peers.Token, TokenType: "Bearer"}, nil
}

func (authorizer) AuxiliaryTokens(context.Context, *http.Request) ([]*oauth2.Token, error) {
	return nil, nil
}

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	c, err := msgraph.NewClient(environments.NewApiEndpoint("MicrosoftGraph", baseURL, nil), "user", msgraph.VersionOnePointZero)
	if err != nil {
		return nil, err
	}
	c.SetAuthorizer(authorizer{})
	if transport != nil {
		c.SetTransport(transport)
	}
	return &peer{c}, nil
}

func (p *peer) AssignUser(ctx context.Context, user string, change peers.Change) (peers.Assigned, error) {
	return p.assign(ctx, "/users/"+url.PathEscape(user)+"/assignLicense", http.StatusOK, change)
}

func (p *peer) AssignGroup(ctx context.Context, group string, change peers.Change) (peers.Assigned, error) {
	return p.assign(ctx, "/groups/"+url.PathEscape(group)+"/assignLicense", http.StatusAccepted, change)
}

func (p *peer) assign(ctx context.Context, path string, status int, change peers.Change) (peers.Assigned, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // it refuses a context without deadline
	defer cancel()
	req, err := p.graph.NewRequest(ctx, client.RequestOptions{
		ContentType:         "application/json; charset=utf-8",
		ExpectedStatusCodes: []int{status},
		HttpMethod:          http.MethodPost,
		Path:                path,
	})
	if err != nil {
		return peers.Assigned{}, err
	}
	if err := req.Marshal(graph.NewChange(change)); err != nil {
		return peers.Assigned{}, err
	}
	resp, err := req.Execute(ctx)
	if err != nil {
		return peers.Assigned{}, err
	}
	defer resp.Body.Close()
	var object graph.Object
	if err := resp.Unmarshal(&object); err != nil {
		return peers.Assigned{}, err
	}
	return object.Assigned(), nil
}
