package licensing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/graph"
)

// What package licensing_test sees of the inside.

// ObjectsKept returns for how many objects c keeps something.
func ObjectsKept(c *Client) int { return c.recent.turns.Len() }

// TakeTurn takes the turn to write to a user, and returns what gives it back.
func TakeTurn(c *Client, user string) (release func()) {
	t, err := c.recent.turns.Take(context.Background(), graph.User(user).Key(), time.Hour)
	if err != nil {
		panic(err)
	}
	return t.Release
}

// A Sentinel is one of the sentinels, with its word in records.
type Sentinel struct {
	Word string
	Err  error
}

// Sentinels returns all of them, in the order of the package's own list.
func Sentinels() []Sentinel {
	return each(sentinels, func(s sentinel) Sentinel { return Sentinel{s.word, s.err} })
}

func swapID(n byte) uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 15: n} }

func swapIDs(numbers ...byte) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(numbers))
	for _, n := range numbers {
		ids = append(ids, swapID(n))
	}
	return ids
}

// swapSKU returns a SKU with plans, of which those from 100 up are for the
// company.
func swapSKU(id byte, part string, plans ...byte) SubscribedSKU {
	sku := SubscribedSKU{SKUID: swapID(id), SKUPartNumber: part}
	for _, n := range plans {
		plan := ServicePlan{ServicePlanID: swapID(n), AppliesTo: "User"}
		if n >= 100 {
			plan.AppliesTo = "Company"
		}
		sku.ServicePlans = append(sku.ServicePlans, plan)
	}
	return sku
}

func TestSamePlans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		a, b []byte
		want bool
	}{
		{"none and none", nil, nil, true},
		{"one and none", []byte{1}, nil, false},
		{"none and one", nil, []byte{1}, false},
		{"another order", []byte{1, 2, 3}, []byte{3, 1, 2}, true},
		{"more", []byte{1, 2}, []byte{1, 2, 3}, false},
		{"fewer", []byte{1, 2, 3}, []byte{1, 2}, false},
		{"others", []byte{1, 2}, []byte{1, 3}, false},
		{"one twice", []byte{1, 1, 2}, []byte{2, 1}, true},
		{"of the same length", []byte{1, 1, 2}, []byte{1, 2, 3}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := samePlans(swapIDs(test.a...), swapIDs(test.b...)); got != test.want {
				t.Errorf("samePlans(%v, %v) = %t, want %t", test.a, test.b, got, test.want)
			}
		})
	}
}

