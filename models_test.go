package licensing_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// graphProperties are the properties of Graph's types that the models carry,
// in the spelling of Graph's metadata.
var graphProperties = map[reflect.Type]string{
	reflect.TypeFor[licensing.AssignLicenseRequest](): "addLicenses removeLicenses",
	reflect.TypeFor[licensing.AssignedLicense]():      "disabledPlans skuId",
	reflect.TypeFor[licensing.AssignedPlan]():         "assignedDateTime capabilityStatus service servicePlanId",
	reflect.TypeFor[licensing.ProvisionedPlan]():      "capabilityStatus provisioningStatus service",
	reflect.TypeFor[licensing.LicenseAssignmentState](): "assignedByGroup disabledPlans error lastUpdatedDateTime " +
		"skuId state",
	reflect.TypeFor[licensing.LicenseProcessingState](): "state",
	reflect.TypeFor[licensing.User](): "accountEnabled assignedLicenses assignedPlans businessPhones city companyName " +
		"country department displayName givenName id jobTitle licenseAssignmentStates mail mobilePhone officeLocation " +
		"onPremisesSyncEnabled otherMails preferredLanguage provisionedPlans proxyAddresses surname usageLocation " +
		"userPrincipalName userType",
	reflect.TypeFor[licensing.Group](): "assignedLicenses classification createdDateTime deletedDateTime description " +
		"displayName expirationDateTime groupTypes id isAssignableToRole licenseProcessingState mail mailEnabled " +
		"mailNickname membershipRule membershipRuleProcessingState onPremisesDomainName onPremisesLastSyncDateTime " +
		"onPremisesNetBiosName onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled " +
		"preferredDataLocation preferredLanguage proxyAddresses renewedDateTime resourceBehaviorOptions " +
		"resourceProvisioningOptions securityEnabled securityIdentifier theme visibility",
	reflect.TypeFor[licensing.SubscribedSKU](): "accountId accountName appliesTo capabilityStatus consumedUnits id " +
		"prepaidUnits servicePlans skuId skuPartNumber subscriptionIds",
	reflect.TypeFor[licensing.Subscription](): "commerceSubscriptionId createdDateTime id isTrial nextLifecycleDateTime ownerId ownerTenantId " +
		"ownerType serviceStatus skuId skuPartNumber status totalLicenses",
	reflect.TypeFor[licensing.LicenseUnits]():   "enabled lockedOut suspended warning",
	reflect.TypeFor[licensing.ServicePlan]():    "appliesTo provisioningStatus servicePlanId servicePlanName",
	reflect.TypeFor[licensing.LicenseDetails](): "id servicePlans skuId skuPartNumber",
}

// ownTypes are those that Graph has no part in.
var ownTypes = []reflect.Type{
	reflect.TypeFor[licensing.UserQuery](),
	reflect.TypeFor[licensing.GroupQuery](),
	reflect.TypeFor[licensing.ReadUsersOptions](),
	reflect.TypeFor[licensing.UserRead](),
	reflect.TypeFor[licensing.ServicePlanChange](),
	reflect.TypeFor[licensing.LicenseSwap](),
	reflect.TypeFor[licensing.SwapResult](),
	reflect.TypeFor[licensing.BulkOptions](),
}

