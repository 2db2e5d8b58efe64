// Command worker takes one measurement in a process of its own, so that the
// memory and CPU time of one peer are not mixed with another's. It is started
// by compare.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/graphlicensing/licensing/benchmarks/harness"
	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/all"
)

var (
	mode     = flag.String("mode", "", "serve, stub, or load")
	name     = flag.String("peer", "", "which peer is measured")
	group    = flag.Bool("group", false, "stub: make the group call")
	url      = flag.String("url", "", "load: the server")
	roots    = flag.String("roots", "", "load: the server's certificate; serve: where to put it")
	workers  = flag.Int("workers", 1, "load: how many make calls")
	duration = flag.Duration("duration", time.Second, "for how long to measure")
)

func main() {
	testing.Init()
	flag.Parse()
	log.SetFlags(0)
	if *mode == "serve" {
		serve()
		return
	}
	for _, peer := range all.Peers {
		if peer.Name != *name {
			continue
		}
		log.SetOutput(io.Discard) // hashicorp's SDK writes every call to it
		result := map[string]func(peers.New) map[string]float64{"stub": stub, "load": load}[*mode](peer.New)
		json.NewEncoder(os.Stdout).Encode(result)
		return
	}
	log.Fatalf("no peer %q", *name)
}

// serve answers over TLS until its standard input ends.
func serve() {
	server := httptest.NewUnstartedServer(http.HandlerFunc(harness.Serve))
	server.EnableHTTP2 = true
	server.StartTLS()
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	check(os.WriteFile(*roots, block, 0o600))
	fmt.Println(server.URL)
	io.Copy(io.Discard, os.Stdin)
}

// stub measures a call without a network.
func stub(create peers.New) map[string]float64 {
	flag.Set("test.benchtime", duration.String())
	call := harness.AssignUser
	if *group {
		call = harness.AssignGroup
	}
	var used time.Duration
	result := testing.Benchmark(func(b *testing.B) {
		before := cpu()
		harness.Benchmark(b, create, call)
		used = cpu() - before
	})
	if result.N == 0 {
		fmt.Fprintln(os.Stderr, "the benchmark failed")
		os.Exit(1)
	}
	return map[string]float64{
		"µs":     float64(result.T.Nanoseconds()) / float64(result.N) / 1e3,
		"cpu":    float64(used.Nanoseconds()) / float64(result.N) / 1e3,
		"bytes":  float64(result.AllocedBytesPerOp()),
		"allocs": float64(result.AllocsPerOp()),
	}
}

// load measures calls over loopback TLS with HTTP/2. All peers have the same
// transport, so that what differs is what they do above it.
func load(create peers.New) map[string]float64 {
	text, err := os.ReadFile(*roots)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	peer, err := create(*url, transport)
	check(err)

	ctx := context.Background()
	for range 200 { // connections are made, memory is taken
		check(harness.AssignUser(ctx, peer))
	}
	var calls sync.WaitGroup
	counts := make([]int, *workers)
	before, started := cpu(), time.Now()
	for i := range *workers {
		calls.Go(func() {
			for time.Since(started) < *duration {
				check(harness.Assign(ctx, peer, harness.NthUser(i<<24+counts[i])))
				counts[i]++
			}
		})
	}
	calls.Wait()
	elapsed, used := time.Since(started), cpu()-before
	n := 0
	for _, count := range counts {
		n += count
	}
	return map[string]float64{
		"calls/s": float64(n) / elapsed.Seconds(),
		"cpu":     float64(used.Nanoseconds()) / float64(n) / 1e3,
	}
}

// cpu is the time that this process has computed for.
func cpu() time.Duration {
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
