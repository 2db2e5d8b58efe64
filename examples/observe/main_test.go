package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/licensingtest"
)

// scrape gets the metrics as Prometheus does, over HTTP.
func scrape(t *testing.T, m *metrics) string {
	t.Helper()
	server := httptest.NewServer(m.handler())
	defer server.Close()
	resp, err := http.Get(server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return string(text)
}

// value returns the value of a series.
func value(t *testing.T, text, series string) int {
	t.Helper()
	for line := range strings.Lines(text) {
		if number, ok := strings.CutPrefix(line, series+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				t.Error(err)
			}
			return n
		}
	}
	t.Errorf("there is no series %s", series)
	return 0
}

// number returns a numeric attribute of a span.
func number(s tracetest.SpanStub, key attribute.Key) int {
	for _, a := range s.Attributes {
		if a.Key == key {
			return int(a.Value.AsInt64())
		}
	}
	return -1
}

func TestMetricsAndSpansOfARun(t *testing.T) {
	const users = 100
	exporter := tracetest.NewInMemoryExporter()
	m := newMetrics()
	var tenant *licensingtest.Tenant
	var spans tracetest.SpanStubs
	var parent trace.SpanContext
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		tenant = newTenant(users)
		traces := newTraces(exporter)
		ctx, caller := traces.tracer.Start(t.Context(), "caller")
		parent = caller.SpanContext()
		if err := makeRun(ctx, tenant, users, m, traces, &out); err != nil {
			t.Error(err)
		}
		spans = exporter.GetSpans()
		if err := traces.close(); err != nil {
			t.Error(err)
		}
	})
	if want := "101 operations: 93 done, 8 failed, 0 unknown, 0 not sent\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	text := scrape(t, m)
	for series, want := range map[string]int{
		`licensing_results_total{error="",operation="assignUser",outcome="done"}`:                                        93,
		`licensing_results_total{error="usage location not set or not allowed",operation="assignUser",outcome="failed"}`: 5,
		`licensing_results_total{error="no available licenses",operation="assignUser",outcome="failed"}`:                 2,
		`licensing_results_total{error="not found",operation="reprocessUser",outcome="failed"}`:                          1,
		`licensing_attempt_duration_seconds_bucket{op="batch",status="200",le="0.25"}`:                                   0,
		`licensing_attempt_duration_seconds_bucket{op="batch",status="200",le="0.5"}`:                                    value(t, text, `licensing_attempt_duration_seconds_count{op="batch",status="200"}`),
	} {
		if got := value(t, text, series); got != want {
			t.Errorf("%s is %d, want %d", series, got, want)
		}
	}

	// The last to end is the run's, under the caller's. The others are under it.
	run := spans[len(spans)-1]
	if run.Name != "license run" || run.Parent.SpanID() != parent.SpanID() || run.SpanContext.TraceID() != parent.TraceID() || run.Status.Code != codes.Error {
		t.Errorf("the span of the run: %+v", run)
	}
	operations, throttled, took := 0, 0, time.Duration(0)
	for _, s := range spans[:len(spans)-1] {
		if s.Parent.SpanID() != run.SpanContext.SpanID() || s.SpanKind != trace.SpanKindClient || !strings.HasPrefix(s.Name, "POST /") ||
			s.StartTime.Before(run.StartTime) || s.EndTime.After(run.EndTime) {
			t.Errorf("the span of an attempt: %+v", s)
		}
		if s.Name == "POST /$batch" {
			if status := number(s, "http.response.status_code"); status != 200 || s.Status.Code != codes.Unset {
				t.Errorf("a batch has status %d, %v", status, s.Status)
			}
		}
		operations += number(s, "licensing.operations")
		throttled += number(s, "licensing.throttled")
		took = max(took, s.EndTime.Sub(s.StartTime))
	}
	if got := value(t, text, "licensing_throttled_operations_total"); got != throttled || throttled == 0 || operations != users+1+throttled {
		t.Errorf("%d throttled, spans have %d of %d", got, throttled, operations)
	}
	if requests := len(tenant.Requests()); len(spans)-1 != requests || took != 300*time.Millisecond {
		t.Errorf("%d spans of %d requests, %v at the most", len(spans)-1, requests, took)
	}
	if strings.Contains(text, "contoso") {
		t.Errorf("the metrics name a user:\n%s", text)
	}
}

func TestSpanOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exporter := tracetest.NewInMemoryExporter()
		traces := newTraces(exporter)
		traces.attempt(t.Context(), licensing.Attempt{Method: "GET", Route: "/users", Number: 2, Operations: 1, Start: time.Now().Add(-time.Minute), Duration: time.Second, Kinds: []error{licensing.ErrUnavailable, licensing.ErrOutcomeUnknown}})
		if err := traces.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := exporter.GetSpans()[0]
		if s.EndTime.Sub(s.StartTime) != time.Second || s.Status.Code != codes.Error || s.Status.Description != "service unavailable" || number(s, "http.response.status_code") != -1 || number(s, "http.request.resend_count") != 1 {
			t.Errorf("got %+v", s)
		}
		if err := traces.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestResultOfNoKind(t *testing.T) {
	m := newMetrics()
	m.result(licensing.OperationResult{Attempts: 1, Err: &licensing.Error{StatusCode: http.StatusTeapot, Attempts: 1}})
	if got := value(t, scrape(t, m), `licensing_results_total{error="other",operation="none",outcome="failed"}`); got != 1 {
		t.Errorf("counted %d times", got)
	}
}

// An interrupted run is told of, too, and ends the program.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, usage bytes.Buffer
	if err := run(ctx, []string{"-listen", "127.0.0.1:0"}, &out, &usage); err != nil || usage.Len() > 0 {
		t.Errorf("got %v and %q", err, usage.String())
	}
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "metrics: http://127.0.0.1:") || !strings.HasPrefix(lines[1], "license run: ") || !strings.HasPrefix(lines[2], "101 operations: 0 done, 0 failed, 0 unknown, ") {
		t.Errorf("printed\n%s", out.String())
	}
}

func TestMisuses(t *testing.T) {
	for args, want := range map[string]string{
		"x":          `unexpected argument "x"`,
		"-x":         "flag provided but not defined: -x",
		"-users 0":   "there must be 1 to 10000 users",
		"-listen :x": "listen tcp: ",
	} {
		var out bytes.Buffer
		if err := run(t.Context(), strings.Fields(args), &out, &out); err == nil || cli.Status(err) != 2 || !strings.HasPrefix(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%s: got %v and %q", args, err, out.String())
		}
	}
	var usage bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "\n  -users how many\n") {
		t.Errorf("help: got %v and\n%s", err, usage.String())
	}
}
