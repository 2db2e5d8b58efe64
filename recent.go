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
	maxRecent   = 16384           // objects; the quota allows 9,000 in that time
)

// recents knows what this client has lately written to users and groups. Reads
// lag behind writes: who edits what a read shows would undo the last change.
type recents struct {
	mu         sync.Mutex
	young, old map[string][]recent // by object; young becomes old as a whole, and old is forgotten
	begun      time.Time           // when young was
}

// A recent is a write to one object.
type recent struct {
	change  AssignLicenseRequest // empty: its usage location was set
	unknown bool                 // by what Graph answered it is not as was noted, or nobody knows
	at      time.Time            // by Graph's clock, as the times in its answers
	noted   time.Time            // by ours
}

// A written says what this client last made of a SKU.
type written struct {
	license AssignedLicense // of a SKU that was removed, the id alone
	removed bool
	at      time.Time // by Graph's clock
}

// changed notes a change that was made, and keeps it.
func (r *recents) changed(key string, change AssignLicenseRequest, at time.Time) {
	r.note(key, recent{change: change, at: at})
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
	if len(r.young) >= maxRecent || n.noted.Sub(r.begun) >= readLag {
		r.old, r.young, r.begun = r.young, make(map[string][]recent), n.noted
	}
	r.young[key] = append(slices.DeleteFunc(r.young[key], n.replaces), n)
}

// replaces reports whether nothing is left to know from an earlier write.
func (n recent) replaces(earlier recent) bool {
	if n.change.empty() || earlier.change.empty() {
		return n.change.empty() && earlier.change.empty()
	}
	return !slices.ContainsFunc(earlier.change.AddLicenses, func(l AssignedLicense) bool { return !n.about(l.SKUID) }) &&
		!slices.ContainsFunc(earlier.change.RemoveLicenses, func(sku uuid.UUID) bool { return !n.about(sku) })
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
	n, ok := r.last(key, func(n recent) bool { return n.about(sku) })
	if !ok || n.unknown || time.Since(n.noted) >= readLag {
		return written{}, false
	}
	w := written{license: AssignedLicense{SKUID: sku}, removed: true, at: n.at}
	for _, license := range n.change.AddLicenses {
		if license.SKUID == sku {
			w.license.DisabledPlans, w.removed = slices.Clone(license.DisabledPlans), false
		}
	}
	return w, true
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
