package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
	"github.com/graphlicensing/licensing/examples/internal/cli"
	"github.com/graphlicensing/licensing/examples/internal/contoso"
	"github.com/graphlicensing/licensing/licensingtest"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// probed runs the tool on a tenant through a transport, and returns what it
// prints.
func probed(t *testing.T, ctx context.Context, cmd command, through http.RoundTripper) (string, error) {
	t.Helper()
	cmd.cloud, cmd.json = licensing.CloudGlobal, true
	var out, notes bytes.Buffer
	err := cmd.run(ctx, licensing.StaticToken(fakeToken), through, &out, &notes)
	return out.String() + notes.String(), err
}

// refusing answers 403 to requests for the paths of a pattern, items of batches
// among them.
func refusing(tenant *licensingtest.Tenant, pattern string) http.RoundTripper {
	matches := regexp.MustCompile(pattern).MatchString
	for _, items := range []bool{false, true} {
		tenant.Fail(licensingtest.Fault{
			Match: func(r *http.Request) bool { return matches(strings.TrimPrefix(r.URL.Path, "/v1.0/")) }, Items: items,
			Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation.", Times: -1,
		})
	}
	return tenant.RoundTripper()
}

// What a token may not read is not seen, and contradicts nothing.
func TestLeastPrivilegedTokens(t *testing.T) {
	for _, test := range []struct{ name, pattern, seen, unseen string }{
		{"SKUs alone", `^([^s$]|/)`, "read-subscribed-skus no-units batch-size", "read-users page-sizes subscriptions default-properties license-details count-path"},
		{"no groups", `^groups`, "read-users license-details not-assigned", "read-groups group-empty-lists members-with-errors startswith-job-title"},
		{"no users", `^users`, "read-groups capability-by-units", "read-user default-properties lambda-and"},
		{"no listing of users", `^users$`, "read-groups", "merged-licenses page-sizes default-properties"},
		{"nothing", `^[^$]`, "batch-empty", "read-subscribed-skus read-users not-found unknown-segment no-units"},
		{"not even batches", ``, "", "batch-empty batch-form batch-order"},
		{"no writes", `assignLicense|reprocess`, "read-users location-update", "null-array sku-twice user-write-properties disabled-plans-left-out reprocess-upn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant, cmd := newTenant(), command{}
				if strings.Contains(test.seen, "not-assigned") || strings.Contains(test.seen, "location-update") {
					cmd.user, cmd.sku = fakeTester, "M365_F1"
				}
				got, err := probed(t, t.Context(), cmd, refusing(tenant, test.pattern))
				if err != nil || !strings.Contains(got, "\n0 contradicted, ") {
					t.Errorf("got %v and\n%s", err, got)
				}
				for _, name := range strings.Fields(test.seen) {
					if !strings.Contains(got, `"name": "`+name+"\",\n      \"result\": \"confirmed\"") {
						t.Errorf("%s is not confirmed", name)
					}
				}
				for _, name := range strings.Fields(test.unseen) {
					if strings.Contains(got, `"name": "`+name+"\",\n      \"result\": \"confirmed\"") {
						t.Errorf("%s is confirmed", name)
					}
				}
			})
		})
	}
}

// Without -write the probe only reads.
func TestReadsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		if _, err := probed(t, t.Context(), command{}, tenant.RoundTripper()); err != nil {
			t.Fatal(err)
		}
		nested := `{"id":"1","method":"POST","url":"/$batch",`
		for _, r := range tenant.Requests() {
			body := strings.ReplaceAll(string(r.Body), nested, "")
			if r.Method != http.MethodGet && (r.Method != http.MethodPost || !strings.HasSuffix(r.Path, "/$batch")) || regexp.MustCompile(`"method":"[^G]`).MatchString(body) {
				t.Errorf("%s %s %s", r.Method, r.Path, r.Body)
			}
		}
		if writes := tenant.Writes(); len(writes) > 0 {
			t.Errorf("wrote %v", writes)
		}
	})
}

// loud answers with texts that tell everything of a tenant, and contradicts as
// much as it can by that.
func loud(under http.RoundTripper, texts []string) transport {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := under.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(resp.Body)
		told := strings.Join(texts, " and '") + "' for " + req.Header.Get("Authorization") + " at " + req.URL.Path
		told = strings.ReplaceAll(told, "$", "$$")
		body = replaced(`"message":"[^"]*"`, `"message":"Nobody but `+told+` knows."`)(resp, body)
		body = replaced(`"code":"[^"]*"`, `"code":"`+texts[0]+`"`)(resp, body)
		body = replaced(`"(id|error|theme)":"?[^",}]*"?([,}])`, `"$1":"`+texts[1]+`","ext_`+texts[2]+`":1$2`)(resp, body)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		return resp, err
	}
}

