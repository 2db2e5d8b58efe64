package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

var (
	seeds     = flag.Int("seeds", 1, "how many runs TestChaos makes, each with another seed")
	firstSeed = flag.Uint64("seed", 1, "the first of them")
)

// The chaos runs in processes of this binary, which the environment tells what to be.
func TestMain(m *testing.M) {
	switch os.Getenv("FLEET_PROCESS") {
	case "server":
		beServer()
	case "worker":
		beWorker()
	case "locker":
		beLocker()
	default:
		os.Exit(m.Run())
	}
}

// The times of the chaos: a request is given up after the first, may land for the
// second, and a worker that is not heard of is waited for for the third before.
const (
	attemptTime = time.Second
	fenceTime   = 2 * time.Second
	leaseTime   = 1500 * time.Millisecond
)

func beServer() {
	port, _ := strconv.Atoi(os.Getenv("FLEET_PORT"))
	s, err := fleet.NewServer(os.Getenv("FLEET_DIR"), fleet.Listen("127.0.0.1", port))
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	s.Close()
}

func beWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	w := &fleet.Worker{Client: newClient(), JetStream: connect(log.Fatal), Run: "chaos", Lease: leaseTime, Fence: attemptTime + fenceTime}
	if err := w.Work(ctx); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func newClient(options ...licensing.Option) *licensing.Client {
	c, err := licensing.NewClient(licensing.StaticToken("token"), append(options,
		licensing.WithBaseURL(os.Getenv("FLEET_GRAPH")),
		licensing.WithUserAgent(fmt.Sprintf("process/%d", os.Getpid())),
		licensing.WithWriteQuota(100, 200),
		licensing.WithRetryPolicy(licensing.RetryPolicy{AttemptTimeout: attemptTime, Fence: fenceTime, MinWait: 100 * time.Millisecond, MaxAttempts: 8}))...)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func connect(fatal func(...any)) jetstream.JetStream {
	conn, err := nats.Connect(os.Getenv("FLEET_NATS"), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		fatal(err)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		fatal(err)
	}
	return js
}

// A stage is where a chaos takes place.
type stage struct {
	t   testing.TB
	env []string
	mu  sync.Mutex
	all []*exec.Cmd
}

// newStage starts a server in a process of its own, and serves the tenant.
func newStage(t testing.TB, graph http.Handler) (*stage, *exec.Cmd) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	tenant := httptest.NewServer(graph)
	t.Cleanup(tenant.Close)
	s := &stage{t: t, env: append(os.Environ(),
		"FLEET_PORT="+strconv.Itoa(port),
		"FLEET_NATS=nats://127.0.0.1:"+strconv.Itoa(port),
		"FLEET_DIR="+t.TempDir(),
		"FLEET_GRAPH="+tenant.URL)}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.all {
			c.Process.Kill()
			c.Wait()
		}
	})
	for _, e := range s.env {
		if name, value, _ := strings.Cut(e, "="); name == "FLEET_NATS" {
			t.(*testing.T).Setenv(name, value)
		}
	}
	return s, s.start("server")
}

// start starts a process.
func (s *stage) start(what string) *exec.Cmd {
	s.t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(slices.Clone(s.env), "FLEET_PROCESS="+what)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, c)
	return c
}

// A witness sees which process writes to which object when.
type witness struct {
	next http.Handler
	mu   sync.Mutex
	busy map[string]map[string]int // requests under way, by object and process
	both []string
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	process, _, _ := strings.Cut(r.UserAgent(), " ")
	var targets []string
	if strings.HasSuffix(r.URL.Path, "/$batch") {
		var batch struct{ Requests []struct{ URL string } }
		json.Unmarshal(body, &batch)
		for _, item := range batch.Requests {
			targets = append(targets, path.Dir(item.URL))
		}
	} else {
		targets = append(targets, strings.TrimPrefix(path.Dir(r.URL.Path), "/v1.0"))
	}
	w.count(targets, process, 1)
	defer w.count(targets, process, -1)
	w.next.ServeHTTP(out, r)
}

