package licensingtest

import (
	"net/http"

	"github.com/graphlicensing/licensing"
)

// Client returns a client of the tenant that needs no network. It works inside
// a testing/synctest bubble. Options come after those that connect it to the
// tenant, so [licensing.WithHTTPClient] would take it elsewhere. Client panics
// on a bad option.
func (t *Tenant) Client(opts ...licensing.Option) *licensing.Client {
	t.mu.Lock()
	token := t.token
	t.mu.Unlock()
	if token == "" {
		token = "licensingtest"
	}
	hc := &http.Client{Transport: t.RoundTripper()}
	client, err := licensing.NewClient(licensing.StaticToken(token), append([]licensing.Option{licensing.WithHTTPClient(hc)}, opts...)...)
	if err != nil {
		panicf("Client: %v", err)
	}
	return client
}
