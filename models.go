package licensing

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// An AssignLicenseRequest says which licenses to add and which to remove. Graph
// applies it as a whole or not at all. At least one list must have an entry. No SKU
// may be in both lists, or in AddLicenses twice.
type AssignLicenseRequest struct {
	// AddLicenses are SKUs to assign. For a SKU that is assigned already, the
	// disabled plans are replaced.
	AddLicenses []AssignedLicense `json:"addLicenses"`
	// RemoveLicenses are SKUs to remove. A SKU that is listed twice is sent once.
	RemoveLicenses []uuid.UUID `json:"removeLicenses"`
}

// empty reports whether the request asks for nothing.
func (r AssignLicenseRequest) empty() bool { return len(r.AddLicenses)+len(r.RemoveLicenses) == 0 }

// skus returns what the request is about.
func (r AssignLicenseRequest) skus() []uuid.UUID {
	all := slices.Clone(r.RemoveLicenses)
	for _, license := range r.AddLicenses {
		all = append(all, license.SKUID)
	}
	return all
}

// makes returns what the request makes of a SKU, if it is about it.
func (r AssignLicenseRequest) makes(sku uuid.UUID) (h holding, ok bool) {
	if i := licenseOf(r.AddLicenses, sku); i >= 0 {
		return holding{r.AddLicenses[i], true}, true
	}
	return holding{AssignedLicense: AssignedLicense{SKUID: sku}}, slices.Contains(r.RemoveLicenses, sku)
}

// clone returns a copy that shares nothing.
func (r AssignLicenseRequest) clone() AssignLicenseRequest {
	r.AddLicenses = slices.Clone(r.AddLicenses)
	for i := range r.AddLicenses {
		r.AddLicenses[i].DisabledPlans = slices.Clone(r.AddLicenses[i].DisabledPlans)
	}
	r.RemoveLicenses = slices.Clone(r.RemoveLicenses)
	return r
}

// checked returns a copy of the request without repeated entries, or says what
// is wrong with it.
func (r AssignLicenseRequest) checked(op string) (AssignLicenseRequest, error) {
	if r.empty() {
		err := invalid(op, "AddLicenses and RemoveLicenses are both empty")
		err.kinds = append(err.kinds, ErrNoChanges)
		return r, err
	}
	adds := make([]AssignedLicense, 0, len(r.AddLicenses))
	for i, license := range r.AddLicenses {
		sku := license.SKUID
		switch {
		case sku == uuid.Nil:
			return r, invalid(op, "AddLicenses[%d].SKUID is the nil UUID", i)
		case licenseOf(adds, sku) >= 0:
			return r, invalid(op, "AddLicenses[%d].SKUID %s is there twice", i, sku)
		case slices.Contains(r.RemoveLicenses, sku):
			return r, invalid(op, "AddLicenses[%d].SKUID %s is in RemoveLicenses, too", i, sku)
		}
		plans, bad := distinct(license.DisabledPlans)
		if bad >= 0 {
			return r, invalid(op, "AddLicenses[%d].DisabledPlans[%d] is the nil UUID", i, bad)
		}
		adds = append(adds, AssignedLicense{SKUID: sku, DisabledPlans: plans})
	}
	removes, bad := distinct(r.RemoveLicenses)
	if bad >= 0 {
		return r, invalid(op, "RemoveLicenses[%d] is the nil UUID", bad)
	}
	return AssignLicenseRequest{AddLicenses: adds, RemoveLicenses: removes}, nil
}

// distinct returns a copy of ids in which each stands once, or the index of
// one that is nil, else -1.
func distinct(ids []uuid.UUID) ([]uuid.UUID, int) {
	if i := slices.Index(ids, uuid.Nil); i >= 0 {
		return nil, i
	}
	once := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once, -1
}

// An AssignedLicense is a SKU together with its disabled service plans.
type AssignedLicense struct {
	SKUID uuid.UUID `json:"skuId"`
	// DisabledPlans is the complete list: if it is empty, all plans are on.
	DisabledPlans []uuid.UUID `json:"disabledPlans"`
}

