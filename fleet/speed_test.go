package fleet_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
	"github.com/graphlicensing/licensing/licensingtest"
)

// BenchmarkRun measures operations of a run by one worker, beside those of Bulk
// alone, on a tenant in memory without a throttle.
func BenchmarkRun(b *testing.B) {
	fast := licensing.WithWriteQuota(1e6, 1e6)
	b.Run("bulk", func(b *testing.B) {
		tenant, _, operations := people(b.N)
		b.ResetTimer()
		for r := range tenant.Client(fast).Bulk(b.Context(), slices.Values(operations), licensing.BulkOptions{}) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	})
	b.Run("fleet", func(b *testing.B) {
		js := newStream(b)
		tenant, _, operations := people(b.N)
		b.ResetTimer()
		publish(b, js, "run", operations)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "published/s")
		b.ResetTimer()
		w := &fleet.Worker{Client: tenant.Client(fast), JetStream: js, Run: "run"}
		if err := w.Work(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
		start := time.Now()
		collect(b, fleet.Results(b.Context(), js, "run"), b.N)
		b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "read/s")
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys)/(1<<20), "MB")
	})
}

var (
	large = flag.Int("large", 0, "operations of TestLargeRun")
	syncs = flag.Bool("sync", false, "have TestLargeRun wait for the disk each time")
)

// An echo grants whatever it is asked, and keeps nothing.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	var batch struct{ Requests []struct{ ID, URL string } }
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		return nil, err
	}
	user := func(path string) string {
		return fmt.Sprintf(`{"id":%q,"displayName":"Adele Vance"}`, strings.Split(strings.TrimPrefix(path, "/v1.0"), "/")[2])
	}
	var b bytes.Buffer
	if batch.Requests == nil {
		b.WriteString(user(r.URL.Path))
	} else {
		var items []string
		for _, item := range batch.Requests {
			items = append(items, fmt.Sprintf(`{"id":%q,"status":200,"headers":{"Content-Type":"application/json"},"body":%s}`, item.ID, user(item.URL)))
		}
		fmt.Fprintf(&b, `{"responses":[%s]}`, strings.Join(items, ","))
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}, "Request-Id": {"1"}}, Body: io.NopCloser(&b), Request: r}, nil
}

// A large run takes no more memory than a small one. For a million:
// go test -run '^TestLargeRun$' -v -timeout 60m . -args -large 1000000
func TestLargeRun(t *testing.T) {
	n := *large
	if n == 0 {
		n = 5000
	}
	dir := t.TempDir()
	server, err := fleet.NewServer(dir, func(o *server.Options) { o.SyncAlways = *syncs })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	js, err := jetstream.New(server.Conn())
	if err != nil {
		t.Fatal(err)
	}
	client, err := licensing.NewClient(licensing.StaticToken("token"),
		licensing.WithHTTPClient(&http.Client{Transport: echo{}}), licensing.WithWriteQuota(1e6, 1e6))
	if err != nil {
		t.Fatal(err)
	}
	sku := uuid.New()
	operations := func(yield func(licensing.Operation) bool) {
		for i := range n {
			if !yield(assign(fmt.Sprintf("00000000-0000-4000-8000-%012d", i), sku)) {
				return
			}
		}
	}
	start := time.Now()
	pace := func(what string) {
		t.Logf("%s %.0f operations a second, resident at most %s, GOMAXPROCS %d", what, float64(n)/time.Since(start).Seconds(), resident(), runtime.GOMAXPROCS(0))
		start = time.Now()
	}
	if made, err := fleet.Publish(t.Context(), js, "large", operations); err != nil || made != n {
		t.Fatal(made, err)
	}
	pace("published")
	w := &fleet.Worker{Client: client, JetStream: js, Run: "large"}
	if err := w.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	pace("made")
	done := 0
	for r, err := range fleet.Results(t.Context(), js, "large") {
		if err != nil || !r.Done() {
			t.Fatal(r.Err, err)
		}
		done++
	}
	pace("read")
	if done != n {
		t.Errorf("%d of %d done", done, n)
	}
	size := int64(0)
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if info, err := d.Info(); err == nil && !d.IsDir() {
			size += info.Size()
		}
		return nil
	})
	t.Logf("%d MB on disk", size>>20)
}

// resident returns how much memory the process had at most, by Linux.
func resident() string {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

var beside = flag.Bool("beside", false, "run TestBesideBulk")

// The same 1,000 people under a throttle, by Bulk alone and by fleets of one and of four:
// go test -run '^TestBesideBulk$' -v . -args -beside
func TestBesideBulk(t *testing.T) {
	if !*beside {
		t.Skip("takes two minutes")
	}
	throttled := func() (*licensingtest.Tenant, []licensing.Operation) {
		tenant, _, operations := people(1000)
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 200, Rate: 20}})
		return tenant, operations
	}
	report := func(what string, start time.Time, tenant *licensingtest.Tenant) {
		effects := len(tenant.Writes())
		t.Logf("%s: %v, %d effects, %d requests", what, time.Since(start).Round(100*time.Millisecond), effects, len(tenant.Requests()))
	}
	tenant, operations := throttled()
	start := time.Now()
	for r := range tenant.Client().Bulk(t.Context(), slices.Values(operations), licensing.BulkOptions{}) {
		if !r.Done() {
			t.Error(r.Err)
		}
	}
	report("Bulk", start, tenant)
	for _, workers := range []int{1, 4} {
		tenant, operations := throttled()
		js := newStream(t)
		start := time.Now()
		publish(t, js, "r", operations)
		errs := make(chan error)
		for range workers {
			w := &fleet.Worker{Client: tenant.Client(), JetStream: js, Run: "r"}
			go func() { errs <- w.Work(t.Context()) }()
		}
		for range workers {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		report(fmt.Sprintf("%d workers", workers), start, tenant)
	}
}
