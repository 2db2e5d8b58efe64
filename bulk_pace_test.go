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
	"math"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// full makes the tests of Bulk that measure something measure all of it, and
// print their tables. All time in them is virtual but that of the stream.
// With -data FILE, some write what benchmarks/plots draws:
//
//	go test -run '^TestBulkOnThrottleModels$' -v -timeout 60m . -args -full   # a quarter of an hour
//	go test -run '^TestBulkManyClients$' -v -timeout 300m . -args -full        # two hours
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

	made []time.Duration // when each user was given the license
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

		m.count(tenant, ids, done)
		for _, w := range tenant.Writes() {
			if w.Changed {
				m.made = append(m.made, w.Time.Sub(start))
			}
		}
		ideal := throttle.Ideal(users)
		m.excess = 100 * (m.took.Seconds()/ideal.Seconds() - 1)
		m.refused = 100 * float64(over.refused) / float64(over.sent)
		m.requests = over.requests
	})
	return m
}

// count counts what became of the users, by the tenant and by what was said.
func (m *measure) count(tenant *licensingtest.Tenant, ids []string, done map[string]bool) {
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

func middle[N cmp.Ordered](ms []measure, figure func(measure) N) N { return middleOf(ms, figure) }

func middleOf[M any, N cmp.Ordered](ms []M, figure func(M) N) N {
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
			const users = 2000
			throttle := shortened(model.Throttle)
			m := measured(t, throttle, users, 1, inBulk(t, 4, 20))
			ideal := throttle.Ideal(users)
			t.Logf("%d users: ideal %v, took %v, %.1f %% refused, %d requests", users, ideal, m.took, m.refused, m.requests)
			if m.lost+m.doubled+m.false > 0 {
				t.Errorf("%d lost, %d twice, %d results are not true", m.lost, m.doubled, m.false)
			}
			if m.took > ideal+ideal/4+20*time.Second {
				t.Errorf("took %v, and could have taken %v", m.took, ideal)
			}
			if m.refused > 12 {
				t.Errorf("%.1f %% of what was sent was refused", m.refused)
			}
		})
	}
}

// shortened is a server on which a fifth of the users is enough to find its
// limits.
func shortened(throttle licensingtest.Throttle) licensingtest.Throttle {
	for _, b := range []*licensingtest.Bucket{&throttle.Writes, &throttle.TenantWrites} {
		if b.Size > 1000 {
			b.Size /= 3
		}
		b.Window /= 3
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
		{"hint 5/s", 8, func(t *testing.T) way { return inBulk(t, 4, 5) }},
		{"hint 60/s", 8, func(t *testing.T) way { return inBulk(t, 4, 60) }},
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

// How a run is paced by what Graph refuses.

func TestWithWriteQuotaIsChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		perSecond float64
		burst     int
		ok        bool
	}{
		{20, 3000, true}, {0.1, 0, true}, {0, 10, false}, {-1, 10, false}, {20, -1, false},
		{math.NaN(), 10, false}, {math.Inf(1), 10, false}, {math.Inf(-1), 10, false},
	} {
		_, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithWriteQuota(test.perSecond, test.burst))
		if (err == nil) != test.ok {
			t.Errorf("WithWriteQuota(%v, %d): %v", test.perSecond, test.burst, err)
		}
	}
}

// A wait that is too long is not waited for, neither by what was refused nor by
// anything else.
func TestBulkWaitsThatAreTooLong(t *testing.T) {
	var (
		long     = `"7200"`
		deadline = func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}
		none = context.WithCancel
	)
	for name, test := range map[string]struct {
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		policy licensing.RetryPolicy
	}{
		"MaxWait":  {none, licensing.RetryPolicy{}},
		"deadline": {deadline, licensing.RetryPolicy{MaxWait: -1}},
	} {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, envelope %v", name, whole), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					ctx, cancel := test.ctx(t.Context())
					defer cancel()
					first := items(tooManyItem(1, "Retry-After", long), okItem(2, user(1)), tooManyItem(3, "Retry-After", long))
					if whole {
						first = tooMany("Retry-After", "7200")
					}
					s := newScript(t, first)
					start := time.Now()
					n := 0
					for r := range newClient(t, s, policy(test.policy)).Bulk(ctx, inOrder(addsFor(30, skuA)...), licensing.BulkOptions{Concurrency: 1, BatchSize: 3}) {
						n++
						i, status, attempts := r.Index, 0, 0
						switch {
						case i == 1 && !whole:
							wantDone(t, &licensing.User{ID: userID}, r.Err)
							continue
						case i < 3:
							status, attempts = 429, 1
						}
						e := wantFailed(t, r.Err, status, attempts, licensing.ErrThrottled)
						if e.RetryAfter != 2*time.Hour || r.Attempts != attempts {
							t.Errorf("operation %d asks for %v after %d attempts", i, e.RetryAfter, r.Attempts)
						}
					}
					if took := time.Since(start); took != 0 || n < 3 || n > 12 {
						t.Errorf("%d operations were taken in, for %v", n, took)
					}
				})
			})
		}
	}
}

