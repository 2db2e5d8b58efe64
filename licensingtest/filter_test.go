package licensingtest_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/licensingtest"
)

// newFiltered returns the tenant of newListed, where adele has office and all
// else that users are looked for by.
func newFiltered() *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	full := newListed()
	for _, id := range []uuid.UUID{officeID, callingID, basicID} {
		sku, _ := full.SKU(id)
		tenant.AddSKU(sku)
	}
	tenant.AddUser(licensingtest.User{
		ID: adeleID, UserPrincipalName: adele, DisplayName: "Adele Vance", UsageLocation: "US", Licenses: []licensingtest.License{{SKUID: officeID}},
		GivenName: "Adele", Surname: "Vance", Mail: "adele@mail.example", JobTitle: "Seller", Department: "Sales", CompanyName: "Contoso",
		City: "Bern", Country: "US", OfficeLocation: "2", MobilePhone: "1", PreferredLanguage: "de", OnPremisesSyncEnabled: true,
		BusinessPhones: []string{"3"}, OtherMails: []string{"adele@home.example"}, ProxyAddresses: []string{"SMTP:adele@mail.example"},
	})
	for _, name := range []string{"bob", "cy", "o'dea"} {
		u, _ := full.User(name + "@contoso.example")
		if name == "cy" {
			u.Department = "Books"
		}
		tenant.AddUser(u)
	}
	tenant.AddGroup(licensingtest.Group{DisplayName: "Mail", Licenses: []licensingtest.License{{SKUID: basicID}}}, "bob@contoso.example")
	return tenant
}

