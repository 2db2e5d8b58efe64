package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// exampleStream returns JetStream of a server for an example.
func exampleStream() (jetstream.JetStream, func()) {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		log.Fatal(err)
	}
	server, err := fleet.NewServer(dir)
	if err != nil {
		log.Fatal(err)
	}
	js, err := jetstream.New(server.Conn())
	if err != nil {
		log.Fatal(err)
	}
	return js, func() {
		server.Close()
		os.RemoveAll(dir)
	}
}

func Example() {
	js, end := exampleStream()
	defer end()
	tenant, _, operations := people(100)
	ctx := context.Background()

	n, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "operations published")

	worker := fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "joiners"}
	if err := worker.Work(ctx); err != nil {
		log.Fatal(err)
	}

	done := 0
	for result, err := range fleet.Results(ctx, js, "joiners") {
		if err != nil {
			log.Fatal(err)
		}
		if result.Done() {
			done++
		}
	}
	fmt.Println(done, "done")
	// Output:
	// 100 operations published
	// 100 done
}

// A server keeps what it has when it is closed.
func ExampleNewServer() {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, _, operations := people(3)
	for range 2 {
		server, err := fleet.NewServer(dir)
		if err != nil {
			log.Fatal(err)
		}
		js, err := jetstream.New(server.Conn())
		if err != nil {
			log.Fatal(err)
		}
		n, err := fleet.Publish(context.Background(), js, "joiners", slices.Values(operations))
		fmt.Println(n, err)
		server.Close()
	}
	// Output:
	// 3 <nil>
	// 0 <nil>
}

// Other processes reach a server that listens.
func ExampleListen() {
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, err := fleet.NewServer(dir, fleet.Listen("127.0.0.1", 0))
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	conn, err := nats.Connect(server.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println(strings.HasPrefix(server.URL(), "nats://127.0.0.1:"), conn.IsConnected())
	// Output: true true
}

// The same run is published once.
func ExamplePublish() {
	js, end := exampleStream()
	defer end()
	_, _, operations := people(3)
	ctx := context.Background()
	fmt.Println(fleet.Publish(ctx, js, "joiners", slices.Values(operations)))
	fmt.Println(fleet.Publish(ctx, js, "joiners", slices.Values(operations)))
	_, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations[1:]))
	fmt.Println(errors.Is(err, fleet.ErrPublished))
	// Output:
	// 3 <nil>
	// 0 <nil>
	// true
}

// Workers in one process or in several divide a run among them.
func ExampleWorker_Work() {
	js, end := exampleStream()
	defer end()
	tenant, _, operations := people(60)
	ctx := context.Background()
	if _, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations)); err != nil {
		log.Fatal(err)
	}
	errs := make(chan error)
	for range 2 {
		worker := fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "joiners"}
		go func() { errs <- worker.Work(ctx) }()
	}
	fmt.Println(<-errs, <-errs)
	fmt.Println(len(tenant.Writes()), "people were licensed")
	// Output:
	// <nil> <nil>
	// 60 people were licensed
}

// Each operation has one result, with its index in what was published.
func ExampleResults() {
	js, end := exampleStream()
	defer end()
	tenant, sku, operations := people(1)
	operations = append(operations, assign("nobody@contoso.example", sku))
	ctx := context.Background()
	if _, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations)); err != nil {
		log.Fatal(err)
	}
	worker := fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "joiners"}
	if err := worker.Work(ctx); err != nil {
		log.Fatal(err)
	}
	outcomes := make([]licensing.Outcome, len(operations))
	for result, err := range fleet.Results(ctx, js, "joiners") {
		if err != nil {
			log.Fatal(err)
		}
		outcomes[result.Index] = result.Outcome()
	}
	fmt.Println(outcomes)
	// Output: [done failed]
}

func ExampleLook() {
	js, end := exampleStream()
	defer end()
	_, _, operations := people(3)
	ctx := context.Background()
	if _, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations)); err != nil {
		log.Fatal(err)
	}
	status, err := fleet.Look(ctx, js, "joiners")
	fmt.Println(status.Results(), "of", status.Published, status.Complete(), err)
	// Output: 0 of 3 false <nil>
}

func ExampleDelete() {
	js, end := exampleStream()
	defer end()
	_, _, operations := people(3)
	ctx := context.Background()
	if _, err := fleet.Publish(ctx, js, "joiners", slices.Values(operations)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(fleet.Delete(ctx, js, "joiners"))
	_, err := fleet.Look(ctx, js, "joiners")
	fmt.Println(errors.Is(err, jetstream.ErrStreamNotFound))
	// Output:
	// <nil>
	// true
}

// Writes of several processes outside of a run take turns.
func ExampleNewLocker() {
	js, end := exampleStream()
	defer end()
	ctx := context.Background()
	bucket, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "locks"})
	if err != nil {
		log.Fatal(err)
	}
	tenant := licensingtest.NewTenant()
	sku := tenant.AddSKU(licensingtest.SKU{Seats: 1})
	adele := tenant.AddUser(licensingtest.User{UserPrincipalName: "adele@contoso.example", UsageLocation: "DE"})
	client := tenant.Client(licensing.WithLocker(fleet.NewLocker(bucket, 0)))
	user, err := client.AssignUserLicense(ctx, adele.ID, licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.UserPrincipalName)
	// Output: adele@contoso.example
}
