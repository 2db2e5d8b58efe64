package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
)

func TestLinesOfProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 100)
	for _, now := range []licensing.BulkProgress{
		{Total: 100, Done: 1, Elapsed: time.Second, Left: -1},
		{Total: 100, Done: 9, Elapsed: 10 * time.Second, Rate: 1.2, Left: 90 * time.Second},
		{Total: 100, Done: 10, Failed: 1, Elapsed: 19 * time.Second},
		{Total: 100, Done: 20, Failed: 1, Throttled: 2, Elapsed: 21 * time.Second, Rate: 0.6, Left: 75*time.Second + 400*time.Millisecond},
	} {
		p.show(now, false)
	}
	for range 2 {
		p.show(licensing.BulkProgress{Total: 100, Done: 21, Failed: 2, Elapsed: 22 * time.Second, Left: -1}, true)
	}
	p.end()
	const want = `9 of 100 done, 0 failed, 0 throttled, 1 a second, 1m30s left
20 of 100 done, 1 failed, 2 throttled, 1 a second, 1m15s left

ending with what is under way; interrupt again to leave that in doubt
21 of 100 done, 2 failed, 0 throttled, 0 a second
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestProgressOfTwoRounds(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 10)
	p.start()
	p.show(licensing.BulkProgress{Total: 10, Done: 2, Failed: 1, Throttled: 3, Elapsed: 6 * time.Second}, false)
	p.start()
	p.show(licensing.BulkProgress{Total: 7, Done: 1, Failed: 1, Throttled: 1, Elapsed: 5 * time.Second, Left: time.Second}, false)
	p.end()
	const want = "3 of 10 done, 2 failed, 4 throttled, 0 a second, 1s left\n"
	if out.String() != want+want {
		t.Errorf("got\n%s\nwant twice\n%s", out.String(), want)
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, total: 100, bar: newBar(&out, 100)}
	p.show(licensing.BulkProgress{Total: 100, Done: 97, Failed: 3, Elapsed: time.Minute, Rate: 20}, false)
	p.end()
	if got := out.String(); !strings.Contains(got, "100%") || !strings.Contains(got, "97 of 100 done, 3 failed, 0 throttled, 20 a second") ||
		strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
		t.Errorf("got %q", got)
	}
}
