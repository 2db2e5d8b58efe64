package licensing

import (
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The columns of a list of product names, as positions in listColumns.
const (
	skuID = iota
	skuName
	planID
	planName
)

var listColumns = [...]string{
	skuID:    "GUID",
	skuName:  "Product_Display_Name",
	planID:   "Service_Plan_Id",
	planName: "Service_Plans_Included_Friendly_Names",
}

// A productList reads the rows of a list of product names.
type productList struct {
	rows   *csv.Reader
	titles []string
	at     [len(listColumns)]int // where each column is, or -1
}

// openList reads the first row, by whichever separator makes sense of it. A
// line such as sep=; before it, which Excel writes, has the separator.
func openList(text string) (*productList, error) {
	separators := []rune{',', ';', '\t'}
	first, rest, _ := strings.Cut(text, "\n")
	if separator, ok := separatorOf(first); ok {
		separators, text = append([]rune{separator}, separators...), "\n"+rest
	}
	var failed error
	for _, separator := range separators {
		list := &productList{rows: csv.NewReader(strings.NewReader(text))}
		list.rows.Comma = separator
		list.rows.FieldsPerRecord = -1                           // checked in next, by what is needed
		list.rows.TrimLeadingSpace = !unicode.IsSpace(separator) // it would take empty fields for blanks
		list.rows.ReuseRecord = true
		err := list.readTitles()
		if err == nil {
			return list, nil
		}
		if failed == nil {
			failed = err
		}
		// Where the titles are there, what is wrong with them is the better answer.
		if list.titles != nil && slices.ContainsFunc(list.at[:], func(i int) bool { return i >= 0 }) {
			return nil, err
		}
	}
	return nil, failed
}

// separatorOf returns the separator that a line such as sep=; is about.
func separatorOf(line string) (rune, bool) {
	const start = "sep="
	line = strings.Trim(line, `"`)
	if len(line) < len(start) || !strings.EqualFold(line[:len(start)], start) {
		return 0, false
	}
	separator, size := utf8.DecodeRuneInString(line[len(start):])
	return separator, len(start)+size == len(line) && separator != utf8.RuneError
}

func (l *productList) readTitles() error {
	row, err := l.rows.Read()
	if err == io.EOF {
		return errors.New("line 1: the file is empty")
	} else if err != nil {
		return err
	}
	for _, title := range row {
		l.titles = append(l.titles, strings.ToLower(strings.Trim(plain(title), lostMark+" ")))
	}
	for i, name := range listColumns {
		l.at[i] = slices.Index(l.titles, strings.ToLower(name))
	}
	line, _ := l.rows.FieldPos(0)
	if slices.Max(l.at[:]) < 0 {
		return fmt.Errorf("line %d: no column %s (columns are separated by commas, semicolons or tabs)", line, listColumns[skuID])
	}
	missing := -1
	for _, pair := range [][2]int{{planID, planName}, {skuID, skuName}} {
		id, name := l.at[pair[0]] >= 0, l.at[pair[1]] >= 0
		switch {
		case id && !name:
			missing = pair[1]
		case name && !id:
			missing = pair[0]
		}
	}
	if missing >= 0 {
		return fmt.Errorf("line %d: no column %s", line, listColumns[missing])
	}
	return nil
}

// next returns the fields of the next row in the order of listColumns, those
// of columns that are not there empty.
func (l *productList) next() (fields [len(listColumns)]string, err error) {
	row, err := l.rows.Read()
	for err == nil && plain(strings.Join(row, "")) == "" {
		row, err = l.rows.Read()
	}
	if err != nil {
		return fields, err
	}
	line, _ := l.rows.FieldPos(0)
	if width := slices.Max(l.at[:]) + 1; len(row) < width {
		return fields, fmt.Errorf("line %d: %d columns, want %d or more", line, len(row), width)
	}
	if !l.fits(row) {
		if row = l.joined(row); row == nil {
			return fields, fmt.Errorf("line %d: the fields do not match the column titles; does a name contain %q without quotes?", line, l.rows.Comma)
		}
	}
	for i, at := range l.at {
		if at >= 0 {
			fields[i] = row[at]
		}
	}
	return fields, nil
}

// fits reports whether the fields of a row are those of the titles. There may
// be more, if they are empty, and ids that cannot be read, but then none may
// be where an id has no business.
func (l *productList) fits(row []string) bool {
	for i := len(l.titles); i < len(row); i++ {
		if plain(row[i]) != "" {
			return false
		}
	}
	isID := func(i int) bool { _, ok := listedID(row[i]); return ok }
	all := (l.at[skuID] < 0 || isID(l.at[skuID])) && (l.at[planID] < 0 || isID(l.at[planID]))
	if all {
		return true
	}
	for i, title := range l.titles[:min(len(l.titles), len(row))] {
		if (i == l.at[skuName] || i == l.at[planName] || plainTitle(title)) && isID(i) {
			return false
		}
	}
	return true
}

// plainTitle reports whether a column is known to have names without blanks
// and separators only.
func plainTitle(title string) bool { return title == "string_id" || title == "service_plan_name" }

// joined returns a row that has more fields than there are titles with those
// joined again that a separator in a name took apart, or nil where the ids do
// not tell which. Between two ids, what is too much belongs to the one name
// there.
func (l *productList) joined(row []string) []string {
	var columns, fields []int // of the ids, in their order
	for _, at := range []int{l.at[skuID], l.at[planID]} {
		if at >= 0 {
			columns = append(columns, at)
		}
	}
	slices.Sort(columns)
	full := 0 // fields up to the last that is not empty
	for i, field := range row {
		if _, ok := listedID(field); ok {
			fields = append(fields, i)
		}
		if plain(field) != "" {
			full = i + 1
		}
	}
	if len(fields) != len(columns) {
		return nil
	}
	last := len(columns) - 1
	end := max(full, fields[last]+len(l.titles)-columns[last])
	if end > len(row) {
		return nil
	}
	var done []string
	field := 0
	columns = append(columns, len(l.titles))
	for i, at := range append(fields, end) {
		part := l.fitted(row, len(done), columns[i], field, at)
		if part == nil {
			return nil
		}
		done = slices.Concat(done, part, row[at:min(at+1, end)]) // with the id, but at the end
		field = at + 1
	}
	return done
}

// fitted returns row[field:at] as the fields of the columns from column to
// end, or nil where they do not fit.
func (l *productList) fitted(row []string, column, end, field, at int) []string {
	extra := (at - field) - (end - column)
	if extra == 0 {
		return row[field:at]
	}
	name := -1
	for i := column; i < end; i++ {
		switch isName := i == l.at[skuName] || i == l.at[planName]; {
		case isName && name < 0:
			name = i
		case !plainTitle(l.titles[i]):
			return nil // it may be in there as well
		}
	}
	if name < 0 || extra < 0 {
		return nil
	}
	first := field + name - column
	last := first + extra
	return slices.Concat(row[field:first], []string{l.text(row, first, last)}, row[last+1:at])
}

// text returns the fields first to last as they stand in the list.
func (l *productList) text(row []string, first, last int) string {
	var text strings.Builder
	text.WriteString(row[first])
	for i := first + 1; i <= last; i++ {
		text.WriteRune(l.rows.Comma)
		_, before := l.rows.FieldPos(i - 1)
		if _, at := l.rows.FieldPos(i); at > before+len(row[i-1])+1 {
			text.WriteByte(' ') // the reader has taken it away
		}
		text.WriteString(row[i])
	}
	return text.String()
}

// lostMark is what a byte order mark becomes, once or more, where text is
// written as ASCII.
const lostMark = "?"

// decoded returns text as UTF-8, with \n at the ends of lines and without the
// marks of encodings, which are also in the middle where files were joined.
func decoded(data []byte) (string, error) {
	order := utf16Order(data)
	text := ""
	if order != nil {
		text = fromUTF16(data, order)
	} else {
		text = fromWindows1252(data)
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\uFEFF", "", "ï»¿", "").Replace(text)
	if order != nil && len(data)%2 != 0 {
		return "", fmt.Errorf("line %d: the file is UTF-16 and ends within a character; is it cut off?", strings.Count(text, "\n")+1)
	}
	return strings.TrimLeft(text, lostMark), nil
}

// utf16Order returns the order of the bytes of text that starts with the mark
// of UTF-16, or with half a letter, and else nil.
func utf16Order(data []byte) binary.ByteOrder {
	if len(data) >= 2 {
		switch a, b := data[0], data[1]; {
		case a == 0xFF && b == 0xFE, a != 0 && b == 0:
			return binary.LittleEndian
		case a == 0xFE && b == 0xFF, a == 0 && b != 0:
			return binary.BigEndian
		}
	}
	return nil
}

// fromWindows1252 returns text in which what is no UTF-8 is Windows-1252.
func fromWindows1252(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var s strings.Builder
	s.Grow(len(text) + len(text)/8)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 {
			r = rune(text[0])
			if r < 0xA0 {
				r = windows1252[r-0x80]
			}
		}
		s.WriteRune(r)
		text = text[size:]
	}
	return s.String()
}

// windows1252 has the letters 0x80 to 0x9F. The others are as in Unicode.
var windows1252 = [32]rune{
	'€', utf8.RuneError, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', utf8.RuneError, 'Ž', utf8.RuneError,
	utf8.RuneError, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', utf8.RuneError, 'ž', 'Ÿ',
}

// fromUTF16 leaves a byte at the end that is half a letter out.
func fromUTF16(text []byte, order binary.ByteOrder) string {
	var s strings.Builder
	s.Grow(len(text) / 2)
	for len(text) >= 2 {
		r := rune(order.Uint16(text))
		text = text[2:]
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if len(text) >= 2 {
				low = rune(order.Uint16(text))
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				text = text[2:]
			}
		}
		s.WriteRune(r)
	}
	return s.String()
}
