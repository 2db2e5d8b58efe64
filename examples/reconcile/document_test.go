package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/examples/internal/clitest"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
)

// TestMistakes has a file with each, and the place of it.
func TestMistakes(t *testing.T) {
	const user = "users:\n  a@b.example:\n"
	for _, test := range []struct{ name, file, want string }{
		{"empty", "", "1: the file is empty"},
		{"comment alone", "# nothing\n", "1: the file is empty"},
		{"a text", "users", `1:1: want a mapping with managed, users or groups, and there is "users"`},
		{"a list", "- users\n", "1:1: want a mapping with managed, users or groups, and there is a list"},
		{"two documents", "users: {}\n---\nusers: {}\n", "3:1: there is a second document"},
		{"not YAML", "users: [\n", "1:8: sequence end token ']' not found"},
		{"unknown key", "user: {}\n", `1:1: unknown key "user"; there are groups, managed, users`},
		{"unknown key of a user", user + "    license: []\n", `3:5: unknown key "license"; there are licenses, mode, ref, remove`},
		{"unknown key of a license", user + "    licenses:\n      - sku: ENTERPRISEPACK\n        with: []\n", `5:9: unknown key "with"; there are disable, enable, only, sku, without`},
		{"twice", user + "    mode: atLeast\n    mode: exactly\n", `4:5: mapping key "mode" already defined at [3:5]`},
		{"user twice", user + "    {}\n  a@b.example: {}\n", `4:3: mapping key "a@b.example" already defined at [2:3]`},
		{"nothing of a user", user, "2:16: want a mapping with licenses, remove, mode or ref, and there is nothing"},
		{"mode", user + "    mode: exact\n", `3:11: want exactly or atLeast, and there is "exact"`},
		{"mode is a list", user + "    mode: []\n", `3:11: want exactly or atLeast, and there is a list`},
		{"exactly with nothing managed", user + "    mode: exactly\n", "3:11: mode exactly takes away what is managed, and the file has no managed"},
		{"managed", "managed: some\n", `1:10: want all or a list of SKUs, and there is "some"`},
		{"managed has nothing", "managed: [~]\n", "1:11: want a SKU, and there is nothing"},
		{"licenses", user + "    licenses: EMS\n", `3:15: want a list of licenses, and there is "EMS"`},
		{"license", user + "    licenses:\n      - [EMS]\n", "4:9: want a SKU, or a mapping with sku, and there is a list"},
		{"no SKU", user + "    licenses:\n      - without: []\n", "4:9: the license has no sku"},
		{"empty SKU", user + "    remove: ['']\n", "3:14: want a SKU, and there is an empty text"},
		{"without and only", user + "    licenses:\n      - {sku: X, without: [], only: [Y]}\n", "4:10: without is all plans that are off, so that enable, disable and only cannot be beside it"},
		{"only and enable", user + "    licenses:\n      - {sku: X, enable: [], only: [Y]}\n", "4:10: only is all plans that are on, so that enable and disable cannot be beside it"},
		{"only nothing", user + "    licenses:\n      - {sku: X, only: []}\n", "4:10: only is empty; take the SKU out of the list, or say which plans are on"},
		{"no anchor", "users:\n  a: *staff\n", "2:6: there is no anchor &staff before this"},
		{"merge", user + "    <<: {}\n", "3:5: want a name, and there is a merge key, which is not for here"},
		{"all", "manage: all\nusers:\n  a: {mode: x}\n  b:\n    - y\n", "1:1: unknown key \"manage\"; there are groups, managed, users\n" +
			"3:13: want exactly or atLeast, and there is \"x\"\n5:5: want a mapping with licenses, remove, mode or ref, and there is a list"},
		{"an alias of itself", "users: &all\n  a: *all\n", "2:3: unknown key \"a\"; there are licenses, mode, ref, remove"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, bad := readDocument([]byte(test.file))
			var notes bytes.Buffer
			bad.Print(&notes, "in", nil)
			want := ""
			for line := range strings.Lines(test.want) {
				want += "in:" + strings.TrimSpace(line) + "\n"
			}
			if notes.String() != want {
				t.Errorf("got\n%s\nwant\n%s", &notes, want)
			}
		})
	}
}

