package licensingtest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// A graphError is a refusal, with the code and the text that Graph gives for
// it.
type graphError struct {
	status        int
	code, message string
	details       []errorDetail
	header        map[string]string // beside those that all answers have
	withoutIDs    bool              // innerError has a date only
}

type errorDetail struct {
	Target string `json:"target"`
	Code   string `json:"code"`
}

func (e *graphError) Error() string { return e.message }

// refusal is an error of the directory, which has one code for all reasons.
func refusal(message string) *graphError {
	return &graphError{status: http.StatusBadRequest, code: "Request_BadRequest", message: message}
}

// badRequest is an error that is found before the directory is asked.
func badRequest(message string) *graphError {
	return &graphError{status: http.StatusBadRequest, code: "BadRequest", message: message}
}

// unsupportedQuery is a query that the directory does not answer.
func unsupportedQuery(message string) *graphError {
	return &graphError{status: http.StatusBadRequest, code: "Request_UnsupportedQuery", message: message}
}

// notServed is about something that Graph may well do, and this tenant does
// not.
func notServed(what string) *graphError {
	return &graphError{status: http.StatusNotImplemented, code: "NotImplemented", message: "licensingtest does not serve " + what + "."}
}

func unauthorized(message string) *graphError {
	return &graphError{
		status:  http.StatusUnauthorized,
		code:    "InvalidAuthenticationToken",
		message: message,
		header: map[string]string{
			"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
		},
	}
}

var (
	errEmptyBody     = badRequest("Empty Payload. JSON content expected.")
	errUnreadable    = badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
	errNoContentType = badRequest("Write requests (excluding DELETE) must contain the Content-Type header declaration.")
	errSyntax        = badRequest("Bad Request - Error in query syntax.")
	errURL           = badRequest("Bad Request - Invalid URL")
	errDelegatedOnly = badRequest("/me request is only valid with delegated authentication flow.")

	errNoToken  = unauthorized("Access token is empty.")
	errBadToken = unauthorized("CompactToken parsing failed with error code: 80049217")
	errOldToken = unauthorized("Access token has expired or is not yet valid.")

	errMethod = &graphError{status: http.StatusMethodNotAllowed, code: "Request_BadRequest", message: "Specified HTTP method is not allowed for the request target."}

	errBatchFormat      = badRequest("Invalid batch payload format.")
	errBatchSize        = badRequest("Number of requests inside batch exceed the limit.")
	errBatchNested      = badRequest("A batch request cannot be part of a batch.")
	errFailedDependency = &graphError{status: http.StatusFailedDependency, code: "FailedDependency", message: "A request that this request depends on has failed."}

	errSkip             = refusal("'$skip' is not supported by the service.")
	errCount            = refusal("$count is not currently supported.")
	errFilter           = badRequest("Invalid filter clause")
	errNoCollection     = badRequest("The query specified in the URI is not valid. The requested resource is not a collection. Query options $filter, $orderby, $count, $skip, and $top can be applied only on collections.")
	errFilteredSearch   = unsupportedQuery("Filtered searches against this resource are not supported.")
	errPageToken        = badRequest("Invalid skip token.")
	errExpiredPageToken = &graphError{
		status:  http.StatusBadRequest,
		code:    "Directory_ExpiredPageToken",
		message: "The specified page token value has expired and can no longer be included in your request.",
	}

	errBadGUID            = refusal("Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details.")
	errNoChanges          = refusal("No license changes provided. At least one license to add or remove must be specified.")
	errUsageLocation      = refusal("License assignment cannot be done for user with invalid usage location.")
	errUsageLocationValue = refusal("Invalid value specified for property 'usageLocation' of resource 'User'.")
	errNotAssigned        = refusal("User does not have a corresponding license.")
	errGroupNotAssigned   = refusal("Group does not have a corresponding license.")
	errInherited          = refusal("User license is inherited from a group membership and it cannot be removed directly from the user.")
	errProxyAddresses     = &graphError{
		status:  http.StatusBadRequest,
		code:    "Request_BadRequest",
		message: "Another object with the same value for property proxyAddresses already exists.",
		details: []errorDetail{{Target: "proxyAddresses", Code: "ObjectConflict"}},
	}
)

