package licensing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// The examples of Graph's own pages on the operations, request by request and
// answer by answer.

const (
	reprocessedID = "047dd774-f1c4-40f2-82f0-278de79f9b83"
	licensedGroup = "1132b215-826f-42a9-8cfe-1643d19d17fd"
	otherGroup    = "1ad75eeb-7e5a-4367-a493-9214d90d54d0"
)

var (
	firstPlan    = uuid.MustParse("8a256a2b-b617-496d-b51b-e76466e88db0")
	firstSKU     = uuid.MustParse("84a661c4-e949-4bd2-a560-ed7766fcaf2b")
	secondSKU    = uuid.MustParse("f30db892-07e9-47e9-837c-80727f46fd3d")
	disabledPlan = uuid.MustParse("11b0131d-43c8-4bbb-b2c8-e80f9a50834a")
)

func TestExampleRequests(t *testing.T) {
	t.Parallel()
	assignMine := func(req licensing.AssignLicenseRequest) func(*testing.T, *licensing.Client) error {
		return func(t *testing.T, c *licensing.Client) error {
			_, err := c.AssignMyLicense(t.Context(), req)
			return err
		}
	}
	assignGroup := func(req licensing.AssignLicenseRequest) func(*testing.T, *licensing.Client) error {
		return func(t *testing.T, c *licensing.Client) error {
			_, err := c.AssignGroupLicense(t.Context(), licensedGroup, req)
			return err
		}
	}
	tests := []struct {
		name   string
		call   func(*testing.T, *licensing.Client) error
		answer step
		path   string
		body   string // as the page has it
	}{
		{
			"add two licenses to the signed-in user",
			assignMine(licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{
				{SKUID: firstSKU, DisabledPlans: []uuid.UUID{firstPlan}},
				{SKUID: secondSKU},
			}}),
			okUser, "/me/assignLicense",
			`{
				"addLicenses": [
					{
						"disabledPlans": [ "8a256a2b-b617-496d-b51b-e76466e88db0" ],
						"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
					},
					{
						"disabledPlans": [],
						"skuId": "f30db892-07e9-47e9-837c-80727f46fd3d"
					}
				],
				"removeLicenses": []
			}`,
		},
		{
			"remove two licenses from the signed-in user",
			assignMine(remove(secondSKU, firstSKU)),
			okUser, "/me/assignLicense",
			`{
				"addLicenses": [],
				"removeLicenses": [
					"f30db892-07e9-47e9-837c-80727f46fd3d",
					"84a661c4-e949-4bd2-a560-ed7766fcaf2b"
				]
			}`,
		},
		{
			"add and remove in one request",
			assignMine(licensing.AssignLicenseRequest{
				AddLicenses: []licensing.AssignedLicense{
					{SKUID: uuid.MustParse("45715bb8-13f9-4bf6-927f-ef96c102d394"), DisabledPlans: []uuid.UUID{disabledPlan}},
				},
				RemoveLicenses: []uuid.UUID{uuid.MustParse("bea13e0c-3828-4daa-a392-28af7ff61a0f")},
			}),
			okUser, "/me/assignLicense",
			`{
				"addLicenses": [
					{
						"disabledPlans": [ "11b0131d-43c8-4bbb-b2c8-e80f9a50834a" ],
						"skuId": "45715bb8-13f9-4bf6-927f-ef96c102d394"
					}
				],
				"removeLicenses": [ "bea13e0c-3828-4daa-a392-28af7ff61a0f" ]
			}`,
		},
		{
			"add licenses to a group",
			assignGroup(licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{
				{
					SKUID:         uuid.MustParse("b05e124f-c7cc-45a0-a6aa-8cf78c946968"),
					DisabledPlans: []uuid.UUID{uuid.MustParse("113feb6c-3fe4-4440-bddc-54d774bf0318"), uuid.MustParse("14ab5db5-e6c4-4b20-b4bc-13e36fd2227f")},
				},
				{
					SKUID:         uuid.MustParse("c7df2760-2c81-4ef7-b578-5b5392b571df"),
					DisabledPlans: []uuid.UUID{uuid.MustParse("a413a9ff-720c-4822-98ef-2f37c2a21f4c")},
				},
			}}),
			reply(202, `{"id":"`+licensedGroup+`"}`), "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd/assignLicense",
			`{
				"addLicenses": [
					{
						"disabledPlans": [
							"113feb6c-3fe4-4440-bddc-54d774bf0318",
							"14ab5db5-e6c4-4b20-b4bc-13e36fd2227f"
						],
						"skuId": "b05e124f-c7cc-45a0-a6aa-8cf78c946968"
					},
					{
						"disabledPlans": [
							"a413a9ff-720c-4822-98ef-2f37c2a21f4c"
						],
						"skuId": "c7df2760-2c81-4ef7-b578-5b5392b571df"
					}
				],
				"removeLicenses": []
			}`,
		},
		{
			"remove licenses from a group",
			assignGroup(remove(uuid.MustParse("c7df2760-2c81-4ef7-b578-5b5392b571df"), uuid.MustParse("b05e124f-c7cc-45a0-a6aa-8cf78c946968"))),
			reply(202, `{"id":"`+licensedGroup+`"}`), "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd/assignLicense",
			`{
				"addLicenses": [],
				"removeLicenses": [
					"c7df2760-2c81-4ef7-b578-5b5392b571df",
					"b05e124f-c7cc-45a0-a6aa-8cf78c946968"
				]
			}`,
		},
		{
			"reprocess a user",
			func(t *testing.T, c *licensing.Client) error {
				_, err := c.ReprocessUserLicense(t.Context(), reprocessedID)
				return err
			},
			reply(200, `{"id":"`+reprocessedID+`"}`), "/users/047dd774-f1c4-40f2-82f0-278de79f9b83/reprocessLicenseAssignment", "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, test.answer)
			if err := test.call(t, newClient(t, s.mocked("POST "+test.path))); err != nil {
				t.Fatal(err)
			}
			wantSent(t, s.requests()[0], "POST", test.path, canonical(t, test.body))
		})
	}
}

