package licensing_test

import (
	"slices"
	"testing"
	"testing/synctest"
)

const (
	notAssigned = "User does not have a corresponding license."
	inherited   = "User license is inherited from a group membership and it cannot be removed directly from the user."
)

func badRequest(message string) step { return graphError(400, "Request_BadRequest", message) }

func TestSeveralRemovalsAreSettledOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, lost, badRequest(notAssigned), badRequest(notAssigned), okUser, okUser)
		req := remove(skuA, skuB)
		req.AddLicenses = add(skuC).AddLicenses
		user, err := newClient(t, s).AssignUserLicense(t.Context(), userID, req)
		if err != nil || user.ID != userID {
			t.Fatalf("got %v, %v", user, err)
		}
		whole := `{"addLicenses":[{"disabledPlans":[],"skuId":"` + skuC.String() + `"}],"removeLicenses":["` + skuA.String() + `","` + skuB.String() + `"]}`
		want := []string{
			whole,
			whole,
			`{"addLicenses":[],"removeLicenses":["` + skuA.String() + `"]}`,
			`{"addLicenses":[],"removeLicenses":["` + skuB.String() + `"]}`,
			`{"addLicenses":[{"disabledPlans":[],"skuId":"` + skuC.String() + `"}],"removeLicenses":[]}`,
		}
		if got := s.bodies(); !slices.Equal(got, want) {
			t.Errorf("sent\n%q\nwant\n%q", got, want)
		}
	})
}
