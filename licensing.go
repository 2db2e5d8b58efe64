// Package licensing assigns, removes and repairs Microsoft 365 and Entra
// licenses through Microsoft Graph v1.0.
//
//	client, err := licensing.NewClient(tokens)
//	…
//	user, err := client.AssignUserLicense(ctx, "adele@contoso.com", licensing.AssignLicenseRequest{
//		AddLicenses: []licensing.AssignedLicense{{SKUID: e3}},
//	})
//
// # Authentication
//
// A [TokenSource] is a function that returns an access token for the scope
// that [Cloud.Scope] names. It is asked for each request, so it should cache;
// the credentials of azidentity do, and five lines bridge them:
//
//	tokens := func(ctx context.Context) (string, error) {
//		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{
//			Scopes: []string{licensing.CloudGlobal.Scope()},
//		})
//		return token.Token, err
//	}
//
// A token goes to the client's own host only, over https only (or to a
// loopback address). It stands in no error, result or log line, even where a
// gateway quotes it: whatever comes back is searched for it, quoted, encoded or in
// base64. Tokens of fewer than 16 characters are left alone.
//
// # Reading
//
// [Client.User] reads what one person has, [Client.ReadUsers] those of a list, and
// [Client.Users] everybody; [User.DirectLicenses], [User.InheritedLicenses] and
// [User.EffectivePlans] tell from where. [Client.Group] and [Client.Groups] do the
// same for groups. [Client.SubscribedSKUs] reads what there is to give, and a
// [Catalog] of it finds SKUs and service plans by name. [Client.Subscriptions] reads
// when that ends.
//
// What Graph does not tell is unknown, and not none: of a user whom the token may not
// read, LicenseAssignmentStates is nil.
//
// Reads of Entra lag behind its writes, by seconds as a rule and by minutes at
// times. A client reads its own writes: for five minutes a user or group is shown
// as the client wrote it, in AssignedLicenses and in the direct rows of
// LicenseAssignmentStates. A direct row with a later time is shown as it is. A
// removal by somebody else leaves no row, and the licenses of a group carry no
// times: there the client's own write counts. What a group's change does to its
// members, plans in AssignedPlans, and users that a filter leaves out are not made
// up, and a change in doubt is not shown as made. [ContextWithRawReads] shows what
// Graph answers. [Client.WaitForUser] and [Client.WaitForGroup] wait until that
// shows a change.
//
// # Assigning and removing
//
// An [AssignLicenseRequest] is applied as a whole or not at all. The disabled
// plans of an added SKU replace those it had before, and without any all of
// its plans are on. Licenses inherited from a group can be changed on the
// group only. Taking away Exchange, whether as a SKU or as a service plan,
// starts the 30 days after which the mailbox is deleted.
//
// That a write succeeded is what to trust. Graph answers the write of a user with
// the eleven default properties of a user, and no licenses. [Client.User] reads
// the licenses.
//
// [Client.RemoveUserLicenses] and [Client.RemoveAllUserLicenses] take away what is
// there, in whatever state a user is, and return when reads show that it is gone.
//
// A client sends one write at a time for one user or group, because parallel
// ones end in a 409 for a user and in silently lost changes for a group. Different
// objects never wait for each other. A user goes by id, by user principal name and
// as "me". Each answer that shows both tells the client that they are one user, and
// until then they are several. At least the last 16,384 names are known, in 6 MiB.
//
// # Several processes
//
// The clients of several processes do not know of each other. [WithLocker] gives
// them an order: each write and each edit has a lock of its user or group, which
// hands on what was written lately. With such a locker an edit undoes nothing that
// another process wrote. Without one it can undo what another process wrote in the
// last five minutes, as long as reads lag or, where no time tells which write is
// later, the client wrote the same license itself. A request that stalled can then
// undo what another process writes within RetryPolicy.Fence.
//
// # Editing what is there
//
// [Client.UpdateUserServicePlans] switches single service plans, and
// [Client.SwapUserLicense] puts one SKU in the place of another; both have twins
// for groups. They read what is assigned directly, work the change out and
// write it in one turn. They go by what the client reads, its own writes
// included. [ServicePlanChange.Apply] and [LicenseSwap.Apply] work a change out
// without sending anything. [Client.SetUsageLocation] comes before a user's first
// license.
//
// After a change in doubt an edit makes so what reads show. Where it may have
// assigned a license that no read shows yet, the edit fails with [ErrUnavailable].
//
// # Groups are asynchronous
//
// Graph answers a change to a group with 202 Accepted and applies it to the
// members later, to each member entirely or not at all. [Client.WaitForGroup]
// waits for that. [Client.GroupMembersWithErrors] returns those for whom it
// failed, [LicenseAssignmentState.Err] why, and [Client.ReprocessUserLicense]
// tries again.
//
// # Bulk
//
// [Client.Bulk] makes thousands of writes as fast as Graph allows, which is
// 3,000 at once and then 20 a second for one application in a tenant. It packs
// them into batches, slows down when Graph refuses one, waits as Graph asks, and
// speeds up again; [WithWriteQuota] tells it of another quota. All runs of a
// client share what it has learned, and so do single calls that were throttled.
// Several clients on one quota each find a share of it.
//
//	for result := range client.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{}) {
//		if !result.Done() {
//			log.Print(result.Operation.Target, ": ", result.Err)
//		}
//	}
//
// Each operation that is taken in has exactly one result, also when ctx ends,
// and it is as true as that of a single call. What is throttled is sent again,
// however often; where Graph asks for a longer wait than [RetryPolicy] or ctx
// allows, the run ends with [ErrThrottled]. For the rest the policy holds, but
// for MaxElapsed. The runs of one client take turns, a batch each.
//
// An outage is waited out for BulkOptions.MaxOutage: the service or the way to it
// fails for three objects or more, one after the other. Meanwhile a request is
// made now and then, and attempts do not count. What was not sent when the run
// gives up fails with [ErrStopped].
//
// A run ends in good order when BulkOptions.Drain is closed: what was sent is
// settled, the rest is [OutcomeNotSent]. The end of ctx leaves what is under way in
// doubt, and a break gives up results.
//
// An [Operation] and an [OperationResult] are plain data that travels as lines
// of JSON, the error with its kinds, so that a run can be planned, reviewed,
// interrupted and resumed. [OperationResult.Outcome] tells what became of an
// operation. Give the next run those that are not [OutcomeDone], in their order, and
// set Operation.Resumed on those that are [OutcomeUnknown] or have no result: an
// earlier run may have made them. It stays set until there is a definite result.
//
// # Errors
//
// Methods return an [*Error], which works with [errors.Is] and the sentinels
// of this package, or a [*DecodeError] for an answer of Graph's with a property
// that cannot be read; a change that was answered so has been accepted:
//
//	switch {
//	case errors.Is(err, licensing.ErrOutcomeUnknown):
//		// The change may have been made, in full or in part. Send it again.
//	case errors.Is(err, licensing.ErrNoAvailableLicenses):
//		// Buy seats.
//	}
//
// [Kinds] lists what an error is, for counts and labels. [Retryable] says whether
// the same call may succeed later without anybody acting.
//
// Graph has one error code for all license failures, so the kinds are told
// apart by message, in the wordings of both services that answer; an unknown
// message still comes with its status, code and text. What the package adds to an
// error or a log line names no user, but Graph's own message, Body and Header are
// passed on as they came and can hold personal data.
//
// # Logging and metrics
//
// [WithLogger] logs a line for each attempt. [WithObserver] has a function called
// with each [Attempt], for metrics and traces. Neither names a user. [NewTransport]
// is for whoever wraps the transport.
//
// # Retries and throttling
//
// Requests are repeated as [RetryPolicy] says. Retry-After is honored in full
// or, where it is longer than the policy or the context's deadline allows,
// reported at once. When an answer is lost the same operation is sent again
// and the write path's own answer decides, so that an operation is reported
// as failed only if it did not happen; where that cannot be found out the
// error is [ErrOutcomeUnknown].
//
// A request that was given up may still be carried out, later: for RetryPolicy.Fence
// after one that stalled, and for 30 seconds after one that broke off or was
// answered with a 500, 502 or 503. Until then other changes of the same user or
// group wait, and a refusal does not settle what an earlier request did: a call
// ends with the refusal and ErrOutcomeUnknown, and a run asks again.
//
// A success has to be Graph's: an answer without an id, without a member of OData
// and without a request-id is none, and one about somebody else is none either.
//
// Answers are counted before they are decoded. One that has more in it than Graph
// sends is an error of the kind [ErrTooLarge], whose cause is a [*LimitError].
//
// A context without a deadline is fine: MaxElapsed bounds each call, and in a
// listing each page. Only [Client.WaitForGroup] and [Client.WaitForUser] go on
// until their context ends.
//
// # Testing
//
// Package licensingtest is a tenant in memory that answers as Graph does.
package licensing

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
	"github.com/graphlicensing/licensing/internal/pace"
)

