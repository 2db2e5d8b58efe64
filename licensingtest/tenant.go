package licensingtest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A Tenant is a directory of SKUs, users and groups. It is an [http.Handler] that
// answers as Microsoft Graph does. It is safe for concurrent use. Use [NewTenant]
// to make one.
type Tenant struct {
	mu          sync.Mutex
	id          uuid.UUID
	account     uuid.UUID // that pays for the SKUs
	application uuid.UUID // whose requests all are
	location    string
	token       string
	me          *user
	skus        map[uuid.UUID]*SKU
	skuList     []*SKU
	users       []*user
	userKeys    map[string]*user // by id and by user principal name, in lower case
	formerUsers map[string]*user // those who were removed, likewise
	groups      []*group
	groupIDs    map[string]*group
	made        [kinds]uint32

	automatic    bool
	processAfter time.Duration
	readLag      time.Duration
	indexLag     time.Duration
	locationLag  time.Duration
	pageEpoch    int // counts calls of ExpirePageTokens
	emptyPages   bool

	meter      *meter // nil until there is a throttle
	meterStart time.Time
	refusals   int // by the meter

	requests []Request
	writes   []Write
	faults   []*plannedFault
	late     []*lateCall   // in the order in which they are due
	sent     [2]sentAnswer // the last, and the last to another path than that
}

// The kinds of identifier that a tenant makes up.
const (
	kindTenant = iota
	kindSKU
	kindPlan
	kindUser
	kindGroup
	kindRequest
	kindAccount
	kindSubscription
	kindApplication
	kinds
)

// NewTenant returns an empty tenant in the United States.
func NewTenant() *Tenant {
	t := &Tenant{
		location:    "US",
		skus:        make(map[uuid.UUID]*SKU),
		userKeys:    make(map[string]*user),
		formerUsers: make(map[string]*user),
		groupIDs:    make(map[string]*group),
	}
	t.id, t.account, t.application = t.newID(kindTenant), t.newID(kindAccount), t.newID(kindApplication)
	return t
}

// SetLocation sets the tenant's own country. Group processing uses it for users
// without a usage location. SetLocation panics if the country is not a two-letter
// code.
func (t *Tenant) SetLocation(country string) {
	checkCountry("SetLocation", country)
	t.lock()
	defer t.mu.Unlock()
	t.location = country
}

// SignIn makes /me the user with this id or user principal name. Without a
// signed-in user, and again after SignIn(""), the tenant answers requests to /me as
// Graph does for an application's token.
func (t *Tenant) SignIn(key string) {
	t.lock()
	defer t.mu.Unlock()
	t.me = nil
	if key != "" {
		t.me = t.mustUser("SignIn", key)
	}
}

// RequireToken makes the tenant refuse every bearer token except this one. With "",
// the default, any token is accepted.
func (t *Tenant) RequireToken(token string) {
	t.lock()
	defer t.mu.Unlock()
	t.token = token
}

// lock takes the tenant's lock and brings the directory up to date.
func (t *Tenant) lock() {
	t.mu.Lock()
	t.catchUp(time.Now())
}

// newID makes up the next identifier of a kind, the same ones in every tenant.
func (t *Tenant) newID(kind int) uuid.UUID {
	t.made[kind]++
	var id uuid.UUID
	binary.BigEndian.PutUint32(id[0:], uint32(kind))
	binary.BigEndian.PutUint32(id[12:], t.made[kind])
	id[6], id[8] = 0x40, 0x80
	return id
}

func (t *Tenant) mustUser(caller, key string) *user {
	u := t.userKeys[strings.ToLower(key)]
	if u == nil {
		panicf("%s: no user %q", caller, key)
	}
	return u
}

func (t *Tenant) mustGroup(caller, id string) *group {
	g := t.groupIDs[strings.ToLower(id)]
	if g == nil {
		panicf("%s: no group %q", caller, id)
	}
	return g
}

func panicf(format string, args ...any) {
	panic("licensingtest: " + fmt.Sprintf(format, args...))
}
