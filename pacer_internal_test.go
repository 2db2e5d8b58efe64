package licensing

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pacing runs f with a pacer of 20 writes a second and 3,000 at once.
func pacing(t *testing.T, f func(t *testing.T, p *pacer)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newPacer(20, 3000, forever)) })
}

// admitBatch admits n writes and returns how long they waited.
func admitBatch(t *testing.T, p *pacer, n int) (pass, time.Duration) {
	t.Helper()
	start := time.Now()
	pass, err := p.admit(t.Context(), forever, n, func() int { return n })
	if err != nil {
		t.Fatal(err)
	}
	return pass, time.Since(start)
}

// refuse answers n writes with a 429. Without advice after is 0.
func refuse(p *pacer, pass pass, n int, after time.Duration) {
	for range n {
		p.answered(pass, &answer{outcome: delayed, status: 429, after: after, timed: after > 0})
	}
	p.settled(pass)
}

func serve(p *pacer, pass pass, n int, headers ...string) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	for range n {
		p.answered(pass, &answer{outcome: applied, status: 200, header: h})
	}
	p.settled(pass)
}

func wantRate(t *testing.T, p *pacer, want float64) {
	t.Helper()
	if math.Abs(p.rate-want) > 0.001 {
		t.Errorf("the rate is %v, want %v", p.rate, want)
	}
}

func wantAbout(t *testing.T, what string, got, want, by time.Duration) {
	t.Helper()
	if got < want-by || got > want+by {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A single batch goes first, the others follow its answer without a limit.
func TestPacerProbesFirst(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
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

func TestPacerDoesNotWaitForAHangingProbe(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		admitBatch(t, p, 20)
		_, wait := admitBatch(t, p, 20)
		wantAbout(t, "the second waits", wait, 5*time.Second, 0)
		_, wait = admitBatch(t, p, 20)
		wantAbout(t, "the third waits", wait, 0, 0)
	})
}

// A refusal closes the gate for everybody. After it one batch goes, and then
// the others at the rate of the hint.
func TestPacerGate(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
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
func TestPacerRoomAfterTheGate(t *testing.T) {
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
			p := newPacer(test.hint, 3000, forever)
			pass, _ := admitBatch(t, p, 20)
			refuse(p, pass, 1, test.after)
			_, wait := admitBatch(t, p, 20)
			wantAbout(t, "a batch waits after the gate", wait-test.after, test.room, test.by)
		})
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(test.hint, 3000, forever)
			pass, _ := admitBatch(t, p, 20)
			refuse(p, pass, 1, test.after)
			_, wait := admitBatch(t, p, 1)
			wantAbout(t, "a single write waits after the gate", wait-test.after, 0, 0)
		})
	}
}

// Refusals of what was sent before the last cut keep the gate closed, and do
// not cut again.
func TestPacerEpochs(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		first, _ := admitBatch(t, p, 20)
		serve(p, first, 20)
		var old []pass
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
		rate := p.rate
		refuse(p, pass, 20, time.Second)
		wantRate(t, p, rate*0.8)
	})
}

// A late refusal without advice comes when all is well again.
func TestPacerLateRefusalWithoutAdvice(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
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
func TestPacerWithoutAdvice(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
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
func TestPacerLowers(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		pass := pass{epoch: 1}
		want := []float64{20, 16, 8, 4, 2, 1, 1}
		for i, rate := range want {
			pass.epoch = i + 1
			refuse(p, pass, 1, time.Second)
			wantRate(t, p, rate)
		}
		// Goodput of more than half of the rate.
		p.rate = 20
		for range 60 {
			p.served.add(time.Now(), 1)
		}
		p.lower(time.Now())
		wantRate(t, p, 16)
		p.served = meter{span: p.served.span} // and then of less
		p.served.add(time.Now(), 15)
		p.lower(time.Now()) // once
		wantRate(t, p, 12.8)
		p.lower(time.Now()) // twice
		wantRate(t, p, 6.4)

		p = newPacer(0.5, 10, forever)
		for i := range 5 {
			pass.epoch = i + 1
			refuse(p, pass, 1, time.Second)
		}
		wantRate(t, p, 0.5)
	})
}

