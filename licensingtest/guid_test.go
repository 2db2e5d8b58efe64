package licensingtest

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/google/uuid"
)

// An id of Microsoft's page about license details, of Microsoft's sample tenant.
func TestDocumentedDetailsID(t *testing.T) {
	t.Parallel()
	tenant, sku := uuid.MustParse("dcd219dd-bc68-4b9b-bf0b-4a33a796be35"), uuid.MustParse("c7df2760-2c81-4ef7-b578-5b5392b571df")
	tenant, sku = littleEndian(tenant), littleEndian(sku)
	got := base64.RawURLEncoding.EncodeToString(slices.Concat(tenant[:], sku[:]))
	if want := "3RnS3Gi8m0u_C0ozp5a-NWAn38eBLPdOtXhbU5K1cd8"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
