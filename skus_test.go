package licensing_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

func TestSubscribedSKUs(t *testing.T) {
	t.Parallel()
	const answer = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus","value":[{
		"accountId":"f97aeefc-af85-414d-8ae4-b457f90efc40","accountName":"contoso","appliesTo":"User","capabilityStatus":"Enabled","consumedUnits":14,
		"id":"48a80680-7326-48cd-9935-b556b81d3a4e_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
		"prepaidUnits":{"enabled":25,"lockedOut":1,"suspended":2,"warning":3},
		"servicePlans":[{"appliesTo":"User","provisioningStatus":"PendingActivation","servicePlanId":"A0000000-0000-4000-8000-000000000001","servicePlanName":"INTUNE_O365"}],
		"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","skuPartNumber":"ENTERPRISEPACK","subscriptionIds":["s-1"],"new":{"x":1}}],"@odata.nextLink":"/base/v1.0/subscribedSkus?$skiptoken=2"}`
	const more = `{"value":[{"skuId":"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb","prepaidUnits":{"enabled":1,"suspended":0,"warning":0},"consumedUnits":null}]}`
	s := newScript(t, reply(200, answer), reply(200, more))
	got, err := newClient(t, s.mocked("GET", graphRoot+"/subscribedSkus")).SubscribedSKUs(t.Context())
	want := []licensing.SubscribedSKU{{
		ID: "48a80680-7326-48cd-9935-b556b81d3a4e_aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", AccountID: "f97aeefc-af85-414d-8ae4-b457f90efc40", AccountName: "contoso",
		AppliesTo: "User", CapabilityStatus: licensing.CapabilityStatusEnabled, ConsumedUnits: 14,
		PrepaidUnits: licensing.LicenseUnits{Enabled: 25, LockedOut: 1, Suspended: 2, Warning: 3},
		ServicePlans: []licensing.ServicePlan{{AppliesTo: "User", ProvisioningStatus: licensing.ProvisioningStatusPendingActivation, ServicePlanID: planA, ServicePlanName: "INTUNE_O365"}},
		SKUID:        skuA, SKUPartNumber: "ENTERPRISEPACK", SubscriptionIDs: []string{"s-1"},
	}, {
		SKUID: skuB, PrepaidUnits: licensing.LicenseUnits{Enabled: 1},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	expectRequests(t, s, getting(graphRoot+"/subscribedSkus"), getting(graphRoot+"/subscribedSkus?$skiptoken=2"))
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		units          licensing.LicenseUnits
		consumed, want int
	}{
		{licensing.LicenseUnits{}, 0, 0},
		{licensing.LicenseUnits{Enabled: 25}, 14, 11},
		{licensing.LicenseUnits{Enabled: 25, Warning: 5}, 25, 5},
		{licensing.LicenseUnits{Suspended: 25, LockedOut: 25}, 0, 0},
		{licensing.LicenseUnits{Enabled: 5}, 8, -3}, // after a downgrade
	} {
		if got := (licensing.SubscribedSKU{PrepaidUnits: test.units, ConsumedUnits: test.consumed}).Available(); got != test.want {
			t.Errorf("%+v, %d consumed: got %d, want %d", test.units, test.consumed, got, test.want)
		}
	}
}

func TestLicenseDetails(t *testing.T) {
	t.Parallel()
	const answer = `{"value":[{"id":"3RnS3Gi8m0u","skuId":"AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa","skuPartNumber":"ENTERPRISEPACK",
		"servicePlans":[{"servicePlanId":"a0000000-0000-4000-8000-000000000001","servicePlanName":"SWAY","provisioningStatus":"Disabled","appliesTo":"User"}]}]}`
	client := newClient(t, newScript(t, reply(200, answer), reply(200, answer)))
	want := []licensing.LicenseDetails{{
		ID: "3RnS3Gi8m0u", SKUID: skuA, SKUPartNumber: "ENTERPRISEPACK",
		ServicePlans: []licensing.ServicePlan{{ServicePlanID: planA, ServicePlanName: "SWAY", ProvisioningStatus: licensing.ProvisioningStatusDisabled, AppliesTo: "User"}},
	}}
	if got, err := client.UserLicenseDetails(t.Context(), userID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := client.MyLicenseDetails(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// A list without items is one, and no list comes with an error.
func TestListsThatAreEmptyOrFail(t *testing.T) {
	t.Parallel()
	none, denied := reply(200, `{"value":[]}`), graphError(403, "Authorization_RequestDenied", "No.")
	client := newClient(t, newScript(t, none, none, pageOf("?$skiptoken=2", "a"), denied))
	if skus, err := client.SubscribedSKUs(t.Context()); err != nil || skus == nil || len(skus) != 0 {
		t.Errorf("got %#v, %v", skus, err)
	}
	if details, err := client.UserLicenseDetails(t.Context(), userID); err != nil || details == nil || len(details) != 0 {
		t.Errorf("got %#v, %v", details, err)
	}
	if skus, err := client.SubscribedSKUs(t.Context()); !errors.Is(err, licensing.ErrForbidden) || skus != nil {
		t.Errorf("got %#v, %v", skus, err)
	}
}

// Details show direct and inherited SKUs alike, and the plans that are off.
func TestLicenseDetailsInATenant(t *testing.T) {
	t.Parallel()
	o := newOffice()
	for user, off := range map[string][]uuid.UUID{o.direct: {o.sway}, o.inherited: {o.teams}, o.both: nil} {
		details, err := o.client.UserLicenseDetails(t.Context(), user)
		if err != nil || len(details) != 1 {
			t.Fatalf("got %+v, %v", details, err)
		}
		var got []uuid.UUID
		for _, plan := range details[0].ServicePlans {
			if plan.ProvisioningStatus == licensing.ProvisioningStatusDisabled {
				got = append(got, plan.ServicePlanID)
			}
		}
		if !reflect.DeepEqual(got, off) {
			t.Errorf("off are %v, want %v", got, off)
		}
	}
	skus, err := o.client.SubscribedSKUs(t.Context())
	if err != nil || len(skus) != 2 || skus[0].Available() != 7 || skus[1].Available() != 10 {
		t.Errorf("got %+v, %v", skus, err)
	}
}

// Ids may be null or in capitals, as in users and groups.
func TestLenientDecodingOfSKUs(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"value":[{"skuId":null,"servicePlans":[{"servicePlanId":null,"servicePlanName":"P"},{"servicePlanId":"A0000000-0000-4000-8000-000000000001"}]},{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","consumedUnits":3}]}`))
	skus, err := newClient(t, s).SubscribedSKUs(t.Context())
	if err != nil || len(skus) != 2 || skus[0].ServicePlans[0].ServicePlanName != "P" || skus[0].ServicePlans[1].ServicePlanID != planA || skus[1].SKUID != skuA || skus[1].ConsumedUnits != 3 {
		t.Errorf("got %+v, %v", skus, err)
	}
	s = newScript(t, reply(200, `{"value":[{"id":"x","skuId":null,"skuPartNumber":"E3"}]}`))
	details, err := newClient(t, s).UserLicenseDetails(t.Context(), userID)
	if err != nil || len(details) != 1 || details[0].SKUPartNumber != "E3" {
		t.Errorf("got %+v, %v", details, err)
	}
}
