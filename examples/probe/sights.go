package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

const (
	userDefaults  = "businessPhones displayName givenName jobTitle mail mobilePhone officeLocation preferredLanguage surname userPrincipalName id"
	groupDefaults = "id deletedDateTime classification createdDateTime creationOptions description displayName expirationDateTime groupTypes " +
		"isAssignableToRole mail mailEnabled mailNickname membershipRule membershipRuleProcessingState onPremisesDomainName onPremisesLastSyncDateTime " +
		"onPremisesNetBiosName onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled preferredDataLocation preferredLanguage " +
		"proxyAddresses renewedDateTime resourceBehaviorOptions resourceProvisioningOptions securityEnabled securityIdentifier theme visibility " +
		"onPremisesProvisioningErrors serviceProvisioningErrors"
	listOfUsers = "users?$top=100&$select=id,assignedLicenses,licenseAssignmentStates"
)

// An anyJSON is an object as it is, with null where there is null.
type anyJSON = map[string]json.RawMessage

// Sights are facts that successful answers to reads show.
var sights = []check{
	{"default-properties", false, shown(get("users/{user}"), hasProperties(userDefaults))},
	{"group-default-properties", false, shown(get("groups/{group}"), func(p *probe, r reply, v anyJSON) outcome {
		if o := hasProperties(groupDefaults)(p, r, v); o != asExpected {
			return o
		}
		return verdict(slices.Equal(properties(r.body), strings.Fields(groupDefaults)), "another order of properties")
	})},
	{"group-empty-lists", false, shown(get("groups?$top=20"), groupLists)},
	{"members-with-errors-flag", false, shown(get("groups/{group}?$select=id,hasMembersWithLicenseErrors"), func(_ *probe, _ reply, v anyJSON) outcome {
		return verdict(v["hasMembersWithLicenseErrors"] == nil, "it is returned")
	})},
	{"security-identifier", false, shown(get("users/{user}?$select=id,securityIdentifier"), func(_ *probe, _ reply, u userJSON) outcome {
		return verdict(u.SecurityIdentifier == securityIdentifier(u.ID), "another identifier")
	})},
	{"merged-licenses", false, shown(get(listOfUsers), eachUser(mergedLicenses))},
	{"healthy-row", false, shown(get(listOfUsers), eachUser(healthyRows))},
	{"assigned-licenses-path", false, parts(
		contextOf(get("groups/{group}/assignedLicenses"), `#groups\('[^']*'\)/assignedLicenses$`),
		shown(get("groups/{group}/assignedLicenses"), func(_ *probe, _ reply, v anyJSON) outcome { return verdict(v["value"] != nil, "no value") }),
	)},
	{"license-details", false, shown(get("users/{licensed}/licenseDetails"), func(_ *probe, r reply, v page[json.RawMessage]) outcome {
		for _, each := range v.Value {
			if o := named(properties(each), "id servicePlans skuId skuPartNumber"); o != asExpected {
				return o
			}
		}
		return verdict(len(v.Value) > 0, "none for a user with licenses")
	})},
	{"license-details-id", false, shown(get("users/{licensed}/licenseDetails"), detailsIDs)},
	{"license-details-id-shared", false, shown(get("users/{second}/licenseDetails"), detailsIDs)},
	{"capability-by-units", false, shown(get("subscribedSkus"), func(_ *probe, _ reply, v page[skuJSON]) outcome {
		return eachSKU(v.Value, func(s skuJSON) bool { return s.PrepaidUnits.Enabled > 0 }, "Enabled")
	})},
	{"no-units", false, shown(get("subscribedSkus"), func(_ *probe, _ reply, v page[skuJSON]) outcome {
		return eachSKU(v.Value, func(s skuJSON) bool {
			u := s.PrepaidUnits
			return u.Enabled+u.Warning+u.Suspended+u.LockedOut == 0
		}, "Deleted")
	})},
	{"subscriptions", false, shown(get("directory/subscriptions"), func(_ *probe, _ reply, v page[json.RawMessage]) outcome {
		for _, each := range v.Value {
			return named(properties(each), "commerceSubscriptionId createdDateTime id isTrial nextLifecycleDateTime ownerId ownerTenantId ownerType serviceStatus skuId skuPartNumber status totalLicenses")
		}
		return seen(0, "subscription")
	})},
	{"subscriptions-details", false, parts(
		contextOf(get("directory/subscriptions"), `#directory/subscriptions$`),
		contextOf(get("organization"), `#organization$`),
		all(get("directory/subscriptions/{none}").missing("{none}")),
		shown(get("directory/subscriptions"), func(_ *probe, _ reply, v page[anyJSON]) outcome {
			for _, each := range v.Value {
				for _, name := range []string{"commerceSubscriptionId", "ownerId", "ownerTenantId", "ownerType"} {
					if string(each[name]) != "null" {
						return differs("%s has a value", name)
					}
				}
			}
			return seen(len(v.Value), "subscription")
		}),
	)},
	{"members-with-errors", false, parts(
		shown(get("groups/{failing}/membersWithLicenseErrors?$select=id,licenseAssignmentStates"), failingRows),
		failingAreMembers,
	)},
	{"members-with-errors-select", false, shown(get("groups/{failing}/membersWithLicenseErrors?$select=id,usageLocation,licenseAssignmentStates"), func(_ *probe, _ reply, v page[json.RawMessage]) outcome {
		for _, each := range v.Value {
			return named(properties(each), "id usageLocation licenseAssignmentStates")
		}
		return seen(0, "member with errors")
	})},

	{"page-sizes", false, parts(
		shown(get("users?$select=id"), func(_ *probe, _ reply, v page[anyJSON]) outcome {
			return verdict(len(v.Value) <= 100 && (v.Next == "" || len(v.Value) == 100), "a page of %d", len(v.Value))
		}),
		all(get("users?$top=999&$select=id")),
	)},
	{"count-without-header", false, shown(get(oneUser+"$count=true"), func(_ *probe, _ reply, v page[anyJSON]) outcome {
		return verdict(v.Count == nil, "there is a count")
	})},
	{"count-path", false, all(get("users/$count").advanced(), get("groups/$count").advanced(), get("users/$count?$filter=startswith(displayName,'a')").advanced())},
	{"count-path-details", false, countDetails},
	{"foreign-page-token", false, foreignToken},
	{"select-order", false, parts(
		shown(get("users?$top=1&$select=usageLocation,ID,id,accountEnabled"), func(_ *probe, _ reply, v page[json.RawMessage]) outcome {
			for _, each := range v.Value {
				return verdict(slices.Equal(properties(each), []string{"usageLocation", "id", "accountEnabled"}), "another order, or one twice")
			}
			return seen(0, "user")
		}),
		contextOf(get("users?$top=1&$select=usageLocation,ID,id,accountEnabled"), `#users\(usageLocation,id,accountEnabled\)$`),
	)},
	{"metadata-none", false, shown(get("users?$top=1&$select=id").with("Accept", "application/json;odata.metadata=none"), func(_ *probe, _ reply, v page[anyJSON]) outcome {
		return verdict(v.Context == nil, "there is a context")
	})},
	{"metadata-none-links", false, shown(get(oneUser+"$count=true").advanced().with("Accept", "application/json;odata.metadata=none"), func(_ *probe, _ reply, v page[anyJSON]) outcome {
		if v.Count != nil && *v.Count < 2 {
			return seen(0, "second user")
		}
		return verdict(v.Count != nil && v.Next != "", "no count or no link")
	})},
	{"headers", false, shown(get(oneUser+"$count=false"), func(_ *probe, r reply, _ anyJSON) outcome {
		for _, name := range strings.Fields("Cache-Control Content-Type OData-Version Vary Strict-Transport-Security request-id client-request-id x-ms-ags-diagnostic x-ms-resource-unit Date") {
			if r.header.Get(name) == "" {
				return differs("no %s", name)
			}
		}
		return verdict(r.header.Get("Cache-Control") == "no-cache", "another Cache-Control")
	})},
	{"refusal-headers", false, shown(get("users/{none}").missing("{none}"), func(_ *probe, r reply, _ anyJSON) outcome {
		return verdict(r.header.Get("Content-Type") == "application/json" && r.header.Get("OData-Version") == "", "a parameter in Content-Type, or an OData-Version")
	})},
}

