// Package connect chooses what the examples run against: a real tenant where
// there are credentials in the environment, else the fake one.
package connect

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/graphlicensing/licensing"
)

// Variables are those of the environment that say how to sign in to a real
// tenant.
var Variables = []string{"GRAPH_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"}

// HasCredentials reports whether the environment says how to sign in to a real
// tenant: by GRAPH_TOKEN, or by what azidentity's DefaultAzureCredential reads.
func HasCredentials() bool {
	for _, name := range Variables {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

var clouds = map[string]licensing.Cloud{
	"global":   licensing.CloudGlobal,
	"usgov-l4": licensing.CloudUSGovL4,
	"usgov-l5": licensing.CloudUSGovL5,
	"china":    licensing.CloudChina,
	"bleu":     licensing.CloudBleu,
	"delos":    licensing.CloudDelos,
	"govsg":    licensing.CloudGovSG,
}

// CloudNames are what Cloud takes, for a flag's usage.
const CloudNames = "global, usgov-l4, usgov-l5, china, bleu, delos or govsg"

// Cloud returns the cloud of a name.
func Cloud(name string) (licensing.Cloud, error) {
	c, ok := clouds[strings.ToLower(name)]
	if !ok {
		return c, errors.New("there are " + CloudNames)
	}
	return c, nil
}

// RealTenant returns a client that is signed in by the environment's
// credentials.
func RealTenant(c licensing.Cloud) (*licensing.Client, error) {
	tokens, err := Tokens(c)
	if err != nil {
		return nil, err
	}
	return licensing.NewClient(tokens, licensing.WithCloud(c))
}

// Tokens returns the source of tokens by the environment's credentials.
func Tokens(c licensing.Cloud) (licensing.TokenSource, error) {
	if token := os.Getenv("GRAPH_TOKEN"); token != "" {
		return licensing.StaticToken(token), nil
	}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: policy.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL}},
		// The sovereign clouds are not in the directory of clouds that is asked otherwise.
		DisableInstanceDiscovery: c != licensing.CloudGlobal,
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (string, error) {
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.Scope()}})
		return token.Token, err
	}, nil
}