// MaxWait bounds what the server asks for. Our own waits just get shorter.
func TestBulkOwnWaitsWithinMaxWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(20)
		f := &front{steps: []step{tooMany(), tooMany(), tooMany()}, rest: graph}
		c := newClient(t, f, licensing.WithRetryPolicy(licensing.RetryPolicy{MaxWait: time.Second / 2}))
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{}, addsFor(20, skuA)...))
		wantEffects(t, tenant, 20)
	})
}

// MaxElapsed is for single calls: what waits for the gate in a run may take
// longer.
func TestBulkMaxElapsedDoesNotCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(10)
		tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: http.Header{"Retry-After": {"60"}}, Times: 20})
		tenant.Fail(licensingtest.Fault{Items: true, Status: 503, Header: http.Header{"Retry-After": {"60"}}, Times: 2})
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, &front{rest: graph}, policy(licensing.RetryPolicy{MaxElapsed: 10 * time.Second, MaxAttempts: 2})), licensing.BulkOptions{}, addsFor(10, skuA)...))
		if took := time.Since(start); took < 2*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// Throttling is not an attempt, however often.
func TestBulkThrottledForLong(t *testing.T) {
	for name, header := range map[string]http.Header{"with advice": {"Retry-After": {"2"}}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, graph := crowd(5)
				tenant.Fail(licensingtest.Fault{Items: true, Status: 429, Header: header, Times: 5})
				tenant.Fail(licensingtest.Fault{Match: func(req *http.Request) bool { return !isBatch(req) }, Status: 429, Header: header, Times: 100})
				results := bulk(t, t.Context(), newClient(t, &front{rest: graph}, policy(licensing.RetryPolicy{MaxAttempts: 2})), licensing.BulkOptions{}, addsFor(5, skuA)...)
				wantAllDone(t, results)
				n := 0
				for _, r := range results {
					n += r.Attempts
				}
				if n != 105+5 { // five in the first batch
					t.Errorf("%d attempts, want 110", n)
				}
				wantEffects(t, tenant, 5)
			})
		})
	}
}

// A single call that is refused closes the gate for a run of the same client,
// and a run that is refused for a single call that is.
func TestBulkSharesTheGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(200)
		single := func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/"+user(199)) }
		tenant.Fail(licensingtest.Fault{Match: single, Status: 429, Header: http.Header{"Retry-After": {"30"}}})
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return graph(req)
		}}
		c := newClient(t, f)
		start := time.Now()
		time.AfterFunc(1500*time.Millisecond, func() {
			if _, err := c.AssignUserLicense(t.Context(), user(199), add(skuA)); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took < 32*time.Second || took > 37*time.Second {
				t.Errorf("the single call took %v", took)
			}
		})
		wantAllDone(t, bulk(t, t.Context(), c, licensing.BulkOptions{Concurrency: 1}, addsFor(199, skuA)...))
		for i, at := range f.at {
			if at := at.Sub(start); at > 2500*time.Millisecond && at < 32500*time.Millisecond {
				t.Errorf("request %d was sent after %v, behind the gate", i, at)
			}
		}
		wantEffects(t, tenant, 200)
	})
}

// A single call that is sent again waits for the gate that another one closed.
func TestSingleCallsShareTheGate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, graph := crowd(2)
		f := &front{steps: []step{tooMany("Retry-After", "2"), tooMany("Retry-After", "30")}, rest: graph}
		c := newClient(t, f)
		start := time.Now()
		var both sync.WaitGroup
		for i := range 2 {
			both.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				if _, err := c.AssignUserLicense(t.Context(), user(i), add(skuA)); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for _, at := range f.at[2:] {
			if late := at.Sub(start); late < 31*time.Second || late > 35*time.Second {
				t.Errorf("a request was sent after %v", late)
			}
		}
	})
}

// After the gate a single write goes, and the others follow its answer.
func TestBulkProbes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(200)
		tenant.Fail(licensingtest.Fault{Status: 429, Header: http.Header{"Retry-After": {"20"}}, Times: 2, Skip: 1})
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return graph(req)
		}}
		start := time.Now()
		wantAllDone(t, bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(200, skuA)...))
		sizes := shape(f.sent)
		if want := []int{20, 20, 0, 0}; !slices.Equal(sizes[:4], want) {
			t.Errorf("the requests have %v operations, want %v and more", sizes, want)
		}
		// A probe comes within some seconds of its time.
		for i, want := range []time.Duration{0, time.Second, 22 * time.Second, 43 * time.Second} {
			if at := f.at[i].Sub(start); at < want || at > want+time.Duration(2*i)*time.Second {
				t.Errorf("request %d was sent after %v, want %v", i, at, want)
			}
		}
		if f.at[4].Before(f.at[3].Add(time.Second)) {
			t.Errorf("request 4 did not wait for the probe: %v", f.at[4].Sub(f.at[3]))
		}
		wantEffects(t, tenant, 200)
	})
}