func TestSwapPlans(t *testing.T) {
	t.Parallel()
	a := swapSKU(0xA0, "OLD", 1, 2, 3, 4, 101)
	b := swapSKU(0xB0, "NEW", 3, 1, 11, 12, 4, 101)
	b.ServicePlans[4].AppliesTo = "Company"
	type maps map[byte]byte
	tests := []struct {
		name     string
		disabled []byte
		mapping  maps
		want     []byte
		report   []PlanMapping
	}{
		{"nothing is off", nil, maps{2: 11}, nil, nil},
		{"a plan of both", []byte{3, 1}, nil, []byte{3, 1},
			[]PlanMapping{{swapID(3), swapID(3), PlanMatchSameID}, {swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that is mapped", []byte{2}, maps{2: 11}, []byte{11},
			[]PlanMapping{{swapID(2), swapID(11), PlanMatchMapping}}},
		{"a plan of both that is mapped as well", []byte{1}, maps{1: 11}, []byte{1},
			[]PlanMapping{{swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that has no counterpart", []byte{2, 3}, nil, []byte{3},
			[]PlanMapping{{swapID(2), uuid.Nil, PlanMatchNone}, {swapID(3), swapID(3), PlanMatchSameID}}},
		{"a plan that the new SKU has for the company", []byte{4, 101}, nil, nil,
			[]PlanMapping{{swapID(4), uuid.Nil, PlanMatchNone}, {swapID(101), uuid.Nil, PlanMatchNone}}},
		{"a plan that the new SKU has for the company, mapped", []byte{4}, maps{4: 12}, []byte{12},
			[]PlanMapping{{swapID(4), swapID(12), PlanMatchMapping}}},
		{"two plans for one", []byte{2, 4, 3}, maps{2: 3, 4: 3}, []byte{3},
			[]PlanMapping{{swapID(2), swapID(3), PlanMatchMapping}, {swapID(4), swapID(3), PlanMatchMapping}, {swapID(3), swapID(3), PlanMatchSameID}}},
		{"plans named twice, and the nil UUID", []byte{1, 0, 1}, nil, []byte{1},
			[]PlanMapping{{swapID(1), swapID(1), PlanMatchSameID}}},
		{"a plan that the old SKU no longer has", []byte{12}, nil, []byte{12},
			[]PlanMapping{{swapID(12), swapID(12), PlanMatchSameID}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			mapping := make(map[uuid.UUID]uuid.UUID)
			for from, to := range test.mapping {
				mapping[swapID(from)] = swapID(to)
			}
			off := swapIDs(test.disabled...)
			for i, n := range test.disabled {
				if n == 0 {
					off[i] = uuid.Nil
				}
			}
			given := slices.Clone(off)
			got, report, err := swapPlans("swap license", AssignedLicense{SKUID: a.SKUID, DisabledPlans: off}, a, b, mapping)
			if err != nil {
				t.Fatal(err)
			}
			if want := (AssignedLicense{SKUID: b.SKUID, DisabledPlans: swapIDs(test.want...)}); !reflect.DeepEqual(got, want) {
				t.Errorf("license:\n got %v\nwant %v", got, want)
			}
			if !slices.Equal(report, test.report) {
				t.Errorf("report:\n got %v\nwant %v", report, test.report)
			}
			if !slices.Equal(off, given) {
				t.Errorf("the list given has become %v", off)
			}
		})
	}
}

func TestSwapPlansErrors(t *testing.T) {
	t.Parallel()
	a, b := swapSKU(0xA0, "OLD", 1, 2), swapSKU(0xB0, "NEW", 1, 11, 101)
	ofA := AssignedLicense{SKUID: a.SKUID}
	tests := []struct {
		name    string
		from    AssignedLicense
		a, b    SubscribedSKU
		mapping map[uuid.UUID]uuid.UUID
		want    string
	}{
		{"a license of another SKU", ofA, b, a, nil,
			"the license is of SKU 00000000-0000-4000-8000-0000000000a0, but the old SKU is 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"no old SKU", AssignedLicense{}, SubscribedSKU{}, b, nil, "the old SKU.SKUID is the nil UUID"},
		{"no new SKU", ofA, a, SubscribedSKU{}, nil, "the new SKU.SKUID is the nil UUID"},
		{"one SKU twice", ofA, a, a, nil, "both SKUs are 00000000-0000-4000-8000-0000000000a0 (OLD)"},
		{"a key that is not a plan of the old SKU", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(11): swapID(11)},
			"Plans[00000000-0000-4000-8000-00000000000b]: not a service plan of SKU 00000000-0000-4000-8000-0000000000a0 (OLD)"},
		{"a value that is not a plan of the new SKU", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): swapID(2)},
			"Plans[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-4000-8000-000000000002 is not in SKU 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"a value that is for the company", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): swapID(101)},
			"Plans[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-4000-8000-000000000065 applies to Company, only those for User can be switched"},
		{"the nil UUID for a value", ofA, a, b, map[uuid.UUID]uuid.UUID{swapID(2): uuid.Nil},
			"Plans[00000000-0000-4000-8000-000000000002]: service plan 00000000-0000-0000-0000-000000000000 is not in SKU 00000000-0000-4000-8000-0000000000b0 (NEW)"},
		{"of several mistakes always the same", ofA, a, b,
			map[uuid.UUID]uuid.UUID{swapID(9): swapID(1), swapID(8): swapID(1), swapID(7): swapID(1), swapID(6): swapID(1)},
			"Plans[00000000-0000-4000-8000-000000000006]: not a service plan of SKU 00000000-0000-4000-8000-0000000000a0 (OLD)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, report, err := swapPlans("swap license", test.from, test.a, test.b, test.mapping)
			if want := "swap license: invalid argument: " + test.want; err == nil || err.Error() != want || !errors.Is(err, ErrInvalidArgument) {
				t.Errorf("error:\n got %v\nwant %s", err, want)
			}
			if !reflect.ValueOf(got).IsZero() || report != nil {
				t.Errorf("%v and %v came with the error", got, report)
			}
		})
	}
}

// Applying a swap is what its SKUs have to be the named ones for.
func TestLicenseSwapApply(t *testing.T) {
	t.Parallel()
	a, b := swapSKU(0xA0, "OLD", 1, 2), swapSKU(0xB0, "NEW", 1, 11)
	swap := LicenseSwap{From: a.SKUID, To: b.SKUID, Plans: map[uuid.UUID]uuid.UUID{swapID(2): swapID(11)}}
	current := AssignedLicense{SKUID: a.SKUID, DisabledPlans: swapIDs(2)}
	if got, plans, err := swap.Apply(current, a, b); err != nil || got.SKUID != b.SKUID || !slices.Equal(got.DisabledPlans, swapIDs(11)) || len(plans) != 1 {
		t.Errorf("got %v, %v, %v", got, plans, err)
	}
	for want, apply := range map[string]func() (AssignedLicense, []PlanMapping, error){
		"swap must name From and To": func() (AssignedLicense, []PlanMapping, error) { return LicenseSwap{From: a.SKUID}.Apply(current, a, b) },
		"swap.From and swap.To are the same SKU": func() (AssignedLicense, []PlanMapping, error) {
			return LicenseSwap{From: a.SKUID, To: a.SKUID}.Apply(current, a, b)
		},
		"from is SKU 00000000-0000-4000-8000-0000000000b0 (NEW), but From is 00000000-0000-4000-8000-0000000000a0": func() (AssignedLicense, []PlanMapping, error) { return swap.Apply(current, b, b) },
		"to is SKU 00000000-0000-4000-8000-0000000000a0 (OLD), but To is 00000000-0000-4000-8000-0000000000b0":     func() (AssignedLicense, []PlanMapping, error) { return swap.Apply(current, a, a) },
	} {
		got, plans, err := apply()
		if err == nil || err.Error() != "swap license: invalid argument: "+want || !errors.Is(err, ErrInvalidArgument) || got.SKUID != uuid.Nil || plans != nil {
			t.Errorf("got %v, %v, %v, want %s", got, plans, err, want)
		}
	}
}

// license returns what was lately made of a SKU, if something was.
func (r *recents) license(key string, sku uuid.UUID) (written, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := writtenOf(r.of(key), sku)
	return w, w.known
}

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
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{license}, RemoveLicenses: []uuid.UUID{b}}, nil, at)
		if w, ok := r.license("user x", a); !ok || !w.there || !samePlans(w.DisabledPlans, swapIDs(9)) || !w.at.Equal(at) {
			t.Errorf("got %+v, %t", w, ok)
		}
		if w, ok := r.license("user x", b); !ok || w.there {
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
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}}, nil, time.Now())
		if _, ok := r.license("user x", a); !ok {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := r.license("user x", a); ok {
			t.Error("remembered too long")
		}
		if w, ok := r.license("user x", b); !ok || !w.there {
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
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a}}, RemoveLicenses: []uuid.UUID{b}}, nil, time.Now())
	r.failed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}}, nil, refuted)
	if _, ok := r.license("user x", b); ok {
		t.Error("what was refuted counts")
	}
	if w, ok := r.license("user x", a); !ok || !w.there {
		t.Errorf("got %+v, %t", w, ok)
	}
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: b}}}, nil, time.Now())
	if w, ok := r.license("user x", b); !ok || !w.there {
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
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a}}}, nil, time.Now())
		time.Sleep(time.Minute)
		r.changed("user x", AssignLicenseRequest{RemoveLicenses: []uuid.UUID{a}}, nil, time.Now())
		if w, ok := r.license("user x", a); !ok || w.there || len(r.old) != 2 {
			t.Errorf("got %+v, %t, and %d old objects", w, ok, len(r.old))
		}
	})
}

