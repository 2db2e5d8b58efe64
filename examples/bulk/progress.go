package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/graphlicensing/licensing"
)

// A progress shows how far a run has come: as a bar on a terminal, elsewhere as
// a line now and then.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil where there is no terminal
	total int
	past  licensing.BulkProgress // of the rounds before
	last  licensing.BulkProgress // of all
	shown time.Duration          // when the last line was printed

	ending bool // it is said that the run is being ended
}

// interval is the time between two lines.
const interval = 10 * time.Second

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, total: total}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = newBar(out, total)
	}
	return p
}

func newBar(out io.Writer, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false), // Bulk knows better
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true),
	)
}

// start goes on with another round, of which Bulk knows nothing.
func (p *progress) start() { p.past = p.last }

// show shows how far the run is, and once that it is being ended.
func (p *progress) show(now licensing.BulkProgress, ending bool) {
	now.Total = p.total
	now.Done, now.Failed, now.Throttled = now.Done+p.past.Done, now.Failed+p.past.Failed, now.Throttled+p.past.Throttled
	now.Elapsed += p.past.Elapsed
	p.last = now
	if ending && !p.ending {
		p.ending = true
		fmt.Fprintln(p.out, "\nending with what is under way; interrupt again to leave that in doubt")
	}
	switch {
	case p.bar != nil:
		p.bar.Describe(describe(now))
		p.bar.Set(now.Done + now.Failed)
	case now.Elapsed-p.shown >= interval:
		p.shown = now.Elapsed
		fmt.Fprintln(p.out, describe(now))
	}
}

// end leaves the last state for good.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Exit()
		fmt.Fprintln(p.out)
		return
	}
	fmt.Fprintln(p.out, describe(p.last))
}

func describe(p licensing.BulkProgress) string {
	text := fmt.Sprintf("%d of %d done, %d failed, %d throttled, %.0f a second", p.Done, p.Total, p.Failed, p.Throttled, p.Rate)
	if p.Left > 0 {
		text += ", " + p.Left.Round(time.Second).String() + " left"
	}
	return text
}
