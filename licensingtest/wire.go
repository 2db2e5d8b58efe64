package licensingtest

import (
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const graphURL = "https://graph.microsoft.com"

// withErrors is a property that exists for filters, and is in no answer.
const withErrors = "hasMembersWithLicenseErrors"

// The JSON of Graph is written down here once more, apart from package
// licensing's own, so that a mistake in one does not hide behind the same
// mistake in the other.

type wireLicense struct {
	SKUID         uuid.UUID   `json:"skuId"`
	DisabledPlans []uuid.UUID `json:"disabledPlans"`
}

type wireState struct {
	wireLicense
	AssignedByGroup     *string `json:"assignedByGroup"`
	State               string  `json:"state"`
	Error               string  `json:"error"`
	LastUpdatedDateTime string  `json:"lastUpdatedDateTime"`
}

type wireAssignedPlan struct {
	AssignedDateTime string    `json:"assignedDateTime"`
	CapabilityStatus string    `json:"capabilityStatus"`
	Service          string    `json:"service"`
	ServicePlanID    uuid.UUID `json:"servicePlanId"`
}

type wireProvisionedPlan struct {
	CapabilityStatus   string `json:"capabilityStatus"`
	ProvisioningStatus string `json:"provisioningStatus"`
	Service            string `json:"service"`
}

// Which properties an answer has. Defaults come without $select, in the order in
// which Graph sends them, and those of a user in the answer to a write, too.
// Accepted come in the answer to a group's write. The others are null here, and
// only there to be selected.
var (
	userDefaults = strings.Fields("businessPhones displayName givenName jobTitle mail mobilePhone officeLocation preferredLanguage surname userPrincipalName id")
	userOthers   = strings.Fields("createdDateTime deletedDateTime employeeId mailNickname postalCode state streetAddress")

	groupDefaults = strings.Fields("id deletedDateTime classification createdDateTime creationOptions description displayName expirationDateTime groupTypes " +
		"isAssignableToRole mail mailEnabled mailNickname membershipRule membershipRuleProcessingState onPremisesDomainName onPremisesLastSyncDateTime " +
		"onPremisesNetBiosName onPremisesSamAccountName onPremisesSecurityIdentifier onPremisesSyncEnabled preferredDataLocation preferredLanguage " +
		"proxyAddresses renewedDateTime resourceBehaviorOptions resourceProvisioningOptions securityEnabled securityIdentifier theme visibility " +
		"onPremisesProvisioningErrors serviceProvisioningErrors")
	groupAccepted = strings.Fields("id createdDateTime groupTypes securityEnabled")
)

func userProperties(u *user) map[string]any {
	licenses, states := []wireLicense{}, []wireState{}
	assigned, provisioned := []wireAssignedPlan{}, []wireProvisionedPlan{}
	for _, l := range u.merged() {
		licenses = append(licenses, newWireLicense(l))
	}
	for _, row := range u.rows {
		state := wireState{newWireLicense(row.License), nil, row.State, row.Error, stamp(row.Updated)}
		if row.Group != "" {
			state.AssignedByGroup = &row.Group
		}
		states = append(states, state)
	}
	for _, p := range u.plans {
		assigned = append(assigned, wireAssignedPlan{stamp(p.since), p.status(), p.service, p.id})
		provisioned = append(provisioned, wireProvisionedPlan{p.status(), "Success", p.service})
	}

	return withTexts(userTexts, u.text, map[string]any{
		"accountEnabled":          !u.AccountDisabled,
		"assignedLicenses":        licenses,
		"assignedPlans":           assigned,
		"businessPhones":          append([]string{}, u.BusinessPhones...),
		"licenseAssignmentStates": states,
		"onPremisesSyncEnabled":   orNull(u.OnPremisesSyncEnabled),
		"otherMails":              append([]string{}, u.OtherMails...),
		"provisionedPlans":        provisioned,
		"proxyAddresses":          append([]string{}, u.ProxyAddresses...),
		"securityIdentifier":      later(func() any { return securityIdentifier(u.ID) }),
	}, userOthers)
}

func groupProperties(g *group) map[string]any {
	licenses := []wireLicense{}
	for _, l := range g.Licenses {
		licenses = append(licenses, newWireLicense(l))
	}
	var state any
	if g.State != "" {
		state = map[string]string{"state": g.State}
	}

	return withTexts(groupTexts, g.text, map[string]any{
		"assignedLicenses":             licenses,
		"createdDateTime":              stamp(g.created),
		"creationOptions":              []string{},
		"groupTypes":                   append([]string{}, g.GroupTypes...),
		"isAssignableToRole":           orNull(g.IsAssignableToRole),
		"licenseProcessingState":       state,
		"mailEnabled":                  g.MailEnabled,
		"onPremisesProvisioningErrors": []string{},
		"onPremisesSyncEnabled":        orNull(g.OnPremisesSyncEnabled),
		"proxyAddresses":               []string{},
		"renewedDateTime":              stamp(g.created),
		"resourceBehaviorOptions":      []string{},
		"resourceProvisioningOptions":  []string{},
		"securityEnabled":              !g.SecurityDisabled,
		"securityIdentifier":           later(func() any { return securityIdentifier(g.ID) }),
		"serviceProvisioningErrors":    []string{},
	}, groupDefaults)
}

// changedUser is the user in the answer to a write.
func changedUser(u *user) any {
	return entity(metadata("#users/$entity", nil), userProperties(u), userDefaults)
}

// acceptedGroup is the answer to a group's assignLicense.
func (t *Tenant) acceptedGroup(g *group) result {
	location := graphURL + "/v2/" + t.id.String() + "/directoryObjects/" + g.ID + "/Microsoft.DirectoryServices.Group"
	return result{
		status: http.StatusAccepted,
		header: http.Header{"Location": {location}},
		value:  entity(metadata("#groups/$entity", nil), groupProperties(g), groupAccepted),
	}
}

// read answers with one object: the properties that $select names, or the
// default ones.
func (c *call) read(kind, context string, properties map[string]any, defaults []string) (result, *graphError) {
	if err := c.options.only(refuseSingle); err != nil {
		return result{}, err
	}
	if err := c.options.spell(kind, properties); err != nil {
		return result{}, err
	}
	return result{value: entity(metadata(context, c.options.selected)+"/$entity", properties, c.options.names(defaults))}, nil
}

// collection answers with a collection that has no pages.
func (c *call) collection(context, kind string, defaults []string, members []map[string]any) (result, *graphError) {
	if err := c.options.spell(kind, nulls(defaults)); err != nil {
		return result{}, err
	}
	value := []object{}
	for _, member := range members {
		value = append(value, pick(member, c.options.names(defaults)))
	}
	return result{value: object{{"@odata.context", metadata(context, c.options.selected)}, {"value", value}}}, nil
}

// spell spells the names in $select as Graph does, or tells which one is none or
// is not kept here. Known are those that are.
func (o *options) spell(kind string, known map[string]any) *graphError {
	spelled := make(map[string]string)
	for name := range known {
		spelled[strings.ToLower(name)] = name
	}
	var selected []string // each once
	for _, name := range o.selected {
		canonical := spelled[strings.ToLower(name)]
		if kind == "group" && strings.EqualFold(name, withErrors) {
			canonical = withErrors
		}
		switch {
		case slices.Contains(selected, canonical):
		case canonical != "":
			selected = append(selected, canonical)
		case name == "*" || v1Types[kind].has(name):
			return notServed("the property " + name + " of " + kind)
		default:
			return errProperty(name, kind)
		}
	}
	o.selected = selected
	return nil
}

// names returns the properties that an answer has.
func (o options) names(defaults []string) []string {
	if o.selected != nil {
		return o.selected
	}
	return defaults
}

// metadata is the context of an answer with selected properties, nil for the
// default ones.
func metadata(context string, selected []string) string {
	if selected != nil {
		context += "(" + strings.Join(selected, ",") + ")"
	}
	return graphURL + "/v1.0/$metadata" + context
}

// An object is a JSON object whose properties have an order.
type object []property

type property struct {
	name  string
	value any
}

// appendJSON appends a value as JSON. Objects are not left to json.Marshal, which
// goes through everything twice that marshals itself.
func appendJSON(text []byte, value any) []byte {
	switch value := value.(type) {
	case object:
		text = append(text, '{')
		for i, p := range value {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(append(append(text, '"'), p.name...), '"', ':')
			text = appendJSON(text, p.value)
		}
		return append(text, '}')
	case []object:
		text = append(text, '[')
		for i, o := range value {
			if i > 0 {
				text = append(text, ',')
			}
			text = appendJSON(text, o)
		}
		return append(text, ']')
	case nil:
		return append(text, "null"...)
	case later:
		return appendJSON(text, value())
	}
	return append(text, encode(value)...)
}

// A later is a value that is found out when it is sent.
type later func() any

// bare returns o without what odata.metadata=none leaves out.
func (o object) bare() object {
	var out object
	for _, p := range o {
		if members, ok := p.value.([]object); ok {
			bare := []object{}
			for _, member := range members {
				bare = append(bare, member.bare())
			}
			p.value = bare
		}
		if p.name != "@odata.context" && p.name != "@odata.type" {
			out = append(out, p)
		}
	}
	return out
}

// entity returns an answer with the named ones of properties.
func entity(context string, properties map[string]any, names []string) object {
	return append(object{{"@odata.context", context}}, pick(properties, names)...)
}

// pick returns an object with the named ones of properties.
func pick(properties map[string]any, names []string) object {
	picked := object{}
	for _, name := range names {
		if value, ok := properties[name]; ok {
			picked = append(picked, property{name, value})
		}
	}
	return picked
}

func nulls(names []string) map[string]any {
	properties := make(map[string]any)
	for _, name := range names {
		properties[name] = nil
	}
	return properties
}

// withTexts returns properties with texts and nulls beside them, unless they are
// there already.
func withTexts(texts []string, text func(name string) string, properties map[string]any, names []string) map[string]any {
	all := nulls(names)
	for _, name := range texts {
		all[name] = orNull(text(name))
	}
	maps.Copy(all, properties)
	return all
}

// securityIdentifier is the SID of an object of the directory, which follows
// from its id.
func securityIdentifier(id string) string {
	parsed := littleEndian(uuid.MustParse(id))
	sid := "S-1-12-1"
	for part := range slices.Chunk(parsed[:], 4) {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(part)), 10)
	}
	return sid
}

// littleEndian is a GUID in the order of bytes that Windows keeps it in.
func littleEndian(id uuid.UUID) uuid.UUID {
	slices.Reverse(id[0:4])
	slices.Reverse(id[4:6])
	slices.Reverse(id[6:8])
	return id
}

func newWireLicense(l License) wireLicense {
	return wireLicense{l.SKUID, append([]uuid.UUID{}, l.DisabledPlans...)}
}

// orNull returns a value, but nil for a zero one.
func orNull[T comparable](value T) any {
	var zero T
	if value == zero {
		return nil
	}
	return value
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
