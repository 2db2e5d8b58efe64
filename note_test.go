package licensing

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// What cannot be read is refused, and what was read can be handed on.
func FuzzNote(f *testing.F) {
	for _, seed := range []string{
		`{"version":1}`,
		`{"version":1,"fence":"2000-01-01T00:00:30Z","writes":[{"change":{"addLicenses":[{"disabledPlans":[],"skuId":"aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"}],"removeLicenses":[]},"fate":"made","at":"2000-01-01T00:00:01Z","noted":"2000-01-01T00:00:00Z"}]}`,
		`{"version":1,"writes":[{"change":{"addLicenses":[],"removeLicenses":["aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"]},"fate":"doubtful","noted":"2999-01-01T00:00:00Z"}]}`,
		`{"version":2}`, `{"version":1,"writes":[{"fate":"x"}]}`, `[]`, ``, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, err := readNote(text)
		if err != nil {
			return
		}
		if n.Fence.After(time.Now().Add(longestFence)) {
			t.Errorf("fenced until %v", n.Fence)
		}
		var r recents
		r.adopt("user x", n)
		r.adopt("user x", n)
		if got := len(r.young["user x"]) + len(r.old["user x"]); got > len(n.Writes) {
			t.Errorf("%d notes of %d", got, len(n.Writes))
		}
		again := r.export("user x", time.Now().Add(time.Minute))
		if _, err := readNote(again); err != nil || bytes.Contains(again, []byte("user")) {
			t.Errorf("%v of %s", err, again)
		}
	})
}

// Of many writes those are handed on that still count, of each SKU a few.
func TestNotesAreSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recents
		if got := r.export("user x", time.Time{}); got != nil {
			t.Errorf("nothing to say is %s", got)
		}
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: swapID(1)}}}, nil, time.Now())
		r.located("user x")
		for i := range 20 {
			r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: swapID(2), DisabledPlans: swapIDs(byte(i + 3))}}}, nil, time.Now())
		}
		n, err := readNote(r.export("user x", time.Time{}))
		if err != nil || len(n.Writes) != 2+notesPerSKU || !n.Fence.IsZero() {
			t.Errorf("%+v, %v", n, err)
		}
		var other recents
		other.adopt("user x", n)
		if w, known := other.license("user x", swapID(2)); !known || !samePlans(w.DisabledPlans, swapIDs(22)) {
			t.Errorf("got %+v, %t", w, known)
		}
		if w, known := other.license("user x", swapID(1)); !known || !w.there {
			t.Errorf("got %+v, %t", w, known)
		}
		if left := other.locationLeft("user x"); left <= 0 {
			t.Error("the location is not handed on")
		}
		time.Sleep(readLag)
		if got := r.export("user x", time.Time{}); got != nil {
			t.Errorf("what counts no more is %s", got)
		}
	})
}

// Notes of another process stand behind the client's own, whatever its clock says: they
// were made since the client last had the lock.
func TestAdoptedNotesAreInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recents
		a := swapID(1)
		adding := func(off byte) AssignLicenseRequest {
			return AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(off)}}}
		}
		r.changed("user x", adding(5), nil, time.Now())
		time.Sleep(time.Second)
		between := time.Now()
		time.Sleep(time.Second)
		r.changed("user x", AssignLicenseRequest{RemoveLicenses: []uuid.UUID{a}}, nil, time.Now())
		text, _ := json.Marshal(lockNote{Version: 1, Writes: []noteWrite{{Change: adding(6), Fate: made, At: between, Noted: between}}})
		n, err := readNote(text)
		if err != nil {
			t.Fatal(err)
		}
		r.adopt("user x", n)
		w, known := r.license("user x", a)
		if !known || !w.there || len(w.before) != 2 || !samePlans(w.DisabledPlans, swapIDs(6)) {
			t.Errorf("got %+v, %t", w, known)
		}
		if strings.Contains(string(r.export("user x", time.Time{})), `"from"`) {
			t.Error("a list that is empty is written")
		}
	})
}
