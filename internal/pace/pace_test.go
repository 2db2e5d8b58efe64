package pace

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pacing runs f with a pacer of 20 writes a second and 3,000 at once.
func pacing(t *testing.T, f func(t *testing.T, p *Pacer)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, New(20, 3000, forever)) })
}

// admitBatch admits n writes and returns how long they waited.
func admitBatch(t *testing.T, p *Pacer, n int) (Pass, time.Duration) {
	t.Helper()
	start := time.Now()
	pass, err := p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, n, func() int { return n })
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

// A single batch goes first, the others follow its answer without a limit.
func TestProbesFirst(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		probe, wait := admitBatch(t, p, 20)
		if !probe.probe || wait != 0 {
			t.Errorf("the first is %+v after %v", probe, wait)
		}
		time.AfterFunc(3300*time.Millisecond, func() { serve(p, probe, 20) })
		for i := range 100 {
			pass, wait := admitBatch(t, p, 20)
			want := map[bool]time.Duration{true: 3300 * time.Millisecond}[i == 0]
			if pass.probe || wait != want {
				t.Errorf("batch %d is %+v after %v, want %v", i, pass, wait, want)
			}
		}
	})
}

func TestDoesNotWaitForAHangingProbe(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		admitBatch(t, p, 20)
		_, wait := admitBatch(t, p, 20)
		wantAbout(t, "the second waits", wait, 5*time.Second, 0)
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "the third waits", wait, 0, 0)
	})
}

// A refusal closes the gate for everybody. After it one batch goes, and then
// the others at the rate of the hint.
func TestGate(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass, _ := admitBatch(t, p, 20)
		refuse(p, pass, 5, 8*time.Second)
		wantRate(t, p, 20)
		start := time.Now()
		probe, wait := admitBatch(t, p, 20) // that long a wait leaves room for a batch
		wantAbout(t, "the probe waits", wait, 8*time.Second, 0)
		if !probe.probe || probe.epoch != 2 {
			t.Errorf("it is %+v", probe)
		}
		time.AfterFunc(100*time.Millisecond, func() { serve(p, probe, 20) })
		for range 10 {
			admitBatch(t, p, 20)
		}
		// Ten batches of 20 at a rate that rises from 20.5 to 24.
		wantAbout(t, "the others take", time.Since(start)-wait, 9250*time.Millisecond, 500*time.Millisecond)
	})
}

// For a batch there is room a little after the gate, and the sooner the longer
// that was; at a low rate it is waited for no longer than two seconds.
func TestRoomAfterTheGate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hint  float64
		after time.Duration
		room  time.Duration
		by    time.Duration
	}{
		{20, time.Second, 875 * time.Millisecond, 15 * time.Millisecond},
		{20, 20 * time.Second, 0, 0},
		{5, time.Second, 2 * time.Second, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := New(test.hint, 3000, forever)
			pass, _ := admitBatch(t, p, 20)
			refuse(p, pass, 1, test.after)
			_, wait := admitBatch(t, p, 20)
			wantAbout(t, "a batch waits after the gate", wait-test.after, test.room, test.by)
		})
		synctest.Test(t, func(t *testing.T) {
			p := New(test.hint, 3000, forever)
			pass, _ := admitBatch(t, p, 20)
			refuse(p, pass, 1, test.after)
			_, wait := admitBatch(t, p, 1)
			wantAbout(t, "a single write waits after the gate", wait-test.after, 0, 0)
		})
	}
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
		refuse(p, old[0], 20, time.Second)
		refuse(p, old[1], 20, 4*time.Second)
		refuse(p, old[2], 20, 2*time.Second) // which is over earlier
		wantRate(t, p, 20)
		start := time.Now()
		pass, _ := admitBatch(t, p, 1)
		wantAbout(t, "the gate is closed", time.Since(start), 4*time.Second, 0)
		if pass.epoch != 2 {
			t.Errorf("the epoch is %d", pass.epoch)
		}
		rate := p.rate.perSecond
		refuse(p, pass, 20, time.Second)
		wantRate(t, p, rate*0.8)
	})
}

