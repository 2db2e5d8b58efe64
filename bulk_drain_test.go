package licensing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// drained runs operations and drains the run after some time. It checks that each
// one has a result, and that these are true.
func drained(t *testing.T, tenant *licensingtest.Tenant, c *licensing.Client, operations []licensing.Operation, after time.Duration) (outcomes map[licensing.Outcome]int, took time.Duration) {
	t.Helper()
	drain := make(chan struct{})
	var at time.Time
	time.AfterFunc(after, func() {
		at = time.Now()
		close(drain)
	})
	outcomes = make(map[licensing.Outcome]int)
	seen := make(map[int]bool)
	var last licensing.BulkProgress
	for r := range c.Bulk(t.Context(), slices.Values(operations), licensing.BulkOptions{Drain: drain, Progress: func(p licensing.BulkProgress) { last = p }}) {
		o := r.Outcome()
		outcomes[o]++
		seen[r.Index] = true
		user, _ := tenant.User(r.Operation.Target)
		switch made := len(user.Licenses) > 0; {
		case o == licensing.OutcomeDone && !made, o == licensing.OutcomeNotSent && made, o == licensing.OutcomeFailed && made:
			t.Errorf("%d is %s, and made: %t", r.Index, o, made)
		case o == licensing.OutcomeNotSent && (!errors.Is(r.Err, licensing.ErrStopped) || r.Attempts != 0 || errors.Is(r.Err, context.Canceled)):
			t.Errorf("%d was not sent: %v", r.Index, r.Err)
		}
	}
	took = time.Since(at)
	time.Sleep(5 * time.Minute) // until nothing is on its way
	synctest.Wait()
	if n := len(seen); n < len(operations) {
		for i := range n {
			if !seen[i] {
				t.Errorf("%d was taken in and has no result", i)
			}
		}
	}
	if last.Done != outcomes["done"] || last.Failed != outcomes["failed"] || last.Unknown != outcomes["unknown"] || last.NotSent != outcomes["notSent"] {
		t.Errorf("the progress ends with %+v for %v", last, outcomes)
	}
	return outcomes, took
}

func TestBulkDrains(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		throttle bool
		share    float64
		most     time.Duration // after the drain
	}{
		"no faults":             {false, 0, 2 * time.Second},
		"throttling and faults": {true, 0.2, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant, ids := people(2000)
				if test.throttle {
					tenant.SetThrottle(licensingtest.ThrottleEmpty)
				}
				way := &chaos{tenant: tenant.RoundTripper(), meet: randomly(7, test.share)}
				slowly := step(func(r *http.Request) (*http.Response, error) {
					if err := pause(r.Context(), 1900*time.Millisecond); err != nil {
						return nil, err
					}
					return way.RoundTrip(r)
				})
				c := newClient(t, transport(slowly))
				var operations []licensing.Operation
				for _, id := range ids {
					operations = append(operations, licensing.Operation{Kind: licensing.OperationAssignUser, Target: id, Request: add(skuA)})
				}
				outcomes, took := drained(t, tenant, c, operations, 31*time.Second)
				if outcomes["done"] == 0 || outcomes["done"] == len(ids) || outcomes["unknown"] > 2 || test.share == 0 && len(outcomes) != 2 || took > test.most {
					t.Errorf("%v, and ended after %v", outcomes, took)
				}
			})
		})
	}
}