func (w *witness) count(targets []string, process string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, target := range targets {
		if w.busy[target] == nil {
			w.busy[target] = make(map[string]int)
		}
		w.busy[target][process] += n
		if w.busy[target][process] == 0 {
			delete(w.busy[target], process)
		}
		if len(w.busy[target]) > 1 {
			w.both = append(w.both, target)
		}
	}
}

// A plan is what is published, and what has to become of it.
type plan struct {
	operations []licensing.Operation
	fails      map[int]bool
	effects    map[string][]string // of each user, in their order
}

const (
	chaosUsers  = 500
	chaosRounds = 5
	chaosTime   = 40 * time.Second
)

// newPlan makes operations of which each changes something, or fails.
func newPlan(random *rand.Rand, tenant *licensingtest.Tenant) plan {
	p := plan{fails: make(map[int]bool), effects: make(map[string][]string)}
	var skus []uuid.UUID
	for range 3 {
		skus = append(skus, tenant.AddSKU(licensingtest.SKU{Seats: chaosUsers}).ID)
	}
	var users []string
	has := make(map[string]map[uuid.UUID]bool)
	for range chaosUsers {
		id := tenant.AddUser(licensingtest.User{UsageLocation: "DE"}).ID
		users, has[id] = append(users, id), make(map[uuid.UUID]bool)
	}
	for range chaosRounds {
		random.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
		for _, u := range users {
			if random.IntN(100) == 0 {
				p.fails[len(p.operations)] = true
				p.operations = append(p.operations, assign(uuid.NewString(), skus[0]))
			}
			sku := skus[random.IntN(len(skus))]
			op, effect := assign(u, sku), "+"+sku.String()
			if has[u][sku] {
				op, effect = remove(u, sku), "-"+sku.String()
			}
			has[u][sku] = !has[u][sku]
			p.operations = append(p.operations, op)
			p.effects[u] = append(p.effects[u], effect)
		}
	}
	return p
}

// trouble makes some of the requests go wrong.
func trouble(tenant *licensingtest.Tenant, random *rand.Rand) {
	var mu sync.Mutex
	some := func(share float64) func(*http.Request) bool {
		return func(*http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			return random.Float64() < share
		}
	}
	for _, f := range []licensingtest.Fault{
		{Drop: true, Apply: true},                 // the answer is lost
		{Drop: true},                              // the request is
		{Drop: true, Late: time.Second},           // the request, as it seems
		{DelayAnswer: 1200 * time.Millisecond},    // it comes too late
		{Delay: 1200 * time.Millisecond},          // and so does the effect
		{Status: 503}, {Status: 503, Apply: true}, // a gateway lies
		{Status: 504, Late: time.Second}, {Status: 500},
		{Items: true, Drop: true, Apply: true}, {Items: true, Status: 504, Late: time.Second}, {Items: true, Status: 503},
	} {
		f.Times, f.Match = -1, some(0.02)
		if f.Items {
			f.Match = some(0.003)
		}
		tenant.Fail(f)
	}
	tenant.SetReadLag(time.Second)
	tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 200, Rate: 100}, RefusalsCost: random.IntN(2) == 0})
}

