//go:build msgraph

package msgraph

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/uuid"
	khttp "github.com/microsoft/kiota-http-go"
	sdk "github.com/microsoftgraph/msgraph-sdk-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go-core/authentication"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/graphlicensing/licensing/benchmarks/peers"
)

type peer struct{ client *sdk.GraphServiceClient }

// New returns a client.
func New(baseURL string, transport http.RoundTripper) (peers.Peer, error) {
	adapter, err := NewAdapter(baseURL, transport)
	if err != nil {
		return nil, err
	}
	return &peer{sdk.NewGraphServiceClient(adapter)}, nil
}

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: peers.Token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// NewAdapter returns what the SDK's clients send through: the middleware that
// it comes with, on another transport if one is given.
func NewAdapter(baseURL string, transport http.RoundTripper) (*sdk.GraphRequestAdapter, error) {
	base, err := url.Parse(baseURL)
	if err != nil {
		return nil, err
	}
	auth, err := authentication.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		credential{}, []string{"https://graph.microsoft.com/.default"}, []string{base.Hostname()})
	if err != nil {
		return nil, err
	}
	options := sdk.GetDefaultClientOptions()
	hc := core.GetDefaultClient(&options)
	if transport != nil {
		hc.Transport = khttp.NewCustomTransportWithParentTransport(transport, core.GetDefaultMiddlewaresWithOptions(&options)...)
	}
	adapter, err := sdk.NewGraphRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth, nil, nil, hc)
	if err != nil {
		return nil, err
	}
	adapter.SetBaseUrl(baseURL + "/v1.0")
	return adapter, nil
}

func (p *peer) AssignUser(ctx context.Context, user string, change peers.Change) (peers.Assigned, error) {
	adds, removes, err := lists(change)
	if err != nil {
		return peers.Assigned{}, err
	}
	body := users.NewItemAssignLicensePostRequestBody()
	body.SetAddLicenses(adds)
	body.SetRemoveLicenses(removes)
	updated, err := p.client.Users().ByUserId(user).AssignLicense().Post(ctx, body, nil)
	if err != nil {
		return peers.Assigned{}, err
	}
	return assigned(updated), nil
}

func (p *peer) AssignGroup(ctx context.Context, group string, change peers.Change) (peers.Assigned, error) {
	adds, removes, err := lists(change)
	if err != nil {
		return peers.Assigned{}, err
	}
	body := groups.NewItemAssignLicensePostRequestBody()
	body.SetAddLicenses(adds)
	body.SetRemoveLicenses(removes)
	updated, err := p.client.Groups().ByGroupId(group).AssignLicense().Post(ctx, body, nil)
	if err != nil {
		return peers.Assigned{}, err
	}
	return assigned(updated), nil
}

// An object is a user or a group.
type object interface {
	GetId() *string
	GetAssignedLicenses() []models.AssignedLicenseable
}

// assigned returns what there is of an object: an empty answer makes none.
func assigned(o object) (a peers.Assigned) {
	if o != nil && o.GetId() != nil {
		a = peers.Assigned{ID: *o.GetId(), SKUs: len(o.GetAssignedLicenses())}
	}
	return a
}

func lists(change peers.Change) ([]models.AssignedLicenseable, []uuid.UUID, error) {
	adds := make([]models.AssignedLicenseable, len(change.Add))
	for i, license := range change.Add {
		id, err := uuid.Parse(license.SKU)
		if err != nil {
			return nil, nil, err
		}
		plans, err := parse(license.DisabledPlans)
		if err != nil {
			return nil, nil, err
		}
		add := models.NewAssignedLicense()
		add.SetSkuId(&id)
		add.SetDisabledPlans(plans)
		adds[i] = add
	}
	removes, err := parse(change.Remove)
	return adds, removes, err
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
