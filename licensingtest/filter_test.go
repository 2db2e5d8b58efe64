package licensingtest_test

import (
	"strings"
	"testing"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	office := officeID.String()
	tests := []struct{ filter, advanced, simple string }{ // the users found by an advanced query, and by another; "!" is for a refusal, "?" for what is not served
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
		{"usageLocation eq null", "cy", "cy"},
		{"accountEnabled eq true", "adele bob o'dea", "adele bob o'dea"},
		{"accountEnabled eq false and userType eq 'Guest'", "cy", "cy"},
		{"usageLocation eq 'DE' or userType eq 'Guest' and accountEnabled eq true", "o'dea", "o'dea"},
		{"(usageLocation eq 'DE' OR userType eq 'Guest') AND accountEnabled EQ true", "o'dea", "o'dea"},

		{"assignedLicenses/any(x:x/skuId eq '" + office + "')", "!", "!"},
		{"assignedLicenses/any(x:y/skuId eq " + office + ")", "!", "!"},
		{"assignedLicenses/any(x:x/skuId ne " + office + ")", "!", "!"},
		{"assignedLicenses/any(x:x/skuId eq " + office, "!", "!"},
		{"assignedLicenses/any()", "!", "!"},
		{"assignedLicenses/all(x:x/skuId eq " + office + ")", "!", "!"},
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

		{"accountEnabled ne true", "cy", "!accountEnabled"},
		{"UserType NE 'guest'", "adele bob o'dea", "!UserType"},
		{"usageLocation ne 'US'", "cy o'dea", "!usageLocation"},
		{"usageLocation ne null", "adele bob o'dea", "!usageLocation"},
		{"not(usageLocation eq 'US')", "cy o'dea", "!usageLocation"},
		{"NOT startswith(displayName,'b') and accountEnabled eq true", "adele o'dea", "!displayName"},
		{"not (userType ne 'Guest' or usageLocation eq null)", "", "!userType"},
		{"not not accountEnabled eq false", "cy", "!accountEnabled"},
		{"accountEnabled eq true and usageLocation ne 'US'", "o'dea", "!usageLocation"},
		{"userType ne 'Guest' and usageLocation ne 'US'", "o'dea", "!userType"},
		{"not(assignedLicenses/any(x:x/skuId eq " + office + "))", "bob cy o'dea", "!assignedLicenses"},
		{"not(assignedLicenses/any(x:x/skuId eq " + office + ")) and accountEnabled eq true", "bob o'dea", "!complex"},
		{"endsWith(userPrincipalName,'A@Contoso.Example')", "o'dea", "!userPrincipalName"},
		{"endswith(displayName,'e') or endswith(displayName,'Y')", "adele cy", "!displayName"},

		{"department eq 'Sales'", "?department", "?department"},
		{"accountEnabled eq true and createdDateTime ge 2020-01-01T00:00:00Z", "?createdDateTime", "?createdDateTime"},
		{"onPremisesExtensionAttributes/extensionAttribute1 ne 'a'", "?onPremisesExtensionAttributes/extensionAttribute1", "?onPremisesExtensionAttributes/extensionAttribute1"},
		{"endsWith(mail,'@contoso.example')", "?mail", "?mail"},
		{"startsWith(mail,'a')", "?mail", "?mail"},
		{"contains(displayName,'a')", "?contains", "?contains"},
		{"licenseAssignmentStates/any(x:x/state eq 'Error')", "?licenseAssignmentStates/any", "?licenseAssignmentStates/any"},
		{"userPrincipalName in ('a','b')", "?in", "?in"},
		{"displayName ge 'a'", "?ge", "?ge"},
	}
	for _, test := range tests {
		t.Run(test.filter, func(t *testing.T) {
			t.Parallel()
			tenant := newListed()
			assign(t, tenant, "/users/"+adele, add(officeID))
			escaped := strings.NewReplacer(" ", "%20", "'", "%27").Replace(test.filter)
			for query, want := range map[string]string{
				"/users?$select=userPrincipalName&$count=true&$filter=" + escaped:                                    test.advanced,
				"/users?$select=userPrincipalName&%24filter=" + strings.ReplaceAll(escaped, "%20", "+"):              test.simple,
				"/users?$filter=" + escaped + "&%24count=false&$select=userPrincipalName&unknown=1&unknown=2&$top=9": test.simple,
			} {
				a := call(t, tenant, "GET", query, "", eventual)
				name := strings.TrimLeft(want, "!?")
				switch {
				case want == "!":
					wantError(t, a, 400, "BadRequest", "Invalid filter clause")
				case want == "!complex":
					wantError(t, a, 400, "Request_UnsupportedQuery", "Complex query on property assignedLicenses is not supported.")
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
