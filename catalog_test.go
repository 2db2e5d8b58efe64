package licensing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// SKUs and service plans as tenants have them.
var (
	officeE3  = uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")
	officeE5  = uuid.MustParse("c7df2760-2c81-4ef7-b578-5b5392b571df")
	entraP2   = uuid.MustParse("84a661c4-e949-4bd2-a560-ed7766fcaf2b")
	exchange  = uuid.MustParse("efb87545-963c-4e0d-99df-69c6916d9eb0")
	teams     = uuid.MustParse("57ff2da0-773e-42df-b2af-ffb7a2317929")
	sway      = uuid.MustParse("a23b959c-7ce8-4e57-9140-b90eb88a9e97")
	exchangeF = uuid.MustParse("113feb6c-3fe4-4440-bddc-54d774bf0318") // for the company
	audioConf = uuid.MustParse("3e26ee1f-8a5f-4d52-aee2-b81ce45c8f40") // in E5 only
)

const testTenant = "77777777-7777-4777-8777-777777777777"

func tenantSKUs() []licensing.SubscribedSKU {
	return []licensing.SubscribedSKU{{
		ID:              testTenant + "_6fd2c87f-b296-42f0-b197-1e91e994b900",
		SKUID:           officeE3,
		SKUPartNumber:   "ENTERPRISEPACK",
		SubscriptionIDs: []string{"aaaaaaaa-0000-4000-8000-000000000001"},
		ServicePlans: []licensing.ServicePlan{
			{ServicePlanID: exchange, ServicePlanName: "EXCHANGE_S_ENTERPRISE", AppliesTo: "User"},
			{ServicePlanID: exchangeF, ServicePlanName: "EXCHANGE_S_FOUNDATION", AppliesTo: "Company"},
			{ServicePlanID: teams, ServicePlanName: "TEAMS1", AppliesTo: "user"},
			{ServicePlanID: sway, ServicePlanName: "SWAY"},
		},
	}, {
		ID:            testTenant + "_c7df2760-2c81-4ef7-b578-5b5392b571df",
		SKUID:         officeE5,
		SKUPartNumber: "ENTERPRISEPREMIUM",
		ServicePlans: []licensing.ServicePlan{
			{ServicePlanID: teams, ServicePlanName: "TEAMS1", AppliesTo: "User"},
			{ServicePlanID: audioConf, ServicePlanName: "MCOMEETADV", AppliesTo: "User"},
		},
	}, {
		ID:            testTenant + "_84a661c4-e949-4bd2-a560-ed7766fcaf2b",
		SKUID:         entraP2,
		SKUPartNumber: "AAD_PREMIUM_P2",
	}}
}

func TestCatalogSKU(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give string
		want uuid.UUID
	}{
		{"a GUID", "6fd2c87f-b296-42f0-b197-1e91e994b900", officeE3},
		{"a GUID in capitals", "6FD2C87F-B296-42F0-B197-1E91E994B900", officeE3},
		{"a part number", "ENTERPRISEPACK", officeE3},
		{"a part number in small letters", "enterprisepack", officeE3},
		{"a part number that another starts with", "aad_premium_p2", entraP2},
		{"an id", testTenant + "_c7df2760-2c81-4ef7-b578-5b5392b571df", officeE5},
		{"an id in capitals", strings.ToUpper(testTenant + "_c7df2760-2c81-4ef7-b578-5b5392b571df"), officeE5},
		{"a GUID in braces", "{6fd2c87f-b296-42f0-b197-1e91e994b900}", officeE3},
		{"a GUID in parentheses", " ( 6FD2C87F-B296-42F0-B197-1E91E994B900 )", officeE3},
		{"a GUID in brackets", "[6fd2c87f-b296-42f0-b197-1e91e994b900]", officeE3},
		{"a GUID in braces, without hyphens", "{6fd2c87fb29642f0b1971e91e994b900}", officeE3},
		{"letters without width", "\uFEFFENTERPRISE\u200BPACK\u200E", officeE3},
		{"letters without width in a GUID", "\u200B{\u200E6fd2c87f-b296-42f0-b197-1e91e994b900}\u2060", officeE3},
		{"a GUID without hyphens", "6fd2c87fb29642f0b1971e91e994b900", officeE3},
		{"an account before a part number", "contoso:ENTERPRISEPACK", officeE3},
		{"an account before a part number, with blanks", " reseller-account : AAD_premium_P2 ", entraP2},
		{"an account before a GUID in braces", "contoso:{6fd2c87f-b296-42f0-b197-1e91e994b900}", officeE3},
		{"blanks around the name", " \tENTERPRISEPACK\u00A0\r\n", officeE3},
	}
	catalog := licensing.NewCatalog(tenantSKUs())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := catalog.SKU(test.give)
			if err != nil || got.SKUID != test.want {
				t.Errorf("SKU(%q) = %v, %v, want %v", test.give, got.SKUID, err, test.want)
			}
		})
	}
}

