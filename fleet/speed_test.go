package fleet_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/fleet"
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
