package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/graphlicensing/licensing/examples/internal/cli"
)

// mistakes are what is wrong with an input, in the order in which it was found.
type mistakes struct {
	texts []string
	lines map[string][]int
}

func (m *mistakes) add(line int, err error) {
	text := err.Error()
	if m.lines == nil {
		m.lines = map[string][]int{}
	}
	if m.lines[text] == nil {
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

// print writes each mistake once, with the first line where it is, and the numbers
// of some others.
func (m *mistakes) print(out io.Writer, name string, data []byte) {
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
		fmt.Fprintf(out, "%s:%d: %s%s\n", name, lines[0], cut(text, messageWidth), also)
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

// notUTF8 says what a text is that is not UTF-8, and in which line that shows.
func notUTF8(data []byte) (line int, err error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return 1, errors.New("the text is UTF-16; save it as CSV UTF-8")
	}
	rest := data
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			guess := ""
			if looksLikeWindows1252(data) {
				guess = "; it looks like Windows-1252, of which Latin-1 is a part"
			}
			return 1 + bytes.Count(data[:len(data)-len(rest)], []byte("\n")), fmt.Errorf("the text is not UTF-8%s; save it as CSV UTF-8", guess)
		}
		rest = rest[size:]
	}
	return 0, nil
}

// looksLikeWindows1252 reports whether all bytes are characters there.
func looksLikeWindows1252(data []byte) bool {
	for _, b := range data {
		if b < ' ' && !strings.ContainsRune("\t\r\n", rune(b)) || slices.Contains([]byte("\x7f\x81\x8d\x8f\x90\x9d"), b) {
			return false
		}
	}
	return true
}
