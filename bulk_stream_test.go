package licensing_test

import (
	"bytes"
	"io"
	"iter"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

// instant carries out whatever is in a batch at once, and remembers nothing.
func instant(req *http.Request) (*http.Response, error) {
	in, _ := io.ReadAll(req.Body)
	req.Body.Close()
	out := append(make([]byte, 0, 4096), `{"responses":[`...)
	for i := range bytes.Count(in, []byte(`"method":`)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"id":"`...)
		out = strconv.AppendInt(out, int64(i+1), 10)
		out = append(out, `","status":200,"headers":{"Content-Type":"application/json"},"body":{"id":""}}`...)
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
	client := newClient(t, step(instant))
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
	if results != n {
		t.Errorf("%d results for %d operations", results, n)
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