// What is answered, and in which queries, is in Microsoft's tables of filters:
// microsoftgraph/microsoft-graph-docs-contrib, includes/filter-directory-objects.md
// and concepts/aad-advanced-queries.md, which has the text about operators. The
// text about a property: microsoftgraph/msgraph-sdk-powershell issue 2893. The
// one about assignedPlans: microsoftgraph/microsoft-graph-docs issues 13942 and
// 14036.
func TestFilters(t *testing.T) {
	t.Parallel()
	office := officeID.String()
	tests := []struct{ filter, advanced, simple string }{ // the users found by an advanced query, and by another; "!" and "^" are for refusals, "?" for what is not served
		{"assignedLicenses/any(x:x/skuId eq " + office + ")", "adele", "adele"},
		{"assignedLicenses/any(license: license/skuid  eq " + strings.ToUpper(office) + ")", "adele", "adele"},
		{"assignedlicenses/any(x:x/skuId eq " + basicID.String() + ")", "bob", "bob"},
		{"assignedLicenses/$count eq 0", "cy o'dea", "!assignedLicenses"},
		{"assignedLicenses/$count ne 0", "adele bob", "!assignedLicenses"},
		{"assignedLicenses/$count ne 0 and usageLocation eq 'US'", "adele bob", "!assignedLicenses"},
		{"assignedLicenses/any(x:x/skuId eq " + office + ") and accountEnabled eq true", "adele", "!complex"},
		{"userType eq 'Guest' and assignedLicenses/any(x:x/skuId eq " + office + ")", "", "!complex"},
		{"assignedLicenses/any(x:x/skuId eq " + office + ") or userType eq 'Guest'", "!complex", "!complex"},
		{"(assignedLicenses/any(x:x/skuId eq " + office + ") or (userType eq 'Guest')) and usageLocation eq 'US'", "!complex", "!complex"},
		{"usageLocation eq 'US' and (userType eq 'Guest' or assignedLicenses/any(x:x/skuId eq " + office + "))", "!complex", "!complex"},
		{"usageLocation eq 'US' and assignedLicenses/$count ne 0", "adele bob", "!assignedLicenses"},
		{"assignedLicenses/any(x:x/skuId eq " + office + " and x/skuId eq " + office + ")", "!complex", "!complex"},
		{"assignedLicenses/any(x:x/skuId eq " + office + " or x/skuId eq " + office + ")", "!", "!"},
		{"userPrincipalName eq 'ADELE@contoso.example'", "adele", "adele"},
		{"UserPrincipalName eq 'o''dea@contoso.example'", "o'dea", "o'dea"},
		{"startswith(userPrincipalName,'BO')", "bob", "bob"},
		{"startsWith( displayName , 'O''' )", "o'dea", "o'dea"},
		{"displayName eq 'Cy'", "cy", "cy"},
		{"usageLocation eq 'us'", "adele bob", "adele bob"},
		{"usageLocation eq null", "cy", "!usageLocation"},
		{"accountEnabled eq true", "adele bob o'dea", "adele bob o'dea"},
		{"accountEnabled eq false and userType eq 'Guest'", "cy", "cy"},
		{"usageLocation eq 'DE' or userType eq 'Guest' and accountEnabled eq true", "o'dea", "o'dea"},
		{"(usageLocation eq 'DE' OR userType eq 'Guest') AND accountEnabled EQ true", "o'dea", "o'dea"},

		{"assignedLicenses/any(x:x/skuId eq '" + office + "')", "!", "!"},
		{"assignedLicenses/any(x:y/skuId eq " + office + ")", "!", "!"},
		{"assignedLicenses/any(x:x/skuId ne " + office + ")", "?ne in assignedLicenses/any", "?ne in assignedLicenses/any"},
		{"assignedLicenses/any(x:x/SkuID IN (" + office + "))", "?in in assignedLicenses/any", "?in in assignedLicenses/any"},
		{"assignedLicenses/any(x:x/skuId is " + office + ")", "!", "!"},
		{"assignedLicenses/any(x:x/disabledPlans/any(p:p eq " + office + "))", "?disabledPlans in assignedLicenses/any", "?disabledPlans in assignedLicenses/any"},
		{"assignedLicenses/any(x:x/DisabledPlans/$count eq 0)", "?disabledPlans in assignedLicenses/any", "?disabledPlans in assignedLicenses/any"},
		{"assignedLicenses/any(x:y/disabledPlans/$count eq 0)", "!", "!"},
		{"assignedLicenses/any(x:x/skuId/any(y:y eq 1))", "!", "!"},
		{"assignedLicenses/any(x:x/shoeSize eq 1)", "!", "!"},
		{"assignedLicenses/any(x:x eq " + office + ")", "!", "!"},
		{"assignedLicenses/any(x:x/skuId eq " + office, "!", "!"},
		{"assignedLicenses/any()", "?assignedLicenses/any()", "?assignedLicenses/any()"},
		{"not AssignedLicenses/Any( )", "?assignedLicenses/any()", "?assignedLicenses/any()"},
		{"assignedPlans/any()", "?assignedPlans/any()", "?assignedPlans/any()"},
		{"accountEnabled eq true and proxyAddresses/any()", "?proxyAddresses/any()", "?proxyAddresses/any()"},
		{"displayName/any()", "!", "!"},
		{"assignedLicenses/all(x:x/skuId eq " + office + ")", "?assignedLicenses/all", "?assignedLicenses/all"},
		{"otherMails/all(x:x eq 'a')", "?otherMails/all", "?otherMails/all"},
		{"displayName/all(x:x eq 'a')", "!", "!"},
		{"assignedLicenses/$count gt 0", "!", "!"},
		{"assignedLicenses/$count eq 1", "!", "!"},
		{"assignedLicenses eq null", "!", "!"},
		{"userType eq Guest", "!", "!"},
		{"userType eq 'Guest", "!", "!"},
		{"userType eq ''", "!", "!"},
		{"userType eq", "!", "!"},
		{"userType eq 'Guest' userType", "!", "!"},
		{"userType eq 'Guest' and", "!", "!"},
		{"accountEnabled eq 'true'", "!", "!"},
		{"accountEnabled eq null", "!", "!"},
		{"startswith(accountEnabled,'t')", "!", "!"},
		{"startswith(userType,Guest)", "!", "!"},
		{"hasMembersWithLicenseErrors eq true", "!", "!"},
		{"not hasMembersWithLicenseErrors eq true", "!", "!"},
		{"()", "!", "!"},
		{"not", "!", "!"},
		{"not()", "!", "!"},
		{"'", "!", "!"},
		{"userType ne Guest", "!", "!"},
		{"userType eq ('Guest')", "!", "!"},
		{"userType is 'Guest'", "!", "!"},
		{"endsWith(userPrincipalName,'example'", "!", "!"},
		{"endsWith(userPrincipalName,'example'))", "!", "!"},
		{"contains(displayName,'a')) or (userType eq 'Guest'", "!", "!"},
		{"department is 'Sales'", "!", "!"},
		{"department eq", "!", "!"},
		{"department eq 'Sales", "!", "!"},
		{"contains(displayName,'a'", "!", "!"},
		{"5 eq 5", "!", "!"},
		{"'a' eq 'a'", "!", "!"},
		{"-1('a')", "!", "!"},

		{"accountEnabled ne true", "cy", "^ne"},
		{"UserType NE 'guest'", "adele bob o'dea", "^ne"},
		{"usageLocation ne 'US'", "cy o'dea", "^ne"},
		{"usageLocation ne null", "adele bob o'dea", "!usageLocation"},
		{"not(usageLocation eq 'US')", "cy o'dea", "^not"},
		{"NOT startswith(displayName,'b') and accountEnabled eq true", "adele o'dea", "^not"},
		{"not (userType ne 'Guest' or usageLocation eq null)", "", "^ne"},
		{"not not accountEnabled eq false", "cy", "^not"},
		{"accountEnabled eq true and usageLocation ne 'US'", "o'dea", "^ne"},
		{"userType ne 'Guest' and usageLocation ne 'US'", "o'dea", "^ne"},
		{"not(assignedLicenses/any(x:x/skuId eq " + office + "))", "bob cy o'dea", "^not"},
		{"not(assignedLicenses/any(x:x/skuId eq " + office + ")) and accountEnabled eq true", "bob o'dea", "!complex"},
		{"endsWith(userPrincipalName,'A@Contoso.Example')", "o'dea", "^endsWith"},
		{"endswith(displayName,'e') or endswith(displayName,'Y')", "!displayName", "^endsWith"},
		{"userType eq 'Guest' or endswith(userType,'t')", "!userType", "^endsWith"},
		{"startswith(userType,'G')", "!userType", "!userType"},
		{"userPrincipalName eq null", "!userPrincipalName", "!userPrincipalName"},
		{"displayName eq null", "", "!displayName"},
		{"department eq null and accountEnabled eq true", "bob o'dea", "!department"},
		{"department eq 'sales'", "adele", "adele"},
		{"startsWith(department,'S') and Surname eq 'Vance'", "adele", "adele"},
		{"givenName eq 'Adele' and country eq 'US' and city eq 'Bern' and jobTitle eq 'Seller'", "adele", "adele"},
		{"id eq '87D349ED-44d7-43e1-9a83-5f2406dee5bd'", "adele", "adele"},
		{"mail eq 'adele@mail.example'", "adele", "adele"},
		{"startsWith(mail,'a')", "adele", "adele"},
		{"endsWith(mail,'@mail.example')", "adele", "^endsWith"},
		{"mail eq null", "bob cy o'dea", "!mail"},
		{"companyName eq 'Contoso'", "adele", "!companyName"},
		{"mobilePhone eq '1' or officeLocation eq '2' or preferredLanguage eq 'de'", "adele", "!mobilePhone"},
		{"startswith(CompanyName,'c')", "adele", "!companyName"},
		{"companyName ne null and NOT(companyName eq 'Fabrikam')", "adele", "!companyName"},
		{"onPremisesSyncEnabled eq true", "adele", "adele"},
		{"onPremisesSyncEnabled eq false", "", ""},
		{"onPremisesSyncEnabled eq null", "bob cy o'dea", "!onPremisesSyncEnabled"},
		{"onPremisesSyncEnabled ne true", "bob cy o'dea", "^ne"},
		{"otherMails/any(x:x eq 'adele@home.example')", "adele", "adele"},
		{"proxyAddresses/any(p:startswith(p,'smtp:'))", "adele", "adele"},
		{"proxyAddresses/any (p:endsWith(p, 'mail.example'))", "adele", "^endsWith"},
		{"proxyAddresses/any(p:contains(p,'mail'))", "!", "!"},
		{"otherMails/any(x:y eq 'adele@home.example')", "!", "!"},
		{"userPrincipalName in ('bob@contoso.example', 'CY@contoso.example','x')", "bob cy", "bob cy"},
		{"id in ('87d349ed-44d7-43e1-9a83-5f2406dee5bd')", "adele", "adele"},
		{"usageLocation in ('DE') and accountEnabled in (true)", "o'dea", "o'dea"},
		{"not(usageLocation in ('DE','US'))", "cy", "^not"},
		{"companyName in ('Contoso')", "adele", "!companyName"},
		{"usageLocation in ()", "!", "!"},
		{"usageLocation in 'DE'", "!", "!"},
		{"usageLocation in ('DE'", "!", "!"},

		{"assignedPlans/any(c:c/service eq 'Exchange' and c/capabilityStatus eq 'Enabled')", "adele", "!assignedPlans..."},
		{"assignedPlans/any(a:a/servicePlanId eq " + teamsID.String() + " and a/capabilityStatus eq 'Enabled')", "adele", "!assignedPlans..."},
		{"assignedPlans/any(a:a/servicePlanId eq " + teamsID.String() + " and a/capabilityStatus eq 'Deleted')", "", "!assignedPlans..."},
		{"assignedPlans/any(a:a/servicePlanId eq " + teamsID.String() + ") and accountEnabled eq true", "adele", "!assignedPlans"},
		{"assignedPlans/any(a:a/servicePlanId eq '" + teamsID.String() + "')", "!", "!"},
		{"assignedPlans/any(a:a/service eq Exchange)", "!", "!"},
		{"assignedPlans/any(a:b/service eq 'exchange')", "!", "!"},
		{"assignedPlans/any(a:a/shoeSize eq 'x')", "!", "!"},
		{"assignedPlans/any(a:a/assignedDateTime ge 2020-01-01T00:00:00Z)", "?assignedDateTime in assignedPlans/any", "?assignedDateTime in assignedPlans/any"},
		{"assignedPlans/any(a:a/capabilityStatus ne 'Enabled')", "?ne in assignedPlans/any", "?ne in assignedPlans/any"},
		{"assignedPlans/any(a:a/service eq 'exchange' or a/service eq 'x')", "?or in assignedPlans/any", "?or in assignedPlans/any"},
		{"assignedPlans/$count eq 0", "?assignedPlans/$count", "?assignedPlans/$count"},

		{"employeeType eq 'Sales'", "?employeeType", "?employeeType"},
		{"shoeSize eq 'Sales'", "!", "!"},
		{"accountEnabled eq true and createdDateTime ge 2020-01-01T00:00:00Z", "?createdDateTime", "?createdDateTime"},
		{"onPremisesExtensionAttributes/extensionAttribute1 ne 'a'", "?onPremisesExtensionAttributes/extensionAttribute1", "?onPremisesExtensionAttributes/extensionAttribute1"},
		{"endsWith(mailNickname,'x')", "?mailNickname", "?mailNickname"},
		{"contains(displayName,'a')", "?contains", "?contains"},
		{"licenseAssignmentStates/any(x:x/state eq 'Error')", "?licenseAssignmentStates/any", "?licenseAssignmentStates/any"},
		{"displayName ge 'a'", "?ge", "?ge"},
	}
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			t.Parallel()
			tenant := newFiltered()
			escaped := strings.NewReplacer(" ", "%20", "'", "%27").Replace(test.filter)
			for query, want := range map[string]string{
				"/users?$select=userPrincipalName&$count=true&$filter=" + escaped:                                    test.advanced,
				"/users?$select=userPrincipalName&%24filter=" + strings.ReplaceAll(escaped, "%20", "+"):              test.simple,
				"/users?$filter=" + escaped + "&%24count=false&$select=userPrincipalName&unknown=1&unknown=2&$top=9": test.simple,
			} {
				a := call(t, tenant, "GET", query, "", eventual)
				name := strings.TrimLeft(want, "!?^")
				switch {
				case want == "!":
					wantError(t, a, 400, "BadRequest", "Invalid filter clause")
				case want == "!complex":
					wantError(t, a, 400, "Request_UnsupportedQuery", "Complex query on property assignedLicenses is not supported.")
				case strings.HasSuffix(want, "..."):
					wantError(t, a, 400, "Request_UnsupportedQuery", "Complex query on property assignedPlans is not supported.")
				case strings.HasPrefix(want, "^"):
					wantError(t, a, 400, "Request_UnsupportedQuery", "Operator '"+name+"' is not supported because the required parameters might be missing. "+
						"Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information")
				case strings.HasPrefix(want, "!"):
					wantError(t, a, 400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified for property '"+name+"' of resource 'User'.")
				case strings.HasPrefix(want, "?"):
					wantError(t, a, 501, "NotImplemented", "licensingtest does not serve filters with "+name+".")
				default:
					if got := getPage(t, tenant, query, eventual).names(); got != want {
						t.Errorf("%s: found %q, want %q", query, got, want)
					}
				}
			}
		})
	}
}

