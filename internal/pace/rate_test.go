package pace

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// The first refusal sets the rate to what would be the share if all clients had
// spent as much as this one.
func TestFirstRefusal(t *testing.T) {
	for name, test := range map[string]struct {
		spent int
		after time.Duration
		want  float64
	}{
		"at once":          {1, 0, 20.0 / 32},
		"one of sixteen":   {200, 10 * time.Second, 20.0 / 16},
		"one of four":      {800, 10 * time.Second, 20.0 / 4},
		"alone":            {3200, 10 * time.Second, 20},
		"more than a hint": {4000, 10 * time.Second, 20},
	} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				pass, _ := admitBatch(t, p, 1)
				p.start.spent = float64(test.spent)
				time.Sleep(test.after)
				refuse(p, pass, 1, time.Second)
				wantRate(t, p, test.want)
			})
		})
	}
}

// A refusal lowers the rate to less than what was served, by half at the most, and
// by a twentieth at the least. A probe's does not, since nothing was sent at that
// rate. The rate does not fall below a write in ten seconds, or the hint.
func TestLowers(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		given := func() Pass { return Pass{epoch: p.epoch, given: p.gate.opens().UnixNano()} } // when it was open
		for _, test := range []struct{ served, want float64 }{{0, 10}, {10, 10}, {15, 12}, {20, 16}, {23, 18.4}, {25, 19}} {
			paced(p, 20)
			time.Sleep(5 * time.Second)
			p.rate.perSecond = 20
			p.rate.served = Meter{Span: p.rate.served.Span}
			p.rate.served.Add(time.Now(), int(test.served*p.rate.served.Span.Seconds()))
			refuse(p, given(), 1, time.Second)
			wantRate(t, p, test.want)
			probe := given()
			probe.probe = true
			refuse(p, probe, 1, time.Second)
			wantRate(t, p, test.want)
		}
		for _, hint := range []float64{20, 0.05} {
			p = paced(newPacer(hint, 10, forever), hint)
			for range 20 {
				refuse(p, given(), 1, time.Second)
			}
			wantRate(t, p, min(hint, 0.1))
		}
	})
}

// Each quiet second raises the rate: near the share it is soon where it was, stays,
// and then grows ever faster. While a gate is closed nothing is quiet.
func TestRaises(t *testing.T) {
	for name, step := range map[string]time.Duration{"at once": 17 * time.Second, "bit by bit": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				paced(p, 8)
				refuse(p, Pass{epoch: 1}, 1, time.Second)
				paced(p, 4).rate.quietSince(time.Now().Add(time.Second))
				rise := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); {
						time.Sleep(step)
						p.rate.rise(time.Now())
					}
				}
				rise(17 * time.Second)
				near := p.rate.perSecond
				if near < 5.1 || near > 5.4 { // by 0.2, of what it is and of a twelfth of the hint
					t.Errorf("after the first half the rate is %v", near)
				}
				rise(17 * time.Second)
				if p.rate.perSecond < 6.3 || p.rate.perSecond > 7 {
					t.Errorf("after the second half the rate is %v", p.rate.perSecond)
				}
				p.rate.since = 1e6
				rise(34 * time.Second)
				if p.rate.perSecond < 60 {
					t.Errorf("after as long again the rate is %v", p.rate.perSecond)
				}
			})
		})
	}
}

// Beyond the hint the rate grows no faster than there is proof that it is served.
func TestRaisesNoFasterThanItIsServed(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		paced(p, 10)
		time.Sleep(3 * time.Minute)
		p.rate.rise(time.Now())
		wantRate(t, p, 20)
		p.rate.since = 800
		time.Sleep(time.Minute)
		p.rate.rise(time.Now())
		wantRate(t, p, 100)
	})
}

// Before the share was found the rate is twice what it was after six seconds, and
// sixty times after fourteen.
func TestClimbs(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		refuse(p, Pass{epoch: 1}, 1, time.Second)
		first := p.rate.perSecond
		p.rate.since = 1e6
		time.Sleep(7 * time.Second)
		p.rate.rise(time.Now())
		if got := p.rate.perSecond / first; got < 2 || got > 6 {
			t.Errorf("after 6 s it is %v times what it was", got)
		}
		time.Sleep(8 * time.Second)
		p.rate.rise(time.Now())
		if got := p.rate.perSecond / first; got < 60 || got > 400 {
			t.Errorf("after 14 s it is %v times what it was", got)
		}
	})
}

// A quota that is said to be used up lowers the rate, once, and keeps it from
// rising, as long as that may be true.
func TestHeedsThePercentage(t *testing.T) {
	for used, heeded := range map[float64]bool{
		0: false, 0.8: false, 0.99: false, 1: true, 1.8: true, math.NaN(): false, -1: false, math.Inf(-1): false,
	} {
		t.Run(fmt.Sprint(used), func(t *testing.T) {
			heedsThePercentage(t, used, heeded)
		})
	}
}

func heedsThePercentage(t *testing.T, used float64, heeded bool) {
	pacing(t, func(t *testing.T, p *Pacer) {
		paced(p, 20)
		want := map[bool]float64{true: 10, false: 20}[heeded]
		old := Pass{epoch: p.epoch}
		serve(p, old, 20, used)
		wantRate(t, p, want)
		serve(p, Pass{epoch: p.epoch}, 20, used)
		wantRate(t, p, want)
		if !heeded {
			return
		}
		for range 10 {
			time.Sleep(time.Second)
			serve(p, Pass{epoch: p.epoch}, 1, used)
		}
		wantRate(t, p, want)
		for range 20 { // it is not true
			time.Sleep(time.Second)
			serve(p, Pass{epoch: p.epoch}, 1, used)
		}
		if p.rate.perSecond <= want {
			t.Error("it does not rise any more")
		}
		before := p.rate.perSecond
		serve(p, old, 1, 0.9) // is of another time
		serve(p, Pass{epoch: p.epoch}, 1, used)
		wantRate(t, p, before)
		serve(p, Pass{epoch: p.epoch}, 1, 0.9)
		serve(p, Pass{epoch: p.epoch}, 1, used)
		wantRate(t, p, before/2)
	})
}
