package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

func names(list ...string) iter.Seq[string] { return slices.Values(list) }

// Two go into one request, each as it would be asked for by itself, and each has its
// own answer.
func TestReadUsers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const (
			adeleURL = "/users/adele@contoso.com" + userSelect + ",department"
			goneURL  = "/users('$x@contoso.com')" + userSelect + ",department"
		)
		requests := func(first, second string) string {
			return `{"requests":[{"id":"1","method":"GET","url":"` + first + `"},{"id":"2","method":"GET","url":"` + second + `"}]}`
		}
		s := newScript(t, func(req *http.Request) (*http.Response, error) {
			sent, err := io.ReadAll(req.Body)
			first, second := "1", "2" // in the order in which they come
			switch string(sent) {
			case requests(adeleURL, goneURL):
			case requests(goneURL, adeleURL):
				first, second = "2", "1"
			default:
				t.Errorf("sent %s, %v", sent, err)
			}
			return reply(200, `{"responses":[
				{"id":"`+second+`","status":404,"body":{"error":{"code":"Request_ResourceNotFound","message":"Gone."}}},
				{"id":"`+first+`","status":200,"body":{"id":"`+userID+`","userPrincipalName":"adele@contoso.com","department":"Sales","licenseAssignmentStates":[`+strings.TrimSuffix(hasA, "}")+`,"state":"Active"}]}}]}`)(req)
		})
		var adele, gone licensing.UserRead
		for read := range newClient(t, s).ReadUsers(t.Context(), names("adele@contoso.com", "$x@contoso.com"), licensing.ReadUsersOptions{Select: []string{"Department", "id"}}) {
			if read.Index == 0 {
				adele = read
			} else {
				gone = read
			}
		}
		if adele.Target != "adele@contoso.com" || adele.Err != nil || adele.User.Department != "Sales" {
			t.Errorf("got %+v", adele)
		}
		if direct, known := adele.User.DirectLicenses(); len(direct) != 1 || !known {
			t.Errorf("she has %v, %t", direct, known)
		}
		if gone.Index != 1 || gone.Target != "$x@contoso.com" || gone.User != nil || !errors.Is(gone.Err, licensing.ErrNotFound) {
			t.Errorf("got %+v", gone)
		}
		if sent := s.requests(); len(sent) != 1 || sent[0].Method != "POST" || sent[0].URL != graphRoot+"/$batch" {
			t.Errorf("sent %+v", sent)
		}
	})
}

func TestReadUsersOptionsAreChecked(t *testing.T) {
	t.Parallel()
	client := newClient(t, newScript(t))
	for text, reads := range map[string]iter.Seq[licensing.UserRead]{
		"invalid argument: users is nil":                                       client.ReadUsers(t.Context(), nil, licensing.ReadUsersOptions{}),
		"invalid argument: Concurrency is 101, which is not between 0 and 100": client.ReadUsers(t.Context(), names(), licensing.ReadUsersOptions{Concurrency: 101}),
		"invalid argument: BatchSize is -1, which is not between 0 and 20":     client.ReadUsers(t.Context(), names(), licensing.ReadUsersOptions{BatchSize: -1}),
		`invalid argument: Select[1]: "shoeSize" is not a property of User`:    client.ReadUsers(t.Context(), names(), licensing.ReadUsersOptions{Select: []string{"mail", "shoeSize"}}),
		"invalid argument: client was not made by NewClient":                   new(licensing.Client).ReadUsers(t.Context(), names(), licensing.ReadUsersOptions{}),
	} {
		got := slices.Collect(reads)
		if len(got) != 1 || got[0].Index != -1 || !errors.Is(got[0].Err, licensing.ErrInvalidArgument) || got[0].Err.Error() != "read users: "+text {
			t.Errorf("got %+v, want %s", got, text)
		}
	}
	got := slices.Collect(client.ReadUsers(t.Context(), names(""), licensing.ReadUsersOptions{}))
	if len(got) != 1 || got[0].Index != 0 || got[0].Err == nil || got[0].Err.Error() != "read users: invalid argument: user is empty" {
		t.Errorf("no name: got %+v", got)
	}
	if got := slices.Collect(client.ReadUsers(t.Context(), names(), licensing.ReadUsersOptions{})); len(got) != 0 {
		t.Errorf("nobody: got %+v", got)
	}
}

