package licensing

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const (
	noteVersion  = 1
	maxNote      = 1 << 20   // bytes
	longestFence = time.Hour // of another process
)

// A lockNote is what one process leaves to the next that writes to the same object.
type lockNote struct {
	Version int         `json:"version"`
	Fence   time.Time   `json:"fence,omitzero"` // until when a request may still land
	Writes  []noteWrite `json:"writes,omitzero"`
}

type noteWrite struct {
	ID     noteID               `json:"id"`
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
		return n, fmt.Errorf("it has version %d", n.Version)
	}
	if latest := time.Now().Add(longestFence); n.Fence.After(latest) {
		n.Fence = latest
	}
	for _, w := range n.Writes {
		if w.Fate != made && w.Fate != doubtful && w.Fate != refuted {
			return n, fmt.Errorf("unknown outcome of a write: %q", w.Fate)
		}
	}
	return n, nil
}

// adopt notes what other processes wrote to an object since this client last had
// its lock. Their order is the right one, whatever the clocks say.
func (r *recents) adopt(key string, n lockNote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key = r.turns.Key(key)
	known := r.of(key)
	for _, w := range n.Writes {
		if !slices.ContainsFunc(known, func(k recent) bool { return k.id == w.ID }) && time.Since(w.Noted) < readLag {
			r.add(key, recent{id: w.ID, change: w.Change, from: w.From, fate: w.Fate, at: w.At, noted: w.Noted})
		}
	}
}

// export returns a note of what was lately written to an object, by whatever
// process, and nil if there is nothing to say. Fence is until when a request may
// still land, the zero time if none can.
func (r *recents) export(key string, fence time.Time) []byte {
	r.mu.Lock()
	notes := needed(r.of(key))
	r.mu.Unlock()
	n := lockNote{Version: noteVersion, Fence: fence.UTC()}
	for _, w := range notes {
		n.Writes = append(n.Writes, noteWrite{w.id, w.change, w.from, w.fate, w.at.UTC(), w.noted.UTC()})
	}
	if n.Fence.IsZero() && len(n.Writes) == 0 {
		return nil
	}
	text, _ := json.Marshal(n) // never fails
	return text
}
