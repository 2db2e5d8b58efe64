package parity

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// ours is our client. It sends each request once: how it repeats them is
// another comparison.
type ours struct{ client *licensing.Client }

func newOurs(t *testing.T, server *httptest.Server, policy licensing.RetryPolicy) client {
	c, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithBaseURL(server.URL),
		licensing.WithHTTPClient(&http.Client{Transport: server.Client().Transport}), licensing.WithRetryPolicy(policy))
	if err != nil {
		t.Fatal(err)
	}
	return ours{c}
}

var once = licensing.RetryPolicy{MaxAttempts: 1, Fence: -1}

func result[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return plain(v), nil
}

func collected[T any](items iter.Seq2[T, error]) (any, error) {
	list := []any{}
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		list = append(list, plain(item))
	}
	return list, nil
}

func (o ours) assignUser(ctx context.Context, user string, c change) (any, error) {
	return result(o.client.AssignUserLicense(ctx, user, request(c)))
}

func (o ours) assignMe(ctx context.Context, c change) (any, error) {
	return result(o.client.AssignMyLicense(ctx, request(c)))
}

func (o ours) assignGroup(ctx context.Context, group string, c change) (any, error) {
	return result(o.client.AssignGroupLicense(ctx, group, request(c)))
}

func (o ours) reprocessUser(ctx context.Context, user string) (any, error) {
	return result(o.client.ReprocessUserLicense(ctx, user))
}

func (o ours) reprocessMe(ctx context.Context) (any, error) {
	return result(o.client.ReprocessMyLicense(ctx))
}

func (o ours) setUsageLocation(ctx context.Context, user, country string) (any, error) {
	return nil, o.client.SetUsageLocation(ctx, user, country)
}

func (o ours) swapUser(ctx context.Context, user string, from, to uuid.UUID) (any, error) {
	swapped, err := o.client.SwapUserLicense(ctx, user, licensing.LicenseSwap{From: from, To: to})
	if err != nil {
		return nil, err
	}
	return plain(swapped.User), nil
}

func (o ours) user(ctx context.Context, user string) (any, error) {
	return result(o.client.User(ctx, user))
}

func (o ours) me(ctx context.Context) (any, error) { return result(o.client.Me(ctx)) }

func (o ours) group(ctx context.Context, group string) (any, error) {
	return result(o.client.Group(ctx, group))
}

func (o ours) userDetails(ctx context.Context, user string) (any, error) {
	return result(o.client.UserLicenseDetails(ctx, user))
}

func (o ours) myDetails(ctx context.Context) (any, error) {
	return result(o.client.MyLicenseDetails(ctx))
}

func (o ours) skus(ctx context.Context) (any, error) { return result(o.client.SubscribedSKUs(ctx)) }

func (o ours) users(ctx context.Context, filter string, pageSize int, _ bool) (any, error) {
	return collected(o.client.Users(ctx, licensing.UserQuery{Filter: filter, PageSize: pageSize}))
}

func (o ours) groupsWithErrors(ctx context.Context) (any, error) {
	return collected(o.client.Groups(ctx, licensing.GroupQuery{OnlyErrors: true}))
}

func (o ours) membersWithErrors(ctx context.Context, group string) (any, error) {
	return collected(o.client.GroupMembersWithErrors(ctx, group))
}

func (o ours) batch(ctx context.Context, operations []licensing.Operation) (any, error) {
	results := make([]any, len(operations))
	for r := range o.client.Bulk(ctx, slices.Values(operations), licensing.BulkOptions{Concurrency: 1}) {
		results[r.Index] = batchResult(plain(r.User), plain(r.Group), r.Operation.Kind, oursFailed(r.Err))
	}
	return results, nil
}

// batchResult is what became of an operation in a batch.
func batchResult(user, group any, kind licensing.OperationKind, failed any) any {
	switch {
	case failed != nil:
		return map[string]any{"error": failed}
	case kind == licensing.OperationSetUsageLocation:
		return map[string]any{} // which is all that Graph says
	case user != nil:
		return map[string]any{"user": user}
	}
	return map[string]any{"group": group}
}

// oursFailed is what our client tells of a failure.
func oursFailed(err error) any {
	if err == nil {
		return nil
	}
	var e *licensing.Error
	if !errors.As(err, &e) {
		return map[string]any{"text": err.Error()}
	}
	failed := map[string]any{"status": e.StatusCode, "code": e.Code, "message": e.Message, "target": e.Target, "requestID": e.RequestID, "clientRequestID": e.ClientRequestID}
	if !e.Date.IsZero() {
		failed["date"] = e.Date.UTC()
	}
	if after := e.Header.Get("Retry-After"); after != "" {
		failed["retryAfter"] = after
	}
	details := []any{}
	for _, d := range e.Details {
		details = append(details, map[string]any{"code": d.Code, "message": d.Message, "target": d.Target})
	}
	failed["details"] = details
	if e.StatusCode == 0 {
		failed = map[string]any{"unanswered": true}
	}
	return plain(failed)
}

// TestScript runs the script through our client alone.
func TestScript(t *testing.T) {
	tenant := newTenant()
	server := httptest.NewTLSServer(tenant)
	defer server.Close()
	client := newOurs(t, server, once)
	for _, s := range script() {
		if s.arrange != nil {
			s.arrange(tenant)
		}
		before := len(tenant.Requests())
		ctx, cancel := context.WithTimeout(t.Context(), callTime)
		value, err := s.call(ctx, client)
		cancel()
		sent := len(tenant.Requests()) - before
		if value == nil && err == nil && s.name != "usage location" {
			t.Errorf("%s: no result and no error", s.name)
		}
		if s.unsent != (sent == 0) {
			t.Errorf("%s: %d requests were sent", s.name, sent)
		}
		if s.unsent && !errors.Is(err, licensing.ErrInvalidArgument) {
			t.Errorf("%s: error is %v", s.name, err)
		}
	}
}