type transport step

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// What waits for a fence, a turn or a lock before it is sent does not hold a drained
// run up.
func TestBulkDrainsWhatWaits(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]func(t *testing.T, tenant *licensingtest.Tenant, c *licensing.Client, locker *licensingtest.Locker, u licensingtest.User, sku uuid.UUID){
		"a fence": func(t *testing.T, tenant *licensingtest.Tenant, c *licensing.Client, _ *licensingtest.Locker, u licensingtest.User, sku uuid.UUID) {
			tenant.Fail(licensingtest.Fault{Delay: 50 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := c.AssignUserLicense(ctx, u.ID, remove(sku)); !errors.Is(err, licensing.ErrOutcomeUnknown) {
				t.Error(err)
			}
		},
		"a turn": func(t *testing.T, tenant *licensingtest.Tenant, c *licensing.Client, _ *licensingtest.Locker, u licensingtest.User, sku uuid.UUID) {
			tenant.Fail(licensingtest.Fault{DelayAnswer: 50 * time.Second})
			go c.AssignUserLicense(t.Context(), u.ID, add(sku))
			synctest.Wait()
		},
		"a lock": func(t *testing.T, tenant *licensingtest.Tenant, _ *licensing.Client, locker *licensingtest.Locker, u licensingtest.User, sku uuid.UUID) {
			_, lock, _ := locker.Lock(t.Context(), u.ID)
			time.AfterFunc(time.Minute, func() { lock.Unlock(context.Background(), nil) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				tenant := licensingtest.NewTenant()
				sku := tenant.AddSKU(licensingtest.SKU{Seats: 9})
				u := tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
				locker := licensingtest.NewLocker()
				c := tenant.Client(licensing.WithLocker(locker))
				block(t, tenant, c, locker, u, sku.ID)
				drain := make(chan struct{})
				time.AfterFunc(5*time.Second, func() { close(drain) })
				start := time.Now()
				for r := range c.Bulk(t.Context(), slices.Values([]licensing.Operation{{Kind: licensing.OperationAssignUser, Target: u.ID, Request: add(sku.ID)}}), licensing.BulkOptions{Drain: drain}) {
					if r.Outcome() != licensing.OutcomeNotSent || !errors.Is(r.Err, licensing.ErrStopped) || !strings.HasSuffix(r.Err.Error(), "run was stopped: Drain was closed") {
						t.Errorf("%s: %v", r.Outcome(), r.Err)
					}
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("took %v", took)
				}
				time.Sleep(2 * time.Minute)
			})
		})
	}
}

// A run that is drained before it has begun sends nothing, and takes in little.
func TestBulkDrainedFromTheStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for range 100 {
			tenant, ids := people(3)
			drain := make(chan struct{})
			close(drain)
			for r := range tenant.Client().Bulk(t.Context(), threeChanges(ids), licensing.BulkOptions{Drain: drain}) {
				if r.Outcome() != licensing.OutcomeNotSent || !errors.Is(r.Err, licensing.ErrStopped) {
					t.Errorf("%s: %v", r.Outcome(), r.Err)
				}
			}
			if n := len(tenant.Requests()); n != 0 {
				t.Errorf("%d requests", n)
			}
		}
	})
}

// After an operation that ended in doubt nothing overtakes it, by whatever name.
func TestNothingOvertakesADoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant := licensingtest.NewTenant()
		sku := tenant.AddSKU(licensingtest.SKU{Seats: 9})
		u, other := tenant.AddUser(licensingtest.User{UsageLocation: "DE"}), tenant.AddUser(licensingtest.User{UsageLocation: "DE"})
		c := tenant.Client()
		for _, u := range []licensingtest.User{u, other} {
			if _, err := c.User(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
		}
		tenant.Fail(licensingtest.Fault{Times: -1, Apply: true, Drop: true, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, u.ID) }})
		input := func(yield func(licensing.Operation) bool) {
			for i, user := range []string{u.ID, u.ID, u.UserPrincipalName, other.ID} {
				if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: user, Request: []licensing.AssignLicenseRequest{add(sku.ID), remove(sku.ID)}[i%2], Ref: fmt.Sprint(i)}) {
					return
				}
			}
			time.Sleep(time.Hour)
			yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: u.UserPrincipalName, Request: remove(sku.ID)})
		}
		want := []licensing.Outcome{"unknown", "notSent", "notSent", "failed", "notSent"}
		for r := range c.Bulk(t.Context(), input, licensing.BulkOptions{BatchSize: 1, MaxOutage: -1}) {
			if r.Outcome() != want[r.Index] || r.Index > 0 && r.Index != 3 && !strings.HasSuffix(r.Err.Error(), "run was stopped: an earlier operation on the same object ended as "+string(want[max(0, r.Index-1)])) && !strings.Contains(r.Err.Error(), "ended as unknown") {
				t.Errorf("%d: %s, %v", r.Index, r.Outcome(), r.Err)
			}
		}
	})
}

