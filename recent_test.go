package licensing

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func TestRecentLicenses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := swapID(1), swapID(2)
		license := AssignedLicense{SKUID: a, DisabledPlans: swapIDs(9)}
		var r recents
		if _, ok := r.license("user x", a); ok || r.locationLeft("user x") > 0 {
			t.Error("an empty memory knows something")
		}
		at := time.Now()
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{license}, RemoveLicenses: []uuid.UUID{b}}, at)
		if w, ok := r.license("user x", a); !ok || w.removed || !samePlans(w.license.DisabledPlans, swapIDs(9)) || !w.at.Equal(at) {
			t.Errorf("got %+v, %t", w, ok)
		}
		if w, ok := r.license("user x", b); !ok || !w.removed {
			t.Errorf("got %+v, %t", w, ok)
		}
		for _, key := range []string{"user y", "group x"} {
			if _, ok := r.license(key, a); ok {
				t.Errorf("%s has what another has", key)
			}
		}
		if left := r.locationLeft("user x"); left > 0 {
			t.Errorf("a location that was never set has %v left", left)
		}

		time.Sleep(readLag - 1)
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}}, time.Now())
		if _, ok := r.license("user x", a); !ok {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := r.license("user x", a); ok {
			t.Error("remembered too long")
		}
		if w, ok := r.license("user x", b); !ok || w.removed {
			t.Errorf("got %+v, %t", w, ok)
		}
	})
}

func TestRecentLocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recents
		r.located("user x")
		time.Sleep(20 * time.Second)
		if left := r.locationLeft("user x"); left != 40*time.Second {
			t.Errorf("%v left", left)
		}
		if left := r.locationLeft("user y"); left > 0 {
			t.Errorf("%v left for another", left)
		}
		time.Sleep(time.Hour)
		if left := r.locationLeft("user x"); left > 0 {
			t.Errorf("%v left", left)
		}
	})
}

// The memory is bounded, and those go first that were written to the longest
// time ago.
func TestRecentsAreBounded(t *testing.T) {
	t.Parallel()
	var r recents
	key := func(i int) string { return fmt.Sprint("user ", i) }
	for i := range maxRecent {
		r.located(key(i))
	}
	r.located(key(0))
	for i := range maxRecent - 1 {
		r.located(key(maxRecent + i))
	}
	if len(r.byKey) != maxRecent || r.order.Len() != maxRecent {
		t.Errorf("%d objects in order %d, want %d", len(r.byKey), r.order.Len(), maxRecent)
	}
	for i, known := range map[int]bool{0: true, 1: false, maxRecent - 1: false, maxRecent: true, 2*maxRecent - 2: true} {
		if got := r.locationLeft(key(i)) > 0; got != known {
			t.Errorf("object %d is known: %t", i, got)
		}
	}
}

// Callers may change what they gave and got.
func TestRecentLicensesAreCopies(t *testing.T) {
	t.Parallel()
	a := swapID(1)
	license := AssignedLicense{SKUID: a, DisabledPlans: swapIDs(9)}
	var r recents
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{license}}, time.Now())
	license.DisabledPlans[0] = uuid.Nil
	w, _ := r.license("user x", a)
	w.license.DisabledPlans[0] = uuid.Nil
	if w, _ = r.license("user x", a); !samePlans(w.license.DisabledPlans, swapIDs(9)) {
		t.Errorf("got %v", w.license.DisabledPlans)
	}
}

// What is too old to count is not kept.
func TestMemoryIsSweptByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recents
		for i := range 100 {
			r.located(fmt.Sprint("user ", i))
		}
		time.Sleep(readLag)
		r.located("user later")
		if len(r.byKey) != 1 || r.order.Len() != 1 {
			t.Errorf("%d objects are kept, want 1", len(r.byKey))
		}
	})
}
