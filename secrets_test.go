package licensing_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphlicensing/licensing"
)

// theToken has all kinds of characters that a token may have.
const theToken = `eyJ0eXAi.c2VjcmV0LXRva2Vu_c2ln-b'mF0"dXJl\~x+y/z==`

// disguises are the ways to write a token that a gateway, a proxy or a log may
// choose.
var disguises = map[string]func(string) string{
	"plain":   func(s string) string { return s },
	"bearer":  func(s string) string { return "Bearer " + s },
	"quoted":  strconv.Quote,
	"JSON":    func(s string) string { b, _ := json.Marshal(s); return string(b) },
	"slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"twice JSON": func(s string) string {
		b, _ := json.Marshal(s)
		b, _ = json.Marshal(string(b))
		return string(b)
	},
	"escaped": func(s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&b, `\u%04X`, c)
		}
		return b.String()
	},
	"query":   url.QueryEscape,
	"path":    url.PathEscape,
	"percent": func(s string) string { return strings.ReplaceAll(fmt.Sprintf("% x", s), " ", "%") },
	"twice percent": func(s string) string {
		return url.QueryEscape(url.QueryEscape(s))
	},
	"HTML":      html.EscapeString,
	"base64":    func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64, 1": func(s string) string { return base64.StdEncoding.EncodeToString([]byte("x" + s + "y")) },
	"base64, 2": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("xx" + s + "yy")) },
	"base64, long": func(s string) string {
		return base64.URLEncoding.EncodeToString([]byte(`{"authorization":"Bearer ` + s + `"}`))
	},
	"base64 in a URL": func(s string) string {
		return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("x" + s)))
	},
}