// A User is a user as Graph returned it. Graph returns some properties only on
// request; properties that were not returned have their zero value. Graph answers a
// write with eleven default properties and no licenses: ID, BusinessPhones,
// DisplayName, GivenName, JobTitle, Mail, MobilePhone, OfficeLocation,
// PreferredLanguage, Surname and UserPrincipalName.
type User struct {
	ID                      string                   `json:"id,omitzero"`
	AccountEnabled          *bool                    `json:"accountEnabled,omitzero"` // nil: not returned
	AssignedLicenses        []AssignedLicense        `json:"assignedLicenses,omitzero"`
	AssignedPlans           []AssignedPlan           `json:"assignedPlans,omitzero"`
	BusinessPhones          []string                 `json:"businessPhones,omitzero"`
	City                    string                   `json:"city,omitzero"`
	CompanyName             string                   `json:"companyName,omitzero"`
	Country                 string                   `json:"country,omitzero"`
	Department              string                   `json:"department,omitzero"`
	DisplayName             string                   `json:"displayName,omitzero"`
	GivenName               string                   `json:"givenName,omitzero"`
	JobTitle                string                   `json:"jobTitle,omitzero"`
	LicenseAssignmentStates []LicenseAssignmentState `json:"licenseAssignmentStates,omitzero"` // nil: not returned
	Mail                    string                   `json:"mail,omitzero"`
	MobilePhone             string                   `json:"mobilePhone,omitzero"`
	OfficeLocation          string                   `json:"officeLocation,omitzero"`
	OnPremisesSyncEnabled   *bool                    `json:"onPremisesSyncEnabled,omitzero"` // nil: never synced, or not returned
	OtherMails              []string                 `json:"otherMails,omitzero"`
	PreferredLanguage       string                   `json:"preferredLanguage,omitzero"`
	ProvisionedPlans        []ProvisionedPlan        `json:"provisionedPlans,omitzero"`
	ProxyAddresses          []string                 `json:"proxyAddresses,omitzero"`
	Surname                 string                   `json:"surname,omitzero"`
	UsageLocation           string                   `json:"usageLocation,omitzero"` // ISO 3166 alpha-2
	UserPrincipalName       string                   `json:"userPrincipalName,omitzero"`
	UserType                string                   `json:"userType,omitzero"` // "Member" or "Guest"
}

// A Group is a group as Graph returned it. Graph returns some properties only on
// request; properties that were not returned have their zero value.
type Group struct {
	ID                            string                  `json:"id,omitzero"`
	AssignedLicenses              []AssignedLicense       `json:"assignedLicenses,omitzero"`
	Classification                string                  `json:"classification,omitzero"`
	CreatedDateTime               time.Time               `json:"createdDateTime,omitzero"`
	DeletedDateTime               time.Time               `json:"deletedDateTime,omitzero"`
	Description                   string                  `json:"description,omitzero"`
	DisplayName                   string                  `json:"displayName,omitzero"`
	ExpirationDateTime            time.Time               `json:"expirationDateTime,omitzero"`
	GroupTypes                    []string                `json:"groupTypes,omitzero"`             // "Unified", "DynamicMembership"
	IsAssignableToRole            *bool                   `json:"isAssignableToRole,omitzero"`     // nil: not set, or not returned
	LicenseProcessingState        *LicenseProcessingState `json:"licenseProcessingState,omitzero"` // nil: never had a license, or not returned
	Mail                          string                  `json:"mail,omitzero"`
	MailEnabled                   *bool                   `json:"mailEnabled,omitzero"` // nil: not returned
	MailNickname                  string                  `json:"mailNickname,omitzero"`
	MembershipRule                string                  `json:"membershipRule,omitzero"`
	MembershipRuleProcessingState string                  `json:"membershipRuleProcessingState,omitzero"`
	OnPremisesDomainName          string                  `json:"onPremisesDomainName,omitzero"`
	OnPremisesLastSyncDateTime    time.Time               `json:"onPremisesLastSyncDateTime,omitzero"`
	OnPremisesNetBIOSName         string                  `json:"onPremisesNetBiosName,omitzero"`
	OnPremisesSAMAccountName      string                  `json:"onPremisesSamAccountName,omitzero"`
	OnPremisesSecurityIdentifier  string                  `json:"onPremisesSecurityIdentifier,omitzero"`
	OnPremisesSyncEnabled         *bool                   `json:"onPremisesSyncEnabled,omitzero"` // nil: never synced, or not returned
	PreferredDataLocation         string                  `json:"preferredDataLocation,omitzero"`
	PreferredLanguage             string                  `json:"preferredLanguage,omitzero"`
	ProxyAddresses                []string                `json:"proxyAddresses,omitzero"`
	RenewedDateTime               time.Time               `json:"renewedDateTime,omitzero"`
	ResourceBehaviorOptions       []string                `json:"resourceBehaviorOptions,omitzero"`
	ResourceProvisioningOptions   []string                `json:"resourceProvisioningOptions,omitzero"`
	SecurityEnabled               *bool                   `json:"securityEnabled,omitzero"` // nil: not returned
	SecurityIdentifier            string                  `json:"securityIdentifier,omitzero"`
	Theme                         string                  `json:"theme,omitzero"`
	Visibility                    string                  `json:"visibility,omitzero"`
}

