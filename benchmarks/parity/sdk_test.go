//go:build msgraph

package parity

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/uuid"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	khttp "github.com/microsoft/kiota-http-go"
	msgraphsdk "github.com/microsoftgraph/msgraph-sdk-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go-core/authentication"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"github.com/graphlicensing/licensing"
)

// sdk is msgraph-sdk-go, as its documentation has it used.
type sdk struct {
	client  *msgraphsdk.GraphServiceClient
	adapter *msgraphsdk.GraphRequestAdapter
}

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// newSDK returns a client with the SDK's own middleware, but for the repeating
// of requests if that is switched off.
func newSDK(t *testing.T, server *httptest.Server, retry bool) sdk {
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := authentication.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(
		credential{}, []string{"https://graph.microsoft.com/.default"}, []string{base.Hostname()})
	if err != nil {
		t.Fatal(err)
	}
	options := msgraphsdk.GetDefaultClientOptions()
	middleware := core.GetDefaultMiddlewaresWithOptions(&options)
	if !retry {
		for i, m := range middleware {
			if _, ok := m.(*khttp.RetryHandler); ok {
				middleware[i] = khttp.NewRetryHandlerWithOptions(khttp.RetryHandlerOptions{
					ShouldRetry: func(time.Duration, int, *http.Request, *http.Response) bool { return false },
				})
			}
		}
	}
	hc := core.GetDefaultClient(&options)
	hc.Transport = khttp.NewCustomTransportWithParentTransport(server.Client().Transport, middleware...)
	adapter, err := msgraphsdk.NewGraphRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth, nil, nil, hc)
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(server.URL + "/v1.0")
	return sdk{msgraphsdk.NewGraphServiceClient(adapter), adapter}
}

func init() {
	mapping := abstractions.ErrorMappings{
		"4XX": odataerrors.CreateODataErrorFromDiscriminatorValue,
		"5XX": odataerrors.CreateODataErrorFromDiscriminatorValue,
	}
	// Without these the errors of pages and of items of batches have no code.
	for _, key := range []string{core.BatchRequestErrorRegistryKey, core.PageIteratorErrorRegistryKey} {
		if err := core.RegisterError(key, mapping); err != nil {
			panic(err)
		}
	}
}

// held returns what an object of the SDK holds, by the names of Graph. It asks
// all getters, so that nothing is left out.
func held(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case uuid.UUID:
		return v.String()
	case *uuid.UUID:
		if v == nil {
			return nil
		}
		return v.String()
	case *time.Time:
		if v == nil {
			return nil
		}
		return v.UTC().Format(time.RFC3339Nano)
	}
	value := reflect.ValueOf(v)
	switch value.Kind() {
	case reflect.Slice:
		if value.IsNil() {
			return nil
		}
		list := []any{}
		for i := range value.Len() {
			list = append(list, held(value.Index(i).Interface()))
		}
		return list
	case reflect.Pointer:
		if value.IsNil() {
			return nil
		}
		if _, ok := v.(serialization.Parsable); !ok {
			return plain(value.Elem().Interface())
		}
	case reflect.String, reflect.Bool, reflect.Int32:
		return plain(v)
	}
	object := map[string]any{}
	for i := range value.NumMethod() {
		method := value.Type().Method(i)
		name, getter := strings.CutPrefix(method.Name, "Get")
		if !getter || method.Type.NumIn() != 1 || method.Type.NumOut() != 1 {
			continue
		}
		switch name {
		case "BackingStore", "FieldDeserializers", "OdataType":
			continue
		}
		got := value.Method(i).Call(nil)[0].Interface()
		if name == "AdditionalData" {
			for key, more := range got.(map[string]any) {
				if !strings.Contains(key, "@odata") {
					object[key] = plain(more)
				}
			}
			continue
		}
		if property := held(got); property != nil {
			object[strings.ToLower(name[:1])+name[1:]] = property
		}
	}
	return object
}

func sdkResult[T serialization.Parsable](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if reflect.ValueOf(&v).Elem().IsNil() {
		return map[string]any{}, nil
	}
	return held(v), nil
}

func (c change) models() []models.AssignedLicenseable {
	adds := []models.AssignedLicenseable{}
	for _, license := range c.add {
		add := models.NewAssignedLicense()
		add.SetSkuId(&license.SKUID)
		add.SetDisabledPlans(append([]uuid.UUID{}, license.DisabledPlans...))
		adds = append(adds, add)
	}
	return adds
}

func (c change) user() users.ItemAssignLicensePostRequestBodyable {
	body := users.NewItemAssignLicensePostRequestBody()
	body.SetAddLicenses(c.models())
	body.SetRemoveLicenses(append([]uuid.UUID{}, c.remove...))
	return body
}

func (c change) group() groups.ItemAssignLicensePostRequestBodyable {
	body := groups.NewItemAssignLicensePostRequestBody()
	body.SetAddLicenses(c.models())
	body.SetRemoveLicenses(append([]uuid.UUID{}, c.remove...))
	return body
}

