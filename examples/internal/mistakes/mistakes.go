// Package mistakes tells what is wrong with a file that people write, and where.
package mistakes

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// A List is what is wrong with a file, in the order in which it was found. The zero
// List is empty.
type List struct {
	texts   []string
	lines   map[string][]int
	columns map[string]int // of the first line
}

// None reports whether nothing is wrong.
func (m *List) None() bool { return len(m.texts) == 0 }

// Add adds a mistake in a line.
func (m *List) Add(line int, err error) { m.AddAt(line, 0, err) }

// AddAt adds a mistake in a line at a column, if it is not 0.
func (m *List) AddAt(line, column int, err error) {
	text := err.Error()
	if m.lines == nil {
		m.lines, m.columns = map[string][]int{}, map[string]int{}
	}
	if m.lines[text] == nil {
		m.columns[text] = column
		m.texts = append(m.texts, text)
	}
	if n := len(m.lines[text]); n == 0 || m.lines[text][n-1] != line {
		m.lines[text] = append(m.lines[text], line)
	}
}

const (
	lineWidth    = 76  // of a line that is quoted, with four blanks before it
	messageWidth = 240 // of a message, which can quote from the input as well
)

// Print writes each mistake once, with the first line where it is, and the numbers
// of some others.
func (m *List) Print(out io.Writer, name string, data []byte) {
	const most = 5
	quoted := 0
	for _, text := range m.texts {
		lines := m.lines[text]
		var others []string
		for _, line := range lines[1:min(most, len(lines))] {
			others = append(others, strconv.Itoa(line))
		}
		also := ""
		switch {
		case len(lines) > most:
			also = fmt.Sprintf(" (also in lines %s and %d more)", strings.Join(others, ", "), len(lines)-most)
		case len(others) > 0:
			also = fmt.Sprintf(" (also in line%s %s)", plural(len(others)), strings.Join(others, ", "))
		}
		place := strconv.Itoa(lines[0])
		if column := m.columns[text]; column > 0 {
			place += ":" + strconv.Itoa(column)
		}
		fmt.Fprintf(out, "%s:%s: %s%s\n", name, place, cut(text, messageWidth), also)
		if line := lineOf(data, lines[0]); line != "" && quoted != lines[0] {
			fmt.Fprintf(out, "    %s\n", cut(line, lineWidth))
			quoted = lines[0]
		}
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// cut makes a text printable and no wider than so many columns.
func cut(text string, width int) string {
	text = cli.Printable(strings.ReplaceAll(text, "\t", " "))
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// lineOf returns a line of the input, as it was meant.
func lineOf(data []byte, number int) string {
	for line := range bytes.Lines(data) {
		if number--; number > 0 {
			continue
		}
		if !utf8.Valid(line) {
			line, _ = charmap.Windows1252.NewDecoder().Bytes(line)
		}
		return strings.TrimSpace(strings.TrimPrefix(string(line), "\ufeff"))
	}
	return ""
}
