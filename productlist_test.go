package licensing_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

var (
	m365E3       = uuid.MustParse("05e9a617-0261-4cee-bb44-138d3ef5d965")
	optimization = uuid.MustParse("977464c4-bfaf-4b67-b761-a9bb735a2196")
	routing      = uuid.MustParse("24435e4b-87d0-4d7d-8beb-63a9b1573022")
)

// TestReadProductNamesOfTheField reads lists as people have them.
func TestReadProductNamesOfTheField(t *testing.T) {
	t.Parallel()
	products := map[uuid.UUID]string{
		m365E3:       "Microsoft 365 E3",
		optimization: "Dynamics 365 Field Service, Enterprise Edition - Resource Scheduling Optimization",
	}
	all := maps.Clone(products)
	all[exchange], all[routing] = "Exchange Online (Plan 2)", "Field Service – Automated Routing Engine Add-On"
	tests := map[string]map[uuid.UUID]string{
		"names-semicolon.csv":              all,
		"names-tab.csv":                    all,
		"names-unquoted-comma-product.csv": all,
		"names-windows-1252.csv":           all,
		"names-three-columns.csv":          products,
		"names-first-is-wrong.csv": {
			uuid.MustParse("c52ea49f-fe5d-4e95-93ba-1de91d380f89"): "Azure Information Protection Plan 1",
			uuid.MustParse("6c57d4b6-3b23-47a5-9bc9-69f17b4947b3"): "Azure Information Protection Premium P1",
			uuid.MustParse("2e2ddb96-6af9-4b1d-a3f0-d6ecfd22edb2"): "Microsoft Defender for Cloud Apps",
		},
	}
	for file, want := range tests {
		text := readFile(t, filepath.Join("testdata", "names", file))
		texts := map[string]string{"": text, " with a mark": "\uFEFF" + text}
		if file != "names-windows-1252.csv" {
			for name, encoded := range encodings(text) {
				texts[name] = encoded
			}
		}
		for name, text := range texts {
			t.Run(file+name, func(t *testing.T) {
				t.Parallel()
				names, err := licensing.ReadProductNames(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				for id, want := range want {
					if got := names.SKU(id) + names.ServicePlan(id); got != want {
						t.Errorf("%s has the name %q, want %q", id, got, want)
					}
				}
			})
		}
	}
}

// TestKnownProductNames reads lines of a list, and compares each name with the table
// that benchmarks/names made of them by a rule of its own.
func TestKnownProductNames(t *testing.T) {
	t.Parallel()
	var table struct{ SKUs, Plans map[uuid.UUID]string }
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join("testdata", "names", "known.json"))), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.SKUs) == 0 || len(table.Plans) == 0 {
		t.Fatal("the table is empty")
	}
	names, err := licensing.ReadProductNames(strings.NewReader(readFile(t, filepath.Join("testdata", "names", "known.csv"))))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range table.SKUs {
		if got := names.SKU(id); got != want {
			t.Errorf("the SKU %s has the name %q, want %q", id, got, want)
		}
	}
	for id, want := range table.Plans {
		if got := names.ServicePlan(id); got != want {
			t.Errorf("the plan %s has the name %q, want %q", id, got, want)
		}
	}
}

// encodings returns a text in each encoding that is not that of Go.
func encodings(text string) map[string]string {
	wide := func(order binary.AppendByteOrder, text string) string {
		var b []byte
		for _, unit := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, unit)
		}
		return string(b)
	}
	return map[string]string{
		" in UTF-16, little endian":                 wide(binary.LittleEndian, "\uFEFF"+text),
		" in UTF-16, big endian":                    wide(binary.BigEndian, "\uFEFF"+text),
		" in UTF-16, little endian, without a mark": wide(binary.LittleEndian, text),
		" in UTF-16, big endian, without a mark":    wide(binary.BigEndian, text),
	}
}

func TestReadProductNamesDecodes(t *testing.T) {
	t.Parallel()
	const start = "GUID,Product_Display_Name\n6fd2c87f-b296-42f0-b197-1e91e994b900,"
	tests := []struct{ name, list, want string }{
		{"all of Windows-1252", start + "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x8B\x8C\x8D\x8E\x8F\x90\x91\x92\x93\x94\x95\x96\x97\x98\x99\x9A\x9B\x9C\x9D\x9E\x9F\xA0\xA1\xFF",
			"€\uFFFD‚ƒ„…†‡ˆ‰Š‹Œ\uFFFDŽ\uFFFD\uFFFD‘’“”•–—˜™š›œ\uFFFDžŸ ¡ÿ"},
		{"Windows-1252 among UTF-8", start + "caf\xE9 – café", "café – café"},
		{"a pair in UTF-16", encodings(start + "E3 😀")[" in UTF-16, little endian"], "E3 😀"},
		{"half a pair in UTF-16", encodings(start)[" in UTF-16, big endian"] + "\xD8\x3D\x00E\x003", "\uFFFDE3"},
		{"half a pair at the end", encodings(start)[" in UTF-16, big endian"] + "\x00E\xD8\x3D", "E\uFFFD"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, err := licensing.ReadProductNames(strings.NewReader(test.list))
			if err != nil || names.SKU(officeE3) != test.want {
				t.Errorf("name %q, error %v, want %q", names.SKU(officeE3), err, test.want)
			}
		})
	}
}

// UTF-16 that ends within a letter was cut off, so that more may be lacking.
func TestReadProductNamesTellsThatTextIsCutOff(t *testing.T) {
	t.Parallel()
	for name, list := range encodings(productList) {
		const want = "read product names: line 5: the file is UTF-16 and ends within a character; is it cut off?"
		if names, err := licensing.ReadProductNames(strings.NewReader(list + "\n")); err == nil || err.Error() != want || names != nil {
			t.Errorf("names%s: %v, error:\n got %v\nwant %s", name, names, err, want)
		}
	}
}

