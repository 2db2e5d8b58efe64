package licensing_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const productHeader = "Product_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\r\n"

// A few lines in the form of Microsoft's list.
const productList = "\uFEFF" + productHeader +
	"Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,EXCHANGE_S_ENTERPRISE,efb87545-963c-4e0d-99df-69c6916d9eb0,Exchange Online (Plan 2)\r\n" +
	"Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929,Microsoft Teams\r\n" +
	"\"Office 365 E5, with calling\",ENTERPRISEPREMIUM,C7DF2760-2C81-4EF7-B578-5B5392B571DF,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929,TEAMS\r\n"

func readNames(t testing.TB) *licensing.ProductNames {
	t.Helper()
	names, err := licensing.ReadProductNames(strings.NewReader(productList))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestReadProductNames(t *testing.T) {
	t.Parallel()
	const row = "Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929,Microsoft Teams\r\n"
	tests := []struct {
		name string
		list string
	}{
		{"as published", productHeader + row},
		{"with a byte order mark", "\uFEFF" + productHeader + row},
		{"with two marks", "\uFEFF\uFEFF" + productHeader + row},
		{"with a mark before a quote", "\uFEFF\"Product_Display_Name\"" + strings.TrimPrefix(productHeader, "Product_Display_Name") + row},
		{"with a mark that was read as Latin-1", "ï»¿" + productHeader + row},
		{"with a mark that was read as ASCII", "???" + productHeader + row},
		{"lines that end in a line feed", strings.ReplaceAll(productHeader+row, "\r\n", "\n")},
		{"no line end after the last row", strings.TrimSpace(productHeader + row)},
		{"rows twice", productHeader + row + row},
		{"blank lines, and rows of empty fields", productHeader + "\r\n  \r\n,,,,,\r\n , \r\n" + row},
		{"titles in another case, with blanks", strings.ToLower(strings.ReplaceAll(productHeader, ",", " ,")) + row},
		{"columns in another order, and more of them",
			"x,Service_Plans_Included_Friendly_Names,GUID,Service_Plan_Id,Product_Display_Name\n" +
				"?,Microsoft Teams,6fd2c87f-b296-42f0-b197-1e91e994b900,57ff2da0-773e-42df-b2af-ffb7a2317929,Office 365 E3,?\n"},
		{"blanks of all kinds", productHeader +
			" Office\u00A0365  E3\t,ENTERPRISEPACK ,6fd2c87f-b296-42f0-b197-1e91e994b900 ,TEAMS1,\u00A057ff2da0-773e- 42df-b2af-ffb7a2317929,\"Microsoft\nTeams\"\r\n"},
		{"brackets around ids", productHeader +
			"Office 365 E3,ENTERPRISEPACK,{6FD2C87F-B296-42F0-B197-1E91E994B900},TEAMS1,(57ff2da0-773e-42df-b2af-ffb7a2317929,Microsoft Teams\r\n"},
		{"a blank before a quote", productHeader +
			" \"Office 365 E3\",ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929, \"Microsoft Teams\"\r\n"},
		{"other names for the same ids later", productHeader + row + strings.NewReplacer("Office 365 E3", "Office 365 E4", "Microsoft Teams", "TEAMS").Replace(row)},
		{"no names for the ids first", productHeader + strings.NewReplacer("Office 365 E3", " ", "Microsoft Teams", "").Replace(row) + row},
		{"ids that cannot be read", productHeader + "Other,OTHER,6fd2c87f,OTHER,none,Other\r\n" + row},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, err := licensing.ReadProductNames(strings.NewReader(test.list))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := names.SKU(officeE3), "Office 365 E3"; got != want {
				t.Errorf("SKU = %q, want %q", got, want)
			}
			if got, want := names.ServicePlan(teams), "Microsoft Teams"; got != want {
				t.Errorf("ServicePlan = %q, want %q", got, want)
			}
			for _, id := range []uuid.UUID{uuid.Nil, skuA} {
				if got := names.SKU(id) + names.ServicePlan(id); got != "" {
					t.Errorf("an unknown id has the name %q", got)
				}
			}
			if got := names.SKU(teams) + names.ServicePlan(officeE3); got != "" {
				t.Errorf("SKUs and service plans are mixed up: %q", got)
			}
		})
	}
}

func TestReadProductNamesErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		list string
		want string
	}{
		{"nothing", "", "read product names: line 1: the file is empty"},
		{"a mark and nothing else", "\uFEFF", "read product names: line 1: the file is empty"},
		{"another file", "\r\n<!DOCTYPE html>\r\n<html>", "read product names: line 2: no column GUID"},
		{"no product names", "GUID,Service_Plan_Id\n", "read product names: line 1: no column Product_Display_Name"},
		{"no plan ids", "GUID,Product_Display_Name,Service_Plans_Included_Friendly_Names\n", "read product names: line 1: no column Service_Plan_Id"},
		{"no plan names", "GUID,Product_Display_Name,Service_Plan_Id,Service_Plan_Name\n", "read product names: line 1: no column Service_Plans_Included_Friendly_Names"},
		{"a quote that is not closed", productHeader + "\r\n\"Office", `read product names: parse error on line 3, column 8: extraneous or missing " in quoted-field`},
		{"a quote within the header", "GUID\"\n", `read product names: parse error on line 1, column 5: bare " in non-quoted-field`},
		{"a row that lacks the last column", productHeader + "Office 365 E3,ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,a,b\n", "read product names: line 2: 5 columns, want 6 or more"},
		{"a row that breaks off", productHeader + "\"Office\n365 E3\",ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,a,b,c\nOffice 365 E3,ENTERPRISEPACK,6fd2", "read product names: line 4: 3 columns, want 6 or more"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, err := licensing.ReadProductNames(strings.NewReader(test.list))
			if err == nil || err.Error() != test.want {
				t.Errorf("error:\n got %v\nwant %s", err, test.want)
			}
			if names != nil {
				t.Errorf("names came with the error: %v", names)
			}
		})
	}
}

func TestReadProductNamesPassesReadErrorsOn(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(productList), iotest.ErrReader(broken))
	if _, err := licensing.ReadProductNames(r); !errors.Is(err, broken) {
		t.Errorf("error %v, want one that wraps %v", err, broken)
	}
}

// unending repeats text.
type unending struct {
	text string
	at   int
	read int
}

func (e *unending) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	e.read += n
	return n, nil
}

func TestReadProductNamesReadsNoMoreThan16MiB(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4096) // for few rows, which take less time
	for name, rest := range map[string]*unending{
		"rows":      {text: long + ",,,,,\n"},
		"one field": {text: long},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := licensing.ReadProductNames(io.MultiReader(strings.NewReader(productHeader), rest))
			if want := "read product names: more than 16 MiB"; err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if rest.read > 17<<20 {
				t.Errorf("read %d bytes", rest.read)
			}
		})
	}

	t.Run("exactly 16 MiB", func(t *testing.T) {
		t.Parallel()
		list := productList + "\n" + strings.Repeat("x", 16<<20-len(productList)-6) + ",,,,,"
		if _, err := licensing.ReadProductNames(strings.NewReader(list)); err != nil {
			t.Errorf("error %v, want none", err)
		}
	})
}

func TestProductNamesOfNothing(t *testing.T) {
	t.Parallel()
	for name, names := range map[string]*licensing.ProductNames{"nil": nil, "zero": {}} {
		if got := names.SKU(officeE3) + names.ServicePlan(teams); got != "" {
			t.Errorf("%s: name %q, want none", name, got)
		}
	}
}

func TestCatalogWithNames(t *testing.T) {
	t.Parallel()
	bare := licensing.NewCatalog(tenantSKUs())
	named := bare.WithNames(readNames(t))

	if got, err := named.SKU(" office 365  e3"); err != nil || got.SKUID != officeE3 {
		t.Errorf("SKU by product name = %v, %v, want %v", got.SKUID, err, officeE3)
	}
	if got, err := named.ServicePlan(officeE3, "exchange online (plan 2)"); err != nil || got.ServicePlanID != exchange {
		t.Errorf("ServicePlan by name = %v, %v, want %v", got.ServicePlanID, err, exchange)
	}
	if got, err := named.SKU("enterprisepack"); err != nil || got.SKUID != officeE3 {
		t.Errorf("SKU by part number = %v, %v, want %v", got.SKUID, err, officeE3)
	}
	if got, err := named.ServicePlan(officeE3, "sway"); err != nil || got.ServicePlanID != sway {
		t.Errorf("ServicePlan by plan name = %v, %v, want %v", got.ServicePlanID, err, sway)
	}
	_, err := named.SKU("Office 365 E4")
	checkFailure(t, err, licensing.ErrUnknownSKU,
		`find SKU: "Office 365 E4" is not one of the tenant's SKUs; did you mean Office 365 E3, Office 365 E5, with calling?`)
	_, err = named.ServicePlan(officeE3, "Microsoft Teans")
	checkFailure(t, err, licensing.ErrInvalidArgument,
		`find service plan: invalid argument: "Microsoft Teans" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); did you mean Microsoft Teams?`)

	for name, catalog := range map[string]*licensing.Catalog{"the one that it was made from": bare, "one whose names were taken away": named.WithNames(nil)} {
		if _, err := catalog.SKU("Office 365 E3"); !errors.Is(err, licensing.ErrUnknownSKU) {
			t.Errorf("%s: error %v, want ErrUnknownSKU", name, err)
		}
		if got := catalog.DisplayName(officeE3); got != "ENTERPRISEPACK" {
			t.Errorf("%s: name %q, want the part number", name, got)
		}
	}
}

