package licensing_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/graphlicensing/licensing/licensingtest"
)

// What benchmarks/plots draws is measured here, and kept in benchmarks/data. The
// types are those of benchmarks/data/data.go, which is of another module.

var data = flag.String("data", "", "write what is measured at full length to this file")

// A source says where the figures of a file are from.
type source struct {
	Command  string `json:"command"`
	Measured string `json:"measured"` // the day
	Throttle string `json:"throttle,omitempty"`
	Users    int    `json:"users"` // in a run
}

// writeData writes figures to the file of -data, if there is one.
func writeData(t *testing.T, figures any) {
	t.Helper()
	if *data == "" {
		return
	}
	text, err := json.MarshalIndent(figures, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*data, append(text, '\n'), 0o666); err != nil {
		t.Fatal(err)
	}
}

func today() string { return time.Now().UTC().Format(time.DateOnly) }

func tenths(f float64) float64 { return math.Round(10*f) / 10 }

// clientsData is how much longer than the ideal clients on one quota take.
type clientsData struct {
	source
	Seeds int          `json:"seeds"`
	Runs  []clientsRun `json:"runs"`
}

type clientsRun struct {
	Clients int     `json:"clients"`
	Excess  float64 `json:"excess"`  // of the time over the ideal, in %
	Refused float64 `json:"refused"` // of what was sent, in %
}

// faultsData is what became of users on a bad way to the tenant.
type faultsData struct {
	source
	Seeds int         `json:"seeds"`
	Rows  []faultsRow `json:"rows"`
}

type faultsRow struct {
	Faults      float64 `json:"faults"` // the share of faulty requests, in %
	By          string  `json:"by"`
	Operations  int     `json:"operations"`
	Done        int     `json:"done"`
	FalseDone   int     `json:"falseDone"`
	FalseFailed int     `json:"falseFailed"`
	Twice       int     `json:"twice"`
	WrongEnd    int     `json:"wrongEnd"`
}

// overTimeData is how many users were given the license after each of so many
// seconds.
type overTimeData struct {
	source
	Every int           `json:"every"` // so many seconds
	Runs  []overTimeRun `json:"runs"`
}

type overTimeRun struct {
	By      string  `json:"by"`
	Took    float64 `json:"took"`    // seconds
	Refused float64 `json:"refused"` // of what was sent, in %
	Lost    int     `json:"lost"`    // users who were not given the license
	Done    []int   `json:"done"`
}

// A run is at no time ahead of what the quota allows, and comes to its end. At
// full length the same is measured of what one would write without the package,
// and drawn:
//
//	go test -run '^TestBulkOverTime$' . -args -full -data benchmarks/data/bulk.json
func TestBulkOverTime(t *testing.T) {
	t.Parallel()
	users, throttle := 2000, shortened(licensingtest.ThrottleDocumentedCostly)
	ways := []struct {
		by string
		do way
	}{{"Bulk", inBulk(t, 4, 20)}}
	if *full {
		users, throttle = 10_000, licensingtest.ThrottleDocumentedCostly
		for _, n := range []int{8, 16, 32} {
			ways = append(ways, struct {
				by string
				do way
			}{fmt.Sprintf("plain, %d at a time", n), inLoop(t, n)})
		}
	}
	d := overTimeData{source: source{
		Command:  "go test -run '^TestBulkOverTime$' . -args -full -data benchmarks/data/bulk.json",
		Measured: today(), Throttle: "DocumentedCostly", Users: users,
	}, Every: 5}

	quota := make([]time.Duration, users)
	for i := range quota {
		quota[i] = throttle.Ideal(i + 1)
	}
	ideal := quota[users-1]
	d.Runs = append(d.Runs, overTimeRun{"quota", tenths(ideal.Seconds()), 0, 0, overTime(quota, d.Every, ideal)})
	for _, way := range ways {
		m := measured(t, throttle, users, 1, way.do)
		done := overTime(m.made, d.Every, m.took)
		d.Runs = append(d.Runs, overTimeRun{way.by, tenths(m.took.Seconds()), tenths(m.refused), m.lost, done})
		for i, allowed := range overTime(quota, d.Every, m.took) {
			if done[i] > allowed {
				t.Errorf("%s: %d are made after %d s, and the quota allows %d", way.by, done[i], i*d.Every, allowed)
			}
		}
		if way.by == "Bulk" && done[len(done)-1] != users {
			t.Errorf("%d of %d users have the license at the end", done[len(done)-1], users)
		}
	}
	if *full {
		writeData(t, d)
	}
}

// overTime is how many of these times, in order, are past after 0, every, twice
// every … seconds, until the end.
func overTime(times []time.Duration, every int, end time.Duration) (past []int) {
	step := time.Duration(every) * time.Second
	n := 0
	for at := time.Duration(0); at < end+step; at += step {
		for n < len(times) && times[n] <= at {
			n++
		}
		past = append(past, n)
	}
	return past
}
