package names

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func TestSource(t *testing.T) {
	const (
		sales  = "1132b215-826f-42a9-8cfe-1643d19d17fd"
		hidden = "2132b215-826f-42a9-8cfe-1643d19d17fd"
		gone   = "3132b215-826f-42a9-8cfe-1643d19d17fd"
	)
	tenant := licensingtest.NewTenant()
	tenant.AddGroup(licensingtest.Group{ID: sales, DisplayName: "Sales"})
	tenant.AddGroup(licensingtest.Group{ID: hidden, DisplayName: "Hidden"})
	tenant.Fail(licensingtest.Fault{
		Match:  func(r *http.Request) bool { return strings.Contains(r.URL.Path, hidden) },
		Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation.", Times: -1,
	})
	names, err := Read(t.Context(), tenant.Client())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ id, want string }{
		{"", "direct"},
		{sales, "group Sales"},
		{strings.ToUpper(sales), "group Sales"},
		{hidden, "group " + hidden},
		{gone, "group " + gone},
		{gone, "group " + gone},
	} {
		if got, err := names.Source(t.Context(), test.id); got != test.want || err != nil {
			t.Errorf("%q is %q, %v, want %q", test.id, got, err, test.want)
		}
	}
	if got := len(tenant.Requests()); got != 4 {
		t.Errorf("%d requests, want one for the SKUs and one for each group", got)
	}
	if _, err := names.Group(t.Context(), "x"); !errors.Is(err, licensing.ErrInvalidArgument) {
		t.Errorf("no group id: got %v", err)
	}
}