// What an earlier run may have made is settled as after a lost answer.
func TestResumedOperations(t *testing.T) {
	t.Parallel()
	swap := licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{{SKUID: skuB}}, RemoveLicenses: []uuid.UUID{skuA}}
	for name, test := range map[string]struct {
		has     []uuid.UUID
		request licensing.AssignLicenseRequest
		want    []uuid.UUID
	}{
		"a removal that was made":        {nil, remove(skuA), nil},
		"a removal that was not":         {[]uuid.UUID{skuA}, remove(skuA), nil},
		"several, of which one was made": {[]uuid.UUID{skuB}, remove(skuA, skuB), nil},
		"a swap that was made":           {[]uuid.UUID{skuB}, swap, []uuid.UUID{skuB}},
		"a swap that was not":            {[]uuid.UUID{skuA}, swap, []uuid.UUID{skuB}},
		"a swap of what was not there":   {nil, swap, []uuid.UUID{skuB}},
		"an assignment that was made":    {[]uuid.UUID{skuA}, add(skuA), []uuid.UUID{skuA}},
	} {
		for _, attempts := range []int{1, 5} {
			t.Run(fmt.Sprint(name, attempts), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					tenant := licensingtest.NewTenant()
					for _, id := range []uuid.UUID{skuA, skuB} {
						tenant.AddSKU(licensingtest.SKU{ID: id, Seats: 9})
					}
					var licenses []licensingtest.License
					for _, id := range test.has {
						licenses = append(licenses, licensingtest.License{SKUID: id})
					}
					u := tenant.AddUser(licensingtest.User{UsageLocation: "DE", Licenses: licenses})
					c := tenant.Client(licensing.WithRetryPolicy(licensing.RetryPolicy{MaxAttempts: attempts}))
					op := licensing.Operation{Kind: licensing.OperationAssignUser, Target: u.ID, Request: test.request, Resumed: true}
					for r := range c.Bulk(t.Context(), slices.Values([]licensing.Operation{op}), licensing.BulkOptions{}) {
						if !r.Done() {
							t.Error(r.Err)
						}
					}
					got, _ := tenant.User(u.ID)
					var has []uuid.UUID
					for _, l := range got.Licenses {
						has = append(has, l.SKUID)
					}
					if !slices.Equal(has, test.want) {
						t.Errorf("the user has %v, want %v", has, test.want)
					}
				})
			})
		}
	}
}