// Each quiet second raises the rate, ever faster.
func TestPacerRaises(t *testing.T) {
	for name, step := range map[string]time.Duration{"at once": 10 * time.Second, "bit by bit": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *pacer) {
				refuse(p, pass{epoch: 1}, 1, time.Second)
				for range 3 {
					for start := time.Now(); time.Since(start) < 10*time.Second; {
						time.Sleep(step)
						p.raise(time.Now())
					}
				}
				// 0.2 (q + q³/300), where most of the second that the gate was closed
				// for was not quiet.
				raised := func(q float64) float64 { return 0.2 * (q + q*q*q/300) }
				wantRate(t, p, 20+raised(29.3))
				p.answered(pass{epoch: 2}, &answer{outcome: delayed, status: 429, after: time.Second, timed: true})
				time.Sleep(10 * time.Second)
				p.raise(time.Now())
				wantRate(t, p, (20+raised(29.3))*0.8+raised(9.3))
			})
		})
	}
}

// After so long a rest that the quota is whole again, nothing is known.
func TestPacerRests(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		pass, _ := admitBatch(t, p, 20)
		refuse(p, pass, 1, time.Second)
		time.Sleep(149 * time.Second)
		if _, _ = admitBatch(t, p, 20); p.rate == 0 {
			t.Error("the rate is forgotten too early")
		}
		p.settled(passOf(p))
		time.Sleep(151 * time.Second)
		probe, wait := admitBatch(t, p, 20)
		if p.rate != 0 || !probe.probe || wait != 0 || p.spent != 20 {
			t.Errorf("after a rest the rate is %v, the pass %+v after %v, %v are spent", p.rate, probe, wait, p.spent)
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
func TestPacerWithASmallBurst(t *testing.T) {
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
				if p.rate == 0 || pass.probe {
					t.Fatal("the rate is forgotten")
				}
			}
			time.Sleep(time.Hour)
			if pass, _ = admitBatch(t, p, 20); p.rate != 0 || !pass.probe {
				t.Errorf("after a rest the rate is %v", p.rate)
			}
		})
	}
}

// passOf is a pass of the latest epoch.
func passOf(p *pacer) pass { return pass{epoch: p.epoch, probe: true} }

func TestPacerHeedsThePercentage(t *testing.T) {
	t.Parallel()
	for text, rate := range map[string]float64{
		"": 0, "0.8": 0, "0.99": 0, "1": 20, "1.0": 20, "1.8": 20, "x": 0, "NaN": 0, "nan": 0, "-1": 0, "-Inf": 0, "1e400": 0, "100%": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPacer(20, 3000, forever)
			pass, _ := admitBatch(t, p, 1)
			serve(p, pass, 1, "x-ms-throttle-limit-percentage", text)
			if p.rate != rate {
				t.Errorf("%q sets the rate to %v, want %v", text, p.rate, rate)
			}
			// It stops climbing.
			p.rate = 30
			time.Sleep(10 * time.Second)
			serve(p, pass, 1, "x-ms-throttle-limit-percentage", text)
			before := p.rate
			time.Sleep(time.Second)
			p.raise(time.Now())
			if climbed, want := p.rate-before, 0.2*(1+1.0/300); rate > 0 && math.Abs(climbed-want) > 0.001 {
				t.Errorf("%q: it climbs by %v, want %v", text, climbed, want)
			}
			// What was sent before the last cut says nothing.
			p.rate, p.epoch = 0, 7
			serve(p, pass, 1, "x-ms-throttle-limit-percentage", text)
			if p.rate != 0 {
				t.Errorf("an old %q sets the rate to %v", text, p.rate)
			}
		})
	}
}

// What a write is refused for closes the gate, whoever made it. Only with advice:
// without it a single call has waits of its own.
func TestPacerHearsSingleCalls(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		single := p.unasked()
		refuse(p, single, 1, 0)
		_, wait := admitBatch(t, p, 1)
		wantAbout(t, "without advice the gate is closed", wait, 0, 0)
		wantRate(t, p, 20)
		single = p.unasked()
		refuse(p, single, 1, 30*time.Second)
		pass, err := p.admit(t.Context(), forever, 1, nil)
		if !pass.single || err != nil {
			t.Errorf("a single call got %+v, %v", pass, err)
		}
		_, wait = admitBatch(t, p, 1)
		wantAbout(t, "another one waits for the probe", wait, 5*time.Second, 0)
	})
}

