package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/graphlicensing/licensing/licensingtest"
)

const fakeUser = "adele@contoso.example"

// startFake serves a tenant and the sign-in service that belongs to it. The
// tenant is busy at first, so that there is something to see in the log.
func startFake() *httptest.Server {
	tenant := licensingtest.NewTenant()
	tenant.RequireToken("a-token")
	tenant.AddUser(licensingtest.User{UserPrincipalName: fakeUser, UsageLocation: "FR"})
	tenant.Fail(licensingtest.Fault{
		Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Please retry again later.",
		Header: http.Header{"Retry-After": {"0.5"}},
	})

	mux := http.NewServeMux()
	mux.Handle("/v1.0/", tenant)
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"a-token","token_type":"Bearer","expires_in":3600}`)
	})
	return httptest.NewServer(mux)
}
