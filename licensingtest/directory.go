package licensingtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A SKU is a product that the tenant has subscribed to.
type SKU struct {
	ID         uuid.UUID // chosen by AddSKU if zero
	PartNumber string    // chosen by AddSKU if empty
	Seats      int       // how many users can have it
	AppliesTo  string    // "User" (the default), or "Company" for a SKU that cannot be assigned
	BarredIn   []string  // countries where it cannot be used
	Plans      []Plan

	// Seats that are no longer paid for, by stage. Seats in Warning can be used in
	// addition to Seats. The others cannot be used.
	Warning, Suspended, LockedOut int

	CapabilityStatus string   // computed from the seats if empty
	SubscriptionIDs  []string // if empty: the ids of Subscriptions, or one chosen by AddSKU

	// Subscriptions are the purchases that /directory/subscriptions returns. If it
	// is empty, there is one for each of SubscriptionIDs, and the first has all seats.
	Subscriptions []Subscription

	Consumed int // how many users have it; set by Tenant.SKU, ignored by AddSKU
}

// A Plan is a service plan of a SKU. Several SKUs can have the same plan.
type Plan struct {
	ID            uuid.UUID   // chosen by AddSKU if zero
	Name          string      // chosen by AddSKU if empty
	Service       string      // the service it belongs to, such as "exchange"; by default Name in lower case
	AppliesTo     string      // "User" (the default) or "Company"
	DependsOn     []uuid.UUID // it needs at least one of these plans; a group must have one itself
	ConflictsWith []uuid.UUID // plans that a user cannot have at the same time

	ProvisioningStatus string // while it is on: "Success" (the default), "PendingActivation", and so on
}

// A License is an assigned SKU with some of its plans disabled.
type License struct {
	SKUID         uuid.UUID
	DisabledPlans []uuid.UUID
}

// A User is a user of the tenant.
type User struct {
	ID                string // a GUID; chosen by AddUser if empty
	UserPrincipalName string // chosen by AddUser if empty
	DisplayName       string // the user principal name if empty
	UserType          string // "Member" (the default) or "Guest"
	UsageLocation     string
	AccountDisabled   bool

	// Properties that filters can use and that have no other effect.
	GivenName, Surname, Mail, JobTitle, Department, CompanyName   string
	City, Country, OfficeLocation, MobilePhone, PreferredLanguage string
	BusinessPhones, OtherMails, ProxyAddresses                    []string
	OnPremisesSyncEnabled                                         bool

	// Licenses are the direct licenses. AddUser does not check seats, usage location,
	// dependencies or conflicts.
	Licenses []License

	// ProxyAddressConflict makes every change to the user's licenses fail, as if
	// another object had one of the user's mail addresses.
	ProxyAddressConflict bool

	// States are the licenses from all sources, as in Graph's licenseAssignmentStates.
	// Set by Tenant.User, ignored by AddUser.
	States []Assignment
}

// An Assignment is a user's license for one SKU from one source.
type Assignment struct {
	License
	Group   string    // the id of the group that it comes from, empty for a direct assignment
	State   string    // "Active", "ActiveWithError" or "Error"
	Error   string    // "None", or the reason for the state, such as "CountViolation"
	Updated time.Time // when the assignment last changed
}

// held reports whether the user really has the license.
func (a Assignment) held() bool { return a.State != "Error" }

// A Group is a security group of the tenant.
type Group struct {
	ID          string // a GUID; chosen by AddGroup if empty
	DisplayName string // chosen by AddGroup if empty
	GroupTypes  []string
	MailEnabled bool
	Members     []string // ids; AddGroup accepts user principal names too
	Licenses    []License

	// Properties that filters can use and that have no other effect.
	Description, Mail, MailNickname, MembershipRule, Visibility string
	SecurityDisabled, OnPremisesSyncEnabled, IsAssignableToRole bool

	// State is Graph's licenseProcessingState. It is empty if the group never had a
	// license. Set by Tenant.Group, ignored by AddGroup.
	State string
}

type user struct {
	User
	rows   []Assignment // the direct ones first
	plans  []planRecord
	groups []*group
	past   history[user]
	gone   bool // removed from the tenant

	// Until locationFrom the user's licenses go by another usage location.
	locationBefore string
	locationFrom   time.Time
}

// A planRecord is a plan that a user has or has had.
type planRecord struct {
	id      uuid.UUID
	service string
	enabled bool
	since   time.Time
}

type group struct {
	Group
	created time.Time
	pending bool
	changed time.Time // when pending was last set
	past    history[group]
}