// A Cloud is one deployment of Microsoft Graph. Tokens do not cross clouds.
type Cloud struct {
	Name     string // for people: "Global", "US Government L4", …
	GraphURL string // root of Graph, without a version: "https://graph.microsoft.com"
	LoginURL string // root of the sign-in service, for whoever gets the tokens
}

// Scope returns the scope to ask a token for with client credentials:
// GraphURL followed by "/.default".
func (c Cloud) Scope() string { return strings.TrimRight(c.GraphURL, "/") + "/.default" }

// The clouds that Microsoft Graph runs in. CloudGlobal includes GCC; L4 is GCC
// High and L5 is DoD. Bleu, Delos and GovSG are the sovereign clouds of
// France, Germany and Singapore.
var (
	CloudGlobal  = Cloud{"Global", "https://graph.microsoft.com", "https://login.microsoftonline.com"}
	CloudUSGovL4 = Cloud{"US Government L4", "https://graph.microsoft.us", "https://login.microsoftonline.us"}
	CloudUSGovL5 = Cloud{"US Government L5", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"}
	CloudChina   = Cloud{"China", "https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"}
	CloudBleu    = Cloud{"Bleu", "https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr"}
	CloudDelos   = Cloud{"Delos", "https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de"}
	CloudGovSG   = Cloud{"GovSG", "https://graph.svc.sovcloud.sg", "https://login.sovcloud-identity.sg"}
)

// A TokenSource returns an access token for Graph. It is asked before each
// request, and once more after a 401; it should cache, must be safe for
// concurrent use, and has to give up when ctx ends. A call fails with its error;
// a run of [Client.Bulk] waits, once anything of the client's has got through.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken returns a source of one token, as a command line tool may get it
// from its environment. Such a token is good for about an hour.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// A Client calls Microsoft Graph. It is made by [NewClient], is safe for
// concurrent use, and should be shared: without [WithLocker] only calls of one
// client keep out of each other's way on one user or group.
type Client struct {
	service *graph.Service
	recent  *recents // and the turns to write to one object
	locker  Locker   // nil: other processes do not write
}

// NewClient returns a client that signs its requests with tokens. It checks
// its arguments and does no I/O. Without a token source the HTTP client given
// by [WithHTTPClient] has to sign the requests itself.
//
// Errors: [ErrInvalidArgument], naming the option and the reason.
func NewClient(tokens TokenSource, opts ...Option) (*Client, error) {
	const op = "new client"
	s := settings{perSecond: 20, burst: 3000}
	for _, opt := range append([]Option{WithCloud(CloudGlobal)}, opts...) {
		if opt == nil {
			return nil, invalid(op, "option is nil")
		}
		if err := opt(&s); err != nil {
			return nil, invalid(op, "%w", err)
		}
	}
	if tokens == nil && s.httpClient == nil {
		return nil, invalid(op, "token source is nil, and no HTTP client that signs the requests was given")
	}
	base := cmp.Or(s.baseURL, s.cloudURL).String()
	root, _ := url.Parse(strings.TrimRight(base, "/") + "/v1.0") // as good as what it is made of
	config := graph.Config{
		Root:      root,
		Tokens:    graph.TokenSource(tokens),
		Policy:    graph.Policy(s.policy).WithDefaults(),
		Logger:    s.logger,
		Observer:  s.observer(),
		UserAgent: strings.TrimSpace(s.userAgent + " graphlicensing/" + version),
		Foreign:   func(cause error) error { return foreign{cause} },
	}
	if s.httpClient != nil {
		config.HTTPClient = *s.httpClient
	}
	config.OutageWait = config.Policy.MaxWait
	if s.policy.MaxWait == 0 {
		config.OutageWait = graph.Forever
	}
	config.Pacer = pace.New(s.perSecond, s.burst, config.Policy.MaxWait)
	config.Reads = pace.New(readsPerSecond, readsBurst, config.Policy.MaxWait)
	return &Client{service: graph.New(config), recent: new(recents), locker: s.locker}, nil
}

// The quota of reads of one application in a small tenant, in resource units, of
// which reading a user takes one.
const (
	readsPerSecond = 350
	readsBurst     = 3500
)

// version is the one that the User-Agent tells.
const version = "0.1.0"

// CloseIdleConnections closes the connections that no call is using. Clients
// without a transport of their own share one, so it closes theirs too.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.service != nil {
		c.service.CloseIdleConnections()
	}
}

// check says what keeps the client from making any call with ctx.
func (c *Client) check(ctx context.Context, op string) error {
	switch {
	case c == nil || c.service == nil:
		return invalid(op, "client was not made by NewClient")
	case ctx == nil:
		return invalid(op, "context is nil")
	}
	return nil
}

// newRequest returns a request of op on an object, without a body.
func (c *Client) newRequest(ctx context.Context, op string, obj graph.Object, method, action string, into graph.Reader) (graph.Request, error) {
	if err := c.check(ctx, op); err != nil {
		return graph.Request{}, err
	}
	if err := obj.Check(); err != nil {
		return graph.Request{}, invalid(op, "%w", err)
	}
	return graph.Request{
		Op:     op,
		Object: obj,
		Method: method,
		Action: action,
		Into:   into,
		ID:     graph.NewID(ctx),
		Limits: graph.Limits{Started: time.Now()},
	}, nil
}

// ContextWithClientRequestID returns a context whose calls send id as their
// client-request-id, the id that Microsoft support asks for. By default each
// call has a new one, the same on each of its attempts.
func ContextWithClientRequestID(ctx context.Context, id uuid.UUID) context.Context {
	return graph.ContextWithID(ctx, id)
}