func (s sdk) assignUser(ctx context.Context, user string, c change) (any, error) {
	return sdkResult(s.client.Users().ByUserId(user).AssignLicense().Post(ctx, c.user(), nil))
}

func (s sdk) assignMe(ctx context.Context, c change) (any, error) {
	return sdkResult(s.client.Me().AssignLicense().Post(ctx, c.user(), nil))
}

func (s sdk) assignGroup(ctx context.Context, group string, c change) (any, error) {
	return sdkResult(s.client.Groups().ByGroupId(group).AssignLicense().Post(ctx, c.group(), nil))
}

func (s sdk) reprocessUser(ctx context.Context, user string) (any, error) {
	return sdkResult(s.client.Users().ByUserId(user).ReprocessLicenseAssignment().Post(ctx, nil))
}

func (s sdk) reprocessMe(ctx context.Context) (any, error) {
	return sdkResult(s.client.Me().ReprocessLicenseAssignment().Post(ctx, nil))
}

func located(country string) models.Userable {
	user := models.NewUser()
	user.SetUsageLocation(&country)
	return user
}

func (s sdk) setUsageLocation(ctx context.Context, user, country string) (any, error) {
	_, err := s.client.Users().ByUserId(user).Patch(ctx, located(country), nil)
	return nil, err
}

// swapUser does what our method does, as a user of the SDK has to: read, work
// out, write.
func (s sdk) swapUser(ctx context.Context, user string, from, to uuid.UUID) (any, error) {
	read, err := s.client.Users().ByUserId(user).Get(ctx, selectUser())
	if err != nil {
		return nil, err
	}
	var c change
	for _, state := range read.GetLicenseAssignmentStates() {
		if *state.GetSkuId() == from && state.GetAssignedByGroup() == nil {
			c = change{add: []licensing.AssignedLicense{{SKUID: to, DisabledPlans: state.GetDisabledPlans()}}, remove: []uuid.UUID{from}}
		}
	}
	return s.assignUser(ctx, user, c)
}

// selections that both clients make: what ours always asks for.
var (
	userSelect   = strings.Split("accountEnabled,assignedLicenses,assignedPlans,displayName,id,licenseAssignmentStates,provisionedPlans,usageLocation,userPrincipalName,userType", ",")
	listedSelect = strings.Split("accountEnabled,assignedLicenses,displayName,id,licenseAssignmentStates,usageLocation,userPrincipalName,userType", ",")
	groupSelect  = strings.Split("assignedLicenses,createdDateTime,displayName,groupTypes,id,licenseProcessingState,mailEnabled,securityEnabled", ",")
)

func selectUser() *users.UserItemRequestBuilderGetRequestConfiguration {
	return &users.UserItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: userSelect},
	}
}

func (s sdk) user(ctx context.Context, user string) (any, error) {
	return sdkResult(s.client.Users().ByUserId(user).Get(ctx, selectUser()))
}

func (s sdk) me(ctx context.Context) (any, error) {
	return sdkResult(s.client.Me().Get(ctx, selectUser()))
}

func (s sdk) group(ctx context.Context, group string) (any, error) {
	return sdkResult(s.client.Groups().ByGroupId(group).Get(ctx, &groups.GroupItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.GroupItemRequestBuilderGetQueryParameters{Select: groupSelect},
	}))
}

// listed returns all items of a collection.
func listed[T serialization.Parsable](ctx context.Context, s sdk, first serialization.Parsable, err error, headers *abstractions.RequestHeaders, constructor serialization.ParsableFactory) (any, error) {
	if err != nil {
		return nil, err
	}
	pages, err := core.NewPageIterator[T](first, s.adapter, constructor)
	if err != nil {
		return nil, err
	}
	pages.SetHeaders(headers)
	list := []any{}
	err = pages.Iterate(ctx, func(item T) bool {
		list = append(list, held(item))
		return true
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s sdk) userDetails(ctx context.Context, user string) (any, error) {
	first, err := s.client.Users().ByUserId(user).LicenseDetails().Get(ctx, nil)
	return listed[models.LicenseDetailsable](ctx, s, first, err, nil, models.CreateLicenseDetailsCollectionResponseFromDiscriminatorValue)
}

func (s sdk) myDetails(ctx context.Context) (any, error) {
	first, err := s.client.Me().LicenseDetails().Get(ctx, nil)
	return listed[models.LicenseDetailsable](ctx, s, first, err, nil, models.CreateLicenseDetailsCollectionResponseFromDiscriminatorValue)
}

func (s sdk) skus(ctx context.Context) (any, error) {
	first, err := s.client.SubscribedSkus().Get(ctx, nil)
	return listed[models.SubscribedSkuable](ctx, s, first, err, nil, models.CreateSubscribedSkuCollectionResponseFromDiscriminatorValue)
}

func (s sdk) users(ctx context.Context, filter string, pageSize int, advanced bool) (any, error) {
	query := &users.UsersRequestBuilderGetQueryParameters{Select: listedSelect}
	if filter != "" {
		query.Filter = &filter
	}
	if pageSize > 0 {
		top := int32(pageSize)
		query.Top = &top
	}
	headers := abstractions.NewRequestHeaders()
	if advanced {
		query.Count = &advanced
		headers.Add("ConsistencyLevel", "eventual")
	}
	first, err := s.client.Users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{Headers: headers, QueryParameters: query})
	return listed[models.Userable](ctx, s, first, err, headers, models.CreateUserCollectionResponseFromDiscriminatorValue)
}

func (s sdk) groupsWithErrors(ctx context.Context) (any, error) {
	filter := "hasMembersWithLicenseErrors eq true"
	first, err := s.client.Groups().Get(ctx, &groups.GroupsRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.GroupsRequestBuilderGetQueryParameters{Select: groupSelect, Filter: &filter},
	})
	return listed[models.Groupable](ctx, s, first, err, nil, models.CreateGroupCollectionResponseFromDiscriminatorValue)
}

