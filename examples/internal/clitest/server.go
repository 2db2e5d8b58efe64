package clitest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/graphlicensing/licensing/licensingtest"
)

// A Server is a tenant behind a socket, one of whose batches the test meets.
type Server struct {
	*licensingtest.Tenant
	URL     string
	At      atomic.Int32                                             // the batch, from 1, that Meet is called for; no other one is met
	Meet    func(carryOut func(w http.ResponseWriter)) (answer bool) // reports whether the batch is answered
	batches atomic.Int32
}

// NewServer returns a server of a new tenant, which ends with the test.
func NewServer(t *testing.T) *Server {
	s := &Server{Tenant: licensingtest.NewTenant()}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/$batch") || s.batches.Add(1) != s.At.Load() {
		s.Tenant.ServeHTTP(w, r)
		return
	}
	if body, err := io.ReadAll(r.Body); err == nil { // or it would not be heard that the client is gone
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if !s.Meet(func(w http.ResponseWriter) { s.Tenant.ServeHTTP(w, r) }) {
		panic(http.ErrAbortHandler)
	}
	s.Tenant.ServeHTTP(w, r)
}

// File returns the path of a new file with a text, or of none yet.
func File(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Read returns the text of a file.
func Read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
