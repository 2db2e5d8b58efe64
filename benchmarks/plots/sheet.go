package main

import (
	"bytes"
	"image/color"
	"regexp"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A theme is the colors for a light or a dark page. Blue and orange are told
// apart by all readers, and every line has its name beside it as well.
type theme struct {
	name              string
	ink, muted, faint color.Color // text, lesser text, lines behind the figures
	ours, theirs      color.Color
}

var themes = []theme{
	{"light", rgb(0x1f2328), rgb(0x59636e), rgb(0xd8dee4), rgb(0x0069b4), rgb(0xb84a00)},
	{"dark", rgb(0xf0f6fc), rgb(0x9da7b1), rgb(0x3d444d), rgb(0x5cb8f2), rgb(0xf0a04b)},
}

func rgb(hex uint32) color.Color {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 0xff}
}

// A length of 1 is a pixel.
const (
	width  = 800
	small  = 14
	normal = 15
	large  = 19
	margin = 8
	head   = 82 // the title and the two lines under it
)

// style returns a style of text.
func style(size vg.Length, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color:  c,
		Font:   font.Font{Typeface: plot.DefaultFont.Typeface, Variant: "Sans", Size: size},
		XAlign: x, YAlign: y,
		Handler: plot.DefaultTextHandler,
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = xfont.WeightBold
	return s
}

// A sheet is a picture with a title.
type sheet struct {
	theme
	height vg.Length
	canvas *vgsvg.Canvas
	all    draw.Canvas
}

func newSheet(t theme, height vg.Length, title, under string) *sheet {
	c := vgsvg.New(width, height)
	s := &sheet{t, height, c, draw.New(c)}
	s.all.FillText(bold(style(large, t.ink, text.XLeft, text.YTop)), vg.Point{X: margin, Y: height - margin}, title)
	s.all.FillText(style(small, t.muted, text.XLeft, text.YTop), vg.Point{X: margin, Y: height - margin - 27}, under)
	return s
}

// part is what is under the title, from one place across to another.
func (s *sheet) part(left, right vg.Length) draw.Canvas {
	return draw.Crop(s.all, left, right-width, margin, -head)
}

// plot returns an empty plot in the colors of the sheet.
func (s *sheet) plot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for axis, label := range map[*plot.Axis]text.Style{
		&p.X: style(small, s.muted, text.XCenter, text.YTop),
		&p.Y: style(small, s.muted, text.XRight, text.YCenter),
	} {
		axis.LineStyle = draw.LineStyle{}
		axis.Padding = 0
		axis.Tick.LineStyle = draw.LineStyle{}
		axis.Tick.Length = 4
		axis.Tick.Label = label
		axis.Label.TextStyle = style(small, s.muted, text.XCenter, text.YBottom)
		axis.Label.Padding = 4
	}
	return p
}

// grid has a line across the plot at each tick of Y.
func (s *sheet) grid() plot.Plotter {
	return &plotter.Grid{Horizontal: draw.LineStyle{Color: s.faint, Width: 1}}
}

// line is a line through points.
func line(points plotter.XYs, c color.Color, width vg.Length, dashes ...vg.Length) plot.Plotter {
	return &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: c, Width: width, Dashes: dashes}}
}

// label writes text at a distance from a point of the plot.
func label(txt string, at plotter.XY, style text.Style, right, up vg.Length) plot.Plotter {
	return &plotter.Labels{
		XYs: plotter.XYs{at}, Labels: []string{txt}, TextStyle: []text.Style{style},
		Offset: vg.Point{X: right, Y: up},
	}
}

// ticks are at these values, with the unit behind them.
func ticks(unit string, values ...float64) plot.ConstantTicks {
	var all plot.ConstantTicks
	for _, v := range values {
		all = append(all, plot.Tick{Value: v, Label: whole(v) + unit})
	}
	return all
}

var (
	points   = regexp.MustCompile(`^(<\?xml[^>]*>\n)<!--.*-->\n<svg width="([0-9.]+)pt" height="([0-9.]+)pt"`)
	fontName = regexp.MustCompile(`font-family:[^;"]*`)
)

// svg returns the picture. Lengths are in pixels, and the fonts are those that
// every machine has, which are as wide as the ones that the text was set with.
func (s *sheet) svg() []byte {
	var b bytes.Buffer
	if _, err := s.canvas.WriteTo(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	out := points.ReplaceAll(b.Bytes(), []byte(`$1<svg width="$2" height="$3"`))
	return fontName.ReplaceAll(out, []byte("font-family:Arial,Helvetica,Liberation Sans,sans-serif"))
}

// number writes a number with a decimal, if it is below a hundred, or with commas
// between thousands.
func number(f float64) string {
	if f < 100 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return whole(f)
}

// whole writes a whole number with commas between thousands.
func whole(f float64) string {
	s := strconv.FormatFloat(f, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