// TestCatalogKnowsNothingByAnEmptyName looks up what may stand for one.
func TestCatalogKnowsNothingByAnEmptyName(t *testing.T) {
	t.Parallel()
	for _, skus := range [][]licensing.SubscribedSKU{
		{{SKUID: skuA, SKUPartNumber: "A"}},
		{{SKUID: skuA, SKUPartNumber: "A"}, {SKUID: skuB, ID: "x"}},
		{{SKUID: skuA, SKUPartNumber: " "}, {SKUID: skuB, SKUPartNumber: "\u200B"}},
	} {
		catalog := licensing.NewCatalog(skus).WithNames(nil)
		for _, name := range []string{"contoso:", " contoso : \u00A0"} {
			_, err := catalog.SKU(name)
			checkFailure(t, err, licensing.ErrInvalidArgument,
				"find SKU: invalid argument: the name after "+strings.Join(strings.Fields(name), " ")+" is empty")
		}
		_, err := catalog.SKU("\uFEFF \u200B")
		checkFailure(t, err, licensing.ErrInvalidArgument, "find SKU: invalid argument: the name is empty")
		for _, name := range []string{":", "{}", "contoso:()"} {
			if sku, err := catalog.SKU(name); !errors.Is(err, licensing.ErrUnknownSKU) {
				t.Errorf("SKU(%q) = %v, %v, want ErrUnknownSKU", name, sku.SKUID, err)
			}
		}
	}
	named := licensing.NewCatalog([]licensing.SubscribedSKU{{SKUID: skuA, SKUPartNumber: "contoso:"}})
	if sku, err := named.SKU("contoso:"); err != nil || sku.SKUID != skuA {
		t.Errorf("SKU = %v, %v, want the SKU of that name", sku.SKUID, err)
	}
}

// TestCatalogTakesBracketsInPairs gives GUIDs in brackets that do not match.
func TestCatalogTakesBracketsInPairs(t *testing.T) {
	t.Parallel()
	catalog := licensing.NewCatalog(tenantSKUs())
	for _, form := range []string{"{%s", "%s}", "(%s}", "[%s)", "{{%s}}", "({%s})", ")%s(", "<%s>"} {
		name := fmt.Sprintf(form, officeE3)
		if sku, err := catalog.SKU(name); !errors.Is(err, licensing.ErrUnknownSKU) {
			t.Errorf("SKU(%q) = %v, %v, want ErrUnknownSKU", name, sku.SKUID, err)
		}
		name = fmt.Sprintf(form, teams)
		if plan, err := catalog.ServicePlan(officeE3, name); !errors.Is(err, licensing.ErrInvalidArgument) {
			t.Errorf("ServicePlan(%q) = %v, %v, want ErrInvalidArgument", name, plan.ServicePlanID, err)
		}
	}
}

// TestCatalogNamesOfTheField looks up names as people have them.
func TestCatalogNamesOfTheField(t *testing.T) {
	t.Parallel()
	var field struct {
		SKUs    []licensing.SubscribedSKU
		Lookups []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join("testdata", "names", "catalog-names.json"))), &field); err != nil {
		t.Fatal(err)
	}
	if len(field.Lookups) == 0 {
		t.Fatal("nothing to look up")
	}
	catalog := licensing.NewCatalog(field.SKUs)
	for _, lookup := range field.Lookups {
		if got, err := catalog.SKU(lookup.Name); err != nil || got.SKUPartNumber != "SPE_E3" {
			t.Errorf("SKU(%q) = %q, %v, want SPE_E3", lookup.Name, got.SKUPartNumber, err)
		}
	}
}