func TestReadProductNamesPutsNamesTogether(t *testing.T) {
	t.Parallel()
	const e3, plan = "6fd2c87f-b296-42f0-b197-1e91e994b900", "57ff2da0-773e-42df-b2af-ffb7a2317929"
	unfit := func(separator rune) string {
		return fmt.Sprintf("read product names: line 3: the fields do not match the column titles; does a name contain %q without quotes?", separator)
	}
	other := "Other,OTHER,aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa,a,a0000000-0000-4000-8000-000000000001,Other\n"
	semicolons := strings.NewReplacer(",", ";")
	tests := []struct {
		name, list    string
		product, plan string // or
		err           string
	}{
		{"a comma in both names", productHeader + other + "A,B,X," + e3 + ",Y," + plan + ",C,D\n", "A,B", "C,D", ""},
		{"blanks after commas", productHeader + other + "A, B,  C,X," + e3 + ",Y," + plan + ",D, E\n", "A, B, C", "D, E", ""},
		{"a comma, and commas after the last column", productHeader + other + "A, B,X," + e3 + ",Y," + plan + ",C,,,\n", "A, B", "C", ""},
		{"a comma, and no name of the plan", productHeader + other + "A, B,X," + e3 + ",Y," + plan + ",\n", "A, B", "", ""},
		{"a semicolon", semicolons.Replace(productHeader+other) + "A; B;X;" + e3 + ";Y;" + plan + ";C, D\n", "A; B", "C, D", ""},
		{"one column after the other", "Product_Display_Name,GUID\nOther,aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa\nA, B," + e3 + "\n", "A, B", "", ""},
		{"a great many fields", productHeader + other + strings.Repeat("A,", 100) + "X," + e3 + ",Y," + plan + ",C\n", strings.Repeat("A,", 99) + "A", "C", ""},
		{"ids in brackets, one of which is cut", productHeader + other + "A,B,X,[" + e3 + "],Y," + plan + "),C\n", "A,B", "C", ""},
		{"plans before SKUs", "Service_Plan_Id,Service_Plans_Included_Friendly_Names,GUID,Product_Display_Name\n,,,\n" + plan + ",C,D," + e3 + ",A,B\n", "A,B", "C,D", ""},
		{"plans alone", "Service_Plan_Id,Service_Plans_Included_Friendly_Names\n" + plan + ",A, B\n", "", "A, B", ""},
		{"an id that cannot be read, and a good one", productHeader + other + "A,X,6fd2,Y," + plan + ",B\n", "", "B", ""},

		{"a comma, and an id that cannot be read", productHeader + other + "A,B,X,6fd2,Y," + plan + ",C\n", "", "", unfit(',')},
		{"a comma, and a field too few", productHeader + other + "A,B,X," + e3 + ",Y," + plan + "\n", "", "", unfit(',')},
		{"a field too many between the ids", productHeader + other + "A,X," + e3 + ",Y,Z," + plan + ",C\n", "", "", unfit(',')},
		{"two names side by side", "GUID,Product_Display_Name,Service_Plans_Included_Friendly_Names,Service_Plan_Id\n,,,\n" + e3 + ",A,B,C," + plan + "\n", "", "", unfit(',')},
		{"a column of whatever beside the name", "GUID,Product_Display_Name,Note\n,,\n" + e3 + ",A,B,C\n", "", "", unfit(',')},
		{"an id too many", productHeader + other + "A,B,X," + e3 + ",Y," + plan + "," + plan + "\n", "", "", unfit(',')},
		{"an id after the last column", productHeader + other + "A,B,X," + e3 + ",Y," + plan + ",C," + plan + "\n", "", "", unfit(',')},
		{"a field too few, and a comma", productHeader + other + "X," + e3 + ",Y," + plan + ",C,D\n", "", "", unfit(',')},
		{"an id twice", "Product_Display_Name,GUID,Service_Plans_Included_Friendly_Names,Service_Plan_Id\n,,,\nA," + e3 + "," + e3 + ",B," + plan + "\n", "", "", unfit(',')},
		{"a semicolon where it can be anybody's", "GUID;Product_Display_Name;Note\n;;\n" + e3 + ";A;B;C\n", "", "", unfit(';')},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, err := licensing.ReadProductNames(strings.NewReader(test.list))
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("error:\n got %v\nwant %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if product, plan := names.SKU(officeE3), names.ServicePlan(teams); product != test.product || plan != test.plan {
				t.Errorf("names %q and %q, want %q and %q", product, plan, test.product, test.plan)
			}
		})
	}
}

func TestReadProductNamesTakesTheMostFrequent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		names []string
		want  string
	}{
		{[]string{"A", "B", "B"}, "B"},
		{[]string{"B", "B", "A"}, "B"},
		{[]string{"A", "B", "B", "A"}, "A"},
		{[]string{"B", "A", "A", "B", "C"}, "B"},
		{[]string{"", "", "A"}, "A"},
		{[]string{"A", "B  C", "B\u00A0C "}, "B C"},
	}
	for _, test := range tests {
		list := productHeader
		for _, name := range test.names {
			list += name + ",x,6fd2c87f-b296-42f0-b197-1e91e994b900,x,57ff2da0-773e-42df-b2af-ffb7a2317929," + name + "\n"
		}
		names, err := licensing.ReadProductNames(strings.NewReader(list))
		if err != nil {
			t.Fatal(err)
		}
		if got := []string{names.SKU(officeE3), names.ServicePlan(teams)}; !slices.Equal(got, []string{test.want, test.want}) {
			t.Errorf("of %q the names are %q, want %q", test.names, got, test.want)
		}
	}
}
