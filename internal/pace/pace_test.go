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
			refuse(p, Pass{epoch: p.epoch, probe: true, given: p.gate.opens().UnixNano()}, 1, time.Second)
		}
		serve(p, Pass{epoch: p.epoch, probe: true}, 1)
		p.random = func() float64 { return 1 }
		time.Sleep(time.Second)
		refuse(p, Pass{epoch: p.epoch, probe: true, given: p.gate.opens().UnixNano()}, 1, time.Second)
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
		refuse(p, Pass{epoch: p.epoch, given: time.Now().UnixNano()}, 1, time.Minute)
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