// TestCatalogWholeNamesComeFirst looks up names that are right as they stand,
// and in parts.
func TestCatalogWholeNamesComeFirst(t *testing.T) {
	t.Parallel()
	names, err := licensing.ReadProductNames(strings.NewReader("GUID,Product_Display_Name\n" +
		skuC.String() + ",contoso:SKU_B\n"))
	if err != nil {
		t.Fatal(err)
	}
	catalog := licensing.NewCatalog([]licensing.SubscribedSKU{
		{SKUID: skuA, SKUPartNumber: "contoso:SKU_A"},
		{SKUID: skuB, SKUPartNumber: "SKU_A"},
		{SKUID: officeE3, SKUPartNumber: "SKU_B"},
		{SKUID: skuC, SKUPartNumber: "{" + skuA.String() + "}"},
	}).WithNames(names)
	for name, want := range map[string]uuid.UUID{
		"contoso:SKU_A":           skuA,
		"fabrikam:SKU_A":          skuB,
		"contoso:SKU_B":           skuC,
		"fabrikam:SKU_B":          officeE3,
		"{" + skuA.String() + "}": skuC,
		"(" + skuA.String() + ")": skuA,
	} {
		if got, err := catalog.SKU(name); err != nil || got.SKUID != want {
			t.Errorf("SKU(%q) = %v, %v, want %v", name, got.SKUID, err, want)
		}
	}
}

func TestCatalogSKUErrors(t *testing.T) {
	t.Parallel()
	twins := append(tenantSKUs(), licensing.SubscribedSKU{SKUID: skuA, SKUPartNumber: "EnterprisePack"})
	named := func(numbers ...string) []licensing.SubscribedSKU {
		var skus []licensing.SubscribedSKU
		for i, number := range numbers {
			skus = append(skus, licensing.SubscribedSKU{SKUID: uuid.UUID{1, byte(i)}, SKUPartNumber: number})
		}
		return skus
	}
	tests := []struct {
		name string
		skus []licensing.SubscribedSKU
		give string
		kind error
		want string
	}{
		{"a slip", tenantSKUs(), "ENTERPRISEPAK", licensing.ErrUnknownSKU,
			`find SKU: "ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?`},
		{"letters in the wrong case and order", tenantSKUs(), " enterpirsepremuim ", licensing.ErrUnknownSKU,
			`find SKU: "enterpirsepremuim" is not one of the tenant's SKUs; did you mean ENTERPRISEPREMIUM?`},
		{"a slip in the first letter", tenantSKUs(), "XAD_PREMIUM_P2", licensing.ErrUnknownSKU,
			`find SKU: "XAD_PREMIUM_P2" is not one of the tenant's SKUs; did you mean AAD_PREMIUM_P2?`},
		{"a letter too many is nearer than two others", named("ABYZDE", "ABCDE"), "ABXCDE", licensing.ErrUnknownSKU,
			`find SKU: "ABXCDE" is not one of the tenant's SKUs; did you mean ABCDE, ABYZDE?`},
		{"a letter too few", tenantSKUs(), "AD_PREMIUM_P2", licensing.ErrUnknownSKU,
			`find SKU: "AD_PREMIUM_P2" is not one of the tenant's SKUs; did you mean AAD_PREMIUM_P2?`},
		{"the start of a name", tenantSKUs(), "AAD", licensing.ErrUnknownSKU,
			`find SKU: "AAD" is not one of the tenant's SKUs; did you mean AAD_PREMIUM_P2?`},
		{"three at most, the nearest first, then by name", named("SPE_E9", "SPE_E55", "SPE_E1", "SPE_E7", "SPE_E1"), "SPE_E5", licensing.ErrUnknownSKU,
			`find SKU: "SPE_E5" is not one of the tenant's SKUs; did you mean SPE_E1, SPE_E55, SPE_E7?`},
		{"three letters that are the same are chance", named("SPECTRUM"), "SPEEDWAYS_OF_A_CITY", licensing.ErrUnknownSKU,
			`find SKU: "SPEEDWAYS_OF_A_CITY" is not one of the tenant's SKUs; available: SPECTRUM`},
		{"the short name that everybody uses", named("SPE_E3", "SPE_F1", "ENTERPRISEPACK"), "E3", licensing.ErrUnknownSKU,
			`find SKU: "E3" is not one of the tenant's SKUs; did you mean SPE_E3?`},
		{"words in another order, one of them a slip", named("AAD_PREMIUM_P2", "AAD_PREMIUM", "VISIO"), "p2 premum", licensing.ErrUnknownSKU,
			`find SKU: "p2 premum" is not one of the tenant's SKUs; did you mean AAD_PREMIUM_P2?`},
		{"a word too many", named("SPE_E3", "VISIO"), "NEW_SPE_E3_OF_TODAY", licensing.ErrUnknownSKU,
			`find SKU: "NEW_SPE_E3_OF_TODAY" is not one of the tenant's SKUs; did you mean SPE_E3?`},
		{"one letter is like no other", named("C"), "X", licensing.ErrUnknownSKU,
			`find SKU: "X" is not one of the tenant's SKUs; available: C`},
		{"a slip after an account", tenantSKUs(), "contoso:ENTERPRISEPAK", licensing.ErrUnknownSKU,
			`find SKU: "contoso:ENTERPRISEPAK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?`},
		{"words before a colon are no account", tenantSKUs(), "not this: ENTERPRISEPACK", licensing.ErrUnknownSKU,
			`find SKU: "not this: ENTERPRISEPACK" is not one of the tenant's SKUs; did you mean ENTERPRISEPACK?`},
		{"ten of many, by name", append(named("M", "L", "K", "J", "I", "H", "G", "F", "E", "D", "C", "B"), licensing.SubscribedSKU{SKUPartNumber: "A"}), "VISIO", licensing.ErrUnknownSKU,
			`find SKU: "VISIO" is not one of the tenant's SKUs; available: B, C, D, E, F, G, H, I, J, K and 2 more`},
		{"nothing like it", tenantSKUs(), "VISIOCLIENT", licensing.ErrUnknownSKU,
			`find SKU: "VISIOCLIENT" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM`},
		{"an unknown GUID", tenantSKUs(), "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", licensing.ErrUnknownSKU,
			`find SKU: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM`},
		{"a SKU of another tenant", tenantSKUs(), "88888888-8888-4888-8888-888888888888_6fd2c87f-b296-42f0-b197-1e91e994b900", licensing.ErrUnknownSKU,
			`find SKU: "88888888-8888-4888-8888-888888888888_6fd2c87f-b296-42f0-b197-1e91e994b900" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM`},
		{"an empty catalog", nil, "ENTERPRISEPACK", licensing.ErrUnknownSKU,
			`find SKU: "ENTERPRISEPACK" is not one of the tenant's SKUs; available: none`},
		{"a name of two", twins, "ENTERPRISEPACK", licensing.ErrInvalidArgument,
			`find SKU: invalid argument: "ENTERPRISEPACK" is the name of 2 SKUs; use a GUID: 6fd2c87f-b296-42f0-b197-1e91e994b900, aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa`},
		{"no name", tenantSKUs(), "", licensing.ErrInvalidArgument,
			`find SKU: invalid argument: the name is empty`},
		{"blanks", tenantSKUs(), " \u00A0\t", licensing.ErrInvalidArgument,
			`find SKU: invalid argument: the name is empty`},
		{"a SKU without an id", []licensing.SubscribedSKU{{SKUPartNumber: "GHOST"}}, "00000000-0000-0000-0000-000000000000", licensing.ErrUnknownSKU,
			`find SKU: "00000000-0000-0000-0000-000000000000" is not one of the tenant's SKUs; available: none`},
		{"a name too long to tell", tenantSKUs(), strings.Repeat("ENTERPRISEPACK", 20), licensing.ErrUnknownSKU,
			`find SKU: "` + strings.Repeat("ENTERPRISEPACK", 6)[:80] + `…" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM`},
		{"a part number too long to compare", named("ENTERPRISE" + strings.Repeat("X", 256)), "ENTERPRISE", licensing.ErrUnknownSKU,
			`find SKU: "ENTERPRISE" is not one of the tenant's SKUs; available: ENTERPRISE` + strings.Repeat("X", 70) + `…`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := licensing.NewCatalog(test.skus).SKU(test.give)
			checkFailure(t, err, test.kind, test.want)
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("SKU(%q) returned %+v with its error", test.give, got)
			}
		})
	}
}

