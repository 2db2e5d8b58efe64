package licensing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
)

// A context can end for another call's failure, as that of an errgroup does.
// That says nothing about the calls that it ends.

// foreignCauses are failures of other calls.
func foreignCauses(t *testing.T) map[string]error {
	t.Helper()
	refusal := func(message string) error {
		s := newScript(t, graphError(400, "Request_BadRequest", message))
		_, err := newClient(t, s).AssignUserLicense(t.Context(), user(0), remove(skuA))
		return err
	}
	noToken, err := licensing.NewClient(func(context.Context) (string, error) { return "", errors.New("vault is sealed") })
	if err != nil {
		t.Fatal(err)
	}
	_, unsigned := noToken.AssignUserLicense(t.Context(), user(0), add(skuA))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, unsent := newClient(t, newScript(t)).AssignUserLicense(ended, user(0), add(skuA))
	return map[string]error{
		"not assigned": refusal("User does not have a corresponding license."),
		"inherited":    refusal("User license is inherited from a group membership and it cannot be removed directly from the user."),
		"no token":     fmt.Errorf("row 7: %w", unsigned),
		"not sent":     unsent,
		"a sentinel":   licensing.ErrNotAssigned,
		"not decoded":  &licensing.DecodeError{Err: errors.New("not a GUID")},
	}
}

func TestACauseIsNoEvidence(t *testing.T) {
	for name, cause := range foreignCauses(t) {
		for _, size := range []int{0, 1, 20} { // 0: a single call
			t.Run(fmt.Sprintf("%s, %d", name, size), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(time.Second, func() { cancel(cause) })
					client := newClient(t, step(silent))
					var errs []error
					if size == 0 {
						_, err := client.AssignUserLicense(ctx, userID, remove(skuA))
						errs = append(errs, err)
					} else {
						for r := range client.Bulk(ctx, inOrder(assign(user(0), remove(skuA)), assign(user(1), remove(skuB))), licensing.BulkOptions{BatchSize: size}) {
							if r.Attempts > 0 { // the first is a probe
								errs = append(errs, r.Err)
							}
						}
					}
					for _, err := range errs {
						wantFailed(t, err, 0, 1, licensing.ErrOutcomeUnknown)
						if !errors.Is(err, context.Canceled) || errors.As(err, new(*licensing.DecodeError)) {
							t.Errorf("got %v", err)
						}
					}
					if len(errs) == 0 {
						t.Error("nothing was sent")
					}
				})
			})
		}
	}
}

// net/http returns the cause itself from a request that it gave up.
func TestACauseIsNoEvidenceOverHTTP(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", http2), func(t *testing.T) {
			came, release := make(chan struct{}, 10), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				came <- struct{}{}
				<-release
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			defer close(release)
			client, err := licensing.NewClient(licensing.StaticToken("t"), licensing.WithBaseURL(server.URL), licensing.WithHTTPClient(server.Client()))
			if err != nil {
				t.Fatal(err)
			}
			for name, cause := range foreignCauses(t) {
				begin := func() context.Context {
					ctx, cancel := context.WithCancelCause(t.Context())
					go func() { <-came; cancel(cause) }()
					return ctx
				}
				if _, err := client.AssignUserLicense(begin(), userID, add(skuA)); kinds(err) != "OutcomeUnknown" {
					t.Errorf("%s: %v", name, err)
				}
				for r := range client.Bulk(begin(), slices.Values(addsFor(2, skuA)), licensing.BulkOptions{}) {
					if kinds(r.Err) != "OutcomeUnknown" || r.Attempts != 1 {
						t.Errorf("%s, in bulk: %v", name, r.Err)
					}
				}
			}
		})
	}
}
