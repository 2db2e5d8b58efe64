// Package all lists the peers. The first is the measure for the others.
package all

import (
	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/azcore"
	"github.com/graphlicensing/licensing/benchmarks/peers/hashicorp"
	"github.com/graphlicensing/licensing/benchmarks/peers/licensing"
	"github.com/graphlicensing/licensing/benchmarks/peers/nethttp"
	"github.com/graphlicensing/licensing/benchmarks/peers/retryable"
)

// A Named is a peer under the name of its package.
type Named struct {
	Name string
	New  peers.New
}

// Peers are all that are compiled in.
var Peers = []Named{
	{"nethttp", nethttp.New},
	{"licensing", licensing.New},
	{"retryable", retryable.New},
	{"azcore", azcore.New},
	{"hashicorp", hashicorp.New},
}
