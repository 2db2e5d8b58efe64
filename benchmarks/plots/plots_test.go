package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/graphlicensing/licensing/benchmarks/data"
)

const figures, drawn = "../data", "../../docs/pictures"

// The pictures in the documentation are those of the figures, and are drawn the
// same every time.
func TestPicturesAreOfTheFigures(t *testing.T) {
	files, err := drawAll(figures)
	if err != nil {
		t.Fatal(err)
	}
	for name, svg := range files {
		old, err := os.ReadFile(filepath.Join(drawn, name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(svg, old) {
			t.Errorf("%s is not what go -C benchmarks run ./plots draws", name)
		}
	}
	entries, err := os.ReadDir(drawn)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()] == nil {
			t.Errorf("%s is drawn by nothing", e.Name())
		}
	}
	again, err := drawAll(figures)
	if err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if !bytes.Equal(files[name], again[name]) {
			t.Errorf("%s is drawn in two ways", name)
		}
	}
}

// Each file says which command writes it, and when that was.
func TestFiguresHaveASource(t *testing.T) {
	files, err := filepath.Glob(figures + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var s data.Source
		if err := json.Unmarshal(text, &s); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if s.Command == "" {
			t.Errorf("%s names no command", file)
		}
		if _, err := time.Parse(time.DateOnly, s.Measured); err != nil {
			if _, err := time.Parse("2006-01", s.Measured); err != nil {
				t.Errorf("%s was measured %q", file, s.Measured)
			}
		}
	}
}

var textStyle = regexp.MustCompile(`font-weight:(\w+);.*font-size:([0-9.]+)px`)

// Text is text, inside the picture, and nothing is behind it.
func TestPicturesCanBeRead(t *testing.T) {
	files, err := drawAll(figures)
	if err != nil {
		t.Fatal(err)
	}
	for name, svg := range files {
		var picture struct {
			Width  float64 `xml:"width,attr"`
			Height float64 `xml:"height,attr"`
			Text   []struct {
				X     float64 `xml:"x,attr"`
				Y     float64 `xml:"y,attr"`
				Style string  `xml:"style,attr"`
				Text  string  `xml:",chardata"`
			} `xml:"g>text"`
			Image []struct{} `xml:"g>image"`
		}
		if err := xml.Unmarshal(svg, &picture); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if picture.Width != width || picture.Height < 200 || picture.Height > 500 || len(picture.Image) > 0 || len(svg) > 20_000 {
			t.Errorf("%s: %v × %v, %d bytes, %d images", name, picture.Width, picture.Height, len(svg), len(picture.Image))
		}
		if len(picture.Text) < 10 || len(picture.Text) != strings.Count(string(svg), "<text") {
			t.Errorf("%s: %d texts", name, len(picture.Text))
		}
		ends := make([]float64, len(picture.Text))
		for i, txt := range picture.Text {
			m := textStyle.FindStringSubmatch(txt.Style)
			if m == nil {
				t.Fatalf("%s: %q is in the style %s", name, txt.Text, txt.Style)
			}
			px, _ := strconv.ParseFloat(m[2], 64)
			s := style(vg.Length(px), nil, text.XLeft, text.YTop)
			if m[1] == "bold" {
				s = bold(s)
			}
			ends[i] = txt.X + float64(s.Width(txt.Text))
			if txt.X < 0 || ends[i] > width || px < small {
				t.Errorf("%s: %q goes from %.0f to %.0f, %v pixels high", name, txt.Text, txt.X, ends[i], px)
			}
			for j, other := range picture.Text[:i] {
				if math.Abs(txt.Y-other.Y) < 0.7*small && txt.X < ends[j] && other.X < ends[i] {
					t.Errorf("%s: %q is written over %q", name, txt.Text, other.Text)
				}
			}
		}
		if strings.Contains(string(svg), "<rect") || strings.Contains(string(svg), "#FFFFFF") {
			t.Errorf("%s has a background", name)
		}
	}
}

func TestNumbers(t *testing.T) {
	for f, want := range map[float64]string{0: "0.0", 1.04: "1.0", 99.94: "99.9", 315: "315", 2044249: "2,044,249", 18588: "18,588"} {
		if got := number(f); got != want {
			t.Errorf("number(%v) = %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := whole(f); got != want {
			t.Errorf("whole(%v) = %q, want %q", f, got, want)
		}
	}
}

// Figures that the pictures do not know are an error, and so are missing ones.
func TestReadIsStrict(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "size.json"), []byte(`{"command": "c", "measured": "2026-11", "weight": 3}`), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"size.json", "bulk.json"} {
		if _, err := data.Read[data.Sizes](dir, name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
