package licensing_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// How several clients share one quota, of which none knows.

// A fleet is clients that each make a run.
type fleet struct {
	clients int
	users   int           // in all
	apart   time.Duration // that they start
	singles time.Duration // between two single calls, unless 0, of the first client or another
	beside  bool          // the single calls are of a client without a run
	flight  int
	hint    float64
}

// A fleetMeasure is what a fleet took.
type fleetMeasure struct {
	measure
	fair    float64         // share of the slowest in that of the fastest, when the first one is done
	singles []time.Duration // beyond their own latency, in order
	honest  float64         // of the estimates that were made after the first refusal, in %
	told    int             // so many
	untold  int             // and so many times there was none
}

// An estimate is one of the time left.
type estimate struct{ at, left time.Duration }

// run has a fleet give SKU A to the users of a throttled tenant.
func (f fleet) run(t *testing.T, throttle licensingtest.Throttle, seed int) (m fleetMeasure) {
	synctest.Test(t, func(t *testing.T) {
		const spare = 1000 // users for the single calls
		tenant, ids := people(f.users + spare)
		tenant.SetThrottle(throttle)
		over := newNetwork(tenant.RoundTripper(), seed)
		start := time.Now()
		ctx, end := context.WithCancel(t.Context())
		var mu sync.Mutex
		done, made := make(map[string]bool), make([]int, f.clients)
		var atFirst []int
		var ends []time.Duration
		estimates := make([][]estimate, f.clients)
		var runs, calls sync.WaitGroup
		for i := range f.clients {
			own := ids[i*f.users/f.clients : (i+1)*f.users/f.clients]
			client := newClient(t, over, licensing.WithWriteQuota(f.hint, 3000))
			ends = append(ends, 0)
			if f.singles > 0 && i == 0 {
				single := client
				if f.beside {
					single = newClient(t, over)
				}
				calls.Go(func() { m.singles = callNowAndThen(ctx, t, single, ids[f.users:], f.singles) })
			}
			runs.Go(func() {
				time.Sleep(time.Duration(i) * f.apart)
				progress := func(p licensing.BulkProgress) {
					if at := time.Since(start); p.Throttled > 0 && (len(estimates[i]) == 0 || at-estimates[i][len(estimates[i])-1].at >= time.Second) {
						estimates[i] = append(estimates[i], estimate{at, p.Left})
					}
				}
				for r := range client.Bulk(ctx, addsTo(own), licensing.BulkOptions{Concurrency: f.flight, Total: len(own), Progress: progress}) {
					mu.Lock()
					done[r.Operation.Target] = r.Done()
					made[i]++
					mu.Unlock()
				}
				ends[i] = time.Since(start)
				mu.Lock()
				if atFirst == nil {
					atFirst = slices.Clone(made)
				}
				mu.Unlock()
			})
		}
		runs.Wait()
		m.took = time.Since(start)
		end()
		calls.Wait()
		slices.Sort(m.singles)
		m.count(tenant, ids[:f.users], done)
		// No sooner than the last of them can be.
		ideal := max(throttle.Ideal(f.users), time.Duration(f.clients-1)*f.apart+throttle.Ideal(f.users/f.clients))
		m.excess = 100 * (m.took.Seconds()/max(ideal, time.Second).Seconds() - 1)
		m.refused = 100 * float64(over.refused) / float64(over.sent)
		m.requests = over.requests
		m.fair = float64(slices.Min(atFirst)) / float64(slices.Max(atFirst))
		good := 0
		for i, list := range estimates {
			for _, e := range list {
				truth := ends[i] - e.at
				switch off := (e.left - truth).Abs(); {
				case e.left < 0:
					m.untold++
				case off <= truth/4+5*time.Second:
					good++
					m.told++
				default:
					m.told++
				}
			}
		}
		m.honest = 100 * float64(good) / float64(max(m.told, 1))
	})
	return m
}

