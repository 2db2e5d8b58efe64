package licensing

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

const (
	noteVersion  = 1
	maxNote      = 1 << 20          // bytes
	longestFence = 15 * time.Minute // of another process
	notesPerSKU  = 4                // that are handed on
)

// A lockNote is what one process leaves to the next that writes to the same object.
type lockNote struct {
	Version int         `json:"version"`
	Fence   time.Time   `json:"fence,omitzero"` // until when a request may still land
	Writes  []noteWrite `json:"writes,omitzero"`
}

type noteWrite struct {
	Change AssignLicenseRequest `json:"change"`
	From   []AssignedLicense    `json:"from,omitzero"`
	Fate   fate                 `json:"fate"`
	At     time.Time            `json:"at,omitzero"`
	Noted  time.Time            `json:"noted"`
}

// readNote reads a note.
func readNote(text []byte) (n lockNote, err error) {
	if len(text) > maxNote {
		return n, fmt.Errorf("it has more than %d bytes", maxNote)
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return n, err
	}
	if n.Version != noteVersion {
		return n, fmt.Errorf("it is of version %d", n.Version)
	}
	now := time.Now()
	n.Fence = earlier(n.Fence, now.Add(longestFence))
	for i := range n.Writes {
		w := &n.Writes[i]
		w.Noted = earlier(w.Noted, now)
		if w.Fate != made && w.Fate != doubtful && w.Fate != refuted {
			return n, fmt.Errorf("the fate of a write is %q", w.Fate)
		}
	}
	return n, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// adopt notes what other processes wrote to an object.
func (r *recents) adopt(key string, n lockNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key = r.turns.Key(key)
	known := r.of(key)
	var others []recent
	for _, w := range n.Writes {
		other := recent{change: w.Change, from: w.From, fate: w.Fate, at: w.At, noted: w.Noted}
		if !slices.ContainsFunc(known, func(k recent) bool { return k.noted.Equal(other.noted) }) && time.Since(other.noted) < readLag {
			others = append(others, other)
		}
	}
	r.merge(key, others)
}

// export returns a note of what was lately written to an object, by whatever
// process, and nil if there is nothing to say. Fenced is how long a request may
// still land.
func (r *recents) export(key string, fenced time.Duration) []byte {
	r.mu.Lock()
	notes := r.of(key)
	r.mu.Unlock()
	n := lockNote{Version: noteVersion}
	if fenced > 0 {
		n.Fence = time.Now().Add(fenced).UTC()
	}
	counts := make(map[uuid.UUID]int)
	for _, w := range slices.Backward(notes) { // of many the latest
		needed := false
		for _, sku := range append(w.change.skus(), uuid.Nil) {
			if sku != uuid.Nil || w.change.empty() {
				counts[sku]++
				needed = needed || counts[sku] <= notesPerSKU
			}
		}
		if needed {
			n.Writes = append(n.Writes, noteWrite{w.change, w.from, w.fate, w.at.UTC(), w.noted.UTC()})
		}
	}
	if n.Fence.IsZero() && len(n.Writes) == 0 {
		return nil
	}
	slices.Reverse(n.Writes)
	text, _ := json.Marshal(n) // never fails
	return text
}
