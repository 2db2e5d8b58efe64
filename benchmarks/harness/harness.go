// Package harness has what every measurement shares: the call that is made,
// and what it is answered with.
package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/graphlicensing/licensing/benchmarks/peers"
)

// The objects of the calls without a network.
const (
	User  = "11111111-1111-4111-8111-111111111111"
	Group = "22222222-2222-4222-8222-222222222222"
)

// NthUser returns one of many users. Over a connection each call is for
// another one, as in programs that have more than one call to make: parallel
// writes to one user are refused by Graph and kept apart by our client, and a
// path that never changes is nearly free under HTTP/2, whose compression of
// headers remembers it.
func NthUser(n int) string {
	return fmt.Sprintf("11111111-1111-4111-8111-%012d", n)
}

const (
	userBody  = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","id":"` + User + `","accountEnabled":true,"assignedLicenses":[{"disabledPlans":["8a256a2b-b617-496d-b51b-e76466e88db0"],"skuId":"84a661c4-e949-4bd2-a560-ed7766fcaf2b"},{"disabledPlans":[],"skuId":"f30db892-07e9-47e9-837c-80727f46fd3d"}],"city":"Nairobi","companyName":"Contoso"}`
	groupBody = `{"id":"` + Group + `","createdDateTime":"2021-03-12T11:15:03Z","groupTypes":[],"securityEnabled":true}`
)

// Change is what each call asks for.
var Change = peers.Change{Add: []peers.License{
	{SKU: "84a661c4-e949-4bd2-a560-ed7766fcaf2b", DisabledPlans: []string{"8a256a2b-b617-496d-b51b-e76466e88db0"}},
	{SKU: "f30db892-07e9-47e9-837c-80727f46fd3d"},
}}

// answer returns what Graph answers to a call at path.
func answer(path string) (int, string) {
	if strings.HasPrefix(path, "/v1.0/groups/") {
		return http.StatusAccepted, groupBody
	}
	return http.StatusOK, userBody
}

// Stub answers at once, so that a client's own work is measured and nothing
// else.
type Stub struct{}

// RoundTrip reads the request and answers it.
func (Stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	status, body := answer(req.URL.Path)
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// Serve answers over a connection as Stub does without one.
func Serve(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	status, body := answer(r.URL.Path)
	if parts := strings.Split(r.URL.Path, "/"); len(parts) > 3 && status == http.StatusOK {
		body = strings.Replace(body, User, parts[3], 1)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

// AssignUser makes the call for User.
func AssignUser(ctx context.Context, p peers.Peer) error { return Assign(ctx, p, User) }

// Assign makes the call for a user and checks its result, so that no peer is
// fast by doing less.
func Assign(ctx context.Context, p peers.Peer, user string) error {
	got, err := p.AssignUser(ctx, user, Change)
	if err == nil && got != (peers.Assigned{ID: user, SKUs: 2}) {
		err = fmt.Errorf("result is %+v", got)
	}
	return err
}

// AssignGroup makes the call for a group.
func AssignGroup(ctx context.Context, p peers.Peer) error {
	got, err := p.AssignGroup(ctx, Group, Change)
	if err == nil && got.ID != Group {
		err = errors.New("result is for another group")
	}
	return err
}

// Benchmark measures one of the two calls through Stub.
func Benchmark(b *testing.B, create peers.New, call func(context.Context, peers.Peer) error) {
	peer, err := create("https://graph.microsoft.com", Stub{})
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := call(ctx, peer); err != nil {
			b.Fatal(err)
		}
	}
}
