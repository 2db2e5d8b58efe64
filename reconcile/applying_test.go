package reconcile_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
	"github.com/graphlicensing/licensing/reconcile"
)

func isRead(r *http.Request) bool  { return r.Method == http.MethodGet }
func isWrite(r *http.Request) bool { return strings.Contains(r.URL.Path, "assignLicense") }

// What the outcomes of results are, each with its number.
func counts(results []reconcile.Result) map[licensing.Outcome]int {
	n := make(map[licensing.Outcome]int)
	for _, r := range results {
		n[r.Outcome()]++
	}
	return n
}

// latent is a crowd with a service that takes its time.
func latent(n int) (*licensingtest.Tenant, []reconcile.Goal) {
	tenant, goals := crowd(n)
	tenant.Fail(licensingtest.Fault{Times: -1, Delay: 100 * time.Millisecond})
	return tenant, goals
}

// Many are looked at and written at the same time, nearly as fast as Bulk writes.
func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant, goals := latent(3000)
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
		start := time.Now()
		applied(t, tenant.Client(), set)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Where writes are slow, no more is looked at than is written soon, and what somebody
// else changes meanwhile is seen but for one batch.
func TestLooksAreFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant, goals := crowd(400)
		for i := range goals {
			goals[i].Remove, goals[i].Licenses = nil, []reconcile.License{want(2)}
		}
		set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
		time.Sleep(time.Hour)
		tenant.SetThrottle(licensingtest.Throttle{Writes: licensingtest.Bucket{Size: 20, Rate: 1}})
		var changed time.Time
		time.AfterFunc(30*time.Second, func() {
			changed = time.Now()
			for _, c := range set.Changes {
				if u, _ := tenant.User(c.ID); !strings.Contains(licensesText(u.Licenses), "2 []") {
					tenant.SetUserLicenses(c.ID, held(2, 21))
				}
			}
		})
		results := apply(tenant.Client(), set, reconcile.ApplyOptions{})
		over := 0
		for _, w := range tenant.Writes() {
			if w.Time.After(changed) {
				over++
			}
		}
		if n := counts(results); over == 0 || over > 30 || n[licensing.OutcomeNotSent] < 300 {
			t.Errorf("%d were written over; %v", over, n)
		}
	})
}

// With reads that fail for long, nothing more is looked at, and the rest is told why.
func TestOutageOfReads(t *testing.T) {
	for _, groups := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tenant, goals := crowd(750)
			if groups {
				goals = nil
				for n := byte(1); n <= 100; n++ {
					group := tenant.AddGroup(licensingtest.Group{ID: uuid.UUID{0: 9, 6: 0x40, 8: 0x80, 15: n}.String()})
					goals = append(goals, reconcile.Goal{Kind: reconcile.KindGroup, Target: group.ID, Licenses: []reconcile.License{want(1)}})
				}
			}
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
			tenant.Fail(licensingtest.Fault{Times: -1, Status: 503})
			start := time.Now()
			results := apply(tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1})
			if took := time.Since(start); took > 16*time.Minute {
				t.Errorf("it took %v", took)
			}
			stopped, seen := 0, 0
			for _, r := range results {
				if errors.Is(r.Err, licensing.ErrStopped) && errors.Is(r.Err, licensing.ErrUnavailable) {
					stopped++
				}
				if strings.HasPrefix(r.Err.Error(), "apply: look: ") {
					seen++
				}
			}
			if n := counts(results); seen > 20 || n[licensing.OutcomeNotSent] != len(goals) || stopped < len(goals)-20 { // those that were asked for have the outage alone
				t.Errorf("%v, %d stopped, %d looked at", n, stopped, seen)
			}
		})
	}
}

// What ends the run ends it also while something is in doubt.
func TestApplyStops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault licensingtest.Fault
		opts  licensing.BulkOptions
		want  time.Duration
	}{
		{"failed writes", licensingtest.Fault{Items: true, Status: 400, Code: "Request_BadRequest", Match: isWrite}, licensing.BulkOptions{StopAfterFailures: 3}, time.Second},
		{"failed looks", licensingtest.Fault{Items: true, Status: 403, Code: "Authorization_RequestDenied", Match: isRead, Skip: 30}, licensing.BulkOptions{StopAfterFailures: 3}, time.Second},
		{"unreadable looks", licensingtest.Fault{Items: true, Status: 200, Body: `{"id":7}`, Match: isRead, Skip: 30}, licensing.BulkOptions{StopAfterFailures: 3}, 20 * time.Second},
		{"an outage of writes", licensingtest.Fault{Items: true, Status: 503, Match: isWrite}, licensing.BulkOptions{MaxOutage: time.Minute}, 3 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant, goals := crowd(90)
				set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
				for _, c := range set.Changes[:30] { // by somebody else: what is removed is in doubt
					tenant.SetUserLicenses(c.ID, toLicenses(c.After)...)
				}
				tt.fault.Times = -1
				tenant.Fail(tt.fault)
				if tt.opts.MaxOutage > 0 {
					tt.fault.Items = false // probes go by themselves
					tenant.Fail(tt.fault)
				}
				start := time.Now()
				results := apply(tenant.Client(), set, reconcile.ApplyOptions{MaxRemovals: -1, Bulk: tt.opts})
				n, rest := counts(results), 0
				for _, r := range results {
					if errors.Is(r.Err, licensing.ErrStopped) {
						rest++
					}
				}
				if took := time.Since(start); took > tt.want || rest < 10 || len(results) != 90 {
					t.Errorf("%v after %v, %d of them stopped", n, took, rest)
				}
			})
		})
	}
}

