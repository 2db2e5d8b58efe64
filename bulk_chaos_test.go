package licensing_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/licensingtest"
)

// A trouble is what a request or an item of a batch meets on its way.
type trouble string

// What happens to a whole request. "Late" is 40 seconds after the client has
// given up on it or has its answer, and "soon" 20 seconds, which are within the
// fences.
var requestTroubles = []trouble{
	"reset before", "reset after",
	"silence", "silence after", "silence, done meanwhile", "silence, done late",
	"500 before", "500 after", "502 before", "502 after",
	"503 before", "503 after", "504 before", "504 after", "504, done late",
	"429", "409",
	"portal", "redirect",
	"truncated before", "truncated after", "cut off after",
	"empty before", "empty after",
	"reset, done soon", "500, done soon", "502, done soon", "503, done soon", "truncated, done soon", "portal, done soon",
	"401", "quoted",
}

// What happens to one item of a batch.
var itemTroubles = []trouble{
	"missing before", "missing after",
	"twice", "twice and unlike", "contradiction", "contradiction, good first", "foreign id", "foreign item beside",
	"429", "429 without advice", "429 after",
	"500 after", "503 before", "503 after", "504 before", "504, done late",
	"409", "424",
	"unreadable after", "empty before", "empty after", "portal", "other user",
	"500, done soon", "503, done soon", "swapped", "401", "quoted",
}

// Answers that say for certain that nothing was done. They end an operation at
// once, so that a run in which they are frequent shows little.
var (
	requestRefusals = []trouble{"400", "403", "404", "405", "413", "501"}
	itemRefusals    = []trouble{"400", "403", "404"}
)

// A chaos is a bad way to a tenant.
type chaos struct {
	tenant http.RoundTripper
	meet   func(item bool, target string) trouble // what the next one meets, or ""

	mu       sync.Mutex
	requests int
	troubled int // requests and items
	lied     map[string]bool
	expired  int       // tokens
	begun    time.Time // the zero time: there are no outages
}

// token returns the token that is good now.
func (c *chaos) token(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%s%d", chaosToken, c.expired), nil
}

const chaosToken = "eyJ0eXAi.c2VjcmV0LXRva2Vu.c2ln-"

// out reports whether nothing gets through.
func (c *chaos) out() bool {
	since := time.Since(c.begun)
	return !c.begun.IsZero() && (since > 10*time.Second && since < 40*time.Second || since > 100*time.Second && since < 130*time.Second)
}

// lie notes that a user's operation was answered with 429 and yet made. Graph
// says by 429 that it is not: who is told so and does not send it again, or is
// then refused, cannot know better.
func (c *chaos) lie(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lied == nil {
		c.lied = make(map[string]bool)
	}
	c.lied[strings.Split(path, "/")[2]] = true
}

// liedTo reports whether that happened since it was last asked about the user.
func (c *chaos) liedTo(user string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer delete(c.lied, user)
	return c.lied[user]
}

func (c *chaos) next(item bool, target string) trouble {
	c.mu.Lock()
	defer c.mu.Unlock()
	met := c.meet(item, target)
	if !item && c.out() {
		met = "503 before"
	}
	if met != "" {
		c.troubled++
	}
	if met == "401" {
		c.expired++
	}
	return met
}

// An outgoing is a request that can be carried out at any time.
type outgoing struct {
	*http.Request
	body []byte
}

func (c *chaos) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	if req.URL.Host == "login.test" { // where redirects lead
		return answer(200, "text/html", "<html>Sign in</html>").toResponse(req), nil
	}
	c.mu.Lock()
	c.requests++
	delay := 50*time.Millisecond + time.Duration(c.requests%13)*time.Millisecond
	c.mu.Unlock()
	ctx, out := req.Context(), outgoing{req.Clone(context.WithoutCancel(req.Context())), body}
	if err := pause(ctx, delay); err != nil {
		go c.carry(out) // it is on its way
		return nil, err
	}
	a, err := c.exchange(ctx, out)
	if err == nil {
		err = pause(ctx, delay)
	}
	if err != nil {
		return nil, err
	}
	return a.toResponse(req), nil
}

