package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

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