// TestUnknownNames has names that no tenant has, each with its place.
func TestUnknownNames(t *testing.T) {
	const file = `managed: [ENTERPRISEPAK]
users:
  a@b.example:
    licenses:
      - sku: ENTERPRISEPACK
        without: [YAMER_ENTERPRISE]
      - enterprisepack
      - VISIOCLIENT
    remove: [VISIOCLIENT]
groups:
  Sale: {}
  Twins: {}
  O'Neill's: {}
`
	const want = `stdin:1:11: find SKU: "ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?
    managed: [ENTERPRISEPAK]
stdin:6:19: find service plan: invalid argument: "YAMER_ENTERPRISE" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); did you mean YAMMER_ENTERPRISE?
    without: [YAMER_ENTERPRISE]
stdin:7:9: enterprisepack is there twice
    - enterprisepack
stdin:8:9: VISIOCLIENT is to be removed, and to be there
    - VISIOCLIENT
stdin:11:3: there is no group Sale
    Sale: {}
stdin:12:3: 2 groups are called Twins; give the id of one: 2132b215-826f-42a9-8cfe-1643d19d17fd, 3132b215-826f-42a9-8cfe-1643d19d17fd
    Twins: {}
stdin:13:3: there is no group O'Neill's
    O'Neill's: {}
error: the file cannot be used, and nothing was sent
`
	s := newStage()
	if status := s.play(t, file, "plan", "-"); status != statusMisuse || s.notes != want || s.out != "" {
		t.Errorf("got status %d and\n%s\nwant\n%s", status, s.notes, want)
	}
}

// TestIDs has everything named by its id, in JSON.
func TestIDs(t *testing.T) {
	s := newStage()
	e3 := s.skus[0]
	user, _ := s.User(ben)
	input := `{"managed": "all", "users": {"` + user.ID + `": {"licenses": [{"sku": "` + e3.ID.String() + `", "only": ["` + contoso.Exchange.ID.String() + `"]}]}},
		"groups": {"` + strings.ToUpper(contoso.Sales) + `": {"mode": "exactly"}}}`
	if status := s.play(t, "", "apply", "-yes", clitest.File(t, "in.json", input)); status != 0 {
		t.Errorf("got status %d and\n%s\n%s", status, s.out, s.notes)
	}
	s.wants(t, map[string]string{ben: "ENTERPRISEPACK-SHAREPOINTENTERPRISE-YAMMER_ENTERPRISE", contoso.Sales: ""})
}

// TestPlans has a list that is not there, an empty one, and others.
func TestPlans(t *testing.T) {
	for plans, want := range map[string]string{
		"":                                "-YAMMER_ENTERPRISE",
		"without: []":                     "",
		"without: [SHAREPOINTENTERPRISE]": "-SHAREPOINTENTERPRISE",
		"enable: [YAMMER_ENTERPRISE]":     "",
		"disable: [SHAREPOINTENTERPRISE]": "-SHAREPOINTENTERPRISE-YAMMER_ENTERPRISE",
		"only: [7547a3fe-08ee-4ccb-b430-5077c5041653]": "-EXCHANGE_S_ENTERPRISE-SHAREPOINTENTERPRISE",
	} {
		s := newStage()
		input := "managed: [ENTERPRISEPACK]\nusers:\n  " + cleo + ":\n    mode: exactly\n    licenses:\n      - sku: ENTERPRISEPACK\n        " + plans + "\n"
		if status := s.play(t, "", "apply", "-yes", clitest.File(t, "in.yaml", input)); status != 0 {
			t.Errorf("%s: got status %d and\n%s\n%s", plans, status, s.out, s.notes)
		}
		s.wants(t, map[string]string{cleo: "ENTERPRISEPACK" + want + ", VISIOCLIENT"})
	}
}

// TestREADME has the file of the page read.
func TestREADME(t *testing.T) {
	_, text, _ := strings.Cut(clitest.Read(t, "README.md"), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	var notes bytes.Buffer
	doc, bad := readDocument([]byte(text))
	bad.Print(&notes, "README.md", []byte(text))
	if notes.Len() > 0 || len(doc.wishes) != 4 || doc.wishes[2].remove[0].text != "VISIOCLIENT" {
		t.Errorf("got %+v and\n%s", doc, &notes)
	}
}