// exchange has a request meet what it has to.
func (c *chaos) exchange(ctx context.Context, out outgoing) (wireAnswer, error) {
	met := c.next(false, out.URL.Path)
	kind, when, _ := strings.Cut(string(met), " ")
	kind = strings.TrimSuffix(kind, ",")
	var a wireAnswer
	switch {
	case when == "after":
		a = c.carry(out)
	case when == "done late":
		go func() {
			if kind == "silence" {
				<-ctx.Done()
			}
			time.Sleep(40 * time.Second)
			c.carry(out)
		}()
	case when == "done soon":
		go func() {
			time.Sleep(20 * time.Second)
			c.carry(out)
		}()
	case when == "done meanwhile":
		go func() {
			time.Sleep(30 * time.Second)
			c.carry(out)
		}()
	}
	switch kind {
	case "":
		return c.pass(out), nil
	case "reset":
		return a, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case "silence":
		<-ctx.Done()
		return a, context.Cause(ctx)
	case "portal":
		return answer(200, "text/html", "<html>Welcome to our network</html>"), nil
	case "redirect":
		return answer(302, "text/html", "<html>Moved</html>", "Location", "https://login.test/"), nil
	case "truncated":
		if a.body == nil {
			a = answer(200, "application/json", `{"responses":[{"id":"1","status":2`)
		}
		a.body, a.broken = a.body[:len(a.body)/2], true
		return a, nil
	case "cut":
		a = c.carry(out)
		a.body = a.body[:len(a.body)/2]
		return a, nil
	case "empty":
		return answer(200, "application/json", ""), nil
	case "quoted":
		return quoting(out), nil
	}
	return failure(kind), nil
}

// quoting is the answer of a gateway that quotes what it cannot read.
func quoting(out outgoing) wireAnswer {
	text, _ := json.Marshal(map[string]string{"message": "'" + out.Header.Get("Authorization") + "' not a valid key=value pair in Authorization header."})
	return answer(502, "application/json", string(text))
}

