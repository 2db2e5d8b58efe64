// Package bar shows how far a run has come, and how it is being ended.
package bar

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/graphlicensing/licensing"
)

// A Progress shows how far a run has come: as a bar on a terminal, elsewhere as
// a line now and then.
type Progress struct {
	out     io.Writer
	bar     *progressbar.ProgressBar // nil where there is no terminal
	columns int                      // of the terminal
	total   int
	past    licensing.BulkProgress // of the rounds before
	last    licensing.BulkProgress // of all
	shown   time.Duration          // when the last line was printed
	noted   string                 // how the run is being ended
}

// interval is the time between two lines.
const interval = 10 * time.Second

// New returns the progress of so many operations. Without bar there are lines also
// on a terminal.
func New(out io.Writer, total int, bar bool) *Progress {
	p := &Progress{out: out, total: total}
	if file, ok := out.(*os.File); ok && bar && term.IsTerminal(int(file.Fd())) {
		p.columns = 80
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			p.columns = columns
		}
		p.bar = newBar(out, total, p.columns)
	}
	return p
}

// barRest is how much room there is beside the bar and its description.
const barRest = len(" 100% ||   ") + 1

// barWidth is how wide the bar itself is, of so many columns in all.
func barWidth(columns int) int { return min(max(columns/2-16, 4), 30) }

func newBar(out io.Writer, total, columns int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetWidth(barWidth(columns)),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetPredictTime(false), // Bulk knows better
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionUseANSICodes(true),
	)
}

// Start goes on with another round, of which Bulk knows nothing.
func (p *Progress) Start() { p.past = p.last }

// Show shows how far the run is, and once how it is being ended, if it is.
func (p *Progress) Show(now licensing.BulkProgress, ending string) {
	now.Total = p.total
	now.Done, now.Failed, now.Throttled = now.Done+p.past.Done, now.Failed+p.past.Failed, now.Throttled+p.past.Throttled
	now.Unknown, now.NotSent = now.Unknown+p.past.Unknown, now.NotSent+p.past.NotSent
	now.Elapsed += p.past.Elapsed
	p.last = now
	if ending != p.noted {
		p.noted = ending
		if p.bar != nil {
			fmt.Fprintln(p.out)
		}
		fmt.Fprintln(p.out, ending)
	}
	switch {
	case p.bar != nil:
		p.bar.Describe(describeIn(p.columns-barWidth(p.columns)-barRest, now))
		p.bar.Set(now.Done + now.Failed + now.Unknown + now.NotSent)
	case now.Elapsed-p.shown >= interval:
		p.shown = now.Elapsed
		fmt.Fprintln(p.out, describe(now))
	}
}

// End leaves the last state for good.
func (p *Progress) End() {
	if p.bar != nil {
		p.bar.Exit()
		fmt.Fprintln(p.out)
		return
	}
	fmt.Fprintln(p.out, describe(p.last))
}

// Ending says how a run is being ended, if it is: by the end of ctx, of draining, or
// because its results cannot be written.
func Ending(ctx, draining context.Context, unwritable bool) string {
	switch {
	case ctx.Err() != nil:
		return "stopping: what is under way is in doubt"
	case unwritable:
		return "draining, as results cannot be written: requests under way are being settled"
	case draining.Err() != nil:
		return "draining: requests under way are being settled; press again to stop"
	}
	return ""
}

func describe(p licensing.BulkProgress) string {
	return fmt.Sprintf("%d of %d done, ", p.Done, p.Total) + strings.Join(parts(p), ", ")
}

// describeIn leaves out what there is no room for. The bar says how many there are.
func describeIn(columns int, p licensing.BulkProgress) string {
	text := fmt.Sprintf("%d done", p.Done)
	for _, part := range parts(p) {
		if utf8.RuneCountInString(text)+len(", ")+utf8.RuneCountInString(part) > columns {
			break
		}
		text += ", " + part
	}
	return text
}

// parts returns what there is to say beside what is done, the weightiest first.
func parts(p licensing.BulkProgress) []string {
	list := []string{fmt.Sprintf("%d failed", p.Failed)}
	if p.Unknown > 0 {
		list = append(list, fmt.Sprintf("%d in doubt", p.Unknown))
	}
	if p.NotSent > 0 {
		list = append(list, fmt.Sprintf("%d not sent", p.NotSent))
	}
	if left := p.Left.Round(time.Second); left > 0 {
		list = append(list, left.String()+" left")
	}
	return append(list, fmt.Sprintf("%d throttled", p.Throttled), fmt.Sprintf("%.0f a second", p.Rate))
}
