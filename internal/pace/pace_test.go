package pace

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pacing runs f with a pacer of 20 writes a second and 3,000 at once, whose random
// waits are 0.
func pacing(t *testing.T, f func(t *testing.T, p *Pacer)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newPacer(20, 3000, forever)) })
}

func newPacer(perSecond float64, burst int, maxWait time.Duration) *Pacer {
	p := New(perSecond, burst, maxWait)
	p.random = func() float64 { return 0 }
	return p
}

// paced is a pacer whose rate is known, and was lowered just now.
func paced(p *Pacer, perSecond float64) *Pacer {
	now := time.Now()
	p.gate.probes = false
	p.rate.perSecond, p.rate.found, p.rate.raised, p.rate.quiet = perSecond, true, now, now
	p.rate.credit, p.used = 0, now
	return p
}

// admitBatch admits n writes and returns how long they waited.
func admitBatch(t *testing.T, p *Pacer, n int) (Pass, time.Duration) {
	t.Helper()
	start := time.Now()
	pass, err := p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, n, func(most int) int { return min(n, most) })
	if err != nil {
		t.Fatal(err)
	}
	return pass, time.Since(start)
}

// refuse answers n writes with a 429. Without advice after is 0.
func refuse(p *Pacer, pass Pass, n int, after time.Duration) {
	for range n {
		p.Answered(pass, Reply{Refused: true, Wait: after})
	}
	p.Settled(pass)
}

// serve answers n writes well, by which so much of the quota is used up.
func serve(p *Pacer, pass Pass, n int, used ...float64) {
	var reply Reply
	if len(used) > 0 {
		reply.Used = used[0]
	}
	for range n {
		p.Answered(pass, reply)
	}
	p.Settled(pass)
}

func wantRate(t *testing.T, p *Pacer, want float64) {
	t.Helper()
	if math.Abs(p.rate.perSecond-want) > 0.001 {
		t.Errorf("the rate is %v, want %v", p.rate.perSecond, want)
	}
}

func wantAbout(t *testing.T, what string, got, want, by time.Duration) {
	t.Helper()
	if got < want-by || got > want+by {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A single batch goes first. While none is refused, so many are under way: 20, and
// one more for each 25 that were served.
func TestStarts(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		probe, wait := admitBatch(t, p, 20)
		if !probe.probe || wait != 0 {
			t.Errorf("the first is %+v after %v", probe, wait)
		}
		time.AfterFunc(3300*time.Millisecond, func() { serve(p, probe, 20) })
		for i := range 100 {
			pass, wait := admitBatch(t, p, 20)
			if want := map[bool]time.Duration{true: 3300 * time.Millisecond}[i == 0]; pass.probe || wait != want {
				t.Fatalf("batch %d is %+v after %v, want %v", i, pass, wait, want)
			}
			serve(p, pass, 20)
		}
		// Of 2,020 served 80 are room for 100.
		var under []Pass
		for range 5 {
			pass, wait := admitBatch(t, p, 20)
			wantAbout(t, "there is room", wait, 0, 0)
			under = append(under, pass)
		}
		time.AfterFunc(time.Second, func() { serve(p, under[0], 20) })
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "a sixth waits for one of them", wait, time.Second, 0)
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "and a seventh until they hang", wait, 5*time.Second, 0)
	})
}

// The share of the quota that is used up bounds what is under way at the start.
func TestStartsByThePercentage(t *testing.T) {
	for used, want := range map[float64]int{0: 116, 0.8: 116, 0.95: 42, 0.99: 8, 0.996: 5, math.NaN(): 116} {
		s := start{burst: 3000, spent: 2400, full: 0}
		if used > 0 {
			s.full = used
		}
		if got := s.window(2400); got != want {
			t.Errorf("%v used: %d under way, want %d", used, got, want)
		}
	}
}

func TestDoesNotWaitForAHangingProbe(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		admitBatch(t, p, 20)
		_, wait := admitBatch(t, p, 20)
		wantAbout(t, "the second waits", wait, 5*time.Second, 0)
	})
}

