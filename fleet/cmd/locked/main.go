// Locked gives a license to a user, under a lock that it shares with other processes.
//
//	NATS_URL=nats://nats:4222 GRAPH_TOKEN=… locked adele@contoso.com 6fd2c87f-b296-42f0-b197-1e91e994b900
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: locked USER SKU")
	}
	sku, err := uuid.Parse(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	conn, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx := context.Background()
	locked, err := locks(ctx, conn)
	if err != nil {
		log.Fatal(err)
	}
	client, err := licensing.NewClient(licensing.StaticToken(os.Getenv("GRAPH_TOKEN")), locked)
	if err != nil {
		log.Fatal(err)
	}

	user, err := client.AssignUserLicense(ctx, os.Args[1], licensing.AssignLicenseRequest{
		AddLicenses: []licensing.AssignedLicense{{SKUID: sku}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("licensed", user.ID)
}

// locks returns the option for clients that take turns by locks in NATS.
func locks(ctx context.Context, conn *nats.Conn) (licensing.Option, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	bucket, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "locks", TTL: time.Hour})
	if err != nil {
		return nil, err
	}
	return licensing.WithLocker(fleet.NewLocker(bucket, 0)), nil
}