func errNotFound(key string) *graphError {
	return &graphError{
		status:  http.StatusNotFound,
		code:    "Request_ResourceNotFound",
		message: "Resource '" + key + "' does not exist or one of its queried reference-property objects are not present.",
	}
}

func errVersion(path string) *graphError {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return &graphError{status: http.StatusNotFound, code: "ResourceNotFound", message: "Invalid version: " + first}
}

func errBatchID(id string) *graphError {
	return badRequest("Request Id " + id + " has to be unique in a batch.")
}

func errBatchBody(id string) *graphError {
	return badRequest("Write request id : " + id + " does not contain Content-Type header or body.")
}

func errBatchDependency(id string) *graphError {
	return badRequest("Invalid dependency for request Id " + id + ".")
}

func errSegment(segment string) *graphError {
	return badRequest("Resource not found for the segment '" + segment + "'.")
}

func errObjectID(id string) *graphError {
	return refusal("Invalid object identifier '" + id + "'.")
}

func errProperty(name, kind string) *graphError {
	return badRequest("Parsing OData Select and Expand failed: Could not find a property named '" + name + "' on type 'microsoft.graph." + kind + "'.")
}

func errOption(name string) *graphError {
	return badRequest("The query option '" + name + "' is not supported on this resource.")
}

func errOptionTwice(name string) *graphError {
	return badRequest("Query option '" + name + "' was specified more than once, but it must be specified at most once.")
}

func errOptionValue(name, value string) *graphError {
	return badRequest("Invalid value '" + value + "' for " + name + " query option found.")
}

func errPageSize(size int) *graphError {
	return unsupportedQuery(fmt.Sprintf("Invalid page size specified: '%d'. Must be between 1 and %d inclusive.", size, maxPage))
}

// errUnsupportedFilter is also the answer where an advanced query would do.
func errUnsupportedFilter(property, resource string) *graphError {
	return unsupportedQuery("Unsupported or invalid query filter clause specified for property '" + property + "' of resource '" + resource + "'.")
}

func errComplexFilter(property string) *graphError {
	return unsupportedQuery("Complex query on property " + property + " is not supported.")
}

// errAdvancedOperator is for an operator in a query that is not advanced, which
// may be counted all the same.
func errAdvancedOperator(operator string, counted bool) *graphError {
	missing := "the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header."
	if counted {
		missing = "the 'ConsistencyLevel:eventual' header is missing."
	}
	return unsupportedQuery("Operator '" + operator + "' is not supported because " + missing + " Refer to https://aka.ms/graph-docs/advanced-queries for more information")
}

func errMissing(parameters []string) *graphError {
	return refusal("One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: " +
		strings.Join(parameters, ", ") + ".")
}

func errUnknownSKU(sku uuid.UUID) *graphError {
	return refusal("License " + sku.String() + " does not correspond to a valid company License.")
}

func errCompanySKU(sku uuid.UUID) *graphError {
	return refusal("License " + sku.String() + " cannot be assigned to a user.")
}

func errTwice(sku uuid.UUID) *graphError {
	return refusal("License " + sku.String() + " is specified more than once.")
}

func errForeignPlan(plan, sku uuid.UUID) *graphError {
	return refusal("Service plan " + plan.String() + " does not belong to license " + sku.String() + ".")
}

func errNoSeats(sku uuid.UUID) *graphError {
	return refusal("Subscription with SKU " + sku.String() + " does not have any available licenses.")
}

func errDependency(plan uuid.UUID, on []uuid.UUID) *graphError {
	names := make([]string, len(on))
	for i, id := range on {
		names[i] = id.String()
	}
	return refusal("License assignment failed because service plan " + plan.String() + " depends on the service plan(s) " + strings.Join(names, ","))
}

func errConflict(a, b uuid.UUID) *graphError {
	return refusal("License assignment failed because service plans " + a.String() + "," + b.String() + " are mutually exclusive")
}

// errConflictingPair is errConflict in the wording of the newer licensing
// service, which processes groups.
func errConflictingPair(a, b, sku uuid.UUID) *graphError {
	return refusal("The license can't be assigned because the user has licensed service plans that conflict with plans in the new license. " +
		"Resolve these conflicting service plan pairs to solve this problem: [" + a.String() + ", " + b.String() + "]. Licenses being added: [" + sku.String() + "]")
}
