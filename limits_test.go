package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing"
)

// listOf returns n elements.
func listOf(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// No answer of 16 MiB costs more than four times as much, and what it has too much
// of is named.
func TestAnswersAreCountedBeforeTheyAreDecoded(t *testing.T) {
	const full = 16<<20 - 1000
	user := func(member string) string { return `{"id":"` + userID + `",` + member + `}` }
	tests := map[string]struct {
		body  string
		ask   string
		limit string // "" is none
	}{
		"users":             {`{"value":` + listOf(full/3, "{}") + `}`, "a listing", "1000 items"},
		"SKUs":              {`{"value":` + listOf(full/3, "{}") + `}`, "a whole listing", "3000 items"},
		"nulls for SKUs":    {`{"value":` + listOf(full/5, "null") + `}`, "a whole listing", "3000 items"},
		"states":            {user(`"licenseAssignmentStates":` + listOf(full/3, "{}")), "a read", "3000 items"},
		"states, written":   {user(`"licenseAssignmentStates":` + listOf(full/3, "{}")), "a write", "3000 items"},
		"plans":             {user(`"assignedPlans":` + listOf(full/3, "{}")), "an edit", "3000 items"},
		"states of many":    {`{"value":` + listOf(900, `{"licenseAssignmentStates":`+listOf(2900, "{}")+`}`) + `}`, "a listing", "100000 objects"},
		"plans of many":     {`{"value":` + listOf(900, `{"assignedLicenses":[{"disabledPlans":`+listOf(2900, "null")+`}]}`) + `}`, "a listing", "1048576 values"},
		"responses":         {`{"responses":` + listOf(full/3, "{}") + `}`, "a run", "10 items"},
		"plans of a SKU":    {`{"value":[{"servicePlans":` + listOf(full/3, "{}") + `}]}`, "a whole listing", "3000 items"},
		"nested":            {`{"value":` + strings.Repeat("[", full/2) + strings.Repeat("]", full/2) + `}`, "a listing", "1000 levels"},
		"an error":          {`{"error":` + listOf(full/3, "{}") + `}`, "a write", "3000 items"},
		"unknown":           {user(`"x":` + listOf(full/3, "{}")), "a read", "3000 items"},
		"an id":             {`{"id":` + listOf(full/3, "{}") + `}`, "a read", "3000 items"},
		"members":           {`{` + strings.Repeat(`"a":1,`, full/6) + `"id":"` + userID + `"}`, "a read", ""},
		"a name":            {user(`"displayName":"` + strings.Repeat("x", full-100) + `"`), "a read", ""},
		"an escaped name":   {user(`"displayName":"` + strings.Repeat(`\n`, (full-100)/2) + `"`), "a read", ""},
		"a link":            {`{"value":[],"@odata.nextLink":"https://graph.test/base/v1.0/users?` + strings.Repeat("x", full-100) + `"}`, "a listing", "too long"},
		"headers of items":  {`{"responses":[{"id":"1","status":400,"headers":{"x":"` + strings.Repeat("x", full-100) + `"},"body":{}}]}`, "a run", ""},
		"bodies of items":   {`{"responses":` + listOf(4, `{"id":"1","status":400,"body":"`+strings.Repeat("x", full/4-100)+`"}`) + `}`, "a run", ""},
		"a property at end": {user(`"licenseAssignmentStates":` + listOf(2999, "{}")[:2999*3] + `,{"skuId":"x"}],"displayName":"` + strings.Repeat("x", full-20_000) + `"`), "a read", "licenseAssignmentStates[2999].skuId"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := 0
			client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
				asked++
				return reply(200, test.body)(req)
			}), once)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			err := waysToAsk[test.ask](t.Context(), client)
			runtime.ReadMemStats(&after)
			// All that was allocated, the body and what was garbage included.
			if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 128 {
				t.Errorf("%d MiB were allocated", n)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if n := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 20; n > 64 {
				t.Errorf("%d MiB are held", n)
			}
			if test.limit == "" {
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.limit) {
				t.Errorf("got %.200v", err)
			}
			if limit, ok := errors.AsType[*licensing.LimitError](err); strings.Contains(test.limit, " ") && test.limit != "too long" &&
				(!ok || !errors.Is(err, licensing.ErrTooLarge) || test.limit != fmt.Sprint(limit.Limit, " ", limit.What)) {
				t.Errorf("the limit is %v", limit)
			}
			if unread, ok := errors.AsType[*licensing.DecodeError](err); ok && len(unread.Body) > 64<<10 {
				t.Errorf("%d bytes are kept", len(unread.Body))
			}
		})
	}
}

