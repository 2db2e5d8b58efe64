package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/graphlicensing/licensing/benchmarks/data"
)

// A bar lies beside its name and has its figure at its end.
type bar struct {
	name   string
	value  float64
	figure string
	color  color.Color
	apart  bool // from the one above
}

// bars draws bars from the top down, between two places across. The names have a
// column on the left, unless it has no width. What is left of the width is the
// longest bar's and its figure's.
func (s *sheet) bars(title string, all []bar, left, right, column vg.Length) {
	p := s.plot()
	p.HideAxes()
	var y float64
	for _, b := range all {
		if b.apart {
			y -= 0.4
		}
		at := plotter.XY{Y: y}
		p.Add(&plotter.BarChart{Values: plotter.Values{b.value}, Width: 20, Color: b.color, XMin: at.Y, Horizontal: true})
		if column > 0 {
			p.Add(label(b.name, at, style(normal, s.ink, text.XLeft, text.YCenter), -column, 0))
		}
		at.X = b.value
		p.Add(label(b.figure, at, style(normal, b.color, text.XLeft, text.YCenter), 6, 0))
		p.X.Max = max(p.X.Max, b.value)
		y--
	}
	const top = 0.6
	p.Add(label(title, plotter.XY{Y: top}, style(small, s.muted, text.XLeft, text.YBottom), 0, 0))
	p.X.Min, p.Y.Min, p.Y.Max = 0, y+0.4, top
	p.Draw(s.part(left, right))
}

// peers are the names of the ways to make a call, for those who do not know ours.
var peers = map[string]string{
	"licensing": "this library",
	"nethttp":   "net/http by hand",
	"retryable": "go-retryablehttp",
	"azcore":    "azcore",
	"hashicorp": "HashiCorp SDK base",
	"msgraph":   "msgraph-sdk-go",
}

// size draws what it costs to have each of the peers in a program.
func size(dir string, t theme) (*sheet, error) {
	d, err := data.Read[data.Sizes](dir, "size.json")
	if err != nil {
		return nil, err
	}
	s := newSheet(t, 320, "What a program for one call weighs",
		"The smallest program that assigns a license, with each library.\nBuilt from an empty cache, with the standard library. Its lines are not counted.")
	var binary, build, lines []bar
	for _, row := range d.Rows {
		c := t.muted
		switch row.Peer {
		case "licensing":
			c = t.ours
		case "msgraph":
			c = t.theirs
		}
		name, known := peers[row.Peer]
		if !known {
			return nil, fmt.Errorf("no name for %s", row.Peer)
		}
		binary = append(binary, bar{name: name, value: row.Binary, figure: number(row.Binary), color: c})
		build = append(build, bar{name: name, value: row.Build, figure: number(row.Build), color: c})
		lines = append(lines, bar{name: name, value: row.Lines, figure: whole(row.Lines), color: c})
	}
	s.bars("program, MB", binary, margin, 352, 160)
	s.bars("build, CPU seconds", build, 378, 566, 0)
	s.bars("lines compiled", lines, 592, width-2*margin, 0)
	return s, nil
}

// faults draws how many users end in a state that nobody asked for.
func faults(dir string, t theme) (*sheet, error) {
	d, err := data.Read[data.Faults](dir, "faults.json")
	if err != nil {
		return nil, err
	}
	users := float64(d.Users * d.Seeds)
	s := newSheet(t, 340, "Users who end with other licenses than they should",
		fmt.Sprintf("Of %s users with three changes each, on a network that loses, cuts, delays and swaps answers.\n2 %% faulty: 2 of 100 requests meet a fault. Measured on the fake tenant, in virtual time.", whole(users)))
	var all []bar
	for _, row := range d.Rows {
		if row.Faults == 0 {
			continue
		}
		b := bar{value: float64(row.WrongEnd), figure: whole(float64(row.WrongEnd))}
		if row.By == "Bulk" {
			b.name, b.color, b.apart = "Bulk", t.ours, len(all) > 0
		} else {
			b.name, b.color = "plain retry", t.theirs
			b.figure += " (" + number(100*float64(row.WrongEnd)/users) + " %)"
		}
		b.name = whole(row.Faults) + " % faulty: " + b.name
		all = append(all, b)
	}
	s.bars("", all, margin, width-3*margin, 185)
	return s, nil
}
