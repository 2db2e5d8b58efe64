package main

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/graphlicensing/licensing"
)

// LibraryReads are the reads of the library, each made once, or for a first few
// hundred objects.
var libraryReads = []check{
	{"read-subscribed-skus", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error { return only(c.SubscribedSKUs(ctx)) })},
	{"read-subscriptions", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error { return only(c.Subscriptions(ctx)) })},
	{"read-users", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error {
		return first(c.Users(ctx, licensing.UserQuery{}))
	})},
	{"read-users-with-errors", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error {
		return first(c.Users(ctx, licensing.UserQuery{OnlyErrors: true}))
	})},
	{"read-user", false, library("{user}", func(ctx context.Context, c *licensing.Client, id string) error { return only(c.User(ctx, id)) })},
	{"read-users-in-batches", false, library("{user}", func(ctx context.Context, c *licensing.Client, id string) error {
		for read := range c.ReadUsers(ctx, slices.Values([]string{id}), licensing.ReadUsersOptions{}) {
			return read.Err
		}
		return nil
	})},
	{"read-user-license-details", false, library("{user}", func(ctx context.Context, c *licensing.Client, id string) error {
		return only(c.UserLicenseDetails(ctx, id))
	})},
	{"read-me", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error { return only(c.Me(ctx)) })},
	{"read-my-license-details", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error { return only(c.MyLicenseDetails(ctx)) })},
	{"read-groups", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error {
		return first(c.Groups(ctx, licensing.GroupQuery{Licensed: true}))
	})},
	{"read-groups-with-errors", false, library("", func(ctx context.Context, c *licensing.Client, _ string) error {
		return first(c.Groups(ctx, licensing.GroupQuery{OnlyErrors: true}))
	})},
	{"read-group", false, library("{group}", func(ctx context.Context, c *licensing.Client, id string) error { return only(c.Group(ctx, id)) })},
	{"read-group-members-with-errors", false, library("{group}", func(ctx context.Context, c *licensing.Client, id string) error {
		return first(c.GroupMembersWithErrors(ctx, id))
	})},
}

// library is a check of a read that is about an object, or none.
func library(about string, read func(ctx context.Context, c *licensing.Client, id string) error) func(context.Context, *probe) outcome {
	return func(ctx context.Context, p *probe) outcome {
		id, lacking := p.fill(about)
		if lacking != "" {
			return p.judge(ask{}, reply{lacking: lacking})
		}
		return p.understood(read(ctx, p.client, id))
	}
}

// only leaves the error of a read alone.
func only[T any](_ T, err error) error { return err }

// first reads as much of a listing as says whether it can be read.
func first[T any](listing iter.Seq2[T, error]) error {
	n := 0
	for _, err := range listing {
		if n++; err != nil || n == 300 {
			return err
		}
	}
	return nil
}

// understood tells what an error says of an answer. Errors quote names, so
// their text is left out.
func (p *probe) understood(err error) outcome {
	refused, isRefused := errors.AsType[*licensing.Error](err)
	decode, isDecode := errors.AsType[*licensing.DecodeError](err)
	switch {
	case err == nil:
		return asExpected
	case isDecode:
		return differs("%d, and the answer cannot be read at property %q", decode.StatusCode, decode.Property)
	case errors.Is(err, licensing.ErrTooLarge):
		return differs("the answer has more in it than expected")
	case err != nil && (!isRefused || refused.StatusCode == 0):
		return unseen("no answer")
	case passing(refused.StatusCode), refused.StatusCode == 404, errors.Is(err, licensing.ErrDelegatedOnly):
		return unseen("%d %s", refused.StatusCode, p.clean(refused.Code, ""))
	}
	return differs("%d %s", refused.StatusCode, p.clean(refused.Code, ""))
}