// AddSKU adds a SKU and returns it with all defaults filled in. It panics if the id
// or the part number is taken, if a plan is listed twice, or if a field is invalid.
func (t *Tenant) AddSKU(s SKU) SKU {
	t.lock()
	defer t.mu.Unlock()
	if s.ID == uuid.Nil {
		s.ID = t.newID(kindSKU)
	}
	if s.PartNumber == "" {
		s.PartNumber = freeName("SKU_%d", len(t.skus)+1, t.hasPartNumber)
	}
	t.checkSKU(s)
	t.completeSubscriptions(&s)
	s.AppliesTo = appliesTo(s.PartNumber, s.AppliesTo)
	s.Consumed = 0
	s = cloneSKU(s)
	t.completePlans(s)
	t.skus[s.ID] = &s
	t.skuList = append(t.skuList, &s)
	return cloneSKU(s)
}

// checkSKU panics when s cannot be added.
func (t *Tenant) checkSKU(s SKU) {
	if t.skus[s.ID] != nil {
		panicf("AddSKU: there is a SKU %s already", s.ID)
	}
	if t.hasPartNumber(s.PartNumber) {
		panicf("AddSKU: there is a SKU %s already", s.PartNumber)
	}
	if n := min(s.Seats, s.Warning, s.Suspended, s.LockedOut); n < 0 {
		panicf("AddSKU: SKU %s has %d seats", s.PartNumber, n)
	}
	for _, country := range s.BarredIn {
		checkCountry("AddSKU", country)
	}
}

func (t *Tenant) hasPartNumber(name string) bool {
	return slices.ContainsFunc(t.skuList, func(s *SKU) bool { return s.PartNumber == name })
}

// completePlans makes up what the plans of s leave out.
func (t *Tenant) completePlans(s SKU) {
	for i := range s.Plans {
		p := &s.Plans[i]
		if p.ID == uuid.Nil {
			p.ID = t.newID(kindPlan)
		}
		if _, taken := findPlan(s.Plans[:i], p.ID); taken {
			panicf("AddSKU: SKU %s has plan %s twice", s.PartNumber, p.ID)
		}
		if p.Name == "" {
			p.Name = fmt.Sprintf("%s_PLAN_%d", s.PartNumber, i+1)
		}
		if p.Service == "" {
			p.Service = strings.ToLower(p.Name)
		}
		if p.ProvisioningStatus == "" {
			p.ProvisioningStatus = "Success"
		}
		p.AppliesTo = appliesTo(p.Name, p.AppliesTo)
	}
}

// freeName makes up a name that is not taken, with the first number there is
// from n on.
func freeName(format string, n int, taken func(name string) bool) string {
	for {
		if name := fmt.Sprintf(format, n); !taken(name) {
			return name
		}
		n++
	}
}

// checkCountry panics when country is no two-letter code.
func checkCountry(caller, country string) {
	if !countryCode.MatchString(country) {
		panicf("%s: %q is not a two-letter country code", caller, country)
	}
}

func appliesTo(name, value string) string {
	switch value {
	case "":
		return "User"
	case "User", "Company":
		return value
	}
	panicf("AddSKU: %s applies to %q, want User or Company", name, value)
	return ""
}

// AddUser adds a user and returns it with all defaults filled in. It panics if the
// id or the user principal name is taken, or if a license or another field is
// invalid.
func (t *Tenant) AddUser(u User) User {
	t.lock()
	defer t.mu.Unlock()
	u.ID = t.objectID("AddUser", u.ID, kindUser)
	if u.UserPrincipalName == "" {
		u.UserPrincipalName = freeName("user%d@contoso.example", len(t.users)+1, func(name string) bool { return t.userKeys[name] != nil })
	}
	if u.DisplayName == "" {
		u.DisplayName = u.UserPrincipalName
	}
	if u.UserType == "" {
		u.UserType = "Member"
	}
	keys := []string{u.ID, strings.ToLower(u.UserPrincipalName)}
	t.checkUser(u, keys)
	u.ownTexts()
	now := time.Now()
	added := &user{User: u, past: notBefore[user](t, now)}
	for _, key := range keys {
		t.userKeys[key] = added
		delete(t.formerUsers, key)
	}
	t.users = append(t.users, added)
	t.setLicenses(added, "", u.Licenses, now)
	return added.snapshot()
}

// checkUser panics when u cannot be added under these keys.
func (t *Tenant) checkUser(u User, keys []string) {
	for _, key := range keys {
		if t.userKeys[key] != nil {
			panicf("AddUser: there is a user %q already", key)
		}
	}
	if u.UserType != "Member" && u.UserType != "Guest" {
		panicf("AddUser: user type %q, want Member or Guest", u.UserType)
	}
	if u.UsageLocation != "" {
		checkCountry("AddUser", u.UsageLocation)
	}
	t.checkLicenses("AddUser", u.Licenses)
}