// callNowAndThen makes single calls until ctx ends, and returns how much longer than
// a request each took.
func callNowAndThen(ctx context.Context, t *testing.T, client *licensing.Client, ids []string, every time.Duration) (waits []time.Duration) {
	var calls sync.WaitGroup
	var mu sync.Mutex
	for _, id := range ids {
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
		if ctx.Err() != nil {
			break
		}
		calls.Go(func() {
			start := time.Now()
			if _, err := client.AssignUserLicense(t.Context(), id, add(skuA)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, max(0, time.Since(start)-time.Second))
		})
	}
	calls.Wait()
	return waits
}

// quantile is the one below which such a part of sorted values is.
func quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}

// Clients that share a quota find their shares, whatever it is and does, and lose
// nothing.
func TestBulkManyClients(t *testing.T) {
	if *full {
		compareClients(t)
		return
	}
	for _, test := range []struct {
		model   string
		clients int
		excess  float64
		refused float64
	}{
		// Wide, since so short a run is much of a start; without the rule it is hundreds.
		{"EmptyCostly", 4, 70, 20}, {"EmptyCostly", 16, 80, 35}, {"BurstCostly", 4, 80, 20},
		{"NoAdvice", 16, 60, 35}, {"DocumentedCostly", 8, 90, 20}, {"TakenAway", 4, 60, 20},
	} {
		t.Run(fmt.Sprint(test.model, ", ", test.clients), func(t *testing.T) {
			t.Parallel()
			m := fleet{clients: test.clients, users: 2500, flight: 4, hint: 20}.run(t, shortened(modelOf(t, test.model)), 1)
			t.Logf("%+.1f %% over the ideal, %.1f %% refused, fair %.2f, %.0f %% of %d estimates", m.excess, m.refused, m.fair, m.honest, m.told)
			if m.lost+m.doubled+m.false > 0 {
				t.Errorf("%d lost, %d twice, %d results are not true", m.lost, m.doubled, m.false)
			}
			if m.excess > test.excess || m.refused > test.refused {
				t.Errorf("%.1f %% over the ideal, %.1f %% refused, want %.0f and %.0f", m.excess, m.refused, test.excess, test.refused)
			}
		})
	}
}

func modelOf(t *testing.T, name string) licensingtest.Throttle {
	models := licensingtest.ThrottleModels()
	i := slices.IndexFunc(models, func(m licensingtest.ThrottleModel) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("no model %s", name)
	}
	return models[i].Throttle
}

// Single calls beside a run hardly wait for it, be it of the same client or of
// another.
func TestBulkBesideSingleCalls(t *testing.T) {
	for _, beside := range []bool{false, true} {
		for _, model := range []string{"EmptyCostly", "FixedAdvice", "BurstCostly"} {
			t.Run(fmt.Sprint(model, ", of another client ", beside), func(t *testing.T) {
				t.Parallel()
				most := 3 * time.Second
				if beside || model == "FixedAdvice" {
					most += 10 * time.Second // one Retry-After
				}
				m := fleet{clients: 1, users: 3000, singles: 2 * time.Second, beside: beside, flight: 4, hint: 20}.run(t, shortened(modelOf(t, model)), 1)
				t.Logf("%d calls, half of them within %v, 95 %% within %v, all within %v", len(m.singles), quantile(m.singles, 0.5), quantile(m.singles, 0.95), quantile(m.singles, 1))
				if len(m.singles) < 20 || quantile(m.singles, 0.95) > most {
					t.Errorf("of %d calls 95 %% are within %v, want %v", len(m.singles), quantile(m.singles, 0.95), most)
				}
			})
		}
	}
}

// runs has a fleet run with so many seeds.
func (f fleet) runs(t *testing.T, throttle licensingtest.Throttle, seeds int) []fleetMeasure {
	all := make([]fleetMeasure, seeds)
	for seed := range all {
		m := f.run(t, throttle, seed)
		if m.lost+m.doubled+m.false > 0 {
			t.Errorf("%d clients: %d lost, %d twice, %d results are not true", f.clients, m.lost, m.doubled, m.false)
		}
		all[seed] = m
	}
	return all
}

// compareClients prints the whole table. Of the first shape, one model is drawn.
func compareClients(t *testing.T) {
	drawn := clientsData{source: source{
		Command:  "go test -run '^TestBulkManyClients$/^started_together,_10/^EmptyCostly$' -timeout 60m . -args -full -data benchmarks/data/clients.json",
		Measured: today(), Throttle: "EmptyCostly", Users: 10_000,
	}, Seeds: 7}
	shapes := []struct {
		name  string
		seeds int
		of    func(clients int) fleet
	}{
		{"started together, 10,000 users in all", drawn.Seeds, func(n int) fleet { return fleet{clients: n, users: 10_000, flight: 4, hint: 20} }},
		{"every 5 s, 3,000 users each", 1, func(n int) fleet {
			return fleet{clients: n, users: 3000 * n, apart: 5 * time.Second, flight: 4, hint: 20}
		}},
		{"every 60 s, 3,000 users each", 1, func(n int) fleet {
			return fleet{clients: n, users: 3000 * n, apart: time.Minute, flight: 4, hint: 20}
		}},
		{"started together, a hint of 5 a second", 3, func(n int) fleet { return fleet{clients: n, users: 10_000, flight: 4, hint: 5} }},
		{"started together, a hint of 60 a second", 3, func(n int) fleet { return fleet{clients: n, users: 10_000, flight: 4, hint: 60} }},
		{"started together, 2 batches under way", 3, func(n int) fleet { return fleet{clients: n, users: 10_000, flight: 2, hint: 20} }},
		{"started together, 8 batches under way", 3, func(n int) fleet { return fleet{clients: n, users: 10_000, flight: 8, hint: 20} }},
		{"started together, with a single call each 2 s", 3, func(n int) fleet {
			return fleet{clients: n, users: 10_000, flight: 4, hint: 20, singles: 2 * time.Second}
		}},
		{"started together, with a single call each 2 s of another client", 3, func(n int) fleet {
			return fleet{clients: n, users: 10_000, flight: 4, hint: 20, singles: 2 * time.Second, beside: true}
		}},
	}
	clients := []int{1, 2, 4, 8, 16, 32}
	for i, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			some := clients
			if i > 2 {
				some = []int{1, 4, 16}
			}
			var table strings.Builder
			fmt.Fprintf(&table, "%s; over the ideal and refused in %%, share of the slowest in that of the fastest, estimates of the time left within a quarter in %%, single calls' extra time (95 %%)\n\n| server |", shape.name)
			for _, n := range some {
				fmt.Fprintf(&table, " %d |", n)
			}
			fmt.Fprintln(&table, "\n|---|"+strings.Repeat("---|", len(some)))
			for _, model := range licensingtest.ThrottleModels() {
				t.Run(model.Name, func(t *testing.T) {
					fmt.Fprintf(&table, "| %s |", model.Name)
					for _, n := range some {
						all := shape.of(n).runs(t, model.Throttle, shape.seeds)
						of := func(figure func(fleetMeasure) float64) float64 { return middleOf(all, figure) }
						excess, refused := of(func(m fleetMeasure) float64 { return m.excess }), of(func(m fleetMeasure) float64 { return m.refused })
						fmt.Fprintf(&table, " %+.1f, %.1f, %.2f, %.0f", excess, refused,
							of(func(m fleetMeasure) float64 { return m.fair }), of(func(m fleetMeasure) float64 { return m.honest }))
						if shape.of(n).singles > 0 {
							fmt.Fprintf(&table, ", %.1f s", of(func(m fleetMeasure) float64 { return quantile(m.singles, 0.95).Seconds() }))
						}
						fmt.Fprint(&table, " |")
						if i == 0 && model.Name == drawn.Throttle {
							drawn.Runs = append(drawn.Runs, clientsRun{n, tenths(excess), tenths(refused)})
						}
					}
					fmt.Fprintln(&table)
				})
			}
			t.Log("\n" + table.String())
		})
	}
	if len(drawn.Runs) > 0 {
		writeData(t, drawn)
	}
}
