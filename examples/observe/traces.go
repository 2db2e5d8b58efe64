package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/graphlicensing/licensing"
)

// A traces makes spans.
type traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// newTraces returns one that sends the spans to an exporter. In earnest that is
// otlptracehttp's or another one for a collector.
func newTraces(to sdk.SpanExporter) *traces {
	provider := sdk.NewTracerProvider(sdk.WithBatcher(to))
	return &traces{provider, provider.Tracer("github.com/graphlicensing/licensing/examples/observe")}
}

// attempt makes a span of an attempt, under the one that the caller's context has.
// The attempt is over, so the span gets its times.
func (t *traces) attempt(ctx context.Context, a licensing.Attempt) {
	_, span := t.tracer.Start(ctx, a.Method+" "+a.Route, trace.WithTimestamp(a.Start), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", a.Method),
		attribute.String("url.template", a.Route),
		attribute.Int("http.request.resend_count", a.Number-1),
		attribute.Int("licensing.operations", a.Operations),
		attribute.Int("licensing.throttled", a.Throttled),
		attribute.String("licensing.request_id", a.RequestID), // for Microsoft support
	))
	if a.Status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", a.Status))
	}
	for _, kind := range a.Kinds {
		span.SetStatus(codes.Error, kind.Error())
		break
	}
	span.End(trace.WithTimestamp(a.Start.Add(a.Duration)))
}

// flush exports the spans that have ended.
func (t *traces) flush(ctx context.Context) error { return t.provider.ForceFlush(ctx) }

// close exports what is left. It is called when the caller's context may have
// ended.
func (t *traces) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// A printer is an exporter that prints a line for each span.
type printer struct{ out io.Writer }

func (p printer) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	for _, s := range spans {
		line := fmt.Sprintf("%s: %v", s.Name(), s.EndTime().Sub(s.StartTime()).Round(time.Millisecond))
		for _, a := range s.Attributes() {
			switch a.Key {
			case "http.response.status_code":
				line += ", status " + a.Value.String()
			case "licensing.operations", "licensing.throttled":
				line += fmt.Sprintf(", %s %s", a.Value.String(), a.Key[len("licensing."):])
			}
		}
		if _, err := fmt.Fprintln(p.out, line); err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }
