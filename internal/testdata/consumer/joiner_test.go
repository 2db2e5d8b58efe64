package consumer

import (
	"context"
	"errors"
	"iter"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestJoin(t *testing.T) {
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "SPE_E3", Seats: 2}).ID
	for _, name := range []string{"a@contoso.example", "b@contoso.example", "c@contoso.example"} {
		tenant.AddUser(licensingtest.User{UserPrincipalName: name})
	}
	server := httptest.NewServer(tenant)
	defer server.Close()
	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	j := Joiner{Client: client, SKU: sku, Country: "DE"}
	if later, err := j.Join(t.Context(), "a@contoso.example"); later != 0 || err != nil {
		t.Errorf("got %v, %v", later, err)
	}
	err = j.JoinAll(t.Context(), slices.Values([]string{"b@contoso.example", "c@contoso.example"}))
	if state, _ := tenant.SKU(sku); !errors.Is(err, licensing.ErrNoAvailableLicenses) || state.Consumed != 2 {
		t.Errorf("got %v, and %d seats are taken", err, state.Consumed)
	}
}

// A fake in place of the client needs three methods, and errors that it makes
// itself.
type busy struct{}

func (busy) SetUsageLocation(context.Context, string, string) error { return nil }
func (busy) AssignUserLicense(context.Context, string, licensing.AssignLicenseRequest) (*licensing.User, error) {
	return nil, &licensing.Error{StatusCode: 429, RetryAfter: time.Hour}
}
func (busy) Bulk(context.Context, iter.Seq[licensing.Operation], licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
	return func(func(licensing.OperationResult) bool) {}
}

func TestJoinLater(t *testing.T) {
	j := Joiner{Client: busy{}}
	if later, err := j.Join(t.Context(), "a@contoso.example"); later != time.Hour || err != nil {
		t.Errorf("got %v, %v", later, err)
	}
}
