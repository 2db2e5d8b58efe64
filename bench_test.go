package licensing_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing"
)

const (
	benchUser  = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","id":"11111111-1111-4111-8111-111111111111","accountEnabled":true,"assignedLicenses":[{"disabledPlans":["8a256a2b-b617-496d-b51b-e76466e88db0"],"skuId":"84a661c4-e949-4bd2-a560-ed7766fcaf2b"},{"disabledPlans":[],"skuId":"f30db892-07e9-47e9-837c-80727f46fd3d"}],"city":"Nairobi","companyName":"Contoso"}`
	benchGroup = `{"id":"22222222-2222-4222-8222-222222222222","createdDateTime":"2021-03-12T11:15:03Z","groupTypes":[],"securityEnabled":true}`
)

// stub answers at once, so that only the client's own work is measured.
type stub struct {
	status int
	body   string
}

func (s stub) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	return &http.Response{
		StatusCode:    s.status,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(s.body))),
		ContentLength: int64(len(s.body)),
		Request:       req,
	}, nil
}

var benchRequest = licensing.AssignLicenseRequest{AddLicenses: []licensing.AssignedLicense{
	{SKUID: uuid.MustParse("84a661c4-e949-4bd2-a560-ed7766fcaf2b"), DisabledPlans: []uuid.UUID{uuid.MustParse("8a256a2b-b617-496d-b51b-e76466e88db0")}},
	{SKUID: uuid.MustParse("f30db892-07e9-47e9-837c-80727f46fd3d")},
}}

func benchmark(b *testing.B, s stub, call func(*licensing.Client) error) {
	client, err := licensing.NewClient(licensing.StaticToken("token"), licensing.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := call(client); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssignUserLicense(b *testing.B) {
	benchmark(b, stub{200, benchUser}, func(c *licensing.Client) error {
		_, err := c.AssignUserLicense(b.Context(), "11111111-1111-4111-8111-111111111111", benchRequest)
		return err
	})
}

func BenchmarkAssignMyLicense(b *testing.B) {
	benchmark(b, stub{200, benchUser}, func(c *licensing.Client) error {
		_, err := c.AssignMyLicense(b.Context(), benchRequest)
		return err
	})
}

func BenchmarkAssignGroupLicense(b *testing.B) {
	benchmark(b, stub{202, benchGroup}, func(c *licensing.Client) error {
		_, err := c.AssignGroupLicense(b.Context(), "22222222-2222-4222-8222-222222222222", benchRequest)
		return err
	})
}

func BenchmarkReprocessUserLicense(b *testing.B) {
	benchmark(b, stub{200, benchUser}, func(c *licensing.Client) error {
		_, err := c.ReprocessUserLicense(b.Context(), "11111111-1111-4111-8111-111111111111")
		return err
	})
}

func BenchmarkReprocessMyLicense(b *testing.B) {
	benchmark(b, stub{200, benchUser}, func(c *licensing.Client) error {
		_, err := c.ReprocessMyLicense(b.Context())
		return err
	})
}

// usersPage is a page of 1,000 users as Users asks for them, about 1 MB.
var usersPage = sync.OnceValue(func() string {
	const user = `{"accountEnabled":true,"displayName":"Adele Vance %[1]d","id":"11111111-1111-4111-8111-%012[1]d","usageLocation":"DE","userPrincipalName":"adele%[1]d@contoso.example","userType":"Member",` +
		`"assignedLicenses":[{"disabledPlans":["8a256a2b-b617-496d-b51b-e76466e88db0","57ff2da0-773e-42df-b2af-ffb7a2317929"],"skuId":"84a661c4-e949-4bd2-a560-ed7766fcaf2b"},{"disabledPlans":[],"skuId":"f30db892-07e9-47e9-837c-80727f46fd3d"}],` +
		`"licenseAssignmentStates":[{"skuId":"84a661c4-e949-4bd2-a560-ed7766fcaf2b","assignedByGroup":null,"disabledPlans":["8a256a2b-b617-496d-b51b-e76466e88db0","57ff2da0-773e-42df-b2af-ffb7a2317929"],"state":"Active","error":"None","lastUpdatedDateTime":"2026-01-02T03:04:05Z"},` +
		`{"skuId":"f30db892-07e9-47e9-837c-80727f46fd3d","assignedByGroup":"22222222-2222-4222-8222-222222222222","disabledPlans":[],"state":"Active","error":"None","lastUpdatedDateTime":"2026-01-02T03:04:05Z"}]}`
	var page strings.Builder
	page.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users","value":[`)
	for i := range 1000 {
		if i > 0 {
			page.WriteByte(',')
		}
		fmt.Fprintf(&page, user, i)
	}
	page.WriteString(`]}`)
	return page.String()
})

func BenchmarkUsersPage(b *testing.B) {
	benchmark(b, stub{200, usersPage()}, func(c *licensing.Client) error {
		n := 0
		for _, err := range c.Users(b.Context(), licensing.UserQuery{PageSize: 999}) {
			if err != nil {
				return err
			}
			n++
		}
		if n != 1000 {
			return fmt.Errorf("%d users", n)
		}
		return nil
	})
}

// BenchmarkUsersPageEncodingJSON is the same page by net/http and encoding/json
// alone, into the same structs: the measure for BenchmarkUsersPage.
func BenchmarkUsersPageEncodingJSON(b *testing.B) {
	type plain licensing.User // which has no methods
	client := &http.Client{Transport: stub{200, usersPage()}}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Get("https://graph.microsoft.com/v1.0/users")
		if err != nil {
			b.Fatal(err)
		}
		var page struct {
			Value []plain `json:"value"`
			Next  string  `json:"@odata.nextLink"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
		if len(page.Value) != 1000 {
			b.Fatalf("%d users", len(page.Value))
		}
	}
}

// BenchmarkNetHTTP is the same call for a user by hand: the measure of what
// the rest costs.
func BenchmarkNetHTTP(b *testing.B) {
	type license struct {
		SKUID         uuid.UUID   `json:"skuId"`
		DisabledPlans []uuid.UUID `json:"disabledPlans"`
	}
	type change struct {
		AddLicenses    []license   `json:"addLicenses"`
		RemoveLicenses []uuid.UUID `json:"removeLicenses"`
	}
	client := &http.Client{Transport: stub{200, benchUser}}
	b.ReportAllocs()
	for b.Loop() {
		request := change{RemoveLicenses: []uuid.UUID{}}
		for _, l := range benchRequest.AddLicenses {
			request.AddLicenses = append(request.AddLicenses, license(l))
		}
		body, err := json.Marshal(request)
		if err != nil {
			b.Fatal(err)
		}
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://graph.microsoft.com/v1.0/users/11111111-1111-4111-8111-111111111111/assignLicense", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer token")
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		var user struct {
			ID               string    `json:"id"`
			AssignedLicenses []license `json:"assignedLicenses"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&user); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}
