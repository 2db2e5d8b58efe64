package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	adele = "adele@contoso.example"
	ben   = "ben@contoso.example"
	cleo  = "cleo@contoso.example"
	dan   = "dan@contoso.example"
	eva   = "eva@contoso.example"
)

// A stage is a small tenant, and what the tool has said.
type stage struct {
	*licensingtest.Tenant
	skus       []licensingtest.SKU
	out, notes string
}

// newStage returns a tenant with five users. Adele has F1, Ben nothing, Cleo E3 without
// Yammer and Visio, Dan E3 both directly and through Sales, and Eva nothing and no usage
// location. Two groups are called Twins.
func newStage() *stage {
	s := &stage{Tenant: licensingtest.NewTenant()}
	e3, f1 := s.AddSKU(contoso.E3(10)), s.AddSKU(contoso.F1(10))
	visio := s.AddSKU(contoso.SKU("VISIOCLIENT", 10, "VISIO_CLIENT_SUBSCRIPTION"))
	s.skus = []licensingtest.SKU{e3, f1, visio}
	for _, user := range []licensingtest.User{
		{UserPrincipalName: adele, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(f1)}},
		{UserPrincipalName: ben, UsageLocation: "DE"},
		{UserPrincipalName: cleo, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(e3, contoso.Yammer), contoso.License(visio)}},
		{UserPrincipalName: dan, UsageLocation: "DE", Licenses: []licensingtest.License{contoso.License(e3)}},
		{UserPrincipalName: eva},
	} {
		s.AddUser(user)
	}
	s.AddGroup(licensingtest.Group{ID: contoso.Sales, DisplayName: "Sales", Licenses: []licensingtest.License{contoso.License(e3)}}, dan)
	for _, id := range []string{"2132b215-826f-42a9-8cfe-1643d19d17fd", "3132b215-826f-42a9-8cfe-1643d19d17fd"} {
		s.AddGroup(licensingtest.Group{ID: id, DisplayName: "Twins"})
	}
	return s
}

// play runs the tool on the tenant, with an answer to its question, and returns its
// status.
func (s *stage) play(t *testing.T, answer string, args ...string) (status int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out, notes bytes.Buffer
		err := run(t.Context(), t.Context(), args, streams{strings.NewReader(answer), &out, &notes}, s.Client())
		status = 0
		if err != nil {
			status = cli.Status(err)
			notes.WriteString("error: " + cli.Explain(err) + "\n")
		}
		s.out, s.notes = out.String(), notes.String()
	})
	return status
}

// holds returns what a user or group has: the SKUs with the plans that are off.
func (s *stage) holds(t *testing.T, name string) string {
	t.Helper()
	names := map[string]string{}
	for _, sku := range s.skus {
		names[sku.ID.String()] = sku.PartNumber
		for _, plan := range sku.Plans {
			names[plan.ID.String()] = plan.Name
		}
	}
	var rows []string
	add := func(l licensingtest.License, by string) {
		text := names[l.SKUID.String()]
		for _, id := range l.DisabledPlans {
			text += "-" + names[id.String()]
		}
		rows = append(rows, text+by)
	}
	if user, ok := s.User(name); ok {
		for _, row := range user.States {
			by := ""
			if row.Group != "" {
				by = " by group"
			}
			add(row.License, by)
		}
	} else if group, ok := s.Group(name); ok {
		for _, l := range group.Licenses {
			add(l, "")
		}
	} else {
		t.Fatalf("there is no %s", name)
	}
	slices.Sort(rows)
	return strings.Join(rows, ", ")
}

func (s *stage) wants(t *testing.T, want map[string]string) {
	t.Helper()
	for name, want := range want {
		if got := s.holds(t, name); got != want {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
}

// tool is the tool on the fake tenant, with an answer to its question.
func tool(answer string) func(ctx context.Context, args []string, out, notes io.Writer) error {
	return func(ctx context.Context, args []string, out, notes io.Writer) error {
		return run(ctx, ctx, args, streams{strings.NewReader(answer), out, notes}, nil)
	}
}

// golden compares a text with a file of testdata, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := clitest.Read(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// refusal has Graph refuse what goes to a path.
func refusal(path string) licensingtest.Fault {
	return licensingtest.Fault{
		Match:  func(r *http.Request) bool { return strings.Contains(r.URL.Path, path) },
		Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation.", Times: -1,
	}
}
