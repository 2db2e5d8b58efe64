package bar

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/graphlicensing/licensing"
)

func TestLinesOfProgress(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, 100, true)
	for _, now := range []licensing.BulkProgress{
		{Total: 100, Done: 1, Elapsed: time.Second, Left: -1},
		{Total: 100, Done: 9, Elapsed: 10 * time.Second, Rate: 1.2, Left: 90 * time.Second},
		{Total: 100, Done: 10, Failed: 1, Elapsed: 19 * time.Second},
		{Total: 100, Done: 20, Failed: 1, Throttled: 2, Elapsed: 21 * time.Second, Rate: 0.6, Left: 75*time.Second + 400*time.Millisecond},
	} {
		p.Show(now, "")
	}
	for range 2 {
		p.Show(licensing.BulkProgress{Total: 100, Done: 21, Failed: 2, Unknown: 3, NotSent: 4, Elapsed: 22 * time.Second, Left: -1}, "draining")
	}
	p.End()
	const want = `9 of 100 done, 0 failed, 1m30s left, 0 throttled, 1 a second
20 of 100 done, 1 failed, 1m15s left, 2 throttled, 1 a second
draining
21 of 100 done, 2 failed, 3 in doubt, 4 not sent, 0 throttled, 0 a second
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestProgressOfTwoRounds(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, 10, true)
	p.Start()
	p.Show(licensing.BulkProgress{Total: 10, Done: 2, Failed: 1, Unknown: 1, Throttled: 3, Elapsed: 6 * time.Second}, "")
	p.Start()
	p.Show(licensing.BulkProgress{Total: 7, Done: 1, Failed: 1, NotSent: 1, Throttled: 1, Elapsed: 5 * time.Second, Left: time.Second}, "")
	p.End()
	const want = "3 of 10 done, 2 failed, 1 in doubt, 1 not sent, 1s left, 4 throttled, 0 a second\n"
	if out.String() != want+want {
		t.Errorf("got\n%s\nwant twice\n%s", out.String(), want)
	}
}

// TestBar has terminals of several widths, and numbers of several lengths.
func TestBar(t *testing.T) {
	codes := regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)
	for _, test := range []struct {
		columns int
		now     licensing.BulkProgress
		want    string
	}{
		{30, licensing.BulkProgress{Total: 100, Done: 97, Failed: 3, Rate: 20}, "97 done"},
		{40, licensing.BulkProgress{Total: 100, Done: 97, Failed: 3, Rate: 20}, "97 done, 3 failed"},
		{40, licensing.BulkProgress{Total: 4551, Done: 4400, Failed: 149, Unknown: 1, NotSent: 1, Left: time.Hour}, "4400 done, 149 failed"},
		{40, licensing.BulkProgress{Total: 1000000, Done: 999000, Failed: 1000}, "999000 done, 1000 failed"},
		{80, licensing.BulkProgress{Total: 4551, Done: 4300, Failed: 100, Unknown: 150, NotSent: 1, Left: time.Hour}, "4300 done, 100 failed, 150 in doubt"},
		{120, licensing.BulkProgress{Total: 100, Done: 96, Failed: 2, Unknown: 1, NotSent: 1, Throttled: 5, Rate: 20}, "96 done, 2 failed, 1 in doubt, 1 not sent, 5 throttled, 20 a second"},
	} {
		var out bytes.Buffer
		p := &Progress{out: &out, total: test.now.Total, columns: test.columns, bar: newBar(&out, test.now.Total, test.columns)}
		p.Show(licensing.BulkProgress{Done: 1}, "")
		p.Show(test.now, "")
		p.End()
		got := codes.ReplaceAllString(out.String(), "")
		if !strings.Contains(got, "100%") || !strings.Contains(got, "  "+test.want+" ") || strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") {
			t.Errorf("%d columns: got %q, want %s", test.columns, got, test.want)
		}
		for line := range strings.FieldsFuncSeq(got, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if width := utf8.RuneCountInString(line); width > test.columns {
				t.Errorf("%d columns: %d in %q", test.columns, width, line)
			}
		}
	}
}
