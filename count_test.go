package licensing_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
)

func TestCountUsers(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(id)","@odata.count":10233,"@odata.nextLink":"https://graph.test/base/v1.0/users?$skiptoken=x","value":[{"id":"a"}]}`))
	n, err := newClient(t, s).CountUsers(t.Context(), "")
	if n != 10233 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	expectRequests(t, s, getting(graphRoot+"/users?$select=id&$top=1&$count=true", "ConsistencyLevel", "eventual"))
}

func TestCountUsersWithAFilter(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"@odata.count":0,"value":[]}`))
	n, err := newClient(t, s).CountUsers(t.Context(), "accountEnabled eq true")
	if n != 0 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	expectRequests(t, s, getting(graphRoot+"/users?$select=id&$top=1&$filter=accountEnabled%20eq%20true&$count=true", "ConsistencyLevel", "eventual"))
}

func TestACountThatIsNotThere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"value":[],"@odata.context":"x"}`: "count users: 200 answer cannot be read: @odata.count: not there",
		`{"@odata.count":"many"}`:           `count users: 200 answer cannot be read: property "@odata.count"`,
	} {
		n, err := newClient(t, newScript(t, reply(200, body))).CountUsers(t.Context(), "")
		if _, unread := errors.AsType[*licensing.DecodeError](err); n != 0 || !unread || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %d, %v", body, n, err)
		}
	}
}
