package reads

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// full has TestReads measure all of it, and print the table:
//
//	go test -v ./reads -args -full   # a minute
var full = flag.Bool("full", false, "measure all ways to read, in both tenants, under all quotas")

const (
	people  = 10_000                 // on the list
	latency = 100 * time.Millisecond // of a request
)

// A found is called with each user, by several goroutines.
type found func(name string, user *licensing.User, err error)

// A way is one to read the users of a list.
type way struct {
	name string
	read read
}

// The ways, those with few requests first.
var ways = []way{
	{"`ReadUsers`", batches(0)},
	{"`ReadUsers`, `Concurrency` 16", batches(16)},
	{"`Users`, 999 to a page, those of the list kept", fromListing},
	{"`User`, one after the other", singly(1)},
	{"`User`, 8 goroutines", singly(8)},
}

type read func(ctx context.Context, client *licensing.Client, list []string, found found)

func batches(concurrency int) read {
	return func(ctx context.Context, client *licensing.Client, list []string, found found) {
		for read := range client.ReadUsers(ctx, slices.Values(list), licensing.ReadUsersOptions{Concurrency: concurrency}) {
			found(read.Target, read.User, read.Err)
		}
	}
}

func singly(goroutines int) read {
	return func(ctx context.Context, client *licensing.Client, list []string, found found) {
		names := make(chan string)
		var group sync.WaitGroup
		for range goroutines {
			group.Go(func() {
				for name := range names {
					user, err := client.User(ctx, name)
					found(name, user, err)
				}
			})
		}
		for _, name := range list {
			names <- name
		}
		close(names)
		group.Wait()
	}
}

func fromListing(ctx context.Context, client *licensing.Client, list []string, found found) {
	wanted := make(map[string]bool)
	for _, name := range list {
		wanted[name] = true
	}
	for user, err := range client.Users(ctx, licensing.UserQuery{PageSize: 999}) {
		switch {
		case err != nil:
			found("", nil, err)
		case wanted[user.UserPrincipalName]:
			found(user.UserPrincipalName, user, nil)
		}
	}
}

// A slow tenant takes its time with each request, and counts them.
type slow struct {
	http.RoundTripper
	requests atomic.Int64
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	s.requests.Add(1)
	time.Sleep(latency / 2) // and as long for the way back
	defer time.Sleep(latency / 2)
	return s.RoundTripper.RoundTrip(req)
}

// A cost is what it takes to read the list.
type cost struct {
	requests, refused int64
	took              time.Duration
}

// measure reads a list that is spread over a tenant, and checks that each name has
// exactly one result, which is its user.
func measure(t *testing.T, w way, size int, throttle licensingtest.Throttle) (c cost) {
	synctest.Test(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		var list []string
		for i := range size {
			name := fmt.Sprintf("u%d@contoso.example", i)
			tenant.AddUser(licensingtest.User{UserPrincipalName: name, UsageLocation: "DE"})
			if i%(size/people) == 0 {
				list = append(list, name)
			}
		}
		tenant.SetThrottle(throttle)
		transport := &slow{RoundTripper: tenant.RoundTripper()}
		var refused atomic.Int64
		client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: transport}),
			licensing.WithObserver(func(_ context.Context, a licensing.Attempt) { refused.Add(int64(a.Throttled)) }))
		if err != nil {
			t.Fatal(err)
		}

		var mu sync.Mutex
		results := make(map[string]int)
		start := time.Now()
		w.read(t.Context(), client, list, func(name string, user *licensing.User, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil || user.UserPrincipalName != name {
				t.Errorf("%q: %v, %v", name, user, err)
			}
			results[name]++
		})
		c = cost{transport.requests.Load(), refused.Load(), time.Since(start)}
		for _, name := range list {
			if results[name] != 1 {
				t.Errorf("%s has %d results", name, results[name])
			}
		}
		if len(list) != people || len(results) != people {
			t.Errorf("%d names, results of %d", len(list), len(results))
		}
	})
	return c
}

// The quotas that the table has, the first none.
var quotas = []struct {
	name     string
	throttle licensingtest.Throttle
}{
	{"no quota", licensingtest.Throttle{}},
	{"documented quota, unused", licensingtest.ThrottleDocumented},
	{"documented quota, used up at the start", usedUp(licensingtest.ThrottleDocumented)},
}

func usedUp(throttle licensingtest.Throttle) licensingtest.Throttle {
	throttle.Units.Empty = true
	return throttle
}

// String is a cell of the table.
func (c cost) String() string {
	s := fmt.Sprintf("%d requests, %.1f s", c.requests, c.took.Seconds())
	if c.refused > 0 {
		s += fmt.Sprintf(", %d reads refused", c.refused)
	}
	return s
}

// TestReads measures each way in tenants of two sizes, and in its short form those
// with few requests in one. Where nothing is refused ReadUsers makes 520 at most.
func TestReads(t *testing.T) {
	sizes, ways, quotas := []int{people, 10 * people}, ways, quotas
	if !*full {
		sizes, ways, quotas = sizes[:1], ways[:3], quotas[:1]
	}
	table := "\n| people | way |"
	for _, quota := range quotas {
		table += " " + quota.name + " |"
	}
	table += "\n|--:|---|" + strings.Repeat("---|", len(quotas)) + "\n"
	for _, size := range sizes {
		for _, w := range ways {
			table += fmt.Sprintf("| %d | %s |", size, w.name)
			for _, quota := range quotas {
				c := measure(t, w, size, quota.throttle)
				if c.refused == 0 && strings.HasPrefix(w.name, "`ReadUsers`") && c.requests > 520 {
					t.Errorf("%s, %s: %v", w.name, quota.name, c)
				}
				if c.refused > 0 && quota.throttle.Units.Size == 0 {
					t.Errorf("%s: %v without a quota", w.name, c)
				}
				table += fmt.Sprintf(" %v |", c)
			}
			table += "\n"
		}
	}
	t.Log(table)
}