// The calls of Progress come before each result and every second, and add up.
func TestProgressAddsUp(t *testing.T) {
	for _, written := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			tenant, goals := latent(50)
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
			if written {
				applied(t, tenant.Client(), set)
				time.Sleep(time.Hour)
			}
			tenant.RemoveUser(set.Changes[0].ID) // whose look is in doubt for minutes, if any is
			drain := make(chan struct{})
			time.AfterFunc(time.Minute, func() { close(drain) })
			var last licensing.BulkProgress
			calls, results := 0, 0
			sum := func() int { return last.Done + last.Failed + last.NotSent + last.Unknown }
			opts := reconcile.ApplyOptions{MaxRemovals: -1, Bulk: licensing.BulkOptions{Drain: drain, Progress: func(p licensing.BulkProgress) { last = p; calls++ }}}
			for range reconcile.Apply(t.Context(), tenant.Client(), set, opts) {
				if results++; sum() != results {
					t.Errorf("%d results, %+v", results, last)
				}
			}
			if sum() != 50 || last.Total != 50 || last.Left != 0 || !written && calls < 100 {
				t.Errorf("%d calls, %+v", calls, last)
			}
		})
	}
}

// A transport that panics, or ends the goroutine, does so for who ranges, whether it
// reads or writes. Nothing is left behind.
func TestApplyPassesPanicsOn(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, exits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				tenant := small()
				set := plan(t, tenant.Client(), reconcile.PlanOptions{},
					goal(102, "", want(1)), reconcile.Goal{Kind: reconcile.KindGroup, Target: id(201).String(), Licenses: []reconcile.License{want(2)}})
				hc := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if r.Method == method {
						if exits {
							runtime.Goexit()
						}
						panic("broken")
					}
					return tenant.RoundTripper().RoundTrip(r)
				})}
				client := tenant.Client(licensing.WithHTTPClient(hc))
				returned, panicked := false, any(nil)
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { panicked = recover() }()
					apply(client, set, reconcile.ApplyOptions{Bulk: licensing.BulkOptions{BatchSize: 1}})
					returned = true
				}()
				<-done
				if returned != (exits && method == http.MethodPost) || (panicked == nil) != exits { // Bulk has an exit be a doubt
					t.Errorf("%s: exits %v, returned %v, panicked with %v", method, exits, returned, panicked)
				}
			})
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whoever leaves does not wait for an outage to end, and nothing more is written.
func TestLeavingInAnOutage(t *testing.T) {
	for _, leave := range []func(){func() {}, func() { panic("enough") }, runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			tenant, goals := crowd(6) // few, so that all have been sent
			group := tenant.AddGroup(licensingtest.Group{ID: id(201).String()})
			goals = append([]reconcile.Goal{{Kind: reconcile.KindGroup, Target: group.ID, Licenses: []reconcile.License{want(1)}}}, goals...)
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, goals...)
			tenant.ProcessAfter(2 * time.Minute)
			for _, items := range []bool{false, true} {
				tenant.Fail(licensingtest.Fault{Times: -1, Status: 503, Items: items, For: time.Hour, Match: func(r *http.Request) bool { return isWrite(r) && strings.Contains(r.URL.Path, "/users/") }})
			}
			done := make(chan struct{})
			var left time.Time
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				opts := reconcile.ApplyOptions{MaxRemovals: -1, WaitForGroups: true, Bulk: licensing.BulkOptions{MaxOutage: -1, Concurrency: 1}}
				for range reconcile.Apply(t.Context(), tenant.Client(), set, opts) {
					left = time.Now()
					leave()
					break
				}
			}()
			<-done
			if took := time.Since(left); took > 2*time.Second || len(tenant.Writes()) != 1 {
				t.Errorf("it took %v, and %d were written", took, len(tenant.Writes()))
			}
		})
	}
}

// Errors of looks keep their kinds in JSON.
func TestResultOfALook(t *testing.T) {
	for _, kind := range []reconcile.Kind{reconcile.KindUser, reconcile.KindGroup} {
		synctest.Test(t, func(t *testing.T) {
			tenant := small()
			g := goal(102, "", want(1))
			if kind == reconcile.KindGroup {
				g = reconcile.Goal{Kind: kind, Target: id(201).String(), Licenses: []reconcile.License{want(2)}}
			}
			set := plan(t, tenant.Client(), reconcile.PlanOptions{}, g)
			tenant.Fail(licensingtest.Fault{
				Times: -1, Status: 200, Header: http.Header{"Content-Type": {"application/json"}},
				Match: func(r *http.Request) bool { return isRead(r) && strings.Contains(r.URL.Path, set.Changes[0].ID) },
				Body:  `{"id":"` + set.Changes[0].ID + `","displayName":"x","userPrincipalName":"x","assignedLicenses":[{"skuId":"nope"}],"licenseAssignmentStates":[{"skuId":"nope","state":"Active"}]}`,
			})
			var last licensing.BulkProgress
			start := time.Now()
			results := apply(tenant.Client(), set, reconcile.ApplyOptions{WaitForGroups: true, Bulk: licensing.BulkOptions{Progress: func(p licensing.BulkProgress) { last = p }}})
			r := results[0]
			if _, unread := errors.AsType[*licensing.DecodeError](r.Err); r.Done() || unread || r.Outcome() != licensing.OutcomeNotSent || r.Written || len(tenant.Writes()) > 0 {
				t.Errorf("%s: %v, %s", kind, r.Err, r.Outcome())
			}
			if last.Done != 0 || last.NotSent != 1 || time.Since(start) > time.Second {
				t.Errorf("%s: %+v", kind, last)
			}
			var back reconcile.Result
			if err := json.Unmarshal([]byte(marshal(t, r)), &back); err != nil || back.Done() || back.Err.Error() != r.Err.Error() {
				t.Errorf("%s: read back %v, %v", kind, back.Err, err)
			}
		})
	}
}
