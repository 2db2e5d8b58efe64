package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// skus are those of a tenant with names that are hard to take apart.
var skus = []licensing.SubscribedSKU{
	sku(1, "E3", "YAMMER", "B-C", "B-Z"),
	sku(2, "E3-B", "C", "D-E"),
	{SKUID: id(3), SKUPartNumber: "ORG", AppliesTo: "Company", ServicePlans: []licensing.ServicePlan{{ServicePlanID: id(31), ServicePlanName: "P"}}},
	{SKUID: id(4), SKUPartNumber: "MIXED", ServicePlans: []licensing.ServicePlan{{ServicePlanID: id(41), ServicePlanName: "ALL", AppliesTo: "Company"}}},
}

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }

func sku(n byte, name string, plans ...string) licensing.SubscribedSKU {
	s := licensing.SubscribedSKU{SKUID: id(n), SKUPartNumber: name}
	for i, plan := range plans {
		s.ServicePlans = append(s.ServicePlans, licensing.ServicePlan{ServicePlanID: id(10*n + byte(i) + 1), ServicePlanName: plan})
	}
	return s
}

func parseText(text string) (string, string) {
	wishes, bad := parseInput([]byte(text), newResolver(licensing.NewCatalog(skus)))
	var got strings.Builder
	for _, w := range wishes {
		fmt.Fprintf(&got, "%d %s%s\n", w.line, w.user, w.text())
	}
	var notes bytes.Buffer
	bad.Print(&notes, "in", nil)
	return got.String(), notes.String()
}

func (w wish) text() string {
	if w.operation != nil {
		return fmt.Sprint(" ", w.operation.Kind)
	}
	short := func(ids []uuid.UUID) (text string) {
		for _, id := range ids {
			text += fmt.Sprint(" ", id[15])
		}
		return text
	}
	text := ""
	for _, l := range w.add {
		text += fmt.Sprintf(" +%d[%s]", l.SKUID[15], strings.TrimSpace(short(l.DisabledPlans)))
	}
	for _, l := range w.off {
		text += fmt.Sprintf(" off %d[%s]", l.SKUID[15], strings.TrimSpace(short(l.DisabledPlans)))
	}
	if len(w.remove) > 0 {
		text += " -" + short(w.remove)
	}
	return strings.TrimRight(text+" "+w.location, " ")
}