// How many clauses there may be: microsoftgraph/microsoft-graph-docs issue 21098,
// which has the text, and finds that an advanced query has more. An answer of
// 2019, for or, has the code, and a period at the end.
func TestFiltersOfManyClauses(t *testing.T) {
	t.Parallel()
	list := func(n int, one, by string) string { return strings.Repeat(by+one, n)[len(by):] }
	in := func(n int) string { return "userPrincipalName+in+(" + list(n, "'"+adele+"'", ",") + ")" }
	or := func(n int) string { return list(n, "userPrincipalName+eq+'"+adele+"'", "+or+") }
	for filter, refused := range map[string]string{
		in(15):                               "",
		in(16):                               "16",
		in(40):                               "40",
		or(15):                               "",
		or(16):                               "16",
		or(18):                               "18",
		"(" + or(8) + ")+or+(" + or(8) + ")": "16",
		or(1) + "+or+" + in(15):              "16",
		in(7) + "+or+" + in(8):               "",
		or(8) + "+or+accountEnabled+eq+true+and+" + or(7):          "",
		"accountEnabled+eq+true+and+(" + or(16) + ")":              "16",
		"(" + or(15) + ")+and+(" + or(15) + ")":                    "",
		"(" + or(17) + ")+and+(" + or(16) + ")":                    "17",
		list(20, "startswith(userPrincipalName,'adele')", "+and+"): "",
		"((" + or(15) + ")+and+(" + or(15) + "))+or+" + or(1):      "",
	} {
		tenant := newFiltered()
		advanced := "/users?$select=userPrincipalName&$count=true&$filter=" + filter
		if got := getPage(t, tenant, advanced, eventual).names(); !strings.HasPrefix(got, "adele") {
			t.Errorf("%s: found %q", advanced, got)
		}
		for _, a := range []answer{
			call(t, tenant, "GET", advanced, ""),
			call(t, tenant, "GET", "/users?$filter="+filter, "", eventual),
		} {
			if refused == "" {
				if a.status != 200 {
					t.Errorf("%s: %d %s", filter, a.status, a.body)
				}
				continue
			}
			wantError(t, a, 400, "Request_UnsupportedQuery",
				"Too many child clauses specified in search filter expression containing 'OR' operators: "+refused+". Max allowed: 15.")
		}
	}
}

