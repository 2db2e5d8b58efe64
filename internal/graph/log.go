package graph

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
)

// log writes a line about the attempt just made. It names the route, not the
// user.
func (x *sending) log() {
	logger, level, a := x.service.watch.logger, slog.LevelWarn, &x.answer
	if a.Outcome == Applied {
		level = slog.LevelDebug
	}
	if logger == nil || !logger.Enabled(x.Context, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", x.request.Op),
		slog.String("method", x.request.Method),
		slog.String("route", x.request.Route()),
		slog.Int("status", a.Status),
		slog.Int("attempt", a.Attempts),
		slog.Duration("duration", a.Took),
		slog.String("request-id", a.RequestID()),
		slog.String("client-request-id", a.ID),
	}
	if n := x.request.Operation; n > 0 {
		attrs = append(attrs, slog.Int("operation", int(n)-1))
	}
	if code := a.Problem().Code; code != "" {
		attrs = append(attrs, slog.String("code", code))
	}
	if a.Err != nil {
		attrs = append(attrs, slog.String("cause", Cleaned(a.Err)))
	}
	if x.pending {
		attrs = append(attrs, slog.Duration("wait", x.next.Wait))
	}
	logger.LogAttrs(x.Context, level, "graph request", attrs...)
}

// Warn logs that something of a good answer is not as it should be.
func (s *Service) Warn(ctx context.Context, text string, a *Answer, attr slog.Attr) {
	if logger := s.watch.logger; logger != nil {
		logger.LogAttrs(ctx, slog.LevelWarn, text, attr, slog.String("request-id", a.RequestID()), slog.String("client-request-id", a.ID))
	}
}

var urls = regexp.MustCompile(`[[:alpha:]][[:alnum:]+.-]*://[^\s"]+`)

// Cleaned is an error's text without the URLs that it may hold, and with them
// user names. A chain of credentials has a lot to say when none is good.
func Cleaned(err error) string { return urls.ReplaceAllString(inLine(err.Error(), 1000), "[url]") }

// OneLine makes foreign text fit for a log line. Some gateways put a whole
// page into an error's message.
func OneLine(s string) string { return inLine(s, 300) }

func inLine(s string, most int) string {
	blank := func(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) }
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), blank), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}
