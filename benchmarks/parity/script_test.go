package parity

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A client makes the calls of the script. Results are what the typed result
// holds, as JSON would have it.
type client interface {
	assignUser(ctx context.Context, user string, c change) (any, error)
	assignMe(ctx context.Context, c change) (any, error)
	assignGroup(ctx context.Context, group string, c change) (any, error)
	reprocessUser(ctx context.Context, user string) (any, error)
	reprocessMe(ctx context.Context) (any, error)
	setUsageLocation(ctx context.Context, user, country string) (any, error)
	swapUser(ctx context.Context, user string, from, to uuid.UUID) (any, error)
	user(ctx context.Context, user string) (any, error)
	me(ctx context.Context) (any, error)
	group(ctx context.Context, group string) (any, error)
	userDetails(ctx context.Context, user string) (any, error)
	myDetails(ctx context.Context) (any, error)
	skus(ctx context.Context) (any, error)
	users(ctx context.Context, filter string, pageSize int, advanced bool) (any, error)
	groupsWithErrors(ctx context.Context) (any, error)
	membersWithErrors(ctx context.Context, group string) (any, error)
	batch(ctx context.Context, operations []licensing.Operation) (any, error)
}

type change struct {
	add    []licensing.AssignedLicense
	remove []uuid.UUID
}

// A step is one call of the script.
type step struct {
	name    string
	arrange func(*licensingtest.Tenant) // before the call
	call    func(context.Context, client) (any, error)
	// Ours reads by itself before it writes, in ways that are no concern of a
	// client that leaves the reading to its caller.
	writesOnly bool
	unsent     bool // ours refuses it before anything is sent
	items      bool // the tenant treats items of batches in its own way
}

// The tenant of the script.
const (
	adele  = "adele@contoso.example"
	alex   = "alex@contoso.example"
	guest  = "guest_fabrikam.example#EXT#@contoso.example"
	dollar = "$dollar@contoso.example"
	nobody = "nobody@contoso.example" // who is not there
	lee    = "lee@contoso.example"    // without a usage location
	miriam = "miriam@contoso.example" // whose address is in use twice
	sales  = "22222222-2222-4222-8222-222222222222"
	staff  = "22222222-2222-4222-8222-222222222223"
)

var (
	e3      = uuid.MustParse("6fd2c87f-b296-42f0-b197-1e91e994b900")
	e5      = uuid.MustParse("c7df2760-2c81-4ef7-b578-5b5392b571df")
	addOn   = uuid.MustParse("84a661c4-e949-4bd2-a560-ed7766fcaf2b")
	rival   = uuid.MustParse("f30db892-07e9-47e9-837c-80727f46fd3d")
	soldOut = uuid.MustParse("90d8b3f8-712e-4f7b-aa1e-62e7ae6cbe96")
	unknown = uuid.MustParse("99999999-9999-4999-8999-999999999999")

	mail  = uuid.MustParse("efb87545-963c-4e0d-99df-69c6916d9eb0")
	sites = uuid.MustParse("5dbe027f-2339-4123-9542-606e4d348a72")
	extra = uuid.MustParse("fe71d6c3-a2ea-4499-9778-da042bf08063")
)

func newTenant() *licensingtest.Tenant {
	t := licensingtest.NewTenant()
	plans := []licensingtest.Plan{{ID: mail, Name: "EXCHANGE_S_ENTERPRISE", Service: "exchange"}, {ID: sites, Name: "SHAREPOINTENTERPRISE", Service: "SharePoint"}}
	t.AddSKU(licensingtest.SKU{ID: e3, PartNumber: "ENTERPRISEPACK", Seats: 50, Plans: plans})
	t.AddSKU(licensingtest.SKU{ID: e5, PartNumber: "ENTERPRISEPREMIUM", Seats: 50, Warning: 2, Plans: plans})
	t.AddSKU(licensingtest.SKU{ID: addOn, PartNumber: "ADD_ON", Seats: 50, BarredIn: []string{"CN"}, Plans: []licensingtest.Plan{{ID: extra, DependsOn: []uuid.UUID{sites}}}})
	t.AddSKU(licensingtest.SKU{ID: rival, PartNumber: "RIVAL", Seats: 50, Plans: []licensingtest.Plan{{ConflictsWith: []uuid.UUID{mail}}}})
	t.AddSKU(licensingtest.SKU{ID: soldOut, PartNumber: "SOLD_OUT"})
	for i, name := range []string{adele, alex, guest, dollar} {
		t.AddUser(licensingtest.User{ID: "11111111-1111-4111-8111-11111111111" + string(rune('1'+i)), UserPrincipalName: name, DisplayName: "User " + name[:4], UsageLocation: "DE"})
	}
	t.AddUser(licensingtest.User{UserPrincipalName: lee})
	t.AddUser(licensingtest.User{UserPrincipalName: miriam, UsageLocation: "DE", ProxyAddressConflict: true})
	t.AddGroup(licensingtest.Group{ID: sales, DisplayName: "Sales"}, alex, guest)
	t.AddGroup(licensingtest.Group{ID: staff, DisplayName: "Staff", GroupTypes: []string{"Unified"}, MailEnabled: true}, lee)
	return t
}

func add(skus ...uuid.UUID) (c change) {
	for _, sku := range skus {
		c.add = append(c.add, licensing.AssignedLicense{SKUID: sku})
	}
	return c
}

func addWithout(sku uuid.UUID, plans ...uuid.UUID) change {
	return change{add: []licensing.AssignedLicense{{SKUID: sku, DisabledPlans: plans}}}
}

func remove(skus ...uuid.UUID) change { return change{remove: skus} }

func assign(user string, c change) func(context.Context, client) (any, error) {
	return func(ctx context.Context, cl client) (any, error) { return cl.assignUser(ctx, user, c) }
}

func assignGroup(group string, c change) func(context.Context, client) (any, error) {
	return func(ctx context.Context, cl client) (any, error) { return cl.assignGroup(ctx, group, c) }
}

func read(user string) func(context.Context, client) (any, error) {
	return func(ctx context.Context, cl client) (any, error) { return cl.user(ctx, user) }
}

func process(t *licensingtest.Tenant) { t.Process() }

// script is run from the first step to the last on one tenant.
func script() []step {
	steps := []step{
		// Users.
		{name: "add", call: assign(adele, add(e3))},
		{name: "add with disabled plans", call: assign(adele, addWithout(e5, mail))},
		{name: "add what is there", call: assign(adele, addWithout(e5, mail))},
		{name: "add by id", call: assign("11111111-1111-4111-8111-111111111112", add(e3, addOn))},
		{name: "remove and add", call: assign("11111111-1111-4111-8111-111111111112", change{add: []licensing.AssignedLicense{{SKUID: e5}}, remove: []uuid.UUID{e3}})},
		{name: "remove", call: assign(adele, remove(e3))},
		{name: "remove two", call: assign("11111111-1111-4111-8111-111111111112", remove(e5, addOn))},
		{name: "guest", call: assign(guest, add(e3))},
		{name: "user with a dollar", call: assign(dollar, add(e3))},
		{name: "read user with a dollar", call: read(dollar)},
		{name: "remove from user with a dollar", call: assign(dollar, remove(e3))}, // so that both tenants are the same again
		{name: "swap", writesOnly: true, call: func(ctx context.Context, c client) (any, error) { return c.swapUser(ctx, adele, e5, e3) }},

		// What a client may refuse by itself.
		{name: "nothing to change", unsent: true, call: assign(adele, change{})},
		{name: "no user", unsent: true, call: assign("", add(e3))},
		{name: "dot segment", unsent: true, call: assign("..", add(e3))},
		{name: "added and removed", unsent: true, call: assign(adele, change{add: add(e5).add, remove: []uuid.UUID{e5}})},
		{name: "added twice", unsent: true, call: assign(adele, add(e5, e5))},
		{name: "nil SKU", unsent: true, call: assign(adele, add(uuid.Nil))},
		{name: "group that is no GUID", unsent: true, call: assignGroup("Sales", add(e3))},

		// What the tenant refuses.
		{name: "no such user", call: assign(nobody, add(e3))},
		{name: "no seats", call: assign(adele, add(soldOut))},
		{name: "no usage location", call: assign(lee, add(e3))},
		{name: "usage location", call: func(ctx context.Context, c client) (any, error) { return c.setUsageLocation(ctx, lee, "CN") }},
		{name: "barred in the country", call: assign(lee, add(e3, addOn))},
		{name: "unknown SKU", call: assign(adele, add(unknown))},
		{name: "unknown SKU to remove", call: assign(adele, remove(unknown))},
		{name: "plan of another SKU", call: assign(adele, addWithout(rival, extra))},
		{name: "dependency", call: assign(lee, add(addOn))},
		{name: "conflict", call: assign(adele, addWithout(rival))},
		{name: "not assigned", call: assign(adele, remove(rival))},
		{name: "proxy address", call: assign(miriam, add(e3))},

		// Groups.
		{name: "group", call: assignGroup(sales, addWithout(e5, sites))},
		{name: "read group before processing", call: func(ctx context.Context, c client) (any, error) { return c.group(ctx, sales) }},
		{name: "read group", arrange: process, call: func(ctx context.Context, c client) (any, error) { return c.group(ctx, sales) }},
		{name: "inherited", call: assign(alex, remove(e5))},
		{name: "group, sold out", call: assignGroup(staff, add(soldOut))},
		{name: "members with errors", arrange: process, call: func(ctx context.Context, c client) (any, error) { return c.membersWithErrors(ctx, staff) }},
		{name: "groups with errors", call: func(ctx context.Context, c client) (any, error) { return c.groupsWithErrors(ctx) }},
		{name: "members with errors: none", call: func(ctx context.Context, c client) (any, error) { return c.membersWithErrors(ctx, sales) }},
		{name: "group, unknown SKU", call: assignGroup(staff, add(unknown))},
		{name: "group, not assigned", call: assignGroup(staff, remove(e5))},
		{name: "no such group", call: assignGroup("22222222-2222-4222-8222-22222222ffff", add(e3))},

		// Reprocessing.
		{name: "reprocess", call: func(ctx context.Context, c client) (any, error) { return c.reprocessUser(ctx, alex) }},
		{name: "reprocess, still sold out", call: func(ctx context.Context, c client) (any, error) { return c.reprocessUser(ctx, lee) }},
		{name: "reprocess with a seat", arrange: func(t *licensingtest.Tenant) { t.SetSeats(soldOut, 1) },
			call: func(ctx context.Context, c client) (any, error) { return c.reprocessUser(ctx, lee) }},
		{name: "reprocess nobody", call: func(ctx context.Context, c client) (any, error) { return c.reprocessUser(ctx, nobody) }},

		// Me.
		{name: "me as an application", call: func(ctx context.Context, c client) (any, error) { return c.assignMe(ctx, add(e5)) }},
		{name: "me", arrange: func(t *licensingtest.Tenant) { t.SignIn(adele) },
			call: func(ctx context.Context, c client) (any, error) { return c.assignMe(ctx, add(e5)) }},
		{name: "read me", call: func(ctx context.Context, c client) (any, error) { return c.me(ctx) }},
		{name: "my details", call: func(ctx context.Context, c client) (any, error) { return c.myDetails(ctx) }},
		{name: "reprocess me", call: func(ctx context.Context, c client) (any, error) { return c.reprocessMe(ctx) }},

		// Reads.
		{name: "read user", call: read(adele)},
		{name: "read user with a group's license", call: read(alex)},
		{name: "read user in error", call: read(miriam)},
		{name: "read guest", call: read(guest)},
		{name: "read nobody", call: read(nobody)},
		{name: "details", call: func(ctx context.Context, c client) (any, error) { return c.userDetails(ctx, adele) }},
		{name: "details of nobody", call: func(ctx context.Context, c client) (any, error) { return c.userDetails(ctx, nobody) }},
		{name: "SKUs", call: func(ctx context.Context, c client) (any, error) { return c.skus(ctx) }},

		// Paging.
		{name: "all users", call: func(ctx context.Context, c client) (any, error) { return c.users(ctx, "", 0, false) }},
		{name: "users by twos", call: func(ctx context.Context, c client) (any, error) { return c.users(ctx, "", 2, false) }},
		{name: "users by filter", call: func(ctx context.Context, c client) (any, error) {
			return c.users(ctx, "assignedLicenses/any(x:x/skuId eq "+e3.String()+")", 1, false)
		}},
		{name: "users by another filter", call: func(ctx context.Context, c client) (any, error) {
			return c.users(ctx, "startswith(displayName,'User a') and usageLocation eq 'DE'", 1, false)
		}},
		{name: "users by advanced filter", call: func(ctx context.Context, c client) (any, error) {
			return c.users(ctx, "assignedLicenses/$count ne 0", 2, true)
		}},
		{name: "users, empty pages", arrange: func(t *licensingtest.Tenant) { t.SetEmptyPages(true) },
			call: func(ctx context.Context, c client) (any, error) { return c.users(ctx, "", 3, false) }},
		{name: "users, bad filter", arrange: func(t *licensingtest.Tenant) { t.SetEmptyPages(false) },
			call: func(ctx context.Context, c client) (any, error) { return c.users(ctx, "nonsense", 0, false) }},

		// Batches.
		{name: "batch", call: func(ctx context.Context, c client) (any, error) {
			return c.batch(ctx, []licensing.Operation{
				{Kind: licensing.OperationAssignUser, Target: alex, Request: request(addWithout(e3, mail))},
				{Kind: licensing.OperationAssignUser, Target: guest, Request: request(remove(e3))},
				{Kind: licensing.OperationAssignUser, Target: nobody, Request: request(add(e3))},
				{Kind: licensing.OperationAssignUser, Target: adele, Request: request(add(unknown))},
				{Kind: licensing.OperationAssignGroup, Target: staff, Request: request(add(e3))},
				{Kind: licensing.OperationSetUsageLocation, Target: miriam, UsageLocation: "FR"},
			})
		}},
		{name: "batch of actions without body", call: func(ctx context.Context, c client) (any, error) {
			return c.batch(ctx, []licensing.Operation{
				{Kind: licensing.OperationReprocessUser, Target: alex},
				{Kind: licensing.OperationReprocessUser, Target: lee},
			})
		}},
		{name: "batch with an item throttled", items: true, arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Items: true, Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Wait.",
				Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "nobody") }})
		}, call: func(ctx context.Context, c client) (any, error) {
			return c.batch(ctx, []licensing.Operation{
				{Kind: licensing.OperationAssignUser, Target: alex, Request: request(addWithout(e3, sites))},
				{Kind: licensing.OperationAssignUser, Target: nobody, Request: request(add(e3))},
			})
		}},
	}
	for _, f := range failures() {
		arrange := func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: f.Status, Body: string(f.Body), Header: f.header()})
		}
		steps = append(steps,
			step{name: "failed write: " + f.Name, arrange: arrange, call: assign(adele, add(e5))},
			step{name: "failed read: " + f.Name, arrange: arrange, call: read(adele)},
		)
	}
	steps = append(steps,
		step{name: "throttled with advice", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Wait.", Header: http.Header{"Retry-After": {"7"}}})
		}, call: assign(adele, add(e5))},
		step{name: "page of a portal", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: http.StatusOK, Body: "<html>Sign in</html>", Header: http.Header{"Content-Type": {"text/html"}}})
		}, call: assign(adele, add(e5))},
		step{name: "page of a gateway", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: http.StatusBadGateway, Body: "<html>Bad gateway</html>", Header: http.Header{"Content-Type": {"text/html"}}})
		}, call: assign(adele, add(e5))},
		step{name: "no body", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: http.StatusNoContent, Apply: true})
		}, call: assign(adele, add(e5))},
		step{name: "error without a body", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Status: http.StatusForbidden})
		}, call: assign(adele, add(e5))},
		step{name: "lost answer", arrange: func(t *licensingtest.Tenant) {
			t.Fail(licensingtest.Fault{Drop: true, Apply: true})
		}, call: assign(adele, add(e5))},
		step{name: "token refused", arrange: func(t *licensingtest.Tenant) { t.RequireToken("another") }, call: assign(adele, add(e5))},
	)
	return steps
}

func request(c change) licensing.AssignLicenseRequest {
	return licensing.AssignLicenseRequest{AddLicenses: c.add, RemoveLicenses: c.remove}
}

// A failure is an answer that Graph has been seen to give.
type failure struct {
	Name   string          `json:"name"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// header returns headers that say the same as the body, as Graph's do.
func (f failure) header() http.Header {
	var body struct {
		Error struct {
			InnerError struct {
				Date            string
				RequestID       string `json:"request-id"`
				ClientRequestID string `json:"client-request-id"`
			}
		}
	}
	if err := json.Unmarshal(f.Body, &body); err != nil {
		panic(err)
	}
	inner := body.Error.InnerError
	h := http.Header{"Content-Type": {"application/json"}}
	if inner.RequestID != "" {
		h["Request-Id"] = []string{inner.RequestID}
	}
	if inner.ClientRequestID != "" {
		h["Client-Request-Id"] = []string{inner.ClientRequestID}
	}
	if date, err := time.Parse("2006-01-02T15:04:05", inner.Date); err == nil {
		h["Date"] = []string{date.Format(http.TimeFormat)}
	}
	return h
}

//go:embed testdata/errors.json
var errorsJSON []byte

func failures() (list []failure) {
	if err := json.Unmarshal(errorsJSON, &list); err != nil {
		panic(err)
	}
	return list
}

// plain returns what v is as JSON, without what is null in it.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}

const callTime = 20 * time.Second