// The header alone is missing: the text was observed for endsWith.
func TestFilterWithoutHeader(t *testing.T) {
	t.Parallel()
	for filter, operator := range map[string]string{"endsWith(mail,'a')": "endsWith", "accountEnabled+ne+true": "ne", "not(accountEnabled+eq+true)": "not"} {
		wantError(t, call(t, newTenant(), "GET", "/users?$count=true&$filter="+filter, ""), 400, "Request_UnsupportedQuery",
			"Operator '"+operator+"' is not supported because the 'ConsistencyLevel:eventual' header is missing. Refer to https://aka.ms/graph-docs/advanced-queries for more information")
	}
}

func TestGroupFilters(t *testing.T) {
	t.Parallel()
	tenant := newTenant()
	team := tenant.AddGroup(licensingtest.Group{
		DisplayName: "Team", GroupTypes: []string{"Unified", "DynamicMembership"}, MailEnabled: true, SecurityDisabled: true,
		Mail: "team@contoso.example", MailNickname: "team", OnPremisesSyncEnabled: true, IsAssignableToRole: true,
	})
	for filter, want := range map[string]string{
		"groupTypes/any(c:c+eq+'unified')":                        "Team",
		"NOT+groupTypes/any(c:c+eq+'DynamicMembership')":          "Sales",
		"securityEnabled+eq+true":                                 "Sales",
		"securityEnabled+eq+false+and+mailEnabled+eq+true":        "Team",
		"mail+eq+'team@contoso.example'":                          "Team",
		"startswith(mailNickname,'te')":                           "Team",
		"endsWith(mail,'.example')":                               "Team",
		"id+eq+'" + team.ID + "'":                                 "Team",
		"isAssignableToRole+eq+true":                              "Team",
		"onPremisesSyncEnabled+eq+true":                           "Team",
		"displayName+in+('Team','Sales')+and+mailEnabled+eq+true": "Team",
	} {
		if got := getPage(t, tenant, "/groups?$select=displayName&$count=true&$filter="+filter, eventual).names(); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
		if !strings.HasPrefix(filter, "NOT") && !strings.HasPrefix(filter, "endsWith") {
			if got := getPage(t, tenant, "/groups?$select=displayName&$filter="+filter).names(); got != want {
				t.Errorf("plain, %s: %q, want %q", filter, got, want)
			}
		}
	}
	wantError(t, call(t, tenant, "GET", "/groups?$filter=groupTypes/any(c:startswith(c,'U'))", ""), 400, "Request_UnsupportedQuery",
		"Unsupported or invalid query filter clause specified for property 'groupTypes' of resource 'Group'.")
	wantError(t, call(t, tenant, "GET", "/groups?$filter=visibility+eq+'Private'", ""), 501, "NotImplemented", "licensingtest does not serve filters with visibility.")
}