// checkFailure reports an error that is not of a kind, or has another text.
func checkFailure(t *testing.T, err, kind error, text string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", text)
	}
	if got := err.Error(); got != text {
		t.Errorf("error:\n got %s\nwant %s", got, text)
	}
	for _, k := range []error{licensing.ErrInvalidArgument, licensing.ErrUnknownSKU, licensing.ErrNoChanges} {
		want := k == kind || kind == licensing.ErrNoChanges && k == licensing.ErrInvalidArgument
		if got := errors.Is(err, k); got != want {
			t.Errorf("errors.Is(%v, %q) = %t, want %t", err, k, got, want)
		}
	}
}

func TestCatalogKeepsTheFirstOfOneID(t *testing.T) {
	t.Parallel()
	skus := []licensing.SubscribedSKU{
		{SKUID: officeE3, SKUPartNumber: "ENTERPRISEPACK", ConsumedUnits: 1},
		{SKUID: officeE3, SKUPartNumber: "ENTERPRISEPACK", ConsumedUnits: 2},
	}
	catalog := licensing.NewCatalog(skus).WithNames(readNames(t))
	for _, name := range []string{"ENTERPRISEPACK", officeE3.String(), "Office 365 E3"} {
		if got, err := catalog.SKU(name); err != nil || got.ConsumedUnits != 1 {
			t.Errorf("SKU(%q) = %+v, %v, want the first", name, got, err)
		}
	}
	if got := len(catalog.SKUs()); got != 2 {
		t.Errorf("SKUs() has %d entries, want 2", got)
	}
}

