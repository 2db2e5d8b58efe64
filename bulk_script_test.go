package licensing_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
)

// sixChanges takes each user through all that there is: a change that adds, one
// that exchanges, one that removes two, and others between them. Their effects
// have nothing in common.
func sixChanges(ids []string) iter.Seq[licensing.Operation] {
	changes := []licensing.Operation{
		{Kind: licensing.OperationAssignUser, Request: changes[0]},
		{Kind: licensing.OperationSetUsageLocation, UsageLocation: "DE"},
		{Kind: licensing.OperationAssignUser, Request: changes[1]},
		{Kind: licensing.OperationReprocessUser},
		{Kind: licensing.OperationAssignUser, Request: add(skuC)},
		{Kind: licensing.OperationAssignUser, Request: remove(skuB, skuC)},
	}
	return func(yield func(licensing.Operation) bool) {
		for _, op := range changes {
			for _, id := range ids {
				op.Target = id
				if !yield(op) {
					return
				}
			}
		}
	}
}

// The troubles that a byte of a script stands for, the first being none. New
// ones go to the end, or the corpus means something else.
var (
	scriptRequests = slices.Concat([]trouble{""}, requestTroubles, requestRefusals)
	scriptItems    = slices.Concat([]trouble{""}, itemTroubles, itemRefusals)
)

// writeScript is the script of a run by default options in which requests and
// items meet these troubles, in this order. Items are written with a dash.
func writeScript(troubles ...string) []byte {
	script := []byte{0, 0}
	for _, name := range troubles {
		list := scriptRequests
		if item, ok := strings.CutPrefix(name, "- "); ok {
			list, name = scriptItems, item
		}
		i := slices.Index(list, trouble(name))
		if i < 0 {
			panic("no such trouble: " + name)
		}
		script = append(script, byte(i))
	}
	return script
}

// obey makes a run that meets what a script says: a byte for the options, one
// for the moment at which the context ends, and then one for each request and
// each item, until all goes well.
func obey(t *testing.T, script []byte) (y tally) {
	byteAt := func(i int) int {
		if i < len(script) {
			return int(script[i])
		}
		return 0
	}
	options, end := byteAt(0), byteAt(1)
	opts := licensing.BulkOptions{Concurrency: 1 + options%3, BatchSize: []int{20, 1, 2, 3}[options/3%4]}
	attempts := []int{0, 1, 2, 3}[options/12%4]
	script = script[min(2, len(script)):]

	synctest.Test(t, func(t *testing.T) {
		tenant, ids := people(3)
		tenant.SetReadLag(time.Duration(options/48) * time.Second)
		way := &chaos{tenant: tenant.RoundTripper(), meet: func(item bool, _ string) trouble {
			if len(script) == 0 {
				return ""
			}
			list, n := scriptRequests, int(script[0])
			if item {
				list = scriptItems
			}
			script = script[1:]
			return list[n%len(list)]
		}}
		ctx := t.Context()
		if after := time.Duration(end*end) * 10 * time.Millisecond; end > 0 {
			var cancel context.CancelFunc
			if end%2 == 0 {
				ctx, cancel = context.WithTimeout(ctx, after) // which Bulk knows of beforehand
			} else {
				ctx, cancel = context.WithCancel(ctx)
				time.AfterFunc(after, cancel)
			}
			defer cancel()
		}
		q := newInquiry(tenant, way)
		client := newClient(t, way, policy(licensing.RetryPolicy{MaxAttempts: attempts}))
		seen := make(map[int]bool)
		for r := range client.Bulk(ctx, sixChanges(ids), opts) {
			if r.Index < 0 || seen[r.Index] {
				t.Errorf("a result of nothing, or a second one: %+v", r)
			}
			seen[r.Index] = true
			q.see(r)
		}
		if end == 0 && len(seen) != 6*len(ids) {
			t.Errorf("%d results for %d operations", len(seen), 6*len(ids))
		}
		time.Sleep(5 * time.Minute) // until all that was late has come
		y = q.conclude(ids)
		for e := range happenings(tenant) {
			if !q.took(e) {
				t.Errorf("%v happened, and there is no result of it", e)
			}
		}
	})
	return y
}

// took reports whether there is a report on the operation with an effect.
func (q *inquiry) took(e effect) bool {
	return slices.ContainsFunc(q.reports[e.user], func(r report) bool { return slices.Contains(effects(r.Operation), e) })
}

// Whatever the troubles are and in whatever order they come, no report is
// false, nothing happens twice, and nothing late undoes what came after it.
func FuzzFaultScript(f *testing.F) {
	for _, whole := range requestTroubles { // of the first batch, then of single requests
		f.Add(writeScript(string(whole)))
		f.Add(writeScript("500 after", string(whole), "silence, done late"))
	}
	for first := range slices.Chunk(itemTroubles, 3) { // one for each item of the first batch
		script := []string{""}
		for _, item := range first {
			script = append(script, "- "+string(item))
		}
		f.Add(writeScript(script...))
		f.Add(writeScript(append(script, "504, done late", "reset after", "409")...))
	}
	for _, refusal := range requestRefusals {
		f.Add(writeScript(string(refusal)))
		f.Add(writeScript("502 after", string(refusal)))
	}
	for _, refusal := range itemRefusals {
		f.Add(writeScript("", "- "+string(refusal), "- 503 after", "- missing after", string(refusal)))
	}
	f.Add(append([]byte{24, 12}, writeScript("silence", "", "- 500 after")[2:]...))                       // given up by the caller
	f.Add(append([]byte{15, 0}, writeScript("reset after", "504, done late", "500 after", "400")[2:]...)) // single requests, each once
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 200 {
			t.Skip() // it says no more
		}
		if y := obey(t, script); y.wrong() {
			t.Errorf("%s\nscript: %v", strings.Join(y.why, "\n"), script)
		}
	})
}
