package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// A check settles a fact, by its name in FIDELITY.md, or finds out whether a
// read of the library is answered and understood; then its name begins with
// read-.
type check struct {
	name   string
	writes bool
	do     func(ctx context.Context, p *probe) outcome
}

// A probe is what asks a tenant.
type probe struct {
	client    *licensing.Client
	transport http.RoundTripper // for what the client does not send
	tokens    licensing.TokenSource
	graph     string
	lag       time.Duration
	redactor

	names  map[string]string // what placeholders stand for
	tenant uuid.UUID
	target *licensing.User // the test user as found, nil without -write
	sku    uuid.UUID
	report report

	licensed, located bool // there may be something to take back
	stalled           bool // and it may still be to come
}

type skuJSON struct {
	ID, AppliesTo, CapabilityStatus string
	SKUID                           uuid.UUID
	PrepaidUnits                    struct{ Enabled, Warning, Suspended, LockedOut int }
}

type licenseJSON struct {
	SKUID         uuid.UUID
	DisabledPlans []uuid.UUID
}

type detailsJSON struct {
	ID    string
	SKUID uuid.UUID
}

type userJSON struct {
	ID, SecurityIdentifier, UserPrincipalName string

	AssignedLicenses        []licenseJSON
	LicenseAssignmentStates []struct {
		licenseJSON
		AssignedByGroup, State, Error string
	}
}

type page[T any] struct {
	Context *string `json:"@odata.context"`
	Count   *int    `json:"@odata.count"`
	Next    string  `json:"@odata.nextLink"`
	Value   []T
}

const userAgent = "licensing-probe"

func newProbe(cloud licensing.Cloud, tokens licensing.TokenSource, transport http.RoundTripper) (*probe, error) {
	client, err := licensing.NewClient(tokens, licensing.WithCloud(cloud), licensing.WithHTTPClient(&http.Client{Transport: transport}),
		licensing.WithUserAgent(userAgent))
	return &probe{
		client: client, transport: transport, tokens: tokens, graph: cloud.GraphURL,
		names:  map[string]string{"{none}": uuid.NewString()},
		report: report{Cloud: cloud.Name},
	}, err
}

// look finds out what there is to ask about. What may not be read is not there.
func (p *probe) look(ctx context.Context) error {
	var skus page[skuJSON]
	switch r := p.read(ctx, "subscribedSkus", &skus); {
	case r.err != nil:
		return fmt.Errorf("ask for the tenant's SKUs: %w", r.err)
	case r.status == http.StatusUnauthorized:
		return fmt.Errorf("ask for the tenant's SKUs: %w", licensing.ErrUnauthorized)
	}
	for _, sku := range skus.Value {
		tenant, _, _ := strings.Cut(sku.ID, "_")
		p.tenant, _ = uuid.Parse(tenant)
		p.name("{anysku}", sku.SKUID.String())
		p.name("{tenant}", tenant)
	}
	var users page[userJSON]
	p.read(ctx, "users?$top=100&$select=id,displayName,userPrincipalName,assignedLicenses,licenseAssignmentStates", &users)
	for _, u := range users.Value {
		p.name("{user}", u.ID)
		if len(u.AssignedLicenses) > 0 {
			if p.names["{licensed}"] != "" {
				p.name("{second}", u.ID)
			}
			p.name("{licensed}", u.ID)
		}
	}
	var groups, failing page[struct{ ID string }]
	p.read(ctx, "groups?$top=20&$select=id,displayName", &groups)
	for _, g := range groups.Value {
		p.name("{group}", g.ID)
	}
	p.read(ctx, "groups?$filter=hasMembersWithLicenseErrors eq true&$select=id,displayName", &failing)
	p.read(ctx, "organization", new(any)) // for its names, which must not be told
	for _, g := range failing.Value {
		p.name("{failing}", g.ID)
	}
	return ctx.Err()
}

// name gives a placeholder a value, if it has none.
func (p *probe) name(placeholder, value string) {
	if _, ok := p.names[placeholder]; !ok && value != "" {
		p.names[placeholder] = value
	}
}

// read reads into value what there is.
func (p *probe) read(ctx context.Context, path string, value any) reply {
	r := p.send(ctx, get(path))
	if r.status == http.StatusOK {
		json.Unmarshal(r.body, value)
	}
	return r
}

func (p *probe) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runAll makes all checks, and stops where the test user is not as before.
func (p *probe) runAll(ctx context.Context) error {
	p.report.Writes = p.target != nil
	for _, c := range allChecks() {
		o := outcome{notChecked, "needs -write"}
		if !c.writes || p.target != nil {
			var err error
			if o, err = p.runOne(ctx, c); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p.report.add(c.name, o)
	}
	for _, u := range unchecked {
		p.report.add(u.name, outcome{notChecked, u.reason})
	}
	return nil
}

// runOne makes a check, and takes back what it did, whatever becomes of it.
func (p *probe) runOne(ctx context.Context, c check) (o outcome, err error) {
	defer func() { err = p.restore(ctx) }()
	return c.do(ctx, p), nil
}

func allChecks() (all []check) {
	for _, part := range [][]check{libraryReads, refusals, sights, batches, changes} {
		all = append(all, part...)
	}
	return all
}
