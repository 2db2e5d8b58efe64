package licensingtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// The shape is that of microsoftgraph/microsoft-graph-docs-contrib,
// api-reference/v1.0/api/directory-list-subscriptions.md and
// companysubscription-get.md.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	plan := licensingtest.Plan{ID: exchangeID, Name: "EXCHANGE_S_ENTERPRISE"}
	office := tenant.AddSKU(licensingtest.SKU{ID: officeID, PartNumber: "ENTERPRISEPACK", Seats: 30, Plans: []licensingtest.Plan{plan}, Subscriptions: []licensingtest.Subscription{
		{ID: "860697e3-b0aa-4196-a6c6-7ec361ed58f7", TotalLicenses: 25, CreatedDateTime: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), NextLifecycleDateTime: time.Date(2023, 2, 1, 0, 0, 0, 0, time.UTC)},
		{Status: "Suspended", TotalLicenses: 5, IsTrial: true},
	}})
	tenant.AddSKU(licensingtest.SKU{ID: basicID, PartNumber: "EXCHANGESTANDARD", Seats: 3, Warning: 1, SubscriptionIDs: []string{"x", "y"}})
	const (
		nulls = `"commerceSubscriptionId":null,"ownerId":null,"ownerTenantId":null,"ownerType":null`
		plans = `"serviceStatus":[{"appliesTo":"User","provisioningStatus":"Success","servicePlanId":"efb87545-963c-4e0d-99df-69c6916d9eb0","servicePlanName":"EXCHANGE_S_ENTERPRISE"}],
			"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","skuPartNumber":"ENTERPRISEPACK",`
		first = `"createdDateTime":"2023-01-01T00:00:00Z","id":"860697e3-b0aa-4196-a6c6-7ec361ed58f7","isTrial":false,"nextLifecycleDateTime":"2023-02-01T00:00:00Z",` +
			plans + `"status":"Enabled","totalLicenses":25,` + nulls
		basic = `"createdDateTime":null,"isTrial":false,"nextLifecycleDateTime":null,"serviceStatus":[],"skuId":"3b555118-da6a-4418-894f-7df1e2096870","skuPartNumber":"EXCHANGESTANDARD","status":"Enabled",` + nulls
	)
	wantJSON(t, call(t, tenant, "GET", "/directory/subscriptions", ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directory/subscriptions","value":[
		{`+first+`},
		{"createdDateTime":null,"id":"`+office.SubscriptionIDs[1]+`","isTrial":true,"nextLifecycleDateTime":null,`+plans+`"status":"Suspended","totalLicenses":5,`+nulls+`},
		{"id":"x","totalLicenses":4,`+basic+`},
		{"id":"y","totalLicenses":0,`+basic+`}]}`)
	wantJSON(t, call(t, tenant, "GET", "/directory/subscriptions/860697E3-b0aa-4196-a6c6-7ec361ed58f7", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directory/subscriptions/$entity",`+first+`}`)
	wantJSON(t, call(t, tenant, "GET", "/directory/subscriptions('x')?$select=totallicenses", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directory/subscriptions(totalLicenses)/$entity","totalLicenses":4}`)
	wantError(t, call(t, tenant, "GET", "/directory/subscriptions/z", ""), 404, "Request_ResourceNotFound",
		"Resource 'z' does not exist or one of its queried reference-property objects are not present.")
	wantJSON(t, call(t, tenant, "GET", "/subscribedSkus?$select=subscriptionIds", ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#subscribedSkus(subscriptionIds)",
		"value":[{"subscriptionIds":["860697e3-b0aa-4196-a6c6-7ec361ed58f7","00000007-0000-4000-8000-000000000001"]},{"subscriptionIds":["x","y"]}]}`)

	tenant.SetSeats(basicID, 0)
	wantJSON(t, call(t, tenant, "GET", "/directory/subscriptions('x')?$select=status,totalLicenses", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directory/subscriptions(status,totalLicenses)/$entity","status":"Warning","totalLicenses":1}`)
	defer func() {
		if recover() == nil {
			t.Error("a subscription that is not among the ids is taken")
		}
	}()
	tenant.AddSKU(licensingtest.SKU{SubscriptionIDs: []string{"x"}, Subscriptions: []licensingtest.Subscription{{ID: "z"}}})
}

func TestOrganization(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SetLocation("DE")
	const contoso = `"id":"00000000-0000-4000-8000-000000000001","displayName":"Contoso","countryLetterCode":"DE"`
	wantJSON(t, call(t, tenant, "GET", "/organization", ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#organization","value":[{`+contoso+`}]}`)
	wantJSON(t, call(t, tenant, "GET", "/organization/00000000-0000-4000-8000-000000000001", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#organization/$entity",`+contoso+`}`)
	wantError(t, call(t, tenant, "GET", "/organization/x", ""), 404, "Request_ResourceNotFound",
		"Resource 'x' does not exist or one of its queried reference-property objects are not present.")
}

// The context is that of an answer in microsoftgraph/microsoft-graph-docs issue
// 20524.
func TestAssignedLicenses(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	tenant.SignIn(adele)
	assign(t, tenant, "/users/"+adele, add(officeID, yammerID))
	assign(t, tenant, "/groups/"+salesID, add(basicID))
	wantJSON(t, call(t, tenant, "GET", "/groups/"+salesID+"/assignedLicenses", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups('1132b215-826f-42a9-8cfe-1643d19d17fd')/assignedLicenses",
		"value":[{"disabledPlans":[],"skuId":"3b555118-da6a-4418-894f-7df1e2096870"}]}`)
	for _, path := range []string{"/me/assignedLicenses", "/users/" + adele + "/AssignedLicenses"} {
		wantJSON(t, call(t, tenant, "GET", path, ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/assignedLicenses",
			"value":[{"disabledPlans":["7547a3fe-08ee-4ccb-b430-5077c5041653"],"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900"}]}`)
	}
	if a := call(t, tenant, "GET", "/groups/"+adeleID+"/assignedLicenses", ""); a.status != 404 {
		t.Errorf("of no group: %d %s", a.status, a.body)
	}

	// One license's details. The id is the same for all who have the SKU.
	tenant.AddUser(licensingtest.User{UserPrincipalName: "bob@contoso.example", Licenses: []licensingtest.License{{SKUID: officeID}}})
	const details = "/licenseDetails/AAAAAAAAAECAAAAAAAAAAX_I0m-WsvBCsZcekemUuQA"
	for _, path := range []string{"/me" + details, "/users('bob@contoso.example')" + details, "/me/licenseDetails('AAAAAAAAAECAAAAAAAAAAX_I0m-WsvBCsZcekemUuQA')"} {
		u, _ := tenant.User("bob@contoso.example")
		if path[:3] == "/me" {
			u.ID = adeleID
		}
		wantJSON(t, call(t, tenant, "GET", path+"?$select=skuPartNumber", ""), 200,
			`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users('`+u.ID+`')/licenseDetails(skuPartNumber)/$entity","skuPartNumber":"ENTERPRISEPACK"}`)
	}
	wantError(t, call(t, tenant, "GET", "/me/licenseDetails/x", ""), 404, "Request_ResourceNotFound",
		"Resource 'x' does not exist or one of its queried reference-property objects are not present.")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		g := tenant.AddGroup(licensingtest.Group{ID: uuid.NewString(), DisplayName: "Staff"}, adele)
		for _, link := range []string{"members", "transitiveMembers"} {
			wantJSON(t, call(t, tenant, "GET", "/groups/"+g.ID+"/"+link+"?$select=id", ""), 200,
				`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects(id)","value":[{"@odata.type":"#microsoft.graph.user","id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"}]}`)
		}
		for _, link := range []string{"memberOf", "transitiveMemberOf"} {
			wantJSON(t, call(t, tenant, "GET", "/users/"+adele+"/"+link+"?$select=displayName", ""), 200,
				`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects(displayName)","value":[{"@odata.type":"#microsoft.graph.group","displayName":"Staff"}]}`)
		}

		// As late as other reads.
		tenant.SetReadLag(time.Minute)
		tenant.RemoveMember(g.ID, adele)
		members := func() (n int) {
			return len(getPage(t, tenant, "/groups/"+g.ID+"/members").Value) + len(getPage(t, tenant, "/users/"+adele+"/memberOf").Value)
		}
		if n := members(); n != 2 {
			t.Errorf("%d, want 2 at once", n)
		}
		time.Sleep(time.Minute)
		if n := members(); n != 0 {
			t.Errorf("%d, want none after a minute", n)
		}
	})
}
