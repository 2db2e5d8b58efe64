package graph

import (
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const hour = time.Hour
	tests := []struct {
		text, date string
		want       time.Duration
		ok         bool
	}{
		{"", "", 0, false},
		{"  ", "", 0, false},
		{"0", "", 0, true},
		{"7", "", 7 * time.Second, true},
		{" 7 ", "", 7 * time.Second, true},
		{"2.128", "", 2128 * time.Millisecond, true},
		{"0.249", "", 249 * time.Millisecond, true},
		{".5", "", 500 * time.Millisecond, true},
		{"0.0000000001", "", 1, true},
		{"-1", "", 0, true},
		{"-0.5", "", 0, true},
		{"99999999999999999999", "", math.MaxInt64, true},
		{"1e999", "", math.MaxInt64, true},
		{"-1e999", "", 0, true},
		{"9223372036", "", 9223372036 * time.Second, true},
		{"9223372037", "", math.MaxInt64, true},
		{"NaN", "", 0, false},
		{"Inf", "", 0, false},
		{"-Infinity", "", 0, false},
		{"soon", "", 0, false},
		{"7 seconds", "", 0, false},
		{"1,5", "", 0, false},
		{"Fri, 02 Jan 2026 04:04:05 GMT", "", hour, true},
		{"Fri, 02 Jan 2026 02:04:05 GMT", "", 0, true},
		{"Friday, 02-Jan-26 04:04:05 GMT", "", hour, true},
		{"Fri Jan  2 04:04:05 2026", "", hour, true},
		{"Fri, 02 Jan 2026 04:04:05 GMT", "Fri, 02 Jan 2026 04:04:00 GMT", 5 * time.Second, true},
		{"Fri, 02 Jan 2026 04:04:05 GMT", "Fri, 02 Jan 2026 05:04:00 GMT", 0, true},
		{"Fri, 02 Jan 2026 04:04:05 GMT", "today", hour, true},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", math.MaxInt64, true},
	}
	for _, test := range tests {
		h := http.Header{"Retry-After": {test.text}, "Date": {test.date}}
		if got, ok := RetryAfter(h, now); got != test.want || ok != test.ok {
			t.Errorf("RetryAfter(%q, Date %q) = %v, %v, want %v, %v", test.text, test.date, got, ok, test.want, test.ok)
		}
	}
	if got, ok := RetryAfter(nil, now); got != 0 || ok {
		t.Errorf("without a header: %v, %v", got, ok)
	}
}

// The most that a wait can be is never less than the first, and never beyond
// what a Duration holds.
func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		policy Policy
		first  time.Duration
		most   time.Duration
	}{
		{Policy{}, time.Second, 30 * time.Second},
		{Policy{MinWait: -1}, shortestWait, 30 * time.Second},
		{Policy{MinWait: 20 * time.Second}, 20 * time.Second, 30 * time.Second},
		{Policy{MinWait: 100 * time.Hour}, 3 * time.Minute, 3 * time.Minute},
		{Policy{MinWait: 100 * time.Hour, MaxWait: -1}, 100 * time.Hour, 100 * time.Hour},
		{Policy{MinWait: Forever, MaxWait: -1}, Forever, Forever},
	} {
		p := test.policy.WithDefaults()
		for n := range 70 {
			longest := time.Duration(0)
			for range 50 {
				longest = max(longest, p.backoff(n, rand.Float64()))
			}
			most := test.most
			if n == 0 {
				most = test.first
			}
			if longest > most || longest < min(test.first, most)/2 {
				t.Errorf("MinWait %v: wait %d is at most %v of 50, want nearly %v", p.MinWait, n, longest, most)
			}
		}
	}
}

// FuzzRetryAfterDate takes a date relative to the server's own clock.
func FuzzRetryAfterDate(f *testing.F) {
	for _, date := range []string{"", "today", "Fri, 02 Jan 2026 03:04:05 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add("7", date)
		f.Add("Fri, 02 Jan 2026 04:04:05 GMT", date)
		f.Add("Fri Jan  2 04:04:05 2026", date)
	}
	f.Fuzz(func(t *testing.T, text, date string) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		got, ok := RetryAfter(http.Header{"Retry-After": {text}, "Date": {date}}, now)
		if got < 0 || !ok && got != 0 {
			t.Errorf("RetryAfter(%q, Date %q) = %v, %v", text, date, got, ok)
		}
		until, err := http.ParseTime(strings.TrimSpace(text))
		if err != nil {
			return
		}
		if server, err := http.ParseTime(date); err == nil {
			now = server
		}
		if want := max(0, until.Sub(now)); got != want || !ok {
			t.Errorf("RetryAfter(%q, Date %q) = %v, %v, want %v", text, date, got, ok, want)
		}
	})
}

// FuzzRetryAfter makes sure that no header makes a wait negative or is taken
// for less than it says.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, seed := range []string{"0", "2.128", "-5", "abc", "9223372037", "1e300", "NaN", "Inf", " 7 ", "0x1p3", "1_0", now.Add(time.Hour).Format(http.TimeFormat)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := RetryAfter(http.Header{"Retry-After": {value}}, now)
		if got < 0 || !ok && got != 0 {
			t.Fatalf("%q is %v, %v", value, got, ok)
		}
		if whole, err := strconv.ParseUint(value, 10, 31); err == nil && (!ok || got != time.Duration(whole)*time.Second) {
			t.Errorf("%q is %v, %v", value, got, ok)
		}
		if date, err := http.ParseTime(value); err == nil && got != max(0, date.Sub(now)) {
			t.Errorf("%q is %v, want %v", value, got, date.Sub(now))
		}
	})
}