// A late refusal without advice comes when all is well again.
func TestLateRefusalWithoutAdvice(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		first, _ := admitBatch(t, p, 20)
		serve(p, first, 20)
		one, _ := admitBatch(t, p, 20)
		late, _ := admitBatch(t, p, 20)
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
		pass, _ = admitBatch(t, p, 1)
		refuse(p, pass, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "after a success it is closed", wait, time.Second, 0)
	})
}

// The rate falls by a fifth, and by half when the one before was not reached
// twice in a row. It does not fall below one write a second, or the hint.
func TestLowers(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		pass := Pass{epoch: 1}
		want := []float64{20, 16, 8, 4, 2, 1, 1}
		for i, rate := range want {
			pass.epoch = i + 1
			refuse(p, pass, 1, time.Second)
			wantRate(t, p, rate)
		}
		// Goodput of more than half of the rate.
		p.rate.perSecond = 20
		for range 60 {
			p.rate.served.Add(time.Now(), 1)
		}
		p.rate.lower(time.Now(), 20)
		wantRate(t, p, 16)
		p.rate.served = Meter{Span: p.rate.served.Span} // and then of less
		p.rate.served.Add(time.Now(), 15)
		p.rate.lower(time.Now(), 20) // once
		wantRate(t, p, 12.8)
		p.rate.lower(time.Now(), 20) // twice
		wantRate(t, p, 6.4)

		p = New(0.5, 10, forever)
		for i := range 5 {
			pass.epoch = i + 1
			refuse(p, pass, 1, time.Second)
		}
		wantRate(t, p, 0.5)
	})
}

// Each quiet second raises the rate, ever faster.
func TestRaises(t *testing.T) {
	for name, step := range map[string]time.Duration{"at once": 10 * time.Second, "bit by bit": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				refuse(p, Pass{epoch: 1}, 1, time.Second)
				for range 3 {
					for start := time.Now(); time.Since(start) < 10*time.Second; {
						time.Sleep(step)
						p.rate.rise(time.Now())
					}
				}
				// 0.2 (q + q³/300), where most of the second that the gate was closed
				// for was not quiet.
				raised := func(q float64) float64 { return 0.2 * (q + q*q*q/300) }
				wantRate(t, p, 20+raised(29.3))
				p.Answered(Pass{epoch: 2}, Reply{Refused: true, Wait: time.Second})
				time.Sleep(10 * time.Second)
				p.rate.rise(time.Now())
				wantRate(t, p, (20+raised(29.3))*0.8+raised(9.3))
			})
		})
	}
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
		if p.rate.perSecond != 0 || !probe.probe || wait != 0 || p.spent != 20 {
			t.Errorf("after a rest the rate is %v, the pass %+v after %v, %v are spent", p.rate.perSecond, probe, wait, p.spent)
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
			p := New(hint, 0, forever)
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

func TestHeedsThePercentage(t *testing.T) {
	t.Parallel()
	for used, rate := range map[float64]float64{
		0: 0, 0.8: 0, 0.99: 0, 1: 20, 1.8: 20, math.NaN(): 0, -1: 0, math.Inf(-1): 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := New(20, 3000, forever)
			pass, _ := admitBatch(t, p, 1)
			serve(p, pass, 1, used)
			if p.rate.perSecond != rate {
				t.Errorf("%v sets the rate to %v, want %v", used, p.rate.perSecond, rate)
			}
			// It stops climbing.
			p.rate.perSecond = 30
			time.Sleep(10 * time.Second)
			serve(p, pass, 1, used)
			before := p.rate.perSecond
			time.Sleep(time.Second)
			p.rate.rise(time.Now())
			if climbed, want := p.rate.perSecond-before, 0.2*(1+1.0/300); rate > 0 && math.Abs(climbed-want) > 0.001 {
				t.Errorf("%v: it climbs by %v, want %v", used, climbed, want)
			}
			// What was sent before the last cut says nothing.
			p.rate.perSecond, p.epoch = 0, 7
			serve(p, pass, 1, used)
			if p.rate.perSecond != 0 {
				t.Errorf("an old %v sets the rate to %v", used, p.rate.perSecond)
			}
		})
	}
}

