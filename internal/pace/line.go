package pace

import "slices"

// A Party is one of those who wait for a pacer's permission together, such as the
// workers of a run. The zero value is ready for use with one pacer.
type Party struct {
	waiting int
	served  bool
}

// A line is where parties wait, of which the first is served. Each is served once
// and goes to the end, but one that comes for the first time goes before those
// that were served already. A pacer owns it.
type line struct{ parties []*Party }

// join adds one who waits.
func (l *line) join(p *Party) {
	if p.waiting++; p.waiting > 1 {
		return
	}
	at := len(l.parties)
	if i := slices.IndexFunc(l.parties, func(p *Party) bool { return p.served }); i >= 0 && !p.served {
		at = i
	}
	l.parties = slices.Insert(l.parties, at, p)
}

// first reports whether a party is served next.
func (l *line) first(p *Party) bool { return l.parties[0] == p }

// serve sends the first party to the end.
func (l *line) serve() {
	p := l.parties[0]
	p.served = true
	l.parties = append(slices.Delete(l.parties, 0, 1), p)
}

// leave takes one away who waited. It reports whether others wait.
func (l *line) leave(p *Party) bool {
	if p.waiting--; p.waiting == 0 {
		i := slices.Index(l.parties, p)
		l.parties = slices.Delete(l.parties, i, i+1)
	}
	return len(l.parties) > 0
}
