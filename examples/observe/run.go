package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

// userName returns the name of a user of the fake tenant, the first being 1.
func userName(i int) string { return fmt.Sprintf("user%04d@contoso.example", i) }

// newTenant returns a fake tenant that makes 20 writes a second and answers a
// request after 300 ms. Each 20th user has no usage location, and for each 50th a
// seat is missing.
func newTenant(users int) *licensingtest.Tenant {
	tenant := licensingtest.NewTenant()
	tenant.SetThrottle(licensingtest.ThrottleEmpty)
	tenant.Fail(licensingtest.Fault{DelayAnswer: 300 * time.Millisecond, Times: -1})
	tenant.AddSKU(contoso.E3(users - users/20 - users/50))
	for i := 1; i <= users; i++ {
		user := licensingtest.User{UserPrincipalName: userName(i), UsageLocation: "DE"}
		if i%20 == 0 {
			user.UsageLocation = ""
		}
		tenant.AddUser(user)
	}
	return tenant
}

// operations gives everybody E3, and somebody who has left.
func operations(users int) iter.Seq[licensing.Operation] {
	change := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: contoso.E3(0).ID}}}
	return func(yield func(licensing.Operation) bool) {
		for i := 1; i <= users; i++ {
			if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: userName(i), Request: change}) {
				return
			}
		}
		yield(licensing.Operation{Kind: licensing.OperationReprocessUser, Target: "gone@contoso.example"})
	}
}

// makeRun makes a run of which the metrics and traces are told.
func makeRun(ctx context.Context, tenant *licensingtest.Tenant, users int, m *metrics, t *traces, out io.Writer) error {
	client, err := licensing.NewClient(licensing.StaticToken("token"),
		licensing.WithHTTPClient(&http.Client{Transport: tenant.RoundTripper()}),
		licensing.WithObserver(m.attempt),
		licensing.WithObserver(t.attempt))
	if err != nil {
		return err
	}
	within, span := t.tracer.Start(ctx, "license run", trace.WithAttributes(attribute.Int("licensing.operations", users+1)))
	outcomes := make(map[licensing.Outcome]int)
	for result := range client.Bulk(within, operations(users), licensing.BulkOptions{}) {
		m.result(result)
		outcomes[result.Outcome()]++
	}
	left := users + 1 - outcomes[licensing.OutcomeDone]
	if left > 0 {
		span.SetStatus(codes.Error, fmt.Sprintf("%d operations are not done", left))
	}
	span.End()
	if err := t.flush(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d operations: %d done, %d failed, %d unknown, %d not sent\n", users+1,
		outcomes[licensing.OutcomeDone], outcomes[licensing.OutcomeFailed], outcomes[licensing.OutcomeUnknown], outcomes[licensing.OutcomeNotSent])
	return err
}
