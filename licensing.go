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

// A Cloud is one deployment of Microsoft Graph. A token is valid in one cloud only.
type Cloud struct {
	Name     string // for people: "Global", "US Government L4", …
	GraphURL string // root of Graph, without a version: "https://graph.microsoft.com"
	LoginURL string // root of the sign-in service, for code that gets tokens
}

// Scope returns the scope to request a token for with client credentials: GraphURL
// followed by "/.default".
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

// A TokenSource returns an access token for Graph. The client calls it before each
// request, and once more after a 401. A TokenSource should cache tokens, must be
// safe for concurrent use, and must return when ctx ends.
//
// If a TokenSource fails, the call fails with its error. A [Client.Bulk] run treats
// the failure as an outage and waits, once any request of the client has succeeded.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken returns a source of one fixed token, such as a command-line tool gets
// from its environment. Such a token is valid for about an hour.
func StaticToken(token string) TokenSource {
	return func(context.Context) (string, error) { return token, nil }
}

// A Client calls Microsoft Graph. [NewClient] makes one. A Client is safe for
// concurrent use and should be shared, because only the calls of one client take
// turns on a user or group. [WithLocker] extends that to several clients.
type Client struct {
	service *graph.Service
	recent  *recents // and the turns to write to one object
	locker  Locker   // nil: other processes do not write
}

// NewClient returns a client that authenticates its requests with tokens. It checks
// its arguments and does no I/O. If tokens is nil, the HTTP client given by
// [WithHTTPClient] must add the Authorization header itself.
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
		return nil, invalid(op, "token source is nil, and no HTTP client was given to authenticate requests")
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
// without a transport of their own share one, so this closes the idle connections
// of all of them.
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

// ContextWithClientRequestID returns a context whose calls send id in the
// client-request-id header. Microsoft support asks for this id. By default each
// call has a new id, and all attempts of a call share it.
func ContextWithClientRequestID(ctx context.Context, id uuid.UUID) context.Context {
	return graph.ContextWithID(ctx, id)
}