// canonical returns a JSON text with its names sorted and without blanks.
func canonical(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	short, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(short)
}

func TestExampleAnswers(t *testing.T) {
	t.Parallel()
	assignMine := func(t *testing.T, c *licensing.Client) (any, error) {
		return result(c.AssignMyLicense(t.Context(), add(skuA)))
	}
	tests := []struct {
		name   string
		path   string
		body   string
		call   func(*testing.T, *licensing.Client) (any, error)
		answer step
		want   any
	}{
		{
			"two licenses were added", "/me/assignLicense", addsA, assignMine,
			reply(200, `{
				"accountEnabled": true,
				"assignedLicenses": [
					{
						"disabledPlans": [ "8a256a2b-b617-496d-b51b-e76466e88db0" ],
						"skuId": "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
					},
					{
						"disabledPlans": [],
						"skuId": "f30db892-07e9-47e9-837c-80727f46fd3d"
					}
				],
				"city": "Nairobi",
				"companyName": "Contoso"
			}`),
			&licensing.User{
				AccountEnabled: new(true),
				AssignedLicenses: []licensing.AssignedLicense{
					{SKUID: firstSKU, DisabledPlans: []uuid.UUID{firstPlan}},
					{SKUID: secondSKU, DisabledPlans: []uuid.UUID{}},
				},
				City:        "Nairobi",
				CompanyName: "Contoso",
			},
		},
		{
			"the licenses were removed", "/me/assignLicense", addsA, assignMine,
			reply(200, `{
				"accountEnabled": true,
				"assignedLicenses": [],
				"city": "Nairobi",
				"companyName": "Contoso"
			}`),
			&licensing.User{AccountEnabled: new(true), AssignedLicenses: []licensing.AssignedLicense{}, City: "Nairobi", CompanyName: "Contoso"},
		},
		{
			"a SKU in upper case", "/me/assignLicense", addsA, assignMine,
			reply(200, `{
				"accountEnabled": true,
				"assignedLicenses": [
					{
						"disabledPlans": [ "11b0131d-43c8-4bbb-b2c8-e80f9a50834a" ],
						"skuId": "0118A350-71FC-4EC3-8F0C-6A1CB8867561"
					}
				],
				"assignedPlans": [
					{
						"assignedDateTime": "2016-10-02T12:13:14Z",
						"capabilityStatus": "capabilityStatus-value",
						"service": "service-value",
						"servicePlanId": "bea13e0c-3828-4daa-a392-28af7ff61a0f"
					}
				],
				"businessPhones": [
					"businessPhones-value"
				],
				"city": "city-value",
				"companyName": "companyName-value"
			}`),
			&licensing.User{
				AccountEnabled: new(true),
				AssignedLicenses: []licensing.AssignedLicense{
					{SKUID: uuid.MustParse("0118a350-71fc-4ec3-8f0c-6a1cb8867561"), DisabledPlans: []uuid.UUID{disabledPlan}},
				},
				AssignedPlans: []licensing.AssignedPlan{{
					AssignedDateTime: time.Date(2016, 10, 2, 12, 13, 14, 0, time.UTC),
					CapabilityStatus: "capabilityStatus-value",
					Service:          "service-value",
					ServicePlanID:    uuid.MustParse("bea13e0c-3828-4daa-a392-28af7ff61a0f"),
				}},
				BusinessPhones: []string{"businessPhones-value"},
				City:           "city-value",
				CompanyName:    "companyName-value",
			},
		},
		{
			"licenses were added to a group", "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd/assignLicense", addsA,
			func(t *testing.T, c *licensing.Client) (any, error) {
				return result(c.AssignGroupLicense(t.Context(), licensedGroup, add(skuA)))
			},
			reply(202, `{
				"id": "1132b215-826f-42a9-8cfe-1643d19d17fd",
				"createdDateTime": "2021-03-12T11:15:03Z",
				"groupTypes": [],
				"securityEnabled": true
			}`, "Location", "https://graph.microsoft.com/v2/e8e96c2a-d787-4eb1-98d7-9e57c965f1de/directoryObjects/1132b215-826f-42a9-8cfe-1643d19d17fd/Microsoft.DirectoryServices.Group"),
			&licensing.Group{
				ID:              licensedGroup,
				CreatedDateTime: time.Date(2021, 3, 12, 11, 15, 3, 0, time.UTC),
				GroupTypes:      []string{},
				SecurityEnabled: new(true),
			},
		},
		{
			"licenses were removed from a group", "/groups/1ad75eeb-7e5a-4367-a493-9214d90d54d0/assignLicense",
			`{"addLicenses":[],"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}`,
			func(t *testing.T, c *licensing.Client) (any, error) {
				return result(c.AssignGroupLicense(t.Context(), otherGroup, remove(skuA)))
			},
			removedFromGroup,
			&licensing.Group{
				ID:              otherGroup,
				CreatedDateTime: time.Date(2018, 4, 18, 22, 5, 3, 0, time.UTC),
				SecurityEnabled: new(true),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t, test.answer)
			got, err := test.call(t, newClient(t, s.mocked("POST "+test.path)))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "result", got, test.want)
			wantSent(t, s.requests()[0], "POST", test.path, test.body)
		})
	}
}

