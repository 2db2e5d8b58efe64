package benchmarks

import (
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/benchmarks/harness"
	"github.com/graphlicensing/licensing/benchmarks/peers"
	"github.com/graphlicensing/licensing/benchmarks/peers/all"
	"github.com/graphlicensing/licensing/licensingtest"
)

// TestPeers shows that all peers do the same, so that what is compared is how.
func TestPeers(t *testing.T) {
	for _, peer := range all.Peers {
		t.Run(peer.Name, func(t *testing.T) {
			tenant := licensingtest.NewTenant()
			tenant.RequireToken(peers.Token)
			var want []licensingtest.License
			for _, license := range harness.Change.Add {
				added := licensingtest.License{SKUID: uuid.MustParse(license.SKU), DisabledPlans: []uuid.UUID{}}
				sku := licensingtest.SKU{ID: added.SKUID, Seats: 5}
				for _, plan := range license.DisabledPlans {
					added.DisabledPlans = append(added.DisabledPlans, uuid.MustParse(plan))
					sku.Plans = append(sku.Plans, licensingtest.Plan{ID: uuid.MustParse(plan)})
				}
				tenant.AddSKU(sku)
				want = append(want, added)
			}
			tenant.AddUser(licensingtest.User{ID: harness.User, UsageLocation: "DE"})
			tenant.AddGroup(licensingtest.Group{ID: harness.Group})

			client, err := peer.New("https://graph.microsoft.com", tenant.RoundTripper())
			if err != nil {
				t.Fatal(err)
			}
			// Unlike the harness's answer this one has no licenses, as Graph's.
			if got, err := client.AssignUser(t.Context(), harness.User, harness.Change); err != nil || got.ID != harness.User {
				t.Errorf("got %+v, %v", got, err)
			}
			if err := harness.AssignGroup(t.Context(), client); err != nil {
				t.Error(err)
			}
			writes := tenant.Writes()
			if len(writes) != 2 || !reflect.DeepEqual(writes[0].Added, want) || !reflect.DeepEqual(writes[1].Added, want) {
				t.Errorf("writes are %+v", writes)
			}
			unknown := peers.Change{Remove: []string{"99999999-9999-4999-8999-999999999999"}}
			if _, err := client.AssignUser(t.Context(), harness.User, unknown); err == nil {
				t.Error("a refusal is taken for a success")
			}
		})
	}
}
