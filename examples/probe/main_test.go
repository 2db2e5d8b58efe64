package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
)

func TestFakeTenantIsAsTheProbeSays(t *testing.T) {
	out, notes, err := clitest.Run(t, run)
	if err != nil || !strings.HasPrefix(out, "confirmed    read-subscribed-skus\nconfirmed    read-subscriptions\n") || notes != "No credentials in the environment: this is a fake tenant.\n" {
		t.Errorf("got %v, %q and\n%s", err, notes, out)
	}
	for _, line := range []string{
		"not seen     unknown-property-others         GET users?$top=1&$select=manager: 501 NotImplemented: licensingtest does not serve the property manager of user.",
		"not checked  null-array                      needs -write",
		"not checked  batch-order                     Graph promises none, and one order seen would prove none",
	} {
		if !strings.Contains(out, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
	if want := "\n0 contradicted, 85 confirmed, 3 not seen, 50 not checked\n"; !strings.HasSuffix(out, want) {
		t.Errorf("printed\n%s\nwant at the end%s", out, want)
	}
}

func TestWritesOnTheFakeTenant(t *testing.T) {
	out, notes, err := clitest.Run(t, run, "-json", "-write", fakeTester, "-sku", "m365_f1")
	if err != nil {
		t.Fatal(err)
	}
	const said = "Writes to tester@contoso.example: gives and takes back M365_F1 several times, reprocesses the licenses, " +
		"and changes the usage location and sets it back to DE.\nconfirmed    read-subscribed-skus\n"
	if !strings.Contains(notes, said) || !strings.HasSuffix(notes, "\n0 contradicted, 111 confirmed, 4 not seen, 23 not checked\n") {
		t.Errorf("noted\n%s", notes)
	}
	const begins = `{
  "cloud": "Global",
  "writes": true,
  "counts": {
    "confirmed": 111,
    "contradicted": 0,
    "not checked": 23,
    "not seen": 4
  },
  "facts": [
    {
      "name": "read-subscribed-skus",
      "result": "confirmed"
    },
`
	if !strings.HasPrefix(out, begins) || !json.Valid([]byte(out)) {
		t.Errorf("printed\n%s", out)
	}
}

// Every assumption of FIDELITY.md is a check, or has a reason why it is none.
func TestEveryAssumption(t *testing.T) {
	text, err := os.ReadFile("../../licensingtest/FIDELITY.md")
	if err != nil {
		t.Fatal(err)
	}
	standing := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, " | "); len(cells) == 4 {
			standing[strings.TrimPrefix(cells[0], "| ")] = cells[2]
		}
	}
	var names []string
	for _, c := range allChecks() {
		names = append(names, c.name)
		if standing[c.name] == "" && !strings.HasPrefix(c.name, "read-") {
			t.Errorf("check %s is no fact", c.name)
		}
	}
	for _, u := range unchecked {
		names = append(names, u.name)
		if standing[u.name] != "assumed" || u.reason == "" {
			t.Errorf("unchecked %s is %q, for reason %q", u.name, standing[u.name], u.reason)
		}
	}
	assumed := 0
	for name, is := range standing {
		if is != "assumed" {
			continue
		}
		if assumed++; !slices.Contains(names, name) {
			t.Errorf("%s is assumed, and neither a check nor unchecked", name)
		}
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) || assumed < 50 {
		t.Errorf("%d names, %d of them different, for %d assumptions", len(names), len(unique), assumed)
	}
}

func TestMisuses(t *testing.T) {
	clitest.Misuses(t, run, []clitest.Failure{
		{"user alone", "-write " + fakeTester, "-write and -sku go together"},
		{"SKU alone", "-sku M365_F1", "-write and -sku go together"},
		{"no such SKU", "-write " + fakeTester + " -sku E3", `the tenant has no such product: SKU is not in the tenant: "E3" is not one of the tenant's SKUs`},
		{"no such user", "-write x@contoso.example -sku M365_F1", "there is no such user or group: read user licenses: 404 Request_ResourceNotFound: "},
		{"has the SKU", "-write ben@contoso.example -sku M365_F1", "nothing was written: the user already has M365_F1"},
		{"should have the SKU", "-write cleo@contoso.example -sku ENTERPRISEPACK", "nothing was written: the user already has ENTERPRISEPACK"},
		{"no seats", "-write " + fakeTester + " -sku ENTERPRISEPACK", "nothing was written: ENTERPRISEPACK has no seat free"},
	})
}

func TestRealTenantWhereThereAreCredentials(t *testing.T) { clitest.Real(t, run) }
