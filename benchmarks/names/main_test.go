package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

const (
	titles = "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\n"

	e1, ems            = "18181a46-0d4e-45cd-891e-60aabd171b4e", "efccb6f7-5641-4e0e-bd10-b4976e1bf68e"
	e3, e5             = "6fd2c87f-b296-42f0-b197-1e91e994b900", "c7df2760-2c81-4ef7-b578-5b5392b571df"
	teams, sway, forms = "57ff2da0-773e-42df-b2af-ffb7a2317929", "a23b959c-7ce8-4e57-9140-b90eb88a9e97", "2789c901-c14e-48ab-a76a-be334d9d793a"
)

func write(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRun makes the table of a list: lines of a well-known SKU, and of plans with
// several names the first with each.
func TestRun(t *testing.T) {
	list := "\uFEFF" + titles +
		"Office 365 E3,ENTERPRISEPACK," + e3 + ",TEAMS1," + teams + ",TEAMS\n" +
		"Office 365 E3,ENTERPRISEPACK," + e3 + ",SWAY," + sway + ",Sway\n" +
		"\"Office 365, E3\",ENTERPRISEPACK," + e3 + ",FORMS_PLAN_E3,?,Forms\n" +
		"Office 365 E5,ENTERPRISEPREMIUM," + e5 + ",SWAY," + sway + ",Sway\u00A0\n" +
		"Office 365 E5,ENTERPRISEPREMIUM," + e5 + ",FORMS_PLAN_E5," + forms + ",Forms\n" +
		"Office 365 E5,ENTERPRISEPREMIUM," + e5 + ",TEAMS1," + teams + ",Microsoft Teams\n" +
		"Office 365 E1,STANDARDPACK," + e1 + ",TEAMS1," + teams + ",Microsoft Teams\n" +
		"Mobility & Security,EMS," + ems + ",TEAMS1," + teams + ",Microsoft  Teams\n"
	const part = titles +
		"Office 365 E3,ENTERPRISEPACK," + e3 + ",TEAMS1," + teams + ",TEAMS\n" +
		"Office 365 E3,ENTERPRISEPACK," + e3 + ",SWAY," + sway + ",Sway\n" +
		"\"Office 365, E3\",ENTERPRISEPACK," + e3 + ",FORMS_PLAN_E3,?,Forms\n" +
		"Office 365 E5,ENTERPRISEPREMIUM," + e5 + ",TEAMS1," + teams + ",Microsoft Teams\n" +
		"Mobility & Security,EMS," + ems + ",TEAMS1," + teams + ",Microsoft  Teams\n"
	const table = `{
  "source": "a \"list\"",
  "skus": {
    "6fd2c87f-b296-42f0-b197-1e91e994b900": "Office 365 E3",
    "c7df2760-2c81-4ef7-b578-5b5392b571df": "Office 365 E5",
    "efccb6f7-5641-4e0e-bd10-b4976e1bf68e": "Mobility & Security"
  },
  "plans": {
    "57ff2da0-773e-42df-b2af-ffb7a2317929": "Microsoft Teams",
    "a23b959c-7ce8-4e57-9140-b90eb88a9e97": "Sway"
  }
}
`
	out := t.TempDir()
	if err := run(write(t, list), `a "list"`, out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"known.csv": part, "known.json": table} {
		got, err := os.ReadFile(filepath.Join(out, name))
		if err != nil || string(got) != want {
			t.Errorf("%s, %v:\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

// Of equally frequent names the first counts, whatever comes between.
func TestMostFrequent(t *testing.T) {
	for text, want := range map[string]string{"A": "A", "A B": "A", "A B B": "B", "A B B A": "A", "B A C A B": "B"} {
		list := titles
		for name := range strings.SplitSeq(text, " ") {
			list += name + ",X," + e3 + ",Y," + teams + "," + name + "\n"
		}
		l, err := read([]byte(list))
		if err != nil {
			t.Fatal(err)
		}
		n := l.names()
		if sku, plan := n.skus[uuid.MustParse(e3)], n.plans[uuid.MustParse(teams)]; sku != want || plan != want {
			t.Errorf("of %q the names are %q and %q, want %q", text, sku, plan, want)
		}
	}
}

func TestRunFails(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "empty",
		"GUID\n\xE9\n":           "not in UTF-8",
		"GUID,Service_Plan_Id\n": "no column Product_Display_Name",
		titles + "A,B,urn:uuid:" + e3 + ",C,D,E\n": `ReadProductNames has the name "" for ` + e3 + `, want "A"`,
		titles + "A,B\n":           "wrong number of fields",
		titles + "A,B,C,D,\"E,F\n": `extraneous or missing " in quoted-field`,
	} {
		if err := run(write(t, text), "", t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What ReadProductNames makes of a list is compared with the rule.
func TestCompare(t *testing.T) {
	text := titles + "Office 365 E3,ENTERPRISEPACK," + e3 + ",TEAMS1," + teams + ",TEAMS\n"
	l, err := read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := l.names()
	if err := compare([]byte(text), want); err != nil {
		t.Error(err)
	}
	for id := range want.plans {
		want.plans[id] = "Microsoft Teams"
	}
	const difference = `ReadProductNames has the name "TEAMS" for ` + teams + `, want "Microsoft Teams"`
	if err := compare([]byte(text), want); err == nil || err.Error() != difference {
		t.Errorf("got %v, want %s", err, difference)
	}
}
