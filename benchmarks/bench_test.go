package benchmarks

import (
	"io"
	"log"
	"testing"

	"github.com/graphlicensing/licensing/benchmarks/harness"
	"github.com/graphlicensing/licensing/benchmarks/peers/all"
)

func init() { log.SetOutput(io.Discard) } // hashicorp's SDK writes every call to it

func BenchmarkAssignUser(b *testing.B) {
	for _, peer := range all.Peers {
		b.Run(peer.Name, func(b *testing.B) { harness.Benchmark(b, peer.New, harness.AssignUser) })
	}
}

func BenchmarkAssignGroup(b *testing.B) {
	for _, peer := range all.Peers {
		b.Run(peer.Name, func(b *testing.B) { harness.Benchmark(b, peer.New, harness.AssignGroup) })
	}
}
