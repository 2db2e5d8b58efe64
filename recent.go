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
)

// recents knows what this client has lately written to users and groups. Reads
// lag behind writes: who edits what a read shows would undo the last change.
// It is a log, since every write adds to it and an edit alone searches it.
type recents struct {
	mu  sync.Mutex
	log []recent // in the order of time
}

// A recent is a write to one object.
type recent struct {
	key     string
	change  *AssignLicenseRequest // nil: its usage location was set
	unknown bool                  // by what Graph answered it is not as was noted, or nobody knows
	at      time.Time             // by Graph's clock, as the times in its answers
	noted   time.Time             // by ours
}

// A written says what this client last made of a SKU.
type written struct {
	license AssignedLicense // of a SKU that was removed, the id alone
	removed bool
	at      time.Time // by Graph's clock
}

// changed notes a change that was made, and keeps it.
func (r *recents) changed(key string, change *AssignLicenseRequest, at time.Time) {
	r.note(recent{key: key, change: change, at: at})
}

// unknown forgets what a change was about.
func (r *recents) unknown(key string, change *AssignLicenseRequest) {
	r.note(recent{key: key, change: change, unknown: true})
}

// located notes that a usage location was set.
func (r *recents) located(key string) { r.note(recent{key: key}) }

func (r *recents) note(n recent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n.noted = time.Now()
	old := 0
	for old < len(r.log) && (len(r.log)-old >= maxRecent || n.noted.Sub(r.log[old].noted) >= readLag) {
		old++
	}
	r.log = append(r.log[old:], n)
}

// license returns what a SKU was lately made, if it was.
func (r *recents) license(key string, sku uuid.UUID) (written, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Backward(r.log) {
		if n.key != key || n.change == nil {
			continue
		}
		i := slices.IndexFunc(n.change.AddLicenses, func(l AssignedLicense) bool { return l.SKUID == sku })
		removed := slices.Contains(n.change.RemoveLicenses, sku)
		if i < 0 && !removed {
			continue
		}
		w := written{license: AssignedLicense{SKUID: sku}, removed: removed, at: n.at}
		if i >= 0 {
			w.license.DisabledPlans = slices.Clone(n.change.AddLicenses[i].DisabledPlans)
		}
		return w, !n.unknown && time.Since(n.noted) < readLag
	}
	return written{}, false
}

// locationLeft returns how long a usage location set lately may still be
// unknown to the write path.
func (r *recents) locationLeft(key string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Backward(r.log) {
		if n.key == key && n.change == nil {
			return locationLag - time.Since(n.noted)
		}
	}
	return 0
}
