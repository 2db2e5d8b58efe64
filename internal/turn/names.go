package turn

import "time"

// maxNames is how many names are known at least, if there are so many. Twice as
// many are at most, which take up to 6 MiB with names of 40 bytes.
const maxNames = 16384

// Names tell of which object a key is a name. What has not been asked for is
// forgotten in time.
type names struct {
	young, old map[string]string // young becomes old as a whole, and old is forgotten
}

// of returns the key of the object that goes by a key: itself, if nothing else is
// known.
func (n *names) of(key string) string {
	if of, ok := n.young[key]; ok {
		return of
	}
	if of, ok := n.old[key]; ok {
		n.set(key, of)
		return of
	}
	return key
}

// set makes a key a name of another one.
func (n *names) set(name, of string) {
	if n.young == nil || len(n.young) >= maxNames {
		n.old, n.young = n.young, make(map[string]string)
	}
	n.young[name] = of
}

// Joined reports whether name was joined to key of late, without making either a
// string.
func (ts *Turns) Joined(name, key []byte) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	of, ok := ts.names.young[string(name)]
	return ok && of == string(key)
}

// Key returns the key of the object that goes by a key: itself, unless it was
// joined to another.
func (ts *Turns) Key(key string) string {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.names.of(key)
}

// Join makes the object of name and that of key one, from now on, and reports
// whether they were not before. Where each has a writer at this moment both go on,
// and whoever comes next waits for both; see [Turn.Alone]. A name may be given
// away: then it is joined anew. Key must be no name itself.
func (ts *Turns) Join(name, key string) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.names.of(name) == key {
		return false
	}
	ts.names.set(name, key)
	from, to := ts.byKey[name], ts.byKey[key]
	if from == nil {
		return true
	}
	delete(ts.byKey, name)
	if to == nil {
		from.key = key
		ts.byKey[key] = from
		return true
	}
	from.into = to
	to.holders += from.holders
	for e := from.waiting.Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiter)
		w.place = to.waiting.PushBack(w)
	}
	switch a, b := from.fence, to.fence; {
	case b.left() == 0:
		to.fence = a
	case a.left() > 0 && a.write != b.write:
		to.fence = fence{until: later(a.until, b.until)}
	case a.left() > 0:
		to.fence.until = later(a.until, b.until)
	}
	if to.idle() {
		to.drop()
	}
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