func TestPacerGivesUp(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		pass, _ := admitBatch(t, p, 1)
		refuse(p, pass, 1, time.Minute)
		start := time.Now()
		for _, take := range []func() int{nil, func() int { return 1 }} {
			_, err := p.admit(t.Context(), time.Minute-1, 1, take)
			if kept, ok := errors.AsType[*keptBack](err); !ok || kept.kind != ErrThrottled || kept.after != time.Minute || !strings.Contains(err.Error(), "too long") {
				t.Errorf("got %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		if _, err := p.admit(ctx, forever, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantAbout(t, "it took", time.Since(start), 0, 0)
		ctx, cancel = context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if _, err := p.admit(ctx, forever, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		wantAbout(t, "it took", time.Since(start), 1500*time.Millisecond, 0)

		// It is the gate that batches do not wait for, and not the rate.
		time.Sleep(time.Hour)
		p.rate, p.credit, p.raised, p.quiet, p.used = 1, -100, time.Now(), time.Now(), time.Now()
		if _, err := p.admit(t.Context(), time.Second, 1, nil); err == nil {
			t.Error("a single call waits for the rate although it has no time")
		}
		if _, err := p.admit(t.Context(), time.Second, 1, func() int { return 1 }); err != nil {
			t.Errorf("a batch does not wait for the rate: %v", err)
		}
	})
}

// Nobody takes anything when there is nothing left to send.
func TestPacerNothingToSend(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		none, err := p.admit(t.Context(), forever, 20, func() int { return 0 })
		if none != (pass{}) || err != nil || p.spent != 0 {
			t.Errorf("got %+v, %v, and %v are spent", none, err, p.spent)
		}
		if probe, _ := admitBatch(t, p, 1); !probe.probe {
			t.Error("nothing was the probe")
		}
	})
}

// A request that was not answered tells nothing.
func TestPacerWithoutAnswers(t *testing.T) {
	pacing(t, func(t *testing.T, p *pacer) {
		pass, _ := admitBatch(t, p, 1)
		refuse(p, pass, 1, 0)
		p.answered(passOf(p), &answer{outcome: doubtful})
		if p.vain != 1 || p.served.perSecond(time.Now()) != 0 {
			t.Errorf("%d waits in vain, %v served", p.vain, p.served.perSecond(time.Now()))
		}
	})
}

func TestPacerEstimate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*pacer)
		n       int
		rate    float64
		want    time.Duration
	}{
		"nothing left":             {func(*pacer) {}, 0, 0, 0},
		"nothing known":            {func(*pacer) {}, 10, 0, -1},
		"within the burst":         {func(*pacer) {}, 3000, 100, 30 * time.Second},
		"beyond the burst":         {func(*pacer) {}, 5000, 100, 30*time.Second + 100*time.Second},
		"the burst is partly gone": {func(p *pacer) { p.spent = 2000 }, 2000, 100, 10*time.Second + 50*time.Second},
		"the burst is gone":        {func(p *pacer) { p.spent = 4000 }, 2000, 100, 20 * time.Second},
		"slower than the hint":     {func(*pacer) {}, 5000, 10, 300*time.Second + 200*time.Second},
		"paced":                    {func(p *pacer) { p.rate = 16 }, 160, 5, 32 * time.Second},
		"faster than the hint":     {func(p *pacer) { p.rate = 40 }, 400, 100, 4 * time.Second},
		"after a gate":             {func(p *pacer) { p.rate, p.gate = 16, time.Now() }, 160, 5, 10 * time.Second},
		"after a gate, at most":    {func(p *pacer) { p.rate, p.gate = 100, time.Now() }, 400, 10, 20 * time.Second},
		"after a gate, at least":   {func(p *pacer) { p.rate, p.gate = 16, time.Now() }, 400, 40, 10 * time.Second},
		"behind a gate":            {func(p *pacer) { p.gate = time.Now().Add(time.Minute) }, 100, 10, 70 * time.Second},
		"without end":              {func(*pacer) {}, 1000, 1e-9, -1},
	} {
		t.Run(name, func(t *testing.T) {
			pacing(t, func(t *testing.T, p *pacer) {
				p.raise(time.Now())
				p.quiet = time.Now()
				test.prepare(p)
				if got := p.estimate(test.n, test.rate); got != test.want {
					t.Errorf("got %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := meter{span: 10 * time.Second}
		for range 1000 {
			m.add(time.Now(), 1)
			time.Sleep(50 * time.Millisecond)
		}
		if got := m.perSecond(time.Now()); got < 19 || got > 21 {
			t.Errorf("%v a second, want 20", got)
		}
		if len(m.counts) > 60 {
			t.Errorf("%d counts are kept", len(m.counts))
		}
		time.Sleep(11 * time.Second)
		if got := m.perSecond(time.Now()); got != 0 {
			t.Errorf("%v a second after a pause", got)
		}
	})
}
