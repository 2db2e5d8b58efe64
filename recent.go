package licensing

import (
	"container/list"
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
	mu    sync.Mutex
	byKey map[string]*list.Element
	order list.List // of *recent, the one written last at the end
}

// A recent is what was written to one object.
type recent struct {
	key      string
	noted    time.Time
	licenses []written // few, and a map of few takes a kilobyte
	located  time.Time // when its usage location was set
}

// A written says what this client last made of a SKU.
type written struct {
	license AssignedLicense // of a SKU that was removed, the id alone
	removed bool
	at      time.Time // by Graph's clock, as the times in its answers
	noted   time.Time // by ours
}

// changed notes a change that was made.
func (r *recents) changed(key string, change AssignLicenseRequest, at time.Time) {
	r.note(key, func(object *recent) {
		for _, license := range change.AddLicenses {
			license.DisabledPlans = slices.Clone(license.DisabledPlans)
			object.set(written{license: license, at: at, noted: object.noted})
		}
		for _, sku := range change.RemoveLicenses {
			object.set(written{license: AssignedLicense{SKUID: sku}, removed: true, at: at, noted: object.noted})
		}
	})
}

// unknown forgets what a change was about: by what Graph answered, it is not as
// it was noted, or nobody knows.
func (r *recents) unknown(key string, change AssignLicenseRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	object := r.of(key)
	object.licenses = slices.DeleteFunc(object.licenses, func(w written) bool {
		sku := w.license.SKUID
		return slices.Contains(change.RemoveLicenses, sku) ||
			slices.ContainsFunc(change.AddLicenses, func(l AssignedLicense) bool { return l.SKUID == sku })
	})
}

// index returns where a SKU is in the licences, or -1.
func (o *recent) index(sku uuid.UUID) int {
	return slices.IndexFunc(o.licenses, func(w written) bool { return w.license.SKUID == sku })
}

func (o *recent) set(w written) {
	if i := o.index(w.license.SKUID); i >= 0 {
		o.licenses[i] = w
		return
	}
	o.licenses = append(o.licenses, w)
}

// located notes that a usage location was set.
func (r *recents) located(key string) {
	r.note(key, func(object *recent) { object.located = object.noted })
}

func (r *recents) note(key string, add func(*recent)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey == nil {
		r.byKey = make(map[string]*list.Element)
	}
	object := r.byKey[key]
	if object == nil {
		object = r.order.PushBack(&recent{key: key})
		r.byKey[key] = object
	}
	r.order.MoveToBack(object)
	latest := object.Value.(*recent)
	latest.noted = time.Now()
	for {
		oldest := r.order.Front().Value.(*recent)
		if r.order.Len() <= maxRecent && latest.noted.Sub(oldest.noted) < readLag {
			break
		}
		r.order.Remove(r.order.Front())
		delete(r.byKey, oldest.key)
	}
	add(latest)
}

// of returns what was written to one object; it has to be called with the lock.
func (r *recents) of(key string) *recent {
	if object := r.byKey[key]; object != nil {
		return object.Value.(*recent)
	}
	return new(recent)
}

// license returns what a SKU was lately made, if it was.
func (r *recents) license(key string, sku uuid.UUID) (written, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	object := r.of(key)
	i := object.index(sku)
	if i < 0 {
		return written{}, false
	}
	w := object.licenses[i]
	w.license.DisabledPlans = slices.Clone(w.license.DisabledPlans)
	return w, time.Since(w.noted) < readLag
}

// locationLeft returns how long a usage location set lately may still be
// unknown to the write path.
func (r *recents) locationLeft(key string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return locationLag - time.Since(r.of(key).located)
}