func TestCSV(t *testing.T) {
	const header = "userPrincipalName,add,remove\n"
	for _, test := range []struct{ name, text, want string }{
		{"SKU", header + "a,E3,E3-B\n", "2 a +1[] - 2\n"},
		{"GUID", header + "a," + id(1).String() + "," + strings.ToUpper(id(2).String()) + "\n", "2 a +1[] - 2\n"},
		{"plans", header + "a,E3-YAMMER e3-b-c,\n", "2 a +1[11] +2[21]\n"},
		{"plans add up", header + "a,E3-YAMMER E3-B-D-E E3,\n", "2 a +1[11] +2[22]\n"},
		{"plans by GUID", header + "a," + id(1).String() + "-" + id(11).String() + ",\n", "2 a +1[11]\n"},
		{"the shorter SKU has the plan", header + "a,E3-B-Z,\n", "2 a +1[13]\n"},
		{"several users", header + "a,E3-YAMMER " + id(1).String() + "-B-C,\nb,E3-YAMMER E3-B-Z,\n", "2 a +1[11 12]\n3 b +1[11 13]\n"},
		{"twice", header + "a,,E3 E3\n", "2 a - 1\n"},
		{"the longer SKU", header + "a,E3-B-C," + id(1).String() + "-B-C\n", "2 a +2[21] off 1[12]\n"},
		{"plans off", header + "a,,E3-YAMMER;E3-B-C;E3-YAMMER\n", "2 a off 1[11] off 2[21]\n"},
		{"in words of Excel", "\ufeffUserPrincipalName;ADD;Remove;Usage Location\r\n\r\na;\"E3;E3-B\";;de\r\nb;;E3;\r\n", "3 a +1[] +2[] DE\n4 b - 1\n"},
		{"separator named", "sep=;\r\nuserPrincipalName;add\r\na;E3\r\n", "3 a +1[]\n"},
		{"tabs", "userPrincipalName\tadd\na\tE3, E3-B\n", "2 a +1[] +2[]\n"},
		{"order of columns", "remove,usagelocation,userprincipalname\nE3,,a\n", "2 a - 1\n"},
		{"quotes and blanks", "\n\n \"userPrincipalName\", \"add\"\n\" a \",\" E3  E3-B \"\n", "4 a +1[] +2[]\n"},
		{"empty rows and columns", header + ",,\n\n ,,,,\na,E3,,,\n", "5 a +1[]\n"},
		{"short rows", header + "a\nb,E3\n", "2 a\n3 b +1[]\n"},
		{"rows of one user", header + "a,E3,\nb,E3,\nA,E3-B,\na,E3-YAMMER,\n", "2 a +1[11] +2[]\n3 b +1[]\n"},
		{"a plan off the added", header + "a,E3,E3-YAMMER\n", "2 a +1[] off 1[11]\n"},
		{"no end of line", header + "a,E3,", "2 a +1[]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, bad := parseText(test.text); got != test.want || bad != "" {
				t.Errorf("got\n%s\nand\n%s\nwant\n%s", got, bad, test.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	const header = "userPrincipalName,add,remove,usageLocation\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", " \n", "in:1: the input is empty\n"},
		{"UTF-16", "\xff\xfeu\x00", "in:1: the text is UTF-16; save it as CSV UTF-8\n"},
		{"Windows-1252", header + "a,,,\nm\xfcller,,,", "in:3: the text is not UTF-8; it looks like Windows-1252, of which Latin-1 is a part; save it as CSV UTF-8\n"},
		{"Windows-1252 in JSON", "{\"kind\":\"reprocessUser\",\"target\":\"m\xfcller\"}", "in:1: the text is not UTF-8; it looks like Windows-1252, of which Latin-1 is a part; save it as CSV UTF-8\n"},
		{"no text", "PK\x03\x04\xff", "in:1: the text is not UTF-8; save it as CSV UTF-8\n"},
		{"not in Windows-1252", header + "\x81", "in:2: the text is not UTF-8; save it as CSV UTF-8\n"},
		{"no header", "a,E3,\n", `in:1: "a" is not a column; there are userPrincipalName, add, remove and usageLocation` + "\n"},
		{"only blank cells", ",,\n", "in:1: there is no header\n"},
		{"a column twice", "userPrincipalName,add,ADD\n", "in:1: the column ADD is there twice\n"},
		{"no user column", "add,remove\n", "in:1: the header needs userPrincipalName and add, remove or usageLocation\n"},
		{"no other column", "userPrincipalName,,\n", "in:1: the header needs userPrincipalName and add, remove or usageLocation\n"},
		{"no user", header + ",E3,,\n", "in:2: no user is named\n"},
		{"a cell too many", header + "a,E3,,,x\n", "in:2: a cell is in a column without a name\n"},
		{"a cell without a column", "userPrincipalName,add,\na,,x\n", "in:2: a cell is in a column without a name\n"},
		{"add and remove", header + "a,E3,,\nb,E3,E3,\nA,,E3,\n", "in:3: E3 is to be removed, and to be there (also in line 4)\n"},
		{"off and remove", header + "a,,E3 E3-YAMMER,\n", "in:2: E3 is to be removed, and to be there\n"},
		{"two countries", header + "a,,,DE\nb,,,DE\na,,,FR\n", "in:4: the user is to be in DE and in FR\n"},
		{"for the company", header + "a,ORG,,\nb,ORG-P,,\n", "in:2: ORG is for the company, and cannot be assigned (also in line 3)\n"},
		{"a plan for the company", header + "a,MIXED-ALL,,\n", "in:2: change service plans: invalid argument: Disable[0]: service plan " + id(41).String() + " (ALL) applies to Company, only those for User can be switched\n"},
		{"a plan of the longest SKU", header + "a,E3-B-X,,\n", `in:2: find service plan: invalid argument: "X" is not a service plan of SKU ` + id(2).String() + " (E3-B); available: C, D-E\n"},
		{"open quote", header + "a,\"E3,,\nb,X,,\n", "in:3: extraneous or missing \" in quoted-field\n"},
		{"all at once", header + "a,X,,D\n,E3,,\n", `in:2: the usage location "D" is not a country code of two letters` + "\nin:2: find SKU: \"X\" is not one of the tenant's SKUs; available: E3, E3-B, MIXED, ORG\nin:3: no user is named\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := parseText(test.text); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestQuotedLines has lines that are wider than a terminal, or not printable.
func TestQuotedLines(t *testing.T) {
	long := "a,E3\x1b[2J\t" + strings.Repeat("x", 1000000)
	for _, test := range []struct{ name, text, want string }{
		{"once", "userPrincipalName,add\n\u00fc,X Y\nb,X\n", "in:2: find SKU: \"X\" is not one of the tenant's SKUs; available: E3, E3-B, MIXED, ORG (also in line 3)\n    \u00fc,X Y\nin:2: find SKU: \"Y\" is not one of the tenant's SKUs; available: E3, E3-B, MIXED, ORG\n"},
		{"cut", "userPrincipalName,add\n" + long + "\n", "in:2: find SKU: \"E3\\x1b[2J\" is not one of the tenant's SKUs; did you mean E3?\n    a,E3[2J " + strings.Repeat("x", 67) + "\u2026\nin:2: find SKU: \"xxx"},
		{"decoded", "userPrincipalName,add\r\nm\xfcller,E3\r\n", "in:2: the text is not UTF-8; it looks like Windows-1252, of which Latin-1 is a part; save it as CSV UTF-8\n    m\u00fcller,E3\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, bad := parseInput([]byte(test.text), newResolver(licensing.NewCatalog(skus)))
			var notes bytes.Buffer
			bad.Print(&notes, "in", []byte(test.text))
			if got := notes.String(); !strings.HasPrefix(got, test.want) || len(got) > 500 {
				t.Errorf("got\n%.1000s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestLines(t *testing.T) {
	add := func(change func(*licensing.Operation)) string {
		op := operation("a", nil, id(1))
		change(&op)
		return line(t, op)
	}
	text := "\ufeff" + add(func(*licensing.Operation) {}) + "\r\n" +
		line(t, licensing.Operation{Kind: licensing.OperationReprocessUser, Target: "b"}) +
		strings.TrimSpace(line(t, licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: "a", UsageLocation: "DE"}))
	if got, bad := parseText(text); got != "1 a assignUser\n3 b reprocessUser\n4 a setUsageLocation\n" || bad != "" {
		t.Errorf("got\n%s\nand\n%s", got, bad)
	}
	good := strings.TrimSpace(add(func(op *licensing.Operation) { op.Request.AddLicenses[0].DisabledPlans = []uuid.UUID{id(11)} }))
	slip := func(name, slip string) string { return strings.Replace(good, name, slip, 1) }
	for _, test := range []struct{ name, text, want string }{
		{"torn", `{"kind":`, "in:1: unexpected end of JSON input\n"},
		{"an array", `[{"kind":"x"}]`, "in:1: this is a JSON array; put one operation on each line instead\n"},
		{"a result", `{"index":1,"operation":{}}`, "in:1: operation: json: unknown field \"index\"\n"},
		{"a slip", slip("target", "tarket"), "in:1: operation: json: unknown field \"tarket\"\n"},
		{"a slip in the request", slip("removeLicenses", "removeLicens"), "in:1: operation: json: unknown field \"removeLicens\"\n"},
		{"a slip in a license", "\n" + slip("disabledPlans", "disablePlans"), "in:2: operation: json: unknown field \"disablePlans\"\n"},
		{"two on a line", good + " " + good, "in:1: invalid character '{' after top-level value\n"},
		{"more on a line", good + "}", "in:1: invalid character '}' after top-level value\n"},
		{"of another kind", add(func(op *licensing.Operation) { op.Kind = "x" }), "in:1: there is no operation of kind \"x\"\n"},
		{"no target", add(func(op *licensing.Operation) { op.Target = "" }), "in:1: the operation has no target\n"},
		{"no change", add(func(op *licensing.Operation) { op.Request.AddLicenses = nil }), "in:1: the operation adds nothing and removes nothing\n"},
		{"no country", add(func(op *licensing.Operation) {
			*op = licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: "a"}
		}), "in:1: the operation has no usage location\n"},
		{"a request of another kind", add(func(op *licensing.Operation) { op.Kind = licensing.OperationSetUsageLocation }), "in:1: operation: setUsageLocation has no request\n"},
		{"no such SKU", add(func(op *licensing.Operation) { op.Request.AddLicenses[0].SKUID = id(9) }), "in:1: find SKU: \"" + id(9).String() + "\" is not one of the tenant's SKUs"},
		{"no such plan", add(func(op *licensing.Operation) { op.Request.AddLicenses[0].DisabledPlans = []uuid.UUID{id(21)} }), "in:1: find service plan: invalid argument: "},
		{"all at once", "{}\n{\n", "in:1: not an operation: it has no kind\nin:2: unexpected end of JSON input\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := parseText(test.text); !strings.HasPrefix(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// FuzzInput looks for input that is neither understood nor complained about.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{
		"userPrincipalName,add,remove\na,E3-YAMMER,E3-B\n", "sep=;\nuserPrincipalName;add;usageLocation\r\na;\"E3;E3-B\";de", "\ufeff{\"kind\":\"reprocessUser\",\"target\":\"a\"}\n", "[]", "\"",
	} {
		f.Add([]byte(seed))
	}
	catalog := licensing.NewCatalog(skus)
	f.Fuzz(func(t *testing.T, data []byte) {
		names := newResolver(catalog)
		wishes, bad := parseInput(data, names)
		users := map[string]bool{}
		for _, w := range wishes {
			if w.operation == nil && (w.user == "" || users[strings.ToLower(w.user)] || w.location != strings.ToUpper(w.location)) {
				t.Fatalf("%+v", w)
			}
			users[strings.ToLower(w.user)] = true
			if !bad.None() || w.operation != nil {
				continue
			}
			request, err := w.request(nil, names)
			if err != nil {
				continue
			}
			seen := map[uuid.UUID]bool{}
			for _, l := range request.AddLicenses {
				if seen[l.SKUID] {
					t.Fatalf("%s twice in %+v", l.SKUID, w)
				}
				seen[l.SKUID] = true
			}
			for _, id := range request.RemoveLicenses {
				if seen[id] {
					t.Fatalf("%s twice in %+v", id, w)
				}
				seen[id] = true
			}
		}
		text := strings.ToLower(strings.Join(strings.Fields(string(data)), ""))
		if len(wishes) == 0 && bad.None() && strings.Count(strings.TrimSpace(string(data)), "\n") == 0 && !strings.Contains(text, "principal") {
			t.Fatalf("%q is nothing at all", data)
		}
	})
}
