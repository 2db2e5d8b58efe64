package licensing_test

import (
	"testing"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"nothing":              "",
		"two dots":             "..",
		"a name":               "all-users",
		"a path":               groupID + "/members",
		"a query":              groupID + "?$select=id",
		"a GUID in braces":     "{" + groupID + "}",
		"a GUID as a URN":      "urn:uuid:" + groupID,
		"a GUID of one word":   "22222222222242228222222222222222",
		"a GUID with a blank":  " " + groupID,
		"a letter beyond f":    "g" + groupID[1:],
		"the nil GUID":         "00000000-0000-0000-0000-000000000000",
		"a GUID and a newline": groupID + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group, err := newClient(t, newScript(t)).AssignGroupLicense(t.Context(), id, add(skuA))
			if group != nil {
				t.Error("got a group with an error")
			}
			wantInvalid(t, err, "assign group license: invalid argument: groupID must be a GUID")
		})
	}
}

func TestAGroupIDIsSentAsItIs(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(202, `{}`), okGroup)
	client := newClient(t, s)
	group, err := client.AssignGroupLicense(t.Context(), "ABCDEF01-2222-4222-8222-222222222222", remove(skuA))
	if err != nil {
		t.Fatal(err)
	}
	wantSent(t, s.requests()[0], "POST", "/groups/ABCDEF01-2222-4222-8222-222222222222/assignLicense", `{"addLicenses":[],"removeLicenses":["`+skuA.String()+`"]}`)
	same(t, "group", *group, licensing.Group{ID: "ABCDEF01-2222-4222-8222-222222222222"})

	if group, err = client.AssignGroupLicense(t.Context(), groupID, remove(skuA)); err != nil {
		t.Fatal(err)
	}
	wantSent(t, s.requests()[1], "POST", "/groups/"+groupID+"/assignLicense", `{"addLicenses":[],"removeLicenses":["`+skuA.String()+`"]}`)
	same(t, "group", *group, licensing.Group{ID: groupID})
}

// The change reaches the members later, and what fails for one of them is in
// no error of the call.
func TestAGroupsMembersFollowLater(t *testing.T) {
	t.Parallel()
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	first, second := tenant.AddUser(licensingtest.User{UsageLocation: "NO"}), tenant.AddUser(licensingtest.User{UsageLocation: "NO"})
	members := tenant.AddGroup(licensingtest.Group{}, first.ID, second.ID)

	group, err := tenant.Client().AssignGroupLicense(t.Context(), members.ID, add(sku.ID))
	if err != nil || group.ID != members.ID {
		t.Fatalf("got %v, %v", group, err)
	}
	if state, _ := tenant.Group(members.ID); state.State != "QueuedForProcessing" {
		t.Errorf("the group is in state %q", state.State)
	}
	tenant.Process()
	failed := 0
	for _, id := range []string{first.ID, second.ID} {
		user, _ := tenant.User(id)
		for _, row := range user.States {
			if row.State == "Error" {
				failed++
			}
		}
	}
	if failed != 1 {
		t.Errorf("%d members are without the license, want 1", failed)
	}
}
