package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
)

// A table shows how far a run is, in place of what it showed before.
type table struct {
	out   io.Writer
	lines int // that it has on the screen
	start time.Time
	first int // results that there were at the start
}

func newTable(out io.Writer) *table { return &table{out: out, start: time.Now(), first: -1} }

// follow shows the run until it is complete or ctx ends.
func (t *table) follow(ctx context.Context, js jetstream.JetStream, run string) error {
	for {
		status, err := fleet.Look(ctx, js, run)
		if err != nil {
			return err
		}
		t.show(status)
		if status.Complete() {
			return nil
		}
		select {
		case <-time.After(time.Second / 2):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// show puts a status in the place of the one before.
func (t *table) show(s fleet.Status) {
	if t.first < 0 {
		t.first = s.Results()
	}
	var b strings.Builder
	if t.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.lines)
	}
	t.lines = 0
	line := func(format string, args ...any) {
		fmt.Fprintf(&b, format+"\n", args...)
		t.lines++
	}
	took := time.Since(t.start)
	rate := float64(s.Results()-t.first) / took.Seconds()
	line("%d of %d, %.0f a second, %s", s.Results(), s.Published, rate, took.Round(time.Second))
	const width = 50
	full := 0
	if s.Published > 0 {
		full = width * s.Results() / s.Published
	}
	line("%s%s", strings.Repeat("#", full), strings.Repeat(".", width-full))
	for _, o := range []licensing.Outcome{licensing.OutcomeDone, licensing.OutcomeFailed, licensing.OutcomeUnknown, licensing.OutcomeNotSent} {
		line("  %-8s %6d", o, s.Outcomes[o])
	}
	for _, worker := range slices.Sorted(maps.Keys(s.Workers)) {
		line("  worker %s has %2d partitions", worker[len(worker)-6:], s.Workers[worker])
	}
	io.WriteString(t.out, b.String())
}