func TestCatalogSoldNamesThatAreNotUnique(t *testing.T) {
	t.Parallel()
	names, err := licensing.ReadProductNames(strings.NewReader(productHeader +
		"Twin,x,aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa,x,a0000000-0000-4000-8000-000000000001,Twin plan\n" +
		"TWIN,x,bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb,x,b0000000-0000-4000-8000-000000000002,TWIN PLAN\n" +
		"SKU_C,x,aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaab,x,a0000000-0000-4000-8000-000000000003,x\n"))
	if err != nil {
		t.Fatal(err)
	}
	catalog := licensing.NewCatalog([]licensing.SubscribedSKU{
		{SKUID: skuA, ServicePlans: []licensing.ServicePlan{{ServicePlanID: planA}, {ServicePlanID: planB}}},
		{SKUID: skuB},
		{SKUID: skuC, SKUPartNumber: "SKU_C"},
		{SKUID: uuid.MustParse("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaab")},
	}).WithNames(names)

	_, err = catalog.SKU("twin")
	checkFailure(t, err, licensing.ErrInvalidArgument,
		`find SKU: invalid argument: "twin" is the name of 2 SKUs, give the GUID: aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa, bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb`)
	_, err = catalog.ServicePlan(skuA, "twin plan")
	checkFailure(t, err, licensing.ErrInvalidArgument,
		`find service plan: invalid argument: "twin plan" is the name of 2 service plans, give the GUID: a0000000-0000-4000-8000-000000000001, b0000000-0000-4000-8000-000000000002`)

	// A name that is only for show never takes the place of a real one.
	if got, err := catalog.SKU("SKU_C"); err != nil || got.SKUID != skuC {
		t.Errorf("SKU by part number = %v, %v, want %v", got.SKUID, err, skuC)
	}
}

func TestCatalogServicePlanNameBeforeSoldName(t *testing.T) {
	t.Parallel()
	names, err := licensing.ReadProductNames(strings.NewReader(productHeader +
		"x,x,x,x,a0000000-0000-4000-8000-000000000001,Sway\n"))
	if err != nil {
		t.Fatal(err)
	}
	catalog := licensing.NewCatalog([]licensing.SubscribedSKU{{SKUID: skuA, ServicePlans: []licensing.ServicePlan{
		{ServicePlanID: planA, ServicePlanName: "OLD"}, {ServicePlanID: planB, ServicePlanName: "SWAY"},
	}}}).WithNames(names)
	if got, err := catalog.ServicePlan(skuA, "sway"); err != nil || got.ServicePlanID != planB {
		t.Errorf("ServicePlan = %v, %v, want %v", got.ServicePlanID, err, planB)
	}
}

func TestCatalogDisplayName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		id   uuid.UUID
		want string
	}{
		{"a product", officeE3, "Office 365 E3"},
		{"a service plan", exchange, "Exchange Online (Plan 2)"},
		{"a SKU that is not in the list", entraP2, "AAD_PREMIUM_P2"},
		{"a plan that is not in the list", audioConf, "MCOMEETADV"},
		{"an unknown id", skuA, "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
	}
	catalog := licensing.NewCatalog(tenantSKUs()).WithNames(readNames(t))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := catalog.DisplayName(test.id); got != test.want {
				t.Errorf("DisplayName = %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzProductNames checks that any bytes give names or an error with a line,
// and that names are fit to be shown.
func FuzzProductNames(f *testing.F) {
	f.Add([]byte(productList))
	f.Add([]byte(""))
	f.Add([]byte("\xEF\xBB\xBF\xEF\xBB\xBF"))
	f.Add([]byte("???GUID,Product_Display_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\n6fd2c87f-b296-42f0-b197-1e91e994b900,\xA0E3\xA0,57ff2da0-773e-42df-b2af-ffb7a2317929,\"Te\"\"ams\nx\"\n"))
	f.Add([]byte("GUID,Product_Display_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\na,b\n"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, list []byte) {
		names, err := licensing.ReadProductNames(strings.NewReader(string(list)))
		if err != nil {
			if names != nil || !strings.HasPrefix(err.Error(), "read product names: ") || !strings.Contains(err.Error(), "line ") {
				t.Errorf("%v with error %v", names, err)
			}
			return
		}
		for _, name := range []string{names.SKU(officeE3), names.ServicePlan(teams)} {
			if len(name) > 3*len(list) || strings.ContainsAny(name, "\r\n\t\u00A0") || strings.TrimSpace(name) != name {
				t.Errorf("name %q", name)
			}
		}
		again, err := licensing.ReadProductNames(iotest.OneByteReader(strings.NewReader(string(list))))
		if err != nil || again.SKU(officeE3) != names.SKU(officeE3) || again.ServicePlan(teams) != names.ServicePlan(teams) {
			t.Errorf("read byte by byte: %v, want %v", again, names)
		}
	})
}