func TestCatalogServicePlan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give string
		want uuid.UUID
	}{
		{"a GUID", "57ff2da0-773e-42df-b2af-ffb7a2317929", teams},
		{"a GUID in capitals", "57FF2DA0-773E-42DF-B2AF-FFB7A2317929", teams},
		{"a GUID in braces", "{57FF2DA0-773E-42df-b2af-ffb7a2317929}", teams},
		{"a GUID in brackets", "[57FF2DA0-773E-42df-b2af-ffb7a2317929]", teams},
		{"a plan name", "EXCHANGE_S_ENTERPRISE", exchange},
		{"a plan name in small letters, with blanks", " teams1\n", teams},
		{"a plan for the company", "exchange_s_foundation", exchangeF},
	}
	catalog := licensing.NewCatalog(tenantSKUs())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := catalog.ServicePlan(officeE3, test.give)
			if err != nil || got.ServicePlanID != test.want {
				t.Errorf("ServicePlan(E3, %q) = %+v, %v, want %v", test.give, got, err, test.want)
			}
		})
	}
}

func TestCatalogServicePlanErrors(t *testing.T) {
	t.Parallel()
	skus := append(tenantSKUs(), licensing.SubscribedSKU{SKUID: skuA, ServicePlans: []licensing.ServicePlan{
		{ServicePlanID: planA, ServicePlanName: "TWIN"},
		{ServicePlanID: planB, ServicePlanName: "twin"},
		{ServicePlanID: planB, ServicePlanName: "twin"},
		{ServicePlanName: "GHOST"},
	}})
	tests := []struct {
		name string
		sku  uuid.UUID
		give string
		kind error
		want string
	}{
		{"a slip", officeE3, "EXCHANGE_S_ENTREPRISE", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: "EXCHANGE_S_ENTREPRISE" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); did you mean EXCHANGE_S_ENTERPRISE?`},
		{"a slip for the first of several words", officeE3, "EXCHNGE", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: "EXCHNGE" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); did you mean EXCHANGE_S_ENTERPRISE, EXCHANGE_S_FOUNDATION?`},
		{"a plan of another SKU", officeE3, "MCOMEETADV", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: "MCOMEETADV" is not a service plan of SKU 6fd2c87f-b296-42f0-b197-1e91e994b900 (ENTERPRISEPACK); available: EXCHANGE_S_ENTERPRISE, EXCHANGE_S_FOUNDATION, SWAY, TEAMS1`},
		{"a SKU without plans or a part number", skuB, "TEAMS1", licensing.ErrUnknownSKU,
			`find service plan: "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM, aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa`},
		{"the nil SKU", uuid.Nil, "TEAMS1", licensing.ErrUnknownSKU,
			`find service plan: "00000000-0000-0000-0000-000000000000" is not one of the tenant's SKUs; available: AAD_PREMIUM_P2, ENTERPRISEPACK, ENTERPRISEPREMIUM, aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa`},
		{"a name of two, one of them listed twice", skuA, "Twin", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: "Twin" is the name of 2 service plans; use a GUID: a0000000-0000-4000-8000-000000000001, b0000000-0000-4000-8000-000000000002`},
		{"a plan without an id", skuA, "GHOST", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: "GHOST" is not a service plan of SKU aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa; available: TWIN, twin`},
		{"no name", officeE3, " ", licensing.ErrInvalidArgument,
			`find service plan: invalid argument: the name is empty`},
	}
	catalog := licensing.NewCatalog(skus)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := catalog.ServicePlan(test.sku, test.give)
			checkFailure(t, err, test.kind, test.want)
			if got != (licensing.ServicePlan{}) {
				t.Errorf("ServicePlan(%q) returned %+v with its error", test.give, got)
			}
		})
	}
}

func TestCatalogIsNotChangedFromOutside(t *testing.T) {
	t.Parallel()
	spoil := func(skus ...licensing.SubscribedSKU) {
		for i := range skus {
			skus[i].SKUPartNumber = "SPOILED"
			for j := range skus[i].ServicePlans {
				skus[i].ServicePlans[j].ServicePlanName = "SPOILED"
			}
			for j := range skus[i].SubscriptionIDs {
				skus[i].SubscriptionIDs[j] = "SPOILED"
			}
		}
	}
	given := tenantSKUs()
	catalog := licensing.NewCatalog(given)
	spoil(given...)
	spoil(catalog.SKUs()...)
	found, err := catalog.SKU("ENTERPRISEPACK")
	if err != nil {
		t.Fatal(err)
	}
	spoil(found)
	if got, want := catalog.SKUs(), tenantSKUs(); !reflect.DeepEqual(got, want) {
		t.Errorf("the catalog has become\n%+v\nwant\n%+v", got, want)
	}
}

