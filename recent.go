package licensing

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/graphlicensing/licensing/internal/turn"
)

const (
	readLag     = 5 * time.Minute  // how long reads are seen to lag behind a write
	clockSkew   = 30 * time.Second // how far Graph's clocks may be apart
	locationLag = time.Minute      // how long a usage location may take to count
	maxRecent   = 16384            // writes; the quota allows 9,000 in that time
	maxPerKey   = 32               // writes to one object, from which on only some of each SKU are kept
	notesPerSKU = 6                // so many
)

// recents knows what this client has lately written to users and groups, and what
// others had when they left their locks. Reads lag behind writes: who edits what a
// read shows would undo the last change.
type recents struct {
	turns turn.Turns // that know which keys are one object's

	mu         sync.Mutex
	young, old map[string][]recent // by object, in their order; young becomes old as a whole, and old is forgotten
	noted      int                 // in young
	begun      time.Time           // when young was
	latest     noteID
}

// A recent is a write to one object.
type recent struct {
	id     noteID
	change AssignLicenseRequest // empty: its usage location was set
	from   []AssignedLicense    // what an edit found before
	fate   fate
	at     time.Time // by Graph's clock, as the times in its answers
	noted  time.Time // by the clock of the client that wrote
	shown  bool      // reads have shown it, or what came after
}

// A noteID tells a write from all others.
type noteID struct {
	Client uint64 `json:"client"` // random
	Number uint64 `json:"number"`
}

// A fate is what is known of a write.
type fate string

const (
	made     fate = "made"
	doubtful fate = "doubtful" // perhaps made
	refuted  fate = "refuted"  // by what Graph answered the object is not as was noted
)

// A written says what was lately made of a SKU.
type written struct {
	holding           // in the end
	known   bool      // for certain; else there are doubts at most
	at      time.Time // by Graph's clock
	before  []holding // what was made of it before that, or was there
	doubts  []holding // what may have been made of it since
}

// outdates reports whether what is read of the SKU was so before the write: its
// time is earlier, or it is what an earlier write made. Clocks alone do not tell,
// since the answer to a write need not have the directory's time.
func (w *written) outdates(read holding, at time.Time) bool {
	switch {
	case slices.ContainsFunc(w.doubts, read.same):
		return false
	case !at.Truncate(time.Second).After(w.at): // answers tell whole seconds
		return true
	}
	return at.Before(w.at.Add(clockSkew)) && slices.ContainsFunc(w.before, read.same)
}

// changed notes a change that was made, from what an edit found if it was one, and
// keeps both.
func (r *recents) changed(key string, change AssignLicenseRequest, from []AssignedLicense, at time.Time) {
	r.note(key, recent{change: change, from: from, fate: made, at: at})
}

// failed notes a change of which it is not known whether it was made, or of which
// Graph said that it cannot be, the object not being as was noted.
func (r *recents) failed(key string, change AssignLicenseRequest, from []AssignedLicense, fate fate) {
	r.note(key, recent{change: change, from: from, fate: fate})
}

// gone notes that there is nothing to remove of a SKU. A change in doubt that was
// to remove it has been made then, for it is made as a whole.
func (r *recents) gone(key string, sku uuid.UUID, at time.Time) {
	r.mu.Lock()
	key = r.turns.Key(key)
	for _, notes := range [][]recent{r.old[key], r.young[key]} {
		for i, n := range notes {
			if n.fate == doubtful && slices.Contains(n.change.RemoveLicenses, sku) {
				notes[i].fate, notes[i].at = made, at
			}
		}
	}
	r.mu.Unlock()
	r.changed(key, AssignLicenseRequest{RemoveLicenses: []uuid.UUID{sku}}, nil, at)
}

// doubts reports whether it is not known what was lately made of one of the SKUs.
func (r *recents) doubts(key string, skus ...uuid.UUID) bool {
	return slices.ContainsFunc(r.written(key), func(w written) bool {
		return len(w.doubts) > 0 && slices.Contains(skus, w.SKUID)
	})
}

// located notes that a usage location was set.
func (r *recents) located(key string) { r.note(key, recent{fate: made}) }

func (r *recents) note(key string, n recent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.latest.Client == 0 {
		r.latest.Client = rand.Uint64()
	}
	r.latest.Number++
	n.id, n.noted = r.latest, time.Now()
	r.add(r.turns.Key(key), n)
}

// add adds a note, which is the latest of its object. The caller has the lock.
func (r *recents) add(key string, n recent) {
	if now := time.Now(); r.young == nil || r.noted >= maxRecent || now.Sub(r.begun) >= readLag {
		r.old, r.young, r.noted, r.begun = r.young, make(map[string][]recent), 0, now
	}
	notes := append(r.young[key], n)
	if len(notes) > maxPerKey {
		notes = needed(notes)
		notes = notes[max(0, len(notes)-8*maxPerKey):]
	}
	r.noted += len(notes) - len(r.young[key])
	r.young[key] = notes
}

// needed keeps of notes about one object, in place, those that tell something: of
// each SKU the last ones, and of the usage location.
func needed(notes []recent) []recent {
	counts := make(map[uuid.UUID]int)
	first := len(notes)
	for i, n := range slices.Backward(notes) {
		tells := false
		count := func(sku uuid.UUID) {
			counts[sku]++
			tells = tells || counts[sku] <= notesPerSKU
		}
		for _, sku := range n.change.RemoveLicenses {
			count(sku)
		}
		for _, license := range n.change.AddLicenses {
			count(license.SKUID)
		}
		if n.change.empty() {
			count(uuid.Nil)
		}
		if tells {
			first--
			notes[first] = notes[i]
		}
	}
	kept := copy(notes, notes[first:])
	clear(notes[kept:])
	return notes[:kept]
}

