package licensing

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	readLag     = 5 * time.Minute // how long reads are seen to lag behind a write
	locationLag = time.Minute     // how long a usage location may take to count
	maxRecent   = 16384           // writes; the quota allows 9,000 in that time
	maxPerKey   = 32              // writes to one object
)

// recents knows what this client has lately written to users and groups. Reads
// lag behind writes: who edits what a read shows would undo the last change.
type recents struct {
	mu         sync.Mutex
	young, old map[string][]recent // by object, in their order; young becomes old as a whole, and old is forgotten
	noted      int                 // in young
	begun      time.Time           // when young was
}

// A recent is a write to one object.
type recent struct {
	change  AssignLicenseRequest // empty: its usage location was set
	from    []AssignedLicense    // what an edit found before
	unknown bool                 // by what Graph answered it is not as was noted, or nobody knows
	at      time.Time            // by Graph's clock, as the times in its answers
	noted   time.Time            // by ours
}

// A written says what this client lately made of a SKU.
type written struct {
	license AssignedLicense // in the end; of a SKU that was removed, the id alone
	removed bool
	at      time.Time         // by Graph's clock
	before  []AssignedLicense // what it was made before that
}

// outdates reports whether what is read of the SKU was so before the write: it is
// what an earlier write made, or its time is earlier. Clocks alone do not tell,
// since the answer to a write need not have the directory's time.
func (w *written) outdates(read AssignedLicense, at time.Time) bool {
	return !at.Truncate(time.Second).After(w.at) || // answers tell whole seconds
		slices.ContainsFunc(w.before, func(l AssignedLicense) bool { return samePlans(l.DisabledPlans, read.DisabledPlans) })
}

// changed notes a change that was made, from what an edit found if it was one, and
// keeps both.
func (r *recents) changed(key string, change AssignLicenseRequest, from []AssignedLicense, at time.Time) {
	r.note(key, recent{change: change, from: from, at: at})
}

// unknown forgets what a change was about.
func (r *recents) unknown(key string, change AssignLicenseRequest) {
	r.note(key, recent{change: change, unknown: true})
}

// located notes that a usage location was set.
func (r *recents) located(key string) { r.note(key, recent{}) }

func (r *recents) note(key string, n recent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n.noted = time.Now()
	if r.noted >= maxRecent || n.noted.Sub(r.begun) >= readLag {
		r.old, r.young, r.noted, r.begun = r.young, make(map[string][]recent), 0, n.noted
	}
	notes := r.young[key]
	if len(notes) >= maxPerKey {
		notes = slices.Delete(notes, 0, 1)
	}
	r.young[key] = append(notes, n)
	r.noted++
}

// about reports whether a write was about a SKU.
func (n recent) about(sku uuid.UUID) bool {
	return slices.Contains(n.change.RemoveLicenses, sku) ||
		slices.ContainsFunc(n.change.AddLicenses, func(l AssignedLicense) bool { return l.SKUID == sku })
}

// last returns the latest write to an object that is of some kind.
func (r *recents) last(key string, is func(recent) bool) (recent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, notes := range [][]recent{r.young[key], r.old[key]} {
		for _, n := range slices.Backward(notes) {
			if is(n) {
				return n, true
			}
		}
	}
	return recent{}, false
}

// license returns what a SKU was lately made, if it was.
func (r *recents) license(key string, sku uuid.UUID) (written, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var w written
	known := false
	for _, n := range slices.Concat(r.old[key], r.young[key]) {
		if !n.about(sku) || time.Since(n.noted) >= readLag {
			continue
		}
		if known && !w.removed {
			w.before = append(w.before, w.license)
		}
		for _, license := range n.from {
			if license.SKUID == sku {
				w.before = append(w.before, license)
			}
		}
		known, w.removed, w.at = !n.unknown, true, n.at
		w.license = AssignedLicense{SKUID: sku}
		for _, license := range n.change.AddLicenses {
			if license.SKUID == sku {
				w.license.DisabledPlans, w.removed = slices.Clone(license.DisabledPlans), false
			}
		}
	}
	return w, known
}

// locationLeft returns how long a usage location set lately may still be
// unknown to the write path.
func (r *recents) locationLeft(key string) time.Duration {
	n, ok := r.last(key, func(n recent) bool { return n.change.empty() })
	if !ok {
		return 0
	}
	return locationLag - time.Since(n.noted)
}