func TestCatalogZeroValueIsEmpty(t *testing.T) {
	t.Parallel()
	for name, catalog := range map[string]*licensing.Catalog{"zero value": {}, "nil": nil, "of nothing": licensing.NewCatalog(nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, catalog := range []*licensing.Catalog{catalog, catalog.WithNames(nil)} {
				if _, err := catalog.SKU("ENTERPRISEPACK"); !errors.Is(err, licensing.ErrUnknownSKU) {
					t.Errorf("SKU: error %v, want ErrUnknownSKU", err)
				}
				if _, err := catalog.SKU(" "); !errors.Is(err, licensing.ErrInvalidArgument) {
					t.Errorf("SKU: error %v, want ErrInvalidArgument", err)
				}
				if _, err := catalog.ServicePlan(officeE3, "TEAMS1"); !errors.Is(err, licensing.ErrUnknownSKU) {
					t.Errorf("ServicePlan: error %v, want ErrUnknownSKU", err)
				}
				if got := catalog.SKUs(); len(got) != 0 {
					t.Errorf("SKUs() = %v, want none", got)
				}
				if got := catalog.DisplayName(officeE3); got != officeE3.String() {
					t.Errorf("DisplayName = %q, want the id", got)
				}
			}
			if got := catalog.WithNames(readNames(t)).DisplayName(officeE3); got != "Office 365 E3" {
				t.Errorf("DisplayName = %q, want %q", got, "Office 365 E3")
			}
		})
	}
}

// What came without an id is not the name of the nil UUID.
func TestCatalogNamesNothingByTheNilUUID(t *testing.T) {
	t.Parallel()
	catalog := licensing.NewCatalog([]licensing.SubscribedSKU{
		{SKUPartNumber: "SPB"}, {SKUID: officeE3, ServicePlans: []licensing.ServicePlan{{ServicePlanName: "X"}}},
	})
	if got := catalog.DisplayName(uuid.Nil); got != uuid.Nil.String() {
		t.Errorf("DisplayName = %q", got)
	}
}

