// Package smallest is what the smallest programs have in common.
package smallest

import (
	"context"
	"log"
	"os"

	"github.com/graphlicensing/licensing/benchmarks/peers"
)

// Main makes one call for a user, against the Graph that the program's argument
// names.
func Main(create peers.New) {
	client, err := create(os.Args[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	change := peers.Change{Add: []peers.License{{SKU: "84a661c4-e949-4bd2-a560-ed7766fcaf2b"}}}
	if _, err := client.AssignUser(context.Background(), "11111111-1111-4111-8111-111111111111", change); err != nil {
		log.Fatal(err)
	}
}
