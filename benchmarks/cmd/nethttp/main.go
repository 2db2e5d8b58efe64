// Command nethttp is the smallest program of that peer: it makes one call for a
// user, against the Graph that its argument names.
package main

import (
	"github.com/graphlicensing/licensing/benchmarks/peers/nethttp"
	"github.com/graphlicensing/licensing/benchmarks/peers/smallest"
)

func main() { smallest.Main(nethttp.New) }