// FuzzCatalogName checks that what is found really has the name, in one of the
// forms that a name may have, and is the only one that has.
func FuzzCatalogName(f *testing.F) {
	f.Add("ENTERPRISEPACK", "ENTERPRISEPREMIUM", "enterprisepack")
	f.Add("ENTERPRISEPACK", "enterprisepack", " EnterprisePack ")
	f.Add("A\u00A0B", "a", "a b")
	f.Add("İ", "i", "i")
	f.Add("", "x", "6FD2C87F-B296-42F0-B197-1E91E994B900")
	f.Add("6fd2c87f-b296-42f0-b197-1e91e994b900", "x", "6fd2c87f-b296-42f0-b197-1e91e994b900")
	f.Add("\xff", "\xfe", "\xff")
	f.Add("SPE_E3", "contoso:SPE_E3", "Contoso:SPE_E3")
	f.Add("SPE_E3", "SPE_E5", "contoso :{6FD2C87F-B296-42F0-B197-1E91E994B900}")
	f.Add("a:b", "b", "x:a:b")
	f.Add("x", "y", "(a0000000000040008000 000000000001)")
	f.Add("x", "", "contoso:")
	f.Add("x", "\u200By", "[6FD2C87F-B296-42F0-B197-1E91E994B900]")
	f.Fuzz(func(t *testing.T, first, second, name string) {
		skus := []licensing.SubscribedSKU{
			{ID: testTenant + "_" + officeE3.String(), SKUID: officeE3, SKUPartNumber: first},
			{ID: testTenant + "_" + officeE5.String(), SKUID: officeE5, SKUPartNumber: second},
		}
		for i := range skus {
			skus[i].ServicePlans = []licensing.ServicePlan{
				{ServicePlanID: planA, ServicePlanName: first},
				{ServicePlanID: planB, ServicePlanName: second},
			}
		}
		noWidth := strings.NewReplacer("\uFEFF", "", "\u200B", "", "\u2060", "", "\u200E", "", "\u200F", "", "\u00AD", "")
		fold := func(s string) string {
			return strings.ToLower(strings.Join(strings.Fields(noWidth.Replace(strings.ToValidUTF8(s, "\uFFFD"))), " "))
		}
		same := func(a string) bool { return fold(a) == fold(name) }
		catalog := licensing.NewCatalog(skus)

		var want []uuid.UUID
		for _, sku := range skus {
			if slices.ContainsFunc([]string{sku.SKUID.String(), sku.ID, sku.SKUPartNumber}, same) {
				want = append(want, sku.SKUID)
			}
		}
		if len(want) == 0 { // then it may be an id or part number in another form
			bare := fold(name)
			if form := regexp.MustCompile(`^[^ :]+ ?:(.*)$`).FindStringSubmatch(bare); form != nil {
				bare = fold(form[1])
			}
			hex := strings.NewReplacer("{", "", "}", "", "(", "", ")", "", "[", "", "]", "", "-", "", " ", "").Replace(bare)
			for _, sku := range skus {
				if bare != "" && fold(sku.SKUPartNumber) == bare || sku.ID == bare || sku.SKUID.String() == bare {
					want = append(want, sku.SKUID)
				}
			}
			for _, sku := range skus {
				if len(want) == 0 && strings.ReplaceAll(sku.SKUID.String(), "-", "") == hex {
					// Where brackets and hyphens are is not looked at here.
					if got, err := catalog.SKU(name); err == nil && got.SKUID == sku.SKUID {
						return
					}
				}
			}
		}
		got, err := catalog.SKU(name)
		checkFound(t, fmt.Sprintf("SKU(%q)", name), got.SKUID, err, want, fold(name) == "")

		want = nil
		for _, plan := range skus[0].ServicePlans {
			if same(plan.ServicePlanID.String()) || same("{"+plan.ServicePlanID.String()+"}") || same(plan.ServicePlanName) {
				want = append(want, plan.ServicePlanID)
			}
		}
		plan, err := catalog.ServicePlan(officeE3, name)
		compact := strings.NewReplacer(" ", "", "-", "").Replace(fold(name))
		if id := plan.ServicePlanID.String(); err == nil && len(want) == 0 && strings.Contains(compact, strings.ReplaceAll(id, "-", "")) {
			want = append(want, plan.ServicePlanID) // in brackets, or without hyphens
		}
		checkFound(t, fmt.Sprintf("ServicePlan(%q)", name), plan.ServicePlanID, err, want, fold(name) == "")
	})
}