// Of one object the latest writes are kept, and no more.
func TestRecentsOfOneObject(t *testing.T) {
	t.Parallel()
	a := swapID(1)
	var r recents
	for i := range 2 * maxPerKey {
		r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(byte(i + 1))}}}, nil, time.Now())
	}
	w, known := r.license("user x", a)
	if n := len(r.young["user x"]); !known || n < notesPerSKU || n > maxPerKey || len(w.before) != n-1 || !samePlans(w.DisabledPlans, swapIDs(byte(2*maxPerKey))) {
		t.Errorf("%d notes, %d states before %v", n, len(w.before), w.DisabledPlans)
	}
}

// A read is outdated that shows what an earlier write made, or what an edit found
// before, whatever its time is. Else the time decides.
func TestOutdatedReads(t *testing.T) {
	t.Parallel()
	a, now := swapID(1), time.Now()
	adding := func(off ...byte) AssignLicenseRequest {
		return AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(off...)}}}
	}
	var r recents
	r.changed("user x", adding(1), []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(7)}}, now)
	r.changed("user x", adding(1, 2), nil, now)
	w, known := r.license("user x", a)
	if !known {
		t.Fatal("nothing is known")
	}
	for _, test := range []struct {
		name string
		off  []uuid.UUID
		at   time.Time
		want bool
	}{
		{"an earlier write", swapIDs(1), now.Add(20 * time.Second), true},
		{"an earlier write, made again by another", swapIDs(1), now.Add(time.Minute), false},
		{"what an edit found", swapIDs(7), now.Add(20 * time.Second), true},
		{"another's, later", swapIDs(3), now.Add(time.Minute), false},
		{"another's, earlier", swapIDs(3), now.Add(-time.Minute), true},
		{"the latest write", swapIDs(2, 1), now.Add(time.Minute), false},
	} {
		if got := w.outdates(holding{AssignedLicense{SKUID: a, DisabledPlans: test.off}, true}, test.at); got != test.want {
			t.Errorf("%s: outdated is %t", test.name, got)
		}
	}
}

