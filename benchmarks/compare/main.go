// Command compare takes all measurements and prints them as one table.
//
//	go run ./compare -runs 5
//	go run ./compare -runs 5 -msgraph
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

var (
	runs     = flag.Int("runs", 5, "how often each measurement is taken")
	builds   = flag.Int("builds", 3, "how often each peer is built from nothing; 0 leaves that out")
	starts   = flag.Int("starts", 20, "how often each program is started")
	duration = flag.Duration("duration", time.Second, "length of one measurement of calls")
	msgraph  = flag.Bool("msgraph", false, "take msgraph-sdk-go in; without its packages in the build cache that takes minutes and 4.5 GB")
	slow     = flag.Int("msgraph-builds", 0, "how often msgraph-sdk-go is built from nothing, for 4 to 40 minutes each")
	only     = flag.String("only", "", "take these measurements alone: stub,load,size,start,build,replies")
	save     = flag.String("json", "", "a file to which the raw figures are added, and from which those of earlier runs are taken")
	draw     = flag.String("data", "", "write what ./plots draws to this file, which takes the figures of all peers")
)

// A figures has, for each peer and measurement, what each run of it gave.
type figures map[string]map[string][]float64

func (f figures) add(peer, row string, value float64) {
	if f[peer] == nil {
		f[peer] = make(map[string][]float64)
	}
	f[peer][row] = append(f[peer][row], value)
}

func main() {
	log.SetFlags(log.Ltime)
	flag.Parse()
	peers := []string{"nethttp", "licensing", "retryable", "azcore", "hashicorp"}
	if *msgraph {
		peers = append(peers, "msgraph")
	}
	all := figures{}
	if *save != "" {
		if text, err := os.ReadFile(*save); err == nil {
			check(json.Unmarshal(text, &all))
		}
	}

	dir, err := os.MkdirTemp("", "compare")
	check(err)
	b := &bench{dir: dir, peers: peers, figures: all}
	defer b.clean()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		b.clean()
		os.Exit(1)
	}()

	for _, step := range []struct {
		name    string
		measure func()
	}{{"size", b.sizes}, {"stub", b.stub}, {"load", b.load}, {"start", b.start}, {"build", b.build}, {"replies", b.replies}} {
		if *only == "" || slices.Contains(strings.Split(*only, ","), step.name) {
			log.Print("measuring: ", step.name)
			step.measure()
			if *save != "" {
				text, err := json.Marshal(all)
				check(err)
				check(os.WriteFile(*save, text, 0o666))
			}
		}
	}
	// An earlier run may have had msgraph.
	if slices.Contains(slices.Collect(maps.Keys(all)), "msgraph") && !*msgraph {
		peers = append(peers, "msgraph")
	}
	table(os.Stdout, peers, all)
	verdict(os.Stdout, all)
	if *draw != "" {
		writeData(*draw, all)
	}
	if b.table != "" {
		fmt.Print("\n", b.table)
	}
}

func check(err error) {
	if err != nil {
		log.Panic(err)
	}
}
