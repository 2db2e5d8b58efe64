package pace

import (
	"slices"
	"time"
)

// A Meter counts what happened in the last seconds. Its user keeps it to one
// goroutine at a time.
type Meter struct {
	Span   time.Duration // how long what happened counts
	counts []count
}

type count struct {
	at time.Time
	n  int
}

// Add counts n events at now, which must not go back.
func (m *Meter) Add(now time.Time, n int) {
	if last := len(m.counts) - 1; last >= 0 && now.Sub(m.counts[last].at) < m.Span/50 {
		m.counts[last].n += n
		return
	}
	m.counts = slices.DeleteFunc(m.counts, func(c count) bool { return now.Sub(c.at) > m.Span })
	m.counts = append(m.counts, count{now, n})
}

// PerSecond returns how many events a second there were over Span.
func (m *Meter) PerSecond(now time.Time) float64 {
	sum := 0
	for _, c := range m.counts {
		if now.Sub(c.at) <= m.Span {
			sum += c.n
		}
	}
	return float64(sum) / m.Span.Seconds()
}