// The key of an object is the same whichever way it is made, and folds as
// strings.EqualFold does.
func TestKeysOfObjects(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "adele@contoso.com", "ADELE@Contoso.com", "Ädele@contoso.com", "a\u017Fmus@x", "\u212Ad", "İ", "日本", "a\xFFb"} {
		o := graph.User(name)
		if got := string(o.AppendKey([]byte("x"))); got != "x"+o.Key() {
			t.Errorf("%q: %q and %q", name, got, o.Key())
		}
	}
	for a, b := range map[string]string{"ADELE": "adele", "asmus": "A\u017FMUS", "kd": "\u212AD", "ä": "Ä"} {
		if graph.User(a).Key() != graph.User(b).Key() || !strings.EqualFold(a, b) {
			t.Errorf("%q and %q have two keys", a, b)
		}
	}
}

// Callers may change what they got.
func TestRecentLicensesAreCopies(t *testing.T) {
	t.Parallel()
	a := swapID(1)
	var r recents
	r.changed("user x", AssignLicenseRequest{AddLicenses: []AssignedLicense{{SKUID: a, DisabledPlans: swapIDs(9)}}}, nil, time.Now())
	u := User{LicenseAssignmentStates: []LicenseAssignmentState{}}
	r.show("user x", &u)
	u.AssignedLicenses[0].DisabledPlans[0] = uuid.Nil
	u.LicenseAssignmentStates[0].DisabledPlans[0] = uuid.Nil
	if w, _ := r.license("user x", a); !samePlans(w.DisabledPlans, swapIDs(9)) {
		t.Errorf("got %v", w.DisabledPlans)
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

// Whatever a message is, its ids stand in it, and how its words are set does not
// matter.
func FuzzMessage(f *testing.F) {
	for _, message := range []string{
		"", "User does not have a corresponding license.", "Can’t be assigned to a user", "/me request is only valid with delegated authentication flow.",
		"The license can't be assigned because the user has licensed service plans that conflict with plans in the new license. Resolve these conflicting service plan pairs to solve this problem: " +
			"[7547a3fe-08ee-4ccb-b430-5077c5041653, 2078e8df-cff6-4290-98cb-5408261a760a]. Licenses being added: [314c4481-f395-4525-be8b-2ec4bb1e9d91]",
		"Subscription with Account 0c39d6d5-c70d-4c55-bc02-f620844f3fd1 and SKU F8A1DB68-be16-40ed-86d5-cb42ce701560 does not have any available licenses left.",
		"SKU 0c39d6d5-c70d-4c55-bc02-f620844f3fd1_f8a1db68-be16-40ed-86d5-cb42ce701560: service plan(s)\xff\u2028",
	} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		skus, plans := idsIn(message)
		for _, ids := range [][]uuid.UUID{skus, plans} {
			for i, id := range ids {
				if !strings.Contains(strings.ToLower(message), id.String()) || slices.Contains(ids[:i], id) {
					t.Errorf("%s is not in the message, or is there twice: %v", id, ids)
				}
			}
		}
		kind := judged(400, message)
		if kind != nil && judged(403, message) != nil {
			t.Errorf("a 403 is judged to be %v", kind)
		}
		spread := strings.ReplaceAll(message, " ", "\r\n ([\t")
		if other := judged(400, spread); other != kind {
			t.Errorf("got %v, want %v: %q", other, kind, spread)
		}
		if again, others := idsIn(spread); !slices.Equal(again, skus) || !slices.Equal(others, plans) {
			t.Errorf("got %v and %v, want %v and %v: %q", again, others, skus, plans, spread)
		}
	})
}