func (s sdk) membersWithErrors(ctx context.Context, group string) (any, error) {
	first, err := s.client.Groups().ByGroupId(group).MembersWithLicenseErrors().Get(ctx, &groups.ItemMembersWithLicenseErrorsRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.ItemMembersWithLicenseErrorsRequestBuilderGetQueryParameters{Select: listedSelect},
	})
	return listed[models.DirectoryObjectable](ctx, s, first, err, nil, models.CreateDirectoryObjectCollectionResponseFromDiscriminatorValue)
}

func (s sdk) batch(ctx context.Context, operations []licensing.Operation) (any, error) {
	batch := core.NewBatchRequest(s.adapter)
	var ids []string
	for _, o := range operations {
		var info *abstractions.RequestInformation
		var err error
		c := change{o.Request.AddLicenses, o.Request.RemoveLicenses}
		switch user := s.client.Users().ByUserId(o.Target); o.Kind {
		case licensing.OperationAssignUser:
			info, err = user.AssignLicense().ToPostRequestInformation(ctx, c.user(), nil)
		case licensing.OperationAssignGroup:
			info, err = s.client.Groups().ByGroupId(o.Target).AssignLicense().ToPostRequestInformation(ctx, c.group(), nil)
		case licensing.OperationReprocessUser:
			info, err = user.ReprocessLicenseAssignment().ToPostRequestInformation(ctx, nil)
		case licensing.OperationSetUsageLocation:
			info, err = user.ToPatchRequestInformation(ctx, located(o.UsageLocation), nil)
		}
		if err != nil {
			return nil, err
		}
		item, err := batch.AddBatchRequestStep(*info)
		if err != nil {
			return nil, err
		}
		ids = append(ids, *item.GetId())
	}
	response, err := batch.Send(ctx, s.adapter)
	if err != nil {
		return nil, err
	}
	var results []any
	for i, o := range operations {
		var user, group any
		switch o.Kind {
		case licensing.OperationAssignGroup:
			group, err = sdkResult(core.GetBatchResponseById[models.Groupable](response, ids[i], models.CreateGroupFromDiscriminatorValue))
		case licensing.OperationSetUsageLocation:
			err = nil
			if status := *response.GetResponseById(ids[i]).GetStatus(); status >= 400 {
				_, err = core.GetBatchResponseById[models.Userable](response, ids[i], models.CreateUserFromDiscriminatorValue)
			}
		default:
			user, err = sdkResult(core.GetBatchResponseById[models.Userable](response, ids[i], models.CreateUserFromDiscriminatorValue))
		}
		results = append(results, batchResult(user, group, o.Kind, sdkFailed(err)))
	}
	return results, nil
}

// sdkFailed is what the SDK tells of a failure.
func sdkFailed(err error) any {
	if err == nil {
		return nil
	}
	var e *odataerrors.ODataError
	if !errors.As(err, &e) {
		var answered interface{ GetStatusCode() int }
		if errors.As(err, &answered) {
			return plain(map[string]any{"status": answered.GetStatusCode(), "text": err.Error()})
		}
		if _, ok := errors.AsType[*url.Error](err); ok {
			return map[string]any{"unanswered": true}
		}
		return map[string]any{"text": err.Error()}
	}
	failed := map[string]any{"status": e.ResponseStatusCode, "code": "", "message": "", "target": "", "requestID": "", "clientRequestID": "", "details": []any{}}
	if e.ResponseHeaders != nil {
		if after := e.ResponseHeaders.Get("Retry-After"); len(after) > 0 {
			failed["retryAfter"] = after[0]
		}
	}
	if said := e.GetErrorEscaped(); said != nil {
		failed["code"], failed["message"], failed["target"] = text(said.GetCode()), text(said.GetMessage()), text(said.GetTarget())
		details := []any{}
		for _, d := range said.GetDetails() {
			details = append(details, map[string]any{"code": text(d.GetCode()), "message": text(d.GetMessage()), "target": text(d.GetTarget())})
		}
		failed["details"] = details
		if inner := said.GetInnerError(); inner != nil {
			failed["requestID"], failed["clientRequestID"] = text(inner.GetRequestId()), text(inner.GetClientRequestId())
			if date := inner.GetDate(); date != nil {
				failed["date"] = date.UTC()
			}
		}
	}
	return plain(failed)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
