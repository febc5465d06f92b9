package term

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// valueColumn is where the values of a block begin, behind the labels.
const valueColumn = 13

// Field is a line of a block: a label, and its value in the column of the values. Of several lines of a kind all but the first have no label.
func Field(label, value string) string { return fmt.Sprintf("  %-10s %s", label, value) }

// SQL is the label of a statement that is shown to be read or copied as it is.
const SQL = "SQL"

// lead is what a line begins with before its text: the time of day, "Error: ", "STOPPED  ".
var lead = regexp.MustCompile(`^(?:\d\d:\d\d:\d\d |(?:[A-Z][A-Za-z]*:|[A-Z]{2,}) +)`)

// Wrap breaks the lines of text that are wider than width columns, between two words, best where three spaces are, and goes on under the value: behind the label of a
// [Field] or the lead of a message, else under the line's own indentation.
//
// What somebody may copy stays in one piece, and where it is wider than the terminal, the terminal breaks it, which does not copy the break: a
// word, a command line of program up to the next two spaces, and a statement behind the label [SQL] with all that follows it.
func Wrap(text string, width int, program string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, Field(SQL, "")) {
			break
		}
		if ansi.StringWidth(line) > width {
			lines[i] = wrapLine(line, width, program)
		}
	}
	return strings.Join(lines, "\n")
}

func wrapLine(line string, width int, program string) string {
	hang := min(hangOf(line), width/2)
	var b strings.Builder
	b.WriteString(line[:hang])
	column, fresh := ansi.StringWidth(line[:hang]), true
	for rest := line[hang:]; rest != ""; {
		word := strings.TrimLeft(rest, " ")
		space := rest[:len(rest)-len(word)]
		if end := unit(word, program); end >= 0 {
			word, rest = word[:end], word[end:]
		} else {
			rest = ""
		}
		wide, together := ansi.StringWidth(word), 0
		if len(space) >= len(gap) { // the numbers between two gaps stay together where they can
			group, _, _ := strings.Cut(word+rest, gap)
			together = ansi.StringWidth(group)
		}
		if together <= wide || hang+together > width {
			together = wide
		}
		if !fresh && word != "" && column+len(space)+together > width {
			space = "\n" + strings.Repeat(" ", hang)
			column = -1 // the newline takes no column
		}
		b.WriteString(space + word)
		column += len(space) + wide
		fresh = false
	}
	return b.String()
}

// unit is where the first word of text ends, or the command line that it begins; -1: with the text.
func unit(text, program string) int {
	if strings.HasPrefix(text, program+" ") {
		return strings.Index(text, "  ")
	}
	return strings.IndexByte(text, ' ')
}

// hangOf is the column that the rest of a line goes on in.
func hangOf(line string) int {
	if begin := lead.FindString(line); begin != "" {
		return len(begin)
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if label := (indent == 2 || indent >= valueColumn) && len(line) > valueColumn; label && line[valueColumn-1] == ' ' && line[valueColumn] != ' ' {
		return valueColumn
	}
	return indent
}
