package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// me is about /me with a token that is an application's.
func me(ctx context.Context, p *probe) outcome {
	a := get("me?$select=id").bad("/me request is only valid with delegated authentication flow.")
	r := p.send(ctx, a)
	if r.status == 200 {
		return unseen("the token is a user's")
	}
	return p.judge(a, r)
}

func groupLists(_ *probe, _ reply, v page[anyJSON]) outcome {
	for _, group := range v.Value {
		for _, name := range []string{"creationOptions", "serviceProvisioningErrors", "onPremisesProvisioningErrors"} {
			if !strings.HasPrefix(string(group[name]), "[") {
				return differs("%s is no list", name)
			}
		}
		if renewed := string(group["renewedDateTime"]); renewed == "" || renewed == "null" {
			return differs("a group was never renewed")
		}
	}
	return seen(len(v.Value), "group")
}

// eachUser looks at the users in a page until one is different.
func eachUser(look func(userJSON) outcome) func(*probe, reply, page[userJSON]) outcome {
	return func(_ *probe, _ reply, v page[userJSON]) outcome {
		rows := 0
		for _, u := range v.Value {
			rows += len(u.LicenseAssignmentStates)
			if o := look(u); o != asExpected {
				return o
			}
		}
		return seen(rows, "license")
	}
}

func mergedLicenses(u userJSON) outcome {
	var all []uuid.UUID
	for _, l := range u.AssignedLicenses {
		if slices.Contains(all, l.SKUID) {
			return differs("a SKU is twice in assignedLicenses")
		}
		all = append(all, l.SKUID)
	}
	for _, row := range u.LicenseAssignmentStates {
		if row.State == "Active" && !slices.Contains(all, row.SKUID) {
			return differs("an active row, and no license")
		}
	}
	return asExpected
}

func healthyRows(u userJSON) outcome {
	for _, row := range u.LicenseAssignmentStates {
		if row.State == "Active" && row.Error != "None" {
			return differs("an active row has another error than None")
		}
	}
	return asExpected
}

// eachSKU compares the status of those that are meant.
func eachSKU(skus []skuJSON, meant func(skuJSON) bool, status string) outcome {
	n := 0
	for _, s := range skus {
		if !meant(s) {
			continue
		}
		if n++; s.CapabilityStatus != status {
			return differs("one is not %s", status)
		}
	}
	return seen(n, "such SKU")
}

// detailsIDs compares the ids of a user's license details.
func detailsIDs(p *probe, _ reply, v page[detailsJSON]) outcome {
	for _, each := range v.Value {
		if each.ID != detailsID(p.tenant, each.SKUID) {
			return differs("another id than follows from the tenant and the SKU")
		}
	}
	return seen(len(v.Value), "license details")
}

// detailsID is the id of license details.
func detailsID(tenant, sku uuid.UUID) string {
	t, s := littleEndian(tenant), littleEndian(sku)
	return base64.RawURLEncoding.EncodeToString(slices.Concat(t[:], s[:]))
}

func securityIdentifier(id string) string {
	parsed, _ := uuid.Parse(id)
	parsed = littleEndian(parsed)
	sid := "S-1-12-1"
	for part := range slices.Chunk(parsed[:], 4) {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(part)), 10)
	}
	return sid
}

// littleEndian is a GUID in the order of bytes of Microsoft's.
func littleEndian(id uuid.UUID) uuid.UUID {
	slices.Reverse(id[0:4])
	slices.Reverse(id[4:6])
	slices.Reverse(id[6:8])
	return id
}

func failingRows(p *probe, _ reply, v page[userJSON]) outcome {
	for _, u := range v.Value {
		if u.LicenseAssignmentStates == nil {
			return unseen("the rows may not be read")
		}
		failed := false
		for _, row := range u.LicenseAssignmentStates {
			failed = failed || strings.EqualFold(row.AssignedByGroup, p.names["{failing}"]) && row.Error != "None"
		}
		if !failed {
			return differs("a member without a row of the group with an error")
		}
	}
	return seen(len(v.Value), "member with errors")
}

func failingAreMembers(ctx context.Context, p *probe) outcome {
	var failing, members page[userJSON]
	for _, listing := range []struct {
		path string
		to   any
	}{{"membersWithLicenseErrors?$select=id", &failing}, {"members?$top=999&$select=id", &members}} {
		r, o := p.answered(ctx, get("groups/{failing}/"+listing.path))
		if o != asExpected {
			return o
		}
		json.Unmarshal(r.body, listing.to)
	}
	for _, u := range failing.Value {
		if members.Next == "" && !slices.ContainsFunc(members.Value, func(m userJSON) bool { return m.ID == u.ID }) {
			return differs("one is no member")
		}
	}
	return asExpected
}

var digits = regexp.MustCompile(`^[0-9]+$`)

func countDetails(ctx context.Context, p *probe) outcome {
	count, o := p.answered(ctx, get("users/$count").advanced())
	listing, more := p.answered(ctx, get("users?$top=20").advanced())
	item, last := p.item(ctx, batch(`{"id":"1","method":"GET","url":"/users/$count","headers":{"ConsistencyLevel":"eventual"}}`), "1", get("/users/$count"))
	if o = worst(o, more, last); o != asExpected {
		return o
	}
	var text []byte // decoded from base64
	if json.Unmarshal(item.body, &text) != nil || !digits.Match(text) {
		return differs("in a batch: no number in base64")
	}
	const unit = "x-ms-resource-unit"
	return worst(
		verdict(digits.Match(count.body), "not a mere number"),
		verdict(count.header.Get(unit) == listing.header.Get(unit), "another cost than the listing's"),
	)
}

func foreignToken(ctx context.Context, p *probe) outcome {
	r, o := p.answered(ctx, get("users?$top=1&$select=id"))
	if o != asExpected {
		return o
	}
	var v page[anyJSON]
	json.Unmarshal(r.body, &v)
	link, _ := url.Parse(v.Next)
	for name, values := range link.Query() {
		if strings.EqualFold(name, "$skiptoken") {
			p.names["{token}"] = url.QueryEscape(values[0])
			return all(get("groups?$top=1&$select=id&$skiptoken={token}").bad("Invalid skip token."))(ctx, p)
		}
	}
	return seen(0, "second page")
}