// verdict is as expected, or what is different.
func verdict(ok bool, format string, args ...any) outcome {
	if ok {
		return asExpected
	}
	return differs(format, args...)
}

// seen is as expected where there are so many of something.
func seen(n int, what string) outcome {
	if n > 0 {
		return asExpected
	}
	return unseen("the tenant has no %s to ask about", what)
}

// parts is a check of several parts.
func parts(parts ...func(context.Context, *probe) outcome) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		var outcomes []outcome
		for _, part := range parts {
			outcomes = append(outcomes, part(ctx, p))
		}
		return worst(outcomes...)
	}
}

// contextOf is a check of the context of an answer.
func contextOf(a ask, pattern string) func(context.Context, *probe) outcome {
	return shown(a, func(_ *probe, _ reply, v page[anyJSON]) outcome {
		return verdict(v.Context != nil && regexp.MustCompile(pattern).MatchString(*v.Context), "%s: another context", a)
	})
}

// properties returns the names in an object, in their order, without
// annotations.
func properties(object []byte) (names []string) {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.Token()
	for dec.More() {
		name, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			return names
		}
		if text, ok := name.(string); ok && !strings.Contains(text, "@") {
			names = append(names, text)
		}
	}
	return names
}

func hasProperties(want string) func(*probe, reply, anyJSON) outcome {
	return func(_ *probe, r reply, _ anyJSON) outcome { return named(properties(r.body), want) }
}

var plainName = regexp.MustCompile(`^[A-Za-z]+$`)

// named compares names without their order. Those of extensions can tell whose
// they are.
func named(got []string, want string) outcome {
	for _, name := range strings.Fields(want) {
		if !slices.Contains(got, name) {
			return differs("no %s", name)
		}
	}
	for _, name := range got {
		switch {
		case slices.Contains(strings.Fields(want), name):
		case plainName.MatchString(name):
			return differs("%s is there", name)
		default:
			return differs("an extension is there")
		}
	}
	return asExpected
}