// TestTheTagsAreGraphsNames walks through the models from those that the
// methods take and return.
func TestTheTagsAreGraphsNames(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(model reflect.Type) {
		switch model.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(model.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if model == reflect.TypeFor[time.Time]() || seen[model] || slices.Contains(ownTypes, model) {
			return
		}
		seen[model] = true
		var names []string
		for i := range model.NumField() {
			field := model.Field(i)
			if !field.IsExported() {
				t.Errorf("%v.%s is not exported", model, field.Name)
			}
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				t.Errorf("%v.%s has no JSON name", model, field.Name)
			}
			if !strings.EqualFold(name, field.Name) {
				t.Errorf("%v.%s is named %q in JSON", model, field.Name, name)
			}
			sent := model == reflect.TypeFor[licensing.AssignLicenseRequest]() || model == reflect.TypeFor[licensing.AssignedLicense]()
			amount := field.Type.Kind() == reflect.Int || field.Type == reflect.TypeFor[licensing.LicenseUnits]() // none is one, too
			if want := map[bool]string{true: "", false: "omitzero"}[sent || amount]; option != want {
				t.Errorf("%v.%s has the JSON option %q, want %q", model, field.Name, option, want)
			}
			names = append(names, name)
			walk(field.Type)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != graphProperties[model] {
			t.Errorf("%v has the properties\n%s\nwant\n%s", model, got, graphProperties[model])
		}
	}
	client := reflect.TypeFor[*licensing.Client]()
	for i := range client.NumMethod() {
		method := client.Method(i).Type
		for i := range method.NumIn() {
			if in := method.In(i); in.Kind() == reflect.Struct {
				walk(in)
			}
		}
		if method.NumOut() > 0 {
			walk(method.Out(0))
		}
	}
	for model := range graphProperties {
		if !seen[model] {
			t.Errorf("%v is not in what the client takes or returns", model)
		}
	}
}

func TestRequestsAreNeverNull(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"nothing", licensing.AssignLicenseRequest{}, `{"addLicenses":[],"removeLicenses":[]}`},
		{"empty lists", &licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{}, RemoveLicenses: []uuid.UUID{}}, `{"addLicenses":[],"removeLicenses":[]}`},
		{"an addition", add(skuA), addsA},
		{"two of everything", licensing.AssignLicenseRequest{
			AddLicenses:    []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA, planB}}, {SKUID: skuB}},
			RemoveLicenses: []uuid.UUID{skuC, uuid.Max},
		}, `{"addLicenses":[{"disabledPlans":["` + planA.String() + `","` + planB.String() + `"],"skuId":"` + skuA.String() + `"},` +
			`{"disabledPlans":[],"skuId":"` + skuB.String() + `"}],` +
			`"removeLicenses":["` + skuC.String() + `","ffffffff-ffff-ffff-ffff-ffffffffffff"]}`},
		{"a license", licensing.AssignedLicense{}, `{"disabledPlans":[],"skuId":"00000000-0000-0000-0000-000000000000"}`},
		{"a license by pointer", &licensing.AssignedLicense{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}, `{"disabledPlans":["` + planA.String() + `"],"skuId":"` + skuA.String() + `"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(test.value)
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
			back := reflect.New(reflect.Indirect(reflect.ValueOf(test.value)).Type()).Interface()
			if err := json.Unmarshal(got, back); err != nil {
				t.Fatal(err)
			}
			if again, err := json.Marshal(back); err != nil || string(again) != test.want {
				t.Errorf("read back it is %s, %v", again, err)
			}
		})
	}
}

const (
	wholeUser = `{
		"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
		"id": "11111111-1111-4111-8111-111111111111",
		"accountEnabled": false,
		"assignedLicenses": [{"disabledPlans": ["a0000000-0000-4000-8000-000000000001"], "skuId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}, {"disabledPlans": [], "skuId": "BBBBBBBB-BBBB-4BBB-8BBB-BBBBBBBBBBBB"}],
		"assignedPlans": [{"assignedDateTime": "2026-01-02T03:04:05Z", "capabilityStatus": "Enabled", "service": "exchange", "servicePlanId": "b0000000-0000-4000-8000-000000000002"}],
		"businessPhones": ["+47 1", "+47 2"],
		"city": "Oslo",
		"companyName": "Contoso",
		"country": "Norway",
		"department": "Sales",
		"displayName": "Adele Vance",
		"givenName": "Adele",
		"jobTitle": "Manager",
		"licenseAssignmentStates": [{"assignedByGroup": "22222222-2222-4222-8222-222222222222", "disabledPlans": ["a0000000-0000-4000-8000-000000000001"], "error": "CountViolation", "lastUpdatedDateTime": "2026-01-02T03:04:05.678Z", "skuId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "state": "Error"}],
		"mail": "adele@contoso.com",
		"mobilePhone": "+47 3",
		"officeLocation": "7th",
		"onPremisesSyncEnabled": true,
		"otherMails": ["adele@example.com"],
		"preferredLanguage": "nb-NO",
		"provisionedPlans": [{"capabilityStatus": "Deleted", "provisioningStatus": "Success", "service": "SharePoint"}],
		"proxyAddresses": ["SMTP:adele@contoso.com"],
		"surname": "Vance",
		"usageLocation": "NO",
		"userPrincipalName": "adele@contoso.com",
		"userType": "Member"
	}`
	wholeGroup = `{
		"id": "22222222-2222-4222-8222-222222222222",
		"assignedLicenses": [{"disabledPlans": [], "skuId": "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],
		"classification": "Low",
		"createdDateTime": "2021-03-12T11:15:03Z",
		"deletedDateTime": "2022-03-12T11:15:03Z",
		"description": "Everybody",
		"displayName": "All",
		"expirationDateTime": "2023-03-12T11:15:03Z",
		"groupTypes": ["Unified"],
		"isAssignableToRole": false,
		"licenseProcessingState": {"state": "ProcessingComplete"},
		"mail": "all@contoso.com",
		"mailEnabled": true,
		"mailNickname": "all",
		"membershipRule": "user.country -eq \"Norway\"",
		"membershipRuleProcessingState": "On",
		"onPremisesDomainName": "contoso.local",
		"onPremisesLastSyncDateTime": "2024-03-12T11:15:03Z",
		"onPremisesNetBiosName": "CONTOSO",
		"onPremisesSamAccountName": "all",
		"onPremisesSecurityIdentifier": "S-1-5-21-1",
		"onPremisesSyncEnabled": true,
		"preferredDataLocation": "EUR",
		"preferredLanguage": "nb-NO",
		"proxyAddresses": ["SMTP:all@contoso.com"],
		"renewedDateTime": "2025-03-12T11:15:03Z",
		"resourceBehaviorOptions": ["WelcomeEmailDisabled"],
		"resourceProvisioningOptions": ["Team"],
		"securityEnabled": true,
		"securityIdentifier": "S-1-12-1-1",
		"theme": "Teal",
		"visibility": "Public"
	}`
)

func TestEveryPropertyIsRead(t *testing.T) {
	t.Parallel()
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		s := newScript(t, reply(200, wholeUser))
		got, err := newClient(t, s).ReprocessUserLicense(t.Context(), userID)
		if err != nil {
			t.Fatal(err)
		}
		want := &licensing.User{
			ID:               userID,
			AccountEnabled:   new(false),
			AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}, {SKUID: skuB, DisabledPlans: []uuid.UUID{}}},
			AssignedPlans: []licensing.AssignedPlan{{
				AssignedDateTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), CapabilityStatus: licensing.CapabilityStatusEnabled, Service: "exchange", ServicePlanID: planB,
			}},
			BusinessPhones: []string{"+47 1", "+47 2"},
			City:           "Oslo", CompanyName: "Contoso", Country: "Norway", Department: "Sales",
			DisplayName: "Adele Vance", GivenName: "Adele", JobTitle: "Manager",
			LicenseAssignmentStates: []licensing.LicenseAssignmentState{{
				AssignedByGroup: groupID, DisabledPlans: []uuid.UUID{planA}, Error: licensing.AssignmentErrorCountViolation,
				LastUpdatedDateTime: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), SKUID: skuA, State: licensing.AssignmentStateError,
			}},
			Mail: "adele@contoso.com", MobilePhone: "+47 3", OfficeLocation: "7th",
			OnPremisesSyncEnabled: new(true),
			OtherMails:            []string{"adele@example.com"},
			PreferredLanguage:     "nb-NO",
			ProvisionedPlans: []licensing.ProvisionedPlan{{
				CapabilityStatus: licensing.CapabilityStatusDeleted, ProvisioningStatus: licensing.ProvisioningStatusSuccess, Service: "SharePoint",
			}},
			ProxyAddresses: []string{"SMTP:adele@contoso.com"},
			Surname:        "Vance", UsageLocation: "NO", UserPrincipalName: "adele@contoso.com", UserType: "Member",
		}
		same(t, "user", got, want)
		roundTrip(t, *got)
	})
	t.Run("group", func(t *testing.T) {
		t.Parallel()
		s := newScript(t, reply(202, wholeGroup))
		got, err := newClient(t, s).AssignGroupLicense(t.Context(), groupID, add(skuA))
		if err != nil {
			t.Fatal(err)
		}
		at := func(year int) time.Time { return time.Date(year, 3, 12, 11, 15, 3, 0, time.UTC) }
		want := &licensing.Group{
			ID:               groupID,
			AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}},
			Classification:   "Low", CreatedDateTime: at(2021), DeletedDateTime: at(2022),
			Description: "Everybody", DisplayName: "All", ExpirationDateTime: at(2023),
			GroupTypes: []string{"Unified"}, IsAssignableToRole: new(false),
			LicenseProcessingState: &licensing.LicenseProcessingState{State: licensing.ProcessingStateComplete},
			Mail:                   "all@contoso.com", MailEnabled: new(true), MailNickname: "all",
			MembershipRule: `user.country -eq "Norway"`, MembershipRuleProcessingState: "On",
			OnPremisesDomainName: "contoso.local", OnPremisesLastSyncDateTime: at(2024), OnPremisesNetBIOSName: "CONTOSO",
			OnPremisesSAMAccountName: "all", OnPremisesSecurityIdentifier: "S-1-5-21-1", OnPremisesSyncEnabled: new(true),
			PreferredDataLocation: "EUR", PreferredLanguage: "nb-NO", ProxyAddresses: []string{"SMTP:all@contoso.com"},
			RenewedDateTime: at(2025), ResourceBehaviorOptions: []string{"WelcomeEmailDisabled"}, ResourceProvisioningOptions: []string{"Team"},
			SecurityEnabled: new(true), SecurityIdentifier: "S-1-12-1-1", Theme: "Teal", Visibility: "Public",
		}
		same(t, "group", got, want)
		roundTrip(t, *got)
	})
	t.Run("no property is left untested", func(t *testing.T) {
		t.Parallel()
		for model, text := range map[reflect.Type]string{reflect.TypeFor[licensing.User](): wholeUser, reflect.TypeFor[licensing.Group](): wholeGroup} {
			var properties map[string]any
			if err := json.Unmarshal([]byte(text), &properties); err != nil {
				t.Fatal(err)
			}
			for name := range strings.FieldsSeq(graphProperties[model]) {
				if properties[name] == nil {
					t.Errorf("%v: %s is not in the example", model, name)
				}
			}
		}
	})
}

// roundTrip writes a model as JSON and reads it back.
func roundTrip[T any](t *testing.T, model T) {
	t.Helper()
	text, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	same(t, "read back", back, model)
}

func TestWhatWasNotReturnedIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, v := range []any{licensing.User{}, licensing.Group{}, licensing.AssignedPlan{}, licensing.ProvisionedPlan{}, licensing.LicenseAssignmentState{}, licensing.LicenseProcessingState{}} {
		if got, err := json.Marshal(v); err != nil || string(got) != "{}" {
			t.Errorf("%T: got %s, %v, want {}", v, got, err)
		}
	}
	roundTrip(t, licensing.User{AssignedLicenses: []licensing.AssignedLicense{}, AccountEnabled: new(false)})
	roundTrip(t, licensing.Group{LicenseProcessingState: new(licensing.LicenseProcessingState)})
}

func TestAModelThatIsReadAgainKeepsNothing(t *testing.T) {
	t.Parallel()
	user := licensing.User{ID: "old", City: "old", AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA}}, LicenseAssignmentStates: []licensing.LicenseAssignmentState{{}}}
	group := licensing.Group{ID: "old", Theme: "old", AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA}}, CreatedDateTime: time.Now()}
	if err := errors.Join(json.Unmarshal([]byte(`{"id":"new"}`), &user), json.Unmarshal([]byte(`{"id":"new"}`), &group)); err != nil {
		t.Fatal(err)
	}
	same(t, "user", user, licensing.User{ID: "new"})
	same(t, "group", group, licensing.Group{ID: "new"})
}

func TestEnumerations(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"CapabilityStatus":   {"Enabled", "Warning", "Suspended", "LockedOut", "Deleted"},
		"ProvisioningStatus": {"Success", "Disabled", "Error", "PendingInput", "PendingActivation", "PendingProvisioning"},
		"AssignmentState":    {"Active", "ActiveWithError", "Disabled", "Error"},
		"AssignmentError": {"None", "CountViolation", "MutuallyExclusiveViolation", "DependencyViolation", "ProhibitedInUsageLocationViolation",
			"UniquenessViolation", "Other"},
		"ProcessingState": {"QueuedForProcessing", "ProcessingInProgress", "ProcessingComplete"},
	}
	got := map[string][]string{}
	for _, v := range []any{
		licensing.CapabilityStatusEnabled, licensing.CapabilityStatusWarning, licensing.CapabilityStatusSuspended, licensing.CapabilityStatusLockedOut, licensing.CapabilityStatusDeleted,
		licensing.ProvisioningStatusSuccess, licensing.ProvisioningStatusDisabled, licensing.ProvisioningStatusError,
		licensing.ProvisioningStatusPendingInput, licensing.ProvisioningStatusPendingActivation, licensing.ProvisioningStatusPendingProvisioning,
		licensing.AssignmentStateActive, licensing.AssignmentStateActiveWithError, licensing.AssignmentStateDisabled, licensing.AssignmentStateError,
		licensing.AssignmentErrorNone, licensing.AssignmentErrorCountViolation, licensing.AssignmentErrorMutuallyExclusiveViolation, licensing.AssignmentErrorDependencyViolation,
		licensing.AssignmentErrorProhibitedInUsageLocationViolation, licensing.AssignmentErrorUniquenessViolation, licensing.AssignmentErrorOther,
		licensing.ProcessingStateQueued, licensing.ProcessingStateInProgress, licensing.ProcessingStateComplete,
	} {
		value := reflect.ValueOf(v)
		got[value.Type().Name()] = append(got[value.Type().Name()], value.String())
	}
	same(t, "values", got, want)
}

// answerUser returns what a client makes of a 200 with body.
func answerUser(t *testing.T, body string) (*licensing.User, error) {
	t.Helper()
	return newClient(t, newScript(t, reply(200, body, "request-id", "r1"))).ReprocessUserLicense(t.Context(), userID)
}

// answerGroup returns what a client makes of a 202 with body.
func answerGroup(t *testing.T, body string) (*licensing.Group, error) {
	t.Helper()
	return newClient(t, newScript(t, reply(202, body, "request-id", "r1"))).AssignGroupLicense(t.Context(), groupID, add(skuA))
}

func TestLenientDecodingOfUsers(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name, body string
		want       licensing.User
	}{
		{"nothing", `{"@odata.context":"x"}`, licensing.User{}},
		{"blanks around it", " \r\n\t{ \"@odata.context\" : \"x\" } \n", licensing.User{}},
		{"unknown properties", `{"@odata.type":"#microsoft.graph.user","skuId":7,"manager":{"id":1},"assignedLicenses":[{"@odata.type":"x","skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","extra":[{}]}]}`,
			licensing.User{AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA}}}},
		{"null for everything", `{"id":null,"accountEnabled":null,"assignedLicenses":null,"assignedPlans":null,"businessPhones":null,"city":null,"licenseAssignmentStates":null,"onPremisesSyncEnabled":null,"provisionedPlans":null,"usageLocation":null}`,
			licensing.User{}},
		{"empty lists are lists", `{"assignedLicenses":[],"assignedPlans":[],"businessPhones":[],"licenseAssignmentStates":[],"provisionedPlans":[]}`,
			licensing.User{
				AssignedLicenses: []licensing.AssignedLicense{}, AssignedPlans: []licensing.AssignedPlan{}, BusinessPhones: []string{},
				LicenseAssignmentStates: []licensing.LicenseAssignmentState{}, ProvisionedPlans: []licensing.ProvisionedPlan{},
			}},
		{"ids in upper case", `{"assignedLicenses":[{"skuId":"AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA","disabledPlans":["A0000000-0000-4000-8000-000000000001"]}]}`,
			licensing.User{AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}}}},
		{"ids with escapes", `{"assignedLicenses":[{"skuId":"\u0061aaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}]}`,
			licensing.User{AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA}}}},
		{"null and empty ids in lists", `{"assignedLicenses":[{"disabledPlans":[null,"a0000000-0000-4000-8000-000000000001","",null],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"licenseAssignmentStates":[{"disabledPlans":["",null]}]}`,
			licensing.User{
				AssignedLicenses:        []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{planA}}},
				LicenseAssignmentStates: []licensing.LicenseAssignmentState{{DisabledPlans: []uuid.UUID{}}},
			}},
		{"null and empty scalars", `{"assignedLicenses":[{"skuId":null,"disabledPlans":null},{"skuId":""}],"assignedPlans":[{"assignedDateTime":null,"capabilityStatus":null,"service":null,"servicePlanId":null},{"assignedDateTime":"","servicePlanId":""}],"licenseAssignmentStates":[{"assignedByGroup":null,"disabledPlans":null,"error":null,"lastUpdatedDateTime":null,"skuId":null,"state":null}]}`,
			licensing.User{
				AssignedLicenses: []licensing.AssignedLicense{{}, {}}, AssignedPlans: []licensing.AssignedPlan{{}, {}},
				LicenseAssignmentStates: []licensing.LicenseAssignmentState{{}},
			}},
		{"times in all their forms", `{"assignedPlans":[{"assignedDateTime":"2026-01-02T03:04:05Z"},{"assignedDateTime":"2026-01-02T03:04:05"},{"assignedDateTime":"2026-01-02T03:04:05.1234567"},{"assignedDateTime":"2026-01-02T03:04:05.1234567Z"}]}`,
			licensing.User{AssignedPlans: []licensing.AssignedPlan{
				{AssignedDateTime: at}, {AssignedDateTime: at}, {AssignedDateTime: at.Add(123456700)}, {AssignedDateTime: at.Add(123456700)},
			}}},
		{"unknown words", `{"assignedPlans":[{"capabilityStatus":"Frozen"}],"licenseAssignmentStates":[{"state":"Dreaming","error":"Others"}],"provisionedPlans":[{"provisioningStatus":"Stuck"}]}`,
			licensing.User{
				AssignedPlans:           []licensing.AssignedPlan{{CapabilityStatus: "Frozen"}},
				LicenseAssignmentStates: []licensing.LicenseAssignmentState{{State: "Dreaming", Error: "Others"}},
				ProvisionedPlans:        []licensing.ProvisionedPlan{{ProvisioningStatus: "Stuck"}},
			}},
		{"nothing but text is changed", `{"city":"Trondheim \u00e6\u00f8\u00e5 \ud83c\udf89","displayName":"a\nb"}`, licensing.User{City: "Trondheim æøå 🎉", DisplayName: "a\nb"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := answerUser(t, test.body)
			if err != nil {
				t.Fatal(err)
			}
			test.want.ID = userID
			same(t, "user", *got, test.want)
		})
	}
}

func TestATimeWithAnOffset(t *testing.T) {
	t.Parallel()
	got, err := answerUser(t, `{"assignedPlans":[{"assignedDateTime":"2026-01-02T05:04:05+02:00"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if at, want := got.AssignedPlans[0].AssignedDateTime, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC); !at.Equal(want) {
		t.Errorf("got %v, want %v", at, want)
	}
}

func TestLenientDecodingOfGroups(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name, body string
		want       licensing.Group
	}{
		{"null for everything", `{"id":null,"assignedLicenses":null,"createdDateTime":null,"deletedDateTime":null,"expirationDateTime":null,"groupTypes":null,"licenseProcessingState":null,"mailEnabled":null,"onPremisesLastSyncDateTime":null,"renewedDateTime":null}`,
			licensing.Group{}},
		{"empty times", `{"createdDateTime":"","deletedDateTime":"","expirationDateTime":"","onPremisesLastSyncDateTime":"","renewedDateTime":""}`, licensing.Group{}},
		{"times without a zone", `{"createdDateTime":"2026-01-02T03:04:05","renewedDateTime":"2026-01-02T03:04:05.5"}`,
			licensing.Group{CreatedDateTime: at, RenewedDateTime: at.Add(500 * time.Millisecond)}},
		{"an empty processing state", `{"licenseProcessingState":{}}`, licensing.Group{LicenseProcessingState: &licensing.LicenseProcessingState{}}},
		{"a null in the processing state", `{"licenseProcessingState":{"state":null}}`, licensing.Group{LicenseProcessingState: &licensing.LicenseProcessingState{}}},
		{"unknown properties", `{"hasMembersWithLicenseErrors":true,"uniqueName":null,"assignedLicenses":[{"disabledPlans":[""],"skuId":"AAAAAAAA-aaaa-4AAA-8aaa-aaaaaaaaaaaa"}]}`,
			licensing.Group{AssignedLicenses: []licensing.AssignedLicense{{SKUID: skuA, DisabledPlans: []uuid.UUID{}}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := answerGroup(t, test.body)
			if err != nil {
				t.Fatal(err)
			}
			test.want.ID = groupID
			same(t, "group", *got, test.want)
		})
	}
}

func TestDecodeErrorNamesTheProperty(t *testing.T) {
	t.Parallel()
	type want struct{ property, cause string }
	users := map[string]want{
		`{"assignedLicenses":[{"skuId":"skuId-value"}]}`:                                                               {"assignedLicenses[0].skuId", "not a GUID"},
		`{"assignedLicenses":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},{"disabledPlans":["", "plan", null]}]}`: {"assignedLicenses[1].disabledPlans[1]", "not a GUID"},
		`{"assignedLicenses":[{"skuId":7}]}`:                                                                           {"assignedLicenses[0].skuId", "not a string"},
		`{"assignedLicenses":[{"skuId":{}}]}`:                                                                          {"assignedLicenses[0].skuId", "not a string"},
		`{"assignedLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}`:                                                {"assignedLicenses[0]", ""},
		`{"assignedLicenses":{}}`:                                                                                      {"assignedLicenses", ""},
		`{"assignedPlans":[{"assignedDateTime":"soon"}]}`:                                                              {"assignedPlans[0].assignedDateTime", ""},
		`{"assignedPlans":[{"assignedDateTime":1767323045}]}`:                                                          {"assignedPlans[0].assignedDateTime", "not a string"},
		`{"assignedPlans":[{"servicePlanId":true}]}`:                                                                   {"assignedPlans[0].servicePlanId", "not a string"},
		`{"licenseAssignmentStates":[{},{"skuId":"x"}]}`:                                                               {"licenseAssignmentStates[1].skuId", "not a GUID"},
		`{"licenseAssignmentStates":[{"lastUpdatedDateTime":"2026-13-01T00:00:00"}]}`:                                  {"licenseAssignmentStates[0].lastUpdatedDateTime", ""},
		`{"licenseAssignmentStates":[{"state":1}]}`:                                                                    {"licenseAssignmentStates[0].state", ""},
		`{"accountEnabled":"yes"}`:                                                                                     {"accountEnabled", ""},
		`{"businessPhones":["1",2]}`:                                                                                   {"businessPhones[1]", ""},
		`{"businessPhones":"1"}`:                                                                                       {"businessPhones", ""},
		`{"city":{"name":"Oslo"}}`:                                                                                     {"city", ""},
		`{"provisionedPlans":[{"service":[]}]}`:                                                                        {"provisionedPlans[0].service", ""},
		`{"id":null,"city":1}`:                                                                                         {"city", ""},
		`{"id":"` + strings.ToUpper(userID) + `","city":1}`:                                                            {"city", ""},
		`{"id":"\u0031` + userID[1:] + `","city":1}`:                                                                   {"city", ""},
	}
	for body, want := range users {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			user, err := answerUser(t, body)
			if user != nil {
				t.Error("got a user with an error")
			}
			wantDecodeError(t, err, "reprocess user license", 200, body, want.property, want.cause)
		})
	}
	groups := map[string]want{
		`{"assignedLicenses":[{"skuId":"skuId-value"}]}`:  {"assignedLicenses[0].skuId", "not a GUID"},
		`{"createdDateTime":"yesterday"}`:                 {"createdDateTime", ""},
		`{"deletedDateTime":0}`:                           {"deletedDateTime", "not a string"},
		`{"licenseProcessingState":"ProcessingComplete"}`: {"licenseProcessingState", ""},
		`{"licenseProcessingState":{"state":1}}`:          {"licenseProcessingState.state", ""},
		`{"groupTypes":[{}]}`:                             {"groupTypes[0]", ""},
		`{"mailEnabled":1}`:                               {"mailEnabled", ""},
	}
	for body, want := range groups {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			group, err := answerGroup(t, body)
			if group != nil {
				t.Error("got a group with an error")
			}
			wantDecodeError(t, err, "assign group license", 202, body, want.property, want.cause)
		})
	}
}

