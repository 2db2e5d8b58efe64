// Quickstart gives a license to a user of the tenant that you are signed in to.
//
//	go run ./quickstart adele@contoso.com 6fd2c87f-b296-42f0-b197-1e91e994b900
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: quickstart USER SKU")
	}
	user := os.Args[1]
	sku, err := uuid.Parse(os.Args[2])
	if err != nil {
		log.Fatalf("SKU %q is not a GUID: %v", os.Args[2], err)
	}

	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := licensing.NewClient(func(ctx context.Context) (string, error) {
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{licensing.CloudGlobal.Scope()}})
		return token.Token, err
	})
	if err != nil {
		log.Fatal(err)
	}

	updated, err := client.AssignUserLicense(context.Background(), user, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("licensed", updated.ID)
}
