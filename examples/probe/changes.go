package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Bodies of assignLicense.
const (
	adding    = `{"addLicenses":[{"skuId":"{sku}","disabledPlans":[]}],"removeLicenses":[]}`
	keeping   = `{"addLicenses":[{"skuId":"{sku}"}],"removeLicenses":[]}`
	without   = `{"addLicenses":[{"skuId":"{sku}","disabledPlans":["{plan}"]}],"removeLicenses":[]}`
	removing  = `{"addLicenses":[],"removeLicenses":["{sku}"]}`
	unknown   = `{"addLicenses":[{"skuId":"{none}","disabledPlans":[]}],"removeLicenses":[]}`
	unplanned = `{"addLicenses":[{"skuId":"{sku}","disabledPlans":["{none}"]}],"removeLicenses":[]}`
	both      = `{"addLicenses":[{"skuId":"{sku}","disabledPlans":[]}],"removeLicenses":["{sku}"]}`
	addTwice  = `{"addLicenses":[{"skuId":"{sku}","disabledPlans":[]},{"skuId":"{sku}","disabledPlans":[]}],"removeLicenses":[]}`
	takeTwice = `{"addLicenses":[],"removeLicenses":["{sku}","{sku}"]}`

	lacks      = "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: "
	noCountry  = "Invalid value specified for property 'usageLocation' of resource 'User'."
	reprocess  = "users/{target}/reprocessLicenseAssignment"
	twiceNamed = "License {sku} is specified more than once."
)

func assign(body string) ask { return post("users/{target}/assignLicense", body) }

func locate(value string) ask {
	return ask{method: "PATCH", path: "users/{target}", body: `{"usageLocation":` + value + `}`, status: 204}
}