// pass takes a request to the tenant, and the items of a batch to what they
// have to meet.
func (c *chaos) pass(out outgoing) wireAnswer {
	if !strings.HasSuffix(out.URL.Path, "/$batch") {
		return c.carry(out)
	}
	type item = map[string]json.RawMessage
	var batch struct {
		Requests []item `json:"requests"`
	}
	if err := json.Unmarshal(out.body, &batch); err != nil {
		panic(err)
	}
	met := make(map[string]trouble)
	passed := make([]item, 0, len(batch.Requests))
	for _, it := range batch.Requests {
		id, target := str(it["id"]), str(it["url"])
		met[id] = c.next(true, target)
		if met[id] == "429 after" {
			c.lie(target)
		}
		switch what := string(met[id]); {
		case what == "" || strings.HasSuffix(what, " after") || strings.HasPrefix(what, "twice") || strings.HasPrefix(what, "foreign") || what == "swapped":
			passed = append(passed, it)
		case strings.HasSuffix(what, "done late"):
			go func() {
				time.Sleep(40 * time.Second)
				c.carry(out.with([]item{it}))
			}()
		case strings.HasSuffix(what, "done soon"):
			go func() {
				time.Sleep(20 * time.Second)
				c.carry(out.with([]item{it}))
			}()
		}
	}
	var answered struct {
		Responses []item `json:"responses"`
	}
	if len(passed) > 0 {
		a := c.carry(out.with(passed))
		if a.status != 200 {
			return a
		}
		if err := json.Unmarshal(a.body, &answered); err != nil {
			panic(err)
		}
	}
	own := make(map[string]item)
	for _, it := range answered.Responses {
		own[str(it["id"])] = it
	}
	for i, it := range batch.Requests {
		one, two := str(it["id"]), str(batch.Requests[(i+1)%len(batch.Requests)]["id"])
		if a, b := own[one], own[two]; met[one] == "swapped" && a != nil && b != nil {
			a["id"], b["id"] = b["id"], a["id"]
			own[one], own[two] = b, a
		}
	}
	var responses []item
	for _, it := range batch.Requests {
		id := str(it["id"])
		kind, _, _ := strings.Cut(string(met[id]), " ")
		kind = strings.TrimSuffix(kind, ",")
		respond := func(id string, status int, headers, body string) {
			responses = append(responses, item{
				"id": quote(id), "status": json.RawMessage(fmt.Sprint(status)), "headers": json.RawMessage(headers), "body": json.RawMessage(body),
			})
		}
		const isJSON = `{"Content-Type":"application/json"}`
		switch kind {
		case "", "swapped":
			responses = append(responses, own[id])
		case "quoted":
			respond(id, 502, isJSON, quoting(out).text())
		case "missing":
		case "twice":
			responses = append(responses, own[id], own[id])
			if met[id] == "twice and unlike" {
				responses = responses[:len(responses)-1]
				respond(id, 429, `{"Retry-After":"1"}`, failure("429").text())
			}
		case "foreign":
			if met[id] == "foreign item beside" {
				responses = append(responses, own[id])
			}
			respond("77", 200, isJSON, `{"id":"77777777-7777-4777-8777-777777777777"}`)
		case "contradiction": // one of them is not true
			answers := []func(){
				func() { respond(id, 503, isJSON, failure("503").text()) },
				func() {
					respond(id, 200, isJSON, fmt.Sprintf(`{"id":%q}`, strings.Split(str(it["url"]), "/")[2]))
				},
			}
			if strings.HasSuffix(string(met[id]), "first") {
				slices.Reverse(answers)
			}
			for _, respond := range answers {
				respond()
			}
		case "unreadable":
			responses = append(responses, item{"id": quote(id), "status": json.RawMessage(`"fine"`)})
		case "empty":
			responses = append(responses, item{"id": quote(id), "status": json.RawMessage(`200`)})
		case "portal":
			respond(id, 200, `{"Content-Type":"text/html"}`, string(quote(base64.StdEncoding.EncodeToString([]byte("<html>Welcome</html>")))))
		case "other":
			respond(id, 200, isJSON, `{"id":"77777777-7777-4777-8777-777777777777"}`)
		default:
			a, headers := failure(kind), item{"Content-Type": quote("application/json")}
			if after := a.header.Get("Retry-After"); after != "" && met[id] != "429 without advice" {
				headers["retry-after"] = quote(after)
			}
			text, _ := json.Marshal(headers)
			respond(id, a.status, string(text), a.text())
		}
	}
	body, _ := json.Marshal(map[string]any{"responses": append([]item{}, responses...)})
	return answer(200, "application/json", string(body))
}

// with is a batch of these items.
func (o outgoing) with(items any) outgoing {
	body, _ := json.Marshal(map[string]any{"requests": items})
	return outgoing{o.Request, body}
}

func str(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

func quote(s string) json.RawMessage {
	text, _ := json.Marshal(s)
	return text
}

// carry has the tenant carry out a request, whoever is still waiting for it.
func (c *chaos) carry(out outgoing) wireAnswer {
	req := out.Clone(out.Context())
	req.Body, req.ContentLength = nil, 0
	if out.body != nil {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(out.body)), int64(len(out.body))
	}
	resp, err := c.tenant.RoundTrip(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	return wireAnswer{resp.StatusCode, resp.Header, body, false}
}

// pause takes time, unless the client gives up.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A wireAnswer is an answer as it arrives.
type wireAnswer struct {
	status int
	header http.Header
	body   []byte
	broken bool // the connection ends with the body, too soon
}

func (a wireAnswer) text() string { return string(a.body) }

func answer(status int, contentType, body string, headers ...string) wireAnswer {
	a := wireAnswer{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)}
	for i := 0; i < len(headers); i += 2 {
		a.header.Set(headers[i], headers[i+1])
	}
	return a
}

// failure is the answer with a status in Graph's own form.
func failure(status string) wireAnswer {
	var n int
	if _, err := fmt.Sscan(status, &n); err != nil {
		panic("no such trouble: " + status)
	}
	code := "UnknownError"
	var headers []string
	switch n {
	case 401:
		code = "InvalidAuthenticationToken"
	case 409:
		code = "Directory_ConcurrencyViolation"
	case 429:
		code, headers = "TooManyRequests", []string{"Retry-After", "2.128"}
	case 503:
		headers = []string{"Retry-After", "3"}
	}
	return answer(n, "application/json", fmt.Sprintf(`{"error":{"code":%q,"message":"Trouble."}}`, code), headers...)
}