func checkFound(t *testing.T, call string, got uuid.UUID, err error, want []uuid.UUID, empty bool) {
	t.Helper()
	if len(want) == 1 && !empty {
		if err != nil || got != want[0] {
			t.Errorf("%s = %v, %v, want %v", call, got, err, want[0])
		}
		return
	}
	if err == nil {
		t.Fatalf("%s = %v, which is not the only one of that name: %v", call, got, want)
	}
	if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 2000 {
		t.Errorf("%s: error of more than one line, or too long: %s", call, text)
	}
}

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
				"?,Microsoft Teams,6fd2c87f-b296-42f0-b197-1e91e994b900,57ff2da0-773e-42df-b2af-ffb7a2317929,Office 365 E3,\n"},
		{"blanks of all kinds", productHeader +
			" Office\u00A0365  E3\t,ENTERPRISEPACK ,6fd2c87f-b296-42f0-b197-1e91e994b900 ,TEAMS1,\u00A057ff2da0-773e- 42df-b2af-ffb7a2317929,\"Microsoft\nTeams\"\r\n"},
		{"brackets around ids", productHeader +
			"Office 365 E3,ENTERPRISEPACK,{6FD2C87F-B296-42F0-B197-1E91E994B900},TEAMS1,(57ff2da0-773e-42df-b2af-ffb7a2317929,Microsoft Teams\r\n"},
		{"a blank before a quote", productHeader +
			" \"Office 365 E3\",ENTERPRISEPACK,6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929, \"Microsoft Teams\"\r\n"},
		{"other names for the same ids later", productHeader + row + strings.NewReplacer("Office 365 E3", "Office 365 E4", "Microsoft Teams", "TEAMS").Replace(row)},
		{"no names for the ids first", productHeader + strings.NewReplacer("Office 365 E3", " ", "Microsoft Teams", "").Replace(row) + row},
		{"a file that was joined to another", productHeader + "Other,OTHER,6fd2,OTHER,none,Other\r\n\uFEFF" + productHeader + row},
		{"a mark before a quote in the middle", productHeader + "\uFEFF\"Office 365 E3\"" + strings.TrimPrefix(row, "Office 365 E3")},
		{"a mark that was read as Latin-1, before quoted titles", "ï»¿\"Product_Display_Name\"" + strings.TrimPrefix(productHeader, "Product_Display_Name") + row},
		{"a mark that was read as ASCII, before quoted titles", "???\"Product_Display_Name\"" + strings.TrimPrefix(productHeader, "Product_Display_Name") + row},
		{"marks within the quotes", "\"\uFEFFProduct_Display_Name\"" + strings.TrimPrefix(productHeader, "Product_Display_Name") + row},
		{"lost marks within the quotes", "\"???Product_Display_Name\"" + strings.TrimPrefix(productHeader, "Product_Display_Name") + row},
		{"letters without width before ids and names", productHeader +
			"\uFEFFOffice 365 E3\u200B,ENTERPRISEPACK,\u200B6fd2c87f-b296-42f0-b197-1e91e994b900,TEAMS1,\uFEFF57ff2da0-773e-42df-b2af-ffb7a2317929\u200E,Micro\u00ADsoft \u2060Teams\r\n"},
		{"lines that end in a carriage return", strings.ReplaceAll(productHeader+row+row, "\r\n", "\r")},
		{"titles that end in a carriage return", strings.ReplaceAll(productHeader, "\r\n", "\r") + row},
		{"rows that end in a carriage return", productHeader + strings.ReplaceAll(row+row, "\r\n", "\r")},
		{"a line for Excel", "sep=,\r\n" + productHeader + row},
		{"a line for Excel, with another separator", "sep=;\r\n" + strings.ReplaceAll(productHeader+row, ",", ";")},
		{"titles in quotes, with semicolons", `"` + strings.NewReplacer(",", `";"`, "\r\n", "\"\r\n").Replace(productHeader) + strings.ReplaceAll(row, ",", ";")},
		{"a line for Excel, with a mark and quotes", "\uFEFF\"SEP=\t\"\n" + strings.ReplaceAll(productHeader+row, ",", "\t")},
		{"a line for Excel, with a separator of nobody else", "sep=|\r" + strings.ReplaceAll(productHeader+row, ",", "|")},
		{"a line for Excel that is wrong", "sep=;\n" + productHeader + row},
		{"brackets of all kinds around ids", productHeader +
			"Office 365 E3,ENTERPRISEPACK,[6fd2c87f-b296-42f0-b197-1e91e994b900],TEAMS1,57ff2da0-773e-42df-b2af-ffb7a2317929],Microsoft Teams\r\n"},
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
		{"another file", "\r\n<!DOCTYPE html>\r\n<html>", "read product names: line 2: no column GUID (columns are separated by commas, semicolons or tabs)"},
		{"pipes", strings.ReplaceAll(productList, ",", "|"), "read product names: line 1: no column GUID (columns are separated by commas, semicolons or tabs)"},
		{"a line for Excel, and an error", "sep=;\r\nGUID;Service_Plan_Id\r\n", "read product names: line 2: no column Product_Display_Name"},
		{"a line for Excel, and an error in a row", "sep=;\nGUID;Product_Display_Name\n\n6fd2\n", "read product names: line 4: 1 columns, want 2 or more"},
		{"a line for Excel alone", "sep=;", "read product names: line 1: the file is empty"},
		{"a line for Excel without a separator", "sep=\nGUID,Product_Display_Name\n", "read product names: line 1: no column GUID (columns are separated by commas, semicolons or tabs)"},
		{"a line for Excel with two separators", "sep=||\nGUID|Product_Display_Name\n", "read product names: line 1: no column GUID (columns are separated by commas, semicolons or tabs)"},
		{"carriage returns, and an error in a row", "GUID,Product_Display_Name\r\"a\rb\",\r6fd2\r", "read product names: line 4: 1 columns, want 2 or more"},
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
		`find SKU: "Office 365 E4" is not one of the tenant's SKUs; did you mean Office 365 E3?`)
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
		`find SKU: invalid argument: "twin" is the name of 2 SKUs; use a GUID: aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa, bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb`)
	_, err = catalog.ServicePlan(skuA, "twin plan")
	checkFailure(t, err, licensing.ErrInvalidArgument,
		`find service plan: invalid argument: "twin plan" is the name of 2 service plans; use a GUID: a0000000-0000-4000-8000-000000000001, b0000000-0000-4000-8000-000000000002`)

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
	for _, file := range []string{"names-semicolon.csv", "names-tab.csv", "names-three-columns.csv", "names-unquoted-comma-product.csv", "names-windows-1252.csv"} {
		f.Add([]byte(readFile(f, filepath.Join("testdata", "names", file))))
	}
	for _, list := range encodings(productList) {
		f.Add([]byte(list))
	}
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
