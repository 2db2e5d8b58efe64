package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// demo has several processes finish a run on a fake tenant, of which one is killed.
func demo(ctx context.Context, s setup, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.people < 1 || s.workers < 2 {
		return errors.New("the demo needs a person and two workers at least")
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "fleet"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	s.listen = "127.0.0.1:0"
	own, err := s.serve()
	if err != nil {
		return err
	}
	defer own.Close()
	js, err := jetstream.New(own.Conn())
	if err != nil {
		return err
	}

	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{PartNumber: "ENTERPRISEPACK", Seats: s.people})
	tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 300, Rate: 200}})
	graph := httptest.NewServer(tenant)
	defer graph.Close()
	if _, err := fleet.Publish(ctx, js, s.run, joiners(tenant, s.people, sku)); err != nil {
		return err
	}

	done := make(chan error, s.workers)
	var first *exec.Cmd
	for i := range s.workers {
		c := exec.CommandContext(ctx, os.Args[0], "work", "-run", s.run, "-server", own.URL(), "-graph", graph.URL,
			"-attempt", "2s", "-fence", "2s", "-lease", "2s", "-rate", "200")
		c.Env, c.Stderr = append(os.Environ(), "GRAPH_TOKEN=demo", "FLEET_COMMAND=1"), os.Stderr
		if err := c.Start(); err != nil {
			return err
		}
		if i == 0 {
			first = c
		}
		go func() { done <- c.Wait() }()
	}
	go killAt(ctx, js, s, first, s.people/4)
	t := newTable(out)
	if err := t.follow(ctx, js, s.run); err != nil {
		return err
	}
	killed := 0
	for range s.workers {
		if <-done != nil {
			killed++
		}
	}
	return summary(ctx, js, s, tenant, out, killed)
}

// joiners yields operations that license new people.
func joiners(tenant *licensingtest.Tenant, n int, sku licensingtest.SKU) func(func(licensing.Operation) bool) {
	return func(yield func(licensing.Operation) bool) {
		for i := range n {
			name := "person" + strconv.Itoa(i) + "@contoso.example"
			tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "DE"})
			if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: name, Request: licensing.AssignLicenseRequest{
				AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
			}}) {
				return
			}
		}
	}
}

// killAt kills a worker when so many operations are made.
func killAt(ctx context.Context, js jetstream.JetStream, s setup, worker *exec.Cmd, results int) {
	for ctx.Err() == nil {
		if status, err := fleet.Look(ctx, js, s.run); err == nil && status.Results() >= results {
			worker.Process.Kill()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// summary compares the results with what the tenant has.
func summary(ctx context.Context, js jetstream.JetStream, s setup, tenant *licensingtest.Tenant, out io.Writer, killed int) error {
	made, again := 0, 0
	for r, err := range fleet.Results(ctx, js, s.run) {
		switch {
		case err != nil:
			return err
		case r.Done():
			made++
		}
		if r.Operation.Resumed {
			again++
		}
	}
	effects := 0
	for _, w := range tenant.Writes() {
		if w.Changed {
			effects++
		}
	}
	fmt.Fprintf(out, "%d workers, %d of them killed; %d operations done, %d of them taken over from the dead; %d people were licensed, each once\n",
		s.workers, killed, made, again, effects)
	if made != s.people || effects != s.people {
		return fmt.Errorf("%d people should have been", s.people)
	}
	return nil
}