// An AssignedPlan is a service plan that a user has or had. Removed plans stay in
// the list as [CapabilityStatusDeleted].
type AssignedPlan struct {
	AssignedDateTime time.Time        `json:"assignedDateTime,omitzero"`
	CapabilityStatus CapabilityStatus `json:"capabilityStatus,omitzero"`
	Service          string           `json:"service,omitzero"` // such as "exchange"
	ServicePlanID    uuid.UUID        `json:"servicePlanId,omitzero"`
}

// A ProvisionedPlan says how far a service has come in setting up a user.
type ProvisionedPlan struct {
	CapabilityStatus   CapabilityStatus   `json:"capabilityStatus,omitzero"`
	ProvisioningStatus ProvisioningStatus `json:"provisioningStatus,omitzero"`
	Service            string             `json:"service,omitzero"`
}

// A LicenseAssignmentState is one assignment of a SKU to a user. A user can have
// one SKU several times: directly, and through any number of groups.
type LicenseAssignmentState struct {
	AssignedByGroup     string          `json:"assignedByGroup,omitzero"` // the group's id, in any letter case; empty for a direct assignment
	DisabledPlans       []uuid.UUID     `json:"disabledPlans,omitzero"`
	Error               AssignmentError `json:"error,omitzero"`
	LastUpdatedDateTime time.Time       `json:"lastUpdatedDateTime,omitzero"`
	SKUID               uuid.UUID       `json:"skuId,omitzero"`
	State               AssignmentState `json:"state,omitzero"`
}

// A LicenseProcessingState says whether a group's latest change has reached
// its members.
type LicenseProcessingState struct {
	State ProcessingState `json:"state,omitzero"`
}

// CapabilityStatus is the state of a plan or SKU. If nobody pays, the state goes
// through the constants from top to bottom. Unknown values are kept as received.
type CapabilityStatus string

// The documented values of [CapabilityStatus].
const (
	CapabilityStatusEnabled   CapabilityStatus = "Enabled"
	CapabilityStatusWarning   CapabilityStatus = "Warning"   // in the grace period, still assignable
	CapabilityStatusSuspended CapabilityStatus = "Suspended" // not assignable, data kept
	CapabilityStatusLockedOut CapabilityStatus = "LockedOut" // usable by nobody, data kept
	CapabilityStatusDeleted   CapabilityStatus = "Deleted"
)

// ProvisioningStatus says how far a service has come in setting up a plan. Unknown
// values are kept as received.
type ProvisioningStatus string

// The documented values of [ProvisioningStatus].
const (
	ProvisioningStatusSuccess             ProvisioningStatus = "Success"
	ProvisioningStatusDisabled            ProvisioningStatus = "Disabled"
	ProvisioningStatusError               ProvisioningStatus = "Error"
	ProvisioningStatusPendingInput        ProvisioningStatus = "PendingInput"        // waits for the service
	ProvisioningStatusPendingActivation   ProvisioningStatus = "PendingActivation"   // waits for an administrator
	ProvisioningStatusPendingProvisioning ProvisioningStatus = "PendingProvisioning" // new in the SKU
)

// AssignmentState is the state of a [LicenseAssignmentState]. Unknown values are
// kept as received.
type AssignmentState string

// The documented values of [AssignmentState].
const (
	AssignmentStateActive          AssignmentState = "Active"
	AssignmentStateActiveWithError AssignmentState = "ActiveWithError" // the user has the license, but the latest change failed
	AssignmentStateDisabled        AssignmentState = "Disabled"
	AssignmentStateError           AssignmentState = "Error" // the user does not have the license
)

// AssignmentError is the reason why an assignment failed. Unknown values are kept
// as received; see [LicenseAssignmentState.Err].
type AssignmentError string

// The documented values of [AssignmentError]. A healthy assignment has none,
// or AssignmentErrorNone.
const (
	AssignmentErrorNone                               AssignmentError = "None"
	AssignmentErrorCountViolation                     AssignmentError = "CountViolation"                     // no seat left
	AssignmentErrorMutuallyExclusiveViolation         AssignmentError = "MutuallyExclusiveViolation"         // plans that exclude each other
	AssignmentErrorDependencyViolation                AssignmentError = "DependencyViolation"                // a plan needs another
	AssignmentErrorProhibitedInUsageLocationViolation AssignmentError = "ProhibitedInUsageLocationViolation" // not sold in the user's country
	AssignmentErrorUniquenessViolation                AssignmentError = "UniquenessViolation"                // proxy address in use
	AssignmentErrorOther                              AssignmentError = "Other"                              // often another SKU's failure
)

// ProcessingState says how far Graph has come with a group's latest change. Unknown
// values are kept as received.
type ProcessingState string

// The documented values of [ProcessingState].
const (
	ProcessingStateQueued     ProcessingState = "QueuedForProcessing"
	ProcessingStateInProgress ProcessingState = "ProcessingInProgress"
	ProcessingStateComplete   ProcessingState = "ProcessingComplete"
)
