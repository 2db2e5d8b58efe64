package licensingtest

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// A Throttle limits what the tenant serves. Each operation costs what Graph
// documents, whether it succeeds or not: a write costs one write and one resource
// unit, and a read costs one to three resource units. If a bucket has too little
// left, the operation is refused with 429. A refusal costs nothing unless
// RefusalsCost is set.
//
// The items of a batch are charged and refused one by one, in the order of the
// request. The batch itself costs nothing. Three other things cost nothing: a
// request without a valid token, a request whose [Fault] prevents or delays its
// execution, and an item whose dependency failed. All requests count as those of
// one application.
type Throttle struct {
	Writes       Bucket // writes of the application
	TenantWrites Bucket // writes in the tenant, whoever makes them
	Units        Bucket // resource units of the application

	// RefusalsCost makes refused operations cost as much as others. A bucket can
	// then go below zero, by up to its size.
	RefusalsCost bool

	// RetryAfter is the Retry-After of refusals. Zero means the true time until
	// there is room. A positive value is sent every time. A negative value means no
	// Retry-After. The header has whole seconds, rounded up. Graph also sends
	// decimals; to send one, use a Fault with a Header.
	RetryAfter time.Duration

	// Percentage adds the header x-ms-throttle-limit-percentage to answers once 0.8
	// of a limit is used.
	Percentage bool
}

// A Bucket is a token bucket. The zero Bucket has no limit.
type Bucket struct {
	Size  int  // capacity; the bucket starts full
	Empty bool // the bucket starts empty instead
	Rate  int  // tokens added each second

	// Window, unless zero, refills the whole bucket each time this much time has
	// passed since the start. Rate is then unused.
	Window time.Duration

	// Others is what other applications take each second, as long as anything is
	// left. They do so from OthersFrom to OthersUntil after the start. If
	// OthersUntil is zero, they never stop.
	Others                  int
	OthersFrom, OthersUntil time.Duration
}

// ThrottleDocumented has all limits that Microsoft documents for a large tenant,
// which has more than 500 users. The resource units of a medium tenant are 5,000
// and 500 a second. Those of a small tenant, with fewer than 50 users, are 3,500
// and 350 a second.
var ThrottleDocumented = Throttle{
	Writes:       Bucket{Size: 3000, Rate: 20},
	TenantWrites: Bucket{Size: 18000, Rate: 60},
	Units:        Bucket{Size: 8000, Rate: 800},
	Percentage:   true,
}

// Microsoft does not document how large the buckets really are, what a refusal costs,
// and how accurate Retry-After is. These are ten possibilities. All but one limit
// writes only. A client that makes many writes should do well under all of them.
var (
	// ThrottleBurst allows 3,000 writes at once, and then 20 a second.
	ThrottleBurst = Throttle{Writes: Bucket{Size: 3000, Rate: 20}}
	// ThrottleEmpty allows 20 writes a second, and saves up at most 200.
	ThrottleEmpty = Throttle{Writes: Bucket{Size: 200, Rate: 20, Empty: true}}
	// ThrottleBurstCostly is ThrottleBurst with refusals that cost.
	ThrottleBurstCostly = Throttle{Writes: Bucket{Size: 3000, Rate: 20}, RefusalsCost: true}
	// ThrottleEmptyCostly is ThrottleEmpty with refusals that cost.
	ThrottleEmptyCostly = Throttle{Writes: Bucket{Size: 200, Rate: 20, Empty: true}, RefusalsCost: true}
	// ThrottleFixedAdvice always sends a Retry-After of ten seconds.
	ThrottleFixedAdvice = Throttle{Writes: Bucket{Size: 200, Rate: 20}, RetryAfter: 10 * time.Second}
	// ThrottleNoAdvice never sends a Retry-After.
	ThrottleNoAdvice = Throttle{Writes: Bucket{Size: 200, Rate: 20}, RetryAfter: -1}
	// ThrottleFixedWindow allows 3,000 writes in each window of 150 seconds.
	ThrottleFixedWindow = Throttle{Writes: Bucket{Size: 3000, Window: 150 * time.Second}}
	// ThrottleHalved loses half of its 20 writes a second to other applications
	// for a while.
	ThrottleHalved = Throttle{TenantWrites: Bucket{
		Size: 200, Rate: 20, Others: 10, OthersFrom: 150 * time.Second, OthersUntil: 300 * time.Second,
	}}
	// ThrottleDocumentedCostly is ThrottleDocumented with refusals that cost.
	ThrottleDocumentedCostly = Throttle{
		Writes: ThrottleDocumented.Writes, TenantWrites: ThrottleDocumented.TenantWrites, Units: ThrottleDocumented.Units,
		Percentage: true, RefusalsCost: true,
	}
	// ThrottleTakenAway loses all of its 20 writes a second to other applications
	// for 90 seconds, twice. It always sends a Retry-After of five seconds, because it
	// cannot know when the writes come back.
	ThrottleTakenAway = Throttle{
		Writes:       Bucket{Size: 200, Rate: 20, Others: 20, OthersFrom: 100 * time.Second, OthersUntil: 190 * time.Second},
		TenantWrites: Bucket{Size: 200, Rate: 20, Others: 20, OthersFrom: 300 * time.Second, OthersUntil: 390 * time.Second},
		RetryAfter:   5 * time.Second,
	}
)

