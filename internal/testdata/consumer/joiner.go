// Package consumer uses the library as a program elsewhere would: what it needs
// behind an interface of its own, so that its tests need no Graph.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/graphlicensing/licensing"
)

// A Licenser is what a Joiner needs of a client.
type Licenser interface {
	SetUsageLocation(ctx context.Context, user, countryCode string) error
	AssignUserLicense(ctx context.Context, user string, req licensing.AssignLicenseRequest) (*licensing.User, error)
	Bulk(ctx context.Context, operations iter.Seq[licensing.Operation], opts licensing.BulkOptions) iter.Seq[licensing.OperationResult]
}

var _ Licenser = (*licensing.Client)(nil)

// A Joiner gives new users their license.
type Joiner struct {
	Client  Licenser
	SKU     uuid.UUID
	Country string
}

// NewClient returns a client as a service sets it up.
func NewClient(tokens licensing.TokenSource) (*licensing.Client, error) {
	return licensing.NewClient(tokens,
		licensing.WithCloud(licensing.CloudUSGovL4),
		licensing.WithUserAgent("joiner/1.0"),
		licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: 3, MaxWait: time.Minute}),
		licensing.WithWriteQuota(10, 1000),
	)
}

// Join licenses one user, and says whether to come back later.
func (j *Joiner) Join(ctx context.Context, user string) (later time.Duration, err error) {
	if err := j.Client.SetUsageLocation(ctx, user, j.Country); err != nil {
		return 0, err
	}
	_, err = j.Client.AssignUserLicense(ctx, user, j.request())
	var failed *licensing.Error
	if errors.Is(err, licensing.ErrThrottled) && errors.As(err, &failed) {
		return failed.RetryAfter, nil
	}
	return 0, err
}

// JoinAll licenses many users and returns the errors of those who got nothing.
func (j *Joiner) JoinAll(ctx context.Context, users iter.Seq[string]) error {
	operations := func(yield func(licensing.Operation) bool) {
		for user := range users {
			if !yield(licensing.Operation{Kind: licensing.OperationSetUsageLocation, Target: user, UsageLocation: j.Country}) ||
				!yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: j.request()}) {
				return
			}
		}
	}
	var errs []error
	for result := range j.Client.Bulk(ctx, operations, licensing.BulkOptions{StopAddingWithoutSeats: true}) {
		if !result.Done() {
			errs = append(errs, fmt.Errorf("%s: %w", result.Operation.Target, result.Err))
		}
	}
	return errors.Join(errs...)
}

func (j *Joiner) request() licensing.AssignLicenseRequest {
	return licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: j.SKU}}}
}