// betrays reports whether a text has what gives the token away, in whatever form.
func betrays(text, token string) bool {
	variants := []string{text}
	for range 3 { // as often as something may be escaped
		last := variants[len(variants)-1]
		if plain, err := url.QueryUnescape(strings.ReplaceAll(last, "+", "%2B")); err == nil {
			variants = append(variants, plain)
		}
		variants = append(variants, html.UnescapeString(last), strings.ReplaceAll(last, `\`, ""))
		if plain, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(last, `\/`, "/"), `"`, `\"`) + `"`); err == nil {
			variants = append(variants, plain)
		}
	}
	needles := []string{token, strings.ReplaceAll(token, `\`, "")}
	for before := range 3 {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			form := e.EncodeToString([]byte(strings.Repeat("\x00", before) + token))
			needles = append(needles, form[(before*8+5)/6:(before+len(token))*8/6])
		}
	}
	return slices.ContainsFunc(variants, func(v string) bool {
		return slices.ContainsFunc(needles, func(n string) bool { return strings.Contains(v, n) })
	})
}

// everythingOf returns all that an error shows, keeps or writes.
func everythingOf(err error) string {
	var b strings.Builder
	for e := err; e != nil; e = errors.Unwrap(e) {
		fmt.Fprintf(&b, "%v\n%+v\n%#v\n", e, e, e)
	}
	if e, ok := errors.AsType[*licensing.Error](err); ok {
		fmt.Fprintf(&b, "%s\n%v\n%v\n%v\n%v\n%v\n", e.Body, e.Header, e.Message, e.Details, e.RequestID, e.ClientRequestID)
	}
	if e, ok := errors.AsType[*licensing.DecodeError](err); ok {
		fmt.Fprintf(&b, "%s\n%v\n", e.Body, e.Property)
	}
	text, _ := json.Marshal(licensing.OperationResult{Err: err})
	b.Write(text)
	return b.String()
}

// A token that was sent stands in nothing that comes back, whoever put it into the
// answer, wherever, and however it is written.
func TestNoTokenComesBack(t *testing.T) {
	t.Parallel()
	type answer struct {
		status int
		body   string
		header []string
		err    error
	}
	in := func(format string) func(string) answer {
		return func(s string) answer { return answer{status: 403, body: fmt.Sprintf(format, s)} }
	}
	text := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	for place, put := range map[string]func(string) answer{
		"message": in(`{"message":"'%s' not a valid key=value pair (missing equal-sign) in Authorization header."}`),
		"message, well": func(s string) answer {
			return answer{status: 400, body: `{"error":{"code":"x","message":` + text(s) + `}}`}
		},
		"code": func(s string) answer { return answer{status: 400, body: `{"error":{"code":` + text(s) + `}}`} },
		"target": func(s string) answer {
			return answer{status: 400, body: `{"error":{"target":` + text(s) + `,"details":[{"code":` + text(s) + `}]}}`}
		},
		"description": func(s string) answer {
			return answer{status: 400, body: `{"error":"x","error_description":` + text(s) + `}`}
		},
		"request-id": func(s string) answer {
			return answer{status: 400, body: `{"error":{"innerError":{"request-id":` + text(s) + `}}}`}
		},
		"a page":   in("<p>Authorization: %s</p>"),
		"503":      func(s string) answer { return answer{status: 503, body: s} },
		"the end":  func(s string) answer { return answer{status: 500, body: strings.Repeat("x", 64<<10-30) + s} },
		"a header": func(s string) answer { return answer{status: 401, header: []string{"X-Echo", s}} },
		"a request-id": func(s string) answer {
			return answer{status: 400, header: []string{"request-id", s, "client-request-id", s}}
		},
		"WWW-Authenticate": func(s string) answer {
			return answer{status: 401, header: []string{"WWW-Authenticate", `Bearer realm="` + s + `"`}}
		},
		"an error": func(s string) answer { return answer{err: errors.New("sending " + s + " failed")} },
		"a portal": func(s string) answer { return answer{status: 200, body: "<p>" + s} },
		"what is no GUID": func(s string) answer {
			return answer{status: 200, body: `{"id":"` + userID + `","assignedLicenses":[{"skuId":` + text(s) + `}]}`}
		},
		"a property": func(s string) answer {
			return answer{status: 200, body: `{"id":"` + userID + `","assignedLicenses":1,` + text(s) + `:1}`}
		},
	} {
		for disguise, write := range disguises {
			t.Run(place+", "+disguise, func(t *testing.T) {
				t.Parallel()
				a := put(write(theToken))
				var log bytes.Buffer
				way := step(func(req *http.Request) (*http.Response, error) {
					if a.err != nil {
						return nil, a.err
					}
					return reply(a.status, a.body, a.header...)(req)
				})
				batch := step(func(req *http.Request) (*http.Response, error) {
					if a.err != nil || !isBatch(req) {
						return way(req)
					}
					headers := map[string]string{}
					for i := 0; i < len(a.header); i += 2 {
						headers[a.header[i]] = a.header[i+1]
					}
					head, _ := json.Marshal(headers)
					body := a.body
					if !json.Valid([]byte(body)) {
						body = text(base64.StdEncoding.EncodeToString([]byte(body)))
					}
					one := func(id int) string {
						return fmt.Sprintf(`{"id":"%d","status":%d,"headers":%s,"body":%s}`, id, a.status, head, body)
					}
					return items(one(1), one(2))(req)
				})
				for _, rt := range []step{way, batch} {
					client, err := licensing.NewClient(licensing.StaticToken(theToken), once, licensing.WithHTTPClient(&http.Client{Transport: rt}),
						licensing.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
					if err != nil {
						t.Fatal(err)
					}
					_, err = client.AssignUserLicense(t.Context(), userID, add(skuA))
					all := everythingOf(err)
					for r := range client.Bulk(t.Context(), slices.Values(addsFor(2, skuA)), licensing.BulkOptions{}) {
						all += everythingOf(r.Err)
					}
					if all += log.String(); betrays(all, theToken) || strings.Contains(all, theToken[:20]) {
						t.Errorf("the token is in\n%.2000s", all)
					}
				}
			})
		}
	}
}

// It is cut out of a good answer, too.
func TestNoTokenInASuccess(t *testing.T) {
	t.Parallel()
	const token = "eyJ0eXAi.c2VjcmV0LXRva2Vu.c2ln"
	for disguise, write := range disguises {
		name, _ := json.Marshal(write(token))
		client, err := licensing.NewClient(licensing.StaticToken(token), licensing.WithHTTPClient(&http.Client{Transport: reply(200, `{"id":"`+userID+`","displayName":`+string(name)+`}`)}))
		if err != nil {
			t.Fatal(err)
		}
		user, err := client.User(t.Context(), userID)
		if err != nil || user.ID != userID || betrays(user.DisplayName, token) {
			t.Errorf("%s: %+v, %v", disguise, user, err)
		}
	}
}

// What looks like a part of any text is left alone, and so is all that is not the
// token.
func TestShortTokensAreLeftAlone(t *testing.T) {
	t.Parallel()
	const body = `{"error":{"code":"x","message":"The token t \u0041 100%25 &amp; fifteenletters."}}`
	for _, token := range []string{"t", "fifteenletters."} {
		client, err := licensing.NewClient(licensing.StaticToken(token), licensing.WithHTTPClient(&http.Client{Transport: reply(400, body, "X-Echo", token)}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.User(t.Context(), userID)
		if e := asError(t, err); string(e.Body) != body || e.Message != "The token t A 100%25 &amp; fifteenletters." || e.Header.Get("X-Echo") != token {
			t.Errorf("got %q, %q, %v", e.Body, e.Message, e.Header)
		}
	}
	client := newClient(t, reply(400, strings.Replace(body, "The", theToken[:20], 1)))
	if _, err := client.User(t.Context(), userID); !strings.Contains(asError(t, err).Message, theToken[:20]) {
		t.Errorf("what is no token is gone: %v", err)
	}
}

// Where the HTTP client signs the requests, the token is known from what it sent,
// or by the word before it.
func TestTokensOfTheHTTPClient(t *testing.T) {
	t.Parallel()
	const other = "eyJhbGciOiJub25l.e30.c2lnbmF0dXJl"
	signs := step(func(req *http.Request) (*http.Response, error) {
		signed := req.Clone(req.Context())
		signed.Header.Set("Authorization", "Bearer "+theToken)
		return reply(403, `{"message":"`+url.QueryEscape(theToken)+`, and before it was Bearer `+other+`", "and":"Bearer authorization_uri=x"}`)(signed)
	})
	client, err := licensing.NewClient(nil, licensing.WithHTTPClient(&http.Client{Transport: signs}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.User(t.Context(), userID)
	if all := everythingOf(err); betrays(all, theToken) || betrays(all, other) || !strings.Contains(all, "and before it was Bearer") || !strings.Contains(all, "Bearer authorization_uri=x") {
		t.Errorf("got %s", all)
	}
}

// Of many tokens on their way at once each is cut out of its own answer.
func TestManyTokensAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var n atomic.Int32
		client, err := licensing.NewClient(func(context.Context) (string, error) { return fmt.Sprintf("a-token-of-many-%d-at-once", n.Add(1)), nil },
			once, licensing.WithHTTPClient(&http.Client{Transport: step(func(req *http.Request) (*http.Response, error) {
				time.Sleep(time.Second)
				return reply(400, `{"message":"`+req.Header.Get("Authorization")+`"}`)(req)
			})}))
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if _, err := client.User(t.Context(), user(i)); strings.Contains(everythingOf(err), "a-token-of-many") {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

// A token source whose second token fails may quote the first.
func TestTokensInErrorsOfTheSource(t *testing.T) {
	t.Parallel()
	asked := 0
	client, err := licensing.NewClient(func(context.Context) (string, error) {
		if asked++; asked > 1 {
			return "", fmt.Errorf("cannot exchange %s", theToken)
		}
		return theToken, nil
	}, licensing.WithHTTPClient(&http.Client{Transport: unauthorized}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.User(t.Context(), userID)
	if all := everythingOf(err); betrays(all, theToken) || !errors.Is(err, licensing.ErrUnauthorized) {
		t.Errorf("got %s", all)
	}
}

// FuzzToken plants a token at a random place of a random answer.
func FuzzToken(f *testing.F) {
	names := []string{}
	for name := range disguises {
		names = append(names, name)
	}
	slices.Sort(names)
	f.Add([]byte(`{"error":{"code":"x","message":"y"}}`), "a.bcdefghijklmnop-qrs_tuvw", 20, 0, 400)
	f.Add([]byte(`<p>%41&#x41;\u0041</p>`), `"quoted\and%escaped&token"`, 5, 3, 200)
	f.Fuzz(func(t *testing.T, body []byte, token string, at, as, status int) {
		if len(token) < 16 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) || strings.Count(token, token[:1]) > len(token)/2 {
			t.Skip("no token")
		}
		if betrays(string(body), token) || strings.Contains("[token]", token) || at < 0 || as < 0 || status < 200 || status > 599 {
			t.Skip()
		}
		at %= len(body) + 1
		planted := string(body[:at]) + " " + disguises[names[as%len(names)]](token) + " " + string(body[at:])
		client, err := licensing.NewClient(licensing.StaticToken(token), once, licensing.WithHTTPClient(&http.Client{Transport: reply(status, planted, "X-Echo", disguises[names[as%len(names)]](token))}))
		if err != nil {
			t.Fatal(err)
		}
		user, err := client.User(t.Context(), userID)
		if all := everythingOf(err) + fmt.Sprintf("%+v", user); betrays(all, token) {
			t.Errorf("%q as %s is in\n%s", token, names[as%len(names)], all)
		}
	})
}
