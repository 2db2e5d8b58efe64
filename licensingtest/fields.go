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
	text    = field{kind: textField, equal: always, null: advanced, starts: always}
	indexed = field{kind: textField, equal: advanced, null: advanced, starts: advanced}
	flag    = field{kind: flagField, equal: always}
	address = field{kind: textField, equal: always, null: advanced, starts: always, ending: advanced}

	userFields = newFields(map[string]field{
		"accountEnabled":        flag,
		"assignedLicenses":      {kind: licenseField, equal: always},
		"assignedPlans":         {kind: planField, equal: advanced},
		"city":                  text,
		"companyName":           indexed,
		"country":               text,
		"department":            text,
		"displayName":           text,
		"givenName":             text,
		"id":                    {kind: textField, equal: always},
		"jobTitle":              text,
		"mail":                  address,
		"mobilePhone":           indexed,
		"officeLocation":        indexed,
		"onPremisesSyncEnabled": {kind: flagField, equal: always, null: advanced},
		"otherMails":            {kind: textsField, equal: always, starts: always, ending: advanced},
		"preferredLanguage":     indexed,
		"proxyAddresses":        {kind: textsField, equal: always, starts: always, ending: advanced},
		"surname":               text,
		"usageLocation":         text,
		"userPrincipalName":     {kind: textField, equal: always, starts: always, ending: advanced},
		"userType":              {kind: textField, equal: always, null: advanced},
	})
	groupFields = newFields(map[string]field{
		"assignedLicenses":      {kind: licenseField, equal: always},
		"displayName":           text,
		"groupTypes":            {kind: textsField, equal: always},
		withErrors:              flag,
		"id":                    {kind: textField, equal: always},
		"isAssignableToRole":    flag,
		"mail":                  address,
		"mailEnabled":           flag,
		"mailNickname":          text,
		"onPremisesSyncEnabled": {kind: flagField, equal: always, null: advanced},
		"securityEnabled":       flag,
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
	return u.texts()[name]
}

// texts are the user's properties that are text, "" for null.
func (u *user) texts() map[string]string {
	return map[string]string{
		"city":              u.City,
		"companyName":       u.CompanyName,
		"country":           u.Country,
		"department":        u.Department,
		"displayName":       u.DisplayName,
		"givenName":         u.GivenName,
		"id":                u.ID,
		"jobTitle":          u.JobTitle,
		"mail":              u.Mail,
		"mobilePhone":       u.MobilePhone,
		"officeLocation":    u.OfficeLocation,
		"preferredLanguage": u.PreferredLanguage,
		"surname":           u.Surname,
		"usageLocation":     u.UsageLocation,
		"userPrincipalName": u.UserPrincipalName,
		"userType":          u.UserType,
	}
}

// groupItem is a group as an item.
func (t *Tenant) groupItem(g *group) item {
	return func(name string) any {
		seen := t.seenGroup(g)
		switch name {
		case "assignedLicenses":
			return seen.Licenses
		case "groupTypes":
			return seen.GroupTypes
		case withErrors:
			return slices.ContainsFunc(t.users, func(u *user) bool { return t.seenUser(u).failed(g) })
		case "isAssignableToRole":
			return seen.IsAssignableToRole
		case "mailEnabled":
			return seen.MailEnabled
		case "onPremisesSyncEnabled":
			return orNull(seen.OnPremisesSyncEnabled)
		case "securityEnabled":
			return !seen.SecurityDisabled
		}
		return seen.texts()[name]
	}
}

// texts are the group's properties that are text, "" for null.
func (g *group) texts() map[string]string {
	return map[string]string{
		"description":    g.Description,
		"displayName":    g.DisplayName,
		"id":             g.ID,
		"mail":           g.Mail,
		"mailNickname":   g.MailNickname,
		"membershipRule": g.MembershipRule,
		"visibility":     g.Visibility,
	}
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