// chaos has four workers make a run while one after the other is killed, drained or
// stopped, and the server is killed once. It returns what happened.
func chaos(t *testing.T, seed uint64) map[string]int {
	random := rand.New(rand.NewPCG(seed, 0))
	tenant := licensingtest.NewTenant()
	p := newPlan(random, tenant)
	trouble(tenant, rand.New(rand.NewPCG(seed, 1)))
	w := &witness{next: tenant, busy: make(map[string]map[string]int)}
	s, server := newStage(t, w)
	js := connect(t.Fatal)
	defer js.Conn().Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for { // until the server is there
		_, err := fleet.Publish(ctx, js, "chaos", slices.Values(p.operations))
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	happened := make(map[string]int)
	workers := make([]*exec.Cmd, 4)
	for i := range workers {
		workers[i] = s.start("worker")
	}
	complete := make(chan struct{})
	var results []licensing.OperationResult
	go func() {
		defer close(complete)
		seen := make(map[int]bool)
		for ctx.Err() == nil && len(results) < len(p.operations) { // again when the server was away
			results, seen = results[:0], make(map[int]bool)
			for r, err := range fleet.Results(ctx, js, "chaos") {
				if err != nil {
					time.Sleep(100 * time.Millisecond)
					break
				}
				if seen[r.Index] {
					t.Errorf("two results of operation %d", r.Index)
				}
				seen[r.Index] = true
				results = append(results, r)
			}
		}
	}()
	restart := 3 + random.IntN(3)
	var waking sync.WaitGroup
	stopped := make(map[int]time.Time)
	started := time.Now()
	for step := 1; ; step++ {
		select {
		case <-complete:
		case <-time.After(time.Duration(1500+random.IntN(1500)) * time.Millisecond):
			if time.Since(started) > chaosTime {
				continue
			}
			if step == restart {
				happened["server killed"]++
				server.Process.Kill()
				server.Wait()
				server = s.start("server")
				continue
			}
			i := random.IntN(len(workers))
			if time.Now().Before(stopped[i]) {
				continue
			}
			what := random.IntN(3)
			process := workers[i]
			switch what {
			case 0:
				happened["killed"]++
				process.Process.Kill()
				process.Wait()
				workers[i] = s.start("worker")
			case 1:
				happened["drained"]++
				process.Process.Signal(syscall.SIGTERM)
				workers[i] = s.start("worker")
			case 2:
				happened["stopped"]++
				pause := leaseTime + attemptTime + fenceTime + time.Duration(500+random.IntN(2000))*time.Millisecond
				stopped[i] = time.Now().Add(pause)
				process.Process.Signal(syscall.SIGSTOP)
				waking.Go(func() {
					time.Sleep(pause)
					process.Process.Signal(syscall.SIGCONT)
				})
			}
			continue
		}
		break
	}
	waking.Wait()
	status, err := fleet.Look(t.Context(), js, "chaos")
	t.Logf("%+v, %v", status, err)
	time.Sleep(2 * time.Second) // what woke last may write now
	check(t, tenant, p, results, happened)
	happened["two processes at once on an object"] = len(w.both)
	return happened
}

// check compares results and effects with the plan.
func check(t *testing.T, tenant *licensingtest.Tenant, p plan, results []licensing.OperationResult, happened map[string]int) {
	t.Helper()
	happened["lost"] = len(p.operations) - len(results)
	for _, r := range results {
		switch {
		case r.Outcome() == licensing.OutcomeUnknown || r.Outcome() == licensing.OutcomeNotSent:
			happened["unknown or not sent"]++
			t.Logf("operation %d: %v", r.Index, r.Err)
		case r.Done() == p.fails[r.Index]:
			happened["false results"]++
			t.Logf("operation %d: %v", r.Index, r.Err)
		case r.Operation.Resumed:
			happened["resumed"]++
		}
	}
	effects := make(map[string][]string)
	for _, w := range tenant.Writes() {
		if !w.Changed {
			continue
		}
		effect := ""
		for _, l := range w.Added {
			effect += "+" + l.SKUID.String()
		}
		for _, sku := range w.Removed {
			effect += "-" + sku.String()
		}
		effects[w.Target] = append(effects[w.Target], effect)
	}
	for user, planned := range p.effects {
		if !slices.Equal(effects[user], planned) {
			if happened["broken orders or effects twice"]++; happened["broken orders or effects twice"] > 3 {
				continue
			}
			t.Logf("user %s: planned %q, made %q", user, planned, effects[user])
		}
	}
}

// Nothing is lost, falsely reported, out of order or twice while processes are killed,
// drained and stopped, the server is killed, and Graph throttles and loses answers.
// For more than one seed: go test -run '^TestChaos$' -v -timeout 60m . -args -seeds 20
func TestChaos(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			start := time.Now()
			happened := chaos(t, seed)
			for _, bad := range []string{"lost", "false results", "unknown or not sent", "broken orders or effects twice", "two processes at once on an object"} {
				if happened[bad] > 0 {
					t.Errorf("%s: %d", bad, happened[bad])
				}
			}
			t.Logf("seed %d, %d operations, %s: %v", seed, chaosUsers*chaosRounds, time.Since(start).Round(time.Second), happened)
		})
	}
}