// staff returns a tenant of n people, and their names.
func staff(n int) (*licensingtest.Tenant, []string) {
	tenant := licensingtest.NewTenant()
	list := make([]string, n)
	for i := range n {
		list[i] = fmt.Sprintf("u%d@contoso.example", i)
		tenant.AddUser(licensingtest.User{UserPrincipalName: list[i], UsageLocation: "DE"})
	}
	return tenant, list
}

// reached reads users, and returns how many of their names had exactly one result
// that is theirs.
func reached(t *testing.T, reads iter.Seq[licensing.UserRead], list []string) (n int) {
	t.Helper()
	seen := make(map[int]bool)
	for read := range reads {
		switch {
		case read.Err != nil:
			t.Fatal(read.Err)
		case seen[read.Index] || read.Target != list[read.Index] || read.User.UserPrincipalName != read.Target:
			t.Fatalf("got %+v", read)
		}
		seen[read.Index] = true
	}
	return len(seen)
}

// Two thousand names take 100 requests, and a few more at the end, also for somebody
// who takes his time with each.
func TestReadUsersPacksItsRequests(t *testing.T) {
	for name, pause := range map[string]time.Duration{"quick": 0, "slow": 30 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, list := staff(2000)
				var requests atomic.Int32
				tripper := answering(func(req *http.Request) (*http.Response, error) {
					requests.Add(1)
					time.Sleep(100 * time.Millisecond)
					return tenant.RoundTripper().RoundTrip(req)
				})
				client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: tripper}))
				if err != nil {
					t.Fatal(err)
				}
				reads := client.ReadUsers(t.Context(), slices.Values(list), licensing.ReadUsersOptions{})
				n := reached(t, func(yield func(licensing.UserRead) bool) {
					for read := range reads {
						time.Sleep(pause)
						if !yield(read) {
							return
						}
					}
				}, list)
				if n != len(list) || requests.Load() > 104 {
					t.Errorf("%d users in %d requests", n, requests.Load())
				}
			})
		})
	}
}

// What is refused for its frequency is read again, however often, and the pace of
// reads is their own: a write goes out at once meanwhile.
func TestReadUsersUnderAQuota(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, list := staff(2000)
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 5})
		tenant.SetThrottle(licensingtest.Throttle{Units: licensingtest.Bucket{Size: 600, Rate: 100}, RefusalsCost: true})
		client := tenant.Client()
		start := time.Now()
		wrote := false
		reads := client.ReadUsers(t.Context(), slices.Values(list), licensing.ReadUsersOptions{})
		n := reached(t, func(yield func(licensing.UserRead) bool) {
			for read := range reads {
				if read.Index == 1500 {
					before := time.Now()
					if _, err := client.AssignUserLicense(t.Context(), list[0], licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}}); err != nil {
						t.Error(err)
					}
					wrote = time.Since(before) < time.Minute
				}
				if !yield(read) {
					return
				}
			}
		}, list)
		if took := time.Since(start); n != len(list) || !wrote || took < 14*time.Second || took > 25*time.Second { // 14 s are the least
			t.Errorf("%d users after %v; a write went out: %t", n, took, wrote)
		}
	})
}

// A context that ends leaves nobody without a result, and a break takes no more.
func TestReadUsersEnds(t *testing.T) {
	for name, cancels := range map[string]bool{"cancel": true, "break": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, list := staff(1000)
				ctx, cancel := context.WithCancel(t.Context())
				taken, results, ended := 0, 0, 0
				input := func(yield func(string) bool) {
					for _, name := range list {
						taken++
						if !yield(name) {
							return
						}
					}
				}
				for read := range tenant.Client().ReadUsers(ctx, input, licensing.ReadUsersOptions{}) {
					results++
					if results == 100 && cancels {
						cancel()
					}
					if results == 100 && !cancels {
						break
					}
					if read.Err != nil {
						ended++
						if !errors.Is(read.Err, context.Canceled) || licensing.Kinds(read.Err) != nil {
							t.Errorf("got %v", read.Err)
						}
					}
				}
				cancel()
				synctest.Wait()
				if cancels != (results == len(list) && ended > 0) || cancels != (taken == len(list)) {
					t.Errorf("%d results, %d of them ended, for %d names", results, ended, taken)
				}
			})
		})
	}
}

