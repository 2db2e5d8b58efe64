package main

import (
	"log"
	"math"
	"time"

	"github.com/graphlicensing/licensing/benchmarks/data"
)

// writeData writes what is drawn of all peers, ours first. It needs all figures.
func writeData(file string, all figures) {
	sizes := data.Sizes{Source: data.Source{
		Command:  "go run ./compare -msgraph -only size,build -msgraph-builds 1 -data data/size.json",
		Measured: time.Now().UTC().Format(time.DateOnly),
	}}
	for _, peer := range []string{"licensing", "nethttp", "retryable", "azcore", "hashicorp", "msgraph"} {
		figure := func(row string) float64 {
			value, ok := median(all[peer][row])
			if !ok {
				log.Panicf("nothing to draw: %s has no figure for %q", peer, row)
			}
			return math.Round(10*value) / 10
		}
		sizes.Rows = append(sizes.Rows, data.Size{Peer: peer, Binary: figure(binary), Build: figure(coldCPU), Lines: figure(linesCompiled)})
	}
	check(data.Write(file, sizes))
}
