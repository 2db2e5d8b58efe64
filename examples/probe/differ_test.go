package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A difference changes an answer.
type difference func(r *http.Response, body []byte) []byte

// A proxy changes answers on their way from a fake tenant, while it is on: all
// of them, or the one of this number.
type proxy struct {
	tenant http.RoundTripper
	on     bool
	number int // -1 for all
	seen   []int
	change difference
}

func (x *proxy) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := x.tenant.RoundTrip(req)
	if err != nil || !x.on {
		return resp, err
	}
	x.seen = append(x.seen, resp.StatusCode)
	if x.change == nil || x.number >= 0 && x.number != len(x.seen)-1 {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = x.change(resp, body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// replaced changes what a pattern finds in the body.
func replaced(pattern, with string) difference {
	return func(_ *http.Response, body []byte) []byte {
		return regexp.MustCompile(pattern).ReplaceAll(body, []byte(with))
	}
}

func header(name, value string) difference {
	return func(r *http.Response, body []byte) []byte {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
		return body
	}
}

// otherStatus is another refusal in place of any answer.
func otherStatus(r *http.Response, _ []byte) []byte {
	r.StatusCode = http.StatusMisdirectedRequest
	return []byte(`{"error":{"code":"Else","message":"Else."}}`)
}

var (
	otherCode = replaced(`"code":"[^"]*"`, `"code":"Else"`)
	otherText = replaced(`"message":"[^"]*"`, `"message":"Else."`)
)

// checked makes one check of a tenant whose answers to it are changed.
func checked(t *testing.T, c check, tenant *licensingtest.Tenant, number int, change difference) (outcome, []int) {
	t.Helper()
	x := &proxy{tenant: tenant.RoundTripper(), number: number, change: change}
	p, err := newProbe(licensing.CloudGlobal, licensing.StaticToken(fakeToken), x)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.choose(t.Context(), fakeTester, "M365_F1", io.Discard); err != nil {
		t.Fatal(err)
	}
	c2 := c
	c2.do = func(ctx context.Context, p *probe) outcome {
		x.on = true
		defer func() { x.on = false }()
		return c.do(ctx, p)
	}
	o, err := p.runOne(t.Context(), c2)
	if err != nil {
		t.Fatal(err)
	}
	return o, x.seen
}

// signedIn are checks that need a user's token.
var signedIn = []string{"read-me", "read-my-license-details", "reprocess-me"}

func tenantFor(c check) *licensingtest.Tenant {
	tenant := newTenant()
	if slices.Contains(signedIn, c.name) {
		tenant.SignIn(fakeTester)
	}
	return tenant
}

// Checks in which another answer to the request of this number says nothing
// about the fact, but leads to what does.
var preparations = map[string][]int{
	"disabled-plans-left-out": {0, 1},
	"reprocess-me":            {0},
}

// Checks of refusals whatever their code, or their text.
var anyCode = strings.Fields("foreign-plan sku-twice batch-dependency order-of-reasons location-not-nullable")
var anyText = append(strings.Fields("dollar-name unknown-property-others"), anyCode...)

// A tenant that answers any request of a check in another way contradicts it.
func TestOtherRefusalsContradict(t *testing.T) {
	for _, c := range allChecks() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, statuses := checked(t, c, tenantFor(c), -1, nil)
				if len(statuses) == 0 {
					t.Fatal("nothing was asked")
				}
				for i, status := range statuses {
					if slices.Contains(preparations[c.name], i) {
						continue
					}
					found := func(what string, change difference) {
						if o, _ := checked(t, c, tenantFor(c), i, change); o.result != contradicted || o.detail == "" {
							t.Errorf("answer %d of %d, %d, with another %s: got %v", i+1, len(statuses), status, what, o)
						}
					}
					if status != http.StatusNotImplemented {
						found("status", otherStatus)
					}
					if status/100 == 4 && !slices.Contains(anyCode, c.name) {
						found("code", otherCode)
					}
					if status/100 == 4 && !slices.Contains(anyText, c.name) {
						found("text", otherText)
					}
				}
			})
		})
	}
}