// A refusal closes the gate for everybody. After it a single write goes, and then
// the others at the rate.
func TestGate(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass, _ := admitBatch(t, p, 20)
		serve(p, pass, 20)
		pass, _ = admitBatch(t, p, 20)
		paced(p, 20)
		refuse(p, pass, 5, time.Second)
		wantRate(t, p, 10)
		var n int
		take := func(most int) int { n = most; return most }
		start := time.Now()
		probe, err := p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, 20, take)
		wantAbout(t, "the probe waits", time.Since(start), time.Second, 0)
		if err != nil || !probe.probe || probe.epoch != 2 || n != 1 {
			t.Errorf("it is %+v of %d, %v", probe, n, err)
		}
		time.AfterFunc(700*time.Millisecond, func() { serve(p, probe, 1) })
		start = time.Now()
		sum := 0
		for range 10 {
			p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, 20, take)
			sum += n
		}
		// The probe's answer, and nine batches of what half a second allows.
		wantAbout(t, "the others take", time.Since(start), 700*time.Millisecond+9*500*time.Millisecond, 500*time.Millisecond)
		if sum < 50 || sum > 65 {
			t.Errorf("they are %d", sum)
		}
	})
}

// The longer a gate was closed the more there is room for in a probe, unless one
// was refused before.
func TestProbes(t *testing.T) {
	for i, test := range []struct {
		rate   float64
		after  time.Duration
		missed bool
		want   int
	}{
		{20, time.Second, false, 1}, {20, 3 * time.Second, false, 4}, {20, 10 * time.Second, false, 10},
		{1, time.Minute, false, 1}, {20, 10 * time.Second, true, 1},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				paced(p, 2*test.rate)
				if test.missed {
					p.gate.missed = 1
				}
				refuse(p, Pass{epoch: p.epoch}, 1, test.after)
				p.rate.perSecond = test.rate
				var n int
				p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, 20, func(most int) int { n = most; return most })
				if n != test.want {
					t.Errorf("%+v: the probe has %d", test, n)
				}
			})
		})
	}
}

// A run comes back at random after the gate, a single write at once.
func TestComesBackAtRandom(t *testing.T) {
	for name, test := range map[string]struct {
		missed int
		want   time.Duration
	}{
		"after a refusal":     {0, 300 * time.Millisecond}, // 1.5 writes, at 5 a second
		"a probe's":           {1, 2 * time.Second},
		"the third probe's":   {3, 8 * time.Second},
		"the hundredth probe": {100, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				p.random = func() float64 { return 1 }
				paced(p, 10).gate.missed = test.missed
				refuse(p, Pass{epoch: p.epoch}, 1, 4*time.Second) // by half
				pass, wait := admitBatch(t, p, 1)
				wantAbout(t, "a run waits", wait, 4*time.Second+test.want, 0)
				p.Settled(pass)
				p.gate.shut(time.Now(), 4*time.Second, true)
				p.gate.part(1, 5)
				start := time.Now()
				run := new(Party)
				p.line.join(run) // and is first in it
				p.line.join(new(Party))
				pass, err := p.AdmitOne(t.Context(), 4*time.Second)
				wantAbout(t, "a single write waits", time.Since(start), 4*time.Second, 0)
				if err != nil || !pass.probe {
					t.Errorf("it is %+v, %v", pass, err)
				}
				if !p.line.first(run) {
					t.Error("the run lost its place")
				}
				p.Settled(pass)
			})
		})
	}
}

// What is served ends a row of refused probes.
func TestAProbeIsServed(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		paced(p, 100)
		for range 4 {
			refuse(p, Pass{epoch: p.epoch, probe: true, given: p.gate.opens()}, 1, time.Second)
		}
		serve(p, Pass{epoch: p.epoch, probe: true}, 1)
		p.random = func() float64 { return 1 }
		time.Sleep(time.Second)
		refuse(p, Pass{epoch: p.epoch, probe: true, given: p.gate.opens()}, 1, time.Second)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "a run waits", wait, 3*time.Second, 0)
	})
}

// Single writes have a rate of their own. They wait for no run, nor does a run for
// them.
func TestSingleWritesGoAhead(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		paced(p, 1).rate.credit = -10
		start := time.Now()
		for i := range 3 {
			if _, err := p.AdmitOne(t.Context(), forever); err != nil {
				t.Fatal(err)
			}
			wantAbout(t, "it waits", time.Since(start), time.Duration(i)*200*time.Millisecond, 0)
		}
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "a run waits", wait, 8*time.Second, 2*time.Second)
	})
}