// Runs that are killed at any point, and resumed from what they reported, make all
// that was planned, and report nothing that is false.
func TestResumedRuns(t *testing.T) {
	t.Parallel()
	runs := 40
	if *full {
		runs = 400
	}
	for i := range runs {
		seed := time.Now().UnixNano() + int64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(seed), 13))
				tenant, ids := people(30)
				tenant.SetReadLag(time.Duration(random.IntN(60)) * time.Second)
				if random.IntN(2) == 0 {
					tenant.SetThrottle(licensingtest.ThrottleEmpty)
				}
				plan := slices.Collect(threeChanges(ids))
				results := make(map[int]licensing.OperationResult)
				began, unsent := make(map[int]bool), make(map[int]bool) // in an earlier run; so the last one reported
				maybe := make(map[int]bool)                             // made by an earlier one
				for tries := 0; len(results) < len(plan); tries++ {
					if tries > 50 {
						t.Fatalf("%d of %d have a result", len(results), len(plan))
					}
					var left []licensing.Operation
					var index []int
					for i, op := range plan {
						if _, done := results[i]; !done {
							maybe[i] = maybe[i] || began[i] && !unsent[i]
							op.Resumed = maybe[i]
							left, index = append(left, op), append(index, i)
							began[i] = true
							delete(unsent, i)
						}
					}
					meet := randomly(int(seed)+tries, 0.1)
					way := &chaos{tenant: tenant.RoundTripper(), meet: func(item bool, target string) trouble {
						if met := meet(item, target); !slices.Contains([]trouble{"409", "424", "401", "quoted", "429 after"}, met) {
							return met
						}
						return "" // what ends an operation for good, and a lie, are not for this
					}}
					c := newClient(t, way)
					ctx, kill := context.WithTimeout(t.Context(), time.Duration(random.IntN(4000))*time.Millisecond)
					dead := ctx // from then on nobody hears of results
					if tries > 6 {
						ctx = t.Context()
						dead = ctx
					}
					for r := range c.Bulk(ctx, slices.Values(left), licensing.BulkOptions{}) {
						if dead.Err() != nil {
							break
						}
						unsent[index[r.Index]] = r.Outcome() == licensing.OutcomeNotSent
						switch r.Outcome() {
						case licensing.OutcomeDone:
							results[index[r.Index]] = r
						case licensing.OutcomeFailed:
							t.Errorf("%v failed: %v", effects(r.Operation), r.Err)
						}
					}
					kill()
					time.Sleep(5 * time.Minute) // until nothing can land any more
				}
				for _, id := range ids {
					if u, _ := tenant.User(id); len(u.Licenses) != 0 {
						t.Errorf("%s has %v in the end", id, u.Licenses)
					}
				}
			})
		})
	}
}

// An operation is read strictly, one within a result is not.
func TestOperationsAreReadStrictly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"kind":"assignUser","target":"x","request":{"addLicenses":[{"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa","disablePlans":[]}]}}`: `operation: json: unknown field "disablePlans"`,
		`{"kind":"assignUser","target":"x","requests":{}}`:                                                                                        `operation: json: unknown field "requests"`,
		`{"kind":"assignUser","target":"x","usageLocation":"DE"}`:                                                                                 `operation: assignUser has no usageLocation`,
		`{"kind":"assignGroup","target":"x","usageLocation":"DE"}`:                                                                                `operation: assignGroup has no usageLocation`,
		`{"kind":"reprocessUser","target":"x","usageLocation":"DE"}`:                                                                              `operation: reprocessUser has no usageLocation`,
		`{"kind":"reprocessUser","target":"x","request":{"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}}`:                             `operation: reprocessUser has no request`,
		`{"kind":"setUsageLocation","target":"x","request":{"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]}}`:                          `operation: setUsageLocation has no request`,
		`{"kind":"setUsageLocation","target":"x","usageLocation":"DE","request":{"addLicenses":[],"removeLicenses":[]},"ref":"7","resumed":true}`: ``,
		`{"kind":"reprocessUser","target":"x","usageLocation":""}`:                                                                                ``,
		`{"kind":"later","target":"x"}`:                                                                                                           ``,
		`null`:                                                                                                                                    ``,
	} {
		var op licensing.Operation
		err := json.Unmarshal([]byte(text), &op)
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		var result licensing.OperationResult
		if err := json.Unmarshal([]byte(`{"index":1,"operation":`+strings.Replace(text, `null`, `{"kind":"x"}`, 1)+`,"new":1}`), &result); err != nil {
			t.Errorf("within a result %s: %v", text, err)
		}
	}
	op := licensing.Operation{Kind: licensing.OperationReprocessUser, Target: "x", Resumed: true, Ref: "INC 7"}
	if got := jsonOf(t, op); got != `{"kind":"reprocessUser","target":"x","resumed":true,"ref":"INC 7"}` {
		t.Errorf("got %s", got)
	}
}