// A report names nobody, whatever the answers say.
func TestReportHasNoNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		private := []string{fakeTester, "Tester", "adele@contoso.example", "adele", "Sales", "Contoso", contoso.Sales, fakeGroup, fakeToken, "contoso.example"}
		for _, name := range []string{fakeTester, "adele@contoso.example", "ben@contoso.example", "cleo@contoso.example"} {
			u, _ := tenant.User(name)
			private = append(private, u.ID)
		}
		for _, r := range []string{"organization?$select=id", "subscribedSkus?$select=accountId"} {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://x/v1.0/"+r, nil)
			req.Header.Set("Authorization", "Bearer x")
			resp, err := tenant.RoundTripper().RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			private = append(private, regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(string(body)))
		}
		for _, through := range []http.RoundTripper{tenant.RoundTripper(), loud(tenant.RoundTripper(), private)} {
			for _, c := range []command{{}, {user: fakeTester, sku: "M365_F1"}} {
				if _, plain := through.(transport); plain && c.user != "" {
					continue // it finds no user who could be written to
				}
				var out bytes.Buffer
				c.cloud, c.json = licensing.CloudGlobal, true
				err := c.run(t.Context(), licensing.StaticToken(fakeToken), through, &out, io.Discard)
				if err != nil && cli.Status(err) != 1 || out.Len() < 1000 {
					t.Fatalf("got %v and\n%s", err, &out)
				}
				for _, text := range private {
					if at := strings.Index(strings.ToLower(out.String()), strings.ToLower(text)); at >= 0 {
						t.Errorf("%s is told: …%s…", text, out.String()[max(0, at-300):min(out.Len(), at+100)])
					}
				}
			}
		}
	})
}

// asBefore are what a test user has, which a probe has to leave alone.
func asBefore(t *testing.T, tenant *licensingtest.Tenant, before licensingtest.User) {
	t.Helper()
	if after, _ := tenant.User(fakeTester); !reflect.DeepEqual(after, before) {
		t.Errorf("the test user was %+v and is %+v", before, after)
	}
}

// The test user is as before, wherever the probe is interrupted, and whatever
// its writes are answered with.
func TestLeavesTheTestUserAsBefore(t *testing.T) {
	cmd := command{user: fakeTester, sku: "M365_F1"}
	stopped := false
	for n := 1; !stopped; n++ {
		synctest.Test(t, func(t *testing.T) {
			tenant := newTenant()
			before, _ := tenant.User(fakeTester)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			writes := 0
			_, err := probed(t, ctx, cmd, transport(func(req *http.Request) (*http.Response, error) {
				resp, err := tenant.RoundTripper().RoundTrip(req)
				if req.Method == http.MethodGet || strings.HasSuffix(req.URL.Path, "$batch") {
					return resp, err
				}
				if writes++; writes == n {
					interrupt()
					return nil, context.Canceled // carried out, and the answer lost
				}
				return resp, err
			}))
			if stopped = err == nil; !stopped && (!errors.Is(err, context.Canceled) || cli.Status(err) != 2) {
				t.Errorf("interrupted at write %d: got %v", n, err)
			}
			asBefore(t, tenant, before)
			if stopped && n < 40 {
				t.Errorf("only %d writes", n-1)
			}
		})
	}
}

func TestSaysWhenTheTestUserIsNotAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		got, err := probed(t, t.Context(), command{user: fakeTester, sku: "M365_F1"}, transport(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPatch {
				body, _ := io.ReadAll(req.Body)
				req.Body = io.NopCloser(bytes.NewReader(body))
				if string(body) == `{"usageLocation":"DE"}` {
					req.Method = http.MethodPut // which is refused
				}
			}
			return tenant.RoundTripper().RoundTrip(req)
		}))
		const want = "the test user is NOT as before; set the usage location to DE and take 50f60901-3181-4b75-8a2c-4c8e4c1d5a72 away: set usage location: 405 "
		if err == nil || cli.Status(err) != 2 || !strings.HasPrefix(err.Error(), want) || !strings.Contains(got, `"name": "read-users"`) {
			t.Errorf("got %v and\n%s", err, got)
		}
		if u, _ := tenant.User(fakeTester); len(u.States) > 0 {
			t.Errorf("the license was not taken back: %v", u.States)
		}
	})
}

func TestThrottledRequestsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Header: http.Header{"Retry-After": {"7"}}, Times: 3})
		if got, err := probed(t, t.Context(), command{}, tenant.RoundTripper()); err != nil || !strings.Contains(got, "\n0 contradicted, 85 confirmed, ") {
			t.Errorf("got %v and\n%s", err, got)
		}
	})
}

func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		err    error
	}{{"unauthorized", http.StatusUnauthorized, licensing.ErrUnauthorized}, {"unreachable", 0, io.ErrUnexpectedEOF}} {
		t.Run(test.name, func(t *testing.T) {
			got, err := probed(t, t.Context(), command{}, transport(func(req *http.Request) (*http.Response, error) {
				if test.status == 0 {
					return nil, test.err
				}
				return &http.Response{StatusCode: test.status, Body: io.NopCloser(strings.NewReader("{}")), Request: req}, nil
			}))
			if !errors.Is(err, test.err) || cli.Status(err) != 2 || got != "" {
				t.Errorf("got %v and %q", err, got)
			}
		})
	}
}

func TestContradictionsAreAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		tenant.Fail(licensingtest.Fault{
			Match:  func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "$skip=1") },
			Status: http.StatusBadRequest, Code: "BadRequest", Message: "No '$skip' for adele@contoso.example.", Times: -1,
		})
		got, err := probed(t, t.Context(), command{}, tenant.RoundTripper())
		const want = `      "name": "skip",
      "result": "contradicted",
      "detail": "GET users?$skip=1: 400 BadRequest: No '$skip' for …."
`
		if err == nil || cli.Status(err) != 1 || err.Error() != "contradicted: 1" || !strings.Contains(got, want) {
			t.Errorf("got %v and\n%s", err, got)
		}
	})
}

// A write whose answer was lost is taken back though it lands later.
func TestTakesBackWhatLandsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := newTenant()
		before, _ := tenant.User(fakeTester)
		tenant.Fail(licensingtest.Fault{
			Match: func(r *http.Request) bool {
				body, _ := io.ReadAll(r.Body)
				return strings.HasSuffix(r.URL.Path, "/assignLicense") && strings.Contains(string(body), `"disabledPlans":["`+contoso.Teams.ID.String())
			},
			Drop: true, Late: 20 * time.Second,
		})
		if got, err := probed(t, t.Context(), command{user: fakeTester, sku: "M365_F1", lag: 30 * time.Second}, tenant.RoundTripper()); err != nil || !strings.Contains(got, "\n0 contradicted, ") {
			t.Errorf("got %v and\n%s", err, got)
		}
		time.Sleep(time.Hour)
		asBefore(t, tenant, before)
	})
}

func TestSuits(t *testing.T) {
	sku := licensing.SubscribedSKU{SKUID: uuid.New(), SKUPartNumber: "X", AppliesTo: "User", PrepaidUnits: licensing.LicenseUnits{Enabled: 1}}
	company, full := sku, sku
	company.AppliesTo, full.ConsumedUnits = "Company", 1
	free := licensing.User{UsageLocation: "DE"}
	held, failed, nowhere := free, free, free
	held.AssignedLicenses = []licensing.AssignedLicense{{SKUID: sku.SKUID}}
	failed.LicenseAssignmentStates = []licensing.LicenseAssignmentState{{SKUID: sku.SKUID}}
	nowhere.UsageLocation = ""
	for _, test := range []struct {
		user licensing.User
		sku  licensing.SubscribedSKU
		want string
	}{
		{free, sku, "<nil>"},
		{held, sku, "the user already has X"},
		{failed, sku, "the user already has X"},
		{nowhere, sku, "the user has no usage location"},
		{free, company, "X is not for users"},
		{free, full, "X has no seat free"},
	} {
		if got := fmt.Sprint(suits(&test.user, test.sku)); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// Over connections the answers are the same.
func TestOverConnections(t *testing.T) {
	server := httptest.NewServer(newTenant())
	defer server.Close()
	through := licensing.NewTransport()
	defer through.CloseIdleConnections()
	c := command{cloud: licensing.Cloud{Name: "Fake", GraphURL: server.URL}, user: fakeTester, sku: "M365_F1"}
	var out bytes.Buffer
	if err := c.run(t.Context(), licensing.StaticToken(fakeToken), through, &out, io.Discard); err != nil || !strings.HasSuffix(out.String(), "\n0 contradicted, 111 confirmed, 4 not seen, 23 not checked\n") {
		t.Errorf("got %v and\n%s", err, &out)
	}
}
