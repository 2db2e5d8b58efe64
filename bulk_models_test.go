package licensing_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// full makes the tests of Bulk that measure something measure all of it, and
// print their tables. All time in them is virtual but that of the stream:
//
//	go test -run '^TestBulkOnThrottleModels$' -v -timeout 60m . -args -full   # a quarter of an hour
//	go test -run '^TestBulkUnderFaults$' -v -timeout 60m . -args -full
//	go test -run '^TestBulkStream$' -v -timeout 60m . -args -full
var full = flag.Bool("full", false, "measure Bulk at full length")

// A network delays each request by 0.4 to 1 second, half of it before the
// server and half after, and counts what goes over it.
type network struct {
	server http.RoundTripper

	mu       sync.Mutex
	random   *rand.Rand
	requests int
	sent     int // writes, be they requests of their own or items of a batch
	refused  int // those answered with 429
}

func newNetwork(server http.RoundTripper, seed int) *network {
	return &network{server: server, random: rand.New(rand.NewPCG(uint64(seed), 1))}
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	half := 200*time.Millisecond + time.Duration(n.random.Int64N(int64(300*time.Millisecond)))
	n.mu.Unlock()
	time.Sleep(half)
	resp, err := n.server.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	time.Sleep(half)
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))

	type item struct{ Status int }
	answer := struct{ Responses []item }{[]item{{resp.StatusCode}}}
	if strings.HasSuffix(req.URL.Path, "/$batch") {
		answer.Responses = nil
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests++
	for _, it := range answer.Responses {
		n.sent++
		if it.Status == http.StatusTooManyRequests {
			n.refused++
		}
	}
	return resp, nil
}

// people returns a tenant with so many users, and their ids.
func people(users int) (*licensingtest.Tenant, []string) {
	tenant := licensingtest.NewTenant()
	for i, sku := range []licensingtest.SKU{{ID: skuA}, {ID: skuB}, {ID: skuC}} {
		sku.PartNumber, sku.Seats = fmt.Sprintf("SKU%d", i), users
		tenant.AddSKU(sku)
	}
	ids := make([]string, users)
	for i := range ids {
		ids[i] = tenant.AddUser(licensingtest.User{UsageLocation: "US"}).ID
	}
	return tenant, ids
}

// addsTo are operations that give each user SKU A.
func addsTo(ids []string) iter.Seq[licensing.Operation] {
	return func(yield func(licensing.Operation) bool) {
		for _, id := range ids {
			if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: id, Request: add(skuA)}) {
				return
			}
		}
	}
}

// A measure is what a run took.
type measure struct {
	took     time.Duration
	excess   float64 // of took over the ideal, in %
	refused  float64 // of what was sent, in %
	requests int
	lost     int // users who were not given the license
	false    int // results that say otherwise than the tenant
	doubled  int // users for whom it was done twice: changed, or accepted
}

// A way gives SKU A to each of the users and returns for whom it says that it
// did.
type way func(ctx context.Context, transport http.RoundTripper, ids []string) map[string]bool

// measured is a run on a throttled tenant, on a clock of its own.
func measured(t *testing.T, throttle licensingtest.Throttle, users, seed int, do way) measure {
	var m measure
	synctest.Test(t, func(t *testing.T) {
		tenant, ids := people(users)
		tenant.SetThrottle(throttle)
		over := newNetwork(tenant.RoundTripper(), seed)
		start := time.Now()
		done := do(t.Context(), over, ids)
		m.took = time.Since(start)

		effects, accepted := make(map[string]int), make(map[string]int)
		for _, w := range tenant.Writes() {
			accepted[w.Target]++
			if w.Changed {
				effects[w.Target]++
			}
		}
		for _, id := range ids {
			if effects[id] == 0 {
				m.lost++
			}
			if effects[id] > 1 || accepted[id] > 1 {
				m.doubled++
			}
			if done[id] != (effects[id] > 0) {
				m.false++
			}
		}
		ideal := throttle.Ideal(users)
		m.excess = 100 * (m.took.Seconds()/ideal.Seconds() - 1)
		m.refused = 100 * float64(over.refused) / float64(over.sent)
		m.requests = over.requests
	})
	return m
}