// What is refused that had not asked, while the gate is closed, says nothing new.
func TestRefusedBehindTheGate(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		paced(p, 20)
		refuse(p, Pass{epoch: p.epoch, given: time.Now()}, 1, time.Minute)
		wantRate(t, p, 10)
		for range 10 {
			time.Sleep(time.Second)
			refuse(p, p.Unasked(), 1, 50*time.Second)
		}
		wantRate(t, p, 10)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "the gate is closed", wait, 50*time.Second, time.Second)
	})
}

// A random wait of ours ends no run and no call, nor does one that we chose.
func TestOwnWaitsEndNothing(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		p.random = func() float64 { return 1 }
		pass, _ := admitBatch(t, p, 1)
		for _, after := range []time.Duration{2 * time.Second, 0, 0, 0} {
			refuse(p, pass, 1, after)
			var err error
			if pass, err = p.Admit(t.Context(), new(Party), func() time.Duration { return 2 * time.Second }, 1, func(int) int { return 1 }); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Refusals of what was sent before the last cut keep the gate closed, and do
// not cut again.
func TestEpochs(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		first, _ := admitBatch(t, p, 20)
		serve(p, first, 20)
		var old []Pass
		for range 3 {
			pass, _ := admitBatch(t, p, 20)
			old = append(old, pass)
		}
		paced(p, 20)
		refuse(p, old[0], 20, time.Second)
		refuse(p, old[1], 20, 4*time.Second)
		refuse(p, old[2], 20, 2*time.Second) // which is over earlier
		wantRate(t, p, 10)
		start := time.Now()
		pass, _ := admitBatch(t, p, 1)
		wantAbout(t, "the gate is closed", time.Since(start), 4*time.Second, 0)
		if pass.epoch != 2 {
			t.Errorf("the epoch is %d", pass.epoch)
		}
		serve(p, pass, 1)
		pass, _ = admitBatch(t, p, 1)
		rate := p.rate.perSecond
		refuse(p, pass, 20, time.Second)
		wantRate(t, p, rate*0.5)
	})
}

// A late refusal without advice comes when all is well again.
func TestLateRefusalWithoutAdvice(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		first, _ := admitBatch(t, p, 20)
		serve(p, first, 20)
		one, _ := admitBatch(t, p, 20)
		late, _ := admitBatch(t, p, 20)
		paced(p, 100)
		refuse(p, one, 1, 0)
		probe, _ := admitBatch(t, p, 1)
		serve(p, probe, 1)
		refuse(p, late, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "the gate is closed", wait, time.Second, 0)
	})
}

// Without advice the gate is closed for 1, 2, 4 … 30 seconds.
func TestWithoutAdvice(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass, _ := admitBatch(t, p, 1)
		for _, want := range []int{1, 2, 4, 8, 16, 30, 30, 30} {
			refuse(p, pass, 3, 0)
			var wait time.Duration
			pass, wait = admitBatch(t, p, 1)
			wantAbout(t, "the gate is closed", wait, time.Duration(want)*time.Second, 0)
		}
		serve(p, pass, 1)
		paced(p, 100)
		pass, _ = admitBatch(t, p, 1)
		refuse(p, pass, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "after a success it is closed", wait, time.Second, 0)
	})
}

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
		given := func() Pass { return Pass{epoch: p.epoch, given: p.gate.opens()} } // when it was open
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

// After so long a rest that the quota is whole again, nothing is known.
func TestRests(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass, _ := admitBatch(t, p, 20)
		refuse(p, pass, 1, time.Second)
		time.Sleep(149 * time.Second)
		if _, _ = admitBatch(t, p, 20); p.rate.perSecond == 0 {
			t.Error("the rate is forgotten too early")
		}
		p.Settled(passOf(p))
		time.Sleep(151 * time.Second)
		probe, wait := admitBatch(t, p, 20)
		if p.rate.perSecond != 0 || !probe.probe || wait != 0 || p.start.spent != 20 {
			t.Errorf("after a rest the rate is %v, the pass %+v after %v, %v are spent", p.rate.perSecond, probe, wait, p.start.spent)
		}

		// A gate that is closed for longer is none.
		refuse(p, probe, 1, 10*time.Minute)
		time.Sleep(5 * time.Minute)
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "the gate is closed", wait, 5*time.Minute, 0)
	})
}