// A probe that hangs holds the others up for five seconds.
func TestBulkProbeHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, graph := crowd(60)
		tenant.Fail(licensingtest.Fault{Hang: true})
		f := &front{rest: graph}
		start := time.Now()
		late := 0
		for _, r := range bulk(t, t.Context(), newClient(t, f), licensing.BulkOptions{}, addsFor(60, skuA)...) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		for _, at := range f.at[1:] {
			if at := at.Sub(start); at > 5*time.Second {
				late++
			} else if at < 5*time.Second {
				t.Errorf("a batch was sent after %v", at)
			}
		}
		if late == 0 || late == len(f.at)-1 {
			t.Errorf("%d of %d were late", late, len(f.at)-1)
		}
		wantEffects(t, tenant, 60)
	})
}

// With a limit as Graph documents it, few are refused and none is lost.
func TestBulkUnderAThrottle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	bubble(t, func(t *testing.T) {
		const n = 800
		tenant, graph := crowd(n)
		tenant.SetThrottle(licensingtest.ThrottleEmptyCostly)
		f := &front{rest: func(req *http.Request) (*http.Response, error) {
			time.Sleep(500 * time.Millisecond)
			return graph(req)
		}}
		var last licensing.BulkProgress
		start := time.Now()
		for r := range newClient(t, f).Bulk(t.Context(), slices.Values(addsFor(n, skuA)), licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { last = p }}) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
		wantEffects(t, tenant, n)
		ideal := licensingtest.ThrottleEmptyCostly.Ideal(n)
		if took := time.Since(start); took > ideal*105/100+5*time.Second || last.Throttled > n/12 {
			t.Errorf("took %v of %v, %d were refused", took, ideal, last.Throttled)
		}
	})
}

// instant carries out whatever is in a batch at once, and remembers nothing.
func instant(req *http.Request) (*http.Response, error) {
	in, _ := io.ReadAll(req.Body)
	req.Body.Close()
	if !isBatch(req) {
		return answer(200, "application/json", `{"@odata.context":"x"}`).toResponse(req), nil
	}
	out := append(make([]byte, 0, 4096), `{"responses":[`...)
	for i := range bytes.Count(in, []byte(`"method":`)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":"`...)
		out = strconv.AppendInt(out, int64(i+1), 10)
		out = append(out, `","status":200,"headers":{"Content-Type":"application/json"},"body":{"@odata.context":"x"}}`...)
	}
	return answer(200, "application/json", string(append(out, "]}"...))).toResponse(req), nil
}

// userNumbered is the id of one of very many users.
func userNumbered(i int) string {
	return uuid.UUID{0: byte(i >> 24), 1: byte(i >> 16), 2: byte(i >> 8), 3: byte(i), 6: 0x40, 8: 0x80}.String()
}

// A run of any length takes the memory of a short one.
func TestBulkStream(t *testing.T) {
	n, samples := 20_000, 5
	if *full {
		n, samples = 1_000_000, 20
	}
	operations := iter.Seq[licensing.Operation](func(yield func(licensing.Operation) bool) {
		for i := range n {
			if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: userNumbered(i), Request: add(skuA)}) {
				return
			}
		}
	})
	var observed atomic.Int64
	client := newClient(t, step(instant), licensing.WithObserver(func(_ context.Context, a licensing.Attempt) {
		observed.Add(int64(a.Operations))
	}))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	start, results := time.Now(), 0
	for r := range client.Bulk(t.Context(), operations, licensing.BulkOptions{}) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if results++; results%(n/samples) == 0 {
			most = max(most, heap())
		}
	}
	took := time.Since(start)
	if results != n || observed.Load() != int64(n) {
		t.Errorf("%d results for %d operations, %d were observed", results, n, observed.Load())
	}
	grown := max(0, int64(most)-int64(before))
	t.Logf("%d operations in %v, %.0f a second; the heap grew by %d KiB", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), grown>>10)
	if grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// However slow Graph is, only so many operations are taken in ahead of it.
func TestBulkReadsNotFarAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const n = 1500
		slow := step(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return instant(req)
		})
		var taken atomic.Int32
		operations := func(yield func(licensing.Operation) bool) {
			for i := range n {
				taken.Add(1)
				if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: userNumbered(i), Request: add(skuA)}) {
					return
				}
			}
		}
		delivered := 0
		for r := range newClient(t, slow).Bulk(t.Context(), operations, licensing.BulkOptions{}) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if ahead := int(taken.Load()) - delivered; ahead > 500 {
				t.Fatalf("%d operations are taken in after %d results", ahead, delivered)
			}
			delivered++
		}
		if delivered != n {
			t.Errorf("%d results for %d operations", delivered, n)
		}
	})
}
