package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A stage is a small tenant, and what the tool has said.
type stage struct {
	*licensingtest.Tenant
	e3, f1     licensingtest.SKU
	out, notes string
	interrupt  context.CancelFunc // Ctrl-C
	stop       context.CancelFunc // Ctrl-C again
}

// newStage returns a tenant with five users. Adele has F1, and Ben through
// Sales; Cleo has E3 without SharePoint; Dan has both E3 and, through Mail, E3
// again; Eva has nothing, and no usage location.
func newStage() *stage {
	s := &stage{Tenant: licensingtest.NewTenant()}
	s.e3, s.f1 = s.AddSKU(contoso.E3(10)), s.AddSKU(contoso.F1(10))
	for _, user := range []licensingtest.User{
		{UserPrincipalName: adele, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(s.f1)}},
		{UserPrincipalName: ben, UsageLocation: "DE"},
		{UserPrincipalName: cleo, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(s.e3, contoso.SharePoint)}},
		{UserPrincipalName: dan, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(s.e3)}},
		{UserPrincipalName: eva},
	} {
		s.AddUser(user)
	}
	s.AddGroup(licensingtest.Group{ID: contoso.Sales, DisplayName: "Sales", Licenses: []licensingtest.License{contoso.License(s.f1)}}, ben)
	s.AddGroup(licensingtest.Group{DisplayName: "Mail", Licenses: []licensingtest.License{contoso.License(s.e3)}}, dan)
	return s
}

const (
	adele = "adele@contoso.example"
	ben   = "ben@contoso.example"
	cleo  = "cleo@contoso.example"
	dan   = "dan@contoso.example"
	eva   = "eva@contoso.example"

	header4 = "userPrincipalName,add,remove,usageLocation\n"
)

// play runs the tool on the tenant. What change does to the job comes before.
func (s *stage) play(t *testing.T, input, args string, change ...func(*job)) error {
	t.Helper()
	cmd, err := parse(strings.Fields(args), nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var out, notes bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		draining, interrupt := context.WithCancel(ctx)
		defer interrupt()
		s.interrupt, s.stop = interrupt, stop
		j := job{command: cmd, input: []byte(input), out: &out, notes: &notes}
		j.use(s.Client())
		for _, f := range change {
			f(&j)
		}
		err = j.do(ctx, draining)
		s.out, s.notes = out.String(), notes.String()
	})
	return err
}

// holds returns what a user has: the SKUs with the plans that are off.
func (s *stage) holds(t *testing.T, name string) string {
	t.Helper()
	user, ok := s.User(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	names := map[string]string{}
	for _, sku := range []licensingtest.SKU{s.e3, s.f1} {
		names[sku.ID.String()] = sku.PartNumber
		for _, plan := range sku.Plans {
			names[plan.ID.String()] = plan.Name
		}
	}
	var rows []string
	for _, row := range user.States {
		text := names[row.SKUID.String()]
		for _, id := range row.DisabledPlans {
			text += "-" + names[id.String()]
		}
		if row.Group != "" {
			text += " by group"
		}
		rows = append(rows, text)
	}
	return strings.Join(append(rows, user.UsageLocation), ", ")
}

func (s *stage) wants(t *testing.T, want map[string]string) {
	t.Helper()
	for name, want := range want {
		if got := s.holds(t, name); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// tool is the tool, which nobody drains.
func tool(ctx context.Context, args []string, out, notes io.Writer) error {
	return run(ctx, ctx, args, out, notes)
}

func line(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// interruptAfter makes the user press Ctrl-C after so many results.
func (s *stage) interruptAfter(results int) func(*job) {
	return func(j *job) {
		j.bulk = each(j.bulk, func() {
			if results--; results == 0 {
				s.interrupt()
			}
		})
	}
}

// each has f called before each result is delivered.
func each(send bulk, f func()) bulk {
	return func(ctx context.Context, operations iter.Seq[licensing.Operation], opts licensing.BulkOptions) iter.Seq[licensing.OperationResult] {
		return func(yield func(licensing.OperationResult) bool) {
			for r := range send(ctx, operations, opts) {
				f()
				if !yield(r) {
					return
				}
			}
		}
	}
}

// mailSKU returns a SKU with one plan.
func mailSKU(name, plan string) licensingtest.SKU {
	return licensingtest.SKU{PartNumber: name, Seats: 10, Plans: []licensingtest.Plan{{Name: plan}}}
}