// join notes that an object goes by a name as well, as the turns do.
func (r *recents) join(name, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.turns.Join(name, key) {
		return
	}
	if byName := r.take(name); len(byName) > 0 {
		notes := slices.Concat(r.take(key), byName)
		slices.SortStableFunc(notes, func(a, b recent) int { return a.noted.Compare(b.noted) })
		for _, n := range notes {
			r.add(key, n)
		}
	}
}

// take takes the notes about an object away. The caller has the lock.
func (r *recents) take(key string) []recent {
	notes := slices.Concat(r.old[key], r.young[key])
	r.noted -= len(r.young[key])
	delete(r.old, key)
	delete(r.young, key)
	return notes
}

// of returns the notes about an object that still count. The caller has the lock.
func (r *recents) of(key string) []recent {
	if len(r.young)+len(r.old) == 0 { // as in a program that reads
		return nil
	}
	key = r.turns.Key(key)
	notes := slices.Concat(r.old[key], r.young[key])
	return slices.DeleteFunc(notes, func(n recent) bool { return time.Since(n.noted) >= readLag })
}

// writtenOf returns what notes say of a SKU.
func writtenOf(notes []recent, sku uuid.UUID) written {
	nothing := written{holding: holding{AssignedLicense: AssignedLicense{SKUID: sku}}}
	w := nothing
	for _, n := range notes {
		h, ok := n.change.makes(sku)
		if !ok {
			continue
		}
		if i := licenseOf(n.from, sku); i >= 0 {
			w.before = append(w.before, holding{n.from[i], true})
		}
		switch n.fate {
		case doubtful:
			w.doubts = append(w.doubts, h)
		case refuted:
			w = nothing
		default:
			if w.known {
				w.before = append(w.before, w.holding)
			}
			w.before = append(w.before, w.doubts...)
			w.holding, w.at, w.doubts, w.known = h, n.at, nil, true
		}
	}
	return w
}

// written returns what was lately written of each SKU of an object.
func (r *recents) written(key string) (list []written) {
	r.mu.Lock()
	notes := r.of(key)
	r.mu.Unlock()
	for _, n := range notes {
		for _, sku := range n.change.skus() {
			if !slices.ContainsFunc(list, func(w written) bool { return w.SKUID == sku }) {
				list = append(list, writtenOf(notes, sku))
			}
		}
	}
	return list
}

// show has an answer show what was lately written to its object, unless it shows
// something later. What is in doubt is not shown as made.
func (r *recents) show(key string, a holder) {
	for _, w := range r.written(key) {
		if read, at, _ := a.holding(w.SKUID); w.known && !read.same(w.holding) && w.outdates(read, at) {
			a.hold(w.holding, w.at)
		}
	}
}

// showOlder is show where others write in between and leave no notes: only a time
// tells then that a read is of before the write. It returns the SKUs of which one
// tells that the read is later, and those of which none tells.
func (r *recents) showOlder(key string, a holder) (later, open []uuid.UUID) {
	for _, w := range r.written(key) {
		read, at, _ := a.holding(w.SKUID)
		switch second := w.at.Truncate(time.Second); {
		case !w.known, read.same(w.holding):
		case at.After(w.at):
			later = append(later, w.SKUID)
		case !at.IsZero() && at.Before(second):
			a.hold(w.holding, w.at)
		default:
			open = append(open, w.SKUID)
		}
	}
	return later, open
}

// returns reports whether what a read shows of a SKU may be what it was before it
// was lately made something else: the read has a direct assignment of a time, the
// zero time if there is none. Alone says that its plans do not matter.
func (r *recents) returns(key string, read holding, alone bool, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	var before, other *recent // as is read, before the latest that is not
	var same *recent
	notes := r.of(key)
	for i := range notes {
		h, ok := notes[i].change.makes(read.SKUID)
		switch {
		case !ok || notes[i].fate == refuted:
		case h.same(read) || alone && h.there && read.there:
			same = &notes[i]
		default:
			before, other = same, &notes[i]
		}
	}
	switch {
	case other == nil, other.shown:
		return false
	case at.IsZero(), other.at.IsZero(), at.Before(other.at.Truncate(time.Second)):
		return true
	}
	return before != nil && at.Before(before.at.Add(clockSkew))
}

// seen notes that reads have shown what was written of SKUs, so that they do not
// show any more what was before.
func (r *recents) seen(key string, skus []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key = r.turns.Key(key)
	for _, notes := range [][]recent{r.old[key], r.young[key]} {
		for i, n := range notes {
			notes[i].shown = n.shown || slices.ContainsFunc(n.change.skus(), func(id uuid.UUID) bool { return slices.Contains(skus, id) })
		}
	}
}

// since reports whether a SKU was lately added, after a time by our clock.
func (r *recents) since(key string, sku uuid.UUID, start time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.of(key), func(n recent) bool {
		h, ok := n.change.makes(sku)
		return ok && h.there && n.noted.After(start)
	})
}

// added returns the SKUs, but for those already known, that were added lately, or
// may have been.
func (r *recents) added(key string, known []uuid.UUID) (skus []uuid.UUID) {
	for _, w := range r.written(key) {
		there := w.there || slices.ContainsFunc(w.doubts, func(h holding) bool { return h.there })
		if there && !slices.Contains(known, w.SKUID) {
			skus = append(skus, w.SKUID)
		}
	}
	return skus
}

// locationLeft returns how long a usage location set lately may still be
// unknown to the write path.
func (r *recents) locationLeft(key string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range slices.Backward(r.of(key)) {
		if n.change.empty() {
			return locationLag - time.Since(n.noted)
		}
	}
	return 0
}