// median takes each figure's own, but the worst of those that must be 0.
func median(ms []measure) measure {
	return measure{
		took:     middle(ms, func(m measure) time.Duration { return m.took }),
		excess:   middle(ms, func(m measure) float64 { return m.excess }),
		refused:  middle(ms, func(m measure) float64 { return m.refused }),
		requests: middle(ms, func(m measure) int { return m.requests }),
		lost:     slices.MaxFunc(ms, func(a, b measure) int { return a.lost - b.lost }).lost,
		false:    slices.MaxFunc(ms, func(a, b measure) int { return a.false - b.false }).false,
		doubled:  slices.MaxFunc(ms, func(a, b measure) int { return a.doubled - b.doubled }).doubled,
	}
}

func middle[N cmp.Ordered](ms []measure, figure func(measure) N) N {
	all := make([]N, len(ms))
	for i, m := range ms {
		all[i] = figure(m)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// inBulk is Client.Bulk with so many requests in flight, where the quota is
// said to be so many writes a second.
func inBulk(t *testing.T, flight int, hint float64) way {
	return func(ctx context.Context, transport http.RoundTripper, ids []string) map[string]bool {
		client := newClient(t, transport, licensing.WithWriteQuota(hint, 3000))
		done := make(map[string]bool)
		for r := range client.Bulk(ctx, addsTo(ids), licensing.BulkOptions{Concurrency: flight}) {
			if r.Index < 0 || r.Index >= len(ids) || r.Operation.Target != ids[r.Index] {
				t.Fatalf("a result of nothing: %+v", r)
			}
			if _, twice := done[r.Operation.Target]; twice {
				t.Errorf("operation %d has two results", r.Index)
			}
			done[r.Operation.Target] = r.Done()
		}
		return done
	}
}

// inLoop is what one would write without the package: single requests, so many
// at a time, through go-retryablehttp as it comes.
func inLoop(t *testing.T, flight int) way {
	return func(ctx context.Context, transport http.RoundTripper, ids []string) map[string]bool {
		client := plainClient(&http.Client{Transport: transport})
		var mu sync.Mutex
		done := make(map[string]bool)
		inWorkers(flight, ids, func(id string) {
			resp, err := assignPlainly(ctx, t, client, id, addsA)
			mu.Lock()
			defer mu.Unlock()
			done[id] = err == nil && resp.StatusCode == http.StatusOK
		})
		return done
	}
}

func plainClient(hc *http.Client) *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.HTTPClient = hc
	return client
}

// assignPlainly returns the answer to an assignment, whose body is closed.
func assignPlainly(ctx context.Context, t *testing.T, client *retryablehttp.Client, id, body string) (*http.Response, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, "https://graph.test/v1.0/users/"+id+"/assignLicense", []byte(body))
	if err != nil {
		t.Error(err)
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer token")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return resp, err
}

// inWorkers calls f with each of ids, so many at a time.
func inWorkers(n int, ids []string, f func(id string)) {
	var workers sync.WaitGroup
	next := make(chan string)
	for range n {
		workers.Go(func() {
			for id := range next {
				f(id)
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	workers.Wait()
}

// Each of the servers that fit what Microsoft documents is served well: nothing
// is lost or done twice, in hardly more than the least possible time, with
// hardly a refusal.
func TestBulkOnThrottleModels(t *testing.T) {
	if *full {
		compareOnThrottleModels(t)
		return
	}
	for _, model := range licensingtest.ThrottleModels() {
		t.Run(model.Name, func(t *testing.T) {
			t.Parallel()
			const users = 1000
			throttle := shortened(model.Throttle)
			m := measured(t, throttle, users, 1, inBulk(t, 4, 20))
			ideal := throttle.Ideal(users)
			t.Logf("%d users: ideal %v, took %v, %.1f %% refused, %d requests", users, ideal, m.took, m.refused, m.requests)
			if m.lost+m.doubled+m.false > 0 {
				t.Errorf("%d lost, %d twice, %d results are not true", m.lost, m.doubled, m.false)
			}
			if m.took > ideal+ideal/4+15*time.Second {
				t.Errorf("took %v, and could have taken %v", m.took, ideal)
			}
			if m.refused > 12 {
				t.Errorf("%.1f %% of what was sent was refused", m.refused)
			}
		})
	}
}

// shortened is a server on which a tenth of the users is enough to find its
// limits.
func shortened(throttle licensingtest.Throttle) licensingtest.Throttle {
	for _, b := range []*licensingtest.Bucket{&throttle.Writes, &throttle.TenantWrites} {
		if b.Size > 1000 {
			b.Size /= 6
		}
		b.Window /= 6
		b.OthersFrom /= 10
		b.OthersUntil /= 6
	}
	return throttle
}

// compareOnThrottleModels does it at the length that the figures in README.md
// are for, and in all ways.
func compareOnThrottleModels(t *testing.T) {
	const users, seeds = 10_000, 7
	ways := []struct {
		name  string
		limit float64 // in %, of both excess and refusals; 0 is none
		do    func(t *testing.T) way
	}{
		{"4 in flight", 5, func(t *testing.T) way { return inBulk(t, 4, 20) }},
		{"2 in flight", 5, func(t *testing.T) way { return inBulk(t, 2, 20) }},
		{"8 in flight", 5, func(t *testing.T) way { return inBulk(t, 8, 20) }},
		{"hint 5/s", 7, func(t *testing.T) way { return inBulk(t, 4, 5) }},
		{"hint 60/s", 7, func(t *testing.T) way { return inBulk(t, 4, 60) }},
		{"loop of 8", 0, func(t *testing.T) way { return inLoop(t, 8) }},
		{"loop of 32", 0, func(t *testing.T) way { return inLoop(t, 32) }},
	}
	models := licensingtest.ThrottleModels()
	runs := make([][][]measure, len(ways)) // by way, model and seed
	t.Run("runs", func(t *testing.T) {
		for w, way := range ways {
			runs[w] = make([][]measure, len(models))
			for i, model := range models {
				runs[w][i] = make([]measure, seeds)
				for seed := range seeds {
					t.Run(fmt.Sprintf("%s/%s/%d", way.name, model.Name, seed), func(t *testing.T) {
						t.Parallel()
						runs[w][i][seed] = measured(t, model.Throttle, users, seed, way.do(t))
					})
				}
			}
		}
	})

	var table strings.Builder
	fmt.Fprintf(&table, "%d users, 0.4 to 1 s for each request; medians of %d seeds, and the most that were lost or done twice\n\n", users, seeds)
	fmt.Fprintln(&table, "| server | ideal | Bulk | excess | refused | requests | lost | twice | loop of 8: excess | refused | lost | loop of 32: excess | refused | lost |")
	fmt.Fprintln(&table, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for i, model := range models {
		m := median(runs[0][i])
		fmt.Fprintf(&table, "| %s | %.0f s | %.0f s | %+.1f %% | %.1f %% | %d | %d | %d |", model.Name, model.Throttle.Ideal(users).Seconds(), m.took.Seconds(), m.excess, m.refused, m.requests, m.lost, m.doubled)
		for _, loop := range runs[len(ways)-2:] {
			m := median(loop[i])
			fmt.Fprintf(&table, " %+.0f %% | %.0f %% | %d |", m.excess, m.refused, m.lost)
		}
		fmt.Fprintln(&table)
	}
	fmt.Fprint(&table, "\nExcess and share refused, median (worst seed)\n\n| server |")
	for _, way := range ways[:len(ways)-2] {
		fmt.Fprintf(&table, " %s |", way.name)
	}
	fmt.Fprintln(&table, "\n|---|"+strings.Repeat("---|", len(ways)-2))
	for i, model := range models {
		fmt.Fprintf(&table, "| %s |", model.Name)
		for w, way := range ways[:len(ways)-2] {
			m := median(runs[w][i])
			worst := slices.MaxFunc(runs[w][i], func(a, b measure) int { return cmp.Compare(a.excess, b.excess) })
			most := slices.MaxFunc(runs[w][i], func(a, b measure) int { return cmp.Compare(a.refused, b.refused) })
			fmt.Fprintf(&table, " %+.1f %% (%+.1f), %.1f %% (%.1f) |", m.excess, worst.excess, m.refused, most.refused)
			if m.lost+m.doubled+m.false > 0 {
				t.Errorf("%s, %s: %d lost, %d twice, %d results are not true", model.Name, way.name, m.lost, m.doubled, m.false)
			}
			if m.excess > way.limit || m.refused > way.limit {
				t.Errorf("%s, %s: %.1f %% over the ideal, %.1f %% refused, want %.0f %% at the most", model.Name, way.name, m.excess, m.refused, way.limit)
			}
		}
		fmt.Fprintln(&table)
	}
	t.Log("\n" + table.String())
}

// However often it is refused, an operation is sent again.
func TestBulkOutlastsThrottling(t *testing.T) {
	t.Parallel()
	m := measured(t, licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 2, Rate: 1, Empty: true}, RetryAfter: time.Second}, 100, 1, inBulk(t, 8, 20))
	if m.lost+m.doubled+m.false > 0 {
		t.Errorf("%d lost, %d twice, %d results are not true", m.lost, m.doubled, m.false)
	}
	t.Logf("took %v, %.0f %% refused", m.took, m.refused)
}