// wantDecodeError checks that err says everything about an answer whose
// request-id is r1.
func wantDecodeError(t *testing.T, err error, op string, status int, body, property, cause string) {
	t.Helper()
	e, ok := errors.AsType[*licensing.DecodeError](err)
	if !ok {
		t.Fatalf("got error %v of type %T, want a *DecodeError", err, err)
	}
	if e.Op != op || e.StatusCode != status || e.RequestID != "r1" || e.Property != property || string(e.Body) != body || e.Err == nil {
		t.Errorf("got %+v, want op %q, status %d, request id r1, property %q, body %s and a cause", e, op, status, property, body)
	}
	if cause != "" && e.Err.Error() != cause {
		t.Errorf("the cause is %v, want %s", e.Err, cause)
	}
	if _, err := uuid.Parse(e.ClientRequestID); err != nil {
		t.Errorf("the client-request-id is %q", e.ClientRequestID)
	}
	if !errors.Is(err, e.Err) {
		t.Error("the cause is not wrapped")
	}
	if kinds(err) != "" {
		t.Errorf("the error is %q, want none of the sentinels: the change was accepted", kinds(err))
	}
	text := err.Error()
	if !strings.HasPrefix(text, op+": ") || !strings.Contains(text, `: property "`+property+`": `) || strings.ContainsAny(text, "\r\n") {
		t.Errorf("got error %s", text)
	}
}

