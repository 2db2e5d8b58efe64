package main

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/graphlicensing/licensing/benchmarks/data"
)

// bulk draws how many users have their license at each time of a run.
func bulk(dir string, t theme) (*sheet, error) {
	d, err := data.Read[data.OverTime](dir, "bulk.json")
	if err != nil {
		return nil, err
	}
	s := newSheet(t, 450, fmt.Sprintf("%s users are given a license: how many have it, minute by minute", whole(float64(d.Users))),
		"The quota: 3,000 writes at once, then 20 a second, refused writes included. Dashed: the most that it allows.\nPlain retry is go-retryablehttp, so many calls at a time. Measured on the fake tenant, in virtual time.")
	p := s.plot()
	p.X.Label.Text = "minutes"
	p.X.Tick.Marker = ticks("", 0, 5, 10, 15, 20)
	p.Y.Tick.Marker = ticks("", 0, 2500, 5000, 7500, 10000)
	p.Add(s.grid())
	for _, run := range d.Runs {
		c, width, dashes := t.theirs, vg.Length(2.5), []vg.Length(nil)
		switch run.By {
		case "quota":
			c, width, dashes = t.muted, 2, []vg.Length{5, 4}
		case "Bulk":
			c, width = t.ours, 4
		}
		var points plotter.XYs
		for i, n := range run.Done {
			seconds := min(float64(i*d.Every), run.Took)
			points = append(points, plotter.XY{X: seconds / 60, Y: float64(n)})
		}
		p.Add(line(points, c, width, dashes...))
		end := points[len(points)-1]
		took := fmt.Sprintf("%.1f minutes", run.Took/60)
		beside := style(normal, c, text.XLeft, text.YTop)
		switch {
		case run.By == "quota":
		case run.By == "Bulk":
			p.Add(label("Bulk\n"+took, end, bold(beside), -150, -4))
		case run.Lost > 0:
			p.Add(label(plain(run.By, fmt.Sprintf("gives up on %s users", whole(float64(run.Lost)))), end, beside, -210, -6))
		default:
			p.Add(label(plain(run.By, took), end, beside, 10, -4))
		}
		p.X.Max = max(p.X.Max, end.X)
	}
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, float64(d.Users)
	p.Draw(s.part(margin, width-margin))
	return s, nil
}

// plain is the name of a run by plain retry, in two lines.
func plain(by, what string) string {
	return "plain retry, " + strings.TrimPrefix(by, "plain, ") + "\n" + what
}

// clients draws how much longer than the ideal clients on one quota take.
func clients(dir string, t theme) (*sheet, error) {
	now, err := data.Read[data.Clients](dir, "clients.json")
	if err != nil {
		return nil, err
	}
	then, err := data.Read[data.Clients](dir, "clients-v0.1.0.json")
	if err != nil {
		return nil, err
	}
	s := newSheet(t, 420, "Several clients on one quota, of which none knows of the others",
		fmt.Sprintf("How much longer %s users take than the quota demands, divided among the clients: 20 writes a second,\nrefused ones included. Measured on the fake tenant, in virtual time.", whole(float64(now.Users))))
	p := s.plot()
	p.X.Label.Text = "clients"
	const most = 500
	p.Y.Tick.Marker = ticks(" %", 0, 100, 200, 300, 400, most)
	p.Add(s.grid())
	at := make(map[int]float64) // across, by the number of clients
	var counts plot.ConstantTicks
	for i, run := range now.Runs {
		at[run.Clients] = float64(i)
		counts = append(counts, plot.Tick{Value: float64(i), Label: strconv.Itoa(run.Clients)})
	}
	p.X.Tick.Marker = counts
	for _, series := range []struct {
		data.Clients
		name string
		color.Color
		x         text.XAlignment
		y         text.YAlignment
		right, up vg.Length
	}{{then, "v0.1.0", t.theirs, text.XRight, text.YBottom, 4, 6}, {now, "this version", t.ours, text.XCenter, text.YTop, 0, -9}} {
		style := style(normal, series.Color, series.x, series.y)
		var points plotter.XYs
		for _, run := range series.Runs {
			point := plotter.XY{X: at[run.Clients], Y: run.Excess}
			if run.Stopped > 0 {
				style.XAlign = text.XLeft
				p.Add(label(fmt.Sprintf("%s with %d clients: %s of %s\nare done after %.0f hours", series.name,
					run.Clients, whole(float64(run.Done)), whole(float64(series.Users)), run.Stopped/3600), points[len(points)-1], style, 18, -31))
				continue
			}
			points = append(points, point)
			p.Add(label(fmt.Sprintf("+%.0f %%", run.Excess), point, style, series.right, series.up))
		}
		p.Add(line(points, series.Color, 3))
		if last := points[len(points)-1]; series.Color == t.ours {
			style.YAlign = text.YBottom
			p.Add(label(series.name, last, bold(style), -10, 8))
		}
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.3, float64(len(now.Runs))-0.7, -65, most+60
	p.Draw(s.part(margin, width-margin))
	return s, nil
}
