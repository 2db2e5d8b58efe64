package pace

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestEstimate(t *testing.T) {
	s := time.Second
	paced := func(p *Pacer, rate float64, refused, served int) { // so many seconds ago, and since
		p.rate.perSecond, p.past.refused = rate, time.Now().Add(-time.Duration(refused)*s)
		p.past.served.Add(time.Now(), served)
	}
	for name, test := range map[string]struct {
		prepare func(*Pacer)
		n       int
		rate    float64
		want    time.Duration
	}{
		"nothing left":             {func(*Pacer) {}, 0, 0, 0},
		"nothing known":            {func(*Pacer) {}, 10, 0, -1},
		"within the burst":         {func(*Pacer) {}, 3000, 100, 30 * s},
		"beyond the burst":         {func(*Pacer) {}, 5000, 100, 130 * s},
		"the burst is partly gone": {func(p *Pacer) { p.start.spent = 2000 }, 2000, 100, 60 * s},
		"the burst is gone":        {func(p *Pacer) { p.start.spent = 4000 }, 2000, 100, 20 * s},
		"slower than the hint":     {func(*Pacer) {}, 5000, 10, 500 * s},
		"behind a gate":            {func(p *Pacer) { p.gate.shut(time.Now(), time.Minute, true) }, 100, 10, 70 * s},
		"without end":              {func(*Pacer) {}, 1000, 1e-9, -1},
		"just refused":             {func(p *Pacer) { paced(p, 1, 5, 0) }, 100, 0, -1},
		"refused after a while":    {func(p *Pacer) { paced(p, 5, 5, 0); p.start.spent = 750 }, 100, 0, 20 * s},
		"as served since":          {func(p *Pacer) { paced(p, 5, 20, 200) }, 100, 0, 10 * s},
		"as served for long":       {func(p *Pacer) { paced(p, 5, 1000, 2400) }, 100, 0, 10 * s},
		"faster lately":            {func(p *Pacer) { paced(p, 5, 20, 200); p.rate.served.Add(time.Now(), 450) }, 100, 0, 5 * s},
		"few, behind a gate":       {func(p *Pacer) { paced(p, 20, 20, 200); p.gate.shut(time.Now(), 10*s, true) }, 20, 0, 11 * s},
		"many, behind a gate":      {func(p *Pacer) { paced(p, 20, 20, 200); p.gate.shut(time.Now(), 10*s, true) }, 1000, 0, 100 * s},
	} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				p.rate.rise(time.Now())
				p.rate.quiet = time.Now()
				test.prepare(p)
				if got := p.Estimate(test.n, test.rate); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
}

// Where the quota comes back as a whole after a long wait, it does so again.
func TestEstimateInRounds(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		for range 3 { // 1,000 in 50 s, and nothing for 100 s
			for range 50 {
				time.Sleep(time.Second)
				pass := Pass{epoch: p.epoch}
				serve(p, pass, 20)
			}
			want := func(n, seconds int) {
				t.Helper()
				wantAbout(t, fmt.Sprint("left for ", n), p.Estimate(n, 20), time.Duration(seconds)*time.Second, 5*time.Second)
			}
			refuse(p, Pass{epoch: p.epoch}, 1, 100*time.Second)
			want(500, 100+25)
			want(2500, 100+150+150+25)
			time.Sleep(100 * time.Second)
			want(500, 25)
			want(1500, 150+25)
		}
	})
}

func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := Meter{Span: 10 * time.Second}
		for range 1000 {
			m.Add(time.Now(), 1)
			time.Sleep(50 * time.Millisecond)
		}
		if got := m.PerSecond(time.Now()); got < 19 || got > 21 {
			t.Errorf("%v a second, want 20", got)
		}
		if len(m.counts) > 60 {
			t.Errorf("%d counts are kept", len(m.counts))
		}
		time.Sleep(11 * time.Second)
		if got := m.PerSecond(time.Now()); got != 0 {
			t.Errorf("%v a second after a pause", got)
		}
	})
}