// A ThrottleModel is a [Throttle] with a name.
type ThrottleModel struct {
	Name     string
	Throttle Throttle
}

// ThrottleModels returns the ten models from [ThrottleBurst] to
// [ThrottleTakenAway].
func ThrottleModels() []ThrottleModel {
	return []ThrottleModel{
		{"Burst", ThrottleBurst},
		{"Empty", ThrottleEmpty},
		{"BurstCostly", ThrottleBurstCostly},
		{"EmptyCostly", ThrottleEmptyCostly},
		{"FixedAdvice", ThrottleFixedAdvice},
		{"NoAdvice", ThrottleNoAdvice},
		{"FixedWindow", ThrottleFixedWindow},
		{"Halved", ThrottleHalved},
		{"DocumentedCostly", ThrottleDocumentedCostly},
		{"TakenAway", ThrottleTakenAway},
	}
}

// SetThrottle sets the tenant's limits from now on. The zero Throttle removes them.
// SetThrottle panics if a bucket is invalid or could never fill again.
func (t *Tenant) SetThrottle(th Throttle) {
	t.lock()
	defer t.mu.Unlock()
	t.meter = newMeter("SetThrottle", th)
	t.meterStart = time.Now()
}

// Ideal returns the shortest time in which this many writes can be served. It
// assumes that each is sent as soon as there is room, that none is refused, and
// that nothing else takes time. It panics if th is not valid for
// [Tenant.SetThrottle].
func (th Throttle) Ideal(writes int) time.Duration {
	m := newMeter("Ideal", th)
	cost := costs(true, 1)
	var at time.Duration
	for range writes {
		m.advance(at)
		wait, _ := m.wait(cost)
		at += wait
		m.advance(at)
		m.take(cost)
	}
	return at
}

// The buckets of a throttle.
const (
	writesBucket = iota
	tenantBucket
	unitsBucket
	buckets
)

// A meter is a throttle at work.
type meter struct {
	Throttle
	levels [buckets]level
}

// A level is what a bucket has at a time after the start, in billionths, so
// that what flows in is a whole number in each nanosecond.
type level struct {
	Bucket
	tokens int64
	at     time.Duration
}

const (
	billion = 1_000_000_000
	forever = time.Duration(math.MaxInt64)
)

func newMeter(caller string, th Throttle) *meter {
	m := &meter{Throttle: th}
	for i, b := range [buckets]Bucket{th.Writes, th.TenantWrites, th.Units} {
		b.check(caller)
		m.levels[i].Bucket = b
		if !b.Empty {
			m.levels[i].tokens = b.full()
		}
	}
	return m
}

// check panics when b makes no sense.
func (b Bucket) check(caller string) {
	for _, n := range []int{b.Size, b.Rate, b.Others} {
		if n < 0 || n > billion {
			panicf("%s: a bucket with the number %d", caller, n)
		}
	}
	if b.Window < 0 || b.OthersFrom < 0 || b.OthersUntil < 0 {
		panicf("%s: a bucket with a negative time", caller)
	}
	if b.Size == 0 && b != (Bucket{}) {
		panicf("%s: a bucket without a Size", caller)
	}
	if b.Window > 0 && b.Rate > 0 {
		panicf("%s: a bucket with both a Window and a Rate", caller)
	}
	rate := b.Rate
	if b.OthersUntil == 0 {
		rate -= b.Others
	}
	if b.Size > 0 && b.Window == 0 && rate <= 0 {
		panicf("%s: a bucket that runs dry forever", caller)
	}
}

func (b Bucket) full() int64 { return int64(b.Size) * billion }

// flow is what flows into b each second at a time after the start, and until
// when. It is less than nothing where others take more than there comes.
func (b Bucket) flow(at time.Duration) (rate int64, until time.Duration) {
	rate, until = int64(b.Rate), forever
	if b.Window > 0 {
		until = at - at%b.Window + b.Window
	}
	switch {
	case b.Others == 0:
	case at < b.OthersFrom:
		until = min(until, b.OthersFrom)
	case b.OthersUntil == 0:
		rate -= int64(b.Others)
	case at < b.OthersUntil:
		rate, until = rate-int64(b.Others), min(until, b.OthersUntil)
	}
	return rate, until
}

