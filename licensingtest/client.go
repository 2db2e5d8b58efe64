package licensingtest

import (
	"net/http"

	"github.com/graphlicensing/licensing"
)

// Client returns a client of the tenant that needs no network. It works inside a
// testing/synctest bubble. The options are applied after those that connect the
// client to the tenant, so do not pass [licensing.WithHTTPClient]. Client panics if
// an option is invalid.
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