// Changes are facts that take writes to the test user, or at least POST. Each
// begins with the user as found.
var changes = []check{
	{"wrong-method", true, all(ask{method: "PUT", path: "users/{none}", body: "{}"}.refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."))},
	{"empty-body", true, all(assign("").bad("Empty Payload. JSON content expected."))},
	{"missing-array", true, all(assign(`{"addLicenses":[]}`).barred(lacks+"removeLicenses."), assign(`{"removeLicenses":[]}`).barred(lacks+"addLicenses."))},
	{"both-arrays-missing", true, all(assign(`{}`).barred(lacks + "addLicenses, removeLicenses."))},
	{"null-array", true, all(assign(`{"addLicenses":[],"removeLicenses":null}`).barred(lacks+"removeLicenses."), assign(`{"addLicenses":null,"removeLicenses":[]}`).barred(lacks+"addLicenses."))},
	{"no-changes", true, all(assign(`{"addLicenses":[],"removeLicenses":[]}`).barred("No license changes provided. At least one license to add or remove must be specified."))},
	{"unknown-sku", true, all(assign(unknown).barred("License {none} does not correspond to a valid company License."),
		assign(`{"addLicenses":[],"removeLicenses":["{none}"]}`).barred("License {none} does not correspond to a valid company License."))},
	{"bad-guid", true, all(assign(`{"addLicenses":[],"removeLicenses":["nonsense"]}`).
		barred("Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details."))},
	{"not-assigned", true, all(assign(removing).barred("User does not have a corresponding license."))},
	{"foreign-plan", true, all(assign(unplanned).refused(400, "", ""))},
	{"foreign-plan-text", true, all(assign(unplanned).barred("Service plan {none} does not belong to license {sku}."))},
	{"sku-twice", true, all(assign(both).refused(400, "", ""), assign(addTwice).refused(400, "", ""), assign(adding), assign(takeTwice))},
	{"sku-twice-text", true, all(assign(both).barred(twiceNamed), assign(addTwice).barred(twiceNamed))},
	{"order-of-reasons", true, all(
		post("users/{none}/nonsense", adding).anonymous().refused(401, "", ""),
		post("users/{none}/nonsense", "").bad("Resource not found for the segment 'nonsense'."),
		post("users/{none}/assignLicense", "{}").refused(400, "", ""),
		post("users/{none}/assignLicense", unknown).refused(404, "", ""),
	)},
	{"user-write-answer", true, all(assign(adding))},
	{"user-write-properties", true, shown(assign(adding), hasProperties(userDefaults))},
	{"license-action-location", true, parts(shown(assign(adding), hasLocation), shown(post(reprocess, ""), hasLocation))},
	{"disabled-plans-left-out", true, keepsPlans},
	{"reprocess-properties", true, shown(post(reprocess, ""), hasProperties(userDefaults))},
	{"reprocess-upn", true, all(post("users/{targetname}/reprocessLicenseAssignment", ""))},
	{"reprocess-me", true, reprocessMe},
	{"batch-write-without-body", true, all(batch(`{"id":"1","method":"POST","url":"/users/{none}/reprocessLicenseAssignment"}`).
		bad("Write request id : 1 does not contain Content-Type header or body."))},
	{"batch-item-204", true, itemHeaders(batch(`{"id":"1","method":"PATCH","url":"/users/{target}","headers":{"Content-Type":"application/json"},"body":{"usageLocation":"{location}"}}`),
		ask{method: "PATCH", path: "/users/{target}", status: 204}, "Cache-Control x-ms-resource-unit")},
	{"location-update", true, all(locate(`"{location}"`))},
	{"location-not-nullable", true, all(locate(`null`).refused(400, "", ""))},
	{"location-values", true, parts(all(locate(`null`).barred(noCountry), locate(`""`).barred(noCountry), locate(`"USA"`).barred(noCountry)), inCapitals, anyLetters)},
	{"barred-country", true, barredCountry},
}

func hasLocation(_ *probe, r reply, _ anyJSON) outcome {
	return verdict(r.header.Get("Location") != "", "no Location")
}

// shows reads the test user once a write has had its time.
func (p *probe) shows(ctx context.Context, a ask, value any) outcome {
	if p.wait(ctx, p.lag) != nil {
		return unseen("no time")
	}
	r, o := p.answered(ctx, a)
	if o == asExpected {
		json.Unmarshal(r.body, value)
	}
	return o
}

func keepsPlans(ctx context.Context, p *probe) outcome {
	for _, a := range []ask{assign(without), assign(keeping)} {
		if _, o := p.answered(ctx, a); o != asExpected {
			return unseen("%s", o.detail)
		}
	}
	var u userJSON
	if o := p.shows(ctx, get("users/{target}?$select=assignedLicenses"), &u); o != asExpected {
		return o
	}
	for _, l := range u.AssignedLicenses {
		if l.SKUID == p.sku {
			return verdict(slices.ContainsFunc(l.DisabledPlans, func(id uuid.UUID) bool { return id.String() == p.names["{plan}"] }), "the plan is no longer disabled")
		}
	}
	return unseen("reads do not show the license yet")
}

func reprocessMe(ctx context.Context, p *probe) outcome {
	var u userJSON
	if p.read(ctx, "me?$select=id", &u); !strings.EqualFold(u.ID, p.target.ID) {
		return unseen("the token is not the test user's")
	}
	return all(post("me/reprocessLicenseAssignment", ""))(ctx, p)
}

func inCapitals(ctx context.Context, p *probe) outcome {
	if _, o := p.answered(ctx, locate(`"{lowercase}"`)); o != asExpected {
		return o
	}
	var u struct{ UsageLocation string }
	if o := p.shows(ctx, get("users/{target}?$select=usageLocation"), &u); o != asExpected {
		return o
	}
	return verdict(u.UsageLocation == strings.ToUpper(p.names["{location}"]), "not in capitals")
}

// unburdened reports whether the test user can be moved to another country
// without harm to other licenses.
func (p *probe) unburdened() bool { return len(p.target.LicenseAssignmentStates) == 0 }

func anyLetters(ctx context.Context, p *probe) outcome {
	if !p.unburdened() {
		return unseen("the test user has other licenses")
	}
	return all(locate(`"ZZ"`))(ctx, p)
}

// barredCountry tries North Korea, where hardly anything is sold.
func barredCountry(ctx context.Context, p *probe) outcome {
	if !p.unburdened() {
		return unseen("the test user has other licenses")
	}
	if _, o := p.answered(ctx, locate(`"KP"`)); o != asExpected {
		return o
	}
	if p.wait(ctx, p.lag) != nil {
		return unseen("no time")
	}
	a := assign(adding).barred("License assignment cannot be done for user with invalid usage location.")
	r := p.send(ctx, a)
	if r.status == 200 {
		return unseen("the SKU is not barred, or the usage location does not hold yet")
	}
	return p.judge(a, r)
}