// What a write is refused for closes the gate, whoever made it. Only with advice:
// without it a single call has waits of its own.
func TestHearsSingleCalls(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		single := p.Unasked()
		refuse(p, single, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "without advice the gate is closed", wait, 0, 0)
		wantRate(t, p, 20)
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
			p := New(20, 3000, time.Minute)
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
		_, some := p.Admit(t.Context(), new(Party), func() time.Duration { return time.Minute - 1 }, 1, func() int { return 1 })
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
		if _, err := p.AdmitOne(t.Context(), time.Second); err == nil {
			t.Error("a single call waits for the rate although it has no time")
		}
		if _, err := p.Admit(t.Context(), new(Party), func() time.Duration { return time.Second }, 1, func() int { return 1 }); err != nil {
			t.Errorf("a batch does not wait for the rate: %v", err)
		}
	})
}

// Nobody takes anything when there is nothing left to send.
func TestNothingToSend(t *testing.T) {
	pacing(t, func(t *testing.T, p *Pacer) {
		none, err := p.Admit(t.Context(), new(Party), func() time.Duration { return forever }, 20, func() int { return 0 })
		if none != (Pass{}) || err != nil || p.spent != 0 {
			t.Errorf("got %+v, %v, and %v are spent", none, err, p.spent)
		}
		if probe, _ := admitBatch(t, p, 1); !probe.probe {
			t.Error("nothing was the probe")
		}
	})
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*Pacer)
		n       int
		rate    float64
		want    time.Duration
	}{
		"nothing left":             {func(*Pacer) {}, 0, 0, 0},
		"nothing known":            {func(*Pacer) {}, 10, 0, -1},
		"within the burst":         {func(*Pacer) {}, 3000, 100, 30 * time.Second},
		"beyond the burst":         {func(*Pacer) {}, 5000, 100, 30*time.Second + 100*time.Second},
		"the burst is partly gone": {func(p *Pacer) { p.spent = 2000 }, 2000, 100, 10*time.Second + 50*time.Second},
		"the burst is gone":        {func(p *Pacer) { p.spent = 4000 }, 2000, 100, 20 * time.Second},
		"slower than the hint":     {func(*Pacer) {}, 5000, 10, 300*time.Second + 200*time.Second},
		"paced":                    {func(p *Pacer) { p.rate.perSecond = 16 }, 160, 5, 32 * time.Second},
		"faster than the hint":     {func(p *Pacer) { p.rate.perSecond = 40 }, 400, 100, 4 * time.Second},
		"after a gate":             {func(p *Pacer) { p.rate.perSecond, p.gate.until = 16, time.Now() }, 160, 5, 10 * time.Second},
		"after a gate, at most":    {func(p *Pacer) { p.rate.perSecond, p.gate.until = 100, time.Now() }, 400, 10, 20 * time.Second},
		"after a gate, at least":   {func(p *Pacer) { p.rate.perSecond, p.gate.until = 16, time.Now() }, 400, 40, 10 * time.Second},
		"behind a gate":            {func(p *Pacer) { p.gate.shut(time.Now(), time.Minute) }, 100, 10, 70 * time.Second},
		"without end":              {func(*Pacer) {}, 1000, 1e-9, -1},
	} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *Pacer) {
				p.rate.rise(time.Now())
				p.rate.quiet = time.Now()
				test.prepare(p)
				if got := p.Estimate(test.n, test.rate, 10*time.Second); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
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
