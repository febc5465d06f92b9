// Package testscreen runs a program on a terminal of its own, for tests, and shows what somebody in front of it would see.
package testscreen

import (
	"slices"
	"strings"
)

// Screen shows what a terminal would, for the few control codes that drover sends: enough to prove that no line is torn or left over. It has no
// height, and each rune takes one column.
type Screen struct {
	width    int
	rows     []row
	row, col int
}

type row struct {
	text []rune
	goes bool // on in the next row: the terminal broke the line
}

// New makes a screen of width columns.
func New(width int) *Screen { return &Screen{width: width, rows: []row{{}}} }

// Continued ends a row of [Screen.Feed] whose line the terminal itself has broken.
const Continued = " ↩"

// Feed plays text and returns the rows; the last one is where the cursor is.
func (v *Screen) Feed(text string) []string {
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text[2:], "ABCDHJKmlh") + 2
			if end < 2 { // its end has not come yet
				text = ""
				continue
			}
			v.control(text[2:end], text[end])
			text = text[end+1:]
			continue
		case text[0] == '\n':
			v.down()
		case text[0] == '\r':
			v.col = 0
		default:
			r := []rune(text)[0]
			v.put(r)
			text = text[len(string(r)):]
			continue
		}
		text = text[1:]
	}
	out := make([]string, len(v.rows))
	for i, r := range v.rows {
		out[i] = strings.TrimRight(string(r.text), " ")
		if r.goes {
			out[i] = string(r.text) + Continued
		}
	}
	return out
}

// Resize changes the width as terminals do: lines that are too wide now go on in the next row, and the cursor stays in its line.
func (v *Screen) Resize(width int) {
	var rows []row
	at := 0
	for i, r := range v.rows {
		for len(r.text) > width {
			rows = append(rows, row{slices.Clone(r.text[:width]), true})
			r.text = r.text[width:]
		}
		if i == v.row {
			at = len(rows)
		}
		rows = append(rows, row{slices.Clone(r.text), r.goes})
	}
	v.width, v.rows, v.row, v.col = width, rows, at, min(v.col, width)
}

func (v *Screen) down() {
	v.row++
	if v.row == len(v.rows) {
		v.rows = append(v.rows, row{})
	}
}

func (v *Screen) put(r rune) {
	if v.col == v.width {
		v.rows[v.row].goes = true
		v.col = 0
		v.down()
	}
	text := v.rows[v.row].text
	for len(text) <= v.col {
		text = append(text, ' ')
	}
	text[v.col] = r
	v.rows[v.row].text = text
	v.col++
}

func (v *Screen) control(argument string, code byte) {
	n := 0
	for _, digit := range argument {
		if digit >= '0' && digit <= '9' {
			n = n*10 + int(digit-'0')
		}
	}
	switch code {
	case 'A':
		v.row = max(0, v.row-max(1, n))
	case 'J':
		v.rows = v.rows[:v.row+1]
		last := &v.rows[v.row]
		last.text, last.goes = last.text[:min(v.col, len(last.text))], false
	}
}