func TestDecodeErrorText(t *testing.T) {
	t.Parallel()
	var none *licensing.DecodeError
	tests := []struct {
		err  error
		want string
	}{
		{none, "<nil>"},
		{&licensing.DecodeError{}, "answer cannot be read"},
		{&licensing.DecodeError{Err: errors.New("odd\nthing")}, "answer cannot be read: odd thing"},
		{&licensing.DecodeError{Op: "assign user license", StatusCode: 200, Property: "assignedLicenses[0].skuId", Err: errors.New("not a GUID"), RequestID: "r1"},
			`assign user license: 200 answer cannot be read: property "assignedLicenses[0].skuId": not a GUID (request-id r1)`},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got error  %s\nwant error %s", got, test.want)
		}
	}
	if none.Unwrap() != nil {
		t.Error("a nil error wraps something")
	}
}

// An error of a nested value is found in whichever of its places it stands,
// with all the parts around it that are good.
func TestDecodeErrorInALongAnswer(t *testing.T) {
	t.Parallel()
	licenses := slices.Repeat([]string{`{"disabledPlans":["a0000000-0000-4000-8000-000000000001"],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}`}, 200)
	licenses[187] = `{"disabledPlans":["a0000000-0000-4000-8000-000000000001","none"]}`
	_, err := answerUser(t, `{"city":"Oslo","assignedLicenses":[`+strings.Join(licenses, ",")+`],"displayName":"Adele"}`)
	e, ok := errors.AsType[*licensing.DecodeError](err)
	if want := "assignedLicenses[187].disabledPlans[1]"; !ok || e.Property != want {
		t.Errorf("got error %v, want property %s", err, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		wholeUser, wholeGroup, `{}`, `null`, `[]`, `{"error":null}`, `{"id":"` + userID + `"}`, `{"id":5,"city":5}`, `{"ID":"x","id":null}`,
		`{"assignedLicenses":[null,{"disabledPlans":[null,""],"skuId":"{aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}"}]}`,
		`{"assignedPlans":[{"assignedDateTime":"2026-01-02T03:04:05.9+24:00"}]}`, `{"city":"a","city":5,"CITY":"b"}`,
		`{"assignedLicenses":[{"skuId":"skuId-value"}]}`, `{"createdDateTime":"0000-01-01T00:00:00Z"}`, "{\"city\":\"\xff\"}", `{"id":"` + userID + `"}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client := newClient(t, stub{200, string(body)}, once)
		user, err := client.ReprocessUserLicense(t.Context(), userID)
		checkDecoded(t, user, err, body)
		if err == nil && !strings.EqualFold(user.ID, userID) {
			t.Errorf("got the user %q, asked for %q", user.ID, userID)
		}
		group, err := client.AssignGroupLicense(t.Context(), groupID, add(skuA))
		checkDecoded(t, group, err, body)
		if err == nil && !strings.EqualFold(group.ID, groupID) {
			t.Errorf("got the group %q, asked for %q", group.ID, groupID)
		}
	})
}

// checkDecoded checks that a result is there when an error is not, and keeps
// what it says when it is written as JSON and read again.
func checkDecoded[T any](t *testing.T, got *T, err error, body []byte) {
	t.Helper()
	if (got == nil) != (err != nil) {
		t.Fatalf("got %v with error %v", got, err)
	}
	if err != nil {
		if text := err.Error(); text == "" || strings.ContainsAny(text, "\r\n") {
			t.Errorf("the error is %q", text)
		}
		return
	}
	if !json.Valid(body) {
		t.Errorf("success with %q, which is no JSON", body)
	}
	first, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	again := new(T)
	if err := json.Unmarshal(first, again); err != nil {
		t.Fatalf("%s cannot be read again: %v", first, err)
	}
	if second, err := json.Marshal(again); err != nil || string(second) != string(first) {
		t.Errorf("got  %s, %v\nwant %s", second, err, first)
	}
}