// Also where nothing can be read any more, and where nothing ever could, each name has
// a result.
func TestReadUsersThatNobodyAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer  step
		kind    error
		stopped bool
	}{
		"out of service": {reply(503, `{"error":{"code":"ServiceUnavailable"}}`), licensing.ErrUnavailable, true},
		"a year":         {reply(429, `{"error":{"code":"TooManyRequests"}}`, "Retry-After", "31536000"), licensing.ErrThrottled, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, list := staff(500)
				client := newClient(t, test.answer)
				seen := make(map[int]bool)
				stopped := false
				for read := range client.ReadUsers(t.Context(), slices.Values(list), licensing.ReadUsersOptions{}) {
					if read.Err == nil || seen[read.Index] {
						t.Fatalf("got %+v", read)
					}
					seen[read.Index] = true
					if !errors.Is(read.Err, test.kind) {
						t.Errorf("got %v", read.Err)
					}
					stopped = stopped || errors.Is(read.Err, licensing.ErrStopped)
				}
				if len(seen) != len(list) || stopped != test.stopped {
					t.Errorf("%d results, stopped: %t", len(seen), stopped)
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := slices.Collect(newClient(t, newScript(t)).ReadUsers(ctx, names("a", "b"), licensing.ReadUsersOptions{}))
	if len(got) != 2 || !errors.Is(got[1].Err, context.Canceled) {
		t.Errorf("got %+v", got)
	}
}

// An input that ends its goroutine ends the caller's.
func TestReadUsersGoexit(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*licensing.Client){
		"ReadUsers": func(c *licensing.Client) {
			for range c.ReadUsers(t.Context(), func(func(string) bool) { runtime.Goexit() }, licensing.ReadUsersOptions{}) {
			}
		},
		"Bulk": func(c *licensing.Client) {
			for range c.Bulk(t.Context(), func(func(licensing.Operation) bool) { runtime.Goexit() }, licensing.BulkOptions{}) {
			}
		},
	} {
		client, went, done := newClient(t, newScript(t)), true, make(chan struct{})
		go func() {
			defer close(done)
			run(client)
			went = false
		}()
		if <-done; !went {
			t.Errorf("%s came back", name)
		}
	}
}

// What a part of the caller's panics with comes out of the range.
func TestReadUsersPanics(t *testing.T) {
	for name, test := range map[string]struct {
		input iter.Seq[string]
		trip  answering
	}{
		"input":     {func(func(string) bool) { panic("enough") }, nil},
		"transport": {names("a", "b"), func(*http.Request) (*http.Response, error) { panic("enough") }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				defer func() {
					if got := recover(); got != "enough" {
						t.Errorf("panicked with %v", got)
					}
				}()
				client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: test.trip}))
				if err != nil {
					t.Fatal(err)
				}
				for range client.ReadUsers(t.Context(), test.input, licensing.ReadUsersOptions{}) {
				}
			})
		})
	}
}

// An outage is waited out.
func TestReadUsersInAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, list := staff(500)
		start := time.Now()
		tripper := answering(func(req *http.Request) (*http.Response, error) {
			if since := time.Since(start); since > time.Second && since < 5*time.Minute {
				return reply(503, `{"error":{"code":"ServiceUnavailable"}}`)(req)
			}
			time.Sleep(200 * time.Millisecond)
			return tenant.RoundTripper().RoundTrip(req)
		})
		client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: tripper}))
		if err != nil {
			t.Fatal(err)
		}
		if n := reached(t, client.ReadUsers(t.Context(), slices.Values(list), licensing.ReadUsersOptions{}), list); n != len(list) {
			t.Errorf("%d users", n)
		}
	})
}

// The client's own writes are shown, as by User.
func TestReadUsersShowsWrites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, list := staff(2)
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 5})
		tenant.SetReadLag(time.Minute)
		time.Sleep(time.Hour)
		client := tenant.Client()
		if _, err := client.AssignUserLicense(t.Context(), list[0], licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: sku.ID}}}); err != nil {
			t.Fatal(err)
		}
		for ctx, want := range map[context.Context]int{t.Context(): 1, licensing.ContextWithRawReads(t.Context()): 0} {
			for read := range client.ReadUsers(ctx, slices.Values(list), licensing.ReadUsersOptions{}) {
				if read.Err != nil || read.Index == 0 && len(read.User.AssignedLicenses) != want {
					t.Errorf("got %+v, want %d licenses", read, want)
				}
			}
		}
	})
}