// What users and groups have beside licenses is there to be read.
func TestProperties(t *testing.T) {
	t.Parallel()
	tenant := newFiltered()
	wantJSON(t, call(t, tenant, "GET", "/users/"+adele, ""), 200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity",
		"businessPhones":["3"],"displayName":"Adele Vance","givenName":"Adele","jobTitle":"Seller","mail":"adele@mail.example","mobilePhone":"1","officeLocation":"2",
		"preferredLanguage":"de","surname":"Vance","userPrincipalName":"adele@contoso.example","id":"87d349ed-44d7-43e1-9a83-5f2406dee5bd"}`)
	// A security identifier is made of the four parts of the id.
	wantJSON(t, call(t, tenant, "GET", "/users/"+adele+"?$select=city,country,department,companyName,onPremisesSyncEnabled,otherMails,proxyAddresses,securityIdentifier,state", ""), 200,
		`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(city,country,department,companyName,onPremisesSyncEnabled,otherMails,proxyAddresses,securityIdentifier,state)/$entity",
		"city":"Bern","country":"US","department":"Sales","companyName":"Contoso","onPremisesSyncEnabled":true,"otherMails":["adele@home.example"],
		"proxyAddresses":["SMTP:adele@mail.example"],"securityIdentifier":"S-1-12-1-2278771181-1138836695-610239386-3185958406","state":null}`)
	u, _ := tenant.User(adele)
	u.OtherMails[0] = "changed"
	if again, _ := tenant.User(adele); again.OtherMails[0] != "adele@home.example" {
		t.Error("a change of what Tenant.User returned is in the tenant")
	}
}
