package licensingtest

import (
	"slices"
	"strings"
)

// An item is an object as filters see it: it returns the value of a field: a
// string, "" for null; a bool, nil for null; texts, licenses or plans.
type item func(field string) any

// Fields are what a filter can be about, by name in lower case.
type fields map[string]field

// A field is what filters know of a property. Which of them Graph answers, and
// how, is in its tables of filters by property.
type field struct {
	name                        string // as Graph spells it
	kind                        fieldKind
	equal, null, starts, ending support
}

type fieldKind int

const (
	textField fieldKind = iota + 1
	flagField
	textsField
	licenseField
	planField
)

// A support says in which queries there is a filter.
type support int

const (
	never support = iota
	advanced
	always
)

var (
	someText    = field{kind: textField, equal: always, null: advanced, starts: always}
	indexedText = field{kind: textField, equal: advanced, null: advanced, starts: advanced}
	someFlag    = field{kind: flagField, equal: always}
	mailText    = field{kind: textField, equal: always, null: advanced, starts: always, ending: advanced}

	userFields = newFields(map[string]field{
		"accountEnabled":        someFlag,
		"assignedLicenses":      {kind: licenseField, equal: always},
		"assignedPlans":         {kind: planField, equal: advanced},
		"city":                  someText,
		"companyName":           indexedText,
		"country":               someText,
		"department":            someText,
		"displayName":           someText,
		"givenName":             someText,
		"id":                    {kind: textField, equal: always},
		"jobTitle":              someText,
		"mail":                  mailText,
		"mobilePhone":           indexedText,
		"officeLocation":        indexedText,
		"onPremisesSyncEnabled": {kind: flagField, equal: always, null: advanced},
		"otherMails":            {kind: textsField, equal: always, starts: always, ending: advanced},
		"preferredLanguage":     indexedText,
		"proxyAddresses":        {kind: textsField, equal: always, starts: always, ending: advanced},
		"surname":               someText,
		"usageLocation":         someText,
		"userPrincipalName":     {kind: textField, equal: always, starts: always, ending: advanced},
		"userType":              {kind: textField, equal: always, null: advanced},
	})
	groupFields = newFields(map[string]field{
		"assignedLicenses":      {kind: licenseField, equal: always},
		"displayName":           someText,
		"groupTypes":            {kind: textsField, equal: always},
		withErrors:              someFlag,
		"id":                    {kind: textField, equal: always},
		"isAssignableToRole":    someFlag,
		"mail":                  mailText,
		"mailEnabled":           someFlag,
		"mailNickname":          someText,
		"onPremisesSyncEnabled": {kind: flagField, equal: always, null: advanced},
		"securityEnabled":       someFlag,
	})
)

func newFields(byName map[string]field) fields {
	all := make(fields)
	for name, f := range byName {
		f.name = name
		all[strings.ToLower(name)] = f
	}
	return all
}

// field is the user as an item.
func (u *user) field(name string) any {
	switch name {
	case "accountEnabled":
		return !u.AccountDisabled
	case "assignedLicenses":
		return u.merged()
	case "assignedPlans":
		return u.plans
	case "onPremisesSyncEnabled":
		return orNull(u.OnPremisesSyncEnabled)
	case "otherMails":
		return u.OtherMails
	case "proxyAddresses":
		return u.ProxyAddresses
	}
	return u.text(name)
}

// userTexts are the properties of a user that are text.
var userTexts = strings.Fields("city companyName country department displayName givenName id jobTitle mail mobilePhone officeLocation preferredLanguage surname " +
	"usageLocation userPrincipalName userType")

// text returns one of userTexts, "" for null.
func (u *user) text(name string) string {
	switch name {
	case "city":
		return u.City
	case "companyName":
		return u.CompanyName
	case "country":
		return u.Country
	case "department":
		return u.Department
	case "displayName":
		return u.DisplayName
	case "givenName":
		return u.GivenName
	case "id":
		return u.ID
	case "jobTitle":
		return u.JobTitle
	case "mail":
		return u.Mail
	case "mobilePhone":
		return u.MobilePhone
	case "officeLocation":
		return u.OfficeLocation
	case "preferredLanguage":
		return u.PreferredLanguage
	case "surname":
		return u.Surname
	case "usageLocation":
		return u.UsageLocation
	case "userPrincipalName":
		return u.UserPrincipalName
	}
	return u.UserType
}

// groupItem is a group as an item.
func (t *Tenant) groupItem(c *call, g *group) item {
	return func(name string) any {
		seen := t.seenGroup(c, g)
		switch name {
		case "assignedLicenses":
			return seen.Licenses
		case "groupTypes":
			return seen.GroupTypes
		case withErrors:
			return slices.ContainsFunc(t.users, func(u *user) bool { return t.seenUser(c, u).failed(g) })
		case "isAssignableToRole":
			return seen.IsAssignableToRole
		case "mailEnabled":
			return seen.MailEnabled
		case "onPremisesSyncEnabled":
			return orNull(seen.OnPremisesSyncEnabled)
		case "securityEnabled":
			return !seen.SecurityDisabled
		}
		return seen.text(name)
	}
}

// groupTexts are the properties of a group that are text.
var groupTexts = strings.Fields("description displayName id mail mailNickname membershipRule visibility")

// text returns one of groupTexts, "" for null.
func (g *group) text(name string) string {
	switch name {
	case "description":
		return g.Description
	case "displayName":
		return g.DisplayName
	case "id":
		return g.ID
	case "mail":
		return g.Mail
	case "mailNickname":
		return g.MailNickname
	case "membershipRule":
		return g.MembershipRule
	}
	return g.Visibility
}

// belongs reports whether u is a member of g. A nil user, whom reads do not see,
// is none.
func (u *user) belongs(g *group) bool { return u != nil && slices.Contains(u.groups, g) }

// failed reports whether u is a member of g who lacks one of its licenses, or
// its latest change.
func (u *user) failed(g *group) bool {
	return u.belongs(g) && slices.ContainsFunc(u.rows, func(row Assignment) bool { return row.Group == g.ID && row.Error != "None" })
}

// ownTexts makes the lists of texts in u its own.
func (u *User) ownTexts() {
	u.BusinessPhones, u.OtherMails, u.ProxyAddresses = slices.Clone(u.BusinessPhones), slices.Clone(u.OtherMails), slices.Clone(u.ProxyAddresses)
}

// status is the plan's capabilityStatus.
func (r planRecord) status() string {
	if r.enabled {
		return "Enabled"
	}
	return "Deleted"
}