func (a wireAnswer) toResponse(req *http.Request) *http.Response {
	body := io.Reader(bytes.NewReader(a.body))
	if a.broken {
		body = io.MultiReader(body, brokenOff{})
	}
	return &http.Response{
		Status: fmt.Sprint(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(body), ContentLength: -1, Request: req,
	}
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A standing is what there is to know of a user: a bit for each of skuA, skuB
// and skuC, and the usage location.
type standing struct {
	held     int
	location string
}

func bit(sku uuid.UUID) int {
	switch sku {
	case skuA:
		return 1
	case skuB:
		return 2
	case skuC:
		return 4
	}
	panic(sku)
}

// parts are what an operation does, each by itself.
func parts(op licensing.Operation) (all []func(*standing)) {
	if op.Kind == licensing.OperationSetUsageLocation {
		all = append(all, func(s *standing) { s.location = op.UsageLocation })
	}
	for _, license := range op.Request.AddLicenses {
		all = append(all, func(s *standing) { s.held |= bit(license.SKUID) })
	}
	for _, sku := range op.Request.RemoveLicenses {
		all = append(all, func(s *standing) { s.held &^= bit(sku) })
	}
	return all
}

func (s standing) after(op licensing.Operation) standing {
	for _, part := range parts(op) {
		part(&s)
	}
	return s
}

// inDoubt are all that s may be after an operation that was made, perhaps, in
// full or in part.
func (s standing) inDoubt(op licensing.Operation) []standing {
	all := []standing{s}
	for _, part := range parts(op) {
		for _, before := range all {
			part(&before)
			all = append(all, before)
		}
	}
	return all
}

// An effect is one change in what a user has, or where the user is. In the
// plans here no two operations on a user have an effect in common.
type effect struct {
	user   string
	change string
}

func gain(user string, sku uuid.UUID) effect { return effect{user, "+" + sku.String()} }
func loss(user string, sku uuid.UUID) effect { return effect{user, "-" + sku.String()} }

func effects(op licensing.Operation) (all []effect) {
	if op.Kind == licensing.OperationSetUsageLocation {
		all = append(all, effect{op.Target, "in " + op.UsageLocation})
	}
	for _, license := range op.Request.AddLicenses {
		all = append(all, gain(op.Target, license.SKUID))
	}
	for _, sku := range op.Request.RemoveLicenses {
		all = append(all, loss(op.Target, sku))
	}
	return all
}

// happenings counts the effects that the tenant's ledger shows. Users begin
// without licenses.
func happenings(tenant *licensingtest.Tenant) map[effect]int {
	count, held := make(map[effect]int), make(map[string]int)
	for _, w := range tenant.Writes() {
		if w.Action == "update" && w.Changed {
			count[effect{w.Target, "in " + w.UsageLocation}]++
		}
		for _, license := range w.Added {
			if held[w.Target]&bit(license.SKUID) == 0 {
				count[gain(w.Target, license.SKUID)]++
			}
			held[w.Target] |= bit(license.SKUID)
		}
		for _, sku := range w.Removed {
			if held[w.Target]&bit(sku) != 0 {
				count[loss(w.Target, sku)]++
			}
			held[w.Target] &^= bit(sku)
		}
	}
	return count
}

// A tally is how the reports on operations compare with what came to pass.
type tally struct {
	done, failed, unknown   int // reported so
	gaveUp                  int // failed, though nothing said that it could not be done
	falseDone               int // reported as done, and not so when it was
	falseFailed             int // reported as failed for certain, and made
	lied                    int // likewise, after a 429 that was a lie
	tokens                  int // reports with a token
	twice                   int // effects that happened more than once
	wrongEnd                int // users who are not as the reports say
	requests, troubled, ops int
	why                     []string
}

func (y *tally) wrong() bool { return y.falseDone+y.falseFailed+y.twice+y.wrongEnd+y.tokens > 0 }

func (y *tally) note(format string, args ...any) {
	if len(y.why) < 10 {
		y.why = append(y.why, fmt.Sprintf(format, args...))
	}
}

func (y *tally) add(other tally) {
	y.done, y.failed, y.unknown, y.falseDone = y.done+other.done, y.failed+other.failed, y.unknown+other.unknown, y.falseDone+other.falseDone
	y.tokens += other.tokens
	y.falseFailed, y.twice, y.wrongEnd = y.falseFailed+other.falseFailed, y.twice+other.twice, y.wrongEnd+other.wrongEnd
	y.requests, y.troubled, y.ops, y.lied = y.requests+other.requests, y.troubled+other.troubled, y.ops+other.ops, y.lied+other.lied
	y.why = append(y.why, other.why...)
}

// An inquiry finds out whether reports are true.
type inquiry struct {
	tenant  *licensingtest.Tenant
	way     *chaos
	reports map[string][]report // by user, as they came
	tally   tally
}

type report struct {
	licensing.OperationResult
	inDoubt bool
}

func newInquiry(tenant *licensingtest.Tenant, way *chaos) *inquiry {
	return &inquiry{tenant: tenant, way: way, reports: make(map[string][]report)}
}

// see takes in a report while the tenant is as it was when it came.
func (q *inquiry) see(r licensing.OperationResult) {
	if r.Err != nil && betrays(everythingOf(r.Err), chaosToken) {
		q.tally.tokens++
		q.tally.note("a token is in %v", r.Err)
	}
	id, unknown := r.Operation.Target, errors.Is(r.Err, licensing.ErrOutcomeUnknown)
	q.reports[id] = append(q.reports[id], report{r, unknown || q.way.liedTo(id)})
	switch {
	case r.Done():
		q.tally.done++
		now := q.now(id)
		if now.after(r.Operation) != now {
			q.tally.falseDone++
			q.tally.note("%v is reported as done, and the user is %+v", effects(r.Operation), now)
		}
	case unknown:
		q.tally.unknown++
	default:
		q.tally.failed++
		if !errors.Is(r.Err, licensing.ErrNotAssigned) && r.Outcome() != licensing.OutcomeNotSent { // as after an operation whose outcome is unknown
			q.tally.gaveUp++
			q.tally.note("%v: %v", effects(r.Operation), r.Err)
		}
	}
}

func (q *inquiry) now(id string) standing {
	user, _ := q.tenant.User(id)
	s := standing{location: user.UsageLocation}
	for _, license := range user.Licenses {
		s.held |= bit(license.SKUID)
	}
	return s
}

// conclude compares the reports with the ledger, when nothing is on its way any
// more.
func (q *inquiry) conclude(ids []string) tally {
	happened := happenings(q.tenant)
	for e, n := range happened {
		if n > 1 {
			q.tally.twice++
			q.tally.note("%v happened %d times", e, n)
		}
	}
	for _, id := range ids {
		possible := map[standing]bool{{location: "US"}: true}
		for _, r := range q.reports[id] {
			next := make(map[standing]bool)
			for s := range possible {
				switch {
				case r.Done():
					next[s.after(r.Operation)] = true
				case r.inDoubt:
					for _, s := range s.inDoubt(r.Operation) {
						next[s] = true
					}
				default:
					next[s] = true
				}
			}
			possible = next
			if r.Done() || errors.Is(r.Err, licensing.ErrOutcomeUnknown) {
				continue
			}
			for _, e := range effects(r.Operation) {
				switch {
				case happened[e] == 0:
					continue
				case r.inDoubt:
					q.tally.lied++
				default:
					q.tally.falseFailed++
					q.tally.note("%v happened, and is reported as failed: %v", e, r.Err)
				}
				break
			}
		}
		if end := q.now(id); !possible[end] {
			q.tally.wrongEnd++
			q.tally.note("user %s is %+v in the end, and by the reports one of %v", id, end, possible)
		}
	}
	return q.tally
}

// threeChanges gives each user SKU A, then B in its place, then nothing. The
// operations of one user are far from each other in the order.
func threeChanges(ids []string) iter.Seq[licensing.Operation] {
	return func(yield func(licensing.Operation) bool) {
		const group = 50
		for first := 0; first < len(ids); first += group {
			for _, change := range changes {
				for _, id := range ids[first:min(first+group, len(ids))] {
					if !yield(licensing.Operation{Kind: licensing.OperationAssignUser, Target: id, Request: change}) {
						return
					}
				}
			}
		}
	}
}

var changes = []licensing.AssignLicenseRequest{
	add(skuA),
	{AddLicenses: add(skuB).AddLicenses, RemoveLicenses: remove(skuA).RemoveLicenses},
	remove(skuB),
}

// randomly has a share of all requests and items meet a trouble. In a batch,
// half of it is that of the request and half the item's own, so that an
// operation meets about as many in a batch as by itself.
func randomly(seed int, share float64) func(item bool, target string) trouble {
	random := rand.New(rand.NewPCG(uint64(seed), 95))
	return func(item bool, target string) trouble {
		share, list := share, requestTroubles
		if item {
			list = itemTroubles
		}
		if item || strings.HasSuffix(target, "/$batch") {
			share /= 2
		}
		if random.Float64() >= share {
			return ""
		}
		return list[random.IntN(len(list))]
	}
}

// underFaults makes the three changes to users on a bad way to the tenant.
func underFaults(t *testing.T, users, seed int, share float64, make3 func(ctx context.Context, way http.RoundTripper, ids []string, report func(licensing.OperationResult))) (y tally) {
	synctest.Test(t, func(t *testing.T) {
		tenant, ids := people(users)
		tenant.SetReadLag(3 * time.Second)
		way := &chaos{tenant: tenant.RoundTripper(), meet: randomly(seed, share)}
		if share > 0 {
			way.begun = time.Now()
		}
		q := newInquiry(tenant, way)
		make3(t.Context(), way, ids, q.see)
		time.Sleep(5 * time.Minute) // until all that was late has come
		y = q.conclude(ids)
		y.requests, y.troubled, y.ops = way.requests, way.troubled, len(changes)*users
	})
	return y
}

func changesInBulk(t *testing.T) func(context.Context, http.RoundTripper, []string, func(licensing.OperationResult)) {
	return func(ctx context.Context, way http.RoundTripper, ids []string, report func(licensing.OperationResult)) {
		n := 0
		client, err := licensing.NewClient(way.(*chaos).token, licensing.WithHTTPClient(&http.Client{Transport: way}))
		if err != nil {
			t.Fatal(err)
		}
		for r := range client.Bulk(ctx, threeChanges(ids), licensing.BulkOptions{}) {
			report(r)
			n++
		}
		if n != len(changes)*len(ids) {
			t.Errorf("%d results for %d operations", n, len(changes)*len(ids))
		}
	}
}

// changesInLoops is what one would write without the package: each change is a
// request through go-retryablehttp as it comes, with a time limit. A user whose
// change fails is left alone.
func changesInLoops(t *testing.T) func(context.Context, http.RoundTripper, []string, func(licensing.OperationResult)) {
	return func(ctx context.Context, way http.RoundTripper, ids []string, report func(licensing.OperationResult)) {
		client := plainClient(&http.Client{Transport: way, Timeout: time.Minute})
		var mu sync.Mutex
		inWorkers(16, ids, func(id string) {
			for _, change := range changes {
				r := licensing.OperationResult{Operation: licensing.Operation{Kind: licensing.OperationAssignUser, Target: id, Request: change}}
				resp, err := assignPlainly(ctx, t, client, id, wire(change))
				if err == nil && resp.StatusCode/100 != 2 {
					err = errors.New(resp.Status)
				}
				r.Err = err
				mu.Lock()
				report(r)
				mu.Unlock()
				if err != nil {
					break
				}
			}
		})
	}
}

// Whatever goes wrong, what is reported as done is done, what is reported as
// failed is not, and no effect happens twice or is undone by a late one.
func TestBulkUnderFaults(t *testing.T) {
	if *full {
		compareUnderFaults(t)
		return
	}
	for _, share := range []float64{0.1, 0.3} {
		t.Run(fmt.Sprintf("%.0f %%", 100*share), func(t *testing.T) {
			t.Parallel()
			const users = 300
			y := underFaults(t, users, 1, share, changesInBulk(t))
			t.Logf("%d done, %d failed, %d unknown, %d troubles", y.done, y.failed, y.unknown, y.troubled)
			if y.wrong() {
				t.Errorf("%d false successes, %d false failures, %d effects twice, %d users in a wrong state, %d tokens:\n%s",
					y.falseDone, y.falseFailed, y.twice, y.wrongEnd, y.tokens, strings.Join(y.why, "\n"))
			}
			if y.gaveUp > 0 || y.done < len(changes)*users*98/100 {
				t.Errorf("of %d operations only %d were done, and %d given up:\n%s", len(changes)*users, y.done, y.gaveUp, strings.Join(y.why, "\n"))
			}
		})
	}
}

// compareUnderFaults does it at the length that the figures in README.md are
// for, and as one would without the package.
func compareUnderFaults(t *testing.T) {
	const users, seeds = 3334, 20
	shares := []float64{0, 0.02, 0.1, 0.3}
	bulk, loop := make([][]tally, len(shares)), make([][]tally, len(shares))
	t.Run("runs", func(t *testing.T) {
		for i, share := range shares {
			bulk[i], loop[i] = make([]tally, seeds), make([]tally, seeds)
			for seed := range seeds {
				t.Run(fmt.Sprintf("%.0f %%/%d", 100*share, seed), func(t *testing.T) {
					t.Parallel()
					bulk[i][seed] = underFaults(t, users, seed, share, changesInBulk(t))
					loop[i][seed] = underFaults(t, users, seed, share, changesInLoops(t))
				})
			}
		}
	})
	var table strings.Builder
	drawn := faultsData{source: source{
		Command:  "go test -run '^TestBulkUnderFaults$' -timeout 60m . -args -full -data benchmarks/data/faults.json",
		Measured: today(), Users: users,
	}, Seeds: seeds}
	fmt.Fprintf(&table, "%d users, three changes each, %d seeds\n\n", users, seeds)
	fmt.Fprintln(&table, "| faults | by | operations | reported done | failed | outcome unknown | not reported | false successes | false failures | made after a 429 that lied | effects twice | users in a wrong end state | tokens shown | requests | faults met |")
	fmt.Fprintln(&table, "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for i, share := range shares {
		for _, by := range []struct {
			name string
			runs []tally
		}{{"Bulk", bulk[i]}, {"plain go-retryablehttp", loop[i]}} {
			var y tally
			for _, run := range by.runs {
				y.add(run)
			}
			fmt.Fprintf(&table, "| %.0f %% | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", 100*share, by.name, y.ops, y.done, y.failed, y.unknown,
				y.ops-y.done-y.failed-y.unknown, y.falseDone, y.falseFailed, y.lied, y.twice, y.wrongEnd, y.tokens, y.requests, y.troubled)
			drawn.Rows = append(drawn.Rows, faultsRow{100 * share, by.name, y.ops, y.done, y.falseDone, y.falseFailed, y.twice, y.wrongEnd})
			if by.name == "Bulk" && y.wrong() {
				t.Errorf("%.0f %%:\n%s", 100*share, strings.Join(y.why, "\n"))
			}
		}
	}
	t.Log("\n" + table.String())
	writeData(t, drawn)
}

// Operations on one object are made in the order of the input, also when they
// come in a row.
func TestBulkKeepsOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tenant, ids := people(3)
		operations := func(yield func(licensing.Operation) bool) {
			for i := range 90 {
				op := licensing.Operation{Kind: licensing.OperationAssignUser, Target: ids[i/30], Request: add(skuA)}
				if i%2 == 1 {
					op.Request = remove(skuA)
				}
				if !yield(op) {
					return
				}
			}
		}
		latest := make(map[string]int)
		for r := range tenant.Client().Bulk(t.Context(), operations, licensing.BulkOptions{}) {
			if r.Err != nil {
				t.Errorf("operation %d: %v", r.Index, r.Err)
			}
			if r.Index < latest[r.Operation.Target] {
				t.Errorf("the result of operation %d came after that of %d", r.Index, latest[r.Operation.Target])
			}
			latest[r.Operation.Target] = r.Index
		}
		for _, w := range tenant.Writes() {
			if !w.Changed {
				t.Errorf("nothing was changed by %+v", w)
			}
		}
	})
}