// removedFromGroup answers for a group that its page's request does not name.
var removedFromGroup = reply(202, `{
	"id": "1ad75eeb-7e5a-4367-a493-9214d90d54d0",
	"deletedDateTime": null,
	"classification": null,
	"createdDateTime": "2018-04-18T22:05:03Z",
	"securityEnabled": true

}`, "Location", "https://graph.microsoft.com/v2/d056d009-17b3-4106-8173-cd3978ada898/directoryObjects/1ad75eeb-7e5a-4367-a493-9214d90d54d0/Microsoft.DirectoryServices.Group")

func TestAnAnswerForAnotherGroupIsNoSuccess(t *testing.T) {
	t.Parallel()
	s := newScript(t, removedFromGroup)
	group, err := newClient(t, s.mocked("POST /groups/1132b215-826f-42a9-8cfe-1643d19d17fd/assignLicense"), once).AssignGroupLicense(t.Context(), licensedGroup, remove(skuA))
	if group != nil || kinds(err) != "Unavailable OutcomeUnknown" {
		t.Errorf("got %v, %v", group, err)
	}
	wantSent(t, s.requests()[0], "POST", "/groups/1132b215-826f-42a9-8cfe-1643d19d17fd/assignLicense", `{"addLicenses":[],"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}`)
	if got, want := fmt.Sprint(err), "assign group license: outcome unknown: 202 Accepted: answer is for another object (1 attempt)"; got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
}