// AddGroup adds a group and returns it with all defaults filled in. The members are
// g.Members and members, by id or user principal name. The group's licenses count
// as processed: each member has them, or has an error that says why not. AddGroup
// panics if the id is taken, if a member does not exist, or if a license or the id
// is invalid.
func (t *Tenant) AddGroup(g Group, members ...string) Group {
	t.lock()
	defer t.mu.Unlock()
	g.ID = t.objectID("AddGroup", g.ID, kindGroup)
	if t.groupIDs[g.ID] != nil {
		panicf("AddGroup: there is a group %s already", g.ID)
	}
	if g.DisplayName == "" {
		g.DisplayName = fmt.Sprintf("Group %d", len(t.groups)+1)
	}
	t.checkLicenses("AddGroup", g.Licenses)
	g.GroupTypes = slices.Clone(g.GroupTypes)
	g.Licenses = cloneLicenses(g.Licenses)
	g.State = ""
	if len(g.Licenses) > 0 {
		g.State = stateComplete
	}
	now := time.Now()
	added := &group{Group: g, created: now, past: notBefore[group](t, now)}
	for _, key := range slices.Concat(g.Members, members) {
		t.mustUser("AddGroup", key).join(added)
	}
	t.groups = append(t.groups, added)
	t.groupIDs[g.ID] = added
	t.processGroup(added, now)
	return t.groupSnapshot(added)
}

// User returns the current state of the user with this id or user principal name.
// It returns false if there is no such user.
func (t *Tenant) User(key string) (User, bool) {
	t.lock()
	defer t.mu.Unlock()
	if u := t.userKeys[strings.ToLower(key)]; u != nil {
		return u.snapshot(), true
	}
	return User{}, false
}

// Group returns the current state of the group with this id. It returns false if
// there is no such group.
func (t *Tenant) Group(id string) (Group, bool) {
	t.lock()
	defer t.mu.Unlock()
	if g := t.groupIDs[strings.ToLower(id)]; g != nil {
		return t.groupSnapshot(g), true
	}
	return Group{}, false
}

// objectID returns the canonical form of id, or a new one.
func (t *Tenant) objectID(caller, id string, kind int) string {
	if id == "" {
		return t.newID(kind).String()
	}
	parsed, err := parseGUID(id)
	if err != nil {
		panicf("%s: id %q is not a GUID", caller, id)
	}
	return parsed.String()
}

func (t *Tenant) checkLicenses(caller string, licenses []License) {
	for i, l := range licenses {
		if err := t.checkLicense(l); err != nil {
			panicf("%s: %s", caller, err.message)
		}
		if _, twice := findLicense(licenses[:i], l.SKUID); twice {
			panicf("%s: SKU %s is there twice", caller, l.SKUID)
		}
	}
}

func (u *user) join(g *group) {
	if !slices.Contains(u.groups, g) {
		u.groups = append(u.groups, g)
	}
}

// knows reports whether u is a member of g, or was one and still has its
// licenses.
func (u *user) knows(g *group) bool {
	return slices.Contains(u.groups, g) || slices.ContainsFunc(u.rows, func(row Assignment) bool { return row.Group == g.ID })
}

// licenses returns the licenses that u has from a source, a group's id or ""
// for the user itself.
func (u *user) licenses(source string) []License {
	var held []License
	for _, row := range u.rows {
		if row.Group == source && row.held() {
			held = append(held, row.License)
		}
	}
	return held
}

// merged returns what u has from all sources: a plan is disabled when every one
// of them disables it.
func (u *user) merged() []License {
	var all []License
	for _, row := range u.rows {
		if !row.held() {
			continue
		}
		i := slices.IndexFunc(all, func(l License) bool { return l.SKUID == row.SKUID })
		if i < 0 {
			all = append(all, cloneLicense(row.License))
			continue
		}
		all[i].DisabledPlans = slices.DeleteFunc(all[i].DisabledPlans, func(id uuid.UUID) bool { return !slices.Contains(row.DisabledPlans, id) })
	}
	return all
}

func (u *user) snapshot() User {
	out := u.User
	out.ownTexts()
	out.Licenses = cloneLicenses(u.licenses(""))
	out.States = slices.Clone(u.rows)
	for i := range out.States {
		out.States[i].License = cloneLicense(out.States[i].License)
	}
	return out
}

func (t *Tenant) groupSnapshot(g *group) Group {
	out := g.Group
	out.GroupTypes = slices.Clone(g.GroupTypes)
	out.Licenses = cloneLicenses(g.Licenses)
	out.Members = nil
	for _, u := range t.users {
		if slices.Contains(u.groups, g) {
			out.Members = append(out.Members, u.ID)
		}
	}
	return out
}