// With a small burst the quota is soon whole. To wait for a gate or for the rate
// is no rest for all that.
func TestWithASmallBurst(t *testing.T) {
	t.Parallel()
	for _, hint := range []float64{20, 1, 0.1} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(hint, 0, forever)
			pass, _ := admitBatch(t, p, 20)
			for range 10 {
				refuse(p, pass, 1, 10*time.Second)
				pass, _ = admitBatch(t, p, 20)
				serve(p, pass, 20)
				pass, _ = admitBatch(t, p, 20)
				if p.rate.perSecond == 0 || pass.probe {
					t.Fatal("the rate is forgotten")
				}
			}
			time.Sleep(time.Hour)
			if pass, _ = admitBatch(t, p, 20); p.rate.perSecond != 0 || !pass.probe {
				t.Errorf("after a rest the rate is %v", p.rate.perSecond)
			}
		})
	}
}

// passOf is a pass of the latest epoch.
func passOf(p *Pacer) Pass { return Pass{epoch: p.epoch, probe: true} }

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

// What a write is refused for closes the gate, whoever made it. Only with advice:
// without it a single call has waits of its own.
func TestHearsSingleCalls(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		single := p.Unasked()
		refuse(p, single, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "without advice the gate is closed", wait, 0, 0)
		wantRate(t, p, 20.0/32)
		single = p.Unasked()
		refuse(p, single, 1, 30*time.Second)
		pass, err := p.AdmitOne(t.Context(), forever)
		if !pass.single || err != nil {
			t.Errorf("a single call got %+v, %v", pass, err)
		}
		_, wait = admitBatch(t, p, 1)
		wantAbout(t, "another one waits for the probe", wait, 5*time.Second, 0)
	})
}

// A gate that nobody can wait for opens for a probe when a single write was
// served that had not asked.
func TestASingleWriteOpensTheGate(t *testing.T) {
	t.Parallel()
	for after, open := range map[time.Duration]bool{time.Hour: true, 30 * time.Second: false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(20, 3000, time.Minute)
			pass, _ := admitBatch(t, p, 1)
			refuse(p, pass, 1, after)
			serve(p, p.Unasked(), 1)
			if _, err := p.AdmitOne(t.Context(), 0); (err == nil) != open {
				t.Errorf("closed for %v: %v", after, err)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass, _ := admitBatch(t, p, 1)
		refuse(p, pass, 1, time.Minute)
		start := time.Now()
		_, one := p.AdmitOne(t.Context(), time.Minute-1)
		_, some := p.Admit(t.Context(), new(Party), func() time.Duration { return time.Minute - 1 }, 1, func(int) int { return 1 })
		for _, err := range []error{one, some} {
			if closed, ok := errors.AsType[*GateError](err); !ok || closed.After != time.Minute || !strings.Contains(err.Error(), "too long") {
				t.Errorf("got %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		if _, err := p.AdmitOne(ctx, forever); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantAbout(t, "it took", time.Since(start), 0, 0)
		ctx, cancel = context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := p.AdmitOne(ctx, forever); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantAbout(t, "it took", time.Since(start), 1500*time.Millisecond, 0)

		// It is the gate that batches do not wait for, and not the rate.
		time.Sleep(time.Hour)
		p.rate.perSecond, p.rate.credit, p.rate.raised, p.rate.quiet, p.used = 1, -100, time.Now(), time.Now(), time.Now()
		p.rate.next = time.Now().Add(time.Minute)
		if _, err := p.AdmitOne(t.Context(), time.Second); err == nil {
			t.Error("a single call waits for the rate although it has no time")
		}
		if _, err := p.Admit(t.Context(), new(Party), func() time.Duration { return time.Second }, 1, func(int) int { return 1 }); err != nil {
			t.Errorf("a batch does not wait for the rate: %v", err)
		}
	})
}

// Nobody takes anything when there is nothing left to send.
func TestNothingToSend(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		none, err := p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, 20, func(int) int { return 0 })
		if none != (Pass{}) || err != nil || p.start.spent != 0 {
			t.Errorf("got %+v, %v, and %v are spent", none, err, p.start.spent)
		}
		if probe, _ := admitBatch(t, p, 1); !probe.probe {
			t.Error("nothing was the probe")
		}
	})
}

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
