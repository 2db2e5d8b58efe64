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

// What was noted last counts, be it that nothing is known.
func TestRecentsThatWereRefuted(t *testing.T) {
	t.Parallel()
	a, b := swapID(1), swapID(2)
	var r recents
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a}}, RemoveLicenses: []uuid.UUID{b}}, time.Now())
	r.unknown("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}})
	if _, ok := r.license("user x", b); ok {
		t.Error("what was refuted counts")
	}
	if w, ok := r.license("user x", a); !ok || w.removed {
		t.Errorf("got %+v, %t", w, ok)
	}
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}}, time.Now())
	if w, ok := r.license("user x", b); !ok || w.removed {
		t.Errorf("got %+v, %t", w, ok)
	}
}

// The memory is bounded, and what is oldest goes first.
func TestRecentsAreBounded(t *testing.T) {
	t.Parallel()
	var r recents
	key := func(i int) string { return fmt.Sprint("user ", i) }
	for i := range 2*maxRecent + 10 {
		r.located(key(i))
	}
	if n := len(r.young) + len(r.old); n != maxRecent+10 {
		t.Errorf("%d objects are kept, want %d", n, maxRecent+10)
	}
	for i, known := range map[int]bool{0: false, maxRecent - 1: false, maxRecent: true, 2*maxRecent + 9: true} {
		if got := r.locationLeft(key(i)) > 0; got != known {
			t.Errorf("object %d is known: %t", i, got)
		}
	}
}

// What is young counts for more than what is old.
func TestTheLatestOfRecents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := swapID(1)
		var r recents
		r.located("user y")
		time.Sleep(readLag - time.Minute)
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a}}}, time.Now())
		time.Sleep(time.Minute)
		r.changed("user x", AssignLicenseRequest{RemoveLicenses: []uuid.UUID{a}}, time.Now())
		if w, ok := r.license("user x", a); !ok || !w.removed || len(r.old) != 2 {
			t.Errorf("got %+v, %t, and %d old objects", w, ok, len(r.old))
		}
	})
}

// Of one object no more is kept than there is to know.
func TestRecentsOfOneObject(t *testing.T) {
	t.Parallel()
	a, b, c := swapID(1), swapID(2), swapID(3)
	adding := func(sku uuid.UUID) AssignLicenseRequest {
		return AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: sku}}}
	}
	var r recents
	for i, step := range []struct {
		note func()
		want int
	}{
		{func() { r.changed("user x", adding(a), time.Now()) }, 1},
		{func() { r.located("user x") }, 2},
		{func() {
			r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}, RemoveLicenses: []uuid.UUID{c}}, time.Now())
		}, 3},
		{func() { r.located("user x") }, 3},
		{func() { r.changed("user x", adding(b), time.Now()) }, 4}, // c is not in it
		{func() { r.unknown("user x", AssignLicenseRequest{RemoveLicenses: []uuid.UUID{a, b, c}}) }, 2},
	} {
		step.note()
		if got := len(r.young["user x"]); got != step.want {
			t.Errorf("after step %d there are %d notes, want %d", i, got, step.want)
		}
	}
}

// Callers may change what they got.
func TestRecentLicensesAreCopies(t *testing.T) {
	t.Parallel()
	a := swapID(1)
	var r recents
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(9)}}}, time.Now())
	w, _ := r.license("user x", a)
	w.license.DisabledPlans[0] = uuid.Nil
	if w, _ = r.license("user x", a); !samePlans(w.license.DisabledPlans, swapIDs(9)) {
		t.Errorf("got %v", w.license.DisabledPlans)
	}
}

// What is too old to count is not kept much longer.
func TestMemoryIsSweptByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recents
		for i := range 100 {
			r.located(fmt.Sprint("user ", i))
		}
		for range 2 {
			time.Sleep(readLag)
			r.located("user later")
		}
		if n := len(r.young) + len(r.old); n != 2 {
			t.Errorf("%d objects are kept, want 2", n)
		}
	})
}
