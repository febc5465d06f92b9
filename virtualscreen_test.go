package drover_test

import "strings"

// virtualScreen shows what a terminal would, for the few control codes that drover sends: enough to prove that no line is
// torn or left over.
type virtualScreen struct {
	width    int
	rows     [][]rune
	row, col int
}

func newVirtualScreen(width int) *virtualScreen {
	return &virtualScreen{width: width, rows: [][]rune{nil}}
}

// feed plays text and returns the rows; the last one is where the cursor is.
func (v *virtualScreen) feed(text string) []string {
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "\x1b["):
			end := strings.IndexAny(text[2:], "ABCDHJKmlh") + 2
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
	for i, row := range v.rows {
		out[i] = strings.TrimRight(string(row), " ")
	}
	return out
}

func (v *virtualScreen) down() {
	v.row++
	if v.row == len(v.rows) {
		v.rows = append(v.rows, nil)
	}
}

func (v *virtualScreen) put(r rune) {
	if v.col == v.width {
		v.col = 0
		v.down()
	}
	row := v.rows[v.row]
	for len(row) <= v.col {
		row = append(row, ' ')
	}
	row[v.col] = r
	v.rows[v.row] = row
	v.col++
}

func (v *virtualScreen) control(argument string, code byte) {
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
		v.rows[v.row] = v.rows[v.row][:min(v.col, len(v.rows[v.row]))]
	}
}
