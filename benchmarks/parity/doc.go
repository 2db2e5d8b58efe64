// Package parity runs one script of calls through our client and through
// msgraph-sdk-go, each against a tenant of its own over TLS, and compares the
// requests that they send and the results and errors that they give.
//
//	go test -tags msgraph -v ./parity
//
// Without the tag only our side runs, which shows that the script is in order.
package parity