// reprocessAnswer has a placeholder for a SKU.
const reprocessAnswer = `{
	"accountEnabled": true,
	"assignedLicenses": [
		{
			"disabledPlans": [ "11b0131d-43c8-4bbb-b2c8-e80f9a50834a" ],
			"skuId": "skuId-value"
		}
	],
	"assignedPlans": [
		{
			"assignedDateTime": "2016-10-19T10:37:00Z",
			"capabilityStatus": "capabilityStatus-value",
			"service": "service-value",
			"servicePlanId": "bea13e0c-3828-4daa-a392-28af7ff61a0f"
		}
	],
	"businessPhones": [
		"businessPhones-value"
	],
	"city": "city-value",
	"companyName": "companyName-value"
}`

func TestThePlaceholderOfTheReprocessPageIsADecodeError(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, reprocessAnswer, "request-id", "r1"))
	user, err := newClient(t, s.mocked("POST /users/047dd774-f1c4-40f2-82f0-278de79f9b83/reprocessLicenseAssignment")).ReprocessUserLicense(t.Context(), reprocessedID)
	if user != nil {
		t.Error("got a user with an error")
	}
	wantSent(t, s.requests()[0], "POST", "/users/047dd774-f1c4-40f2-82f0-278de79f9b83/reprocessLicenseAssignment", "")
	e, ok := errors.AsType[*licensing.DecodeError](err)
	if !ok || e.Property != "assignedLicenses[0].skuId" || e.StatusCode != 200 {
		t.Fatalf("got %#v", err)
	}
	if got, want := err.Error(), `reprocess user license: 200 answer cannot be read: property "assignedLicenses[0].skuId": not a GUID (request-id r1)`; got != want {
		t.Errorf("got error  %s\nwant error %s", got, want)
	}
}

// The rest of the reprocess page's answer is read when its placeholder is
// given a value.
func TestTheRestOfTheReprocessAnswer(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, strings.Replace(reprocessAnswer, "skuId-value", firstSKU.String(), 1), "request-id", "r1"))
	got, err := newClient(t, s.mocked("POST /users/047dd774-f1c4-40f2-82f0-278de79f9b83/reprocessLicenseAssignment")).ReprocessUserLicense(t.Context(), reprocessedID)
	if err != nil {
		t.Fatal(err)
	}
	wantSent(t, s.requests()[0], "POST", "/users/047dd774-f1c4-40f2-82f0-278de79f9b83/reprocessLicenseAssignment", "")
	same(t, "user", *got, licensing.User{
		ID:               reprocessedID,
		AccountEnabled:   new(true),
		AssignedLicenses: []licensing.AssignedLicense{{SKUID: firstSKU, DisabledPlans: []uuid.UUID{disabledPlan}}},
		AssignedPlans: []licensing.AssignedPlan{{
			AssignedDateTime: time.Date(2016, 10, 19, 10, 37, 0, 0, time.UTC),
			CapabilityStatus: "capabilityStatus-value",
			Service:          "service-value",
			ServicePlanID:    uuid.MustParse("bea13e0c-3828-4daa-a392-28af7ff61a0f"),
		}},
		BusinessPhones: []string{"businessPhones-value"},
		City:           "city-value",
		CompanyName:    "companyName-value",
	})
}