// An item of a batch has no more headers than an answer by itself.
func TestHeadersOfItems(t *testing.T) {
	bubble(t, func(t *testing.T) {
		long := item(1, 400, `{}`, "x", `"`+strings.Repeat("x", 64<<10)+`"`)
		results := bulk(t, t.Context(), newClient(t, items(long, okItem(2, user(1))), once), licensing.BulkOptions{}, addsFor(2, skuA)...)
		wantFailed(t, results[0].Err, 0, 1, licensing.ErrTooLarge, licensing.ErrUnavailable, licensing.ErrOutcomeUnknown)
		if results[1].Err != nil {
			t.Error(results[1].Err)
		}
	})
}

// A page that is as large as Graph makes one is read.
func TestALargePageIsRead(t *testing.T) {
	t.Parallel()
	license := `{"skuId":"` + skuA.String() + `","disabledPlans":` + listOf(40, `"`+planA.String()+`"`) + `}`
	users := listOf(900, `{"id":"`+userID+`","assignedLicenses":`+listOf(4, license)+`,"licenseAssignmentStates":`+listOf(4, license)+`}`)
	n := 0
	for user, err := range newClient(t, newScript(t, reply(200, `{"value":`+users+`}`))).Users(t.Context(), licensing.UserQuery{}) {
		if err != nil || len(user.LicenseAssignmentStates) != 4 || len(user.AssignedLicenses[3].DisabledPlans) != 40 {
			t.Fatal(err)
		}
		n++
	}
	if n != 900 {
		t.Errorf("%d users of a page of %d MiB", n, len(users)>>20)
	}
}

// What would be too much again is not asked for again.
func TestALimitIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := newScript(t, reply(200, `{"value":`+listOf(3001, "{}")+`}`))
	if _, err := newClient(t, s).SubscribedSKUs(t.Context()); !errors.Is(err, licensing.ErrTooLarge) || errors.Is(err, licensing.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// A listing that never ends ends all the same where it has no items, or is kept as
// a whole, and does not keep the links that it followed.
func TestEndlessListings(t *testing.T) {
	for name, items := range map[string]string{"items": `{"id":"x"}`, "none": ""} {
		for asked, ask := range map[string]func(*licensing.Client) (int, error){
			"users": func(c *licensing.Client) (n int, last error) {
				for _, err := range c.Users(t.Context(), licensing.UserQuery{}) {
					if last = err; err != nil || n >= 5000 {
						break
					}
					n++
				}
				return n, last
			},
			"SKUs": func(c *licensing.Client) (int, error) { _, err := c.SubscribedSKUs(t.Context()); return 0, err },
		} {
			t.Run(asked+", "+name, func(t *testing.T) {
				pages := 0
				client := newClient(t, step(func(req *http.Request) (*http.Response, error) {
					pages++
					link := fmt.Sprintf("https://graph.test/base/v1.0/x?$skiptoken=%d%s", pages, strings.Repeat("a", 10_000))
					return reply(200, `{"value":[`+items+`],"@odata.nextLink":"`+link+`"}`)(req)
				}), once)
				n, err := ask(client)
				if asked == "users" && items != "" {
					if n != 5000 || err != nil {
						t.Errorf("%d users, %v", n, err)
					}
				} else if !errors.Is(err, licensing.ErrTooLarge) || pages > 1001 {
					t.Errorf("%d pages, %v", pages, err)
				}
			})
		}
	}
}

// What cannot be read is looked for no longer than the context allows.
func TestTheSearchForAPropertyEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	body := `{"id":"` + userID + `","licenseAssignmentStates":` + strings.TrimSuffix(listOf(2999, "{}"), "]") + `,{"skuId":"x"}]}`
	_, err := newClient(t, step(func(req *http.Request) (*http.Response, error) {
		resp, err := reply(200, body)(req)
		resp.Body = &closing{resp.Body, cancel}
		return resp, err
	})).User(ctx, userID)
	unread, ok := errors.AsType[*licensing.DecodeError](err)
	if !ok || unread.Property != "" {
		t.Errorf("got %v", err)
	}
}

type closing struct {
	body interface {
		Read([]byte) (int, error)
		Close() error
	}
	then func()
}

func (c *closing) Read(p []byte) (int, error) { return c.body.Read(p) }
func (c *closing) Close() error               { c.then(); return c.body.Close() }