// advance makes l what it is at a time that is not before l.at.
func (l *level) advance(to time.Duration) {
	if w := l.Window; w > 0 && to/w > l.at/w {
		l.tokens, l.at = l.full(), to-to%w
	}
	for l.at < to {
		rate, until := l.flow(l.at)
		until = min(until, to)
		took := int64(until - l.at)
		switch {
		case rate > 0:
			l.tokens += min(took, (l.full()-l.tokens)/rate+1) * rate // which cannot overflow
			l.tokens = min(l.tokens, l.full())
		case rate < 0 && l.tokens > 0:
			l.tokens = max(0, l.tokens+min(took, l.tokens/-rate+1)*rate)
		}
		l.at = until
	}
}

// wait is how long it takes until l has room for a cost.
func (l level) wait(cost int) time.Duration {
	start := l.at
	need := min(int64(cost)*billion, l.full()) // what costs more than fits in must do with all of it
	for l.tokens < need {
		rate, until := l.flow(l.at)
		if rate > 0 {
			until = min(until, l.at+time.Duration((need-l.tokens+rate-1)/rate))
		}
		l.advance(until)
	}
	return l.at - start
}

// used is which part of the bucket is used, and more than all of it if it owes.
func (l level) used() float64 { return float64(l.full()-l.tokens) / float64(l.full()) }

// costs is what an operation takes out of each bucket.
func costs(write bool, units int) [buckets]int {
	cost := [buckets]int{unitsBucket: units}
	if write {
		cost[writesBucket], cost[tenantBucket] = 1, 1
	}
	return cost
}

func (m *meter) advance(to time.Duration) {
	for i := range m.levels {
		m.levels[i].advance(to)
	}
}

// wait is how long it takes until all buckets have room for a cost, and which
// one takes so long.
func (m *meter) wait(cost [buckets]int) (longest time.Duration, bucket int) {
	for i := range m.levels {
		if d := m.levels[i].wait(cost[i]); d > longest {
			longest, bucket = d, i
		}
	}
	return longest, bucket
}

// take takes a cost out of all buckets that have a limit, down to their greatest
// debt.
func (m *meter) take(cost [buckets]int) {
	for i := range m.levels {
		if l := &m.levels[i]; l.Size > 0 {
			l.tokens = max(l.tokens-int64(cost[i])*billion, -l.full())
		}
	}
}

// load is how much of the limits that a cost is about is used, if that is to be
// told.
func (m *meter) load(cost [buckets]int) string {
	var most float64
	for i, l := range m.levels {
		if cost[i] > 0 && l.Size > 0 {
			most = max(most, l.used())
		}
	}
	if !m.Percentage || most <= 0.8 {
		return ""
	}
	return strconv.FormatFloat(min(most, 1.8), 'f', 2, 64)
}

// charge makes c pay for itself, or tells why it cannot.
func (t *Tenant) charge(c *call, units int) *graphError {
	m := t.meter
	if m == nil {
		return nil
	}
	cost := costs(c.method != http.MethodGet, units)
	m.advance(time.Since(t.meterStart))
	wait, bucket := m.wait(cost)
	if wait == 0 || m.RefusalsCost {
		m.take(cost)
	}
	c.load = m.load(cost)
	if wait == 0 {
		return nil
	}
	if m.RefusalsCost {
		wait, bucket = m.wait(cost)
	}
	return t.errThrottled(bucket, m.advice(wait))
}

// advice is the value of Retry-After when there is room after a time.
func (m *meter) advice(wait time.Duration) string {
	switch {
	case m.RetryAfter < 0:
		return ""
	case m.RetryAfter > 0:
		wait = m.RetryAfter
	}
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

// errThrottled is the refusal of what finds too little in a bucket. Every other
// one has no ids in its body.
func (t *Tenant) errThrottled(bucket int, retryAfter string) *graphError {
	app, tenant := t.application.String(), t.id.String()
	identifier, category := app+"+"+tenant, "aadgraph.app.tenant_large"
	scope, information := "Tenant_Application/Write", "WriteLimitExceeded"
	switch bucket {
	case tenantBucket:
		identifier, category, scope = tenant, "aadgraph.tenant_large", "Tenant/Write"
	case unitsBucket:
		scope, information = "Tenant_Application/ReadWrite", "ResourceUnitLimitExceeded"
	}
	t.refusals++
	err := &graphError{
		status:  http.StatusTooManyRequests,
		code:    "TooManyRequests",
		message: "Too many requests from Identifier:" + identifier + " under category:" + category + ". Please try again later.",
		header: map[string]string{
			"x-ms-throttle-scope":       scope + "/" + app + "/" + tenant,
			"x-ms-throttle-information": information,
		},
		withoutIDs: t.refusals%2 == 0,
	}
	if retryAfter != "" {
		err.header["Retry-After"] = retryAfter
	}
	return err
}