// What answers show differs in each point.
func TestOtherAnswersContradict(t *testing.T) {
	many := `"value":[` + strings.Repeat(`{"id":"x"},`, 100) + `{"id":"x"}]}`
	item := func(status int) difference {
		return replaced(`"id":"1","status":\d+`, `"id":"1","status":`+strconv.Itoa(status))
	}
	for _, test := range []struct {
		name    string
		number  int
		changes []difference
	}{
		{"default-properties", -1, []difference{replaced(`"jobTitle"`, `"jobTitel"`), replaced(`^{`, `{"city":null,`), replaced(`^{`, `{"ext9_city":null,`)}},
		{"group-default-properties", -1, []difference{replaced(`"theme":null,"visibility":null`, `"visibility":null,"theme":null`), replaced(`"theme"`, `"x"`)}},
		{"group-empty-lists", -1, []difference{
			replaced(`"creationOptions":\[\]`, `"creationOptions":null`), replaced(`"serviceProvisioningErrors":\[\]`, `"serviceProvisioningErrors":null`),
			replaced(`,"onPremisesProvisioningErrors":\[\]`, ``), replaced(`"renewedDateTime":"[^"]*"`, `"renewedDateTime":null`),
		}},
		{"members-with-errors-flag", -1, []difference{replaced(`^{`, `{"hasMembersWithLicenseErrors":true,`)}},
		{"security-identifier", -1, []difference{replaced(`S-1-12-1`, `S-1-12-2`)}},
		{"merged-licenses", -1, []difference{replaced(`"assignedLicenses":\[({[^}]*})`, `"assignedLicenses":[$1,$1`), replaced(`"assignedLicenses"`, `"x"`)}},
		{"healthy-row", -1, []difference{replaced(`"error":"None"`, `"error":""`)}},
		{"assigned-licenses-path", -1, []difference{replaced(`/assignedLicenses"`, `/licenses"`), replaced(`"value"`, `"x"`)}},
		{"license-details", -1, []difference{replaced(`"skuPartNumber"`, `"x"`), replaced(`"value":.*`, `"value":[]}`)}},
		{"license-details-id", -1, []difference{replaced(`"id":"`, `"id":"x`)}},
		{"license-details-id-shared", -1, []difference{replaced(`"id":"`, `"id":"x`)}},
		{"capability-by-units", -1, []difference{replaced(`"Enabled"`, `"Warning"`)}},
		{"no-units", -1, []difference{replaced(`"Deleted"`, `"Suspended"`)}},
		{"subscriptions", -1, []difference{replaced(`"isTrial"`, `"x"`), replaced(`"isTrial"`, `"x":1,"isTrial"`)}},
		{"subscriptions-details", -1, []difference{
			replaced(`#directory/subscriptions`, `#subscriptions`), replaced(`#organization`, `#x`), replaced(`"commerceSubscriptionId":null`, `"commerceSubscriptionId":"x"`),
			replaced(`"ownerId":null`, `"ownerId":"x"`), replaced(`"ownerTenantId":null`, `"ownerTenantId":"x"`), replaced(`"ownerType":null`, `"ownerType":"User"`),
		}},
		{"members-with-errors", 0, []difference{replaced(`"CountViolation"`, `"None"`), replaced(`"assignedByGroup":"[^"]*"`, `"assignedByGroup":null`)}},
		{"members-with-errors", 2, []difference{replaced(`"value":.*`, `"value":[]}`)}},
		{"members-with-errors-select", -1, []difference{replaced(`"usageLocation"`, `"x"`)}},
		{"page-sizes", 0, []difference{replaced(`"value":.*`, many), replaced(`"value"`, `"@odata.nextLink":"x","value"`)}},
		{"count-without-header", -1, []difference{replaced(`^{`, `{"@odata.count":4,`)}},
		{"count-path-details", 0, []difference{replaced(`^`, "\ufeff"), header("x-ms-resource-unit", "9")}},
		{"count-path-details", 2, []difference{replaced(`"body":"[^"]*"`, `"body":"4"`), replaced(`"body":"[^"]*"`, `"body":4`)}},
		{"select-order", -1, []difference{replaced(`"usageLocation":"DE","id":("[^"]*")`, `"id":$1,"usageLocation":"DE"`), replaced(`"accountEnabled":`, `"id":"x","accountEnabled":`),
			replaced(`#users\(usageLocation,id,`, `#users(usageLocation,ID,`)}},
		{"metadata-none", -1, []difference{replaced(`^{`, `{"@odata.context":"x",`)}},
		{"metadata-none-links", -1, []difference{replaced(`@odata.count`, `x`), replaced(`@odata.nextLink`, `x`)}},
		{"headers", -1, []difference{
			header("Cache-Control", ""), header("Content-Type", ""), header("OData-Version", ""), header("Vary", ""), header("Strict-Transport-Security", ""), header("request-id", ""),
			header("client-request-id", ""), header("x-ms-ags-diagnostic", ""), header("x-ms-resource-unit", ""), header("Date", ""), header("Cache-Control", "private"),
		}},
		{"refusal-headers", -1, []difference{header("Content-Type", "application/json; charset=utf-8"), header("OData-Version", "4.0")}},
		{"batch-form", 0, []difference{item(400), replaced(`"id":"1"`, `"id":"x"`), otherCode}},
		{"batch-form", 1, []difference{replaced(`"id":"a","status":200`, `"id":"a","status":400`)}},
		{"batch-numeric-id-answer", -1, []difference{replaced(`"id":"1"`, `"id":1`), replaced(`"id":"2"`, `"id":2`)}},
		{"batch-item-headers", 0, []difference{replaced(`"Cache-Control":"[^"]*",`, ``), replaced(`"OData-Version":"4.0",`, ``), replaced(`,"x-ms-resource-unit":"\d"`, ``),
			replaced(`"headers":{`, `"headers":{"x":"y",`)}},
		{"batch-item-headers", 1, []difference{replaced(`"Content-Type":"[^"]*",`, ``), replaced(`"headers":{`, `"headers":{"OData-Version":"4.0",`)}},
		{"batch-failed-dependency", -1, []difference{replaced(`"status":424`, `"status":400`), otherCode, otherText}},
		{"batch-absolute-url", -1, []difference{item(200), otherCode, otherText}},
		{"user-write-properties", -1, []difference{replaced(`"jobTitle"`, `"x"`), replaced(`^{`, `{"assignedLicenses":[],`)}},
		{"license-action-location", 0, []difference{header("Location", "")}},
		{"license-action-location", 1, []difference{header("Location", "")}},
		{"disabled-plans-left-out", 2, []difference{replaced(`"disabledPlans":\["[^"]*"\]`, `"disabledPlans":[]`)}},
		{"reprocess-properties", -1, []difference{replaced(`"jobTitle"`, `"x"`), replaced(`^{`, `{"assignedLicenses":[],`)}},
		{"batch-item-204", -1, []difference{item(200), replaced(`"headers":{`, `"headers":{"OData-Version":"4.0",`), replaced(`"Cache-Control":"[^"]*",`, ``)}},
		{"location-values", -1, []difference{replaced(`"usageLocation":"DE"`, `"usageLocation":"de"`)}},
	} {
		i := slices.IndexFunc(allChecks(), func(c check) bool { return c.name == test.name })
		c := allChecks()[i]
		for n, change := range test.changes {
			synctest.Test(t, func(t *testing.T) {
				if o, _ := checked(t, c, tenantFor(c), test.number, change); o.result != contradicted || o.detail == "" {
					t.Errorf("%s, answer %d, difference %d: got %v", test.name, test.number, n, o)
				}
			})
		}
	}
}

// The library finds out what cannot be read.
func TestUnreadableAnswersContradict(t *testing.T) {
	for _, c := range libraryReads {
		synctest.Test(t, func(t *testing.T) {
			unreadable := replaced(`^.*$`, `{"value":7,"assignedLicenses":7,"responses":[{"id":"1","status":200,"body":{"assignedLicenses":7}}]}`)
			if o, _ := checked(t, c, tenantFor(c), -1, unreadable); o.result != contradicted || !strings.Contains(o.detail, "cannot be read") {
				t.Errorf("%s: got %v", c.name, o)
			}
		})
	}
}
